/* The workspace: every buffer an evaluation needs, planned once. */
#include <stdlib.h>
#include <string.h>

#include "core/model/unet_net.h"
#include "core/nn/attention.h"

/* The largest need of each buffer, in numbers a row or a state. */
typedef struct {
    size_t act, normed, inner, qkv, half, time;
} needs;

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void block_needs(const hs_block *k, size_t n, needs *m)
{
    size_t side = k->resample < 0 ? k->side / 2 : k->resample > 0 ? 2 * k->side : k->side;
    size_t in = k->side * k->side, out = side * side;
    m->act = larger(m->act, n * out * k->out);
    m->normed = larger(m->normed, n * in * (k->c1 + k->c2));
    m->inner = larger(m->inner, n * out * k->out);
    m->time = larger(m->time, n * k->time);
    if (k->resample != 0) {
        m->half = larger(m->half, n * out * k->c1);
    }
    if (k->has_attn) {
        m->half = larger(m->half, n * out * k->out);
        m->normed = larger(m->normed, n * out * k->out);
        m->qkv = larger(m->qkv, n * out * 3 * k->out);
    }
}

static void stage_needs(const hs_unet *u, const hs_stage *s, size_t n, needs *m)
{
    if (s->kind == HS_STAGE_BLOCK) {
        block_needs(&s->block, n, m);
        return;
    }
    const hs_conv_def *d = &u->conv[s->conv];
    size_t hw = d->side * d->side;
    m->act = larger(m->act, n * hw * d->shape.out_ch);
    if (s->kind == HS_STAGE_UP) {
        m->normed = larger(m->normed, n * hw * d->shape.in_ch);
    }
}

static needs all_needs(const hs_unet *u, size_t states, size_t rows)
{
    size_t pixels = u->cfg.image_size * u->cfg.image_size;
    needs m = {.act = larger(states, rows) * pixels * u->cfg.in_ch};
    for (size_t i = 0; i < u->n_enc; i++) {
        stage_needs(u, &u->enc[i], states, &m);
    }
    block_needs(&u->mid[0], states, &m);
    block_needs(&u->mid[1], states, &m);
    for (size_t i = 0; i < u->n_dec; i++) {
        stage_needs(u, &u->dec[i], rows, &m);
    }
    m.normed = larger(m.normed, rows * pixels * u->cfg.ch[0]);
    return m;
}

static int allocate_skips(hs_unet_ws *ws)
{
    const hs_unet_config *cfg = &ws->u->cfg;
    size_t n = hs_unet_skip_count(cfg);
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&ws->arena, n, sizeof *ws->skip, &ws->skip));
    for (size_t i = 0; i < n; i++) {
        size_t size = hs_chw_size(hs_unet_skip_shape(cfg, i));
        HS_TRY(hs_arena_alloc(&ws->arena, ws->states, size * sizeof(float), &ws->skip[i]));
    }
out:
    return rc;
}

static int allocate(hs_unet_ws *ws)
{
    const hs_unet *u = ws->u;
    needs m = all_needs(u, ws->states, ws->rows);
    size_t embed = larger(u->cfg.temb_base, u->cfg.temb_dim);
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&ws->arena, m.act, sizeof(float), &ws->a));
    HS_TRY(hs_arena_alloc(&ws->arena, m.act, sizeof(float), &ws->b));
    HS_TRY(hs_arena_alloc(&ws->arena, m.normed, sizeof(float), &ws->normed));
    HS_TRY(hs_arena_alloc(&ws->arena, m.inner, sizeof(float), &ws->inner));
    HS_TRY(hs_arena_alloc(&ws->arena, m.qkv, sizeof(float), &ws->qkv));
    HS_TRY(hs_arena_alloc(&ws->arena, m.half, sizeof(float), &ws->half));
    ws->acts = (hs_block_acts){.u1 = ws->normed,
                               .u1_half = ws->half,
                               .v = ws->inner,
                               .u2 = ws->inner,
                               .r = ws->half,
                               .an = ws->normed,
                               .qkv = ws->qkv,
                               .ao = ws->inner};
    HS_TRY(hs_arena_alloc(&ws->arena, m.time, sizeof(float), &ws->time_rows));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->states, u->cfg.temb_dim * sizeof(float), &ws->temb));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->states, embed * sizeof(float), &ws->temb_in));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->states, embed * sizeof(float), &ws->temb_mid));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->states, u->time_total * sizeof(float), &ws->time));
    HS_TRY(hs_arena_alloc(&ws->arena, larger(ws->states, ws->rows), sizeof *ws->identity, &ws->identity));
    for (size_t i = 0; i < larger(ws->states, ws->rows); i++) {
        ws->identity[i] = i;
    }
    HS_TRY(allocate_skips(ws));
    HS_TRY(hs_v_room(ws));
    HS_TRY(hs_class_room(ws));
