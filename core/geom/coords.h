/* Rows of a space in the leading principal axes of some of them, the fit rows, from their Gram matrix alone.
 *
 * X_fit = U diag(σ) V, centred by its own means; row x has coordinates z_j = ⟨x - mean, v_j⟩ along the axes v_j.  The
 * axes are known as sums of fit rows, v_j = Σ_i u_ij x_i / σ_j, so nothing here is d long. */
#ifndef HS_GEOM_COORDS_H
#define HS_GEOM_COORDS_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

typedef struct {
    size_t n, r, groups;
    size_t m;      /* fit rows */
    size_t *fit;   /* (m) which */
    double *sigma; /* (r) descending, above 1e-7 σ_1 from a Gram matrix, 1e-10 σ_1 from rows */
    double *z;     /* (n, r) of all rows */
    double *norm;  /* (n) |x - mean|; what of it lies outside the axes is known by it */
} hs_coords;

/* *out <- the coordinates from K (n, n), Gram matrix of the rows about any origin (near the mean, for precision), along
 * at most `most` axes (0: all).  Row i belongs to group i % groups and is centred by the mean of its group's fit rows.
 * fit[i] != 0: a fit row.  HS_EDEGENERATE: a group with no more than one fit row, or fit rows that coincide; HS_ENOMEM,
 * HS_ENOCONV.  Cost: the eigenvectors of m x m, 2 n m r flops; 8 (n + m) m bytes. */
HS_CHECKED int hs_coords_of_gram(size_t n, size_t groups, const double *K, const unsigned char *fit, size_t most,
                                 hs_coords *out);
/* The same from the rows themselves, one group: exact for small axes too; m d min(m, d) flops. */
HS_CHECKED int hs_coords_of_rows(hs_mat X, const unsigned char *fit, size_t most, hs_coords *out);
void hs_coords_free(hs_coords *c);
/* *out <- the same along the leading r axes (fewer where there are fewer).  HS_ENOMEM. */
HS_CHECKED int hs_coords_leading(const hs_coords *c, size_t r, hs_coords *out);

/* c (r) <- the coordinates of a vector v from its products q (n) with all rows, q_i = ⟨x_i - o, v⟩, one o for all. */
void hs_coords_of_products(const hs_coords *c, const double *q, double *out);
/* w (n), 0 outside fit <- the vector Σ_j c_j v_j as Σ_i w_i x_i, which sums to 0 in every group. */
void hs_coords_weights(const hs_coords *s, const double *c, double *w);
/* Mean over rows (count of them) of |projection on the axes| / |x - mean|: the cosine that the side aligned with itself
 * reaches.  each (count): of each row, or NULL. */
double hs_coords_kept(const hs_coords *c, size_t count, const size_t *row, double *each);

#endif
