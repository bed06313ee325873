#!/usr/bin/env bats
# hspace compare: stores, models and arrays of the same images.

load support

setup() {
    HSPACE="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    cd "$BATS_TEST_TMPDIR"
    export XDG_CONFIG_HOME="$BATS_TEST_TMPDIR/xdg" OMP_NUM_THREADS=2 GOMP_SPINCOUNT=1000
    export HSPACE_DATADIR="$BATS_TEST_DIRNAME/../../datasets"
}

dump() { # MODEL SEED OUT
    "$HSPACE" dump --model "$1" --seed "$2" -N 24 --steps 3 -q -o "$3"
}

verdict() { # ARGS...: the verdict; the exit code must be that of the verdict
    local code=0
    "$HSPACE" compare "$@" --bootstrap 400 --json >o.json 2>err || code=$?
    v=$(jq -r .results.verdict o.json)
    case "$v" in
        shared) [ $code -eq 0 ] ;;
        "not shared") [ $code -eq 10 ] ;;
        inconclusive) [ $code -eq 11 ] ;;
        *) cat err && return 1 ;;
    esac
    echo "$v"
}

@test "a store is shared with itself, and answers under the promised names" {
    dump random:tiny 0 a.h5
    [ "$(verdict --a a.h5 --b a.h5 -o r.h5)" = shared ]
    jq -e '.results | .primary.value > 0.999999 and .property == "compare" and .standard == 0.5' o.json
    jq -e '[.results.statistics[].name] | contains(["aligned_cosine", "aligned_cosine_back", "aligned_cosine_pooled",
        "procrustes", "rsa", "cka_debiased[0,0]", "cka_debiased[0,2]", "cka_biased[2,0]", "aligned_cosine[1]"])' o.json
    jq -e '.results.statistics | all(.value != null or .reason != null)' o.json
    jq -e '.results.steps | length == 3' o.json
    jq -e '.results.cka.debiased | length == 3 and .[1][1] > 0.999999' o.json
    "$HSPACE" info r.h5 --json | jq -e '.results.kind == "compare"'
}

@test "swapping the sides transposes" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    verdict --a a.h5 --b b.h5 >/dev/null
    cp o.json ab.json
    verdict --a b.h5 --b a.h5 >/dev/null
    jq -en --slurpfile x ab.json --slurpfile y o.json '
        def v($r; $n): $r[0].results.statistics[] | select(.name == $n) | .value;
        def near($a; $b): ($a - $b) | fabs < 1e-9;
        near(v($x; "aligned_cosine"); v($y; "aligned_cosine_back")) and near(v($x; "ceiling"); v($y; "ceiling_back"))
        and near(v($x; "cka_debiased[0,2]"); v($y; "cka_debiased[2,0]")) and $x[0].results.verdict == $y[0].results.verdict'
}

@test "stores that don't pair are refused with both hashes" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 5 b.h5
    fails 2 "don't pair, they start from [0-9a-f]{64} and [0-9a-f]{64}" "$HSPACE" compare --a a.h5 --b b.h5 --json
    "$HSPACE" dump --model random:tiny:1 -N 24 --timesteps 900,100 -q -o c.h5
    fails 2 "no timestep in common" "$HSPACE" compare --a a.h5 --b c.h5 --json
    "$HSPACE" dump --model random:tiny:1 -N 20 --steps 3 -q -o d.h5
    fails 2 "24 images, d.h5 20" "$HSPACE" compare --a a.h5 --b d.h5 --json
}

@test "too few images: exit 6 with the reason" {
    "$HSPACE" dump --model random:tiny -N 8 --steps 2 -q -o few.h5
    fails 6 "8 pairs of images are too few to fit an alignment \(or CCA\)" "$HSPACE" compare --a few.h5 --b few.h5 --json
    dump random:tiny 0 a.h5
    fails 6 "CCA of 12 images" "$HSPACE" compare --a a.h5 --b a.h5 --keep 1 --json
}

