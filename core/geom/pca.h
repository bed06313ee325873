/* Principal components of rows that may be larger than memory, certified.
 *
 *     X = rows - means,  X = U diag(σ) V,  λ = σ²/(n - 1)
 *
 * Names and meanings are scikit-learn's.  The three scopes are the caller's: one step (its rows), pooled
 * (all (image, step) rows, rows.groups = steps for each step's own mean, 1 for a grand mean; divisor n - 1
 * either way, n the number of rows), trajectory (all steps of an image are one row).
 *
 * Solvers:
 *   gram        eigenvectors of X Xᵀ (n, n) in double: exact; n² d flops, 8 n² bytes
 *   covariance  eigenvectors of XᵀX (d, d) in double: exact; d² n flops, 8 d² bytes
 *   block       block Krylov with restarts (core/linalg/krylov.h) on XᵀX: products in float32 summed
 *               in double, one read of the rows a sweep, until every residual is within tol
 *   randomized  subspace iteration from a random start, `sweeps` reads; residuals are only reported
 *   auto        gram or covariance where min(n, d) <= 2048, else block; never randomized
 * The choice, tiles and blocks depend on n, d, k and the options only: the same bits for every number of threads
 * and of ranks, and whatever the memory; over its limit it is HS_ELIMIT, never another method.
 *
 * Sources: ecosystem's conventions (own centring before any product, sums in double, sign rule); Musco & Musco,
 * arXiv:1504.05477; Halko, Martinsson & Tropp, arXiv:0909.4061. */
#ifndef HS_GEOM_PCA_H
#define HS_GEOM_PCA_H

#include <stdint.h>

#include "core/geom/rows.h"

typedef enum { HS_PCA_AUTO, HS_PCA_GRAM, HS_PCA_COVARIANCE, HS_PCA_BLOCK, HS_PCA_RANDOMIZED } hs_pca_solver;

/* "auto", "gram", …: for options and reports. */
const char *hs_pca_solver_name(hs_pca_solver solver);

typedef struct {
    size_t k; /* components, 1 ... min(n, d) */
    hs_pca_solver solver;
    double tol;    /* block: the residual every component must reach */
    size_t sweeps; /* block: limit; randomized: that many; 0 for 100 and 6 */
    uint64_t seed; /* of the random start */
    size_t memory; /* bytes; HS_ELIMIT when the solver needs more; 0: no limit */
    const hs_progress *progress;
    hs_team *team; /* shares the passes over the rows; every rank gets the result.  NULL: alone */
} hs_pca_options;
#define HS_PCA_OPTIONS ((hs_pca_options){20, HS_PCA_AUTO, 1e-5, 0, 0, (size_t)256 << 20, NULL, NULL})

typedef struct {
    size_t n, d, groups, k;
    hs_pca_solver solver;             /* the one that ran */
    double *mean;                     /* (groups, d) */
    float *component;                 /* (k, d) unit rows, largest entry positive */
    double *singular_value;           /* (k) descending */
    double *explained_variance;       /* (k) λ */
    double *explained_variance_ratio; /* (k) λ / total_variance */
    double *residual;                 /* (k) |Xᵀu - σv| / σ_1 with u = X v / |X v|, from float32 products of a sweep
                                         made for the purpose (their rounding shows as 1e-7) */
    double total_variance;            /* |X|² / (n - 1) */
    double participation[2];          /* (Σλ)² / Σλ²: least and largest possible; equal where all of
                                         Σλ² is known (gram, covariance) */
    size_t rank;   /* components with λ >= d eps λ_1 (for block and randomized: >= 1e-12 λ_1).  The
                      others are below what the arithmetic can tell from nothing: zero vectors,
                      with zeros for their numbers */
    size_t sweeps; /* reads of the rows by the iteration */
    double worst;  /* the largest residual */
} hs_pca;

/* *out <- the PCA of the rows; free with hs_pca_free.
 * HS_ENOCONV (block; *out is filled in), HS_EDEGENERATE (a value that isn't finite, named; no variance; no more
 * rows than means), HS_ERANGE (k, tol), HS_ELIMIT (memory), HS_ENOMEM, HS_ESTOPPED, or what reading fails with. */
HS_CHECKED int hs_pca_fit(const hs_rows *rows, const hs_pca_options *opt, hs_pca **out);
void hs_pca_free(hs_pca *p);

/* *bytes <- what hs_pca_fit takes at its peak, the result included; *solver (may be NULL) <- auto's choice. */
HS_CHECKED int hs_pca_bytes(const hs_rows *rows, const hs_pca_options *opt, size_t *bytes, hs_pca_solver *solver);

/* score (count, k) <- the rows [first, first + count), centred, on the components; in double. */
HS_CHECKED int hs_pca_project(const hs_pca *p, const hs_rows *rows, size_t first, size_t count, double *score);

#endif
