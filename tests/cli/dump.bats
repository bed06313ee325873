#!/usr/bin/env bats
# The dump from outside: the same bytes however often interrupted, alone, honest when the disk is full.
load support

M="--model random:tiny --steps 6 --batch 2"

content() { "$HSPACE" info "$1" --json | jq -r .results.content_sha256; }

# A full disk: a tmpfs of 1 MiB where we may mount one, else no test.
mount_small() {
    mkdir -p small
    mount -t tmpfs -o size=1m tmpfs small 2>/dev/null || skip "no right to mount a small disk"
}
teardown() { umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true; }

@test "dump, info: shapes, timesteps, sealed, hashes" {
    "$HSPACE" dump $M -N 5 --keep x_T,x_0,eps -o a.h5 --json >out.json 2>/dev/null
    jq -e '.command == "dump" and .results.n == 5 and .results.sealed and .results.computed == 5' out.json
    "$HSPACE" info a.h5 --json >info.json
    jq -e '.results | .kind == "activations" and .n == 5 and .sealed and .units_committed == 3 and .units_total == 3
           and .h == [64,4,4] and .timesteps == [999,799,599,399,199,0] and .dtype == "float32"
           and .tap == "mid_block.out" and (.model_sha256 | length) == 64' info.json
}

@test "the same command again computes nothing; other parameters: exit 2, the file untouched" {
    "$HSPACE" dump $M -N 4 -o a.h5 2>/dev/null
    sum=$(sha256sum a.h5)
    "$HSPACE" dump $M -N 4 -o a.h5 --json 2>/dev/null | jq -e '.results.computed == 0 and .results.resumed == 4'
    ! "$HSPACE" dump $M -N 4 --seed 1 -o a.h5 >out.txt 2>err.txt
    grep -q "seed" err.txt
    fails 2 "a.h5" "$HSPACE" dump --quiet $M -N 5 -o a.h5
    fails 2 "model" "$HSPACE" dump --quiet --model random:tiny:9 --steps 6 --batch 2 -N 4 -o a.h5
    [ "$(sha256sum a.h5)" = "$sum" ]
}

@test "kill -9 at random times: nothing lost, nothing doubled, the same content" {
    "$HSPACE" dump $M -N 60 -o whole.h5 2>/dev/null
    for i in $(seq 1 "${HSPACE_KILLS:-8}"); do
        "$HSPACE" dump $M -N 60 -o killed.h5 >/dev/null 2>&1 &
        pid=$!
        sleep "0.$(printf '%03d' $((RANDOM % 500)))"
        kill -9 $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
    done
    "$HSPACE" dump $M -N 60 -o killed.h5 2>/dev/null
    [ "$(content whole.h5)" = "$(content killed.h5)" ]
    [ "$(ls | grep -c killed)" -le 2 ]  # the store, at most its lock
}

@test "SIGTERM ends a dump with 75 and it continues; Ctrl-C with 130" {
    set -m # jobs of their own groups: the shell then doesn't have them ignore SIGINT
    for signal in TERM INT; do
        "$HSPACE" dump $M -N 20000 -o $signal.h5 >/dev/null 2>err.txt &
        pid=$!
        until [ -e $signal.h5 ]; do sleep 0.1; done
        sleep 3
        kill -$signal $pid
        rc=0
        wait $pid || rc=$?
        case $signal in TERM) [ $rc -eq 75 ] ;; INT) [ $rc -eq 130 ] ;; esac
        "$HSPACE" info $signal.h5 --json | jq -e '.results.sealed == false and .results.units_committed > 0'
    done
}

@test "an unfinished store is refused by what reads it" {
    "$HSPACE" dump $M -N 20000 -o part.h5 >/dev/null 2>&1 &
    pid=$!
    until [ -e part.h5 ]; do sleep 0.1; done
    kill -9 $pid
    wait $pid || true
    fails 2 "still being written" "$HSPACE" pca part.h5 -o p.h5
    [ ! -e p.h5 ]
}

@test "two writers: one of them gets exit 8" {
    "$HSPACE" dump $M -N 20000 -o two.h5 >/dev/null 2>&1 &
    pid=$!
    until [ -e two.h5 ]; do sleep 0.1; done
    fails 8 "two.h5" "$HSPACE" dump --quiet $M -N 20000 -o two.h5
    kill -9 $pid
    wait $pid || true
}

@test "a full disk: exit 5 at once, and with room the same command finishes" {
    mount_small
    fails 5 "small/a.h5" "$HSPACE" dump --quiet $M -N 64 -o small/a.h5
    mount -o remount,size=64m small
    "$HSPACE" dump $M -N 64 -o small/a.h5 2>/dev/null
    "$HSPACE" dump $M -N 64 -o b.h5 2>/dev/null
    [ "$(content small/a.h5)" = "$(content b.h5)" ]
}

@test "statistics of a store: the same bytes at any number of threads" {
    "$HSPACE" dump $M -N 12 -o a.h5 2>/dev/null
    for t in 1 2; do
        "$HSPACE" pca a.h5 -k 4 --threads $t -o p$t.h5 >/dev/null
        "$HSPACE" export p$t.h5 --what component -o p$t.npy >/dev/null
        "$HSPACE" similarity a.h5 a.h5 --metric cka --t 999 --threads $t --json | jq -S '.results' >s$t.json
    done
    cmp p1.npy p2.npy
    cmp s1.json s2.json
}
