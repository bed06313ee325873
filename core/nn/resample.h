/* Fixed resampling by two, (N, H, W, C). */
#ifndef HS_NN_RESAMPLE_H
#define HS_NN_RESAMPLE_H

#include <stddef.h>

/* y (n, 2h, 2w, c) <- nearest neighbour of x (n, h, w, c). */
void hs_upsample2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y);
/* y (n, h/2, w/2, c) <- mean of 2x2 blocks; h and w even. */
void hs_avgpool2(size_t n, size_t h, size_t w, size_t c, const float *x, float *y);

#endif
