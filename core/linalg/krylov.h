/* Leading right singular vectors of A when a sweep gives AᵀA V and VᵀAᵀA V in one go: what PCA reads
 * once over a file, and what a Jacobian and its adjoint give one after the other.
 *
 * Block Krylov: span{X, CX, C²X, …}, C = AᵀA, kept orthonormal (two passes of block Gram-Schmidt,
 * then the SVQB orthonormalisation of Stathopoulos & Wu, SIAM J. Sci. Comput. 23:2165, 2002), with
 * Rayleigh-Ritz on it (Musco & Musco, arXiv:1504.05477).  When the recurrence promises convergence,
 * or the basis is full, the best Ritz vectors are swept once more: that sweep improves them, and
 * its residuals, from products and not from the recurrence, are the ones reported.  If they don't
 * hold, it is also the first sweep of the next cycle.
 *
 * Vectors are float32, coefficients and sums across tiles double.  The same bits for every thread
 * count, if the sweep's are. */
#ifndef HS_LINALG_KRYLOV_H
#define HS_LINALG_KRYLOV_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct {
    size_t n; /* columns of A */
    /* Z (k, n) <- AᵀA applied to each row of V (k, n); G (k, k) <- ⟨A v_i, A v_j⟩ */
    int (*sweep)(void *ctx, size_t k, const float *V, double *Z, double *G);
    void *ctx;
} hs_normal_op;

typedef struct {
    size_t k;          /* triplets wanted, 1 ... n */
    size_t block;      /* rows swept at once, k ... n */
    size_t max_blocks; /* blocks of the basis before a restart; 1: subspace iteration */
    size_t max_sweeps;
    double tol; /* on the residual; negative: do max_sweeps sweeps, whatever the residuals */
    uint64_t seed;
} hs_krylov_options;

/* sigma (k) descending; V (k, n) unit rows, largest entry positive; residual (k):
 *     |Aᵀu - σv| / σ_1,  u = A v / σ  (so that A v = σ u exactly),
 * or σ_j / σ_1 where that is below 1e-6: such a v is a null vector as far as float32 can tell.
 * Where A has fewer than k directions that give more than nothing, rows of V may be 0, with σ = 0.
 * *sweeps counts calls of op->sweep, each block rows or fewer.
 * Scratch: (max_blocks + 1) block n floats, block n doubles.
 * HS_ENOCONV (outputs filled in): a residual above tol after max_sweeps.  HS_ERANGE (options),
 * HS_EDEGENERATE (a sweep gave a NaN or an infinity), HS_ENOMEM, or what the sweep failed with. */
HS_CHECKED int hs_krylov(const hs_normal_op *op, const hs_krylov_options *opt, double *sigma, float *V,
                         double *residual, size_t *sweeps);

/* Bytes of scratch that hs_krylov takes. */
HS_CHECKED int hs_krylov_bytes(size_t n, const hs_krylov_options *opt, size_t *bytes);

#endif
