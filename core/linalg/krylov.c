#include "core/linalg/krylov.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

enum { CHUNK = 1024 }; /* columns of a task: fixed, since sums are cut there */

#define NULL_LEVEL 1e-6 /* σ/σ_1 below which float32 products see only their own rounding */

typedef struct {
    const hs_normal_op *op;
    const hs_krylov_options *opt;
    size_t n, rows_max;
    size_t rows;    /* of the basis */
    size_t last;    /* its newest block starts here */
    float *V;       /* (rows_max + block, n) basis, and room for one block more */
    double *Z;      /* (block, n) */
    double *T, *T2; /* (rows_max, rows_max) basis C basisᵀ, and a copy for LAPACK to destroy */
    double *Y;      /* (block, rows_max) Ritz vectors in the basis */
    double *theta;  /* (rows_max) */
    double *S;      /* (rows_max, block) */
    double *G, *R;  /* (block, block) */
    double *M;      /* (block, block) */
    double *part;   /* (chunks, block) */
    double top;     /* the largest eigenvalue of C seen */
    hs_blas_serial guard;
    size_t sweeps;
} krylov;

static size_t chunks_of(size_t n)
{
    return (n + CHUNK - 1) / CHUNK;
}

static size_t chunk_width(size_t n, size_t c)
{
    size_t left = n - c * CHUNK;
    return left < CHUNK ? left : CHUNK;
}

/* ---- Block operations: tasks by chunk of columns or by block of rows ----------------------------- */

/* S (rows, q) <- V F ᵀ for the first rows of V and F (q, n), in slices of 64 rows of V. */
static int coefficients(krylov *s, const float *F, size_t q)
{
    enum { SLICE = 64 };
    int failed = HS_OK;
    size_t slices = (s->rows + SLICE - 1) / SLICE;
#pragma omp parallel num_threads(s->guard.threads)
    {
        float *part = NULL;
        int rc = hs_alloc(SLICE * q, sizeof *part, &part);
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < slices; i++) {
            size_t r0 = i * SLICE, h = s->rows - r0 < SLICE ? s->rows - r0 : SLICE;
            memset(s->S + r0 * q, 0, h * q * sizeof *s->S);
            for (size_t c = 0; rc == HS_OK && c < chunks_of(s->n); c++) {
                size_t at = c * CHUNK;
                rc = hs_gemm_f32(HS_NO_TRANS, HS_TRANS, h, q, chunk_width(s->n, c), 1, s->V + r0 * s->n + at, s->n,
                                 F + at, s->n, 0, part, q);
                for (size_t j = 0; rc == HS_OK && j < h * q; j++) {
                    s->S[r0 * q + j] += (double)part[j];
                }
            }
        }
        free(part);
        if (rc != HS_OK) {
#pragma omp critical
            failed = rc;
        }
    }
    return failed == HS_OK ? HS_OK : hs_fail(failed, "orthogonalisation: a block product failed");
}

/* Z (q, n) <- keep Z + Mᵀ V, M (rows, q) */
static int combine_basis(krylov *s, size_t q, const double *M, double keep)
{
    int failed = HS_OK;
    float *m = NULL;
    int rc0 = hs_alloc(s->rows * q, sizeof *m, &m);
    if (rc0 != HS_OK) {
        return rc0;
    }
    for (size_t i = 0; i < s->rows * q; i++) {
        m[i] = (float)M[i];
    }
#pragma omp parallel num_threads(s->guard.threads)
    {
        float *part = NULL;
        int rc = hs_alloc(q * CHUNK, sizeof *part, &part);
#pragma omp for schedule(dynamic)
        for (size_t c = 0; c < chunks_of(s->n); c++) {
            size_t at = c * CHUNK, w = chunk_width(s->n, c);
            rc = rc != HS_OK ? rc
                             : hs_gemm_f32(HS_TRANS, HS_NO_TRANS, q, w, s->rows, 1, m, q, s->V + at, s->n, 0, part, w);
            for (size_t i = 0; rc == HS_OK && i < q; i++) {
                double *z = s->Z + i * s->n + at;
                for (size_t j = 0; j < w; j++) {
                    z[j] = keep * z[j] + (double)part[i * w + j];
                }
            }
        }
        free(part);
        if (rc != HS_OK) {
#pragma omp critical
            failed = rc;
        }
    }
    free(m);
    return failed == HS_OK ? HS_OK : hs_fail(failed, "orthogonalisation: a block product failed");
}

