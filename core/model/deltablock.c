#include "core/model/deltablock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/model/deltablock_net.h"
#include "core/nn/linear.h"
#include "core/tensor/layout.h"

static const char *const param_name[2][HS_DELTABLOCK_PARAMS_MAX] = {
    {"conv1.weight", "conv1.bias", "temb_proj.weight", "temb_proj.bias", "norm2.weight", "norm2.bias", "conv2.weight",
     "conv2.bias"},
    {"in_layers.2.weight", "in_layers.2.bias", "emb_layers.1.weight", "emb_layers.1.bias", "out_layers.0.weight",
     "out_layers.0.bias", "out_layers.3.weight", "out_layers.3.bias", "in_layers.0.weight", "in_layers.0.bias"}};

static const hs_tensor *find(const hs_tensors *ts, const char *prefix, const char *name, char shown[128])
{
    char full[128];
    snprintf(full, sizeof full, "%s%s", prefix, name);
    hs_text_escape(full, shown, 128);
    return hs_tensors_find(ts, full);
}

static int is_matrix(size_t i)
{
    return i == HS_DELTA_CONV1_W || i == HS_DELTA_TIME_W || i == HS_DELTA_CONV2_W;
}

/* Rows of parameter i: its first size. */
static size_t rows_of(const hs_deltablock *f, size_t i)
{
    return i >= HS_DELTA_CONV2_W ? f->io : f->c;
}

/* *out <- the tensor of parameter i, of the right shape; 1x1 kernels have 1s behind. */
static int take(const hs_deltablock *f, const hs_tensors *ts, const char *prefix, size_t i, const hs_tensor **out)
{
    char shown[128];
    const hs_tensor *t = find(ts, prefix, param_name[f->adm][i], shown);
    if (t == NULL) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing", shown);
    }
    size_t n0 = rows_of(f, i), n1 = (f->at[i + 1] - f->at[i]) / n0, matrix = (size_t)is_matrix(i),
           want_rank = 1 + matrix;
    int fits = t->rank >= want_rank && t->dim[0] == n0 && (!matrix || t->dim[1] == n1);
    for (size_t k = want_rank; fits && k < t->rank; k++) {
        fits = matrix && t->dim[k] == 1;
    }
    if (!fits) {
        char want[48] = "";
        snprintf(want, sizeof want, matrix ? "(%zu, %zu)" : "(%zu)", n0, n1);
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" has rank %zu and first sizes %llu, %llu; wanted %s", shown,
                       t->rank, t->rank > 0 ? (unsigned long long)t->dim[0] : 0,
                       t->rank > 1 ? (unsigned long long)t->dim[1] : 0, want);
    }
    *out = t;
    return HS_OK;
}

/* Channels and embedding width from the two matrices that have them. */
static int find_sizes(hs_deltablock *f, const hs_tensors *ts, const char *prefix)
{
    char shown[128];
    f->adm = find(ts, prefix, "in_layers.0.weight", shown) != NULL;
    const hs_tensor *conv = find(ts, prefix, param_name[f->adm][HS_DELTA_CONV1_W], shown);
    if (conv == NULL || conv->rank < 2 || conv->dim[0] % HS_DELTA_GROUPS != 0 || conv->dim[0] == 0 ||
        conv->dim[1] == 0) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing or not (hidden, C, 1, 1), hidden a multiple of %d",
                       shown, HS_DELTA_GROUPS);
    }
    const hs_tensor *time = find(ts, prefix, param_name[f->adm][HS_DELTA_TIME_W], shown);
    if (time == NULL || time->rank != 2 || time->dim[1] == 0) {
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is missing or not (hidden, temb)", shown);
    }
    f->io = (size_t)conv->dim[1];
    f->c = (size_t)conv->dim[0];
    f->temb = (size_t)time->dim[1];
    if (f->adm && f->io % HS_DELTA_GROUPS != 0) {
        (void)find(ts, prefix, param_name[f->adm][HS_DELTA_CONV1_W], shown);
        return hs_fail(HS_EFORMAT, "f_t: tensor \"%s\" is for %zu channels; wanted a multiple of %d", shown, f->io,
                       HS_DELTA_GROUPS);
    }
    return HS_OK;
}

/* Where each parameter begins. */
static int lay_out(hs_deltablock *f)
{
    size_t square, time, all = 0;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(f->c, f->io, &square));
    HS_TRY(hs_size_mul(f->c, f->temb, &time));
    const size_t own = f->adm ? f->io : 0;
    const size_t count[HS_DELTABLOCK_PARAMS_MAX] = {square, f->c, time, f->c, f->c, f->c, square, f->io, own, own};
    for (size_t i = 0; i < HS_DELTABLOCK_PARAMS_MAX; i++) {
        f->at[i] = all;
        HS_TRY(hs_size_add(all, count[i], &all));
    }
    f->at[HS_DELTABLOCK_PARAMS_MAX] = all;
