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
 *   y      (n, hw, c + c2); may be x where x2 is NULL
 *   stats  (n, groups, 2) <- mean and 1 / sqrt(var + eps) of each group, what the derivatives below
 *          need; NULL: not wanted */
typedef struct {
    size_t groups;
    float eps;
    const float *gamma, *beta;
    int silu;
} hs_groupnorm;

void hs_groupnorm_forward(const hs_groupnorm *gn, size_t n, size_t hw, size_t c, const float *x, size_t c2,
                          const float *x2, const float *scale, const float *shift, size_t ss_ld, float *y,
                          float *stats);

/* Where a derivative is taken: what forward saw (m states of it), and the stats it left. */
typedef struct {
    size_t hw, c, c2;
    const float *x, *x2;        /* (m, hw, c), (m, hw, c2) or NULL */
    const float *scale, *shift; /* (m, c + c2), row stride ss_ld, or NULL */
    size_t ss_ld;
    const float *stats; /* (m, groups, 2) */
} hs_groupnorm_at;

/* dy (rows, hw, c + c2) <- the derivative along the tangents dx (rows, hw, c), dx2 (rows, hw, c2; NULL: 0),
 * dscale and dshift (rows, c + c2, row stride dss_ld; NULL: 0), row r taken at state at[r] (NULL: r).
 * dy must not overlap what is read, but may be dx where c2 is 0. */
void hs_groupnorm_jvp(const hs_groupnorm *gn, const hs_groupnorm_at *p, size_t rows, const size_t *at, const float *dx,
                      const float *dx2, const float *dscale, const float *dshift, size_t dss_ld, float *dy);

/* Where the results of hs_groupnorm_vjp go; NULL: not wanted (dx excepted). */
typedef struct {
    const float *add, *add2; /* (rows, hw, c), (rows, hw, c2): added to dx, dx2; may be them; NULL: 0 */
    float *dx, *dx2;
    float *dscale, *dshift; /* (rows, c + c2), row stride dss_ld: written */
    size_t dss_ld;
    float *dgamma, *dbeta; /* (c + c2): added to, both or neither */
} hs_groupnorm_grads;

/* The adjoint: from dy (rows, hw, c + c2), row r at state at[r] (NULL: r).  dx may be dy where c2 is 0.
 * scratch: hs_groupnorm_vjp_scratch(gn, rows, c + c2) bytes; sums over rows run in a fixed order. */
size_t hs_groupnorm_vjp_scratch(const hs_groupnorm *gn, size_t rows, size_t channels);
void hs_groupnorm_vjp(const hs_groupnorm *gn, const hs_groupnorm_at *p, size_t rows, const size_t *at, const float *dy,
                      const hs_groupnorm_grads *g, void *scratch);

/* y = x / (1 + exp(-x)), elementwise; y may be x. */
void hs_silu(size_t n, const float *x, float *y);
/* dy <- silu'(x) dx, elementwise; jvp and vjp alike, the derivative being diagonal.  dy may be dx. */
void hs_silu_jvp(size_t n, const float *x, const float *dx, float *dy);

#endif
