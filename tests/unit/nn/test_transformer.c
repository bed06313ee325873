/* The layers of transformers: closed forms in double, adjoints, differences; float resizing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/attention.h"
#include "core/nn/cubic.h"
#include "core/nn/gelu.h"
#include "core/nn/layernorm.h"
#include "tests/support/support.h"

static float *normals(uint64_t index, size_t n)
{
    float *v = NULL;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){11, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void assert_adjoint(size_t n, const float *dy, const float *u, size_t m, const float *back, const float *dx)
{
    const double scale = sqrt(dot(n, dy, dy) * dot(n, u, u));
    assert_near(dot(n, dy, u), dot(m, back, dx), 1e-5 * scale);
}

/* ---- LayerNorm ------------------------------------------------------------------------------------- */

enum { ROWS = 5, C = 37 };

static double norm_at(const double *x, const float *gamma, const float *beta, size_t j)
{
    double mean = 0, var = 0;
    for (size_t i = 0; i < C; i++) {
        mean += x[i] / C;
    }
    for (size_t i = 0; i < C; i++) {
        var += (x[i] - mean) * (x[i] - mean) / C;
    }
    return (double)gamma[j] * (x[j] - mean) / sqrt(var + 1e-5) + (double)beta[j];
}

static void test_layernorm(void **state)
{
    (void)state;
    float *x = normals(0, ROWS * C), *dx = normals(1, ROWS * C), *u = normals(2, ROWS * C), *gamma = normals(3, C);
    float *beta = normals(4, C), y[ROWS * C], again[ROWS * C], dy[ROWS * C], back[ROWS * C], stats[2 * ROWS];
    float dgamma[C] = {0}, dbeta[C] = {0};
    const hs_layernorm ln = {C, 1e-5, gamma, beta};
    for (size_t i = 0; i < ROWS * C; i++) {
        x[i] = 3 * x[i] + 20; /* a mean that single sums would feel */
    }
    hs_layernorm_forward(&ln, ROWS, x, y, stats);
    hs_layernorm_again(&ln, ROWS, x, stats, again);
    assert_memory_equal(y, again, sizeof y);
    hs_layernorm_jvp(&ln, ROWS, x, stats, dx, dy);
    hs_layernorm_vjp(&ln, ROWS, x, stats, u, 0, back, dgamma, dbeta);
    assert_adjoint(ROWS * C, dy, u, ROWS * C, back, dx);
    double want_gamma[C] = {0}, want_beta[C] = {0};
    for (size_t i = 0; i < ROWS; i++) {
        double v[C], plus[C], minus[C];
        for (size_t j = 0; j < C; j++) {
            v[j] = (double)x[i * C + j];
            plus[j] = v[j] + 1e-5 * (double)dx[i * C + j];
            minus[j] = v[j] - 1e-5 * (double)dx[i * C + j];
        }
        for (size_t j = 0; j < C; j++) {
            const double at = norm_at(v, gamma, beta, j), w = (double)u[i * C + j];
            assert_near((double)y[i * C + j], at, 2e-5);
            const double slope = (norm_at(plus, gamma, beta, j) - norm_at(minus, gamma, beta, j)) / 2e-5;
            assert_near((double)dy[i * C + j], slope, 1e-5);
            want_gamma[j] += w * (at - (double)beta[j]) / (double)gamma[j];
            want_beta[j] += w;
        }
    }
    for (size_t j = 0; j < C; j++) {
        assert_near((double)dgamma[j], want_gamma[j], 1e-4);
        assert_near((double)dbeta[j], want_beta[j], 1e-5);
    }
    memcpy(again, dx, sizeof again);
    hs_layernorm_vjp(&ln, ROWS, x, stats, u, 1, again, NULL, NULL); /* added to */
    for (size_t i = 0; i < ROWS * C; i++) {
        assert_near((double)again[i], (double)dx[i] + (double)back[i], 1e-5);
    }
    free(x), free(dx), free(u), free(gamma), free(beta);
}

/* ---- GELU ------------------------------------------------------------------------------------------ */

static double gelu_at(hs_gelu_kind kind, double x)
{
    return kind == HS_GELU_QUICK ? x / (1 + exp(-1.702 * x)) : x * 0.5 * erfc(-x / sqrt(2));
}

static void test_gelu(void **state)
{
    (void)state;
    enum { N = 401 };
    for (int kind = 0; kind < 2; kind++) {
        float x[N], y[N], one[N], slope[N];
        for (size_t i = 0; i < N; i++) {
            x[i] = 0.05F * ((float)i - 200);
            one[i] = 1;
        }
        hs_gelu((hs_gelu_kind)kind, N, x, y);
        hs_gelu_jvp((hs_gelu_kind)kind, N, x, one, slope);
        for (size_t i = 0; i < N; i++) {
            const double v = (double)x[i], want = gelu_at((hs_gelu_kind)kind, v);
            const double d = (gelu_at((hs_gelu_kind)kind, v + 1e-5) - gelu_at((hs_gelu_kind)kind, v - 1e-5)) / 2e-5;
            assert_near((double)y[i], want, 1e-6 * fabs(want) + 1e-12);
            assert_near((double)slope[i], d, 1e-6);
        }
    }
}

/* ---- Causal attention ------------------------------------------------------------------------------ */

