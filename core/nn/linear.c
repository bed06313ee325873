#include "core/nn/linear.h"

#include <math.h>
#include <string.h>

#include "core/base/simd.h"
#include "core/linalg/sgemm.h"

void hs_linear_forward(size_t n, size_t in, size_t out, const float *x, const float *W, const float *b, float *y)
{
    for (size_t i = 0; b != NULL && i < n; i++) {
        memcpy(y + i * out, b, out * sizeof *y);
    }
    hs_sgemm(0, 1, n, out, in, 1, x, in, W, in, b != NULL ? 1 : 0, y, out);
}

void hs_linear_vjp(size_t n, size_t in, size_t out, const float *W, const float *dy, float *dx)
{
    hs_sgemm(0, 0, n, in, out, 1, dy, out, W, in, 0, dx, in);
}

enum { COLUMNS = 16 }; /* one cache line */

/* db[j] += the sum of column j, for n <= COLUMNS columns. */
HS_SIMD static void add_columns(size_t rows, size_t ld, size_t n, const float *dy, float *db)
{
    double sum[COLUMNS] = {0};
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++) {
            sum[j] += (double)dy[i * ld + j];
        }
    }
    for (size_t j = 0; j < n; j++) {
        db[j] = (float)((double)db[j] + sum[j]);
    }
}

void hs_linear_vjp_weights(size_t n, size_t in, size_t out, const float *x, const float *dy, float *dW, float *db)
{
    hs_sgemm(1, 0, out, in, n, 1, dy, out, x, in, 1, dW, in);
    if (db == NULL) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < out; j += COLUMNS) {
        add_columns(n, out, out - j < COLUMNS ? out - j : COLUMNS, dy + j, db + j);
    }
}

void hs_time_embedding(size_t n, const int *t, size_t dim, int cos_first, double freq_shift, float *y)
{
    size_t half = dim / 2;
    for (size_t i = 0; i < n; i++) {
        float *row = y + i * dim;
        float *s = cos_first ? row + half : row, *c = cos_first ? row : row + half;
        for (size_t j = 0; j < half; j++) {
            float exponent = -(float)log(10000.0) * (float)j / (float)((double)half - freq_shift);
            float angle = (float)t[i] * (float)exp((double)exponent);
            s[j] = (float)sin((double)angle);
            c[j] = (float)cos((double)angle);
        }
        if (dim % 2 != 0) {
            row[dim - 1] = 0;
        }
    }
}
