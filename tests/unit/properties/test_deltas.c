/* Per-sample deltas: the reference numbers of real data, identities, pooling, homogeneity and consistency verdicts. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency.h"
#include "analysis/properties/homogeneity.h"
#include "core/base/alloc.h"
#include "tests/support/delta_sample.h"
#include "tests/support/measured.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static const char golden[] = "golden-stats/directions.json";

static double want(const char *net, const char *path)
{
    char full[128];
    snprintf(full, sizeof full, "%s/%s", net, path);
    return shared_number(golden, full);
}

static hs_measurement homogeneity(const hs_deltas *x, const hs_deltas *null)
{
    hs_measurement m = {0};
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    o.null_deltas = null;
    assert_ok(hs_homogeneity_deltas(x, &o, &m));
    return m;
}

static hs_consistency consistency(const hs_deltas *x, const hs_deltas *null)
{
    hs_consistency c = {0};
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    o.null_deltas = null;
    assert_ok(hs_consistency_measure(x, &o, &c));
    return c;
}

/* ---- Reference numbers ---- */

static void check_homogeneity(const char *net, const hs_deltas *x, double tolerance)
{
    static const char *const name[][2] = {{"share_common", "g"},
                                          {"share_step", "tau"},
                                          {"share_sample", "a"},
                                          {"share_rest", "r"},
                                          {"share_common_corrected", "corrected/g"},
                                          {"share_homogeneous_corrected", "corrected/homogeneity"}};
    char path[64];
    hs_measurement m = homogeneity(x, NULL);
    for (size_t i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "twoway/%s", name[i][1]);
        assert_near(statistic_of(&m, name[i][0]), want(net, path), tolerance);
    }
    double sum = statistic_of(&m, "share_common") + statistic_of(&m, "share_step") + statistic_of(&m, "share_sample");
    assert_near(sum + statistic_of(&m, "share_rest"), 1, 1e-12);
    for (size_t k = 0; k < 3; k++) {
        char at[32];
        snprintf(path, sizeof path, "concentration/%zu", k);
        snprintf(at, sizeof at, "concentration[%zu]", k);
        assert_near(statistic_of(&m, at), want(net, path), tolerance);
    }
    hs_measurement_free(&m);
}

static void check_consistency(const char *net, const hs_deltas *x)
{
    hs_consistency c = consistency(x, NULL);
    assert_near(statistic_of(&c.result, "share_consistent"), want(net, "twoway/corrected/consistency"), 2e-6);
    assert_near(statistic_of(&c.result, "effective_rank"), want(net, "paired/effrank_unit"), 2e-6);
    assert_near(statistic_of(&c.result, "effective_rank_raw"), want(net, "paired/effrank_raw"), 2e-6);
    for (size_t k = 0; k < 3; k++) {
        for (size_t l = k + 1; l < 3; l++) {
            char path[64], name[64];
            snprintf(path, sizeof path, "paired/cosine/%zu/%zu", k, l);
            snprintf(name, sizeof name, "cosine[%zu,%zu]", k, l);
            assert_near(statistic_of(&c.result, name), want(net, path), 2e-6);
            assert_near(c.cosine[l * 3 + k], want(net, path), 2e-6);
            snprintf(path, sizeof path, "paired/Cstar_u/%zu/%zu", k, l);
            snprintf(name, sizeof name, "cosine_disattenuated[%zu,%zu]", k, l);
            assert_near(statistic_of(&c.result, name), want(net, path), 2e-6);
        }
    }
    hs_consistency_free(&c);
}

static void test_golden(void **state)
{
    static const char *const net[] = {"charles", "pulfer"};
    (void)state;
    need_shared("golden-stats/directions.json");
    for (size_t i = 0; i < 2; i++) {
        size_t n, d;
        char null[32];
        snprintf(null, sizeof null, "null/%s", net[i]);
        float *v = deltas_golden(net[i], 0, &n, &d);
        hs_deltas x = deltas_of(n, 3, d, NULL, v);
        check_homogeneity(net[i], &x, 1e-6);
        check_consistency(net[i], &x);
        hs_deltas_free(&x);
        free(v);
        v = deltas_golden(net[i], 1, &n, &d);
        x = deltas_of(n, 3, d, NULL, v);
        check_homogeneity(null, &x, 1e-6);
        hs_measurement m = homogeneity(&x, NULL);
        assert_int_equal(m.verdict, HS_VERDICT_NO_EFFECT);
        hs_measurement_free(&m);
        hs_deltas_free(&x);
        free(v);
    }
}

