#include "analysis/properties/deltas.h"

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
        free(x->unit_square);
        free(x->all_gram);
        free(x->alike);
        memset(x, 0, sizeof *x);
    }
}

/* A piece of the file at work. */
typedef struct {
    size_t first, n;
    float *v;      /* (n, S, d) */
    double *norm2; /* (n, S) */
    double *image; /* (n) |mean_k D|^2 */
} piece;

static void piece_free(piece *p)
{
    free(p->v);
    free(p->norm2);
    free(p->image);
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
    HS_TRY(hs_size_mul(x->units, per, &all));
    HS_TRY(hs_calloc(all, sizeof(double), &x->sum));
    if (x->pooled) {
        HS_TRY(hs_calloc(all, sizeof(double), &x->unit_sum));
    }
    HS_TRY(hs_calloc(x->units, s->S * sizeof(double), &x->nonzero));
    HS_TRY(hs_calloc(x->units, s->S * sizeof(double), &x->square));
    HS_TRY(hs_calloc(x->units, sizeof(double), &x->square_of_image));
    HS_TRY(hs_size_mul(cells, x->units, &cells));
    HS_TRY(hs_alloc(cells, sizeof(double), &x->gram));
    HS_TRY(hs_alloc(x->units, s->S * sizeof(double), &x->unit_square));
    if (s->t != NULL) {
        HS_TRY(hs_alloc(s->S, sizeof *x->t, &x->t));
        memcpy(x->t, s->t, s->S * sizeof *x->t);
    }
out:
    return rc;
}

static double square_of_mean(size_t S, size_t d, const float *v)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++) {
        double m = 0;
        for (size_t k = 0; k < S; k++) {
            m += (double)v[k * d + j];
        }
        sum += m * m;
    }
    return sum / ((double)S * (double)S);
}

/* Adds one image's step to its unit. */
static void add_step(hs_deltas *x, size_t unit, size_t k, const float *v, double norm2)
{
    double *sum = x->sum + (unit * x->S + k) * x->d, scale = norm2 > 0 ? 1 / sqrt(norm2) : 0;
    double *u = x->unit_sum != NULL ? x->unit_sum + (unit * x->S + k) * x->d : NULL;
    for (size_t j = 0; j < x->d; j++) {
        sum[j] += (double)v[j];
    }
    for (size_t j = 0; u != NULL && j < x->d; j++) {
        u[j] += scale * (double)v[j];
    }
    x->square[unit * x->S + k] += norm2;
    x->nonzero[unit * x->S + k] += norm2 > 0;
}

static int is_finite(size_t S, const double *norm2)
{
    for (size_t k = 0; k < S; k++) {
        if (!isfinite(norm2[k])) {
            return 0;
        }
    }
    return 1;
}

/* Adds a piece: each (unit, step) by one thread, images in order, so that threads change no bit. */
static void add_piece(hs_deltas *x, const piece *p)
{
    size_t S = x->S, d = x->d;
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < p->n; i++) {
            for (size_t k = 0; k < S; k++) {
                const float *v = p->v + (i * S + k) * d;
                p->norm2[i * S + k] = hs_dot_f32(d, v, v);
            }
            p->image[i] = square_of_mean(S, d, p->v + i * S * d);
        }
#pragma omp for schedule(static)
        for (size_t k = 0; k < S; k++) {
            for (size_t i = 0; i < p->n; i++) {
                if (is_finite(S, p->norm2 + i * S)) {
                    add_step(x, (p->first + i) % x->units, k, p->v + (i * S + k) * d, p->norm2[i * S + k]);
                }
            }
        }
    }
    for (size_t i = 0; i < p->n; i++) {
        if (is_finite(S, p->norm2 + i * S)) {
            x->count[(p->first + i) % x->units] += 1;
            x->square_of_image[(p->first + i) % x->units] += p->image[i];
            x->n++;
        } else {
            x->first_bad = x->bad++ == 0 ? p->first + i : x->first_bad;
        }
    }
}

HS_CHECKED static int read_all(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x)
{
    int rc;
    piece p = {0};
    size_t most = ((size_t)1 << 20) / (s->S * s->d);
    most = most < 1 ? 1 : most < s->n ? most : s->n;
    HS_TRY(hs_alloc(most, s->S * s->d * sizeof *p.v, &p.v));
    HS_TRY(hs_alloc(most, s->S * sizeof *p.norm2, &p.norm2));
    HS_TRY(hs_alloc(most, sizeof *p.image, &p.image));
    for (; p.first < s->n; p.first += p.n) {
        p.n = s->n - p.first < most ? s->n - p.first : most;
        HS_TRY(hs_progress_tell(progress, "deltas", p.first, s->n));
        HS_TRY(s->read(s->ctx, p.first, p.n, p.v));
        add_piece(x, &p);
    }
out:
    piece_free(&p);
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

/* alike of step k: inner products of the units' sums of u. */
HS_CHECKED static int alike_step(hs_deltas *x, size_t k)
{
    int rc = HS_OK;
    size_t U = x->units, S = x->S, d = x->d;
    double *to = x->alike + k * U * U;
    if (x->unit_sum != NULL) {
        return hs_gemm_f64(HS_NO_TRANS, HS_TRANS, U, U, d, 1, x->unit_sum + k * d, S * d, x->unit_sum + k * d, S * d, 0,
                           to, U);
    }
    for (size_t i = 0; i < U; i++) {
        for (size_t j = 0; j < U; j++) {
            double norms = sqrt(x->square[i * S + k] * x->square[j * S + k]);
            to[i * U + j] = norms > 0 ? x->all_gram[(i * S + k) * U * S + j * S + k] / norms : 0;
        }
    }
    return rc;
}

/* Inner products of everything, where resampling by them is the cheaper way. */
HS_CHECKED static int fill_gram(hs_deltas *x, size_t most)
{
    enum { ROWS = 64 };
    int rc, failed = HS_OK;
    size_t U = x->units, S = x->S, all = U * S;
    if (all > most || U * U * S >= x->d * (U + S / 2)) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(all, all * sizeof *x->all_gram, &x->all_gram));
    HS_TRY(hs_alloc(S, U * U * sizeof *x->alike, &x->alike));
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel num_threads(guard.threads)
    {
        int mine = HS_OK;
#pragma omp for schedule(dynamic, 1)
        for (size_t b = 0; b < (all + ROWS - 1) / ROWS; b++) {
            mine = mine != HS_OK ? mine : gram_rows(x, b * ROWS, all - b * ROWS < ROWS ? all - b * ROWS : ROWS);
        }
#pragma omp for schedule(static)
        for (size_t k = 0; k < S; k++) {
            mine = mine != HS_OK ? mine : alike_step(x, k);
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
    HS_TRY(read_all(source, progress, &x));
    if (x.n == 0) {
        rc = hs_fail(HS_EDEGENERATE, "deltas: none of the %zu samples is finite", source->n);
        goto out;
    }
    close_gaps(&x);
    HS_TRY(fill_products(&x));
    HS_TRY(fill_gram(&x, limits->gram_max));
    *out = x;
    memset(&x, 0, sizeof x);
out:
    hs_deltas_free(&x);
    return rc;
}
