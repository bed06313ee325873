#include "core/geom/cka.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/cka_pairs.h"
#include "core/geom/gram.h"
#include "core/linalg/blas.h"

enum { DOUBLE_MOST = 2048, FEATURES_MIB = 512, PANEL_MIB = 704 };

int hs_cka_pair_new(size_t n, hs_cka_pair *q)
{
    double *all = NULL;
    int rc = hs_calloc(4 * n, sizeof *all, &all);
    *q = (hs_cka_pair){.p = all, .ks = all + n, .ls = all + 2 * n, .a = all + 3 * n};
    return rc;
}

/* ---- The statistic ------------------------------------------------------------------------------------ */

static double u_statistic(double n, double trace, double sk, double sl, double kl)
{
    return (trace + sk * sl / ((n - 1) * (n - 2)) - 2 / (n - 2) * kl) / (n * (n - 3));
}

static double sum(size_t n, const double *x)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        s += x[i];
    }
    return s;
}

static double u_of(size_t n, const hs_cka_pair *q)
{
    return u_statistic((double)n, sum(n, q->p), sum(n, q->ks), sum(n, q->ls), hs_dot_f64(n, q->ks, q->ls));
}

/* out (n) <- U with image i left out: removing a row and a column of K̃ and L̃ changes each sum by what is listed
 * per image; U doesn't see the centring, so nothing is centred anew. */
static void leave_one_out(size_t n, const hs_cka_pair *q, double *out)
{
    double trace = sum(n, q->p), sk = sum(n, q->ks), sl = sum(n, q->ls), kl = hs_dot_f64(n, q->ks, q->ls);
    for (size_t i = 0; i < n; i++) {
        double rest = kl - q->ks[i] * q->ls[i] - q->a[i] + q->p[i];
        out[i] = u_statistic((double)n - 1, trace - 2 * q->p[i], sk - 2 * q->ks[i], sl - 2 * q->ls[i], rest);
    }
}

/* ⟨K, L⟩: the diagonal that p leaves out comes back. */
static double plain(size_t n, const hs_cka_pair *q)
{
    return sum(n, q->p) + q->diagonal;
}

static int jackknife(size_t n, const hs_cka_pair q[3], hs_cka *out)
{
    double *u = NULL, mean = 0, ss = 0;
    int rc = hs_alloc(3 * n, sizeof *u, &u);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t k = 0; k < 3; k++) {
        leave_one_out(n, &q[k], u + k * n);
    }
    for (size_t i = 0; i < n; i++) {
        u[i] = u[n + i] > 0 && u[2 * n + i] > 0 ? u[i] / sqrt(u[n + i]) / sqrt(u[2 * n + i]) : NAN;
    }
    mean = sum(n, u) / (double)n;
    for (size_t i = 0; i < n; i++) {
        ss += (u[i] - mean) * (u[i] - mean);
    }
    out->jackknife_mean = n > 4 ? mean : NAN;
    out->jackknife_se = n > 4 ? sqrt((double)(n - 1) / (double)n * ss) : NAN;
    free(u);
    return HS_OK;
}

int hs_cka_conclude(size_t n, const hs_cka_pair q[3], hs_cka *out)
{
    hs_cka r = {.n = n, .hsic_xy = u_of(n, &q[0]), .hsic_xx = u_of(n, &q[1]), .hsic_yy = u_of(n, &q[2])};
    double xx = plain(n, &q[1]), yy = plain(n, &q[2]);
    if (!(xx > 0) || !(yy > 0)) {
        return hs_fail(HS_EDEGENERATE, "CKA: the %s side has no variance", xx > 0 ? "second" : "first");
    }
    if (!(r.hsic_xx > 0) || !(r.hsic_yy > 0)) {
        return hs_fail(HS_EDEGENERATE,
                       "debiased CKA: the %s side's own HSIC is %g, not positive; %zu images are too few",
                       r.hsic_xx > 0 ? "second" : "first", r.hsic_xx > 0 ? r.hsic_yy : r.hsic_xx, n);
    }
    r.biased = plain(n, &q[0]) / sqrt(xx) / sqrt(yy);
    double rounding = 16 * DBL_EPSILON * sqrt((double)n);
    if (!(r.biased <= 1 + rounding)) {
        return hs_fail(HS_EBUG, "CKA of 1 + %g", r.biased - 1);
    }
    r.biased = fmin(r.biased, 1);
    r.debiased = r.hsic_xy / sqrt(r.hsic_xx) / sqrt(r.hsic_yy);
    int rc = jackknife(n, q, &r);
    if (rc == HS_OK) {
        *out = r;
    }
    return rc;
}

/* ---- From Gram matrices --------------------------------------------------------------------------------- */

