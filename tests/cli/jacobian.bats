#!/usr/bin/env bats
# direction jacobian: what the file says against the products that eval gives, in numpy; its use; refusals.
load support

J="direction jacobian --model random:tiny"

need_h5py() {
    /usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is absent"
    /usr/bin/python3 -c "import numpy as np
np.save('x.npy', np.random.default_rng(0).standard_normal((3, 3, 16, 16)).astype('f4')); np.save('x1.npy', np.load('x.npy')[:1])"
}

# vectors of d.h5 as h.npy (1, K, C, H, W) and v.npy (N, K, c, R, R); p.npz: eval's products along them at t = 999
products() { # X.npy
    /usr/bin/python3 -c "import h5py, numpy as np
f = h5py.File('d.h5')
np.save('h.npy', f['delta_h'][:, 0][None]); np.save('v.npy', f['x_vector'][:, 0].swapaxes(0, 1))"
    "$HSPACE" eval --model random:tiny --x "$1" --t 999 --jvp-h h.npy --vjp-h v.npy --jvp-x v.npy --vjp-x h.npy \
        -q -f -o p.npz 2>/dev/null
}

@test "jacobian: J v = s u and J'u = s v of every map, by the products of eval" {
    need_h5py
    for map in eps/h x0/h h/x; do
        "$HSPACE" $J --map $map -k 3 --t 999 --x-T x1.npy --tol 1e-5 --json -f -o d.h5 >out.json 2>/dev/null
        jq -e '.results.steps[0] | .t == 999 and (.sigma | length) == 3 and .residual <= 1e-5 and .h_norm > 0
               and .products >= 3 and .products_transposed >= 3 and .sweeps > 0' out.json
        products x1.npy
        MAP=$map /usr/bin/python3 - <<'END'
import h5py, json, numpy as np, os
f, p, map = h5py.File("d.h5"), np.load("p.npz"), os.environ["MAP"]
assert [s.decode() for s in f["direction"][:]] == ["sv0", "sv1", "sv2"] and f.attrs["method"] == "jacobian"
flat = lambda a: a.reshape(3, -1).astype(float)
s, h, x = f["sigma"][:, :1], flat(np.load("h.npy")), flat(np.load("v.npy"))
assert list(s[:, 0]) == json.load(open("out.json"))["results"]["steps"][0]["sigma"]
assert abs(h @ h.T - np.eye(3)).max() < 1e-4 and abs(x @ x.T - np.eye(3)).max() < 1e-3
ab = np.cumprod(1 - np.linspace(1e-4, 2e-2, 1000))[-1]
factor = -np.sqrt((1 - ab) / ab) if map == "x0/h" else 1
to_x, to_h = ("vjp_x", "jvp_x") if map == "h/x" else ("jvp_h", "vjp_h")
assert abs(factor * flat(p[to_x]) - s * x).max() < 1e-4 * s[0], map
assert abs(factor * flat(p[to_h]) - s * h).max() < 1e-4 * s[0], map
END
    done
}

@test "jacobian: of several samples, the mean metric" {
    need_h5py
    "$HSPACE" $J -k 3 --t 999 --x-T x.npy --tol 1e-5 -q -o d.h5 2>/dev/null
    products x.npy
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
f, p = h5py.File("d.h5"), np.load("p.npz")
jv = p["jvp_h"].reshape(3, 3, -1).astype(float)  # sample, vector
G = sum(a @ a.T for a in jv) / 3                 # V mean(J'J) V'
s = f["sigma"][:, 0]
assert abs(G - np.diag(s**2)).max() < 1e-4 * s[0]**2
part = f["x_vector"][:, 0].reshape(3, 3, -1)     # vector, sample
assert abs(jv.swapaxes(0, 1) / 3**.5 - s[:, None, None] * part).max() < 1e-4 * s[0]
END
}

@test "jacobian: a mask, falling timesteps with aligned signs, and what edits and controls make of the file" {
    need_h5py
    "$HSPACE" $J --map x0/h -k 2 --t 300,777,600 -N 2 --steps 5 --mask 2,4,10,7 -q -o d.h5 2>/dev/null
    /usr/bin/python3 - <<'END'
import h5py, numpy as np
f = h5py.File("d.h5")
x, d = f["x_vector"][:], f["delta_h"][:].reshape(2, 3, -1)
assert list(f["timestep"][:]) == [777, 600, 300] and x.shape == (2, 3, 2, 3, 16, 16)
inside = np.zeros((16, 16), bool); inside[4:7, 2:10] = True
assert (x[..., ~inside] == 0).all() and (x[..., inside] != 0).any()
assert (np.einsum("ktd,ktd->kt", d[:, 1:], d[:, :-1]) >= 0).all()
END
    "$HSPACE" $J --map x0/h -k 2 --t 300,777,600 -N 2 --steps 5 --mask 2,4,10,7 -q -f -o again.h5 2>/dev/null
    /usr/bin/python3 -c "import h5py; a, b = (h5py.File(n)['delta_h'][:] for n in ('d.h5', 'again.h5')); assert (a == b).all()"
    "$HSPACE" direction random --like d.h5:sv0 -q -o r.h5
    "$HSPACE" edit --model random:tiny --direction d.h5:sv1 --strength 5 -N 1 --steps 3 -q -o e.npy 2>/dev/null
    "$HSPACE" info d.h5 --json | jq -e '.results | tostring | contains("sv0")'
    fails 2 "wanted|shape|h " "$HSPACE" edit --model faces-a --direction d.h5:sv0 --strength 1 -N 1 -q -f -o e.npy
    "$HSPACE" $J -k 2 --t 300 -N 1 -n -q -o plan.h5 2>/dev/null
    [ ! -e plan.h5 ]
}

@test "jacobian: what does not fit is refused" {
    local O="-q -o d.h5" Q="$HSPACE direction jacobian --model faces-a"
    fails 2 "none given" $Q --t 500 $O
    fails 2 "--t" $Q -N 1 $O
    fails 2 "no -o" $Q -N 1 --t 500 -q
    fails 2 "1000; wanted whole numbers from 0 to 999" $Q -N 1 --t 1000 $O
    fails 2 "2.5; wanted whole" $Q -N 1 --t 2.5 $O
    fails 2 "500 after 500" $Q -N 1 --t 500,500 $O
    fails 2 "t = 900 is above 800" $Q -N 1 --t 900 --timesteps 800,100 $O
    fails 2 "wanted 1 to 3072" $Q -N 1 --t 999 -k 3073 $O
    fails 2 "wanted 1 to 12" $Q -N 1 --t 999 -k 13 --mask 0,0,2,2 $O
    fails 2 "inside an image of 32 x 32" $Q -N 1 --t 999 --mask 0,0,33,2 $O
    fails 2 "wanted X0,Y0,X1,Y1" $Q -N 1 --t 999 --mask 0,0,3 $O
    fails 2 "empty rectangle" $Q -N 1 --t 999 --mask 0,0,0,0 $O
    fails 2 "h/x has none" $Q -N 1 --t 999 --map h/x --mask 0,0,3,3 $O
    fails 2 "map" $Q -N 1 --t 999 --map x/h $O
    [ ! -e d.h5 ]
}
