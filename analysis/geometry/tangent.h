/* Tangent spaces: how far the directions of h that x_t moves most turn from sample to sample, and from step to step.
 *
 * The tangent space of a sample at a step is spanned by the r leading left singular vectors of dh/dx_t (pullback.h).
 *   turn(A, B) = sqrt(mean theta_i^2) / (pi / 2),  theta the r principal angles: the Grassmann distance over its
 * largest value; 0: the same space, 1: at right angles tangent_samples[k]   mean over pairs of samples at step k;
 * jackknife over samples tangent_steps[k]     mean over samples, steps k and k + 1; jackknife over samples (S - 1 of
 * them) tangent_isotropic    of r random directions of h's d dimensions: 1 - O(sqrt(r / d)), what says least Null of
 * the first two: spaces of r directions drawn from the covariance of h at the steps, which lie closer together the
 * fewer dimensions h has. */
#ifndef HS_GEOMETRY_TANGENT_H
#define HS_GEOMETRY_TANGENT_H

#include "analysis/geometry/pullback.h"

/* *turn <- of the spans of A and B (r, d), float32 rows.  HS_EDEGENERATE: dependent rows; HS_ENOMEM. */
HS_CHECKED int hs_tangent_turn(size_t r, size_t d, const float *A, const float *B, double *turn);

/* Appends the statistics of the tangent spaces of p, with the states' h for the null.  HS_EDEGENERATE: fewer than 2
 * samples in p; HS_ENOMEM.  Cost: n^2 S / 2 + K S QR factorisations of d x r. */
HS_CHECKED int hs_geometry_tangent_of(const hs_geometry_run *run, const hs_geometry_states *s,
                                      const hs_geometry_pullback *p);

#endif
