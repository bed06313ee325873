/* Interpolation sweeps: image A rendered with h on the way to image B's h.
 *
 * Both start from their own x_T.  B's plain trajectory gives h_B,t; A is then denoised with
 * h = path(h, h_B,t; w) in place of its own h, in the asymmetric process, for each position w in [0, 1].
 * At w = 0 this is A; at w = 1 A's noise and skips carry B's h: what h alone transports. */
#ifndef HS_SWEEP_INTERPOLATE_H
#define HS_SWEEP_INTERPOLATE_H

#include "analysis/sweep/sweep.h"

typedef enum { HS_PATH_LERP, HS_PATH_SLERP, HS_PATH_NORM } hs_path_kind;

/* plan: strengths are the positions; directions are not used.  from, to (n, c R R): x_T of the pairs.
 * x_0 (n, m, c R R) or NULL; out as hs_sweep_run. */
HS_CHECKED int hs_interpolate_run(const hs_edit_plan *plan, hs_path_kind kind, size_t n, const float *from,
                                  const float *to, size_t n_phi, const hs_readout *phi, float *x_0, hs_sweep *out);

#endif
