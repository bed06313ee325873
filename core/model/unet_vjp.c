/* Reverse mode: cotangents back through the recorded walk, and on the way the gradients of the weights.
 *
 * A cotangent buffer is spent by the block that reads it.  grad is NULL, or the block of gradients laid
 * out as the network's parameters. */
#include <string.h>

#include "core/model/unet_grad_impl.h"
#include "core/nn/attention.h"
#include "core/nn/linear.h"
#include "core/nn/resample.h"
#include "core/tensor/layout.h"

/* Where the gradient of a parameter goes; NULL of NULL. */
static float *grad_of(const hs_unet_grad *g, float *grad, const float *parameter)
{
    return parameter != NULL ? grad + (parameter - g->u->theta) : NULL;
}

/* dx <- residual + the adjoint of dy (dx NULL: not wanted); with grad, the weights' gradient at x. */
static int conv_vjp(hs_unet_grad *g, int conv, size_t rows, const float *x, const float *dy, const float *residual,
                    float *dx, float *dadd, float *grad)
{
    const hs_conv_def *d = &g->u->conv[conv];
    const hs_conv *c = g->ws->conv[conv];
    int rc = HS_OK;
    if (grad != NULL) {
        HS_TRY(hs_conv_vjp_weights(c, rows, d->side, d->side, x, dy, grad_of(g, grad, d->weight),
                                   grad_of(g, grad, d->bias), dadd, g->scratch));
    }
    if (dx != NULL) {
        HS_TRY(hs_conv_vjp(c, rows, d->side, d->side, dy, residual, dx, g->scratch));
    }
out:
    return rc;
}

static void norm_vjp(hs_unet_grad *g, const hs_groupnorm *gn, const hs_groupnorm_at *at, size_t rows,
                     const size_t *state, const float *dy, hs_groupnorm_grads to, float *grad)
{
    if (grad != NULL) {
        to.dgamma = grad_of(g, grad, gn->gamma);
        to.dbeta = grad_of(g, grad, gn->beta);
    }
    hs_groupnorm_vjp(gn, at, rows, state, dy, &to, g->scratch);
}

/* dr <- the cotangent before the attention, of dy (spent) behind it. */
static int attention_vjp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows,
                         const size_t *state, float *dy, float *dr, float *grad)
{
    hs_unet_ws *ws = g->ws;
    const hs_attn *a = &k->attn;
    size_t hw = k->side * k->side;
    int normed = a->norm.gamma != NULL, through_u = a->adds_normed || !normed;
    int rc = HS_OK;
    hs_scale_all(k->inv_scale, rows * hw * k->out, dy);
    HS_TRY(conv_vjp(g, a->proj, rows, acts->ao, dy, NULL, ws->inner, NULL, grad));
    hs_attention_vjp(rows, state, hw, k->out, a->heads, acts->qkv, ws->inner, ws->qkv, g->scratch);
    HS_TRY(conv_vjp(g, a->qkv, rows, normed ? acts->an : acts->r, ws->qkv, through_u ? dy : NULL,
                    normed ? ws->normed : dr, NULL, grad));
    if (normed) {
        hs_groupnorm_at at = hs_grad_norm_a_at(k, acts);
        norm_vjp(g, &a->norm, &at, rows, state, ws->normed,
                 (hs_groupnorm_grads){.add = through_u ? NULL : dy, .dx = dr}, grad);
    }
out:
    return rc;
}

/* dv in ws->inner <- the cotangent of v, of dr behind the second convolution. */
static int second_half_vjp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows,
                           const size_t *state, const float *dr, float *grad)
{
    hs_groupnorm_at at = hs_grad_norm2_at(g, k, acts);
    float *dv = g->ws->inner;
    hs_groupnorm_grads to = {.dx = dv};
    int rc = HS_OK;
    if (grad != NULL && at.scale != NULL) {
        to.dscale = g->dtime + k->time_at * g->ws->states;
        to.dshift = to.dscale + k->out;
        to.dss_ld = k->time;
    }
    HS_TRY(conv_vjp(g, k->conv2, rows, acts->u2, dr, NULL, dv, NULL, grad));
    norm_vjp(g, &k->norm2, &at, rows, state, dv, to, grad);
out:
    return rc;
}

