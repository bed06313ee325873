#!/usr/bin/env bats
# hspace homogeneity: deltas and effects made elsewhere.

load support

setup() {
    HSPACE="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    cd "$BATS_TEST_TMPDIR"
    export OMP_NUM_THREADS=2 GOMP_SPINCOUNT=1000 SUPPORT="$BATS_TEST_DIRNAME/../support" PYTHONDONTWRITEBYTECODE=1
    /usr/bin/python3 -c "import numpy" 2>/dev/null || skip "python3-numpy is absent"
    /usr/bin/python3 - <<'PY'
import os, sys
import numpy as np

sys.path.insert(0, os.environ["SUPPORT"])
from planted import planted, r

holds = planted(64, 4, 200, 0.6, 0.1)
np.save("holds.npy", holds)
np.save("fails.npy", planted(64, 4, 200, 0.1, 0.1))
np.save("noise.npy", planted(64, 4, 200, 0, 0))
np.save("bias.npy", planted(64, 4, 200, 0.65, 0.1))
np.save("one.npy", holds[:1])
np.save("flat.npy", holds[:, 0])
np.save("empty.npy", holds[:0])
np.save("zero.npy", 0 * holds)
holds[3, 0, 0] = np.nan
np.save("nan.npy", holds)

def table(name, mean, sd, null=True, strengths=(-1, 0, 1)):
    with open(name, "w") as f:
        nulls = ["null"] + ["null_%d" % k for k in range(2, 9)] if null else []
        f.write(",".join(["image", "strength", "value"] + nulls) + "\n")
        for i in range(80):
            base, e, other = 0.3 * r.normal(), mean + sd * r.normal(), 0.05 * r.normal(size=8)
            for s in strengths:
                row = ["im%d" % i, "%g" % s, "%g" % (base + e * s)]
                f.write(",".join(row + ["%g" % (base + o * s) for o in other][: len(nulls)]) + "\n")

table("up.csv", 2, 0.4)
table("mixed.csv", 1, 1.5)
table("bare.csv", 2, 0.4, null=False)
table("down.csv", 2, 0.4, strengths=(-1, 0))
PY
}

verdict() { # ARGS...: the verdict; status must be that of the verdict
    local code=0
    json=$("$HSPACE" homogeneity "$@" --json 2>err) || code=$?
    v=$(jq -r .results.verdict <<<"$json")
    case "$v" in
        holds) [ $code -eq 0 ] ;;
        fails) [ $code -eq 10 ] ;;
        inconclusive | "no effect") [ $code -eq 11 ] ;;
        *) cat err && return 1 ;;
    esac
    echo "$v"
}

@test "planted deltas get their verdicts and exit codes" {
    [ "$(verdict --deltas holds.npy)" = holds ]
    [ "$(verdict --deltas fails.npy)" = fails ]
    [ "$(verdict --deltas noise.npy)" = "no effect" ]
    [ "$(verdict --deltas holds.npy --null identity)" = holds ]
    [ "$(verdict --deltas holds.npy --null none)" = inconclusive ]
    [ "$(verdict --deltas holds.npy --standard 0.9)" = fails ]
    [ "$(verdict --deltas holds.npy --null-deltas bias.npy)" = "no effect" ]
}

@test "degenerate deltas are inconclusive and say why" {
    for f in one zero nan; do
        [ "$(verdict --deltas $f.npy)" = inconclusive ]
    done
    "$HSPACE" homogeneity --deltas nan.npy --json >n.json || true
    jq -re .results.reason n.json | grep -q "number 3"
    jq -e '.results.primary.value > 0.6 and .results.primary.n == 63' n.json
}

@test "every statistic has its name, a number or null with a reason" {
    "$HSPACE" homogeneity --deltas holds.npy --json >h.json
    jq -e '[.results.statistics[].name] as $n | ["concentration[0]","concentration[3]","share_common","share_step",
        "share_sample","share_rest","share_common_corrected","share_homogeneous_corrected","common_share","transfer",
        "sign_agreement","effect_cv"] | all(. as $x | $n | index($x))' h.json
    jq -e '.results.statistics | all(.value != null or .reason != null)' h.json
    jq -e '[.results.statistics[] | select(.name | test("^share_(common|step|sample|rest)$")) | .value] | add | . - 1 | . * . < 1e-20' h.json
    jq -e '.results | .primary.name == "share_homogeneous_corrected" and .standard == 0.5 and .specific == "not tested"
        and (.notes | index("naturalness not tested")) and .null.value < 0.1 and .rival == null' h.json
}

