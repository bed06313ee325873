/* The optimizer against PyTorch's figures, the formulas in double, and closed forms. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/optim.h"
#include "tests/support/support.h"

enum { N = 40001 };

static float *normals(uint64_t index, size_t n, float size)
{
    float *v;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){51, HS_RNG_TEST, index}, 0, n, v);
    for (size_t i = 0; i < n; i++) {
        v[i] *= size;
    }
    return v;
}

/* torch 2.13: AdamW(lr=0.01, betas=(0.9, 0.95), eps=1e-8) on four float64 numbers, after each of four steps. */
static void test_adamw_is_torchs(void **state)
{
    (void)state;
    static const float grads[4][4] = {
        {0.1f, -0.2f, 3, 1e-6f}, {0.3f, 0.25f, -1, 2e-6f}, {-0.15f, 0.125f, 0.5f, -5e-6f}, {0, 1, -2, 1e-5f}};
    static const double want[2][4][4] = {{{0.490000001, -1.2400000005, 1.99000000003, -0.012900990099},
                                          {0.480913080005, -1.24162285168, 1.98595693303, -0.0224210962362},
                                          {0.477251232565, -1.24513800549, 1.98181337548, -0.0196965062688},
                                          {0.474212553199, -1.25136599753, 1.98208360594, -0.0235722070499}},
                                         {{0.489750001, -1.2393750005, 1.98900000003, -0.012899490099},
                                          {0.480418205004, -1.24037816418, 1.98396243303, -0.0224131464911},
                                          {0.476516148462, -1.24327312891, 1.97882689427, -0.0196773499505},
                                          {0.473239211022, -1.24887948439, 1.97810771128, -0.0235432120566}}};
    for (int decayed = 0; decayed < 2; decayed++) {
        hs_adam a = {0.01, 0.9, 0.95, 1e-8, decayed ? 0.05 : 0};
        float theta[4] = {0.5f, -1.25f, 2, -0.003f}, m[4] = {0}, v[4] = {0};
        for (uint64_t k = 1; k <= 4; k++) {
            hs_adam_step(&a, k, 4, 1, grads[k - 1], m, v, theta);
            for (size_t i = 0; i < 4; i++) {
                /* A rounding of theta a step; the last one's eps / sqrt(v) is 1e-2, rounded with it. */
                assert_near((double)theta[i], want[decayed][k - 1][i], 1.2e-7 * (double)k * (1 + fabs(want[0][0][i])));
            }
        }
    }
}

/* Random parameters, gradients and a clipped scale, thirty updates in double. */
static void test_adam_is_the_formula(void **state)
{
    (void)state;
    enum { STEPS = 30, FEW = 1003 };
    const hs_adam a = {2e-3, 0.9, 0.999, 1e-8, 0.1};
    float *theta = normals(1, FEW, 1), *m = normals(2, FEW, 0), *v = normals(3, FEW, 0);
    double t[FEW], dm[FEW] = {0}, dv[FEW] = {0};
    for (size_t i = 0; i < FEW; i++) {
        t[i] = (double)theta[i];
    }
    for (uint64_t k = 1; k <= STEPS; k++) {
        float *grad = normals(10 + k, FEW, 1);
        double scale = 1 / (double)k;
        hs_adam_step(&a, k, FEW, scale, grad, m, v, theta);
        for (size_t i = 0; i < FEW; i++) {
            double g = scale * (double)grad[i];
            t[i] *= 1 - a.rate * a.decay;
            dm[i] = a.beta1 * dm[i] + (1 - a.beta1) * g;
            dv[i] = a.beta2 * dv[i] + (1 - a.beta2) * g * g;
            double left1 = 1 - pow(a.beta1, (double)k), left2 = 1 - pow(a.beta2, (double)k);
            t[i] -= a.rate * (dm[i] / left1) / (sqrt(dv[i] / left2) + a.eps);
        }
        free(grad);
    }
    for (size_t i = 0; i < FEW; i++) {
        assert_near((double)theta[i], t[i], STEPS * 6e-8 * fmax(1, fabs(t[i]))); /* half a unit a step */
        assert_near((double)m[i], dm[i], 1e-7);
        assert_near((double)v[i], dv[i], STEPS * 1.2e-7 * dv[i]); /* two roundings a step */
    }
    free(theta);
    free(m);
    free(v);
}

