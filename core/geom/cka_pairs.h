/* What the ways to CKA end in (cka.h): sums over pairs of images. */
#ifndef HS_GEOM_CKA_PAIRS_H
#define HS_GEOM_CKA_PAIRS_H

#include "core/geom/cka.h"

/* All that U and its leave-one-out values need of a pair (K, L); ks, ls: row sums of K̃, L̃. */
typedef struct {
    double *p;       /* (n) Σ_j K̃_ij L̃_ij; owns the others */
    double *ks, *ls; /* (n) */
    double *a;       /* (n) Σ_j K̃_ij ls_j + L̃_ij ks_j */
    double diagonal; /* Σ K_ii L_ii */
} hs_cka_pair;

/* *q <- zeros; free q->p.  HS_ENOMEM. */
HS_CHECKED int hs_cka_pair_new(size_t n, hs_cka_pair *q);

/* *out <- from the pairs XY, XX, YY.  HS_EDEGENERATE as hs_cka_linear. */
HS_CHECKED int hs_cka_conclude(size_t n, const hs_cka_pair q[3], hs_cka *out);

/* hs_cka_linear from float32 products, K and L a panel of rows at a time: as many as fit into `bytes` with their rows
 * of K and L, but 512 at least and 2048 at most, beside hs_gram_strip's tiles.  Reads each side (panels + 1) / 2 times.
 */
HS_CHECKED int hs_cka_tiled(const hs_centring *x, const hs_centring *y, size_t bytes, const hs_progress *progress,
                            hs_cka *out);

#endif
