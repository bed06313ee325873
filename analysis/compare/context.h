/* What stands beside an alignment: how alike two spaces are without one, each number with its null. */
#ifndef HS_COMPARE_CONTEXT_H
#define HS_COMPARE_CONTEXT_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/geom/cka.h"

/* The 97.5 % quantile of B values (sorted here): what 39 of 40 shuffles stay below. */
double hs_null_quantile(size_t B, double *v);

/* *rho <- Spearman's correlation of the squared distances of n images, from Gram matrices; *null <- the quantile of the
 * same with images of one side exchanged, B times.  Cost: n² log n once, n² a shuffle; 40 n² bytes.  HS_EDEGENERATE
 * (n < 3, all distances equal), HS_ENOMEM. */
HS_CHECKED int hs_context_rsa(size_t n, const double *K, const double *L, size_t B, uint64_t seed, double *rho,
                              double *null);

/* *out <- CKA of two Gram matrices about any origins; *null (NULL: not wanted) <- the quantile of the debiased one with
 * images exchanged.  HS_EDEGENERATE, HS_ENOMEM. */
HS_CHECKED int hs_context_cka(size_t n, const double *K, const double *L, size_t B, uint64_t seed, hs_cka *out,
                              double *null);

/* (Σλ)² / Σλ² of the centred rows: how many dimensions the variance is spread over.  K about the mean. */
double hs_context_dimension(size_t n, const double *K);
/* What an isotropic Gaussian cloud of n points in d dimensions has: n d / (n + d), n - 1 degrees of freedom. */
double hs_context_dimension_null(size_t n, size_t d);

#endif
