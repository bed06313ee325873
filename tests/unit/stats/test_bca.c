/* BCa, bootstrap-t and jackknife intervals: reference resamples, planted coverage, degenerate inputs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

enum { GOLDEN_N = 60, GOLDEN_B = 2000 };
static const char golden[] = "golden-stats/bca.json";

/* The given resamples as weights: (B, n). */
static double *golden_weights(void)
{
    FILE *f = fopen(shared_data("golden-stats/bca_index.npy"), "rb");
    unsigned char head[10], *index;
    double *w;
    assert_non_null(f);
    assert_int_equal(fread(head, 1, sizeof head, f), sizeof head);
    assert_int_equal(fseek(f, 10 + head[8] + 256 * head[9], SEEK_SET), 0);
    assert_ok(hs_alloc(GOLDEN_B, GOLDEN_N, &index));
    assert_int_equal(fread(index, 1, (size_t)GOLDEN_B * GOLDEN_N, f), (size_t)GOLDEN_B * GOLDEN_N);
    fclose(f);
    assert_ok(hs_calloc((size_t)GOLDEN_B * GOLDEN_N, sizeof *w, &w));
    for (size_t b = 0; b < GOLDEN_B; b++) {
        for (size_t i = 0; i < GOLDEN_N; i++) {
            w[b * GOLDEN_N + index[b * GOLDEN_N + i]] += 1;
        }
    }
    free(index);
    return w;
}

static double mean_of(const double *x, const double *w)
{
    return hs_mean(GOLDEN_N, x, w);
}

static double sd_of(const double *x, const double *w)
{
    return hs_sd(GOLDEN_N, x, w);
}

static void check_golden(const char *name, double (*of)(const double *, const double *), const double *x,
                         const double *w)
{
    char path[64];
    double theta[GOLDEN_B], loo[GOLDEN_N], one[GOLDEN_N];
    for (size_t b = 0; b < GOLDEN_B; b++) {
        theta[b] = of(x, w + b * GOLDEN_N);
    }
    for (size_t i = 0; i < GOLDEN_N; i++) {
        for (size_t j = 0; j < GOLDEN_N; j++) {
            one[j] = j != i;
        }
        loo[i] = of(x, one);
    }
    hs_interval ci = hs_bca_interval(of(x, NULL), GOLDEN_N, GOLDEN_B, theta, loo, 0.95);
    snprintf(path, sizeof path, "%s/value", name);
    assert_near(ci.value, shared_number(golden, path), 1e-12 * ci.value);
    snprintf(path, sizeof path, "%s/ci_low", name);
    assert_near(ci.lo, shared_number(golden, path), 1e-9 * ci.value);
    snprintf(path, sizeof path, "%s/ci_high", name);
    assert_near(ci.hi, shared_number(golden, path), 1e-9 * ci.value);
}

static void test_golden(void **state)
{
    (void)state;
    need_shared("golden-stats/bca.json");
    double x[GOLDEN_N], *w = golden_weights();
    for (size_t i = 0; i < GOLDEN_N; i++) {
        char path[16];
        snprintf(path, sizeof path, "x/%zu", i);
        x[i] = shared_number(golden, path);
    }
    check_golden("mean", mean_of, x, w);
    check_golden("sd", sd_of, x, w);
    free(w);
}

/* ---- Planted coverage ---- */

/* Mean product over pairs of different images: estimates the square of the mean without bias. */
typedef struct {
    size_t n;
    const double *x;
} sample;

static void pairs(const void *ctx, const double *w, double *theta, void *scratch)
{
    const sample *s = ctx;
    double sum = 0, square = 0, weight = 0, squares = 0;
    (void)scratch;
    for (size_t i = 0; i < s->n; i++) {
        sum += w[i] * s->x[i];
        square += w[i] * w[i] * s->x[i] * s->x[i];
        weight += w[i];
        squares += w[i] * w[i];
    }
    theta[0] = (sum * sum - square) / (weight * weight - squares);
}

/* 200 data sets of 48 normal numbers with mean and deviation 1; 3 standard errors of a share of .95 are .046. */
static void test_coverage(void **state)
{
    (void)state;
    enum { SETS = 200, N = 48 };
    size_t inside = 0, jack = 0;
    double sum = 0;
    for (size_t k = 0; k < SETS; k++) {
        double x[N], loo[N], w[N];
        float z[N];
        hs_rng_normal((hs_rng){5, HS_RNG_TEST, k}, 0, N, z);
        for (size_t i = 0; i < N; i++) {
            x[i] = 1 + (double)z[i];
        }
        sample s = {N, x};
        hs_statistic st = {.n = N, .q = 1, .eval = pairs, .ctx = &s};
        hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
        hs_interval ci;
        o.B = 2000;
        o.seed = k;
        assert_ok(hs_bootstrap_bca(&st, &o, &ci));
        inside += ci.lo <= 1 && ci.hi >= 1;
        sum += ci.value;
        for (size_t i = 0; i < N; i++) {
            for (size_t j = 0; j < N; j++) {
                w[j] = j != i;
            }
            pairs(&s, w, &loo[i], NULL);
        }
        ci = hs_jackknife_interval(ci.value, N, loo, 0.95);
        jack += ci.lo <= 1 && ci.hi >= 1;
    }
    assert_true(inside > 0.90 * SETS && inside < 0.995 * SETS);
    assert_true(jack > 0.90 * SETS && jack < 0.995 * SETS);
    assert_near(sum / SETS, 1, 0.062); /* 3 standard errors: the deviation of a set is 2 / sqrt(48) */
}

