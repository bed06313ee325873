#include "analysis/directions/dir_probe.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/probe_score.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/gram.h"
#include "core/linalg/blas.h"
#include "core/stats/dual.h"
#include "core/stats/moments.h"

enum { TILE = 64 };

/* ---- A column and its folds ---- */

/* order (n) <- a random order: element 0 ... n - 1 of the stream shuffles it. */
static void shuffle(hs_rng stream, size_t n, size_t *order)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = hs_rng_below(stream, i, (uint32_t)i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}

HS_CHECKED static int deal(hs_probe *p, const hs_probe_options *o)
{
    size_t *order = NULL, dealt = 0;
    int rc = hs_alloc(p->n, sizeof *order, &order);
    for (size_t i = 0; i < p->n && rc == HS_OK; i++) {
        order[i] = i;
    }
    if (rc == HS_OK) {
        shuffle((hs_rng){o->seed, HS_RNG_PROBE, 0}, p->n, order);
        for (int side = 0; side <= p->binary; side++) {
            for (size_t i = 0; i < p->n; i++) {
                if (!p->binary || (p->value[order[i]] > 0) == side) {
                    p->fold[order[i]] = (int)(dealt++ % o->folds);
                }
            }
        }
    }
    free(order);
    return rc;
}

HS_CHECKED static int check(const hs_probe *p, const hs_probe_options *o)
{
    size_t least = p->ones < p->n - p->ones ? p->ones : p->n - p->ones;
    if (o->folds < 3 || o->n_strength == 0) {
        return hs_fail(HS_ERANGE, "probe: %zu folds and %zu strengths; wanted at least 3 and 1", o->folds,
                       o->n_strength);
    }
    for (size_t i = 0; i < o->n_strength; i++) {
        if (!(o->strength[i] > 0 && isfinite(o->strength[i]))) {
            return hs_fail(HS_ERANGE, "probe: penalty %g; must be above 0", o->strength[i]);
        }
    }
    if (p->binary && least < o->folds) {
        return hs_fail(HS_EDEGENERATE, "%s: %zu ones and %zu zeros; a probe in %zu folds wants %zu of each", p->name,
                       p->ones, p->n - p->ones, o->folds, o->folds);
    }
    if (p->n < 2 * o->folds) {
        return hs_fail(HS_EDEGENERATE, "%s: %zu samples; a probe in %zu folds wants %zu", p->name, p->n, o->folds,
                       2 * o->folds);
    }
    for (size_t i = 1; i < p->n; i++) {
        if (p->value[i] != p->value[0]) {
            return HS_OK;
        }
    }
    return hs_fail(HS_EDEGENERATE, "%s is %g in every row", p->name, p->value[0]);
}

int hs_probe_new(const char *name, size_t n, const double *value, int binary, const hs_store *store,
                 const hs_probe_options *o, hs_probe *out)
{
    int rc = HS_OK;
    hs_probe p = {.binary = binary, .n = n};
    size_t S = hs_store_S(store), d = hs_chw_size(hs_store_h(store));
    snprintf(p.name, sizeof p.name, "%s", name);
    if (n != hs_store_n(store)) {
        return hs_fail(HS_ESHAPE, "%zu labels for %zu samples", n, hs_store_n(store));
    }
    HS_TRY(hs_alloc(n, sizeof *p.value, &p.value));
    memcpy(p.value, value, n * sizeof *value);
    for (size_t i = 0; i < n; i++) {
        p.ones += binary && value[i] > 0;
    }
    p.unit = binary ? 1 : hs_sd(n, value, NULL);
    HS_TRY(check(&p, o));
    HS_TRY(hs_alloc(n, sizeof *p.fold, &p.fold));
    HS_TRY(deal(&p, o));
    HS_TRY(hs_calloc(S, sizeof *p.step, &p.step));
    HS_TRY(hs_alloc(S, o->shuffles * sizeof *p.shuffled, &p.shuffled));
    HS_TRY(hs_alloc(S, d * sizeof *p.dh, &p.dh));
    *out = p;
    p = (hs_probe){0};
out:
    hs_probe_free(&p);
    return rc;
}

void hs_probe_free(hs_probe *p)
{
    free(p->value);
    free(p->fold);
    free(p->step);
    free(p->shuffled);
    free(p->dh);
    *p = (hs_probe){0};
}

