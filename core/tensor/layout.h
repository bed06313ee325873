/* The two orders of image-like arrays: files and headers speak (N, C, H, W), the network's insides
 * (N, H, W, C). */
#ifndef HS_TENSOR_LAYOUT_H
#define HS_TENSOR_LAYOUT_H

#include <stddef.h>

/* y (n, hw, c) <- x (n, c, hw); x and y must not overlap. */
void hs_nchw_to_nhwc(size_t n, size_t c, size_t hw, const float *x, float *y);
/* y (n, c, hw) <- x (n, hw, c). */
void hs_nhwc_to_nchw(size_t n, size_t c, size_t hw, const float *x, float *y);

/* y (n, c p p, h / p, w / p) <- x (n, c, h, w): each patch of p x p pixels becomes one, its values channels in the
 * order (c, row, column).  p divides h and w; x and y must not overlap. */
void hs_patches(size_t n, size_t c, size_t h, size_t w, size_t p, const float *x, float *y);
/* x from y. */
void hs_patches_back(size_t n, size_t c, size_t h, size_t w, size_t p, const float *y, float *x);

#endif
