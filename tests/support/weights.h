/* Weight files of a small network whose names are spelt out here, independently of the loader. */
#ifndef HS_TESTS_WEIGHTS_H
#define HS_TESTS_WEIGHTS_H

#include "core/io/tensors.h"
#include "core/model/unet_config.h"

enum { WEIGHTS_MAX = 512 };

/* A list of tensors to be written; each owns its name and bytes. */
typedef struct {
    size_t n;
    hs_tensor t[WEIGHTS_MAX];
} weights;

/* One level of 8 channels at 4 x 4, one block, attention in the middle; h 8 x 4 x 4. */
void small_config(hs_unet_config *c);
/* All its tensors, float32, values of stream (seed, test, position), each name with the prefix in
 * front; diffusers: its names, else the DDPM ones (attention as 1x1 convolutions). */
void small_weights(weights *w, const char *prefix, int diffusers, unsigned long long seed);
void weights_add(weights *w, const char *name, hs_dtype dtype, size_t rank, const uint64_t *dim, const void *bytes);
hs_tensor *weights_find(weights *w, const char *name);
void weights_remove(weights *w, const char *name);
void weights_rename(weights *w, const char *from, const char *to);
/* Writes (replacing) and frees the list. */
void weights_write(weights *w, const char *path);
void write_text(const char *path, const char *text);

#endif
