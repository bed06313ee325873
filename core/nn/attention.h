/* Self-attention over the pixels of a feature map, or over the words of a text. */
#ifndef HS_NN_ATTENTION_H
#define HS_NN_ATTENTION_H

#include <stddef.h>

#include "core/base/error.h"

/* y (n, hw, c) <- for each head: softmax(q k^T / sqrt(d)) v, d = c / heads.
 *   qkv (n, hw, 3 c): the rows of q, k, v side by side: q in columns [0, c), k in [c, 2c), v in
 *   [2c, 3c), heads contiguous inside each.
 * scratch: hs_attention_scratch(n, hw, c, heads) bytes. */
size_t hs_attention_scratch(size_t n, size_t hw, size_t c, size_t heads);
void hs_attention_forward(size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y, void *scratch);

/* Derivatives at the states qkv (m, hw, 3 c), row r at state at[r] (NULL: r); the probabilities are
 * computed anew.  Scratch: hs_attention_grad_scratch(rows, hw, c, heads) bytes. */
size_t hs_attention_grad_scratch(size_t rows, size_t hw, size_t c, size_t heads);
/* dy (rows, hw, c) <- along dqkv (rows, hw, 3 c). */
void hs_attention_jvp(size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                      const float *dqkv, float *dy, void *scratch);
/* dqkv (rows, hw, 3 c) <- the adjoint applied to dy (rows, hw, c). */
void hs_attention_vjp(size_t rows, const size_t *at, size_t hw, size_t c, size_t heads, const float *qkv,
                      const float *dy, float *dqkv, void *scratch);

/* The same where query i sees keys 0 ... i only; the same scratch. */
void hs_attention_causal_forward(size_t n, size_t hw, size_t c, size_t heads, const float *qkv, float *y,
                                 void *scratch);
void hs_attention_causal_jvp(size_t rows, size_t hw, size_t c, size_t heads, const float *qkv, const float *dqkv,
                             float *dy, void *scratch);
void hs_attention_causal_vjp(size_t rows, size_t hw, size_t c, size_t heads, const float *qkv, const float *dy,
                             float *dqkv, void *scratch);

#endif
