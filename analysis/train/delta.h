/* What Asyrp's training moves: the change D of h (or of eps, the rival) at each edited step.
 *
 *   NET     D = f(h, temb): a delta network.  On eps it works on patches as large as what one pixel of h stands for
 *           (core/tensor/layout.h hs_patches), so on the same grid with the same width inside
 *   FREE    D of each image and step alone, no network: Asyrp's Delta h_t, what its figure of homogeneity moves from
 *           image to image
 *   SHARED  D of each step, the same for all images: what the authors' program calls --train_delta_h
 *
 * Images come in groups of `batch` in their order, the last one smaller: group g is images g batch ... */
#ifndef HS_TRAIN_DELTA_H
#define HS_TRAIN_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/model/deltablock.h"
#include "core/model/unet_config.h"

typedef enum { HS_DELTA_NET, HS_DELTA_FREE, HS_DELTA_SHARED } hs_delta_kind;

typedef struct {
    hs_delta_kind kind;
    int eps;            /* of eps, not of h */
    size_t n, S, batch; /* images, edited steps, images at once */
    hs_deltablock *net; /* NET; borrowed, and what is trained */
    int silent;         /* FREE, SHARED begin as 0; else normal of deviation 0.2, as the authors' do */
    uint64_t seed;      /* stream (seed, HS_RNG_WEIGHTS, image, or n when shared) */
} hs_delta_spec;

typedef struct hs_delta_var hs_delta_var;

/* *out <- for networks of cfg.  HS_ESHAPE: a net of other channels or another embedding; HS_ERANGE: n, S or batch 0;
 * HS_ENOMEM. */
HS_CHECKED int hs_delta_create(const hs_unet_config *cfg, const hs_delta_spec *spec, hs_delta_var **out);
void hs_delta_free(hs_delta_var *v);
const hs_delta_spec *hs_delta_spec_of(const hs_delta_var *v);
hs_chw hs_delta_shape(const hs_delta_var *v); /* of D */
float *hs_delta_theta(hs_delta_var *v, size_t *count);

/* out (n_g, D) <- D of the images of a group at edited step s; in (n_g, D) what it is added to, temb (n_g, temb_dim).
 */
HS_CHECKED int hs_delta_forward(hs_delta_var *v, size_t group, size_t s, const float *in, const float *temb,
                                float *out);
/* grad (count) += the gradient of sum <u, D> at the last forward; of FREE the sum weighs n_g-fold, so that a loss that
 * is a mean over images becomes each image's own. */
HS_CHECKED int hs_delta_backward(hs_delta_var *v, const float *u, float *grad);

/* The block of theta that trajectory number `round` (from 0: group round mod groups) moves at step s, or (s = S) at all
 * of them at once; visit: how many updates of the block that makes, when there is one a step or one a trajectory. */
void hs_delta_span(const hs_delta_var *v, uint64_t round, size_t s, size_t *first, size_t *count, uint64_t *visit);

size_t hs_delta_groups(const hs_delta_var *v);
size_t hs_delta_group_size(const hs_delta_var *v, size_t group);
/* out (S, D) <- D of an image, of FREE and SHARED. */
void hs_delta_of_image(const hs_delta_var *v, size_t image, float *out);

#endif
