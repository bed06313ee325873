#include "core/model/unet.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/model/unet_net.h"
#include "core/nn/linear.h"
#include "core/tensor/layout.h"

/* ---- The network --------------------------------------------------------------------------------- */

static int copy_config(const hs_unet_config *cfg, hs_unet_config *out)
{
    int rc = HS_OK;
    *out = *cfg;
    out->schedule_table = NULL;
    if (cfg->schedule.kind == HS_SCHEDULE_TABLE) {
        HS_TRY(hs_alloc(cfg->schedule.T, sizeof(double), &out->schedule_table));
        memcpy(out->schedule_table, cfg->schedule.table, cfg->schedule.T * sizeof(double));
    }
    out->schedule.table = out->schedule_table;
out:
    return rc;
}

int hs_unet_create(const hs_unet_config *cfg, hs_params *p, float *theta, size_t count, hs_unet **out)
{
    hs_unet *u = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *u, &u));
    u->theta = theta;
    u->theta_count = count;
    theta = NULL;
    HS_TRY(copy_config(cfg, &u->cfg));
    HS_TRY(hs_calloc(1, sizeof *u->tally, &u->tally));
    HS_TRY(hs_unet_build(u, p));
    u->lender = hs_params_lender(p);
    *out = u;
    u = NULL;
out:
    free(theta);
    hs_params_free(p);
    hs_unet_free(u);
    return rc;
}

int hs_unet_load(const hs_unet_config *cfg, const hs_tensors *ts, hs_unet **out)
{
    hs_params *p = NULL;
    int rc = HS_OK;
    HS_TRY(hs_unet_config_check(cfg));
    HS_TRY(hs_params_from_file(ts, cfg, &p));
    HS_TRY(hs_unet_create(cfg, p, NULL, 0, out));
out:
    return rc;
}

int hs_unet_random(const hs_unet_config *cfg, unsigned long long seed, hs_unet **out)
{
    hs_params *p = NULL;
    int rc = HS_OK;
    HS_TRY(hs_unet_config_check(cfg));
    HS_TRY(hs_params_random(seed, cfg, &p));
    HS_TRY(hs_unet_create(cfg, p, NULL, 0, out));
out:
    return rc;
}

void hs_unet_free(hs_unet *u)
{
    if (u != NULL) {
        hs_arena_free(&u->arena);
        hs_unet_config_free(&u->cfg);
        free(u->tally);
        free(u->theta);
        free(u->v_alpha_bar);
        free(u->class_of);
        free(u);
    }
}

const hs_unet_config *hs_unet_config_of(const hs_unet *u)
{
    return &u->cfg;
}

size_t hs_unet_parameters(const hs_unet *u)
{
    return u->parameters;
}

hs_unet_work hs_unet_work_of(const hs_unet *u)
{
    return (hs_unet_work){u->tally->encodes, u->tally->decodes};
}

/* ---- Encoding ------------------------------------------------------------------------------------ */

static void block_time(const hs_block *k, hs_unet_ws *ws, size_t n, const float *silu_temb)
{
    hs_linear_forward(n, ws->u->cfg.temb_dim, k->time, silu_temb, k->time_w, k->time_b,
                      ws->time + k->time_at * ws->states);
}

static void stages_time(const hs_stage *s, size_t count, hs_unet_ws *ws, size_t n, const float *silu_temb)
{
    for (size_t i = 0; i < count; i++) {
        if (s[i].kind == HS_STAGE_BLOCK) {
            block_time(&s[i].block, ws, n, silu_temb);
        }
    }
}

