#include "analysis/properties/step_spaces.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/angle.h"
#include "core/geom/cka.h"
#include "core/geom/gram.h"
#include "core/geom/pca.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

enum { HELD_MIB = 256, GRAMS_MIB = 384 }; /* of one step's h; of all steps' Gram matrices */

void hs_step_spaces_free(hs_step_spaces *s)
{
    double *const all[] = {s->grassmann, s->angle, s->angle_mean, s->null,   s->null_lo,
                           s->null_hi,   s->cka,   s->cka_lo,     s->cka_hi, s->split};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(all[i]);
    }
    memset(s, 0, sizeof *s);
}

/* Images first ... of one step. */
typedef struct {
    const hs_step_spaces_source *s;
    size_t k, first;
    const float *h; /* (n, d) of the step, or NULL: read again */
} part;

HS_CHECKED static int read_part(void *ctx, size_t first, size_t count, float *out)
{
    const part *p = ctx;
    if (p->h == NULL) {
        return p->s->read(p->s->ctx, p->k, p->first + first, count, out);
    }
    memcpy(out, p->h + (p->first + first) * p->s->d, count * p->s->d * sizeof *out);
    return HS_OK;
}

static hs_rows rows_of(part *p, size_t n)
{
    return (hs_rows){n, p->s->d, 1, read_part, p};
}

typedef struct {
    const hs_step_spaces_source *s;
    hs_step_spaces *out;
    float *pc;     /* (P, r, d) */
    float *half;   /* (2, r, d) */
    float *random; /* (P, draws, r, d) */
    int *has;      /* (P) step has r components */
    float *h;      /* (n, d) of the step at hand, or NULL: too large to hold */
    double **gram; /* [P] (n, n), NULL of a step without; or NULL: too large to keep */
    double *pair;  /* (2, r, d) */
    double *theta; /* (r) */
} work;

/* pc (r, d) <- components of the part; *has <- whether there are r. */
HS_CHECKED static int components(const work *w, part *p, size_t n, float *pc, int *has)
{
    hs_pca *pca = NULL;
    const hs_rows rows = rows_of(p, n);
    hs_pca_options o = HS_PCA_OPTIONS;
    o.k = w->s->r;
    o.seed = w->s->seed;
    o.memory = 0;
    o.progress = w->s->progress;
    *has = 0;
    int rc = hs_pca_fit(&rows, &o, &pca);
    if (rc == HS_OK && pca->rank >= o.k) {
        *has = 1;
        memcpy(pc, pca->component, o.k * w->s->d * sizeof *pc);
    }
    hs_pca_free(pca);
    return rc == HS_EDEGENERATE ? HS_OK : rc;
}

/* theta <- angles between the spans of A and B (r, d). */
HS_CHECKED static int angles(const work *w, const float *A, const float *B)
{
    const size_t size = w->s->r * w->s->d;
    for (size_t i = 0; i < size; i++) {
        w->pair[i] = (double)A[i];
        w->pair[size + i] = (double)B[i];
    }
    return hs_principal_angles(w->s->d, w->s->r, w->pair, w->s->r, w->pair + size, w->theta);
}

/* ---- Draws from the covariance ---- */

/* z (rows, n) <- normals of a step, each row less its mean: sum z_i (h_i - mean h) = sum (z_i - mean z) h_i. */
static void draw_weights(const work *w, size_t k, size_t rows, float *z)
{
    const size_t n = w->s->n;
    for (size_t a = 0; a < rows; a++) {
        const hs_rng stream = {w->s->seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_SUBSPACE << 48 | (k * rows + a)};
        double mean = 0;
        hs_rng_normal(stream, 0, n, z + a * n);
        for (size_t i = 0; i < n; i++) {
            mean += (double)z[a * n + i] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            z[a * n + i] -= (float)mean;
        }
    }
}