/* BCa of a concentration against the given resamples' interval: other resamples, so to Monte Carlo error; ours is
 * expanded, z 2.018 instead of 1.960 times a bootstrap deviation of .017. */
static void test_golden_interval(void **state)
{
    (void)state;
    need_shared("golden-stats/bca.json");
    size_t n, d;
    float *v = deltas_golden("charles", 0, &n, &d);
    for (size_t i = 0; i < 60; i++) { /* the step t = 200 alone */
        memmove(v + i * d, v + (i * 3 + 1) * d, d * sizeof *v);
    }
    hs_deltas x = deltas_of(60, 1, d, NULL, v);
    hs_measurement m = homogeneity(&x, NULL);
    const hs_estimate *e = hs_measurement_find(&m, "concentration[0]");
    const char *file = "golden-stats/bca.json";
    assert_near(e->value, shared_number(file, "concentration_pairs_dropped/value"), 1e-6);
    assert_near(e->lo, shared_number(file, "concentration_pairs_dropped/ci_low") - 0.001, 0.004);
    assert_near(e->hi, shared_number(file, "concentration_pairs_dropped/ci_high") + 0.001, 0.004);
    hs_measurement_free(&m);
    hs_deltas_free(&x);
    free(v);
}

/* h of the trained 64 x 64 model itself, as (image, step): one common vector. */
static void test_golden_h(void **state)
{
    (void)state;
    need_shared("golden-stats/ft.json");
    size_t dim[5], d = 512 * 64;
    float *h = shared_floats("anime64/golden_h.npy", 5, dim), *v;
    assert_ok(hs_alloc(16, d * sizeof *v, &v));
    for (size_t i = 0; i < 16; i++) {
        memcpy(v + i * d, h + (i % 4 * 4 + i / 4) * d, d * sizeof *v);
    }
    hs_deltas x = deltas_of(4, 4, d, NULL, v);
    hs_measurement m = homogeneity(&x, NULL);
    const char *file = "golden-stats/ft.json";
    assert_near(statistic_of(&m, "share_common"), shared_number(file, "twoway_4x4/h_itself/g"), 1e-6);
    assert_near(statistic_of(&m, "share_rest"), shared_number(file, "twoway_4x4/h_itself/r"), 1e-9);
    assert_near(statistic_of(&m, "share_homogeneous_corrected"),
                shared_number(file, "twoway_4x4/h_itself/corrected/homogeneity"), 1e-6);
    assert_near(statistic_of(&m, "concentration[3]"), shared_number(file, "twoway_4x4/h_itself/concentration/3"), 1e-6);
    hs_measurement_free(&m);
    hs_deltas_free(&x);
    free(h);
    free(v);
}

/* ---- Planted truth ---- */

enum { SETS = 60, N = 32, S = 4, D = 60 };

/* Coverage of g + tau, g / (g + tau) and cosines: 3 standard errors of a share of .95 of 60 are .085. */
static void test_planted(void **state)
{
    (void)state;
    size_t shares = 0, consistent = 0, cosines = 0;
    double sum = 0;
    const double g = 0.4, tau = 0.2, c = (g - tau / (S - 1)) / (g + tau);
    for (size_t k = 0; k < SETS; k++) {
        float *v = deltas_planted(N, S, D, g, tau, 0.5, k);
        hs_deltas x = deltas_of(N, S, D, NULL, v);
        hs_measurement m = homogeneity(&x, NULL);
        hs_consistency q = consistency(&x, NULL);
        const hs_estimate *e = hs_measurement_find(&q.result, "cosine_disattenuated[0,2]");
        shares += m.primary.lo <= g + tau && m.primary.hi >= g + tau;
        sum += m.primary.value;
        consistent += q.result.primary.lo <= g / (g + tau) && q.result.primary.hi >= g / (g + tau);
        cosines += e->lo <= c && e->hi >= c;
        assert_int_equal(m.verdict == HS_VERDICT_FAILS, 0);
        hs_measurement_free(&m);
        hs_consistency_free(&q);
        hs_deltas_free(&x);
        free(v);
    }
    assert_true(shares >= 52 && consistent >= 52 && cosines >= 52);
    assert_near(sum / SETS, g + tau, 0.013);
}

