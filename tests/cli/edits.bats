#!/usr/bin/env bats
# Directions, edits, sweeps and linearity from outside, and what they refuse.
load support

M="--model random:tiny --steps 4"

setup_file() {
    cd "$BATS_FILE_TMPDIR"
    H="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    "$H" dump --model random:tiny --steps 4 -N 12 -o acts.h5 2>/dev/null
    "$H" pca acts.h5 -k 3 -o pca.h5 >/dev/null
}
link() { ln -sf "$BATS_FILE_TMPDIR/acts.h5" "$BATS_FILE_TMPDIR/pca.h5" .; }

@test "pca: the promised keys, three scopes, certified" {
    link
    for scope in step pooled trajectory; do
        "$HSPACE" pca acts.h5 --scope $scope -k 3 --json >p.json
        jq -e '.results.steps[0] | (.explained_variance | length) == 3 and (.residual | max) <= 1e-5 and .effective_rank > 1' p.json
    done
    "$HSPACE" pca acts.h5 -k 3 --json | jq -e '[.results.steps[].t] == [999,666,333,0] and .results.steps[0].n == 12'
    "$HSPACE" pca acts.h5 --scope pooled -k 3 --json | jq -e '.results.steps | length == 1 and .[0].t == null'
}

@test "directions: names, indices, lists" {
    link
    fails 2 "pc0, pc1, pc2" "$HSPACE" edit --quiet $M -N 1 --direction pca.h5 -o e.npy
    fails 2 "no direction 'pc9'" "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc9 -o e.npy
    "$HSPACE" edit $M -N 1 --direction pca.h5:pc1 -o a.npy >/dev/null 2>&1
    "$HSPACE" edit $M -N 1 --direction pca.h5:1 -o b.npy >/dev/null 2>&1
    cmp a.npy b.npy
}

@test "edit: strength 0 is the plain sample; shapes as promised; sums" {
    link
    "$HSPACE" sample $M -N 2 -o plain.npy >/dev/null 2>&1
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength 0 -o zero.npy --json 2>/dev/null | jq -e '.results.effect == [0]'
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength -1,0,1 -o three.npy >/dev/null 2>&1
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --direction pca.h5:pc1 --strength 1,0 -o sum.npy >/dev/null 2>&1
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength 1 -o one.npy >/dev/null 2>&1
    /usr/bin/python3 - <<'P' || [ ! -x /usr/bin/python3 ]
try:
    import numpy as np
except ImportError:
    raise SystemExit(0)
plain, zero, three, s, one = (np.load(f + ".npy") for f in ("plain", "zero", "three", "sum", "one"))
close = lambda a, b: abs(a - b).max() <= 1e-4 * abs(b).max()
assert three.shape == (2, 3) + plain.shape[1:], three.shape
assert close(zero, plain) and close(three[:, 1], plain) and close(three[:, 2], one) and close(s, one)
assert not close(one, plain)
P
}

@test "edit: strength 0 is the plain sample to the bit, alone and among others, with batches, noise and boost" {
    link
    for extra in "" "--batch 3" "--eta 0.7"; do
        "$HSPACE" sample $M -N 5 $extra -q -f -o plain.npy 2>/dev/null
        "$HSPACE" edit $M -N 5 $extra --direction pca.h5:pc0 --strength 0 -q -f -o zero.npy 2>/dev/null
        cmp plain.npy zero.npy
    done
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --direction pca.h5:pc1 --strength 0,0 -q -o both.npy 2>/dev/null
    "$HSPACE" sample $M -N 2 -q -o two.npy 2>/dev/null
    cmp both.npy two.npy
}

@test "edit: a direction that changes nothing is said to be none" {
    link
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength 1e-12 --json -q 2>/dev/null |
        jq -e '.results.no_effect == [true] and (.warnings | any(test("no effect")))'
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength 0,1 --json -q 2>/dev/null |
        jq -e '.results.no_effect == [false, false] and .warnings == (.warnings | map(select(test("no effect") | not)))'
}

