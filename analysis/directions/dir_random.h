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

#endif
