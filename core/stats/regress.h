/* Lines through the origin, rank correlation, and whether a mean vector is zero. */
#ifndef HS_STATS_REGRESS_H
#define HS_STATS_REGRESS_H

#include <stddef.h>

#include "core/base/error.h"

/* b of least squares y = b x: Sum(x y) / Sum(x^2); NaN when x is all zero. */
double hs_slope_origin(size_t n, const double *x, const double *y);

/* 1 - Sum((y - b x)^2) / Sum((y - mean y)^2), the total about the mean; may be negative; NaN when
 * y is constant. */
double hs_r2(size_t n, const double *x, const double *y, double b);

/* Pearson's correlation; NaN when either is constant. */
double hs_pearson(size_t n, const double *x, const double *y);

/* Spearman's rank correlation, average ranks.  order (n), rank (2 n): work. */
double hs_spearman(size_t n, const double *x, const double *y, size_t *order, double *rank);

/* Hotelling's one-sample T^2 = n c_bar' S^-1 c_bar of the rows of c (n, p), S their covariance with
 * divisor n - 1, and *pvalue = P(F(p, n - p) >= T^2 (n - p) / (p (n - 1))) under mean 0.
 * HS_EDEGENERATE: n <= p, or S is singular to 1e-12 of its diagonal. */
HS_CHECKED int hs_hotelling(size_t n, size_t p, const double *c, double *t2, double *pvalue);

#endif
