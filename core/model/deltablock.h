/* The delta network f_t of Asyrp, DDPM type (arXiv:2210.10960 and its code):
 *   dh = conv2(silu(GN(conv1(h) + temb_proj(silu(temb))))), 1x1 convolutions, GroupNorm(32, eps 1e-6),
 *   no residual. */
#ifndef HS_MODEL_DELTABLOCK_H
#define HS_MODEL_DELTABLOCK_H

#include "core/base/error.h"
#include "core/io/tensors.h"
#include "core/tensor/view.h"

typedef struct hs_deltablock hs_deltablock;

/* *out <- the network whose tensors are prefix + "conv1.weight" ... (prefix "0." for the released
 * files).  Weights are copied.  HS_EFORMAT: missing or misshapen, with its name. */
HS_CHECKED int hs_deltablock_load(const hs_tensors *ts, const char *prefix, hs_deltablock **out);
void hs_deltablock_free(hs_deltablock *f);
size_t hs_deltablock_channels(const hs_deltablock *f);
size_t hs_deltablock_temb_dim(const hs_deltablock *f);

/* dh (n, C, H, W) <- f_t(h, temb); h (n, C, H, W), temb (n, temb_dim), or NULL: the time term
 * (weight and bias) is left out.  dh must not overlap h. */
HS_CHECKED int hs_deltablock_forward(const hs_deltablock *f, size_t n, hs_chw shape, const float *h, const float *temb,
                                     float *dh);

#endif
