/* hspace homogeneity --model: one fixed delta, or per-sample deltas and what each does to other images. */
#ifndef HS_CLI_HOMOGENEITY_MODEL_H
#define HS_CLI_HOMOGENEITY_MODEL_H

#include "analysis/cli/common.h"
#include "analysis/properties/homogeneity.h"

extern const hs_opt hs_opts_homogeneity_model[]; /* --direction --strengths --transfers */

/* Runs the model at the largest strength of --strengths (with the read-out feat: the largest at which images are
 * natural), random directions there, and of a delta network --transfers other images' deltas an image.  The first
 * read-out decides, the others are exploratory; a vector read-out counts along the mean change of the other images. */
HS_CHECKED int hs_homogeneity_model(hs_cmd *c, const hs_homogeneity_options *o);

#endif
