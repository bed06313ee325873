/* Resampling of deltas: rows of weights, a block at a time, each one matrix product with the units' sums. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/stats/bca.h"

/* Pairs and images of all units at weight 1. */
typedef struct {
    double images, squares; /* sum of counts, and of their squares */
} whole;

/* One thread's room for a block of R rows of weights. */
typedef struct {
    size_t R;
    double *w, *scaled;           /* (R, units) */
    double *sum, *unit;           /* (R, S, d), (R, d) */
    double *M, *plain, *square_w; /* (S, S) */
    double *step_all;             /* (d) sums over all steps of a row */
    double *all;                  /* (R) |sums over all steps|^2 */
    double *conc;                 /* (R, S) */
    double *raw, *T;              /* (R, S, S) |sums|^2, and (R, units S): by the Gram matrix */
    void *work;
} room;

/* Whether a statistic is resampled by inner products. */
static int by_products(const hs_deltas *x, const hs_deltas_statistic *st)
{
    return st->diagonal ? x->step_gram != NULL : x->all_gram != NULL;
}

static void room_free(room *r)
{
    free(r->w);
    free(r->scaled);
    free(r->sum);
    free(r->unit);
    free(r->M);
    free(r->plain);
    free(r->square_w);
    free(r->step_all);
    free(r->all);
    free(r->conc);
    free(r->raw);
    free(r->T);
    free(r->work);
}

HS_CHECKED static int room_create(const hs_deltas *x, const hs_deltas_statistic *st, size_t R, room *r)
{
    int rc;
    *r = (room){.R = R};
    HS_TRY(hs_alloc(R, x->units * sizeof(double), &r->w));
    HS_TRY(hs_alloc(R, x->units * sizeof(double), &r->scaled));
    if (by_products(x, st)) {
        HS_TRY(hs_alloc(R, x->S * x->S * sizeof(double), &r->raw));
        HS_TRY(hs_alloc(R, x->units * x->S * sizeof(double), &r->T));
    } else {
        HS_TRY(hs_alloc(R, x->S * x->d * sizeof(double), &r->sum));
        HS_TRY(hs_alloc(R, x->d * sizeof(double), &r->unit));
        HS_TRY(hs_alloc(x->d, sizeof(double), &r->step_all));
    }
    HS_TRY(hs_alloc(R, sizeof(double), &r->all));
    HS_TRY(hs_alloc(x->S, x->S * sizeof(double), &r->M));
    HS_TRY(hs_alloc(x->S, x->S * sizeof(double), &r->plain));
    HS_TRY(hs_alloc(x->S, x->S * sizeof(double), &r->square_w));
    HS_TRY(hs_alloc(R, x->S * sizeof(double), &r->conc));
    HS_TRY(hs_alloc(st->scratch, 1, &r->work));
out:
    return rc;
}

/* conc of one row at step k, from |weighted sum of u|^2. */
static void concentration_of(const hs_deltas *x, size_t k, size_t row, double square_of_sum, room *r)
{
    size_t S = x->S;
    const double *w = r->w + row * x->units;
    double same = 0, images = 0, squares = 0;
    for (size_t u = 0; u < x->units; u++) {
        double m = w[u] * x->nonzero[u * S + k];
        same += w[u] * w[u] * x->unit_square[u * S + k];
        images += m;
        squares += m * m;
    }
    double pairs = images * images - squares;
    r->conc[row * S + k] = pairs > 0 ? (square_of_sum - same) / pairs : NAN;
}

/* conc (rows, S) <- concentrations under each row of weights. */
HS_CHECKED static int concentrations(const hs_deltas *x, size_t rows, room *r)
{
    int rc = HS_OK;
    size_t S = x->S, d = x->d, U = x->units;
    for (size_t k = 0; k < S; k++) {
        const double *from = (x->unit_sum != NULL ? x->unit_sum : x->sum) + k * d;
        for (size_t i = 0; i < rows * U; i++) {
            double norm2 = x->square[i % U * S + k];
            r->scaled[i] = x->unit_sum != NULL ? r->w[i] : norm2 > 0 ? r->w[i] / sqrt(norm2) : 0;
        }
        HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, rows, d, U, 1, r->scaled, U, from, S * d, 0, r->unit, d));
        for (size_t row = 0; row < rows; row++) {
            const double *v = r->unit + row * d;
            concentration_of(x, k, row, hs_dot_f64(d, v, v), r);
        }
    }
