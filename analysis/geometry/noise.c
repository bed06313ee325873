#include "analysis/geometry/noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cloud.h"
#include "core/linalg/blas.h"

enum { Q = HS_TWOWAY_STATISTICS };

void hs_geometry_noise_free(hs_geometry_noise *g)
{
    free(g->h);
    memset(g, 0, sizeof *g);
}

/* ---- Distances of x_t ---- */

int hs_geometry_forward_distances(size_t N, size_t M, size_t d, const float *x_0, const float *eps, double alpha_bar,
                                  double *D)
{
    double *own = NULL, *cross; /* squared distances of images, of noises; <x_0(i), eps(j)> */
    const double mixed = 2 * sqrt(alpha_bar * (1 - alpha_bar));
    int rc = HS_OK;
    HS_TRY(hs_alloc(N * N + M * M + N * M, sizeof *own, &own));
    double *noise = own + N * N;
    cross = noise + M * M;
    HS_TRY(hs_cloud_distances(hs_mat_of((float *)(uintptr_t)x_0, N, d), 1, own));
    HS_TRY(hs_cloud_distances(hs_mat_of((float *)(uintptr_t)eps, M, d), 1, noise));
    for (size_t c = 0; c < N * M; c++) {
        cross[c] = hs_dot_f32(d, x_0 + c / M * d, eps + c % M * d);
    }
    for (size_t p = 0; p < N * M; p++) {
        for (size_t q = 0; q < N * M; q++) {
            size_t i = p / M, j = p % M, k = q / M, l = q % M;
            double both = cross[i * M + j] - cross[i * M + l] - cross[k * M + j] + cross[k * M + l];
            D[p * N * M + q] = alpha_bar * own[i * N + k] + (1 - alpha_bar) * noise[j * M + l] + mixed * both;
        }
    }
out:
    free(own);
    return rc;
}

/* ---- h of all cells ---- */

typedef struct {
    const hs_geometry_run *run;
    size_t N, M, d_x, d_h, batch;
    const float *x_0;
    float *eps;   /* (M, d_x) */
    float *x, *h; /* (batch, d_x), (N M, d_h) */
    int *t;       /* (batch) */
    size_t *of;   /* (batch) */
    size_t *order;
    double *D;
    double *theta[2], *null; /* of h and x (Q, S, B); (2, S, K) */
    hs_unet_ws *ws;
} work;

static void work_free(work *w)
{
    free(w->eps);
    free(w->x);
    free(w->h);
    free(w->t);
    free(w->of);
    free(w->order);
    free(w->D);
    free(w->theta[0]);
    free(w->theta[1]);
    free(w->null);
    hs_unet_ws_free(w->ws);
}

HS_CHECKED static int work_create(work *w)
{
    const hs_geometry_run *run = w->run;
    const size_t cells = w->N * w->M, B = run->bootstrap.B;
    size_t pairs;
    int rc = HS_OK;
    w->batch = run->batch < cells ? run->batch : cells;
    HS_TRY(hs_size_mul(cells, cells, &pairs));
    HS_TRY(hs_alloc(w->M, w->d_x * sizeof *w->eps, &w->eps));
    HS_TRY(hs_alloc(w->batch, w->d_x * sizeof *w->x, &w->x));
    HS_TRY(hs_alloc(cells, w->d_h * sizeof *w->h, &w->h));
    HS_TRY(hs_alloc(w->batch, sizeof *w->t, &w->t));
    HS_TRY(hs_alloc(w->batch, sizeof *w->of, &w->of));
    HS_TRY(hs_alloc(cells, sizeof *w->order, &w->order));
    HS_TRY(hs_alloc(pairs, sizeof *w->D, &w->D));
    HS_TRY(hs_alloc(Q * run->S, B * sizeof **w->theta, &w->theta[0]));
    HS_TRY(hs_alloc(Q * run->S, B * sizeof **w->theta, &w->theta[1]));
    HS_TRY(hs_alloc(2 * run->S, run->draws * sizeof *w->null, &w->null));
    HS_TRY(hs_unet_ws_create(run->m->unet, w->batch, w->batch, run->conv, &w->ws));
    for (size_t j = 0; j < w->M; j++) {
        const hs_rng stream = {run->seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_FORWARD << 48 | j};
        hs_rng_normal(stream, 0, w->d_x, w->eps + j * w->d_x);
    }
out:
    return rc;
}

/* h of every cell at timestep number k. */
HS_CHECKED static int encode(work *w, size_t k)
{
    const double ab = hs_geometry_alpha_bar(w->run, k), signal = sqrt(ab), noise = sqrt(1 - ab);
    const size_t cells = w->N * w->M, d = w->d_x;
    int rc = HS_OK;
    for (size_t first = 0; first < cells; first += w->batch) {
        size_t count = cells - first < w->batch ? cells - first : w->batch;
        HS_TRY(hs_progress_tell(w->run->progress, "noise against identity", k * cells + first, w->run->S * cells));
        for (size_t r = 0; r < count; r++) {
            const float *x_0 = w->x_0 + (first + r) / w->M * d, *eps = w->eps + (first + r) % w->M * d;
            for (size_t c = 0; c < d; c++) {
                w->x[r * d + c] = (float)(signal * (double)x_0[c] + noise * (double)eps[c]);
            }
            w->t[r] = w->run->t[k];
            w->of[r] = (first + r) / w->M;
        }
        HS_TRY(hs_unet_encode_images(w->run->m->unet, w->ws, count, w->of, w->x, w->t, w->h + first * w->d_h));
    }
out:
    return rc;
}