/* Z (p, n) <- M Z, M (p, q), p <= q */
static int rotate(krylov *s, size_t p, size_t q, const double *M)
{
    int failed = HS_OK;
#pragma omp parallel num_threads(s->guard.threads)
    {
        double *part = NULL;
        int rc = hs_alloc(p * CHUNK, sizeof *part, &part);
#pragma omp for schedule(dynamic)
        for (size_t c = 0; c < chunks_of(s->n); c++) {
            size_t at = c * CHUNK, w = chunk_width(s->n, c);
            rc =
                rc != HS_OK ? rc : hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, p, w, q, 1, M, q, s->Z + at, s->n, 0, part, w);
            for (size_t i = 0; rc == HS_OK && i < p; i++) {
                memcpy(s->Z + i * s->n + at, part + i * w, w * sizeof *part);
            }
        }
        free(part);
        if (rc != HS_OK) {
#pragma omp critical
            failed = rc;
        }
    }
    return failed == HS_OK ? HS_OK : hs_fail(failed, "orthogonalisation: a block product failed");
}

/* G (q, q) <- Z Zᵀ */
static int gram_of_z(krylov *s, size_t q, double *G)
{
    int rc = HS_OK;
    for (size_t c = 0; rc == HS_OK && c < chunks_of(s->n); c++) {
        rc = hs_syrk_f64(q, chunk_width(s->n, c), 1, s->Z + c * CHUNK, s->n, c > 0, G, q);
    }
    return rc;
}

/* F (q, n) <- Z */
static void to_floats(const krylov *s, size_t q, float *F)
{
#pragma omp parallel for num_threads(s->guard.threads)
    for (size_t i = 0; i < q; i++) {
        for (size_t j = 0; j < s->n; j++) {
            F[i * s->n + j] = (float)s->Z[i * s->n + j];
        }
    }
}

static void scale_z(krylov *s, size_t q, double by)
{
#pragma omp parallel for num_threads(s->guard.threads)
    for (size_t i = 0; i < q * s->n; i++) {
        s->Z[i] *= by;
    }
}

/* ---- Orthonormalisation --------------------------------------------------------------------------- */

/* How short a row, and how small an eigenvalue beside the largest, is dropped: in a first pass what is
 * below the rounding of float32 products; in a second, where rows came in orthonormal, what the
 * projection in between has eaten, since that was rounding and not a direction. */
typedef struct {
    double row, eigenvalue;
} drop_rule;
static const drop_rule first_pass = {1e-8, 1e-12}, second_pass = {.1, .01};

/* Z (*q, n) <- an orthonormal basis of its rows; *q shrinks by what is dropped. */
static int svqb(krylov *s, size_t *q, drop_rule drop)
{
    double *D = s->part; /* (q) of its (chunks, block) */
    size_t kept = 0;
    int rc = HS_OK;
    HS_TRY(gram_of_z(s, *q, s->G));
    for (size_t i = 0; i < *q; i++) {
        double norm = sqrt(s->G[i * *q + i]);
        D[i] = norm > drop.row ? 1 / norm : 0;
    }
    for (size_t i = 0; i < *q; i++) {
        for (size_t j = 0; j < *q; j++) {
            s->G[i * *q + j] *= D[i] * D[j];
        }
    }
    HS_TRY(hs_sym_eig(*q, s->G, *q, s->theta, s->M));
    while (kept < *q && s->theta[kept] > drop.eigenvalue * s->theta[0] && s->theta[0] > 0) {
        for (size_t j = 0; j < *q; j++) {
            s->M[kept * *q + j] *= D[j] / sqrt(s->theta[kept]);
        }
        kept++;
    }
    HS_TRY(kept > 0 ? rotate(s, kept, *q, s->M) : HS_OK);
    *q = kept;
out:
    return rc;
}

/* The block in Z becomes the whole basis. */
static int start_basis(krylov *s, size_t q)
{
    int rc = HS_OK;
    HS_TRY(svqb(s, &q, (drop_rule){0, first_pass.eigenvalue}));
    HS_TRY(svqb(s, &q, second_pass));
    to_floats(s, q, s->V);
    s->rows = q;
    s->last = 0;
out:
    return rc;
}

