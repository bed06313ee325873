#include "analysis/geometry/pullback.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/svds.h"
#include "core/model/unet_grad.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

void hs_geometry_pullback_free(hs_geometry_pullback *p)
{
    free(p->sigma);
    free(p->metric);
    free(p->tangent);
    memset(p, 0, sizeof *p);
}

/* ---- One operator ---- */

/* z (probes, n) <- signs without their parts along the rows of V (r, n). */
static void draw_probes(hs_rng stream, size_t probes, size_t n, size_t r, const float *V, uint32_t *bits, float *z)
{
    for (size_t p = 0; p < probes; p++) {
        float *row = z + p * n;
        hs_rng_u32(stream, (uint64_t)p * n, n, bits);
        for (size_t j = 0; j < n; j++) {
            row[j] = bits[j] >> 31 ? 1.0F : -1.0F;
        }
        for (size_t i = 0; i < r; i++) {
            float along = (float)hs_dot_f32(n, V + i * n, row);
            for (size_t j = 0; j < n; j++) {
                row[j] -= along * V[i * n + j];
            }
        }
    }
}

/* The rest of both traces from the probes: means of a and b. */
static void finish_metric(size_t r, const double *sigma, size_t probes, const double *a, const double *b,
                          hs_metric *out)
{
    double half = hs_student_quantile(0.975, (double)probes - 1) * hs_sd(probes, a, NULL) / sqrt((double)probes);
    out->trace = hs_mean(probes, a, NULL);
    out->square = hs_mean(probes, b, NULL);
    for (size_t i = 0; i < r; i++) {
        out->trace += sigma[i] * sigma[i];
        out->square += pow(sigma[i], 4);
    }
    out->trace_lo = out->trace - half;
    out->trace_hi = out->trace + half;
}

HS_CHECKED static int probe(const hs_linop *A, const hs_geometry_pullback_options *o, hs_rng stream, const float *V,
                            double *a, double *b)
{
    const size_t P = o->probes;
    float *z = NULL, *y = NULL;
    uint32_t *bits = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(P, A->n * sizeof *z, &z));
    HS_TRY(hs_alloc(P, A->m * sizeof *y, &y));
    HS_TRY(hs_alloc(A->n, sizeof *bits, &bits));
    draw_probes(stream, P, A->n, o->r, V, bits, z);
    HS_TRY(A->apply(A->ctx, P, z, y));
    HS_TRY(A->apply_adjoint(A->ctx, P, y, z));
    for (size_t p = 0; p < P; p++) {
        a[p] = hs_dot_f32(A->m, y + p * A->m, y + p * A->m);
        b[p] = hs_dot_f32(A->n, z + p * A->n, z + p * A->n);
    }
out:
    free(z);
    free(y);
    free(bits);
    return rc;
}

int hs_metric_of(const hs_linop *A, const hs_geometry_pullback_options *o, uint64_t seed, uint64_t draw, double *sigma,
                 float *U, float *V, hs_metric *out)
{
    hs_svds_options so = HS_SVDS_OPTIONS;
    hs_svds_counts count;
    hs_metric found = {0};
    double *residual = NULL, *a = NULL;
    int rc = HS_OK, short_of = HS_OK;
    if (o->probes < 2) {
        return hs_fail(HS_ERANGE, "%zu probes; wanted 2 or more", o->probes);
    }
    so.tol = o->tol;
    so.seed = seed;
    so.max_sweeps = o->sweeps;
    HS_TRY(hs_alloc(o->r, 2 * sizeof *residual, &residual));
    HS_TRY(hs_alloc(o->probes, 2 * sizeof *a, &a));
    rc = hs_svds(A, o->r, &so, sigma, U, V, residual, &count);
    if (rc != HS_OK && rc != HS_ENOCONV) {
        goto out;
    }
    short_of = rc;
    const hs_rng stream = {seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_PROBE_TRACE << 48 | draw};
    HS_TRY(probe(A, o, stream, V, a, a + o->probes));
    finish_metric(o->r, sigma, o->probes, a, a + o->probes, &found);
    found.residual = count.worst;
    found.products = count.applied + o->probes;
    found.adjoint = count.adjoint + o->probes;
    *out = found;
    rc = short_of;
out:
    free(residual);
    free(a);
    return rc;
}

