/* Views: by value, owning nothing.  A view is valid as long as what it looks at. */
#ifndef HS_TENSOR_VIEW_H
#define HS_TENSOR_VIEW_H

#include <stddef.h>

/* A float32 matrix, row i at data + i * ld; ld >= cols. */
typedef struct {
    float *data;
    size_t rows, cols, ld;
} hs_mat;

static inline hs_mat hs_mat_of(float *data, size_t rows, size_t cols)
{
    return (hs_mat){data, rows, cols, cols};
}

static inline float *hs_mat_row(hs_mat m, size_t i)
{
    return m.data + i * m.ld;
}

/* The shape of one image or one h: channels, height, width. */
typedef struct {
    size_t c, h, w;
} hs_chw;

static inline size_t hs_chw_size(hs_chw s)
{
    return s.c * s.h * s.w;
}

#endif
