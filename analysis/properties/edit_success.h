/* Whether an edit does what it is for: how far it moves its target, what else it moves, and at what price.
 *
 *   effect_k(s)  mean over images of phi_k(s) - phi_k(0) of factor k, in standard deviations of the data
 *   strength     the smallest in magnitude, of either sign, at which images are natural (naturalness.h) and the edit is
 *                enough: the target's effect at least 1, or, of a binary target, put_on at least 0.7; where none is,
 *                the natural one of largest effect; 0 where none is natural
 *   put_on       of a binary target: share of the images without it (phi(0) < 1/2) that have it (phi(s) > 1/2)
 *   most_else    the factor besides the target whose effect is largest in size
 *   change       root mean square over images and values of x_0(s) - x_0(0), in the units of [-1, 1]
 *   random       mean over K random directions of equal norm of |effect| on the target, where measured at s
 *
 * Intervals: percentile bootstrap over images. */
#ifndef HS_PROPERTIES_EDIT_SUCCESS_H
#define HS_PROPERTIES_EDIT_SUCCESS_H

#include <stddef.h>

#include "analysis/properties/naturalness.h"
#include "core/base/error.h"
#include "core/stats/bootstrap.h"

typedef struct {
    size_t n, m, factors, zero; /* strengths ascending, 0 at index zero */
    const double *strength;     /* (m) */
    const double *value;        /* (factors, n, m) */
    const double *sd;           /* (factors), of the data */
    size_t target;
    int binary;                        /* the target is a probability */
    const double *change;              /* (n, m) mean square of x_0(s) - x_0(0), or NULL */
    const hs_naturalness *naturalness; /* or NULL: every strength counts as natural */
    size_t K;
    const double *null; /* (K, n, m) the target under random directions, NaN where not measured; NULL for K = 0 */
} hs_edit_effects;

typedef struct {
    size_t at; /* index of the strength */
    hs_interval effect, put_on, else_effect;
    size_t most_else;                           /* factors where there is no other */
    double change, naturalness, limit, outside; /* NaN where unknown */
    double random;
} hs_edit_success;

/* HS_ERANGE: no strength besides 0, an sd that isn't positive; what hs_bootstrap says. */
HS_CHECKED int hs_edit_success_measure(const hs_edit_effects *e, const hs_bootstrap_options *o, hs_edit_success *out);

#endif
