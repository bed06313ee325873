#include <stdio.h>
#include <string.h>

#include "core/model/unet_net.h"

/* Where a layer stands: everything hs_params_take needs to name it. */
typedef struct {
    hs_unet *u;
    hs_params *p;
    hs_site site;
    size_t l, j;
    int decoder;
} place;

/* Remembers a parameter of a network that is trained. */
static int remember(const place *at, hs_part part, hs_param_kind kind, size_t rank, const size_t *dim,
                    const float *value)
{
    hs_unet *u = at->u;
    hs_unet_named *n = &u->named[u->n_named++];
    *n = (hs_unet_named){.rank = rank, .count = 1, .offset = (size_t)(value - u->theta)};
    for (size_t i = 0; i < rank; i++) {
        n->dim[i] = dim[i];
        n->count *= dim[i];
    }
    return hs_params_saved_name(at->p, at->site, at->l, at->j, part, kind, n->name);
}

static int take(const place *at, hs_part part, hs_param_kind kind, size_t fan_in, size_t rank, const size_t *dim,
                const float **out)
{
    int rc = HS_OK;
    HS_TRY(hs_params_take(at->p, &at->u->arena, at->site, at->l, at->j, part, kind, fan_in, rank, dim, out));
    if (at->u->theta != NULL) {
        HS_TRY(remember(at, part, kind, rank, dim, *out));
    }
out:
    return rc;
}

/* to (rows, cols; row length to_ld) <- from (row length from_ld), now and whenever the parameters change. */
static void copy_apart(const place *at, float *to, size_t to_ld, const float *from, size_t from_ld, size_t rows,
                       size_t cols)
{
    hs_unet *u = at->u;
    for (size_t r = 0; r < rows; r++) {
        memcpy(to + r * to_ld, from + r * from_ld, cols * sizeof *to);
    }
    if (u->theta != NULL) {
        u->copy[u->n_copy++] =
            (hs_unet_copy){(size_t)(to - u->theta), to_ld, (size_t)(from - u->theta), from_ld, rows, cols};
    }
}

static int take_norm(const place *at, hs_part part, size_t c, int silu, hs_groupnorm *out)
{
    int rc = HS_OK;
    out->groups = at->u->cfg.groups;
    out->eps = (float)at->u->cfg.norm_eps;
    out->silu = silu;
    HS_TRY(take(at, part, HS_GAIN, 0, 1, &c, &out->gamma));
    HS_TRY(take(at, part, HS_BIAS, c, 1, &c, &out->beta));
out:
    return rc;
}

static int take_linear(const place *at, hs_part part, size_t out_n, size_t in_n, const float **w, const float **b)
{
    int rc = HS_OK;
    HS_TRY(take(at, part, HS_KERNEL, in_n, 2, (const size_t[]){out_n, in_n}, w));
    HS_TRY(take(at, part, HS_BIAS, in_n, 1, &out_n, b));
out:
    return rc;
}

/* Room was made for every convolution: see make_room. */
static int add_conv(const place *at, const char *what, hs_conv_shape shape, size_t side, const float *w, const float *b)
{
    hs_unet *u = at->u;
    hs_conv_def *d = &u->conv[u->n_conv];
    *d = (hs_conv_def){.shape = shape, .weight = w, .bias = b, .side = side, .decoder = at->decoder};
    snprintf(d->name, sizeof d->name, "%s", what);
    return (int)u->n_conv++;
}

static void conv_name(const place *at, const char *what, char out[48])
{
    static const char *const where[HS_SITE_COUNT] = {
        [HS_SITE_CONV_IN] = "in",       [HS_SITE_DOWN_BLOCK] = "down",      [HS_SITE_DOWN_ATTN] = "down",
        [HS_SITE_DOWN_SAMPLE] = "down", [HS_SITE_DOWN_SAMPLE_RES] = "down", [HS_SITE_MID_BLOCK_0] = "mid",
        [HS_SITE_MID_ATTN] = "mid",     [HS_SITE_MID_BLOCK_1] = "mid",      [HS_SITE_UP_BLOCK] = "up",
        [HS_SITE_UP_ATTN] = "up",       [HS_SITE_UP_SAMPLE] = "up",         [HS_SITE_UP_SAMPLE_RES] = "up",
        [HS_SITE_CONV_OUT] = "out",
    };
    snprintf(out, 48, "%s.%zu.%zu.%s", where[at->site], at->l, at->j, what);
}

