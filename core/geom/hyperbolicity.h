/* Gromov's hyperbolicity: how far a set of distances is from those of a tree.
 *
 *   of four points, with the sums S1 >= S2 >= S3 of the three pairings of their distances, delta = (S1 - S2) / 2:
 *   0 in a tree, and no more than half the diameter anywhere (Gromov 1987; Buneman's four-point condition, 1974)
 *   relative: 2 delta / diameter, in [0, 1]; 0 for a tree or points on a line, 2 - sqrt(2) for a square
 *
 * The mean over all quadruples is a U-statistic, and has an interval by the jackknife; the maximum is what Gromov's
 * definition takes, has none, and grows with the number of quadruples, so it is compared at the same number only. */
#ifndef HS_GEOM_HYPERBOLICITY_H
#define HS_GEOM_HYPERBOLICITY_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum { HS_GROMOV_EXACT = 100 }; /* points up to which all quadruples are looked at */

typedef struct {
    double diameter;
    double max, mean; /* relative */
    size_t quadruples;
} hs_gromov;

/* *out <- of the distances D (n, n): over all n (n - 1) (n - 2) (n - 3) / 24 quadruples for n <= HS_GROMOV_EXACT, else
 * over `sampled` ones drawn with stream (seed, HS_RNG_GEOMETRY, HS_RNG_QUADRUPLE << 48): the same for every cloud of
 * n points.  leave_one_out (n), or NULL: the mean without the quadruples of each point (and without its distances: the
 * diameter is kept).
 * HS_EDEGENERATE: n < 5, or all points are one; HS_ENOMEM.  About 3 ns a quadruple. */
HS_CHECKED int hs_gromov_delta(size_t n, const double *D, size_t sampled, uint64_t seed, double *leave_one_out,
                               hs_gromov *out);

#endif
