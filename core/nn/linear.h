/* Dense layers and the sinusoidal time embedding. */
#ifndef HS_NN_LINEAR_H
#define HS_NN_LINEAR_H

#include <stddef.h>

/* y (n, out) <- x (n, in) W^T + b;  W (out, in) as PyTorch stores it, b (out) or NULL.  A row's bits don't depend
 * on n, nor on the number of threads. */
void hs_linear_forward(size_t n, size_t in, size_t out, const float *x, const float *W, const float *b, float *y);
/* Its jvp is hs_linear_forward of the tangents with b NULL. */
/* dx (n, in) <- dy (n, out) W. */
void hs_linear_vjp(size_t n, size_t in, size_t out, const float *W, const float *dy, float *dx);
/* dW (out, in) += dy^T x;  db (out; NULL: not wanted) += the sum of dy's rows, in their order. */
void hs_linear_vjp_weights(size_t n, size_t in, size_t out, const float *x, const float *dy, float *dW, float *db);

/* y (n, dim) <- for each t: [sin(t f_j), cos(t f_j)] (cos first when cos_first), j < half = dim / 2,
 * f_j = exp(-ln(10000) j / (half - freq_shift)).  Frequencies and angles are rounded to float32 as
 * the reference codes do (t = 999 times a rounded frequency moves eps by up to 1e-5); an odd dim
 * ends in 0.  DDPM: sin first, freq_shift 1; ADM: cos first, freq_shift 0. */
void hs_time_embedding(size_t n, const int *t, size_t dim, int cos_first, double freq_shift, float *y);

#endif