/* ---- A run ---- */

typedef struct {
    const hs_store *store;
    const hs_probe_options *o;
    hs_probe *p;      /* the column in work */
    size_t k, n, d;   /* timestep; samples; size of h */
    size_t Q, G;      /* label vectors: the labels, then shuffled ones; strengths */
    double *strength; /* (G) descending */
    double *K, scale; /* (n, n) of h centred on the mean of all, times scale; */
    double *mean;     /* (d) borrowed from centring */
    double *y;        /* (Q, n) */
    double *held;     /* (Q, G, n) answers of the probes without a sample's fold */
    double *loss;     /* (Q, folds, G) of strengths, seen from an outer fold */
    double *base;     /* (Q, n) mean label outside the sample's fold */
    double *answer;   /* (n) */
    double *v, *work; /* (Q, n) coefficients, (Q, hs_dual_work(n)) */
    double *a, *w;    /* (n), (d) */
    float *rows;      /* (TILE, d) */
    unsigned char *train;
    int *status; /* (Q) */
} job;

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

HS_CHECKED static int prepare(job *j)
{
    int rc = HS_OK;
    size_t n = j->n, folds = j->o->folds;
    HS_TRY(hs_alloc(j->G, sizeof *j->strength, &j->strength));
    memcpy(j->strength, j->o->strength, j->G * sizeof *j->strength);
    qsort(j->strength, j->G, sizeof *j->strength, falling);
    HS_TRY(hs_alloc(n, n * sizeof *j->K, &j->K));
    HS_TRY(hs_alloc(j->Q, n * sizeof *j->y, &j->y));
    HS_TRY(hs_alloc(j->Q * j->G, n * sizeof *j->held, &j->held));
    HS_TRY(hs_alloc(j->Q * j->G, folds * sizeof *j->loss, &j->loss));
    HS_TRY(hs_alloc(j->Q, n * sizeof *j->base, &j->base));
    HS_TRY(hs_alloc(n, sizeof *j->answer, &j->answer));
    HS_TRY(hs_alloc(j->Q, n * sizeof *j->v, &j->v));
    HS_TRY(hs_alloc(j->Q, hs_dual_work(n) * sizeof *j->work, &j->work));
    HS_TRY(hs_alloc(n, sizeof *j->a, &j->a));
    HS_TRY(hs_alloc(j->d, sizeof *j->w, &j->w));
    HS_TRY(hs_alloc(TILE, j->d * sizeof *j->rows, &j->rows));
    HS_TRY(hs_alloc(n, 1, &j->train));
    HS_TRY(hs_alloc(j->Q, sizeof *j->status, &j->status));
out:
    return rc;
}

static void release(job *j)
{
    void *all[] = {j->strength, j->K,    j->y, j->held, j->loss, j->base,  j->answer,
                   j->v,        j->work, j->a, j->w,    j->rows, j->train, j->status};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
}

/* y, base <- the labels, and those shuffled within folds (the same at every timestep). */
HS_CHECKED static int set_labels(job *j)
{
    size_t *in = NULL, *mixed = NULL, n = j->n;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *in, &in));
    HS_TRY(hs_alloc(n, sizeof *mixed, &mixed));
    for (size_t q = 0; q < j->Q; q++) {
        for (size_t f = 0; f < j->o->folds; f++) {
            size_t count = 0;
            double outside = 0;
            for (size_t i = 0; i < n; i++) {
                if (j->p->fold[i] == (int)f) {
                    mixed[count] = i;
                    in[count++] = i;
                } else {
                    outside += j->p->value[i];
                }
            }
            if (q > 0) {
                shuffle((hs_rng){j->o->seed, HS_RNG_PROBE, (uint64_t)q << 32 | f}, count, mixed);
            }
            for (size_t i = 0; i < count; i++) {
                j->y[q * n + in[i]] = j->p->value[mixed[i]];
                j->base[q * n + in[i]] = outside / (double)(n - count);
            }
        }
    }
out:
    free(in);
    free(mixed);
    return rc;
}