/* y (hw, c) of one sequence, written out in double. */
static void ref_attention(size_t hw, size_t c, size_t heads, const float *qkv, double *y)
{
    const size_t d = c / heads;
    for (size_t e = 0; e < hw * heads; e++) {
        const size_t i = e / heads, h = e % heads * d;
        double sum = 0, *out = y + i * c + h;
        memset(out, 0, d * sizeof *out);
        for (size_t j = 0; j <= i; j++) {
            double s = 0;
            for (size_t k = 0; k < d; k++) {
                s += (double)qkv[i * 3 * c + h + k] * (double)qkv[j * 3 * c + c + h + k];
            }
            s = exp(s / sqrt((double)d));
            sum += s;
            for (size_t k = 0; k < d; k++) {
                out[k] += s * (double)qkv[j * 3 * c + 2 * c + h + k];
            }
        }
        for (size_t k = 0; k < d; k++) {
            out[k] /= sum;
        }
    }
}

/* Lengths below and above a block of 128 queries. */
static void test_causal_attention(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 7, 128, 131, 300};
    enum { N = 2, CH = 12, HEADS = 3 };
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        const size_t T = lengths[l], n = N * T * CH;
        float *qkv = normals(10 * l, 3 * n), *dqkv = normals(10 * l + 1, 3 * n), *u = normals(10 * l + 2, n), *y, *dy,
              *back;
        double *want;
        void *scratch;
        assert_ok(hs_alloc(n, sizeof *y, &y));
        assert_ok(hs_alloc(n, sizeof *dy, &dy));
        assert_ok(hs_alloc(3 * n, sizeof *back, &back));
        assert_ok(hs_alloc(n, sizeof *want, &want));
        assert_ok(hs_alloc(hs_attention_grad_scratch(N, T, CH, HEADS), 1, &scratch));
        hs_attention_causal_forward(N, T, CH, HEADS, qkv, y, scratch);
        for (size_t i = 0; i < N; i++) {
            ref_attention(T, CH, HEADS, qkv + i * 3 * T * CH, want + i * T * CH);
        }
        for (size_t i = 0; i < n; i++) {
            assert_near((double)y[i], want[i], 1e-5);
        }
        hs_attention_causal_jvp(N, T, CH, HEADS, qkv, dqkv, dy, scratch);
        hs_attention_causal_vjp(N, T, CH, HEADS, qkv, u, back, scratch);
        assert_adjoint(n, dy, u, 3 * n, back, dqkv);
        for (size_t i = 0; i < 3 * n; i++) { /* the slope along dqkv from the formula, once more in double */
            qkv[i] += 1e-3F * dqkv[i];
        }
        for (size_t i = 0; i < N; i++) {
            ref_attention(T, CH, HEADS, qkv + i * 3 * T * CH, want + i * T * CH);
        }
        double error = 0;
        for (size_t i = 0; i < n; i++) {
            const double slope = (want[i] - (double)y[i]) / 1e-3;
            error = fmax(error, fabs(slope - (double)dy[i]));
        }
        assert_true(error < 0.05); /* of second order: 1e-3 times curvature */
        free(qkv), free(dqkv), free(u), free(y), free(dy), free(back), free(want), free(scratch);
    }
}

/* ---- Resizing -------------------------------------------------------------------------------------- */

/* Constants stay, also where nothing is smoothed; linear ramps stay ramps where no border is near; the adjoint. */
static void test_cubic(void **state)
{
    (void)state;
    static const size_t size[][4] = {{9, 13, 20, 7}, {32, 32, 224, 224}, {5, 5, 5, 5}, {40, 3, 6, 9}, {1, 1, 4, 4}};
    for (size_t s = 0; s < sizeof size / sizeof *size; s++) {
        for (int antialias = 0; antialias < 2; antialias++) {
            const size_t in = size[s][0] * size[s][1], out = size[s][2] * size[s][3];
            hs_cubic *r;
            float *y, *back, *scratch, *x = normals(20, 2 * in), *u = normals(21, 2 * out);
            assert_ok(hs_cubic_create(size[s][0], size[s][1], size[s][2], size[s][3], antialias, &r));
            assert_ok(hs_alloc(2 * out, sizeof *y, &y));
            assert_ok(hs_alloc(2 * in, sizeof *back, &back));
            assert_ok(hs_alloc(2 * hs_cubic_scratch(r), sizeof *scratch, &scratch));
            hs_cubic_forward(r, 2, x, y, scratch);
            hs_cubic_vjp(r, 2, u, back, scratch);
            assert_adjoint(2 * out, y, u, 2 * in, back, x);
            if (in == out && size[s][0] == size[s][2]) {
                for (size_t i = 0; i < 2 * in; i++) {
                    assert_near((double)y[i], (double)x[i], 1e-6);
                }
            }
            for (size_t i = 0; i < 2 * in; i++) {
                x[i] = 0.7F;
            }
            hs_cubic_forward(r, 2, x, y, scratch);
            for (size_t i = 0; i < 2 * out; i++) {
                assert_near((double)y[i], 0.7, 1e-6);
            }
            free(x), free(u), free(y), free(back), free(scratch);
            hs_cubic_free(r);
        }
    }
    hs_cubic *r = NULL;
    assert_code(hs_cubic_create(0, 4, 4, 4, 1, &r), HS_ERANGE);
    assert_code(hs_cubic_create(4, 4, 4, 16385, 1, &r), HS_ERANGE);
    assert_null(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layernorm),
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_causal_attention),
        cmocka_unit_test(test_cubic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
