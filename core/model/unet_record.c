/* The record: room for every activation, and what it takes to make one. */
#include <stdlib.h>
#include <string.h>

#include "core/model/unet_grad_impl.h"
#include "core/nn/attention.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* ---- Room ---------------------------------------------------------------------------------------- */

static int room(hs_arena *arena, size_t n, size_t each, float **out)
{
    return hs_arena_alloc(arena, n, each * sizeof(float), out);
}

/* What the layers read that only the gradients of weights ask for again: their own room, or the workspace's. */
static int inputs_room(hs_unet_grad *g, const hs_block *k, hs_block_acts *a)
{
    size_t n = g->ws->states, side = hs_block_out_side(k), hw = side * side;
    int rc = HS_OK;
    if (!g->weights) {
        a->u1 = a->an = g->ws->normed;
        a->u1_half = k->resample != 0 ? g->ws->half : NULL;
        a->u2 = a->ao = g->ws->inner;
        return HS_OK;
    }
    HS_TRY(room(&g->arena, n, k->side * k->side * (k->c1 + k->c2), &a->u1));
    if (k->resample != 0) {
        HS_TRY(room(&g->arena, n, hw * k->c1, &a->u1_half));
    }
    HS_TRY(room(&g->arena, n, hw * k->out, &a->u2));
    if (k->has_attn) {
        HS_TRY(room(&g->arena, n, hw * k->out, &a->an));
        HS_TRY(room(&g->arena, n, hw * k->out, &a->ao));
    }
out:
    return rc;
}

static int block_room(hs_unet_grad *g, const hs_block *k, hs_block_acts *a)
{
    size_t n = g->ws->states, side = hs_block_out_side(k), hw = side * side;
    int rc = HS_OK;
    HS_TRY(inputs_room(g, k, a));
    HS_TRY(room(&g->arena, n, hw * k->out, &a->v));
    HS_TRY(room(&g->arena, n, 2 * k->norm1.groups, &a->stats1));
    HS_TRY(room(&g->arena, n, 2 * k->norm2.groups, &a->stats2));
    if (k->has_attn) {
        HS_TRY(room(&g->arena, n, hw * k->out, &a->r));
        HS_TRY(room(&g->arena, n, hw * 3 * k->out, &a->qkv));
        HS_TRY(room(&g->arena, n, 2 * larger(k->attn.norm.groups, 1), &a->stats_a));
    }
out:
    return rc;
}

static int stages_room(hs_unet_grad *g, const hs_stage *s, size_t count, hs_block_acts **out)
{
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&g->arena, count, sizeof **out, out));
    memset(*out, 0, count * sizeof **out);
    for (size_t i = 0; i < count; i++) {
        if (s[i].kind == HS_STAGE_BLOCK) {
            HS_TRY(block_room(g, &s[i].block, &(*out)[i]));
        }
    }
out:
    return rc;
}

static size_t stage_out_size(const hs_unet *u, const hs_stage *s)
{
    if (s->kind == HS_STAGE_BLOCK) {
        size_t side = hs_block_out_side(&s->block);
        return side * side * s->block.out;
    }
    const hs_conv_def *d = &u->conv[s->conv];
    size_t side = d->side / d->shape.stride;
    return side * side * d->shape.out_ch;
}

static int encoder_room(hs_unet_grad *g, hs_record *k)
{
    const hs_unet *u = g->u;
    size_t pixels = u->cfg.image_size * u->cfg.image_size, d_h = hs_chw_size(hs_unet_h_shape(&u->cfg));
    int rc = HS_OK;
    HS_TRY(stages_room(g, u->enc, u->n_enc, &k->enc));
    HS_TRY(hs_arena_alloc(&g->arena, 2, sizeof *k->mid, &k->mid));
    memset(k->mid, 0, 2 * sizeof *k->mid);
    for (size_t i = 0; i < 2; i++) {
        HS_TRY(block_room(g, &u->mid[i], &k->mid[i]));
        HS_TRY(room(&g->arena, g->ws->states, d_h, &k->mid_out[i]));
    }
    HS_TRY(room(&g->arena, g->ws->states, pixels * u->cfg.in_ch, &k->image));
out:
    return rc;
}

