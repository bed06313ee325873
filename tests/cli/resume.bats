#!/usr/bin/env bats
# Commands that go on where they stood: robustness and sweep, killed and stopped.

load support

# Starts the command and ends it by a signal once its journal has so many bytes.
end_at() {
    local signal=$1 bytes=$2 pid
    shift 2
    "$HSPACE" "$@" >/dev/null 2>end.txt &
    pid=$!
    until [ "$(stat -c %s r.h5.journal 2>/dev/null || echo 0)" -gt "$bytes" ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
    kill "-$signal" $pid
    code=0
    wait $pid || code=$?
}

@test "killed or stopped, the same command goes on, also in other batches, and ends with the same numbers" {
    R=(robustness --model random:tiny:3 -N 8 --steps 6 --levels "0.05,0.5,4,16" --json)
    "$HSPACE" "${R[@]}" -o whole.h5 >whole.json 2>/dev/null || [ $? -ge 10 ]
    for bytes in 0 1500 4000 6000; do
        end_at KILL $bytes "${R[@]}" -o r.h5
        [ $code -eq 137 ] && [ ! -e r.h5 ]
    done
    end_at TERM 7000 "${R[@]}" -o r.h5
    [ $code -eq 75 ] && grep -q 'the same command continues' end.txt
    sum=$(sha256sum <r.h5.journal)
    fails 2 'unfinished run with other options: --levels .* there' "$HSPACE" robustness -q --model random:tiny:3 -N 8 --steps 6 --levels 0.05,0.5,4 -o r.h5
    [ "$sum" = "$(sha256sum <r.h5.journal)" ]
    printf 'torn' >>r.h5.journal
    "$HSPACE" "${R[@]}" --batch 3 --threads 1 -o r.h5 >r.json 2>/dev/null || [ $? -ge 10 ]
    jq -e '.results.resumed > 1 and .results.resumed < 9' r.json
    [ ! -e r.h5.journal ]
    for f in whole r; do jq -c '.results | del(.resumed, .encodes, .decodes)' $f.json >$f.txt; done
    cmp whole.txt r.txt
    [ "$(jq .results.encodes r.json)" -lt "$(jq .results.encodes whole.json)" ]
}

@test "-f begins anew with other options" {
    end_at KILL 3000 robustness --model random:tiny:3 -N 8 --steps 6 --levels 0.05,0.5,4,16 --json -o r.h5
    "$HSPACE" robustness --model random:tiny:3 -N 2 --steps 4 --levels 0.5,4 -f -o r.h5 --json >r.json 2>/dev/null || [ $? -ge 10 ]
    jq -e '.results.resumed == 0' r.json
    [ -e r.h5 ] && [ ! -e r.h5.journal ]
}

@test "sweep goes on too: its strengths, random directions and controls" {
    M="--model random:tiny:3 --steps 6"
    "$HSPACE" dump $M -N 6 -o a.h5 -q 2>/dev/null
    "$HSPACE" pca a.h5 -k 2 -o pca.h5 -q 2>/dev/null
    S=(sweep $M -N 6 --direction pca.h5:pc0 --strengths "-2,-1,0,1,2" --null 2 --controls untrained-unet,x-T --readout "x0,h_later:2,eps:1" --json)
    "$HSPACE" "${S[@]}" -o whole.h5 >whole.json 2>/dev/null
    for bytes in 0 60000 200000 400000 600000; do
        end_at KILL $bytes "${S[@]}" -o r.h5
        [ $code -eq 137 ] && [ ! -e r.h5 ]
    done
    fails 2 'unfinished run with other options: --' "$HSPACE" sweep -q $M -N 6 --direction pca.h5:pc0 --strengths=-1,0,1 -o r.h5
    "$HSPACE" "${S[@]}" --batch 3 --threads 1 -o r.h5 >r.json 2>/dev/null
    [ ! -e r.h5.journal ]
    jq -e '.results.resumed > 6' r.json # of all runs
    [ "$(jq .results.encodes r.json)" -lt "$(jq .results.encodes whole.json)" ]
    for f in whole r; do
        jq -c '.results | del(.resumed, .encodes, .decodes)' $f.json >$f.txt
        "$HSPACE" linearity --sweep $f.h5 --json 2>/dev/null | jq -c .results >>$f.txt || [ $? -ge 10 ]
        "$HSPACE" homogeneity --sweep $f.h5 --json 2>/dev/null | jq -c .results >>$f.txt || [ $? -ge 10 ]
    done
    cmp whole.txt r.txt
}

# numbers ANSWER.json: all that was measured, less how much of it there was left to do.
numbers() { jq -cS '.results | del(.resumed, .encodes, .decodes)' "$1"; }

# resumes "SIZES" COMMAND...: killed at these sizes of its journal, stopped at the last, its journal torn; then the same
# command in other batches ends with the numbers of a run that nothing disturbed, and without its journal.
resumes() {
    local sizes=$1 bytes sum
    shift
    rm -f r.h5 r.1.h5 whole.h5 whole.1.h5
    "$HSPACE" "$@" --json -o whole.h5 >whole.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    for bytes in ${sizes% *}; do
        end_at KILL "$bytes" "$@" -o r.h5
        [ $code -eq 137 ] && [ ! -e r.h5 ] || { echo "$bytes: $code"; false; }
    done
    end_at TERM "${sizes##* }" "$@" -o r.h5
    [ $code -eq 75 ] && grep -q 'the same command continues' end.txt
    sum=$(sha256sum <r.h5.journal)
    fails 2 'unfinished run with other options: --seed' "$HSPACE" "$@" -q --seed 1 -o r.h5
    [ "$sum" = "$(sha256sum <r.h5.journal)" ]
    printf 'torn' >>r.h5.journal
    "$HSPACE" "$@" --batch 3 --threads 1 --json -o r.h5 >r.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    [ ! -e r.h5.journal ] && [ -e r.h5 ]
    jq -e '.results.resumed > 0' r.json
    jq -en --slurpfile a r.json --slurpfile b whole.json '$a[0].results.encodes == null or $a[0].results.encodes < $b[0].results.encodes'
    [ "$(numbers r.json)" = "$(numbers whole.json)" ]
}

# Directions of a small model: components, shuffled twins of labels, a rival of eps.
prepare() {
    M="--model random:tiny:3 --steps 6"
    printf 'file,on\n' >l.csv
    for i in $(seq 0 11); do echo "$i,$((i % 2))"; done >>l.csv
    "$HSPACE" dump $M -N 12 --keep eps -q -o a.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on -q -o d.h5
    "$HSPACE" direction mean-diff a.h5 --labels l.csv --attr on --space eps -q -o e.h5
}

@test "consistency goes on too: steps at one another, random directions, the rival and the controls" {
    prepare
    resumes "0 30000 200000 600000" consistency $M -N 6 --direction d.h5 --at 3 --nulls 2 --rival e.h5
    end_at KILL 100000 consistency $M -N 6 --direction d.h5 --at 3 --nulls 2 -f -o r.h5 # of another model: not used
    "$HSPACE" consistency --model random:tiny:4 --steps 6 -N 6 --direction d.h5 --at 3 --nulls 2 -f --json -o r.h5 >r.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.resumed == 0' r.json
}

@test "linearity and homogeneity with a model go on too" {
    prepare
    resumes "0 100000 400000" linearity $M -N 6 --direction d.h5 --strengths=-2:2:1 --null 2 --rival e.h5
    "$HSPACE" pca a.h5 -k 1 -q -o p.h5
    resumes "0 100000 250000 350000" linearity $M -N 6 --direction d.h5 --direction p.h5 --strengths=-2:2:1 --null 3
    resumes "0 30000 200000" homogeneity $M -N 6 --direction d.h5 --strengths 1,2 --nulls 2 --rival e.h5
}

@test "a delta network's changes, tried on other images, go on too" {
    net="$BATS_TEST_DIRNAME/../../datasets/models/faces-a/smile-clip.h5"
    M="--model faces-a --steps 2 -N 2 --readout attr:smile,feat --direction $net"
    resumes "0 5000 10000" homogeneity $M --strengths 1 --nulls 1 --transfers 1
    resumes "0 5000 20000" consistency $M --at 2 --nulls 1
}

@test "the directions of compare go on too" {
    prepare
    C="compare --a random:tiny:3 --b random:tiny:3 --directions-a d.h5 --directions-b d.h5 -N 24 --steps 3 --bootstrap 200"
    resumes "0 8000 25000" $C
}

@test "verify killed inside of a step goes on there" {
    prepare
    V="verify --model random:tiny:3 --steps 3 -D d.h5 -N 6 --strengths 0,1,2 --at 2 --null 2 --arms none"
    "$HSPACE" $V --json -o w/ >whole.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    for step in on on-consistency; do
        "$HSPACE" $V -o v/ >/dev/null 2>&1 &
        pid=$!
        until [ "$(stat -c %s v/$step.h5.journal 2>/dev/null || echo 0)" -gt 20000 ] || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
        kill -KILL $pid
        wait $pid || [ $? -eq 137 ]
        [ -e v/$step.h5.journal ] && [ ! -e v/$step.h5 ]
    done
    "$HSPACE" $V --json -o v/ >r.json 2>/dev/null || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.resumed > 0' v/on-consistency.json
    what='.results | del(.commands, .work, .report) | walk(if type == "object" then del(.resumed, .encodes, .decodes) else . end)'
    [ "$(jq -cS "$what" r.json)" = "$(jq -cS "$what" whole.json)" ]
}