/* The random spaces of a step, by one pass over its rows. */
HS_CHECKED static int draw_spaces(const work *w, part *all)
{
    const size_t k = all->k;
    const size_t n = w->s->n, d = w->s->d, rows = w->s->draws * w->s->r, tile = hs_rows_tile(d, n);
    float *z = NULL, *h = NULL, *out = w->random + k * rows * d;
    int rc = HS_OK;
    HS_TRY(hs_alloc(rows, n * sizeof *z, &z));
    HS_TRY(hs_alloc(tile, d * sizeof *h, &h));
    draw_weights(w, k, rows, z);
    memset(out, 0, rows * d * sizeof *out);
    for (size_t first = 0; first < n; first += tile) {
        const size_t count = n - first < tile ? n - first : tile;
        HS_TRY(read_part(all, first, count, h));
#pragma omp parallel for
        for (size_t a = 0; a < rows; a++) {
            for (size_t i = 0; i < count; i++) {
                for (size_t j = 0; j < d; j++) {
                    out[a * d + j] += z[a * n + first + i] * h[i * d + j];
                }
            }
        }
    }
out:
    free(z);
    free(h);
    return rc;
}

/* ---- Steps and pairs ---- */

/* w->gram[k] <- products of the step's centred rows; NULL where a value isn't finite or nothing varies. */
HS_CHECKED static int keep_gram(const work *w, part *all)
{
    const size_t n = w->s->n;
    const hs_rows rows = rows_of(all, n);
    hs_centring c = {0};
    double *K = NULL;
    int rc = HS_OK;
    HS_TRY(hs_centring_new(&rows, w->s->progress, &c));
    HS_TRY(hs_alloc(n, n * sizeof *K, &K));
    HS_TRY(hs_gram(&c, w->s->progress, K));
    w->gram[all->k] = K;
    K = NULL;
out:
    hs_centring_free(&c);
    free(K);
    return rc == HS_EDEGENERATE ? HS_OK : rc;
}

HS_CHECKED static int look_at_step(const work *w, size_t k)
{
    const size_t size = w->s->r * w->s->d, n = w->s->n;
    part all = {w->s, k, 0, w->h}, second = {w->s, k, n / 2, w->h};
    int a = 0, b = 0, rc = HS_OK;
    HS_TRY(w->h != NULL ? w->s->read(w->s->ctx, k, 0, n, w->h) : HS_OK);
    w->out->split[k] = NAN;
    HS_TRY(components(w, &all, n, w->pc + k * size, &w->has[k]));
    HS_TRY(components(w, &all, n / 2, w->half, &a));
    HS_TRY(components(w, &second, n - n / 2, w->half + size, &b));
    if (a && b) {
        HS_TRY(angles(w, w->half, w->half + size));
        w->out->split[k] = hs_grassmann(w->s->r, w->theta);
    }
    HS_TRY(w->has[k] ? draw_spaces(w, &all) : HS_OK);
    HS_TRY(w->gram != NULL ? keep_gram(w, &all) : HS_OK);
out:
    return rc;
}

static void set(double *M, size_t P, size_t k, size_t l, double v)
{
    M[k * P + l] = M[l * P + k] = v;
}

HS_CHECKED static int look_at_spaces(const work *w, size_t k, size_t l)
{
    const size_t P = w->s->P, r = w->s->r, size = r * w->s->d, K = w->s->draws;
    hs_step_spaces *o = w->out;
    double *null = NULL;
    int rc = HS_OK;
    if (!w->has[k] || !w->has[l]) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(K, sizeof *null, &null));
    HS_TRY(angles(w, w->pc + k * size, w->pc + l * size));
    set(o->grassmann, P, k, l, hs_grassmann(r, w->theta));
    set(o->angle, P, k, l, w->theta[r - 1]);
    set(o->angle_mean, P, k, l, hs_mean(r, w->theta, NULL));
    for (size_t b = 0; b < K && k != l; b++) {
        HS_TRY(angles(w, w->random + (k * K + b) * size, w->random + (l * K + b) * size));
        null[b] = hs_grassmann(r, w->theta);
    }
    if (k != l) {
        double mean = hs_mean(K, null, NULL), half = hs_sd(K, null, NULL) * sqrt(1 + 1 / (double)K);
        half *= hs_student_quantile(0.5 * (1 + w->s->level), (double)K - 1);
        set(o->null, P, k, l, mean);
        set(o->null_lo, P, k, l, mean - half);
        set(o->null_hi, P, k, l, mean + half);
    }