static int take_conv(const place *at, hs_part part, const char *what, hs_conv_shape shape, size_t side, int *index)
{
    const float *w = NULL, *b = NULL;
    size_t k = shape.kernel, fan_in = shape.in_ch * k * k;
    char name[48];
    int rc = HS_OK;
    HS_TRY(take(at, part, HS_KERNEL, fan_in, k == 1 ? 2 : 4, (const size_t[]){shape.out_ch, shape.in_ch, k, k}, &w));
    HS_TRY(take(at, part, HS_BIAS, fan_in, 1, &shape.out_ch, &b));
    conv_name(at, what, name);
    *index = add_conv(at, name, shape, side, w, b);
out:
    return rc;
}

static hs_conv_shape same3(size_t in, size_t out)
{
    return (hs_conv_shape){in, out, 3, 1, 1, 1, 1, 1};
}

static hs_conv_shape point(size_t in, size_t out)
{
    return (hs_conv_shape){in, out, 1, 1, 0, 0, 0, 0};
}

/* The 1x1 shortcut of a concatenation is the sum of one of each part: the columns of its matrix are
 * copied apart, so that the activations need not be copied together. */
static int take_split_shortcut(const place *at, hs_block *k)
{
    const float *w = NULL, *b = NULL;
    float *part1 = NULL, *part2 = NULL;
    size_t c = k->c1 + k->c2;
    char name[48];
    int rc = HS_OK;
    HS_TRY(take_linear(at, HS_PART_SHORTCUT, k->out, c, &w, &b));
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, k->out * k->c1, &part1));
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, k->out * k->c2, &part2));
    copy_apart(at, part1, k->c1, w, c, k->out, k->c1);
    copy_apart(at, part2, k->c2, w + k->c1, c, k->out, k->c2);
    conv_name(at, "shortcut", name);
    k->short1 = add_conv(at, name, point(k->c1, k->out), k->side, part1, b);
    conv_name(at, "shortcut.skip", name);
    k->short2 = add_conv(at, name, point(k->c2, k->out), k->side, part2, NULL);
out:
    return rc;
}

static int build_block(const place *at, size_t c1, size_t c2, size_t out_ch, size_t side, int resample, hs_block *k)
{
    hs_unet *u = at->u;
    size_t inner = resample < 0 ? side / 2 : resample > 0 ? side * 2 : side;
    int rc = HS_OK;
    *k = (hs_block){.c1 = c1, .c2 = c2, .out = out_ch, .side = side, .resample = resample, .inv_scale = 1};
    k->short1 = k->short2 = HS_NO_CONV;
    HS_TRY(take_norm(at, HS_PART_NORM1, c1 + c2, 1, &k->norm1));
    HS_TRY(take_conv(at, HS_PART_CONV1, "conv1", same3(c1 + c2, out_ch), inner, &k->conv1));
    k->time = u->cfg.scale_shift ? 2 * out_ch : out_ch;
    k->time_at = u->time_total;
    u->time_total += k->time;
    HS_TRY(take_linear(at, HS_PART_TEMB, k->time, u->cfg.temb_dim, &k->time_w, &k->time_b));
    HS_TRY(take_norm(at, HS_PART_NORM2, out_ch, 1, &k->norm2));
    HS_TRY(take_conv(at, HS_PART_CONV2, "conv2", same3(out_ch, out_ch), inner, &k->conv2));
    if (c2 > 0) {
        HS_TRY(take_split_shortcut(at, k));
    } else if (c1 != out_ch) {
        HS_TRY(take_conv(at, HS_PART_SHORTCUT, "shortcut", point(c1, out_ch), side, &k->short1));
    }
out:
    return rc;
}

