#include "analysis/properties/deltas_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

void hs_deltas_free(hs_deltas *x)
{
    if (x != NULL) {
        free(x->t);
        free(x->count);
        free(x->sum);
        free(x->unit_sum);
        free(x->nonzero);
        free(x->square);
        free(x->square_of_image);
        free(x->gram);
        free(x->gram_all);
        free(x->unit_square);
        free(x->step_gram);
        free(x->whole_gram);
        free(x->alike);
        free(x->all_gram);
        memset(x, 0, sizeof *x);
    }
}

/* By all threads: the system clears pages where they are touched first. */
HS_CHECKED static int zeroed_sums(size_t units, size_t per, double **out)
{
    int rc;
    HS_TRY(hs_alloc(units, per * sizeof **out, out));
    hs_alloc_sweeping(*out, units * per * sizeof **out);
#pragma omp parallel for schedule(static)
    for (size_t u = 0; u < units; u++) {
        memset(*out + u * per, 0, per * sizeof **out);
    }
out:
    return rc;
}

HS_CHECKED static int make_room(const hs_deltas_source *s, const hs_deltas_limits *limits, hs_deltas *x)
{
    int rc;
    size_t per, all, cells;
    HS_TRY(hs_size_mul(s->S, s->d, &per));
    HS_TRY(hs_size_mul(per, s->n, &all));
    HS_TRY(hs_size_mul(s->S, s->S, &cells));
    x->S = s->S;
    x->d = s->d;
    x->units = s->n;
    if (s->n > limits->images_max || all > limits->floats_max) {
        size_t units = limits->pooled_max / (2 * per);
        units = units < 32 ? 32 : units > 256 ? 256 : units;
        x->pooled = units < s->n;
        x->units = units < s->n ? units : s->n;
    }
    HS_TRY(hs_calloc(x->units, sizeof(double), &x->count));
    HS_TRY(zeroed_sums(x->units, per, &x->sum));
    HS_TRY(x->pooled ? zeroed_sums(x->units, per, &x->unit_sum) : HS_OK);
    HS_TRY(hs_calloc(x->units, s->S * sizeof(double), &x->nonzero));
    HS_TRY(hs_calloc(x->units, s->S * sizeof(double), &x->square));
    HS_TRY(hs_calloc(x->units, sizeof(double), &x->square_of_image));
    HS_TRY(hs_size_mul(cells, x->units, &cells));
    HS_TRY(hs_alloc(cells, sizeof(double), &x->gram));
    HS_TRY(hs_alloc(x->units, s->S * sizeof(double), &x->unit_square));
    HS_TRY(hs_alloc(x->units, sizeof(double), &x->gram_all));
    if (s->t != NULL) {
        HS_TRY(hs_alloc(s->S, sizeof *x->t, &x->t));
        memcpy(x->t, s->t, s->S * sizeof *x->t);
    }
out:
    return rc;
}

/* Takes out units that no finite image came to. */
static void close_gaps(hs_deltas *x)
{
    size_t S = x->S, per = x->S * x->d, kept = 0;
    for (size_t u = 0; u < x->units; u++) {
        if (x->count[u] > 0 && kept++ != u) {
            size_t to = kept - 1;
            x->count[to] = x->count[u];
            x->square_of_image[to] = x->square_of_image[u];
            memmove(x->sum + to * per, x->sum + u * per, per * sizeof *x->sum);
            if (x->unit_sum != NULL) {
                memmove(x->unit_sum + to * per, x->unit_sum + u * per, per * sizeof *x->sum);
            }
            memmove(x->nonzero + to * S, x->nonzero + u * S, S * sizeof *x->nonzero);
            memmove(x->square + to * S, x->square + u * S, S * sizeof *x->square);
        }
    }
    x->units = kept;
}

HS_CHECKED static int fill_products(hs_deltas *x)
{
    int failed = HS_OK;
    size_t S = x->S, d = x->d;
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel for schedule(static) num_threads(guard.threads)
    for (size_t u = 0; u < x->units; u++) {
        int rc = hs_syrk_f64(S, d, 1, x->sum + u * S * d, d, 0, x->gram + u * S * S, S);
        if (rc != HS_OK) {
#pragma omp atomic write
            failed = rc;
        }
        for (size_t k = 0; k < S; k++) {
            const double *v = x->unit_sum != NULL ? x->unit_sum + (u * S + k) * d : NULL;
            x->unit_square[u * S + k] = v != NULL ? hs_dot_f64(d, v, v) : x->nonzero[u * S + k];
        }
        x->gram_all[u] = 0;
        for (size_t c = 0; c < S * S; c++) {
            x->gram_all[u] += x->gram[u * S * S + c];
        }
    }
    hs_blas_serial_end(guard);
    return failed;
}

/* Rows [first, first + n) of the Gram matrix of all sums, and what is left of them mirrored. */
HS_CHECKED static int gram_rows(hs_deltas *x, size_t first, size_t n)
{
    int rc;
    size_t all = x->units * x->S, d = x->d;
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, n, first + n, d, 1, x->sum + first * d, d, x->sum, d, 0,
                       x->all_gram + first * all, all));
    for (size_t i = first; i < first + n; i++) {
        for (size_t j = 0; j < first; j++) {
            x->all_gram[j * all + i] = x->all_gram[i * all + j];
        }
    }
out:
    return rc;
}

