#!/usr/bin/env bats
# Directions found from labels.
load support

M="--model random:tiny --steps 3"

@test "mean-diff: the difference of the groups' means and its held-out d', as numpy has them" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" dump $M -N 41 -q -o a.h5
    /usr/bin/python3 - <<'END'
import csv, numpy as np
rng = np.random.default_rng(0)
v, b = rng.standard_normal(41), rng.integers(0, 2, 41)
v[7] = v[12] # a tie
with open("l.csv", "w") as f:
    f.write("file,score,on\n" + "".join(f"{i},{float(v[i])!r},{b[i]}\n" for i in range(41)))
np.savez("l.npz", score=v, on=b)
END
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr score,on --fraction 0.3 --json -o d.h5 >out.json
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr score --ends 12 --json -o e.h5 |
        jq -e --slurpfile d out.json '.results.directions[0] | .groups == "largest against smallest 12" and
            .n_plus == 12 and (.steps | length) == 3 and .steps == $d[0].results.directions[0].steps'
    jq -e '.results.directions | length == 2 and .[0].n_plus == 12 and .[0].n_minus == 12 and .[1].groups == "1 against 0"' out.json
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
h = h5py.File("a.h5")["h"][:].astype(float).reshape(41, 3, -1)
d, l = h5py.File("d.h5"), np.load("l.npz")
order = np.lexsort((np.arange(41), l["score"]))
groups = [(order[::-1][:12], order[:12]), (np.flatnonzero(l["on"] == 1), np.flatnonzero(l["on"] == 0))]
for i, pair in enumerate(groups):
    plus, minus = (np.sort(g) for g in pair)
    for k in range(3):
        x = h[:, k]
        want = x[plus].mean(0) - x[minus].mean(0)
        got = d["delta_h"][i, k].ravel()
        assert abs(got - want).max() < 1e-6 * abs(want).max() + 1e-7
        assert abs(d["norm"][i, k] - np.linalg.norm(want)) < 1e-9 * np.linalg.norm(want)
        p = [], []
        for f in range(5):
            v = (np.delete(x[plus], slice(f, None, 5), 0).mean(0) - np.delete(x[minus], slice(f, None, 5), 0).mean(0))
            v /= np.linalg.norm(v)
            p[0].extend(x[plus][f::5] @ v)
            p[1].extend(x[minus][f::5] @ v)
        dp = (np.mean(p[0]) - np.mean(p[1])) / np.sqrt((np.var(p[0], ddof=1) + np.var(p[1], ddof=1)) / 2)
        assert abs(d["d_prime"][i, k] - dp) < 1e-6, (d["d_prime"][i, k], dp)
assert [s.decode() for s in d["direction"][:]] == ["score", "on"] and d.attrs["method"] == "mean-diff"
END
    "$HSPACE" edit $M --direction d.h5:on --strength 1 -N 2 -q -o e.npy
}

@test "mean-diff: labels that mean nothing give d' about 0 on samples left out" {
    "$HSPACE" dump $M -N 120 -q -o a.h5
    /usr/bin/python3 -c '
import numpy as np
v = np.random.default_rng(1).standard_normal((120, 8))
print("file," + ",".join(f"a{k}" for k in range(8)))
for i in range(120): print(f"{i}," + ",".join(map(str, v[i])))' >l.csv
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr a0,a1,a2,a3,a4,a5,a6,a7 --json -o d.h5 |
        jq -e '[.results.directions[].steps[].d_prime] | add / length | . < 0.35 and . > -0.35'
}