/* One matrix with the three of each head together -> the three of all heads. */
static int take_by_head(const place *at, size_t c, size_t heads, const float **w, const float **b)
{
    const float *stored_w = NULL, *stored_b = NULL;
    float *own_w = NULL, *own_b = NULL;
    size_t d = c / heads;
    int rc = HS_OK;
    HS_TRY(take_linear(at, HS_PART_QKV, 3 * c, c, &stored_w, &stored_b));
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, 3 * c * c, &own_w));
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, 3 * c, &own_b));
    for (size_t i = 0; i < 3; i++) {
        copy_apart(at, own_w + i * c * c, d * c, stored_w + i * d * c, 3 * d * c, heads, d * c);
        copy_apart(at, own_b + i * c, d, stored_b + i * d, 3 * d, heads, d);
    }
    *w = own_w;
    *b = own_b;
out:
    return rc;
}

/* q, k and v one below the other, so that one product gives all three. */
static int take_apart(const place *at, size_t c, const float **all_w, const float **all_b)
{
    static const hs_part parts[3] = {HS_PART_Q, HS_PART_K, HS_PART_V};
    float *w = NULL, *b = NULL;
    int rc = HS_OK;
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, 3 * c * c, &w));
    HS_TRY(hs_params_reserve(at->p, &at->u->arena, 3 * c, &b));
    for (size_t i = 0; i < 3; i++) {
        const float *wi = NULL, *bi = NULL;
        HS_TRY(take_linear(at, parts[i], c, c, &wi, &bi));
        copy_apart(at, w + i * c * c, c, wi, c, c, c);
        copy_apart(at, b + i * c, c, bi, c, 1, c);
    }
    *all_w = w;
    *all_b = b;
out:
    return rc;
}

static int take_qkv(const place *at, size_t c, size_t side, size_t heads, int *index)
{
    const float *w = NULL, *b = NULL;
    char name[48];
    int rc = HS_OK;
    switch (at->u->cfg.qkv) {
    case HS_QKV_APART: HS_TRY(take_apart(at, c, &w, &b)); break;
    case HS_QKV_BY_HEAD: HS_TRY(take_by_head(at, c, heads, &w, &b)); break;
    case HS_QKV_WHOLE: HS_TRY(take_linear(at, HS_PART_QKV, 3 * c, c, &w, &b)); break;
    }
    conv_name(at, "qkv", name);
    *index = add_conv(at, name, point(c, 3 * c), side, w, b);
out:
    return rc;
}

static int build_attn(const place *at, int with_norm, hs_block *k)
{
    const hs_unet_config *cfg = &at->u->cfg;
    size_t c = k->out, side = k->side;
    int rc = HS_OK;
    k->has_attn = 1;
    k->attn.heads = hs_unet_heads(cfg, c, at->decoder);
    k->attn.adds_normed = cfg->attn_adds_normed;
    if (with_norm) {
        HS_TRY(take_norm(at, HS_PART_ATTN_NORM, c, 0, &k->attn.norm));
    }
    HS_TRY(take_qkv(at, c, side, k->attn.heads, &k->attn.qkv));
    HS_TRY(take_conv(at, HS_PART_PROJ, "proj", point(c, c), side, &k->attn.proj));
out:
    return rc;
}

/* A resampling stage at the end of level l: a residual block or a convolution. */
static int build_down(place at, size_t c, size_t side, hs_stage *s)
{
    const hs_unet_config *cfg = &at.u->cfg;
    size_t pad = cfg->down_pad;
    at.j = cfg->blocks[at.l];
    if (cfg->resnet_updown[at.l]) {
        at.site = HS_SITE_DOWN_SAMPLE_RES;
        s->kind = HS_STAGE_BLOCK;
        return build_block(&at, c, 0, c, side, -1, &s->block);
    }
    at.site = HS_SITE_DOWN_SAMPLE;
    s->kind = HS_STAGE_CONV;
    return take_conv(&at, HS_PART_SELF, "sample", (hs_conv_shape){c, c, 3, 2, pad, pad, 1, 1}, side, &s->conv);
}

