#include "core/model/attrnet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/attrnet_net.h"
#include "core/nn/linear.h"
#include "core/tensor/layout.h"

static const float norm_eps = 1e-5f;

/* ---- Sizes ----------------------------------------------------------------------------------------- */

HS_CHECKED static int check_size(const char *what, size_t v, size_t lo, size_t hi, int code)
{
    return v >= lo && v <= hi ? HS_OK : hs_fail(code, "attribute network: %s %zu; wanted %zu to %zu", what, v, lo, hi);
}

HS_CHECKED static int check_factors(const hs_attrnet_config *c, int code)
{
    for (size_t k = 0; k < c->n_factors; k++) {
        const hs_attr_factor *f = &c->factor[k];
        if (f->name[0] == '\0' || memchr(f->name, '\0', sizeof f->name) == NULL) {
            return hs_fail(code, "attribute network: factor %zu has no name of 1 to 31 bytes", k);
        }
        if (!isfinite(f->mean) || !isfinite(f->sd) || f->sd <= 0) {
            return hs_fail(code, "attribute network: factor %s: mean %g, sd %g; wanted finite ones and sd above 0",
                           f->name, f->mean, f->sd);
        }
        for (size_t j = 0; j < k; j++) {
            if (strcmp(f->name, c->factor[j].name) == 0) {
                return hs_fail(code, "attribute network: factor %s is there twice", f->name);
            }
        }
    }
    return HS_OK;
}

HS_CHECKED static int check(const hs_attrnet_config *c, int code)
{
    int rc = HS_OK;
    HS_TRY(check_size("image_size", c->image_size, 4, 1024, code));
    HS_TRY(check_size("levels", c->levels, 1, HS_ATTR_LEVELS_MAX, code));
    HS_TRY(check_size("groups", c->groups, 1, 1024, code));
    HS_TRY(check_size("features", c->features, 1, 65536, code));
    HS_TRY(check_size("factors", c->n_factors, 1, HS_ATTR_FACTORS_MAX, code));
    for (size_t l = 0; l < c->levels; l++) {
        HS_TRY(check_size("channels", c->ch[l], 1, 4096, code));
        if (c->ch[l] % c->groups != 0) {
            return hs_fail(code, "attribute network: %zu channels don't divide into %zu groups", c->ch[l], c->groups);
        }
    }
    HS_TRY(check_factors(c, code));
out:
    return rc;
}

/* ---- The block ------------------------------------------------------------------------------------- */

/* Appends a tensor; its offset. */
static size_t add(hs_attr_layout *at, const char *module, const char *leaf, size_t rank, const size_t *dim,
                  size_t fan_in, float constant)
{
    hs_attr_param *p = &at->param[at->n_params++];
    *p = (hs_attr_param){.rank = rank, .count = 1, .offset = at->count, .fan_in = fan_in, .constant = constant};
    snprintf(p->name, sizeof p->name, "%s.%s", module, leaf);
    for (size_t i = 0; i < rank; i++) {
        p->dim[i] = dim[i];
        p->count *= dim[i];
    }
    at->count += p->count;
    return p->offset;
}

static void add_unit(hs_attr_layout *at, const char *conv, const char *norm, size_t side, size_t in, size_t out,
                     size_t stride)
{
    hs_attr_unit *u = &at->unit[at->n_units++];
    size_t dim[4] = {out, in, 3, 3};
    u->shape = (hs_conv_shape){in, out, 3, stride, 1, 1, 1, 1};
    u->side = side;
    u->out_side = (side - 1) / stride + 1;
    u->weight = add(at, conv, "weight", 4, dim, 9 * in, 0);
    u->bias = add(at, conv, "bias", 1, &out, 0, 0);
    u->gamma = add(at, norm, "weight", 1, &out, 0, 1);
    u->beta = add(at, norm, "bias", 1, &out, 0, 0);
}

int hs_attr_lay_out(const hs_attrnet_config *c, int code, hs_attr_layout *out)
{
    int rc = check(c, code);
    if (rc != HS_OK) {
        return rc;
    }
    hs_attr_layout at = {0};
    size_t side = c->image_size;
    add_unit(&at, "stem.conv", "stem.norm", side, 3, c->ch[0], 1);
    for (size_t l = 1; l < c->levels; l++) {
        char conv[48], norm[48];
        for (size_t j = 1; j <= 2; j++) {
            snprintf(conv, sizeof conv, "levels.%zu.conv%zu", l - 1, j);
            snprintf(norm, sizeof norm, "levels.%zu.norm%zu", l - 1, j);
            add_unit(&at, conv, norm, side, c->ch[j == 1 ? l - 1 : l], c->ch[l], j == 1 ? 2 : 1);
            side = at.unit[at.n_units - 1].out_side;
        }
    }
    at.flat = c->ch[c->levels - 1] * side * side; /* checked sizes: everything so far is far below 2^64 */
    const size_t feat[2] = {c->features, at.flat}, head[2] = {c->n_factors, c->features};
    at.feat_w = add(&at, "features", "weight", 2, feat, at.flat, 0);
    at.feat_b = add(&at, "features", "bias", 1, feat, 0, 0);
    at.head_w = add(&at, "head", "weight", 2, head, c->features, 0);
    at.head_b = add(&at, "head", "bias", 1, head, 0, 0);
    if (at.count > HS_ATTR_COUNT_MAX) {
        return hs_fail(HS_ELIMIT, "attribute network: %zu parameters; at most %d", at.count, HS_ATTR_COUNT_MAX);
    }
    *out = at;
    return HS_OK;
}

