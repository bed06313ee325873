#include "analysis/train/delta.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/tensor/layout.h"

struct hs_delta_var {
    hs_delta_spec spec;
    hs_chw shape, image; /* of D; of the patched one that a network sees */
    size_t d, patch;     /* numbers of D; 0: no patches */
    hs_deltablock_grad *g;
    float *theta;    /* FREE, SHARED: owned */
    float *a, *b;    /* (batch, d) patches in and out, where there are any */
    size_t group, s; /* of the last forward */
};

void hs_delta_free(hs_delta_var *v)
{
    if (v != NULL) {
        hs_deltablock_grad_free(v->g);
        free(v->theta);
        free(v->a);
        free(v->b);
        free(v);
    }
}

const hs_delta_spec *hs_delta_spec_of(const hs_delta_var *v)
{
    return &v->spec;
}

hs_chw hs_delta_shape(const hs_delta_var *v)
{
    return v->shape;
}

size_t hs_delta_groups(const hs_delta_var *v)
{
    return (v->spec.n + v->spec.batch - 1) / v->spec.batch;
}

size_t hs_delta_group_size(const hs_delta_var *v, size_t group)
{
    size_t first = group * v->spec.batch;
    return v->spec.n - first < v->spec.batch ? v->spec.n - first : v->spec.batch;
}

/* Where D of a group begins at step s: its images lie side by side, so that an update moves one block. */
static size_t begin_of(const hs_delta_var *v, size_t group, size_t s)
{
    size_t before =
        v->spec.kind == HS_DELTA_SHARED ? s : group * v->spec.batch * v->spec.S + s * hs_delta_group_size(v, group);
    return before * v->d;
}

static size_t rows_of(const hs_delta_var *v, size_t group)
{
    return v->spec.kind == HS_DELTA_SHARED ? 1 : hs_delta_group_size(v, group);
}

/* Streams are keyed by the image, so that the batch doesn't matter. */
static void draw(hs_delta_var *v)
{
    size_t shared = v->spec.kind == HS_DELTA_SHARED, images = shared ? 1 : v->spec.n;
    for (size_t i = 0; i < images && !v->spec.silent; i++) {
        size_t group = i / v->spec.batch, at = i % v->spec.batch;
        hs_rng stream = {v->spec.seed, HS_RNG_WEIGHTS, shared ? v->spec.n : i};
        for (size_t s = 0; s < v->spec.S; s++) {
            float *x = v->theta + begin_of(v, group, s) + at * v->d;
            hs_rng_normal(stream, s * v->d, v->d, x);
            for (size_t k = 0; k < v->d; k++) {
                x[k] *= 0.2F;
            }
        }
    }
}

HS_CHECKED static int make_free(hs_delta_var *v)
{
    size_t rows = v->spec.S, count;
    int rc = HS_OK;
    if (v->spec.kind == HS_DELTA_FREE) {
        HS_TRY(hs_size_mul(v->spec.n, v->spec.S, &rows));
    }
    HS_TRY(hs_size_mul(rows, v->d, &count));
    HS_TRY(hs_calloc(count, sizeof *v->theta, &v->theta));
    draw(v);
out:
    return rc;
}

HS_CHECKED static int make_net(hs_delta_var *v, const hs_unet_config *cfg)
{
    const hs_deltablock *f = v->spec.net;
    hs_chw h = hs_unet_h_shape(cfg);
    int rc = HS_OK;
    v->image = v->shape;
    if (v->spec.eps) {
        v->patch = v->shape.h / h.h;
        v->image = (hs_chw){v->shape.c * v->patch * v->patch, h.h, h.w};
        HS_TRY(hs_alloc(v->spec.batch, v->d * sizeof *v->a, &v->a));
        HS_TRY(hs_alloc(v->spec.batch, v->d * sizeof *v->b, &v->b));
    }
    if (hs_deltablock_temb_dim(f) != cfg->temb_dim) {
        return hs_fail(HS_ESHAPE, "f_t takes embeddings of %zu, the model has %zu", hs_deltablock_temb_dim(f),
                       cfg->temb_dim);
    }
    HS_TRY(hs_deltablock_grad_create(f, v->image, v->spec.batch, v->spec.batch, &v->g));
out:
    return rc;
}