/* ---- The two maps of a network at one state ---- */

typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_pullback_options *o;
    size_t d_x, d_h, rows;
    hs_unet_grad *g;
    float *h, *eps; /* of one state */
    float *U, *V;   /* (r, max(d_x, d_h)) */
} maps;

static void maps_free(maps *w)
{
    hs_unet_grad_free(w->g);
    free(w->h);
    free(w->eps);
    free(w->U);
    free(w->V);
}

HS_CHECKED static int maps_create(const hs_geometry_run *run, hs_unet *unet, const hs_geometry_pullback_options *o,
                                  maps *w)
{
    const hs_unet_config *cfg = hs_unet_config_of(unet);
    int rc = HS_OK;
    *w = (maps){
        .run = run, .o = o, .d_x = hs_chw_size(hs_unet_image_shape(cfg)), .d_h = hs_chw_size(hs_unet_h_shape(cfg))};
    const size_t most = w->d_x > w->d_h ? w->d_x : w->d_h, block = o->r + HS_SVDS_OPTIONS.oversample;
    w->rows = run->batch < block ? run->batch : block;
    HS_TRY(hs_alloc(1, w->d_h * sizeof *w->h, &w->h));
    HS_TRY(hs_alloc(1, w->d_x * sizeof *w->eps, &w->eps));
    HS_TRY(hs_alloc(o->r, most * sizeof *w->U, &w->U));
    HS_TRY(hs_alloc(o->r, most * sizeof *w->V, &w->V));
    HS_TRY(hs_unet_grad_create(unet, 1, w->rows, 0, run->conv, &w->g));
out:
    return rc;
}

/* Both metrics at x; sigma[map] (r).  tangent (r, d_h) or NULL. */
HS_CHECKED static int measure(maps *w, size_t k, const float *x, uint64_t draw, double *const sigma[HS_PULLBACK_MAPS],
                              float *tangent, hs_metric *const out[HS_PULLBACK_MAPS])
{
    static const hs_unet_map map[HS_PULLBACK_MAPS] = {HS_MAP_H_X, HS_MAP_X0HAT_H};
    int rc = HS_OK;
    HS_TRY(hs_unet_grad_encode(w->g, 1, x, &w->run->t[k], w->h));
    HS_TRY(hs_unet_grad_decode(w->g, w->h, w->eps));
    for (int f = 0; f < HS_PULLBACK_MAPS; f++) {
        hs_unet_jacobian j = {w->g, map[f], 0, hs_geometry_alpha_bar(w->run, k)};
        const hs_linop A = hs_unet_linop(&j);
        rc = hs_metric_of(&A, w->o, w->run->seed, draw, sigma[f], w->U, w->V, out[f]);
        if (rc != HS_OK && rc != HS_ENOCONV) {
            goto out;
        }
        rc = HS_OK;
        if (f == HS_PULLBACK_H_X && tangent != NULL) {
            memcpy(tangent, w->U, w->o->r * w->d_h * sizeof *tangent);
        }
    }
out:
    return rc;
}

/* ---- Statistics ---- */

enum { RANK, SHARE, GAIN, NUMBERS };
enum { RANDOM_SWEEPS = 8 };

static void numbers_of(const hs_metric *m, size_t r, const double *sigma, size_t inputs, double out[NUMBERS])
{
    double top = 0;
    for (size_t i = 0; i < r; i++) {
        top += sigma[i] * sigma[i];
    }
    out[RANK] = m->trace * m->trace / m->square;
    out[SHARE] = top / m->trace;
    out[GAIN] = sqrt(m->trace / (double)inputs);
}

