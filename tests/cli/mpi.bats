#!/usr/bin/env bats
# pca and compare by several processes: the same bits for any number of them, one line when one fails, a clean end when one dies.
load support

unset ${!SLURM_*} ${!OMPI_*} ${!PMI_*}
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

setup_file() {
    if ! command -v mpirun >/dev/null || ! pkg-config --exists ompi-c; then
        export SKIP_FILE="Open MPI is absent"
        return
    fi
    make -s -C "$BATS_TEST_DIRNAME/../.." build/release/hspace-mpi >/dev/null
    export PARALLEL_HSPACE="$BATS_TEST_DIRNAME/../../build/release/hspace-mpi"
    cd "$BATS_FILE_TMPDIR"
    for i in 0 1 2; do
        "$PARALLEL_HSPACE" dump --model random:tiny --steps 12 -N 300 --batch 8 --shard $i/3 -q -o acts.h5
    done
    "$PARALLEL_HSPACE" merge acts.h5 -q -o one.h5
}

ranks() { OMP_NUM_THREADS=1 timeout 120 mpirun --oversubscribe -n "$@"; }
digest() { # of what a PCA found
    for what in component mean explained_variance delta_h; do
        "$PARALLEL_HSPACE" export "$1" --what $what -q -o x.npy
        cat x.npy
        rm x.npy
    done | sha256sum
}

@test "1, 2, 3 and 4 ranks on an index, and one process on the merged store: one hash" {
    in=$BATS_FILE_TMPDIR
    for how in "--scope step --solver gram" "--scope pooled --solver block" "--scope pooled --solver covariance"; do
        "$PARALLEL_HSPACE" pca $in/one.h5 -k 4 $how -q -f -o alone.h5
        want=$(digest alone.h5)
        for n in 1 2 3 4; do
            rm -f p.h5
            ranks $n "$PARALLEL_HSPACE" pca $in/acts.h5 -k 4 $how -q -o p.h5
            [ "$(digest p.h5)" = "$want" ]
        done
    done
}

@test "what fails on all ranks is told once, with its exit code; without MPI several processes are refused" {
    rc=0
    ranks 3 "$PARALLEL_HSPACE" pca absent.h5 -o p.h5 2>err.txt || rc=$?
    [ $rc -eq 5 ]
    [ "$(grep -c '^hspace: absent.h5: ' err.txt)" -eq 1 ]
    ranks 2 "$PARALLEL_HSPACE" pca "$BATS_FILE_TMPDIR/acts.h5" -k 2 --json -o p.h5 2>/dev/null | jq -e '.params.ranks == 2'
    rc=0
    ranks 1 "$PARALLEL_HSPACE" pca "$BATS_FILE_TMPDIR/acts.h5" -k 2 -q -o a.h5 : \
        -n 1 "$PARALLEL_HSPACE" pca "$BATS_FILE_TMPDIR/acts.h5" -k 3 -q -o a.h5 2>err.txt || rc=$?
    [ $rc -eq 2 ]
    [ "$(grep -c '^hspace: ranks 0 and 1: not the same' err.txt)" -eq 1 ]
    "$HSPACE" --version | grep -q '^MPI' ||
        fails 2 'built without MPI' env OMPI_COMM_WORLD_SIZE=2 "$HSPACE" pca "$BATS_FILE_TMPDIR/acts.h5" -q -o b.h5
    [ ! -e a.h5 ] && [ ! -e b.h5 ]
}

# ranks N OPTIONS... of compare: *found.txt* <- everything that was found; the exit code is the verdict's.
compared() {
    local n=$1 rc=0
    shift
    rm -f r.h5
    if [ "$n" = alone ]; then
        "$PARALLEL_HSPACE" compare "$@" --bootstrap 200 --json -o r.h5 >o.json 2>err.txt || rc=$?
    else
        ranks "$n" "$PARALLEL_HSPACE" compare "$@" --bootstrap 200 --json -o r.h5 >o.json 2>err.txt || rc=$?
    fi
    [ $rc -eq 0 ] || [ $rc -eq 10 ] || [ $rc -eq 11 ] || { cat err.txt && return 1; }
    echo $rc >found.txt
    jq -cS '.results | del(.a.path, .b.path)' o.json >>found.txt
    for what in cka_debiased cka_half spectrum_a; do
        "$PARALLEL_HSPACE" export r.h5 --what $what -q -o x.npy 2>/dev/null || continue # not of more than two
        sha256sum <x.npy >>found.txt
        rm x.npy
    done
}

