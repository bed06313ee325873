/* What a CLIP consists of: configurations, parameters, the way of texts and images to its inputs. */
#include "core/model/clip.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/io/resize.h"
#include "core/model/clip_net.h"

enum { COUNT_MAX = 1 << 30, WIDTH_MAX = 65536, VOCAB_MAX = 1 << 20, SIZE_MAX_PIXELS = 2048 };

void hs_clip_config_usual_scale(hs_clip_config *cfg)
{
    const double mean[3] = {0.48145466, 0.4578275, 0.40821073}, std[3] = {0.26862954, 0.26130258, 0.27577711};
    memcpy(cfg->mean, mean, sizeof mean);
    memcpy(cfg->std, std, sizeof std);
}

int hs_clip_config_named(const char *name, hs_clip_config *out)
{
    static const struct {
        const char *name;
        size_t patch, hidden, layers, heads, text_hidden, text_heads, projection;
    } known[] = {{"ViT-B/32", 32, 768, 12, 12, 512, 8, 512},
                 {"ViT-B/16", 16, 768, 12, 12, 512, 8, 512},
                 {"ViT-L/14", 14, 1024, 24, 16, 768, 12, 768}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) == 0) {
            const size_t h = known[i].hidden, t = known[i].text_hidden;
            hs_clip_config c = {.image_size = 224, .patch_size = known[i].patch, .vocab = 49408, .context = 77};
            c.vision = (hs_clip_tower_config){h, known[i].layers, known[i].heads, 4 * h, HS_GELU_QUICK, 1e-5};
            c.text = (hs_clip_tower_config){t, 12, known[i].text_heads, 4 * t, HS_GELU_QUICK, 1e-5};
            c.begin = 49406;
            c.end = 49407;
            c.projection = known[i].projection;
            c.resize = 224;
            hs_clip_config_usual_scale(&c);
            *out = c;
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "CLIP \"%.40s\": wanted ViT-B/32, ViT-B/16 or ViT-L/14", name);
}

/* ---- Configuration --------------------------------------------------------------------------------- */

HS_CHECKED static int check_size(const char *what, size_t v, size_t lo, size_t hi, int code)
{
    return v >= lo && v <= hi ? HS_OK : hs_fail(code, "CLIP: %s is %zu; wanted %zu to %zu", what, v, lo, hi);
}

HS_CHECKED static int check_tower(const char *which, const hs_clip_tower_config *t, int code)
{
    int rc = HS_OK;
    HS_TRY(check_size("hidden_size", t->hidden, 1, WIDTH_MAX, code));
    HS_TRY(check_size("num_hidden_layers", t->layers, 1, HS_CLIP_LAYERS_MAX, code));
    HS_TRY(check_size("num_attention_heads", t->heads, 1, t->hidden, code));
    HS_TRY(check_size("intermediate_size", t->mlp, 1, (size_t)16 * WIDTH_MAX, code));
    if (t->hidden % t->heads != 0) {
        rc = hs_fail(code, "%zu heads don't divide a width of %zu", t->heads, t->hidden);
    } else if (!(t->eps > 0 && t->eps < 1)) {
        rc = hs_fail(code, "layer_norm_eps is %g; wanted above 0 and below 1", t->eps);
    }
out:
    return hs_fail_in(rc, which);
}

