/* What forward and derivatives of f_t share.  Internal to core/model. */
#ifndef HS_MODEL_DELTABLOCK_NET_H
#define HS_MODEL_DELTABLOCK_NET_H

#include "core/model/deltablock.h"
#include "core/nn/norm.h"

typedef enum {
    HS_DELTA_CONV1_W,
    HS_DELTA_CONV1_B,
    HS_DELTA_TIME_W,
    HS_DELTA_TIME_B,
    HS_DELTA_GAMMA,
    HS_DELTA_BETA,
    HS_DELTA_CONV2_W,
    HS_DELTA_CONV2_B,
    HS_DELTA_GAMMA0, /* ADM: of the norm before the first convolution */
    HS_DELTA_BETA0
} hs_delta_param;

struct hs_deltablock {
    size_t io, c, temb; /* channels of h; hidden; of the embedding */
    int adm;
    size_t at[HS_DELTABLOCK_PARAMS_MAX + 1]; /* where each begins; the last: their count */
    float *theta;
};

/* What an evaluation leaves, pixels first. */
typedef struct {
    float *h;      /* (n, hw, io) */
    float *s;      /* (n, hw, io) into the first convolution: h, or silu(norm(h)), which may be h's place */
    float *v;      /* (n, hw, c) into the norm */
    float *u;      /* (n, hw, c) out of it; may be v */
    float *out;    /* (n, hw, io); may be h */
    float *act;    /* (n, temb) silu(temb) */
    float *term;   /* (n, c) its projection */
    float *stats;  /* (n, groups, 2) of the norm, or NULL */
    float *stats0; /* of the norm of h */
} hs_delta_acts;

enum { HS_DELTA_GROUPS = 32 };
const float *hs_delta_at(const hs_deltablock *f, hs_delta_param p);
hs_groupnorm hs_delta_norm(const hs_deltablock *f);
hs_groupnorm hs_delta_norm0(const hs_deltablock *f);
void hs_delta_run(const hs_deltablock *f, size_t n, size_t hw, const float *h, const float *temb,
                  const hs_delta_acts *a, float *dh);
HS_CHECKED int hs_delta_fits(const hs_deltablock *f, hs_chw shape); /* HS_ESHAPE */

#endif