static void pair_of_gram(size_t n, const double *K, const double *L, hs_cka_pair *q)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const double *k = K + i * n, *l = L + i * n;
        q->ks[i] = sum(i, k) + sum(n - i - 1, k + i + 1);
        q->ls[i] = sum(i, l) + sum(n - i - 1, l + i + 1);
        q->p[i] = hs_dot_f64(i, k, l) + hs_dot_f64(n - i - 1, k + i + 1, l + i + 1);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        const double *k = K + i * n, *l = L + i * n;
        q->a[i] = hs_dot_f64(n, k, q->ls) - k[i] * q->ls[i] + hs_dot_f64(n, l, q->ks) - l[i] * q->ks[i];
    }
    for (size_t i = 0; i < n; i++) {
        q->diagonal += K[i * n + i] * L[i * n + i];
    }
}

static int check_n(size_t n)
{
    return n >= 4 ? HS_OK : hs_fail(HS_EDEGENERATE, "CKA of %zu images: the debiased estimate needs 4", n);
}

int hs_cka_gram(size_t n, const double *K, const double *L, hs_cka *out)
{
    const double *const side[3][2] = {{K, L}, {K, K}, {L, L}};
    hs_cka_pair q[3] = {0};
    int rc = HS_OK;
    HS_TRY(check_n(n));
    for (size_t k = 0; k < 3; k++) {
        HS_TRY(hs_cka_pair_new(n, &q[k]));
        pair_of_gram(n, side[k][0], side[k][1], &q[k]);
    }
    rc = hs_cka_conclude(n, q, out);
out:
    for (size_t k = 0; k < 3; k++) {
        free(q[k].p);
    }
    return rc;
}

static int by_gram(const hs_centring *x, const hs_centring *y, const hs_progress *progress, hs_cka *out)
{
    size_t n = x->rows->n;
    double *K = NULL, *L = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n * n, sizeof *K, &K));
    HS_TRY(hs_alloc(n * n, sizeof *L, &L));
    HS_TRY(hs_gram(x, progress, K));
    HS_TRY(hs_gram(y, progress, L));
    rc = hs_cka_gram(n, K, L, out);
out:
    free(K);
    free(L);
    return rc;
}

/* ---- From products of features ------------------------------------------------------------------------------ */

/* Column-centred data has K1 = 0, so that row sums of K̃ are minus its diagonal, and
 * Σ_j K_ij L_ij = x_iᵀ(XᵀY) y_i: everything comes from d x d products and two passes. */
typedef struct {
    const hs_centring *side[2];
    float *raw;        /* (TILE, most d) */
    double *tile[2];   /* (TILE, d) centred */
    double *work;      /* (TILE, most d) */
    double *C[3];      /* XᵀY, XᵀX, YᵀY */
    double *k[2];      /* (n) |x_i|², |y_i|² */
    double *sum[2][2]; /* [s][t] (d_s): Σ_j k_t[j] · row j of side s */
} features;

enum { TILE = 128 };

static int load(features *f, size_t s, size_t first, size_t count)
{
    const hs_rows *r = f->side[s]->rows;
    int rc = r->read(r->ctx, first, count, f->raw);
    for (size_t i = 0; rc == HS_OK && i < count; i++) {
        for (size_t c = 0; c < hs_rows_chunks(r->d); c++) {
            size_t at = i * r->d + c * HS_ROWS_CHUNK;
            hs_centre_f64(f->side[s], first + i, c, f->raw + at, f->tile[s] + at);
        }
    }
    return rc;
}

static size_t tile_count(const features *f, size_t first)
{
    size_t left = f->side[0]->rows->n - first;
    return left < TILE ? left : TILE;
}

static const size_t sides_of[3][2] = {{0, 1}, {0, 0}, {1, 1}};

/* The products C and the squared norms k. */
static int first_pass(features *f)
{
    int rc = HS_OK;
    for (size_t first = 0; first < f->side[0]->rows->n; first += TILE) {
        size_t count = tile_count(f, first);
        for (size_t s = 0; s < 2; s++) {
            size_t d = f->side[s]->rows->d;
            HS_TRY(load(f, s, first, count));
            for (size_t i = 0; i < count; i++) {
                f->k[s][first + i] = hs_dot_f64(d, f->tile[s] + i * d, f->tile[s] + i * d);
            }
        }
        for (size_t q = 0; q < 3; q++) {
            size_t a = sides_of[q][0], b = sides_of[q][1], da = f->side[a]->rows->d, db = f->side[b]->rows->d;
            HS_TRY(hs_gemm_f64(HS_TRANS, HS_NO_TRANS, da, db, count, 1, f->tile[a], da, f->tile[b], db, first > 0,
                               f->C[q], db));
        }
        for (size_t i = 0; i < count; i++) {
            for (size_t s = 0; s < 2; s++) {
                size_t d = f->side[s]->rows->d;
                for (size_t j = 0; j < d; j++) {
                    double x = f->tile[s][i * d + j];
                    f->sum[s][0][j] += f->k[0][first + i] * x;
                    f->sum[s][1][j] += f->k[1][first + i] * x;
                }
            }
        }
    }
out:
    return rc;
}

