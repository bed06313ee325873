/* A model as a user names it: a folder, a weight file with an architecture, or "random:ARCH". */
#ifndef HS_MODEL_MODEL_H
#define HS_MODEL_MODEL_H

#include "core/base/error.h"
#include "core/base/sha256.h"
#include "core/model/unet.h"

typedef struct {
    char *name;                 /* what the user wrote, last path component */
    char *path;                 /* the weight file opened (first shard) */
    char format[24];            /* "safetensors", "pytorch", "random" */
    char sha256[HS_SHA256_HEX]; /* of the weight file's bytes (all shards by name); random: of the words */
    hs_unet *unet;
    hs_schedule schedule;
    hs_tensors *weights; /* float32 weights are used where they lie, in the mapped file */
    int untrained;       /* random weights: every picture says so */
} hs_model;

/* Opens --model M (with --arch A or NULL, --schedule S or NULL: linear, scaled_linear, cosine over the
 * model's T, or FILE.npy with T betas):
 *   a diffusers folder, flat or nested; a weight file .safetensors .pth .pt .bin .ckpt with --arch
 *   NAME|FILE; "random:NAME|FILE.json[:SEED]", an untrained network.
 * A conditional (Stable Diffusion) folder is refused: "conditional U-Net: export its activations
 * with scripts/hspace_export.py".  HS_EFORMAT, HS_ERANGE (unknown arch, arch missing), HS_EIO. */
HS_CHECKED int hs_model_open(const char *model, const char *arch, const char *schedule, hs_model *out);
/* *out <- the untrained twin of a model: its architecture, schedule, prediction and the classes of the first n images,
 * random weights of the seed (hs_unet_random). */
HS_CHECKED int hs_model_untrained(const hs_model *of, uint64_t seed, size_t n, hs_model *out);
void hs_model_free(hs_model *m);

/* *out <- the configuration alone of --arch A (a built-in name or a file), with --schedule S (or NULL) as
 * above; free with hs_unet_config_free.  Errors as hs_model_open. */
HS_CHECKED int hs_model_config(const char *arch, const char *schedule, hs_unet_config *out);

#endif
