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

@test "three models: a matrix, its order and a verdict of each pair" {
    dump random:tiny 0 a.h5
    dump random:tiny:1 0 b.h5
    [ "$(verdict --model a.h5,b.h5,a.h5 -o m.h5)" != shared ]
    jq -e '.results | (.pairs | length) == 3 and .pairs[1].verdict == "shared" and .matrix[0][2] > 0.999999
        and (.matrix[0][1] - .matrix[1][2] | fabs) < 1e-9 and (.order | sort) == [0, 1, 2] and .order[1] != 1' o.json
    "$HSPACE" info m.h5 --json | jq -e '.results.kind == "similarity"'
    fails 2 "of two models" "$HSPACE" compare --model a.h5,b.h5,a.h5 --directions-a a.h5 --directions-b a.h5 --json
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
