/* Exact derivatives of a U-Net at recorded states, forward and reverse mode.
 *
 *   encode: x_t -> (h, skips)      decode: (h, skips) -> eps
 *
 * A record keeps every activation that a derivative needs, once: any number of tangents and cotangents
 * then go through in batches of rows, row r at state state[r] (NULL: r).  With skips fixed the
 * derivatives of decode are those in h alone; with skips carried, encode and decode compose to the
 * derivative of eps(x_t).  t and the weights are held fixed, but for hs_unet_backward. */
#ifndef HS_MODEL_UNET_GRAD_H
#define HS_MODEL_UNET_GRAD_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/linalg/linop.h"
#include "core/model/unet.h"

typedef struct hs_unet_grad hs_unet_grad;

/* Room for the records of `states` images and for `rows` tangents or cotangents at once (1 to 65536 each,
 * else HS_ERANGE); weights: parameter gradients too (of a trainable network).  Everything is allocated
 * here, nothing later.  u is borrowed. */
HS_CHECKED int hs_unet_grad_create(hs_unet *u, size_t states, size_t rows, int weights, hs_conv_mode mode,
                                   hs_unet_grad **out);
/* The same for derivatives of decode with skips fixed alone, in less memory: whatever else is asked of it is HS_EBUG.
 */
HS_CHECKED int hs_unet_grad_create_decoder(hs_unet *u, size_t states, size_t rows, hs_conv_mode mode,
                                           hs_unet_grad **out);
void hs_unet_grad_free(hs_unet_grad *g);

/* Records n <= states images: h (n, C, H, W) as hs_unet_encode, the same bits. */
HS_CHECKED int hs_unet_grad_encode(hs_unet_grad *g, size_t n, const float *x, const int *t, float *h);
/* Records the decoder at h (n, C, H, W), the recorded skips beside it: eps (n, c, R, R) as hs_unet_decode. */
HS_CHECKED int hs_unet_grad_decode(hs_unet_grad *g, const float *h, float *eps);

/* As hs_unet_ws_first, of the encodes that follow. */
void hs_unet_grad_first(hs_unet_grad *g, size_t first);

/* The time embedding of recorded state i, as hs_unet_temb.  Borrowed until the next encode. */
const float *hs_unet_grad_temb(const hs_unet_grad *g, size_t i);

typedef enum { HS_SKIPS_FIXED, HS_SKIPS_CARRIED } hs_skips;

/* dh (rows, C H W) <- (dh/dx) dx, dx (rows, c R R); the tangents of the skips stay in g for a
 * hs_unet_jvp_decode of the same rows that follows. */
HS_CHECKED int hs_unet_jvp_encode(hs_unet_grad *g, size_t rows, const size_t *state, const float *dx, float *dh);
/* deps (rows, c R R) <- (deps/dh) dh, and with CARRIED the skips' part. */
HS_CHECKED int hs_unet_jvp_decode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *dh,
                                  float *deps);
/* dh (rows, C H W) <- (deps/dh)^T deps; CARRIED: the cotangents of the skips stay in g for the
 * hs_unet_vjp_encode that follows, of the same rows. */
HS_CHECKED int hs_unet_vjp_decode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *deps,
                                  float *dh);
/* dx (rows, c R R) <- (dh/dx)^T dh, and with CARRIED the skips' part. */
HS_CHECKED int hs_unet_vjp_encode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *dh,
                                  float *dx);

/* grad (hs_unet_theta's count) += the gradient in every parameter of sum <doutput, output> at the n
 * recorded states (encoded and decoded), doutput (n, c, R, R).  g must be made with weights. */
HS_CHECKED int hs_unet_backward(hs_unet_grad *g, const float *doutput, float *grad);

/* The parameters changed (hs_unet_refresh): the convolutions of g follow. */
HS_CHECKED int hs_unet_grad_refresh(hs_unet_grad *g);

/* The maps at one recorded state as linear operators; any number of rows at once.  eps is the network's
 * prediction of the noise, x0hat = (x_t - sqrt(1 - ab) eps) / sqrt(ab). */
typedef enum {
    HS_MAP_H_X,     /* dh/dx_t:                        m = C H W, n = c R R */
    HS_MAP_EPS_H,   /* deps/dh, skips fixed:           m = c R R, n = C H W */
    HS_MAP_X0HAT_H, /* dx0hat/dh = -sqrt(1 - ab) / sqrt(ab) deps/dh */
    HS_MAP_EPS_X,   /* deps/dx_t, through h and skips: m = n = c R R */
    HS_MAP_X0HAT_X  /* dx0hat/dx_t = (1 - sqrt(1 - ab) deps/dx_t) / sqrt(ab) */
} hs_unet_map;
typedef struct {
    hs_unet_grad *g; /* with the state recorded */
    hs_unet_map map;
    size_t state;
    double alpha_bar; /* of the state's timestep; used by the x0hat maps */
} hs_unet_jacobian;
/* *j is the operator's ctx and must outlive it. */
hs_linop hs_unet_linop(hs_unet_jacobian *j);

#endif
