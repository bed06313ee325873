/* The activations of transformers, elementwise: quick x / (1 + exp(-1.702 x)); exact x Phi(x), Phi the normal
 * distribution (Hendrycks and Gimpel, arXiv:1606.08415). */
#ifndef HS_NN_GELU_H
#define HS_NN_GELU_H

#include <stddef.h>

typedef enum { HS_GELU_QUICK, HS_GELU_EXACT } hs_gelu_kind;

/* y <- act(x); y may be x. */
void hs_gelu(hs_gelu_kind kind, size_t n, const float *x, float *y);
/* dy <- act'(x) dx; jvp and vjp alike, the derivative being diagonal.  dy may be dx. */
void hs_gelu_jvp(hs_gelu_kind kind, size_t n, const float *x, const float *dx, float *dy);

#endif
