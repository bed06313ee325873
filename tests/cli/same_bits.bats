#!/usr/bin/env bats
# The same command with other threads and in other batches: the same bits.
load support

@test "samples of a real network are the same bytes whatever the batch and the threads" {
    "$HSPACE" sample --model faces-a -N 9 --steps 2 --seed 4 -q -o eight.npy
    for o in "--batch 1" "--batch 3" "--batch 17" "--batch 4 --threads 1"; do
        "$HSPACE" sample --model faces-a -N 9 --steps 2 --seed 4 $o -q -f -o other.npy
        cmp eight.npy other.npy || { echo "$o"; false; }
    done
}

@test "a delta network's sweep, and robustness, have the same numbers whatever the batch and the threads" {
    net="$BATS_TEST_DIRNAME/../../datasets/models/faces-a/smile-clip.h5"
    S="sweep --model faces-a --direction $net --strengths=-1,0,1 --null 1 --controls none --readout attr:smile,x0 -N 3 --steps 3 -f -o s.h5 --json"
    R="robustness --model faces-a -N 3 --steps 3 --levels 0.2,1.2 -f -o r.h5 --json"
    for c in "$S" "$R"; do
        "$HSPACE" $c >one.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
        for o in "--batch 2" "--batch 5 --threads 1"; do
            "$HSPACE" $c $o >two.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
            jq -e '.results.encodes > 0' two.json
            [ "$(jq -cS .results one.json)" = "$(jq -cS .results two.json)" ] || { echo "$c $o"; false; }
        done
    done
}

@test "linearity of two directions and their sum has the same numbers whatever the batch and the threads" {
    M="--model random:tiny:3 --steps 3"
    "$HSPACE" dump $M -N 4 -q -o a.h5
    "$HSPACE" pca a.h5 -k 2 -q -o d.h5
    L="linearity $M --direction d.h5:pc0 --direction d.h5:pc1 --strengths=-1,0,1 --null 2 --readout x0,brightness -N 7 -f -o l.h5 --json"
    "$HSPACE" $L >one.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
    jq -e '.results.crosstalk.random_hi | length == 2' one.json
    for o in "--batch 1" "--batch 2" "--batch 5 --threads 1"; do
        "$HSPACE" $L $o >two.json 2>err.txt || [[ $? =~ ^1[01]$ ]]
        [ "$(jq -cS .results one.json)" = "$(jq -cS .results two.json)" ] || { echo "$o"; false; }
    done
}

@test "threads are begun once, also where attention has fewer pieces of work than threads" {
    begun() {
        strace -f -e trace=clone,clone3 -o trace "$HSPACE" sample --model faces-a -N 1 --threads 4 --steps "$1" -q -f -o x.npy
        grep -cE 'clone3?\(' trace
    }
    few=$(begun 2)
    [ "$few" -ge 3 ] && [ "$few" -eq "$(begun 6)" ]
}
