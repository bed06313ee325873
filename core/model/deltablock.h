/* The delta network f_t of Asyrp (arXiv:2210.10960 and its code), 1x1 convolutions, no residual, in two types:
 *   DDPM  dh = conv2(silu(GN(conv1(h) + temb_proj(silu(temb))))),             GroupNorm(32, eps 1e-6)
 *   ADM   dh = conv2(silu(GN(conv1(silu(GN_0(h))) + emb_layers(silu(temb))))), both GroupNorm(32, eps 1e-5)
 * h has C channels, what is between the convolutions `hidden` (C in the released networks). */
#ifndef HS_MODEL_DELTABLOCK_H
#define HS_MODEL_DELTABLOCK_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/io/tensors.h"
#include "core/tensor/view.h"

typedef struct hs_deltablock hs_deltablock;

/* *out <- the network whose tensors are prefix + "conv1.weight" ... (DDPM type) or prefix + "in_layers.0.weight" ...
 * (ADM type); prefix "0." for the released files.  Weights are copied.  HS_EFORMAT: missing or misshapen, with its
 * name. */
HS_CHECKED int hs_deltablock_load(const hs_tensors *ts, const char *prefix, hs_deltablock **out);
/* *out <- a network of c channels, `hidden` (a multiple of 32) inside, for embeddings of temb numbers: weights uniform
 * in +-1/sqrt(fan in), biases too, norm 1 and 0, as PyTorch's layers begin; stream (seed, HS_RNG_WEIGHTS, parameter).
 * silent: conv2 is 0, so that dh is.  HS_ERANGE, HS_ENOMEM. */
HS_CHECKED int hs_deltablock_random(size_t c, size_t hidden, size_t temb, uint64_t seed, int silent,
                                    hs_deltablock **out);
/* The same of the ADM type; c must be a multiple of 32 too. */
HS_CHECKED int hs_deltablock_random_adm(size_t c, size_t hidden, size_t temb, uint64_t seed, int silent,
                                        hs_deltablock **out);
void hs_deltablock_free(hs_deltablock *f);
size_t hs_deltablock_channels(const hs_deltablock *f);
size_t hs_deltablock_hidden(const hs_deltablock *f);
size_t hs_deltablock_temb_dim(const hs_deltablock *f);

/* The parameters, one block, under the names of their type: conv1.weight (hidden, C), conv1.bias, temb_proj.weight
 * (hidden, temb), temb_proj.bias, norm2.weight, norm2.bias, conv2.weight (C, hidden), conv2.bias; or in_layers.2,
 * emb_layers.1, out_layers.0, out_layers.3 likewise and in_layers.0.weight (C), in_layers.0.bias.  May be changed
 * between evaluations. */
enum { HS_DELTABLOCK_PARAMS_MAX = 10 };
size_t hs_deltablock_param_count(const hs_deltablock *f); /* 8 or 10 */
float *hs_deltablock_theta(hs_deltablock *f, size_t *count);
typedef struct {
    const char *name;
    size_t offset, count, rows; /* a vector, or a matrix of so many rows */
    int matrix, kernel;         /* kernel: a matrix that files give two 1s behind */
} hs_deltablock_param;
hs_deltablock_param hs_deltablock_param_at(const hs_deltablock *f, size_t i); /* i < hs_deltablock_param_count */

/* dh (n, C, H, W) <- f_t(h, temb); h (n, C, H, W), temb (n, temb_dim), or NULL: the time term
 * (weight and bias) is left out.  dh must not overlap h. */
HS_CHECKED int hs_deltablock_forward(const hs_deltablock *f, size_t n, hs_chw shape, const float *h, const float *temb,
                                     float *dh);

/* ---- Exact derivatives at recorded states; temb is held fixed ---- */

typedef struct hs_deltablock_grad hs_deltablock_grad;

/* Room for `states` recorded h of this shape and for `rows` tangents or cotangents at once (1 to 65536 each,
 * else HS_ERANGE; HS_ESHAPE: other channels).  Everything is allocated here.  f is borrowed. */
HS_CHECKED int hs_deltablock_grad_create(const hs_deltablock *f, hs_chw shape, size_t states, size_t rows,
                                         hs_deltablock_grad **out);
void hs_deltablock_grad_free(hs_deltablock_grad *g);

/* Records n <= states (HS_EBUG above): dh as hs_deltablock_forward, the same bits. */
HS_CHECKED int hs_deltablock_grad_forward(hs_deltablock_grad *g, size_t n, const float *h, const float *temb,
                                          float *dh);
/* v_out (rows, C H W) <- (df/dh) v, and the adjoint; row r at state[r] (NULL: r).  In and out may be the same.
 * HS_EBUG: a state that isn't recorded, more rows than there is room for. */
HS_CHECKED int hs_deltablock_jvp(hs_deltablock_grad *g, size_t rows, const size_t *state, const float *v, float *v_out);
HS_CHECKED int hs_deltablock_vjp(hs_deltablock_grad *g, size_t rows, const size_t *state, const float *u, float *u_out);
/* grad (the block's count) += the gradient in every parameter of sum <u, f> at the n recorded states, u (n, C H W);
 * where temb was NULL those of the time term stay. */
HS_CHECKED int hs_deltablock_backward(hs_deltablock_grad *g, const float *u, float *grad);

#endif