int hs_delta_create(const hs_unet_config *cfg, const hs_delta_spec *spec, hs_delta_var **out)
{
    hs_delta_var *v = NULL;
    int rc = HS_OK;
    if (spec->n == 0 || spec->S == 0 || spec->batch == 0 || spec->batch > spec->n) {
        return hs_fail(HS_ERANGE,
                       "%zu images, %zu at once, at %zu edited steps: wanted at least one of each, and no "
                       "more at once than there are",
                       spec->n, spec->batch, spec->S);
    }
    HS_TRY(hs_calloc(1, sizeof *v, &v));
    v->spec = *spec;
    v->shape = spec->eps ? hs_unet_image_shape(cfg) : hs_unet_h_shape(cfg);
    v->d = hs_chw_size(v->shape);
    HS_TRY(spec->kind == HS_DELTA_NET ? make_net(v, cfg) : make_free(v));
    *out = v;
    v = NULL;
out:
    hs_delta_free(v);
    return rc;
}

float *hs_delta_theta(hs_delta_var *v, size_t *count)
{
    if (v->spec.kind == HS_DELTA_NET) {
        return hs_deltablock_theta(v->spec.net, count);
    }
    *count = (v->spec.kind == HS_DELTA_SHARED ? 1 : v->spec.n) * v->spec.S * v->d;
    return v->theta;
}

HS_CHECKED static int ask_net(hs_delta_var *v, size_t n, const float *in, const float *temb, float *out)
{
    const hs_chw x = v->shape;
    int rc = HS_OK;
    if (v->patch == 0) {
        return hs_deltablock_grad_forward(v->g, n, in, temb, out);
    }
    hs_patches(n, x.c, x.h, x.w, v->patch, in, v->a);
    HS_TRY(hs_deltablock_grad_forward(v->g, n, v->a, temb, v->b));
    hs_patches_back(n, x.c, x.h, x.w, v->patch, v->b, out);
out:
    return rc;
}

int hs_delta_forward(hs_delta_var *v, size_t group, size_t s, const float *in, const float *temb, float *out)
{
    size_t n = hs_delta_group_size(v, group), rows = rows_of(v, group);
    v->group = group;
    v->s = s;
    if (v->spec.kind == HS_DELTA_NET) {
        return ask_net(v, n, in, temb, out);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(out + i * v->d, v->theta + begin_of(v, group, s) + (rows > 1 ? i : 0) * v->d, v->d * sizeof *out);
    }
    return HS_OK;
}

int hs_delta_backward(hs_delta_var *v, const float *u, float *grad)
{
    const hs_chw x = v->shape;
    size_t n = hs_delta_group_size(v, v->group), rows = rows_of(v, v->group);
    float own = v->spec.kind == HS_DELTA_FREE ? (float)n : 1;
    if (v->spec.kind == HS_DELTA_NET) {
        if (v->patch > 0) {
            hs_patches(n, x.c, x.h, x.w, v->patch, u, v->a);
        }
        return hs_deltablock_backward(v->g, v->patch > 0 ? v->a : u, grad);
    }
    for (size_t i = 0; i < n; i++) {
        float *to = grad + begin_of(v, v->group, v->s) + (rows > 1 ? i : 0) * v->d;
        for (size_t k = 0; k < v->d; k++) {
            to[k] += own * u[i * v->d + k];
        }
    }
    return HS_OK;
}

void hs_delta_span(const hs_delta_var *v, uint64_t round, size_t s, size_t *first, size_t *count, uint64_t *visit)
{
    size_t S = v->spec.S, groups = hs_delta_groups(v), group = (size_t)(round % groups);
    int whole = s == S;
    switch (v->spec.kind) {
    case HS_DELTA_NET:
        *first = 0;
        hs_deltablock_theta(v->spec.net, count);
        *visit = whole ? round + 1 : round * S + s + 1;
        break;
    case HS_DELTA_SHARED:
    case HS_DELTA_FREE:
        *first = begin_of(v, group, whole ? 0 : s);
        *count = (whole ? S : 1) * rows_of(v, group) * v->d;
        *visit = v->spec.kind == HS_DELTA_SHARED ? round + 1 : round / groups + 1;
        break;
    }
}

void hs_delta_of_image(const hs_delta_var *v, size_t image, float *out)
{
    size_t group = image / v->spec.batch, at = v->spec.kind == HS_DELTA_SHARED ? 0 : image % v->spec.batch;
    for (size_t s = 0; s < v->spec.S; s++) {
        memcpy(out + s * v->d, v->theta + begin_of(v, group, s) + at * v->d, v->d * sizeof *out);
    }
}
