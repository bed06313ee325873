/* GMAC against the arithmetic of its standard, done bit by bit, and against the standard's own tag of nothing. */
#include <string.h>

#include "core/base/gmac.h"
#include "tests/support/support.h"

/* x <- x H in GF(2^128), most significant bit of the first byte the coefficient of 1 (SP 800-38D, 6.3). */
static void times_h(unsigned char x[16])
{
    unsigned char v[16] = {0x66, 0xe9, 0x4b, 0xd4, 0xef, 0x8a, 0x2c, 0x3b, /* AES-128 of 0 under key 0 */
                           0x88, 0x4c, 0xfa, 0x59, 0xca, 0x34, 0x2b, 0x2e},
                  z[16] = {0};
    for (int i = 0; i < 128; i++) {
        for (int j = 0; j < 16 && (x[i / 8] >> (7 - i % 8) & 1) != 0; j++) {
            z[j] ^= v[j];
        }
        int out = v[15] & 1;
        for (int j = 15; j >= 0; j--) {
            v[j] = (unsigned char)(v[j] >> 1 | (j > 0 ? v[j - 1] << 7 : 0));
        }
        v[0] ^= out != 0 ? 0xe1 : 0;
    }
    memcpy(x, z, 16);
}

static void by_hand(const unsigned char *bytes, size_t len, char hex[HS_GMAC_HEX])
{
    static const unsigned char mask[16] = {0x58, 0xe2, 0xfc, 0xce, 0xfa, 0x7e, 0x30, 0x61, /* AES-128 of 1, key 0 */
                                           0x36, 0x7f, 0x1d, 0x57, 0xa4, 0xe7, 0x45, 0x5a};
    unsigned char y[16] = {0};
    for (size_t i = 0; i < len; i++) {
        y[i % 16] ^= bytes[i];
        if (i % 16 == 15 || i + 1 == len) {
            times_h(y);
        }
    }
    for (size_t j = 0; j < 8; j++) {
        y[j] ^= (unsigned char)((uint64_t)len * 8 >> (56 - 8 * j));
    }
    times_h(y);
    for (size_t j = 0; j < 16; j++) {
        snprintf(hex + 2 * j, 3, "%02x", y[j] ^ mask[j]);
    }
}

static void test_by_hand(void **state)
{
    (void)state;
    unsigned char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(i * i * 31 + 7 * i);
    }
    for (size_t len = 0; len <= sizeof bytes; len = len * 3 + 1) {
        char got[HS_GMAC_HEX], want[HS_GMAC_HEX];
        hs_gmac g = {0};
        for (size_t at = 0, n; at < len; at += n) { /* pieces don't matter */
            hs_gmac part;
            n = len - at < 48 * (at + 1) ? len - at : 48 * (at + 1);
            assert_ok(hs_gmac_of(bytes + at, n, &part));
            assert_ok(hs_gmac_join(&g, 1, &part));
        }
        hs_gmac_hex(&g, got);
        by_hand(bytes, len, want);
        assert_string_equal(got, want);
        if (len == 0) { /* test case 1 of the standard's own list */
            assert_string_equal(got, "58e2fccefa7e3061367f1d57a4e7455a");
        }
    }
}

static void test_whole_blocks_only(void **state)
{
    (void)state;
    hs_gmac a, b;
    assert_ok(hs_gmac_of("seventeen letters", 17, &a));
    assert_ok(hs_gmac_of("more", 4, &b));
    assert_code(hs_gmac_join(&a, 1, &b), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_whole_blocks_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
