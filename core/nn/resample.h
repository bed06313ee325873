/* Fixed resampling by two, (N, H, W, C). */
#ifndef HS_NN_RESAMPLE_H
#define HS_NN_RESAMPLE_H

#include <stddef.h>

/* y (n, 2h, 2w, c) <- nearest neighbour of x (n, h, w, c). */
void hs_upsample2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y);
/* y (n, h/2, w/2, c) <- mean of 2x2 blocks; h and w even. */
void hs_avgpool2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y);

/* Both are linear: each is its own jvp.  The adjoints, h and w those of x: */
/* dx (n, h, w, c) <- the sum of the 2x2 blocks of dy (n, 2h, 2w, c). */
void hs_upsample2_vjp(size_t n, size_t h, size_t w, size_t c, const float *dy, float *dx);
/* dx (n, h, w, c) <- a quarter of dy (n, h/2, w/2, c), to each pixel of its block. */
void hs_avgpool2_vjp(size_t n, size_t h, size_t w, size_t c, const float *dy, float *dx);

#endif
