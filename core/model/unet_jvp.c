/* Forward mode: tangents through the recorded walk. */
#include <string.h>

#include "core/model/unet_grad_impl.h"
#include "core/nn/attention.h"
#include "core/nn/resample.h"
#include "core/tensor/layout.h"

static int conv_jvp(hs_unet_grad *g, int conv, size_t rows, const float *dx, const float *residual, float *dy)
{
    const hs_conv_def *d = &g->u->conv[conv];
    return hs_conv_jvp(g->ws->conv[conv], rows, d->side, d->side, dx, NULL, residual, dy, g->scratch);
}

static void resample(const hs_block *k, size_t rows, const float *x, float *y)
{
    (k->resample < 0 ? hs_avgpool2 : hs_upsample2)(rows, k->side, k->side, k->c1, x, y);
}

/* ddst <- along dx and dskip (NULL: 0), up to the attention. */
static int residual_jvp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows, const size_t *state,
                        const float *x, const float *skip, const float *dx, const float *dskip, float *ddst)
{
    hs_unet_ws *ws = g->ws;
    size_t side = hs_block_out_side(k), hw = side * side;
    hs_groupnorm_at at1 = hs_grad_norm1_at(k, acts, x, skip), at2 = hs_grad_norm2_at(g, k, acts);
    const float *du = ws->normed, *residual = dx;
    int rc = HS_OK;
    hs_groupnorm_jvp(&k->norm1, &at1, rows, state, dx, dskip, NULL, NULL, 0, ws->normed);
    if (k->resample != 0) {
        resample(k, rows, ws->normed, ws->half);
        resample(k, rows, dx, ddst);
        du = ws->half;
        residual = ddst;
    }
    if (k->short1 != HS_NO_CONV) {
        HS_TRY(conv_jvp(g, k->short1, rows, dx, NULL, ddst));
        if (dskip != NULL) {
            HS_TRY(conv_jvp(g, k->short2, rows, dskip, ddst, ddst));
        }
        residual = ddst;
    }
    HS_TRY(conv_jvp(g, k->conv1, rows, du, NULL, ws->inner));
    hs_groupnorm_jvp(&k->norm2, &at2, rows, state, ws->inner, NULL, NULL, NULL, 0, ws->inner);
    HS_TRY(conv_jvp(g, k->conv2, rows, ws->inner, residual, ddst));
    hs_scale_all(k->inv_scale, rows * hw * k->out, ddst);
out:
    return rc;
}

static int attention_jvp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows,
                         const size_t *state, const float *dr, float *dy)
{
    hs_unet_ws *ws = g->ws;
    const hs_attn *a = &k->attn;
    size_t hw = k->side * k->side;
    const float *du = dr;
    int rc = HS_OK;
    if (a->norm.gamma != NULL) {
        hs_groupnorm_at at = hs_grad_norm_a_at(k, acts);
        hs_groupnorm_jvp(&a->norm, &at, rows, state, dr, NULL, NULL, NULL, 0, ws->normed);
        du = ws->normed;
    }
    HS_TRY(conv_jvp(g, a->qkv, rows, du, NULL, ws->qkv));
    hs_attention_jvp(rows, state, hw, k->out, a->heads, acts->qkv, ws->qkv, ws->inner, g->scratch);
    HS_TRY(conv_jvp(g, a->proj, rows, ws->inner, a->adds_normed ? du : dr, dy));
    hs_scale_all(k->inv_scale, rows * hw * k->out, dy);
out:
    return rc;
}

static int block_jvp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows, const size_t *state,
                     const float *x, const float *skip, const float *dx, const float *dskip, float *ddst)
{
    float *dr = k->has_attn ? g->ws->half : ddst;
    int rc = HS_OK;
    HS_TRY(residual_jvp(g, k, acts, rows, state, x, skip, dx, dskip, dr));
    if (k->has_attn) {
        HS_TRY(attention_jvp(g, k, acts, rows, state, dr, ddst));
    }
out:
    return rc;
}

