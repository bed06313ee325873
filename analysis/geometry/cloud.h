/* The cloud of h at each timestep: how many dimensions it has, and how tree-like it is, against Gaussian clouds of its
 * own spectrum (core/geom/cloud.h: exactly Gaussian given the sample singular values, at the same n).
 *
 *   dimension_twonn, dimension_mle: core/geom/dimension.h; interval over points
 *
 *   dimension_linear: (sum l)^2 / sum l^2 of the eigenvalues l of the covariance; jackknife over points
 *
 *   gromov_delta, gromov_delta_max: core/geom/hyperbolicity.h, mean (jackknife over points) and maximum over
 *   quadruples, relative to the diameter
 *
 * A cloud with fewer dimensions than its Gaussian twins is curved or clustered in its own span.  With n points no more
 * than about 2 log10 n dimensions are seen well: only the difference from the twins says something beyond. */
#ifndef HS_GEOMETRY_CLOUD_H
#define HS_GEOMETRY_CLOUD_H

#include "analysis/geometry/states.h"

enum { HS_CLOUD_TWONN, HS_CLOUD_MLE, HS_CLOUD_LINEAR, HS_CLOUD_DELTA, HS_CLOUD_DELTA_MAX, HS_CLOUD_STATISTICS };

typedef struct {
    size_t neighbours; /* of the MLE */
    size_t quadruples; /* sampled for n above HS_GROMOV_EXACT */
} hs_geometry_cloud_options;
#define HS_GEOMETRY_CLOUD_OPTIONS ((hs_geometry_cloud_options){10, 500000})

/* h (n, d) of timestep number k into rows; ctx is its own. */
typedef int (*hs_geometry_reader)(void *ctx, size_t k, float *h);

/* Appends the statistics of n points in d dimensions at run's S timesteps.  HS_EDEGENERATE: n < 5, or all points of
 * a timestep are one; HS_ERANGE: not fewer neighbours than points.  Cost: n^2 d flops and, a draw, 4 n^3 and the
 * quadruples. */
HS_CHECKED int hs_geometry_cloud_of(const hs_geometry_run *run, const hs_geometry_cloud_options *o, size_t n, size_t d,
                                    hs_geometry_reader read, void *ctx);

#endif
