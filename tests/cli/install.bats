# make install: what lands where, and that a program outside the repository builds against it.
load support

setup_file() {
    export PLACE=$(mktemp -d)
    make -s --no-print-directory -C "$BATS_TEST_DIRNAME/../.." install prefix="$PLACE/usr" >"$PLACE/log" 2>&1 || { cat "$PLACE/log"; return 1; }
}

teardown_file() {
    rm -rf "$PLACE"
}

@test "the installed program runs" {
    run "$PLACE/usr/bin/hspace" --version
    [ "$status" -eq 0 ]
    [[ "$output" == "hspace "* ]]
}

@test "a program builds with pkg-config, shared and static" {
    cat >"$PLACE/p.c" <<'C'
#include <stdio.h>
#include "core/hspace.h"
int main(void)
{
    char hex[HS_SHA256_HEX];
    if (hs_sha256_of("abc", 3, hex) != HS_OK) {
        return 1;
    }
    puts(hex);
    return 0;
}
C
    export PKG_CONFIG_PATH="$PLACE/usr/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
    cc -Wall -Wextra -Werror "$PLACE/p.c" -o "$PLACE/p" $(pkg-config --cflags --libs hspace)
    run env LD_LIBRARY_PATH="$PLACE/usr/lib" "$PLACE/p"
    [ "$output" = ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ]
    cc "$PLACE/p.c" -o "$PLACE/s" $(pkg-config --cflags hspace) "$PLACE/usr/lib/libhspace.a" \
        $(pkg-config --static --libs-only-l --libs-only-other --libs-only-L hspace | sed 's/-lhspace//')
    run "$PLACE/s"
    [ "$output" = ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad ]
}

@test "completions are installed, man pages where help2man is" {
    [ -s "$PLACE/usr/share/bash-completion/completions/hspace" ]
    [ -s "$PLACE/usr/share/zsh/site-functions/_hspace" ]
    [ -s "$PLACE/usr/share/fish/vendor_completions.d/hspace.fish" ]
    bash -n "$PLACE/usr/share/bash-completion/completions/hspace"
    command -v help2man || skip "help2man is absent"
    [ -s "$PLACE/usr/share/man/man1/hspace.1" ]
    [ -s "$PLACE/usr/share/man/man1/hspace-report.1" ]
}

@test "uninstall leaves nothing" {
    make -s --no-print-directory -C "$BATS_TEST_DIRNAME/../.." uninstall prefix="$PLACE/usr"
    [ -z "$(find "$PLACE/usr" -type f -o -type l)" ]
}
