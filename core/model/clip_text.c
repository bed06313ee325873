/* CLIP's text tower. */
#include <stdlib.h>
#include <string.h>

#include "core/model/clip_net.h"
#include "core/nn/linear.h"

struct hs_clip_text_ws {
    const hs_clip *c;
    size_t n, last, T; /* room, texts of the last forward, the longest of them */
    hs_clip_tower tower;
    int32_t *ids;                                   /* (n, context), of the last forward */
    size_t *place;                                  /* (n): where each text's end token is */
    float *head, *stats, *pooled, *dhead, *dpooled; /* (n, hidden) and (n, 2) */
    hs_arena arena;
};

HS_CHECKED static int allocate(hs_clip_text_ws *ws)
{
    const hs_clip_config *cfg = &ws->c->cfg;
    const size_t n = ws->n, c = cfg->text.hidden * sizeof(float);
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&ws->arena, n, cfg->context * sizeof *ws->ids, &ws->ids));
    HS_TRY(hs_arena_alloc(&ws->arena, n, sizeof *ws->place, &ws->place));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->head));
    HS_TRY(hs_arena_alloc(&ws->arena, n, 2 * sizeof(float), &ws->stats));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->pooled));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->dhead));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->dpooled));
    HS_TRY(hs_clip_tower_make(&ws->tower, &ws->arena, n, cfg->context));
out:
    return rc;
}

int hs_clip_text_ws_create(const hs_clip *c, size_t n, int grads, hs_clip_text_ws **out)
{
    hs_clip_text_ws *ws = NULL;
    int rc = HS_OK;
    if (n == 0 || n > 65536) {
        return hs_fail(HS_ERANGE, "workspace for %zu texts; wanted 1 to 65536", n);
    }
    HS_TRY(hs_calloc(1, sizeof *ws, &ws));
    ws->c = c;
    ws->n = n;
    ws->tower =
        (hs_clip_tower){.cfg = &c->cfg.text, .block = c->at.text, .theta = c->theta, .causal = 1, .grads = grads};
    HS_TRY(allocate(ws));
    *out = ws;
    ws = NULL;
out:
    hs_clip_text_ws_free(ws);
    return rc;
}

void hs_clip_text_ws_free(hs_clip_text_ws *ws)
{
    if (ws != NULL) {
        hs_arena_free(&ws->arena);
        free(ws);
    }
}

/* place[i] <- the first end token of each text; *longest <- the most that any needs. */
HS_CHECKED static int find_ends(const hs_clip_config *cfg, size_t n, const int32_t *ids, size_t *place, size_t *longest)
{
    *longest = 0;
    for (size_t i = 0; i < n; i++) {
        const int32_t *row = ids + i * cfg->context;
        size_t j = 0;
        while (j < cfg->context && row[j] != cfg->end) {
            if (row[j] < 0 || (size_t)row[j] >= cfg->vocab) {
                return hs_fail(HS_ERANGE, "text %zu: token %d isn't one of %zu", i, (int)row[j], cfg->vocab);
            }
            j++;
        }
        if (j == cfg->context) {
            return hs_fail(HS_ERANGE, "text %zu has no end token (%d) among %zu", i, (int)cfg->end, cfg->context);
        }
        place[i] = j;
        *longest = j + 1 > *longest ? j + 1 : *longest;
    }
    return HS_OK;
}

/* x (n, T, hidden) <- the tokens' vectors and the positions'.  What follows an end token is the end token. */
static void embed(hs_clip_text_ws *ws, size_t n)
{
    const hs_clip_config *cfg = &ws->c->cfg;
    const size_t c = cfg->text.hidden, T = ws->T;
    const float *token = ws->c->theta + ws->c->at.token, *at = ws->c->theta + ws->c->at.text_at;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < n * T; row++) {
        const size_t i = row / T, t = row % T;
        const size_t id = (size_t)(t < ws->place[i] ? ws->ids[i * cfg->context + t] : cfg->end);
        for (size_t j = 0; j < c; j++) {
            ws->tower.x[0][row * c + j] = token[id * c + j] + at[t * c + j];
        }
    }
}