static double loss_of(const job *j, double y, double answer)
{
    if (!j->p->binary) {
        return (y - answer) * (y - answer);
    }
    double s = y > 0 ? -answer : answer;
    return s > 0 ? s + log1p(exp(-s)) : log1p(exp(s));
}

/* The probe of label vector q; the logistic one starts from v, *b. */
HS_CHECKED static int fit(const job *j, const hs_dual *dual, size_t q, double strength, double *v, double *b)
{
    double alpha = strength * dual->power;
    if (j->p->binary) {
        return hs_dual_logistic(dual, j->y + q * j->n, alpha, v, b, j->work + q * hs_dual_work(j->n));
    }
    hs_dual_ridge(dual, j->y + q * j->n, alpha, v, b);
    return HS_OK;
}

/* All strengths, trained without folds f and g, tried on those. */
HS_CHECKED static int fit_path(job *j, const hs_dual *dual, size_t q, int f, int g)
{
    double *v = j->v + q * j->n, b = 0;
    memset(v, 0, dual->r * sizeof *v);
    for (size_t s = 0; s < j->G; s++) {
        int rc = fit(j, dual, q, j->strength[s], v, &b);
        if (rc != HS_OK) {
            return rc;
        }
        for (size_t at = dual->n; at < dual->m; at++) {
            size_t i = dual->order[at];
            double answer = hs_dual_answer(dual, v, b, at);
            if (f == g) {
                j->held[(q * j->G + s) * j->n + i] = answer;
            } else { /* answered without fold f too: of use to choose for f, if i is of g, and the other way round */
                int outer = j->p->fold[i] == g ? f : g;
                j->loss[(q * j->o->folds + (size_t)outer) * j->G + s] += loss_of(j, j->y[q * j->n + i], answer);
            }
        }
    }
    return HS_OK;
}

HS_CHECKED static int train_without(job *j, int f, int g)
{
    int rc = HS_OK;
    hs_dual dual = {0};
    for (size_t i = 0; i < j->n; i++) {
        j->train[i] = j->p->fold[i] != f && j->p->fold[i] != g;
    }
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_dual_new(j->n, j->K, j->train, &dual));
#pragma omp parallel for schedule(dynamic) num_threads(guard.threads)
    for (size_t q = 0; q < j->Q; q++) {
        j->status[q] = fit_path(j, &dual, q, f, g);
    }
    for (size_t q = 0; q < j->Q; q++) {
        if (j->status[q] != HS_OK) {
            rc = hs_fail(j->status[q], "%s: a logistic probe does not converge; try larger penalties", j->p->name);
            goto out;
        }
    }
out:
    hs_blas_serial_end(guard);
    hs_dual_free(&dual);
    return rc;
}

/* The strength with the least loss (of G). */
static size_t best(const job *j, const double *loss)
{
    size_t at = 0;
    for (size_t s = 1; s < j->G; s++) {
        at = loss[s] < loss[at] ? s : at;
    }
    return at;
}

/* The strength that did best when each fold was left out. */
static size_t best_of_all(const job *j, size_t q, double *loss)
{
    for (size_t s = 0; s < j->G; s++) {
        loss[s] = 0;
        for (size_t i = 0; i < j->n; i++) {
            loss[s] += loss_of(j, j->y[q * j->n + i], j->held[(q * j->G + s) * j->n + i]);
        }
    }
    return best(j, loss);
}

HS_CHECKED static int score(job *j, size_t q, hs_probe_step *out)
{
    hs_interval both[2];
    for (size_t i = 0; i < j->n; i++) {
        size_t s = best(j, j->loss + (q * j->o->folds + (size_t)j->p->fold[i]) * j->G);
        j->answer[i] = j->held[(q * j->G + s) * j->n + i];
    }
    const hs_held_out h = {j->n, j->p->fold, j->y + q * j->n, j->answer, j->base + q * j->n, j->p->binary};
    if (q > 0) {
        return hs_held_out_value(&h, &out->shuffled[q - 1]);
    }
    int rc = hs_held_out_score(&h, &(hs_bootstrap_options){j->o->B, j->o->seed, 0.95}, both);
    if (rc == HS_OK) {
        out->score = both[0];
        out->accuracy = both[1];
    }
    return rc;
}

