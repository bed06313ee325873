#!/usr/bin/env bats
# hspace consistency: deltas made elsewhere.

load support

setup() {
    HSPACE="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    cd "$BATS_TEST_TMPDIR"
    export OMP_NUM_THREADS=2 GOMP_SPINCOUNT=1000 SUPPORT="$BATS_TEST_DIRNAME/../support" PYTHONDONTWRITEBYTECODE=1
    /usr/bin/python3 -c "import numpy, h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 - <<'PY'
import os, sys
import h5py
import numpy as np

sys.path.insert(0, os.environ["SUPPORT"])
from planted import planted, r

holds = planted(64, 4, 200, 0.6, 0.1)
np.save("holds.npy", holds)
np.save("fails.npy", planted(64, 4, 200, 0.3, 0.6))
np.save("noise.npy", planted(64, 4, 200, 0, 0))
np.save("bias.npy", planted(64, 4, 200, 0.65, 0.05))
np.save("step.npy", holds[:, :1])
with h5py.File("holds.h5", "w") as f:
    f["delta_h"] = holds.reshape(64, 4, 50, 2, 2)
    f["timestep"] = np.array([900, 600, 300, 0])
with h5py.File("other.h5", "w") as f:
    f["x"] = holds
PY
}

verdict() { # ARGS...
    local code=0
    json=$("$HSPACE" consistency "$@" --json 2>err) || code=$?
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
    [ "$(verdict --deltas step.npy)" = inconclusive ]
    [ "$(verdict --deltas holds.npy --null-deltas bias.npy)" = "no effect" ]
}

@test "statistics: names, symmetry with numpy, timesteps of the file" {
    "$HSPACE" consistency --deltas holds.h5 --json >h.json
    "$HSPACE" consistency --deltas holds.npy --json >n.json
    jq -e '[.results.statistics[].name] as $n | ["cosine[0,1]","cosine[2,3]","cosine_disattenuated[0,3]",
        "share_consistent","effective_rank","decay_length","transfer_steps","effect","effect_mean_ratio",
        "effect_global_ratio"] | all(. as $x | $n | index($x))' h.json
    jq -e '.results.statistics | all(.value != null or .reason != null)' h.json
    jq -r '.results.statistics[] | select(.name == "cosine[1,3]" or .name == "effective_rank") | .value' h.json >ours
    /usr/bin/python3 - <<'PY'
import os, sys
import numpy as np
x = np.load("holds.npy").astype("f8").mean(0)
u = x / np.linalg.norm(x, axis=1, keepdims=True)
C = u @ u.T
p = np.linalg.eigvalsh(C) / len(C)
want = [C[1, 3], np.exp(-(p * np.log(p)).sum())]
got = [float(line) for line in open("ours")]
assert np.allclose(got, want, rtol=1e-9), (got, want)
PY
    jq -re '.results.statistics[] | select(.name == "decay_length") | .estimator' h.json | grep -q "^timesteps"
    jq -re '.results.statistics[] | select(.name == "decay_length") | .estimator' n.json | grep -q "^step positions"
    jq -e '.results | .primary.name == "share_consistent" and .standard == 0.5' h.json
}

@test "result file, figure and report" {
    "$HSPACE" consistency --deltas holds.h5 -o c.h5 --plot c.svg
    grep -q "<svg" c.svg && grep -q ">900<" c.svg
    "$HSPACE" report c.h5 -o r.html
    grep -q "Consistency across timesteps" r.html
}

@test "misuse: 2, a malformed file: 3, a missing one: 5" {
    run "$HSPACE" consistency --json
    [ "$status" -eq 2 ]
    run "$HSPACE" consistency --deltas holds.npy
    [ "$status" -eq 2 ]
    run "$HSPACE" consistency --deltas holds.npy --null-deltas step.npy --json
    [ "$status" -eq 2 ]
    run "$HSPACE" consistency --deltas other.h5 --json
    [ "$status" -eq 3 ]
    run "$HSPACE" consistency --deltas none.h5 --json
    [ "$status" -eq 5 ]
}

@test "model: E_kl is an edit with that delta at that step alone; controls are named" {
    "$HSPACE" dump --model random:tiny --steps 4 -N 8 -o a.h5 -q 2>/dev/null
    "$HSPACE" pca a.h5 -k 1 -o p.h5 -q
    "$HSPACE" consistency --model random:tiny --steps 4 --direction p.h5:pc0 -N 4 --readout brightness,x0 --at 3 --nulls 3 \
        -o m.h5 --plot m.svg --json 2>/dev/null >m.json || true
    grep -q "<svg" m.svg
    jq -e '.results | .primary.name == "transfer_steps" and .null.n == 3 and .at == [999, 333, 0]
        and .exploratory[0].readout == "x0" and (.controls_run | map(.name) | index("steps in another order") != null) and all(.controls_not_run[]; .reason != "")
        and (.statistics | any(.name == "cosine[0,1]" and .value != null) and all(.value != null or .reason != null))' m.json
    /usr/bin/python3 - <<'PY'
import os, sys
import h5py
import numpy as np
p = h5py.File("p.h5")
t, d = p["timestep"][()], p["delta_h"][0].astype("f8")
only = np.zeros_like(d)
k, l = list(t).index(333), list(t).index(999)
only[k] = d[l] * np.linalg.norm(d[k]) / np.linalg.norm(d[l])
np.savez("only.npz", **{str(t[j]): only[j].astype("f4") for j in range(len(t))})
PY
    "$HSPACE" import only.npz --kind direction -o only.h5 -q
    "$HSPACE" sweep --model random:tiny --steps 4 --direction only.h5 -N 4 --readout brightness --strengths 0,1 -f -o s.h5 -q 2>/dev/null
    /usr/bin/python3 - <<'PY'
import h5py, json
s = h5py.File("s.h5")["score_brightness"][()]
E = h5py.File("m.h5")["effect_steps"][()]
assert abs((s[:, 1] - s[:, 0]).mean() - E[1, 0]) < 1e-6, (s, E)
got = json.load(open("m.json"))["results"]["primary"]["value"]
off = (E.sum() - E.trace()) / 6 / (E.trace() / 3)
assert abs(off - got) < 1e-9 * abs(off)
shown = h5py.File("m.h5")["shown"][()] # in units of the largest, whose sign another cell may not have
want = E / E.flat[abs(E).argmax()]
assert E[0, 0] * E.flat[abs(E).argmax()] < 0 and abs(shown - want).max() < 1e-6, (shown, want)
PY
    run "$HSPACE" consistency --model random:tiny --steps 4 --direction p.h5:pc0 -N 4 --readout eps --json
    [ "$status" -eq 2 ]
    run "$HSPACE" consistency --model random:tiny --steps 4 --direction p.h5:pc0 -N 4 --strength 0 --json
    [ "$status" -eq 2 ]
    run "$HSPACE" consistency --model random:tiny --steps 4 -N 4 --json
    [ "$status" -eq 2 ]
}

