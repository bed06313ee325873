#include "analysis/geometry/flatness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/model/unet_grad.h"

static const double fraction[HS_FRACTIONS] = {1, 0.5, 0.25, 0.125};
enum { MIDPOINT, ENERGY = HS_FRACTIONS, RELAXED, BEND, NUMBERS };
static const char *const name_of[NUMBERS] = {"midpoint_deviation",
                                             "midpoint_deviation_half",
                                             "midpoint_deviation_quarter",
                                             "midpoint_deviation_eighth",
                                             "path_energy",
                                             "path_energy_relaxed",
                                             "path_bend"};

void hs_geometry_flatness_free(hs_geometry_flatness *f)
{
    free(f->straight);
    free(f->relaxed);
    memset(f, 0, sizeof *f);
}

/* ---- The decoder at one state ---- */

typedef struct {
    const hs_unet *unet;
    hs_unet_ws *ws;  /* state 0 encoded */
    hs_unet_grad *g; /* segments - 1 copies of it recorded */
    size_t *zero;    /* (rows) */
    float *x, *h;    /* (segments - 1, d_x), (segments - 1, d_h) */
    int *t;
    size_t copies, d_x, d_h;
} decoder;

static int eval(void *ctx, size_t rows, const float *x, float *y)
{
    decoder *d = ctx;
    return hs_unet_decode(d->unet, d->ws, rows, d->zero, x, y);
}

static int keep(void *ctx, size_t rows, const float *x, float *y)
{
    decoder *d = ctx;
    (void)rows; /* always all copies */
    return hs_unet_grad_decode(d->g, x, y);
}

static int pull(void *ctx, size_t rows, const float *u, float *dx)
{
    decoder *d = ctx;
    return hs_unet_vjp_decode(d->g, rows, NULL, HS_SKIPS_FIXED, u, dx);
}

static void decoder_free(decoder *d)
{
    free(d->zero);
    free(d->x);
    free(d->h);
    free(d->t);
    hs_unet_ws_free(d->ws);
    hs_unet_grad_free(d->g);
}

HS_CHECKED static int decoder_create(const hs_geometry_run *run, const hs_geometry_states *s,
                                     const hs_geometry_flatness_options *o, decoder *d)
{
    const size_t most = 2 * HS_FRACTIONS + 1 > o->segments + 1 ? 2 * HS_FRACTIONS + 1 : o->segments + 1;
    int rc = HS_OK;
    *d = (decoder){.unet = run->m->unet, .copies = o->segments - 1, .d_x = s->d_x, .d_h = s->d_h};
    HS_TRY(hs_calloc(most, sizeof *d->zero, &d->zero));
    HS_TRY(hs_alloc(d->copies, s->d_x * sizeof *d->x, &d->x));
    HS_TRY(hs_alloc(d->copies, s->d_h * sizeof *d->h, &d->h));
    HS_TRY(hs_alloc(d->copies, sizeof *d->t, &d->t));
    HS_TRY(hs_unet_ws_create(run->m->unet, 1, most, run->conv, &d->ws));
    HS_TRY(o->paths > 0 ? hs_unet_grad_create(run->m->unet, d->copies, d->copies, 0, run->conv, &d->g) : HS_OK);
out:
    return rc;
}

/* The skips of x at t; recorded: for gradients too. */
HS_CHECKED static int decoder_at(decoder *d, const float *x, int t, int recorded)
{
    int rc = HS_OK;
    HS_TRY(hs_unet_encode(d->unet, d->ws, 1, x, &t, d->h));
    for (size_t i = 0; i < d->copies && recorded; i++) {
        memcpy(d->x + i * d->d_x, x, d->d_x * sizeof *x);
        d->t[i] = t;
    }
    HS_TRY(recorded ? hs_unet_grad_encode(d->g, d->copies, d->x, d->t, d->h) : HS_OK);
out:
    return rc;
}

/* ---- A run ---- */

typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_states *s;
    const hs_geometry_flatness_options *o;
    decoder d;
    hs_curved_map g;
    double *v;         /* (NUMBERS, S, pairs); paths of them for the last three */
    double *null;      /* (RELAXED, S, draws, pairs): midpoints and energy */
    float *end, *node; /* (d_h), (2, segments + 1, d_h) */
    hs_geometry_flatness *out;
} work;

