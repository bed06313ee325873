/* How alike h itself is at different timesteps: the subspaces of its leading components, and its geometry of images.
 *
 * Of the same n images at P steps, theta the r principal angles between the top r principal components at k and at l:
 *
 *   grassmann[k,l]            sqrt(sum theta_i^2), radians; 0: the same space, at most sqrt(r) pi / 2
 *   principal_angle[k,l]      the largest theta, _mean: their mean; radians
 *   grassmann_null[k,l]       the same distance of r directions drawn from the covariance at k and r from that at l,
 *                             mean over draws, limits mean -+ t_{K-1} sd sqrt(1 + 1/K) of one more draw
 *   grassmann_split[k]        between the components of the first and the second half of the images at step k: what
 *                             two steps that have one space would show of half as many images
 *   cka_debiased[k,l]         core/geom/cka.h; interval: delete-one jackknife, t with n - 1 degrees of freedom
 *
 * The distances have no interval: they stand between the split's (sampling alone) and the null's (nothing shared). */
#ifndef HS_PROPERTIES_STEP_SPACES_H
#define HS_PROPERTIES_STEP_SPACES_H

#include <stdint.h>

#include "analysis/properties/measurement.h"
#include "core/base/log.h"

enum { HS_STEP_SPACES_MOST = 8 }; /* steps that the commands compare */

typedef struct {
    size_t n, d, P, r;
    /* out (count, d) <- h of images first ... at step number k < P; called by the caller's thread only */
    int (*read)(void *ctx, size_t k, size_t first, size_t count, float *out);
    void *ctx;
    size_t draws; /* K of the null, 3 or more */
    uint64_t seed;
    double level; /* of intervals */
    const hs_progress *progress;
} hs_step_spaces_source;

/* (P, P) symmetric, (P) the split; NaN where undefined.  Owned. */
typedef struct {
    size_t n, P, r, draws;
    double *grassmann, *angle, *angle_mean, *null, *null_lo, *null_hi, *cka, *cka_lo, *cka_hi, *split;
} hs_step_spaces;

/* *out <- the comparison; free with hs_step_spaces_free.  A step with fewer than r components (halves: of the split),
 * or with a value that isn't finite, leaves its numbers NaN.  HS_ERANGE: P or r 0, r above d, n below 2 (r + 1) or 4,
 * fewer than 3 draws, a level outside (0, 1); HS_ENOMEM, HS_ESTOPPED, or what read fails with.  Cost: a PCA and two of
 * half the images a step, a CKA a pair; n d r draws a step; 4 P r d draws bytes and those of pca.h and cka.h, and
 * within the limits below 4 n d + 8 P n^2.
 * Each image of each step is read once where a step's 4 n d bytes are at most 256 MiB and the Gram matrices' 8 P n^2 at
 * most 384 MiB; larger steps are read in each of their passes, and without Gram matrices again for every pair. */
HS_CHECKED int hs_step_spaces_of(const hs_step_spaces_source *s, hs_step_spaces *out);
void hs_step_spaces_free(hs_step_spaces *s);

/* Appends the statistics of all pairs k < l, numbered as the steps of s. */
HS_CHECKED int hs_step_spaces_statistics(const hs_step_spaces *s, hs_measurement *m);

#endif
