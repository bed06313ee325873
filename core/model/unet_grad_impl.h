/* What the forward- and reverse-mode walks share.  Internal to core/model. */
#ifndef HS_MODEL_UNET_GRAD_IMPL_H
#define HS_MODEL_UNET_GRAD_IMPL_H

#include "core/model/unet_grad.h"
#include "core/model/unet_net.h"

struct hs_unet_grad {
    hs_unet *u;
    hs_unet_ws *ws;   /* with a record; its evaluation buffers hold tangents and cotangents meanwhile */
    size_t n, rows;   /* recorded states of the last encode; most rows */
    int decoded;      /* the record includes the decoder */
    int weights;      /* planned for parameter gradients */
    int decoder_only; /* neither the encoder nor the skips have derivatives */
    hs_arena arena;
    float **skip;          /* tangents or cotangents of the skips, (rows, side, side, c) each */
    float *dtime;          /* cotangents of the time terms, laid out as ws->time */
    float *dtemb[3];       /* (states, max(base, dim)): of the embedding, its layers */
    size_t *state_of_rows; /* (rows), and h (rows, C H W): for the operators */
    float *h;
    float *v_dx; /* (rows, c R R) tangents or cotangents that pass beside the network; NULL: it predicts eps */
    void *scratch;
};

/* The row's state; checked: HS_EBUG. */
HS_CHECKED int hs_grad_check(const hs_unet_grad *g, size_t rows, const size_t *state, int decoded);

/* HS_EBUG where derivatives of the encoder or of the skips are wanted of a record that has none. */
HS_CHECKED int hs_grad_check_whole(const hs_unet_grad *g, int carried);

/* The point where the norms of a block stand. */
hs_groupnorm_at hs_grad_norm1_at(const hs_block *k, const hs_block_acts *acts, const float *x, const float *skip);
hs_groupnorm_at hs_grad_norm2_at(const hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts);
hs_groupnorm_at hs_grad_norm_a_at(const hs_block *k, const hs_block_acts *acts);
hs_groupnorm_at hs_grad_norm_out_at(const hs_unet_grad *g);

/* What stage i of the encoder or decoder read when it was recorded. */
const float *hs_grad_enc_in(const hs_unet_grad *g, size_t i);
const float *hs_grad_dec_in(const hs_unet_grad *g, size_t i);

#endif
