"""Opens a result file made by the unit test with h5py and both engines of xarray, and compares
names, coordinates and values with what the test wrote.  Exit status 77: a package is absent."""
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

path = sys.argv[1]
with h5py.File(path, "r") as f:
    assert f.attrs["hspace_kind"] == "directions", f.attrs["hspace_kind"]
    assert f.attrs["hspace_format"] == "1.0"
    assert [d[0].name for d in f["delta"].dims] == ["/direction", "/timestep", "/channel"]
    assert f["delta"].attrs["units"] == "1"
for engine in ("h5netcdf", "netcdf4", None):
    with xr.open_dataset(path, engine=engine) as d:
        assert d.attrs["hspace_kind"] == "directions", (engine, d.attrs["hspace_kind"])
        assert d["delta"].dims == ("direction", "timestep", "channel"), (engine, d["delta"].dims)
        assert list(d["timestep"].values) == [900, 500, 100], engine
        assert list(d["channel"].values) == [0, 1, 2, 3], engine
        assert list(d["direction"].values) == ["smile", "h\u00e9las"], (engine, d["direction"].values)
        assert np.array_equal(d["delta"].values.ravel(), np.arange(24, dtype="f4") / 8), engine
        assert float(d["scalar"]) == 2.5, engine
print("ok")
