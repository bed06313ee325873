#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/linearity.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 96, M = 17, K = 8 };

/* A planted table: phi_i(s) = offset_i + gain_i g(s) + noise, on -2:2:.25; offsets are N(0, 1). */
typedef struct {
    double (*g)(double s, size_t image);
    double scale, noise, gain_sd, null;
    double (*rival)(double s, size_t image);
    size_t n, nulls;
    double reach;
} plan;

static double normal(uint64_t stream, uint64_t i)
{
    float z;
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, stream}, i, 1, &z);
    return (double)z;
}

static hs_effects plant(const plan *p)
{
    static double strength[M], value[N * M], null[K * N * M], rival[N * M];
    hs_effects e;
    for (size_t j = 0; j < M; j++) {
        strength[j] = p->reach * ((double)j - 8) / 8;
    }
    for (size_t i = 0; i < p->n; i++) {
        double gain = p->scale * (1 + p->gain_sd * normal(1, i));
        for (size_t j = 0; j < M; j++) {
            value[i * M + j] = normal(0, i) + gain * p->g(strength[j], i) + p->noise * normal(2, i * M + j);
            rival[i * M + j] = p->rival == NULL ? 0 : p->rival(strength[j], i) + p->noise * normal(4, i * M + j);
            for (size_t k = 0; k < p->nulls; k++) {
                null[(k * p->n + i) * M + j] =
                    normal(0, i) + p->null * strength[j] * (1 + 0.3 * normal(3, k)) * (k % 2 ? 1 : -1);
            }
        }
    }
    assert_ok(hs_effects_create("d", p->n, M, strength, value, p->nulls, null, p->rival == NULL ? NULL : rival, &e));
    return e;
}

static hs_linearity measure_with(const plan *p, const hs_linearity_options *o)
{
    hs_linearity l;
    hs_effects e = plant(p);
    assert_ok(hs_linearity_measure(&e, o, &l));
    hs_effects_free(&e);
    return l;
}

static hs_linearity measure(const plan *p)
{
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    return measure_with(p, &o);
}

static double line(double s, size_t i)
{
    (void)i;
    return s;
}

static double flat(double s, size_t i)
{
    (void)s, (void)i;
    return 0;
}

static double squashed(double s, size_t i)
{
    (void)i;
    return tanh(s);
}

static double bent(double s, size_t i)
{
    (void)i;
    return s + 0.15 * s * s;
}

static double even(double s, size_t i)
{
    (void)i;
    return s * s;
}

static double flips(double s, size_t i)
{
    return (i % 8 < 5 ? 1.0 : -1.0) * s;
}

static const plan good = {
    .g = line, .scale = 1.5, .noise = 0.05, .gain_sd = 0.2, .null = 0.2, .n = N, .nulls = K, .reach = 2};

static double stat(const hs_linearity *l, const char *name)
{
    const hs_estimate *e = hs_measurement_find(&l->result, name);
    assert_non_null(e);
    return e->value;
}

static int has_note(const hs_linearity *l, const char *text)
{
    for (size_t i = 0; i < l->result.n_notes; i++) {
        if (strcmp(l->result.note[i], text) == 0) {
            return 1;
        }
    }
    return 0;
}

#define assert_verdict(l, v)                                                                    \
    do {                                                                                        \
        if ((l).result.verdict != (v)) {                                                        \
            fail_msg("verdict %s: %s", hs_verdict_name((l).result.verdict), (l).result.reason); \
        }                                                                                       \
    } while (0)

/* Without noise the index is the closed form of one image, whatever the images' offsets and gains. */
static void test_closed_forms(void **state)
{
    (void)state;
    const struct {
        double (*g)(double, size_t);
        double want, tol;
    } c[] = {{line, 1, 1e-7}, {squashed, 0.8034008517951021, 1e-12}, {bent, 0.754096055338675, 1e-12}};
    for (int k = 0; k < 3; k++) {
        plan p = good;
        p.g = c[k].g;
        p.noise = 0;
        hs_linearity l = measure(&p);
        assert_near(l.result.primary.value, c[k].want, c[k].tol);
        assert_near(stat(&l, "linearity_index"), c[k].want, c[k].tol);
        hs_linearity_free(&l);
    }
}