static int record_room(hs_unet_grad *g, hs_record **out)
{
    const hs_unet *u = g->u;
    hs_arena *arena = &g->arena;
    size_t n = g->ws->states, pixels = u->cfg.image_size * u->cfg.image_size;
    hs_record *k = NULL;
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(arena, 1, sizeof *k, &k));
    *k = (hs_record){0};
    HS_TRY(g->decoder_only ? HS_OK : encoder_room(g, k));
    HS_TRY(stages_room(g, u->dec, u->n_dec, &k->dec));
    HS_TRY(room(arena, n, hs_chw_size(hs_unet_h_shape(&u->cfg)), &k->h));
    HS_TRY(hs_arena_alloc(arena, u->n_dec, sizeof *k->dec_out, &k->dec_out));
    for (size_t i = 0; i < u->n_dec; i++) {
        HS_TRY(room(arena, n, stage_out_size(u, &u->dec[i]), &k->dec_out[i]));
    }
    k->u_out = g->ws->normed;
    if (g->weights) {
        HS_TRY(room(arena, n, pixels * u->cfg.ch[0], &k->u_out));
    }
    HS_TRY(room(arena, n, 2 * u->norm_out.groups, &k->stats_out));
    *out = k;
out:
    return rc;
}

/* ---- Scratch ------------------------------------------------------------------------------------- */

static size_t norm_scratch(const hs_groupnorm *gn, size_t n, size_t channels)
{
    return gn->gamma != NULL ? hs_groupnorm_vjp_scratch(gn, n, channels) : 0;
}

static size_t block_scratch(const hs_block *k, size_t n)
{
    size_t most = larger(norm_scratch(&k->norm1, n, k->c1 + k->c2), norm_scratch(&k->norm2, n, k->out));
    if (k->has_attn) {
        most = larger(most, norm_scratch(&k->attn.norm, n, k->out));
        most = larger(most, hs_attention_grad_scratch(n, k->side * k->side, k->out, k->attn.heads));
    }
    return most;
}

static size_t layers_scratch(const hs_unet *u, size_t n)
{
    size_t most = norm_scratch(&u->norm_out, n, u->cfg.ch[0]);
    most = larger(most, larger(block_scratch(&u->mid[0], n), block_scratch(&u->mid[1], n)));
    for (size_t i = 0; i < u->n_enc; i++) {
        most = larger(most, u->enc[i].kind == HS_STAGE_BLOCK ? block_scratch(&u->enc[i].block, n) : 0);
    }
    for (size_t i = 0; i < u->n_dec; i++) {
        most = larger(most, u->dec[i].kind == HS_STAGE_BLOCK ? block_scratch(&u->dec[i].block, n) : 0);
    }
    return most;
}

static void mark(int conv, unsigned char *used)
{
    if (conv != HS_NO_CONV) {
        used[conv] = 1;
    }
}

/* used (n_conv) <- 1 for the convolutions whose adjoints are asked for: all, or those between h and eps. */
static void mark_used(const hs_unet_grad *g, unsigned char *used)
{
    const hs_unet *u = g->u;
    memset(used, !g->decoder_only, u->n_conv);
    mark(u->conv_out, used);
    for (size_t i = 0; i < u->n_dec; i++) {
        const hs_stage *s = &u->dec[i];
        const hs_block *k = &s->block;
        if (s->kind != HS_STAGE_BLOCK) {
            mark(s->conv, used);
            continue;
        }
        mark(k->conv1, used);
        mark(k->conv2, used);
        mark(k->short1, used);
        if (k->has_attn) {
            mark(k->attn.qkv, used);
            mark(k->attn.proj, used);
        }
    }
}

