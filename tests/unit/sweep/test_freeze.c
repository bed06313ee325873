/* analysis/sweep/freeze: f_t along plain trajectories against the steps written out, and the means in closed form. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/freeze.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 3, S = 4 };

/* Encode, f_t, decode, mix: one image at a time. */
static void by_hand(const hs_model *m, const hs_steps *steps, const hs_deltablock *f, size_t edited, const float *x_T,
                    float *delta)
{
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    hs_chw shape = hs_unet_h_shape(cfg);
    size_t d_h = hs_chw_size(shape), d_x = hs_chw_size(hs_unet_image_shape(cfg));
    float *h = malloc(d_h * sizeof *h), *x = malloc(d_x * sizeof *x), *eps = malloc(d_x * sizeof *eps);
    hs_unet_ws *ws = NULL;
    assert_ok(hs_unet_ws_create(m->unet, 1, 1, HS_CONV_AUTO, &ws));
    memcpy(x, x_T, d_x * sizeof *x);
    for (size_t k = 0; k < edited; k++) {
        const hs_step *st = &steps->step[k];
        assert_ok(hs_unet_encode(m->unet, ws, 1, x, &st->t, h));
        assert_ok(hs_deltablock_forward(f, 1, shape, h, hs_unet_temb(ws, 0), delta + k * d_h));
        assert_ok(hs_unet_decode(m->unet, ws, 1, NULL, h, eps));
        for (size_t j = 0; j < d_x; j++) {
            double p = ((double)x[j] - sqrt(1 - st->alpha_bar) * (double)eps[j]) / sqrt(st->alpha_bar);
            x[j] = (float)(sqrt(st->alpha_bar_next) * p + sqrt(1 - st->alpha_bar_next) * (double)eps[j]);
        }
    }
    hs_unet_ws_free(ws);
    free(h);
    free(x);
    free(eps);
}

static void test_deltas_equal_the_steps_written_out(void **state)
{
    (void)state;
    hs_model m;
    hs_steps steps;
    hs_direction dir = {0};
    hs_freeze *f = NULL;
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &m));
    assert_ok(hs_steps_create(&m.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &steps));
    const hs_unet_config *cfg = hs_unet_config_of(m.unet);
    size_t d_h = hs_chw_size(hs_unet_h_shape(cfg)), d_x = hs_chw_size(hs_unet_image_shape(cfg));
    hs_freeze_plan plan = {.model = &m, .steps = &steps, .dir = &dir, .edited = 3, .batch = 2};
    assert_code(hs_freeze_create(&plan, &f), HS_ERANGE); /* no network */
    assert_ok(hs_deltablock_random(hs_unet_h_shape(cfg).c, hs_unet_h_shape(cfg).c, cfg->temb_dim, 5, 0, &dir.net));
    plan.edited = S + 1;
    assert_code(hs_freeze_create(&plan, &f), HS_ERANGE);
    plan.edited = 3;
    float *x_T = malloc(N * d_x * sizeof *x_T), *got = malloc(N * 3 * d_h * sizeof *got), *want = malloc(3 * d_h * 4);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * d_x, x_T);
    assert_ok(hs_freeze_create(&plan, &f));
    assert_ok(hs_freeze_run(f, 0, 2, x_T, got));
    assert_ok(hs_freeze_run(f, 2, 1, x_T + 2 * d_x, got + 2 * 3 * d_h));
    for (size_t i = 0; i < N; i++) {
        by_hand(&m, &steps, dir.net, 3, x_T + i * d_x, want);
        /* three float32 passes of a network that is no denoiser, as for whole edits */
        assert_true(max_rel_f32(got + i * 3 * d_h, want, 3 * d_h) < 1e-4);
    }
    hs_freeze_free(f);
    hs_deltablock_free(dir.net);
    free(x_T);
    free(got);
    free(want);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

/* Two samples, two steps, d = 2: every number is plain. */
static void test_means_by_hand(void **state)
{
    (void)state;
    static const float delta[2][2][2] = {{{3, 0}, {0, 2}}, {{5, 0}, {0, 0}}};
    hs_freeze_mean m;
    float mean[4], global[2], unit[2];
    double each[2], of_mean[2];
    assert_ok(hs_freeze_mean_create(2, 2, &m));
    assert_code(hs_freeze_mean_finish(&m, mean, global, unit, each, of_mean), HS_EDEGENERATE);
    hs_freeze_mean_add(&m, 1, &delta[0][0][0]);
    hs_freeze_mean_add(&m, 1, &delta[1][0][0]);
    assert_ok(hs_freeze_mean_finish(&m, mean, global, unit, each, of_mean));
    static const float want[4] = {4, 0, 0, 1};
    assert_memory_equal(mean, want, sizeof want);
    assert_near(each[0], 4, 0);
    assert_near(each[1], 1, 0);
    assert_near(of_mean[0], 4, 0);
    assert_near(of_mean[1], 1, 0);
    assert_near(global[0], 2, 0);
    assert_near(global[1], 0.5, 0);
    /* (1, 1)/sqrt 2 at the length of (2, 0.5) */
    assert_near(unit[0], sqrt(4.25 / 2), 1e-6);
    assert_near(unit[1], sqrt(4.25 / 2), 1e-6);
    hs_freeze_mean_free(&m);
    static const float opposite[2][1][1] = {{{1}}, {{-1}}};
    assert_ok(hs_freeze_mean_create(1, 1, &m));
    hs_freeze_mean_add(&m, 2, &opposite[0][0][0]);
    assert_code(hs_freeze_mean_finish(&m, mean, global, unit, each, of_mean), HS_EDEGENERATE);
    hs_freeze_mean_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deltas_equal_the_steps_written_out),
        cmocka_unit_test(test_means_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
