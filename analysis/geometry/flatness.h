/* Flatness of the decoder h -> eps at fixed skips (x0hat is affine in eps: the same ratios), between samples.
 *
 * Samples 2 p and 2 p + 1 are pair p, from a = h of the first to b = h of the second, with the skips of the first;
 * pairs share no sample, so that intervals over pairs are of independent things. midpoint_deviation path.h, mean over
 * pairs midpoint_deviation_half, _quarter, _eighth the same for b that much of the way from a linear_range        the
 * largest of these fractions up to which every mean deviation lies below the standard with its interval: how far the
 * decoder is as good as linear, in distances between samples; 0 if none path_energy         of the straight path, over
 * chord^2: 1 is flat; null: as below path_energy_relaxed of the relaxed one; null: the straight one's path_bend how far
 * it leaves the straight one Null: b replaced by a + |b - a| times a random direction (isotropic), with the same skips;
 * each draw one direction a pair.  Pairs by the jackknife. */
#ifndef HS_GEOMETRY_FLATNESS_H
#define HS_GEOMETRY_FLATNESS_H

#include "analysis/geometry/path.h"
#include "analysis/geometry/states.h"

enum { HS_FRACTIONS = 4 }; /* 1, 1/2, 1/4, 1/8 */

typedef struct {
    size_t pairs, paths; /* pairs of midpoints; the first of them are relaxed */
    size_t segments, iterations;
    size_t draws;    /* of the null */
    double standard; /* of linear_range */
} hs_geometry_flatness_options;
#define HS_GEOMETRY_FLATNESS_OPTIONS ((hs_geometry_flatness_options){16, 3, 8, 25, 4, 0.1})

typedef struct {
    size_t S, paths, segments, d_x;
    float *straight, *relaxed; /* (paths, segments + 1, d_x): x0hat along the paths at timestep number S / 2 */
} hs_geometry_flatness;
void hs_geometry_flatness_free(hs_geometry_flatness *f);

/* Appends the statistics and fills *out.  HS_ERANGE: no pair, more pairs than samples for them, more paths than pairs.
 * HS_EDEGENERATE: two samples with one image; HS_ENOMEM. */
HS_CHECKED int hs_geometry_flatness_of(const hs_geometry_run *run, const hs_geometry_states *s,
                                       const hs_geometry_flatness_options *o, hs_geometry_flatness *out);

#endif
