/* The two halves of consistency.c. */
#ifndef HS_PROPERTIES_CONSISTENCY_INTERNAL_H
#define HS_PROPERTIES_CONSISTENCY_INTERNAL_H

#include "analysis/properties/consistency.h"

/* Puts the statistics of deltas, primary, effect and null, and fills the matrices.  NULL x: says what is missing. */
HS_CHECKED int hs_consistency_deltas(const hs_deltas *x, const hs_consistency_options *o, hs_consistency *c);
/* The same of effects; overwrites primary, effect and null where there are some. */
HS_CHECKED int hs_consistency_effects(const hs_consistency_options *o, hs_consistency *c);

#endif