/* A table made of sines and cosines; numbers of NumPy and SciPy from the definitions (contrasts by an SVD). */
static void test_against_numpy(void **state)
{
    (void)state;
    const double s[] = {-1.5, -1, -.5, -.25, 0, .25, .5, 1, 2};
    double v[12 * 9];
    for (size_t k = 0; k < 12 * 9; k++) {
        double i = (double)(k / 9), x = s[k % 9];
        v[k] =
            sin(3 * i) + (1 + .3 * cos(2 * i)) * x + .1 * x * x * sin(i) + .05 * cos(7 * i * x + i) - .06 * x * x * x;
    }
    hs_effects e;
    hs_linearity l;
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    assert_ok(hs_effects_create("", 12, 9, s, v, 0, NULL, NULL, &e));
    assert_ok(hs_linearity_measure(&e, &o, &l));
    const struct {
        const char *name;
        double want;
    } c[] = {{"linearity_index", 0.8397389891629214},
             {"slope", 0.8460237594199325},
             {"r2", 0.991342652044969},
             {"r2_increments", 0.9118206137868535},
             {"lack_of_fit_p", 0.0016532580234195546},
             {"spearman", 1},
             {"slope_ratio", 0.9178256280695964}};
    for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
        assert_near(stat(&l, c[k].name), c[k].want, 1e-10);
    }
    assert_near(l.result.effect.value, 1.6247048692724964, 1e-12);
    assert_true(isnan(stat(&l, "saturation"))); /* the flattest piece has .595 of the central slope */
    assert_true(has_note(&l, "strengths are not symmetric"));
    assert_non_null(hs_measurement_find(&l.result, "saturation")->reason);
    hs_linearity_free(&l);
    hs_effects_free(&e);
}

static void test_a_line_holds(void **state)
{
    (void)state;
    hs_linearity l = measure(&good);
    assert_verdict(l, HS_VERDICT_HOLDS);
    assert_int_equal(hs_verdict_exit(l.result.verdict), 0);
    double mean_gain = 0;
    for (size_t i = 0; i < N; i++) {
        mean_gain += 1.5 * (1 + 0.2 * normal(1, i)) / N;
    }
    assert_near(stat(&l, "slope"), mean_gain, 5 * 0.05 / sqrt(2 * 6.375 * N)); /* Sum s^2 = 12.75 */
    const hs_estimate *slope = hs_measurement_find(&l.result, "slope");
    assert_true(slope->lo < 1.5 && 1.5 < slope->hi && slope->n == N);
    assert_near(stat(&l, "r2"), 1, 1e-3);
    assert_true(stat(&l, "r2_increments") > 0.9); /* offsets don't matter, gains do */
    assert_near(stat(&l, "spearman"), 1, 1e-12);
    assert_near(stat(&l, "slope_ratio"), 1, 0.02);
    assert_near(stat(&l, "linear_range"), 2, 0);
    assert_true(isnan(stat(&l, "saturation")) && hs_measurement_find(&l.result, "saturation")->reason != NULL);
    assert_true(stat(&l, "lack_of_fit_p") > 1e-3);
    assert_true(has_note(&l, "naturalness not tested") && !has_note(&l, "low n"));
    assert_int_equal(l.result.specific, HS_SPECIFIC_NOT_TESTED);
    assert_near(l.result.standard, 0.85, 0);
    assert_string_equal(l.result.direction, "d");
    hs_linearity_free(&l);
    hs_linearity_free(&l);
    hs_linearity_free(NULL);
}

/* Missing on purpose, and said so. */
static void test_what_is_not_computed(void **state)
{
    (void)state;
    const char *name[] = {"direction_cosine", "gain", "residual", "curvature", "jacobian_cosine", "additivity"};
    hs_linearity l = measure(&good);
    for (int k = 0; k < 6; k++) {
        const hs_estimate *e = hs_measurement_find(&l.result, name[k]);
        assert_true(e != NULL && isnan(e->value) && e->reason != NULL);
    }
    hs_linearity_free(&l);
}

