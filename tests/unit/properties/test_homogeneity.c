/* Homogeneity of effects and transfers: closed forms, planted verdicts, coverage, degenerate tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/homogeneity.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/measured.h"
#include "tests/support/support.h"

enum { K = 8 };

/* A table at strengths -1, 0, 1 with effect e_i at 1 (and -e_i at -1), phi(0) standard normal / 3, nulls of rms noise.
 */
static hs_effects table_of(size_t n, const double *e, double noise, int positive)
{
    const double both[3] = {-1, 0, 1}, one[2] = {-1, 0};
    size_t m = positive ? 3 : 2;
    double *value, *null;
    float *z;
    hs_effects out = {0};
    assert_ok(hs_alloc(n * m, sizeof *value, &value));
    assert_ok(hs_alloc(K * n * m, sizeof *null, &null));
    assert_ok(hs_alloc((K + 1) * n, sizeof *z, &z));
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 7}, 0, (K + 1) * n, z);
    for (size_t i = 0; i < n; i++) {
        double base = (double)z[K * n + i] / 3;
        for (size_t j = 0; j < m; j++) {
            double s = positive ? both[j] : one[j];
            value[i * m + j] = base + s * e[i];
            for (size_t k = 0; k < K; k++) {
                null[(k * n + i) * m + j] = base + s * noise * (double)z[k * n + i];
            }
        }
    }
    assert_ok(hs_effects_create("smile", n, m, positive ? both : one, value, K, null, NULL, &out));
    free(value), free(null), free(z);
    return out;
}

static hs_measurement measure(const hs_effects *e)
{
    hs_measurement m = {0};
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    assert_ok(hs_homogeneity_effects(e, &o, &m));
    return m;
}

static hs_verdict verdict_of(size_t n, const double *e)
{
    hs_effects t = table_of(n, e, 0.05, 1);
    hs_measurement m = measure(&t);
    hs_verdict v = m.verdict;
    hs_effects_free(&t);
    hs_measurement_free(&m);
    return v;
}

/* e = 1 2 3 4: mean 2.5, s^2 5/3, mean square 7.5; all pairs' products (100 - 30) / 12. */
static void test_closed_form(void **state)
{
    (void)state;
    const double e[4] = {1, 2, 3, 4}, flipped[4] = {1, 1, 1, -1}, twice[4] = {2, 0, 1, 1};
    const double copies[5] = {1, 1, 2, 3, 4};
    double se;
    assert_near(hs_common_share(4, e, NULL, &se), (6.25 - 5.0 / 3 / 4) / 7.5, 1e-14);
    assert_near(hs_common_share(4, e, NULL, NULL), 70.0 / 12 / 7.5, 1e-14);
    assert_true(se > 0);
    assert_near(hs_common_share(4, flipped, NULL, NULL), 0, 1e-14);
    /* a copy of an image is no second image: pairs with weights w_i w_j */
    assert_near(hs_common_share(4, e, twice, NULL), (2 * (2 * 3 + 2 * 4 + 3 * 4) / 10.0) / (27.0 / 4), 1e-14);
    assert_true(hs_common_share(5, copies, NULL, NULL) > 0);
    hs_effects t = table_of(4, e, 0.05, 1);
    hs_measurement m = measure(&t);
    assert_near(statistic_of(&m, "common_share"), 70.0 / 12 / 7.5, 1e-12);
    assert_near(statistic_of(&m, "sign_agreement"), 1, 0);
    assert_near(statistic_of(&m, "effect_cv"), sqrt(5.0 / 3) / 2.5, 1e-12);
    assert_near(m.effect.value, sqrt(7.5), 1e-12);
    assert_true(isnan(statistic_of(&m, "transfer")) && isnan(statistic_of(&m, "share_common")));
    assert_string_equal(m.direction, "smile");
    hs_effects_free(&t);
    hs_measurement_free(&m);
}

static void fill(size_t n, uint64_t index, double mean, double sd, double *e)
{
    float *z;
    assert_ok(hs_alloc(n, sizeof *z, &z));
    hs_rng_normal((hs_rng){17, HS_RNG_TEST, index}, 0, n, z);
    for (size_t i = 0; i < n; i++) {
        e[i] = mean + sd * (double)z[i];
    }
    free(z);
}

static void test_verdicts(void **state)
{
    (void)state;
    enum { N = 96 };
    double e[N];
    fill(N, 0, 2, 0.5, e); /* 4 / 4.25 */
    assert_int_equal(verdict_of(N, e), HS_VERDICT_HOLDS);
    fill(N, 1, 2, 2, e); /* a half */
    assert_int_equal(verdict_of(N, e), HS_VERDICT_FAILS);
    fill(N, 2, 2, 0.4, e);
    for (size_t i = 0; i < N; i += 3) { /* a third goes the other way */
        e[i] = -e[i];
    }
    assert_int_equal(verdict_of(N, e), HS_VERDICT_FAILS);
    fill(N, 3, 2, 0.4, e);
    e[5] = 60; /* one outlier carries the mean square */
    assert_true(verdict_of(N, e) == HS_VERDICT_INCONCLUSIVE || verdict_of(N, e) == HS_VERDICT_FAILS);
    fill(N, 4, 0.1, 0.02, e); /* beats the null, but no standard deviation of phi */
    assert_int_equal(verdict_of(N, e), HS_VERDICT_INCONCLUSIVE);
    fill(N, 5, 0.01, 0.002, e);
    assert_int_equal(verdict_of(N, e), HS_VERDICT_NO_EFFECT);
}

/* 100 data sets of n = 32 at the edge, common share .8 exactly: `holds` may come in 2.5 %, 3 standard errors more is
 * 12; and skewed ones.  Coverage of bootstrap-t: at least .90. */
