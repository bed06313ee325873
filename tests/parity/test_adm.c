/* guided-diffusion's U-Net (ADM): residual and convolutional resampling, both orders of q, k and v, classes, a learned
 * variance beside eps; forward, derivatives, gradients and sampling against the reference's arrays. */
#include <stdlib.h>
#include <string.h>

#include "core/diffusion/ddim.h"
#include "core/model/asyrp.h"
#include "core/model/deltablock.h"
#include "tests/support/golden.h"
#include "tests/support/golden_grad.h"

static const char *const cases[] = {"updown", "conv_neworder", "classcond"};

/* schedule NULL: that of the flags.  A case's trajectory of one image is of its first class. */
static void open_case(const char *name, const char *schedule, char folder[128], hs_model *m)
{
    char file[1024], arch[1024], golden[192];
    snprintf(folder, 128, "parity/adm_openai/%s", name);
    snprintf(golden, sizeof golden, "%s/model.pt", folder);
    snprintf(file, sizeof file, "%s", shared_data(golden));
    snprintf(golden, sizeof golden, "%s/flags.json", folder);
    snprintf(arch, sizeof arch, "%s", shared_data(golden));
    assert_ok(hs_model_open(file, arch, schedule, m));
    snprintf(golden, sizeof golden, "%s/golden.safetensors", folder);
    golden_classes(golden, m->unet);
}

static void test_forward(void **state)
{
    (void)state;
    static const hs_conv_mode modes[] = {HS_CONV_IM2COL, HS_CONV_DIRECT, HS_CONV_WINOGRAD, HS_CONV_AUTO};
    need_shared("parity/adm_openai/updown/golden.safetensors");
    for (size_t i = 0; i < 3; i++) {
        char folder[128];
        hs_model m;
        open_case(cases[i], NULL, folder, &m);
        assert_string_equal(hs_unet_config_of(m.unet)->family, "adm");
        for (size_t k = 0; k < 4; k++) {
            golden_forward(folder, &m, modes[k]);
        }
        hs_model_free(&m);
    }
}

static void test_derivatives(void **state)
{
    (void)state;
    need_shared("parity/adm_openai/updown/golden.safetensors");
    for (size_t i = 0; i < 3; i++) {
        char folder[128];
        snprintf(folder, sizeof folder, "parity/adm_openai/%s", cases[i]);
        golden_derivatives(folder, "model.pt", "flags.json", 1);
    }
}

/* The reference's respaced processes; after clipping it derives eps from the clipped x_0 again. */
static void test_trajectories(void **state)
{
    (void)state;
    static const struct {
        const char *name, *respacing;
        double eta;
        int clip;
    } list[] = {{"ddim6_noclip", "ddim6", 0, 0},
                {"even6_noclip", "6", 0, 0},
                {"ddim6_clip", "ddim6", 0, HS_CLIP_BOTH},
                {"ddim6_clip_eta1", "ddim6", 1, HS_CLIP_BOTH}};
    need_shared("parity/adm_openai/updown/golden.safetensors");
    for (size_t i = 0; i < 3; i++) {
        char folder[128], file[192];
        hs_model m;
        open_case(cases[i], i == 1 ? "cosine" : NULL, folder, &m);
        snprintf(file, sizeof file, "%s/golden.safetensors", folder);
        hs_tensors *ts = golden_open(file);
        for (size_t k = 0; k < 4; k++) {
            hs_steps steps;
            assert_ok(hs_steps_respaced(&m.schedule, list[k].respacing, &steps));
            golden_trajectory(ts, list[k].name, &m, &steps, list[k].eta, list[k].clip, list[k].clip ? 1e-3 : 1e-4);
            hs_steps_free(&steps);
        }
        hs_tensors_free(ts);
        hs_model_free(&m);
    }
}

/* ---- f_t of the ADM type, and an edit by it ---- */

enum { N = 2, S = 6, D_X = 3 * 16 * 16, D_H = 32 * 8 * 8, T_EDIT = 480 };

static const hs_chw h_shape = {32, 8, 8};

static hs_deltablock *dog_happy(void)
{
    hs_deltablock *f = NULL;
    hs_tensors *ts = golden_open("parity/asyrp_adm/dog_happy_LC_AFHQ_dog_t999_ninv6_ngen6_0.pth");
    assert_ok(hs_deltablock_load(ts, "0.", &f));
    hs_tensors_free(ts);
    return f;
}

