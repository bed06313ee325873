/* core/base: errors, text, memory, random streams, SHA-256. */
#include <math.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/sha256.h"
#include "core/base/text.h"
#include "tests/support/support.h"

static void test_error_message_is_one_clean_line(void **state)
{
    (void)state;
    assert_int_equal(hs_fail(HS_EFORMAT, "%s: bad\nname\033[2J", "f"), HS_EFORMAT);
    assert_string_equal(hs_error_message(), "f: bad\\x0aname\\x1b[2J");
    assert_int_equal(hs_fail_in(HS_EFORMAT, "w.pth"), HS_EFORMAT);
    assert_string_equal(hs_error_message(), "w.pth: f: bad\\x0aname\\x1b[2J");
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const int map[][2] = {{HS_OK, 0},       {HS_EBUG, 1},        {HS_ERANGE, 2},    {HS_ESHAPE, 2},
                                 {HS_EFORMAT, 3},  {HS_ELIMIT, 4},      {HS_ENOMEM, 4},    {HS_EIO, 5},
                                 {HS_ENOCONV, 6},  {HS_EDEGENERATE, 6}, {HS_ECHECKSUM, 7}, {HS_ELOCKED, 8},
                                 {HS_ESTOPPED, 75}};
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        assert_int_equal(hs_exit_code(map[i][0]), map[i][1]);
    }
}

static void test_strict_numbers(void **state)
{
    (void)state;
    int64_t i;
    double d;
    uint64_t u;
    static const char *const bad[] = {"", " 1", "1 ", "0x10", "10k", "1e400", "nan", "inf", "--1", "1.5.2", "+", "."};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        assert_code(hs_text_f64(bad[k], -1e300, 1e300, &d), HS_ERANGE);
        assert_code(hs_text_i64(bad[k], INT64_MIN, INT64_MAX, &i), HS_ERANGE);
    }
    assert_ok(hs_text_f64("-2.5e-1", -1, 1, &d));
    assert_near(d, -0.25, 0);
    assert_ok(hs_text_i64("-7", -10, 10, &i));
    assert_int_equal(i, -7);
    assert_code(hs_text_i64("11", -10, 10, &i), HS_ERANGE);
    assert_code(hs_text_u64("18446744073709551616", &u), HS_ERANGE);
    assert_ok(hs_text_u64("18446744073709551615", &u));
    assert_true(u == UINT64_MAX);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(hs_text_is_utf8("a\xc3\xa9\xe2\x82\xac", 6));
    assert_false(hs_text_is_utf8("\xc0\xaf", 2));
    assert_false(hs_text_is_utf8("\xed\xa0\x80", 3));
    assert_false(hs_text_is_utf8("\xff", 1));
}

static void test_sizes_never_wrap(void **state)
{
    (void)state;
    size_t v = 7;
    assert_code(hs_size_mul(SIZE_MAX, 2, &v), HS_ELIMIT);
    assert_code(hs_size_add(SIZE_MAX, 1, &v), HS_ELIMIT);
    assert_int_equal(v, 7);
    const uint64_t wraps[] = {4294967296u, 4294967296u}, hidden[] = {0, UINT64_MAX, 2}, plain[] = {2, 3, 4};
    assert_code(hs_size_product(2, wraps, &v), HS_ELIMIT);
    assert_code(hs_size_product(3, hidden, &v), HS_ELIMIT);
    assert_ok(hs_size_product(3, plain, &v));
    assert_int_equal(v, 24);
    void *p = &v;
    assert_code(hs_alloc(SIZE_MAX / 2, 3, &p), HS_ELIMIT);
    assert_null(p);
}

static void test_arena_aligns(void **state)
{
    (void)state;
    hs_arena a = {0};
    for (size_t i = 1; i < 50; i++) {
        char *p;
        assert_ok(hs_arena_alloc(&a, i, 3, &p));
        assert_int_equal((uintptr_t)p % HS_ALIGN, 0);
        memset(p, 1, 3 * i);
    }
    assert_int_equal(a.total, 3 * 49 * 50 / 2);
    hs_arena_free(&a);
}

/* Known answer of Philox4x32-10 for key and counter 0 (Random123's kat_vectors). */
static void test_philox_known_answer(void **state)
{
    (void)state;
    uint32_t v[4];
    hs_rng zero = {0, (hs_rng_purpose)0, 0};
    hs_rng_u32(zero, 0, 4, v);
    assert_int_equal(v[0], 0x6627e8d5u);
    assert_int_equal(v[1], 0xe169c58du);
    assert_int_equal(v[2], 0xbc57ac4cu);
    assert_int_equal(v[3], 0x9b00dbd8u);
}

static void test_streams_are_positional_and_distinct(void **state)
{
    (void)state;
    float a[1000], b[7];
    hs_rng s = {42, HS_RNG_TEST, 3}, other = {42, HS_RNG_TEST, 4};
    hs_rng_normal(s, 0, 1000, a);
    hs_rng_normal(s, 501, 7, b);
    assert_memory_equal(a + 501, b, sizeof b);
    hs_rng_normal(other, 501, 7, b);
    assert_memory_not_equal(a + 501, b, sizeof b);
}

static void test_normals_have_the_moments(void **state)
{
    (void)state;
    enum { N = 200000 };
    static float z[N];
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N, z);
    double m1 = 0, m2 = 0, m4 = 0;
    for (size_t i = 0; i < N; i++) {
        double v = z[i];
        m1 += v / N;
        m2 += v * v / N;
        m4 += v * v * v * v / N;
    }
    assert_near(m1, 0, 5 / sqrt(N));        /* 5 sd of the mean */
    assert_near(m2, 1, 5 * sqrt(2.0 / N));  /* var of z^2 is 2 */
    assert_near(m4, 3, 5 * sqrt(96.0 / N)); /* var of z^4 is 96 */
}

/* FIPS 180-4's example: the digest of "abc". */
static void test_sha256_of_abc(void **state)
{
    (void)state;
    char hex[HS_SHA256_HEX];
    assert_ok(hs_sha256_of("abc", 3, hex));
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_distance(void **state)
{
    (void)state;
    assert_int_equal(hs_text_distance("strength", "strenght"), 1);
    assert_int_equal(hs_text_distance("", "abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_message_is_one_clean_line),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_strict_numbers),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_sizes_never_wrap),
        cmocka_unit_test(test_arena_aligns),
        cmocka_unit_test(test_philox_known_answer),
        cmocka_unit_test(test_streams_are_positional_and_distinct),
        cmocka_unit_test(test_normals_have_the_moments),
        cmocka_unit_test(test_sha256_of_abc),
        cmocka_unit_test(test_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
