#!/usr/bin/env bats
# linearity from tables: planted answers come out, with their exit codes.

load support

# table SHAPE NULLS: 24 images with offsets, 9 strengths, slopes around 1 (planted), nulls near 0.
table() {
    awk -v f="$1" -v K="$2" 'BEGIN { srand(7); printf "image,strength,value"
        for (k = 1; k <= K; k++) printf ",null%s", (k > 1 ? "_" k : "")
        print ""
        for (i = 0; i < 24; i++) { off = rand() * 2 - 1; b = 1 + 0.2 * (i / 23 - 0.5)
            for (j = -4; j <= 4; j++) { s = j / 2; t = (exp(2 * s) - 1) / (exp(2 * s) + 1)
                y = 0
                if (f == "line") y = b * s
                if (f == "tanh") y = b * t
                if (f == "quadratic") y = b * (s + 0.4 * s * s)
                if (f == "sign" && s != 0) y = (s < 0 ? -b : b)
                printf "img%d,%g,%.9g", i, s, off + y
                for (k = 1; k <= K; k++) printf ",%.9g", off + 0.02 * s * (rand() - 0.5)
                print "" } } }'
}

verdict() { # SHAPE NULLS WANTED CODE
    table "$1" "$2" >t.csv
    rc=0
    "$HSPACE" linearity --effects t.csv --json >r.json || rc=$?
    [ "$(jq -r .results.verdict r.json)" = "$3" ] || { jq -c .results r.json; false; }
    [ "$rc" -eq "$4" ]
}

@test "a planted line holds, with its slope and index" {
    verdict line 8 holds 0
    jq -e '.results.primary | .name == "linearity_index" and (.value - 1 | fabs < 1e-6) and .n == 24' r.json
    jq -e '.results.statistics[] | select(.name == "slope") | .value - 1 | fabs < 1e-6' r.json
    jq -e '.results | has("specific") and has("reason") and has("standard") and has("effect") and has("null") and .rival == null and has("notes")' r.json
    jq -e '.params.bootstrap == 2000 and .inputs[0].path == "t.csv"' r.json
}

@test "tanh, quadratic and sign fail; nothing at all is no effect" {
    verdict tanh 8 fails 10
    verdict quadratic 8 fails 10
    verdict sign 8 fails 10
    verdict nothing 8 "no effect" 11
}

@test "without a null nothing can hold" {
    verdict line 0 inconclusive 11
    jq -e '.results.null == null' r.json
}

@test "the standard is an option; the interval and the seed are recorded" {
    table tanh 8 >t.csv
    "$HSPACE" linearity --effects t.csv --standard 0.7 --ci 90 --seed 5 --json >r.json
    jq -e '.results.standard == 0.7 and .results.verdict == "holds" and .params.seed == 5 and .params.ci == 90' r.json
    fails 2 '^hspace: --standard: 1.5 is out of range' "$HSPACE" linearity --effects t.csv --standard 1.5 --json
}

@test "several directions: one measurement and one file each" {
    { table line 8 | sed '1s/$/,direction/; 2,$s/$/,good/'; table tanh 8 | sed '1d; s/$/,bent/'; } >t.csv
    rc=0
    "$HSPACE" linearity --effects t.csv --json -o r.h5 --plot r.svg >r.json || rc=$?
    [ "$rc" -eq 10 ]
    jq -e '[.results.measurements[] | [.direction, .verdict]] == [["bent", "fails"], ["good", "holds"]]' r.json
    [ -e r.h5 ] && [ -e r.1.h5 ] && [ -e r.svg ] && [ -e r.gp ] && [ -e r.dat ]
    "$HSPACE" info r.1.h5 --json | jq -e '.results.kind == "linearity"'
    rm r.h5 # the second file is in the way: refused before the first is written
    fails 2 '^hspace: r.1.h5: exists; use -f' "$HSPACE" linearity --effects t.csv -o r.h5
    fails 2 '^hspace: r.1.h5: exists; use -f' "$HSPACE" homogeneity --effects t.csv -o r.h5
    [ ! -e r.h5 ]
}

