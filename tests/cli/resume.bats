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
    jq -e '.results.resumed == 6' r.json
    [ "$(jq .results.encodes r.json)" -lt "$(jq .results.encodes whole.json)" ]
    for f in whole r; do
        jq -c '.results | del(.resumed, .encodes, .decodes)' $f.json >$f.txt
        "$HSPACE" linearity --sweep $f.h5 --json 2>/dev/null | jq -c .results >>$f.txt || [ $? -ge 10 ]
        "$HSPACE" homogeneity --sweep $f.h5 --json 2>/dev/null | jq -c .results >>$f.txt || [ $? -ge 10 ]
    done
    cmp whole.txt r.txt
}
