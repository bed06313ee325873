/* Convolution, 1x1 and 3x3, on activations in (N, H, W, C) order.
 *
 *   y[n, oy, ox, o] = bias[o] + add[n, o] + residual[n, oy, ox, o]
 *                   + sum_{i, ky, kx} w[o, i, ky, kx] x[n, stride oy + ky - pad_top, stride ox + kx - pad_left, i]
 *
 * One interface, several algorithms that agree to rounding: im2col + sgemm (the oracle, always
 * built), oneDNN's direct convolution, and our own Winograd F(4x4,3x3) for 3x3 stride 1.  oneDNN 2's
 * Winograd isn't built in: timed apart, with its reorders from and to (N, H, W, C), it was slower than
 * ours on large maps (128 -> 128 at 32^2, n = 8; 256^2, n = 1), equal in the middle, and faster on
 * some small ones (256 -> 256 at 8^2, n = 1: by 11 to 17 % over direct; at 4^2, n = 1, slower).
 * hs_conv_plan picks the algorithm by a fixed table over the shape and the CPU, so that the same
 * machine and number of threads always give the same bits. */
#ifndef HS_NN_CONV_H
#define HS_NN_CONV_H

#include <stddef.h>

#include "core/base/error.h"

typedef enum {
    HS_CONV_AUTO,     /* the fastest per shape */
    HS_CONV_WINOGRAD, /* Winograd wherever it applies, else as HS_CONV_DIRECT */
    HS_CONV_DIRECT,   /* oneDNN's direct convolution; im2col where oneDNN is absent */
    HS_CONV_IM2COL    /* the plain fallback everywhere */
} hs_conv_mode;

typedef struct {
    size_t in_ch, out_ch;
    size_t kernel; /* 1 or 3 */
    size_t stride; /* 1 or 2 */
    size_t pad_top, pad_left, pad_bottom, pad_right;
} hs_conv_shape;

typedef struct hs_conv hs_conv;

/* *out <- a convolution whose weights (out_ch, in_ch, k, k) float32 and bias (out_ch; NULL: zero)
 * are kept by reference: they must outlive it.  Nothing is transformed until hs_conv_plan. */
HS_CHECKED int hs_conv_create(hs_conv_shape shape, const float *weight, const float *bias, hs_conv **out);
void hs_conv_free(hs_conv *c);

/* Output height or width of an input of height or width size. */
size_t hs_conv_out_h(const hs_conv *c, size_t h);
size_t hs_conv_out_w(const hs_conv *c, size_t w);

/* Chooses the algorithm for inputs (1..n, h, w, in_ch) and transforms the weights for it.  Call
 * before hs_conv_forward; again for another size.  scratch_bytes: what forward will need. */
HS_CHECKED int hs_conv_plan(hs_conv *c, hs_conv_mode mode, size_t n, size_t h, size_t w, size_t *scratch_bytes);

/* The algorithm chosen: "winograd4x4:avx512", "onednn:brgconv:avx512_core", "im2col", "gemm1x1", ... */
const char *hs_conv_algorithm(const hs_conv *c);

/* y (n, oh, ow, out_ch) <- the formula above; x (n, h, w, in_ch).
 *   add       (n, out_ch) the time term, or NULL
 *   residual  (n, oh, ow, out_ch) or NULL; may be y itself (y is then added to)
 *   scratch   at least scratch_bytes, 64-byte aligned
 * x and y must not overlap.  n up to the planned n.  Allocates nothing.  One call at a time per
 * convolution.  HS_ESHAPE: a size other than planned; HS_EBUG: not planned. */
HS_CHECKED int hs_conv_forward(const hs_conv *c, size_t n, size_t h, size_t w, const float *x, const float *add,
                               const float *residual, float *y, void *scratch);

/* ---- Derivatives --------------------------------------------------------------------------------
 * The convolution is linear in x and in its weights, so each derivative is a convolution again.  None
 * of them allocates; scratch is what the plan in question asked for. */

/* dy (n, oh, ow, out_ch) <- dadd + dresidual + the sum over w dx: hs_conv_forward without the bias, with
 * the forward plan.  dadd (n, out_ch), dresidual as above, or NULL.  Errors as hs_conv_forward. */
HS_CHECKED int hs_conv_jvp(const hs_conv *c, size_t n, size_t h, size_t w, const float *dx, const float *dadd,
                           const float *dresidual, float *dy, void *scratch);

/* Plans hs_conv_vjp for up to n images, n at most the forward plan's.  Call after hs_conv_plan with the
 * same mode, h and w.  Of 3x3 stride 1 the adjoint is a 3x3 convolution with the kernel turned by 180
 * degrees and its channels swapped, so that Winograd serves it too. */
HS_CHECKED int hs_conv_plan_vjp(hs_conv *c, hs_conv_mode mode, size_t n, size_t *scratch_bytes);

/* dx (n, h, w, in_ch) <- residual + sum over outputs that read the pixel of w dy, for dy (n, oh, ow,
 * out_ch).  residual (n, h, w, in_ch) or NULL; may be dx itself. */
HS_CHECKED int hs_conv_vjp(const hs_conv *c, size_t n, size_t h, size_t w, const float *dy, const float *residual,
                           float *dx, void *scratch);

/* Plans hs_conv_vjp_weights; as hs_conv_plan_vjp. */
HS_CHECKED int hs_conv_plan_vjp_weights(hs_conv *c, hs_conv_mode mode, size_t n, size_t *scratch_bytes);

/* dweight (out_ch, in_ch, k, k) += sum over images and pixels of dy x; dbias (out_ch; NULL: not wanted)
 * += sum of dy; dadd (n, out_ch; NULL: not wanted) <- sum over the pixels of each image of dy.  Sums run
 * in an order fixed by the plan, whatever the number of threads. */
HS_CHECKED int hs_conv_vjp_weights(const hs_conv *c, size_t n, size_t h, size_t w, const float *x, const float *dy,
                                   float *dweight, float *dbias, float *dadd, void *scratch);

/* The weights were changed in place: every form that the plans keep of them is made again. */
HS_CHECKED int hs_conv_refresh(hs_conv *c);

#endif
