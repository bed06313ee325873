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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ddpm_pipeline),
        cmocka_unit_test(test_flat_old),
        cmocka_unit_test(test_adm_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