@test "edit: the quality boost draws its noise from --noise, whatever the seed, and only below t_boost" {
    link
    /usr/bin/python3 -c "
import numpy as np
np.save('z.npy', np.random.default_rng(1).normal(size=(4, 2, 3, 16, 16)).astype('f4'))
np.save('y.npy', np.random.default_rng(2).normal(size=(4, 2, 3, 16, 16)).astype('f4'))
np.save('x.npy', np.random.default_rng(3).normal(size=(2, 3, 16, 16)).astype('f4'))" || skip "needs numpy"
    edit() { "$HSPACE" edit $M --x-T x.npy --direction pca.h5:pc0 --t-edit 500 -q -f "$@" 2>/dev/null; }
    edit --t-boost 400 --noise z.npy -o a.npy
    edit --t-boost 400 --noise z.npy --seed 7 -o b.npy
    cmp a.npy b.npy
    for other in "--t-boost 400 --noise y.npy" "--t-boost 400" "--t-boost 0"; do
        edit $other -o b.npy
        if cmp -s a.npy b.npy; then false; fi
    done
    edit --t-boost 0 --noise z.npy -o c.npy
    cmp b.npy c.npy
    fails 2 'x.npy: not the noise of this run; wanted .*\(4, 2, 3, 16, 16\)' "$HSPACE" edit --quiet $M --x-T x.npy --direction pca.h5:pc0 --t-boost 400 --noise x.npy -o e.npy
}

@test "edit: the sum over the root of the number of directions" {
    link
    "$HSPACE" edit $M -N 1 --direction pca.h5:pc0 --direction pca.h5:pc1 --strength 1.4142135623730951,0 --combine sqrt -q -o a.npy 2>/dev/null
    "$HSPACE" edit $M -N 1 --direction pca.h5:pc0 --strength 1 -q -o b.npy 2>/dev/null
    cmp a.npy b.npy || "$HSPACE" similarity a.npy b.npy --metric cosine --json | jq -e '.results.value > 0.999999'
}

@test "edit: a grid of two directions holds each edit as it is alone" {
    link
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength -1,0,1 --direction pca.h5:pc1 --strength-2 0,2 -o g.npy -q --json 2>/dev/null >g.json
    jq -e '.results | .strengths == [[-1,0],[0,0],[1,0],[-1,2],[0,2],[1,2]] and .effect[1] == 0 and (.effect | length) == 6
           and .effect[0] > 0' g.json
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --direction pca.h5:pc1 --strength 1,2 -q -o one.npy 2>/dev/null
    "$HSPACE" sample $M -N 2 -q -o plain.npy 2>/dev/null
    /usr/bin/python3 - <<'P' || [ ! -x /usr/bin/python3 ]
try:
    import numpy as np
except ImportError:
    raise SystemExit(0)
g, one, plain = (np.load(f + ".npy") for f in ("g", "one", "plain"))
assert g.shape == (2, 2, 3) + plain.shape[1:], g.shape
assert (g[:, 0, 1] == plain).all() and abs(g[:, 1, 2] - one).max() <= 1e-4 * abs(one).max()
P
    fails 2 "strength-2: 1 directions; wanted two" "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 --strength-2 1 -o x.npy
}

@test "strips: labelled PNG and PDF, bare ones when asked, single edits as they are" {
    link
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength -1,1 -q -o e.png 2>/dev/null
    # 8 + 12 + 8, three columns (0 among them) of 64 and 4 between, 8; title, labels, two rows
    file e.png | grep -q 'PNG image data, 236 x 192,'
    "$HSPACE" edit $M -N 3 --direction pca.h5:pc0 --strength -1,1 --rows 2 -q -o two.png 2>/dev/null
    cmp e.png two.png # the first images, as when there are no others
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength -1,1 --labels no -q -o bare.png 2>/dev/null
    file bare.png | grep -q 'PNG image data, 34 x 34,'
    "$HSPACE" edit $M -N 1 --direction pca.h5:pc0 -q -o one.png 2>/dev/null
    file one.png | grep -q 'PNG image data, 16 x 16,'
    "$HSPACE" edit $M -N 2 --direction pca.h5:pc0 --strength -1,1 --direction pca.h5:pc1 --strength-2 0,1 -q -o g.pdf 2>/dev/null
    file g.pdf | grep -q 'PDF document'
    "$HSPACE" sweep $M -N 2 --direction pca.h5:pc0 --strengths -1,0,1 -q -o s.h5 --strip s.pdf 2>/dev/null
    file s.pdf | grep -q 'PDF document'
    fails 2 's.pdf: exists' "$HSPACE" sweep --quiet $M -N 2 --direction pca.h5:pc0 --strengths -1,0,1 -o s2.h5 --strip s.pdf
    fails 2 'unknown kind of output' "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 -o e.svg
}