static hs_verdict verdict_of(double g, double tau, int of_steps)
{
    float *v = deltas_planted(64, S, D, g, tau, 0.5, 5);
    hs_deltas x = deltas_of(64, S, D, NULL, v);
    hs_measurement m = homogeneity(&x, NULL);
    hs_consistency c = consistency(&x, NULL);
    hs_verdict a = of_steps ? c.result.verdict : m.verdict;
    hs_measurement_free(&m);
    hs_consistency_free(&c);
    hs_deltas_free(&x);
    free(v);
    return a;
}

static void test_verdicts(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(0.6, 0.1, 0), HS_VERDICT_HOLDS);
    assert_int_equal(verdict_of(0.2, 0.05, 0), HS_VERDICT_FAILS);
    assert_int_equal(verdict_of(0, 0, 0), HS_VERDICT_NO_EFFECT);
    assert_int_equal(verdict_of(0.6, 0.1, 1), HS_VERDICT_HOLDS);
    assert_int_equal(verdict_of(0.3, 0.6, 1), HS_VERDICT_FAILS);
    assert_int_equal(verdict_of(0, 0.6, 1), HS_VERDICT_NO_EFFECT);
}

/* A direction all networks share, the untrained one too. */
static void test_shared_bias(void **state)
{
    (void)state;
    float *v = deltas_planted(64, S, D, 0.7, 0.05, 0.5, 1), *bias = deltas_planted(64, S, D, 0.8, 0.03, 0.5, 2);
    hs_deltas x = deltas_of(64, S, D, NULL, v), null = deltas_of(64, S, D, NULL, bias);
    hs_measurement m = homogeneity(&x, &null);
    hs_consistency c = consistency(&x, &null);
    assert_int_equal(m.verdict, HS_VERDICT_NO_EFFECT);
    assert_int_equal(c.result.verdict, HS_VERDICT_NO_EFFECT);
    hs_measurement_free(&m);
    hs_consistency_free(&c);
    hs_deltas_free(&x), hs_deltas_free(&null);
    free(v), free(bias);
}

/* -log C* = |t_k - t_l| / 200: a stationary family of means, without noise. */
static void test_decay(void **state)
{
    (void)state;
    enum { STEPS = 5, IMAGES = 12 };
    static const int t[STEPS] = {800, 600, 500, 250, 0};
    float v[IMAGES * STEPS * STEPS] = {0};
    double L[STEPS][STEPS] = {{0}};
    for (size_t k = 0; k < STEPS; k++) { /* Cholesky of exp(-|t_k - t_l| / 200): rows are the means */
        for (size_t l = 0; l <= k; l++) {
            double s = exp(-fabs((double)(t[k] - t[l])) / 200);
            for (size_t j = 0; j < l; j++) {
                s -= L[k][j] * L[l][j];
            }
            L[k][l] = k == l ? sqrt(s) : s / L[l][l];
        }
    }
    for (size_t i = 0; i < IMAGES * STEPS * STEPS; i++) { /* image i scales its deltas by 1 + i / 12 */
        double scale = 1 + (double)(i / (STEPS * STEPS)) / IMAGES;
        v[i] = (float)(scale * L[i / STEPS % STEPS][i % STEPS]);
    }
    hs_deltas x = deltas_of(IMAGES, STEPS, STEPS, t, v);
    hs_consistency c = consistency(&x, NULL);
    assert_near(statistic_of(&c.result, "decay_length"), 200, 1e-3);
    assert_near(statistic_of(&c.result, "cosine_disattenuated[0,1]"), exp(-1), 1e-6);
    assert_near(statistic_of(&c.result, "decay_pairs_dropped"), 0, 0);
    hs_consistency_free(&c);
    hs_deltas_free(&x);
}

/* ---- What must not matter ---- */

