/* Intervals with second-order accuracy, and what a family of tests needs.
 *
 *   BCa        quantiles (type 7) of the replicates at Phi(z0 + (z0 + z) / (1 - a (z0 + z))), z = -+1.96 for 95 %, with
 *              z0 = Phi^-1((#{theta* < theta} + #{theta* = theta} / 2) / B) and a = sum d^3 / (6 (sum d^2)^1.5),
 *              d_i = mean of the leave-one-out values - the i-th.  Efron and Tibshirani 1993, chapter 14.
 *   bootstrap-t  [theta - t_hi se, theta - t_lo se], t the quantiles of (theta* - theta) / se*.  Chapter 12.
 *   jackknife  theta -+ t_{n-1} sqrt((n - 1) / n sum d^2): where a resample would hold copies of an image that the
 *              statistic takes for two.
 *   Holm       adjusted p_(i) = max over j <= i of (m - j + 1) p_(j), at most 1; controls the family's error whatever
 *              the dependence.  Scand. J. Statistics 6, 1979.
 *
 * The weights of hs_statistic carry pairwise statistics: sum over i != j of w_i w_j f(i, j) never pairs an image with
 * its own copy; a leave-one-out value is w_i = 0. */
#ifndef HS_STATS_BCA_H
#define HS_STATS_BCA_H

#include "core/stats/bootstrap.h"

/* The interval of one statistic from its B replicates (sorted here) and the n leave-one-out values.  No interval, with
 * the reason, where hs_percentile_interval has none, where every replicate lies on one side (z0 infinite), and where a
 * leave-one-out value is undefined.  Where a quantile falls among the last 10 / 4 resamples of its side, as one image
 * far from all others makes it, it ends there, and neither limit lies inside that of the percentiles. */
hs_interval hs_bca_interval(double value, size_t n, size_t B, double *theta, const double *leave_one_out, double level);

/* As hs_bootstrap, with BCa intervals at the level expanded for few images.  Cost: B + n + 1 evaluations. */
HS_CHECKED int hs_bootstrap_bca(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out);

/* The level whose normal quantile is sqrt(n / (n - 1)) t_{n-1}: a bootstrap distribution is narrower than the sampling
 * distribution by the root of (n - 1) / n and knows nothing of t.  Hesterberg, American Statistician 69, 2015
 * ("expanded" percentiles).  Never so far out that fewer than 11 of B resamples are left in a tail.  level for n < 2.
 */
double hs_expanded_level(double level, size_t n, size_t B);

/* The interval of theta with standard error se, from replicates theta* (B) and their own standard errors se* (B);
 * theta is overwritten.  No interval as for the percentiles, or where se is 0. */
hs_interval hs_bootstrap_t_interval(double value, double se, size_t n, size_t B, double *theta, const double *se_star,
                                    double level);

/* out (q) <- bootstrap-t intervals of st's q / 2 statistics, each followed by its standard error, both on the scale
 * that the caller takes for closest to normal; the limits are on that scale too.  Errors and cost as hs_bootstrap. */
HS_CHECKED int hs_bootstrap_t(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out);

/* Wilson's interval of a share: `hits` of n.  J. American Statistical Association 22, 1927. */
hs_interval hs_wilson_interval(size_t hits, size_t n, double level);

/* From leave-one-out values alone; no interval for n < 3 or an undefined one. */
hs_interval hs_jackknife_interval(double value, size_t n, const double *leave_one_out, double level);

/* adjusted (m) <- Holm's p of p (m); order (m): work.  NaN stays NaN and counts for nothing. */
void hs_holm(size_t m, const double *p, size_t *order, double *adjusted);

/* P of an observed value among B of a permutation null, larger being more extreme: (1 + #{null >= observed}) / (1 + B).
 * NaN for B = 0 or an undefined value. */
double hs_permutation_p(size_t B, const double *null, double observed);
/* perm (n) <- permutation number b of 0 ... n - 1 (stream (seed, HS_RNG_PERMUTE, b)). */
void hs_permutation(uint64_t seed, uint64_t b, size_t n, size_t *perm);

#endif
