#include "core/geom/angle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

static double into_unit(double c)
{
    return fmin(1, fmax(-1, c));
}

int hs_cosine(size_t d, const float *a, const float *b, double *out)
{
    double na = hs_nrm2_f32(d, a), nb = hs_nrm2_f32(d, b);
    if (!isfinite(na) || !isfinite(nb)) {
        return hs_fail(HS_EDEGENERATE, "cosine: a value is not a finite number");
    }
    if (na == 0 || nb == 0) {
        return hs_fail(HS_EDEGENERATE, "cosine: a zero vector has no direction");
    }
    *out = into_unit(hs_dot_f32(d, a, b) / na / nb);
    return HS_OK;
}

/* norm (rows) <- |row|; which: for the message. */
static int norms(hs_mat A, const char *which, double *norm)
{
    for (size_t i = 0; i < A.rows; i++) {
        norm[i] = hs_nrm2_f32(A.cols, hs_mat_row(A, i));
        if (!(norm[i] > 0) || !isfinite(norm[i])) {
            return hs_fail(HS_EDEGENERATE, "cosine: row %zu of the %s matrix %s", i, which,
                           norm[i] == 0 ? "is zero" : "holds a value that is not a finite number");
        }
    }
    return HS_OK;
}

int hs_cosine_matrix(hs_mat A, hs_mat B, double *C)
{
    double *norm = NULL;
    if (A.cols != B.cols) {
        return hs_fail(HS_ESHAPE, "cosine: vectors of %zu and of %zu features", A.cols, B.cols);
    }
    int rc = HS_OK;
    HS_TRY(hs_alloc(A.rows + B.rows, sizeof *norm, &norm));
    HS_TRY(norms(A, "first", norm));
    HS_TRY(norms(B, "second", norm + A.rows));
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < A.rows; i++) {
        for (size_t j = 0; j < B.rows; j++) {
            double dot = hs_dot_f32(A.cols, hs_mat_row(A, i), hs_mat_row(B, j));
            C[i * B.rows + j] = into_unit(dot / norm[i] / norm[A.rows + j]);
        }
    }
out:
    free(norm);
    return rc;
}

/* Q (k, d) <- orthonormal rows with the span of A's. */
static int orthonormal(size_t d, size_t k, const double *A, const char *which, double *Q)
{
    double *copy = NULL, *U = NULL, *s = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(k * d, sizeof *copy, &copy));
    HS_TRY(hs_alloc(k * k, sizeof *U, &U));
    HS_TRY(hs_alloc(k, sizeof *s, &s));
    memcpy(copy, A, k * d * sizeof *copy);
    HS_TRY(hs_svd(k, d, copy, U, s, Q));
    if (!(s[k - 1] > 1e-10 * s[0])) {
        rc = hs_fail(HS_EDEGENERATE, "principal angles: the %zu vectors of the %s span are linearly dependent", k,
                     which);
    }
out:
    free(copy);
    free(U);
    free(s);
    return rc;
}

/* cosine (kb) and sine (kb), both descending, kb <= ka. */
static int cosines_and_sines(size_t d, size_t ka, const double *Qa, size_t kb, double *Qb, double *cosine, double *sine)
{
    double *M = NULL;
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_alloc(kb * ka, sizeof *M, &M));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, kb, ka, d, 1, Qb, d, Qa, d, 0, M, ka));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, kb, d, ka, -1, M, ka, Qa, d, 1, Qb, d));
    HS_TRY(hs_svd(kb, ka, M, NULL, cosine, NULL));
    HS_TRY(hs_svd(kb, d, Qb, NULL, sine, NULL));
out:
    hs_blas_serial_end(guard);
    free(M);
    return rc;
}

int hs_principal_angles(size_t d, size_t ka, const double *A, size_t kb, const double *B, double *theta)
{
    if (ka < 1 || kb < 1 || ka > d || kb > d) {
        return hs_fail(HS_ERANGE, "principal angles of %zu and %zu vectors in %zu dimensions", ka, kb, d);
    }
    if (ka < kb) {
        return hs_principal_angles(d, kb, B, ka, A, theta);
    }
    double *Qa = NULL, *Qb = NULL, *cosine = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(ka * d, sizeof *Qa, &Qa));
    HS_TRY(hs_alloc(kb * d, sizeof *Qb, &Qb));
    HS_TRY(hs_alloc(2 * kb, sizeof *cosine, &cosine));
    double *sine = cosine + kb;
    HS_TRY(orthonormal(d, ka, A, "larger", Qa));
    HS_TRY(orthonormal(d, kb, B, "smaller", Qb));
    HS_TRY(cosines_and_sines(d, ka, Qa, kb, Qb, cosine, sine));
    for (size_t i = 0; i < kb; i++) {
        theta[i] = cosine[i] * cosine[i] < .5 ? acos(cosine[i]) : asin(fmin(1, sine[kb - 1 - i]));
    }
out:
    free(Qa);
    free(Qb);
    free(cosine);
    return rc;
}

double hs_grassmann(size_t k, const double *theta)
{
    return hs_nrm2_f64(k, theta);
}
