/* Edits with deltas given per image: the bits of an edit along a stored direction, and each image's own row. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/edit.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { N = 3, S = 4, EDITED = 2 };

static void test_given(void **state)
{
    (void)state;
    hs_model m;
    hs_steps steps;
    static const double strength[2] = {0, 1.5}, one = 1;
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &m));
    assert_ok(hs_steps_create(&m.schedule, &(hs_steps_spec){HS_SPACING_ASYRP, S, 0, 1}, &steps));
    const hs_unet_config *cfg = hs_unet_config_of(m.unet);
    size_t d_h = hs_chw_size(hs_unet_h_shape(cfg)), d_x = hs_chw_size(hs_unet_image_shape(cfg));
    float *x_T = malloc(N * d_x * sizeof *x_T), *dh = malloc(N * EDITED * d_h * sizeof *dh);
    float *a = malloc(N * 2 * d_x * sizeof *a), *b = malloc(N * 2 * d_x * sizeof *b);
    int t[EDITED] = {steps.step[0].t, steps.step[1].t};
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, N * d_x, x_T);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2}, 0, N * EDITED * d_h, dh);
    hs_direction dir = {.shape = hs_unet_h_shape(cfg), .S = EDITED, .t = t, .dh = dh, .match = HS_MATCH_NEAREST};
    hs_edit_plan along = {.model = &m,
                          .steps = &steps,
                          .n_dir = 1,
                          .dir = &dir,
                          .coef = &one,
                          .scale = 1,
                          .m = 2,
                          .strength = strength,
                          .t_edit = t[1],
                          .batch = 4};
    hs_edit_plan given = along;
    const size_t first[N] = {0, 0, 0}, turned[N] = {1, 2, 0};
    given.n_dir = 0;
    given.given = dh;
    given.given_S = EDITED;
    given.given_row = first;
    assert_ok(hs_edit_run(&along, N, x_T, NULL, a));
    assert_ok(hs_edit_run(&given, N, x_T, NULL, b));
    assert_memory_equal(a, b, N * 2 * d_x * sizeof *a);
    given.given_row = turned; /* image i with row i + 1: what a direction of that row alone gives it */
    assert_ok(hs_edit_run(&given, N, x_T, NULL, b));
    for (size_t i = 0; i < N; i++) {
        dir.dh = dh + turned[i] * EDITED * d_h;
        assert_ok(hs_edit_run(&along, N, x_T, NULL, a));
        assert_memory_equal(a + i * 2 * d_x, b + i * 2 * d_x, 2 * d_x * sizeof *a);
    }
    given.given_row = NULL; /* its own row */
    assert_ok(hs_edit_run(&given, N, x_T, NULL, b));
    dir.dh = dh + 2 * EDITED * d_h;
    assert_ok(hs_edit_run(&along, N, x_T, NULL, a));
    assert_memory_equal(a + 2 * 2 * d_x, b + 2 * 2 * d_x, 2 * d_x * sizeof *a);
    given.given_S = 1; /* nothing is added beyond the last given step */
    given.given = dh;
    assert_ok(hs_edit_run(&given, N, x_T, NULL, b));
    assert_memory_not_equal(a + 2 * 2 * d_x, b + 2 * 2 * d_x, 2 * d_x * sizeof *a);
    free(x_T), free(dh), free(a), free(b);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_given)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
