#include "core/linalg/linop.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"

static int dense_apply(void *ctx, size_t k, const float *X, float *Y)
{
    const hs_mat *A = ctx;
    hs_blas_serial guard = hs_blas_serial_begin();
    int rc = hs_gemm_f32(HS_NO_TRANS, HS_TRANS, k, A->rows, A->cols, 1, X, A->cols, A->data, A->ld, 0, Y, A->rows);
    hs_blas_serial_end(guard);
    return rc;
}

static int dense_adjoint(void *ctx, size_t k, const float *Y, float *X)
{
    const hs_mat *A = ctx;
    hs_blas_serial guard = hs_blas_serial_begin();
    int rc = hs_gemm_f32(HS_NO_TRANS, HS_NO_TRANS, k, A->cols, A->rows, 1, Y, A->rows, A->data, A->ld, 0, X, A->cols);
    hs_blas_serial_end(guard);
    return rc;
}

hs_linop hs_linop_dense(const hs_mat *A)
{
    union {
        const hs_mat *in;
        void *out;
    } ctx = {.in = A}; /* only ever read through */
    return (hs_linop){A->rows, A->cols, dense_apply, dense_adjoint, ctx.out};
}

int hs_linop_adjoint_error(const hs_linop *A, size_t probes, uint64_t seed, double *worst)
{
    float *x = NULL, *y = NULL, *ax = NULL, *aty = NULL;
    double max = 0;
    if (probes == 0) {
        return hs_fail(HS_ERANGE, "the adjoint is tested with at least one probe");
    }
    int rc = HS_OK;
    HS_TRY(hs_alloc(A->n, sizeof(float), &x));
    HS_TRY(hs_alloc(A->m, sizeof(float), &y));
    HS_TRY(hs_alloc(A->m, sizeof(float), &ax));
    HS_TRY(hs_alloc(A->n, sizeof(float), &aty));
    for (size_t i = 0; i < probes; i++) {
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 2 * i}, 0, A->n, x);
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 2 * i + 1}, 0, A->m, y);
        HS_TRY(A->apply(A->ctx, 1, x, ax));
        HS_TRY(A->apply_adjoint(A->ctx, 1, y, aty));
        double norm = hs_nrm2_f32(A->m, ax) > 0 ? hs_nrm2_f32(A->m, ax) : hs_nrm2_f32(A->n, x);
        double gap = fabs(hs_dot_f32(A->m, ax, y) - hs_dot_f32(A->n, x, aty)) / (norm * hs_nrm2_f32(A->m, y));
        max = gap <= max ? max : gap; /* keeps a NaN */
    }
    *worst = max;
out:
    free(x);
    free(y);
    free(ax);
    free(aty);
    return rc;
}