/* end <- a + |b - a| u, u a random direction. */
static void random_end(work *w, const float *a, const float *b, uint64_t draw)
{
    const size_t d = w->s->d_h;
    const hs_rng stream = {w->run->seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_PATH << 48 | draw};
    double length = 0;
    for (size_t i = 0; i < d; i++) {
        double e = (double)b[i] - (double)a[i];
        length += e * e;
    }
    hs_rng_normal(stream, 0, d, w->end);
    double scale = sqrt(length) / hs_nrm2_f32(d, w->end);
    for (size_t i = 0; i < d; i++) {
        w->end[i] = (float)((double)a[i] + scale * (double)w->end[i]);
    }
}

/* The straight path's energy over chord^2. */
HS_CHECKED static int straight_energy(work *w, const float *a, const float *b, double *out)
{
    const size_t K = w->o->segments, d = w->s->d_h, m = w->s->d_x;
    float *y = NULL;
    double sum = 0, chord = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(K + 1, m * sizeof *y, &y));
    for (size_t k = 0; k <= K; k++) {
        double s = (double)k / (double)K;
        for (size_t i = 0; i < d; i++) {
            w->node[k * d + i] = (float)((1 - s) * (double)a[i] + s * (double)b[i]);
        }
    }
    HS_TRY(eval(&w->d, K + 1, w->node, y));
    for (size_t i = 0; i < m; i++) {
        for (size_t k = 0; k < K; k++) {
            double e = (double)y[(k + 1) * m + i] - (double)y[k * m + i];
            sum += e * e;
        }
        double e = (double)y[K * m + i] - (double)y[i];
        chord += e * e;
    }
    *out = chord > 0 ? (double)K * sum / chord : (double)NAN;
out:
    free(y);
    return rc;
}

/* rows <- x0hat = (x_t - sqrt(1 - ab) eps) / sqrt(ab) of the nodes. */
HS_CHECKED static int predict_images(work *w, size_t k, const float *x_t, const float *node, float *rows)
{
    const double ab = hs_geometry_alpha_bar(w->run, k), root = sqrt(ab), noise = sqrt(1 - ab);
    const size_t count = w->o->segments + 1, d = w->s->d_x;
    int rc = HS_OK;
    HS_TRY(eval(&w->d, count, node, rows));
    for (size_t i = 0; i < count * d; i++) {
        rows[i] = (float)(((double)x_t[i % d] - noise * (double)rows[i]) / root);
    }
out:
    return rc;
}

HS_CHECKED static int relax(work *w, size_t k, size_t p, const float *x, const float *a, const float *b)
{
    const size_t S = w->s->S, P = w->o->pairs, K = w->o->segments, row = (K + 1) * w->s->d_x;
    hs_path_energy e;
    int rc = HS_OK;
    HS_TRY(hs_path_relax(&w->g, a, b, K, w->o->iterations, w->node, &e));
    w->v[(RELAXED * S + k) * P + p] = e.relaxed;
    w->v[(BEND * S + k) * P + p] = e.bend;
    if (k == S / 2) {
        HS_TRY(predict_images(w, k, x, w->node, w->out->straight + p * row));
        HS_TRY(predict_images(w, k, x, w->node + (K + 1) * w->s->d_h, w->out->relaxed + p * row));
    }
out:
    return rc;
}

