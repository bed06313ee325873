/* A delta network f_t learns an edit (Asyrp, arXiv:2210.10960), as a task of hs_train, the U-Net frozen.
 *
 * On the way from x_T down to t_edit, at each timestep with h = h_t unedited:
 *   dh = f_t(h, temb),  P_src = x0hat(eps(x_t | h)),  P_edit = x0hat(eps(x_t | h + dh))
 *   loss_t = mean over images of (phi(P_edit) - phi(P_src) - by)^2 + l1 mean |P_edit - P_src|
 *   x_t' = sqrt(ab') P_edit + sqrt(1 - ab') eps(x_t | h)
 * phi is one output of an attribute network in standard deviations of the factor (a binary factor: its logit), so `by`
 * is how far the edit shall move it.  Two recipes: HS_RECIPE_CODE   an update at every timestep (as the authors'
 * program does), x_t' from the network as it then is HS_RECIPE_PAPER  one update a trajectory, of the mean over its
 * timesteps */
#ifndef HS_TRAIN_TASK_ASYRP_H
#define HS_TRAIN_TASK_ASYRP_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/train.h"
#include "core/diffusion/schedule.h"
#include "core/model/attrnet.h"
#include "core/model/deltablock.h"
#include "core/model/unet.h"

typedef enum { HS_RECIPE_CODE, HS_RECIPE_PAPER } hs_asyrp_recipe;

typedef struct {
    hs_asyrp_recipe recipe;
    size_t batch;  /* images a trajectory */
    size_t factor; /* output of the attribute network */
    double by, l1;
    int t_edit; /* steps with t >= t_edit are edited */
    hs_conv_mode conv;
} hs_asyrp_task_options;

typedef struct hs_asyrp_task hs_asyrp_task;

/* *out <- the task: f learns on the frozen u from the n latents x_T (n, c R R), `batch` at a time in their order, over
 * and over.  Everything is borrowed; f is what is trained.  about: what decides the run besides the options, a line
 * or more, for the fingerprint; folder: where f_t.safetensors is published.  HS_ERANGE: batch outside 1 ... n, no step
 * at or above t_edit; HS_ESHAPE: the attribute network sees images of another size; else as hs_unet_grad_create. */
HS_CHECKED int hs_asyrp_task_create(hs_unet *u, const hs_steps *steps, hs_deltablock *f, const hs_attrnet *phi,
                                    size_t n, const float *x_T, const hs_asyrp_task_options *o, const char *about,
                                    const char *folder, hs_asyrp_task **out);
void hs_asyrp_task_free(hs_asyrp_task *a);
hs_task hs_asyrp_task_of(hs_asyrp_task *a);
/* Updates of one trajectory: a checkpoint may lie between two of them only (hs_train_options.whole). */
size_t hs_asyrp_task_updates(const hs_asyrp_task *a);

#endif
