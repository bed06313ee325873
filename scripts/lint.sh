#!/bin/sh
# make lint: format, layering, warnings, cppcheck.  Every check runs; fails if any failed.
set -u
bad=0
sources=$(git ls-files '*.c' '*.h')
say() { printf '%-12s %s\n' "$1" "$2"; }

# shellcheck disable=SC2086 # a list of files
if out=$(clang-format --dry-run -Werror $sources 2>&1); then say format ok; else
    say format FAILED; printf '%s\n' "$out" | grep 'error:' | cut -d: -f1 | sort | uniq -c | head -20; bad=1; fi

if scripts/layers.sh; then say layers ok; else say layers FAILED; bad=1; fi

# Not `all`: build/hspace stays the program it was.
if out=$(make --no-print-directory -j "$(nproc)" V=lint CFLAGS='-O1 -Werror' build/lint/hspace tests-build 2>&1); then
    say warnings ok; else
    say warnings FAILED; printf '%s\n' "$out" | grep -E '(error|warning):' | head -20; bad=1; fi

if out=$(cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem -j 2 -I . -D__x86_64__ core datasets analysis 2>&1); then say cppcheck ok; else
    say cppcheck FAILED; printf '%s\n' "$out" | head -20; bad=1; fi

if git grep -nE '^[^"]*\b(strcpy|sprintf|strcat|gets|atoi|atof)\(' -- 'core/*.c' 'analysis/*.c' 'datasets/*.c'; then
    say calls FAILED; bad=1; else say calls ok; fi
exit $bad
