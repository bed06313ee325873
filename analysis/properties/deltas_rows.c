/* The arithmetic of a pass over deltas. */
#include <math.h>
#include <string.h>

#include "analysis/properties/deltas_internal.h"
#include "core/base/simd.h"
#include "core/linalg/blas.h"

enum {
    LANES = 16,
    VECTORS = LANES / HS_DOUBLES,
    STEPS = 8,      /* that share their way through the sum */
    COLUMNS = 1024, /* floats of it that stay close by meanwhile */
    AHEAD = 512     /* floats: what comes next is often on another page */
};

size_t hs_deltas_together(const hs_deltas *x, size_t n)
{
    size_t most = x->units > 0 ? n / (4 * x->units) : 1;
    return !x->pooled || most < 1 ? 1 : most > HS_DELTAS_TOGETHER ? HS_DELTAS_TOGETHER : most;
}

/* square (VECTORS) += squares of n numbers from v on, sum (n) += them; n of whole lanes. */
HS_SIMD static void square_and_add(size_t n, const float *restrict v, double *restrict sum, double *restrict square)
{
    hs_doubles s[VECTORS];
    memcpy(s, square, sizeof s);
    for (size_t j = 0; j < n; j += LANES) {
        __builtin_prefetch(v + j + AHEAD);
        for (size_t l = 0; l < VECTORS; l++) {
            const hs_doubles w = HS_WIDEN(v + j + l * HS_DOUBLES);
            s[l] += w * w;
            *(hs_doubles *)(sum + j + l * HS_DOUBLES) += w;
        }
    }
    memcpy(square, s, sizeof s);
}

/* Of some steps. */
static void measure_steps(size_t steps, size_t d, const float *v, double *norm2, double *sum)
{
    size_t whole = d / LANES * LANES;
    double square[STEPS][LANES] = {{0}};
    for (size_t j = 0, n; j < whole; j += n) {
        n = whole - j < COLUMNS ? whole - j : COLUMNS;
        for (size_t k = 0; k < steps; k++) {
            square_and_add(n, v + k * d + j, sum + j, square[k]);
        }
    }
    for (size_t k = 0; k < steps; k++) {
        for (size_t j = whole; j < d; j++) {
            square[k][j - whole] += (double)v[k * d + j] * (double)v[k * d + j];
            sum[j] += (double)v[k * d + j];
        }
        norm2[k] = 0;
        for (size_t l = 0; l < LANES; l++) {
            norm2[k] += square[k][l];
        }
    }
}

double hs_deltas_measure(size_t S, size_t d, const float *v, double *norm2, double *sum)
{
    double finite = 0;
    memset(sum, 0, d * sizeof *sum);
    for (size_t k = 0; k < S; k += STEPS) {
        measure_steps(S - k < STEPS ? S - k : STEPS, d, v + k * d, norm2 + k, sum);
    }
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
        hs_doubles a[VECTORS] = {{0}}, b[VECTORS] = {{0}};
        const float *x = v + j;
        for (size_t i = 0; i < rows; i++, x += stride) {
            for (size_t l = 0; l < VECTORS; l++) {
                const hs_doubles w = HS_WIDEN(x + l * HS_DOUBLES);
                a[l] += w;
                b[l] += scale[i] * w;
            }
        }
        for (size_t l = 0; l < VECTORS; l++) {
            *(hs_doubles *)(sum + j + l * HS_DOUBLES) += a[l];
            if (u != NULL) {
                *(hs_doubles *)(u + j + l * HS_DOUBLES) += b[l];
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
