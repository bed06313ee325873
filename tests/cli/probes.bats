#!/usr/bin/env bats
# Directions from probes.
load support

M="--model random:tiny --steps 3"

@test "probe: a best strength at the end of the grid is pointed out" {
    "$HSPACE" dump $M -N 20 -q -o a.h5
    /usr/bin/python3 -c 'print("file,s\n" + "\n".join(f"{i},{i * i % 7}" for i in range(20)))' >l.csv
    "$HSPACE" direction probe a.h5 --labels l.csv --attr s --strengths-grid 1e-9,1e-8 --json -o d.h5 2>err.txt |
        jq -e '.warnings | length == 1 and (.[0] | test("s: at 3 of 3 timesteps the best strength is an end of the grid"))'
    "$HSPACE" direction probe a.h5 --labels l.csv --attr s --strengths-grid 1e-3 --json -f -o d.h5 | jq -e '.warnings == []'
}

@test "probe: ridge and logistic normals, their choice of strength and held-out scores, as numpy has them in primal form" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" dump $M -N 37 -q -o a.h5
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
rng = np.random.default_rng(0)
h = h5py.File("a.h5")["h"][:].astype(float).reshape(37, 3, -1)[:, 1]
u = np.linalg.svd(h - h.mean(0), full_matrices=False)[0][:, 0] # easily told
v = 3 + u / u.std() + 0.2 * rng.standard_normal(37)
with open("l.csv", "w") as f:
    f.write("file,score,on\n" + "".join(f"{i},{float(v[i])!r},{int(u[i] + 0.2 * u.std() * rng.standard_normal() > 0)}\n" for i in range(37)))
END
    "$HSPACE" direction probe a.h5 --labels l.csv --attr score,on --strengths-grid 1e-3,1e-1,10 --shuffles 2 --json -o d.h5 >out.json
    jq -e '.results.directions | .[0].probe == "ridge" and .[1].probe == "logistic"' out.json
    jq -e '.results.directions[1].steps[1].statistics | .[0].name == "auc" and .[0].ci[0] < .[0].value and .[1].name == "accuracy"' out.json
    /usr/bin/python3 - <<'END'
import csv, h5py, numpy as np
rows = list(csv.DictReader(open("l.csv")))
h = h5py.File("a.h5")["h"][:].astype(float).reshape(37, 3, -1)
d, grid = h5py.File("d.h5"), [10, 1e-1, 1e-3]

def fit(x, y, strength, binary): # normal, intercept
    m = x.mean(0)
    c = x - m
    alpha = strength * (c ** 2).sum() / len(x)
    X = np.c_[c, np.ones(len(x))]
    P = np.diag([alpha] * c.shape[1] + [0])
    w = np.zeros(X.shape[1])
    if not binary:
        w = np.linalg.solve(X.T @ X + P, X.T @ y)
    for _ in range(60 if binary else 0): # damped Newton
        p = 1 / (1 + np.exp(-X @ w))
        g = X.T @ (p - y) + P @ w
        if abs(g).max() < 1e-11:
            break
        s = np.linalg.solve(X.T * (p * (1 - p)) @ X + P, g)
        w = w - s / max(1, abs(X @ s).max())
    if binary:
        assert abs(X.T @ (1 / (1 + np.exp(-X @ w)) - y) + P @ w).max() < 1e-9
    return w[:-1], w[-1] - w[:-1] @ m, alpha

def loss(y, a, binary):
    return np.logaddexp(0, np.where(y > 0, -a, a)).sum() if binary else ((y - a) ** 2).sum()