/* dx, dskip (NULL: not wanted) <- themselves and what goes through the shortcut's convolutions, of dr. */
static int shortcut_vjp(hs_unet_grad *g, const hs_block *k, size_t rows, const float *x, const float *skip,
                        const float *dr, float *dx, float *dskip, float *grad)
{
    int rc = HS_OK;
    if (k->short1 != HS_NO_CONV) {
        HS_TRY(conv_vjp(g, k->short1, rows, x, dr, dx, dx, NULL, grad));
    }
    if (k->short2 != HS_NO_CONV) {
        HS_TRY(conv_vjp(g, k->short2, rows, skip, dr, dskip, dskip, NULL, grad));
    }
out:
    return rc;
}

/* dx, dskip (NULL: not wanted) <- of dy (spent) behind the block. */
static int block_vjp(hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts, size_t rows, const size_t *state,
                     const float *x, const float *skip, float *dy, float *dx, float *dskip, float *grad)
{
    hs_unet_ws *ws = g->ws;
    size_t side = hs_block_out_side(k), hw = side * side;
    hs_groupnorm_at at1 = hs_grad_norm1_at(k, acts, x, skip);
    int split = k->time == 2 * k->out, rc = HS_OK;
    float *dr = dy, *dadd = grad != NULL && !split ? g->dtime + k->time_at * ws->states : NULL;
    if (k->has_attn) {
        dr = ws->half;
        HS_TRY(attention_vjp(g, k, acts, rows, state, dy, dr, grad));
    }
    hs_scale_all(k->inv_scale, rows * hw * k->out, dr);
    HS_TRY(second_half_vjp(g, k, acts, rows, state, dr, grad));
    hs_groupnorm_grads to = {.add = k->short1 == HS_NO_CONV ? dr : NULL, .dx = dx, .dx2 = dskip};
    if (k->resample != 0) {
        (k->resample < 0 ? hs_avgpool2_vjp : hs_upsample2_vjp)(rows, k->side, k->side, k->c1, dr, dx);
        to.add = dx;
        HS_TRY(conv_vjp(g, k->conv1, rows, acts->u1_half, ws->inner, NULL, ws->half, dadd, grad));
        (k->resample < 0 ? hs_avgpool2_vjp : hs_upsample2_vjp)(rows, k->side, k->side, k->c1, ws->half, ws->normed);
    } else {
        HS_TRY(conv_vjp(g, k->conv1, rows, acts->u1, ws->inner, NULL, ws->normed, dadd, grad));
    }
    norm_vjp(g, &k->norm1, &at1, rows, state, ws->normed, to, grad);
    HS_TRY(shortcut_vjp(g, k, rows, x, skip, dr, dx, dskip, grad));
out:
    return rc;
}

static int stage_vjp(hs_unet_grad *g, const hs_stage *s, const hs_block_acts *acts, size_t rows, const size_t *state,
                     const float *x, const float *skip, float *dy, float *dx, float *dskip, float *grad)
{
    const hs_conv_def *d = &g->u->conv[s->conv];
    int rc = HS_OK;
    if (s->kind == HS_STAGE_BLOCK) {
        return block_vjp(g, &s->block, acts, rows, state, x, skip, dy, dx, dskip, grad);
    }
    if (s->kind == HS_STAGE_CONV) {
        return conv_vjp(g, s->conv, rows, x, dy, NULL, dx, NULL, grad);
    }
    if (grad != NULL) {
        hs_upsample2(rows, d->side / 2, d->side / 2, d->shape.in_ch, x, g->ws->normed);
        HS_TRY(conv_vjp(g, s->conv, rows, g->ws->normed, dy, NULL, NULL, NULL, grad));
    }
    HS_TRY(conv_vjp(g, s->conv, rows, NULL, dy, NULL, g->ws->normed, NULL, NULL));
    hs_upsample2_vjp(rows, d->side / 2, d->side / 2, d->shape.in_ch, g->ws->normed, dx);
out:
    return rc;
}

/* ---- The two halves ------------------------------------------------------------------------------ */

