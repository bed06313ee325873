#include "core/linalg/basis.h"

#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

/* The rows that aren't zero move to the front, at unit length. */
HS_CHECKED static int unit_rows(size_t k, size_t n, double *A, size_t *kept)
{
    size_t at = 0;
    for (size_t i = 0; i < k; i++) {
        double length = hs_nrm2_f64(n, A + i * n), sum = 0;
        for (size_t x = 0; x < n; x++) {
            sum += 0 * A[i * n + x]; /* NaN where one is not finite */
        }
        if (sum != 0 || !isfinite(length)) {
            return hs_fail(HS_EDEGENERATE, "basis: vector %zu holds a value that is not finite", i);
        }
        for (size_t x = 0; x < n && length > 0; x++) {
            A[at * n + x] = A[i * n + x] / length;
        }
        at += length > 0;
    }
    *kept = at;
    return HS_OK;
}

HS_CHECKED static int report(lapack_int info)
{
    if (info == LAPACK_WORK_MEMORY_ERROR) {
        return hs_fail(HS_ENOMEM, "basis: no memory for LAPACK's workspace");
    }
    return info == 0 ? HS_OK : hs_fail(HS_EBUG, "basis: LAPACK refused argument %d", (int)-info);
}

int hs_row_basis(size_t k, size_t n, double *A, double tol, double *Q, size_t *rank)
{
    int rc = HS_OK;
    size_t found = 0, kept = 0;
    lapack_int *pivot = NULL;
    double *tau = NULL;
    if (k > INT_MAX || n > INT_MAX) {
        return hs_fail(HS_ELIMIT, "basis of %zu vectors of %zu: LAPACK takes dimensions up to %d", k, n, INT_MAX);
    }
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(unit_rows(k, n, A, &kept));
    HS_TRY(hs_calloc(kept + 1, sizeof *pivot, &pivot));
    HS_TRY(hs_alloc(kept + 1, sizeof *tau, &tau));
    if (kept > 0 && n > 0) {
        /* Rows of ours are the columns of column-major A. */
        lapack_int in = (lapack_int)n, ik = (lapack_int)kept;
        HS_TRY(report(LAPACKE_dgeqp3(LAPACK_COL_MAJOR, in, ik, A, in, pivot, tau)));
        while (found < kept && found < n && fabs(A[found * n + found]) > tol) {
            found++;
        }
        lapack_int ir = (lapack_int)found;
        HS_TRY(report(found > 0 ? LAPACKE_dorgqr(LAPACK_COL_MAJOR, in, ir, ir, A, in, tau) : 0));
    }
    memcpy(Q, A, found * n * sizeof *Q);
    *rank = found;
out:
    hs_blas_serial_end(guard);
    free(pivot);
    free(tau);
    return rc;
}
