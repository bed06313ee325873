/* Clouds of points: all their distances, and Gaussian clouds of the same spectrum. */
#ifndef HS_GEOM_CLOUD_H
#define HS_GEOM_CLOUD_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

/* D (n, n) <- Euclidean distances of the rows of X (n, d), in double from differences; squared: their squares.  Errors
 * as hs_rsa_distances. */
HS_CHECKED int hs_cloud_distances(hs_mat X, int squared, double *D);

/* s (n - 1) <- the singular values of the centred X, descending, from its squared distances D2 (n, n): the eigenvalues
 * of -H D2 H / 2, those below 0 set to 0.  HS_ENOMEM, HS_ENOCONV, HS_EDEGENERATE (n < 3). */
HS_CHECKED int hs_cloud_spectrum(size_t n, const double *D2, double *s);

/* D (n, n) <- distances of a cloud U diag(s), U (n, n - 1) uniform among the orthonormal bases of the space of centred
 * columns.  Of a Gaussian cloud, the left singular vectors are just so, and independent of the singular values: this
 * is a Gaussian cloud given its n - 1 sample singular values, at the same n, exactly (Muirhead, Aspects of Multivariate
 * Statistical Theory, 1982, 3.1.4 and 2.1.5), where drawing from the sample covariance would narrow the spectrum
 * a second time.  Stream (seed, HS_RNG_GEOMETRY, HS_RNG_CLOUD << 48 | draw).  4 n^3 flops; HS_ENOMEM. */
HS_CHECKED int hs_cloud_gaussian(size_t n, const double *s, uint64_t seed, uint64_t draw, double *D);

#endif
