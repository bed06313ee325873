/* Alignment of two spaces without a common basis, seen through the SAME n images, from their Gram matrices alone.
 *
 * Fitted on some of the images (fit), measured on others.  X and Y are centred by the means of their fit rows.  In the
 * leading principal axes v_j of the fit rows of a side, X_fit = U diag(σ) V, an image has coordinates z_j = ⟨x, v_j⟩.
 *
 *     Procrustes  M = Z_aᵀ Z_b over fit rows = P diag(s) Qᵀ; an image a goes to Σ_{j <= rank} ⟨z_a, P_j⟩ Q_j in b's
 * axes, one of b to Σ ⟨z_b, Q_j⟩ P_j: the partial isometry that keeps the `rank` largest s (Schönemann, Psychometrika
 * 31, 1966) CCA         the same of (Z_a / σ_a)ᵀ (Z_b / σ_b): s are the canonical correlations of the axes, and ⟨z_a /
 * σ_a, P_j⟩ and ⟨z_b / σ_b, Q_j⟩ the variates ridge       an image a goes to the row (σ_j z_aj / (σ_j² + alpha))ᵀ (Z_a
 * / σ_a)ᵀ Z_b: least squares of y on x with penalty alpha
 *
 * Coordinates: core/geom/coords.h.  Nothing is d long, so spaces of any and different d cost the same.  One thread. */
#ifndef HS_GEOM_ALIGN_H
#define HS_GEOM_ALIGN_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/geom/coords.h"

/* A fit. */
typedef struct {
    size_t rank;   /* of the s above 1e-10 s_1 */
    size_t ra, rb; /* axes of the sides */
    double *s;     /* (rank) descending */
    double *P, *Q; /* (ra, rank), (rb, rank) */
    int whitened;  /* CCA */
} hs_align;

/* *out <- the fit of a and b, which have the same fit rows; whiten: CCA.  partner (m), or NULL: fit row i of a goes
 * with fit row partner[i] of b instead, both as positions in fit (the null).  HS_ESHAPE: other fit rows;
 * HS_EDEGENERATE: M is 0; for CCA m - groups <= ra + rb - 1, where correlations are 1 whatever the data. */
HS_CHECKED int hs_align_fit(const hs_coords *a, const hs_coords *b, int whiten, const size_t *partner, hs_align *out);
void hs_align_free(hs_align *f);

/* cos (count) <- of the rows: the mapped a against b in full; back (count): the mapped b against a.  Either may be
 * NULL. A row that is its mean, or is mapped to nothing, has cosine 0. */
HS_CHECKED int hs_align_cosines(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t rank, size_t count,
                                const size_t *row, double *cos, double *back);
/* curve (2, f->rank) <- for every rank the mean over rows of the cosines, a to b, then back. */
HS_CHECKED int hs_align_curve(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t count,
                              const size_t *row, double *curve);
/* Σ⟨p, q⟩ / √(Σ|p|² Σ|q|²) of the mapped a and b: the cosine of the two as matrices. */
HS_CHECKED int hs_align_matrix_cosine(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t rank,
                                      size_t count, const size_t *row, double *out);
/* to (rb) <- the coordinates of what a vector of a's axes, from (ra), becomes in b's; back: from (rb), to (ra). */
void hs_align_map(const hs_align *f, size_t rank, const double *from, double *to);
void hs_align_map_back(const hs_align *f, size_t rank, const double *from, double *to);
/* r (f->rank) <- correlations over rows of the variates, NaN where one is constant: held-out canonical correlations. */
HS_CHECKED int hs_align_correlations(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t count,
                                     const size_t *row, double *r);
/* weight (f->rank) <- Σ_j |⟨h_i, x_j⟩| over the axes j of side a, h_i the unit canonical variates over fit rows: what
 * PWCCA weighs correlations by, in the side's principal axes (the original's weights depend on the basis of a space).
 */
void hs_align_weights(const hs_align *f, const hs_coords *a, double *weight);

/* B (ra, rb) <- the ridge map of coordinates.  alpha > 0, in the units of σ². */
HS_CHECKED int hs_ridge_fit(const hs_coords *a, const hs_coords *b, double alpha, double *B);
/* cos (count) <- of the rows z_a B against b in full. */
HS_CHECKED int hs_ridge_cosines(const hs_coords *a, const hs_coords *b, const double *B, size_t count,
                                const size_t *row, double *cos);

#endif
