"""interop_h5.py FILE...: h5py and both engines of xarray open each HDF5 file that hspace made, find a name and a
coordinate for every dimension, and, in a store, cells that have their CRC-32C (computed here on its own).
Exit status 77: a package is absent."""
import sys

try:
    import h5netcdf  # noqa: F401
    import h5py
    import netCDF4  # noqa: F401
    import xarray as xr
except ImportError as e:
    print(e)
    sys.exit(77)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def check(path):
    with h5py.File(path, "r") as f:
        kind = text(f.attrs["hspace_kind"])
        assert text(f.attrs["Conventions"]) == "CF-1.8 hspace-1.0"
        assert text(f.attrs["hspace_format"]).split(".")[0] == "1"
        half = any(f[name].dtype == "f2" for name in f if isinstance(f[name], h5py.Dataset))
        if kind == "activations":
            assert f.attrs["sealed"] == 1 and text(f.attrs["tap"]) and len(text(f.attrs["hspace_store_id"])) == 64
            for cell in ((0, 0), (f["h"].shape[0] - 1, f["h"].shape[1] - 1)):
                assert crc32c(f["h"][cell].tobytes()) == f["crc32c"][cell], (path, cell)
    # netCDF-C has no half floats.
    for engine in ("h5netcdf",) if half else ("h5netcdf", "netcdf4"):
        with xr.open_dataset(path, engine=engine) as d:
            assert not [n for n in d.dims if "phony" in n], (path, engine, d.dims)
            assert set(d.dims) <= set(d.coords), (path, engine, set(d.dims) - set(d.coords))
            if kind == "activations":
                assert d["h"].dims == ("sample", "timestep", "channel", "y", "x"), (path, engine)
            d.load()
    print(path, kind, "ok")


for name in sys.argv[1:]:
    check(name)
