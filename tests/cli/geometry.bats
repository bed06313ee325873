#!/usr/bin/env bats
# geometry: numbers with intervals and nulls, the file, its figure, strips and report, a store instead of a run, refusals.
load support

G="geometry --model random:tiny --timesteps 900,600,300,50 --t 900,300"
SMALL="--identities 4 --noises 3 --neighbours 4 --bases 3 --rank 2 --probes 4 --twins 1 --tol 1e-1 --pairs 4 --paths 1
    --segments 4 --relax 3 --draws 3 --bootstrap 800"

@test "geometry: every statistic has an interval or a reason, a null or a reason; figure, strip and report" {
    "$HSPACE" $G -N 9 $SMALL --json -q -o g.h5 --plot g.svg --strip g.png >g.json 2>err.txt
    jq -e '.results.timesteps == [900, 300] and .results.n == 9 and .params.N == 9' g.json
    jq -e '[.results.statistics[] | select((.value == null or .ci == null) and .reason == null)] == []' g.json
    jq -e '[.results.statistics[] | select(.null == null and .null_reason == null)] == []' g.json
    for name in share_image share_noise share_interaction distance_ratio dimension_twonn dimension_mle gromov_delta \
        pullback_rank_h_x pullback_share_x0_h tangent_samples midpoint_deviation path_energy_relaxed linear_range \
        skip_norm 'share_image[1]' 'midpoint_deviation[0]'; do
        jq -e --arg n "$name" '[.results.statistics[] | select(.name == $n)] | length == 1' g.json
    done
    jq -e '[.results.statistics[] | select(.name | test("^share_(image|noise|interaction)\\[0\\]$")) | .value] | add
        | . > 0.999999 and . < 1.000001' g.json
    jq -e '.results.paragraph | test("curved by") and test("linear")' g.json
    grep -q '<svg' g.svg
    [ -s g.gp ] && [ -s g.dat ] && [ -s g.png ]
    "$HSPACE" plot g.h5 -q -o again.svg
    "$HSPACE" report g.h5 g.png -q -o r.html
    grep -q 'The shape of h-space' r.html && grep -q 'curved by' r.html && grep -q 'share_image' r.html
    "$HSPACE" info g.h5 --json | jq -e '.results.kind == "geometry"'
    fails 2 'g.h5: exists; use -f' "$HSPACE" $G -N 9 -q -o g.h5
}

@test "geometry: the same numbers from the store of the same samples; sections" {
    local T="--timesteps 900,600,300,50" S="--sections cloud,noise --draws 3 --identities 4 --noises 3 --bootstrap 800"
    "$HSPACE" dump --model random:tiny -N 9 $T -q -o a.h5
    "$HSPACE" geometry --model random:tiny a.h5 --t 900,300 $S --json -q >store.json
    "$HSPACE" $G -N 9 $S --json -q >run.json
    diff <(jq -c '[.results.statistics[] | [.name, (.value * 1e4 | round)]]' store.json) \
        <(jq -c '[.results.statistics[] | [.name, (.value * 1e4 | round)]]' run.json)
    jq -e '[.results.statistics[].name | select(test("tangent|midpoint|pullback|skip"))] == []' run.json
    jq -e '.inputs | map(.path) | index("a.h5") != null' store.json
    fails 2 'activations of model' "$HSPACE" geometry --model random:tiny:3 a.h5 -q -o x.h5
    fails 2 'the store has 9' "$HSPACE" geometry --model random:tiny a.h5 -N 10 -q -o x.h5
}

@test "geometry: a plan, and what does not fit is refused" {
    "$HSPACE" $G -N 9 --dry-run -q -o plan.h5
    [ ! -e plan.h5 ]
    fails 2 'no -o' "$HSPACE" $G -N 9
    fails 2 'sections: shape; wanted noise' "$HSPACE" $G --sections shape -q -o x.h5
    fails 2 '--t: 901; wanted different ones' "$HSPACE" geometry --model random:tiny --timesteps 900,300 --t 901 -q -o x.h5
    fails 2 '--t: 300; wanted different ones' "$HSPACE" geometry --model random:tiny --timesteps 900,300 --t 300,300 -q -o x.h5
    fails 2 'wanted 5 or more' "$HSPACE" $G -N 4 -q -o x.h5
    fails 2 '--strip without the paths' "$HSPACE" $G --sections noise --strip s.png -q -o x.h5
    fails 2 '--plot without -o' "$HSPACE" $G --json --plot f.pdf
    fails 2 'unknown kind|wanted' "$HSPACE" $G -q -o x.h5 --plot f.txt
    [ ! -e x.h5 ]
}
