/* An orthonormal basis of the span of given vectors, those that add nothing left out. */
#ifndef HS_LINALG_BASIS_H
#define HS_LINALG_BASIS_H

#include <stddef.h>

#include "core/base/error.h"

/* Q (*rank, n) <- orthonormal rows that span the rows of A (k, n), by QR with column pivoting (dgeqp3; Businger and
 * Golub, Numer. Math. 7:269, 1965) of the rows at unit length: the longest rest comes next, and rests of tol or less
 * (the sine of the angle to the span so far) are nothing.  Rows of zeros are ignored.  A is destroyed; Q (min(k, n),
 * n). Within core/linalg/factor.h's rules: one thread, HS_EDEGENERATE (not finite), HS_ELIMIT, HS_ENOMEM. */
HS_CHECKED int hs_row_basis(size_t k, size_t n, double *A, double tol, double *Q, size_t *rank);

#endif