@test "mean-diff: what does not fit is refused" {
    "$HSPACE" dump $M -N 4 -q -o a.h5
    printf 'file,s,c,bad\n0,1,1,1\n1,2,1,x\n2,3,1,1\n3,4,1,1\n' >l.csv
    head -4 l.csv >short.csv
    D="direction mean-diff a.h5 -q -o d.h5"
    fails 2 "wanted --labels" "$HSPACE" $D --attr s
    fails 2 "wanted --labels L.csv and --attr" "$HSPACE" $D --labels l.csv
    fails 2 "3 rows of labels for 4 samples" "$HSPACE" $D --labels short.csv --attr s
    fails 3 "no column" "$HSPACE" $D --labels l.csv --attr smile
    fails 3 'row 2: bad is "x"' "$HSPACE" $D --labels l.csv --attr bad
    fails 6 "c: 4 samples against 0 .*one group is empty" "$HSPACE" $D --labels l.csv --attr c
    fails 6 "s: 0 samples against 0" "$HSPACE" $D --labels l.csv --attr s --fraction 0.1
    fails 2 "ends 3: at most 2" "$HSPACE" $D --labels l.csv --attr s --ends 3
    fails 2 "wanted one of them" "$HSPACE" $D --labels l.csv --attr s --ends 1 --fraction 0.1
    [ ! -e d.h5 ]
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr s -q -o d.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr s --json -f -o d.h5 |
        jq -e '.results.directions[0].steps[0] | .norm > 0 and .d_prime == null'
}

@test "score: the images of a store, as of its array; without images it says what is missing" {
    "$HSPACE" sample --model faces-a -N 3 --steps 4 --seed 5 -q -o f/
    "$HSPACE" dump --model faces-a -N 3 --steps 4 --seed 5 --keep x_0 -q -o a.h5
    "$HSPACE" dump --model random:faces-32 -N 1 --steps 2 -q -o none.h5
    "$HSPACE" score a.h5 -q -o store.csv
    "$HSPACE" score f/ -q -o files.csv
    cmp <(cut -d, -f2- store.csv) <(cut -d, -f2- files.csv)
    fails 2 "dump --keep x_0" "$HSPACE" score none.h5 -q -o n.csv
}

A="--model faces-a --readout attr:smile -N 4 --batch 2 --timesteps 400,300,200 --t-edit 250"

@test "asyrp: f_t moves the factor it was trained for; the same command gives the same bits" {
    "$HSPACE" direction asyrp $A --trajectories 20 --rate 3e-3 --seed 2 -q -o d.h5
    "$HSPACE" info d.h5 --json | jq -e '.results.kind == "directions" and .results.directions == ["smile"]'
    "$HSPACE" sweep --model faces-a --direction d.h5 --strengths 0,1 -N 4 --timesteps 400,300,200,100,0 --t-edit 250 --seed 9 \
        --readout attr:smile -o s.h5 --json -q | jq -e '(.results.readouts[0].mean | .[1] - .[0] > 0.1) and .warnings == []'
    "$HSPACE" edit --model faces-a --direction d.h5 -N 1 --timesteps 400,200,0 -o e.npy --json -q 2>/dev/null |
        jq -e '.warnings == ["d.h5:smile was found at t >= 250; 2 steps below are edited too (--t-edit 0)"]'
    "$HSPACE" direction asyrp $A --trajectories 20 --rate 3e-3 --seed 2 -q -o e.h5
    cmp d.h5.train/f_t.safetensors e.h5.train/f_t.safetensors
    [ "$(head -1 d.h5.train/loss.csv | cut -d, -f1,2)" = "update,loss" ]
}

@test "asyrp: kill -9 and --resume give the bits of the uninterrupted run" {
    "$HSPACE" direction asyrp $A --trajectories 30 --save-every 0 -q -o whole.h5
    "$HSPACE" direction asyrp $A --trajectories 30 --save-every 0 -q -o cut.h5 &
    pid=$!
    for i in $(seq 400); do
        [ "$(wc -l <cut.h5.train/loss.csv 2>/dev/null || echo 0)" -ge 2 ] && break
        sleep 0.05
    done
    kill -9 $pid
    wait $pid || true
    [ ! -e cut.h5 ]
    "$HSPACE" direction asyrp $A --trajectories 30 --save-every 0 --resume -q -o cut.h5
    cmp whole.h5.train/f_t.safetensors cut.h5.train/f_t.safetensors
}