two_stores() { # a.h5, b.h5: indexes; a1.h5, b1.h5: the same in one file
    for m in a: b::1; do
        for i in 0 1; do
            "$PARALLEL_HSPACE" dump --model random:tiny"${m#*:}" --steps ${2:-5} -N $1 --batch 8 --shard $i/2 -q -o ${m%%:*}.h5
        done
        "$PARALLEL_HSPACE" merge ${m%%:*}.h5 -q -o ${m%%:*}1.h5
        "$PARALLEL_HSPACE" pca ${m%%:*}.h5 -k 2 -q -o d${m%%:*}.h5
    done
}

@test "compare: 1, 2, 3 and 4 ranks on indexes, one process on merged stores, with and without directions: one hash" {
    two_stores 48
    for how in "" "--directions-a da.h5 --directions-b db.h5"; do
        compared alone --a a1.h5 --b b1.h5 $how
        mv found.txt want.txt
        for n in 1 2 3 4; do
            compared $n --a a.h5 --b b.h5 $how
            cmp found.txt want.txt
        done
        jq -e '.params.ranks == 4 and (.results.steps | length) == 5' o.json
    done
    compared alone --model a1.h5,b1.h5,a1.h5
    mv found.txt want.txt
    compared 3 --model a1.h5,b1.h5,a1.h5
    cmp found.txt want.txt
}

@test "compare: what fails is told once; models are refused" {
    two_stores 12 2
    one_line() { # CODE PATTERN OPTIONS...
        local code=$1 pattern=$2 rc=0
        shift 2
        ranks 3 "$PARALLEL_HSPACE" compare "$@" -q -o r.h5 2>err.txt || rc=$?
        [ $rc -eq "$code" ]
        [ "$(grep -c '^hspace: ' err.txt)" -eq 1 ]
        grep -qE "^hspace: .*$pattern" err.txt
        [ ! -e r.h5 ]
    }
    one_line 2 "a model; several ranks compare stores" --a a.h5 --b random:tiny
    one_line 5 "absent.h5" --a a.h5 --b absent.h5
    one_line 6 "CCA of 6 images" --a a.h5 --b b.h5 --keep 1
    one_line 3 "holds no directions" --a a.h5 --b b.h5 --directions-a a.h5 --directions-b b.h5
}

# killed STARTED COMMAND...: three ranks, of which one is killed once STARTED succeeds; the others end within 10 s.
killed() {
    local started=$1 job r
    shift
    cat >rank.sh <<'END'
trap : TERM # mpirun ends this shell too
"$@" &
echo $! >pid.$OMPI_COMM_WORLD_RANK
wait $!
rc=$?
while kill -0 $! 2>/dev/null; do wait $!; rc=$?; done
echo $rc >rc.$OMPI_COMM_WORLD_RANK
exit $rc
END
    ranks 3 --mca odls_base_sigkill_timeout 5 sh rank.sh "$@" 2>err.txt &
    job=$!
    until [ -s pid.1 ] && $started; do
        kill -0 $job
        sleep 0.1
    done
    sleep 0.5
    kill -9 "$(cat pid.1)"
    SECONDS=0
    while kill -0 "$(cat pid.0)" 2>/dev/null || kill -0 "$(cat pid.2)" 2>/dev/null; do
        [ $SECONDS -lt 10 ]
        sleep 0.1
    done
    wait $job && return 1
    for r in 0 2; do
        [ "$(cat rc.$r)" -eq 75 ] || [ "$(cat rc.$r)" -eq 5 ]
    done
    [ "$(grep -c '^hspace: ' err.txt)" -le 2 ] # one each
    [ -z "$(ls | grep 'p\.h5')" ]
}

@test "a rank killed in the middle: the others end within 10 s, resumable; the same command then gives the same hash" {
    args="pca $BATS_FILE_TMPDIR/acts.h5 --scope pooled --solver block -k 20"
    writing() { ls p.h5.tmp* >/dev/null 2>&1; }
    # Never good enough: it would go on for a hundred sweeps.
    killed writing "$PARALLEL_HSPACE" $args --tol 1e-12 -o p.h5
    ranks 3 "$PARALLEL_HSPACE" $args -q -o p.h5
    "$PARALLEL_HSPACE" $args -q -o alone.h5
    [ "$(digest p.h5)" = "$(digest alone.h5)" ]
}

@test "compare: a rank killed in the middle of the fits, likewise" {
    two_stores 120 6
    args="--a a.h5 --b b.h5 --nulls 900"
    # Hundredths of a second that rank 1 has computed: MPI's start takes few.
    computing() { [ "$(cut -d' ' -f14 /proc/"$(cat pid.1)"/stat)" -gt 50 ]; }
    killed computing "$PARALLEL_HSPACE" compare $args --bootstrap 200 -o p.h5
    compared 3 $args
    mv found.txt want.txt
    compared alone $args
    cmp found.txt want.txt
}