@test "images: the reconstruction's error stands beside the edit" {
    link
    "$HSPACE" sample $M -N 2 -q -o in/ 2>/dev/null
    "$HSPACE" edit $M --images in --direction pca.h5:pc0 --strength 1 -q --json 2>/dev/null >e.json
    jq -e '.results.reconstruction | (.psnr_each | length) == 2 and (.psnr | type) == "number" and .l1 > 0 and (.l1_each | add / 2) - .l1 < 1e-9' e.json
    "$HSPACE" invert $M --images in -q -o xT.npy --check --json 2>/dev/null | jq -e --slurpfile e e.json '.results.check.psnr - $e[0].results.reconstruction.psnr | fabs < 0.01'
    "$HSPACE" sweep $M --images in --direction pca.h5:pc0 --strengths -1,0,1 -q --json 2>/dev/null |
        jq -e --slurpfile e e.json '.results.reconstruction.psnr - $e[0].results.reconstruction.psnr | fabs < 1e-9'
    "$HSPACE" edit $M -N 1 --direction pca.h5:pc0 -q --json 2>/dev/null | jq -e '.results | has("reconstruction") | not'
}

@test "sweep: a weighted sum of directions" {
    link
    "$HSPACE" sweep $M -N 2 --direction pca.h5:pc0 --direction pca.h5:pc1 --weights 1,0 --strengths -1,0,1 --readout brightness -q -o s.h5 --json 2>/dev/null >a.json
    "$HSPACE" sweep $M -N 2 --direction pca.h5:pc0 --strengths -1,0,1 --readout brightness -q --json 2>/dev/null >b.json
    jq -en --slurpfile a a.json --slurpfile b b.json '$a[0].results.readouts[0].mean == $b[0].results.readouts[0].mean'
    "$HSPACE" info s.h5 --json | jq -e '.results.direction == "pc0 + pc1"'
    fails 2 'weights: 1 given for 2' "$HSPACE" sweep --quiet $M -N 1 --direction pca.h5:pc0,pca.h5:pc1 --weights 1 --strengths 0,1 -o x.h5
    [ ! -e x.h5 ]
}

@test "edit: a change within rounding is said to be none, of a single image and with noise, too" {
    "$HSPACE" dump --model faces-a --steps 3 -N 2 -q -o f.h5
    "$HSPACE" pca f.h5 -k 1 -q -o fp.h5
    for more in "-N 1" "-N 2" "-N 2 --batch 1" "-N 1 --eta 1"; do
        "$HSPACE" edit --model faces-a --steps 3 $more --direction fp.h5:pc0 --strength 1e-9,1 -o e.npy -f --json -q 2>/dev/null |
            jq -e --arg m "$more" '.results.no_effect == [true, false] or ("\($m): \(.results)" | error)'
    done
}