HS_CHECKED static int check(const hs_clip_config *c, int code)
{
    int rc = HS_OK;
    HS_TRY(check_tower("vision tower", &c->vision, code));
    HS_TRY(check_tower("text tower", &c->text, code));
    HS_TRY(check_size("image_size", c->image_size, 1, SIZE_MAX_PIXELS, code));
    HS_TRY(check_size("patch_size", c->patch_size, 1, c->image_size, code));
    HS_TRY(check_size("the size before the crop", c->resize, c->image_size, 2 * SIZE_MAX_PIXELS, code));
    HS_TRY(check_size("vocab_size", c->vocab, 2, VOCAB_MAX, code));
    HS_TRY(check_size("max_position_embeddings", c->context, 2, 4096, code));
    HS_TRY(check_size("projection_dim", c->projection, 1, WIDTH_MAX, code));
    if (c->begin < 0 || c->end < 0 || (size_t)c->begin >= c->vocab || (size_t)c->end >= c->vocab) {
        return hs_fail(code, "CLIP: begin %d and end %d must be tokens of %zu", (int)c->begin, (int)c->end, c->vocab);
    }
    for (size_t k = 0; k < 3; k++) {
        if (!(c->std[k] > 0) || !isfinite(c->std[k]) || !isfinite(c->mean[k])) {
            return hs_fail(code, "CLIP: image_std must be above 0 and image_mean finite");
        }
    }
out:
    return rc;
}

/* ---- Parameters ------------------------------------------------------------------------------------ */

/* Appends PREFIX + NAME; returns its offset. */
static size_t add(hs_clip_layout *at, const char *prefix, const char *name, hs_clip_start start, size_t rank,
                  const size_t *dim)
{
    hs_clip_param *p = &at->param[at->n_params];
    *p = (hs_clip_param){.rank = rank, .offset = at->count, .count = 1};
    snprintf(p->name, sizeof p->name, "%s%s", prefix, name);
    for (size_t i = 0; i < rank; i++) {
        p->dim[i] = dim[i];
        p->count *= dim[i];
    }
    at->start[at->n_params++] = start;
    at->count += p->count;
    return p->offset;
}

static size_t add_vector(hs_clip_layout *at, const char *prefix, const char *name, float constant, size_t n)
{
    return add(at, prefix, name, (hs_clip_start){0, constant}, 1, &n);
}

static size_t add_matrix(hs_clip_layout *at, const char *prefix, const char *name, double sd, size_t rows, size_t cols)
{
    const size_t dim[2] = {rows, cols};
    return add(at, prefix, name, (hs_clip_start){sd, 0}, 2, dim);
}

static void add_block(hs_clip_layout *at, const char *tower, size_t l, const hs_clip_tower_config *t, hs_clip_block *b)
{
    const size_t c = t->hidden;
    const double wide = 1 / sqrt((double)c), deep = wide / sqrt(2 * (double)t->layers), first = wide / sqrt(2);
    char at_block[64];
    snprintf(at_block, sizeof at_block, "%s.encoder.layers.%zu.", tower, l);
    b->ln1_w = add_vector(at, at_block, "layer_norm1.weight", 1, c);
    b->ln1_b = add_vector(at, at_block, "layer_norm1.bias", 0, c);
    b->qkv_w = add_matrix(at, at_block, "self_attn.q_proj.weight", wide, c, c);
    add_matrix(at, at_block, "self_attn.k_proj.weight", wide, c, c);
    add_matrix(at, at_block, "self_attn.v_proj.weight", wide, c, c);
    b->qkv_b = add_vector(at, at_block, "self_attn.q_proj.bias", 0, c);
    add_vector(at, at_block, "self_attn.k_proj.bias", 0, c);
    add_vector(at, at_block, "self_attn.v_proj.bias", 0, c);
    b->out_w = add_matrix(at, at_block, "self_attn.out_proj.weight", deep, c, c);
    b->out_b = add_vector(at, at_block, "self_attn.out_proj.bias", 0, c);
    b->ln2_w = add_vector(at, at_block, "layer_norm2.weight", 1, c);
    b->ln2_b = add_vector(at, at_block, "layer_norm2.bias", 0, c);
    b->fc1_w = add_matrix(at, at_block, "mlp.fc1.weight", first, t->mlp, c);
    b->fc1_b = add_vector(at, at_block, "mlp.fc1.bias", 0, t->mlp);
    b->fc2_w = add_matrix(at, at_block, "mlp.fc2.weight", deep, c, t->mlp);
    b->fc2_b = add_vector(at, at_block, "mlp.fc2.bias", 0, c);
}

