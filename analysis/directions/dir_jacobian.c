#include "analysis/directions/dir_jacobian.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/model/asyrp.h"
#include "core/model/unet_grad.h"

/* ---- The states ---- */

/* The plain predictor, and the places where x_t is kept. */
typedef struct {
    hs_predictor inner;
    const hs_schedule *schedule;
    const hs_steps *steps;
    size_t first, n, d; /* images of this batch: first of n in all */
    size_t S;
    const int *t;
    float *x; /* (S, n, d) */
} walk;

HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    const walk *w = ctx;
    const hs_step *here = &w->steps->step[step];
    int below = step + 1 < w->steps->S ? w->steps->step[step + 1].t : -1;
    int rc = w->inner.predict(w->inner.ctx, n, x_t, t, step, eps_p, eps_d);
    for (size_t k = 0; k < w->S && rc == HS_OK; k++) {
        float *keep = w->x + (k * w->n + w->first) * w->d;
        if (w->t[k] == t) {
            memcpy(keep, x_t, n * w->d * sizeof *keep);
        } else if (w->t[k] < t && w->t[k] > below) {
            hs_step aside = {t, w->t[k], here->alpha_bar, w->schedule->alpha_bar[w->t[k]]};
            hs_ddim_step(&aside, 0, 0, n * w->d, x_t, eps_p, eps_d, NULL, keep, NULL);
        }
    }
    return rc;
}

HS_CHECKED static int check_timesteps(const hs_schedule *s, const hs_steps *steps, size_t S, const int *t)
{
    for (size_t k = 0; k < S; k++) {
        if (t[k] < 0 || (size_t)t[k] >= s->T) {
            return hs_fail(HS_ERANGE, "t = %d; wanted 0 to %zu", t[k], s->T - 1);
        }
        if (k > 0 && t[k] >= t[k - 1]) {
            return hs_fail(HS_ERANGE, "t = %d after %d; wanted falling timesteps", t[k], t[k - 1]);
        }
        if (t[k] > steps->step[0].t) {
            return hs_fail(HS_ERANGE, "t = %d is above %d, where sampling starts", t[k], steps->step[0].t);
        }
    }
    return S > 0 ? HS_OK : hs_fail(HS_ERANGE, "no timesteps");
}

int hs_jacobian_states(const hs_model *m, hs_conv_mode conv, const hs_steps *steps, size_t batch, size_t n,
                       const float *x_T, size_t S, const int *t, const hs_progress *progress, float *x)
{
    size_t d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(m->unet)));
    hs_steps part = *steps; /* down to the lowest t */
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    hs_unet_ws *ws = NULL;
    hs_asyrp *plain = NULL;
    float *run = NULL;
    int rc = HS_OK;
    HS_TRY(check_timesteps(&m->schedule, steps, S, t));
    while (part.S > 1 && part.step[part.S - 1].t < t[S - 1]) {
        part.S--;
    }
    batch = batch < n ? batch : n;
    HS_TRY(hs_unet_ws_create(m->unet, batch, batch, conv, &ws));
    HS_TRY(hs_asyrp_create(m->unet, ws, NULL, batch, &plain));
    HS_TRY(hs_alloc(batch, d * sizeof *run, &run));
    walk w = {hs_asyrp_predictor(plain), &m->schedule, &part, 0, n, d, S, t, x};
    o.progress = progress;
    for (; w.first < n; w.first += batch) {
        size_t count = n - w.first < batch ? n - w.first : batch;
        hs_unet_ws_first(ws, w.first);
        memcpy(run, x_T + w.first * d, count * d * sizeof *run);
        HS_TRY(hs_ddim_sample(&(hs_predictor){predict, &w}, &part, &o, count, d, run));
    }
out:
    free(run);
    hs_asyrp_free(plain);
    hs_unet_ws_free(ws);
    return rc;
}

/* ---- The operator: from h to the image's side of every sample ---- */

