/* What a delta network says on samples: its dh along their unedited trajectories, and the directions in that.
 *
 *   D_{i,k} = f(h_{i,k}, t_k)           h of sample i at step k of the plain sampler
 *   mean_k = (1/n) sum_i D_{i,k}        one direction per step          (Asyrp's Delta h^mean)
 *   global = (1/S) sum_k mean_k         one for all steps; steps weigh by their norm     (Delta h^global)
 *   global_unit = c sum_k mean_k / |mean_k|, c such that |global_unit| = |global|: every step weighs alike
 * Kwon, Jeong, Uh, arXiv:2210.10960, section 5.3. */
#ifndef HS_SWEEP_FREEZE_H
#define HS_SWEEP_FREEZE_H

#include <stddef.h>

#include "analysis/directions/direction.h"
#include "analysis/sweep/edit.h"
#include "core/base/error.h"
#include "core/diffusion/ddim.h"
#include "core/model/model.h"

typedef struct {
    const hs_model *model;
    const hs_steps *steps;
    const hs_direction *dir; /* a delta network that fits (hs_direction_fits); with `states` any direction */
    int states;              /* h itself is wanted, what a network says on it beside it */
    size_t edited;           /* the first so many steps are recorded: those with t >= t_edit */
    size_t batch;            /* images at once */
    hs_conv_mode conv;
    hs_ddim_options ddim; /* of the trajectory; observe and progress play no part */
} hs_freeze_plan;

typedef struct hs_freeze hs_freeze;

/* *out <- room for a batch; plan is copied, what it points to borrowed.  HS_ERANGE: edited 0 or beyond the steps, no
 * network; HS_ENOMEM. */
HS_CHECKED int hs_freeze_create(const hs_freeze_plan *plan, hs_freeze **out);
void hs_freeze_free(hs_freeze *f);

/* delta (n, edited, C H W) <- D of n <= batch images x_T (n, c R R), the first of which is image `first` (its class,
 * hs_unet_ws_first).  Only the recorded steps are run.
 * One encode, one f_t and one decode a step and image.  Errors of the network. */
HS_CHECKED int hs_freeze_run(hs_freeze *f, size_t first, size_t n, const float *x_T, float *delta);
/* The same with h (n, edited, C H W) of each state, of a plan with `states`; delta is left as it is where the direction
 * is no network. */
HS_CHECKED int hs_freeze_run_states(hs_freeze *f, size_t first, size_t n, const float *x_T, float *h, float *delta);

/* Sampler steps that a plan edits, the first ones: those with t >= t_edit. */
size_t hs_edit_plan_edited(const hs_edit_plan *p);
/* What the network that is p's first direction says on the n images x_T along the plan's own sampler, unedited: take
 * gets the deltas (count, edited, C H W) of images [first, first + count), p->batch at a time, in order. */
typedef int (*hs_take_deltas)(void *ctx, size_t first, size_t count, const float *delta);
HS_CHECKED int hs_freeze_along(const hs_edit_plan *p, size_t n, const float *x_T, hs_take_deltas take, void *ctx);

/* The same with h; delta is NULL where p's first direction is no network. */
typedef int (*hs_take_states)(void *ctx, size_t first, size_t count, const float *h, const float *delta);
HS_CHECKED int hs_states_along(const hs_edit_plan *p, size_t n, const float *x_T, hs_take_states take, void *ctx);

/* Sums over samples, in double, of deltas that come in pieces. */
typedef struct {
    size_t n, S, d;
    double *sum;  /* (S, d) of D */
    double *norm; /* (S) of |D| */
} hs_freeze_mean;
HS_CHECKED int hs_freeze_mean_create(size_t S, size_t d, hs_freeze_mean *out);
void hs_freeze_mean_free(hs_freeze_mean *m);
void hs_freeze_mean_add(hs_freeze_mean *m, size_t n, const float *delta);
/* mean (S, d), global (d), global_unit (d), and per step mean |D| and |mean| (S each).  HS_EDEGENERATE: n = 0, or the
 * mean of a step or over the steps is 0. */
HS_CHECKED int hs_freeze_mean_finish(const hs_freeze_mean *m, float *mean, float *global, float *global_unit,
                                     double *norm_each, double *norm_mean);

#endif
