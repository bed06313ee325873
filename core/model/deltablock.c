#include "core/model/deltablock.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/nn/linear.h"
#include "core/nn/norm.h"
#include "core/tensor/layout.h"

enum { DELTA_GROUPS = 32 };

struct hs_deltablock {
    hs_arena arena;
    size_t c, temb;
    const float *conv1_w, *conv1_b, *time_w, *time_b, *gamma, *beta, *conv2_w, *conv2_b;
};

static const hs_tensor *find(const hs_tensors *ts, const char *prefix, const char *name, char shown[128])
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    hs_text_escape(full, shown, 128);
    return hs_tensors_find(ts, full);
}

/* *out <- a float32 copy of a tensor of n0 (x n1 where n1 > 0) values; 1x1 kernels have 1s behind. */
static int take(hs_deltablock *f, const hs_tensors *ts, const char *prefix, const char *name, size_t n0, size_t n1,
                const float **out)
{
    char shown[128];
    const hs_tensor *t = find(ts, prefix, name, shown);
    float *v = NULL;
    int rc = HS_OK;
    if (t == NULL) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing", shown);
    }
    size_t want_rank = n1 > 0 ? 2 : 1;
    int fits = t->rank >= want_rank && t->dim[0] == n0 && (n1 == 0 || t->dim[1] == n1);
    for (size_t i = want_rank; fits && i < t->rank; i++) {
        fits = n1 > 0 && t->dim[i] == 1;
    }
    if (!fits) {
        char want[48] = "";
        snprintf(want, sizeof want, n1 > 0 ? "(%zu, %zu)" : "(%zu)", n0, n1);
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" has rank %zu and first sizes %llu, %llu; wanted %s", shown,
                       t->rank, t->rank > 0 ? (unsigned long long)t->dim[0] : 0,
                       t->rank > 1 ? (unsigned long long)t->dim[1] : 0, want);
    }
    HS_TRY(hs_arena_alloc(&f->arena, t->count, sizeof *v, &v));
    hs_to_f32(t->dtype, t->bytes, t->count, v);
    *out = v;
out:
    return rc;
}

/* Channels and embedding width from the two matrices that have them. */
static int find_sizes(hs_deltablock *f, const hs_tensors *ts, const char *prefix)
{
    char shown[128];
    const hs_tensor *in = find(ts, prefix, "in_layers.0.weight", shown);
    if (in != NULL) {
        return hs_fail(HS_EFORMAT, "f_t: \"%s\": a delta network of the ADM type; only the DDPM type is supported",
                       shown);
    }
    const hs_tensor *conv = find(ts, prefix, "conv1.weight", shown);
    if (conv == NULL || conv->rank < 2 || conv->dim[0] % DELTA_GROUPS != 0 || conv->dim[0] == 0) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing or not (C, C, 1, 1) with C a multiple of %d", shown,
                       DELTA_GROUPS);
    }
    const hs_tensor *time = find(ts, prefix, "temb_proj.weight", shown);
    if (time == NULL || time->rank != 2 || time->dim[1] == 0) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing or not (C, temb)", shown);
    }
    f->c = (size_t)conv->dim[0];
    f->temb = (size_t)time->dim[1];
    return HS_OK;
}

static int load(hs_deltablock *f, const hs_tensors *ts, const char *prefix)
{
    int rc = HS_OK;
    HS_TRY(find_sizes(f, ts, prefix));
    HS_TRY(take(f, ts, prefix, "conv1.weight", f->c, f->c, &f->conv1_w));
    HS_TRY(take(f, ts, prefix, "conv1.bias", f->c, 0, &f->conv1_b));
    HS_TRY(take(f, ts, prefix, "temb_proj.weight", f->c, f->temb, &f->time_w));
    HS_TRY(take(f, ts, prefix, "temb_proj.bias", f->c, 0, &f->time_b));
    HS_TRY(take(f, ts, prefix, "norm2.weight", f->c, 0, &f->gamma));
    HS_TRY(take(f, ts, prefix, "norm2.bias", f->c, 0, &f->beta));
    HS_TRY(take(f, ts, prefix, "conv2.weight", f->c, f->c, &f->conv2_w));
    HS_TRY(take(f, ts, prefix, "conv2.bias", f->c, 0, &f->conv2_b));
out:
    return rc;
}

int hs_deltablock_load(const hs_tensors *ts, const char *prefix, hs_deltablock **out)
{
    hs_deltablock *f = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *f, &f));
    HS_TRY(load(f, ts, prefix));
    *out = f;
    f = NULL;
out:
    hs_deltablock_free(f);
    return rc;
}

void hs_deltablock_free(hs_deltablock *f)
{
    if (f != NULL) {
        hs_arena_free(&f->arena);
        free(f);
    }
}

size_t hs_deltablock_channels(const hs_deltablock *f)
{
    return f->c;
}

size_t hs_deltablock_temb_dim(const hs_deltablock *f)
{
    return f->temb;
}

/* v (n, hw, c) += temb_proj(silu(temb)) at every pixel. */
static int add_time(const hs_deltablock *f, size_t n, size_t hw, const float *temb, float *v)
{
    float *act = NULL, *term = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, f->temb * sizeof *act, &act));
    HS_TRY(hs_alloc(n, f->c * sizeof *term, &term));
    hs_silu(n * f->temb, temb, act);
    hs_linear_forward(n, f->temb, f->c, act, f->time_w, f->time_b, term);
    for (size_t i = 0; i < n * hw; i++) {
        for (size_t o = 0; o < f->c; o++) {
            v[i * f->c + o] += term[i / hw * f->c + o];
        }
    }
out:
    free(act);
    free(term);
    return rc;
}

int hs_deltablock_forward(const hs_deltablock *f, size_t n, hs_chw shape, const float *h, const float *temb, float *dh)
{
    size_t hw = shape.h * shape.w;
    float *x = NULL, *v = NULL;
    int rc = HS_OK;
    if (shape.c != f->c) {
        return hs_fail(HS_ESHAPE, "f_t works on %zu channels, h has %zu", f->c, shape.c);
    }
    const hs_groupnorm norm = {DELTA_GROUPS, 1e-6f, f->gamma, f->beta, 1};
    HS_TRY(hs_alloc(n * hw, f->c * sizeof *x, &x));
    HS_TRY(hs_alloc(n * hw, f->c * sizeof *v, &v));
    hs_nchw_to_nhwc(n, f->c, hw, h, x);
    hs_linear_forward(n * hw, f->c, f->c, x, f->conv1_w, f->conv1_b, v);
    if (temb != NULL) {
        HS_TRY(add_time(f, n, hw, temb, v));
    }
    hs_groupnorm_forward(&norm, n, hw, f->c, v, 0, NULL, NULL, NULL, 0, v, NULL);
    hs_linear_forward(n * hw, f->c, f->c, v, f->conv2_w, f->conv2_b, x);
    hs_nhwc_to_nchw(n, f->c, hw, x, dh);
out:
    free(x);
    free(v);
    return rc;
}