/* The embedding and every block's time term, of both halves, once a state. */
static void embed(const hs_unet *u, hs_unet_ws *ws, size_t n, const int *t)
{
    const hs_unet_config *cfg = &u->cfg;
    double start = hs_clock();
    hs_time_embedding(n, t, cfg->temb_base, cfg->temb_cos_first, cfg->temb_freq_shift, ws->temb_in);
    hs_linear_forward(n, cfg->temb_base, cfg->temb_dim, ws->temb_in, u->temb_w[0], u->temb_b[0], ws->temb_mid);
    hs_silu(n * cfg->temb_dim, ws->temb_mid, ws->temb_mid);
    hs_linear_forward(n, cfg->temb_dim, cfg->temb_dim, ws->temb_mid, u->temb_w[1], u->temb_b[1], ws->temb);
    hs_class_add(ws, n, ws->temb);
    hs_silu(n * cfg->temb_dim, ws->temb, ws->temb_mid);
    stages_time(u->enc, u->n_enc, ws, n, ws->temb_mid);
    block_time(&u->mid[0], ws, n, ws->temb_mid);
    block_time(&u->mid[1], ws, n, ws->temb_mid);
    stages_time(u->dec, u->n_dec, ws, n, ws->temb_mid);
    ws->times.other += hs_clock() - start;
}

static void load_image(const hs_unet *u, hs_unet_ws *ws, size_t n, const float *x, float *image)
{
    size_t pixels = u->cfg.image_size * u->cfg.image_size, c = u->cfg.in_ch;
    double start = hs_clock();
    hs_nchw_to_nhwc(n, c, pixels, x, image);
    for (size_t i = 0; u->cfg.center_input && i < n * pixels * c; i++) {
        image[i] = 2 * image[i] - 1;
    }
    ws->times.other += hs_clock() - start;
}

/* Weights in a mapped file: what is computed counts only if they were the same before and after. */
int hs_unet_check_weights(const hs_unet *u)
{
    return hs_fail_in(hs_tensors_check(u->lender), "weights");
}

int hs_unet_encode(const hs_unet *u, hs_unet_ws *ws, size_t n, const float *x, const int *t, float *h)
{
    return hs_unet_encode_images(u, ws, n, NULL, x, t, h);
}

int hs_unet_encode_images(const hs_unet *u, hs_unet_ws *ws, size_t n, const size_t *of, const float *x, const int *t,
                          float *h)
{
    hs_chw shape = hs_unet_h_shape(&u->cfg);
    const hs_record *k = ws->record != NULL && ws->record->enc != NULL ? ws->record : NULL;
    float *out_h = k != NULL ? k->mid_out[1] : ws->b;
    int rc = HS_OK;
    if (n > ws->states || ws->u != u) {
        return hs_fail(HS_EBUG, "encode of %zu images in a workspace for %zu", n, ws->states);
    }
    HS_TRY(hs_unet_check_weights(u));
    HS_TRY(hs_v_keep(ws, n, x, t));
    HS_TRY(hs_class_keep(ws, n, of));
    ws->n = n;
    u->tally->encodes += n;
    embed(u, ws, n, t);
    float *image = k != NULL ? k->image : ws->a, *mid = k != NULL ? k->mid_out[0] : ws->a;
    load_image(u, ws, n, x, image);
    const float *at = image;
    for (size_t i = 0; i < u->n_enc; i++) {
        HS_TRY(hs_stage_forward(&u->enc[i], ws, k != NULL ? &k->enc[i] : &ws->acts, n, ws->identity, at, NULL,
                                ws->skip[i]));
        at = ws->skip[i];
    }
    HS_TRY(hs_block_forward(&u->mid[0], ws, k != NULL ? &k->mid[0] : &ws->acts, n, ws->identity, at, NULL, mid));
    HS_TRY(hs_block_forward(&u->mid[1], ws, k != NULL ? &k->mid[1] : &ws->acts, n, ws->identity, mid, NULL, out_h));
    HS_TRY(hs_unet_check_weights(u));
    hs_nhwc_to_nchw(n, shape.c, shape.h * shape.w, out_h, h);
out:
    return rc;
}

/* ---- Decoding ------------------------------------------------------------------------------------ */

