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