static void add_vision(hs_clip_layout *at, const hs_clip_config *cfg)
{
    const size_t c = cfg->vision.hidden, p = cfg->patch_size, side = cfg->image_size / p, dim[4] = {c, 3, p, p};
    const double wide = 1 / sqrt((double)c);
    at->class_vector = add(at, "vision_model.embeddings.", "class_embedding", (hs_clip_start){wide, 0}, 1, &c);
    at->patch = add(at, "vision_model.embeddings.", "patch_embedding.weight",
                    (hs_clip_start){1 / sqrt(3 * (double)(p * p)), 0}, 4, dim);
    at->vision_at = add_matrix(at, "vision_model.embeddings.", "position_embedding.weight", wide, side * side + 1, c);
    at->pre_w = add_vector(at, "vision_model.", "pre_layrnorm.weight", 1, c);
    at->pre_b = add_vector(at, "vision_model.", "pre_layrnorm.bias", 0, c);
    for (size_t l = 0; l < cfg->vision.layers; l++) {
        add_block(at, "vision_model", l, &cfg->vision, &at->vision[l]);
    }
    at->post_w = add_vector(at, "vision_model.", "post_layernorm.weight", 1, c);
    at->post_b = add_vector(at, "vision_model.", "post_layernorm.bias", 0, c);
    at->image_out = add_matrix(at, "", "visual_projection.weight", wide, cfg->projection, c);
}

static void add_text(hs_clip_layout *at, const hs_clip_config *cfg)
{
    const size_t c = cfg->text.hidden;
    at->token = add_matrix(at, "text_model.embeddings.", "token_embedding.weight", 0.02, cfg->vocab, c);
    at->text_at = add_matrix(at, "text_model.embeddings.", "position_embedding.weight", 0.01, cfg->context, c);
    for (size_t l = 0; l < cfg->text.layers; l++) {
        add_block(at, "text_model", l, &cfg->text, &at->text[l]);
    }
    at->final_w = add_vector(at, "text_model.", "final_layer_norm.weight", 1, c);
    at->final_b = add_vector(at, "text_model.", "final_layer_norm.bias", 0, c);
    at->text_out = add_matrix(at, "", "text_projection.weight", 1 / sqrt((double)c), cfg->projection, c);
}

HS_CHECKED static int lay_out(const hs_clip_config *cfg, hs_clip_layout *at)
{
    const size_t most = 16 * (cfg->vision.layers + cfg->text.layers) + 16;
    int rc = HS_OK;
    HS_TRY(hs_alloc(most, sizeof *at->param, &at->param));
    HS_TRY(hs_alloc(most, sizeof *at->start, &at->start));
    add(at, "", "logit_scale", (hs_clip_start){0, (float)log(1 / 0.07)}, 0, NULL);
    add_vision(at, cfg);
    add_text(at, cfg);
    if (at->count > COUNT_MAX) {
        rc = hs_fail(HS_ELIMIT, "CLIP: %zu parameters; at most %d", at->count, COUNT_MAX);
    }
out:
    return rc;
}

int hs_clip_new(const hs_clip_config *cfg, int code, hs_clip **out)
{
    hs_clip *c = NULL;
    int rc = HS_OK;
    HS_TRY(check(cfg, code));
    HS_TRY(hs_calloc(1, sizeof *c, &c));
    c->cfg = *cfg;
    HS_TRY(lay_out(cfg, &c->at));
    *out = c;
    c = NULL;
out:
    hs_clip_free(c);
    return rc;
}

int hs_clip_random(const hs_clip_config *cfg, uint64_t seed, hs_clip **out)
{
    hs_clip *c = NULL;
    int rc = HS_OK;
    HS_TRY(hs_clip_new(cfg, HS_ERANGE, &c));
    HS_TRY(hs_alloc(c->at.count, sizeof *c->theta, &c->theta));
    for (size_t i = 0; i < c->at.n_params; i++) {
        const hs_clip_param *p = &c->at.param[i];
        const hs_clip_start *s = &c->at.start[i];
        float *v = c->theta + p->offset;
        if (s->sd > 0) {
            hs_rng_normal((hs_rng){seed, HS_RNG_WEIGHTS, i}, 0, p->count, v);
        }
        for (size_t e = 0; e < p->count; e++) {
            v[e] = s->sd > 0 ? (float)(s->sd * (double)v[e]) : s->constant;
        }
    }
    *out = c;
    c = NULL;
out:
    hs_clip_free(c);
    return rc;
}