static int stage_jvp(hs_unet_grad *g, const hs_stage *s, const hs_block_acts *acts, size_t rows, const size_t *state,
                     const float *x, const float *skip, const float *dx, const float *dskip, float *ddst)
{
    if (s->kind == HS_STAGE_BLOCK) {
        return block_jvp(g, &s->block, acts, rows, state, x, skip, dx, dskip, ddst);
    }
    if (s->kind == HS_STAGE_UP) {
        const hs_conv_def *d = &g->u->conv[s->conv];
        hs_upsample2(rows, d->side / 2, d->side / 2, d->shape.in_ch, dx, g->ws->normed);
        dx = g->ws->normed;
    }
    return conv_jvp(g, s->conv, rows, dx, NULL, ddst);
}

int hs_unet_jvp_encode(hs_unet_grad *g, size_t rows, const size_t *state, const float *dx, float *dh)
{
    const hs_unet *u = g->u;
    const hs_record *k = g->ws->record;
    hs_chw shape = hs_unet_h_shape(&u->cfg);
    size_t pixels = u->cfg.image_size * u->cfg.image_size;
    float *a = g->ws->a, *b = g->ws->b;
    int rc = HS_OK;
    HS_TRY(hs_grad_check(g, rows, state, 0));
    HS_TRY(hs_grad_check_whole(g, 1));
    hs_nchw_to_nhwc(rows, u->cfg.in_ch, pixels, dx, a);
    hs_scale_all(u->cfg.center_input ? 2 : 1, rows * pixels * u->cfg.in_ch, a);
    if (g->v_dx != NULL) {
        memcpy(g->v_dx, dx, rows * pixels * u->cfg.in_ch * sizeof *dx);
    }
    const float *from = a;
    for (size_t i = 0; i < u->n_enc; i++) {
        HS_TRY(stage_jvp(g, &u->enc[i], &k->enc[i], rows, state, hs_grad_enc_in(g, i), NULL, from, NULL, g->skip[i]));
        from = g->skip[i];
    }
    HS_TRY(block_jvp(g, &u->mid[0], &k->mid[0], rows, state, hs_grad_enc_in(g, u->n_enc), NULL, from, NULL, a));
    HS_TRY(block_jvp(g, &u->mid[1], &k->mid[1], rows, state, k->mid_out[0], NULL, a, NULL, b));
    hs_nhwc_to_nchw(rows, shape.c, shape.h * shape.w, b, dh);
    u->tally->encodes += rows;
out:
    return rc;
}

int hs_unet_jvp_decode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *dh, float *deps)
{
    const hs_unet *u = g->u;
    const hs_record *k = g->ws->record;
    hs_chw shape = hs_unet_h_shape(&u->cfg);
    hs_groupnorm_at at = hs_grad_norm_out_at(g);
    size_t skip = hs_unet_skip_count(&u->cfg);
    float *from = g->ws->a, *to = g->ws->b;
    int rc = HS_OK;
    HS_TRY(hs_grad_check(g, rows, state, 1));
    HS_TRY(hs_grad_check_whole(g, skips == HS_SKIPS_CARRIED));
    hs_nchw_to_nhwc(rows, shape.c, shape.h * shape.w, dh, from);
    for (size_t i = 0; i < u->n_dec; i++) {
        int takes = hs_stage_takes_skip(&u->dec[i]);
        skip -= takes ? 1 : 0;
        HS_TRY(stage_jvp(g, &u->dec[i], &k->dec[i], rows, state, hs_grad_dec_in(g, i), takes ? g->ws->skip[skip] : NULL,
                         from, takes && skips == HS_SKIPS_CARRIED ? g->skip[skip] : NULL, to));
        float *swap = from;
        from = to;
        to = swap;
    }
    hs_groupnorm_jvp(&u->norm_out, &at, rows, state, from, NULL, NULL, NULL, 0, g->ws->normed);
    HS_TRY(conv_jvp(g, u->conv_out, rows, g->ws->normed, NULL, to));
    hs_nhwc_to_nchw(rows, u->cfg.in_ch, at.hw, to, deps);
    if (skips == HS_SKIPS_CARRIED) {
        hs_v_to_eps(g->ws, rows, state, g->v_dx, deps);
    } else {
        hs_v_scale(g->ws, rows, state, 0, deps, deps);
    }
    u->tally->decodes += rows;
out:
    return rc;
}