/* w (d) <- sum_i a_i (h_i - mean). */
HS_CHECKED static int normal(job *j)
{
    int rc = HS_OK;
    memset(j->w, 0, j->d * sizeof *j->w);
    for (size_t first = 0; first < j->n; first += TILE) {
        size_t count = j->n - first < TILE ? j->n - first : TILE;
        HS_TRY(hs_store_read_h(j->store, j->k, first, count, j->rows));
        for (size_t i = 0; i < count; i++) {
            const float *h = j->rows + i * j->d;
            for (size_t x = 0; x < j->d; x++) {
                j->w[x] += j->a[first + i] * ((double)h[x] - j->mean[x]);
            }
        }
    }
out:
    return rc;
}

/* The probe of all samples, and dh. */
HS_CHECKED static int finish(job *j, hs_probe_step *out)
{
    int rc = HS_OK;
    hs_dual dual = {0};
    double b = 0, s2 = j->scale * j->scale;
    memset(j->train, 1, j->n);
    HS_TRY(hs_dual_new(j->n, j->K, j->train, &dual));
    out->strength = j->strength[best_of_all(j, 0, j->loss)];
    out->penalty = out->strength * dual.power / s2;
    memset(j->v, 0, j->n * sizeof *j->v);
    HS_TRY(fit(j, &dual, 0, out->strength, j->v, &b));
    hs_dual_weights(&dual, j->v, j->a);
    HS_TRY(normal(j));
    double length = s2 * hs_nrm2_f64(j->d, j->w);
    if (!(length > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "%s: h tells nothing of it: the probe's normal is 0", j->p->name);
        goto out;
    }
    out->norm = j->p->unit / length;
    out->intercept = b - s2 * hs_dot_f64(j->d, j->w, j->mean);
    for (size_t x = 0; x < j->d; x++) {
        j->p->dh[j->k * j->d + x] = (float)(s2 * j->w[x] / length * out->norm);
    }
out:
    hs_dual_free(&dual);
    return rc;
}

HS_CHECKED static int probe_column(job *j)
{
    int rc = HS_OK, folds = (int)j->o->folds;
    hs_probe_step *out = &j->p->step[j->k];
    out->shuffled = j->p->shuffled + j->k * j->o->shuffles;
    HS_TRY(set_labels(j));
    memset(j->loss, 0, j->Q * j->o->folds * j->G * sizeof *j->loss);
    for (int f = 0; f < folds; f++) {
        for (int g = f; g < folds; g++) {
            HS_TRY(train_without(j, f, g));
        }
    }
    for (size_t q = 0; q < j->Q; q++) {
        HS_TRY(score(j, q, out));
    }
    HS_TRY(finish(j, out));
out:
    return rc;
}

static int read_rows(void *ctx, size_t first, size_t count, float *out)
{
    const job *j = ctx;
    return hs_store_read_h(j->store, j->k, first, count, out);
}

HS_CHECKED static int probe_step(job *j, size_t count, hs_probe *probes)
{
    int rc = HS_OK;
    hs_rows rows = {j->n, j->d, 1, read_rows, j};
    hs_centring c = {0};
    HS_TRY(hs_centring_new(&rows, NULL, &c));
    HS_TRY(hs_gram(&c, NULL, j->K));
    j->mean = c.mean;
    j->scale = c.scale;
    for (size_t i = 0; i < count; i++) {
        j->p = &probes[i];
        HS_TRY(probe_column(j));
    }
out:
    hs_centring_free(&c);
    return rc;
}

int hs_dir_probe(const hs_store *store, const hs_probe_options *o, size_t count, hs_probe *probes)
{
    int rc = HS_OK;
    size_t S = hs_store_S(store);
    job j = {.store = store,
             .o = o,
             .n = hs_store_n(store),
             .d = hs_chw_size(hs_store_h(store)),
             .Q = 1 + o->shuffles,
             .G = o->n_strength};
    HS_TRY(prepare(&j));
    for (j.k = 0; j.k < S; j.k++) {
        char where[32];
        snprintf(where, sizeof where, "t = %d", hs_store_timesteps(store)[j.k]);
        HS_TRY(hs_progress_tell(o->progress, "probes", j.k, S));
        HS_TRY(hs_fail_in(probe_step(&j, count, probes), where));
    }
out:
    release(&j);
    return rc;
}