/* Pair p at timestep number k. */
HS_CHECKED static int one_pair(work *w, size_t k, size_t p)
{
    const hs_geometry_states *s = w->s;
    const size_t S = s->S, P = w->o->pairs, R = w->o->draws;
    const float *x = s->x + (k * s->n + 2 * p) * s->d_x;
    const float *a = s->h + (k * s->n + 2 * p) * s->d_h, *b = a + s->d_h;
    double out[HS_FRACTIONS];
    int rc = HS_OK;
    HS_TRY(hs_progress_tell(w->run->progress, "flatness", k * P + p, S * P));
    HS_TRY(decoder_at(&w->d, x, w->run->t[k], p < w->o->paths));
    HS_TRY(hs_midpoint_deviation(&w->g, a, b, HS_FRACTIONS, fraction, out));
    for (size_t f = 0; f < HS_FRACTIONS; f++) {
        w->v[((MIDPOINT + f) * S + k) * P + p] = out[f];
    }
    HS_TRY(straight_energy(w, a, b, &w->v[(ENERGY * S + k) * P + p]));
    for (size_t r = 0; r < R; r++) {
        random_end(w, a, b, (uint64_t)k << 32 | p << 12 | r);
        HS_TRY(hs_midpoint_deviation(&w->g, a, w->end, HS_FRACTIONS, fraction, out));
        for (size_t f = 0; f < HS_FRACTIONS; f++) {
            w->null[(((MIDPOINT + f) * S + k) * R + r) * P + p] = out[f];
        }
        HS_TRY(straight_energy(w, a, w->end, &w->null[((ENERGY * S + k) * R + r) * P + p]));
    }
    HS_TRY(p < w->o->paths ? relax(w, k, p, x, a, b) : HS_OK);
out:
    return rc;
}

/* ---- Statistics ---- */

/* Mean over the pairs of each draw: out (S, draws). */
static void mean_null(const work *w, size_t q, double *out)
{
    const size_t cells = w->s->S * w->o->draws, P = w->o->pairs;
    for (size_t c = 0; c < cells; c++) {
        double sum = 0, count = 0;
        for (size_t p = 0; p < P; p++) {
            double v = w->null[(q * cells + c) * P + p];
            sum += isnan(v) ? 0 : v;
            count += !isnan(v);
        }
        out[c] = sum / count;
    }
}

/* The straight energy of the pairs that were relaxed: out (S). */
static void mean_straight(const work *w, double *out)
{
    const size_t S = w->s->S, P = w->o->pairs;
    for (size_t k = 0; k < S; k++) {
        out[k] = 0;
        for (size_t p = 0; p < w->o->paths; p++) {
            out[k] += w->v[(ENERGY * S + k) * P + p] / (double)w->o->paths;
        }
    }
}

HS_CHECKED static int put(work *w, size_t q)
{
    const size_t S = w->s->S, P = w->o->pairs, n = q < RELAXED ? P : w->o->paths;
    const size_t K = q < RELAXED ? w->o->draws : 1;
    double *value = NULL, *loo = NULL, *null = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(S, sizeof *value, &value));
    HS_TRY(hs_alloc(S, n * sizeof *loo, &loo));
    HS_TRY(hs_alloc(S, K * sizeof *null, &null));
    for (size_t k = 0; k < S; k++) {
        value[k] = hs_geometry_leave_out(n, w->v + (q * S + k) * P, loo + k * n);
    }
    if (q < RELAXED) {
        mean_null(w, q, null);
    } else {
        mean_straight(w, null);
    }
    const hs_geometry_series one = {
        .name = name_of[q],
        .estimator = q < ENERGY ? "distance of the image of the midpoint from the middle of the images, over theirs; "
                                  "mean over pairs, jackknife"
                     : q == ENERGY ? "of the straight path over chord^2, mean over pairs, jackknife"
                     : q == BEND   ? "largest distance from the straight path over |b - a|, mean over pairs, jackknife"
                                   : "of the relaxed path over chord^2, mean over pairs, jackknife",
        .S = S,
        .n = n,
        .value = value,
        .jackknife = 1,
        .units = n,
        .R = n,
        .replicates = loo,
        .K = q == BEND ? 0 : K,
        .null = q == BEND ? NULL : null,
        .null_what = q < RELAXED    ? "random directions of the same length"
                     : q == RELAXED ? "the straight path between the same samples"
                                    : "0 where the straight path is the shortest",
        .level = w->run->bootstrap.level};
    HS_TRY(hs_geometry_put(w->run->statistics, &one));
out:
    free(value);
    free(loo);
    free(null);
    return rc;
}

