/* Orthogonal Procrustes: how far apart two sets of activations of the SAME n images are after the best rotation. */
#ifndef HS_GEOM_PROCRUSTES_H
#define HS_GEOM_PROCRUSTES_H

#include "core/base/error.h"
#include "core/tensor/view.h"

/* X and Y column-centred and scaled to unit Frobenius norm; the narrower one is padded with zeros. */
typedef struct {
    double similarity;       /* sum of the singular values of XᵀY / (|X| |Y|), in [0, 1] */
    double squared_distance; /* min over rotations |X - Y R|² = 2 - 2 similarity */
    double angle;            /* arccos similarity, radians: a metric */
    double disparity;        /* 1 - similarity²: the scale of Y chosen best too (scipy's) */
} hs_procrustes;

/* X (n, dx), Y (n, dy).  A side wider than n is first rotated into n dimensions (QR), so nothing is d x d.
 * Same bits for every thread count.  Cost O(n (dx + dy) min(n, d)); 16 n (dx + dy) bytes of scratch.
 * HS_ESHAPE (different n), HS_EDEGENERATE (n < 2, a side without variance, a value that isn't finite), HS_ENOMEM. */
HS_CHECKED int hs_procrustes_compare(hs_mat X, hs_mat Y, hs_procrustes *out);

#endif
