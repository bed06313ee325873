/* The Gaussian of a cloud of points: how far a point lies from it, and how far two clouds lie apart.
 *
 *   covariance  (1 - a) S + a m I,  S = X^T X / n of the centred rows, m = tr S / d, and a the share of shrinkage that
 *               minimises the expected squared error (Ledoit and Wolf, J. Multivariate Analysis 88, 2004), so that
 *               few points in many dimensions have an inverse too
 *   distance    sqrt((x - mean)^T covariance^-1 (x - mean))                                          Mahalanobis
 *   Frechet     |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), S without shrinkage and divided by n - 1
 *               (Heusel et al., arXiv:1706.08500); not its root. Biased upwards by about (tr S1 / n1 + tr S2 / n2):
 *               compare at equal n only. */
#ifndef HS_STATS_GAUSSIAN_H
#define HS_STATS_GAUSSIAN_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    size_t n, d;
    double shrinkage; /* a, 0 ... 1 */
    double *mean;     /* (d) */
    double *whiten;   /* (d, d): rows that turn x - mean into coordinates of unit variance */
} hs_gaussian;

/* *out <- the shrunk Gaussian of x (n, d).  HS_EDEGENERATE: n < 2, or all points are one.  Cost n d^2 + d^3. */
HS_CHECKED int hs_gaussian_fit(size_t n, size_t d, const float *x, hs_gaussian *out);
void hs_gaussian_free(hs_gaussian *g);
/* distance (n) <- of x (n, d). */
HS_CHECKED int hs_gaussian_distance(const hs_gaussian *g, size_t n, const float *x, double *distance);

/* *out <- the Frechet distance of two clouds.  HS_EDEGENERATE: fewer than 2 points in one.  Cost (n1 + n2) d^2 + d^3.
 */
HS_CHECKED int hs_frechet(size_t d, size_t n1, const float *x1, size_t n2, const float *x2, double *out);

#endif
