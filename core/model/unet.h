/* The U-Net in two calls: encode(x_t, t) -> h and decode(h, t) -> eps.
 *
 * h is the output of the whole middle block (the tap "mid_block.out").  Encoding leaves the skips
 * and the time embedding in the workspace; decoding reads them, so that k directions or strengths
 * on one state cost one encode and k more rows of a batched decode, never a full forward. */
#ifndef HS_MODEL_UNET_H
#define HS_MODEL_UNET_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/io/tensors.h"
#include "core/model/unet_config.h"
#include "core/nn/conv.h"

typedef struct hs_unet hs_unet; /* weights and configuration; not changed by evaluation */

/* *out <- the network of cfg with the weights of ts (kept alive by the caller until hs_unet_free).
 * Every tensor the configuration implies is found once with its exact shape; every tensor of the
 * file is used or listed as ignorable; nothing is partially loaded.  HS_EFORMAT names the missing,
 * extra or misshapen tensor and both shapes.
 * Where ts is mapped (hs_tensors_map) and float32, weights are used in the file: when it is changed,
 * everything below that computes gives HS_EIO from then on, and nothing computed from it counts. */
HS_CHECKED int hs_unet_load(const hs_unet_config *cfg, const hs_tensors *ts, hs_unet **out);
/* *out <- random weights: kernels uniform +-1/sqrt(fan_in), norms 1, biases small; stream (seed,
 * HS_RNG_WEIGHTS, parameter). */
HS_CHECKED int hs_unet_random(const hs_unet_config *cfg, unsigned long long seed, hs_unet **out);
/* The network's output is v = sqrt(ab) eps - sqrt(1 - ab) x_t (Salimans and Ho, arXiv:2202.00512): from then on eps is
 * sqrt(ab) v + sqrt(1 - ab) x_t, in decode and in every derivative.  alpha_bar (T) is copied; for workspaces made
 * later, which take t in 0 ... T - 1 (else HS_ERANGE).  HS_ENOMEM. */
HS_CHECKED int hs_unet_predicts_v(hs_unet *u, size_t T, const double *alpha_bar);
/* Of a class-conditional network: image i is of class y[i], i < n, or every image of y[0] where n is 1.  y is copied;
 * not to be called while the network is evaluated.  HS_ERANGE: n is 0, a class that isn't one of the network's, a
 * network that isn't class-conditional. */
HS_CHECKED int hs_unet_set_classes(hs_unet *u, size_t n, const int *y);
int hs_unet_class_of(const hs_unet *u, size_t image); /* -1: none was set */
void hs_unet_free(hs_unet *u);
const hs_unet_config *hs_unet_config_of(const hs_unet *u);
size_t hs_unet_parameters(const hs_unet *u);

/* Workspace: plans the convolutions for `states` encoded images and `rows` decoder rows at once (1 to
 * 65536 each, else HS_ERANGE) and allocates everything that evaluation needs; evaluation itself
 * allocates nothing.  Each workspace has its own plans: several may share one network. */
typedef struct hs_unet_ws hs_unet_ws;
HS_CHECKED int hs_unet_ws_create(const hs_unet *u, size_t states, size_t rows, hs_conv_mode mode, hs_unet_ws **out);
void hs_unet_ws_free(hs_unet_ws *ws);
size_t hs_unet_ws_states(const hs_unet_ws *ws);

/* h (n, C, H, W) <- encoder and middle block of x (n, c, R, R) at t (n); n <= states.  Skips and
 * time embeddings of the n states stay in ws until the next encode.  State i is image first + i (see
 * hs_unet_ws_first), which says its class.  HS_ERANGE: a class is needed and none was set. */
HS_CHECKED int hs_unet_encode(const hs_unet *u, hs_unet_ws *ws, size_t n, const float *x, const int *t, float *h);
/* The same, state i being image first + of[i]. */
HS_CHECKED int hs_unet_encode_images(const hs_unet *u, hs_unet_ws *ws, size_t n, const size_t *of, const float *x,
                                     const int *t, float *h);
/* Where the encodes of ws that follow stand among all images (hs_unet_set_classes); 0 in a new workspace. */
void hs_unet_ws_first(hs_unet_ws *ws, size_t first);

/* eps (rows, in_ch, R, R) <- decoder of h (rows, C, H, W), row r with the skips and time embedding
 * of encoded state state[r] (NULL: state r).  Of a network that also gives a variance (out_ch = 2
 * in_ch) eps is the first half.  rows may exceed the planned number: they are cut into batches by
 * row index. */
HS_CHECKED int hs_unet_decode(const hs_unet *u, hs_unet_ws *ws, size_t rows, const size_t *state, const float *h,
                              float *eps);

/* The time embedding of encoded state i after the second dense layer, before SiLU: (temb_dim), what
 * a delta network f_t receives; with a class, the class's embedding added.  Borrowed until the next encode. */
const float *hs_unet_temb(const hs_unet_ws *ws, size_t i);
/* Skip s of encoded state i as (C, H, W): for tests and taps. */
HS_CHECKED int hs_unet_skip(const hs_unet *u, const hs_unet_ws *ws, size_t s, size_t i, float *out);

/* Images encoded and rows decoded by all workspaces of the network so far, tangents (unet_grad.h) as rows of their own:
 * what a run cost. */
typedef struct {
    size_t encodes, decodes;
} hs_unet_work;
hs_unet_work hs_unet_work_of(const hs_unet *u);

/* Where the time goes: seconds per layer kind since the workspace was made. */
typedef struct {
    double conv3, conv1, norm, attention, resample, other;
} hs_unet_times;
hs_unet_times hs_unet_ws_times(const hs_unet_ws *ws);
/* One line per convolution: name, input side, channels, kernel/stride, algorithm chosen, separated by
 * tabs; for bench and provenance. */
HS_CHECKED int hs_unet_ws_describe(const hs_unet_ws *ws, hs_str *out);

#endif