static void test_unchanged(void **state)
{
    (void)state;
    float *v = deltas_planted(40, S, D, 0.3, 0.2, 0.3, 9), *w;
    assert_ok(hs_alloc(40, S * D * sizeof *w, &w));
    for (size_t i = 0; i < 40; i++) { /* images reversed, in other units */
        for (size_t j = 0; j < S * D; j++) {
            w[i * S * D + j] = 1024 * v[(39 - i) * S * D + j];
        }
    }
    hs_deltas x = deltas_of(40, S, D, NULL, v), y = deltas_of(40, S, D, NULL, w), z = deltas_pooled(40, S, D, v);
    hs_measurement a = homogeneity(&x, NULL), b = homogeneity(&y, NULL), c = homogeneity(&z, NULL);
    for (size_t i = 0; i < a.n_statistics; i++) {
        if (!isnan(a.statistic[i].value)) {
            assert_near(a.statistic[i].value, b.statistic[i].value, 1e-10);
        }
    }
    /* pooled into 32 units of one or two images: the plug-in shares are the same numbers */
    assert_int_equal(z.units, 32);
    assert_near(statistic_of(&a, "share_common"), statistic_of(&c, "share_common"), 1e-10);
    assert_near(statistic_of(&a, "share_sample"), statistic_of(&c, "share_sample"), 1e-10);
    assert_near(statistic_of(&a, "share_homogeneous_corrected"), statistic_of(&c, "share_homogeneous_corrected"), 0.01);
    assert_near(statistic_of(&a, "concentration[1]"), statistic_of(&c, "concentration[1]"), 0.02);
    assert_near(a.primary.lo, c.primary.lo, 0.05);
    hs_measurement_free(&a), hs_measurement_free(&b), hs_measurement_free(&c);
    hs_deltas_free(&x), hs_deltas_free(&y), hs_deltas_free(&z);
    free(v), free(w);
}

/* Resampling by inner products and by the sums themselves: the same numbers and intervals. */
static void test_two_ways(void **state)
{
    (void)state;
    enum { WIDE = 400 };
    float *v = deltas_planted(12, S, WIDE, 0.3, 0.2, 0.3, 9);
    memset(v + 5 * S * WIDE, 0, WIDE * sizeof *v); /* one delta is 0 */
    hs_deltas x = deltas_of(12, S, WIDE, NULL, v), y = deltas_by_sums(12, S, WIDE, v);
    assert_non_null(x.all_gram);
    assert_null(y.all_gram);
    hs_measurement a = homogeneity(&x, NULL), b = homogeneity(&y, NULL);
    hs_consistency p = consistency(&x, NULL), q = consistency(&y, NULL);
    for (size_t i = 0; i < a.n_statistics; i++) {
        if (!isnan(a.statistic[i].lo)) {
            assert_near(a.statistic[i].value, b.statistic[i].value, 1e-11);
            assert_near(a.statistic[i].lo, b.statistic[i].lo, 1e-9);
            assert_near(a.statistic[i].hi, b.statistic[i].hi, 1e-9);
        }
    }
    for (size_t i = 0; i < p.result.n_statistics; i++) {
        if (!isnan(p.result.statistic[i].lo)) {
            assert_near(p.result.statistic[i].lo, q.result.statistic[i].lo, 1e-9 * fabs(p.result.statistic[i].lo));
        }
    }
    hs_measurement_free(&a), hs_measurement_free(&b);
    hs_consistency_free(&p), hs_consistency_free(&q);
    hs_deltas_free(&x), hs_deltas_free(&y);
    free(v);
}

static void test_threads(void **state)
{
    (void)state;
    float *v = deltas_planted(20, S, D, 0.3, 0.2, 0.3, 9);
    int threads = omp_get_max_threads();
    hs_measurement m[2];
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(i == 0 ? 1 : 3);
        hs_deltas x = deltas_of(20, S, D, NULL, v);
        m[i] = homogeneity(&x, NULL);
        hs_deltas_free(&x);
    }
    omp_set_num_threads(threads);
    assert_memory_equal(&m[0].primary.lo, &m[1].primary.lo, sizeof(double));
    assert_memory_equal(&m[0].null.value, &m[1].null.value, sizeof(double));
    hs_measurement_free(&m[0]), hs_measurement_free(&m[1]);
    free(v);
}