static int build_up(place at, size_t c, size_t side, hs_stage *s)
{
    at.j = at.u->cfg.blocks[at.l] + 1;
    if (at.u->cfg.resnet_up[at.l]) {
        at.site = HS_SITE_UP_SAMPLE_RES;
        s->kind = HS_STAGE_BLOCK;
        return build_block(&at, c, 0, c, side, 1, &s->block);
    }
    at.site = HS_SITE_UP_SAMPLE;
    s->kind = HS_STAGE_UP;
    return take_conv(&at, HS_PART_SELF, "sample", same3(c, c), 2 * side, &s->conv);
}

static int build_encoder(hs_unet *u, hs_params *p)
{
    const hs_unet_config *cfg = &u->cfg;
    size_t side = cfg->image_size, c = cfg->ch[0];
    place at = {u, p, HS_SITE_CONV_IN, 0, 0, 0};
    int rc = HS_OK;
    u->enc[u->n_enc].kind = HS_STAGE_CONV;
    HS_TRY(take_conv(&at, HS_PART_SELF, "conv", same3(cfg->in_ch, c), side, &u->enc[u->n_enc++].conv));
    for (at.l = 0; at.l < cfg->levels; at.l++) {
        for (at.j = 0; at.j < cfg->blocks[at.l]; at.j++) {
            hs_stage *s = &u->enc[u->n_enc++];
            s->kind = HS_STAGE_BLOCK;
            at.site = HS_SITE_DOWN_BLOCK;
            HS_TRY(build_block(&at, c, 0, cfg->ch[at.l], side, 0, &s->block));
            c = cfg->ch[at.l];
            at.site = HS_SITE_DOWN_ATTN;
            if (cfg->attn_down[at.l]) {
                HS_TRY(build_attn(&at, 1, &s->block));
            }
        }
        if (at.l + 1 < cfg->levels) {
            HS_TRY(build_down(at, c, side, &u->enc[u->n_enc++]));
            side /= 2;
        }
    }
out:
    return rc;
}

static int build_middle(hs_unet *u, hs_params *p)
{
    const hs_unet_config *cfg = &u->cfg;
    hs_chw h = hs_unet_h_shape(cfg);
    place at = {u, p, HS_SITE_MID_BLOCK_0, 0, 0, 0};
    int rc = HS_OK;
    HS_TRY(build_block(&at, h.c, 0, h.c, h.h, 0, &u->mid[0]));
    at.site = HS_SITE_MID_ATTN;
    at.j = 1;
    if (cfg->attn_mid) {
        HS_TRY(build_attn(&at, cfg->attn_mid_norm, &u->mid[0]));
    }
    at.site = HS_SITE_MID_BLOCK_1;
    at.j = 2;
    HS_TRY(build_block(&at, h.c, 0, h.c, h.h, 0, &u->mid[1]));
    u->mid[0].inv_scale = u->mid[1].inv_scale = (float)(1 / cfg->mid_scale);
out:
    return rc;
}

static int build_level_up(place at, size_t *c, size_t side, size_t *skip)
{
    hs_unet *u = at.u;
    const hs_unet_config *cfg = &u->cfg;
    int rc = HS_OK;
    for (at.j = 0; at.j <= cfg->blocks[at.l]; at.j++) {
        hs_stage *s = &u->dec[u->n_dec++];
        s->kind = HS_STAGE_BLOCK;
        at.site = HS_SITE_UP_BLOCK;
        HS_TRY(build_block(&at, *c, hs_unet_skip_shape(cfg, --*skip).c, cfg->ch[at.l], side, 0, &s->block));
        *c = cfg->ch[at.l];
        at.site = HS_SITE_UP_ATTN;
        if (cfg->attn_up[at.l]) {
            HS_TRY(build_attn(&at, 1, &s->block));
        }
    }
    if (at.l > 0) {
        HS_TRY(build_up(at, *c, side, &u->dec[u->n_dec++]));
    }
out:
    return rc;
}

