#include "core/tensor/layout.h"

/* y (cols, rows) <- x (rows, cols), in tiles that fit the first cache. */
static void transpose(size_t rows, size_t cols, const float *x, float *y)
{
    enum { TILE = 32 };
    for (size_t i0 = 0; i0 < rows; i0 += TILE) {
        size_t i1 = i0 + TILE < rows ? i0 + TILE : rows;
        for (size_t j0 = 0; j0 < cols; j0 += TILE) {
            size_t j1 = j0 + TILE < cols ? j0 + TILE : cols;
            for (size_t i = i0; i < i1; i++) {
                for (size_t j = j0; j < j1; j++) {
                    y[j * rows + i] = x[i * cols + j];
                }
            }
        }
    }
}

void hs_nchw_to_nhwc(size_t n, size_t c, size_t hw, const float *x, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        transpose(c, hw, x + i * c * hw, y + i * c * hw);
    }
}

void hs_nhwc_to_nchw(size_t n, size_t c, size_t hw, const float *x, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        transpose(hw, c, x + i * c * hw, y + i * c * hw);
    }
}

/* Where pixel (row, column) of plane k lies in the patches. */
static size_t patched(size_t k, size_t row, size_t column, size_t h, size_t w, size_t p)
{
    size_t channel = (k * p + row % p) * p + column % p;
    return (channel * (h / p) + row / p) * (w / p) + column / p;
}

void hs_patches(size_t n, size_t c, size_t h, size_t w, size_t p, const float *x, float *y)
{
    for (size_t i = 0; i < n * c * h; i++) {
        size_t image = i / (c * h), k = i / h % c, row = i % h;
        for (size_t column = 0; column < w; column++) {
            y[image * c * h * w + patched(k, row, column, h, w, p)] = x[i * w + column];
        }
    }
}

void hs_patches_back(size_t n, size_t c, size_t h, size_t w, size_t p, const float *y, float *x)
{
    for (size_t i = 0; i < n * c * h; i++) {
        size_t image = i / (c * h), k = i / h % c, row = i % h;
        for (size_t column = 0; column < w; column++) {
            x[i * w + column] = y[image * c * h * w + patched(k, row, column, h, w, p)];
        }
    }
}