/* The adjoints of the convolutions, and room for what any layer needs meanwhile. */
static int plan(hs_unet_grad *g, hs_conv_mode mode)
{
    const hs_unet *u = g->u;
    size_t n = g->ws->states, most = larger(layers_scratch(u, n), g->ws->scratch_bytes), bytes = 0;
    unsigned char *used = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(u->n_conv, 1, &used));
    mark_used(g, used);
    for (size_t i = 0; i < u->n_conv; i++) {
        if (!used[i]) {
            continue;
        }
        HS_TRY(hs_conv_plan_vjp(g->ws->conv[i], mode, n, &bytes));
        most = larger(most, bytes);
        if (g->weights) {
            HS_TRY(hs_conv_plan_vjp_weights(g->ws->conv[i], mode, n, &bytes));
            most = larger(most, bytes);
        }
    }
    HS_TRY(hs_arena_alloc(&g->arena, most, 1, &g->scratch));
out:
    free(used);
    return rc;
}

static int buffers(hs_unet_grad *g)
{
    const hs_unet_config *cfg = &g->u->cfg;
    size_t n = g->ws->states, skips = hs_unet_skip_count(cfg), embed = larger(cfg->temb_base, cfg->temb_dim);
    int rc = HS_OK;
    HS_TRY(record_room(g, &g->ws->record));
    HS_TRY(hs_arena_alloc(&g->arena, skips, sizeof *g->skip, &g->skip));
    for (size_t i = 0; i < skips && !g->decoder_only; i++) {
        HS_TRY(room(&g->arena, n, hs_chw_size(hs_unet_skip_shape(cfg, i)), &g->skip[i]));
    }
    HS_TRY(hs_arena_alloc(&g->arena, n, sizeof *g->state_of_rows, &g->state_of_rows));
    HS_TRY(room(&g->arena, n, hs_chw_size(hs_unet_h_shape(cfg)), &g->h));
    if (g->ws->v_x != NULL) {
        HS_TRY(room(&g->arena, n, hs_chw_size(hs_unet_image_shape(cfg)), &g->v_dx));
    }
    for (size_t i = 0; g->weights && i < 3; i++) {
        HS_TRY(room(&g->arena, n, embed, &g->dtemb[i]));
    }
    if (g->weights) {
        HS_TRY(room(&g->arena, n, g->u->time_total, &g->dtime));
    }
out:
    return rc;
}

static int create(hs_unet *u, size_t states, size_t rows, int weights, int decoder_only, hs_conv_mode mode,
                  hs_unet_grad **out)
{
    hs_unet_grad *g = NULL;
    int rc = HS_OK;
    if (states == 0 || rows == 0 || states > 65536 || rows > 65536) {
        return hs_fail(HS_ERANGE, "derivatives at %zu states of %zu rows: must be 1 to 65536 each", states, rows);
    }
    HS_TRY(hs_calloc(1, sizeof *g, &g));
    g->u = u;
    g->weights = weights;
    g->decoder_only = decoder_only;
    g->rows = larger(states, rows);
    HS_TRY(hs_unet_ws_create(u, g->rows, g->rows, mode, &g->ws));
    HS_TRY(buffers(g));
    HS_TRY(plan(g, mode));
    *out = g;
    g = NULL;
out:
    hs_unet_grad_free(g);
    return rc;
}

int hs_unet_grad_create(hs_unet *u, size_t states, size_t rows, int weights, hs_conv_mode mode, hs_unet_grad **out)
{
    return create(u, states, rows, weights, 0, mode, out);
}

int hs_unet_grad_create_decoder(hs_unet *u, size_t states, size_t rows, hs_conv_mode mode, hs_unet_grad **out)
{
    return create(u, states, rows, 0, 1, mode, out);
}

void hs_unet_grad_free(hs_unet_grad *g)
{
    if (g != NULL) {
        hs_unet_ws_free(g->ws);
        hs_arena_free(&g->arena);
        free(g);
    }
}

/* ---- Recording ----------------------------------------------------------------------------------- */

int hs_unet_grad_encode(hs_unet_grad *g, size_t n, const float *x, const int *t, float *h)
{
    g->n = 0;
    g->decoded = 0;
    int rc = hs_unet_encode(g->u, g->ws, n, x, t, h);
    g->n = rc == HS_OK ? n : 0;
    return rc;
}

