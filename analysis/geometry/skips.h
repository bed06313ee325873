/* h beside the skips: how long it is, and whether it points where they do.
 *
 *   skip_norm       rms of the values of h over rms of the values of all skips, mean over samples
 *   skip_cosine     of h and each skip of h's shape, both without their means over the samples, mean over samples and
 *                   those skips; null: h against the skips of another sample (shuffled pairs)
 *   skip_cosine_raw the same with the means, which all samples share
 * Missing, with the reason, where no skip has h's shape. */
#ifndef HS_GEOMETRY_SKIPS_H
#define HS_GEOMETRY_SKIPS_H

#include "analysis/geometry/states.h"

typedef struct {
    size_t S, skips;
    double *rms;    /* (S, skips) of the values, over samples */
    double *h_rms;  /* (S) */
    double *cosine; /* (S, skips) centred; NaN where the shape is another */
} hs_geometry_skips;
void hs_geometry_skips_free(hs_geometry_skips *k);

/* Appends the statistics of the first n samples and fills *out.  HS_ERANGE: n below 3 or above the states'; HS_ENOMEM.
 * Cost: n encodes a timestep; n floats of each skip of h's shape. */
HS_CHECKED int hs_geometry_skips_of(const hs_geometry_run *run, const hs_geometry_states *s, size_t n,
                                    hs_geometry_skips *out);

#endif
