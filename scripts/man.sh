#!/bin/sh
# Man pages of PROGRAM and each of its commands into FOLDER, by help2man from --help; none, saying
# so, where help2man is absent.
set -eu
program=$1
out=$2
command -v help2man >/dev/null 2>&1 || { echo "man pages left out: help2man is not installed" >&2; exit 0; }
mkdir -p "$out"
version=$("$program" --version | sed -n '1s/^hspace \([0-9.]*\).*/\1/p')
page() { # file, purpose, arguments that print the help
    help2man --no-info --no-discard-stderr --version-string="$version" --name="$2" --help-option="$3" \
        --output="$out/$1.1" "$program"
}
page hspace 'the h-space of diffusion U-Nets' --help
"$program" --help | sed -n '/^Commands:/,/^$/p' | sed -n 's/^  \([a-z][a-z0-9 -]*[a-z0-9]\)   *\([A-Z].*\)\.$/\1|\2/p' |
    while IFS='|' read -r command purpose; do
        page "hspace-$(echo "$command" | tr ' ' '-')" "$(echo "$purpose" | cut -c1 | tr A-Z a-z)$(echo "$purpose" | cut -c2-)" \
            "$command --help"
    done