/* *dh <- one of the workspace's buffers, with the cotangent of h in (rows, hw, c). */
static int decoder_vjp(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *deps,
                       float *grad, float **dh)
{
    const hs_unet *u = g->u;
    const hs_record *k = g->ws->record;
    hs_groupnorm_at at = hs_grad_norm_out_at(g);
    size_t skip = 0;
    float *from = g->ws->a, *to = g->ws->b;
    int rc = HS_OK;
    hs_nchw_to_nhwc(rows, u->cfg.in_ch, at.hw, deps, to);
    hs_v_scale(g->ws, rows, state, 0, to, to);
    hs_v_scale(g->ws, rows, state, 1, deps, g->v_dx);
    HS_TRY(conv_vjp(g, u->conv_out, rows, k->u_out, to, NULL, g->ws->normed, NULL, grad));
    norm_vjp(g, &u->norm_out, &at, rows, state, g->ws->normed, (hs_groupnorm_grads){.dx = from}, grad);
    for (size_t i = u->n_dec; i-- > 0;) {
        int takes = hs_stage_takes_skip(&u->dec[i]);
        HS_TRY(stage_vjp(g, &u->dec[i], &k->dec[i], rows, state, hs_grad_dec_in(g, i), takes ? g->ws->skip[skip] : NULL,
                         from, to, takes && skips == HS_SKIPS_CARRIED ? g->skip[skip] : NULL, grad));
        skip += takes ? 1 : 0;
        float *swap = from;
        from = to;
        to = swap;
    }
    *dh = from;
out:
    return rc;
}

static void add_all(size_t n, const float *x, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}

/* *dx <- the cotangent of the image (rows, R^2, c) from dh in ws->a; NULL dx: not wanted. */
static int encoder_vjp(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, float *grad, float **dx)
{
    const hs_unet *u = g->u;
    const hs_record *k = g->ws->record;
    float *from = g->ws->a, *to = g->ws->b;
    int rc = HS_OK;
    HS_TRY(block_vjp(g, &u->mid[1], &k->mid[1], rows, state, k->mid_out[0], NULL, from, to, NULL, grad));
    HS_TRY(block_vjp(g, &u->mid[0], &k->mid[0], rows, state, hs_grad_enc_in(g, u->n_enc), NULL, to, from, NULL, grad));
    for (size_t i = u->n_enc; i-- > 0;) {
        if (skips == HS_SKIPS_CARRIED) {
            add_all(rows * hs_chw_size(hs_unet_skip_shape(&u->cfg, i)), g->skip[i], from);
        }
        HS_TRY(stage_vjp(g, &u->enc[i], &k->enc[i], rows, state, hs_grad_enc_in(g, i), NULL, from,
                         i > 0 || dx != NULL ? to : NULL, NULL, grad));
        float *swap = from;
        from = to;
        to = swap;
    }
    if (dx != NULL) {
        *dx = from;
    }
out:
    return rc;
}

int hs_unet_vjp_decode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *deps, float *dh)
{
    hs_chw shape = hs_unet_h_shape(&g->u->cfg);
    float *found = NULL;
    int rc = HS_OK;
    HS_TRY(hs_grad_check(g, rows, state, 1));
    HS_TRY(hs_grad_check_whole(g, skips == HS_SKIPS_CARRIED));
    HS_TRY(decoder_vjp(g, rows, state, skips, deps, NULL, &found));
    hs_nhwc_to_nchw(rows, shape.c, shape.h * shape.w, found, dh);
out:
    return rc;
}

int hs_unet_vjp_encode(hs_unet_grad *g, size_t rows, const size_t *state, hs_skips skips, const float *dh, float *dx)
{
    const hs_unet_config *cfg = &g->u->cfg;
    hs_chw shape = hs_unet_h_shape(cfg);
    size_t pixels = cfg->image_size * cfg->image_size;
    float *found = NULL;
    int rc = HS_OK;
    HS_TRY(hs_grad_check(g, rows, state, 0));
    HS_TRY(hs_grad_check_whole(g, 1));
    hs_nchw_to_nhwc(rows, shape.c, shape.h * shape.w, dh, g->ws->a);
    HS_TRY(encoder_vjp(g, rows, state, skips, NULL, &found));
    hs_scale_all(cfg->center_input ? 2 : 1, rows * pixels * cfg->in_ch, found);
    hs_nhwc_to_nchw(rows, cfg->in_ch, pixels, found, dx);
    if (g->v_dx != NULL && skips == HS_SKIPS_CARRIED) {
        add_all(rows * pixels * cfg->in_ch, g->v_dx, dx);
    }
out:
    return rc;
}

