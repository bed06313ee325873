/* Intrinsic dimension of a cloud from distances to nearest neighbours: how many directions it has where it lies
 * densest.
 *
 *   TwoNN  mu_i = r_2 / r_1 of point i has P(mu > x) = x^-d where the density is even out to the second neighbour; d is
 *          the slope through the origin of -log(1 - F) on log mu over the lowest 9 tenths, F the rank of mu_i over n
 *          (Facco, d'Errico, Rodriguez and Laio, Scientific Reports 7:12140, 2017)
 *   MLE    1 / d = mean over points and j < k of log(T_k / T_j), T_j the distance to neighbour j (Levina and Bickel,
 *          NIPS 2004, the inverses averaged as MacKay and Ghahramani's note of 2005 says)
 *
 * Both are too low where n is small for d: a cloud of n points shows at most about 2 log10 n dimensions well, and both
 * measure the noise when neighbours are nearer than it.  TwoNN looks nearest, so it is least biased by curvature and
 * most by noise.
 *
 * Points are reweighted (w), neighbours are not searched again: copies of a point would be its neighbours at 0. */
#ifndef HS_GEOM_DIMENSION_H
#define HS_GEOM_DIMENSION_H

#include <stddef.h>

#include "core/base/error.h"

/* What the estimators need of each of n points: log_mu (n) = log(r_2 / r_1), log_t (n) = the mean over j < k of
 * log(T_k / T_j), from the distances D (n, n).  log_mu NaN where r_1 = 0 (copies of one point).  HS_ERANGE: k < 2 or
 * n <= k; HS_ENOMEM. */
HS_CHECKED int hs_dimension_local(size_t n, const double *D, size_t k, double *log_mu, double *log_t);

/* d of points under weights w (n), NULL: all 1.  order (n): positions sorted by log_mu, from hs_dimension_order.  NaN
 * where undefined. */
double hs_dimension_twonn(size_t n, const double *log_mu, const size_t *order, const double *w);
double hs_dimension_mle(size_t n, const double *log_t, const double *w);
/* order (n) <- positions with log_mu ascending, NaN last.  O(n^2). */
void hs_dimension_order(size_t n, const double *log_mu, size_t *order);

#endif