out:
    free(null);
    return rc;
}

/* From what was kept, else by reading both steps again. */
HS_CHECKED static int cka_of(const work *w, size_t k, size_t l, hs_cka *cka)
{
    const size_t n = w->s->n;
    part a = {w->s, k, 0, NULL}, b = {w->s, l, 0, NULL};
    const hs_rows A = rows_of(&a, n), B = rows_of(&b, n);
    if (w->gram == NULL) {
        return hs_cka_linear(&A, &B, w->s->progress, cka);
    }
    return w->gram[k] == NULL || w->gram[l] == NULL ? HS_EDEGENERATE : hs_cka_gram(n, w->gram[k], w->gram[l], cka);
}

HS_CHECKED static int look_at_cka(const work *w, size_t k, size_t l)
{
    const size_t P = w->s->P, n = w->s->n;
    hs_cka cka;
    int rc = cka_of(w, k, l, &cka);
    if (rc == HS_OK) {
        double half = hs_student_quantile(0.5 * (1 + w->s->level), (double)n - 1) * cka.jackknife_se;
        set(w->out->cka, P, k, l, cka.debiased);
        set(w->out->cka_lo, P, k, l, cka.debiased - half);
        set(w->out->cka_hi, P, k, l, cka.debiased + half);
    }
    return rc == HS_EDEGENERATE ? HS_OK : rc;
}

static int fits(size_t mib, const uint64_t factor[3])
{
    size_t bytes;
    return hs_size_product(3, factor, &bytes) == HS_OK && bytes <= mib << 20;
}

HS_CHECKED static int make_room(const hs_step_spaces_source *s, work *w, hs_step_spaces *o)
{
    double **const matrix[] = {&o->grassmann, &o->angle, &o->angle_mean, &o->null,  &o->null_lo,
                               &o->null_hi,   &o->cka,   &o->cka_lo,     &o->cka_hi};
    int rc = HS_OK;
    *o = (hs_step_spaces){.n = s->n, .P = s->P, .r = s->r, .draws = s->draws};
    *w = (work){.s = s, .out = o};
    for (size_t m = 0; m < sizeof matrix / sizeof *matrix; m++) {
        HS_TRY(hs_alloc(s->P, s->P * sizeof(double), matrix[m]));
        for (size_t i = 0; i < s->P * s->P; i++) {
            (*matrix[m])[i] = NAN;
        }
    }
    HS_TRY(hs_alloc(s->P, sizeof(double), &o->split));
    HS_TRY(hs_calloc(s->P, sizeof *w->has, &w->has));
    HS_TRY(hs_alloc(s->P * s->r, s->d * sizeof *w->pc, &w->pc));
    HS_TRY(hs_alloc(2 * s->r, s->d * sizeof *w->half, &w->half));
    HS_TRY(hs_alloc(s->P * s->draws * s->r, s->d * sizeof *w->random, &w->random));
    HS_TRY(hs_alloc(2 * s->r, s->d * sizeof *w->pair, &w->pair));
    HS_TRY(hs_alloc(s->r, sizeof *w->theta, &w->theta));
    if (fits(HELD_MIB, (const uint64_t[]){s->n, s->d, sizeof *w->h})) {
        HS_TRY(hs_alloc(s->n, s->d * sizeof *w->h, &w->h));
    }
    if (fits(GRAMS_MIB, (const uint64_t[]){s->n, s->n, s->P * sizeof **w->gram})) {
        HS_TRY(hs_calloc(s->P, sizeof *w->gram, &w->gram));
    }
out:
    return rc;
}

