/* CLIP's image tower. */
#include <stdlib.h>
#include <string.h>

#include "core/linalg/sgemm.h"
#include "core/model/clip_net.h"
#include "core/nn/linear.h"

/* Row 0 of an image's patches is zero: the class vector's place, so that one product serves all rows. */
struct hs_clip_image_ws {
    const hs_clip *c;
    size_t n, last, T; /* room, images of the last forward, vectors an image */
    hs_clip_tower tower;
    float *patches, *emb, *stats;      /* (n, T, 3 p p), (n, T, hidden), (n, T, 2) */
    float *head, *head_stats, *pooled; /* (n, hidden): the class vector before and after its norm */
    float *dpatches, *dhead, *dpooled;
    hs_arena arena;
};

HS_CHECKED static int allocate(hs_clip_image_ws *ws)
{
    const hs_clip_config *cfg = &ws->c->cfg;
    const size_t n = ws->n, c = cfg->vision.hidden * sizeof(float), T = ws->T;
    const size_t p = 3 * cfg->patch_size * cfg->patch_size * sizeof(float);
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&ws->arena, n * T, p, &ws->patches));
    HS_TRY(hs_arena_alloc(&ws->arena, n * T, c, &ws->emb));
    HS_TRY(hs_arena_alloc(&ws->arena, n * T, 2 * sizeof(float), &ws->stats));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->head));
    HS_TRY(hs_arena_alloc(&ws->arena, n, 2 * sizeof(float), &ws->head_stats));
    HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->pooled));
    if (ws->tower.grads) {
        HS_TRY(hs_arena_alloc(&ws->arena, n * T, p, &ws->dpatches));
        HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->dhead));
        HS_TRY(hs_arena_alloc(&ws->arena, n, c, &ws->dpooled));
    }
    HS_TRY(hs_clip_tower_make(&ws->tower, &ws->arena, n, T));
out:
    return rc;
}

int hs_clip_image_ws_create(const hs_clip *c, size_t n, int grads, hs_clip_image_ws **out)
{
    const size_t side = c->cfg.image_size / c->cfg.patch_size;
    hs_clip_image_ws *ws = NULL;
    int rc = HS_OK;
    if (n == 0 || n > 65536) {
        return hs_fail(HS_ERANGE, "workspace for %zu images; wanted 1 to 65536", n);
    }
    HS_TRY(hs_calloc(1, sizeof *ws, &ws));
    ws->c = c;
    ws->n = n;
    ws->T = side * side + 1;
    ws->tower = (hs_clip_tower){.cfg = &c->cfg.vision, .block = c->at.vision, .theta = c->theta, .grads = grads};
    HS_TRY(allocate(ws));
    *out = ws;
    ws = NULL;
out:
    hs_clip_image_ws_free(ws);
    return rc;
}

void hs_clip_image_ws_free(hs_clip_image_ws *ws)
{
    if (ws != NULL) {
        hs_arena_free(&ws->arena);
        free(ws);
    }
}

/* Patch row t - 1 of an image, and back: element (k, y, x) is pixel k of (oy + y, ox + x). */
typedef struct {
    size_t R, p, side;
} grid;

static grid grid_of(const hs_clip_config *cfg)
{
    return (grid){cfg->image_size, cfg->patch_size, cfg->image_size / cfg->patch_size};
}

/* patches <- scale[k] x + shift[k]. */
static void gather(const hs_clip_image_ws *ws, size_t n, const float *x, const float scale[3], const float shift[3],
                   float *patches)
{
    const grid g = grid_of(&ws->c->cfg);
    const size_t pp = g.p * g.p, T = ws->T;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < n * T; row++) {
        const size_t i = row / T, t = row % T;
        float *out = patches + row * 3 * pp;
        if (t == 0) {
            memset(out, 0, 3 * pp * sizeof *out);
            continue;
        }
        for (size_t e = 0; e < 3 * g.p; e++) {
            const size_t k = e / g.p, y = (t - 1) / g.side * g.p + e % g.p;
            const float *in = x + ((i * 3 + k) * g.R + y) * g.R + (t - 1) % g.side * g.p;
            for (size_t j = 0; j < g.p; j++) {
                out[e * g.p + j] = scale[k] * in[j] + shift[k];
            }
        }
    }
}

