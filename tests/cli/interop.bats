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