/* Inner products at step k between the units' sums, and between their sums of u. */
HS_CHECKED static int products_of_step(hs_deltas *x, size_t k)
{
    int rc;
    size_t U = x->units, S = x->S, d = x->d, ld = S * d;
    double *gram = x->step_gram + k * U * U, *to = x->alike + k * U * U;
    const double *sum = x->sum + k * d, *u = x->unit_sum != NULL ? x->unit_sum + k * d : NULL;
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, U, U, d, 1, sum, ld, sum, ld, 0, gram, U));
    if (u != NULL) {
        return hs_gemm_f64(HS_NO_TRANS, HS_TRANS, U, U, d, 1, u, ld, u, ld, 0, to, U);
    }
    for (size_t i = 0; i < U; i++) {
        for (size_t j = 0; j < U; j++) {
            double norms = sqrt(x->square[i * S + k] * x->square[j * S + k]);
            to[i * U + j] = norms > 0 ? gram[i * U + j] / norms : 0;
        }
    }
out:
    return rc;
}

/* whole_gram <- inner products of the units' sums over all steps. */
HS_CHECKED static int products_of_all(hs_deltas *x)
{
    int rc;
    size_t U = x->units, S = x->S, d = x->d;
    double *row = NULL;
    HS_TRY(hs_calloc(U, d * sizeof *row, &row));
    for (size_t u = 0; u < U; u++) {
        for (size_t k = 0; k < S; k++) {
            const double *sum = x->sum + (u * S + k) * d;
            for (size_t j = 0; j < d; j++) {
                row[u * d + j] += sum[j];
            }
        }
    }
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, U, U, d, 1, row, d, row, d, 0, x->whole_gram, U));
out:
    free(row);
    return rc;
}

/* Whether resampling goes by inner products: where they fit, and are fewer than the sums. */
static int wants_gram(const hs_deltas *x, const hs_deltas_limits *limits)
{
    size_t U = x->units, S = x->S, all = U * S;
    return limits->pairs ? all <= limits->gram_max && U * U * S < x->d * (U + S / 2)
                         : all * U <= limits->gram_max * limits->gram_max && U < x->d;
}

/* Inner products of everything, where resampling by them is the cheaper way. */
HS_CHECKED static int fill_gram(hs_deltas *x, const hs_deltas_limits *limits)
{
    enum { ROWS = 64 };
    int rc, failed = HS_OK;
    size_t U = x->units, S = x->S, all = U * S, blocks = limits->pairs ? (all + ROWS - 1) / ROWS : 0;
    if (!wants_gram(x, limits)) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(S, U * U * sizeof(double), &x->step_gram));
    HS_TRY(hs_alloc(U, U * sizeof(double), &x->whole_gram));
    HS_TRY(hs_alloc(S, U * U * sizeof(double), &x->alike));
    if (limits->pairs) {
        HS_TRY(hs_alloc(all, all * sizeof(double), &x->all_gram));
    }
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel num_threads(guard.threads)
    {
        int mine = HS_OK;
#pragma omp for schedule(dynamic, 1)
        for (size_t b = 0; b < blocks; b++) {
            mine = mine != HS_OK ? mine : gram_rows(x, b * ROWS, all - b * ROWS < ROWS ? all - b * ROWS : ROWS);
        }
#pragma omp for schedule(static)
        for (size_t k = 0; k < S + 1; k++) {
            mine = mine != HS_OK ? mine : k < S ? products_of_step(x, k) : products_of_all(x);
        }
        if (mine != HS_OK) {
#pragma omp atomic write
            failed = mine;
        }
    }
    hs_blas_serial_end(guard);
    rc = failed;
out:
    return rc;
}

int hs_deltas_reduce(const hs_deltas_source *source, const hs_deltas_limits *limits, const hs_progress *progress,
                     hs_deltas *out)
{
    int rc;
    hs_deltas x = {0};
    if (source->n == 0 || source->S == 0 || source->d == 0) {
        return hs_fail(HS_ERANGE, "deltas: %zu samples x %zu steps x %zu numbers; at least 1 of each", source->n,
                       source->S, source->d);
    }
    HS_TRY(make_room(source, limits, &x));
    HS_TRY(hs_deltas_read(source, progress, &x));
    if (x.n == 0) {
        rc = hs_fail(HS_EDEGENERATE, "deltas: none of the %zu samples is finite", source->n);
        goto out;
    }
    close_gaps(&x);
    HS_TRY(fill_products(&x));
    HS_TRY(fill_gram(&x, limits));
    *out = x;
    memset(&x, 0, sizeof x);
out:
    hs_deltas_free(&x);
    return rc;
}

/* ---- Without a common mode ---- */

void hs_deltas_mean(const hs_deltas *x, float *mean)
{
    size_t per = x->S * x->d;
    for (size_t j = 0; j < per; j++) {
        double sum = 0;
        for (size_t u = 0; u < x->units; u++) {
            sum += x->sum[u * per + j];
        }
        mean[j] = (float)(sum / (double)x->n);
    }
}

typedef struct {
    const hs_deltas_source *of;
    const float *mean; /* (S, d) */
} without;

HS_CHECKED static int read_without(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    int rc;
    const without *w = ctx;
    size_t per = w->of->S * w->of->d;
    const float *all;
    HS_TRY(w->of->read(w->of->ctx, first, n, room, &all));
    for (size_t i = 0; i < n * per; i++) {
        room[i] = all[i] - w->mean[i % per];
    }
    *v = room;
out:
    return rc;
}

int hs_deltas_reduce_without(const hs_deltas_source *source, const float *mean, const hs_progress *progress,
                             hs_deltas *out)
{
    hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    without w = {source, mean};
    const hs_deltas_source less = {.n = source->n,
                                   .S = source->S,
                                   .d = source->d,
                                   .t = source->t,
                                   .read = read_without,
                                   .ctx = &w,
                                   .parallel = source->parallel};
    limits.pairs = 0;
    return hs_deltas_reduce(&less, &limits, progress, out);
}
