#include "analysis/properties/image_damage.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

double hs_image_l2(hs_chw shape, const float *x, const float *y)
{
    double square = 0;
    size_t d = hs_chw_size(shape);
    for (size_t q = 0; q < d; q++) {
        double v = (double)x[q] - (double)y[q];
        square += v * v;
    }
    return sqrt(square / (double)d);
}

/* ---- SSIM ---- */

enum { RADIUS = 5, MOMENTS = 5 };

/* weight (2 radius + 1) of sum 1. */
static void window(size_t radius, double *weight)
{
    double sum = 0;
    for (size_t k = 0; k <= 2 * radius; k++) {
        double off = (double)k - (double)radius;
        weight[k] = exp(-off * off / (2 * 1.5 * 1.5));
        sum += weight[k];
    }
    for (size_t k = 0; k <= 2 * radius; k++) {
        weight[k] /= sum;
    }
}

/* Windowed moments of one row pair: mean x, y, of squares, of the product. */
static void moments(double x, double y, double weight, double m[MOMENTS])
{
    m[0] += weight * x;
    m[1] += weight * y;
    m[2] += weight * x * x;
    m[3] += weight * y * y;
    m[4] += weight * x * y;
}

static double index_of(const double m[MOMENTS])
{
    const double c1 = 0.02 * 0.02, c2 = 0.06 * 0.06; /* L = 2 */
    double sx = m[2] - m[0] * m[0], sy = m[3] - m[1] * m[1], sxy = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * sxy + c2) / ((m[0] * m[0] + m[1] * m[1] + c1) * (sx + sy + c2));
}

/* Sum of the index over the places of one channel; row: (h, w - 2 radius, MOMENTS), sums along x. */
static double channel(size_t h, size_t w, size_t radius, const double *weight, const float *x, const float *y,
                      double *row)
{
    size_t across = w - 2 * radius;
    double sum = 0;
    for (size_t c = 0; c < h * across; c++) {
        double *m = row + c * MOMENTS;
        m[0] = m[1] = m[2] = m[3] = m[4] = 0;
        for (size_t k = 0; k <= 2 * radius; k++) {
            size_t q = c / across * w + c % across + k;
            moments((double)x[q], (double)y[q], weight[k], m);
        }
    }
    for (size_t c = 0; c < (h - 2 * radius) * across; c++) {
        double m[MOMENTS] = {0};
        for (size_t k = 0; k <= 2 * radius; k++) {
            const double *from = row + (c + k * across) * MOMENTS;
            for (int j = 0; j < MOMENTS; j++) {
                m[j] += weight[k] * from[j];
            }
        }
        sum += index_of(m);
    }
    return sum;
}

int hs_image_dssim(hs_chw shape, const float *x, const float *y, double *out)
{
    int rc = HS_OK;
    size_t least = shape.h < shape.w ? shape.h : shape.w, radius = (least - 1) / 2;
    double weight[2 * RADIUS + 1], *row = NULL, sum = 0;
    radius = radius < RADIUS ? radius : RADIUS;
    window(radius, weight);
    HS_TRY(hs_alloc(shape.h * (shape.w - 2 * radius), MOMENTS * sizeof *row, &row));
    for (size_t c = 0; c < shape.c; c++) {
        size_t at = c * shape.h * shape.w;
        sum += channel(shape.h, shape.w, radius, weight, x + at, y + at, row);
    }
    *out = 1 - sum / (double)(shape.c * (shape.h - 2 * radius) * (shape.w - 2 * radius));
out:
    free(row);
    return rc;
}

/* ---- High frequencies ---- */

double hs_image_hf_energy(hs_chw shape, const float *x)
{
    static const double tap[3] = {0.25, 0.5, 0.25};
    double square = 0;
    if (shape.h < 3 || shape.w < 3) {
        return NAN;
    }
    for (size_t c = 0; c < shape.c; c++) {
        for (size_t i = 1; i + 1 < shape.h; i++) {
            for (size_t j = 1; j + 1 < shape.w; j++) {
                const float *at = x + (c * shape.h + i - 1) * shape.w + j - 1;
                double v = (double)at[shape.w + 1];
                for (size_t k = 0; k < 9; k++) {
                    v -= tap[k / 3] * tap[k % 3] * (double)at[k / 3 * shape.w + k % 3];
                }
                square += v * v;
            }
        }
    }
    return square / (double)(shape.c * (shape.h - 2) * (shape.w - 2));
}

double hs_image_hf(hs_chw shape, const float *x, const float *y)
{
    const double rounding = 4.0 / (255.0 * 255.0 * 12.0);
    return fabs(log((hs_image_hf_energy(shape, x) + rounding) / (hs_image_hf_energy(shape, y) + rounding)));
}
