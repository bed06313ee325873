"""Opens a store made by the unit test with h5py and both engines of xarray: names, coordinates,
values.  Exit status 77: a package is absent."""
import sys

try:
    import h5netcdf  # noqa: F401
    import h5py
    import netCDF4  # noqa: F401
    import numpy as np
    import xarray as xr
except ImportError as e:
    print("SKIP:", e)
    sys.exit(77)

path, dtype = sys.argv[1], sys.argv[2]


def value(part, sample, i):
    x = (sample * 1000003 + i * 7919 + part * 104729) * 2654435761 % 2**32
    return x >> 24 if part == 2 else np.float32(np.float32(x >> 8) / np.float32(16777216)) - np.float32(0.5)


with h5py.File(path, "r") as f:
    assert f.attrs["hspace_kind"] == "activations"
    assert f.attrs["tap"] == "mid_block.out"
    assert f.attrs["note"] == "two\nlines"
    assert f.attrs["hostname"] == b"here"
    assert f.attrs["sealed"] == 1 and len(f.attrs["finished"]) == 20
    n, S = f["h"].shape[:2]
    assert f["h"].dtype == np.dtype(dtype), f["h"].dtype
    want = np.array([[value(0, s, i) for i in range(72)] for s in range(n)], dtype)
    assert np.array_equal(f["h"][:].reshape(n, -1).view("u%d" % want.itemsize), want.view("u%d" % want.itemsize))
    assert f["provenance/model_config"][()] == b'{"a": 1}'
    assert f["seed"][1] == 2**64 - 2
    for name in f:
        if isinstance(f[name], h5py.Dataset):
            for d in f[name].dims:
                scale = f[name].attrs.get("CLASS") == b"DIMENSION_SCALE"
                assert scale or len(d) == 1, (name, "has a dimension without a name")

# netCDF-C has no half floats.
for engine in ("h5netcdf", "netcdf4") if dtype == "f4" else ("h5netcdf",):
    with xr.open_dataset(path, engine=engine) as d:
        assert d["h"].dims == ("sample", "timestep", "channel", "y", "x"), engine
        assert list(d["timestep"].values) == [900, 450, 0]
        assert list(d["x"].values) == [0, 1, 2]
        assert d["alpha_bar"].dims == ("timestep",) and d["alpha_bar"].values[2] == 1 / 3
        assert list(d["source"].values[:2]) == ["prior", "d\u00e9j\u00e0.png"], engine
        assert np.array_equal(d["h"].values.reshape(n, -1), want), engine
        if "x_0" in d:
            assert d["x_0"].dims == ("sample", "row", "col", "rgb")
            assert d["x_0"].values[1].ravel()[7] == value(2, 1, 7)
            assert d["eps"].dims == ("sample", "timestep", "rgb", "row", "col")
            assert d["x_T"].values[2].ravel()[9] == value(1, 2, 9)
print("ok")