/* Takes Z = C times the newest block: fills T's column, leaves in R the Gram matrix of what the
 * basis doesn't hold of Z, and in *q the number of rows of the next block, which is put behind the
 * basis but not yet counted. */
static int extend(krylov *s, size_t *q)
{
    size_t width = s->rows - s->last;
    float *next = s->V + s->rows * s->n;
    int rc = HS_OK;
    *q = width;
    /* In units of the largest eigenvalue: the float32 copies then neither overflow nor vanish. */
    scale_z(s, width, 1 / s->top);
    for (int pass = 0; pass < 2 && *q > 0; pass++) {
        to_floats(s, *q, next);
        HS_TRY(coefficients(s, next, *q));
        for (size_t i = 0; pass == 0 && i < s->rows; i++) {
            for (size_t j = 0; j < width; j++) {
                s->T[i * s->rows_max + s->last + j] = s->S[i * width + j];
                s->T[(s->last + j) * s->rows_max + i] = s->S[i * width + j];
            }
        }
        for (size_t i = 0; i < s->rows * *q; i++) {
            s->S[i] = -s->S[i];
        }
        HS_TRY(combine_basis(s, *q, s->S, 1));
        if (pass == 0) {
            HS_TRY(gram_of_z(s, width, s->R));
        }
        HS_TRY(svqb(s, q, pass == 0 ? first_pass : second_pass));
    }
    to_floats(s, *q, next);
out:
    return rc;
}

/* ---- Rayleigh-Ritz ---------------------------------------------------------------------------------- */

/* *worst <- the largest residual, as the recurrence has it, of the k best Ritz pairs of the basis,
 * which are left in theta and Y. */
static int ritz(krylov *s, double *worst)
{
    size_t b = s->rows, width = b - s->last, q = s->opt->block < b ? s->opt->block : b, k = s->opt->k;
    int rc = HS_OK;
    for (size_t i = 0; i < b; i++) {
        for (size_t j = 0; j < b; j++) {
            s->T2[i * b + j] = (s->T[i * s->rows_max + j] + s->T[j * s->rows_max + i]) / 2;
        }
    }
    HS_TRY(hs_sym_eig(b, s->T2, q, s->theta, s->Y));
    *worst = k > q ? INFINITY : 0;
    for (size_t i = 0; i < (k < q ? k : q); i++) {
        const double *y = s->Y + i * b + s->last;
        double r2 = 0;
        for (size_t j = 0; j < width; j++) {
            r2 += y[j] * hs_dot_f64(width, s->R + j * width, y);
        }
        double floor = NULL_LEVEL * NULL_LEVEL * s->theta[0];
        double r = s->theta[i] > floor ? sqrt(fmax(r2, 0) / (s->theta[i] * s->theta[0])) : 0;
        *worst = fmax(*worst, r);
    }
out:
    return rc;
}

/* Z <- the Ritz vectors of Y; they become the basis. */
static int restart(krylov *s)
{
    size_t b = s->rows, q = s->opt->block < b ? s->opt->block : b;
    int rc = HS_OK;
    for (size_t i = 0; i < q; i++) { /* S (b, q) <- Yᵀ */
        for (size_t j = 0; j < b; j++) {
            s->S[j * q + i] = s->Y[i * b + j];
        }
    }
    memset(s->Z, 0, q * s->n * sizeof *s->Z);
    HS_TRY(combine_basis(s, q, s->S, 1));
    HS_TRY(start_basis(s, q));
out:
    return rc;
}

/* part (chunks, k) <- sums of squares of M Z - λ M X over each chunk, X the block of q rows at V. */
static int residual_parts(krylov *s, size_t k, size_t q, const double *M, const double *lambda)
{
    int failed = HS_OK;
#pragma omp parallel num_threads(s->guard.threads)
    {
        double *x = NULL, *r = NULL;
        int rc = hs_alloc(q * CHUNK, sizeof *x, &x);
        rc = rc == HS_OK ? hs_alloc(2 * k * CHUNK, sizeof *r, &r) : rc;
#pragma omp for schedule(dynamic)
        for (size_t c = 0; c < chunks_of(s->n); c++) {
            size_t at = c * CHUNK, w = chunk_width(s->n, c);
            for (size_t i = 0; rc == HS_OK && i < q * w; i++) {
                x[i] = (double)s->V[i / w * s->n + at + i % w];
            }
            rc = rc != HS_OK ? rc : hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, k, w, q, 1, M, q, s->Z + at, s->n, 0, r, w);
            rc = rc != HS_OK ? rc : hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, k, w, q, 1, M, q, x, w, 0, r + k * w, w);
            for (size_t i = 0; rc == HS_OK && i < k; i++) {
                double sum = 0;
                for (size_t j = 0; j < w; j++) {
                    double e = r[i * w + j] - lambda[i] * r[(k + i) * w + j];
                    sum += e * e;
                }
                s->part[c * s->opt->block + i] = sum;
            }
        }
        free(x);
        free(r);
        if (rc != HS_OK) {
#pragma omp critical
            failed = rc;
        }
    }
    return failed == HS_OK ? HS_OK : hs_fail(failed, "residuals: a block product failed");
}

