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
    # found with 4 steps, used with 2: twice the strength
    for name in z.h5:global f.h5; do
        "$HSPACE" edit --model random:tiny --steps 2 -N 1 --direction $name --found-steps 4 --rescale count --strength 1 -q -f -o a.npy 2>/dev/null
        "$HSPACE" edit --model random:tiny --steps 2 -N 1 --direction $name --strength 2 -q -f -o b.npy 2>/dev/null
        cmp a.npy b.npy
    done
    "$HSPACE" edit --model random:tiny --steps 2 -N 1 --direction z.h5:global --rescale count -q -f -o c.npy 2>/dev/null
    "$HSPACE" edit --model random:tiny --steps 2 -N 1 --direction z.h5:global --strength 2 -q -f -o b.npy 2>/dev/null
    cmp c.npy b.npy
    fails 2 "found-steps" "$HSPACE" edit --quiet $M -N 1 --direction f.h5 --rescale count -o e2.npy
    fails 2 "no delta network" "$HSPACE" direction freeze --quiet z.h5:mean $M -N 1 -o y.h5
    fails 2 "no step of the sampler" "$HSPACE" direction freeze --quiet f.h5 --model random:tiny --timesteps 500,100 -N 1 --t-edit 999 -o y.h5
    fails 2 "f_t of 64 channels" "$HSPACE" direction freeze --quiet f.h5 --model random:ddpm-cifar10-32 -N 1 -o y.h5
    [ ! -e y.h5 ]
}

# dictionary NAME.pth PYTHON-DICT: of h's shape, v(t) the tensor of t.
dictionary() {
    PYTHONPATH="$BATS_TEST_DIRNAME" /usr/bin/python3 - "$1" <<P
import sys, numpy as np
from write_pth import write_pth
v = lambda t, shape=(1, 64, 4, 4): np.random.default_rng(t).normal(size=shape).astype("f4")
write_pth(sys.argv[1], $2)
P
}

@test "dictionaries {t: tensor}: keys of numbers or texts, None left out, the mean under 0 is the global one" {
    link
    dictionary a.pth '{999: v(999), 666: v(666), "333": v(333), 0: v(0), 500: None}'
    "$HSPACE" import a.pth -q -o a.h5 --json | jq -e '.results.directions == 1 and .results.names == ["a"]'
    "$HSPACE" edit $M -N 1 --direction a.h5 -q -o exact.npy 2>/dev/null
    dictionary g.pth '{999: v(1), 666: v(2), 333: v(3), 0: (v(1) + v(2) + v(3)) / np.float32(3)}'
    "$HSPACE" import g.pth --name mine -q -o g.h5 --json | jq -e '.results.names == ["mine", "mine_global"]'
    "$HSPACE" info g.h5 --json | jq -e '.results.directions == ["mine", "mine_global"]'
    fails 2 'mine: nothing at t = 0, which the sampler visits; --match nearest' "$HSPACE" edit --quiet $M -N 1 --direction g.h5:mine -o x.npy
    "$HSPACE" edit $M -N 1 --direction g.h5:mine --t-edit 300 -q -o x.npy 2>/dev/null
    "$HSPACE" edit $M -N 1 --direction g.h5:mine --match nearest -q -o near.npy 2>/dev/null
    "$HSPACE" import g.pth --match nearest -q -o n.h5
    "$HSPACE" edit $M -N 1 --direction n.h5:g -q -o near2.npy 2>/dev/null
    cmp near.npy near2.npy
    "$HSPACE" edit --model random:tiny --steps 7 -N 1 --direction g.h5:mine --match linear -q -o lin.npy 2>/dev/null
}