typedef struct {
    size_t n, d_h, d_x;
    int transposed;      /* h/x: from h to x is the adjoint */
    hs_linop *one;       /* (n) */
    unsigned char *kept; /* (d_x) inside the box; NULL: all */
    double scale;        /* 1 / sqrt(n) */
    float *x, *h;        /* (rows, d_x), (rows, d_h) */
    const hs_progress *progress;
    size_t done, of; /* timesteps */
} stack;

static void mask(const stack *s, size_t rows, float *x)
{
    for (size_t i = 0; s->kept != NULL && i < rows * s->d_x; i++) {
        x[i] = s->kept[i % s->d_x] ? x[i] : 0;
    }
}

/* Y (k, n, d_x) <- J_i X / sqrt(n) */
static int apply(void *ctx, size_t k, const float *X, float *Y)
{
    stack *s = ctx;
    int rc = HS_OK;
    for (size_t i = 0; i < s->n; i++) {
        const hs_linop *one = &s->one[i];
        HS_TRY(hs_progress_tell(s->progress, "jacobian", s->done, s->of));
        HS_TRY((s->transposed ? one->apply_adjoint : one->apply)(one->ctx, k, X, s->x));
        mask(s, k, s->x);
        for (size_t r = 0; r < k; r++) {
            for (size_t j = 0; j < s->d_x; j++) {
                Y[(r * s->n + i) * s->d_x + j] = (float)(s->scale * (double)s->x[r * s->d_x + j]);
            }
        }
    }
out:
    return rc;
}

/* X (k, d_h) <- sum_i J_i^T Y_i / sqrt(n) */
static int apply_adjoint(void *ctx, size_t k, const float *Y, float *X)
{
    stack *s = ctx;
    int rc = HS_OK;
    memset(X, 0, k * s->d_h * sizeof *X);
    for (size_t i = 0; i < s->n; i++) {
        const hs_linop *one = &s->one[i];
        HS_TRY(hs_progress_tell(s->progress, "jacobian", s->done, s->of));
        for (size_t r = 0; r < k; r++) {
            memcpy(s->x + r * s->d_x, Y + (r * s->n + i) * s->d_x, s->d_x * sizeof *Y);
        }
        mask(s, k, s->x);
        HS_TRY((s->transposed ? one->apply : one->apply_adjoint)(one->ctx, k, s->x, s->h));
        for (size_t j = 0; j < k * s->d_h; j++) {
            X[j] = (float)((double)X[j] + s->scale * (double)s->h[j]);
        }
    }
out:
    return rc;
}

/* ---- A run ---- */

typedef struct {
    const hs_model *m;
    const hs_jacobian_options *o;
    size_t rows; /* of a block */
    hs_arena arena;
    hs_unet_grad *g;
    hs_unet_jacobian *j; /* (n) */
    stack s;
    int *t;                   /* (n) */
    float *h, *eps;           /* (n, d_h), (n, d_x) */
    float *image, *dh;        /* (k, n d_x), (k, d_h) */
    double *sigma, *residual; /* (k), (2, k) */
    hs_jacobian *out;
} work;

void hs_jacobian_free(hs_jacobian *j)
{
    free(j->sigma);
    free(j->residual[0]);
    free(j->residual[1]);
    free(j->h_norm);
    free(j->counts);
    free(j->dh);
    free(j->x);
    memset(j, 0, sizeof *j);
}

