/* Leading singular triplets of a matrix-free operator. */
#ifndef HS_LINALG_SVDS_H
#define HS_LINALG_SVDS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/linalg/linop.h"

typedef enum {
    HS_SVDS_DENSE,     /* A written out by min(m, n) products, dgesdd: exact, the oracle */
    HS_SVDS_BLOCK,     /* block Krylov with restarts, certified (core/linalg/krylov.h) */
    HS_SVDS_RANDOMIZED /* subspace iteration from a random start, a fixed number of sweeps */
} hs_svds_method;

typedef struct {
    hs_svds_method method;
    size_t oversample; /* vectors beyond k: the block is min(k + oversample, m, n) */
    size_t max_blocks; /* of HS_SVDS_BLOCK's basis */
    size_t max_sweeps; /* HS_SVDS_BLOCK: limit; HS_SVDS_RANDOMIZED: that many, at least 1 */
    double tol;        /* residual that HS_SVDS_BLOCK must reach; others only report theirs */
    uint64_t seed;     /* of the start block: Philox, HS_RNG_RANGE_FINDER */
} hs_svds_options;
#define HS_SVDS_OPTIONS ((hs_svds_options){HS_SVDS_BLOCK, 10, 8, 100, 1e-5, 0})

typedef struct {
    size_t applied, adjoint; /* vectors that A and Aᵀ were applied to */
    size_t sweeps;
    double worst; /* the largest residual */
} hs_svds_counts;

/* The k largest σ of A with A v = σ u, Aᵀu = σ v.
 *
 *   sigma     (k) descending
 *   U, V      (k, m), (k, n) float32, unit rows; the largest entry of each v is positive.  Where σ is
 *             0 to rounding (below 1e-6 σ_1), u is 0, and v may be
 *   residual  (2, k): |A v - σ u| / σ_1, then |Aᵀu - σ v| / σ_1, from products with A
 *   counts    may be NULL
 *
 * The same bits for every thread count, if A's are.
 * HS_ERANGE unless 1 <= k <= min(m, n); HS_ENOCONV when HS_SVDS_BLOCK misses tol (everything is filled
 * in); HS_EDEGENERATE when A gives a NaN or an infinity; HS_ENOMEM; or what A fails with.
 * Cost: dense min(m, n) products and O(m n min(m, n)); others sweeps (k + oversample) of A and Aᵀ. */
HS_CHECKED int hs_svds(const hs_linop *A, size_t k, const hs_svds_options *opt, double *sigma, float *U, float *V,
                       double *residual, hs_svds_counts *counts);

#endif