@test "t_edit and t_boost: given curves by the paper's thresholds, and auto by the model's own" {
    link
    seq 1 999 | awk '{ print $1 "\t" $1 / 1000 }' >p.tsv
    seq 1 999 | awk '{ print $1 "\t" $1 / 500 }' >x.tsv
    "$HSPACE" curves --curves p.tsv,x.tsv --json | jq -e '.results.interval | .t_edit == 330 and .t_boost == 600 and .distance == "LPIPS"'
    "$HSPACE" curves --curves p.tsv,x.tsv --cosine 0.5 --json | jq -e '.results.interval.t_edit == 165'
    shared="$BATS_TEST_DIRNAME/../../../shared/data/lpips-curves"
    if [ -d "$shared" ]; then # the crossings of the authors' five curves
        for row in celeba:538:167 afhq:482:167 church:396:293 bedroom:384:221 metface:396:180; do
            IFS=: read -r name edit boost <<<"$row"
            "$HSPACE" curves --curves "$shared/${name}_LPIPS_distance_x0_t.tsv,$shared/${name}_LPIPS_distance_x.tsv" --json |
                jq -e --argjson e $edit --argjson b $boost '.results.interval | .t_edit == $e and .t_boost == $b'
        done
    fi
    "$HSPACE" curves --model random:tiny --steps 20 -N 4 -q -o c.h5 --plot c.svg --json 2>/dev/null >c.json
    jq -e '.results.interval | .distance == "pixels" and .n == 4 and .t_edit > 0 and .threshold_edit > 0.288 * .end_p * 0.99' c.json
    head -c 5 c.svg | grep -q '<?xml'
    fails 2 'wanted -o C.h5' "$HSPACE" curves --model random:tiny -N 1 --plot c2.svg -q
    "$HSPACE" edit --model random:tiny --steps 20 -N 4 --direction pca.h5:pc0 --t-edit auto --t-boost auto --json -q 2>/dev/null >e.json
    jq -e --slurpfile c c.json '.params["t-edit"] == $c[0].results.interval.t_edit and .params["t-boost"] == $c[0].results.interval.t_boost' e.json
    "$HSPACE" edit --model random:tiny --steps 20 -N 1 --direction pca.h5:pc0 --t-edit auto --curves p.tsv,x.tsv --json -q 2>/dev/null |
        jq -e '.params["t-edit"] == 330 and .params["t-boost"] == 0'
    echo junk >bad.tsv
    fails 3 'bad.tsv: line 1 is no timestep' "$HSPACE" curves --curves bad.tsv,x.tsv -q
    echo "1 0.1" >low.tsv
    fails 6 'low.tsv: .*none of 1 values reaches 0.33' "$HSPACE" curves --curves low.tsv,x.tsv -q
    fails 2 'no --model' "$HSPACE" curves -N 2 -q
}

@test "t_edit: a pair of texts says its cosine, by CLIP" {
    link
    P=(--source "a face" --target "an old face")
    "$HSPACE" curves --model random:tiny --steps 10 -N 2 -q "${P[@]}" --json 2>/dev/null >t.json
    jq -e '.results.interval | .cosine > 0 and .cosine < 0.999' t.json
    jq -e '.params.cosine == .results.interval.cosine' t.json
    "$HSPACE" curves --model random:tiny --steps 10 -N 2 -q --cosine "$(jq .params.cosine t.json)" --json 2>/dev/null |
        jq -e --slurpfile t t.json '.results.interval == $t[0].results.interval'
    "$HSPACE" edit --model random:tiny --steps 10 -N 2 --direction pca.h5:pc0 --t-edit auto "${P[@]}" -q --json 2>/dev/null |
        jq -e --slurpfile t t.json '.results.interval == $t[0].results.interval and (.inputs | map(.path) | any(test("faces-clip")))'
    E="edit --quiet --model random:tiny --steps 10 -N 1 --direction pca.h5:pc0 -o e.npy"
    fails 2 'wanted both' "$HSPACE" $E --t-edit auto --source "a face"
    fails 2 'no --cosine' "$HSPACE" $E --t-edit auto "${P[@]}" --cosine 0.5
    fails 2 'wanted --t-edit auto' "$HSPACE" $E "${P[@]}"
    fails 5 'clip-model: none is no folder' "$HSPACE" $E --t-edit auto "${P[@]}" --clip-model none
    fails 2 'tokens' "$HSPACE" $E --t-edit auto --source "$(yes word | head -200 | tr '\n' ' ')" --target b
    [ ! -e e.npy ]
}

@test "sweep: keys, strip, nulls, file" {
    link
    "$HSPACE" sweep $M -N 3 --direction pca.h5:pc0 --strengths -2:2:0.5 --null 2 --readout brightness:0,0,8,8,x0,h_later:1 \
        -o s.h5 --strip s.png --json >s.json 2>/dev/null
    jq -e '.results.strengths == [-2,-1.5,-1,-0.5,0,0.5,1,1.5,2] and [.results.readouts[].name] == ["brightness:0,0,8,8","x0","h_later:1"]
           and (.results.readouts[0] | (.mean | length) == 9 and (.ci | length) == 9 and .n == 3)' s.json
    [ -s s.png ] && [ "$("$HSPACE" info s.h5 --json | jq -r .results.kind)" = sweep ]
}

