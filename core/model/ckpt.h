/* From a configuration to named parameters: where each one stands in the network, what its file calls
 * it, and where its values come from.  Internal to core/model. */
#ifndef HS_MODEL_CKPT_H
#define HS_MODEL_CKPT_H

#include <stddef.h>

#include "core/base/alloc.h"
#include "core/base/error.h"
#include "core/io/tensors.h"
#include "core/model/unet_config.h"

/* The places of a network.  l is the level (from image_size down), j the block within it. */
typedef enum {
    HS_SITE_CONV_IN,
    HS_SITE_TEMB_0,
    HS_SITE_TEMB_1,
    HS_SITE_CLASS, /* one row a class */
    HS_SITE_DOWN_BLOCK,
    HS_SITE_DOWN_ATTN,
    HS_SITE_DOWN_SAMPLE,     /* strided convolution */
    HS_SITE_DOWN_SAMPLE_RES, /* residual block */
    HS_SITE_MID_BLOCK_0,
    HS_SITE_MID_ATTN,
    HS_SITE_MID_BLOCK_1,
    HS_SITE_UP_BLOCK,
    HS_SITE_UP_ATTN,
    HS_SITE_UP_SAMPLE,
    HS_SITE_UP_SAMPLE_RES,
    HS_SITE_NORM_OUT,
    HS_SITE_CONV_OUT,
    HS_SITE_COUNT
} hs_site;

typedef enum {
    HS_PART_SELF, /* the site itself is the layer */
    HS_PART_NORM1,
    HS_PART_CONV1,
    HS_PART_TEMB,
    HS_PART_NORM2,
    HS_PART_CONV2,
    HS_PART_SHORTCUT,
    HS_PART_ATTN_NORM,
    HS_PART_Q,
    HS_PART_K,
    HS_PART_V,
    HS_PART_QKV, /* all three in one matrix */
    HS_PART_PROJ,
    HS_PART_COUNT
} hs_part;

/* A naming scheme.  In site patterns {l} is the level, {u} the level counted from the bottom, {j} the
 * block, {e} and {d} the blocks counted through the encoder (from 1) and the decoder, {a} what stands
 * before an up-sampler in its decoder block; NULL: the scheme has no such place.  anchor is the input
 * convolution's weight.  Parts are appended after a dot; older is another name
 * of the part that files of an earlier version use. */
typedef struct {
    const char *anchor;
    const char *site[HS_SITE_COUNT];
    const char *part[HS_PART_COUNT];
    const char *older[HS_PART_COUNT];
    const char *const *ignorable; /* names that may be there beside the network; ends with NULL */
} hs_name_table;

extern const hs_name_table hs_name_table_diffusers, hs_name_table_ddpm, hs_name_table_adm;

enum { HS_NAME_MAX = 160 };

/* Kinds of values, which random weights need to know. */
typedef enum { HS_KERNEL, HS_GAIN, HS_BIAS } hs_param_kind;

/* Where parameters come from. */
typedef struct hs_params hs_params;

/* The tensors of a file under the naming scheme.  The network's prefix in the file is found by its
 * input convolution: "", "module.", "model.", ...; of several, the one of averaged weights: a prefix
 * that says "ema", or the fifth entry of the list [network, optimizer, epoch, step, averaged] that the
 * DDPM code saves.  HS_EFORMAT: no network, or several and none is the average. */
HS_CHECKED int hs_params_from_file(const hs_tensors *ts, const hs_unet_config *cfg, hs_params **out);
/* Random values: kernels uniform in +-1/sqrt(fan_in), gains 1, biases uniform in +-0.1/sqrt(fan_in). */
HS_CHECKED int hs_params_random(unsigned long long seed, const hs_unet_config *cfg, hs_params **out);
void hs_params_free(hs_params *p);

/* From here on values go into block (room floats, zeroed by the caller) one after the other, each at a
 * multiple of 16, instead of an arena: what a network that is trained wants. */
void hs_params_into(hs_params *p, float *block, size_t room);
/* *out (n floats) <- room beside the values taken, for a copy of some of them in another order. */
HS_CHECKED int hs_params_reserve(hs_params *p, hs_arena *arena, size_t n, float **out);
/* Floats that everything taken and reserved fills in a block. */
size_t hs_params_room(const hs_params *p);
/* The name that a file to be saved gives to a parameter at a site: diffusers' of the families it has
 * names for, else the family's own. */
HS_CHECKED int hs_params_saved_name(const hs_params *p, hs_site site, size_t l, size_t j, hs_part part,
                                    hs_param_kind kind, char name[HS_NAME_MAX]);

/* *out <- the parameter of a part at a site: its "weight" (kernel, gain) or "bias", of shape dim.
 * Kernels of 1x1 convolutions are asked for with rank 2 and may stand with 1s behind in the file.
 * float32 stays where it is when aligned; anything else is converted into the arena.  HS_EFORMAT
 * names a missing or misshapen tensor and both shapes. */
HS_CHECKED int hs_params_take(hs_params *p, hs_arena *arena, hs_site site, size_t l, size_t j, hs_part part,
                              hs_param_kind kind, size_t fan_in, size_t rank, const size_t *dim, const float **out);

/* All taken: HS_EFORMAT names a tensor of the file that the network has no place for. */
HS_CHECKED int hs_params_finish(const hs_params *p);
/* The tensors that values taken still lie in; NULL when all were made or converted. */
const hs_tensors *hs_params_lender(const hs_params *p);
/* Number of values taken. */
size_t hs_params_count(const hs_params *p);

#endif