@test "models are asked about the same x_T, as their stores would be" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    verdict --a a.h5 --b b.h5 >/dev/null
    cp o.json stores.json
    verdict --a random:tiny --b random:tiny:1 -N 24 --steps 3 >/dev/null
    jq -en --slurpfile x stores.json --slurpfile y o.json '
        ($x[0].results.statistics | length) == ($y[0].results.statistics | length)
        and ([$x[0].results.statistics, $y[0].results.statistics] | transpose
             | all(.[0].value == .[1].value or ((.[0].value - .[1].value) | fabs) < 1e-6))'
}

@test "usage errors" {
    fails 2 "1 given" "$HSPACE" compare --a a.h5 --json
    fails 2 "-N" "$HSPACE" compare --a faces-a --b faces-a --json
    dump random:tiny 0 a.h5
    fails 2 "no -o" "$HSPACE" compare --a a.h5 --b a.h5 --json --plot f.pdf
}

@test "directions: by name, of a model with itself shared, of two others not" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    "$HSPACE" pca a.h5 -k 2 -q -o pa.h5
    "$HSPACE" pca b.h5 -k 2 -q -o pb.h5
    [ "$(verdict --a a.h5 --b a.h5 --directions-a pa.h5 --directions-b pa.h5 -o r.h5)" = shared ]
    jq -e '.results.directions | length == 2 and all(.verdict == "shared" and .a == .b and .over_ceiling.value > 0.999999
        and has("aligned_cosine") and has("null") and has("effect_ratio") and .raw_cosine > 0.999)' o.json
    jq -e '.results.h.verdict == "shared"' o.json
    [ "$(verdict --a a.h5 --b b.h5 --directions-a pa.h5:pc0 --directions-b pb.h5:pc1)" != shared ]
    jq -e '.results.directions | length == 1 and .[0].a == "pc0" and .[0].b == "pc1"' o.json
    fails 2 "wanted both" "$HSPACE" compare --a a.h5 --b b.h5 --directions-a pa.h5 --json
    fails 2 "other weights" "$HSPACE" compare --a a.h5 --b b.h5 --directions-a pa.h5 --directions-b pa.h5 --json
}

@test "two models: profiles, cross-talk and carried directions; a model and itself agree in all of them" {
    "$HSPACE" dump --model faces-a -N 12 --steps 2 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    verdict --a faces-a --b faces-a -N 12 --steps 2 --directions-a d.h5 --directions-b d.h5 --strengths 0,1 -o r.h5
    jq -e '.results.directions | length == 2 and all(.profile_correlation.value > 0.999999 and .effect_ratio != null
        and .effect_ratio_back_estimate.value == .effect_ratio_back and .effect_ratio_null > 0 and .effect_a == .effect_b)' o.json
    jq -e '.results.crosstalk | .a == .b and (.a | length) == 2 and (.a[0] | length) == (.factors | length)' o.json
    jq -e '.results.profiles | (.a[0][0] | length) == 2 and .a[0][0][0] == 0' o.json
    jq -e '[.results.statistics[].name] | contains(["profile_correlation[pc0]", "effect_ratio[pc1]"])' o.json
    "$HSPACE" report r.h5 -q -o r.html
    grep -q "carried into the other" r.html && grep -q "random [0-9.]*</td>" r.html
    # each side read by a network of its own; lines-attr reads other pixels and finds other effects
    verdict --a faces-a --b faces-a -N 12 --steps 2 --directions-a d.h5 --directions-b d.h5 --strengths 0,1 --attr-b lines-attr -o l.h5
    /usr/bin/python3 - <<'P'
import h5py
with h5py.File("r.h5") as r, h5py.File("l.h5") as l:
    assert (r["crosstalk_a"][:] != l["crosstalk_b"][:]).all() and r["crosstalk_a"].shape == l["crosstalk_b"].shape
P
    fails 2 "wanted 0 and a positive" "$HSPACE" compare --a faces-a --b faces-a -N 12 --steps 2 --directions-a d.h5 \
        --directions-b d.h5 --strengths 1,2 --json -q
}

