#include "core/linalg/svds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "core/linalg/krylov.h"

#define NULL_LEVEL 1e-6 /* σ/σ_1 at which float32 products see only their own rounding */

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- Dense ----------------------------------------------------------------------------------------- */

/* D (rows, cols) <- the operator's images of the unit vectors, one a row: Aᵀ if by_columns, else A. */
static int write_out(const hs_linop *A, int by_columns, double *D)
{
    enum { AT_ONCE = 32 };
    size_t rows = by_columns ? A->n : A->m, cols = by_columns ? A->m : A->n;
    float *unit = NULL, *image = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(AT_ONCE * rows, sizeof *unit, &unit));
    HS_TRY(hs_alloc(AT_ONCE * cols, sizeof *image, &image));
    for (size_t r = 0; r < rows; r += AT_ONCE) {
        size_t q = min(AT_ONCE, rows - r);
        memset(unit, 0, q * rows * sizeof *unit);
        for (size_t i = 0; i < q; i++) {
            unit[i * rows + r + i] = 1;
        }
        HS_TRY(by_columns ? A->apply(A->ctx, q, unit, image) : A->apply_adjoint(A->ctx, q, unit, image));
        for (size_t i = 0; i < q * cols; i++) {
            D[r * cols + i] = (double)image[i];
        }
    }
out:
    free(unit);
    free(image);
    return rc;
}

/* V (k, n) and sigma (k) from a written-out A or Aᵀ. */
static int dense(const hs_linop *A, size_t k, double *sigma, float *V, hs_svds_counts *counts)
{
    size_t r = min(A->m, A->n);
    int by_columns = A->n <= A->m;
    size_t rows = by_columns ? A->n : A->m, cols = by_columns ? A->m : A->n;
    double *D = NULL, *L = NULL, *s = NULL, *Rt = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(rows * cols, sizeof *D, &D));
    HS_TRY(hs_alloc(rows * r, sizeof *L, &L));
    HS_TRY(hs_alloc(r, sizeof *s, &s));
    HS_TRY(hs_alloc(r * cols, sizeof *Rt, &Rt));
    HS_TRY(write_out(A, by_columns, D));
    *(by_columns ? &counts->applied : &counts->adjoint) += rows;
    HS_TRY(hs_svd(rows, cols, D, L, s, Rt));
    for (size_t i = 0; i < k; i++) {
        sigma[i] = s[i];
        int flip = by_columns && hs_sign_flips(rows, L + i, r);
        for (size_t j = 0; j < A->n; j++) {
            double v = by_columns ? L[j * r + i] : Rt[i * cols + j];
            V[i * A->n + j] = (float)(flip ? -v : v);
        }
    }
out:
    free(D);
    free(L);
    free(s);
    free(Rt);
    return rc;
}

/* ---- Iterative --------------------------------------------------------------------------------------- */

typedef struct {
    const hs_linop *A;
    float *Y, *X; /* (block, m), (block, n) */
    hs_svds_counts *counts;
} sweeper;

/* Y <- Y / 2^e with entries of about 1 at most, so that the adjoint's float32 range is used well; gives e. */
static int scale_rows(size_t n, float *Y)
{
    float big = 0;
    int e = 0;
    for (size_t i = 0; i < n; i++) {
        big = fmaxf(big, fabsf(Y[i]));
    }
    if (big > 0 && isfinite(big)) {
        frexpf(big, &e);
        for (size_t i = 0; i < n; i++) {
            Y[i] = ldexpf(Y[i], -e);
        }
    }
    return e;
}

static int sweep(void *ctx, size_t k, const float *V, double *Z, double *G)
{
    sweeper *s = ctx;
    size_t m = s->A->m, n = s->A->n;
    int rc = HS_OK;
    HS_TRY(s->A->apply(s->A->ctx, k, V, s->Y));
    s->counts->applied += k;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j <= i; j++) {
            G[i * k + j] = G[j * k + i] = hs_dot_f32(m, s->Y + i * m, s->Y + j * m);
        }
    }
    int exponent = scale_rows(k * m, s->Y);
    HS_TRY(s->A->apply_adjoint(s->A->ctx, k, s->Y, s->X));
    s->counts->adjoint += k;
    for (size_t i = 0; i < k * n; i++) {
        Z[i] = ldexp((double)s->X[i], exponent);
    }
