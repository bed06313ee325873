/* An edit is learned (Asyrp, arXiv:2210.10960), as a task of hs_train, the U-Net frozen.
 *
 * On the way from x_T down to t_edit, at each timestep with h = h(x_t) and eps = eps(x_t | h) unedited:
 *   D of h:    P_edit = x0hat(eps(x_t | h + D));   of eps: P_edit = x0hat(eps + D)
 *   loss_t = weight * goal(P_edit; source) + l1 mean |P_edit - P_src|
 *   x_t' = sqrt(ab') P_edit + sqrt(1 - ab') eps
 * The gradient follows D of this timestep alone: x_t is given.
 *
 * against    source                          P_src
 * STATE      P_src                           x0hat(eps), at the state at hand
 * TRAJECTORY P_src                           that of the trajectory from x_T that was never edited, at this t
 * IMAGE      x_0, the image itself           as TRAJECTORY
 * update     TIMESTEP: at every timestep; TRAJECTORY: one a trajectory, by the sum of its timesteps' gradients
 *
 * The authors' program is IMAGE with TIMESTEP, their paper TRAJECTORY with TRAJECTORY (the paper writes the loss at a
 * timestep of both trajectories; that its gradient is summed before an update is our reading).  The program drops the
 * images of an incomplete last batch; here they are a smaller batch. */
#ifndef HS_TRAIN_TASK_ASYRP_H
#define HS_TRAIN_TASK_ASYRP_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/delta.h"
#include "analysis/train/goal.h"
#include "analysis/train/train.h"
#include "core/diffusion/schedule.h"
#include "core/model/unet.h"

typedef enum { HS_AGAINST_STATE, HS_AGAINST_TRAJECTORY, HS_AGAINST_IMAGE } hs_asyrp_against;
typedef enum { HS_UPDATE_TIMESTEP, HS_UPDATE_TRAJECTORY } hs_asyrp_update;

typedef struct {
    hs_asyrp_against against;
    hs_asyrp_update update;
    double weight, l1; /* of the goal; of mean |P_edit - P_src| */
    int t_edit;        /* steps with t >= t_edit are edited */
    hs_conv_mode conv;
} hs_asyrp_task_options;

typedef struct hs_asyrp_task hs_asyrp_task;

/* *out <- the task: v (made for these n images and as many edited steps as there are at or above t_edit, else HS_EBUG)
 * learns on the frozen u from the latents x_T (n, c R R), a group at a time, over and over; x_0 (n, c R R): the
 * images, needed against IMAGE.  Everything is borrowed.  about: what decides the run besides the options, a line or
 * more, for the fingerprint; folder: where a network is published, as f_t.safetensors (free D are read from v).
 * HS_ERANGE: no step at or above t_edit; else as hs_unet_grad_create. */
HS_CHECKED int hs_asyrp_task_create(hs_unet *u, const hs_steps *steps, hs_delta_var *v, const hs_goal *goal,
                                    const float *x_T, const float *x_0, const hs_asyrp_task_options *o,
                                    const char *about, const char *folder, hs_asyrp_task **out);
void hs_asyrp_task_free(hs_asyrp_task *a);
hs_task hs_asyrp_task_of(hs_asyrp_task *a);
/* Updates of one trajectory: a checkpoint may lie between two of them only (hs_train_options.whole). */
size_t hs_asyrp_task_updates(const hs_asyrp_task *a);
/* Steps at or above t_edit. */
size_t hs_asyrp_edited_steps(const hs_steps *steps, int t_edit);

#endif
