#!/usr/bin/env bats
# The manners every command has.

load support

@test "hspace alone: a dozen lines with three examples" {
    run "$HSPACE"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -le 16 ]
    [ "$(grep -c '^  hspace ' <<<"$output")" -eq 3 ]
}

@test "--version names the program and its libraries" {
    run "$HSPACE" --version
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "hspace 0.1.0 ("* ]]
    for what in compiler BLAS oneDNN HDF5; do grep -q "^$what: ." <<<"$output"; done
}

@test "--help: usage, purpose, examples first, groups, defaults, exit codes" {
    run "$HSPACE" completion --help
    [ "$status" -eq 0 ]
    [[ ${lines[0]} == "Usage: hspace completion [options] bash|zsh|fish" ]]
    [ "$(grep -n '^Examples:' <<<"$output" | cut -d: -f1)" -lt "$(grep -n '^Run:' <<<"$output" | cut -d: -f1)" ]
    grep -q -- '--seed N .*\[0\]' <<<"$output"
    grep -q '^Exit codes:' <<<"$output"
    run "$HSPACE" completion -h
    [ "$status" -eq 0 ]
    [ "$(grep -c -- '--seed N' <<<"$output")" -eq 0 ]
    run "$HSPACE" --help
    [ "$status" -eq 0 ]
    grep -q '^  doctor ' <<<"$output"
}

@test "unknown commands and options get the nearest suggestion and exit 2" {
    fails 2 '^hspace: docter: unknown command; did you mean doctor\?' "$HSPACE" docter
    fails 2 '^hspace: --threds: unknown option; did you mean --threads\?' "$HSPACE" doctor --threds 2
    fails 2 '^hspace: -Z: unknown option' "$HSPACE" doctor -Z
    fails 2 '^hspace: zzzzzzzzzz: unknown command; hspace --help' "$HSPACE" zzzzzzzzzz
    fails 2 '^hspace: --jsn: ' "$HSPACE" --jsn
}

@test "a command without what it needs shows its usage, exit 2" {
    fails 2 'usage: hspace completion bash' "$HSPACE" completion
    fails 2 "'fish' is one argument too many" "$HSPACE" completion bash fish
    fails 2 "'tcsh' is unknown; wanted bash, zsh or fish" "$HSPACE" completion tcsh
}

@test "options: anywhere, with = or a space, in bunches" {
    "$HSPACE" --json doctor --seed=7 >a.json
    "$HSPACE" doctor --seed 7 --json >b.json
    "$HSPACE" --seed 7 doctor -q --json >c.json
    for f in a b c; do [ "$(jq .params.seed $f.json)" -eq 7 ]; done
    "$HSPACE" doctor -qf --json | jq -e '.params.quiet and .params.force'
    "$HSPACE" doctor -osome.h5 --print-config | grep -qx 'output = some.h5'
    "$HSPACE" doctor --force=false --json | jq -e '.params.force == false'
}

@test "a value that starts with a dash is a value" {
    fails 2 '^hspace: --threads: -1.* is out of range' "$HSPACE" doctor --threads -1
    fails 2 '^hspace: --seed: -1 is out of range' "$HSPACE" doctor --seed -1
    "$HSPACE" doctor -o --json --print-config | grep -qx 'output = --json'
    fails 2 "'-1.5' is one argument too many" "$HSPACE" doctor -1.5
}

@test "numbers are strict" {
    for bad in '' 0x 0x10 10k 1e9 nan inf ' 1' '1 ' 1.0 9223372036854775808 1e400; do
        fails 2 '^hspace: --seed: ' "$HSPACE" doctor --seed "$bad"
    done
    "$HSPACE" doctor --seed 9223372036854775807 --json | jq -e .params.seed
    LC_ALL=de_DE.UTF-8 "$HSPACE" doctor --json | jq -e .wall_s
}

@test "twice is an error, but for lists" {
    fails 2 '^hspace: --seed: given twice' "$HSPACE" doctor --seed 1 --seed 1
    fails 2 '^hspace: --json: given twice' "$HSPACE" doctor --json --json
    fails 2 '^hspace: --seed: no value' "$HSPACE" doctor --seed
    fails 2 "^hspace: --json: 'maybe' is not a switch" "$HSPACE" doctor --json=maybe
}

@test "--json is one object with the promised keys" {
    "$HSPACE" doctor --json >o.json
    [ "$(jq -s length o.json)" -eq 1 ]
    jq -e 'keys == ["command","hspace","inputs","params","results","wall_s","warnings"]' o.json
    jq -e '.command == "doctor" and .hspace == "0.1.0" and (.wall_s | type) == "number" and .inputs == []' o.json
    jq -e '.params | has("seed") and has("threads") and has("output") and has("config")' o.json
    jq -e '.params.threads >= 1' o.json
}

@test "precedence: flag, environment, ./hspace.ini, user's config, default" {
    seed() { "$HSPACE" doctor --json "$@" | jq .params.seed; }
    [ "$(seed)" -eq 0 ]
    mkdir -p xdg/hspace
    echo 'seed = 1' >xdg/hspace/config.ini
    [ "$(seed)" -eq 1 ]
    printf '; mine\n[doctor]\nseed = 2\n[completion]\nseed = 9\n' >hspace.ini
    [ "$(seed)" -eq 2 ]
    export HSPACE_SEED=3
    [ "$(seed)" -eq 3 ]
    [ "$(seed --seed 4)" -eq 4 ]
    unset HSPACE_SEED
    echo 'seed = 5' >other.ini
    [ "$(seed --config other.ini)" -eq 5 ]
}