out:
    return rc;
}

static int iterative(const hs_linop *A, size_t k, const hs_svds_options *opt, double *sigma, float *V, double *residual,
                     hs_svds_counts *counts)
{
    int fixed = opt->method == HS_SVDS_RANDOMIZED;
    size_t block = min(k + opt->oversample, min(A->m, A->n));
    hs_krylov_options o = {.k = k,
                           .block = block,
                           .max_blocks = fixed ? 1 : opt->max_blocks,
                           .max_sweeps = opt->max_sweeps,
                           .tol = fixed ? -1 : opt->tol,
                           .seed = opt->seed};
    sweeper s = {A, NULL, NULL, counts};
    int rc = HS_OK;
    HS_TRY(hs_alloc(block * A->m, sizeof *s.Y, &s.Y));
    HS_TRY(hs_alloc(block * A->n, sizeof *s.X, &s.X));
    rc = hs_krylov(&(hs_normal_op){A->n, sweep, &s}, &o, sigma, V, residual, &counts->sweeps);
out:
    free(s.Y);
    free(s.X);
    return rc;
}

/* ---- Certificate ----------------------------------------------------------------------------------------- */

/* U <- A V / |A V| and both residuals, from products made here. */
static int certify(const hs_linop *A, size_t k, const double *sigma, const float *V, float *U, double *residual,
                   hs_svds_counts *counts)
{
    float *X = NULL;
    double top = sigma[0] > 0 ? sigma[0] : 1;
    int rc = HS_OK;
    HS_TRY(hs_alloc(k * A->n, sizeof *X, &X));
    HS_TRY(A->apply(A->ctx, k, V, U));
    counts->applied += k;
    for (size_t i = 0; i < k; i++) {
        float *u = U + i * A->m;
        double norm = hs_nrm2_f32(A->m, u);
        residual[i] = fabs(norm - sigma[i]) / top;
        for (size_t j = 0; j < A->m; j++) {
            u[j] = norm > NULL_LEVEL * top ? (float)((double)u[j] / norm) : 0;
        }
    }
    HS_TRY(A->apply_adjoint(A->ctx, k, U, X));
    counts->adjoint += k;
    for (size_t i = 0; i < k; i++) {
        double sum = 0;
        for (size_t j = 0; j < A->n; j++) {
            double e = (double)X[i * A->n + j] - sigma[i] * (double)V[i * A->n + j];
            sum += e * e;
        }
        residual[k + i] = sqrt(sum) / top;
        counts->worst = fmax(counts->worst, fmax(residual[i], residual[k + i]));
    }
out:
    free(X);
    return rc;
}

int hs_svds(const hs_linop *A, size_t k, const hs_svds_options *opt, double *sigma, float *U, float *V,
            double *residual, hs_svds_counts *counts)
{
    hs_svds_counts mine = {0};
    if (k < 1 || k > min(A->m, A->n)) {
        return hs_fail(HS_ERANGE, "%zu singular triplets wanted of a %zu x %zu operator", k, A->m, A->n);
    }
    double *s = NULL, *res = NULL;
    float *u = NULL, *v = NULL;
    int found = HS_OK, rc = HS_OK;
    HS_TRY(hs_alloc(k, sizeof *s, &s));
    HS_TRY(hs_alloc(2 * k, sizeof *res, &res));
    HS_TRY(hs_alloc(k * A->m, sizeof *u, &u));
    HS_TRY(hs_alloc(k * A->n, sizeof *v, &v));
    found = opt->method == HS_SVDS_DENSE ? dense(A, k, s, v, &mine) : iterative(A, k, opt, s, v, res, &mine);
    HS_TRY(found == HS_ENOCONV && opt->method == HS_SVDS_BLOCK ? HS_OK : found);
    HS_TRY(certify(A, k, s, v, u, res, &mine));
    memcpy(sigma, s, k * sizeof *s);
    memcpy(residual, res, 2 * k * sizeof *res);
    memcpy(U, u, k * A->m * sizeof *u);
    memcpy(V, v, k * A->n * sizeof *v);
    if (counts != NULL) {
        *counts = mine;
    }
    rc = found;
out:
    free(s);
    free(res);
    free(u);
    free(v);
    return rc;
}
