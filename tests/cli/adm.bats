#!/usr/bin/env bats
# guided-diffusion's networks: model flags, classes, respaced processes, and everything that runs a model with them.
load support

# A class-conditional network of 16 x 16; with noclass.json one without classes.
flags() {
    printf '{"image_size": 16, "num_channels": 32, "num_res_blocks": 1, "channel_mult": "1,1", "learn_sigma": true,
 "attention_resolutions": "8", "num_heads": 4, "resblock_updown": true, "use_scale_shift_norm": true%s}\n' "$1"
}
setup_file() {
    cd "$BATS_FILE_TMPDIR"
    flags ', "class_cond": true, "NUM_CLASSES": 10' >adm.json
    flags '' >noclass.json
}
M="--model random:$BATS_FILE_TMPDIR/adm.json"

@test "info shows the family and the classes" {
    "$HSPACE" info "random:$BATS_FILE_TMPDIR/adm.json" -q --json >i.json
    jq -e '.results.family == "adm" and .results.classes == 10 and .results.h == [32, 8, 8] and .results.image == [3, 16, 16]' i.json
    "$HSPACE" info "random:$BATS_FILE_TMPDIR/noclass.json" -q --json | jq -e '.results.classes == 0'
    "$HSPACE" info --archs --json | jq -e '[.results.archs[].name] | index("adm-256") != null and index("adm-imagenet-256-cond") != null'
}

@test "a class is asked for where there are any, refused where there are none or it isn't one" {
    "$HSPACE" sample --model "random:$BATS_FILE_TMPDIR/noclass.json" -N 1 --steps 2 -q -o x.npy
    for what in "sample -N 1 -o y.npy" "dump -N 1 -o y.h5" "invert --x-0 x.npy -o y.npy" "eval --x x.npy --t 1 -o y.npz" \
        "theorem1 -N 1 -o y.h5"; do
        fails 2 '^hspace: --class: none given; .* 0 to 9' "$HSPACE" $what $M -q
        fails 2 '^hspace: --class: class 10' "$HSPACE" $what $M --class 10 -q
        fails 2 '^hspace: --class: .*conditional' "$HSPACE" $what --model "random:$BATS_FILE_TMPDIR/noclass.json" --class 1 -q
        fails 2 '^hspace: --class: 3 classes for 1 images' "$HSPACE" $what $M --class 1,2,3 -q
    done
    fails 2 '^hspace: --class: 1.5 is not a whole' "$HSPACE" sample $M -N 1 --class 1.5 -q -o y.npy
    [ ! -e y.npy ] && [ ! -e y.h5 ] && [ ! -e y.npz ]
}

@test "each image has its class, in whatever batch it is" {
    "$HSPACE" sample $M -N 3 --class 7,3,3 --batch 2 --steps 3 -q -o all.npy
    for class in 7 3; do
        "$HSPACE" sample $M -N 3 --class $class --batch 2 --steps 3 -q -o $class.npy
    done
    od -An -v -tx4 -w3072 -j128 all.npy >all.txt
    od -An -v -tx4 -w3072 -j128 7.npy >7.txt
    od -An -v -tx4 -w3072 -j128 3.npy >3.txt
    cmp <(sed -n 1p all.txt) <(sed -n 1p 7.txt)
    cmp <(sed -n 2,3p all.txt) <(sed -n 2,3p 3.txt)
    if cmp -s <(sed -n 1p 3.txt) <(sed -n 1p 7.txt); then false; fi
}

@test "eval, dump and edit agree on an image of a class; the store says which" {
    "$HSPACE" sample $M -N 3 --class 1 --steps 1 -q -o x.npy
    "$HSPACE" eval $M --x x.npy --t 500 --class 1,2,3 --batch 2 -q -o e.npz
    "$HSPACE" eval $M --x x.npy --t 500 --class 1,2,3 --batch 2 --jvp-x x.npy -q -o g.npz
    "$HSPACE" dump $M --x-T x.npy --timesteps 500 --class 1,2,3 --batch 2 --keep eps -q -o a.h5
    "$HSPACE" info e.npz --json >e.json
    "$HSPACE" dump $M --x-T x.npy --timesteps 500 --class 2 -q -o b.h5
    fails 2 'class' "$HSPACE" dump $M --x-T x.npy --timesteps 500 --class 3 -q -o b.h5
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
a, e, g = h5py.File("a.h5"), np.load("e.npz"), np.load("g.npz")
assert np.abs(a["h"][:, 0] - e["h"]).max() == 0 and np.abs(g["h"] - e["h"]).max() == 0
assert len(a.attrs["class_sha256"]) == 64 and float(h5py.File("b.h5").attrs["class"]) == 2
END
}

