/* Resizing of float images by separable cubic convolution (Keys), linear, with its adjoint.
 *
 * Output i of n looks at input (i + 1/2) n_in / n - 1/2.  Antialiased: a = -1/2, the kernel as wide as the reduction,
 * weights normalised, what is outside left out; as PyTorch's interpolate(bicubic, antialias=True) and Pillow.  Plain: a
 * = -3/4, four taps, the border repeated; as interpolate(bicubic).  align_corners false; nothing is clipped. */
#ifndef HS_NN_CUBIC_H
#define HS_NN_CUBIC_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct hs_cubic hs_cubic;

/* *out <- the map from (h, w) to (oh, ow).  HS_ERANGE: a size of 0 or above 16384. */
HS_CHECKED int hs_cubic_create(size_t h, size_t w, size_t oh, size_t ow, int antialias, hs_cubic **out);
void hs_cubic_free(hs_cubic *r);
/* Floats of scratch that the two below need for each plane. */
size_t hs_cubic_scratch(const hs_cubic *r);
/* y (n, oh, ow) <- x (n, h, w); its own jvp. */
void hs_cubic_forward(const hs_cubic *r, size_t n, const float *x, float *y, float *scratch);
/* dx (n, h, w) <- the adjoint of dy (n, oh, ow). */
void hs_cubic_vjp(const hs_cubic *r, size_t n, const float *dy, float *dx, float *scratch);

#endif
