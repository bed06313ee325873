/* Sweeps: strengths x images along a direction, seen through read-outs. */
#ifndef HS_SWEEP_SWEEP_H
#define HS_SWEEP_SWEEP_H

#include <stddef.h>

#include "analysis/sweep/edit.h"
#include "analysis/sweep/readout.h"
#include "core/base/error.h"

/* phi of every row of a run: value[p] (n, m, features_p); owned. */
typedef struct {
    size_t n, m, n_phi;
    float **value;
    double *noise_floor; /* (n_phi) norm of phi(plain) - phi(plain from x_T rounded anew), image 0 */
} hs_sweep;
/* An edit that moves phi by no more than so many noise floors, one draw of rounding, did nothing. */
#define HS_SWEEP_NOTHING 4

/* Runs the plan on x_T (n, c R R) and fills out; x_0 (n, m, c R R) gets the images (NULL: not kept).  Images found in
 * plan->cells, of the same model, directions or given changes, strengths, timesteps and x_T, are not run again; the
 * bits are the same.  A cell holds an image's read-outs, and the image where x_0 keeps it.
 * HS_ERANGE: a read-out at a step the sampler doesn't reach; else as hs_edit_run. */
HS_CHECKED int hs_sweep_run(const hs_edit_plan *plan, size_t n, const float *x_T, size_t n_phi, const hs_readout *phi,
                            float *x_0, hs_sweep *out);
void hs_sweep_free(hs_sweep *s);

/* score (n, m) <- a scalar of a vector read-out, as linear in it as can be: <E_i(s), u_i>, the increments
 * E_i(s) = phi_i(s) - phi_i(0) along each image's own first-order effect,
 * u_i = unit(phi_i(s1) - phi_i(-s1)) at the smallest magnitude s1 (one-sided where -s1 is missing; 0
 * where there is no effect at all).  Scalars are copied. */
HS_CHECKED int hs_sweep_score(const hs_sweep *s, size_t p, size_t features, const double *strength, double *score);

/* *rms <- root mean square over images of |phi_i(s) - phi_i(0)| at strength index j (zero: index of 0). */
double hs_sweep_effect(const hs_sweep *s, size_t p, size_t features, size_t j, size_t zero);

/* *spread <- one standard deviation, divisor n - 1, over the unedited images of what the score measures: of a
 * scalar itself; of a vector read-out of phi_j(0) along u_i, the root mean square over i.  0 for n = 1. */
HS_CHECKED int hs_sweep_spread(const hs_sweep *s, size_t p, size_t features, const double *strength, double *spread);

#endif
