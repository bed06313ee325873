#!/usr/bin/env bats
# hspace direction orthogonalize.
load support

M="--model random:tiny --steps 3"

@test "orthogonalize: v - V (V'V)^-1 V'v at each timestep, as numpy has it; nearly dependent others count once" {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    "$HSPACE" dump $M -N 24 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o p.h5
    awk 'BEGIN { srand(3); print "file,a,b,c:d"; for (i = 0; i < 24; i++) print i "," rand() "," rand() "," rand() }' >l.csv
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr a,b,c:d -q -o d.h5
    cp d.h5 e.h5
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
d = h5py.File("e.h5", "r+")["delta_h"] # c:d of it nearly a + b
d[2] = d[0] + d[1]
END
    "$HSPACE" direction orthogonalize d.h5 --against p.h5 --json -o f.h5 >out.json
    "$HSPACE" direction orthogonalize d.h5:2 --against e.h5,p.h5:pc1 -q -o g.h5
    /usr/bin/python3 - <<'END'
import h5py, json, numpy as np
flat = lambda f, i, k: h5py.File(f)["delta_h"][i, k].ravel().astype(float)
f, g, out = h5py.File("f.h5"), h5py.File("g.h5"), json.load(open("out.json"))["results"]["directions"]
assert [s.decode() for s in f["direction"][:]] == ["a", "b", "c:d"] and [s.decode() for s in g["direction"][:]] == ["c:d"]
assert [s.decode() for s in g["against"][:]] == ["a", "b", "c:d", "pc1"]
def check(v, V, got, left, before):
    want = v - V @ np.linalg.solve(V.T @ V, V.T @ v)
    assert abs(got - want).max() < 3e-7 * abs(v).max()
    assert abs(left - np.linalg.norm(want) / np.linalg.norm(v)) < 1e-6 and abs(before / np.linalg.norm(v) - 1) < 1e-12
    assert (abs(V.T @ got) / np.linalg.norm(V, axis=0) / np.linalg.norm(got)).max() < 1e-6
for k in range(3):
    for i in range(3):
        V = np.c_[flat("p.h5", 0, k), flat("p.h5", 1, k)]
        check(flat("d.h5", i, k), V, flat("f.h5", i, k), f["norm_left"][i, k], f["norm_before"][i, k])
        assert out[i]["steps"][k]["norm_left"] == f["norm_left"][i, k] and f["rank"][i, k] == 2
    V = np.c_[flat("e.h5", 0, k), flat("e.h5", 1, k), flat("p.h5", 1, k)]
    check(flat("d.h5", 2, k), V, flat("g.h5", 0, k), g["norm_left"][0, k], g["norm_before"][0, k])
    assert g["rank"][0, k] == 3, g["rank"][:]
END
    "$HSPACE" edit $M --direction f.h5:a --strength 1 -N 2 -q -o e.npy
}

@test "orthogonalize: others constant in t are taken out at every timestep; a constant one against its like" {
    "$HSPACE" dump $M -N 12 -q -o a.h5
    "$HSPACE" pca a.h5 --scope pooled -k 3 -q -o c.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    "$HSPACE" direction orthogonalize p.h5 --against c.h5:pc0,c.h5:pc1 --json -o f.h5 |
        jq -e '[.results.directions[0].steps[] | select(.rank == 2 and .norm_left > 0 and .norm_left < 1)] | length == 3'
    "$HSPACE" direction orthogonalize f.h5 --against c.h5:pc0,c.h5:pc1 --json |
        jq -e '[.results.directions[0].steps[].norm_left | select(. > 0.999999)] | length == 3'
    "$HSPACE" direction orthogonalize c.h5:pc0 --against c.h5:pc1 --json -o g.h5 |
        jq -e '.results.directions[0].steps | length == 1 and .[0].t == null and .[0].norm_left > 0.999'
    "$HSPACE" edit $M --direction g.h5 --strength 1 -N 2 -q -o e.npy
    fails 2 "pc0 and pc0 are of other timesteps" "$HSPACE" direction orthogonalize c.h5:pc0 --against p.h5 -q -o n.h5
}

@test "orthogonalize: what does not fit is refused, and what lies in the span of the others" {
    "$HSPACE" dump $M -N 8 -q -o a.h5
    "$HSPACE" dump --model random:tiny --steps 4 -N 8 -q -o b.h5
    "$HSPACE" pca a.h5 -k 2 -q -o p.h5
    "$HSPACE" pca b.h5 -k 1 -q -o q.h5
    O="direction orthogonalize p.h5:pc0 -q -o n.h5"
    fails 2 "wanted --against" "$HSPACE" $O
    fails 2 "are of other timesteps \(3 and 4\)" "$HSPACE" $O --against q.h5
    fails 2 "no direction 'smile'; there are: pc0, pc1" "$HSPACE" $O --against p.h5:smile
    fails 6 "nothing is left of pc0 at t = 999" "$HSPACE" $O --against p.h5
    fails 3 "holds no directions|not" "$HSPACE" $O --against a.h5
    fails 5 "absent.h5" "$HSPACE" $O --against absent.h5
    fails 2 "exists" "$HSPACE" direction orthogonalize p.h5:pc0 --against p.h5:pc1 -q -o q.h5
    [ ! -e n.h5 ]
    "$HSPACE" dump --model random:faces-32 --steps 3 -N 3 -q -o c.h5
    "$HSPACE" pca c.h5 -k 1 -q -o r.h5
    fails 2 "pc0 is \(" "$HSPACE" $O --against r.h5
    "$HSPACE" $O --against p.h5:pc1 --dry-run
    [ ! -e n.h5 ]
}