out:
    return rc;
}

/* Of each row w: w' G w, G (units, units). */
HS_CHECKED static int quadratic(const hs_deltas *x, const double *G, size_t rows, room *r, double *out, size_t step)
{
    int rc;
    size_t U = x->units;
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, rows, U, U, 1, r->w, U, G, U, 0, r->scaled, U));
    for (size_t row = 0; row < rows; row++) {
        out[row * step] = hs_dot_f64(U, r->scaled + row * U, r->w + row * U);
    }
out:
    return rc;
}

/* raw (rows, S, S) <- from the Gram matrix of everything. */
HS_CHECKED static int raw_pairs(const hs_deltas *x, size_t rows, room *r)
{
    int rc = HS_OK;
    size_t S = x->S, U = x->units, all = U * S;
    for (size_t l = 0; l < S; l++) {
        HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, rows, all, U, 1, r->w, U, x->all_gram + l * all, S * all, 0, r->T,
                           all));
        for (size_t row = 0; row < rows; row++) {
            double *raw = r->raw + row * S * S;
            for (size_t k = 0; k < S; k++) {
                raw[k * S + l] = 0;
            }
            for (size_t i = 0; i < all; i++) {
                raw[i % S * S + l] += r->w[row * U + i / S] * r->T[row * all + i];
            }
        }
    }
out:
    return rc;
}

/* conc, all, and raw (of a diagonal statistic its diagonal), from the Gram matrices. */
HS_CHECKED static int by_gram(const hs_deltas *x, int diagonal, size_t rows, room *r)
{
    int rc;
    size_t S = x->S, U = x->units;
    for (size_t k = 0; k < S; k++) {
        HS_TRY(quadratic(x, x->alike + k * U * U, rows, r, r->all, 1));
        for (size_t row = 0; row < rows; row++) {
            concentration_of(x, k, row, r->all[row], r);
        }
        HS_TRY(diagonal ? quadratic(x, x->step_gram + k * U * U, rows, r, r->raw + k * (S + 1), S * S) : HS_OK);
    }
    HS_TRY(diagonal ? HS_OK : raw_pairs(x, rows, r));
    HS_TRY(quadratic(x, x->whole_gram, rows, r, r->all, 1));
out:
    return rc;
}

/* The same from the sums themselves: conc, all, sum. */
HS_CHECKED static int by_sums(const hs_deltas *x, size_t rows, room *r)
{
    int rc;
    size_t S = x->S, d = x->d, per = S * d, U = x->units;
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, rows, per, U, 1, r->w, U, x->sum, per, 0, r->sum, per));
    for (size_t row = 0; row < rows; row++) {
        memcpy(r->step_all, r->sum + row * per, d * sizeof *r->step_all);
        for (size_t k = 1; k < S; k++) {
            const double *sum = r->sum + row * per + k * d;
            for (size_t j = 0; j < d; j++) {
                r->step_all[j] += sum[j];
            }
        }
        r->all[row] = hs_dot_f64(d, r->step_all, r->step_all);
    }
    HS_TRY(concentrations(x, rows, r));
out:
    return rc;
}

/* M <- inner products of the weighted sums of a row. */
HS_CHECKED static int raw_of(const hs_deltas *x, const hs_deltas_statistic *st, size_t row, room *r)
{
    size_t S = x->S, d = x->d;
    if (by_products(x, st)) {
        memcpy(r->M, r->raw + row * S * S, S * S * sizeof *r->M);
        return HS_OK;
    }
    if (!st->diagonal) {
        return hs_syrk_f64(S, d, 1, r->sum + row * S * d, d, 0, r->M, S);
    }
    for (size_t k = 0; k < S; k++) {
        const double *sum = r->sum + (row * S + k) * d;
        r->M[k * (S + 1)] = hs_dot_f64(d, sum, sum);
    }
    return HS_OK;
}