/* Values, resamples and (of h) shuffles at timestep number k; which: 0 h, 1 x_t. */
HS_CHECKED static int measure(work *w, size_t k, int which, double *value)
{
    const hs_geometry_run *run = w->run;
    const size_t B = run->bootstrap.B, K = run->draws;
    const hs_twoway t = {w->N, w->M, w->D};
    double out[Q], *theta = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(Q, B * sizeof *theta, &theta));
    hs_twoway_eval(&t, NULL, NULL, value);
    HS_TRY(hs_twoway_bootstrap(&t, run->seed, B, theta));
    for (size_t q = 0; q < Q; q++) {
        memcpy(w->theta[which] + (q * run->S + k) * B, theta + q * B, B * sizeof *theta);
    }
    for (size_t b = 0; b < K && which == 0; b++) {
        for (int f = 0; f < 2; f++) {
            hs_twoway_shuffled(&t, f, run->seed, b, w->order, out);
            w->null[((size_t)f * run->S + k) * K + b] = out[f];
        }
    }
out:
    free(theta);
    return rc;
}

/* ---- Statistics ---- */

static const char *const name_of[Q] = {"share_image",         "share_noise",         "share_interaction",
                                       "distance_same_image", "distance_same_noise", "distance_other",
                                       "distance_ratio"};

static const char *null_of(size_t q, int of_x)
{
    return of_x                    ? "x_t is itself what h is compared with"
           : q == HS_TWOWAY_ROW    ? "images shuffled among the h of each noise"
           : q == HS_TWOWAY_COLUMN ? "noises shuffled among the h of each image"
           : q == HS_TWOWAY_REST   ? "the network is deterministic: without interaction the rest is 0"
           : q == HS_TWOWAY_RATIO  ? "1 without an effect of the image"
                                   : "a length";
}

HS_CHECKED static int put(const work *w, const hs_geometry_noise *g, int of_x, size_t q)
{
    const hs_geometry_run *run = w->run;
    static const char *const shares = "two-way components, unbiased; bootstrap over images and noises",
                             *const lengths = "root mean square over pairs; bootstrap over images and noises";
    double *value = NULL, *one = NULL;
    char name[64];
    int rc = HS_OK;
    const double fixed = q == HS_TWOWAY_RATIO ? 1 : 0;
    const int drawn = q <= HS_TWOWAY_COLUMN && !of_x, known = (q == HS_TWOWAY_REST || q == HS_TWOWAY_RATIO) && !of_x;
    HS_TRY(hs_alloc(run->S, sizeof *value, &value));
    HS_TRY(hs_alloc(run->S, sizeof *one, &one));
    for (size_t k = 0; k < run->S; k++) {
        value[k] = (of_x ? g->x : g->h)[k * Q + q];
        one[k] = fixed;
    }
    snprintf(name, sizeof name, "%s%s", name_of[q], of_x ? "_x" : "");
    const hs_geometry_series s = {.name = name,
                                  .estimator = q <= HS_TWOWAY_REST ? shares : lengths,
                                  .S = run->S,
                                  .n = w->N,
                                  .value = value,
                                  .units = w->N < w->M ? w->N : w->M,
                                  .R = run->bootstrap.B,
                                  .replicates = w->theta[of_x] + q * run->S * run->bootstrap.B,
                                  .K = drawn   ? run->draws
                                       : known ? 1
                                               : 0,
                                  .null = drawn   ? w->null + q * run->S * run->draws
                                          : known ? one
                                                  : NULL,
                                  .null_what = null_of(q, of_x),
                                  .level = run->bootstrap.level};
    HS_TRY(hs_geometry_put(run->statistics, &s));
    for (size_t k = 0; k < run->S && !of_x; k++) {
        const hs_interval *ci = &run->statistics->list[run->statistics->n - run->S + k].ci;
        g->lo[k * Q + q] = ci->lo;
        g->hi[k * Q + q] = ci->hi;
    }
out:
    free(value);
    free(one);
    return rc;
}

int hs_geometry_noise_of(const hs_geometry_run *run, size_t N, const float *x_0, size_t M, hs_geometry_noise *out)
{
    const hs_unet_config *cfg = hs_unet_config_of(run->m->unet);
    hs_geometry_noise g = {.S = run->S, .N = N, .M = M};
    work w = {.run = run,
              .N = N,
              .M = M,
              .d_x = hs_chw_size(hs_unet_image_shape(cfg)),
              .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
              .x_0 = x_0};
    int rc = HS_OK;
    if (N < 2 || M < 2) {
        return hs_fail(HS_ERANGE, "noise against identity of %zu images and %zu noises; wanted 2 of each", N, M);
    }
    HS_TRY(hs_alloc(run->S, 4 * Q * sizeof *g.h, &g.h));
    g.x = g.h + run->S * Q;
    g.lo = g.x + run->S * Q;
    g.hi = g.lo + run->S * Q;
    HS_TRY(work_create(&w));
    for (size_t k = 0; k < run->S; k++) {
        HS_TRY(encode(&w, k));
        HS_TRY(hs_cloud_distances(hs_mat_of(w.h, N * M, w.d_h), 1, w.D));
        HS_TRY(measure(&w, k, 0, g.h + k * Q));
        HS_TRY(hs_geometry_forward_distances(N, M, w.d_x, x_0, w.eps, hs_geometry_alpha_bar(run, k), w.D));
        HS_TRY(measure(&w, k, 1, g.x + k * Q));
    }
    for (size_t q = 0; q < Q; q++) {
        HS_TRY(put(&w, &g, 0, q));
    }
    for (size_t q = 0; q < HS_TWOWAY_REST; q++) { /* of x_t the rest is 0 but for rounding */
        HS_TRY(put(&w, &g, 1, q));
    }
    *out = g;
    g = (hs_geometry_noise){0};
out:
    hs_geometry_noise_free(&g);
    work_free(&w);
    return rc;
}