/* After a sweep of the first block: σ, the rotation M and the residuals from its products. */
static int measure(krylov *s, double *sigma, double *residual, double *worst)
{
    size_t q = s->rows, k = s->opt->k < q ? s->opt->k : q;
    double *lambda = s->theta;
    int rc = HS_OK;
    memcpy(s->T2, s->G, q * q * sizeof *s->G);
    HS_TRY(hs_sym_eig(q, s->T2, q, lambda, s->M));
    s->top = fmax(lambda[0], 0);
    HS_TRY(residual_parts(s, k, q, s->M, lambda));
    *worst = s->opt->k > q && s->top > 0 ? INFINITY : 0;
    for (size_t i = 0; i < s->opt->k; i++) {
        double sum = 0, root = i < k ? sqrt(fmax(lambda[i], 0)) : 0, top = sqrt(s->top);
        for (size_t c = 0; i < k && c < chunks_of(s->n); c++) {
            sum += s->part[c * s->opt->block + i];
        }
        sigma[i] = root;
        residual[i] = root <= NULL_LEVEL * top ? (top > 0 ? root / top : 0) : sqrt(sum) / (root * top);
        *worst = fmax(*worst, residual[i]);
    }
out:
    return rc;
}

/* V (k, n) <- M X, unit rows, signed. */
static int finish(krylov *s, float *V)
{
    size_t q = s->rows, k = s->opt->k < q ? s->opt->k : q;
    int rc = HS_OK;
    for (size_t i = 0; i < q; i++) {
        for (size_t j = 0; j < s->n; j++) {
            s->Z[i * s->n + j] = (double)s->V[i * s->n + j];
        }
    }
    HS_TRY(rotate(s, k, q, s->M));
    memset(V, 0, s->opt->k * s->n * sizeof *V);
    for (size_t i = 0; i < k; i++) {
        const double *z = s->Z + i * s->n;
        double scale = 1 / hs_nrm2_f64(s->n, z) * (hs_sign_flips(s->n, z, 1) ? -1 : 1);
        for (size_t j = 0; j < s->n; j++) {
            V[i * s->n + j] = (float)(scale * z[j]);
        }
    }
out:
    return rc;
}

/* Z, G <- a sweep of the newest block; the operator may use every thread. */
static int sweep(krylov *s)
{
    hs_blas_serial_end(s->guard);
    int rc = s->op->sweep(s->op->ctx, s->rows - s->last, s->V + s->last * s->n, s->Z, s->G);
    s->guard = hs_blas_serial_begin();
    s->sweeps++;
    return rc;
}

/* ---- The cycle ------------------------------------------------------------------------------------- */

static int random_start(krylov *s)
{
    size_t q = s->opt->block;
    float *row = s->V;
    for (size_t i = 0; i < q; i++) {
        hs_rng_normal((hs_rng){s->opt->seed, HS_RNG_RANGE_FINDER, i}, 0, s->n, row);
        for (size_t j = 0; j < s->n; j++) {
            s->Z[i * s->n + j] = (double)row[j];
        }
    }
    return start_basis(s, q);
}

/* Grows the basis from its first block, already swept, until the recurrence is content. */
static int grow(krylov *s)
{
    double worst;
    size_t q;
    int rc = HS_OK;
    for (;;) {
        HS_TRY(extend(s, &q));
        HS_TRY(ritz(s, &worst));
        /* one sweep is kept for the measured residuals */
        int full = s->rows + q > s->rows_max || s->sweeps + 1 >= s->opt->max_sweeps;
        if (q == 0 || full || worst <= s->opt->tol / 3) {
            break;
        }
        s->last = s->rows;
        s->rows += q;
        HS_TRY(sweep(s));
    }
    HS_TRY(restart(s));
out:
    return rc;
}

