#include "analysis/geometry/skips.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/stats/bca.h"

void hs_geometry_skips_free(hs_geometry_skips *k)
{
    free(k->rms);
    free(k->h_rms);
    free(k->cosine);
    memset(k, 0, sizeof *k);
}

typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_states *s;
    size_t n, d_h, skips, alike; /* alike: skips of h's shape */
    hs_unet_ws *ws;
    size_t *of;                 /* (skips) its number among those alike, or skips */
    float *one;                 /* the largest skip */
    float *same;                /* (alike, n, d_h) */
    float *h;                   /* (n, d_h), of a timestep, centred */
    float *encoded;             /* (d_h) */
    double *sum;                /* (skips) of squares */
    double *norm;               /* (n) ratios */
    double *value, *loo, *null; /* (3, S), (3, S, n), (S, K) */
    size_t *perm;               /* (n) */
    hs_geometry_skips *out;
} work;

static void work_free(work *w)
{
    hs_unet_ws_free(w->ws);
    free(w->of);
    free(w->one);
    free(w->same);
    free(w->h);
    free(w->encoded);
    free(w->sum);
    free(w->norm);
    free(w->value);
    free(w->loo);
    free(w->null);
    free(w->perm);
}

HS_CHECKED static int work_create(work *w)
{
    const hs_unet_config *cfg = hs_unet_config_of(w->run->m->unet);
    const hs_chw h = hs_unet_h_shape(cfg);
    const size_t S = w->run->S, n = w->n, d = w->d_h;
    size_t most = 1;
    int rc = HS_OK;
    HS_TRY(hs_alloc(w->skips, sizeof *w->of, &w->of));
    for (size_t k = 0; k < w->skips; k++) {
        const hs_chw c = hs_unet_skip_shape(cfg, k);
        w->of[k] = c.c == h.c && c.h == h.h && c.w == h.w ? w->alike++ : w->skips;
        most = hs_chw_size(c) > most ? hs_chw_size(c) : most;
    }
    HS_TRY(hs_alloc(most, sizeof *w->one, &w->one));
    HS_TRY(hs_alloc(w->alike * n, d * sizeof *w->same, &w->same));
    HS_TRY(hs_alloc(n, d * sizeof *w->h, &w->h));
    HS_TRY(hs_alloc(1, d * sizeof *w->encoded, &w->encoded));
    HS_TRY(hs_alloc(w->skips, sizeof *w->sum, &w->sum));
    HS_TRY(hs_alloc(n, sizeof *w->norm, &w->norm));
    HS_TRY(hs_alloc(3, S * sizeof *w->value, &w->value));
    HS_TRY(hs_alloc(3 * S, n * sizeof *w->loo, &w->loo));
    HS_TRY(hs_alloc(S, w->run->draws * sizeof *w->null, &w->null));
    HS_TRY(hs_alloc(n, sizeof *w->perm, &w->perm));
    HS_TRY(hs_unet_ws_create(w->run->m->unet, 1, 1, w->run->conv, &w->ws));
out:
    return rc;
}

/* Norms, and the skips alike, of all samples at timestep number k. */
HS_CHECKED static int read_skips(work *w, size_t k)
{
    const hs_unet_config *cfg = hs_unet_config_of(w->run->m->unet);
    const hs_geometry_states *s = w->s;
    double all = 0;
    int rc = HS_OK;
    memset(w->sum, 0, w->skips * sizeof *w->sum);
    for (size_t i = 0; i < w->n; i++) {
        double squares = 0, values = 0;
        HS_TRY(hs_unet_encode(w->run->m->unet, w->ws, 1, s->x + (k * s->n + i) * s->d_x, &w->run->t[k], w->encoded));
        for (size_t j = 0; j < w->skips; j++) {
            const size_t size = hs_chw_size(hs_unet_skip_shape(cfg, j));
            HS_TRY(hs_unet_skip(w->run->m->unet, w->ws, j, 0, w->one));
            double norm2 = hs_dot_f32(size, w->one, w->one);
            squares += norm2;
            values += (double)size;
            w->sum[j] += norm2 / (double)size / (double)w->n;
            if (w->of[j] < w->skips) {
                memcpy(w->same + (w->of[j] * w->n + i) * w->d_h, w->one, size * sizeof *w->one);
            }
        }
        double own = hs_dot_f32(w->d_h, w->encoded, w->encoded) / (double)w->d_h;
        w->norm[i] = sqrt(own / (squares / values));
        all += own / (double)w->n;
        memcpy(w->h + i * w->d_h, w->encoded, w->d_h * sizeof *w->h);
    }
    for (size_t j = 0; j < w->skips; j++) {
        w->out->rms[k * w->skips + j] = sqrt(w->sum[j]);
    }
    w->out->h_rms[k] = sqrt(all);
out:
    return rc;
}

static void centre(size_t n, size_t d, float *x)
{
    for (size_t c = 0; c < d; c++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) {
            mean += (double)x[i * d + c] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            x[i * d + c] = (float)((double)x[i * d + c] - mean);
        }
    }
}

static double cosine(size_t d, const float *a, const float *b)
{
    double norms = hs_nrm2_f32(d, a) * hs_nrm2_f32(d, b);
    return norms > 0 ? hs_dot_f32(d, a, b) / norms : (double)NAN;
}