@test "linearity of a sweep: one measurement with verdict and exit code" {
    link
    "$HSPACE" sweep $M -N 4 --direction pca.h5:pc0 --strengths -2:2:0.5 --null 8 --readout x0 -o s.h5 >/dev/null 2>&1
    rc=0
    "$HSPACE" linearity --sweep s.h5 -o l.h5 --json >l.json 2>/dev/null || rc=$?
    jq -e '.results | .property == "linearity" and (.verdict | IN("holds", "fails", "inconclusive", "no effect")) and .standard == 0.85
           and (.primary.value | type) == "number" and (.reason | length) > 0' l.json
    case $(jq -r .results.verdict l.json) in holds) [ $rc -eq 0 ] ;; fails) [ $rc -eq 10 ] ;; *) [ $rc -eq 11 ] ;; esac
}

@test "planted effects: a line holds; tanh, a square and flipping signs don't; nothing is no effect" {
    /usr/bin/python3 - <<'P' || skip "needs python3"
import math, random
random.seed(1)
shapes = {"line": lambda s: 2 * s, "tanh": math.tanh, "square": lambda s: s * s,
          "flip": lambda s: s * (-1) ** round(2 * abs(s)), "nothing": lambda s: 0.0, "signs": lambda s: 2 * s}
for name, f in shapes.items():
    with open(name + ".csv", "w") as out:
        out.write("image,strength,value," + ",".join("null" if k == 0 else f"null_{k+1}" for k in range(8)) + "\n")
        for i in range(40):
            base, gain = random.gauss(0, 1), 1 + 0.1 * random.gauss(0, 1)
            gain *= (-1) ** i if name == "signs" else 1
            for k in range(-4, 5):
                s = k / 2
                noise = 0.02 * random.gauss(0, 1) if s and name != "nothing" else 0
                nulls = ",".join(repr(0.05 * random.gauss(0, 1) * s) for _ in range(8))
                out.write(f"{i},{s!r},{base + gain * f(s) + noise!r},{nulls}\n")
P
    check() { "$HSPACE" linearity --effects $1.csv --json >$1.json 2>/dev/null || true; [ "$(jq -r .results.verdict $1.json)" = "$2" ]; }
    check line holds
    jq -e '(.results.statistics[] | select(.name == "slope") | .value) as $b | $b > 1.9 and $b < 2.1' line.json
    jq -e '.results.primary.value > 0.97' line.json
    check tanh fails
    check square fails
    check flip fails
    check signs inconclusive
    check nothing "no effect"
}

@test "interpolate: ends, file, strip" {
    for i in 1 2; do "$HSPACE" sample --model random:tiny --steps 2 -N 2 --seed $i -o x$i.npy >/dev/null 2>&1; done
    "$HSPACE" interpolate $M --from x1.npy --to x2.npy --positions 3 --path slerp -o i.h5 --strip i.png --json 2>/dev/null |
        jq -e '.results.strengths == [0,0.5,1] and .results.readouts[0].mean[0] == 0'
    [ -s i.h5 ] && [ -s i.png ]
    "$HSPACE" sample --model random:tiny --steps 2 -N 1 -o one.npy >/dev/null 2>&1
    fails 2 "images" "$HSPACE" interpolate --quiet $M --from x1.npy --to one.npy -o j.h5
}

