#include "core/linalg/factor.h"

#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

int hs_sign_flips(size_t n, const double *v, size_t inc)
{
    double big = 0;
    int negative = 0;
    for (size_t i = 0; i < n; i++) {
        double a = fabs(v[i * inc]);
        if (a > big) {
            big = a;
            negative = v[i * inc] < 0;
        }
    }
    return negative;
}

int hs_sign_flips_f32(size_t n, const float *v)
{
    float big = 0;
    int negative = 0;
    for (size_t i = 0; i < n; i++) {
        float a = fabsf(v[i]);
        if (a > big) {
            big = a;
            negative = v[i] < 0;
        }
    }
    return negative;
}

static void negate(size_t n, double *v, size_t inc)
{
    for (size_t i = 0; i < n; i++) {
        v[i * inc] = -v[i * inc];
    }
}

static int check(const char *what, size_t m, size_t n, const double *A)
{
    if (m > INT_MAX || n > INT_MAX) {
        return hs_fail(HS_ELIMIT, "%s of %zu x %zu: LAPACK takes dimensions up to %d", what, m, n, INT_MAX);
    }
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            if (!isfinite(A[i * n + j])) {
                return hs_fail(HS_EDEGENERATE, "%s: element (%zu, %zu) is %g", what, i, j, A[i * n + j]);
            }
        }
    }
    return HS_OK;
}

static int report(const char *what, lapack_int info)
{
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR) {
        return hs_fail(HS_ENOMEM, "%s: no memory for LAPACK's workspace", what);
    }
    if (info < 0) {
        return hs_fail(HS_EBUG, "%s: LAPACK refused argument %d", what, (int)-info);
    }
    return info > 0 ? hs_fail(HS_ENOCONV, "%s: LAPACK did not converge (info %d)", what, (int)info) : HS_OK;
}

int hs_qr_thin(size_t m, size_t n, const double *A, double *Q, double *R)
{
    double *a = NULL, *tau = NULL, *r = NULL;
    if (m < n) {
        return hs_fail(HS_ESHAPE, "thin QR wants at least as many rows as columns, has %zu x %zu", m, n);
    }
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(check("QR", m, n, A));
    HS_TRY(hs_alloc(m * n, sizeof(double), &a));
    HS_TRY(hs_alloc(n, sizeof(double), &tau));
    HS_TRY(hs_calloc(n * n, sizeof(double), &r));
    memcpy(a, A, m * n * sizeof *a);
    lapack_int im = (lapack_int)m, in = (lapack_int)n;
    if (n > 0) {
        HS_TRY(report("QR", LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, im, in, a, in, tau)));
        for (size_t i = 0; i < n; i++) {
            memcpy(r + i * n + i, a + i * n + i, (n - i) * sizeof *r);
        }
        HS_TRY(report("QR", LAPACKE_dorgqr(LAPACK_ROW_MAJOR, im, in, in, a, in, tau)));
    }
    for (size_t i = 0; i < n; i++) {
        if (r[i * n + i] < 0) {
            negate(n - i, r + i * n + i, 1);
            negate(m, a + i, n);
        }
    }
    memcpy(Q, a, m * n * sizeof *Q);
    if (R != NULL) {
        memcpy(R, r, n * n * sizeof *R);
    }
out:
    hs_blas_serial_end(guard);
    free(a);
    free(tau);
    free(r);
    return rc;
}

int hs_sym_eig(size_t n, double *A, size_t k, double *w, double *V)
{
    double *ascending = NULL, *z = NULL;
    lapack_int *support = NULL;
    if (k < 1 || k > n) {
        return hs_fail(HS_ERANGE, "%zu eigenvalues wanted of a %zu x %zu matrix", k, n, n);
    }
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(check("eigenvalues", n, n, A));
    HS_TRY(hs_alloc(n, sizeof(double), &ascending));
    HS_TRY(hs_alloc(n * k, sizeof(double), &z));
    HS_TRY(hs_alloc(2 * n, sizeof(lapack_int), &support));
    /* Column-major on purpose: a symmetric matrix is its own transpose, and eigenvectors in
     * columns of a column-major Z are rows of ours. */
    lapack_int found = 0, in = (lapack_int)n;
    HS_TRY(report("eigenvalues",
                  LAPACKE_dsyevr(LAPACK_COL_MAJOR, V != NULL ? 'V' : 'N', k == n ? 'A' : 'I', 'L', in, A, in, 0, 0,
                                 (lapack_int)(n - k + 1), in, 0, &found, ascending, z, in, support)));
    if ((size_t)found != k) {
        rc = hs_fail(HS_ENOCONV, "eigenvalues: LAPACK found %d of %zu", (int)found, k);
        goto out;
    }
    for (size_t i = 0; i < k; i++) {
        w[i] = ascending[k - 1 - i];
        if (V != NULL) {
            memcpy(V + i * n, z + (k - 1 - i) * n, n * sizeof *V);
            if (hs_sign_flips(n, V + i * n, 1)) {
                negate(n, V + i * n, 1);
            }
        }
    }
out:
    hs_blas_serial_end(guard);
    free(ascending);
    free(z);
    free(support);
    return rc;
}

int hs_svd(size_t m, size_t n, double *A, double *U, double *s, double *Vt)
{
    if ((U == NULL) != (Vt == NULL)) {
        return hs_fail(HS_EBUG, "SVD: U and Vt are wanted both or neither");
    }
    size_t r = m < n ? m : n;
    double none = 0; /* LAPACKE takes no NULL */
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(check("SVD", m, n, A));
    if (r == 0) {
        goto out;
    }
    /* Our row-major A is LAPACK's column-major Aᵀ, whose left factor is our right one. */
    lapack_int im = (lapack_int)m, in = (lapack_int)n, ir = (lapack_int)r;
    HS_TRY(report("SVD", LAPACKE_dgesdd(LAPACK_COL_MAJOR, U != NULL ? 'S' : 'N', in, im, A, in, s,
                                        U != NULL ? Vt : &none, in, U != NULL ? U : &none, ir)));
    for (size_t i = 0; U != NULL && i < r; i++) {
        if (hs_sign_flips(n, Vt + i * n, 1)) {
            negate(n, Vt + i * n, 1);
            negate(m, U + i, r);
        }
    }
out:
    hs_blas_serial_end(guard);
    return rc;
}