/* v (n) <- cosines of h of sample i with skip a of sample perm[i] (NULL: i). */
static void cosines(const work *w, size_t a, const size_t *perm, double *v)
{
    for (size_t i = 0; i < w->n; i++) {
        const size_t with = perm != NULL ? perm[i] : i;
        v[i] = cosine(w->d_h, w->h + i * w->d_h, w->same + (a * w->n + with) * w->d_h);
    }
}

/* Mean over the skips alike: *value, loo (n). */
static void mean_cosine(work *w, const size_t *perm, double *value, double *loo)
{
    *value = 0;
    for (size_t i = 0; i < w->n && loo != NULL; i++) {
        loo[i] = 0;
    }
    for (size_t a = 0; a < w->alike; a++) {
        cosines(w, a, perm, w->norm);
        *value += hs_geometry_leave_out(w->n, w->norm, w->norm) / (double)w->alike;
        for (size_t i = 0; i < w->n && loo != NULL; i++) {
            loo[i] += w->norm[i] / (double)w->alike;
        }
    }
}

HS_CHECKED static int at_timestep(work *w, size_t k)
{
    const size_t S = w->run->S, n = w->n, K = w->run->draws;
    int rc = HS_OK;
    HS_TRY(hs_progress_tell(w->run->progress, "skips", k, S));
    HS_TRY(read_skips(w, k));
    w->value[k] = hs_geometry_leave_out(n, w->norm, w->loo + k * n);
    mean_cosine(w, NULL, &w->value[2 * S + k], w->loo + (2 * S + k) * n);
    centre(n, w->d_h, w->h);
    for (size_t a = 0; a < w->alike; a++) {
        centre(n, w->d_h, w->same + a * n * w->d_h);
    }
    mean_cosine(w, NULL, &w->value[S + k], w->loo + (S + k) * n);
    for (size_t j = 0; j < w->skips; j++) {
        w->out->cosine[k * w->skips + j] = NAN;
        if (w->of[j] < w->skips) {
            cosines(w, w->of[j], NULL, w->norm);
            w->out->cosine[k * w->skips + j] = hs_geometry_leave_out(n, w->norm, w->norm);
        }
    }
    for (size_t b = 0; b < K; b++) {
        hs_permutation(w->run->seed, b, n, w->perm);
        mean_cosine(w, w->perm, &w->null[k * K + b], NULL);
    }
out:
    return rc;
}

enum { NORM, COSINE, RAW, NUMBERS };

HS_CHECKED static int put(const work *w, size_t q)
{
    static const char *const name[NUMBERS] = {"skip_norm", "skip_cosine", "skip_cosine_raw"};
    static const char *const estimator[NUMBERS] = {"rms of h over rms of the skips, mean over samples, jackknife",
                                                   "centred, mean over samples and skips of h's shape, jackknife",
                                                   "mean over samples and skips of h's shape, jackknife"};
    const size_t S = w->run->S, K = w->run->draws;
    if (q != NORM && w->alike == 0) {
        return hs_geometry_put_plain(w->run->statistics, name[q], NAN, w->n, estimator[q], "no skip has the shape of h",
                                     NAN, "no skip has the shape of h");
    }
    const hs_geometry_series s = {.name = name[q],
                                  .estimator = estimator[q],
                                  .S = S,
                                  .n = w->n,
                                  .value = w->value + q * S,
                                  .jackknife = 1,
                                  .units = w->n,
                                  .R = w->n,
                                  .replicates = w->loo + q * S * w->n,
                                  .K = q == COSINE ? K : 0,
                                  .null = q == COSINE ? w->null : NULL,
                                  .null_what = q == NORM ? "a length"
                                               : q == COSINE
                                                   ? "h against the skips of shuffled samples"
                                                   : "see skip_cosine: the means that all samples share are in it",
                                  .level = w->run->bootstrap.level};
    return hs_geometry_put(w->run->statistics, &s);
}

int hs_geometry_skips_of(const hs_geometry_run *run, const hs_geometry_states *s, size_t n, hs_geometry_skips *out)
{
    const hs_unet_config *cfg = hs_unet_config_of(run->m->unet);
    hs_geometry_skips k = {.S = run->S, .skips = hs_unet_skip_count(cfg)};
    work w = {.run = run, .s = s, .n = n, .d_h = s->d_h, .skips = k.skips, .out = &k};
    int rc = HS_OK;
    if (n < 3 || n > s->n) {
        return hs_fail(HS_ERANGE, "skips of %zu samples of %zu; wanted 3 or more", n, s->n);
    }
    HS_TRY(hs_alloc(run->S, k.skips * sizeof *k.rms, &k.rms));
    HS_TRY(hs_alloc(run->S, k.skips * sizeof *k.cosine, &k.cosine));
    HS_TRY(hs_alloc(run->S, sizeof *k.h_rms, &k.h_rms));
    HS_TRY(work_create(&w));
    for (size_t step = 0; step < run->S; step++) {
        HS_TRY(at_timestep(&w, step));
    }
    for (size_t q = NORM; q < NUMBERS; q++) {
        HS_TRY(put(&w, q));
    }
    *out = k;
    k = (hs_geometry_skips){0};
out:
    work_free(&w);
    hs_geometry_skips_free(&k);
    return rc;
}
