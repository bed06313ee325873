/* The arithmetic of a pass over deltas. */
#include <math.h>
#include <string.h>

#include "analysis/properties/deltas_internal.h"
#include "core/base/simd.h"
#include "core/linalg/blas.h"

enum {
    LANES = 16,
    WIDE = 4,
    VECTORS = LANES / WIDE,
    AHEAD = 512 /* floats: what comes next is often on another page */
};

/* Four numbers at a time, as the compiler takes plain loops with two sums apart again: eight doubles are one vector
 * with AVX-512 alone, and without it go over memory at every step. */
typedef double doubles __attribute__((vector_size(WIDE * sizeof(double)), aligned(sizeof(double)), may_alias));
#define WIDEN(p) ((doubles){(double)(p)[0], (double)(p)[1], (double)(p)[2], (double)(p)[3]})

size_t hs_deltas_together(const hs_deltas *x, size_t n)
{
    size_t most = x->units > 0 ? n / (4 * x->units) : 1;
    return !x->pooled || most < 1 ? 1 : most > HS_DELTAS_TOGETHER ? HS_DELTAS_TOGETHER : most;
}

HS_SIMD double hs_deltas_square_and_add(size_t d, const float *restrict v, double *restrict sum)
{
    doubles square[VECTORS] = {{0}};
    double s[LANES], all = 0;
    size_t j = 0;
    for (; j + LANES <= d; j += LANES) {
        __builtin_prefetch(v + j + AHEAD);
        for (size_t l = 0; l < VECTORS; l++) {
            const doubles w = WIDEN(v + j + l * WIDE);
            square[l] += w * w;
            *(doubles *)(sum + j + l * WIDE) += w;
        }
    }
    memcpy(s, square, sizeof s);
    for (; j < d; j++) {
        s[j % LANES] += (double)v[j] * (double)v[j];
        sum[j] += (double)v[j];
    }
    for (size_t l = 0; l < LANES; l++) {
        all += s[l];
    }
    return all;
}

double hs_deltas_image_square(size_t S, size_t d, const double *norm2, const double *sum)
{
    double finite = 0;
    for (size_t k = 0; k < S; k++) {
        finite += 0 * norm2[k]; /* NaN of an infinite or undefined one */
    }
    return finite + hs_dot_f64(d, sum, sum) / ((double)S * (double)S);
}

/* sum (d) += the sum of `rows` rows, u (d) of the rows times scale (rows); u NULL: not wanted. */
HS_SIMD static void add_rows(size_t d, size_t rows, const float *v, size_t stride, const double *scale,
                             double *restrict sum, double *restrict u)
{
    size_t j = 0;
    for (; j + LANES <= d; j += LANES) {
        doubles a[VECTORS] = {{0}}, b[VECTORS] = {{0}};
        const float *x = v + j;
        for (size_t i = 0; i < rows; i++, x += stride) {
            for (size_t l = 0; l < VECTORS; l++) {
                const doubles w = WIDEN(x + l * WIDE);
                a[l] += w;
                b[l] += scale[i] * w;
            }
        }
        for (size_t l = 0; l < VECTORS; l++) {
            *(doubles *)(sum + j + l * WIDE) += a[l];
            if (u != NULL) {
                *(doubles *)(u + j + l * WIDE) += b[l];
            }
        }
    }
    for (; j < d; j++) {
        double a = 0, b = 0;
        for (size_t i = 0; i < rows; i++) {
            a += (double)v[i * stride + j];
            b += scale[i] * (double)v[i * stride + j];
        }
        sum[j] += a;
        if (u != NULL) {
            u[j] += b;
        }
    }
}

void hs_deltas_add_step(hs_deltas *x, size_t unit, size_t k, size_t rows, const float *v, const double *norm2)
{
    size_t S = x->S, d = x->d, at = unit * S + k;
    double scale[HS_DELTAS_TOGETHER];
    for (size_t r = 0; r < rows; r++) {
        scale[r] = norm2[r * S] > 0 ? 1 / sqrt(norm2[r * S]) : 0;
        x->square[at] += norm2[r * S];
        x->nonzero[at] += norm2[r * S] > 0;
    }
    add_rows(d, rows, v, S * d, scale, x->sum + at * d, x->unit_sum != NULL ? x->unit_sum + at * d : NULL);
}
