#!/usr/bin/env bats
# Files that hspace writes, opened by h5py and xarray (Debian's Python).
load support

check() {
    rc=0
    /usr/bin/python3 "$BATS_TEST_DIRNAME/interop_h5.py" "$@" || rc=$?
    [ "$rc" -ne 77 ] || skip "python3-h5py, -xarray, -h5netcdf or -netcdf4 is absent"
    [ "$rc" -eq 0 ]
}

make_h() { # a float32 array (6, 2, 3, 2, 2) of 0, 1/8, 2/8, ...
    /usr/bin/python3 - <<'P' || skip "python3-numpy is absent"
import numpy as np
np.save("h.npy", (np.arange(144, dtype="f4") / 8).reshape(6, 2, 3, 2, 2))
P
}

@test "an imported store opens by name in h5py and xarray" {
    make_h
    "$HSPACE" import h.npy --t 900,100 --tap mid_block.out -o acts.h5
    check acts.h5
}

@test "a sealed store is info's, and gives its values back" {
    make_h
    "$HSPACE" import h.npy --t 900,100 --tap mid_block.out -o acts.h5
    "$HSPACE" info acts.h5 --json | jq -e '.results.sealed == true and .results.n == 6'
    "$HSPACE" export acts.h5 --what h -o back.npy
    /usr/bin/python3 -c 'import numpy as np; assert np.array_equal(np.load("h.npy").ravel(), np.load("back.npy").ravel())'
}

@test "a store opens after a second import was refused" {
    make_h
    "$HSPACE" import h.npy --t 900,100 -o acts.h5
    before=$(sha256sum <acts.h5)
    fails 2 'exists' "$HSPACE" import h.npy --t 900,200 -o acts.h5
    [ "$before" = "$(sha256sum <acts.h5)" ]
    check acts.h5
}

@test "a dimension of numbers named direction is no list of directions" {
    /usr/bin/python3 - <<'P' || skip "python3-h5py is absent"
import h5py, numpy as np
with h5py.File("n.h5", "w") as f:
    f["score"] = np.arange(6.0).reshape(3, 2)
    f["direction"] = np.array([0.0, 45.0, 90.0])
    f["direction"].make_scale("direction")
    f["score"].dims[0].attach_scale(f["direction"])
P
    "$HSPACE" info n.h5 --json | jq -e '.results.kind == "hdf5" and (.results | has("directions") | not)'
    "$HSPACE" export n.h5 --what direction -o angles.csv
    [ "$(tr '\n' ' ' <angles.csv)" = "0 45 90 " ]
    fails 3 'n.h5: holds no directions' "$HSPACE" edit --quiet --model random:tiny -N 1 --direction n.h5 -o e.npy
}