@test "what linearity refuses" {
    table line 2 >t.csv
    fails 2 'none given; wanted one of them; usage' "$HSPACE" linearity
    fails 2 'several given' "$HSPACE" linearity --effects t.csv --sweep x.h5 -o r.h5
    fails 2 '^hspace: linearity: no -o' "$HSPACE" linearity --effects t.csv
    fails 2 '^hspace: --plot: ' "$HSPACE" linearity --effects t.csv --json --plot f.pdf
    fails 2 '^hspace: f.bmp: unknown kind of output' "$HSPACE" linearity --effects t.csv -o r.h5 --plot f.bmp
    fails 5 '^hspace: none.csv' "$HSPACE" linearity --effects none.csv -o r.h5
    grep -v ',0,' t.csv >bad.csv
    fails 2 'strength' "$HSPACE" linearity --effects bad.csv -o r.h5
    echo 'image,strength,value
a,0,x' >bad.csv
    fails 3 'bad.csv' "$HSPACE" linearity --effects bad.csv -o r.h5
    [ ! -e r.h5 ]
}

@test "linearity --rival: the same recipe in eps at equal first-order effect decides whether it is special to h" {
    printf 'file,on\n' >l.csv
    for i in $(seq 0 20); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model random:tiny --steps 3 -N 21 --keep eps -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o h.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
    "$HSPACE" pca a.h5 -k 1 --space eps -q -o p.h5
    "$HSPACE" sweep --model random:tiny --steps 3 --direction h.h5:on --rival e.h5:on --strengths=-2:2:0.5 -N 4 \
        --readout x0 --null 3 -q -o s.h5
    "$HSPACE" linearity --sweep s.h5 --json >out.json || [ $? -eq 11 ]
    jq -e '.results | .rival.value > 0 and .difference_rival.value == (.primary.value - .rival.value) and .specific != "not tested"' out.json
    "$HSPACE" linearity --model random:tiny --steps 3 --direction h.h5:on --rival e.h5:on --strengths=-2:2:0.5 -N 4 \
        --readout x0 --null 3 --json >live.json || [ $? -eq 11 ]
    [ "$(jq .results.rival out.json)" = "$(jq .results.rival live.json)" ]
    rc=0
    "$HSPACE" sweep --model random:tiny --steps 3 --direction h.h5:on --rival h.h5:on --strengths=0,1 -N 2 -o t.h5 2>err.txt || rc=$?
    [ $rc -eq 2 ] && grep -q "a direction of h; wanted one of eps" err.txt
    "$HSPACE" dump --model random:tiny --steps 3 -N 4 -q -o b.h5
    fails 2 "eps wasn't kept" "$HSPACE" pca b.h5 --space eps -o q.h5
}

@test "a small effect of a model goes where its own derivative says, with an interval; clipping leaves it out" {
    "$HSPACE" dump --model random:tiny --steps 3 -N 8 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o d.h5
    line() { "$HSPACE" linearity --model random:tiny --steps 3 --direction d.h5:pc0 --readout x0 -N 4 --null 0 --json "$@" || true; }
    touch r.1.h5 # where its second read-out would go: refused before the network runs
    fails 2 '^hspace: r.1.h5: exists; use -f' "$HSPACE" linearity --model random:tiny --steps 3 --direction d.h5:pc0 \
        --readout x0,brightness -N 4 --null 0 -q -o r.h5
    [ ! -e r.h5.journal ]
    line --strengths=-0.004:0.004:0.001 | jq -e '.results.statistics[] | select(.name == "jacobian_cosine") | .value > 0.99 and .ci[0] <= .value and .n == 4'
    line --strengths=-0.004:0.004:0.001 --clip | jq -e '.results.statistics[] | select(.name == "jacobian_cosine") | .value == null and (.reason | test("clipping"))'
}

@test "strengths are looked at before anything is opened" {
    for s in 0,1,1:twice 1,2:strength 0:only; do
        fails 2 "--strengths: .*${s#*:}" "$HSPACE" linearity --model nowhere --direction no.h5 --strengths "${s%:*}" -N 2 -o r.h5
    done
    fails 2 "--strengths: none of the 2 is positive" "$HSPACE" homogeneity --model nowhere --direction no.h5 --strengths=-1,0 -N 2 -o r.h5
}

