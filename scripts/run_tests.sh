#!/bin/sh
# Runs every cmocka program under BUILD (optionally those whose path holds PATTERN) and the fuzz
# replays; prints one line a program and the totals.  Fails when any test failed.
set -u
build=$1
pattern=${2:-}
passed=0 failed=0 skipped=0 bad=
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}"
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
for t in $(find "$build/tests" -type f -name 'test_*' -perm -u+x | sort); do
    case $t in *.o | *.d) continue ;; *"$pattern"*) ;; *) continue ;; esac
    log=$t.log
    "$t" >"$log" 2>&1
    rc=$?
    ok=$(grep -c '^\[       OK \]' "$log")
    skip=$(grep -c '^\[  SKIPPED \] test' "$log")
    no=$(grep -c '^\[  FAILED  \] test\|^\[  FAILED  \] [a-z_]*$' "$log")
    [ "$rc" -eq 0 ] || { bad="$bad $t"; [ "$no" -gt 0 ] || no=1; cat "$log"; }
    [ "$rc" -ne 0 ] || no=0
    passed=$((passed + ok)) failed=$((failed + no)) skipped=$((skipped + skip))
    printf '%-52s %3d passed %3d failed %3d skipped\n' "${t#"$build"/tests/}" "$ok" "$no" "$skip"
    grep -h '^SKIP: ' "$log" | sort -u
done
for f in $(find "$build/tests/fuzz" -type f -name 'fuzz_*' -perm -u+x 2>/dev/null | sort); do
    case $f in *.o | *.d) continue ;; *"$pattern"*) ;; *) continue ;; esac
    corpus=tests/fuzz/corpus/$(basename "$f" | sed 's/^fuzz_//')
    if "$f" "$corpus" >"$f.log" 2>&1; then passed=$((passed + 1)); else failed=$((failed + 1)) bad="$bad $f"; cat "$f.log"; fi
done
[ -z "$bad" ] || echo "failing:$bad"
echo "cmocka: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ -z "$bad" ]
