/* What of a direction is not in the span of others: v <- (I - V (V'V)^-1 V') v at each timestep, V the others' dh as
 * columns, by an orthonormal basis of their span (core/linalg/basis.h).  Others that lie within 1e-6 of the span of the
 * rest (the sine of the angle: dh is stored as float32) count once. */
#ifndef HS_DIRECTIONS_DIR_ORTHOGONAL_H
#define HS_DIRECTIONS_DIR_ORTHOGONAL_H

#include <stdint.h>

#include "analysis/directions/direction.h"

#define HS_ORTHOGONAL_TOL 1e-6

/* HS_ESHAPE unless v can be held against other: the same (C, H, W); the same timesteps, or other constant in t; the
 * same weights and tap, where both files name them (force: whatever the weights and taps); HS_ERANGE: either is a delta
 * network, which has no dh before it is applied. */
HS_CHECKED int hs_orthogonal_fits(const hs_direction *v, const hs_direction *other, int force);

/* dh (max(S, 1), C H W) <- what is left of v's, for n others that fit; norm (max(S, 1)) of v; left (max(S, 1)): the
 * share of the norm that is left, NaN where v is 0; rank (max(S, 1)) of V.  HS_EDEGENERATE: 1e-6 or less is left, named
 * with its timestep; HS_ENOMEM. */
HS_CHECKED int hs_orthogonalize(const hs_direction *v, size_t n, const hs_direction *other, float *dh, double *norm,
                                double *left, int64_t *rank);

#endif