@test "--print-config reproduces the run" {
    "$HSPACE" doctor --seed 11 -q --print-config >run.ini
    grep -qx '\[doctor\]' run.ini
    grep -qx 'seed = 11' run.ini
    "$HSPACE" doctor --config run.ini --print-config >again.ini
    cmp run.ini again.ini
    "$HSPACE" completion bash --print-config >comp.ini
    "$HSPACE" completion --config comp.ini | grep -q 'complete -o default'
}

@test "config files: unknown keys, sections, values and missing files" {
    echo 'sed = 1' >a.ini
    fails 2 '^hspace: a.ini: sed: unknown option; did you mean seed\?' "$HSPACE" doctor --config a.ini
    printf '[docter]\nseed = 1\n' >b.ini
    fails 2 '^hspace: b.ini: \[docter\]: unknown section' "$HSPACE" doctor --config b.ini
    echo 'seed = x' >c.ini
    fails 2 "^hspace: c.ini: seed: 'x' is not a whole number" "$HSPACE" doctor --config c.ini
    echo 'just words' >d.ini
    fails 3 '^hspace: d.ini: line 1 ' "$HSPACE" doctor --config d.ini
    fails 5 '^hspace: none.ini: open' "$HSPACE" doctor --config none.ini
    HSPACE_SEED=x fails 2 '^hspace: HSPACE_SEED: ' "$HSPACE" doctor
}

@test "stdout that cannot be written is exit 5" {
    rc=0
    "$HSPACE" doctor --json >/dev/full 2>err.txt || rc=$?
    [ "$rc" -eq 5 ]
    grep -q '^hspace: stdout: write' err.txt
    rc=0
    "$HSPACE" doctor >&- 2>/dev/null || rc=$?
    [ "$rc" -eq 5 ]
}

@test "errors are one escaped line, whatever the arguments hold" {
    fails 2 'x1b' "$HSPACE" $'bad\x1b[31m\nname'
    fails 2 '.' "$HSPACE" doctor "$(head -c 5000 /dev/zero | tr '\0' a)"
    fails 2 'xff' "$HSPACE" doctor $'\xff'
}

@test "completion scripts know every command and are valid" {
    for shell in bash zsh fish; do
        "$HSPACE" completion $shell >c.$shell
        grep -q doctor c.$shell
        grep -q threads c.$shell
    done
    bash -n c.bash
    source c.bash
    COMP_WORDS=(hspace doctor --thr) COMP_CWORD=2
    _hspace
    [ "${COMPREPLY[0]}" = --threads ]
}

@test "doctor says what it found" {
    "$HSPACE" doctor --json >d.json
    jq -e '.results | has("blas") and has("onednn") and has("hdf5") and has("cpu") and .cores >= 1 and .disk_free_bytes > 0' d.json
    HSPACE= PATH=/nonexistent "$HSPACE" doctor --json 2>err.txt | /usr/bin/jq -e '.warnings | map(test("gnuplot")) | any'
}

@test "denormal numbers that a preloaded library switched off are switched on again" {
    echo 'int x;' >f.c
    cc -shared -fPIC -ffast-math -o libfast.so f.c 2>/dev/null || skip "no compiler"
    LD_PRELOAD=./libfast.so "$HSPACE" doctor --json 2>/dev/null | jq -e '.warnings | map(test("denormal")) | any'
}

@test "odd surroundings: thread counts, few descriptors, a small stack, no TMPDIR, an empty environment" {
    OMP_NUM_THREADS=0 "$HSPACE" doctor -q
    OMP_NUM_THREADS=10000 "$HSPACE" doctor -q --json | jq -e '.results.threads <= .results.cores'
    (ulimit -n 8 && "$HSPACE" info random:tiny -q)
    (ulimit -s 256 && "$HSPACE" sample --model random:tiny -N 1 --steps 2 -q --json) | jq -e '.results.n == 1'
    TMPDIR=/nonexistent "$HSPACE" info random:tiny -q
    env -i "$HSPACE" doctor -q
}

@test "threads wait with short spins, unless the user has said how" {
    execs() { strace -f -e trace=execve -o trace "$@" >/dev/null && grep -c 'execve(.*= 0' trace; }
    cd "$BATS_TEST_TMPDIR"
    [ "$(execs env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY "$HSPACE" --version)" -eq 3 ]
    [ "$(execs env -u GOMP_SPINCOUNT OMP_WAIT_POLICY=active "$HSPACE" --version)" -eq 2 ]
    [ "$(execs env GOMP_SPINCOUNT=5 "$HSPACE" --version)" -eq 2 ]
}

@test "doctor says when the environment keeps OpenBLAS from the processor's AVX-512" {
    grep -qw avx512f /proc/cpuinfo || skip "no AVX-512 here"
    said() { env "$@" "$HSPACE" doctor --json 2>/dev/null | jq '[.warnings[] | select(test("^OPENBLAS_CORETYPE=Haswell keeps"))] | length'; }
    [ "$(said OPENBLAS_CORETYPE=Haswell)" -eq 1 ]
    [ "$(said OPENBLAS_CORETYPE=SkylakeX)" -eq 0 ]
    [ "$(said -u OPENBLAS_CORETYPE)" -eq 0 ]
}