@test "dictionaries that don't fit are refused in a line" {
    link
    dictionary other.pth '{999: v(1), 666: v(2, (1, 64, 4, 5))}'
    fails 2 'other.pth: the tensor of t = 666 has another shape' "$HSPACE" import other.pth -q -o x.h5
    dictionary flat.pth '{999: v(1, (64,))}'
    fails 2 'flat.pth: the tensor of t = 999 has rank 1; wanted \(1, C, H, W\)' "$HSPACE" import flat.pth -q -o x.h5
    dictionary nan.pth '{999: v(1) * np.float32("nan")}'
    fails 3 'nan.pth: the tensor of t = 999: element 0 is not finite' "$HSPACE" import nan.pth -q -o x.h5
    dictionary none.pth '{999: None}'
    fails 3 'none.pth: ' "$HSPACE" import none.pth -q -o x.h5
    dictionary small.pth '{999: v(1, (1, 32, 4, 4))}'
    "$HSPACE" import small.pth -q -o s.h5
    fails 2 'a direction of shape \(32, 4, 4\); h of the model is \(64, 4, 4\)' "$HSPACE" edit --quiet $M -N 1 --direction s.h5 -o e.npy
    dictionary here.pth '{999: v(1), 666: v(2), 333: v(3), 0: v(4)}'
    "$HSPACE" import here.pth --tap down.3 -q -o down.h5
    fails 2 "here: of the tap 'down.3'; edits act at mid_block.out" "$HSPACE" edit --quiet $M -N 1 --direction down.h5 -o e.npy
    "$HSPACE" edit $M -N 1 --direction down.h5 --force -q -o forced.npy 2>/dev/null
    for s in nan inf 1,nan; do
        fails 2 '^hspace: --strength: ' "$HSPACE" edit --quiet $M -N 1 --direction s.h5 --strength $s -o e.npy
    done
    [ ! -e x.h5 ] && [ ! -e e.npy ]
}

@test "the released networks of both types are imported" {
    shared="$BATS_TEST_DIRNAME/../../../shared/data/asyrp-dh"
    [ -d "$shared" ] || skip "needs the released networks"
    "$HSPACE" import "$shared/smiling_LC_CelebA_HQ.pth" "$shared/young_LC_CelebA_HQ.pth" -q -o two.h5 --json |
        jq -e '.results.names == ["smiling_LC_CelebA_HQ", "young_LC_CelebA_HQ"]'
    "$HSPACE" import "$shared/dog_happy_LC_dog.pth" --name happy -q -o dog.h5 --json | jq -e '.results.names == ["happy"]'
    "$HSPACE" import "$shared/smiling_LC_CelebA_HQ.pth" dog.h5 -q -o both.h5
    "$HSPACE" info both.h5 --json | jq -e '.results.directions == ["smiling_LC_CelebA_HQ", "happy"]'
}

@test "import merges: arrays, dictionaries, networks and own files in one, each as it was" {
    link
    dictionary a.pth '{999: v(999), 666: v(666), 333: v(333), 0: v(0)}'
    "$HSPACE" import a.pth -q -o a.h5
    "$HSPACE" dump $M -N 6 -q -o acts.h5
    "$HSPACE" pca acts.h5 -k 2 -q -o p.h5
    "$HSPACE" export p.h5:pc1 --t 333 -q -o one.safetensors
    "$HSPACE" import p.h5 a.pth one.safetensors f.h5 --kind direction -q -o all.h5 --json >all.json
    jq -e '.results.names == ["pc0", "pc1", "a", "one", "f"]' all.json
    for pair in p.h5:pc0=all.h5:pc0 p.h5:1=all.h5:1 a.h5=all.h5:a f.h5=all.h5:f; do
        "$HSPACE" edit $M -N 1 --direction ${pair%=*} -q -f -o was.npy 2>/dev/null
        "$HSPACE" edit $M -N 1 --direction ${pair#*=} -q -f -o is.npy 2>/dev/null
        cmp was.npy is.npy
    done
    "$HSPACE" export all.h5:one -q -o one.npy
    "$HSPACE" export p.h5:pc1 --t 333 -q -o want.npy
    cmp one.npy want.npy
    "$HSPACE" info all.h5 --json | jq -e '.results.model_sha256 | length == 64'
    "$HSPACE" import all.h5:f --kind direction --name g -q -o g.h5 --json | jq -e '.results.names == ["g"]'
    fails 2 "a second direction called 'pc0'" "$HSPACE" import p.h5 all.h5:pc0 --kind direction -q -o x.h5
    fails 2 'name: p.h5 holds 2 directions' "$HSPACE" import p.h5 --kind direction --name q -q -o x.h5
    "$HSPACE" dump --model random:tiny:5 --steps 4 -N 6 -q -o other.h5
    "$HSPACE" pca other.h5 -k 1 -q -o q.h5
    "$HSPACE" import q.h5:pc0 --kind direction --name q0 -q -o q0.h5
    fails 2 'directions of two models need --force' "$HSPACE" import p.h5:pc0 q0.h5 --kind direction -q -o x.h5
    dictionary small.pth '{999: v(1, (1, 32, 4, 4))}'
    fails 2 'small.pth: dh of shape \(32, 4, 4\); that of p.h5:pc0 is \(64, 4, 4\)' "$HSPACE" import p.h5:pc0 small.pth --kind direction -q -o x.h5
    [ ! -e x.h5 ]
}