static int iterate(krylov *s, double *sigma, float *V, double *residual)
{
    double worst = INFINITY;
    int rc = HS_OK;
    HS_TRY(random_start(s));
    for (;;) {
        HS_TRY(sweep(s));
        HS_TRY(measure(s, sigma, residual, &worst));
        if ((s->opt->tol >= 0 && worst <= s->opt->tol) || s->sweeps >= s->opt->max_sweeps || s->top == 0) {
            break;
        }
        if (s->opt->max_blocks == 1) {
            HS_TRY(start_basis(s, s->rows));
        } else {
            HS_TRY(grow(s));
        }
    }
    HS_TRY(finish(s, V));
    if (s->opt->tol >= 0 && worst > s->opt->tol) {
        rc = hs_fail(HS_ENOCONV, "largest residual %.3g after %zu sweeps, wanted %.3g", worst, s->sweeps, s->opt->tol);
    }
out:
    return rc;
}

static int check_options(size_t n, const hs_krylov_options *o)
{
    if (o->k < 1 || o->k > n) {
        return hs_fail(HS_ERANGE, "%zu singular vectors wanted of an operator with %zu columns", o->k, n);
    }
    if (o->block < o->k || o->block > n || o->max_blocks < 1 || o->max_sweeps < 1) {
        return hs_fail(HS_ERANGE, "block of %zu, %zu blocks, %zu sweeps for %zu of %zu vectors", o->block,
                       o->max_blocks, o->max_sweeps, o->k, n);
    }
    return HS_OK;
}

int hs_krylov_bytes(size_t n, const hs_krylov_options *opt, size_t *bytes)
{
    size_t floats, doubles, square;
    int rc = HS_OK;
    HS_TRY(check_options(n, opt));
    HS_TRY(hs_size_product(4, (uint64_t[]){opt->max_blocks + 1, opt->block, n, sizeof(float)}, &floats));
    HS_TRY(hs_size_product(3, (uint64_t[]){opt->block, n, sizeof(double)}, &doubles));
    HS_TRY(hs_size_product(6, (uint64_t[]){4, opt->max_blocks, opt->max_blocks, opt->block, opt->block, sizeof(double)},
                           &square));
    HS_TRY(hs_size_add(floats, doubles, &doubles));
    HS_TRY(hs_size_add(doubles, square, bytes));
out:
    return rc;
}

int hs_krylov(const hs_normal_op *op, const hs_krylov_options *opt, double *sigma, float *V, double *residual,
              size_t *sweeps)
{
    krylov s = {.op = op, .opt = opt, .n = op->n};
    size_t q = opt->block, bytes;
    int rc = HS_OK;
    s.guard = hs_blas_serial_begin();
    HS_TRY(hs_krylov_bytes(op->n, opt, &bytes));
    s.rows_max = q * opt->max_blocks;
    HS_TRY(hs_alloc((s.rows_max + q) * s.n, sizeof *s.V, &s.V));
    HS_TRY(hs_alloc(q * s.n, sizeof *s.Z, &s.Z));
    HS_TRY(hs_alloc(s.rows_max * s.rows_max, sizeof *s.T, &s.T));
    HS_TRY(hs_alloc(s.rows_max * s.rows_max, sizeof *s.T2, &s.T2));
    HS_TRY(hs_alloc(q * s.rows_max, sizeof *s.Y, &s.Y));
    HS_TRY(hs_alloc(s.rows_max, sizeof *s.theta, &s.theta));
    HS_TRY(hs_alloc(q * s.rows_max, sizeof *s.S, &s.S));
    HS_TRY(hs_alloc(3 * q * q, sizeof *s.G, &s.G));
    s.R = s.G + q * q;
    s.M = s.R + q * q;
    HS_TRY(hs_alloc(chunks_of(s.n) * q, sizeof *s.part, &s.part));
    rc = iterate(&s, sigma, V, residual);
    *sweeps = s.sweeps;
out:
    hs_blas_serial_end(s.guard);
    free(s.V);
    free(s.Z);
    free(s.T);
    free(s.T2);
    free(s.Y);
    free(s.theta);
    free(s.S);
    free(s.G);
    free(s.part);
    return rc;
}