@test "the same seed gives the same bits, whatever the threads" {
    "$HSPACE" homogeneity --deltas holds.npy --json --threads 1 | jq -c .results >a
    "$HSPACE" homogeneity --deltas holds.npy --json --threads 2 | jq -c .results >b
    cmp a b
    "$HSPACE" homogeneity --deltas holds.npy --json --seed 7 | jq -c .results >c
    ! cmp -s a c
}

@test "effects: common share at the largest positive strength" {
    [ "$(verdict --effects up.csv)" = holds ]
    [ "$(verdict --effects mixed.csv)" = fails ]
    [ "$(verdict --effects bare.csv)" = inconclusive ]
    [ "$(verdict --effects down.csv)" = inconclusive ]
    "$HSPACE" homogeneity --effects bare.csv --json >b.json || true
    jq -e '.results.null == null and (.results.reason | test("null missing")) and .results.standard == 0.8' b.json
    jq -e '.results.primary.name == "common_share" and .results.primary.value > 0.9' b.json
}

@test "result file, figure and report" {
    "$HSPACE" homogeneity --deltas holds.npy -o h.h5 --plot h.svg
    "$HSPACE" homogeneity --effects up.csv -o e.h5 --plot e.svg
    grep -q "<svg" h.svg && grep -q "<svg" e.svg
    "$HSPACE" report h.h5 e.h5 -o r.html
    grep -q "Homogeneity" r.html
    run "$HSPACE" homogeneity --deltas holds.npy -o h.h5
    [ "$status" -eq 2 ]
}

@test "misuse: 2, a malformed file: 3, a missing one: 5" {
    run "$HSPACE" homogeneity --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas holds.npy --effects up.csv --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas holds.npy
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas flat.npy --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas empty.npy --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas holds.npy --null-deltas flat.npy --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas holds.npy --standard 2 --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --deltas up.csv --json
    [ "$status" -eq 3 ]
    run "$HSPACE" homogeneity --effects holds.npy --json
    [ "$status" -eq 3 ]
    run "$HSPACE" homogeneity --deltas none.npy --json
    [ "$status" -eq 5 ]
}

@test "homogeneity --sweep: the effects of the sweep, those of a table of them, and the change of images" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" dump --model random:tiny --steps 3 -N 8 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    "$HSPACE" sweep --model random:tiny --steps 3 --direction p.h5:pc0 --strengths=-2:2:0.5 -N 12 --null 3 \
        --readout brightness,x0 --seed 4 -q -o s.h5
    "$HSPACE" homogeneity --sweep s.h5 --readout brightness --json -o r.h5 >out.json || [[ $? =~ ^1[01]$ ]]
    /usr/bin/python3 - <<'END'
import h5py, json, numpy as np
f, r = h5py.File("s.h5"), json.load(open("out.json"))["results"]
s, v = f["strength"][:], f["score_brightness"][:]
e = v[:, -1] - v[:, list(s).index(0)]
n = len(e)
share = (e.mean() ** 2 - e.var(ddof=1) / n) / (e**2).mean()
assert abs(r["primary"]["value"] - share) < 1e-9, (r["primary"], share)
x = f["effect_x0"][:]
u = (x[:, -1] - x[:, list(s).index(0)]).astype(float)
u /= np.linalg.norm(u, axis=1, keepdims=True)
cosine = (np.linalg.norm(u.sum(0)) ** 2 - n) / (n * (n - 1))
got = {q["name"]: q["value"] for q in r["statistics"]}
assert abs(got["change_cosine"] - cosine) < 1e-6
END
    "$HSPACE" homogeneity --sweep s.h5 --json >all.json || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.readout == "brightness" and (.results.exploratory | length == 1)' all.json
    fails 2 "none of those" "$HSPACE" homogeneity --sweep s.h5 --readout eps --json
}