static void test_tanh_fails(void **state)
{
    (void)state;
    plan p = good;
    p.g = squashed;
    p.scale = 3;
    hs_linearity l = measure(&p);
    assert_verdict(l, HS_VERDICT_FAILS);
    assert_int_equal(hs_verdict_exit(l.result.verdict), 10);
    assert_true(stat(&l, "lack_of_fit_p") < 1e-20); /* images as blocks see it, an F over all points does not */
    /* central slope .980: off it by 6 % at .5 and 14 % at .75; local slopes .506 up to 1, .347 up to 1.25 */
    assert_near(stat(&l, "linear_range"), 0.5, 0);
    assert_near(stat(&l, "saturation"), 1.25, 0);
    hs_linearity_free(&l);
}

static void test_bends_fail(void **state)
{
    (void)state;
    plan p = good;
    p.g = bent;
    hs_linearity l = measure(&p);
    assert_verdict(l, HS_VERDICT_FAILS);
    /* b+- = b -+ .15 Sum |s|^3 / Sum s^2 over a side of 1/4 ... 2 */
    double cubes = 1296.0 / 64, squares = 204.0 / 16;
    assert_near(stat(&l, "slope_ratio"), (1 + .15 * cubes / squares) / (1 - .15 * cubes / squares), 0.02);
    hs_linearity_free(&l);
    p.g = even;
    l = measure(&p);
    assert_verdict(l, HS_VERDICT_FAILS);
    assert_true(l.result.primary.value < 0);
    hs_linearity_free(&l);
}

/* Each image is a line, some the other way: L is 1, and yet no common effect is scaled. */
static void test_signs_that_differ_between_images(void **state)
{
    (void)state;
    plan p = good;
    p.g = flips;
    hs_linearity l = measure(&p);
    assert_verdict(l, HS_VERDICT_INCONCLUSIVE);
    assert_near(l.result.primary.value, 1, 0.1);
    assert_non_null(strstr(l.result.reason, "opposite senses"));
    assert_true(has_note(&l, "the slope's sign differs between images"));
    assert_true(stat(&l, "r2_increments") < 0.2);
    hs_linearity_free(&l);
}

static void test_nothing_is_no_effect(void **state)
{
    (void)state;
    plan p = good;
    p.g = flat;
    p.noise = 0;
    for (p.nulls = 0; p.nulls <= K; p.nulls += K) {
        hs_linearity l = measure(&p);
        assert_verdict(l, HS_VERDICT_NO_EFFECT);
        assert_int_equal(hs_verdict_exit(l.result.verdict), 11);
        assert_true(isnan(l.result.primary.value));
        hs_linearity_free(&l);
    }
    p.noise = 0.05; /* less than random directions do */
    p.nulls = K;
    hs_linearity l = measure(&p);
    assert_verdict(l, HS_VERDICT_NO_EFFECT);
    hs_linearity_free(&l);
    p = good;
    p.null = 1.5; /* an effect, but any direction has it */
    l = measure(&p);
    assert_verdict(l, HS_VERDICT_NO_EFFECT);
    hs_linearity_free(&l);
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    o.noise_floor = 100;
    l = measure_with(&good, &o);
    assert_verdict(l, HS_VERDICT_NO_EFFECT);
    hs_linearity_free(&l);
}

static void test_inconclusive(void **state)
{
    (void)state;
    plan p = good;
    p.nulls = 0;
    hs_linearity l = measure(&p);
    assert_verdict(l, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(l.result.reason, "null missing"));
    assert_false(l.result.has_null);
    hs_linearity_free(&l);
    p = good;
    p.scale = 0.3; /* the effect at s = 2 is .6 sd of the offsets */
    p.null = 0.01;
    p.noise = 0.01;
    l = measure(&p);
    assert_verdict(l, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(l.result.reason, "range too small"));
    hs_linearity_free(&l);
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    o.spread = 0.5; /* given from elsewhere: the same table reaches it */
    l = measure_with(&p, &o);
    assert_verdict(l, HS_VERDICT_HOLDS);
    hs_linearity_free(&l);
    o = (hs_linearity_options)HS_LINEARITY_OPTIONS_INIT;
    p = good;
    p.g = squashed;
    p.scale = 3;
    p.gain_sd = 0;
    p.noise = 0.3;
    hs_linearity first = measure_with(&p, &o);
    o.standard = first.result.primary.value; /* within its own interval */
    l = measure_with(&p, &o);
    assert_verdict(l, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(l.result.reason, "not settled against the standard"));
    hs_linearity_free(&first);
    hs_linearity_free(&l);
}

