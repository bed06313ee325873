/* GroupNorm and SiLU against plain loops in double. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/expf.h"
#include "core/nn/norm.h"
#include "tests/support/support.h"

static float *normals(uint64_t index, size_t n, float scale, float offset)
{
    float *v;
    assert_ok(hs_alloc(n, sizeof *v, &v));
    hs_rng_normal((hs_rng){8, HS_RNG_TEST, index}, 0, n, v);
    for (size_t i = 0; i < n; i++) {
        v[i] = v[i] * scale + offset;
    }
    return v;
}

/* The largest relative error of hs_expf over the stated range, in units of the last place. */
static void test_expf_is_within_two_ulp(void **state)
{
    (void)state;
    double worst = 0;
    for (double x = -87.3; x <= 87.3; x += 0.000437) {
        float xf = (float)x;
        double want = exp((double)xf), got = (double)hs_expf(xf);
        int exponent;
        frexp(want, &exponent);
        worst = fmax(worst, fabs(got - want) / ldexp(1, exponent - 24));
    }
    assert_true(worst <= 2);
    assert_true(hs_expf(-1000) < 1.3e-38f && hs_expf(-1000) > 0);
    assert_true(hs_expf(1000) > 8e37f && isfinite(hs_expf(1000)));
    assert_true(isnan(hs_expf(NAN)));
    assert_true(hs_expf(0) == 1);
}

typedef struct {
    size_t n, hw, c, c2, groups;
    int silu, scaled;
    float offset;
} norm_case;

static float joined(const norm_case *t, const float *x, const float *x2, size_t i, size_t p, size_t j)
{
    return j < t->c ? x[(i * t->hw + p) * t->c + j] : x2[(i * t->hw + p) * t->c2 + j - t->c];
}

static void check(const norm_case *t)
{
    size_t ch = t->c + t->c2, per = ch / t->groups, total = t->n * t->hw * ch;
    float *gamma = normals(1, ch, 1, 0), *beta = normals(2, ch, 1, 0),
          *x = normals(3, t->n * t->hw * t->c, 2, t->offset);
    float *x2 = t->c2 > 0 ? normals(4, t->n * t->hw * t->c2, 0.5f, -t->offset) : NULL;
    float *ss = normals(5, t->n * 2 * ch, 0.3f, 0), *y = normals(6, total, 1, 0), *want = normals(7, total, 1, 0);
    hs_groupnorm gn = {t->groups, 1e-5f, gamma, beta, t->silu};
    hs_groupnorm_forward(&gn, t->n, t->hw, t->c, x, t->c2, x2, t->scaled ? ss : NULL, t->scaled ? ss + ch : NULL,
                         2 * ch, y, NULL);
    for (size_t i = 0; i < t->n; i++) {
        for (size_t g = 0; g < t->groups; g++) {
            double mean = 0, var = 0, count = (double)(per * t->hw);
            for (size_t e = 0; e < per * t->hw; e++) {
                mean += (double)joined(t, x, x2, i, e / per, g * per + e % per) / count;
            }
            for (size_t e = 0; e < per * t->hw; e++) {
                double d = (double)joined(t, x, x2, i, e / per, g * per + e % per) - mean;
                var += d * d / count;
            }
            for (size_t e = 0; e < per * t->hw; e++) {
                size_t j = g * per + e % per;
                double v = ((double)joined(t, x, x2, i, e / per, j) - mean) / sqrt(var + 1e-5);
                v = v * (double)gamma[j] + (double)beta[j];
                v = t->scaled ? v * (1 + (double)ss[i * 2 * ch + j]) + (double)ss[i * 2 * ch + ch + j] : v;
                want[(i * t->hw + e / per) * ch + j] = (float)(t->silu ? v / (1 + exp(-v)) : v);
            }
        }
    }
    /* y = a x + b in float: where a group's mean is many of its deviations, a x and b cancel and each is rounded. */
    double tol = 3e-6 * (1 + fabs((double)t->offset));
    double error = max_rel_f32(y, want, total);
    if (!(error <= tol)) {
        fail_msg("n %zu hw %zu c %zu + %zu, %zu groups: error %g > %g", t->n, t->hw, t->c, t->c2, t->groups, error,
                 tol);
    }
    float *all[] = {gamma, beta, x, x2, ss, y, want};
    for (size_t i = 0; i < 7; i++) {
        free(all[i]);
    }
}

static void test_groupnorm(void **state)
{
    (void)state;
    static const norm_case cases[] = {
        {1, 16, 32, 0, 32, 1, 0, 0},      {3, 35, 96, 0, 32, 0, 0, 0},    {8, 64, 128, 0, 32, 1, 1, 0},
        {1, 1, 64, 0, 32, 1, 0, 0},       {2, 64, 256, 128, 32, 1, 0, 0}, {1, 64, 40, 24, 16, 0, 1, 0},
        {1, 1024, 128, 0, 32, 1, 0, 100}, {2, 100, 6, 0, 3, 0, 0, 0},     {1, 64, 1024, 512, 32, 1, 0, 0},
        {1, 20, 512, 0, 1, 0, 0, 0},      {2, 33, 44, 12, 4, 1, 1, 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check(&cases[i]);
    }
}

static void test_groupnorm_in_place(void **state)
{
    (void)state;
    enum { N = 2, HW = 30, C = 64 };
    float *x = normals(1, N * HW * C, 1, 0.5f), *y = normals(2, N * HW * C, 1, 0), *g = normals(3, C, 1, 0);
    hs_groupnorm gn = {32, 1e-6f, g, g, 1};
    hs_groupnorm_forward(&gn, N, HW, C, x, 0, NULL, NULL, NULL, 0, y, NULL);
    hs_groupnorm_forward(&gn, N, HW, C, x, 0, NULL, NULL, NULL, 0, x, NULL);
    assert_memory_equal(x, y, N * HW * C * sizeof *x);
    free(x);
    free(y);
    free(g);
}

static void test_silu(void **state)
{
    (void)state;
    enum { N = 40001 };
    float *x = normals(1, N, 10, 0), *y = normals(2, N, 1, 0);
    hs_silu(N, x, y);
    for (size_t i = 0; i < N; i++) {
        double v = (double)x[i], want = v / (1 + exp(-v));
        assert_near((double)y[i], want, 3e-7 * fabs(want) + 1e-36); /* 2 ulp of exp and two roundings */
    }
    hs_silu(N, x, x);
    assert_memory_equal(x, y, N * sizeof *x);
    free(x);
    free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expf_is_within_two_ulp),
        cmocka_unit_test(test_groupnorm),
        cmocka_unit_test(test_groupnorm_in_place),
        cmocka_unit_test(test_silu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