out:
    return rc;
}

static size_t attention_scratch(const hs_block *k, size_t n)
{
    return k->has_attn ? hs_attention_scratch(n, k->side * k->side, k->out, k->attn.heads) : 0;
}

static size_t all_attention_scratch(const hs_unet *u, size_t states, size_t rows)
{
    size_t most = attention_scratch(&u->mid[0], states);
    for (size_t i = 0; i < u->n_enc; i++) {
        most = larger(most, attention_scratch(&u->enc[i].block, states));
    }
    for (size_t i = 0; i < u->n_dec; i++) {
        most = larger(most, attention_scratch(&u->dec[i].block, rows));
    }
    return most;
}

static int plan(hs_unet_ws *ws, hs_conv_mode mode)
{
    const hs_unet *u = ws->u;
    size_t most = all_attention_scratch(u, ws->states, ws->rows);
    int rc = HS_OK;
    HS_TRY(hs_calloc(u->n_conv, sizeof(hs_conv *), &ws->conv));
    ws->n_conv = u->n_conv;
    for (size_t i = 0; i < u->n_conv; i++) {
        const hs_conv_def *d = &u->conv[i];
        size_t bytes = 0;
        HS_TRY(hs_conv_create(d->shape, d->weight, d->bias, &ws->conv[i]));
        HS_TRY(hs_conv_plan(ws->conv[i], mode, d->decoder ? ws->rows : ws->states, d->side, d->side, &bytes));
        most = larger(most, bytes);
        hs_tensors_drop(u->lender); /* most plans keep the weights in a form of their own */
    }
    HS_TRY(hs_fail_in(hs_tensors_check(u->lender), "weights"));
    HS_TRY(hs_arena_alloc(&ws->arena, most, 1, &ws->scratch));
    ws->scratch_bytes = most;
out:
    return rc;
}

int hs_unet_ws_create(const hs_unet *u, size_t states, size_t rows, hs_conv_mode mode, hs_unet_ws **out)
{
    hs_unet_ws *ws = NULL;
    int rc = HS_OK;
    if (states == 0 || rows == 0 || states > 65536 || rows > 65536) {
        return hs_fail(HS_ERANGE, "workspace for %zu states and %zu rows: must be 1 to 65536 each", states, rows);
    }
    HS_TRY(hs_calloc(1, sizeof *ws, &ws));
    ws->u = u;
    ws->states = states;
    ws->rows = rows;
    HS_TRY(allocate(ws));
    HS_TRY(plan(ws, mode));
    *out = ws;
    ws = NULL;
out:
    hs_unet_ws_free(ws);
    return rc;
}

void hs_unet_ws_free(hs_unet_ws *ws)
{
    if (ws == NULL) {
        return;
    }
    for (size_t i = 0; ws->conv != NULL && i < ws->n_conv; i++) {
        hs_conv_free(ws->conv[i]);
    }
    free(ws->conv);
    hs_arena_free(&ws->arena);
    free(ws);
}

size_t hs_unet_ws_states(const hs_unet_ws *ws)
{
    return ws->states;
}

hs_unet_times hs_unet_ws_times(const hs_unet_ws *ws)
{
    return ws->times;
}

int hs_unet_ws_describe(const hs_unet_ws *ws, hs_str *out)
{
    for (size_t i = 0; i < ws->u->n_conv; i++) {
        const hs_conv_def *d = &ws->u->conv[i];
        hs_str_addf(out, "%s\t%zux%zu\t%zu -> %zu\t%zux%zu/%zu\t%s\n", d->name, d->side, d->side, d->shape.in_ch,
                    d->shape.out_ch, d->shape.kernel, d->shape.kernel, d->shape.stride, hs_conv_algorithm(ws->conv[i]));
    }
    return hs_str_ok(out);
}
