/* The adjoints of the linear layers: dense ones, resampling.  A linear map's jvp is itself, so the adjoint
 * identity with plain sums in double is all there is to say. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/linear.h"
#include "core/nn/resample.h"
#include "tests/support/support.h"

enum { CASES = 100 };

static float *normals(hs_arena *arena, uint64_t index, size_t n)
{
    float *v;
    assert_ok(hs_arena_alloc(arena, n, sizeof *v, &v));
    hs_rng_normal((hs_rng){41, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

static size_t below(uint64_t index, uint64_t i, size_t bound)
{
    return hs_rng_below((hs_rng){42, HS_RNG_TEST, index}, i, (uint32_t)bound);
}

static double dot(const float *a, const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        s += (double)a[i] * (double)b[i];
    }
    return s;
}

/* |<J v, u> - <v, J^T u>| / |J v| |u|. */
static double adjoint_error(size_t out, const float *jv, const float *u, size_t in, const float *v, const float *jtu)
{
    return fabs(dot(jv, u, out) - dot(v, jtu, in)) / sqrt(dot(jv, jv, out) * dot(u, u, out));
}

static void test_linear_adjoint(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        hs_arena a = {0};
        size_t n = 1 + below(k, 0, 40), in = 1 + below(k, 1, 90), out = 1 + below(k, 2, 90);
        float *W = normals(&a, 8 * k, out * in), *v = normals(&a, 8 * k + 1, n * in);
        float *u = normals(&a, 8 * k + 2, n * out), *jv = normals(&a, 8 * k + 3, n * out);
        float *jtu = normals(&a, 8 * k + 4, n * in);
        hs_linear_forward(n, in, out, v, W, NULL, jv);
        hs_linear_vjp(n, in, out, W, u, jtu);
        worst = fmax(worst, adjoint_error(n * out, jv, u, n * in, v, jtu));
        hs_arena_free(&a);
    }
    assert_near(worst, 0, 1e-6);
}

/* dW and db against plain sums: both are added to what is there, db alone may be left out. */
static void test_linear_weights(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        hs_arena a = {0};
        size_t n = 1 + below(k, 3, 300), in = 1 + below(k, 4, 40), out = 1 + below(k, 5, 40);
        float *x = normals(&a, 8 * k, n * in), *dy = normals(&a, 8 * k + 1, n * out);
        float *dW = normals(&a, 8 * k + 2, out * in), *W0 = normals(&a, 8 * k + 2, out * in);
        float *db = normals(&a, 8 * k + 3, out), *b0 = normals(&a, 8 * k + 3, out);
        float *alone = normals(&a, 8 * k + 2, out * in);
        hs_linear_vjp_weights(n, in, out, x, dy, dW, db);
        hs_linear_vjp_weights(n, in, out, x, dy, alone, NULL);
        assert_memory_equal(alone, dW, out * in * sizeof *dW);
        for (size_t e = 0; e < out * in; e++) {
            double want = (double)W0[e];
            for (size_t i = 0; i < n; i++) {
                want += (double)dy[i * out + e / in] * (double)x[i * in + e % in];
            }
            worst = fmax(worst, fabs((double)dW[e] - want) / sqrt((double)n));
        }
        for (size_t j = 0; j < out; j++) {
            double want = (double)b0[j];
            for (size_t i = 0; i < n; i++) {
                want += (double)dy[i * out + j];
            }
            worst = fmax(worst, fabs((double)db[j] - want) / sqrt((double)n));
        }
        hs_arena_free(&a);
    }
    assert_near(worst, 0, 1e-5);
}

/* 10^5 equal rows: a float sum would be off by 1e-3 of it. */
static void test_bias_of_many_rows(void **state)
{
    (void)state;
    enum { N = 100000, OUT = 19 };
    hs_arena a = {0};
    float *x = normals(&a, 1, N), *dy = normals(&a, 2, (size_t)N * OUT), dW[OUT] = {0}, db[OUT] = {0};
    for (size_t i = 0; i < (size_t)N * OUT; i++) {
        dy[i] = 0.1f;
    }
    hs_linear_vjp_weights(N, 1, OUT, x, dy, dW, db);
    for (size_t j = 0; j < OUT; j++) {
        assert_near((double)db[j], N * (double)0.1f, 1e-3); /* half a unit in the last place of 10^4 */
    }
    hs_arena_free(&a);
}