@test "a dry run says how much is run and read, as the run then does" {
    "$HSPACE" dump --model faces-a -N 12 --steps 3 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    same() { # ARGS...: the counts of the dry run are those of the run
        "$HSPACE" compare "$@" --dry-run --json >plan.json
        "$HSPACE" compare "$@" --bootstrap 200 --json >o.json 2>err || true
        jq -en --slurpfile p plan.json --slurpfile r o.json '$p[0].results as $p | $r[0].results as $r
            | $p.encodes > 0 and $p.encodes == $r.encodes and $p.decodes == $r.decodes'
    }
    same --a faces-a --b faces-b -N 12 --steps 3
    jq -e '.results.encodes == 72 and .results.n == 12 and .results.timesteps == 3 and .results.store_bytes == 0' plan.json
    same --model faces-a,faces-a,lines-a --directions d.h5,d.h5,d.h5 -f -N 12 --steps 3 --strengths 0,1,2 --t-edit 400
    same --a faces-a --b faces-b --directions-a d.h5 --directions-b d.h5 -f -N 12 --steps 3 --strengths 0,1 --mode symmetric --folds 3
    "$HSPACE" compare --a a.h5 --b a.h5 --dry-run --json >plan.json
    jq -e --argjson d "$("$HSPACE" compare --a a.h5 --b a.h5 --json | jq .results.a.d)" \
        '.results.store_bytes == 2 * 12 * 3 * $d * 4 and (.results | has("encodes") | not)' plan.json
    "$HSPACE" compare --a a.h5 --b a.h5 --dry-run -o o.h5 | grep -q "12 images x 3 timesteps in each of 2: 1 pair, 0 directions"
    [ ! -e o.h5 ]
}

@test "other noise at the same timesteps is said, of models and of stores" {
    local at="-N 12 --timesteps 900,300" said="faces-a and lines-a hold other noise at 1 of 2 timesteps, most at t = 900"
    for m in faces-a faces-b lines-a; do "$HSPACE" dump --model $m $at -q -o $m.h5; done
    says() { # WARNINGS ARGS...: a jq filter
        "$HSPACE" compare "${@:2}" --dry-run --json | jq -e --arg said "$said" ".warnings | $1"
    }
    says 'length == 1 and (.[0] | test($said))' --a faces-a --b lines-a $at
    says 'length == 1 and (.[0] | test($said))' --a faces-a.h5 --b lines-a.h5
    says '. == []' --a faces-a --b faces-b $at
    says '. == []' --a faces-a.h5 --b faces-b.h5
}

@test "attribute networks of other factors are refused before anything is run" {
    local shipped="$HSPACE_DATADIR/models/faces-attr"
    "$HSPACE" dump --model faces-a -N 12 --steps 2 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o d.h5
    mkdir other && cp "$shipped"/model.safetensors other/
    sed 's/"smile"/"grin"/' "$shipped/config.json" >other/config.json
    local run="--a faces-a --b faces-b --directions-a d.h5 --directions-b d.h5 -f -N 12 --steps 2"
    fails 2 "faces-attr and other don't read the same factors: number [0-9]+ is smile beside grin" \
        "$HSPACE" compare $run --attr-b other --dry-run --json
    fails 2 "don't read the same factors" "$HSPACE" compare $run --attr other --attr-b faces-attr --json
    fails 5 "attr-b: nowhere is no folder" "$HSPACE" compare $run --attr-b nowhere --dry-run --json
}

@test "three models: a matrix, its order and a verdict of each pair" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    [ "$(verdict --model a.h5,b.h5,a.h5 -o m.h5)" != shared ]
    jq -e '.results | (.pairs | length) == 3 and .pairs[1].verdict == "shared" and .matrix[0][2] > 0.999999
        and (.matrix[0][1] - .matrix[1][2] | fabs) < 1e-9 and (.order | sort) == [0, 1, 2] and .order[1] != 1' o.json
    "$HSPACE" info m.h5 --json | jq -e '.results.kind == "similarity"'
    fails 2 "of two models" "$HSPACE" compare --model a.h5,b.h5,a.h5 --directions-a a.h5 --directions-b a.h5 --json
}

