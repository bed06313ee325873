/* XXH3 of 128 bits against the values its author publishes, whole and in pieces. */
#include <stdint.h>

#include "core/base/xxh3.h"
#include "tests/support/support.h"

enum { LONGEST = 2367 };

/* The bytes of those values: the top ones of powers of a prime. */
static void published_bytes(size_t n, unsigned char *out)
{
    uint64_t state = 2654435761U;
    for (size_t i = 0; i < n; i++) {
        out[i] = (unsigned char)(state >> 56);
        state *= 11400714785074694797U;
    }
}

static void fingerprint(const unsigned char *bytes, size_t n, size_t piece, char hex[HS_XXH3_HEX])
{
    hs_xxh3 *h = NULL;
    assert_ok(hs_xxh3_new(&h));
    for (size_t at = 0, len; at < n; at += len) {
        len = n - at < piece ? n - at : piece;
        hs_xxh3_add(h, bytes + at, len);
    }
    hs_xxh3_hex(h, hex);
    hs_xxh3_free(h);
}

static void test_published(void **state)
{
    (void)state;
    const struct {
        size_t n;
        const char *hex;
    } want[] = {{0, "99aa06d3014798d86001c324468d497f"},
                {1, "a6cd5e9392000f6ac44bdff4074eecdb"},
                {2240, "ccb134fbfa7ce49d6e73a90539cf2948"},
                {2367, "e89c0f6ff369b427cb37aeb9e5d361ed"}};
    const size_t piece[] = {LONGEST, 1, 7, 64, 1024, 1031};
    unsigned char bytes[LONGEST];
    char hex[HS_XXH3_HEX];
    published_bytes(LONGEST, bytes);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        for (size_t k = 0; k < sizeof piece / sizeof *piece; k++) {
            fingerprint(bytes, want[i].n, piece[k], hex);
            assert_string_equal(hex, want[i].hex);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_published)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