HS_CHECKED static int check(const hs_step_spaces_source *s)
{
    if (s->P == 0 || s->r == 0 || s->r > s->d || s->n < 4 || s->n / 2 <= s->r) {
        return hs_fail(HS_ERANGE,
                       "%zu components of %zu images with %zu numbers at %zu steps; wanted %zu images or more", s->r,
                       s->n, s->d, s->P, 2 * (s->r + 1));
    }
    if (s->draws < 3 || !(s->level > 0 && s->level < 1)) {
        return hs_fail(HS_ERANGE, "null of %zu draws at level %g; wanted 3 or more and a level between 0 and 1",
                       s->draws, s->level);
    }
    return HS_OK;
}

int hs_step_spaces_of(const hs_step_spaces_source *s, hs_step_spaces *out)
{
    hs_step_spaces o = {0};
    work w = {0};
    int rc = HS_OK;
    HS_TRY(check(s));
    HS_TRY(make_room(s, &w, &o));
    for (size_t k = 0; k < s->P; k++) {
        HS_TRY(hs_progress_tell(s->progress, "spaces of steps", k, s->P));
        HS_TRY(look_at_step(&w, k));
    }
    for (size_t k = 0; k < s->P; k++) {
        for (size_t l = k; l < s->P; l++) {
            HS_TRY(look_at_spaces(&w, k, l));
            HS_TRY(look_at_cka(&w, k, l));
        }
    }
    *out = o;
    o = (hs_step_spaces){0};
out:
    hs_step_spaces_free(&o);
    free(w.has);
    free(w.pc);
    free(w.half);
    free(w.random);
    free(w.pair);
    for (size_t k = 0; w.gram != NULL && k < s->P; k++) {
        free(w.gram[k]);
    }
    free(w.gram);
    free(w.h);
    free(w.theta);
    return rc;
}

/* ---- Statistics ---- */

static const char no_space[] = "fewer components than asked for, or a value that is not finite";
static const char no_limits[] = "no interval: between grassmann_split and grassmann_null";

HS_CHECKED static int put(hs_measurement *m, const char *name, size_t k, size_t l, hs_estimate e)
{
    snprintf(e.name, sizeof e.name, "%s[%zu,%zu]", name, k, l);
    return hs_measurement_put(m, &e);
}

/* One number of a pair; limits NULL: none, and why. */
HS_CHECKED static int put_pair(const hs_step_spaces *s, hs_measurement *m, const char *name, const char *estimator,
                               const double *v, const double *lo, const double *hi, size_t at)
{
    const char *why = !isfinite(v[at])    ? no_space
                      : lo == NULL        ? no_limits
                      : !isfinite(lo[at]) ? "no interval: too few images, or one decides"
                                          : NULL;
    hs_estimate e = hs_estimate_plain("", v[at], s->n, estimator, why);
    if (why == NULL) {
        e.lo = lo[at];
        e.hi = hi[at];
    }
    return put(m, name, at / s->P, at % s->P, e);
}

int hs_step_spaces_statistics(const hs_step_spaces *s, hs_measurement *m)
{
    int rc = HS_OK;
    for (size_t at = 0; at < s->P * s->P; at++) {
        if (at % s->P <= at / s->P) {
            continue;
        }
        HS_TRY(put_pair(s, m, "grassmann", "top components, radians", s->grassmann, NULL, NULL, at));
        HS_TRY(put_pair(s, m, "principal_angle", "largest, radians", s->angle, NULL, NULL, at));
        HS_TRY(put_pair(s, m, "principal_angle_mean", "mean, radians", s->angle_mean, NULL, NULL, at));
        HS_TRY(put_pair(s, m, "grassmann_null", "directions drawn from the covariances, limits of one more draw",
                        s->null, s->null_lo, s->null_hi, at));
        HS_TRY(put_pair(s, m, "cka_debiased", "linear kernel, delete-one jackknife, t interval", s->cka, s->cka_lo,
                        s->cka_hi, at));
    }
    for (size_t k = 0; k < s->P; k++) {
        hs_estimate e = hs_estimate_plain("", s->split[k], s->n, "top components of two halves of the images, radians",
                                          isfinite(s->split[k]) ? "no interval: a noise floor" : no_space);
        snprintf(e.name, sizeof e.name, "grassmann_split[%zu]", k);
        HS_TRY(hs_measurement_put(m, &e));
    }
out:
    return rc;
}