void hs_clip_free(hs_clip *c)
{
    if (c == NULL) {
        return;
    }
    hs_bpe_free(c->tokenizer);
    free(c->at.param);
    free(c->at.start);
    free(c->theta);
    free(c);
}

const hs_clip_config *hs_clip_config_of(const hs_clip *c)
{
    return &c->cfg;
}

float *hs_clip_theta(hs_clip *c, size_t *count)
{
    *count = c->at.count;
    return c->theta;
}

size_t hs_clip_params(const hs_clip *c)
{
    return c->at.n_params;
}

const hs_clip_param *hs_clip_param_at(const hs_clip *c, size_t i)
{
    return &c->at.param[i];
}

int hs_clip_rows(size_t n, size_t room, const char *what)
{
    return n >= 1 && n <= room ? HS_OK
                               : hs_fail(HS_ERANGE, "%zu %s; the workspace has room for 1 to %zu", n, what, room);
}

/* ---- Texts and images ------------------------------------------------------------------------------ */

int hs_clip_set_tokenizer(hs_clip *c, hs_bpe *t)
{
    if (hs_bpe_vocab(t) > c->cfg.vocab || hs_bpe_begin(t) != c->cfg.begin || hs_bpe_end(t) != c->cfg.end) {
        return hs_fail(HS_ESHAPE, "a tokenizer of %zu tokens, begin %d, end %d; the network has %zu, %d, %d",
                       hs_bpe_vocab(t), (int)hs_bpe_begin(t), (int)hs_bpe_end(t), c->cfg.vocab, (int)c->cfg.begin,
                       (int)c->cfg.end);
    }
    hs_bpe_free(c->tokenizer);
    c->tokenizer = t;
    return HS_OK;
}

const hs_bpe *hs_clip_tokenizer(const hs_clip *c)
{
    return c->tokenizer;
}

int hs_clip_tokens(const hs_clip *c, size_t n, const char *const *texts, int truncate, int32_t *ids)
{
    size_t length;
    int rc = HS_OK;
    if (c->tokenizer == NULL) {
        return hs_fail(HS_ERANGE, "this CLIP has no tokenizer (vocab.json and merges.txt): it reads no text");
    }
    for (size_t i = 0; i < n; i++) {
        rc = hs_bpe_encode(c->tokenizer, texts[i], c->cfg.context, truncate, ids + i * c->cfg.context, &length);
        if (rc != HS_OK) {
            char shown[48], where[64];
            hs_text_escape(texts[i], shown, sizeof shown);
            snprintf(where, sizeof where, "text \"%s\"", shown);
            return hs_fail_in(rc, where);
        }
    }
    return rc;
}

int hs_clip_preprocess(const hs_clip_config *cfg, const hs_image *im, float *x)
{
    const size_t R = cfg->image_size, s = cfg->resize, least = im->w < im->h ? im->w : im->h;
    const size_t w = im->w == least ? s : s * im->w / least, h = im->h == least ? s : s * im->h / least;
    hs_image small = {0};
    int rc = HS_OK;
    HS_TRY(hs_image_resize(im, w, h, HS_RESIZE_BICUBIC, NULL, &small));
    const size_t left = (w - R) / 2, top = (h - R) / 2;
    for (size_t k = 0; k < 3; k++) {
        for (size_t i = 0; i < R * R; i++) {
            const size_t at = (top + i / R) * w + left + i % R;
            x[k * R * R + i] = (float)small.px[at * small.c + (small.c == 3 ? k : 0)] / 127.5f - 1;
        }
    }
out:
    hs_image_free(&small);
    return rc;
}