static int output(const hs_unet *u, hs_unet_ws *ws, size_t n, const float *x, float *buffer, float *eps)
{
    size_t pixels = u->cfg.image_size * u->cfg.image_size;
    float *normed = ws->record != NULL ? ws->record->u_out : ws->normed;
    double start = hs_clock();
    int rc = HS_OK;
    hs_groupnorm_forward(&u->norm_out, n, pixels, u->cfg.ch[0], x, 0, NULL, NULL, NULL, 0, normed,
                         ws->record != NULL ? ws->record->stats_out : NULL);
    ws->times.norm += hs_clock() - start;
    HS_TRY(hs_ws_conv(ws, u->conv_out, n, normed, NULL, NULL, buffer));
    hs_nhwc_to_nchw(n, u->cfg.in_ch, pixels, buffer, eps);
out:
    return rc;
}

/* At most the planned number of rows. */
static int decode_batch(const hs_unet *u, hs_unet_ws *ws, size_t n, const size_t *state, const float *h, float *eps)
{
    hs_chw shape = hs_unet_h_shape(&u->cfg);
    size_t skip = hs_unet_skip_count(&u->cfg);
    const hs_record *k = ws->record;
    float *from = k != NULL ? k->h : ws->a, *to = ws->b, *spare = ws->a;
    int rc = HS_OK;
    hs_nchw_to_nhwc(n, shape.c, shape.h * shape.w, h, from);
    for (size_t i = 0; i < u->n_dec; i++) {
        int takes = hs_stage_takes_skip(&u->dec[i]);
        skip -= takes ? 1 : 0;
        to = k != NULL ? k->dec_out[i] : to;
        HS_TRY(hs_stage_forward(&u->dec[i], ws, k != NULL ? &k->dec[i] : &ws->acts, n, state, from,
                                takes ? ws->skip[skip] : NULL, to));
        spare = from;
        from = to;
        to = spare;
    }
    HS_TRY(output(u, ws, n, from, k != NULL ? ws->a : spare, eps));
out:
    return rc;
}

int hs_unet_decode(const hs_unet *u, hs_unet_ws *ws, size_t rows, const size_t *state, const float *h, float *eps)
{
    size_t d_h = hs_chw_size(hs_unet_h_shape(&u->cfg));
    size_t d_eps = hs_chw_size(hs_unet_image_shape(&u->cfg));
    int rc = HS_OK;
    for (size_t r = 0; r < rows; r++) {
        size_t s = state != NULL ? state[r] : r;
        if (s >= ws->n) {
            return hs_fail(HS_EBUG, "decode: row %zu wants state %zu of %zu encoded", r, s, ws->n);
        }
    }
    HS_TRY(hs_unet_check_weights(u));
    u->tally->decodes += rows;
    for (size_t first = 0; first < rows; first += ws->rows) {
        size_t n = rows - first < ws->rows ? rows - first : ws->rows;
        const size_t *s = (state != NULL ? state : ws->identity) + first;
        HS_TRY(decode_batch(u, ws, n, s, h + first * d_h, eps + first * d_eps));
        hs_v_to_eps(ws, n, s, NULL, eps + first * d_eps);
    }
    HS_TRY(hs_unet_check_weights(u));
out:
    return rc;
}

const float *hs_unet_temb(const hs_unet_ws *ws, size_t i)
{
    return ws->temb + i * ws->u->cfg.temb_dim;
}

int hs_unet_skip(const hs_unet *u, const hs_unet_ws *ws, size_t s, size_t i, float *out)
{
    if (s >= hs_unet_skip_count(&u->cfg) || i >= ws->n) {
        return hs_fail(HS_ERANGE, "skip %zu of state %zu: there are %zu skips of %zu states", s, i,
                       hs_unet_skip_count(&u->cfg), ws->n);
    }
    hs_chw shape = hs_unet_skip_shape(&u->cfg, s);
    hs_nhwc_to_nchw(1, shape.c, shape.h * shape.w, ws->skip[s] + i * hs_chw_size(shape), out);
    return HS_OK;
}
