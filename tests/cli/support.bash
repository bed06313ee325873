# Shared by the bats files: the program, a fresh folder, and short assertions.
# A setup_file that finds its tests can't run exports SKIP_FILE, the reason (skip in setup_file itself fails).
setup() {
    [ -z "${SKIP_FILE:-}" ] || skip "$SKIP_FILE"
    HSPACE="${HSPACE:-$BATS_TEST_DIRNAME/../../build/hspace}"
    cd "$BATS_TEST_TMPDIR"
    export XDG_CONFIG_HOME="$BATS_TEST_TMPDIR/xdg" OMP_NUM_THREADS=2 GOMP_SPINCOUNT=1000
}

# fails CODE PATTERN COMMAND...: exit code, one line on stderr that matches, nothing on stdout.
fails() {
    local code=$1 pattern=$2 rc=0
    shift 2
    "$@" >out.txt 2>err.txt || rc=$?
    [ "$rc" -eq "$code" ] || { echo "exit $rc, wanted $code: $*"; cat err.txt; return 1; }
    [ ! -s out.txt ] || { echo "stdout not empty"; cat out.txt; return 1; }
    [ "$(wc -l <err.txt)" -eq 1 ] || { echo "not one line:"; cat err.txt; return 1; }
    grep -qE -- "$pattern" err.txt || { echo "message: $(cat err.txt); wanted $pattern"; return 1; }
    grep -qE '^hspace: [^[:cntrl:]]{1,450}$' err.txt
}

# jq 1.6 takes no input for a success: a program that failed before the pipe must fail the test.
jq() {
    if [ ! -p /dev/stdin ] || [ -f "${!#}" ] || [[ " $* " == *" -en "* ]]; then
        command jq "$@"
        return
    fi
    local input
    input=$(cat)
    [ -n "$input" ] || { echo "jq: nothing came in"; return 1; }
    printf '%s\n' "$input" | command jq "$@"
}
