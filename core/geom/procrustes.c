#include "core/geom/procrustes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/rows.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

/* *Z (n, *d) <- A column-centred, rotated to at most n columns; *norm its Frobenius norm. */
static int reduced(hs_mat A, double **Z, size_t *d, double *norm)
{
    size_t n = A.rows;
    double *c = NULL, *t = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n * A.cols, sizeof *c, &c));
    HS_TRY(hs_centred_f64(A, c));
    *norm = hs_nrm2_f64(n * A.cols, c);
    *d = A.cols;
    if (A.cols > n) { /* Aᵀ = Q R, so A Q = Rᵀ */
        HS_TRY(hs_alloc(n * A.cols, sizeof *t, &t));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < A.cols; j++) {
                t[j * n + i] = c[i * A.cols + j];
            }
        }
        HS_TRY(hs_qr_thin(A.cols, n, t, t, c));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                t[i * n + j] = c[j * n + i];
            }
        }
        memcpy(c, t, n * n * sizeof *c);
        *d = n;
    }
    *Z = c;
    c = NULL;
out:
    free(c);
    free(t);
    return rc;
}

int hs_procrustes_compare(hs_mat X, hs_mat Y, hs_procrustes *out)
{
    double *x = NULL, *y = NULL, *M = NULL, *s = NULL, nx, ny, nuclear = 0;
    size_t dx, dy;
    if (X.rows != Y.rows) {
        return hs_fail(HS_ESHAPE, "Procrustes compares the same images: %zu rows beside %zu", X.rows, Y.rows);
    }
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(reduced(X, &x, &dx, &nx));
    HS_TRY(reduced(Y, &y, &dy, &ny));
    HS_TRY(hs_alloc(dx * dy, sizeof *M, &M));
    HS_TRY(hs_alloc(dx < dy ? dx : dy, sizeof *s, &s));
    HS_TRY(hs_gemm_f64(HS_TRANS, HS_NO_TRANS, dx, dy, X.rows, 1 / nx / ny, x, dx, y, dy, 0, M, dy));
    HS_TRY(hs_svd(dx, dy, M, NULL, s, NULL));
    for (size_t i = dx < dy ? dx : dy; i-- > 0;) {
        nuclear += s[i];
    }
    nuclear = fmin(nuclear, 1);
    *out = (hs_procrustes){nuclear, 2 - 2 * nuclear, acos(nuclear), 1 - nuclear * nuclear};
out:
    hs_blas_serial_end(guard);
    free(x);
    free(y);
    free(M);
    free(s);
    return rc;
}