/* null (maps, NUMBERS, S, K) <- networks with random weights, network b at sample b % n. */
HS_CHECKED static int random_networks(const hs_geometry_run *run, const hs_geometry_states *s, size_t n,
                                      const hs_geometry_pullback_options *o, double *null)
{
    const hs_unet_config *cfg = hs_unet_config_of(run->m->unet);
    const size_t K = o->twins;
    hs_geometry_pullback_options loose = *o;
    hs_metric metric[HS_PULLBACK_MAPS];
    double *sigma = NULL, out[NUMBERS];
    maps w = {0};
    hs_unet *twin = NULL;
    int rc = HS_OK;
    loose.tol = 1e-2; /* spectra of random networks are flat: their sums converge long before their vectors */
    loose.sweeps = RANDOM_SWEEPS;
    HS_TRY(hs_alloc(HS_PULLBACK_MAPS, o->r * sizeof *sigma, &sigma));
    for (size_t b = 0; b < K; b++) {
        HS_TRY(hs_unet_random(cfg, run->seed + 1 + b, &twin));
        if (strcmp(cfg->prediction, "v_prediction") == 0) {
            HS_TRY(hs_unet_predicts_v(twin, run->m->schedule.T, run->m->schedule.alpha_bar));
        }
        if (cfg->classes > 0) {
            const int y = hs_unet_class_of(run->m->unet, 0);
            HS_TRY(hs_unet_set_classes(twin, 1, &y));
        }
        HS_TRY(maps_create(run, twin, &loose, &w));
        for (size_t k = 0; k < run->S; k++) {
            HS_TRY(hs_progress_tell(run->progress, "pullback of random networks", b * run->S + k, K * run->S));
            HS_TRY(measure(&w, k, s->x + (k * s->n + b % n) * s->d_x, b << 16 | k, (double *[]){sigma, sigma + o->r},
                           NULL, (hs_metric *[]){&metric[0], &metric[1]}));
            for (size_t f = 0; f < HS_PULLBACK_MAPS; f++) {
                numbers_of(&metric[f], o->r, sigma + f * o->r, f == HS_PULLBACK_H_X ? w.d_x : w.d_h, out);
                for (size_t q = 0; q < NUMBERS; q++) {
                    null[((f * NUMBERS + q) * run->S + k) * K + b] = out[q];
                }
            }
        }
        maps_free(&w);
        w = (maps){0};
        hs_unet_free(twin);
        twin = NULL;
    }
out:
    maps_free(&w);
    hs_unet_free(twin);
    free(sigma);
    return rc;
}

/* A matrix of independent normal numbers. */
static double normal_matrix(int q, size_t r, size_t m, size_t n)
{
    double a = (double)m, b = (double)n;
    return q == RANK    ? a * b / (a + b + 1)
           : q == SHARE ? fmin(1, (double)r * pow(sqrt(a) + sqrt(b), 2) / (a * b))
                        : (double)NAN;
}

HS_CHECKED static int put(const hs_geometry_run *run, const hs_geometry_pullback *p, size_t d_x,
                          const hs_geometry_pullback_options *o, size_t f, int q, const double *null)
{
    static const char *const name[NUMBERS] = {"pullback_rank", "pullback_share", "pullback_gain"};
    static const char *const estimator[NUMBERS] = {"(tr G)^2 / tr G^2, mean over samples, jackknife",
                                                   "share of the leading squares in tr G, mean over samples, jackknife",
                                                   "sqrt(tr G / inputs), mean over samples, jackknife"};
    const size_t S = p->S, n = p->n, inputs = f == HS_PULLBACK_H_X ? d_x : p->d_h, K = o->twins;
    double *v = NULL, *loo = NULL, *value = NULL, *closed = NULL, all[NUMBERS];
    char full[64];
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *v, &v));
    HS_TRY(hs_alloc(S, n * sizeof *loo, &loo));
    HS_TRY(hs_alloc(S, sizeof *value, &value));
    HS_TRY(hs_alloc(S, sizeof *closed, &closed));
    for (size_t k = 0; k < S; k++) {
        for (size_t i = 0; i < n; i++) {
            const size_t at = (f * S + k) * n + i;
            numbers_of(&p->metric[at], p->r, p->sigma + at * p->r, inputs, all);
            v[i] = all[q];
        }
        value[k] = hs_geometry_leave_out(n, v, loo + k * n);
        closed[k] = normal_matrix(q, p->r, p->d_h, d_x);
    }
    snprintf(full, sizeof full, "%s%s", name[q], f == HS_PULLBACK_H_X ? "_h_x" : "_x0_h");
    const hs_geometry_series s = {.name = full,
                                  .estimator = estimator[q],
                                  .S = S,
                                  .n = n,
                                  .value = value,
                                  .jackknife = 1,
                                  .units = n,
                                  .R = n,
                                  .replicates = loo,
                                  .K = K > 0       ? K
                                       : q != GAIN ? 1
                                                   : 0,
                                  .null = K > 0 ? null + ((f * NUMBERS + (size_t)q) * S) * K : closed,
                                  .null_what = K > 0       ? "networks of the same shape with random weights"
                                               : q != GAIN ? "a matrix of independent normal numbers"
                                                           : "a length",
                                  .level = run->bootstrap.level};
    HS_TRY(hs_geometry_put(run->statistics, &s));
