/* What an edit is asked for, of images: a number that shall fall, and its gradient in their pixels.
 *
 *   attribute  mean over images of (phi(edited) - phi(source) - by)^2, phi an output of an attribute network in
 * standard deviations of the factor (of a binary one its logit) CLIP       the directional loss, mean of 1 -
 * cos(E(edited) - E(source), t), or -log((2 - that) / 2) */
#ifndef HS_TRAIN_GOAL_H
#define HS_TRAIN_GOAL_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/model/attrnet.h"
#include "core/model/clip_loss.h"
#include "core/tensor/view.h"

typedef struct {
    /* From now on edited images are held against these (n, d). */
    HS_CHECKED int (*source)(void *ctx, size_t n, const float *images);
    /* *value <- the goal of as many edited images; grad (n, d) <- weight times its gradient in them. */
    HS_CHECKED int (*judge)(void *ctx, size_t n, const float *edited, double weight, double *value, float *grad);
    void (*free)(void *ctx);
    void *ctx;   /* owned */
    char *about; /* lines for a fingerprint; owned */
} hs_goal;
void hs_goal_free(hs_goal *g);

/* For up to `batch` images of this shape.  phi is borrowed.  HS_ESHAPE: phi sees images of another size; HS_ERANGE:
 * no such factor, batch outside 1 to 65536. */
HS_CHECKED int hs_goal_attribute(const hs_attrnet *phi, hs_chw image, size_t factor, double by, size_t batch,
                                 hs_conv_mode conv, hs_goal *out);

typedef struct {
    const char *source, *target; /* "a face", "a smiling face" */
    hs_clip_form form;
    int logarithm;
    size_t n_templates; /* UNIT only; 0: the texts alone */
    const char *const *templates;
} hs_goal_texts;

/* The same along a direction t (P) of any origin; about: lines for the fingerprint.  HS_ESHAPE, HS_EDEGENERATE. */
HS_CHECKED int hs_goal_clip_along(const hs_clip *c, hs_chw image, const float *t, hs_clip_form form, int logarithm,
                                  size_t batch, const char *about, hs_goal *out);
/* c is borrowed.  HS_ESHAPE: not square images of 3 channels; HS_ERANGE: a text longer than the context, a template
 * without {}, templates with PLAIN, batch; HS_EDEGENERATE: the texts say the same. */
HS_CHECKED int hs_goal_clip(const hs_clip *c, hs_chw image, const hs_goal_texts *texts, size_t batch, hs_goal *out);

#endif