@test "direction random: the norms, reproducible, seeds differ" {
    link
    "$HSPACE" direction random --like pca.h5:pc0 -k 2 -o r.h5 >/dev/null
    "$HSPACE" direction random --like pca.h5:pc0 -k 2 --seed 1 -o q.h5 >/dev/null
    "$HSPACE" direction random --like pca.h5:pc0 -k 2 --covariance acts.h5 -o c.h5 >/dev/null
    for f in r q c; do "$HSPACE" export $f.h5:random1 --what delta_h -o $f.npy >/dev/null; done
    ! cmp -s r.npy q.npy && ! cmp -s r.npy c.npy
    "$HSPACE" direction random --like pca.h5:pc0 -k 2 -o again.h5 >/dev/null
    "$HSPACE" export again.h5:random1 --what delta_h -o again.npy >/dev/null
    cmp r.npy again.npy
    # what info says of each: the same norms, at the same timesteps
    "$HSPACE" info pca.h5:pc0 --json >like.json
    jq -e '.results | .kind == "direction" and .direction == "pc0" and .space == "h" and (.network | not) and
        (.norms | length) == (.timesteps | length) and (.norms | all(. > 0))' like.json
    for f in r q c; do
        "$HSPACE" info $f.h5:random1 --json | jq -e --slurpfile like like.json '.results as $r | $like[0].results |
            .timesteps == $r.timesteps and ([.norms, $r.norms] | transpose | all((.[0] / .[1] - 1) | fabs < 1e-6))'
    done
    fails 2 "pca.h5: no direction 'pc9'; there are: pc0, pc1, pc2" "$HSPACE" info pca.h5:pc9
}

@test "refused: strengths without 0 or twice, steps beyond T, intervals, several sources" {
    link
    fails 2 "strength 0" "$HSPACE" sweep --quiet $M -N 1 --direction pca.h5:pc0 --strengths 1,2 -o s.h5
    fails 2 "twice" "$HSPACE" sweep --quiet $M -N 1 --direction pca.h5:pc0 --strengths 0,1,1 -o s.h5
    fails 2 "1001|1000" "$HSPACE" sample --quiet --model random:tiny --steps 1001 -N 1 -o s.npy
    fails 2 "timestep" "$HSPACE" sample --quiet --model random:tiny --timesteps 1000,0 -N 1 -o s.npy
    fails 2 "^hspace: --t-edit: " "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 --t-edit soon -o e.npy
    fails 2 "^hspace: --t-boost: " "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 --t-boost 1001 -o e.npy
    fails 2 "wanted two" "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 --t-edit auto --curves one.tsv -o e.npy
    fails 2 "exactly one" "$HSPACE" dump --quiet --model random:tiny -o d.h5
    [ ! -e s.h5 ] && [ ! -e s.npy ] && [ ! -e e.npy ] && [ ! -e d.h5 ]
}

@test "refused: a direction of another model or another shape" {
    link
    fails 2 "same model" "$HSPACE" edit --quiet --model random:tiny:5 --steps 4 -N 1 --direction pca.h5:pc0 -o e.npy
    "$HSPACE" edit --model random:tiny:5 --steps 4 -N 1 --direction pca.h5:pc0 --force -o e.npy >/dev/null 2>&1
    fails 2 "shape" "$HSPACE" edit --quiet --model random:ddpm-cifar10-32 --steps 2 -N 1 --direction pca.h5:pc0 -o f.npy
}

@test "refused: images of another size unless --fit; nothing overwritten" {
    link
    "$HSPACE" sample --model random:tiny --steps 2 -N 1 -o small.png >/dev/null 2>&1
    "$HSPACE" sample --model random:ddpm-cifar10-32 --steps 1 -N 1 --batch 1 -o other.png >/dev/null 2>&1 || skip "too slow here"
    fails 2 "--fit" "$HSPACE" edit --quiet $M --images other.png --direction pca.h5:pc0 -o e.npy
    "$HSPACE" edit $M --images other.png --fit --direction pca.h5:pc0 -o e.npy >/dev/null 2>&1
    fails 2 "exists" "$HSPACE" edit --quiet $M -N 1 --direction pca.h5:pc0 -o e.npy
    fails 2 "exists" "$HSPACE" pca acts.h5 -o pca.h5
}

@test "refused: a Stable Diffusion folder, a folder without a model, a missing one" {
    mkdir -p sd/unet empty
    echo '{"_class_name": "StableDiffusionPipeline"}' >sd/model_index.json
    echo '{"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}' >sd/unet/config.json
    fails 3 "conditional U-Net: export its activations with scripts/hspace_export.py" "$HSPACE" info sd
    fails 3 "conditional" "$HSPACE" sample --quiet --model sd -N 1 -o x.npy
    fails 3 "empty" "$HSPACE" sample --quiet --model empty -N 1 -o x.npy
    fails 5 "nowhere" "$HSPACE" sample --quiet --model nowhere -N 1 -o x.npy
}
