/* analysis/properties/edit_success.h on tables whose answers are plain. */
#include <math.h>

#include "analysis/properties/edit_success.h"
#include "tests/support/support.h"

enum { N = 40, M = 5, FACTORS = 3, ZERO = 1, K = 2 };
static const double strength[M] = {-1, 0, 1, 2, 3}, sd[FACTORS] = {2, 0.5, 1};

/* Factor 0 moves 0.8 sd a strength (4 % more or less by image), factor 1 -0.1 sd, factor 2 is a probability that
 * 3 of 4 images gain at strength 2; half of them have it already. */
static hs_edit_effects table(double *value, double *change, double *null)
{
    for (size_t i = 0; i < N; i++) {
        double sign = i % 2 == 0 ? 1 : -1;
        for (size_t j = 0; j < M; j++) {
            double s = strength[j];
            value[i * M + j] = (double)i + s * 1.6 * (1 + 0.04 * sign);
            value[(N + i) * M + j] = -0.05 * s;
            value[(2 * N + i) * M + j] = i < N / 2 ? 0.9 : s >= 2 && i % 4 != 0 ? 0.8 : 0.1;
            change[i * M + j] = 0.01 * s * s;
            for (size_t k = 0; k < K; k++) {
                null[(k * N + i) * M + j] = j == M - 1 || j == ZERO ? (k == 0 ? 0.2 : -0.4) * s : (double)NAN;
            }
        }
    }
    return (hs_edit_effects){.n = N,
                             .m = M,
                             .factors = FACTORS,
                             .zero = ZERO,
                             .strength = strength,
                             .value = value,
                             .sd = sd,
                             .change = change,
                             .K = K,
                             .null = null};
}

static double value[FACTORS * N * M], change[N * M], null[K * N * M];
static const hs_bootstrap_options boot = HS_BOOTSTRAP_OPTIONS_INIT;

static void continuous(void **state)
{
    (void)state;
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 3); /* 0.8 at strength 1, 1.6 at 2 */
    assert_near(out.effect.value, 1.6, 1e-12);
    assert_true(out.effect.lo > 1.57 && out.effect.lo < 1.6 && out.effect.hi > 1.6 && out.effect.hi < 1.63);
    assert_int_equal(out.most_else, 2); /* three eighths of the images by 0.7 */
    assert_near(out.else_effect.value, 0.375 * 0.7, 1e-12);
    assert_near(out.change, 0.2, 1e-12);
    assert_true(isnan(out.put_on.value) && isnan(out.naturalness) && isnan(out.random));
}

/* A direction that points the other way is used with negative strengths. */
static void flipped(void **state)
{
    (void)state;
    static const double down[M] = {-3, -2, -1, 0, 1};
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < M; j++) {
            value[i * M + j] = (double)i - 1.6 * down[j];
        }
    }
    e.strength = down;
    e.zero = 3;
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 1); /* 0.8 at -1, 1.6 at -2, 2.4 at -3, -0.8 at 1 */
    assert_near(out.effect.value, 1.6, 1e-12);
}

static void natural_only(void **state)
{
    (void)state;
    double median[M] = {1, 1, 2, 5, 9}, outside[M] = {0, 0.05, 0.1, 0.6, 1};
    hs_naturalness a = {
        .n = N, .m = M, .median = median, .outside = outside, .limit = 3, .low = -1, .high = 1, .reach = 1};
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    e.naturalness = &a;
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 2);
    assert_near(out.effect.value, 0.8, 1e-12);
    assert_near(out.naturalness, 2, 0);
    assert_near(out.outside, 0.1, 0);
    a.high = a.low = 0; /* nothing but the unedited is natural */
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, ZERO);
    assert_near(out.effect.value, 0, 0);
}

static void binary(void **state)
{
    (void)state;
    static const double halves[FACTORS] = {2, 0.5, 0.25};
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    e.target = 2;
    e.binary = 1;
    e.sd = halves;
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 3);
    assert_near(out.put_on.value, 0.75, 1e-12);
    assert_true(out.put_on.lo > 0.5 && out.put_on.lo < 0.7 && out.put_on.hi < 1);
    for (size_t i = N / 2; i < N; i++) { /* two of three gain it at strength 1: not enough, though it is 1 sd */
        value[(2 * N + i) * M + 2] = i % 3 != 0 ? 0.8 : 0.1;
    }
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 3);
}

static void random_directions(void **state)
{
    (void)state;
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    static const double wide[FACTORS] = {4, 0.5, 1};
    e.sd = wide; /* 1 sd is first reached at strength 3, where the null was run */
    assert_ok(hs_edit_success_measure(&e, &boot, &out));
    assert_int_equal(out.at, 4);
    assert_near(out.random, (0.6 + 1.2) / 2 / 4, 1e-12);
}

static void refused(void **state)
{
    (void)state;
    hs_edit_effects e = table(value, change, null);
    hs_edit_success out;
    e.m = 1;
    assert_code(hs_edit_success_measure(&e, &boot, &out), HS_ERANGE);
    static const double flat[FACTORS] = {1, 0, 1};
    e = table(value, change, null);
    e.sd = flat;
    assert_code(hs_edit_success_measure(&e, &boot, &out), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(continuous),        cmocka_unit_test(natural_only),
                                       cmocka_unit_test(flipped),           cmocka_unit_test(binary),
                                       cmocka_unit_test(random_directions), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