/* Decay alone: 1 - rate decay is off by 1.3 % of rate decay when rounded to float32, 2.7e-4 after these steps
 * (so torch); subtracting leaves the roundings of theta, which average out. */
static void test_decay_keeps_its_digits(void **state)
{
    (void)state;
    enum { STEPS = 20000 };
    const hs_adam a = {1e-4, 0.9, 0.999, 1e-8, 0.01};
    float theta[64], zero[64] = {0}, m[64] = {0}, v[64] = {0};
    double mean = 0, start = 0;
    for (size_t i = 0; i < 64; i++) {
        theta[i] = 1 + (float)i / 64;
        start += (double)theta[i] / 64;
    }
    for (uint64_t k = 1; k <= STEPS; k++) {
        hs_adam_step(&a, k, 64, 1, zero, m, v, theta);
    }
    for (size_t i = 0; i < 64; i++) {
        mean += (double)theta[i] / 64;
    }
    assert_near(mean / start, pow(1 - a.rate * a.decay, STEPS), 3e-5);
}

static void test_grad_norm(void **state)
{
    (void)state;
    float *g = normals(1, N, 3);
    double want = 0;
    for (size_t n = 0; n <= N; n = n < 20 ? n + 1 : n * 3 + 1) {
        want = 0;
        for (size_t i = 0; i < n; i++) {
            want += (double)g[i] * (double)g[i];
        }
        assert_near(hs_grad_norm(n, g), sqrt(want), 1e-13 * sqrt(want));
    }
    g[0] = 1e30f;
    assert_near(hs_grad_norm(N, g) / (double)1e30f, 1, 1e-12);
    g[N - 1] = INFINITY;
    assert_true(isinf(hs_grad_norm(N, g)));
    g[77] = NAN;
    assert_true(isnan(hs_grad_norm(N, g)));
    free(g);
}

static void test_clip_scale(void **state)
{
    (void)state;
    assert_true(hs_clip_scale(0.5, 1) == 1);
    assert_true(hs_clip_scale(0, 1) == 1);
    assert_true(hs_clip_scale(1e9, 0) == 1);
    assert_near(hs_clip_scale(4, 1), 1 / (4 + 1e-6), 1e-15);
    float *g = normals(2, N, 1);
    double scale = hs_clip_scale(hs_grad_norm(N, g), 2.5);
    for (size_t i = 0; i < N; i++) {
        g[i] *= (float)scale;
    }
    assert_near(hs_grad_norm(N, g), 2.5, 1e-6);
    free(g);
}

/* Towards a constant, what is left of the distance is the product of the decays:
 * (1 + k) / (10 + k) telescopes to 9! k! ... = prod over k = 1 ... K. */
static void test_ema(void **state)
{
    (void)state;
    float theta[70], average[70];
    double left = 1;
    for (size_t i = 0; i < 70; i++) {
        theta[i] = 2;
        average[i] = (float)i;
    }
    for (uint64_t k = 1; k <= 20; k++) {
        hs_ema_step(0.6, k, 70, theta, average);
        left *= k < 13 ? (1 + (double)k) / (10 + (double)k) : 0.6; /* 0.6 is reached at k = 12.5 */
    }
    for (size_t i = 0; i < 70; i++) {
        assert_near((double)average[i], 2 + ((double)i - 2) * left, 1e-6);
    }
    hs_ema_step(0.9, 1000000, 70, average, theta);
    for (size_t i = 0; i < 70; i++) {
        assert_near((double)theta[i], 0.9 * 2 + 0.1 * (double)average[i], 1e-6);
    }
}

