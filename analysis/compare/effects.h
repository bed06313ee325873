/* What directions do in two models, by read-outs: needs no common basis.
 *
 * An effect is phi_i(s) - phi_i(0) of image i, in units of one standard deviation of phi over unedited images.  A
 * profile is the mean effects over images, over all read-outs and strengths. */
#ifndef HS_COMPARE_EFFECTS_H
#define HS_COMPARE_EFFECTS_H

#include "core/stats/bootstrap.h"

/* *out <- Pearson's correlation of two profiles a, b (n, q): effects of the same n images on q = read-outs x strengths;
 * BCa over images, NaN where a profile is constant.  HS_ERANGE of the options, HS_ENOMEM. */
HS_CHECKED int hs_profile_correlation(size_t n, size_t q, const double *a, const double *b,
                                      const hs_bootstrap_options *o, hs_interval *out);

/* *out <- mean carried / mean own of n images' effects; BCa over images.  Errors as above. */
HS_CHECKED int hs_effect_ratio(size_t n, const double *carried, const double *own, const hs_bootstrap_options *o,
                               hs_interval *out);

#endif
