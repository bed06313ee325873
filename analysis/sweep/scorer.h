/* An attribute network at work: images of any size -> its factors and features.  What attr:NAME, feat and
 * `hspace score` read. */
#ifndef HS_SWEEP_SCORER_H
#define HS_SWEEP_SCORER_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/io/image.h"
#include "core/model/attrnet.h"
#include "core/tensor/view.h"

typedef struct hs_scorer hs_scorer;

/* *out <- the network of the folder, with room for batches.  Errors as hs_attrnet_open. */
HS_CHECKED int hs_scorer_open(const char *folder, hs_conv_mode conv, hs_scorer **out);
/* One more owner; hs_scorer_free gives one up. */
hs_scorer *hs_scorer_share(hs_scorer *s);
void hs_scorer_free(hs_scorer *s);
const hs_attrnet_config *hs_scorer_config(const hs_scorer *s);
/* Index of a factor; HS_ERANGE with the list of them. */
HS_CHECKED int hs_scorer_find(const hs_scorer *s, const char *name, size_t *k);

/* value (n, K) <- the factors in their own units, feature (n, F) (NULL: not wanted) of the n images x (n, c, h, w),
 * values in [-1, 1]; grey is spread over the channels.  Images of the network's size go in as they are, values beyond
 * [-1, 1] too; of others the central square of the 8-bit image, resized bicubically.  HS_ESHAPE: neither 1 nor 3
 * channels; HS_ENOMEM. */
HS_CHECKED int hs_scorer_eval(hs_scorer *s, hs_chw shape, size_t n, const float *x, double *value, float *feature);
/* x (3, R, R) <- one image as hs_scorer_eval would see it. */
HS_CHECKED int hs_scorer_fit(const hs_scorer *s, const hs_image *im, float *x);

#endif
