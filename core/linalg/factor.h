/* Dense factorisations in double, by LAPACK on one thread: the same bits for every thread count.
 *
 * Order: eigenvalues and singular values descend.  Sign: the entry of largest magnitude of an
 * eigenvector or right singular vector is positive (the first one on ties); R of a QR has no
 * negative diagonal.  All matrices are row-major and packed.
 *
 * Every function returns HS_EDEGENERATE when the input holds a NaN or an infinity (the first is
 * named), HS_ELIMIT when a dimension exceeds 2^31 - 1, HS_ENOMEM, and HS_ENOCONV when LAPACK gave up
 * (outputs are then undefined). */
#ifndef HS_LINALG_FACTOR_H
#define HS_LINALG_FACTOR_H

#include <stddef.h>

#include "core/base/error.h"

/* Thin QR: A (m, n) = Q R, m >= n (else HS_ESHAPE); Q (m, n) with orthonormal columns, R (n, n) upper
 * triangular with zeros below.  Q may be A; R may be NULL.  Cost 4 m n² flops; m n doubles of scratch. */
HS_CHECKED int hs_qr_thin(size_t m, size_t n, const double *A, double *Q, double *R);

/* The k largest eigenvalues of the symmetric A (n, n): w (k), descending, and the unit eigenvectors
 * as rows of V (k, n), orthogonal to rounding also in clusters (dsyevr).  V may be NULL.  A is
 * destroyed.  HS_ERANGE unless 1 <= k <= n. */
HS_CHECKED int hs_sym_eig(size_t n, double *A, size_t k, double *w, double *V);

/* Thin SVD (dgesdd): A (m, n) = U diag(s) Vt, r = min(m, n): U (m, r), s (r), Vt (r, n), whose rows are
 * the right singular vectors.  U and Vt may be NULL, both or neither.  A is destroyed. */
HS_CHECKED int hs_svd(size_t m, size_t n, double *A, double *U, double *s, double *Vt);

/* True when the sign rule wants the vector v (n, elements inc apart) negated. */
int hs_sign_flips(size_t n, const double *v, size_t inc);
int hs_sign_flips_f32(size_t n, const float *v);

#endif
