/* Canonical correlations of two sets of activations of the SAME n images: CCA, SVCCA, PWCCA. */
#ifndef HS_GEOM_CCA_H
#define HS_GEOM_CCA_H

#include "core/base/error.h"
#include "core/tensor/view.h"

typedef struct {
    size_t rank_x, rank_y; /* dimensions kept of each side */
    size_t count;          /* of correlations: the smaller rank */
    double *correlation;   /* (count) descending, in [0, 1] */
    double mean;           /* of the correlations */
    double pwcca_x; /* Σ α_i ρ_i / Σ α_i, α_i = Σ_j |⟨h_i, x_j⟩|: h_i X's unit canonical variates, x_j its centred
                       columns: weighted by how much of X each explains (Morcos et al., arXiv:1806.05759) */
    double pwcca_y; /* the same with Y's weights */
} hs_cca;

/* X (n, dx), Y (n, dy); each centred, its left singular vectors with σ > 1e-10 σ_1 kept; of those, the fewest whose
 * σ² reach keep of the sum (1: all; .99: SVCCA, Raghu et al., arXiv:1706.05806).  Correlations are the singular values
 * of QxᵀQy.  Unchanged by invertible maps of either side when keep = 1.  free: hs_cca_free. Same bits for every thread
 * count.  Cost O(n d min(n, d)) a side; 24 n d bytes of scratch. HS_ESHAPE (different n), HS_ERANGE (keep not in (0,
 * 1]), HS_ENOMEM, HS_EDEGENERATE (no variance; a value that isn't finite; n <= rank_x + rank_y, where some correlations
 * are 1 whatever the data: reduce first). */
HS_CHECKED int hs_cca_compare(hs_mat X, hs_mat Y, double keep, hs_cca *out);
void hs_cca_free(hs_cca *c);

#endif
