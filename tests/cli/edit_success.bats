#!/usr/bin/env bats
# hspace edit-success: what sweeps did, against numpy's own arithmetic on the same file.
load support

# smile.h5: a short sweep of faces-a along its own smile; a.h5: the activations and images it comes from.
prepare() {
    "$HSPACE" dump --model faces-a -N 24 --steps 3 --keep x_0 -q -o a.h5
    "$HSPACE" score a.h5 -q -o l.csv
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr smile -q -o d.h5
    "$HSPACE" sweep --model faces-a --direction d.h5:smile --strengths 0.5,0,1 -N 16 --steps 3 --batch 16 \
        --readout attr:smile,attr:glasses,attr:age,feat,x0 --null 2 -q -o smile.h5
}

@test "edit-success: effect, put on, most else, change and random as numpy has them" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    prepare
    "$HSPACE" edit-success smile.h5 smile.h5 --target smile,glasses --json -o t.h5 >out.json
    cp "$BATS_TEST_DIRNAME/../../datasets/models/faces-attr/config.json" net.json
    /usr/bin/python3 - <<'END'
import h5py, json, numpy as np
f, rows = h5py.File("smile.h5"), json.load(open("out.json"))["results"]["edits"]
s = f["strength"][:]
zero = list(s).index(0)
v = {k: f["score_attr_" + k][:] for k in ("smile", "glasses", "age")}
sd = {k: f.attrs["spread_attr_" + k] for k in v}
net = json.load(open("net.json"))
for factor in net["factors"]:
    if factor["name"] in ("smile", "age"):
        sd[factor["name"]] = factor["sd"]
for r in rows:
    j = int(np.where(s == r["strength"])[0][0])
    effect = {k: (x[:, j] - x[:, zero]).mean() / sd[k] for k, x in v.items()}
    assert abs(r["effect"]["value"] - effect[r["target"]]) < 1e-9, r
    others = {k: abs(e) for k, e in effect.items() if k != r["target"]}
    assert r["most_else"] == max(others, key=others.get), (r, others)
    x = f["effect_x0"][:].astype(float)
    assert abs(r["change"] - np.sqrt(((x[:, j] - x[:, zero]) ** 2).mean())) < 1e-6, r
    assert r["naturalness"] <= r["limit"] or r["strength"] == 0
    if r["target"] == "glasses":
        p = v["glasses"]
        without = p[:, zero] < 0.5
        put = (p[without, j] > 0.5).mean()
        assert abs(r["put_on"]["value"] - put) < 1e-12, r
    null = f["null_score_attr_" + r["target"]][:]
    want = np.abs((null[:, :, j] - null[:, :, zero]).mean(1)).mean() / sd[r["target"]]
    assert r["random"] is None if np.isnan(want) else abs(r["random"] - want) < 1e-9, (r, want)
END
    "$HSPACE" report t.h5 -o t.html >/dev/null
    grep -q "What the edits did" t.html && grep -q "glasses" t.html
    "$HSPACE" info t.h5 --json | jq -e '.results.kind == "edit-success"'
}

@test "edit-success: clean images from elsewhere judge; without feat it says that nothing did" {
    prepare
    "$HSPACE" score a.h5 --readout feat -q -o clean.csv
    "$HSPACE" edit-success smile.h5 --clean clean.csv --json >out.json 2>err.txt
    jq -e '.results.edits[0] | .limit > 0 and .naturalness > 0' out.json
    ! grep -q . err.txt
    "$HSPACE" sweep --model faces-a --direction d.h5:smile --strengths 0,1 -N 2 --steps 2 --readout attr:smile -q -o few.h5
    "$HSPACE" edit-success few.h5 --json 2>err.txt | jq -e '.results.edits[0] | .limit == null and .change == null'
    grep -q "naturalness not tested" err.txt
}

@test "edit-success: what it refuses" {
    prepare
    fails 2 "attr:hat" "$HSPACE" edit-success smile.h5 --target hat --json
    fails 2 "2 given for 1" "$HSPACE" edit-success smile.h5 --target smile,age --json
    fails 3 "no sweep" "$HSPACE" edit-success a.h5 --json
    printf 'file,feat0\na,1\n' >short.csv
    fails 3 "feat1" "$HSPACE" edit-success smile.h5 --clean short.csv --json
}

@test "linearity: the grid ends where images are no longer natural, and the null is run there" {
    prepare
    "$HSPACE" sweep --model faces-a --direction d.h5:smile --strengths=-8,-4,-2,-1,-.5,0,.5,1,2,4,8 -N 16 --steps 3 \
        --readout attr:smile,feat --null 2 -q -o wide.h5
    "$HSPACE" linearity --sweep wide.h5 --readout attr:smile --json -o l.h5 >out.json || [ $? -le 11 ]
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 - <<'END'
import h5py, json, numpy as np
f, r = h5py.File("wide.h5"), json.load(open("out.json"))["results"]
s, reach = f["strength"][:], f.attrs["natural_strength"]
assert 0 < reach < 8, reach
bad = f["naturalness"][:] > f.attrs["naturalness_limit"]
assert reach == max(x for x in abs(s) if not bad[abs(s) <= x].any()), (reach, bad)
null = f["null_score_attr_smile"][0]
assert np.isfinite(null[:, abs(s) == reach]).all() and np.isnan(null[:, abs(s) > reach]).all()
assert "naturalness not tested" not in r["notes"]
assert h5py.File("l.h5")["strength"][:].tolist() == [x for x in s if abs(x) <= reach]
assert [x["value"] for x in r["statistics"] if x["name"] == "natural_range"] == [reach]
END
}

@test "sweep --null of a delta network: random directions of the mean norms of what it says" {
    "$HSPACE" sweep --model faces-a --direction "$BATS_TEST_DIRNAME/../../datasets/models/faces-a/smile-clip.h5" \
        --strengths=0,1 -N 2 --steps 3 --null 2 --readout attr:smile -q -o n.h5
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
f = h5py.File("n.h5")
null, own = f["null_score_attr_smile"][:], f["score_attr_smile"][:]
assert null.shape == (2, 2, 2) and np.isfinite(null).all()
assert (null[:, :, 0] == own[:, 0]).all() and (null[0, :, 1] != null[1, :, 1]).all()
END
}