@test "model: one fixed delta, with nulls, an exploratory read-out and controls named" {
    "$HSPACE" dump --model random:tiny --steps 4 -N 6 -o a.h5 -q 2>/dev/null
    "$HSPACE" pca a.h5 -k 1 -o p.h5 -q
    "$HSPACE" homogeneity --model random:tiny --steps 4 --direction p.h5:pc0 -N 5 --readout brightness,x0 --strengths 1,2 \
        --nulls 3 -o m.h5 --json 2>/dev/null >m.json || true
    jq -e '.results | .primary.name == "common_share" and .null.n == 3 and .strength == 2 and .readout == "brightness"
        and .exploratory[0].readout == "x0" and ([.controls_run[].name] == ["random directions of equal norm", "x_T", "h covariance"]) and all(.controls_not_run[]; .reason != "")
        and (.controls_not_run | any(.name == "untrained U-Net" and .reason == "the model is itself untrained"))' m.json
    jq -e '.results.exploratory[0].statistics | any(.name == "change_cosine" and .value != null)' m.json
    # the effects are those of a sweep
    "$HSPACE" sweep --model random:tiny --steps 4 --direction p.h5:pc0 -N 5 --readout brightness --strengths 0,2 -o s.h5 -q 2>/dev/null
    /usr/bin/python3 - <<'PY'
import h5py, json
import numpy as np
e = h5py.File("m.h5")["effect"][()]
s = h5py.File("s.h5")["score_brightness"][()]
assert np.allclose(e, s, atol=1e-6)
d = e[:, 1] - e[:, 0]
want = ((d.sum() ** 2 - (d ** 2).sum()) / 20) / (d ** 2).mean()
assert abs(want - json.load(open("m.json"))["results"]["primary"]["value"]) < 1e-12
PY
}

@test "model: a delta network's deltas on other images" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 - <<'PY'
import os, sys
import numpy as np
r = np.random.default_rng(1)
w = lambda *s: r.normal(size=s).astype("f4") * 0.2
np.savez("f.npz", **{"conv1.weight": w(64, 64, 1, 1), "conv1.bias": w(64), "temb_proj.weight": w(64, 64), "temb_proj.bias": w(64),
                     "norm2.weight": w(64) + 1, "norm2.bias": w(64), "conv2.weight": w(64, 64, 1, 1), "conv2.bias": w(64)})
PY
    "$HSPACE" import f.npz --kind direction --name f -o f.h5 -q
    "$HSPACE" homogeneity --model random:tiny --steps 4 --direction f.h5 -N 5 --readout brightness --transfers 2 -o t.h5 \
        --plot t.svg --json 2>/dev/null >t.json || true
    grep -q "<svg" t.svg
    jq -e '.results | (.primary.name | startswith("transfer")) and .standard == 0.5
        and (.statistics | any(.name == "transfer" and .value != null) and any(.name == "concentration[0]" and .value != null))' t.json
    /usr/bin/python3 - <<'PY'
import h5py, json
import numpy as np
v = h5py.File("t.h5")["shown"][()]
assert v.shape == (5, 5) and np.isfinite(v).sum() == 15
own = np.diag(v)
other = v[np.isfinite(v) & ~np.eye(5, dtype=bool)]
got = [s for s in json.load(open("t.json"))["results"]["statistics"] if s["name"] == "transfer"][0]["value"]
assert abs(other.mean() / own.mean() - got) < 1e-9
PY
    run "$HSPACE" homogeneity --model random:tiny --steps 4 --direction f.h5 -N 5 --strengths=-1,0 --json
    [ "$status" -eq 2 ]
    run "$HSPACE" homogeneity --model random:tiny --steps 4 --direction f.h5 -N 5 --deltas holds.npy --json
    [ "$status" -eq 2 ]
}

