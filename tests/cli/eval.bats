#!/usr/bin/env bats
# eval's derivatives: against each other (adjoint), against differences of eval's own eps and h, and against
# PyTorch's.
load support

M="--model random:tiny"

# Arrays a.npy ... from a line of numpy; what a test computes is said by python.
py() {
    /usr/bin/python3 -c "import numpy as np
rng = np.random.default_rng(0)
def normal(*shape): return rng.standard_normal(shape).astype('f4')
def worst(a, b): return np.abs(a - b).max() / np.abs(b).max()
def dots(a, b): return (a.astype('f8') * b).sum(axis=tuple(range(a.ndim - 3, a.ndim)))
$1"
}

need_numpy() {
    /usr/bin/python3 -c 'import numpy' 2>/dev/null || skip "python3-numpy is absent"
}

vectors() { # of 2 images
    py "
np.save('x.npy', normal(2, 3, 16, 16)); np.save('v_h.npy', normal(2, 64, 4, 4)); np.save('u_h.npy', normal(2, 3, 16, 16))
np.save('v_x.npy', normal(2, 3, 16, 16)); np.save('u_x.npy', normal(2, 64, 4, 4)); np.save('dh.npy', normal(2, 64, 4, 4))"
}

@test "jvp and vjp of both maps: shapes, and adjoint to each other" {
    need_numpy
    vectors
    "$HSPACE" eval $M --x x.npy --t 900,100 --jvp-h v_h.npy --vjp-h u_h.npy --jvp-x v_x.npy --vjp-x u_x.npy \
        -q -o e.npz --json >e.json
    jq -e '.results.jvp_h.shape == [2, 3, 16, 16] and .results.vjp_h.shape == [2, 64, 4, 4]' e.json
    jq -e '.results.jvp_x.shape == [2, 64, 4, 4] and .results.vjp_x.shape == [2, 3, 16, 16]' e.json
    jq -e '[.inputs[].path] | contains(["v_h.npy", "u_h.npy", "v_x.npy", "u_x.npy"])' e.json
    py "
e = np.load('e.npz')
assert sorted(e) == ['eps', 'h', 'jvp_h', 'jvp_x', 'vjp_h', 'vjp_x']
for v, u, jv, ju in (('v_h', 'u_h', 'jvp_h', 'vjp_h'), ('v_x', 'u_x', 'jvp_x', 'vjp_x')):
    v, u = np.load(v + '.npy'), np.load(u + '.npy')
    size = np.sqrt(dots(u, u) * dots(e[jv], e[jv]))
    assert np.all(size > 0) and np.all(np.abs(dots(u, e[jv]) - dots(v, e[ju])) <= 1e-5 * size)"
    "$HSPACE" eval $M --x x.npy --t 900,100 -q -o plain.npz
    py "
e, p = np.load('e.npz'), np.load('plain.npz')
assert np.array_equal(e['h'], p['h']) and np.array_equal(e['eps'], p['eps'])"
}

# Steps of 1e-2 along v: the difference's own error is of order 1e-4, and float32 adds 1e-7 / 1e-2.
@test "jvp is what the difference of two evaluations tends to, at h and at h + dh" {
    need_numpy
    vectors
    py "
x, v = np.load('x.npy'), np.load('v_x.npy')
for name, s in (('up', 1e-2), ('down', -1e-2)):
    np.save(name + '_x.npy', (x + s * v).astype('f4'))
    np.save(name + '_h.npy', (s * np.load('v_h.npy')).astype('f4'))
    np.save(name + '_dh.npy', (np.load('dh.npy') + s * np.load('v_h.npy')).astype('f4'))"
    for way in up down; do
        "$HSPACE" eval $M --x ${way}_x.npy --t 700 -q -o ${way}_x.npz
        "$HSPACE" eval $M --x x.npy --t 700 --dh ${way}_h.npy -q -o ${way}_h.npz
        "$HSPACE" eval $M --x x.npy --t 700 --dh ${way}_dh.npy -q -o ${way}_dh.npz
    done
    "$HSPACE" eval $M --x x.npy --t 700 --jvp-h v_h.npy --jvp-x v_x.npy -q -o e.npz
    "$HSPACE" eval $M --x x.npy --t 700 --jvp-h v_h.npy --dh dh.npy -q -o d.npz
    py "
e, d = np.load('e.npz'), np.load('d.npz')
def slope(of, name): return (np.load('up_' + of + '.npz')[name] - np.load('down_' + of + '.npz')[name]) / 2e-2
assert worst(slope('x', 'h'), e['jvp_x']) < 1e-3
assert worst(slope('h', 'eps'), e['jvp_h']) < 1e-3
assert worst(slope('dh', 'eps'), d['jvp_h']) < 1e-3
assert worst(d['jvp_h'], e['jvp_h']) > 1e-2"
}