@test "spaces of h at the steps of a store: numpy's numbers, in statistics and in the file" {
    "$HSPACE" dump --model random:tiny --steps 4 -N 24 -o a.h5 -q 2>/dev/null
    "$HSPACE" consistency --deltas holds.h5 --store a.h5 --rank 3 -o c.h5 --json >c.json
    jq -e '.results.verdict == "holds" and (.results.store_timesteps | length == 4)
        and (.results.statistics | all(.value != null or .reason != null))' c.json
    /usr/bin/python3 - <<'PY'
import json
import h5py
import numpy as np

r, a, c = 3, h5py.File("a.h5"), h5py.File("c.h5")
h = a["h"][()].astype("f8").reshape(24, 4, -1)
said = {s["name"]: s["value"] for s in json.load(open("c.json"))["results"]["statistics"]}
assert np.array_equal(c["store_timestep"][()], a["timestep"][()])


def axes(x):
    return np.linalg.svd(x - x.mean(0), full_matrices=False)[2][:r]


def angles(x, y):
    return np.arccos(np.clip(np.linalg.svd(axes(x) @ axes(y).T)[1], -1, 1))


def unbiased(x, y):
    n = len(x)
    K, L = x @ x.T, y @ y.T
    np.fill_diagonal(K, 0)
    np.fill_diagonal(L, 0)
    both = K.sum() * L.sum() / (n - 1) / (n - 2) - 2 / (n - 2) * (K @ L).sum()
    return ((K * L).sum() + both) / n / (n - 3)


def cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return unbiased(x, y) / np.sqrt(unbiased(x, x) * unbiased(y, y))


for k in range(4):
    half = np.linalg.norm(angles(h[:12, k], h[12:, k]))
    assert abs(c["grassmann_split"][k] - half) < 1e-4, (k, half)
    for l in range(k + 1, 4):
        x, y = h[:, k], h[:, l]
        theta, one = angles(x, y), cka(x, y)
        loo = np.array([cka(np.delete(x, i, 0), np.delete(y, i, 0)) for i in range(24)])
        t = 2.0686576104190406  # of 23 degrees of freedom at .975
        low = one - t * np.sqrt(23 / 24 * ((loo - loo.mean()) ** 2).sum())
        want = {"grassmann": np.linalg.norm(theta), "principal_angle": theta.max(),
                "principal_angle_mean": theta.mean(), "cka_debiased": one, "cka_debiased_low": low}
        for name, v in want.items():
            assert abs(c[name][k, l] - v) < 1e-4, (name, k, l, c[name][k, l], v)
            if name in ("grassmann", "cka_debiased"):
                assert abs(said["%s[%d,%d]" % (name, k, l)] - v) < 1e-4
        assert c["grassmann_null_low"][k, l] < c["grassmann_null"][k, l] < c["grassmann_null_high"][k, l]
PY
    OMP_NUM_THREADS=1 "$HSPACE" consistency --deltas holds.h5 --store a.h5 --rank 3 --json >one.json
    diff <(jq .results.statistics c.json) <(jq .results.statistics one.json)
    "$HSPACE" consistency --deltas holds.h5 --store a.h5 --rank 3 -o t.h5 | grep -q "^h at t = 999 and 0: Grassmann distance of 3"
    "$HSPACE" pca a.h5 -k 1 -o p.h5 -q
    "$HSPACE" consistency --model random:tiny --steps 4 --direction p.h5:pc0 -N 4 --readout brightness --at 2 --nulls 2 \
        --store a.h5 --rank 3 -o m.h5 --json 2>/dev/null >m.json || true
    diff <(jq '.results.statistics[] | select(.name == "grassmann[0,3]").value' c.json) \
        <(jq '.results.statistics[] | select(.name == "grassmann[0,3]").value' m.json)
    if command -v gnuplot >/dev/null; then
        "$HSPACE" plot c.h5 -q -o c.svg && grep -q "debiased CKA of h at t" c.svg
        "$HSPACE" report c.h5 -q -o c.html && grep -q "debiased CKA of h at t" c.html
    fi
    fails 2 "12 components of 24 images" "$HSPACE" consistency --deltas holds.h5 --store a.h5 --rank 12 --json
    fails 2 "rank: of the components of --store" "$HSPACE" consistency --deltas holds.h5 --rank 3 --json
    fails 3 "." "$HSPACE" consistency --deltas holds.h5 --store other.h5 --json
}