@test "the same numbers as scripts/deltas_numpy.py; groups of images change the pairs only" {
    export SCRIPTS="$BATS_TEST_DIRNAME/../../scripts"
    /usr/bin/python3 - <<'PY'
import os, sys
import numpy as np

sys.path.insert(0, os.environ["SUPPORT"])
from planted import planted
np.save("small.npy", planted(50, 4, 30, 0.4, 0.2))
np.save("many.npy", planted(3000, 4, 30, 0.4, 0.2))
PY
    for f in small many; do
        "$HSPACE" homogeneity --deltas $f.npy --json >h.json || true
        "$HSPACE" consistency --deltas $f.npy --json >c.json || true
        /usr/bin/python3 "$SCRIPTS/deltas_numpy.py" $f.npy >want.json
        /usr/bin/python3 - $f <<'PY'
import json, sys

got = {}
for name in "h.json", "c.json":
    for s in json.load(open(name))["results"]["statistics"]:
        got[s["name"]] = s["value"]
want = json.load(open("want.json"))
pooled = sys.argv[1] == "many"
for key, value in want.items():
    if key in ("n", "seconds"):
        continue
    pairs = "corrected" in key or "disattenuated" in key or key in ("concentration", "share_consistent")
    tolerance = 2e-3 if pooled and pairs else 1e-6
    rows = value if isinstance(value, list) else None
    if rows is None:
        cells = {key: value}
    elif isinstance(rows[0], list):
        cells = {f"{key}[{k},{l}]": rows[k][l] for k in range(4) for l in range(k + 1, 4)}
    else:
        cells = {f"{key}[{k}]": v for k, v in enumerate(rows)}
    for name, v in cells.items():
        assert abs(got[name] - v) <= tolerance, (name, got[name], v)
PY
    done
}

@test "a large file is read once: its XXH3 for the SHA-256, little memory" {
    command -v xxhsum >/dev/null || skip "xxhsum is absent"
    /usr/bin/python3 - <<'PY'
import numpy as np
a = np.lib.format.open_memmap("large.npy", mode="w+", dtype="f4", shape=(320, 4, 55000)) # sparse: 268 MiB
a[:, :, :3] = 1 + np.random.default_rng(3).normal(size=(320, 4, 3))
a[7, 2, 1] = np.nan # left out of the numbers, not of the fingerprint
PY
    "$HSPACE" homogeneity --deltas large.npy --bootstrap 400 --json >l.json || true
    want=$(xxhsum -H2 large.npy)
    jq -e --arg want "${want%% *}" '.inputs == [{"path": "large.npy", "xxh3": $want}]' l.json
    jq -e '.results.primary.value > 0.4 and .results.primary.n == 319' l.json
}

@test "model: a delta network's concentrations, raw and without what it said before its training, are those of frozen deltas" {
    net="$BATS_TEST_DIRNAME/../../datasets/models/faces-a/smile-clip.h5"
    m="--model faces-a --steps 3 --t-edit 200 -q"
    # its seed, and a rate that changes nothing
    "$HSPACE" direction asyrp $m --readout attr:smile --init torch --seed 3 --rate 1e-30 --trajectories 1 -N 2 --name before -o u.h5
    "$HSPACE" direction freeze "$net" $m -N 6 -o f.h5
    "$HSPACE" direction freeze u.h5 $m -N 6 -o fu.h5
    "$HSPACE" homogeneity --deltas f.h5 --null-deltas fu.h5 --json >want.json || [[ $? =~ ^1[01]$ ]]
    "$HSPACE" homogeneity $m --direction "$net" -N 6 --readout brightness --strengths 1 --nulls 1 --transfers 1 \
        --controls untrained-ft --json >got.json || [[ $? =~ ^1[01]$ ]]
    /usr/bin/python3 - <<'PY'
import json
got, want = ({s["name"]: s for s in json.load(open(f))["results"]["statistics"]} for f in ("got.json", "want.json"))
names = [k for k in want if k.startswith(("concentration", "share_homogeneous_removed"))]
assert len([k for k in names if k.startswith("concentration_removed[")]) == len([k for k in names if k.startswith("concentration[")]) >= 2
for k in names:
    for a, b in zip([got[k]["value"], *got[k]["ci"]], [want[k]["value"], *want[k]["ci"]]):
        assert abs(a - b) < 1e-4, (k, got[k], want[k])
# the bias counts: without it the cosines are others
assert all(abs(want[k]["value"] - want[k.replace("_removed", "")]["value"]) > 1e-3 for k in names if k.startswith("concentration_removed["))
PY
    "$HSPACE" homogeneity $m --direction "$net" -N 3 --readout brightness --strengths 1 --nulls 1 --transfers 1 \
        --controls none --json >none.json || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.statistics | any(.name == "concentration_removed" and .value == null and (.reason | test("untrained")))' none.json
}