for i, name in enumerate(["score", "on"]):
    binary, y, fold = name == "on", np.array([float(r[name]) for r in rows]), d["fold"][i]
    assert sorted(set(fold)) == [0, 1, 2, 3, 4] and np.bincount(fold).max() - np.bincount(fold).min() <= 1
    assert abs(d["unit"][i] - (1 if binary else y.std(ddof=1))) < 1e-12
    for k in (0, 1, 2):
        span = np.linalg.svd(h[:, k] - h[:, k].mean(0), full_matrices=False)[2][:36]
        x = h[:, k] @ span.T # every normal lies in the span of the centred samples
        held, total = np.empty(37), np.zeros(3)
        for f in range(5):
            out, inner = fold == f, np.zeros(3)
            for s, strength in enumerate(grid):
                for g in set(range(5)) - {f}:
                    keep = ~out & (fold != g)
                    w, b, _ = fit(x[keep], y[keep], strength, binary)
                    inner[s] += loss(y[fold == g], x[fold == g] @ w + b, binary)
                w, b, _ = fit(x[~out], y[~out], strength, binary)
                total[s] += loss(y[out], x[out] @ w + b, binary)
            w, b, _ = fit(x[~out], y[~out], grid[inner.argmin()], binary)
            held[out] = x[out] @ w + b
        assert d["strength"][i, k] == grid[total.argmin()]
        w, b, alpha = fit(x, y, d["strength"][i, k], binary)
        dh = d["delta_h"][i, k].ravel().astype(float)
        want = d["unit"][i] * (w @ span) / (w @ w)
        assert abs(dh - want).max() < 1e-5 * abs(want).max(), abs(dh / want - 1).max()
        assert abs(d["intercept"][i, k] - b) < 1e-6 * (1 + abs(b))
        assert abs(d["penalty"][i, k] / alpha - 1) < 1e-9 and abs(d["norm"][i, k] / np.linalg.norm(want) - 1) < 1e-6
        if binary:
            pairs = [(a > c) + (a == c) / 2 for f in range(5) for a in held[(fold == f) & (y > 0)] for c in held[(fold == f) & (y == 0)]]
            score = np.mean(pairs)
            assert abs(d["accuracy"][i, k] - np.mean((held > 0) == (y > 0))) < 1e-12
        else:
            base = np.array([y[fold != f].mean() for f in fold])
            score = 1 - ((y - held) ** 2).sum() / ((y - base) ** 2).sum()
            assert np.isnan(d["accuracy"][i, k])
        assert abs(d["score"][i, k] - score) < 1e-6, (name, k, d["score"][i, k], score)
        assert d["score_lo"][i, k] <= score <= d["score_hi"][i, k]
assert d["score"][0, 1] > 0.3 and d["score"][1, 1] > 0.7, d["score"][:]
assert d["score"][0, 1] > d["score_shuffled"][0, 1].max() and d["score_shuffled"].shape == (2, 3, 2)
END
    "$HSPACE" edit $M --direction d.h5:on --strength 1 -N 2 -q -o e.npy
}

@test "probe: labels that mean nothing are not told from h, and are no better than shuffled ones; the same bits at any thread count" {
    "$HSPACE" dump $M -N 60 -q -o a.h5
    awk 'BEGIN { srand(5); print "file,a,b,c,d,e"; for (i = 0; i < 60; i++) print i "," rand() "," rand() "," (rand() < .4) "," (rand() < .5) "," (rand() < .6) }' >l.csv
    P="direction probe a.h5 --labels l.csv --attr a,b,c,d,e --strengths-grid 0.01,1 --json"
    "$HSPACE" $P --threads 1 >one.json
    "$HSPACE" $P --threads 2 >two.json
    cmp <(jq -S .results one.json) <(jq -S .results two.json)
    jq -e '[.results.directions[0,1].steps[].statistics[0].value] | add / length < 0.05' one.json
    jq -e '[.results.directions[2,3,4].steps[].statistics[0].value] | add / length | . > 0.35 and . < 0.65' one.json
    jq -e '[.results.directions[2,3,4].steps[].shuffled[]] | length == 36 and (add / length | . > 0.4 and . < 0.6)' one.json
    cmp <(jq -S .results one.json) <("$HSPACE" $P --seed 1 | jq -S .results) && return 1 # other folds
    true
}

@test "probe: what does not fit is refused" {
    "$HSPACE" dump $M -N 12 -q -o a.h5
    awk 'BEGIN { print "file,s,one,few,flat,bad,inf"; for (i = 0; i < 12; i++) print i "," i * i ",1," (i < 2) ",0.1," (i == 3 ? "x" : 1) "," (i == 4 ? "inf" : i) }' >l.csv
    head -9 l.csv >short.csv
    D="direction probe a.h5 -q -o d.h5"
    fails 2 "wanted --labels L.csv and --attr" "$HSPACE" $D --attr s
    fails 2 "8 rows of labels for 12 samples" "$HSPACE" $D --labels short.csv --attr s
    fails 3 "no column" "$HSPACE" $D --labels l.csv --attr smile
    fails 3 'row 4: bad is "x"' "$HSPACE" $D --labels l.csv --attr bad
    fails 3 'row 5: inf is "inf"' "$HSPACE" $D --labels l.csv --attr s,inf
    fails 6 "one: 12 ones and 0 zeros" "$HSPACE" $D --labels l.csv --attr one
    fails 6 "few: 2 ones and 10 zeros; a probe in 5 folds wants 5 of each" "$HSPACE" $D --labels l.csv --attr few
    fails 6 "flat is 0.1 in every row" "$HSPACE" $D --labels l.csv --attr flat
    fails 6 "wants 14" "$HSPACE" $D --labels l.csv --attr s --folds 7
    fails 2 "must be above 0" "$HSPACE" $D --labels l.csv --attr s --strengths-grid 0,1
    fails 2 "folds" "$HSPACE" $D --labels l.csv --attr s --folds 2
    [ ! -e d.h5 ]
    "$HSPACE" $D --labels l.csv --attr s --dry-run
    [ ! -e d.h5 ]
}
