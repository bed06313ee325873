/* GroupNorm (Wu and He, arXiv:1803.08494), fused with what surrounds it in a U-Net. */
#ifndef HS_NN_NORM_H
#define HS_NN_NORM_H

#include <stddef.h>

#include "core/base/error.h"

/* y = act(norm(x) * (1 + scale) + shift),  norm(x) = gamma (x - mean) / sqrt(var + eps) + beta,
 * mean and biased variance over each sample's group of channels and all pixels (double sums).
 *   x      (n, hw, c)   and x2 (n, hw, c2) or NULL with c2 = 0: the second part of a channel
 *          concatenation [x, x2], never copied together; groups divide c + c2
 *   gamma, beta (c + c2)
 *   scale, shift (n, c + c2) each with row stride ss_ld, or both NULL (scale-shift norm of ADM)
 *   silu   non-zero: act(v) = v / (1 + exp(-v)); zero: identity
 *   y      (n, hw, c + c2); may be x where x2 is NULL */
typedef struct {
    size_t groups;
    float eps;
    const float *gamma, *beta;
    int silu;
} hs_groupnorm;

void hs_groupnorm_forward(const hs_groupnorm *gn, size_t n, size_t hw, size_t c, const float *x, size_t c2,
                          const float *x2, const float *scale, const float *shift, size_t ss_ld, float *y);

/* y = x / (1 + exp(-x)), elementwise; y may be x. */
void hs_silu(size_t n, const float *x, float *y);

#endif