static int build_decoder(hs_unet *u, hs_params *p)
{
    const hs_unet_config *cfg = &u->cfg;
    size_t c = cfg->ch[cfg->levels - 1], skip = hs_unet_skip_count(cfg);
    place at = {u, p, HS_SITE_UP_BLOCK, 0, 0, 1};
    int rc = HS_OK;
    for (size_t i = cfg->levels; i-- > 0;) {
        at.l = i;
        HS_TRY(build_level_up(at, &c, cfg->image_size >> i, &skip));
    }
    at = (place){u, p, HS_SITE_NORM_OUT, 0, 0, 1};
    HS_TRY(take_norm(&at, HS_PART_SELF, c, 1, &u->norm_out));
    at.site = HS_SITE_CONV_OUT;
    HS_TRY(take_conv(&at, HS_PART_SELF, "conv", same3(c, cfg->out_ch), cfg->image_size, &u->conv_out));
    u->conv[u->conv_out].shape.out_ch = cfg->in_ch; /* the noise comes first, a learned variance isn't computed */
out:
    return rc;
}

static int build_time(hs_unet *u, hs_params *p)
{
    const hs_unet_config *cfg = &u->cfg;
    place at = {u, p, HS_SITE_TEMB_0, 0, 0, 0};
    int rc = HS_OK;
    HS_TRY(take_linear(&at, HS_PART_SELF, cfg->temb_dim, cfg->temb_base, &u->temb_w[0], &u->temb_b[0]));
    at.site = HS_SITE_TEMB_1;
    HS_TRY(take_linear(&at, HS_PART_SELF, cfg->temb_dim, cfg->temb_dim, &u->temb_w[1], &u->temb_b[1]));
    at.site = HS_SITE_CLASS;
    if (cfg->classes > 0) {
        const size_t dim[2] = {cfg->classes, cfg->temb_dim};
        HS_TRY(take(&at, HS_PART_SELF, HS_KERNEL, cfg->temb_dim, 2, dim, &u->class_w));
    }
out:
    return rc;
}

/* An upper bound: six convolutions a block, as many blocks as skips and decoder blocks. */
static int make_room(hs_unet *u)
{
    size_t stages = 2 * hs_unet_skip_count(&u->cfg) + 2 * u->cfg.levels + 2, convs = 6 * (stages + 2);
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&u->arena, stages, sizeof *u->enc, &u->enc));
    HS_TRY(hs_arena_alloc(&u->arena, stages, sizeof *u->dec, &u->dec));
    HS_TRY(hs_arena_alloc(&u->arena, convs, sizeof *u->conv, &u->conv));
    if (u->theta != NULL) { /* names: at most three a convolution and norm; copies: two a shortcut, six an attention */
        HS_TRY(hs_arena_alloc(&u->arena, 4 * convs, sizeof *u->named, &u->named));
        HS_TRY(hs_arena_alloc(&u->arena, 2 * convs, sizeof *u->copy, &u->copy));
    }
    memset(u->enc, 0, stages * sizeof *u->enc);
    memset(u->dec, 0, stages * sizeof *u->dec);
out:
    return rc;
}

int hs_unet_build(hs_unet *u, hs_params *p)
{
    int rc = HS_OK;
    HS_TRY(make_room(u));
    HS_TRY(build_time(u, p));
    HS_TRY(build_encoder(u, p));
    HS_TRY(build_middle(u, p));
    HS_TRY(build_decoder(u, p));
    HS_TRY(hs_params_finish(p));
    u->parameters = hs_params_count(p);
out:
    return rc;
}
