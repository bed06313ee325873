/* The derivative of an edit in its strength against central differences of the run itself. */
#include <math.h>
#include <stdlib.h>

#include "analysis/sweep/tangent.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 2, S = 4, EDITED = 2, M = 5 };
static const double strength[M] = {-1.0 / 512, 0, 1.0 / 512, 1.0 / 128, 1.0 / 64};

static double dot(size_t d, const float *a, const float *b)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    return sum;
}

/* 1 - cos(E(s), J) of column j of an image. */
static double apart(size_t d, const float *x, size_t j, const float *dx, float *room)
{
    for (size_t k = 0; k < d; k++) {
        room[k] = x[j * d + k] - x[1 * d + k];
    }
    return 1 - dot(d, room, dx) / sqrt(dot(d, room, room) * dot(d, dx, dx));
}

static void check_image(size_t d, const float *x, const float *dx, float *room)
{
    const double width = strength[2] - strength[0];
    for (size_t k = 0; k < d; k++) {
        room[k] = (float)(((double)x[2 * d + k] - (double)x[k]) / width) - dx[k];
    }
    assert_true(sqrt(dot(d, dx, dx)) > 1e-3);
    assert_true(sqrt(dot(d, room, room) / dot(d, dx, dx)) < 5e-3);
    double near = apart(d, x, 2, dx, room), middle = apart(d, x, 3, dx, room), far = apart(d, x, 4, dx, room);
    assert_true(near < 1e-4);
    assert_true(far > 3 * middle && far < 5 * middle); /* 1 - O(s^2) */
    assert_true(near < middle && middle < far);        /* it goes to 1 as s goes to 0 */
}

static void test_against_differences(void **state)
{
    (void)state;
    hs_model m;
    hs_steps steps;
    const double one = 1;
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &m));
    assert_ok(hs_steps_create(&m.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &steps));
    const hs_unet_config *cfg = hs_unet_config_of(m.unet);
    size_t d_h = hs_chw_size(hs_unet_h_shape(cfg)), d = hs_chw_size(hs_unet_image_shape(cfg));
    float *x_T = malloc(N * d * sizeof *x_T), *dh = malloc(EDITED * d_h * sizeof *dh), *room = malloc(d * sizeof *room);
    float *x = malloc(N * M * d * sizeof *x), *dx = malloc(N * d * sizeof *dx);
    int t[EDITED] = {steps.step[0].t, steps.step[1].t};
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * d, x_T);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2}, 0, EDITED * d_h, dh);
    hs_direction dir = {.shape = hs_unet_h_shape(cfg), .S = EDITED, .t = t, .dh = dh, .match = HS_MATCH_NEAREST};
    hs_edit_plan p = {.model = &m,
                      .steps = &steps,
                      .n_dir = 1,
                      .dir = &dir,
                      .coef = &one,
                      .scale = 1,
                      .m = M,
                      .strength = strength,
                      .t_edit = t[1],
                      .batch = 4};
    for (p.symmetric = 0; p.symmetric < 2; p.symmetric++) {
        assert_ok(hs_edit_run(&p, N, x_T, NULL, x));
        assert_ok(hs_edit_tangent(&p, N, x_T, dx));
        for (size_t i = 0; i < N; i++) {
            check_image(d, x + i * M * d, dx + i * d, room);
        }
    }
    p.clip = HS_CLIP_P;
    assert_int_equal(hs_edit_tangent(&p, N, x_T, dx), HS_ERANGE);
    free(x_T), free(dh), free(room), free(x), free(dx);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