@test "three models with directions: verdicts by pair and over all, and a matrix each, as every two of them have it" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    "$HSPACE" pca a.h5 -k 2 -q -o pa.h5
    "$HSPACE" pca b.h5 -k 2 -q -o pb.h5
    [ "$(verdict --model a.h5,b.h5,a.h5 --directions pa.h5,pb.h5,pa.h5 -o m.h5)" != shared ]
    cp o.json many.json
    verdict --a a.h5 --b b.h5 --directions-a pa.h5 --directions-b pb.h5 >/dev/null
    jq -en --slurpfile x many.json --slurpfile y o.json '$x[0].results as $m | $y[0].results as $p
        | ($m.pairs[0].directions == $p.directions) and ($m.h.verdict == $m.pairs[0].verdict)
        and ([range(2)] | all(. as $l | $m.directions[$l] | .name == $p.directions[$l].a
            and .pairs[0].over_ceiling.value == $p.directions[$l].over_ceiling.value and .pairs[0].verdict == $p.directions[$l].verdict
            and .pairs[1].verdict == "shared" and .matrix[0][2] > 0.999999 and .matrix[0][1] == .matrix[1][0]
            and .verdict == .pairs[0].verdict))'
    jq -e '.results.verdict == (if any(.results.directions[]; .verdict == "not shared") then "not shared" else "inconclusive" end)' many.json
    /usr/bin/python3 - <<'P'
import h5py, json
r, f = json.load(open("many.json"))["results"], h5py.File("m.h5")
o = r["order"]
for l, d in enumerate(r["directions"]):
    want = [[d["matrix"][i][j] for j in o] for i in o]
    assert (f["direction_similarity"][l] == want).all()
assert [s.decode() for s in f["subject_verdict"][:]] == [r["h"]["verdict"]] + [d["verdict"] for d in r["directions"]]
assert len(f["case_verdict"]) == 9
P
    [ "$(verdict --model a.h5,a.h5,a.h5 --directions pa.h5,pa.h5,pa.h5)" = shared ]
    jq -e '.results.directions | all(.verdict == "shared" and (.reason | startswith("shared in 3 of 3 pairs")))' o.json
    fails 2 "2 beside 3 --model" "$HSPACE" compare --model a.h5,b.h5,a.h5 --directions pa.h5,pb.h5 --json
    if command -v gnuplot >/dev/null; then
        "$HSPACE" plot m.h5 -q -o m.svg
        grep -q "pc0: " m.svg && grep -q "h: " m.svg
        "$HSPACE" report m.h5 -q -o m.html
        grep -q "over all pairs" m.html && grep -q "pc1" m.html
    fi
}

@test "a delta network is compared by its mean over the images, which direction freeze gives" {
    local at="--timesteps 400,300,200"
    "$HSPACE" direction asyrp --model faces-a --readout attr:smile -N 4 --batch 2 $at --t-edit 0 --trajectories 2 -q -o net.h5
    "$HSPACE" direction freeze net.h5 --model faces-a -N 12 $at -q -o frozen.h5
    "$HSPACE" dump --model faces-b -N 12 $at -q -o b.h5
    "$HSPACE" pca b.h5 -k 1 -q -o pb.h5
    local b="--directions-b pb.h5:pc0 -N 12 $at --strengths 0,1"
    verdict --a faces-a --b faces-b --directions-a net.h5 $b >/dev/null
    cp o.json net.json
    verdict --a faces-a --b faces-b --directions-a frozen.h5:mean $b >/dev/null
    jq -en --slurpfile x net.json --slurpfile y o.json '$x[0].results.directions[0] as $n | $y[0].results.directions[0] as $f
        | def near(a; b): (a - b | fabs) < 1e-4;
        $n.delta_network and ($f.delta_network | not) and near($n.aligned_cosine; $f.aligned_cosine)
        and near($n.over_ceiling.value; $f.over_ceiling.value) and near($n.raw_cosine; $f.raw_cosine) and $n.effect_b != null'
    # its own effects are the network's, image by image: not those of the mean
    jq -en --slurpfile x net.json --slurpfile y o.json '$x[0].results.crosstalk as $n | $y[0].results.crosstalk as $f
        | $n.a != $f.a and ($n.b | flatten | length) == ($f.b | flatten | length)'
    "$HSPACE" dump --model faces-a -N 12 $at -q -o a.h5
    fails 2 "is no model that it could be asked with" "$HSPACE" compare --a a.h5 --b b.h5 --directions-a net.h5 --directions-b pb.h5 --json
}