/* Weighted numbers of images: what turns inner products of sums into means over pairs. */
typedef struct {
    double images, pairs, same;
} weighted;

static weighted weighted_of(const hs_deltas *x, const double *w)
{
    weighted n = {0, 0, 0};
    double squares = 0;
    for (size_t u = 0; u < x->units; u++) {
        n.images += w[u] * x->count[u];
        squares += w[u] * w[u] * x->count[u] * x->count[u];
        n.same += w[u] * x->count[u] * x->count[u];
    }
    n.pairs = n.images * n.images - squares;
    return n;
}

/* *M, an inner product of weighted sums, becomes M_kl, and *plain the product of the means of as many images as there
 * are; own2, own: sums over units of w^2 and of w times the unit's own inner product. */
static void finish(const whole *all, const weighted *n, double own2, double own, double *M, double *plain)
{
    double off = all->images * all->images - all->squares;
    *M = n->pairs > 0 ? (*M - own2) / n->pairs : NAN;
    *plain = ((off > 0 ? off * *M : 0) + all->squares * own / n->same) / (all->images * all->images);
}

/* M and plain (S, S), or their diagonals, and M_all, plain_all <- of one row of weights; M holds what raw_of left,
 * M_all |sum over all steps|^2. */
static void products(const hs_deltas *x, const whole *all, const double *w, size_t step, room *r, double *M_all,
                     double *plain_all)
{
    size_t S = x->S, cells = S * S;
    weighted n = weighted_of(x, w);
    double own2 = 0, own = 0;
    memset(r->plain, 0, cells * sizeof *r->plain);
    memset(r->square_w, 0, cells * sizeof *r->square_w);
    for (size_t u = 0; u < x->units; u++) {
        const double *gram = x->gram + u * cells;
        for (size_t c = 0; w[u] > 0 && c < cells; c += step) {
            r->square_w[c] += w[u] * w[u] * gram[c];
            r->plain[c] += w[u] * gram[c];
        }
        own2 += w[u] * w[u] * x->gram_all[u];
        own += w[u] * x->gram_all[u];
    }
    for (size_t c = 0; c < cells; c += step) {
        finish(all, &n, r->square_w[c], r->plain[c], &r->M[c], &r->plain[c]);
    }
    finish(all, &n, own2, own, M_all, plain_all);
    *M_all /= (double)cells;
    *plain_all /= (double)cells;
}

/* theta (rows, q) <- of each row of weights in the room. */
HS_CHECKED static int eval_rows(const hs_deltas *x, const whole *all, const hs_deltas_statistic *st, size_t rows,
                                room *r, double *theta)
{
    int rc;
    size_t S = x->S, U = x->units;
    HS_TRY(by_products(x, st) ? by_gram(x, st->diagonal, rows, r) : by_sums(x, rows, r));
    for (size_t row = 0; row < rows; row++) {
        const double *w = r->w + row * U;
        double images = 0, total = 0, image = 0;
        hs_deltas_moments m = {.S = S, .M = r->M, .plain = r->plain, .concentration = r->conc + row * S};
        m.M_all = r->all[row];
        HS_TRY(raw_of(x, st, row, r));
        products(x, all, w, st->diagonal ? S + 1 : 1, r, &m.M_all, &m.plain_all);
        for (size_t u = 0; u < U; u++) {
            images += w[u] * x->count[u];
            image += w[u] * x->square_of_image[u];
            for (size_t k = 0; k < S; k++) {
                total += w[u] * x->square[u * S + k];
            }
        }
        m.total = total / (images * (double)S);
        m.image = image / images;
        st->eval(st->ctx, &m, theta + row * st->q, r->work);
    }
out:
    return rc;
}

