/* Image damage against closed forms and SciPy; robustness of an untrained network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/image_damage.h"
#include "analysis/properties/robustness_run.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

/* SSIM of a sine and its disturbance; 0.91609... by scipy.ndimage.gaussian_filter (sd 1.5, truncate 3.5), formula of
 * Wang et al., borders of 5 left out: what scikit-image does with gaussian_weights.  float32 pixels: 1e-6. */
static void test_ssim(void **state)
{
    (void)state;
    const hs_chw shape = {3, 16, 19};
    static float x[3 * 16 * 19], y[3 * 16 * 19];
    double d;
    for (size_t q = 0; q < hs_chw_size(shape); q++) {
        x[q] = (float)(sin(0.37 * (double)q + 0.2) * 0.8);
        y[q] = (float)((double)x[q] + 0.3 * cos(1.7 * (double)q));
    }
    assert_ok(hs_image_dssim(shape, x, y, &d));
    assert_near(d, 1 - 0.9160926205792631, 1e-6);
    assert_ok(hs_image_dssim(shape, x, x, &d));
    assert_near(d, 0, 1e-12);
    for (size_t q = 0; q < hs_chw_size(shape); q++) {
        x[q] = 0.5F;
        y[q] = -0.25F;
    }
    double c1 = 0.02 * 0.02; /* constants: the first factor alone */
    assert_ok(hs_image_dssim(shape, x, y, &d));
    assert_near(d, 1 - (2 * 0.5 * -0.25 + c1) / (0.25 + 0.0625 + c1), 1e-6);
    assert_ok(hs_image_dssim((hs_chw){1, 1, 1}, x, y, &d));
    assert_near(d, 1 - (2 * 0.5 * -0.25 + c1) / (0.25 + 0.0625 + c1), 1e-6);
}

/* [1 2 1]/4 scales a wave of frequency a by cos^2(a / 2): over whole periods the mean square of the rest of a product
 * of two is (1 - cos^2(a/2) cos^2(b/2))^2 / 4. */
static void test_high_frequencies(void **state)
{
    (void)state;
    const hs_chw shape = {1, 18, 10}; /* 16 x 8 inside */
    static float x[180], y[180];
    const double a = 2 * acos(-1) * 3 / 16, b = 2 * acos(-1) * 2 / 8, g = cos(a / 2) * cos(b / 2);
    for (size_t q = 0; q < 180; q++) {
        x[q] = (float)(sin(a * (double)(q / 10)) * sin(b * (double)(q % 10) + 0.4));
        y[q] = x[q] / 2;
    }
    assert_near(hs_image_hf_energy(shape, x), (1 - g * g) * (1 - g * g) / 4, 1e-6);
    assert_near(hs_image_hf(shape, x, y), log(4), 1e-3);
    assert_near(hs_image_hf(shape, y, x), log(4), 1e-3);
    assert_near(hs_image_hf(shape, x, x), 0, 0);
    assert_true(isnan(hs_image_hf_energy((hs_chw){1, 2, 5}, x)));
    for (size_t q = 0; q < 180; q++) {
        y[q] = x[q] + 0.5F;
    }
    assert_near(hs_image_l2(shape, x, y), 0.5, 1e-7);
}

enum { N = 8, S = 6 };

typedef struct {
    hs_model model;
    hs_steps steps;
    float *x;
    hs_robust_plan plan;
} fixture;

static const double level[] = {0.05, 0.5, 2, 8};

static void open_fixture(fixture *f, size_t n)
{
    memset(f, 0, sizeof *f);
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &f->model));
    assert_ok(hs_steps_create(&f->model.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &f->steps));
    size_t d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(f->model.unet)));
    f->x = malloc((2 * n + 2) * d * sizeof(float));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2}, 0, (2 * n + 2) * d, f->x);
    f->plan = (hs_robust_plan){
        .perturb = {.model = &f->model, .steps = &f->steps, .batch = 8, .seed = 3},
        .matching = HS_MATCH_FIRST_ORDER,
        .arm = {1, 1, 1, 1, 1},
        .m = 4,
        .level = level,
        .n = n,
        .n_fresh = n,
        .n_match = 2,
        .x_T = f->x,
        .x_fresh = f->x + n * d,
        .x_match = f->x + 2 * n * d,
    };
}

