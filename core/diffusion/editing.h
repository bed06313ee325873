/* Where an edit acts and how strongly, as numbers: the interval, Theorem 1, other step counts.
 * Kwon et al. arXiv:2210.10960, sections 3 and 4. */
#ifndef HS_DIFFUSION_EDITING_H
#define HS_DIFFUSION_EDITING_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/diffusion/schedule.h"

/* The scales of LPIPS at which the paper ends the edit and starts the boost; another distance has
 * others. */
#define HS_LPIPS_T_EDIT  0.33 /* of distance(x, P_t), times cos(E_T(source), E_T(reference)) */
#define HS_LPIPS_T_BOOST 1.2  /* of distance(x, x_t) */

/* *t_cross <- the first t, ascending, with value >= threshold.  t (n) strictly ascending, value (n).
 * HS_EDEGENERATE: no value reaches the threshold, or n = 0.  HS_ERANGE: t not ascending. */
HS_CHECKED int hs_curve_crossing(size_t n, const int *t, const double *value, double threshold, int *t_cross);

/* Theorem 1: the change of x_t' per change of eps in one step with eta = 0,
 *   asymmetric (P only)  -sqrt(1 - ab) sqrt(ab' / ab)
 *   symmetric (P and D)  sqrt(1 - ab') - sqrt(1 - ab) sqrt(ab' / ab),
 * which is the paper's formula with beta_t = 1 - ab / ab'. */
void hs_theorem1(const hs_step *step, double *symmetric, double *asymmetric);

/* How a direction found with some steps is scaled for others, over the steps with t >= t_edit.
 * count: ratio of their numbers (with t_edit = 0 the paper's S / S~).  alpha: ratio of the sums of
 * their asymmetric coefficients. */
typedef enum { HS_RESCALE_NONE, HS_RESCALE_COUNT, HS_RESCALE_ALPHA } hs_rescale;

/* *factor <- what multiplies the direction.  HS_EDEGENERATE: no step of `used` has t >= t_edit. */
HS_CHECKED int hs_rescale_factor(hs_rescale rule, const hs_steps *found, const hs_steps *used, int t_edit,
                                 double *factor);

#endif
