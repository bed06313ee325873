/* What the convolution backends share; private to core/nn. */
#ifndef HS_NN_CONV_IMPL_H
#define HS_NN_CONV_IMPL_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/nn/conv.h"

/* One forward call. */
typedef struct {
    size_t n, h, w;
    const float *x, *add, *residual;
    float *y;
    void *scratch;
} hs_conv_args;

/* An algorithm.  plan transforms the weights into c->state for inputs up to (n, h, w) and says
 * what scratch forward needs; HS_ERANGE without a state when it can't do this shape. */
typedef struct {
    int (*plan)(hs_conv *c, size_t n, size_t h, size_t w, size_t *scratch_bytes);
    int (*forward)(const hs_conv *c, const hs_conv_args *a);
    void (*release)(void *state);
} hs_conv_backend;

struct hs_conv {
    hs_conv_shape shape;
    const float *weight, *bias;
    const hs_conv_backend *backend; /* NULL until planned */
    size_t n, h, w;                 /* what is planned */
    int threads;                    /* that scratch has room for */
    void *state;                    /* the backend's: transformed weights */
    char algorithm[48];
};

extern const hs_conv_backend hs_conv_im2col, hs_conv_winograd;
#ifdef HS_HAVE_DNNL
extern const hs_conv_backend hs_conv_dnnl;
#endif

/* The table: the backend for this shape and this processor.  A matter of arithmetic, never of
 * timing, so that the same machine always gives the same bits. */
const hs_conv_backend *hs_conv_select(const hs_conv *c, hs_conv_mode mode, size_t n, size_t h, size_t w);

/* Plans with this backend or fails; hs_conv_plan chooses one and falls back on im2col. */
HS_CHECKED int hs_conv_plan_with(hs_conv *c, const hs_conv_backend *backend, size_t n, size_t h, size_t w,
                                 size_t *scratch_bytes);

/* y (rows, out_ch) <- bias + add + residual for rows [first, first + rows) of the output, each
 * image having `pixels` rows: what a product with beta = 1 is then added to. */
void hs_conv_start_rows(const hs_conv *c, const hs_conv_args *a, size_t pixels, size_t first, size_t rows);

#endif
