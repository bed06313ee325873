/* Denoising diffusion as a task of hs_train: a U-Net learns the noise (core/diffusion/objective.h). */
#ifndef HS_TRAIN_TASK_DDPM_H
#define HS_TRAIN_TASK_DDPM_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/train/data.h"
#include "analysis/train/train.h"
#include "core/diffusion/objective.h"
#include "core/io/safetensors.h"
#include "core/model/model.h"

typedef struct {
    hs_prediction prediction;
    uint64_t seed;        /* of the first weights, timesteps, noise, choice of images */
    const hs_model *init; /* whose weights are the first ones, under any names; NULL: random ones; borrowed */
    size_t batch;         /* images an update */
    int flip;             /* mirror half of the images */
    int half;             /* publish float16 weights */
    hs_conv_mode conv;
    size_t pictures;      /* samples in samples.png, 1 to 256 */
    size_t picture_steps; /* DDIM steps of each */
    size_t n_meta;        /* for the weights' metadata; borrowed */
    const hs_pair *meta;
} hs_ddpm_options;

typedef struct hs_ddpm hs_ddpm;

/* *out <- the task of cfg on the data, published into folder; data, folder and meta are borrowed.
 * HS_ESHAPE: the data are of another size, init is another network (the first parameter that differs); HS_ERANGE: batch
 * or pictures out of range, a network that also gives a variance; else as hs_unet_trainable and hs_unet_grad_create. */
HS_CHECKED int hs_ddpm_create(const hs_unet_config *cfg, const hs_data *data, const hs_ddpm_options *o,
                              const char *folder, hs_ddpm **out);
void hs_ddpm_free(hs_ddpm *d);
/* The task: loss of hs_objective_draw's batch k, hs_unet_save, and samples.png: DDIM (eta 0, evenly over
 * all timesteps, no clipping) of the averaged weights from x_T of stream (seed, HS_RNG_X_T, image). */
hs_task hs_ddpm_task(hs_ddpm *d);
/* x (n, c, R, R) <- samples as in samples.png, from images first ... first + n - 1 of the stream. */
HS_CHECKED int hs_ddpm_sample(const hs_ddpm *d, const float *weights, size_t first, size_t n, float *x);

#endif