/* With one magnitude a side every odd function scores 1. */
static void test_coarse_grid(void **state)
{
    (void)state;
    const double s[] = {-2, 0, 2, -1, 1, -.5, .5};
    double v[3 * 7], null[3 * 7];
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    for (size_t k = 0; k < 3; k++) {
        for (size_t j = 0; j < 7; j++) {
            v[k * 7 + j] = 0.1 * (double)k + 2 * s[j];
            null[k * 7 + j] = 0.01 * s[j];
        }
    }
    hs_effects e;
    hs_linearity l;
    assert_ok(hs_effects_create("", 3, 7, s, v, 1, null, NULL, &e));
    assert_near(e.strength[0], -2, 0); /* sorted */
    assert_int_equal(e.zero, 3);
    assert_ok(hs_linearity_measure(&e, &o, &l));
    assert_verdict(l, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(l.result.reason, "grid too coarse"));
    assert_true(has_note(&l, "low n"));
    assert_non_null(hs_measurement_find(&l.result, "lack_of_fit_p")->reason);
    assert_near(l.result.null.value, 3 * 0.02, 1e-12);
    hs_linearity_free(&l);
    hs_effects_free(&e);
}

static void test_specific(void **state)
{
    (void)state;
    plan p = good;
    p.rival = squashed;
    hs_linearity l = measure(&p);
    assert_int_equal(l.result.specific, HS_SPECIFIC_YES);
    assert_near(l.result.difference_rival.value, l.result.primary.value - l.result.rival.value, 1e-14);
    assert_non_null(l.rival);
    hs_linearity_free(&l);
    p.g = squashed;
    p.rival = line;
    l = measure(&p);
    assert_int_equal(l.result.specific, HS_SPECIFIC_NO);
    hs_linearity_free(&l);
    p.gain_sd = 0;
    p.scale = 1;
    p.rival = squashed;
    l = measure(&p);
    assert_int_equal(l.result.specific, HS_SPECIFIC_UNCLEAR);
    hs_linearity_free(&l);
}

static void test_curves_for_the_figure(void **state)
{
    (void)state;
    hs_linearity l = measure(&good);
    assert_int_equal(l.m, M);
    assert_int_equal(l.K, K);
    assert_near(l.mean[8], 0, 0);
    assert_near(l.mean[16], 2 * stat(&l, "slope"), 0.03);
    assert_true(l.lo[16] < l.mean[16] && l.mean[16] < l.hi[16]);
    assert_near(l.null[M + 16], 2 * 0.2 * (1 + 0.3 * normal(3, 1)), 1e-12);
    hs_linearity_free(&l);
}

static void test_bad_options(void **state)
{
    (void)state;
    hs_effects e = plant(&good);
    hs_linearity l;
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    o.standard = 1.5;
    assert_code(hs_linearity_measure(&e, &o, &l), HS_ERANGE);
    o.standard = NAN;
    assert_code(hs_linearity_measure(&e, &o, &l), HS_ERANGE);
    o = (hs_linearity_options)HS_LINEARITY_OPTIONS_INIT;
    o.bootstrap.B = 0;
    assert_code(hs_linearity_measure(&e, &o, &l), HS_ERANGE);
    o = (hs_linearity_options)HS_LINEARITY_OPTIONS_INIT;
    hs_vector_shape v;
    assert_ok(hs_vector_shape_create(3, M, &v));
    o.shape = &v;
    assert_code(hs_linearity_measure(&e, &o, &l), HS_ESHAPE);
    hs_vector_shape_free(&v);
    hs_effects_free(&e);
}

