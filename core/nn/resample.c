#include "core/nn/resample.h"

#include <string.h>

#include "core/base/simd.h"

void hs_upsample2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y)
{
    size_t rows = n * h, out_row = 2 * w * c;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *in = x + r * w * c;
        float *out = y + 2 * r * out_row;
        for (size_t i = 0; i < w; i++) {
            memcpy(out + 2 * i * c, in + i * c, c * sizeof *y);
            memcpy(out + (2 * i + 1) * c, in + i * c, c * sizeof *y);
        }
        memcpy(out + out_row, out, out_row * sizeof *y);
    }
}

HS_SIMD static void mean_of_four(size_t c, const float *a, const float *b, float *y)
{
    for (size_t j = 0; j < c; j++) {
        y[j] = 0.25f * ((a[j] + a[c + j]) + (b[j] + b[c + j]));
    }
}

void hs_avgpool2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y)
{
    size_t rows = n * (h / 2), out_w = w / 2;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *top = x + 2 * r * w * c;
        for (size_t i = 0; i < out_w; i++) {
            mean_of_four(c, top + 2 * i * c, top + (w + 2 * i) * c, y + (r * out_w + i) * c);
        }
    }
}

HS_SIMD static void sum_of_four(size_t c, const float *a, const float *b, float *y)
{
    for (size_t j = 0; j < c; j++) {
        y[j] = (a[j] + a[c + j]) + (b[j] + b[c + j]);
    }
}

void hs_upsample2_vjp(size_t n, size_t h, size_t w, size_t c, const float *dy, float *dx)
{
    size_t rows = n * h, wide = 2 * w * c;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        const float *top = dy + 2 * r * wide;
        for (size_t i = 0; i < w; i++) {
            sum_of_four(c, top + 2 * i * c, top + wide + 2 * i * c, dx + (r * w + i) * c);
        }
    }
}

HS_SIMD static void quarter_to_four(size_t c, const float *dy, float *a, float *b)
{
    for (size_t j = 0; j < c; j++) {
        a[j] = a[c + j] = b[j] = b[c + j] = 0.25f * dy[j];
    }
}

void hs_avgpool2_vjp(size_t n, size_t h, size_t w, size_t c, const float *dy, float *dx)
{
    size_t rows = n * (h / 2), small = w / 2;
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < rows; r++) {
        float *top = dx + 2 * r * w * c;
        for (size_t i = 0; i < small; i++) {
            quarter_to_four(c, dy + (r * small + i) * c, top + 2 * i * c, top + (w + 2 * i) * c);
        }
    }
}
