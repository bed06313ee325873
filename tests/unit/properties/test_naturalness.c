/* analysis/properties/naturalness.h on planted clouds. */
#include <math.h>
#include <stdlib.h>

#include "analysis/properties/naturalness.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 256, M = 5, F = 12, ZERO = 2, CLEAN = 500 };
static const double strength[M] = {-2, -1, 0, 1, 2};

/* Features: normal with sds 1 ... 1/F and a rotation of the first two; strength j adds `step` times its place. */
static void plant(const double *step, size_t n, size_t m, float *feat)
{
    for (size_t i = 0; i < n; i++) {
        float z[F];
        hs_rng_normal((hs_rng){7, HS_RNG_TEST, m}, i * F, F, z);
        for (size_t j = 0; j < m; j++) {
            for (size_t k = 0; k < F; k++) {
                double shift = m == 1 ? 0 : ((double)j - ZERO) * step[k];
                feat[(i * m + j) * F + k] = (float)((double)z[k] / (double)(k + 1) + shift);
            }
        }
    }
}

static void run(const double *step, int given, hs_naturalness *a)
{
    static float feat[N * M * F], clean[CLEAN * F];
    plant(step, N, M, feat);
    plant(step, CLEAN, 1, clean);
    assert_ok(hs_naturalness_measure(N, M, strength, F, feat, given ? CLEAN : 0, given ? clean : NULL, a));
}

/* Shifts of a third of a standard deviation along the widest feature stay; the same length along the narrowest, which
 * is four of its standard deviations, doesn't. */
static void shifts(void **state)
{
    (void)state;
    for (int given = 0; given < 2; given++) {
        double wide[F] = {0.33}, narrow[F] = {0};
        hs_naturalness a = {0};
        narrow[F - 1] = 0.33;
        run(wide, given, &a);
        assert_true(a.low == -2 && a.high == 2 && a.reach == 2);
        assert_true(a.outside[ZERO] <= 0.07);
        hs_naturalness_free(&a);
        run(narrow, given, &a);
        assert_true(a.low == 0 && a.reach == 0);
        assert_true(a.high == 0);
        assert_true(a.outside[0] > 0.9);
        assert_true(a.median[0] > a.limit);
        hs_naturalness_free(&a);
    }
}

/* Unedited images of a model of 12 dimensions lie sqrt(chi^2_12) away: median 3.37, 95th percentile 4.59. */
static void calibrated(void **state)
{
    (void)state;
    double none[F] = {0};
    hs_naturalness a = {0};
    run(none, 1, &a);
    assert_near(a.median[ZERO], 3.37, 0.12);
    assert_near(a.limit, 4.59, 0.2);
    for (size_t j = 0; j < M; j++) {
        assert_near(a.median[j], a.median[ZERO], 1e-9);
    }
    hs_naturalness_free(&a);
}

static void too_few(void **state)
{
    (void)state;
    static float feat[N * M * F];
    hs_naturalness a = {0};
    assert_code(hs_naturalness_measure(15, M, strength, F, feat, 0, NULL, &a), HS_EDEGENERATE);
    assert_code(hs_naturalness_measure(N, M, strength, F, feat, 7, feat, &a), HS_EDEGENERATE);
    assert_code(hs_naturalness_measure(N, M, strength, F, feat, 0, NULL, &a), HS_EDEGENERATE); /* all one point */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shifts), cmocka_unit_test(calibrated),
                                       cmocka_unit_test(too_few)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
