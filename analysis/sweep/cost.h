/* What edits cost, known beforehand and exactly: images encoded, rows decoded (core/model/unet.h counts them), final
 * images that read-outs see, and workspaces made.  The same for every batch size.
 *
 * S sampler steps, the first e of them edited; n images, z columns of strength 0 and k others, p = 1 where the unedited
 * h is decoded too (the asymmetric process), else 0:
 *   columns of 0, all at once     n S encodes         n S decodes
 *   others, at the first step     n                   n (k + p)
 *           at the other edited   n k a step          n k (1 + p) a step
 *           at the rest           n k a step          n k a step
 * An edit of eps alone decodes its states once: n at the first step, n k at any other. */
#ifndef HS_SWEEP_COST_H
#define HS_SWEEP_COST_H

#include <stddef.h>

#include "analysis/sweep/edit.h"

typedef struct {
    double encodes, decodes, images, setups;
} hs_cost;

/* *to += times what. */
void hs_cost_add(hs_cost *to, double times, hs_cost what);

typedef struct {
    size_t S, edited;
    int on_h; /* the edit changes h; else eps alone */
    int symmetric;
} hs_cost_of;

/* Of a plan as it stands. */
hs_cost_of hs_cost_of_plan(const hs_edit_plan *p);

/* hs_edit_run of n images at zeros columns of strength 0 and others. */
hs_cost hs_cost_edit(const hs_cost_of *p, size_t n, size_t zeros, size_t others);
/* hs_sweep_run: with the images seen and, where there is a strength 0, one image again for the noise floor. */
hs_cost hs_cost_sweep(const hs_cost_of *p, size_t n, size_t zeros, size_t others);
/* hs_edit_first_order; hs_edit_match is one of each plan. */
hs_cost hs_cost_first_order(const hs_cost_of *p, size_t n);
/* hs_edit_tangent: every state and its tangent, and at the edited steps the change of h through the decoder. */
hs_cost hs_cost_tangent(const hs_cost_of *p, size_t n);
/* hs_freeze_along: the edited steps of the plain trajectories. */
hs_cost hs_cost_freeze(const hs_cost_of *p, size_t n);

#endif