out:
    free(v);
    free(loo);
    free(value);
    free(closed);
    return rc;
}

/* ---- A run ---- */

HS_CHECKED static int measure_all(const hs_geometry_run *run, const hs_geometry_states *s,
                                  const hs_geometry_pullback_options *o, hs_geometry_pullback *p)
{
    maps w = {0};
    const size_t S = p->S, n = p->n;
    int rc = HS_OK;
    HS_TRY(maps_create(run, run->m->unet, o, &w));
    for (size_t k = 0; k < S; k++) {
        for (size_t i = 0; i < n; i++) {
            const size_t at = k * n + i, other = (S + k) * n + i;
            HS_TRY(hs_progress_tell(run->progress, "pullback", at, S * n));
            hs_unet_grad_first(w.g, i);
            HS_TRY(measure(&w, k, s->x + (k * s->n + i) * s->d_x, (uint64_t)i << 24 | (uint64_t)k << 16 | 0xffff,
                           (double *[]){p->sigma + at * p->r, p->sigma + other * p->r}, p->tangent + at * p->r * p->d_h,
                           (hs_metric *[]){&p->metric[at], &p->metric[other]}));
        }
    }
out:
    maps_free(&w);
    return rc;
}

int hs_geometry_pullback_of(const hs_geometry_run *run, const hs_geometry_states *s, size_t n,
                            const hs_geometry_pullback_options *o, hs_geometry_pullback *out)
{
    hs_geometry_pullback p = {.S = run->S, .n = n, .r = o->r, .d_h = s->d_h};
    const size_t rows = HS_PULLBACK_MAPS * run->S * n;
    double *null = NULL;
    int rc = HS_OK;
    if (n == 0 || n > s->n || o->r == 0 || o->r > s->d_h || o->r > s->d_x) {
        return hs_fail(HS_ERANGE, "pullback: %zu of %zu samples, rank %zu; wanted some, and a rank up to %zu", n, s->n,
                       o->r, s->d_h < s->d_x ? s->d_h : s->d_x);
    }
    HS_TRY(hs_alloc(rows, o->r * sizeof *p.sigma, &p.sigma));
    HS_TRY(hs_alloc(rows, sizeof *p.metric, &p.metric));
    HS_TRY(hs_alloc(run->S * n, o->r * s->d_h * sizeof *p.tangent, &p.tangent));
    HS_TRY(hs_alloc(HS_PULLBACK_MAPS * NUMBERS * run->S, o->twins * sizeof *null, &null));
    HS_TRY(measure_all(run, s, o, &p));
    HS_TRY(random_networks(run, s, n, o, null));
    for (size_t f = 0; f < HS_PULLBACK_MAPS; f++) {
        for (int q = 0; q < NUMBERS; q++) {
            HS_TRY(put(run, &p, s->d_x, o, f, q, null));
        }
    }
    *out = p;
    p = (hs_geometry_pullback){0};
out:
    free(null);
    hs_geometry_pullback_free(&p);
    return rc;
}
