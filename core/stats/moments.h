/* Means, spreads, quantiles and ranks of numbers in double. */
#ifndef HS_STATS_MOMENTS_H
#define HS_STATS_MOMENTS_H

#include <stddef.h>

/* Sum(w x) / Sum(w); w NULL: all 1.  NaN for n = 0 or Sum(w) = 0. */
double hs_mean(size_t n, const double *x, const double *w);

/* Standard deviation with divisor Sum(w) - 1, in two passes.  NaN where that is not above 0. */
double hs_sd(size_t n, const double *x, const double *w);

/* Root of the weighted mean square. */
double hs_rms(size_t n, const double *x, const double *w);

/* Quantile of type 7 (Hyndman and Fan 1996): linear between the order statistics at p (n - 1).
 * sorted (n) ascending, n >= 1, 0 <= p <= 1. */
double hs_quantile_sorted(size_t n, const double *sorted, double p);

/* Ascending, in place. */
void hs_sort(size_t n, double *x);

/* rank (n) <- average ranks of x, 1 ... n.  order (n): work.  O(n log n). */
void hs_ranks(size_t n, const double *x, size_t *order, double *rank);

#endif
