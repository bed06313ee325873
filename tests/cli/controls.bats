#!/usr/bin/env bats
# Controls run beside a measurement, in the same run: none of them may hold.
load support

setup() {
    HSPACE="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    models="$BATS_TEST_DIRNAME/../../datasets/models"
    cd "$BATS_TEST_TMPDIR"
    export OMP_NUM_THREADS=2 GOMP_SPINCOUNT=1000 PYTHONDONTWRITEBYTECODE=1
}

labelled() { # MODEL N: a.h5, l.csv, d.h5 with twins
    printf 'file,on\n' >l.csv
    for i in $(seq 1 "$2"); do echo "$i,$((i * i % 3 == 1 && i % 2))"; done >>l.csv
    "$HSPACE" dump --model "$1" --steps 3 -N "$2" --keep eps -q -o a.h5 2>/dev/null
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
}

measured() { # COMMAND...: out.json, a measurement whatever its verdict
    "$HSPACE" "$@" --json >out.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
}

none_holds() { # NAME...: in every read-out these controls were run, with numbers, and none holds
    for name in "$@"; do
        jq -e --arg n "$name" '.results | [., .exploratory[]?] | all(.controls_run | any(.name == $n and .verdict != null
            and .verdict != "holds" and .primary.n > 0 and .effect.value != null and .reason != ""))' out.json || {
            echo "$name"; jq -c '.results.controls_run' out.json; false; }
    done
    jq -e '.results | [., .exploratory[]?] | all(all(.controls_not_run[]; .name != "" and .reason != ""))' out.json
}

@test "faces-a: untrained U-Net, shuffled labels and untrained f_t never hold, whatever the read-out" {
    "$HSPACE" dump --model faces-a --steps 3 -N 32 --keep x_0 -q -o a.h5
    "$HSPACE" score a.h5 -q -o l.csv
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr smile -q -o d.h5
    o="--model faces-a -N 4 --steps 3 --readout attr:smile,x0,brightness"
    measured linearity $o --direction d.h5 --strengths=-1:1:0.25 --null 3
    none_holds "untrained U-Net" "shuffled labels"
    measured homogeneity $o --direction d.h5 --strengths 1 --nulls 3
    none_holds "untrained U-Net" "shuffled labels"
    measured consistency $o --direction d.h5 --at 2 --nulls 3
    none_holds "untrained U-Net" "shuffled labels"
    net="$models/faces-a/smile-clip.h5"
    measured homogeneity $o --direction "$net" --strengths 1 --nulls 3 --transfers 2
    none_holds "untrained U-Net" "untrained delta network"
    measured consistency $o --direction "$net" --at 2 --nulls 3
    none_holds "untrained U-Net" "untrained delta network"
    jq -e '.results.statistics | any(.name == "transfer_steps_untrained" and .value != null)' out.json
}

@test "an untrained network is not said to hold by itself, either" {
    labelled random:tiny 21
    for c in "linearity --strengths=-1:1:0.25 --null 3" "homogeneity --strengths 2 --nulls 3" "consistency --at 2 --nulls 3"; do
        measured $c --model random:tiny --steps 3 -N 16 --direction d.h5 --readout x0,brightness
        jq -e '[.results, .results.exploratory[]] | all(.verdict != "holds")' out.json
        jq -e '.results.controls_not_run | any(.name == "untrained U-Net" and .reason == "the model is itself untrained")' out.json
    done
}

@test "a control's numbers are those of the same sweep made by hand" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    labelled faces-a 21
    s="-N 3 --steps 3 --strengths=-1,0,1 --readout brightness,x0 -q"
    "$HSPACE" sweep --model faces-a --direction d.h5 $s --null 2 --controls all -o s.h5
    /usr/bin/python3 -c "import numpy as np; np.save('b.npy', np.linspace(1e-4, 0.01, 1000))" # its scheduler_config.json
    "$HSPACE" sweep --model "random:$models/faces-a/config.json:0" --schedule b.npy --direction d.h5 $s -f -o u.h5 2>/dev/null
    /usr/bin/python3 - <<'PY'
import h5py
import numpy as np
d = h5py.File("d.h5")
twins, own = d["shuffled_delta_h"][0].astype("f8"), d["delta_h"][0].astype("f8")
assert twins.shape == (4,) + own.shape, (twins.shape, own.shape)
norm = lambda v: np.sqrt((v ** 2).sum((-1, -2, -3), keepdims=True))
assert np.abs(twins - own).max() > 0
for i in (0, 1):
    v = (twins[i] * norm(own) / norm(twins[i])).astype("f4")
    np.savez("t%d.npz" % i, **{str(t): v[k] for k, t in enumerate(d["timestep"][()])})
PY
    for i in 0 1; do
        "$HSPACE" import t$i.npz --kind direction -o t$i.h5 -q
        "$HSPACE" sweep --model faces-a --direction t$i.h5 $s -f -o w$i.h5 2>/dev/null
    done
    /usr/bin/python3 - <<'PY'
import h5py
import numpy as np
s, u, w, w1 = (h5py.File(f) for f in ("s.h5", "u.h5", "w0.h5", "w1.h5"))
for phi in ("brightness", "x0"):
    assert np.allclose(s["control_untrained_unet_score_" + phi][()], u["score_" + phi][()], rtol=1e-4, atol=1e-4)
    assert np.allclose(s["control_shuffled_labels_score_" + phi][()], w["score_" + phi][()], rtol=1e-4, atol=1e-4)
null = s["control_shuffled_labels_null_brightness"][()]
assert null.shape == (3, 3, 3) and np.allclose(null[0], w1["score_brightness"][()], rtol=1e-4, atol=1e-4)
# x_T + s v moves the images as far as h + s dh does, for a small s: the strengths here are not small
e = lambda v: np.sqrt(((v[:, 2] - v[:, 1]) ** 2).mean())
assert 0.2 < e(s["control_x_T_score_x0"][()]) / e(s["score_x0"][()]) < 5
PY
}

