#!/usr/bin/env bats
# scripts/hspace_export.py, where torch and diffusers are: $HSPACE_PYTHON, else python3.
load support

@test "hspace_export.py: a sealed store whose h, eps and images are those of hspace dump" {
    python=${HSPACE_PYTHON:-python3}
    "$python" -c "import torch, diffusers, h5py" 2>/dev/null || skip "torch, diffusers or h5py is absent"
    pipeline="$BATS_TEST_DIRNAME/../../../shared/data/parity/diffusers_ddpm/pipeline"
    [ -d "$pipeline" ] || skip "shared data is absent"
    "$python" "$BATS_TEST_DIRNAME/../../scripts/hspace_export.py" "$pipeline" -N 5 --steps 4 --batch 2 \
        --keep x_T,x_0,eps -o theirs.h5 >/dev/null 2>&1
    "$HSPACE" info theirs.h5 --json | jq -e '.results | .sealed and .n == 5 and .tap == "mid_block.out" and .h == [32,4,4]'
    "$HSPACE" export theirs.h5 --what x_T -q -o x_T.npy
    "$HSPACE" dump --model "$pipeline" --x-T x_T.npy --timesteps 750,500,250,0 --keep x_0,eps -q -o ours.h5
    "$python" - <<'END'
import h5py, numpy as np
a, b = h5py.File("theirs.h5"), h5py.File("ours.h5")
for name in ("h", "eps"):
    for k in range(4):
        x, y = a[name][:, k], b[name][:, k]
        assert abs(x - y).max() <= 2e-5 * abs(y).max(), (name, k)
assert abs(a["x_0"][:].astype(int) - b["x_0"][:]).max() <= 1
END
    "$HSPACE" pca theirs.h5 -k 2 -q -o pca.h5
    "$HSPACE" similarity theirs.h5 ours.h5 --json | jq -e '[.results | .. | numbers] | length > 0'
}