@test "three models run along their directions: each its own once, as two of them do" {
    "$HSPACE" dump --model faces-a -N 12 --steps 2 -q -o a.h5
    "$HSPACE" pca a.h5 -k 1 -q -o d.h5
    local run="-N 12 --steps 2 --strengths 0,1"
    verdict --model faces-a,faces-a,lines-a --directions d.h5,d.h5,d.h5 -f --attrs faces-attr,faces-attr,lines-attr $run -o m.h5 >/dev/null
    cp o.json many.json
    [ ! -e m.h5.journal ]
    verdict --a faces-a --b lines-a --directions-a d.h5 --directions-b d.h5 -f --attr-b lines-attr $run >/dev/null
    jq -en --slurpfile x many.json --slurpfile y o.json '$x[0].results.pairs as $m | $y[0].results as $p
        | $m[1].directions == $p.directions and $m[1].crosstalk == $p.crosstalk and $m[0].profiles.a == $m[0].profiles.b
        and $m[0].directions[0].effect_a == $m[0].directions[0].effect_b'
    fails 2 "no --attr or --attr-b" "$HSPACE" compare --model faces-a,faces-b --directions d.h5,d.h5 --attrs faces-attr,lines-attr \
        --attr faces-attr $run --json
}

@test "the figure and the report show a comparison" {
    command -v gnuplot || skip "gnuplot is absent"
    dump random:tiny 0 a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    "$HSPACE" compare --a a.h5 --b a.h5 --directions-a d.h5 --directions-b d.h5 --bootstrap 400 -q -o r.h5 --plot r.svg
    grep -q "held-out aligned cosine" r.svg
    grep -q "debiased CKA" r.svg
    "$HSPACE" report r.h5 -q -o report.html
    grep -q "Across models" report.html
    grep -q "shared" report.html
}

@test "two trainings of one network: the reference values of similarity, and shared" {
    local data="$BATS_TEST_DIRNAME/../../../shared/data/svcca"
    [ -d "$data" ] || skip "shared data are absent"
    local a="$data/SVHN_model_0_lay06.npy" b="$data/SVHN_model_1_lay06.npy"
    near() { # METRIC VALUE
        "$HSPACE" similarity "$a" "$b" --metric "$1" --json | jq -e "(.results.value - $2 | fabs) < 1e-9"
    }
    near svcca 0.5499794816184271
    near pwcca 0.6651709758560749
    near cca 0.5481822298951848
    near procrustes 0.7859888093486914
    near cka 0.8678531324997877
    [ "$(verdict --a "$a" --b "$b")" = shared ]
    jq -e '.results.statistics | any(.name == "cka_debiased[0,0]" and (.value - 0.8678531324997877 | fabs) < 1e-6)' o.json
}

@test "stores made of arrays pair as they stand, with a warning" {
    dump random:tiny 0 a.h5
    "$HSPACE" export a.h5 --what h -q -o x.npy
    cp x.npy y.npy
    times=$("$HSPACE" info a.h5 --json | jq -r '.results.timesteps | map(tostring) | join(",")')
    for f in x y; do "$HSPACE" import $f.npy --t "$times" -q -o $f.h5; done
    [ "$(verdict --a x.h5 --b y.h5)" = shared ]
    grep -q "a store made of arrays, doesn't say" err
    [ "$(verdict --a x.h5 --b a.h5 --any-tap)" = shared ]
}

@test "directions of one name, and strengths without 0, are refused before a model is run" {
    "$HSPACE" dump --model faces-a -N 8 --steps 2 -q -o f.h5
    "$HSPACE" pca f.h5 -k 2 -q -o d.h5
    two() { fails "$@" "$HSPACE" compare --quiet --a faces-a --b faces-a --directions-a d.h5 --directions-b d.h5 -N 8 --steps 2 -o x.h5; }
    fails 2 'wanted 0 and a positive one' "$HSPACE" compare --quiet --a faces-a --b faces-a --directions-a d.h5 --directions-b d.h5 -N 8 \
        --steps 2 --strengths 1,2 --dry-run -o x.h5
    /usr/bin/python3 -c "import h5py; f = h5py.File('d.h5', 'r+'); n = 'direction' if 'direction' in f else 'component_name'; f[n][1] = f[n][0]" ||
        skip "python3-h5py is absent"
    two 2 'two directions are called'
}