static void test_bootstrap_t(void **state)
{
    (void)state;
    enum { B = 999 };
    double theta[B], se[B];
    for (size_t b = 0; b < B; b++) { /* t* = -1 ... 1 evenly: quantiles -.95 and .95 */
        theta[b] = 3 + 2 * (-1 + 2 * (double)b / (B - 1));
        se[b] = 2;
    }
    hs_interval ci = hs_bootstrap_t_interval(3, 0.5, 20, B, theta, se, 0.95);
    assert_near(ci.lo, 3 - 0.95 * 0.5, 1e-12);
    assert_near(ci.hi, 3 + 0.95 * 0.5, 1e-12);
    assert_non_null(hs_bootstrap_t_interval(3, 0, 20, B, theta, se, 0.95).reason);
}

/* n = 5: t_4 = 2.776445, z = 3.104161; tail of the normal there .0009541.  n large: nothing changes. */
static void test_expanded(void **state)
{
    (void)state;
    assert_near(hs_expanded_level(0.95, 5, 1000000), 1 - 2 * 0.0009541, 2e-6);
    assert_near(hs_expanded_level(0.95, 1000000, 2000), 0.95, 1e-5);
    assert_near(hs_expanded_level(0.95, 5, 2000), 0.989, 1e-12);
    assert_near(hs_expanded_level(0.95, 5, 100), 0.95, 0);
    assert_near(hs_expanded_level(0.95, 1, 2000), 0.95, 0);
}

/* ---- Degenerate ---- */

static void constant(const void *ctx, const double *w, double *theta, void *scratch)
{
    (void)ctx, (void)w, (void)scratch;
    theta[0] = 7;
    theta[1] = NAN;
}

static void test_degenerate(void **state)
{
    (void)state;
    hs_statistic st = {.n = 8, .q = 2, .eval = constant};
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    hs_interval ci[2];
    double theta[1000], loo[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    assert_ok(hs_bootstrap_bca(&st, &o, ci));
    assert_near(ci[0].lo, 7, 0);
    assert_near(ci[0].hi, 7, 0);
    assert_true(isnan(ci[1].value) && isnan(ci[1].lo) && ci[1].reason != NULL);
    st.n = 1;
    assert_ok(hs_bootstrap_bca(&st, &o, ci));
    assert_true(isnan(ci[0].lo) && ci[0].reason != NULL);
    o.B = 0;
    assert_code(hs_bootstrap_bca(&st, &o, ci), HS_ERANGE);
    for (size_t b = 0; b < 1000; b++) {
        theta[b] = 2 + (double)b;
    }
    assert_non_null(strstr(hs_bca_interval(1, 8, 1000, theta, loo, 0.95).reason, "one side"));
    loo[3] = NAN;
    assert_non_null(strstr(hs_bca_interval(500, 8, 1000, theta, loo, 0.95).reason, "without one"));
    assert_non_null(hs_bca_interval(500, 8, 300, theta, loo, 0.95).reason); /* a tail of 7.5 resamples */
    assert_non_null(hs_jackknife_interval(1, 2, loo, 0.95).reason);
    assert_non_null(hs_jackknife_interval(1, 8, loo, 0.95).reason);
}

/* ---- Families ---- */

static void test_holm(void **state)
{
    (void)state;
    const double p[5] = {0.04, 0.01, NAN, 0.03, 0.005}, want[5] = {0.06, 0.03, 0, 0.06, 0.02};
    double q[5];
    size_t order[5];
    hs_holm(5, p, order, q);
    for (size_t i = 0; i < 5; i++) {
        if (i == 2) {
            assert_true(isnan(q[i]));
        } else {
            assert_near(q[i], want[i], 1e-15);
        }
    }
}

static void test_permutation(void **state)
{
    (void)state;
    const double null[4] = {1, 2, 3, 4}, broken[2] = {1, NAN};
    size_t perm[50], again[50], count[50] = {0}, moved = 0;
    assert_near(hs_permutation_p(4, null, 3.5), 0.4, 1e-15);
    assert_near(hs_permutation_p(4, null, 9), 0.2, 1e-15);
    assert_true(isnan(hs_permutation_p(0, null, 1)));
    assert_true(isnan(hs_permutation_p(2, broken, 1)));
    hs_permutation(3, 0, 50, perm);
    hs_permutation(3, 0, 50, again);
    assert_memory_equal(perm, again, sizeof perm);
    for (size_t i = 0; i < 50; i++) {
        count[perm[i]]++;
        moved += perm[i] != i;
    }
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(count[i], 1);
    }
    assert_true(moved > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),      cmocka_unit_test(test_coverage),   cmocka_unit_test(test_bootstrap_t),
        cmocka_unit_test(test_expanded),    cmocka_unit_test(test_degenerate), cmocka_unit_test(test_holm),
        cmocka_unit_test(test_permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