/* ---- The time embedding's weights ---------------------------------------------------------------- */

/* d <- d + the cotangent of silu(temb) through a block's time layer; its weights' gradient. */
static void block_time_vjp(hs_unet_grad *g, const hs_block *k, const float *silu_temb, float *d, float *spare,
                           float *grad)
{
    size_t dim = g->u->cfg.temb_dim;
    const float *dtime = g->dtime + k->time_at * g->ws->states;
    hs_linear_vjp_weights(g->n, dim, k->time, silu_temb, dtime, grad_of(g, grad, k->time_w),
                          grad_of(g, grad, k->time_b));
    hs_linear_vjp(g->n, dim, k->time, k->time_w, dtime, spare);
    add_all(g->n * dim, spare, d);
}

static void stages_time_vjp(hs_unet_grad *g, const hs_stage *s, size_t count, const float *silu_temb, float *d,
                            float *spare, float *grad)
{
    for (size_t i = 0; i < count; i++) {
        if (s[i].kind == HS_STAGE_BLOCK) {
            block_time_vjp(g, &s[i].block, silu_temb, d, spare, grad);
        }
    }
}

/* temb = W1 silu(z) + b1, z = W0 sinusoid + b0; ws keeps temb and the sinusoid. */
static void embed_vjp(hs_unet_grad *g, float *grad)
{
    const hs_unet *u = g->u;
    hs_unet_ws *ws = g->ws;
    size_t dim = u->cfg.temb_dim, base = u->cfg.temb_base, n = g->n;
    float *d = g->dtemb[0], *spare = g->dtemb[1], *z = g->dtemb[2];
    hs_silu(n * dim, ws->temb, ws->temb_mid);
    memset(d, 0, n * dim * sizeof *d);
    stages_time_vjp(g, u->enc, u->n_enc, ws->temb_mid, d, spare, grad);
    block_time_vjp(g, &u->mid[0], ws->temb_mid, d, spare, grad);
    block_time_vjp(g, &u->mid[1], ws->temb_mid, d, spare, grad);
    stages_time_vjp(g, u->dec, u->n_dec, ws->temb_mid, d, spare, grad);
    hs_silu_jvp(n * dim, ws->temb, d, d);
    hs_class_vjp(ws, n, d, grad_of(g, grad, u->class_w));
    hs_linear_forward(n, base, dim, ws->temb_in, u->temb_w[0], u->temb_b[0], z);
    hs_silu(n * dim, z, ws->temb_mid);
    hs_linear_vjp_weights(n, dim, dim, ws->temb_mid, d, grad_of(g, grad, u->temb_w[1]), grad_of(g, grad, u->temb_b[1]));
    hs_linear_vjp(n, dim, dim, u->temb_w[1], d, spare);
    hs_silu_jvp(n * dim, z, spare, spare);
    hs_linear_vjp_weights(n, base, dim, ws->temb_in, spare, grad_of(g, grad, u->temb_w[0]),
                          grad_of(g, grad, u->temb_b[0]));
}

int hs_unet_backward(hs_unet_grad *g, const float *doutput, float *grad)
{
    float *dh = NULL;
    int rc = HS_OK;
    if (!g->weights || g->u->theta == NULL) {
        return hs_fail(HS_EBUG, "backward: not planned for gradients of the weights");
    }
    HS_TRY(hs_grad_check(g, g->n, NULL, 1));
    HS_TRY(decoder_vjp(g, g->n, NULL, HS_SKIPS_CARRIED, doutput, grad, &dh));
    if (dh != g->ws->a) {
        memcpy(g->ws->a, dh, g->n * hs_chw_size(hs_unet_h_shape(&g->u->cfg)) * sizeof *dh);
    }
    HS_TRY(encoder_vjp(g, g->n, NULL, HS_SKIPS_CARRIED, grad, NULL));
    embed_vjp(g, grad);
    hs_unet_fold(g->u, grad);
out:
    return rc;
}