static void close_fixture(fixture *f)
{
    free(f->x);
    hs_steps_free(&f->steps);
    hs_model_free(&f->model);
}

/* Without an attribute network: pixels, contraction, anisotropy and percentiles there, the rest said to be missing. */
static void test_untrained(void **state)
{
    (void)state;
    fixture f;
    hs_robust_run r;
    hs_robustness m;
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    open_fixture(&f, N);
    assert_ok(hs_robust_run_model(&f.plan, &r));
    const hs_damage *d = &r.damage[HS_DAMAGE_L2];
    assert_int_equal(d->n, N);
    for (int a = 0; a < HS_ARMS; a++) {
        double small = 0, large = 0;
        assert_int_equal(d->m[a], 5);
        for (size_t i = 0; i < N; i++) {
            assert_near(d->damage[a][i * 5], 0, 0);
            small += d->damage[a][i * 5 + 1];
            large += d->damage[a][i * 5 + 3];
        }
        assert_true(0 < small && small < large);
    }
    assert_int_equal(r.damage[HS_DAMAGE_FEAT].n, 0);
    assert_ok(hs_robustness_measure(d, &o, &m));
    assert_ok(hs_robust_put(&r, HS_DAMAGE_L2, &o.bootstrap, &m.result));
    assert_true(isfinite(hs_measurement_find(&m.result, "contraction")->value));
    assert_true(isfinite(hs_measurement_find(&m.result, "anisotropy")->value));
    assert_true(isnan(hs_measurement_find(&m.result, "frechet[h_p,0.5]")->value));
    assert_true(isnan(hs_measurement_find(&m.result, "log_ratio_sigma50[feat]")->value));
    assert_non_null(hs_measurement_find(&m.result, "log_ratio_sigma50[ssim]"));
    double p = hs_measurement_find(&m.result, "percentile[x_t,8]")->value;
    assert_true(p >= 0 && p <= 1);
    hs_robustness_free(&m);
    hs_robust_run_free(&r);
    close_fixture(&f);
}

/* The same bits again; another batch: the same within float32 that some layers let grow. */
static void test_again(void **state)
{
    (void)state;
    fixture f;
    hs_robust_run a, b, c;
    open_fixture(&f, 3);
    assert_ok(hs_robust_run_model(&f.plan, &a));
    assert_ok(hs_robust_run_model(&f.plan, &b));
    f.plan.perturb.batch = 64;
    assert_ok(hs_robust_run_model(&f.plan, &c));
    for (int arm = 0; arm < HS_ARMS; arm++) {
        const double *v = a.damage[HS_DAMAGE_SSIM].damage[arm];
        assert_memory_equal(v, b.damage[HS_DAMAGE_SSIM].damage[arm], 3 * 5 * sizeof(double));
        for (size_t i = 0; i < 3 * 5; i++) {
            assert_near(v[i], c.damage[HS_DAMAGE_SSIM].damage[arm][i], 1e-3);
        }
    }
    hs_robust_run_free(&a);
    hs_robust_run_free(&b);
    hs_robust_run_free(&c);
    close_fixture(&f);
}

static void test_few(void **state)
{
    (void)state;
    fixture f;
    hs_robust_run r;
    hs_robustness m;
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    open_fixture(&f, 1);
    f.plan.arm[HS_ARM_X_T] = f.plan.arm[HS_ARM_H_BOTH] = 0;
    assert_ok(hs_robust_run_model(&f.plan, &r));
    assert_ok(hs_robustness_measure(&r.damage[HS_DAMAGE_L2], &o, &m));
    assert_ok(hs_robust_put(&r, HS_DAMAGE_L2, &o.bootstrap, &m.result));
    assert_int_equal(m.result.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_true(isnan(hs_measurement_find(&m.result, "anisotropy")->value));
    assert_true(isnan(hs_measurement_find(&m.result, "sigma50[x_t]")->value));
    hs_robustness_free(&m);
    hs_robust_run_free(&r);
    f.plan.level = (const double[]){1, 1, 2, 3};
    assert_code(hs_robust_run_model(&f.plan, &r), HS_ERANGE);
    f.plan.m = 0;
    assert_code(hs_robust_run_model(&f.plan, &r), HS_ERANGE);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ssim),      cmocka_unit_test(test_high_frequencies),
        cmocka_unit_test(test_untrained), cmocka_unit_test(test_again),
        cmocka_unit_test(test_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