out:
    return rc;
}

static int load(hs_deltablock *f, const hs_tensors *ts, const char *prefix)
{
    const hs_tensor *t[HS_DELTABLOCK_PARAMS_MAX];
    int rc = HS_OK;
    HS_TRY(find_sizes(f, ts, prefix));
    HS_TRY(lay_out(f));
    for (size_t i = 0; i < hs_deltablock_param_count(f); i++) {
        HS_TRY(take(f, ts, prefix, i, &t[i]));
    }
    HS_TRY(hs_alloc(f->at[HS_DELTABLOCK_PARAMS_MAX], sizeof *f->theta, &f->theta));
    for (size_t i = 0; i < hs_deltablock_param_count(f); i++) {
        hs_to_f32(t[i]->dtype, t[i]->bytes, t[i]->count, f->theta + f->at[i]);
    }
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

/* Parameter i as PyTorch begins it. */
static void draw(hs_deltablock *f, size_t i, uint64_t seed, int silent)
{
    int last = i == HS_DELTA_CONV2_W || i == HS_DELTA_CONV2_B, gain = i == HS_DELTA_GAMMA || i == HS_DELTA_GAMMA0;
    int bias_of_norm = i == HS_DELTA_BETA || i == HS_DELTA_BETA0;
    size_t count = f->at[i + 1] - f->at[i];
    size_t fan = i == HS_DELTA_TIME_W || i == HS_DELTA_TIME_B ? f->temb : last ? f->c : f->io;
    float bound = 1 / sqrtf((float)fan), *w = f->theta + f->at[i];
    for (size_t k = 0; k < count; k++) {
        double u = hs_rng_uniform((hs_rng){seed, HS_RNG_WEIGHTS, i}, k);
        w[k] = gain ? 1 : bias_of_norm || (silent && last) ? 0 : bound * (float)(2 * u - 1);
    }
}

HS_CHECKED static int check_sizes(const hs_deltablock *f)
{
    if (f->io == 0 || f->c == 0 || f->c % HS_DELTA_GROUPS != 0 || f->temb == 0) {
        return hs_fail(HS_ERANGE,
                       "f_t of %zu channels, %zu hidden, for embeddings of %zu: wanted at least 1, hidden a multiple "
                       "of %d",
                       f->io, f->c, f->temb, HS_DELTA_GROUPS);
    }
    if (f->adm && f->io % HS_DELTA_GROUPS != 0) {
        return hs_fail(HS_ERANGE, "f_t of the ADM type of %zu channels: wanted a multiple of %d", f->io,
                       HS_DELTA_GROUPS);
    }
    return HS_OK;
}

static int random_of(const hs_deltablock *sizes, uint64_t seed, int silent, hs_deltablock **out)
{
    hs_deltablock *f = NULL;
    int rc = HS_OK;
    HS_TRY(check_sizes(sizes));
    HS_TRY(hs_calloc(1, sizeof *f, &f));
    *f = *sizes;
    HS_TRY(lay_out(f));
    HS_TRY(hs_alloc(f->at[HS_DELTABLOCK_PARAMS_MAX], sizeof *f->theta, &f->theta));
    for (size_t i = 0; i < hs_deltablock_param_count(f); i++) {
        draw(f, i, seed, silent);
    }
    *out = f;
    f = NULL;
out:
    hs_deltablock_free(f);
    return rc;
}

int hs_deltablock_random(size_t c, size_t hidden, size_t temb, uint64_t seed, int silent, hs_deltablock **out)
{
    return random_of(&(hs_deltablock){.io = c, .c = hidden, .temb = temb}, seed, silent, out);
}

int hs_deltablock_random_adm(size_t c, size_t hidden, size_t temb, uint64_t seed, int silent, hs_deltablock **out)
{
    return random_of(&(hs_deltablock){.io = c, .c = hidden, .temb = temb, .adm = 1}, seed, silent, out);
}

void hs_deltablock_free(hs_deltablock *f)
{
    if (f != NULL) {
        free(f->theta);
        free(f);
    }
}

size_t hs_deltablock_channels(const hs_deltablock *f)
{
    return f->io;
}

size_t hs_deltablock_hidden(const hs_deltablock *f)
{
    return f->c;
}

size_t hs_deltablock_temb_dim(const hs_deltablock *f)
{
    return f->temb;
}

float *hs_deltablock_theta(hs_deltablock *f, size_t *count)
{
    *count = f->at[HS_DELTABLOCK_PARAMS_MAX];
    return f->theta;
}

size_t hs_deltablock_param_count(const hs_deltablock *f)
{
    return f->adm ? HS_DELTABLOCK_PARAMS_MAX : HS_DELTA_GAMMA0;
}

hs_deltablock_param hs_deltablock_param_at(const hs_deltablock *f, size_t i)
{
    return (hs_deltablock_param){.name = param_name[f->adm][i],
                                 .offset = f->at[i],
                                 .count = f->at[i + 1] - f->at[i],
                                 .rows = rows_of(f, i),
                                 .matrix = is_matrix(i),
                                 .kernel = i == HS_DELTA_CONV1_W || i == HS_DELTA_CONV2_W};
}

const float *hs_delta_at(const hs_deltablock *f, hs_delta_param p)
{
    return f->theta + f->at[p];
}

hs_groupnorm hs_delta_norm(const hs_deltablock *f)
{
    float eps = f->adm ? 1e-5f : 1e-6f;
    return (hs_groupnorm){HS_DELTA_GROUPS, eps, hs_delta_at(f, HS_DELTA_GAMMA), hs_delta_at(f, HS_DELTA_BETA), 1};
}

hs_groupnorm hs_delta_norm0(const hs_deltablock *f)
{
    return (hs_groupnorm){HS_DELTA_GROUPS, 1e-5f, hs_delta_at(f, HS_DELTA_GAMMA0), hs_delta_at(f, HS_DELTA_BETA0), 1};
}

int hs_delta_fits(const hs_deltablock *f, hs_chw shape)
{
    if (shape.c != f->io) {
        return hs_fail(HS_ESHAPE, "f_t works on %zu channels, h has %zu", f->io, shape.c);
    }
    return HS_OK;
}

/* v (n, hw, c) += temb_proj(silu(temb)) at every pixel. */
static void add_time(const hs_deltablock *f, size_t n, size_t hw, const float *temb, const hs_delta_acts *a)
{
    hs_silu(n * f->temb, temb, a->act);
    hs_linear_forward(n, f->temb, f->c, a->act, hs_delta_at(f, HS_DELTA_TIME_W), hs_delta_at(f, HS_DELTA_TIME_B),
                      a->term);
    for (size_t i = 0; i < n * hw; i++) {
        for (size_t o = 0; o < f->c; o++) {
            a->v[i * f->c + o] += a->term[i / hw * f->c + o];
        }
    }
}

void hs_delta_run(const hs_deltablock *f, size_t n, size_t hw, const float *h, const float *temb,
                  const hs_delta_acts *a, float *dh)
{
    const hs_groupnorm norm = hs_delta_norm(f);
    hs_nchw_to_nhwc(n, f->io, hw, h, a->h);
    if (f->adm) {
        const hs_groupnorm first = hs_delta_norm0(f);
        hs_groupnorm_forward(&first, n, hw, f->io, a->h, 0, NULL, NULL, NULL, 0, a->s, a->stats0);
    }
    hs_linear_forward(n * hw, f->io, f->c, a->s, hs_delta_at(f, HS_DELTA_CONV1_W), hs_delta_at(f, HS_DELTA_CONV1_B),
                      a->v);
    if (temb != NULL) {
        add_time(f, n, hw, temb, a);
    }
    hs_groupnorm_forward(&norm, n, hw, f->c, a->v, 0, NULL, NULL, NULL, 0, a->u, a->stats);
    hs_linear_forward(n * hw, f->c, f->io, a->u, hs_delta_at(f, HS_DELTA_CONV2_W), hs_delta_at(f, HS_DELTA_CONV2_B),
                      a->out);
    hs_nhwc_to_nchw(n, f->io, hw, a->out, dh);
}

int hs_deltablock_forward(const hs_deltablock *f, size_t n, hs_chw shape, const float *h, const float *temb, float *dh)
{
    size_t hw = shape.h * shape.w;
    hs_delta_acts a = {0};
    int rc = HS_OK;
    HS_TRY(hs_delta_fits(f, shape));
    HS_TRY(hs_alloc(n * hw, f->io * sizeof(float), &a.h));
    HS_TRY(hs_alloc(n * hw, f->c * sizeof(float), &a.v));
    HS_TRY(hs_alloc(n, f->temb * sizeof(float), &a.act));
    HS_TRY(hs_alloc(n, f->c * sizeof(float), &a.term));
    a.u = a.v;
    a.out = a.s = a.h;
    hs_delta_run(f, n, hw, h, temb, &a, dh);
out:
    free(a.h);
    free(a.v);
    free(a.act);
    free(a.term);
    return rc;
}