@test "respaced processes visit guided-diffusion's timesteps" {
    "$HSPACE" sample $M -N 1 --class 0 --respacing ddim6 --clip -q --json >s.json
    jq -e '.params.timesteps == [835, 668, 501, 334, 167, 0] and .params.steps == 6 and .params.spacing == "respacing"' s.json
    "$HSPACE" sample $M -N 1 --class 0 --respacing 2,3 -q --json | jq -e '.params.timesteps == [999, 750, 500, 499, 0]'
    fails 2 '^hspace: --respacing: .*ddim999' "$HSPACE" sample $M -N 1 --class 0 --respacing ddim999 -q -o y.npy
    fails 2 '^hspace: --respacing: .*501 timesteps of a section of 500' "$HSPACE" sample $M -N 1 --class 0 --respacing 501,1 -q -o y.npy
    fails 2 '^hspace: --respacing: beside' "$HSPACE" sample $M -N 1 --class 0 --respacing 5 --steps 4 -q -o y.npy
    fails 2 '^hspace: --respacing: .*wanted N' "$HSPACE" sample $M -N 1 --class 0 --respacing 5, -q -o y.npy
}

@test "f_t of the ADM type is trained, stored, frozen and edits; a Jacobian has its residuals" {
    flags ', "class_cond": true, "NUM_CLASSES": 10' | sed 's/"image_size": 16/"image_size": 32/' >a32.json
    K="--model random:a32.json --class 4,5,6 -N 3 --batch 2 --timesteps 900,500 -q"
    "$HSPACE" direction asyrp $K --readout attr:smile --trajectories 2 --t-edit 0 -o d.h5 --json >d.json
    jq -e '.results.updates > 0 and (.results.loss | . == . and . > 0)' d.json
    "$HSPACE" info d.h5.train/f_t.safetensors --json | jq -e '[.results.tensors[].name] | index("0.in_layers.0.weight") != null and length == 10'
    "$HSPACE" edit $K --direction d.h5 --strength 0,1 -o e.npy
    "$HSPACE" sample $K -o s.npy
    "$HSPACE" direction freeze d.h5 $K -o f.h5
    "$HSPACE" direction jacobian $K --t 900,500 -k 2 -o j.h5 --json | jq -e '.results.steps | length == 2 and all(.residual <= 1e-3)'
    /usr/bin/python3 -c "import numpy" 2>/dev/null || skip "python3-numpy is absent"
    /usr/bin/python3 - <<'END'
import numpy as np
e, s = np.load("e.npy"), np.load("s.npy")
assert np.abs(e[:, 0] - s).max() == 0 and np.abs(e[:, 1] - s).max() > 0
END
}

@test "flags that cannot be are refused in a line" {
    echo '{"image_size": 16, "num_channels": 32, "num_res_blocks": 1, "channel_mult": "1,1", "num_heads": 5}' >bad.json
    fails 3 '^hspace: bad.json: heads \(num_heads\) is 5' "$HSPACE" sample --model random:bad.json -N 1 -q -o y.npy
    echo '{"image_size": 16, "num_channels": 32, "num_res_blocks": 1, "chanel_mult": "1,1"}' >bad.json
    fails 3 'no field "chanel_mult"' "$HSPACE" sample --model random:bad.json -N 1 -q -o y.npy
    echo '{"num_channels": 32, "num_res_blocks": 1}' >bad.json
    fails 3 'image_size is missing' "$HSPACE" sample --model random:bad.json -N 1 -q -o y.npy
    fails 2 '^hspace: --arch: .*not trained' "$HSPACE" train --arch adm-256 --data faces -q -o t
}
