/* Read-outs phi: what an edit is judged by.  Adding s dh to h is linear by construction, so every
 * measurement names something downstream.
 *
 *   x0                          the final image, flattened                               vector
 *   x0hat[:k]                   P_t of the edited eps at sampler step k                  vector
 *   eps[:k]                     the edited eps at step k                                 vector
 *   h_later:m                   the network's own h at step k0 + m, k0 the first edited  vector
 *   brightness[:x0,y0,x1,y1]    mean grey level of x0 in [0, 1], over pixels x0 <= x < x1 scalar
 *   probe:FILE.npy              <w, x0> or <w, h>, by the size of w; h at the first step
 *                               after the edited ones (the last step when all are edited) scalar
 *   attr:NAME                   a factor of the attribute network on x0, in its own units  scalar
 *   feat                        the attribute network's features of x0                   vector
 *   clip:A|B                    cosine of CLIP's embedding of x0 with the text direction from A to B,
 *                               the difference of the two texts' unit embeddings         scalar
 *
 * k counts from the first edited step and is 0 by default. */
#ifndef HS_SWEEP_READOUT_H
#define HS_SWEEP_READOUT_H

#include <stddef.h>

#include "analysis/sweep/clip_reader.h"
#include "analysis/sweep/scorer.h"
#include "core/base/error.h"
#include "core/tensor/view.h"

typedef enum {
    HS_PHI_X0,
    HS_PHI_X0HAT,
    HS_PHI_EPS,
    HS_PHI_H_LATER,
    HS_PHI_BRIGHTNESS,
    HS_PHI_PROBE_X0,
    HS_PHI_PROBE_H,
    HS_PHI_ATTR,
    HS_PHI_FEAT,
    HS_PHI_CLIP
} hs_phi;

typedef struct {
    char name[80]; /* as the user wrote it, FILE without its folder */
    hs_phi phi;
    size_t step;   /* x0hat, eps: k; h_later: m */
    size_t box[4]; /* brightness: x0, y0, x1, y1 */
    float *weight; /* probes, and clip's direction: owned (weights) */
    size_t weights;
    hs_scorer *scorer;    /* attr, feat: shared */
    size_t factor;        /* attr */
    hs_clip_reader *clip; /* clip: shared */
    size_t features;      /* numbers per image: 1 for scalars */
} hs_readout;

/* True when the text names a read-out that needs an attribute network. */
int hs_readout_needs_scorer(const char *text);
int hs_readout_needs_clip(const char *text); /* a CLIP */
/* Reads one read-out of a model with these shapes; scorer, clip: the attribute network and the CLIP, which are then
 * shared (NULL: none). HS_ERANGE: unknown or malformed (with what there is); HS_ESHAPE: a probe whose size is neither
 * that of h nor that of x0; HS_EFORMAT, HS_EIO of its file. */
HS_CHECKED int hs_readout_parse(const char *text, hs_chw image, hs_chw h, hs_scorer *scorer, hs_clip_reader *clip,
                                hs_readout *out);
void hs_readout_free(hs_readout *r);

int hs_readout_is_vector(const hs_readout *r);

/* out (features) <- phi of one row, from what it reads: src is its h (C H W) for H_LATER and PROBE_H, P_t or eps
 * (c R R) for X0HAT and EPS, x0 (c R R) for X0, BRIGHTNESS and PROBE_X0.  Not for ATTR, FEAT and CLIP. */
void hs_readout_eval(const hs_readout *r, hs_chw image, const float *src, float *out);
/* value[p] (n, features_p) <- each of the n_phi read-outs that reads x0 (c R R), of n images; the others are left
 * alone.  Read-outs that share a scorer or a CLIP share its work.  HS_ENOMEM. */
HS_CHECKED int hs_readout_eval_x0(size_t n_phi, const hs_readout *phi, hs_chw image, size_t n, const float *x_0,
                                  float *const *value);

#endif