/* The U-Net's own embedding is what f_t expects. */
static void test_delta_network(void **state)
{
    (void)state;
    need_shared("parity/asyrp_adm/golden.safetensors");
    char folder[128];
    hs_model m;
    hs_unet_ws *ws = NULL;
    size_t n = 0;
    open_case("updown", NULL, folder, &m);
    hs_tensors *ts = golden_open("parity/asyrp_adm/golden.safetensors");
    hs_deltablock *f = dog_happy();
    float *x = golden_f32(ts, "x", NULL), *h = malloc(3 * D_H * sizeof *h), *dh = malloc(3 * D_H * sizeof *dh);
    float *eps = malloc(3 * D_X * sizeof *eps);
    int *t = golden_int(ts, "t", &n);
    assert_int_equal(n, 3);
    assert_ok(hs_unet_ws_create(m.unet, 3, 3, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_encode(m.unet, ws, 3, x, t, h));
    golden_check(ts, "h", 0, 3 * D_H, h, 2e-5);
    assert_ok(hs_unet_decode(m.unet, ws, 3, NULL, h, eps));
    golden_check(ts, "eps", 0, 3 * D_X, eps, 2e-5);
    assert_ok(hs_deltablock_forward(f, 3, h_shape, h, hs_unet_temb(ws, 0), dh));
    golden_check(ts, "f/dog_happy", 0, 3 * D_H, dh, 2e-5);
    assert_ok(hs_deltablock_forward(f, 3, h_shape, h, NULL, dh));
    golden_check(ts, "f_notime/dog_happy", 0, 3 * D_H, dh, 2e-5);
    hs_unet_ws_free(ws);
    hs_deltablock_free(f);
    hs_tensors_free(ts);
    hs_model_free(&m);
    free(x), free(h), free(dh), free(eps), free(t);
}

typedef struct {
    const hs_deltablock *f;
    float *seen; /* what f said, step by step */
    size_t calls;
    float *x;
} watched;

static int say(void *ctx, int t, size_t states, const size_t *image, const float *h, const float *temb, float *dh)
{
    watched *w = ctx;
    (void)t, (void)image;
    assert_int_equal(states, N);
    assert_true(w->calls < 3);
    assert_ok(hs_deltablock_forward(w->f, states, h_shape, h, temb, dh));
    memcpy(w->seen + w->calls++ * N * D_H, dh, N * D_H * sizeof *dh);
    return HS_OK;
}

static int keep(void *ctx, size_t step, size_t n, const float *x)
{
    memcpy(((watched *)ctx)->x + step * n * D_X, x, n * D_X * sizeof *x);
    return HS_OK;
}

static void test_edited_trajectory(void **state)
{
    (void)state;
    static const int timesteps[S] = {999, 799, 599, 399, 199, 0};
    static const double strength[1] = {1};
    need_shared("parity/asyrp_adm/golden.safetensors");
    char folder[128];
    hs_model m;
    hs_unet_ws *ws = NULL;
    hs_asyrp *a = NULL;
    hs_steps steps;
    open_case("updown", NULL, folder, &m);
    hs_tensors *ts = golden_open("parity/asyrp_adm/golden.safetensors");
    hs_deltablock *f = dog_happy();
    float *x = golden_f32(ts, "x_T", NULL);
    watched w = {f, malloc(3 * N * D_H * sizeof(float)), 0, malloc((S + 1) * N * D_X * sizeof(float))};
    const hs_edit edit = {.delta = {say, &w}, .path = hs_path_add, .m = 1, .strength = strength, .t_edit = T_EDIT};
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    o.observe = keep;
    o.observe_ctx = &w;
    assert_ok(hs_steps_from_list(&m.schedule, S, timesteps, &steps));
    assert_ok(hs_unet_ws_create(m.unet, N, N, HS_CONV_AUTO, &ws));
    assert_ok(hs_asyrp_create(m.unet, ws, &edit, N, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    assert_ok(hs_ddim_sample(&p, &steps, &o, N, D_X, x));
    assert_int_equal(w.calls, 3);
    for (size_t k = 0; k <= S; k++) {
        golden_check(ts, "edit/x", k * N * D_X, N * D_X, w.x + k * N * D_X, 1e-4);
    }
    for (size_t k = 0; k < 3; k++) {
        golden_check(ts, "edit/dh", k * N * D_H, N * D_H, w.seen + k * N * D_H, 1e-4);
    }
    hs_asyrp_free(a);
    hs_unet_ws_free(ws);
    hs_steps_free(&steps);
    hs_deltablock_free(f);
    hs_tensors_free(ts);
    hs_model_free(&m);
    free(x), free(w.seen), free(w.x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),           cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_trajectories),      cmocka_unit_test(test_delta_network),
        cmocka_unit_test(test_edited_trajectory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
