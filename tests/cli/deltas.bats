#!/usr/bin/env bats
# Delta networks on samples, dictionaries of dh, and what becomes of them in edits.
load support

M="--model random:tiny --steps 4"

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    H="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    [ -x /usr/bin/python3 ] && /usr/bin/python3 - <<'P' || touch no-numpy
import numpy as np
rng = np.random.default_rng(1)
C, T = 64, 64
w = lambda *s: rng.normal(size=s).astype("f4") * 0.2
np.savez("f.npz", **{"conv1.weight": w(C, C, 1, 1), "conv1.bias": w(C), "temb_proj.weight": w(C, T), "temb_proj.bias": w(C),
                     "norm2.weight": w(C) + 1, "norm2.bias": w(C), "conv2.weight": w(C, C, 1, 1), "conv2.bias": w(C)})
P
    [ -e no-numpy ] || "$H" import f.npz --kind direction --name f -o f.h5 >/dev/null
}
link() {
    [ ! -e "$BATS_FILE_TMPDIR/no-numpy" ] || skip "needs numpy"
    ln -sf "$BATS_FILE_TMPDIR"/* .
}

@test "freeze: deltas, mean and global; an edit by global is an edit by the mean of the means" {
    link
    "$HSPACE" direction freeze f.h5 $M -N 3 --batch 2 --t-edit 300 -o z.h5 --json 2>/dev/null >z.json
    jq -e '.results | .n == 3 and .directions == ["mean", "global", "global_unit"] and [.steps[].t] == [999, 666, 333]
           and (.steps | all(.norm >= .norm_of_mean))' z.json
    "$HSPACE" info z.h5 --json | jq -e '.results | .kind == "deltas" and .arrays.delta_h == [3, 3, 64, 4, 4] and .directions[1] == "global"'
    "$HSPACE" export z.h5 --what delta_h -q -o all.npy
    for n in mean global global_unit; do "$HSPACE" export z.h5:$n -q -o $n.npy; done
    /usr/bin/python3 - <<'P'
import numpy as np
a, mean, g, u = (np.load(n + ".npy").astype("f8") for n in ("all", "mean", "global", "global_unit"))
assert np.allclose(a.mean(0), mean, atol=1e-6) and np.allclose(mean.mean(0), g, atol=1e-6)
unit = (mean / np.linalg.norm(mean.reshape(3, -1), axis=1)[:, None, None, None]).sum(0)
assert np.allclose(u, unit / np.linalg.norm(unit) * np.linalg.norm(g), atol=1e-6)
P
    "$HSPACE" edit $M -N 1 --direction z.h5:mean --t-edit 300 -o e.npy -q --json 2>/dev/null | jq -e '.results.effect[0] > 0'
    "$HSPACE" edit $M -N 1 --direction z.h5:global --t-edit 300 -q -o g.npy 2>/dev/null
    fails 2 "no delta network" "$HSPACE" direction freeze --quiet z.h5:mean $M -N 1 -o y.h5
    fails 2 "no step of the sampler" "$HSPACE" direction freeze --quiet f.h5 --model random:tiny --timesteps 500,100 -N 1 --t-edit 999 -o y.h5
    fails 2 "f_t of 64 channels" "$HSPACE" direction freeze --quiet f.h5 --model random:ddpm-cifar10-32 -N 1 -o y.h5
    [ ! -e y.h5 ]
}
