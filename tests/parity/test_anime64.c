/* anime64, a trained model: h to 1e-4 and eps to 5e-4 at four timesteps of the stored trajectory, with
 * every convolution, and the whole 25-step DDIM trajectory of one image to 2e-3. */
#include <stdlib.h>
#include <string.h>

#include "core/diffusion/ddim.h"
#include "core/model/asyrp.h"
#include "tests/support/golden.h"

enum { N = 4, D_X = 3 * 64 * 64, D_H = 512 * 8 * 8, STEPS = 25 };

static const int timesteps[STEPS] = {290, 278, 266, 254, 242, 230, 218, 205, 193, 181, 169, 157, 145,
                                     133, 121, 109, 97,  85,  72,  60,  48,  36,  24,  12,  0};
static const size_t stored[4] = {0, 8, 16, 24};

/* The one array of an .npy file. */
static float *array_of(const char *file, size_t count)
{
    hs_tensors *ts = golden_open(file);
    assert_int_equal(hs_tensors_count(ts), 1);
    size_t n = 0;
    float *v = golden_f32(ts, hs_tensors_at(ts, 0)->name, &n);
    assert_int_equal(n, count);
    hs_tensors_free(ts);
    return v;
}

static void open_model(hs_model *m)
{
    golden_model("anime64/anime64_ddpm_f16.safetensors", NULL, "anime64", m);
    assert_int_equal(hs_unet_parameters(m->unet), 63200387);
}

static void check_step(const hs_model *m, hs_unet_ws *ws, size_t k, size_t n)
{
    float *x = array_of("anime64/golden_x_t.npy", 4 * N * D_X), *want_h = array_of("anime64/golden_h.npy", 4 * N * D_H);
    float *want_eps = array_of("anime64/golden_eps.npy", 4 * N * D_X);
    float *h = malloc(N * D_H * sizeof *h), *eps = malloc(N * D_X * sizeof *eps);
    int t[N];
    char what[40];
    for (size_t i = 0; i < N; i++) {
        t[i] = timesteps[stored[k]];
    }
    assert_ok(hs_unet_encode(m->unet, ws, n, x + k * N * D_X, t, h));
    snprintf(what, sizeof what, "h at t = %d", t[0]);
    golden_report(what, max_rel_f32(h, want_h + k * N * D_H, n * D_H), 1e-4);
    assert_ok(hs_unet_decode(m->unet, ws, n, NULL, h, eps));
    snprintf(what, sizeof what, "eps at t = %d", t[0]);
    golden_report(what, max_rel_f32(eps, want_eps + k * N * D_X, n * D_X), 5e-4);
    free(x), free(want_h), free(want_eps), free(h), free(eps);
}

static void forward(hs_conv_mode mode, size_t n)
{
    hs_model m;
    hs_unet_ws *ws = NULL;
    open_model(&m);
    assert_ok(hs_unet_ws_create(m.unet, n, n, mode, &ws));
    for (size_t k = 0; k < 4; k++) {
        check_step(&m, ws, k, n);
    }
    hs_unet_ws_free(ws);
    hs_model_free(&m);
}

static void test_forward_fastest(void **state)
{
    (void)state;
    need_shared("anime64/golden_h.npy");
    forward(HS_CONV_AUTO, 2);
}

static void test_forward_direct(void **state)
{
    (void)state;
    need_shared("anime64/golden_h.npy");
    forward(HS_CONV_DIRECT, 1);
}

static void test_forward_im2col(void **state)
{
    (void)state;
    need_shared("anime64/golden_h.npy");
    forward(HS_CONV_IM2COL, 1);
}

static void test_ddim_trajectory(void **state)
{
    (void)state;
    need_shared("anime64/golden_x_T.npy");
    hs_model m;
    hs_unet_ws *ws = NULL;
    hs_asyrp *a = NULL;
    hs_steps steps;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    float *x = array_of("anime64/golden_x_T.npy", N * D_X), *want = array_of("anime64/golden_x_0.npy", N * D_X);
    open_model(&m);
    assert_ok(hs_unet_ws_create(m.unet, 1, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_asyrp_create(m.unet, ws, NULL, 1, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    assert_ok(hs_steps_from_list(&m.schedule, STEPS, timesteps, &steps));
    assert_ok(hs_ddim_sample(&p, &steps, &o, 1, D_X, x));
    golden_report("x_0 after 25 DDIM steps", max_rel_f32(x, want, D_X), 2e-3);
    hs_steps_free(&steps);
    hs_asyrp_free(a);
    hs_unet_ws_free(ws);
    hs_model_free(&m);
    free(x), free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward_fastest),
        cmocka_unit_test(test_forward_direct),
        cmocka_unit_test(test_forward_im2col),
        cmocka_unit_test(test_ddim_trajectory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
