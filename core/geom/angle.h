/* Angles between vectors, and between the spans of several. */
#ifndef HS_GEOM_ANGLE_H
#define HS_GEOM_ANGLE_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

/* *out <- ⟨a, b⟩ / (|a| |b|), a and b (d) float32, in double; in [-1, 1].  HS_EDEGENERATE when either is zero
 * or holds a value that isn't finite.  In d dimensions two random directions have |cosine| of about √(2/(πd)). */
HS_CHECKED int hs_cosine(size_t d, const float *a, const float *b, double *out);

/* C (A.rows, B.rows) <- cosines of the rows of A and of B; HS_ESHAPE when A.cols != B.cols; errors name the row. */
HS_CHECKED int hs_cosine_matrix(hs_mat A, hs_mat B, double *C);

/* Principal angles between the spans of the rows of A (ka, d) and of B (kb, d): theta (min(ka, kb)), ascending,
 * radians in [0, π/2].  Above π/4 from the cosines (singular values of QaᵀQb), below from the sines (of what A's
 * projection leaves of Qb), each where it is accurate (Björck & Golub, Math. Comp. 27:579, 1973).  The rows need not
 * be orthonormal; float32 rows limit the smallest angles to 1e-7, hence double.
 * HS_ERANGE when ka, kb is 0 or exceeds d; HS_EDEGENERATE when rows of either are linearly dependent (σ <= 1e-10 σ_1)
 * or not finite; HS_ENOMEM. */
HS_CHECKED int hs_principal_angles(size_t d, size_t ka, const double *A, size_t kb, const double *B, double *theta);

/* Geodesic distance on the Grassmannian, √Σθ². */
double hs_grassmann(size_t k, const double *theta);

#endif
