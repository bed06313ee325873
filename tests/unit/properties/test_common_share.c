/* The common share of h against closed forms and NumPy, and what it does to a verdict of robustness. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/common_share.h"
#include "analysis/properties/robustness_run.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

enum { N = 24, D = 40, S = 2 };

static void share_of(size_t n, size_t steps, const double *gram, hs_measurement *m)
{
    const hs_bootstrap_options o = {.B = 600, .seed = 5, .level = 0.95};
    memset(m, 0, sizeof *m);
    assert_ok(hs_common_put(n, steps, gram, &o, m));
}

static const hs_estimate *stat(const hs_measurement *m, const char *name)
{
    const hs_estimate *e = hs_measurement_find(m, name);
    assert_non_null(e);
    return e;
}

/* h_i = a e_0 + b e_{i+1}: <h_i, h_j> = a^2, |h_i|^2 = a^2 + b^2, to the rounding; two steps of a = 3, 1 and b = 1. */
static void test_closed_form(void **state)
{
    (void)state;
    static float h[N * D];
    static double gram[S * N * N];
    hs_measurement m;
    for (size_t k = 0; k < S; k++) {
        memset(h, 0, sizeof h);
        for (size_t i = 0; i < N; i++) {
            h[i * D] = k == 0 ? 3 : 1;
            h[i * D + i + 1] = 1;
        }
        assert_ok(hs_common_gram(N, D, h, gram + k * N * N));
    }
    share_of(N, S, gram, &m);
    assert_near(stat(&m, "common_share_h[0]")->value, 0.9, 1e-14);
    assert_near(stat(&m, "common_share_h[1]")->value, 0.5, 1e-14);
    assert_near(stat(&m, "common_share_h")->value, 10.0 / 12, 1e-14);
    assert_int_equal(stat(&m, "common_share_h")->n, N);
    hs_measurement_free(&m);
}

/* h_i = c (1 + z_0i / 3) e_0 + z_i, z normal: |mu|^2 = c^2, E|h|^2 = c^2 10 / 9 + D.  The plug-in |hbar|^2 / mean |h|^2
 * is 6 % too large here. */
static void draw(size_t set, float *h)
{
    const float c = 4.0F;
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, set}, 0, N * D, h);
    for (size_t i = 0; i < N; i++) {
        float z;
        hs_rng_normal((hs_rng){4, HS_RNG_TEST, set}, i, 1, &z);
        h[i * D] += c * (1 + z / 3);
    }
}

/* 200 sets: the interval holds the truth in 95 % of them (three standard errors: 90 to 99.6), the mean is within 2 %.
 */
static void test_planted(void **state)
{
    (void)state;
    static float h[N * D];
    static double gram[N * N];
    const double truth = 16 / (16 * 10.0 / 9 + D);
    double sum = 0, square = 0, plain = 0;
    size_t inside = 0, sets = 200;
    for (size_t set = 0; set < sets; set++) {
        hs_measurement m;
        double all = 0, own = 0;
        draw(set, h);
        assert_ok(hs_common_gram(N, D, h, gram));
        share_of(N, 1, gram, &m);
        for (size_t i = 0; i < N * N; i++) {
            all += gram[i] / (N * N);
            own += i % (N + 1) == 0 ? gram[i] / N : 0;
        }
        const hs_estimate *e = stat(&m, "common_share_h");
        assert_near(e->value, (N * all / own - 1) / (N - 1), 1e-12); /* the formula of the header */
        sum += e->value / (double)sets;
        square += e->value * e->value / (double)sets;
        plain += all / own / (double)sets;
        inside += e->lo <= truth && truth <= e->hi;
        hs_measurement_free(&m);
    }
    double se = sqrt((square - sum * sum) / (double)(sets - 1));
    assert_true(3 * se < 0.05 * truth);
    assert_near(sum, truth, 3 * se);
    assert_true(plain - truth > 3 * se);
    assert_in_range(inside, 180, 199);
}

/* h of the trained 64 x 64 model: NumPy's (N r - 1) / (N - 1) of the same arrays, in double. */
static void test_golden(void **state)
{
    (void)state;
    need_shared("anime64/golden_h.npy");
    const double wanted[] = {0.9997734429, 0.9990364260, 0.9987554395, 0.9991546478};
    static double gram[4 * 4 * 4];
    size_t dim[5], d = 512 * 64;
    float *h = shared_floats("anime64/golden_h.npy", 5, dim);
    hs_measurement m;
    char name[64];
    for (size_t k = 0; k < 4; k++) {
        assert_ok(hs_common_gram(4, d, h + k * 4 * d, gram + k * 16));
    }
    share_of(4, 4, gram, &m);
    for (size_t k = 0; k < 4; k++) {
        snprintf(name, sizeof name, "common_share_h[%zu]", k);
        assert_near(stat(&m, name)->value, wanted[k], 1e-9);
    }
    assert_near(stat(&m, "common_share_h")->value, 0.9991755399, 1e-9);
    hs_measurement_free(&m);
    free(h);
}

