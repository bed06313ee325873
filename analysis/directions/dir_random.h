/* Random directions: the control of every measurement.  Equal norm per step to a given direction;
 * one draw serves all steps, so that it adds up over the trajectory as a found direction does. */
#ifndef HS_DIRECTIONS_DIR_RANDOM_H
#define HS_DIRECTIONS_DIR_RANDOM_H

#include <stdint.h>

#include "analysis/directions/direction.h"
#include "core/io/store.h"

/* *out <- random direction number index like d: dh_t = |d_t| g_t / |g_t|, with
 *   store NULL: g isotropic normal, the same for all t (stream (seed, HS_RNG_DIRECTION, index));
 *   else: g_t = sum_i z_i (h_{i,t} - mean_t), z standard normal, the same for all t: a draw with the
 *   covariance of h at t.  The store holds h of d's shape at all its timesteps (of a d constant in t:
 *   the store's first), else HS_ESHAPE.
 * Named "random<index>".  HS_ERANGE: d is a delta network, which has no norm until it is applied. */
HS_CHECKED int hs_direction_random(const hs_direction *d, const hs_store *store, uint64_t seed, size_t index,
                                   hs_direction *out);

/* out (T) <- random set number index: the lengths and angles of given directions at each of S timesteps t (descending),
 *   r_k = L_k Q,   L_k L_k' = gram_k (T, T),   Q (T, d) the orthonormal rows of T normal draws (streams (seed,
 *   HS_RNG_DIRECTION, j 2^32 + index), j < T), the same for all t,
 * so that r_k r_k' = gram_k, and any sum of them is as long as the same sum of the given ones.  For T = 1 the draw of
 * hs_direction_random.  gram (S, T, T): symmetric and positive semidefinite, of any rank; like says space, shape, model
 * and tap.  Named "random<index>".  HS_ERANGE: T is 0, or more than 64 or d. */
enum { HS_RANDOM_SET = 64 };
HS_CHECKED int hs_direction_random_set(const hs_direction *like, size_t T, size_t S, const int *t, const double *gram,
                                       uint64_t seed, size_t index, hs_direction *out);

#endif
