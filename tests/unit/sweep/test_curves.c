/* analysis/sweep/curves: distances along a trajectory against the steps written out; the calibration against the
 * authors' curves. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/curves.h"
#include "core/base/rng.h"
#include "core/diffusion/editing.h"
#include "tests/support/support.h"

enum { N = 3, S = 4 };

static double rms(size_t d, const float *a, const float *b)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        sum += pow((double)a[k] - (double)b[k], 2);
    }
    return sqrt(sum / (double)d);
}

/* p and x (S, ascending t) += the distances of one image. */
static void by_hand(const hs_model *m, const hs_steps *steps, const float *x_T, double *p, double *x)
{
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    size_t d_h = hs_chw_size(hs_unet_h_shape(cfg)), d = hs_chw_size(hs_unet_image_shape(cfg));
    float *h = malloc(d_h * sizeof *h), *eps = malloc(d * sizeof *eps), *at = malloc((S + 1) * d * sizeof *at),
          *pred = malloc(S * d * sizeof *pred);
    hs_unet_ws *ws = NULL;
    assert_ok(hs_unet_ws_create(m->unet, 1, 1, HS_CONV_AUTO, &ws));
    memcpy(at, x_T, d * sizeof *at);
    for (size_t k = 0; k < S; k++) {
        const hs_step *st = &steps->step[k];
        assert_ok(hs_unet_encode(m->unet, ws, 1, at + k * d, &st->t, h));
        assert_ok(hs_unet_decode(m->unet, ws, 1, NULL, h, eps));
        for (size_t j = 0; j < d; j++) {
            double v = ((double)at[k * d + j] - sqrt(1 - st->alpha_bar) * (double)eps[j]) / sqrt(st->alpha_bar);
            pred[k * d + j] = (float)v;
            at[(k + 1) * d + j] = (float)(sqrt(st->alpha_bar_next) * v + sqrt(1 - st->alpha_bar_next) * (double)eps[j]);
        }
    }
    for (size_t k = 0; k < S; k++) {
        p[S - 1 - k] += rms(d, pred + k * d, at + S * d) / N;
        x[S - 1 - k] += rms(d, at + k * d, at + S * d) / N;
    }
    hs_unet_ws_free(ws);
    free(h);
    free(eps);
    free(at);
    free(pred);
}

static void test_curves_equal_the_steps_written_out(void **state)
{
    (void)state;
    hs_model m;
    hs_steps steps;
    hs_curves c;
    double p[S] = {0}, x[S] = {0};
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &m));
    assert_ok(hs_steps_create(&m.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &steps));
    size_t d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(m.unet)));
    float *x_T = malloc(N * d * sizeof *x_T);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * d, x_T);
    for (size_t i = 0; i < N; i++) {
        by_hand(&m, &steps, x_T + i * d, p, x);
    }
    const hs_curves_plan plan = {.model = &m, .steps = &steps, .batch = 2};
    assert_ok(hs_curves_measure(&plan, N, x_T, &c));
    assert_int_equal(c.S, S);
    assert_int_equal(c.n, N);
    for (size_t k = 0; k < S; k++) {
        assert_int_equal(c.t[k], steps.step[S - 1 - k].t);
        /* four float32 passes of a network that is no denoiser; the last prediction is the image itself */
        assert_near(c.p[k], p[k], 1e-4 * p[S - 1]);
        assert_near(c.x[k], x[k], 1e-4 * x[S - 1]);
    }
    assert_near(c.p[0], 0, 1e-4 * p[S - 1]);
    hs_curves_free(&c);
    free(x_T);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

static void test_thresholds(void **state)
{
    (void)state;
    int t[3] = {0, 10, 20};
    double p[3] = {0, 1, 4}, x[3] = {0, 2, 3}, noise[3] = {0, HS_CURVE_BOOST_NOISE / 2, HS_CURVE_BOOST_NOISE * 1.5};
    const hs_curves c = {.S = 3, .t = t, .p = p, .x = x, .noise = noise};
    double edit, boost;
    hs_curves_thresholds(&c, 0.5, &edit, &boost);
    assert_near(edit, 0.5 * 4 * HS_CURVE_EDIT_FRACTION, 1e-12);
    assert_near(boost, 2.5, 1e-12); /* half way between the points */
}

/* The two constants are what the published curves say: means over the five data sets. */
static void test_constants_are_those_of_the_published_curves(void **state)
{
    (void)state;
    static const char *const name[] = {"celeba", "afhq", "church", "bedroom", "metface"};
    double fraction = 0, noise = 0;
    hs_schedule schedule;
    const hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
    need_shared("lpips-curves/celeba_LPIPS_distance_x.tsv");
    assert_ok(hs_schedule_create(&spec, &schedule));
    for (size_t i = 0; i < 5; i++) {
        char file[128];
        size_t n;
        int *t, cross;
        double *v;
        snprintf(file, sizeof file, "lpips-curves/%s_LPIPS_distance_x0_t.tsv", name[i]);
        assert_ok(hs_curve_read(shared_data(file), &n, &t, &v));
        fraction += HS_LPIPS_T_EDIT / v[n - 1] / 5;
        free(t);
        free(v);
        snprintf(file, sizeof file, "lpips-curves/%s_LPIPS_distance_x.tsv", name[i]);
        assert_ok(hs_curve_read(shared_data(file), &n, &t, &v));
        assert_ok(hs_curve_crossing(n, t, v, HS_LPIPS_T_BOOST, &cross));
        noise += (1 - schedule.alpha_bar[cross]) / 5;
        free(t);
        free(v);
    }
    assert_near(fraction, HS_CURVE_EDIT_FRACTION, 5e-5); /* four digits are written down */
    assert_near(noise, HS_CURVE_BOOST_NOISE, 5e-5);
    hs_schedule_free(&schedule);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

static void test_reading_of_curves(void **state)
{
    (void)state;
    static const char *const bad[] = {"1 2\nx 3\n", "1\n", "1\tnan\n", "-1\t2\n", "1\t2 3\n", "1.5\t2\n"};
    const char *path = temp_path("curve.tsv");
    size_t n;
    int *t;
    double *v;
    write_text(path, "1\t0.5\r\n\n7 1e-1\n");
    assert_ok(hs_curve_read(path, &n, &t, &v));
    assert_int_equal(n, 2);
    assert_int_equal(t[1], 7);
    assert_near(v[1], 0.1, 1e-15);
    free(t);
    free(v);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(path, bad[i]);
        assert_code(hs_curve_read(path, &n, &t, &v), HS_EFORMAT);
    }
    assert_code(hs_curve_read(temp_path("none.tsv"), &n, &t, &v), HS_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_curves_equal_the_steps_written_out),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_constants_are_those_of_the_published_curves),
        cmocka_unit_test(test_reading_of_curves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
