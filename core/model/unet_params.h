/* A network that can be trained: its parameters in one writable block, by name, and back into a folder. */
#ifndef HS_MODEL_UNET_PARAMS_H
#define HS_MODEL_UNET_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/model/unet.h"

/* *out <- a network whose parameters may be changed: random ones (as hs_unet_random of the same seed), or
 * those of ts where it isn't NULL. */
HS_CHECKED int hs_unet_trainable(const hs_unet_config *cfg, unsigned long long seed, const hs_tensors *ts,
                                 hs_unet **out);
/* The block, *count floats; NULL when the network isn't trainable.  After a change: hs_unet_refresh, then
 * hs_unet_grad_refresh of what was made from it. */
float *hs_unet_theta(hs_unet *u, size_t *count);
void hs_unet_refresh(hs_unet *u);

/* One parameter of a trainable network, as its file names it; offset into the block. */
typedef struct {
    const char *name;
    size_t rank, dim[4], count, offset;
} hs_unet_param;
size_t hs_unet_param_count(const hs_unet *u);
hs_unet_param hs_unet_param_at(const hs_unet *u, size_t i);

/* FOLDER <- weights (the block's count) as diffusers lays a UNet2DModel out: config.json,
 * scheduler_config.json, diffusion_pytorch_model.safetensors in half or single precision, each replaced
 * atomically, the weights last.  meta: n_meta pairs for the weights' metadata.  HS_EFORMAT: a
 * configuration that diffusers can't say (its field is named); HS_EIO. */
HS_CHECKED int hs_unet_save(const hs_unet *u, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                            const char *folder);

#endif