@test "asyrp: every kind of change in either space moves the factor, and is stored as what it is" {
    while read -r kind at file what shape; do
        "$HSPACE" direction asyrp $A --trajectories 30 --rate "$at" --init torch ${kind//_/ } --seed 2 -q -o $file.h5
        d=$file.h5
        [ $what = deltas ] && d=$file.h5:mean
        "$HSPACE" info $file.h5 --json | jq -e --arg k $what --arg s "$shape" '.results.kind == $k and (.results.arrays | tostring | contains($s))'
        "$HSPACE" sweep --model faces-a --direction $d --strengths 0,1 -N 4 --timesteps 400,300,200,100,0 --t-edit 250 \
            --seed 9 --readout attr:smile -o $file.s.h5 --json -q |
            jq -e '.results.readouts[0].mean | .[1] - .[0] > 0.1'
    done <<'END'
--free 3e-2 free deltas "delta_h":[4,2,128,8,8]
--free_--space_eps 3e-2 freps deltas "delta_eps":[4,2,3,32,32]
--shared 3e-2 shared directions "delta_h":[1,2,128,8,8]
--shared_--space_eps 3e-2 sheps directions "delta_eps":[1,2,3,32,32]
END
}

@test "asyrp: free changes are resumed to the same bits, each image and step with its own moments" {
    F="$A --free --trajectories 12"
    "$HSPACE" direction asyrp $F --save-every 0 -q -o whole.h5
    "$HSPACE" direction asyrp $F --save-every 0 -q -o cut.h5 &
    pid=$!
    for i in $(seq 400); do
        [ "$(wc -l <cut.h5.train/loss.csv 2>/dev/null || echo 0)" -ge 2 ] && break
        sleep 0.05
    done
    kill -9 $pid
    wait $pid || true
    [ ! -e cut.h5 ]
    "$HSPACE" direction asyrp $F --save-every 0 --resume -q -o cut.h5
    for f in whole cut; do "$HSPACE" export $f.h5 --what delta_h -q -o $f.npy; done
    cmp whole.npy cut.npy
}

@test "asyrp: recipes stand for options, each of which may be given" {
    X="direction asyrp $A -n --json"
    "$HSPACE" $X --recipe code -o c.h5 | jq -e '.params | .against == "image" and .update == "timestep" and .optimizer == "sgd" and
        .rate == 0.5 and ."rate-every" == 20 and .init == "torch" and .trajectories == 2'
    "$HSPACE" $X --recipe paper --against state -o p.h5 |
        jq -e '.params | .against == "state" and .update == "trajectory" and .weight == 0.8 and ."max-norm" == 0'
    "$HSPACE" $X -o h.h5 |
        jq -e '.params | .against == "state" and .optimizer == "adam" and .init == "zero" and .trajectories == 50'
}

@test "asyrp: a text pair by CLIP, from a network that was begun elsewhere" {
    K="${HSPACE_SHARED_DATA:-$BATS_TEST_DIRNAME/../../../shared/data}/parity/clip_tiny/model"
    [ -d "$K" ] || skip "shared data is absent"
    T="--model random:tiny --timesteps 900,600,300 --t-edit 500 -N 4 --batch 2 --clip $K --trajectories 6"
    "$HSPACE" direction asyrp $T --source "a face" --target "a smiling face" --json -q -o t.h5 |
        jq -e '.results.text_cosine < 1 and .results.name == "a_smiling_face" and (.inputs | map(.path) | any(test("merges.txt")))'
    [ "$(awk -F, 'NR == 2 { a = $2 } END { print (a > $2) }' t.h5.train/loss.csv)" = 1 ]
    printf 'a photo of {}\nthe {}\n' >templates
    "$HSPACE" direction asyrp $T --source "a face" --target "a smiling face" --templates templates --recipe code \
        --init t.h5 -q -o u.h5
    fails 2 "no direction for CLIP" "$HSPACE" direction asyrp $T --source a --target b --init zero -q -o n.h5
    fails 2 "" "$HSPACE" direction asyrp $T --source "$(yes word | head -200 | tr '\n' ' ')" --target b -q -o n.h5
    fails 6 "" "$HSPACE" direction asyrp $T --source "a face" --target "a face" -q -o n.h5
    echo "no place for it" >bad
    fails 3 "{}" "$HSPACE" direction asyrp $T --source a --target b --templates bad -q -o n.h5
    fails 2 "unit|PLAIN|templates" "$HSPACE" direction asyrp $T --source a --target b --templates templates --clip-form plain -q -o n.h5
    fails 2 "wanted a delta network of eps" "$HSPACE" direction asyrp $T --source a --target b --space eps --init t.h5 -q -o n.h5
    fails 2 "f_t of" "$HSPACE" direction asyrp ${T/random:tiny/random:faces-32} --source a --target b --init t.h5 -q -f -o n.h5
    [ ! -e n.h5 ]
}

@test "asyrp: --t-edit auto is the edit's, of the texts' cosine, and resumes" {
    X="--model random:tiny --steps 10 -N 2 --batch 2"
    P=(--source "a face" --target "an old face")
    "$HSPACE" curves $X "${P[@]}" -q --json 2>/dev/null >c.json
    "$HSPACE" direction asyrp $X "${P[@]}" --t-edit auto --trajectories 1 -q -o a.h5 --json 2>/dev/null >a.json
    jq -e --slurpfile c c.json '.results.interval == $c[0].results.interval and .params["t-edit"] == .results.interval.t_edit' a.json
    "$HSPACE" direction asyrp $X "${P[@]}" --t-edit "$(jq '.params["t-edit"]' a.json)" --trajectories 1 -q -o b.h5
    cmp a.h5.train/f_t.safetensors b.h5.train/f_t.safetensors
    "$HSPACE" direction asyrp $X "${P[@]}" --t-edit auto --trajectories 2 --resume -q -f -o a.h5
    fails 2 "another run" "$HSPACE" direction asyrp $X "${P[@]}" --t-edit auto --cosine 0.1 --trajectories 3 --resume -q -f -o a.h5
    fails 2 "whole number" "$HSPACE" direction asyrp $X "${P[@]}" --t-edit often -q -o n.h5
}

@test "asyrp: what does not fit is refused" {
    fails 2 "go with --source" "$HSPACE" direction asyrp $A --templates x -q -o d.h5
    fails 2 "wanted --readout attr:NAME.*--source" "$HSPACE" direction asyrp --model faces-a --source x -N 2 -q -o d.h5
    fails 2 "wanted one of them" "$HSPACE" direction asyrp $A --free --shared -q -o d.h5
    fails 2 "have none" "$HSPACE" direction asyrp $A --free --init d.h5 -q -o d.h5
    fails 2 "wanted --readout attr:NAME" "$HSPACE" direction asyrp --model faces-a -N 2 -q -o d.h5
    fails 2 "no such factor" "$HSPACE" direction asyrp ${A/attr:smile/attr:grin} -q -o d.h5
    fails 2 "no step at or above it" "$HSPACE" direction asyrp ${A/250/401} -q -o d.h5
    fails 2 "reads 3 x 32 x 32, the model draws 3 x 16 x 16" "$HSPACE" direction asyrp ${A/faces-a/random:tiny} -q -o d.h5
    fails 2 "no checkpoint to resume from" "$HSPACE" direction asyrp $A --resume -q -o d.h5
    "$HSPACE" direction asyrp $A --trajectories 1 -q -o d.h5
    fails 2 "another run" "$HSPACE" direction asyrp $A --trajectories 2 --by 2 --resume -f -q -o d.h5
    "$HSPACE" direction asyrp $A --trajectories 1 --recipe paper -q -f -o d.h5
}