HS_CHECKED static int check_options(const hs_jacobian_options *o, hs_chw image, size_t n, size_t d_h, int *boxed)
{
    const size_t *b = o->box;
    size_t pixels = image.h * image.w, d_x;
    int rc = HS_OK;
    *boxed = b[0] + b[1] + b[2] + b[3] > 0;
    if (*boxed) {
        if (o->map == HS_JACOBIAN_H_X) {
            return hs_fail(HS_ERANGE, "a mask chooses pixels of the output; h/x has none");
        }
        if (b[0] >= b[2] || b[1] >= b[3] || b[2] > image.w || b[3] > image.h) {
            return hs_fail(HS_ERANGE, "a mask of %zu,%zu,%zu,%zu; wanted x0,y0,x1,y1 inside an image of %zu x %zu",
                           b[0], b[1], b[2], b[3], image.w, image.h);
        }
        pixels = (b[2] - b[0]) * (b[3] - b[1]);
    }
    HS_TRY(hs_size_mul(n, image.c * pixels, &d_x));
    size_t most = d_x < d_h ? d_x : d_h;
    if (n == 0 || o->k < 1 || o->k > most) {
        return hs_fail(HS_ERANGE, "%zu triplets of %zu samples; wanted 1 to %zu: h has %zu numbers, the output %zu",
                       o->k, n, most, d_h, d_x);
    }
out:
    return rc;
}

HS_CHECKED static int make_mask(work *w, hs_chw image)
{
    const size_t *b = w->o->box;
    int rc = hs_arena_alloc(&w->arena, w->s.d_x, 1, &w->s.kept);
    for (size_t i = 0; rc == HS_OK && i < w->s.d_x; i++) {
        size_t x = i % image.w, y = i / image.w % image.h;
        w->s.kept[i] = x >= b[0] && x < b[2] && y >= b[1] && y < b[3];
    }
    return rc;
}

HS_CHECKED static int alloc_out(hs_jacobian *out)
{
    int rc;
    size_t cells, images;
    HS_TRY(hs_size_mul(out->k, out->S, &cells));
    HS_TRY(hs_size_mul(cells, out->n, &images));
    HS_TRY(hs_alloc(cells, sizeof *out->sigma, &out->sigma));
    HS_TRY(hs_alloc(cells, sizeof **out->residual, &out->residual[0]));
    HS_TRY(hs_alloc(cells, sizeof **out->residual, &out->residual[1]));
    HS_TRY(hs_alloc(out->S, sizeof *out->h_norm, &out->h_norm));
    HS_TRY(hs_alloc(out->S, sizeof *out->counts, &out->counts));
    HS_TRY(hs_alloc(cells, out->d_h * sizeof *out->dh, &out->dh));
    HS_TRY(hs_alloc(images, out->d_x * sizeof *out->x, &out->x));
out:
    return rc;
}

HS_CHECKED static int work_create(work *w)
{
    int rc;
    const hs_jacobian *out = w->out;
    size_t n = out->n, k = out->k, image = out->d_x * sizeof(float), h = out->d_h * sizeof(float), images;
    HS_TRY(hs_size_mul(k, n, &images));
    HS_TRY(hs_arena_alloc(&w->arena, n, sizeof *w->j, &w->j));
    HS_TRY(hs_arena_alloc(&w->arena, n, sizeof *w->s.one, &w->s.one));
    HS_TRY(hs_arena_alloc(&w->arena, n, sizeof *w->t, &w->t));
    HS_TRY(hs_arena_alloc(&w->arena, n, h, &w->h));
    HS_TRY(hs_arena_alloc(&w->arena, n, image, &w->eps));
    HS_TRY(hs_arena_alloc(&w->arena, w->rows, image, &w->s.x));
    HS_TRY(hs_arena_alloc(&w->arena, w->rows, h, &w->s.h));
    HS_TRY(hs_arena_alloc(&w->arena, images, image, &w->image));
    HS_TRY(hs_arena_alloc(&w->arena, k, h, &w->dh));
    HS_TRY(hs_arena_alloc(&w->arena, k, 3 * sizeof *w->sigma, &w->sigma));
    w->residual = w->sigma + k;
    HS_TRY(hs_unet_grad_create(w->m->unet, n, w->o->rows < w->rows ? w->o->rows : w->rows, 0, w->o->conv, &w->g));
out:
    return rc;
}

