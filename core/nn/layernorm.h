/* LayerNorm (Ba et al., arXiv:1607.06450): y = gamma (x - mean) / sqrt(var + eps) + beta over the c numbers of a row,
 * mean and biased variance in double. */
#ifndef HS_NN_LAYERNORM_H
#define HS_NN_LAYERNORM_H

#include <stddef.h>

typedef struct {
    size_t c;
    double eps;
    const float *gamma, *beta; /* (c) */
} hs_layernorm;

/* y (rows, c) <- LN(x); y may be x.  stats (rows, 2) <- mean and 1 / sqrt(var + eps); NULL: not wanted. */
void hs_layernorm_forward(const hs_layernorm *ln, size_t rows, const float *x, float *y, float *stats);
/* The same from stats kept earlier. */
void hs_layernorm_again(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, float *y);
/* dy (rows, c) <- along dx, at x and its stats; dy may be dx. */
void hs_layernorm_jvp(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, const float *dx,
                      float *dy);
/* dx (rows, c) <- the adjoint of dy, added to where `add` is non-zero; dx may be dy where it is 0.
 * dgamma, dbeta (c): added to, both or neither; sums over rows in their order. */
void hs_layernorm_vjp(const hs_layernorm *ln, size_t rows, const float *x, const float *stats, const float *dy, int add,
                      float *dx, float *dgamma, float *dbeta);

#endif
