/* Delta networks f_t side by side: what is left of their cosines without what they share for free.
 *
 * Networks of one release often start from one seed and hardly move, so that their dh look alike whatever they were
 * trained for.  Of K networks of one type on the same h:
 *
 *   raw            mean over h of cos(f_a(h), f_b(h))
 *   minus_mean     the same of f_a - m and f_b - m, m the mean of the K networks' dh: without the common mode
 *   minus_start    the same of f_a - s and f_b - s, s the network whose weights are the mean of the K: about the shared
 *                  start and what all of them learned alike
 *   weights        cosine of all parameters;  updates: of parameters less the mean of the K
 *   null           -1 / (K - 1): what K unrelated things have on average once their mean is taken off
 *
 * With K = 2 what is left points apart by arithmetic, and is NaN.  Networks of different types have only raw. */
#ifndef HS_COMPARE_NETWORKS_H
#define HS_COMPARE_NETWORKS_H

#include "core/model/deltablock.h"

typedef struct {
    size_t K;
    double *raw, *minus_mean, *minus_start, *weights, *updates; /* (K, K) */
    double null;                                                /* of the largest family of one type */
    double mean[5];                                             /* of each over pairs a < b that have it */
} hs_networks;

/* *out <- of K networks on h (n, shape); temb (n, temb_dim) or NULL.  Networks whose parameters have the same shapes
 * are a family.  HS_ERANGE: K < 2, n = 0; HS_ESHAPE: other channels than h; HS_EDEGENERATE: a network says nothing, or
 * what is left of one is 0 (two of the files are the same). */
HS_CHECKED int hs_networks_compare(size_t K, hs_deltablock *const *net, size_t n, hs_chw shape, const float *h,
                                   const float *temb, hs_networks *out);
void hs_networks_free(hs_networks *r);

#endif
