#include "analysis/compare/side.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/gram.h"
#include "core/linalg/blas.h"

/* ---- Gram matrices ---- */

typedef struct {
    const hs_compare_side *side;
    size_t k;
} at_step;

static int read_step(void *ctx, size_t first, size_t count, float *out)
{
    const at_step *s = ctx;
    return s->side->read(s->side->ctx, s->k, first, count, out);
}

/* K <- products of the rows about their means, in their own scale. */
HS_CHECKED static int gram_of(const hs_rows *rows, const hs_progress *progress, double *K)
{
    int rc;
    hs_centring c = {0};
    HS_TRY(hs_centring_new(rows, progress, &c));
    HS_TRY(hs_gram(&c, progress, K));
    double back = 1 / (c.scale * c.scale);
    for (size_t i = 0; i < rows->n * rows->n; i++) {
        K[i] *= back;
    }
out:
    hs_centring_free(&c);
    return rc;
}

int hs_side_gram(const hs_compare_side *s, size_t k, const hs_progress *progress, double *K)
{
    at_step at = {s, k};
    const hs_rows rows = {s->n, s->d, 1, read_step, &at};
    return gram_of(&rows, progress, K);
}

typedef struct {
    const hs_compare_side *side;
    size_t S;
    const size_t *image, *step;
} pooled;

static int read_pooled(void *ctx, size_t first, size_t count, float *out)
{
    const pooled *p = ctx;
    int rc = HS_OK;
    for (size_t i = first; i < first + count && rc == HS_OK; i++) {
        rc = p->side->read(p->side->ctx, p->step[i % p->S], p->image[i / p->S], 1, out + (i - first) * p->side->d);
    }
    return rc;
}

int hs_side_gram_pooled(const hs_compare_side *s, size_t n, const size_t *image, size_t S, const size_t *step,
                        const hs_progress *progress, double *K)
{
    pooled p = {s, S, image, step};
    const hs_rows rows = {n * S, s->d, S, read_pooled, &p};
    return gram_of(&rows, progress, K);
}

/* ---- One read of a step, a tile at a time ---- */

/* What is done with rows [first, first + count). */
typedef void (*tile_work)(void *ctx, size_t first, size_t count, const float *x);

HS_CHECKED static int walk(const hs_compare_side *s, size_t k, tile_work work, void *ctx)
{
    int rc = HS_OK;
    size_t tile = hs_rows_tile(s->d, 256);
    float *x = NULL;
    HS_TRY(hs_alloc(tile, s->d * sizeof *x, &x));
    for (size_t first = 0; first < s->n; first += tile) {
        size_t count = s->n - first < tile ? s->n - first : tile;
        HS_TRY(s->read(s->ctx, k, first, count, x));
        work(ctx, first, count, x);
    }
out:
    free(x);
    return rc;
}

typedef struct {
    size_t n, d, D;
    const float *v;
    double *q;
} products;

static void add_products(void *ctx, size_t first, size_t count, const float *x)
{
    const products *p = ctx;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < p->D; j++) {
            p->q[j * p->n + first + i] = hs_dot_f32(p->d, x + i * p->d, p->v + j * p->d);
        }
    }
}

int hs_side_products(const hs_compare_side *s, size_t k, size_t D, const float *v, double *q)
{
    products p = {s->n, s->d, D, v, q};
    return walk(s, k, add_products, &p);
}

typedef struct {
    size_t n, d, D;
    const double *w;
    double *sum; /* (D, d) */
} combination;

static void add_weighted(void *ctx, size_t first, size_t count, const float *x)
{
    const combination *c = ctx;
#pragma omp parallel for schedule(static)
    for (size_t l = 0; l < c->d; l++) {
        for (size_t i = 0; i < count; i++) {
            for (size_t j = 0; j < c->D; j++) {
                c->sum[j * c->d + l] += c->w[j * c->n + first + i] * (double)x[i * c->d + l];
            }
        }
    }
}

int hs_side_combine(const hs_compare_side *s, size_t k, size_t D, const double *w, float *out)
{
    int rc;
    combination c = {s->n, s->d, D, w, NULL};
    HS_TRY(hs_calloc(D * s->d, sizeof *c.sum, &c.sum));
    HS_TRY(walk(s, k, add_weighted, &c));
    for (size_t i = 0; i < D * s->d; i++) {
        out[i] = (float)c.sum[i];
    }
out:
    free(c.sum);
    return rc;
}

/* ---- Features as they stand ---- */

static double cosine_about(size_t d, const float *x, const float *y, const float *mx, const float *my)
{
    double xy = 0, xx = 0, yy = 0;
    for (size_t l = 0; l < d; l++) {
        double u = (double)x[l] - (double)mx[l], v = (double)y[l] - (double)my[l];
        xy += u * v;
        xx += u * u;
        yy += v * v;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

int hs_side_raw_cosine(const hs_compare_side *a, const hs_compare_side *b, size_t k, double *cosine)
{
    int rc;
    size_t n = a->n, d = a->d, tile = hs_rows_tile(d, 256);
    double *w = NULL, sum = 0;
    float *mean = NULL, *x = NULL;
    HS_TRY(hs_alloc(n, sizeof *w, &w));
    HS_TRY(hs_alloc(2 * d, sizeof *mean, &mean));
    HS_TRY(hs_alloc(2 * tile, d * sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        w[i] = 1 / (double)n;
    }
    HS_TRY(hs_side_combine(a, k, 1, w, mean));
    HS_TRY(hs_side_combine(b, k, 1, w, mean + d));
    for (size_t first = 0; first < n; first += tile) {
        size_t count = n - first < tile ? n - first : tile;
        HS_TRY(a->read(a->ctx, k, first, count, x));
        HS_TRY(b->read(b->ctx, k, first, count, x + tile * d));
        for (size_t i = 0; i < count; i++) {
            sum += cosine_about(d, x + i * d, x + (tile + i) * d, mean, mean + d) / (double)n;
        }
    }
    *cosine = sum;
out:
    free(w);
    free(mean);
    free(x);
    return rc;
}