static void test_resample_adjoints(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        hs_arena a = {0};
        size_t n = 1 + below(k, 6, 3), h = 1 + below(k, 7, 6), w = 1 + below(k, 8, 6), c = 1 + below(k, 9, 40);
        size_t few = n * h * w * c;
        float *small = normals(&a, 8 * k, few), *large = normals(&a, 8 * k + 1, 4 * few);
        float *up = normals(&a, 8 * k + 2, 4 * few), *down = normals(&a, 8 * k + 3, few);
        hs_upsample2(n, h, w, c, small, up);
        hs_upsample2_vjp(n, h, w, c, large, down);
        worst = fmax(worst, adjoint_error(4 * few, up, large, few, small, down));
        hs_avgpool2(n, 2 * h, 2 * w, c, large, down);
        hs_avgpool2_vjp(n, 2 * h, 2 * w, c, small, up);
        worst = fmax(worst, adjoint_error(few, down, small, 4 * few, large, up));
        hs_arena_free(&a);
    }
    assert_near(worst, 0, 1e-6);
}

/* Element by element: a sum of four equal numbers and a quarter are exact. */
static void test_resample_values(void **state)
{
    (void)state;
    enum { N = 2, H = 4, W = 6, C = 5, FEW = N * H * W * C };
    hs_arena a = {0};
    float *x = normals(&a, 1, FEW), *up = normals(&a, 2, 4 * FEW), *sum = normals(&a, 3, FEW);
    hs_upsample2(N, H, W, C, x, up);
    hs_upsample2_vjp(N, H, W, C, up, sum);
    hs_avgpool2_vjp(N, 2 * H, 2 * W, C, x, up);
    for (size_t e = 0; e < FEW; e++) {
        size_t c = e % C, j = e / C % W, i = e / C / W; /* i counts rows of all images */
        assert_true(sum[e] == 4 * x[e]);
        for (size_t q = 0; q < 4; q++) {
            assert_true(up[((2 * i + q / 2) * 2 * W + 2 * j + q % 2) * C + c] == 0.25f * x[e]);
        }
    }
    hs_arena_free(&a);
}

static void test_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    enum { N = 200, IN = 70, OUT = 50 };
    int threads = omp_get_max_threads();
    hs_arena a = {0};
    float *x = normals(&a, 1, N * IN), *dy = normals(&a, 2, N * OUT), *W = normals(&a, 3, OUT * IN);
    float *g[2], *dx[2], *up[2];
    for (int i = 0; i < 2; i++) {
        omp_set_num_threads(1 + i);
        g[i] = normals(&a, 4, OUT * IN + OUT);
        dx[i] = normals(&a, 5, N * IN);
        up[i] = normals(&a, 6, N * IN + 3500);
        hs_linear_vjp(N, IN, OUT, W, dy, dx[i]);
        hs_linear_vjp_weights(N, IN, OUT, x, dy, g[i], g[i] + OUT * IN);
        hs_upsample2_vjp(5, 4, 5, 35, x, up[i]);
        hs_avgpool2_vjp(5, 10, 8, 35, x, up[i] + 3500);
    }
    assert_memory_equal(g[0], g[1], (OUT * IN + OUT) * sizeof(float));
    assert_memory_equal(dx[0], dx[1], N * IN * sizeof(float));
    assert_memory_equal(up[0], up[1], (N * IN + 3500) * sizeof(float));
    omp_set_num_threads(threads);
    hs_arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_adjoint),    cmocka_unit_test(test_linear_weights),
        cmocka_unit_test(test_bias_of_many_rows), cmocka_unit_test(test_resample_adjoints),
        cmocka_unit_test(test_resample_values),   cmocka_unit_test(test_same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
