/* UNet2DModel of diffusers 0.42: a CIFAR-style network and one with scale-shift norms, residual
 * resampling, several heads and cosine betas. */
#include <stdlib.h>

#include "tests/support/golden.h"

static void forward(const char *folder, const char *model)
{
    char file[256];
    hs_model m;
    snprintf(file, sizeof file, "%s/%s", folder, model);
    golden_model(file, NULL, NULL, &m);
    golden_forward(folder, &m, HS_CONV_IM2COL);
    golden_forward(folder, &m, HS_CONV_DIRECT);
    golden_forward(folder, &m, HS_CONV_AUTO);
    hs_model_free(&m);
}

static void test_ddpm_pipeline(void **state)
{
    (void)state;
    need_shared("parity/diffusers_ddpm/golden.safetensors");
    forward("parity/diffusers_ddpm", "pipeline");
}

/* The same weights as .bin at the root, attention under its earlier names. */
static void test_flat_old(void **state)
{
    (void)state;
    need_shared("parity/diffusers_ddpm/flat_old/config.json");
    forward("parity/diffusers_ddpm", "flat_old");
}

static void test_adm_pipeline(void **state)
{
    (void)state;
    need_shared("parity/diffusers_adm/golden.safetensors");
    forward("parity/diffusers_adm", "pipeline");
}

/* DDIMScheduler's trajectories: spacings, the end at alpha_bar_0, clipping that keeps eps, eta = 1.  Tolerances of the
 * reference: 1e-3 with clipping (an error of eps is multiplied by up to 157 against a range of 1), else 1e-4. */
static void trajectories(const char *folder)
{
    static const struct {
        const char *name;
        hs_steps_spec steps;
        double eta;
        int clip;
    } list[] = {{"ddim_linspace_noclip", {HS_SPACING_ASYRP, 6, 0, 1}, 0, 0},
                {"ddim_leading_clip", {HS_SPACING_LEADING, 6, 0, 1}, 0, 1},
                {"ddim_trailing_clip", {HS_SPACING_TRAILING, 6, 0, 1}, 0, 1},
                {"ddim_leading_noclip", {HS_SPACING_LEADING, 6, 0, 1}, 0, 0},
                {"ddim_leading_clip_eta1", {HS_SPACING_LEADING, 6, 0, 1}, 1, 1},
                {"ddim_linspace_clip", {HS_SPACING_LINSPACE, 6, 0, 0}, 0, 1},
                {"ddim_leading_clip_offset1", {HS_SPACING_LEADING, 6, 1, 0}, 0, 1}};
    char file[128];
    hs_model m;
    snprintf(file, sizeof file, "%s/golden.safetensors", folder);
    hs_tensors *ts = golden_open(file);
    snprintf(file, sizeof file, "%s/pipeline", folder);
    golden_model(file, NULL, NULL, &m);
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        hs_steps steps;
        assert_ok(hs_steps_create(&m.schedule, &list[i].steps, &steps));
        golden_trajectory(ts, list[i].name, &m, &steps, list[i].eta, list[i].clip, list[i].clip ? 1e-3 : 1e-4);
        hs_steps_free(&steps);
    }
    hs_tensors_free(ts);
    hs_model_free(&m);
}

static void test_ddpm_trajectories(void **state)
{
    (void)state;
    need_shared("parity/diffusers_ddpm/golden.safetensors");
    trajectories("parity/diffusers_ddpm");
}

static void test_adm_trajectories(void **state)
{
    (void)state;
    need_shared("parity/diffusers_adm/golden.safetensors");
    trajectories("parity/diffusers_adm");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ddpm_pipeline),    cmocka_unit_test(test_flat_old),
        cmocka_unit_test(test_adm_pipeline),     cmocka_unit_test(test_ddpm_trajectories),
        cmocka_unit_test(test_adm_trajectories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
