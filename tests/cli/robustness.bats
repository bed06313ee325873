#!/usr/bin/env bats
# robustness: from curves, planted answers and what it refuses; from a model, that it runs, is said beforehand and drawn.

load support

# curves S_H S_EPS: 24 images, half octaves from 1/16 to 4, damage l^4 / (l^4 + S^4) and a little noise.
curves() {
    awk -v h="$1" -v e="$2" 'BEGIN { srand(5); print "image,arm,level,damage"
        for (i = 0; i < 24; i++) for (a = 0; a < 2; a++) { s = a ? e : h
            for (j = 0; j <= 13; j++) { l = j ? 2 ^ ((j - 1) / 2 - 4) : 0
                printf "img%d,%s,%.9g,%.9g\n", i, a ? "eps_p" : "h_p", l, 1 + l ^ 4 / (l ^ 4 + s ^ 4) + 0.02 * (rand() - 0.5) } } }'
}

verdict() { # S_H S_EPS WANTED CODE
    curves "$1" "$2" >c.csv
    rc=0
    "$HSPACE" robustness --curves c.csv --json >r.json || rc=$?
    [ "$(jq -r .results.verdict r.json)" = "$3" ] || { jq -c .results r.json; false; }
    [ "$rc" -eq "$4" ]
}

@test "planted curves: holds, fails, inconclusive, with the log ratio" {
    verdict 0.8 0.2 holds 0
    jq -e '.results.primary | .name == "log_ratio_sigma50" and (.value - (4 | log) | fabs < 0.03) and .n == 24' r.json
    jq -e '.results.standard - (1.25 | log) | fabs < 1e-12' r.json
    jq -e '[.results.statistics[] | select(.name | startswith("sigma50")) | .name] | length == 5' r.json
    jq -e '.results.statistics[] | select(.name == "sigma50[x_t]") | .value == null and (.reason | length > 0)' r.json
    jq -e '[.results.statistics[] | select(.value == null) | .reason | length > 0] | all' r.json
    verdict 0.2 0.8 fails 10
    verdict 0.8 4 inconclusive 11
    jq -e '.results.reason | test("no plateau")' r.json
}

@test "the standard, the figure and the report" {
    curves 0.8 0.2 >c.csv
    rc=0
    "$HSPACE" robustness --curves c.csv --standard 2 -o r.h5 --plot r.svg --json >r.json || rc=$?
    [ "$rc" -eq 10 ]
    jq -e '.results.standard == 2 and .results.verdict == "fails"' r.json
    [ -s r.svg ] && [ -s r.gp ] && [ -s r.dat ]
    "$HSPACE" info r.h5 --json | jq -e '.results.kind == "robustness"'
    "$HSPACE" report r.h5 -o r.html
    grep -q 'Robustness' r.html
}

@test "degenerate tables are inconclusive, with their reason" {
    printf 'image,arm,level,damage\na,h_p,0,1\na,eps_p,0,1\nb,h_p,0,1\nb,eps_p,0,1\n' >c.csv
    rc=0
    "$HSPACE" robustness --curves c.csv --json >r.json || rc=$?
    [ "$rc" -eq 11 ]
    jq -e '.results.reason | test("no level above 0")' r.json
    curves 0.8 0.2 | sed '20s/,[^,]*$/,nan/' >c.csv
    rc=0
    "$HSPACE" robustness --curves c.csv --json >r.json || rc=$?
    [ "$rc" -eq 11 ]
    jq -e '.results.reason | test("not finite")' r.json
}