static hs_layernorm final_norm(const hs_clip *c)
{
    return (hs_layernorm){c->cfg.text.hidden, c->cfg.text.eps, c->theta + c->at.final_w, c->theta + c->at.final_b};
}

int hs_clip_text_forward(hs_clip_text_ws *ws, size_t n, const int32_t *ids, float *e)
{
    const hs_clip *clip = ws->c;
    const size_t c = clip->cfg.text.hidden;
    const hs_layernorm norm = final_norm(clip);
    const float *last;
    int rc = HS_OK;
    HS_TRY(hs_clip_rows(n, ws->n, "texts"));
    ws->last = 0;
    HS_TRY(find_ends(&clip->cfg, n, ids, ws->place, &ws->T));
    memcpy(ws->ids, ids, n * clip->cfg.context * sizeof *ids);
    embed(ws, n);
    hs_clip_tower_forward(&ws->tower, n, ws->T);
    last = ws->tower.x[clip->cfg.text.layers];
    for (size_t i = 0; i < n; i++) {
        memcpy(ws->head + i * c, last + (i * ws->T + ws->place[i]) * c, c * sizeof(float));
    }
    hs_layernorm_forward(&norm, n, ws->head, ws->pooled, ws->stats);
    hs_linear_forward(n, c, clip->cfg.projection, ws->pooled, clip->theta + clip->at.text_out, NULL, e);
    ws->last = n;
out:
    return rc;
}

/* The gradients of tokens and positions from those of the rows; in the order of the rows. */
static void embed_backward(const hs_clip_text_ws *ws, size_t n, const float *d, float *grad)
{
    const hs_clip_config *cfg = &ws->c->cfg;
    const size_t c = cfg->text.hidden;
    for (size_t i = 0; i < n; i++) {
        for (size_t t = 0; t <= ws->place[i]; t++) {
            float *token = grad + ws->c->at.token + (size_t)ws->ids[i * cfg->context + t] * c;
            float *at = grad + ws->c->at.text_at + t * c;
            for (size_t j = 0; j < c; j++) {
                token[j] += d[(i * ws->T + t) * c + j];
                at[j] += d[(i * ws->T + t) * c + j];
            }
        }
    }
}

int hs_clip_text_backward(hs_clip_text_ws *ws, size_t n, const float *de, float *grad)
{
    const hs_clip *clip = ws->c;
    const hs_clip_layout *at = &clip->at;
    const size_t c = clip->cfg.text.hidden, P = clip->cfg.projection;
    const hs_layernorm norm = final_norm(clip);
    float *d = ws->tower.d;
    if (!ws->tower.grads) {
        return hs_fail(HS_EBUG, "CLIP: a workspace without derivatives was asked for one");
    }
    if (n == 0 || n != ws->last) {
        return hs_fail(HS_ERANGE, "CLIP: derivatives at %zu texts; the last forward had %zu", n, ws->last);
    }
    hs_linear_vjp(n, c, P, clip->theta + at->text_out, de, ws->dpooled);
    hs_linear_vjp_weights(n, c, P, ws->pooled, de, grad + at->text_out, NULL);
    hs_layernorm_vjp(&norm, n, ws->head, ws->stats, ws->dpooled, 0, ws->dhead, grad + at->final_w, grad + at->final_b);
    memset(d, 0, n * ws->T * c * sizeof *d);
    for (size_t i = 0; i < n; i++) {
        memcpy(d + (i * ws->T + ws->place[i]) * c, ws->dhead + i * c, c * sizeof(float));
    }
    hs_clip_tower_vjp(&ws->tower, n, ws->T, grad);
    embed_backward(ws, n, d, grad);
    return HS_OK;
}

int hs_clip_embed_texts(const hs_clip *c, size_t n, const char *const *texts, int truncate, float *e)
{
    const size_t context = c->cfg.context;
    hs_clip_text_ws *ws = NULL;
    int32_t *ids = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(context, sizeof *ids, &ids));
    HS_TRY(hs_clip_text_ws_create(c, 1, 0, &ws));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_clip_tokens(c, 1, &texts[i], truncate, ids));
        HS_TRY(hs_clip_text_forward(ws, 1, ids, e + i * c->cfg.projection));
    }
out:
    hs_clip_text_ws_free(ws);
    free(ids);
    return rc;
}