static void test_rate(void **state)
{
    (void)state;
    const hs_rate r = {2e-4, 0.5, 0.1, 100, 1000, 0, 0};
    assert_near(hs_rate_at(&r, 1), 2e-6, 1e-18);
    assert_near(hs_rate_at(&r, 50), 1e-4, 1e-18);
    assert_near(hs_rate_at(&r, 100), 2e-4, 1e-18);
    assert_near(hs_rate_at(&r, 500), 2e-4, 1e-18);
    assert_near(hs_rate_at(&r, 750), 2e-4 * 0.55, 1e-16);
    assert_near(hs_rate_at(&r, 1000), 2e-5, 1e-16);
    assert_near(hs_rate_at(&r, 1500), 2e-5, 1e-16);
    const hs_rate plain = {1, 1, 0, 0, 10, 0, 0}, all_warm = {1, 0, 0, 10, 10, 0, 0}, late = {1, 0.2, 0, 5, 10, 0, 0};
    for (uint64_t k = 1; k <= 10; k++) {
        assert_true(hs_rate_at(&plain, k) == 1);
        assert_near(hs_rate_at(&all_warm, k), 0.1 * (double)k, 1e-15);
        assert_near(hs_rate_at(&late, k), k <= 5 ? 0.2 * (double)k : 2 - 0.2 * (double)k, 1e-15);
    }
}

/* torch's StepLR(3, 0.5): constant over three updates, then half of that. */
static void test_step_rate(void **state)
{
    (void)state;
    const hs_rate r = {.rate = 0.5, .total = 10, .every = 3, .gamma = 0.5};
    static const double want[10] = {0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125, 0.0625};
    for (uint64_t k = 1; k <= 10; k++) {
        assert_true(hs_rate_at(&r, k) == want[k - 1]);
    }
}

static void test_sgd(void **state)
{
    (void)state;
    float *theta = normals(1, N, 1), *before = normals(1, N, 1), *grad = normals(2, N, 1), *average = normals(3, N, 1);
    hs_sgd_step(0.5, N, 0.25, grad, theta);
    for (size_t i = 0; i < N; i++) {
        assert_near((double)theta[i], (double)before[i] - 0.125 * (double)grad[i],
                    6e-8 * fabs((double)before[i]) + 3e-8 * fabs((double)grad[i]));
    }
    hs_ema_step(0, 7, N, theta, average); /* no averaging: the same bits */
    assert_memory_equal(theta, average, N * sizeof *theta);
    free(theta), free(before), free(grad), free(average);
}

static void test_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    const hs_adam a = {1e-3, 0.9, 0.999, 1e-8, 0.01};
    float *v[2][4], *grad = normals(5, N, 1);
    double norm[2];
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(1 + i);
        for (uint64_t j = 0; j < 4; j++) {
            v[i][j] = normals(j, N, j == 1 ? 0 : 1);
        }
        for (size_t e = 0; e < N; e++) {
            v[i][1][e] = fabsf(v[i][1][e]);
        }
        norm[i] = hs_grad_norm(N, grad);
        hs_adam_step(&a, 3, N, 0.5, grad, v[i][0], v[i][1], v[i][2]);
        hs_ema_step(0.99, 3, N, v[i][2], v[i][3]);
    }
    assert_true(norm[0] == norm[1]);
    for (int j = 0; j < 4; j++) {
        assert_memory_equal(v[0][j], v[1][j], N * sizeof(float));
        free(v[0][j]);
        free(v[1][j]);
    }
    free(grad);
    omp_set_num_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adamw_is_torchs),
        cmocka_unit_test(test_adam_is_the_formula),
        cmocka_unit_test(test_decay_keeps_its_digits),
        cmocka_unit_test(test_grad_norm),
        cmocka_unit_test(test_clip_scale),
        cmocka_unit_test(test_ema),
        cmocka_unit_test(test_rate),
        cmocka_unit_test(test_step_rate),
        cmocka_unit_test(test_sgd),
        cmocka_unit_test(test_same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