@test "what robustness refuses" {
    curves 0.8 0.2 >c.csv
    fails 2 'none given; wanted one of them; usage' "$HSPACE" robustness
    fails 2 'several given' "$HSPACE" robustness --curves c.csv --model random:tiny -o r.h5
    fails 2 '^hspace: --plot: ' "$HSPACE" robustness --curves c.csv --json --plot f.pdf
    fails 5 '^hspace: none.csv' "$HSPACE" robustness --curves none.csv -o r.h5
    grep -v h_p c.csv >bad.csv
    fails 2 'h_p' "$HSPACE" robustness --curves bad.csv -o r.h5
    grep -v ',0,' c.csv >bad.csv
    fails 2 'level 0' "$HSPACE" robustness --curves bad.csv -o r.h5
    sed '$d' c.csv >bad.csv
    fails 3 'bad.csv' "$HSPACE" robustness --curves bad.csv -o r.h5
    sed '2s/,[^,]*$/,x/' c.csv >bad.csv
    fails 3 'bad.csv: row 1' "$HSPACE" robustness --curves bad.csv -o r.h5
    fails 2 '^hspace: --arms: ' "$HSPACE" robustness --model random:tiny -N 2 --arms h_p,eps -o r.h5
    fails 2 'h_p and eps_p are needed' "$HSPACE" robustness --model random:tiny -N 2 --arms h_p,x_t -o r.h5
    fails 2 '^hspace: --levels: ' "$HSPACE" robustness --model random:tiny -N 2 --levels 0 -o r.h5
    fails 2 '^hspace: --levels: ' "$HSPACE" robustness --model random:tiny -N 2 --levels=-1,1 -o r.h5
    [ ! -e r.h5 ]
}

@test "an untrained network runs, never holds, and the same seed gives the same numbers" {
    for out in a b; do
        rc=0
        "$HSPACE" robustness --model random:tiny:3 -N 8 --steps 6 --levels 0.05,0.5,4,16 --json -o $out.h5 >$out.json 2>/dev/null || rc=$?
        [ "$rc" -ge 10 ] || { jq -c .results $out.json; false; }
    done
    [ "$(jq -c .results.statistics a.json)" = "$(jq -c .results.statistics b.json)" ]
    jq -e '.params.damage == "l2" or .params.damage == "feat"' a.json
    jq -e '[.results.statistics[].name] | contains(["contraction", "anisotropy", "sigma50[x_t]", "frechet[h_p,0.05]"])' a.json
}

@test "--dry-run tells encodes, decodes and time, and writes nothing" {
    "$HSPACE" robustness --model random:tiny -N 4 --steps 5 --levels 0.1,1 --arms h_p,eps_p --dry-run --json -o r.h5 >r.json
    jq -e '.results.encodes > 0 and .results.decodes > .results.encodes and .results.plan.seconds > 0' r.json
    [ ! -e r.h5 ]
}

@test "a report's cards and tables of robustness say what the noise was matched by" {
    for m in norm relative; do
        "$HSPACE" robustness --model random:tiny -N 4 --steps 5 --levels 0.1,1 --matching $m -q -o $m.h5 || [[ $? =~ ^(6|10|11)$ ]]
    done
    "$HSPACE" report norm.h5 relative.h5 -q -o r.html
    for m in norm relative; do [ "$(grep -o "robustness, noise matched by $m<" r.html | wc -l)" -eq 2 ]; done
}

@test "the trained 64 x 64 model: nearly all of h is one vector, and the answer says what that means" {
    data="$BATS_TEST_DIRNAME/../../../shared/data/anime64"
    [ -e "$data/golden_x_T.npy" ] || skip "no shared data"
    "$HSPACE" robustness --model "$data/anime64_ddpm_f16.safetensors" --arch anime64 --x-T "$data/golden_x_T.npy" --timesteps 90 \
        --arms h_p,eps_p --levels 1,2 --matching relative --json >r.json || true
    jq -e '.results | (.statistics[] | select(.name == "common_share_h") | .value > .99)
        and (.reason | test("% of .h.\\^2 is one vector common to all images: noise of r .h. is [0-9.]+ r times the spread"))
        and any(.notes[]; test("cosines of raw h")) and (.controls_run[0].name | test("spread between images"))' r.json
    jq -e '.results.verdict != "holds" and (.results.statistics[] | select(.name == "ablation") | .value < 1)' r.json
}