int hs_attr_new(const hs_attrnet_config *cfg, const hs_attr_layout *at, hs_attrnet **out)
{
    hs_attrnet *a = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    a->cfg = *cfg;
    a->at = *at;
    HS_TRY(hs_alloc(at->count, sizeof *a->theta, &a->theta));
    *out = a;
    a = NULL;
out:
    hs_attrnet_free(a);
    return rc;
}

/* Uniform in +-1/sqrt(fan_in). */
static void draw(hs_rng stream, size_t fan_in, size_t n, float *v)
{
    uint32_t word[256];
    double bound = 1 / sqrt((double)fan_in);
    for (size_t i = 0; i < n; i += 256) {
        size_t k = n - i < 256 ? n - i : 256;
        hs_rng_u32(stream, i, k, word);
        for (size_t e = 0; e < k; e++) {
            v[i + e] = (float)(bound * (((double)word[e] + 0.5) / 2147483648.0 - 1.0));
        }
    }
}

int hs_attrnet_random(const hs_attrnet_config *cfg, unsigned long long seed, hs_attrnet **out)
{
    hs_attr_layout at;
    hs_attrnet *a = NULL;
    int rc = HS_OK;
    HS_TRY(hs_attr_lay_out(cfg, HS_ERANGE, &at));
    HS_TRY(hs_attr_new(cfg, &at, &a));
    for (size_t i = 0; i < at.n_params; i++) {
        const hs_attr_param *p = &at.param[i];
        float *v = a->theta + p->offset;
        for (size_t e = 0; p->fan_in == 0 && e < p->count; e++) {
            v[e] = p->constant;
        }
        if (p->fan_in > 0) {
            draw((hs_rng){seed, HS_RNG_WEIGHTS, i}, p->fan_in, p->count, v);
        }
    }
    *out = a;
out:
    return rc;
}

void hs_attrnet_free(hs_attrnet *a)
{
    if (a != NULL) {
        free(a->theta);
        free(a);
    }
}

const hs_attrnet_config *hs_attrnet_config_of(const hs_attrnet *a)
{
    return &a->cfg;
}

int hs_attrnet_find(const hs_attrnet *a, const char *name)
{
    for (size_t k = 0; k < a->cfg.n_factors; k++) {
        if (strcmp(a->cfg.factor[k].name, name) == 0) {
            return (int)k;
        }
    }
    return -1;
}

float *hs_attrnet_theta(hs_attrnet *a, size_t *count)
{
    *count = a->at.count;
    return a->theta;
}

/* ---- Workspace ------------------------------------------------------------------------------------- */

/* Numbers an image in the map that a unit makes. */
static size_t map_size(const hs_attr_unit *u)
{
    return u->out_side * u->out_side * u->shape.out_ch;
}

/* Without derivatives two buffers do, each unit reading one and writing the other. */
HS_CHECKED static int allocate_maps(hs_attrnet_ws *ws)
{
    const hs_attr_layout *at = &ws->a->at;
    size_t most = 0;
    float *shared[2] = {NULL, NULL};
    int rc = HS_OK;
    for (size_t i = 0; i < at->n_units; i++) {
        most = map_size(&at->unit[i]) > most ? map_size(&at->unit[i]) : most;
    }
    for (size_t i = 0; !ws->grads && i < 2; i++) {
        HS_TRY(hs_arena_alloc(&ws->arena, ws->n, most * sizeof(float), &shared[i]));
    }
    for (size_t i = 0; i < at->n_units; i++) {
        ws->pre[i] = ws->act[i] = shared[i % 2];
        if (ws->grads) {
            size_t bytes = map_size(&at->unit[i]) * sizeof(float);
            HS_TRY(hs_arena_alloc(&ws->arena, ws->n, bytes, &ws->pre[i]));
            HS_TRY(hs_arena_alloc(&ws->arena, ws->n, bytes, &ws->act[i]));
            HS_TRY(hs_arena_alloc(&ws->arena, ws->n, 2 * ws->a->cfg.groups * sizeof(float), &ws->stats[i]));
        }
    }
out:
    return rc;
}

HS_CHECKED static int allocate(hs_attrnet_ws *ws)
{
    const hs_attrnet_config *c = &ws->a->cfg;
    int rc = HS_OK;
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, 3 * c->image_size * c->image_size * sizeof(float), &ws->x));
    HS_TRY(allocate_maps(ws));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, ws->a->at.flat * sizeof(float), &ws->flat));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, c->features * sizeof(float), &ws->z));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, c->features * sizeof(float), &ws->f));
out:
    return rc;
}

