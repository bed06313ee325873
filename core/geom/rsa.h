/* Representational similarity: do the same pairs of images lie far apart in both spaces? */
#ifndef HS_GEOM_RSA_H
#define HS_GEOM_RSA_H

#include "core/base/error.h"
#include "core/tensor/view.h"

typedef enum {
    HS_RSA_CORRELATION, /* 1 - Pearson correlation of two images over the features */
    HS_RSA_SQEUCLIDEAN  /* squared Euclidean distance */
} hs_rsa_distance;

/* D (n (n-1)/2) <- distances of the rows of X (n, d), pairs i < j in lexicographic order, in double.
 * HS_EDEGENERATE (n < 2; a value that isn't finite; for correlation, a row whose features are all equal), HS_ENOMEM. */
HS_CHECKED int hs_rsa_distances(hs_mat X, hs_rsa_distance kind, double *D);

/* *rho <- Spearman's rank correlation (average ranks) of the distances of X (n, dx) and of Y (n, dy), the same n
 * images. Unchanged by rotations and rescaling.  Cost O(n² (dx + dy) + n² log n); 32 n² bytes of scratch. HS_ESHAPE
 * (different n), HS_EDEGENERATE (as above; n < 3; all distances of a side equal), HS_ENOMEM. */
HS_CHECKED int hs_rsa_compare(hs_mat X, hs_mat Y, hs_rsa_distance kind, double *rho);

#endif