static void test_edge(void **state)
{
    (void)state;
    enum { N = 32, SETS = 100 };
    size_t holds = 0, skewed = 0, inside = 0;
    for (size_t k = 0; k < SETS; k++) {
        double e[N];
        fill(N, 100 + k, 2, 1, e); /* 4 / 5 */
        hs_effects t = table_of(N, e, 0.05, 1);
        hs_measurement m = measure(&t);
        holds += m.verdict == HS_VERDICT_HOLDS;
        inside += m.primary.lo <= 0.8 && m.primary.hi >= 0.8;
        hs_effects_free(&t);
        hs_measurement_free(&m);
        for (size_t i = 0; i < N; i++) { /* 1 + exponential: mean 2, deviation 1 */
            e[i] = 1 - log(1 - hs_rng_uniform((hs_rng){19, HS_RNG_TEST, k}, i));
        }
        skewed += verdict_of(N, e) == HS_VERDICT_HOLDS;
    }
    assert_true(holds <= 7);
    assert_true(skewed <= 9);
    assert_true(inside >= 86);
}

/* ---- Transfers ---- */

static hs_measurement with_transfers(size_t n, size_t R, double flip, double noise)
{
    double *own, *other;
    size_t *from;
    float *z;
    hs_measurement m = {0};
    assert_ok(hs_alloc(n, sizeof *own, &own));
    assert_ok(hs_alloc(n * R, sizeof *other, &other));
    assert_ok(hs_alloc(n * R, sizeof *from, &from));
    assert_ok(hs_alloc(n * R, sizeof *z, &z));
    hs_rng_normal((hs_rng){23, HS_RNG_TEST, 0}, 0, n * R, z);
    for (size_t i = 0; i < n; i++) {
        own[i] = 2;
        for (size_t q = 0; q < R; q++) {
            from[i * R + q] = (i + 1 + q) % n;
            other[i * R + q] = (hs_rng_uniform((hs_rng){29, HS_RNG_TEST, 0}, from[i * R + q]) < flip ? -2 : 2) +
                               noise * (double)z[i * R + q];
        }
    }
    hs_effects t = table_of(n, own, 0.05, 1);
    const hs_transfers transfers = {n, R, own, from, other};
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    o.transfers = &transfers;
    assert_ok(hs_homogeneity_effects(&t, &o, &m));
    hs_effects_free(&t);
    free(own), free(other), free(from), free(z);
    return m;
}

static void test_transfers(void **state)
{
    (void)state;
    hs_measurement m = with_transfers(64, 4, 0, 0.2);
    assert_near(statistic_of(&m, "transfer"), 1, 0.02);
    assert_near(m.standard, 0.5, 0);
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    hs_measurement_free(&m);
    m = with_transfers(64, 4, 0.38, 0.2); /* 62 % up, 38 % down */
    assert_int_equal(m.verdict, HS_VERDICT_FAILS);
    hs_measurement_free(&m);
}

static void test_changes(void **state)
{
    (void)state;
    const double e[3] = {1, 1, 1};
    const float change[3 * 4] = {1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0};
    hs_effects t = table_of(3, e, 0.05, 1);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_measurement m;
    o.change = change;
    o.f = 4;
    assert_ok(hs_homogeneity_effects(&t, &o, &m));
    assert_near(statistic_of(&m, "change_cosine"), (0 + 2 * sqrt(0.5)) / 3, 1e-6);
    /* less 1/4, 1/4, 1/2 each: cosines -1/3, and 1/2 / sqrt(3/4) twice */
    assert_near(statistic_of(&m, "change_cosine_removed"), (-1.0 / 3 + 2 * (0.5 / sqrt(0.75))) / 3, 1e-6);
    hs_measurement_free(&m);
    hs_effects_free(&t);
}

/* ---- Degenerate ---- */

static void test_degenerate(void **state)
{
    (void)state;
    double e[40];
    fill(40, 0, 2, 0.2, e);
    hs_effects t = table_of(1, e, 0.05, 1);
    hs_measurement m = measure(&t);
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    hs_measurement_free(&m);
    hs_effects_free(&t);
    t = table_of(40, e, 0.05, 0); /* strengths -1 and 0 */
    m = measure(&t);
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(m.reason, "positive"));
    hs_measurement_free(&m);
    t.K = 0;
    m = measure(&t);
    assert_false(m.has_null);
    assert_non_null(strstr(m.reason, "null missing"));
    hs_measurement_free(&m);
    t.K = K;
    hs_effects_free(&t);
    memset(e, 0, sizeof e);
    t = table_of(40, e, 0.05, 1);
    m = measure(&t);
    assert_int_equal(m.verdict, HS_VERDICT_NO_EFFECT);
    assert_true(isnan(m.primary.value) && m.primary.reason != NULL);
    hs_measurement_free(&m);
    hs_effects_free(&t);
    for (size_t i = 0; i < 40; i++) {
        e[i] = 2;
    }
    t = table_of(40, e, 0.05, 1);
    m = measure(&t); /* every image the same */
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    hs_measurement_free(&m);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    const size_t self[40] = {0};
    const hs_transfers bad = {40, 1, e, self, e};
    o.standard = 1.5;
    assert_code(hs_homogeneity_effects(&t, &o, &m), HS_ERANGE);
    o.standard = 0.8;
    o.transfers = &bad;
    assert_code(hs_homogeneity_effects(&t, &o, &m), HS_ESHAPE);
    hs_effects_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_form), cmocka_unit_test(test_verdicts), cmocka_unit_test(test_edge),
        cmocka_unit_test(test_transfers),   cmocka_unit_test(test_changes),  cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