/* Everything the products need at the n states of timestep t. */
HS_CHECKED static int record(work *w, int t, const float *x)
{
    static const hs_unet_map map[] = {HS_MAP_EPS_H, HS_MAP_X0HAT_H, HS_MAP_H_X};
    int rc = HS_OK;
    for (size_t i = 0; i < w->s.n; i++) {
        w->t[i] = t;
        w->j[i] = (hs_unet_jacobian){w->g, map[w->o->map], i, w->m->schedule.alpha_bar[t]};
        w->s.one[i] = hs_unet_linop(&w->j[i]);
    }
    HS_TRY(hs_unet_grad_encode(w->g, w->s.n, x, w->t, w->h));
    HS_TRY(hs_unet_grad_decode(w->g, w->h, w->eps));
out:
    return rc;
}

static void negate(size_t n, float *v)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = -v[i];
    }
}

/* The triplets of timestep number s into their places. */
static void place(work *w, size_t s)
{
    hs_jacobian *out = w->out;
    size_t d_h = out->d_h, d_x = out->n * out->d_x;
    for (size_t j = 0; j < out->k; j++) {
        size_t at = j * out->S + s;
        float *dh = out->dh + at * d_h, *x = out->x + at * d_x;
        out->sigma[at] = w->sigma[j];
        out->residual[w->s.transposed][at] = w->residual[j];
        out->residual[!w->s.transposed][at] = w->residual[out->k + j];
        memcpy(dh, w->dh + j * d_h, d_h * sizeof *dh);
        memcpy(x, w->image + j * d_x, d_x * sizeof *x);
        if (s > 0 && hs_dot_f32(d_h, dh - d_h, dh) < 0) {
            negate(d_h, dh);
            negate(d_x, x);
        }
    }
    double length = hs_nrm2_f32(out->n * d_h, w->h);
    out->h_norm[s] = length / sqrt((double)out->n);
}

HS_CHECKED static int at_timestep(work *w, size_t s, int t, const float *x)
{
    int rc = HS_OK;
    char where[32];
    hs_svds_options opt = HS_SVDS_OPTIONS;
    hs_linop op = {w->out->n * w->out->d_x, w->out->d_h, apply, apply_adjoint, &w->s};
    opt.tol = w->o->tol;
    opt.seed = w->o->seed;
    opt.oversample = w->rows - w->o->k;
    w->s.done = s;
    snprintf(where, sizeof where, "t = %d", t);
    HS_TRY(record(w, t, x));
    HS_TRY(hs_fail_in(hs_svds(&op, w->o->k, &opt, w->sigma, w->image, w->dh, w->residual, &w->out->counts[s]), where));
    place(w, s);
out:
    return rc;
}

int hs_jacobian_directions(const hs_model *m, const hs_jacobian_options *o, size_t S, const int *t, size_t n,
                           const float *x, hs_jacobian *out)
{
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    hs_chw image = hs_unet_image_shape(cfg);
    hs_jacobian r = {.n = n, .S = S, .k = o->k, .d_h = hs_chw_size(hs_unet_h_shape(cfg)), .d_x = hs_chw_size(image)};
    work w = {.m = m, .o = o, .out = &r, .rows = o->k + HS_SVDS_OPTIONS.oversample};
    w.s = (stack){.n = n,
                  .d_h = r.d_h,
                  .d_x = r.d_x,
                  .transposed = o->map == HS_JACOBIAN_H_X,
                  .scale = 1 / sqrt((double)n),
                  .progress = o->progress,
                  .of = S};
    int boxed = 0, rc = HS_OK;
    HS_TRY(check_options(o, image, n, r.d_h, &boxed));
    HS_TRY(alloc_out(&r));
    HS_TRY(work_create(&w));
    HS_TRY(boxed ? make_mask(&w, image) : HS_OK);
    for (size_t s = 0; s < S; s++) {
        HS_TRY(at_timestep(&w, s, t[s], x + s * n * r.d_x));
    }
    *out = r;
    r = (hs_jacobian){0};
out:
    hs_jacobian_free(&r);
    hs_unet_grad_free(w.g);
    hs_arena_free(&w.arena);
    return rc;
}
