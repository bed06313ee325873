/* guided-diffusion's U-Net (ADM): residual and convolutional resampling, both orders of q, k and v, classes, a learned
 * variance beside eps; forward, derivatives, gradients and sampling against the reference's arrays. */
#include <stdlib.h>
#include <string.h>

#include "core/diffusion/ddim.h"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_trajectories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