@test "--terms: additivity and cross-talk of a sum's directions, as numpy has them" {
    "$HSPACE" dump --model random:tiny --steps 3 -N 8 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    for k in 0 1; do
        "$HSPACE" sweep --model random:tiny --steps 3 -N 6 --direction d.h5:pc$k --strengths=-2:2:0.5 --readout brightness,x0 -q -o $k.h5
    done
    "$HSPACE" sweep --model random:tiny --steps 3 -N 6 --direction d.h5:pc0 --direction d.h5:pc1 --strengths=-2:2:0.5 \
        --readout brightness,x0 -q -o sum.h5
    "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,1.h5 --json -o l.h5 >l.json || [[ $? =~ ^1[01]$ ]]
    /usr/bin/python3 - <<'P'
import json, h5py, numpy as np
r = json.load(open("l.json"))["results"]
s = lambda m, name: next(x["value"] for x in m["statistics"] if x["name"] == name)
f = [h5py.File(x) for x in ("sum.h5", "0.h5", "1.h5")]
for m, readout in ((r, "brightness"), (r["exploratory"][0], "x0")):
    e = [x["effect_" + readout][:].astype("f8").reshape(6, 9, -1) for x in f]
    e = [x[:, 8] - x[:, 4] for x in e]
    norm = lambda x: np.sqrt((x**2).sum())
    assert abs(s(m, "additivity") - norm(e[0] - e[1] - e[2]) / norm(e[0])) < 1e-9
    other = np.roll(e[1] + e[2], -1, axis=0)
    assert abs(s(m, "additivity_null") - norm(e[0] - other) / norm(e[0])) < 1e-9
    if readout == "brightness":
        spread = f[0].attrs["spread_brightness"]
        want = [x.mean() / spread for x in e[1:]]
        assert np.allclose([s(m, "crosstalk(pc0)"), s(m, "crosstalk(pc1)")], want, rtol=1e-9)
        assert np.allclose([x[0] for x in r["crosstalk"]["value"]], want, rtol=1e-9)
assert r["crosstalk"]["directions"] == ["pc0", "pc1"] and r["crosstalk"]["readouts"] == ["brightness"]
P
    "$HSPACE" sweep --model random:tiny --steps 3 -N 6 --direction d.h5:pc0 --direction d.h5:pc1 --weights 1,0.5 \
        --strengths=-2:2:0.5 --readout x0 -q -o w.h5
    "$HSPACE" linearity --sweep w.h5 --terms 0.h5,1.h5 --json >w.json || [[ $? =~ ^1[01]$ ]]
    /usr/bin/python3 - <<'P'
import json, h5py, numpy as np
r = json.load(open("w.json"))["results"]
e = [h5py.File(x)["effect_x0"][:].astype("f8").reshape(6, 9, -1) for x in ("w.h5", "0.h5", "1.h5")]
e = [x[:, j] - x[:, 4] for x, j in zip(e, (8, 8, 6))]
got = next(x["value"] for x in r["statistics"] if x["name"] == "additivity")
assert abs(got - np.sqrt(((e[0] - e[1] - e[2]) ** 2).sum() / (e[0] ** 2).sum())) < 1e-9
P
    cp 1.h5 c.h5
    fails 2 "along pc0; c.h5 is one along pc1" "$HSPACE" linearity --sweep c.h5 --terms 0.h5,1.h5 --json
    "$HSPACE" sweep --model random:tiny --steps 3 -N 6 --seed 9 --direction d.h5:pc1 --strengths=-2:2:0.5 --readout brightness,x0 -q -o o.h5
    fails 2 "other images than the sum's" "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,o.h5 --json
    fails 2 "two directions or more" "$HSPACE" linearity --sweep sum.h5 --terms 0.h5 --json
    fails 2 "of --sweep" "$HSPACE" linearity --effects e.csv --terms 0.h5,1.h5 --json
    ln -s sum.h5 link.h5
    fails 2 "^hspace: --terms: sum.h5 is --sweep, the sweep of the sum itself$" "$HSPACE" linearity --sweep sum.h5 --terms sum.h5,1.h5 --json
    fails 2 "^hspace: --terms: ./link.h5 is --sweep" "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,./link.h5 --json
    fails 2 "^hspace: --terms: ./1.h5 is there twice$" "$HSPACE" linearity --sweep sum.h5 --terms 1.h5,./1.h5 --json
    # copies, and files that don't say along what they are
    cp 0.h5 z.h5
    fails 2 "^hspace: z.h5: the same effects as 0.h5, another term$" "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,z.h5 --json
    /usr/bin/python3 -c '
import h5py
for a, b in (("sum.h5", "s.h5"), ("0.h5", "a.h5")):
    with h5py.File(a) as f, h5py.File(b, "w") as g:
        for k in ("hspace_kind", "hspace_format"):
            if k in f.attrs: g.attrs[k] = f.attrs[k]
        g["strength"], g["effect"] = f["strength"][:], f["effect"][:]'
    cp s.h5 t.h5
    fails 2 "^hspace: t.h5: the same effects as s.h5, the sweep of the sum$" "$HSPACE" linearity --sweep s.h5 --terms a.h5,t.h5 --json
}