/* x <- scale[k] times the patches, 0 where no patch is. */
static void scatter(const hs_clip_image_ws *ws, size_t n, const float *patches, const float scale[3], float *x)
{
    const grid g = grid_of(&ws->c->cfg);
    const size_t pp = g.p * g.p, T = ws->T;
    memset(x, 0, n * 3 * g.R * g.R * sizeof *x);
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < n * T; row++) {
        const size_t i = row / T, t = row % T;
        for (size_t e = 0; t > 0 && e < 3 * g.p; e++) {
            const size_t k = e / g.p, y = (t - 1) / g.side * g.p + e % g.p;
            float *out = x + ((i * 3 + k) * g.R + y) * g.R + (t - 1) % g.side * g.p;
            for (size_t j = 0; j < g.p; j++) {
                out[j] = scale[k] * patches[row * 3 * pp + e * g.p + j];
            }
        }
    }
}

/* v = scale x + shift. */
static void pixel_map(const hs_clip_config *cfg, float scale[3], float shift[3])
{
    for (size_t k = 0; k < 3; k++) {
        scale[k] = (float)(0.5 / cfg->std[k]);
        shift[k] = (float)((0.5 - cfg->mean[k]) / cfg->std[k]);
    }
}

static hs_layernorm norm_of(const hs_clip *c, size_t w, size_t b)
{
    return (hs_layernorm){c->cfg.vision.hidden, c->cfg.vision.eps, c->theta + w, c->theta + b};
}

/* emb <- patches W^T + positions, the class vector in row 0. */
static void embed(hs_clip_image_ws *ws, size_t n)
{
    const hs_clip_config *cfg = &ws->c->cfg;
    const size_t c = cfg->vision.hidden, T = ws->T, p = 3 * cfg->patch_size * cfg->patch_size;
    const float *at = ws->c->theta + ws->c->at.vision_at, *class_vector = ws->c->theta + ws->c->at.class_vector;
#pragma omp parallel for schedule(static)
    for (size_t row = 0; row < n * T; row++) {
        for (size_t j = 0; j < c; j++) {
            ws->emb[row * c + j] = at[row % T * c + j] + (row % T == 0 ? class_vector[j] : 0);
        }
    }
    hs_sgemm(0, 1, n * T, c, p, 1, ws->patches, p, ws->c->theta + ws->c->at.patch, p, 1, ws->emb, c);
}

int hs_clip_image_forward(hs_clip_image_ws *ws, size_t n, const float *x, float *e)
{
    const hs_clip *clip = ws->c;
    const size_t c = clip->cfg.vision.hidden, T = ws->T, layers = clip->cfg.vision.layers;
    const hs_layernorm pre = norm_of(clip, clip->at.pre_w, clip->at.pre_b);
    const hs_layernorm post = norm_of(clip, clip->at.post_w, clip->at.post_b);
    float scale[3], shift[3];
    int rc = HS_OK;
    HS_TRY(hs_clip_rows(n, ws->n, "images"));
    pixel_map(&clip->cfg, scale, shift);
    gather(ws, n, x, scale, shift, ws->patches);
    embed(ws, n);
    hs_layernorm_forward(&pre, n * T, ws->emb, ws->tower.x[0], ws->stats);
    hs_clip_tower_forward(&ws->tower, n, T);
    for (size_t i = 0; i < n; i++) {
        memcpy(ws->head + i * c, ws->tower.x[layers] + i * T * c, c * sizeof(float));
    }
    hs_layernorm_forward(&post, n, ws->head, ws->pooled, ws->head_stats);
    hs_linear_forward(n, c, clip->cfg.projection, ws->pooled, clip->theta + clip->at.image_out, NULL, e);
    ws->last = n;
out:
    return rc;
}

HS_CHECKED static int recorded(const hs_clip_image_ws *ws, size_t n)
{
    if (!ws->tower.grads) {
        return hs_fail(HS_EBUG, "CLIP: a workspace without derivatives was asked for one");
    }
    return n == ws->last && n > 0
               ? HS_OK
               : hs_fail(HS_ERANGE, "CLIP: derivatives at %zu images; the last forward had %zu", n, ws->last);
}