/* ---- Degenerate ---- */

static void expect_inconclusive(const hs_deltas *x, const char *reason_h, const char *reason_c)
{
    hs_measurement m = homogeneity(x, NULL);
    hs_consistency c = consistency(x, NULL);
    if (reason_h != NULL) {
        assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
        assert_non_null(strstr(m.reason, reason_h));
    }
    assert_int_equal(c.result.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(c.result.reason, reason_c));
    hs_measurement_free(&m);
    hs_consistency_free(&c);
}

static void test_degenerate(void **state)
{
    (void)state;
    float *v = deltas_planted(20, S, D, 0.6, 0.1, 0.3, 9);
    hs_deltas x = deltas_of(1, S, D, NULL, v);
    expect_inconclusive(&x, "one image", "one image");
    hs_deltas_free(&x);
    x = deltas_of(20 * S, 1, D, NULL, v);
    expect_inconclusive(&x, NULL, "one step");
    hs_deltas_free(&x);
    v[7 * S * D + 3] = NAN;
    x = deltas_of(20, S, D, NULL, v);
    assert_int_equal(x.n, 19);
    expect_inconclusive(&x, "number 7", "number 7");
    hs_deltas_free(&x);
    memset(v, 0, 20 * S * D * sizeof *v);
    x = deltas_of(20, S, D, NULL, v);
    expect_inconclusive(&x, "zero", "zero");
    hs_deltas_free(&x);
    for (size_t i = 0; i < 20 * S * D; i++) { /* all the same: as homogeneous and consistent as can be */
        v[i] = (float)(i % D) + 0.1F;
    }
    x = deltas_of(20, S, D, NULL, v);
    hs_measurement m = homogeneity(&x, NULL);
    hs_consistency c = consistency(&x, NULL);
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    assert_int_equal(c.result.verdict, HS_VERDICT_HOLDS);
    hs_measurement_free(&m);
    hs_consistency_free(&c);
    hs_deltas_free(&x);
    free(v);
}

HS_CHECKED static int read_nothing(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    (void)first;
    for (size_t i = 0; i < n * 2; i++) {
        room[i] = NAN;
    }
    *v = room;
    return ctx != NULL ? hs_fail(HS_EIO, "gone") : HS_OK;
}

static void test_errors(void **state)
{
    (void)state;
    const hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    hs_deltas_source s = {.n = 0, .S = 1, .d = 2, .read = read_nothing};
    hs_deltas x;
    assert_code(hs_deltas_reduce(&s, &limits, NULL, &x), HS_ERANGE);
    s.n = 3;
    assert_code(hs_deltas_reduce(&s, &limits, NULL, &x), HS_EDEGENERATE);
    s.ctx = &s;
    assert_code(hs_deltas_reduce(&s, &limits, NULL, &x), HS_EIO);
    float *v = deltas_planted(4, S, D, 0.3, 0.2, 0.3, 9);
    x = deltas_of(4, S, D, NULL, v);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_consistency_options q = HS_CONSISTENCY_OPTIONS_INIT;
    hs_measurement m;
    hs_consistency c;
    o.standard = 2;
    q.standard = 2;
    assert_code(hs_homogeneity_deltas(&x, &o, &m), HS_ERANGE);
    assert_code(hs_consistency_measure(&x, &q, &c), HS_ERANGE);
    o.standard = q.standard = 0.5;
    o.bootstrap.B = q.bootstrap.B = 0;
    assert_code(hs_homogeneity_deltas(&x, &o, &m), HS_ERANGE);
    assert_code(hs_consistency_measure(&x, &q, &c), HS_ERANGE);
    assert_code(hs_consistency_measure(NULL, &q, &c), HS_ERANGE);
    hs_deltas_free(&x);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_golden_interval), cmocka_unit_test(test_golden_h),
        cmocka_unit_test(test_planted),  cmocka_unit_test(test_verdicts),        cmocka_unit_test(test_shared_bias),
        cmocka_unit_test(test_decay),    cmocka_unit_test(test_unchanged),       cmocka_unit_test(test_threads),
        cmocka_unit_test(test_two_ways), cmocka_unit_test(test_degenerate),      cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