int hs_unet_grad_decode(hs_unet_grad *g, const float *h, float *eps)
{
    if (g->n == 0) {
        return hs_fail(HS_EBUG, "derivatives: decode before encode");
    }
    int rc = hs_unet_decode(g->u, g->ws, g->n, NULL, h, eps);
    g->decoded = rc == HS_OK;
    return rc;
}

void hs_unet_grad_first(hs_unet_grad *g, size_t first)
{
    hs_unet_ws_first(g->ws, first);
}

const float *hs_unet_grad_temb(const hs_unet_grad *g, size_t i)
{
    return hs_unet_temb(g->ws, i);
}

int hs_unet_grad_refresh(hs_unet_grad *g)
{
    int rc = HS_OK;
    g->n = 0;
    g->decoded = 0;
    for (size_t i = 0; i < g->u->n_conv; i++) {
        HS_TRY(hs_conv_refresh(g->ws->conv[i]));
    }
out:
    return rc;
}

int hs_grad_check(const hs_unet_grad *g, size_t rows, const size_t *state, int decoded)
{
    if (decoded && !g->decoded) {
        return hs_fail(HS_EBUG, "derivatives: the decoder isn't recorded");
    }
    if (rows > g->rows) {
        return hs_fail(HS_EBUG, "derivatives: %zu rows, room for %zu", rows, g->rows);
    }
    for (size_t r = 0; r < rows; r++) {
        size_t s = state != NULL ? state[r] : r;
        if (s >= g->n) {
            return hs_fail(HS_EBUG, "derivatives: row %zu wants state %zu of %zu recorded", r, s, g->n);
        }
    }
    return hs_unet_check_weights(g->u);
}

int hs_grad_check_whole(const hs_unet_grad *g, int carried)
{
    return g->decoder_only && carried
               ? hs_fail(HS_EBUG, "derivatives: made for the decoder with fixed skips, the encoder's are wanted")
               : HS_OK;
}

/* ---- What is recorded where ---------------------------------------------------------------------- */

hs_groupnorm_at hs_grad_norm1_at(const hs_block *k, const hs_block_acts *acts, const float *x, const float *skip)
{
    return (hs_groupnorm_at){
        .hw = k->side * k->side, .c = k->c1, .c2 = k->c2, .x = x, .x2 = skip, .stats = acts->stats1};
}

hs_groupnorm_at hs_grad_norm2_at(const hs_unet_grad *g, const hs_block *k, const hs_block_acts *acts)
{
    size_t side = hs_block_out_side(k);
    const float *time = g->ws->time + k->time_at * g->ws->states;
    int split = k->time == 2 * k->out;
    return (hs_groupnorm_at){.hw = side * side,
                             .c = k->out,
                             .x = acts->v,
                             .scale = split ? time : NULL,
                             .shift = split ? time + k->out : NULL,
                             .ss_ld = k->time,
                             .stats = acts->stats2};
}

hs_groupnorm_at hs_grad_norm_a_at(const hs_block *k, const hs_block_acts *acts)
{
    return (hs_groupnorm_at){.hw = k->side * k->side, .c = k->out, .x = acts->r, .stats = acts->stats_a};
}

hs_groupnorm_at hs_grad_norm_out_at(const hs_unet_grad *g)
{
    const hs_unet *u = g->u;
    return (hs_groupnorm_at){.hw = u->cfg.image_size * u->cfg.image_size,
                             .c = u->cfg.ch[0],
                             .x = g->ws->record->dec_out[u->n_dec - 1],
                             .stats = g->ws->record->stats_out};
}

const float *hs_grad_enc_in(const hs_unet_grad *g, size_t i)
{
    return i == 0 ? g->ws->record->image : g->ws->skip[i - 1];
}

const float *hs_grad_dec_in(const hs_unet_grad *g, size_t i)
{
    return i == 0 ? g->ws->record->h : g->ws->record->dec_out[i - 1];
}
