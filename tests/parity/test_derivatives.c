/* The derivatives of diffusers' and the DDPM code's U-Nets against PyTorch's. */
#include "tests/support/golden.h"
#include "tests/support/golden_grad.h"

static void test_diffusers_ddpm(void **state)
{
    (void)state;
    need_shared("parity/diffusers_ddpm/golden.safetensors");
    golden_derivatives("parity/diffusers_ddpm", "pipeline", NULL, 1);
}

/* Scale-shift norms, residual resampling, several heads. */
static void test_diffusers_adm(void **state)
{
    (void)state;
    need_shared("parity/diffusers_adm/golden.safetensors");
    golden_derivatives("parity/diffusers_adm", "pipeline", NULL, 1);
}

static void test_ermon(void **state)
{
    (void)state;
    need_shared("parity/ddpm_ermon/golden.safetensors");
    golden_derivatives("parity/ddpm_ermon", "model.ckpt", "config.yml", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_diffusers_ddpm),
        cmocka_unit_test(test_diffusers_adm),
        cmocka_unit_test(test_ermon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
