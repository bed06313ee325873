/* Dense layers, time embedding, attention and resampling against plain loops in double. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/attention.h"
#include "core/nn/linear.h"
#include "core/nn/resample.h"
#include "tests/support/support.h"

static float *normals(uint64_t index, size_t n)
{
    float *v;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){9, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

static void test_linear(void **state)
{
    (void)state;
    enum { N = 3, IN = 70, OUT = 33 };
    float *x = normals(1, N * IN), *W = normals(2, OUT * IN), *b = normals(3, OUT), *y = normals(4, N * OUT);
    for (int with_bias = 0; with_bias < 2; with_bias++) {
        hs_linear_forward(N, IN, OUT, x, W, with_bias ? b : NULL, y);
        for (size_t e = 0; e < N * OUT; e++) {
            double want = with_bias ? (double)b[e % OUT] : 0;
            for (size_t k = 0; k < IN; k++) {
                want += (double)x[e / OUT * IN + k] * (double)W[e % OUT * IN + k];
            }
            assert_near((double)y[e], want, 2e-5); /* 70 products of size 1 */
        }
    }
    free(x);
    free(W);
    free(b);
    free(y);
}

/* The angle is rounded to float32, up to 3e-5 at t = 999; sine and cosine follow it. */
static void test_time_embedding(void **state)
{
    (void)state;
    static const int t[] = {0, 1, 500, 999};
    float y[4 * 129];
    for (int adm = 0; adm < 2; adm++) {
        size_t dim = adm ? 129 : 128, half = 64;
        double shift = adm ? 0 : 1;
        hs_time_embedding(4, t, dim, adm, shift, y);
        for (size_t e = 0; e < 4 * half; e++) {
            size_t i = e / half, j = e % half;
            double angle = t[i] * exp(-log(10000) * (double)j / ((double)half - shift));
            assert_near((double)y[i * dim + (adm ? half : 0) + j], sin(angle), 1e-4);
            assert_near((double)y[i * dim + (adm ? 0 : half) + j], cos(angle), 1e-4);
        }
        assert_true(!adm || y[128] == 0);
    }
}

static void check_attention(size_t n, size_t hw, size_t c, size_t heads)
{
    size_t d = c / heads;
    float *qkv = normals(1, n * hw * 3 * c), *y = normals(2, n * hw * c);
    char *scratch;
    double *p;
    assert_ok(hs_alloc(hs_attention_scratch(n, hw, c, heads), 1, &scratch));
    assert_ok(hs_alloc(hw, sizeof *p, &p));
    hs_attention_forward(n, hw, c, heads, qkv, y, scratch);
    for (size_t u = 0; u < n * heads * hw; u++) {
        size_t i = u / (heads * hw), head = u / hw % heads, q = u % hw;
        const float *base = qkv + i * hw * 3 * c + head * d;
        double top = -INFINITY, sum = 0;
        for (size_t k = 0; k < hw; k++) {
            p[k] = 0;
            for (size_t j = 0; j < d; j++) {
                p[k] += (double)base[q * 3 * c + j] * (double)base[k * 3 * c + c + j] / sqrt((double)d);
            }
            top = fmax(top, p[k]);
        }
        for (size_t k = 0; k < hw; k++) {
            sum += p[k] = exp(p[k] - top);
        }
        for (size_t j = 0; j < d; j++) {
            double want = 0;
            for (size_t k = 0; k < hw; k++) {
                want += p[k] / sum * (double)base[k * 3 * c + 2 * c + j];
            }
            assert_near((double)y[(i * hw + q) * c + head * d + j], want, 5e-6); /* values of size 1 */
        }
    }
    free(qkv);
    free(y);
    free(scratch);
    free(p);
}

static void test_attention(void **state)
{
    (void)state;
    check_attention(1, 1, 8, 2);
    check_attention(2, 16, 32, 1);
    check_attention(1, 256, 64, 1);
    check_attention(3, 35, 48, 4);
    check_attention(1, 130, 64, 2);
}

static void test_resample(void **state)
{
    (void)state;
    enum { N = 2, H = 4, W = 6, C = 5 };
    float *x = normals(1, N * H * W * C), *up = normals(2, 4 * N * H * W * C), *down = normals(3, N * H * W * C);
    hs_upsample2(N, H, W, C, x, up);
    for (size_t e = 0; e < (size_t)4 * N * H * W * C; e++) {
        size_t c = e % C, ox = e / C % (2 * W), oy = e / C / (2 * W) % (2 * H), i = e / C / (4 * W * H);
        assert_true(up[e] == x[((i * H + oy / 2) * W + ox / 2) * C + c]);
    }
    hs_avgpool2(N, H, W, C, x, down);
    for (size_t e = 0; e < (size_t)N * H / 2 * W / 2 * C; e++) {
        size_t c = e % C, ox = e / C % (W / 2), oy = e / C / (W / 2) % (H / 2), i = e / C / (W / 2 * H / 2);
        double want = 0;
        for (size_t k = 0; k < 4; k++) {
            want += 0.25 * (double)x[((i * H + 2 * oy + k / 2) * W + 2 * ox + k % 2) * C + c];
        }
        assert_near((double)down[e], want, 5e-7);
    }
    hs_avgpool2(N, 2 * H, 2 * W, C, up, down); /* undoes the upsampling exactly */
    assert_memory_equal(down, x, N * H * W * C * sizeof *x);
    free(x);
    free(up);
    free(down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_time_embedding),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_resample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