@test "rivals of eps in homogeneity and consistency; --controls as asked; misuse" {
    labelled random:tiny 21
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
    m="--model random:tiny --steps 3 -N 5 --direction d.h5 --readout brightness"
    for c in "homogeneity --strengths 1 --nulls 3" "consistency --at 2 --nulls 3"; do
        measured $c $m --rival e.h5 --controls shuffled-labels
        jq -e '.results | .rival.value != null and .difference_rival.value != null and .specific != "not tested"
            and (.controls_run | any(.name == "rival in eps-space")) and (.controls_run | any(.name == "shuffled labels"))
            and (.controls_not_run | any(.name == "x_T"))' out.json
        jq -e '.results | .primary.value - .rival.value - .difference_rival.value | . * . < 1e-20' out.json
        run "$HSPACE" $c $m --rival d.h5 --json
        [ "$status" -eq 2 ] && [[ "$output" == *"wanted one of eps"* ]]
        run "$HSPACE" $c $m --controls nothing --json
        [ "$status" -eq 2 ] && [[ "$output" == *"wanted untrained-unet"* ]]
    done
    "$HSPACE" homogeneity $m --strengths 1 --nulls 3 --controls none --json >out.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.controls_not_run | any(.name == "shuffled labels" and (.reason | test("not asked")))' out.json
    "$HSPACE" homogeneity $m --dry-run -o r.h5 | grep -q "control: shuffled labels"
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --shuffles 0 -q -f -o d.h5
    measured homogeneity $m --strengths 1 --nulls 3
    jq -e '.results.controls_not_run | any(.name == "shuffled labels" and (.reason | test("no twins")))' out.json
}

@test "probe directions store twins, too" {
    labelled random:tiny 24
    "$HSPACE" direction probe a.h5 --labels l.csv --attr on --shuffles 2 --folds 3 -q -o p.h5 2>/dev/null
    measured homogeneity --model random:tiny --steps 3 -N 5 --direction p.h5 --readout brightness --strengths 1 --nulls 3
    jq -e '.results.controls_run | any(.name == "shuffled labels" and .null.n >= 1)' out.json
}

@test "h covariance: draws from the h of the run's own images, in every command; their limit is what the effect must exceed" {
    labelled random:tiny 21
    m="--model random:tiny --steps 3 -N 6 --direction d.h5 --readout brightness,x0 --controls h-covariance"
    for c in "linearity --strengths=-1:1:0.25 --null 3" "homogeneity --strengths 1 --nulls 3" "consistency --at 2 --nulls 3"; do
        measured $c $m
        jq -e '[.results, .results.exploratory[]] | all((.controls_run | any(.name == "h covariance" and .verdict == null
            and .primary.n == 8 and .primary.value > 0 and (.reason | test("must exceed")))) and
            (.controls_not_run | any(.name == "x_T" and (.reason | test("not asked")))))' out.json
        measured $c --model random:tiny --steps 3 -N 2 --direction d.h5 --readout brightness
        jq -e '.results.controls_not_run | any(.name == "h covariance" and (.reason | test("three images")))' out.json
    done
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
    measured linearity --strengths=-1:1:0.25 --null 3 --model random:tiny --steps 3 -N 4 --direction e.h5 --readout brightness
    jq -e '.results.controls_not_run | any(.name == "h covariance" and (.reason | test("of eps")))' out.json
}

@test "h covariance: the limit of a sweep is that of its file, and what a direction's own spread reaches withholds a verdict" {
    /usr/bin/python3 -c "import h5py, scipy" 2>/dev/null || skip "python3-h5py or python3-scipy is absent"
    "$HSPACE" dump --model faces-a --steps 3 -N 12 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    s="--model faces-a --steps 3 -N 6 --direction p.h5:pc0 --strengths=-1:1:0.25 --readout brightness --null 3 --controls h-covariance"
    "$HSPACE" sweep $s -q -o s.h5
    "$HSPACE" sweep $s --batch 3 --threads 1 -q -o t.h5
    measured linearity --sweep s.h5
    cp out.json of_sweep.json
    measured linearity $s
    /usr/bin/python3 - <<'PY'
import json, h5py
import numpy as np
from scipy.stats import t
f, g = h5py.File("s.h5"), h5py.File("t.h5")
v = f["control_h_covariance_null_brightness"][()]
assert v.shape == (8, 6, 9) and (v[np.isfinite(v)] == g["control_h_covariance_null_brightness"][()][np.isfinite(v)]).all()
assert np.isfinite(v[:, :, [0, 4, 8]]).all() and np.isnan(v[:, :, 1]).all() and "control_h_covariance_score_brightness" not in f
rms = np.sqrt(((v[:, :, 8] - v[:, :, 4]) ** 2).mean(1))
K = len(rms)
limit = max(rms.mean() + t.ppf(0.975, K - 1) * rms.std(ddof=1) * np.sqrt(1 + 1 / K), t.ppf(0.9875, K) * np.sqrt((rms ** 2).mean()))
random = np.sqrt(((f["null_score_brightness"][:, :, 8] - f["null_score_brightness"][:, :, 4]) ** 2).mean(1))
print(rms, random)
for name in "of_sweep.json", "out.json":
    r = json.load(open(name))["results"]
    c = [x for x in r["controls_run"] if x["name"] == "h covariance"][0]
    assert abs(c["primary"]["value"] - limit) < 1e-9 * limit, (c, limit)
    if r["effect"]["ci"][0] <= limit:
        assert r["verdict"] != "holds"
PY
}
