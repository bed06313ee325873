/* What the files behind deltas.h share. */
#ifndef HS_PROPERTIES_DELTAS_INTERNAL_H
#define HS_PROPERTIES_DELTAS_INTERNAL_H

#include "analysis/properties/deltas.h"

/* How many neighbouring images a unit takes at a time, of n images. */
size_t hs_deltas_together(const hs_deltas *x, size_t n);

/* Fills the sums of x, all 0, from one pass over the source; x->units may keep units without an image. */
HS_CHECKED int hs_deltas_read(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x);

#endif