/* Fraction up to which deviation (values at fraction 1, 1/2, ...) is below the standard. */
static double range_of(const double *above, double standard)
{
    double range = 0;
    for (size_t f = HS_FRACTIONS; f-- > 0 && above[f] <= standard;) {
        range = fraction[f];
    }
    return range;
}

/* From the statistics put last: of their intervals, and of the means of the null. */
HS_CHECKED static int put_range(const work *w)
{
    hs_geometry_statistics *all = w->run->statistics;
    char name[64];
    int rc = HS_OK;
    for (size_t k = 0; k <= w->s->S && rc == HS_OK; k++) {
        double above[HS_FRACTIONS], null[HS_FRACTIONS];
        for (size_t f = 0; f < HS_FRACTIONS; f++) {
            snprintf(name, sizeof name, k == 0 ? "%s" : "%s[%zu]", name_of[f], k - 1);
            const hs_geometry_statistic *s = hs_geometry_find(all, name);
            above[f] = isnan(s->ci.hi) ? s->ci.value : s->ci.hi;
            null[f] = s->null;
        }
        snprintf(name, sizeof name, k == 0 ? "linear_range" : "linear_range[%zu]", k - 1);
        rc = hs_geometry_put_plain(all, name, range_of(above, w->o->standard), w->o->pairs,
                                   "largest fraction of the distance between samples whose midpoint deviation lies "
                                   "below the standard with its interval",
                                   "is made of intervals",
                                   w->o->draws > 0 ? range_of(null, w->o->standard) : (double)NAN,
                                   "random directions of the same length");
    }
    return rc;
}

HS_CHECKED static int work_create(work *w)
{
    const hs_geometry_flatness_options *o = w->o;
    const size_t S = w->s->S, P = o->pairs;
    hs_geometry_flatness *f = w->out;
    int rc = HS_OK;
    HS_TRY(hs_alloc(NUMBERS * S, P * sizeof *w->v, &w->v));
    HS_TRY(hs_alloc(RELAXED * S * P, o->draws * sizeof *w->null, &w->null));
    HS_TRY(hs_alloc(1, w->s->d_h * sizeof *w->end, &w->end));
    HS_TRY(hs_alloc(2 * (o->segments + 1), w->s->d_h * sizeof *w->node, &w->node));
    HS_TRY(hs_alloc(o->paths * (o->segments + 1), w->s->d_x * sizeof *f->straight, &f->straight));
    HS_TRY(hs_alloc(o->paths * (o->segments + 1), w->s->d_x * sizeof *f->relaxed, &f->relaxed));
    HS_TRY(decoder_create(w->run, w->s, o, &w->d));
    w->g = (hs_curved_map){w->s->d_x, w->s->d_h, eval, keep, pull, &w->d};
out:
    return rc;
}

int hs_geometry_flatness_of(const hs_geometry_run *run, const hs_geometry_states *s,
                            const hs_geometry_flatness_options *o, hs_geometry_flatness *out)
{
    hs_geometry_flatness f = {.S = s->S, .paths = o->paths, .segments = o->segments, .d_x = s->d_x};
    work w = {.run = run, .s = s, .o = o, .out = &f};
    int rc = HS_OK;
    if (o->pairs == 0 || 2 * o->pairs > s->n || o->paths > o->pairs || o->segments < 2) {
        return hs_fail(
            HS_ERANGE,
            "flatness: %zu pairs of %zu samples, %zu paths of %zu segments; wanted two samples a pair, no more "
            "paths than pairs, and 2 segments or more",
            o->pairs, s->n, o->paths, o->segments);
    }
    HS_TRY(work_create(&w));
    for (size_t k = 0; k < s->S; k++) {
        for (size_t p = 0; p < o->pairs; p++) {
            HS_TRY(one_pair(&w, k, p));
        }
    }
    for (size_t q = 0; q < NUMBERS; q++) {
        HS_TRY(q < RELAXED || o->paths > 0 ? put(&w, q) : HS_OK);
    }
    HS_TRY(put_range(&w));
    *out = f;
    f = (hs_geometry_flatness){0};
out:
    free(w.v);
    free(w.null);
    free(w.end);
    free(w.node);
    decoder_free(&w.d);
    hs_geometry_flatness_free(&f);
    return rc;
}