HS_CHECKED static int plan(hs_attrnet_ws *ws, hs_conv_mode mode)
{
    const hs_attr_layout *at = &ws->a->at;
    const float *theta = ws->a->theta;
    size_t most = 0, bytes = 0;
    int rc = HS_OK;
    for (size_t i = 0; i < at->n_units; i++) {
        const hs_attr_unit *u = &at->unit[i];
        HS_TRY(hs_conv_create(u->shape, theta + u->weight, theta + u->bias, &ws->conv[i]));
        HS_TRY(hs_conv_plan(ws->conv[i], mode, ws->n, u->side, u->side, &bytes));
        most = bytes > most ? bytes : most;
    }
    if (ws->grads) {
        HS_TRY(hs_attr_plan_grads(ws, mode, &most));
    }
    HS_TRY(hs_arena_alloc(&ws->arena, most, 1, &ws->scratch));
out:
    return rc;
}

int hs_attrnet_ws_create(const hs_attrnet *a, size_t n, int grads, hs_conv_mode mode, hs_attrnet_ws **out)
{
    hs_attrnet_ws *ws = NULL;
    int rc = HS_OK;
    if (n == 0 || n > 65536) {
        return hs_fail(HS_ERANGE, "workspace for %zu images; wanted 1 to 65536", n);
    }
    HS_TRY(hs_calloc(1, sizeof *ws, &ws));
    ws->a = a;
    ws->n = n;
    ws->grads = grads;
    HS_TRY(allocate(ws));
    HS_TRY(plan(ws, mode));
    *out = ws;
    ws = NULL;
out:
    hs_attrnet_ws_free(ws);
    return rc;
}

void hs_attrnet_ws_free(hs_attrnet_ws *ws)
{
    if (ws == NULL) {
        return;
    }
    for (size_t i = 0; i < HS_ATTR_UNITS_MAX; i++) {
        hs_conv_free(ws->conv[i]);
    }
    hs_arena_free(&ws->arena);
    free(ws);
}

int hs_attrnet_ws_refresh(hs_attrnet_ws *ws)
{
    int rc = HS_OK;
    ws->last = 0; /* what was kept belongs to the former parameters */
    for (size_t i = 0; i < ws->a->at.n_units; i++) {
        HS_TRY(hs_conv_refresh(ws->conv[i]));
    }
out:
    return rc;
}

/* ---- Forward --------------------------------------------------------------------------------------- */

hs_groupnorm hs_attr_norm(const hs_attrnet *a, size_t unit)
{
    const hs_attr_unit *u = &a->at.unit[unit];
    return (hs_groupnorm){a->cfg.groups, norm_eps, a->theta + u->gamma, a->theta + u->beta, 1};
}

int hs_attr_rows(const hs_attrnet_ws *ws, size_t n)
{
    return n >= 1 && n <= ws->n ? HS_OK
                                : hs_fail(HS_ERANGE, "%zu images; the workspace has room for 1 to %zu", n, ws->n);
}

int hs_attrnet_forward(hs_attrnet_ws *ws, size_t n, const float *x, float *out, float *features)
{
    const hs_attrnet *a = ws->a;
    const hs_attr_layout *at = &a->at;
    const hs_attr_unit *u = at->unit;
    size_t F = a->cfg.features;
    const float *in = ws->x;
    int rc = HS_OK;
    HS_TRY(hs_attr_rows(ws, n));
    ws->last = 0;
    hs_nchw_to_nhwc(n, 3, a->cfg.image_size * a->cfg.image_size, x, ws->x);
    for (size_t i = 0; i < at->n_units; i++, u++) {
        const hs_groupnorm gn = hs_attr_norm(a, i);
        HS_TRY(hs_conv_forward(ws->conv[i], n, u->side, u->side, in, NULL, NULL, ws->pre[i], ws->scratch));
        hs_groupnorm_forward(&gn, n, u->out_side * u->out_side, u->shape.out_ch, ws->pre[i], 0, NULL, NULL, NULL, 0,
                             ws->act[i], ws->stats[i]);
        in = ws->act[i];
    }
    u--;
    hs_nhwc_to_nchw(n, u->shape.out_ch, u->out_side * u->out_side, in, ws->flat);
    hs_linear_forward(n, at->flat, F, ws->flat, a->theta + at->feat_w, a->theta + at->feat_b, ws->z);
    hs_silu(n * F, ws->z, ws->f);
    hs_linear_forward(n, F, a->cfg.n_factors, ws->f, a->theta + at->head_w, a->theta + at->head_b, out);
    if (features != NULL) {
        memcpy(features, ws->f, n * F * sizeof *features);
    }
    ws->last = n;
out:
    return rc;
}

void hs_attrnet_values(const hs_attrnet *a, size_t n, const float *out, double *value)
{
    size_t K = a->cfg.n_factors;
    for (size_t i = 0; i < n * K; i++) {
        const hs_attr_factor *f = &a->cfg.factor[i % K];
        double o = (double)out[i];
        value[i] = f->binary ? 1 / (1 + exp(-o)) : f->mean + f->sd * o;
    }
}
