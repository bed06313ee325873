#include "core/nn/layernorm.h"

#include <math.h>

#include "core/base/simd.h"

enum { LANES = 8, COLUMNS = 16 };

/* Sum of v - off, and of its square. */
HS_SIMD static void sums(size_t n, const float *v, double off, double *sum, double *square)
{
    double s[LANES] = {0}, q[LANES] = {0};
    size_t whole = n / LANES * LANES;
    *sum = *square = 0;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            double d = (double)v[i + l] - off;
            s[l] += d;
            q[l] += d * d;
        }
    }
    for (size_t i = whole; i < n; i++) {
        double d = (double)v[i] - off;
        s[0] += d;
        q[0] += d * d;
    }
    for (size_t l = 0; l < LANES; l++) {
        *sum += s[l];
        *square += q[l];
    }
}

/* Sums of w v and of w v xh, xh = (x - mean) r; w NULL: 1. */
HS_SIMD static void moments(size_t n, const float *x, float mean, float r, const float *w, const float *v, double *sum,
                            double *mixed)
{
    double s[LANES] = {0}, q[LANES] = {0};
    size_t whole = n / LANES * LANES;
    *sum = *mixed = 0;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            float g = w != NULL ? w[i + l] * v[i + l] : v[i + l];
            s[l] += (double)g;
            q[l] += (double)(g * ((x[i + l] - mean) * r));
        }
    }
    for (size_t i = whole; i < n; i++) {
        float g = w != NULL ? w[i] * v[i] : v[i];
        s[0] += (double)g;
        q[0] += (double)(g * ((x[i] - mean) * r));
    }
    for (size_t l = 0; l < LANES; l++) {
        *sum += s[l];
        *mixed += q[l];
    }
}

HS_SIMD static void apply(size_t n, const float *x, float mean, float r, const float *gamma, const float *beta,
                          float *y)
{
    for (size_t i = 0; i < n; i++) {
        y[i] = gamma[i] * ((x[i] - mean) * r) + beta[i];
    }
}

void hs_layernorm_forward(const hs_layernorm *ln, size_t rows, const float *x, float *y, float *stats)
{
    size_t c = ln->c;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        double sum, square, mean, rest;
        sums(c, x + i * c, 0, &sum, &square);
        mean = sum / (double)c;
        sums(c, x + i * c, mean, &rest, &square);
        float m = (float)mean, r = (float)(1 / sqrt(square / (double)c + ln->eps));
        apply(c, x + i * c, m, r, ln->gamma, ln->beta, y + i * c);
        if (stats != NULL) {
            stats[2 * i] = m;
            stats[2 * i + 1] = r;
        }
    }
}

void hs_layernorm_again(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, float *y)
{
    size_t c = ln->c;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        apply(c, x + i * c, stats[2 * i], stats[2 * i + 1], ln->gamma, ln->beta, y + i * c);
    }
}

HS_SIMD static void slope_jvp(size_t n, const float *x, float mean, float r, const float *gamma, float m0, float m1,
                              const float *dx, float *dy)
{
    for (size_t i = 0; i < n; i++) {
        dy[i] = gamma[i] * (r * (dx[i] - m0 - (x[i] - mean) * r * m1));
    }
}

void hs_layernorm_jvp(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, const float *dx,
                      float *dy)
{
    size_t c = ln->c;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const float mean = stats[2 * i], r = stats[2 * i + 1];
        double sum, mixed;
        moments(c, x + i * c, mean, r, NULL, dx + i * c, &sum, &mixed);
        slope_jvp(c, x + i * c, mean, r, ln->gamma, (float)(sum / (double)c), (float)(mixed / (double)c), dx + i * c,
                  dy + i * c);
    }
}

HS_SIMD static void slope_vjp(size_t n, const float *x, float mean, float r, const float *gamma, float m0, float m1,
                              const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] = r * (gamma[i] * dy[i] - m0 - (x[i] - mean) * r * m1);
    }
}

HS_SIMD static void slope_vjp_add(size_t n, const float *x, float mean, float r, const float *gamma, float m0, float m1,
                                  const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++) {
        dx[i] += r * (gamma[i] * dy[i] - m0 - (x[i] - mean) * r * m1);
    }
}

/* Columns j ... j + n - 1 of the two parameters' gradients. */
HS_SIMD static void add_columns(size_t rows, size_t c, size_t n, const float *x, const float *stats, const float *dy,
                                float *dgamma, float *dbeta)
{
    double dg[COLUMNS] = {0}, db[COLUMNS] = {0};
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            float v = dy[i * c + j];
            dg[j] += (double)(v * ((x[i * c + j] - stats[2 * i]) * stats[2 * i + 1]));
            db[j] += (double)v;
        }
    }
    for (size_t j = 0; j < n; j++) {
        dgamma[j] = (float)((double)dgamma[j] + dg[j]);
        dbeta[j] = (float)((double)dbeta[j] + db[j]);
    }
}

void hs_layernorm_vjp(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, const float *dy, int add,
                      float *dx, float *dgamma, float *dbeta)
{
    size_t c = ln->c;
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < (dgamma != NULL ? c : 0); j += COLUMNS) {
        add_columns(rows, c, c - j < COLUMNS ? c - j : COLUMNS, x + j, stats, dy + j, dgamma + j, dbeta + j);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        const float mean = stats[2 * i], r = stats[2 * i + 1];
        double sum, mixed;
        moments(c, x + i * c, mean, r, ln->gamma, dy + i * c, &sum, &mixed);
        (add ? slope_vjp_add : slope_vjp)(c, x + i * c, mean, r, ln->gamma, (float)(sum / (double)c),
                                          (float)(mixed / (double)c), dy + i * c, dx + i * c);
    }
}
