/* Directions with the covariance of h: their covariance over many draws against the sample covariance, their norms, and
 * the h of a network's own trajectories. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/freeze.h"
#include "analysis/sweep/h_draws.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 7, S = 2, D = 3, DRAWS = 20000 };

/* h (N, S, D): correlated numbers on a common vector a hundred times as long. */
static void plant(float *h)
{
    float z[N * S * D];
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, N * S * D, z);
    for (size_t i = 0; i < N * S; i++) {
        const float *v = z + i * D;
        h[i * D] = 100 + 2 * v[0];
        h[i * D + 1] = -100 + v[0] + v[1];
        h[i * D + 2] = 50 + 0.3f * v[2] - v[1];
    }
}

/* c (D, D) <- sum over the images of (h - mean)(h - mean)^T at step t. */
static void scatter(const float *h, size_t t, double c[D * D])
{
    double mean[D] = {0};
    memset(c, 0, D * D * sizeof *c);
    for (size_t i = 0; i < N; i++) {
        for (size_t a = 0; a < D; a++) {
            mean[a] += (double)h[(i * S + t) * D + a] / N;
        }
    }
    for (size_t i = 0; i < N; i++) {
        const float *v = h + (i * S + t) * D;
        for (size_t a = 0; a < D; a++) {
            for (size_t b = 0; b < D; b++) {
                c[a * D + b] += ((double)v[a] - mean[a]) * ((double)v[b] - mean[b]);
            }
        }
    }
}

static void test_covariance_of_many_draws(void **state)
{
    (void)state;
    float h[N * S * D];
    hs_h_draws w = {0};
    plant(h);
    assert_ok(hs_h_draws_create(N, DRAWS, S, D, 5, &w));
    hs_h_draws_add(&w, 0, 4, h);
    hs_h_draws_add(&w, 4, N - 4, h + 4 * S * D);
    for (size_t t = 0; t < S; t++) {
        double c[D * D];
        scatter(h, t, c);
        for (size_t a = 0; a < D; a++) {
            double mean = 0;
            for (size_t k = 0; k < DRAWS; k++) {
                mean += w.g[(k * S + t) * D + a] / DRAWS;
            }
            assert_near(mean, 0, 5 * sqrt(c[a * D + a] / DRAWS));
            for (size_t b = 0; b < D; b++) {
                double got = 0;
                for (size_t k = 0; k < DRAWS; k++) {
                    got += w.g[(k * S + t) * D + a] * w.g[(k * S + t) * D + b] / DRAWS;
                }
                /* five standard errors of a covariance of normal numbers */
                double error = sqrt((c[a * D + a] * c[b * D + b] + c[a * D + b] * c[a * D + b]) / DRAWS);
                assert_near(got, c[a * D + b], 5 * error);
            }
        }
    }
    hs_h_draws_free(&w);
}

static void test_norms_and_refusals(void **state)
{
    (void)state;
    float h[N * S * D], dh[S * D];
    const double norm[S] = {3, 0.5};
    hs_h_draws w = {0};
    plant(h);
    assert_code(hs_h_draws_create(1, 4, S, D, 5, &w), HS_ERANGE);
    assert_code(hs_h_draws_create(N, 0, S, D, 5, &w), HS_ERANGE);
    assert_ok(hs_h_draws_create(N, 4, S, D, 5, &w));
    hs_h_draws_add(&w, 0, N, h);
    for (size_t k = 0; k < 4; k++) {
        assert_ok(hs_h_draws_take(&w, k, norm, dh));
        for (size_t t = 0; t < S; t++) {
            double square = 0;
            for (size_t j = 0; j < D; j++) {
                square += (double)dh[t * D + j] * (double)dh[t * D + j];
            }
            assert_near(sqrt(square), norm[t], 1e-6);
        }
    }
    hs_h_draws_free(&w);
    for (size_t i = 0; i < N; i++) { /* the same image again and again */
        memcpy(h + i * S * D, h, S * D * sizeof *h);
    }
    assert_ok(hs_h_draws_create(N, 4, S, D, 5, &w));
    hs_h_draws_add(&w, 0, N, h);
    assert_code(hs_h_draws_take(&w, 0, norm, dh), HS_EDEGENERATE);
    hs_h_draws_free(&w);
}

/* What hs_states_along gives. */
typedef struct {
    size_t n, per;
    float *h, *delta;
} kept;

static int keep(void *ctx, size_t first, size_t count, const float *h, const float *delta)
{
    kept *w = ctx;
    memcpy(w->h + first * w->per, h, count * w->per * sizeof *h);
    w->n += count;
    if (delta != NULL) {
        memcpy(w->delta + first * w->per, delta, count * w->per * sizeof *delta);
    }
    return HS_OK;
}

static int keep_delta(void *ctx, size_t first, size_t count, const float *delta)
{
    return keep(ctx, first, count, delta, NULL);
}

/* h at the first step is what the encoder says of x_T; beside a network, its deltas are those it gives alone. */
static void test_states_of_a_network(void **state)
{
    (void)state;
    enum { IMAGES = 5, STEPS = 4, EDITED = 3 };
    hs_model m;
    hs_steps steps;
    hs_direction dir = {0};
    hs_unet_ws *ws = NULL;
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &m));
    assert_ok(hs_steps_create(&m.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, STEPS, 0, 1}, &steps));
    const hs_unet_config *cfg = hs_unet_config_of(m.unet);
    size_t d_h = hs_chw_size(hs_unet_h_shape(cfg)), d_x = hs_chw_size(hs_unet_image_shape(cfg)), per = EDITED * d_h;
    const hs_edit_plan plan = {
        .model = &m, .steps = &steps, .n_dir = 1, .dir = &dir, .t_edit = steps.step[EDITED - 1].t, .batch = 2};
    float *x = malloc(IMAGES * d_x * sizeof *x), *h = malloc(d_h * sizeof *h), *alone = malloc(IMAGES * per * 4);
    kept w = {0, per, malloc(IMAGES * per * 4), malloc(IMAGES * per * 4)}, deltas = {0, per, alone, NULL};
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, IMAGES * d_x, x);
    assert_ok(hs_states_along(&plan, IMAGES, x, keep, &w)); /* a stored direction */
    assert_int_equal(w.n, IMAGES);
    assert_ok(hs_unet_ws_create(m.unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t i = 0; i < IMAGES; i++) {
        assert_ok(hs_unet_encode(m.unet, ws, 1, x + i * d_x, &steps.step[0].t, h));
        assert_memory_equal(h, w.h + i * per, d_h * sizeof *h);
    }
    assert_ok(hs_deltablock_random(hs_unet_h_shape(cfg).c, hs_unet_h_shape(cfg).c, cfg->temb_dim, 5, 0, &dir.net));
    assert_ok(hs_freeze_along(&plan, IMAGES, x, keep_delta, &deltas));
    float *before = malloc(IMAGES * per * 4);
    memcpy(before, w.h, IMAGES * per * 4);
    assert_ok(hs_states_along(&plan, IMAGES, x, keep, &w));
    assert_memory_equal(before, w.h, IMAGES * per * 4);
    assert_memory_equal(alone, w.delta, IMAGES * per * 4);
    hs_unet_ws_free(ws);
    hs_deltablock_free(dir.net);
    free(x);
    free(h);
    free(alone);
    free(before);
    free(w.h);
    free(w.delta);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_covariance_of_many_draws),
                                       cmocka_unit_test(test_norms_and_refusals),
                                       cmocka_unit_test(test_states_of_a_network)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