static whole whole_of(const hs_deltas *x)
{
    whole all = {0, 0};
    for (size_t u = 0; u < x->units; u++) {
        all.images += x->count[u];
        all.squares += x->count[u] * x->count[u];
    }
    return all;
}

/* Row number `index` of the weights: all ones, the B resamples, then each unit left out. */
static void weights_of(const hs_deltas *x, const hs_bootstrap_options *o, size_t index, double *w)
{
    if (index > 0 && index <= o->B) {
        hs_bootstrap_weights(o->seed, index - 1, x->units, w);
        return;
    }
    for (size_t u = 0; u < x->units; u++) {
        w[u] = index == 0 || u != index - 1 - o->B;
    }
}

/* Rows at once: the sums of a block stay within 32 MiB. */
static size_t block_rows(const hs_deltas *x)
{
    size_t R = ((size_t)4 << 20) / (x->S * x->d);
    return R < 2 ? 2 : R > 32 ? 32 : R;
}

/* theta (count, q) <- rows 0 ... count - 1 of the weights. */
HS_CHECKED static int eval_all(const hs_deltas *x, const hs_bootstrap_options *o, const hs_deltas_statistic *st,
                               size_t count, const hs_progress *progress, double *theta)
{
    int failed = HS_OK;
    const whole all = whole_of(x);
    size_t R = block_rows(x), blocks = (count + R - 1) / R, done = 0;
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel num_threads(guard.threads)
    {
        room r;
        int rc = room_create(x, st, R, &r);
#pragma omp for schedule(dynamic, 1)
        for (size_t b = 0; b < blocks; b++) {
            size_t rows = count - b * R < R ? count - b * R : R;
            for (size_t row = 0; row < rows && rc == HS_OK; row++) {
                weights_of(x, o, b * R + row, r.w + row * x->units);
            }
            rc = rc == HS_OK ? eval_rows(x, &all, st, rows, &r, theta + b * R * st->q) : rc;
#pragma omp critical(hs_deltas_progress)
            {
                done += rows;
                rc = rc == HS_OK ? hs_progress_tell(progress, "resamples", done, count) : rc;
                failed = rc != HS_OK ? rc : failed;
            }
        }
        room_free(&r);
    }
    hs_blas_serial_end(guard);
    return failed == HS_ENOMEM ? hs_fail(HS_ENOMEM, "deltas: no memory for %zu x %zu sums a thread", R, x->S * x->d)
                               : failed;
}

int hs_deltas_eval(const hs_deltas *x, const hs_deltas_statistic *st, double *value)
{
    const hs_bootstrap_options none = {.B = 0};
    return eval_all(x, &none, st, 1, NULL, value);
}

int hs_deltas_bootstrap(const hs_deltas *x, const hs_bootstrap_options *o, const hs_deltas_statistic *st,
                        const hs_progress *progress, hs_interval *out)
{
    int rc;
    size_t rows, cells;
    double *theta = NULL, *column = NULL;
    if (o->B < 1 || !(o->level > 0 && o->level < 1)) {
        return hs_fail(HS_ERANGE, "bootstrap: B = %zu, level %g; B at least 1, level inside (0, 1)", o->B, o->level);
    }
    HS_TRY(hs_size_add(o->B + 1, x->units, &rows));
    HS_TRY(hs_size_mul(rows, st->q, &cells));
    HS_TRY(hs_alloc(cells, sizeof *theta, &theta));
    HS_TRY(hs_alloc(rows, sizeof *column, &column));
    HS_TRY(eval_all(x, o, st, rows, progress, theta));
    double level = hs_expanded_level(o->level, x->units, o->B);
    for (size_t j = 0; j < st->q; j++) {
        for (size_t b = 0; b < rows; b++) {
            column[b] = theta[b * st->q + j];
        }
        out[j] = hs_bca_interval(column[0], x->units, o->B, column + 1, column + 1 + o->B, level);
    }
out:
    free(theta);
    free(column);
    return rc;
}
