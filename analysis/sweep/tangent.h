/* The exact derivative of an edit in its strength.
 *
 *   d x_0 / d s at s = 0 of hs_edit_run: the tangent of the whole process, every step's
 *   d eps_d = (d eps/d x_t) dx,   d eps_p = d eps_d + (d eps/d h) dh   where t >= t_edit, else d eps_d
 *
 * carried to x_0 by the sampler, which is linear in x_t, eps_p and eps_d.  A network f_t(h) gives dh at the unedited
 * h; what h's own change adds to it is of second order in s. */
#ifndef HS_SWEEP_TANGENT_H
#define HS_SWEEP_TANGENT_H

#include <stddef.h>

#include "analysis/sweep/edit.h"
#include "core/base/error.h"

/* Whether hs_edit_tangent takes the plan. */
int hs_edit_has_tangent(const hs_edit_plan *plan);

/* dx_0 (n, c R R) <- the derivative of each final image from x_T (n, c R R).  The plan's strengths play no part.
 * HS_ERANGE: a plan whose process isn't linear in what the network says or that isn't an edit along directions of h
 * (clipping, noise, another path, a target, given dh, space eps); errors of the network; HS_ESTOPPED.
 * Cost: an encode, a decode, and as many tangents of each, twice for the decoder, an image and step. */
HS_CHECKED int hs_edit_tangent(const hs_edit_plan *plan, size_t n, const float *x_T, float *dx_0);

#endif
