/* The DDPM family against ermongroup/ddim: forward, trajectories, and the forms its checkpoints come in. */
#include <stdlib.h>
#include <string.h>

#include "core/diffusion/ddim.h"
#include "core/model/asyrp.h"
#include "tests/support/golden.h"

static void test_forward(void **state)
{
    (void)state;
    need_shared("parity/ddpm_ermon/golden.safetensors");
    hs_model m;
    golden_model("parity/ddpm_ermon/model.ckpt", "parity/ddpm_ermon/config.yml", NULL, &m);
    golden_forward("parity/ddpm_ermon", &m, HS_CONV_IM2COL);
    golden_forward("parity/ddpm_ermon", &m, HS_CONV_AUTO);
    hs_model_free(&m);
}

static void trajectory(const hs_model *m, const hs_tensors *ts, const char *name, double eta, size_t S, const int *t)
{
    hs_steps steps;
    assert_ok(hs_steps_from_list(&m->schedule, S, t, &steps));
    golden_trajectory(ts, name, m, &steps, eta, 0, 1e-4);
    hs_steps_free(&steps);
}

static void test_trajectories(void **state)
{
    (void)state;
    need_shared("parity/ddpm_ermon/golden.safetensors");
    static const int uniform[] = {996, 830, 664, 498, 332, 166, 0}, quad[] = {800, 512, 288, 128, 32, 0};
    static const int asyrp[] = {999, 799, 599, 399, 199, 0};
    hs_model m;
    hs_tensors *ts = golden_open("parity/ddpm_ermon/golden.safetensors");
    golden_model("parity/ddpm_ermon/model.ckpt", "parity/ddpm_ermon/config.yml", NULL, &m);
    trajectory(&m, ts, "uniform_eta0", 0, 7, uniform);
    trajectory(&m, ts, "uniform_eta1", 1, 7, uniform);
    trajectory(&m, ts, "quad_eta0", 0, 6, quad);
    trajectory(&m, ts, "asyrp_eta0", 0, 6, asyrp);
    hs_tensors_free(ts);
    hs_model_free(&m);
}

static float *eps_of(const char *file, const hs_tensors *ts, size_t *d)
{
    hs_model m;
    hs_unet_ws *ws = NULL;
    size_t n = 0;
    golden_model(file, "parity/ddpm_ermon/forms/config.yml", NULL, &m);
    float *x = golden_f32(ts, "x", d);
    int *t = golden_int(ts, "t", &n);
    float *h = malloc(n * hs_chw_size(hs_unet_h_shape(hs_unet_config_of(m.unet))) * sizeof *h);
    assert_ok(hs_unet_ws_create(m.unet, n, n, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_encode(m.unet, ws, n, x, t, h));
    assert_ok(hs_unet_decode(m.unet, ws, n, NULL, h, x));
    hs_unet_ws_free(ws);
    hs_model_free(&m);
    free(t), free(h);
    return x;
}

/* [network, optimizer, epoch, step, averaged]: the averaged weights are used; a bare "module." state
 * dict holds the raw ones, which differ. */
static void test_checkpoint_forms(void **state)
{
    (void)state;
    need_shared("parity/ddpm_ermon/forms/golden.safetensors");
    hs_tensors *ts = golden_open("parity/ddpm_ermon/forms/golden.safetensors");
    size_t d = 0;
    float *ema = eps_of("parity/ddpm_ermon/forms/ckpt.pth", ts, &d);
    golden_check(ts, "eps/ema", 0, d, ema, 2e-5);
    float *raw = eps_of("parity/ddpm_ermon/forms/dataparallel.pth", ts, &d);
    golden_check(ts, "eps/raw", 0, d, raw, 2e-5);
    assert_true(max_rel_f32(raw, ema, d) > 1e-3);
    hs_tensors_free(ts);
    free(ema), free(raw);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_trajectories),
        cmocka_unit_test(test_checkpoint_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
