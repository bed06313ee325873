/* Mean differences: dh_t = mean of h_t over one group of samples - mean over the other, at every timestep.
 *
 * Beside each, how far apart the groups lie along it, on samples it was not made from: d' = (mean+ - mean-) /
 * sqrt((var+ + var-) / 2) of the projections on the unit direction, in up to 5 folds (each leaves out every fifth
 * sample of either group; in sample, in thousands of dimensions, any two groups lie far apart). */
#ifndef HS_DIRECTIONS_DIR_MEAN_H
#define HS_DIRECTIONS_DIR_MEAN_H

#include "analysis/directions/direction.h"
#include "analysis/directions/labels.h"
#include "core/base/log.h"
#include "core/io/store.h"

/* In the space eps, the same of the stored eps (the rival of h).
 * dh (S, C H W), norm (S), d_prime (S) <- the mean difference of the groups of l over the store's samples.
 * d_prime is NaN with fewer than 2 samples in either group; NULL: not wanted, which saves a pass.  Two passes over the
 * store; memory (2 folds + 1) C H W in double. HS_EDEGENERATE: the means coincide at some timestep; else what reading
 * the store gives; HS_ENOMEM. */
HS_CHECKED int hs_dir_mean(const hs_store *store, hs_space space, const hs_labels *l, const hs_progress *progress,
                           float *dh, double *norm, double *d_prime);

#endif
