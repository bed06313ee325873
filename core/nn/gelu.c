#include "core/nn/gelu.h"

#include <math.h>

#include "core/base/simd.h"
#include "core/nn/expf.h"

enum { BLOCK = 4096 };

/* 1 / (1 + exp(-1.702 x)) */
static inline float sigmoid(float x)
{
    return 1 / (1 + hs_expf(-1.702f * x));
}

HS_SIMD static void quick(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * sigmoid(x[i]);
    }
}

HS_SIMD static void quick_jvp(size_t n, const float *x, const float *dx, float *dy)
{
    for (size_t i = 0; i < n; i++) {
        float e = hs_expf(-1.702f * x[i]), s = 1 / (1 + e);
        dy[i] = dx[i] * (s + 1.702f * x[i] * (s * (e * s)));
    }
}

/* The normal distribution function, through erfc, which keeps its digits in the left tail. */
static double normal(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

static void exact(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)((double)x[i] * normal((double)x[i]));
    }
}

static void exact_jvp(size_t n, const float *x, const float *dx, float *dy)
{
    const double peak = M_2_SQRTPI * M_SQRT1_2 / 2; /* of the density */
    for (size_t i = 0; i < n; i++) {
        double v = (double)x[i];
        dy[i] = (float)((double)dx[i] * (normal(v) + v * peak * exp(-v * v / 2)));
    }
}

void hs_gelu(hs_gelu_kind kind, size_t n, const float *x, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += BLOCK) {
        (kind == HS_GELU_QUICK ? quick : exact)(n - i < BLOCK ? n - i : BLOCK, x + i, y + i);
    }
}

void hs_gelu_jvp(hs_gelu_kind kind, size_t n, const float *x, const float *dx, float *dy)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i += BLOCK) {
        (kind == HS_GELU_QUICK ? quick_jvp : exact_jvp)(n - i < BLOCK ? n - i : BLOCK, x + i, dx + i, dy + i);
    }
}
