/* The common share of h: how much of E|h|^2 is one vector common to all images, at each step.
 *
 *   h_i = mu + what is the image's own, E over images 0
 *   share = |mu|^2 / E|h|^2
 *
 *   |mu|^2    the mean of <h_i, h_j> over pairs of different images, (N^2 |hbar|^2 - sum |h_i|^2) / (N (N - 1)):
 *             unbiased, where |hbar|^2 is E|h - mu|^2 / N too large
 *   E|h|^2    the mean of |h_i|^2
 *   share     (N r - 1) / (N - 1), r = |hbar|^2 / mean |h_i|^2: the formula of mean cosines, with lengths kept
 *
 * Over steps: both summed over the steps first, each step with its own vector.  |h| is 1 / sqrt(1 - share) times the
 * spread between images, sqrt(E|h - mu|^2).  Resampled with w_i w_j for i != j, so that copies of an image are no pair.
 */
#ifndef HS_PROPERTIES_COMMON_SHARE_H
#define HS_PROPERTIES_COMMON_SHARE_H

#include "analysis/properties/measurement.h"

/* gram (n, n) <- <h_i, h_j> of h (n, d), in double.  HS_ENOMEM, HS_ELIMIT. */
HS_CHECKED int hs_common_gram(size_t n, size_t d, const float *h, double *gram);

/* Appends common_share_h and common_share_h[k] of the S steps, from gram (S, n, n), with BCa intervals over images; n <
 * 2 (gram NULL): without numbers.  Cost: (B + n) S n^2. */
HS_CHECKED int hs_common_put(size_t n, size_t S, const double *gram, const hs_bootstrap_options *o, hs_measurement *m);

#endif