/* One image has no share; two have a value and no interval. */
static void test_few(void **state)
{
    (void)state;
    const double one = 4, two[] = {4, 2, 2, 4};
    hs_measurement m;
    share_of(1, 1, NULL, &m);
    assert_true(isnan(stat(&m, "common_share_h")->value));
    assert_string_equal(stat(&m, "common_share_h[0]")->reason, "needs 2 images");
    hs_measurement_free(&m);
    share_of(2, 1, two, &m);
    assert_near(stat(&m, "common_share_h")->value, 0.5, 1e-15);
    assert_true(isnan(stat(&m, "common_share_h")->lo));
    assert_non_null(stat(&m, "common_share_h")->reason);
    hs_measurement_free(&m);
    assert_code(hs_common_gram(SIZE_MAX / 2, 4, NULL, &(double){one}), HS_ELIMIT);
}

/* ---- The verdict ---- */

/* h bears four times the noise of eps.  16 images whose curves differ by a factor of their own. */
static void measure(hs_robustness *r)
{
    enum { M = 10, IMAGES = 16 };
    static double level[M], damage[2][IMAGES * M];
    hs_damage d = {.n = IMAGES};
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    for (size_t i = 0; i < IMAGES * M; i++) {
        size_t j = i % M;
        double l = level[j] = j == 0 ? 0 : pow(2, (double)j - 6), own = 1 + 0.1 * sin((double)(i / M));
        for (int a = 0; a < 2; a++) {
            double s = a == HS_ARM_H_P ? 1 : 0.25;
            damage[a][i] = own * pow(l, 4) / (pow(l, 4) + pow(s, 4));
        }
    }
    assert_ok(hs_damage_add(&d, HS_ARM_H_P, M, level, damage[HS_ARM_H_P]));
    assert_ok(hs_damage_add(&d, HS_ARM_EPS_P, M, level, damage[HS_ARM_EPS_P]));
    assert_ok(hs_robustness_measure(&d, &o, r));
    hs_damage_free(&d);
}

/* r <- the answer where h's own spread at its two steps is h_spread of a scale of 1, and eps' is 1. */
static void judge(double share, double h_spread, double ablation, hs_robustness *r)
{
    double one[S] = {1, 1}, h[S] = {h_spread * 2, h_spread / 2};
    const hs_robust_run run = {.scale = {.S = S, .scale = {one, one, one}, .spread = {h, one, one}}};
    hs_estimate e = hs_estimate_plain("common_share_h", share, 16, "planted", NULL);
    hs_estimate replaced =
        hs_estimate_of("ablation", (hs_interval){ablation, ablation / 2, ablation * 1.2, NULL}, 16, "");
    measure(r);
    assert_int_equal(r->result.verdict, HS_VERDICT_HOLDS);
    assert_ok(hs_measurement_put(&r->result, &e));
    assert_ok(hs_measurement_put(&r->result, &replaced));
    assert_ok(hs_robust_judge_common(&run, r));
    assert_int_equal(r->result.n_controls, 1);
}

static int says(const hs_robustness *r, const char *what)
{
    return strstr(r->result.reason, what) != NULL;
}

static void test_verdict(void **state)
{
    (void)state;
    hs_robustness r;
    judge(0.5, 1, 1.75, &r); /* nothing to say */
    size_t notes = r.result.n_notes;
    assert_int_equal(r.result.verdict, HS_VERDICT_HOLDS);
    assert_false(says(&r, "common"));
    assert_near(r.result.control[0].primary.value, r.result.primary.value, 1e-12); /* mean of log 1/2 and log 2 */
    assert_string_equal(r.result.control[0].verdict, "holds");
    hs_robustness_free(&r);

    judge(0.5, 100, 1.75, &r); /* the control alone */
    assert_int_equal(r.result.verdict, HS_VERDICT_HOLDS);
    assert_near(r.result.control[0].primary.value, r.result.primary.value - log(100), 1e-12);
    assert_string_equal(r.result.control[0].verdict, "fails");
    hs_robustness_free(&r);

    judge(0.999, 0.01, 1.75, &r); /* 1 / sqrt(.001) = 31.6 */
    assert_int_equal(r.result.verdict, HS_VERDICT_HOLDS);
    assert_true(says(&r,
                     "99.9 % of |h|^2 is one vector common to all images: noise of r |h| is 31.6 r times the spread "
                     "between images"));
    assert_int_equal(r.result.n_notes, notes + 1);
    hs_robustness_free(&r);

    judge(0.999, 100, 1.75, &r); /* both: withheld, and said */
    assert_int_equal(r.result.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_true(says(&r, "would reach the standard") && says(&r, "in units of the spread") && says(&r, "99.9 %"));
    hs_robustness_free(&r);

    judge(0.999, 0.01, 0.25, &r); /* nothing that noise in h could break */
    assert_int_equal(r.result.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_true(says(&r, "would reach the standard") && says(&r, "does only 0.25 of the damage") && says(&r, "99.9 %"));
    hs_robustness_free(&r);

    judge(0.999, 0.01, 0.9, &r); /* its interval reaches 1 */
    assert_int_equal(r.result.verdict, HS_VERDICT_HOLDS);
    hs_robustness_free(&r);

    judge(0.5, 0.01, 0.25, &r); /* half of h is the image's own: surviving without it is robust */
    assert_int_equal(r.result.verdict, HS_VERDICT_HOLDS);
    hs_robustness_free(&r);

    judge(0.999, NAN, 1.75, &r); /* the control could not be had */
    assert_int_equal(r.result.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_int_equal(r.result.control[0].run, 0);
    hs_robustness_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_closed_form), cmocka_unit_test(test_planted),
                                       cmocka_unit_test(test_golden), cmocka_unit_test(test_few),
                                       cmocka_unit_test(test_verdict)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
