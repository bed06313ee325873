#!/usr/bin/env bats
# hspace verify: a plan of commands, one report, and what is there is not measured again.
load support

prepare() {
    printf 'file,on\n' >l.csv
    for i in $(seq 0 20); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump --model random:tiny --steps 3 -N 21 --keep eps -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
    "$HSPACE" direction random --like d.h5 --seed 3 -q -o r.h5
}
# same A.json B.json: every number and every word of the answers but the commands, which name threads and batch, and how
# much there was left to do.
same() {
    local what='.results | del(.commands) | walk(if type == "object" then del(.resumed, .encodes, .decodes) else . end)'
    [ "$(jq -cS "$what" "$1")" = "$(jq -cS "$what" "$2")" ]
}
V="verify --model random:tiny -D d.h5 --control r.h5:random0 --rival e.h5 -N 16 --steps 3 --null 2 --seed 5 -o v/"

@test "verify: measurements and controls apart, one page, one JSON; the same command measures nothing again" {
    prepare
    "$HSPACE" $V --json >out.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    jq -e '.results | (.measurements | length >= 1) and ([.measurements[].property] | sort == ["consistency", "homogeneity", "linearity", "robustness"]) and (.controls | length == 3) and .not_measured == []
        and all(.measurements[]; (.direction == "on" or .property == "robustness") and .verdict != null and .reason != null)
        and all(.controls[]; .direction == "random0")' out.json
    jq -e '[.results.measurements[] | select(.property == "linearity")][0].rival.value != null' out.json
    [ "$(jq -c .measurements v/verify.json)" = "$(jq -c .results.measurements out.json)" ]
    grep -q "Verdicts</h2>" v/report.html && grep -q "random0 (control: must not hold)" v/report.html
    ! grep -q "$PWD" v/report.html # directories are in the JSON only
    sha256sum v/*.h5 >before
    file v/on.png | grep -Eq 'x 6[0-9][0-9],' # eight rows of the sixteen images
    "$HSPACE" $V --json >again.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    sha256sum -c --quiet before
    [ "$(jq -c .results again.json)" = "$(jq -c .results out.json)" ]
    "$HSPACE" $V -n --json >plan.json # what was planned is what the networks counted
    jq -e '[.results.work[].encodes] | add > 100' plan.json
    [ "$(jq -c '[.results.work[] | [.encodes, .decodes]]' plan.json)" = "$(jq -c '[.results.work[] | [.encodes, .decodes]]' out.json)" ]
}

@test "verify: stopped and killed, it goes on; the numbers are those of an undisturbed run, with any threads and batch" {
    prepare
    "$HSPACE" $V --json >whole.json 2>/dev/null || true
    rm -r v
    timeout -s KILL 2 "$HSPACE" $V >/dev/null 2>&1 || true
    rc=0
    timeout -s TERM 2 "$HSPACE" $V >/dev/null 2>&1 || rc=$?
    [ $rc -eq 124 ] || [ $rc -eq 75 ] || [ $rc -eq 11 ] || [ $rc -eq 10 ]
    "$HSPACE" $V --json >resumed.json 2>/dev/null || true
    same whole.json resumed.json
    "$HSPACE" $V --threads 1 --batch 3 --json >other.json 2>/dev/null || true
    same whole.json other.json
}

@test "verify: the plan alone, and what it refuses" {
    prepare
    "$HSPACE" $V -n >plan.txt
    grep -q "hspace sweep .*--direction=d.h5" plan.txt && grep -q "hspace linearity --sweep=on.h5" plan.txt
    grep -q "^measured in .* passes of 8 images" plan.txt && grep -q "intervals 2.8 times as wide" plan.txt
    [ ! -e v ]
    fails 2 "no direction" "$HSPACE" verify --model random:tiny -o w/
    fails 2 "two directions are called on" "$HSPACE" verify --model random:tiny -D d.h5,d.h5 -o w/
    fails 2 "no -o" "$HSPACE" verify --model random:tiny -D d.h5
    fails 5 "nothere" "$HSPACE" verify --model random:tiny -D nothere.h5 -o w/
}

# sizes BUDGET: images, steps and strengths that it makes; more budget never makes less of any.
sizes() { "$HSPACE" verify --model random:tiny -D d.h5 --budget "$1" -n --json | jq -c '.results.plan | [.images, .steps, (.strengths | length)]'; }

@test "verify --budget: more time is more images, steps and strengths, and what is given stays" {
    prepare
    last='[0,0,0]'
    for budget in 2m 20m 2h 40h; do
        now=$(sizes $budget)
        jq -en --argjson a "$last" --argjson b "$now" '[range(3)] | all($a[.] <= $b[.])' || { echo "$last $now"; false; }
        last=$now
    done
    jq -en --argjson b "$last" '$b[0] > 128 and $b[1] == 40 and $b[2] == 9'
    "$HSPACE" verify --model random:tiny -D d.h5 --budget 5m -N 5 --strengths 0,1 -n --json -o v/ >given.json
    jq -e '.results.plan | .images == 5 and .strengths == [0, 1] and .seconds <= 300 and (.interval_width - (128 / 5 | sqrt) | fabs < 1e-9)' given.json
    jq -e '.results | (.plan.seconds - ([.work[].seconds] | add)) as $rest | $rest > 0 and $rest < 5' given.json
    fails 2 "the least that is possible takes about" "$HSPACE" verify --model random:tiny -D d.h5 --budget 0.01s -n -q -o v/
    fails 2 "wanted a time like" "$HSPACE" verify --model random:tiny -D d.h5 --budget soon -n -q -o v/
}

@test "verify --budget: the same command goes on with the plan it made" {
    prepare
    B="verify --model random:tiny -D d.h5 --null 2 --arms none --at 0 --steps 3 --budget 6s --strengths 0,1 -o b/"
    "$HSPACE" $B --json >one.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    cp b/plan.json kept.json
    "$HSPACE" $B --json >two.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    cmp b/plan.json kept.json
    [ "$(jq -c .results one.json)" = "$(jq -c .results two.json)" ]
}