/* phi(s) = phi_0 + s a + s^2 c with a, c orthogonal, |a| = 1, |c| = q: closed forms at each s. */
static void test_vector_shape(void **state)
{
    (void)state;
    const double s[] = {-2, -1, 0, 1, 2}, q = 0.3;
    hs_vector_shape v;
    assert_ok(hs_vector_shape_create(1, 5, &v));
    float phi[5 * 3];
    for (size_t j = 0; j < 5; j++) {
        phi[3 * j] = (float)(100 + s[j]);
        phi[3 * j + 1] = (float)(q * s[j] * s[j]);
        phi[3 * j + 2] = 7;
    }
    assert_ok(hs_vector_shape_image(&v, 0, s, 3, phi));
    for (size_t j = 0; j < 5; j++) {
        double a = s[j], e2 = a * a + q * q * a * a * a * a, f2 = 4 + q * q * 16; /* s0 = 2 */
        if (j == 2 || j == 4) {
            assert_true(isnan(v.cosine[j]) && isnan(v.gain[j]) && isnan(v.residual[j]));
            continue;
        }
        double dot = 2 * a + q * q * 4 * a * a;
        assert_near(v.cosine[j], (a > 0 ? 1 : -1) * dot / sqrt(e2 * f2), 1e-6);
        assert_near(v.gain[j], sqrt(e2 / f2) * 2 / fabs(a), 1e-6);
        assert_near(v.residual[j], fabs(q * (a * a - 2 * a)) / sqrt(e2), 1e-6);
    }
    assert_near(v.curvature[4], q * 4 / sqrt(4 + q * q * 16), 1e-6);
    assert_near(v.curvature[3], q / sqrt(1 + q * q), 1e-6);
    assert_true(isnan(v.curvature[0]) && isnan(v.curvature[2]));
    const double no_zero[] = {-2, -1, .1, 1, 2}, unsorted[] = {-1, -2, 0, 1, 2};
    assert_code(hs_vector_shape_image(&v, 0, no_zero, 3, phi), HS_ERANGE);
    assert_code(hs_vector_shape_image(&v, 0, unsorted, 3, phi), HS_ERANGE);
    hs_vector_shape_free(&v);
    hs_vector_shape_free(NULL);
}

/* Vector read-outs stand beside the scalar: a line has cosine and gain 1, residual and curvature 0. */
static void test_vector_statistics(void **state)
{
    (void)state;
    plan p = good;
    hs_effects e = plant(&p);
    hs_vector_shape v;
    hs_linearity l;
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    assert_ok(hs_vector_shape_create(N, M, &v));
    for (size_t i = 0; i < N; i++) {
        float phi[M * 2];
        for (size_t j = 0; j < M; j++) {
            phi[2 * j] = (float)((double)(i + 1) * e.strength[j]);
            phi[2 * j + 1] = (float)(3 - 2 * e.strength[j]);
        }
        assert_ok(hs_vector_shape_image(&v, i, e.strength, 2, phi));
    }
    o.shape = &v;
    assert_ok(hs_linearity_measure(&e, &o, &l));
    assert_near(stat(&l, "direction_cosine"), 1, 1e-6);
    assert_near(stat(&l, "gain"), 1, 1e-6);
    assert_near(stat(&l, "residual"), 0, 1e-6);
    assert_near(stat(&l, "curvature"), 0, 1e-6);
    assert_near(stat(&l, "gain[-1.25]"), 1, 1e-6);
    assert_null(hs_measurement_find(&l.result, "gain[0]"));
    hs_linearity_free(&l);
    hs_vector_shape_free(&v);
    hs_effects_free(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_closed_forms),
        cmocka_unit_test(test_against_numpy),
        cmocka_unit_test(test_a_line_holds),
        cmocka_unit_test(test_what_is_not_computed),
        cmocka_unit_test(test_tanh_fails),
        cmocka_unit_test(test_bends_fail),
        cmocka_unit_test(test_signs_that_differ_between_images),
        cmocka_unit_test(test_nothing_is_no_effect),
        cmocka_unit_test(test_inconclusive),
        cmocka_unit_test(test_coarse_grid),
        cmocka_unit_test(test_specific),
        cmocka_unit_test(test_curves_for_the_figure),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_vector_shape),
        cmocka_unit_test(test_vector_statistics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