@test "several vectors an image, the same at every image, and many at one image" {
    need_numpy
    vectors
    py "
k = normal(2, 5, 64, 4, 4); np.save('own.npy', k); np.save('same.npy', k[:1]); np.save('one.npy', k[0, 0])
np.save('many.npy', k[0]); np.save('x0.npy', np.load('x.npy')[:1])"
    for b in 1 3 16; do
        "$HSPACE" eval $M --x x.npy --t 400 --batch $b --jvp-h own.npy --vjp-x same.npy -q -o own$b.npz
    done
    "$HSPACE" eval $M --x x.npy --t 400 --jvp-h one.npy --vjp-x own.npy -q -o one.npz
    "$HSPACE" eval $M --x x0.npy --t 400 --jvp-h many.npy --vjp-x same.npy -q -o many.npz
    py "
a, b, c, one, many = (np.load(n + '.npz') for n in ('own1', 'own3', 'own16', 'one', 'many'))
assert a['jvp_h'].shape == (2, 5, 3, 16, 16) and many['jvp_h'].shape == (5, 3, 16, 16) and one['jvp_h'].shape == (2, 3, 16, 16)
assert many['vjp_x'].shape == (1, 5, 3, 16, 16)
for other in b, c:
    assert worst(other['jvp_h'], a['jvp_h']) < 1e-5 and worst(other['vjp_x'], a['vjp_x']) < 1e-5
assert worst(many['jvp_h'], a['jvp_h'][0]) < 1e-5 and worst(many['vjp_x'], a['vjp_x'][:1]) < 1e-5
assert worst(one['jvp_h'][0], a['jvp_h'][0, 0]) < 1e-5 and worst(one['jvp_h'][1], a['jvp_h'][1, 0]) > 1e-2
assert worst(one['vjp_x'][0], a['vjp_x'][0]) < 1e-5 and worst(one['vjp_x'][1], a['vjp_x'][1]) > 1e-2"
}

@test "vectors that don't fit are refused before any work" {
    need_numpy
    vectors
    py "
np.save('three.npy', normal(3, 64, 4, 4)); np.save('six.npy', normal(1, 2, 2, 64, 4, 4)); np.save('five.npy', normal(3, 2, 64, 4, 4))
v = normal(2, 64, 4, 4); v[1, 0, 0, 0] = np.nan; np.save('nan.npy', v); np.save('none.npy', normal(2, 0, 64, 4, 4))"
    e() { "$HSPACE" eval $M --x x.npy --t 500 -q -o j.npz "$@"; }
    fails 2 '^hspace: x.npy: shape \(2, 3, 16, 16\); wanted \(N, or N, K, 64, 4, 4\)' e --jvp-h x.npy
    fails 2 '^hspace: v_h.npy: shape .*; wanted \(N, or N, K, 3, 16, 16\)' e --vjp-h v_h.npy
    fails 2 '^hspace: u_x.npy: shape' e --jvp-x u_x.npy
    fails 2 '^hspace: v_x.npy: shape' e --vjp-x v_x.npy
    fails 2 '^hspace: six.npy: shape' e --jvp-h six.npy
    fails 2 '^hspace: none.npy: shape' e --jvp-h none.npy
    fails 2 '^hspace: --jvp-h: three.npy: rows for 3 images, --x has 2' e --jvp-h three.npy
    fails 2 '^hspace: --vjp-x: five.npy: rows for 3 images, --x has 2' e --vjp-x five.npy
    fails 3 '^hspace: nan.npy: element 1024 is not finite' e --jvp-h nan.npy
    fails 5 '^hspace: gone.npy' e --vjp-x gone.npy
    [ ! -e j.npz ]
    e --jvp-h v_h.npy -n --json | jq -e '.results.plan.evaluations == 4 and .results.plan.bytes == 2 * 4 * (1024 + 768 + 768)'
}

# PyTorch's products on small networks of the three families; tolerance 5e-5, as the reference states.
@test "products equal PyTorch's" {
    need_numpy
    data="${HSPACE_SHARED_DATA:-$BATS_TEST_DIRNAME/../../../shared/data}/parity"
    [ -d "$data" ] || skip "the real data is absent"
    for case in "diffusers_ddpm pipeline" "diffusers_adm pipeline" "ddpm_ermon model.ckpt --arch $data/ddpm_ermon/config.yml"; do
        set -- $case
        py "
import json, struct
with open('$data/$1/golden.safetensors', 'rb') as f:
    head = json.loads(f.read(struct.unpack('<Q', f.read(8))[0])); body = f.read()
kind = {'F32': 'f4', 'I64': 'i8', 'I32': 'i4'}
for name in ('x', 't', 'jvp_eps_h.v', 'vjp_eps_h.u', 'jvp_h_x.v', 'vjp_h_x.u', 'jvp_eps_h', 'vjp_eps_h', 'jvp_h_x', 'vjp_h_x'):
    k = head[name]; a, b = k['data_offsets']
    np.save(name + '.npy', np.frombuffer(body[a:b], kind[k['dtype']]).reshape(k['shape']))
print(','.join(map(str, np.load('t.npy'))), file=open('t.txt', 'w'))"
        "$HSPACE" eval --model "$data/$1/$2" ${3:+$3 "$4"} --x x.npy --t "$(cat t.txt)" --jvp-h jvp_eps_h.v.npy \
            --vjp-h vjp_eps_h.u.npy --jvp-x jvp_h_x.v.npy --vjp-x vjp_h_x.u.npy -q -o "$1.npz"
        py "
e = np.load('$1.npz')
for ours, theirs in (('jvp_h', 'jvp_eps_h'), ('vjp_h', 'vjp_eps_h'), ('jvp_x', 'jvp_h_x'), ('vjp_x', 'vjp_h_x')):
    error = worst(e[ours], np.load(theirs + '.npy'))
    assert error <= 5e-5, ('$1', ours, error)"
    done
}