static int second_pass(features *f, hs_cka_pair q[3])
{
    int rc = HS_OK;
    for (size_t first = 0; first < f->side[0]->rows->n; first += TILE) {
        size_t count = tile_count(f, first);
        HS_TRY(load(f, 0, first, count));
        HS_TRY(load(f, 1, first, count));
        for (size_t m = 0; m < 3; m++) {
            size_t a = sides_of[m][0], b = sides_of[m][1], da = f->side[a]->rows->d, db = f->side[b]->rows->d;
            HS_TRY(
                hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, count, db, da, 1, f->tile[a], da, f->C[m], db, 0, f->work, db));
            for (size_t i = 0; i < count; i++) {
                size_t row = first + i;
                double ka = f->k[a][row], kb = f->k[b][row];
                q[m].ks[row] = -ka;
                q[m].ls[row] = -kb;
                q[m].p[row] = hs_dot_f64(db, f->work + i * db, f->tile[b] + i * db) - ka * kb;
                q[m].a[row] = -(hs_dot_f64(da, f->tile[a] + i * da, f->sum[a][b]) - ka * kb) -
                              (hs_dot_f64(db, f->tile[b] + i * db, f->sum[b][a]) - kb * ka);
                q[m].diagonal += ka * kb;
            }
        }
    }
out:
    return rc;
}

static int features_new(features *f)
{
    size_t n = f->side[0]->rows->n, d[2] = {f->side[0]->rows->d, f->side[1]->rows->d}, most = d[0] > d[1] ? d[0] : d[1];
    int rc = HS_OK;
    HS_TRY(hs_alloc(TILE * most, sizeof *f->raw, &f->raw));
    HS_TRY(hs_alloc(TILE * most, sizeof *f->work, &f->work));
    for (size_t s = 0; s < 2; s++) {
        HS_TRY(hs_alloc(TILE * d[s], sizeof *f->tile[s], &f->tile[s]));
        HS_TRY(hs_alloc(n, sizeof *f->k[s], &f->k[s]));
        HS_TRY(hs_calloc(d[s], sizeof(double), &f->sum[s][0]));
        HS_TRY(hs_calloc(d[s], sizeof(double), &f->sum[s][1]));
    }
    for (size_t m = 0; m < 3; m++) {
        HS_TRY(hs_alloc(d[sides_of[m][0]] * d[sides_of[m][1]], sizeof(double), &f->C[m]));
    }
out:
    return rc;
}

static void features_free(features *f)
{
    free(f->raw);
    free(f->work);
    for (size_t s = 0; s < 2; s++) {
        free(f->tile[s]);
        free(f->k[s]);
        free(f->sum[s][0]);
        free(f->sum[s][1]);
    }
    for (size_t m = 0; m < 3; m++) {
        free(f->C[m]);
    }
}

static int by_features(const hs_centring *x, const hs_centring *y, hs_cka *out)
{
    features f = {.side = {x, y}};
    hs_cka_pair q[3] = {0};
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(features_new(&f));
    for (size_t k = 0; k < 3; k++) {
        HS_TRY(hs_cka_pair_new(x->rows->n, &q[k]));
    }
    HS_TRY(first_pass(&f));
    HS_TRY(second_pass(&f, q));
    rc = hs_cka_conclude(x->rows->n, q, out);
out:
    hs_blas_serial_end(guard);
    features_free(&f);
    for (size_t k = 0; k < 3; k++) {
        free(q[k].p);
    }
    return rc;
}

static int few_features(size_t n, size_t dx, size_t dy)
{
    double cells = (double)dx * (double)dx + (double)dy * (double)dy + (double)dx * (double)dy;
    return n > (dx > dy ? dx : dy) && cells * sizeof(double) <= (double)FEATURES_MIB * 0x1p20;
}

int hs_cka_linear(const hs_rows *X, const hs_rows *Y, const hs_progress *progress, hs_cka *out)
{
    hs_centring x = {0}, y = {0};
    int rc = HS_OK;
    if (X->n != Y->n || X->groups != 1 || Y->groups != 1) {
        return hs_fail(HS_ESHAPE, "CKA compares the same images: %zu rows in %zu groups beside %zu in %zu", X->n,
                       X->groups, Y->n, Y->groups);
    }
    HS_TRY(check_n(X->n));
    HS_TRY(hs_centring_new(X, progress, &x));
    HS_TRY(hs_centring_new(Y, progress, &y));
    rc = few_features(X->n, X->d, Y->d) ? by_features(&x, &y, out)
         : X->n <= DOUBLE_MOST          ? by_gram(&x, &y, progress, out)
                                        : hs_cka_tiled(&x, &y, (size_t)PANEL_MIB << 20, progress, out);
out:
    hs_centring_free(&x);
    hs_centring_free(&y);
    return rc;
}
