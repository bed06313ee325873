/* What must leave the statistics alone: rotations of h, units, the order of images, a constant of each image. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency.h"
#include "analysis/properties/homogeneity.h"
#include "analysis/properties/linearity.h"
#include "core/base/alloc.h"
#include "tests/coverage/planted.h"
#include "tests/support/delta_sample.h"
#include "tests/support/support.h"

enum { N = 40, S = PLANTED_STEPS, D = PLANTED_D };

/* Every statistic of b is that of a: values, and limits to the Monte Carlo error of other resamples where those are not
 * the same. */
static void assert_same(const hs_measurement *a, const hs_measurement *b, double tolerance, double limits)
{
    assert_int_equal(a->n_statistics, b->n_statistics);
    assert_int_equal(a->verdict, b->verdict);
    for (size_t i = 0; i < a->n_statistics; i++) {
        const hs_estimate *x = &a->statistic[i], *y = &b->statistic[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(isnan(x->value), isnan(y->value));
        double size = fmax(1, fabs(x->value));
        if (!isnan(x->value) && fabs(x->value - y->value) > tolerance * size) {
            fail_msg("%s: %.12g and %.12g", x->name, x->value, y->value);
        }
        double width = x->hi - x->lo;
        if (width > 1e-9 && fabs(x->lo - y->lo) + fabs(x->hi - y->hi) > limits * width + tolerance * size) {
            fail_msg("%s: [%g, %g] and [%g, %g]", x->name, x->lo, x->hi, y->lo, y->hi);
        }
    }
}

typedef struct {
    hs_measurement h;
    hs_consistency c;
} both;

static both measure(const float *v)
{
    both b;
    hs_homogeneity_options h = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_deltas x = deltas_of(N, S, D, NULL, v);
    assert_ok(hs_homogeneity_deltas(&x, &h, &b.h));
    assert_ok(hs_consistency_measure(&x, &o, &b.c));
    hs_deltas_free(&x);
    return b;
}

static void both_free(both *b)
{
    hs_measurement_free(&b->h);
    hs_consistency_free(&b->c);
}

/* v <- v - 2 u <u, v> / |u|^2 of every row. */
static void rotate(float *v)
{
    double u[D], uu = 0;
    for (size_t j = 0; j < D; j++) {
        u[j] = 1 + cos(3.0 * (double)j);
        uu += u[j] * u[j];
    }
    for (size_t r = 0; r < N * S; r++) {
        double dot = 0;
        for (size_t j = 0; j < D; j++) {
            dot += u[j] * (double)v[r * D + j];
        }
        for (size_t j = 0; j < D; j++) {
            v[r * D + j] = (float)((double)v[r * D + j] - 2 * dot / uu * u[j]);
        }
    }
}

static void test_deltas(void **state)
{
    (void)state;
    const deltas_plan p = {.g = 0.5, .tau = 0.15, .gain_sd = 0.2};
    float *v = planted_values(&p, N, 3), keep[S * D];
    both a = measure(v);
    rotate(v);
    both b = measure(v);
    assert_same(&a.h, &b.h, 1e-5, 1e-3);
    assert_same(&a.c.result, &b.c.result, 1e-5, 1e-3);
    both_free(&b);
    for (size_t i = 0; i < (size_t)N * S * D; i++) { /* exact in float32 */
        v[i] *= 64;
    }
    b = measure(v);
    assert_same(&a.h, &b.h, 1e-5, 1e-3);
    assert_same(&a.c.result, &b.c.result, 1e-5, 1e-3);
    both_free(&b);
    for (size_t i = 0; i < N / 2; i++) {
        float *one = v + i * S * D, *other = v + (N - 1 - i) * S * D;
        memcpy(keep, one, sizeof keep);
        memcpy(one, other, sizeof keep);
        memcpy(other, keep, sizeof keep);
    }
    b = measure(v);
    assert_same(&a.h, &b.h, 1e-5, 0.25);
    assert_same(&a.c.result, &b.c.result, 1e-5, 0.25);
    both_free(&b);
    both_free(&a);
    free(v);
}

static void judge(const hs_effects *e, hs_measurement *h, hs_linearity *l)
{
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_linearity_options p = HS_LINEARITY_OPTIONS_INIT;
    o.spread = p.spread = 1;
    assert_ok(hs_homogeneity_effects(e, &o, h));
    assert_ok(hs_linearity_measure(e, &p, l));
}

/* A constant of an image, added to its read-out at all strengths and nulls, is no effect. */
static void test_effects(void **state)
{
    (void)state;
    const sweep_plan p = {
        .g = planted_bent, .m = 17, .reach = 2, .scale = 2, .gain_sd = 0.2, .noise = 0.1, .spread = 1, .null = 0.1};
    hs_effects e = planted_sweep(&p, N, 5);
    hs_measurement a, b;
    hs_linearity l, m;
    judge(&e, &a, &l);
    for (size_t r = 0; r < N * e.m; r++) {
        double c = 8 * sin((double)(r / e.m));
        e.value[r] += c;
        for (size_t k = 0; k < e.K; k++) {
            e.null[k * N * e.m + r] += c;
        }
    }
    judge(&e, &b, &m);
    assert_same(&a, &b, 1e-9, 1e-6);
    assert_same(&l.result, &m.result, 1e-9, 1e-6);
    hs_measurement_free(&b);
    hs_linearity_free(&m);
    for (size_t i = 0; i < N / 2; i++) {
        for (size_t j = 0; j < e.m; j++) {
            size_t one = i * e.m + j, other = (N - 1 - i) * e.m + j;
            double keep = e.value[one];
            e.value[one] = e.value[other];
            e.value[other] = keep;
        }
    }
    for (size_t k = 0; k < e.K; k++) { /* the nulls' images stay: only their root mean square counts */
        for (size_t r = 0; r < N * e.m; r++) {
            e.null[k * N * e.m + r] -= 8 * sin((double)(r / e.m));
        }
    }
    judge(&e, &b, &m);
    assert_same(&a, &b, 1e-9, 0.25);
    assert_same(&l.result, &m.result, 1e-9, 0.25);
    hs_measurement_free(&a);
    hs_measurement_free(&b);
    hs_linearity_free(&l);
    hs_linearity_free(&m);
    hs_effects_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_deltas), cmocka_unit_test(test_effects)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