int hs_clip_image_jvp(hs_clip_image_ws *ws, size_t n, const float *dx, float *de)
{
    const hs_clip *clip = ws->c;
    const size_t c = clip->cfg.vision.hidden, T = ws->T, p = 3 * clip->cfg.patch_size * clip->cfg.patch_size;
    const hs_layernorm pre = norm_of(clip, clip->at.pre_w, clip->at.pre_b);
    const hs_layernorm post = norm_of(clip, clip->at.post_w, clip->at.post_b);
    const float none[3] = {0, 0, 0};
    float scale[3], shift[3];
    int rc = HS_OK;
    HS_TRY(recorded(ws, n));
    pixel_map(&clip->cfg, scale, shift);
    gather(ws, n, dx, scale, none, ws->dpatches);
    hs_linear_forward(n * T, p, c, ws->dpatches, clip->theta + clip->at.patch, NULL, ws->tower.d);
    hs_layernorm_jvp(&pre, n * T, ws->emb, ws->stats, ws->tower.d, ws->tower.d);
    hs_clip_tower_jvp(&ws->tower, n, T);
    for (size_t i = 0; i < n; i++) {
        memcpy(ws->dhead + i * c, ws->tower.d + i * T * c, c * sizeof(float));
    }
    hs_layernorm_jvp(&post, n, ws->head, ws->head_stats, ws->dhead, ws->dhead);
    hs_linear_forward(n, c, clip->cfg.projection, ws->dhead, clip->theta + clip->at.image_out, NULL, de);
out:
    return rc;
}

/* The gradients of positions and class vector from those of the rows. */
static void embed_backward(const hs_clip_image_ws *ws, size_t n, const float *d, float *grad)
{
    const size_t c = ws->c->cfg.vision.hidden, T = ws->T;
    float *at = grad + ws->c->at.vision_at, *class_vector = grad + ws->c->at.class_vector;
#pragma omp parallel for schedule(static)
    for (size_t t = 0; t < T; t++) {
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < c; j++) {
                at[t * c + j] += d[(i * T + t) * c + j];
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < c; j++) {
            class_vector[j] += d[i * T * c + j];
        }
    }
}

int hs_clip_image_vjp(hs_clip_image_ws *ws, size_t n, const float *de, float *dx, float *grad)
{
    const hs_clip *clip = ws->c;
    const hs_clip_layout *at = &clip->at;
    const size_t c = clip->cfg.vision.hidden, T = ws->T, p = 3 * clip->cfg.patch_size * clip->cfg.patch_size;
    const size_t P = clip->cfg.projection;
    const hs_layernorm pre = norm_of(clip, at->pre_w, at->pre_b), post = norm_of(clip, at->post_w, at->post_b);
    float scale[3], shift[3], *d = ws->tower.d;
    int rc = HS_OK;
    HS_TRY(recorded(ws, n));
    hs_linear_vjp(n, c, P, clip->theta + at->image_out, de, ws->dpooled);
    if (grad != NULL) {
        hs_linear_vjp_weights(n, c, P, ws->pooled, de, grad + at->image_out, NULL);
    }
    hs_layernorm_vjp(&post, n, ws->head, ws->head_stats, ws->dpooled, 0, ws->dhead,
                     grad != NULL ? grad + at->post_w : NULL, grad != NULL ? grad + at->post_b : NULL);
    memset(d, 0, n * T * c * sizeof *d);
    for (size_t i = 0; i < n; i++) {
        memcpy(d + i * T * c, ws->dhead + i * c, c * sizeof(float));
    }
    hs_clip_tower_vjp(&ws->tower, n, T, grad);
    hs_layernorm_vjp(&pre, n * T, ws->emb, ws->stats, d, 0, d, grad != NULL ? grad + at->pre_w : NULL,
                     grad != NULL ? grad + at->pre_b : NULL);
    if (grad != NULL) {
        embed_backward(ws, n, d, grad);
        hs_linear_vjp_weights(n * T, p, c, ws->patches, d, grad + at->patch, NULL);
    }
    if (dx != NULL) {
        pixel_map(&clip->cfg, scale, shift);
        hs_linear_vjp(n * T, p, c, clip->theta + at->patch, d, ws->dpatches);
        scatter(ws, n, ws->dpatches, scale, dx);
    }
out:
    return rc;
}
