/* What the convolution backends share; private to core/nn. */
#ifndef HS_NN_CONV_IMPL_H
#define HS_NN_CONV_IMPL_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/nn/conv.h"

/* One forward call; bias NULL: without, as the derivative is. */
typedef struct {
    size_t n, h, w;
    const float *x, *bias, *add, *residual;
    float *y;
    void *scratch;
} hs_conv_args;

/* An algorithm.  plan transforms the weights into c->state for inputs up to (n, h, w) and says
 * what scratch forward needs; HS_ERANGE without a state when it can't do this shape.  refresh
 * transforms them again into the same memory. */
typedef struct {
    int (*plan)(hs_conv *c, size_t n, size_t h, size_t w, size_t *scratch_bytes);
    int (*forward)(const hs_conv *c, const hs_conv_args *a);
    int (*refresh)(hs_conv *c);
    void (*release)(void *state);
} hs_conv_backend;

/* One call for the gradient of the weights. */
typedef struct {
    size_t n, h, w;
    const float *x, *dy;
    float *dweight;
    void *scratch;
} hs_conv_weight_args;

/* An algorithm for it, of the planned c: for up to n images.  plan: HS_ERANGE when it can't do this shape. */
typedef struct {
    const char *name;
    int (*plan)(const hs_conv *c, size_t n, size_t *scratch_bytes);
    int (*run)(const hs_conv *c, const hs_conv_weight_args *a);
} hs_conv_weight_backend;

struct hs_conv {
    hs_conv_shape shape;
    const float *weight, *bias;
    const hs_conv_backend *backend; /* NULL until planned */
    size_t n, h, w;                 /* what is planned */
    int threads;                    /* that scratch has room for */
    void *state;                    /* the backend's: transformed weights */
    char algorithm[48];

    /* hs_conv_plan_vjp: of stride 1 a convolution of its own; else a product and a gathering. */
    size_t vjp_n;  /* 0: not planned */
    float *turned; /* the adjoint's weights: (in_ch, out_ch, k, k) turned; of stride 2 (out_ch, k, k, in_ch) */
    hs_conv *adjoint;

    const hs_conv_weight_backend *dw; /* NULL until planned */
    size_t dw_n;
};

extern const hs_conv_backend hs_conv_im2col, hs_conv_winograd;
#ifdef HS_HAVE_DNNL
extern const hs_conv_backend hs_conv_dnnl;
#endif
extern const hs_conv_weight_backend hs_conv_weight_im2col, hs_conv_weight_direct, hs_conv_weight_winograd;

/* The table: the backend for this shape and this processor.  A matter of arithmetic, never of timing nor of how many
 * images there are, so that the same machine always gives the same image the same bits. */
const hs_conv_backend *hs_conv_select(const hs_conv *c, hs_conv_mode mode, size_t h, size_t w);

/* The same for the gradient of the weights. */
const hs_conv_weight_backend *hs_conv_select_weight(const hs_conv *c, hs_conv_mode mode);
HS_CHECKED int hs_conv_plan_weights_with(hs_conv *c, const hs_conv_weight_backend *backend, size_t n,
                                         size_t *scratch_bytes);

/* dweight (out_ch, in_ch, taps) += sums (taps, in_ch, out_ch), rows ld floats apart. */
void hs_conv_add_taps(const hs_conv_shape *s, const float *sums, size_t ld, float *dweight);

/* Plans with this backend or fails; hs_conv_plan chooses one and falls back on im2col. */
HS_CHECKED int hs_conv_plan_with(hs_conv *c, const hs_conv_backend *backend, size_t n, size_t h, size_t w,
                                 size_t *scratch_bytes);

/* HS_EBUG when planned, a number of images, is 0; HS_ESHAPE when n images of h x w aren't what is planned. */
HS_CHECKED int hs_conv_check(const hs_conv *c, size_t planned, size_t n, size_t h, size_t w);

/* What the derivatives' plans keep: made again from changed weights; given back. */
HS_CHECKED int hs_conv_refresh_grad(hs_conv *c);
void hs_conv_release_grad(hs_conv *c);

/* y (rows, out_ch) <- bias + add + residual for rows [first, first + rows) of the output, each
 * image having `pixels` rows: what a product with beta = 1 is then added to. */
void hs_conv_start_rows(const hs_conv *c, const hs_conv_args *a, size_t pixels, size_t first, size_t rows);

/* patch (taps, in_ch) <- the inputs under output pixel r of x (n, h, w, in_ch) as planned, zeros
 * outside the map. */
void hs_conv_gather(const hs_conv *c, const float *x, size_t r, float *patch);
/* Output pixels whose patches are gathered at once, at most rows. */
size_t hs_conv_rows_at_once(const hs_conv_shape *s, size_t rows);

#endif
