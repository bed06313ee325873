/* Theorem 1 on a small random network: the identity to rounding; a network that ignores h is told. */
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/theorem1.h"
#include "core/base/rng.h"
#include "core/diffusion/editing.h"
#include "core/model/model.h"
#include "core/model/unet_params.h"
#include "tests/support/support.h"

enum { N = 2, D = 3 * 16 * 16 };

static void start(hs_model *m, hs_steps *steps, size_t S, float *x)
{
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, m));
    assert_ok(hs_steps_create(&m->schedule, &(hs_steps_spec){.S = S, .set_alpha_to_one = 1}, steps));
    hs_rng_normal((hs_rng){4, HS_RNG_TEST, 0}, 0, N * D, x);
}

static void test_identity(void **state)
{
    (void)state;
    static const size_t counts[] = {5, 50};
    float x[N * D], same[N * D];
    for (size_t i = 0; i < 2; i++) {
        hs_model m;
        hs_steps steps;
        hs_theorem1_check t;
        start(&m, &steps, counts[i], x);
        memcpy(same, x, sizeof x);
        assert_ok(hs_theorem1_measure(m.unet, HS_CONV_AUTO, &steps, N, x, 1, NULL, &t));
        assert_memory_equal(x, same, sizeof x);
        assert_int_equal(t.S, counts[i]);
        assert_true(t.identity_error > 0 && t.identity_error < 1e-7);
        assert_true(t.coefficient_error < 1e-7);
        for (size_t k = 0; k < t.S; k++) {
            double sym, asym;
            hs_theorem1(&steps.step[k], &sym, &asym);
            assert_near(t.measured[HS_THEOREM1_SYMMETRIC][k], sym, 1e-7);
            assert_near(t.measured[HS_THEOREM1_ASYMMETRIC][k], asym, 1e-7);
        }
        hs_theorem1_check_free(&t);
        hs_steps_free(&steps);
        hs_model_free(&m);
    }
}

static int stop(void *ctx, const char *what, size_t done, size_t total)
{
    (void)ctx, (void)what, (void)done, (void)total;
    return 1;
}

static void test_refusals(void **state)
{
    (void)state;
    float x[N * D];
    hs_model m;
    hs_steps steps;
    hs_theorem1_check t;
    hs_progress p = {stop, NULL};
    start(&m, &steps, 3, x);
    assert_code(hs_theorem1_measure(m.unet, HS_CONV_AUTO, &steps, 0, x, 1, NULL, &t), HS_ERANGE);
    assert_code(hs_theorem1_measure(m.unet, HS_CONV_AUTO, &steps, 4097, x, 1, NULL, &t), HS_ERANGE);
    assert_code(hs_theorem1_measure(m.unet, HS_CONV_AUTO, &steps, N, x, 1, &p, &t), HS_ESTOPPED);
    hs_unet *u;
    assert_ok(hs_unet_trainable(hs_unet_config_of(m.unet), 5, NULL, &u));
    size_t count;
    float *theta = hs_unet_theta(u, &count);
    memset(theta, 0, count * sizeof *theta); /* eps = 0 whatever h is */
    hs_unet_refresh(u);
    assert_code(hs_theorem1_measure(u, HS_CONV_AUTO, &steps, N, x, 1, NULL, &t), HS_EDEGENERATE);
    hs_unet_free(u);
    hs_steps_free(&steps);
    hs_model_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