# alike LIVE.json SWEEPS.json: all that both have is the same.
alike() {
    /usr/bin/python3 - "$@" <<'P'
import json, sys
live, sweeps = (json.load(open(f))["results"] for f in sys.argv[1:3])
only_live = {"encodes", "decodes", "resumed", "random_lo", "random_hi"}
def same(a, b, at):
    if isinstance(a, dict):
        assert set(a) - only_live == set(b) - only_live, (at, set(a) ^ set(b))
        for k in set(b) - {"controls_run", "controls_not_run"}:
            same(a[k], b[k], at + "." + k)
    elif isinstance(a, list):
        by_name = lambda x: {y["name"]: y for y in x if not y["name"].startswith(("jacobian_", "crosstalk_random", "additivity_random"))}
        if at.endswith("statistics"):
            same(by_name(a), by_name(b), at + " ")
        else:
            assert len(a) == len(b), at
            for i, (x, y) in enumerate(zip(a, b)):
                same(x, y, f"{at}[{i}]")
    else:
        assert a == b, (at, a, b)
same(live, sweeps, "")
assert len(live["statistics"]) > 20 and live["crosstalk"]["value"] == sweeps["crosstalk"]["value"]
P
}

@test "several directions of a model: the numbers that sweeps of each and of their sum give" {
    "$HSPACE" dump --model random:tiny --steps 3 -N 8 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    R="--model random:tiny --steps 3 -N 6 --strengths=-2:2:0.5 --readout brightness,x0 -q"
    A="--direction d.h5:pc0" B="--direction d.h5:pc1"
    "$HSPACE" linearity $R $A $B --null 3 --json -o l.h5 >l.json || [[ $? =~ ^1[01]$ ]]
    "$HSPACE" sweep $R $A -o 0.h5
    "$HSPACE" sweep $R $B -o 1.h5
    "$HSPACE" sweep $R $A $B --null 3 -o sum.h5
    "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,1.h5 --json >s.json || [[ $? =~ ^1[01]$ ]]
    alike l.json s.json
    jq -e '.results | .direction == "pc0 + pc1" and .null.n == 3 and .crosstalk.strength == 2' l.json
    jq -e '[.results.crosstalk | .value, .lo, .hi, .random_lo, .random_hi | length == 2 and (.[0] | length == 1)] | length == 5 and all' l.json
    jq -e '.results.statistics[] | select(.name == "additivity_random") | .n == 3 and .ci[0] <= .value and .value <= .ci[1]' l.json
    jq -e '.results.statistics[] | select(.name == "additivity_random") | .value == null and .reason == "no random directions were run"' s.json
    { "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,1.h5 -o t.h5 || [[ $? =~ ^1[01]$ ]]; } | grep -A3 '^cross-talk: .*strength 2' | grep -q '^  pc1  *-*0.[0-9]* \[.*\]$'
    # the matrix as a figure, its data, and on the report's page
    "$HSPACE" plot l.h5 --kind crosstalk -q -o m.svg
    "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,1.h5 -q -f -o t.h5 --plot-crosstalk n.png || [[ $? =~ ^1[01]$ ]]
    /usr/bin/python3 - <<'P'
import json, numpy as np
c = json.load(open("l.json"))["results"]["crosstalk"]
v, lo, hi, a, b = (np.array(c[k], float).ravel() for k in ("value", "lo", "hi", "random_lo", "random_hi"))
m, n = np.loadtxt("m.dat"), np.loadtxt("n.dat")
assert np.allclose(m[:, 2:5], np.c_[v, lo, hi], rtol=1e-5) and (m[:, 5] == ((v < a) | (v > b))).all()
assert np.allclose(n[:, 2:5], np.c_[v, lo, hi], rtol=1e-5) and (n[:, 5] == 0).all() # no random ones there
P
    "$HSPACE" report l.h5 l.1.h5 -q -o r.html
    grep -q '<h3>Cross-talk</h3>' r.html && [ "$(grep -c 'Cross-talk: l.h5' r.html)" -eq 1 ]
    fails 3 "^hspace: l.1.h5: no cross-talk matrix" "$HSPACE" plot l.1.h5 --kind crosstalk -o x.svg
    fails 2 "^hspace: --plot-crosstalk: of several directions, or --terms$" "$HSPACE" linearity --sweep sum.h5 -f -o t.h5 --plot-crosstalk n.png
    fails 2 "^hspace: --plot-crosstalk: drawn from the result file" "$HSPACE" linearity --sweep sum.h5 --terms 0.h5,1.h5 --json --plot-crosstalk x.png
    # where effects are small they add, those of random directions too
    "$HSPACE" linearity ${R/-2:2:0.5/-0.004:0.004:0.001} $A $B --null 3 --json >w.json || [[ $? =~ ^1[01]$ ]]
    jq -e '[.results.exploratory[0].statistics[] | select(.name == "additivity" or .name == "additivity_random") | .value < 0.05] == [true, true]' w.json
    "$HSPACE" dump --model random:tiny --steps 3 -N 4 --keep eps -q -o b.h5
    "$HSPACE" pca b.h5 -k 1 --space eps -q -o e.h5
    fails 2 "^hspace: --direction e.h5:pc0: of eps; several are all of h" "$HSPACE" linearity $R $A --direction e.h5:pc0 --json
    fails 2 "^hspace: --direction e.h5:pc0: of eps; several are all of h" "$HSPACE" sweep $R $A --direction e.h5:pc0 --null 2 -o n.h5
}

@test "random sets have the angles of the directions: of one direction twice they are one random direction twice" {
    "$HSPACE" dump --model random:tiny --steps 3 -N 8 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o d.h5
    R="--model random:tiny --steps 3 -N 6 --readout brightness,x0 -q"
    "$HSPACE" linearity $R --direction d.h5:pc0 --direction d.h5:pc0 --strengths=-2:2:0.5 --null 3 --json -o l.h5 >l.json || [[ $? =~ ^1[01]$ ]]
    "$HSPACE" direction random --like d.h5:pc0 -k 3 -q -o r.h5
    for k in 0 1 2; do "$HSPACE" sweep $R --direction r.h5:random$k --strengths 0,2,4 -o r$k.h5; done
    /usr/bin/python3 - <<'P'
import json, h5py, numpy as np
r = json.load(open("l.json"))["results"]
s = lambda m, name: next(x for x in m["statistics"] if x["name"] == name)
t = 4.302652729749464 * np.sqrt(4 / 3) # Student's t at .975 with 2 degrees of freedom; one more of 3
f = [h5py.File(f"r{k}.h5") for k in range(3)]
for m, readout in ((r, "brightness"), (r["exploratory"][0], "x0")):
    e = [x["effect_" + readout][:].astype("f8").reshape(6, 3, -1) for x in f]
    e = [x - x[:, :1] for x in e]
    a = np.array([np.sqrt(((x[:, 2] - 2 * x[:, 1]) ** 2).sum() / (x[:, 2] ** 2).sum()) for x in e])
    got = s(m, "additivity_random")
    want = [a.mean(), max(0, a.mean() - t * a.std(ddof=1)), a.mean() + t * a.std(ddof=1)]
    assert np.allclose([got["value"]] + got["ci"], want, rtol=2e-3), (got, want)
    if readout == "brightness":
        c = np.array([x[:, 1].mean() for x in e]) / f[0].attrs["spread_brightness"]
        got = s(m, "crosstalk_random(pc0 #2)")
        assert np.allclose([got["value"]] + got["ci"], [c.mean(), c.mean() - t * c.std(ddof=1), c.mean() + t * c.std(ddof=1)], rtol=2e-3, atol=1e-5)
assert r["crosstalk"]["directions"] == ["pc0", "pc0 #2"] and r["crosstalk"]["value"][0] == r["crosstalk"]["value"][1]
P
}
