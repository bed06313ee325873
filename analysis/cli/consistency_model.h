/* hspace consistency --model: what the delta of one step does at another. */
#ifndef HS_CLI_CONSISTENCY_MODEL_H
#define HS_CLI_CONSISTENCY_MODEL_H

#include "analysis/cli/common.h"
#include "analysis/cli/consistency_store.h"
#include "analysis/properties/consistency.h"

extern const hs_opt hs_opts_consistency_model[]; /* --direction --strength --at --nulls */

/* Runs the model: the direction at all its steps, each of --at evenly spaced edited steps with the delta of each of
 * them alone, the steps in another order, the mean and the global delta, and random directions with its norms.  The
 * first read-out decides, the others are exploratory; a vector read-out counts along each image's change under the
 * whole direction.  The spaces of store are
 * added to the first.  HS_ERANGE: a read-out of a step inside the trajectory. */
HS_CHECKED int hs_consistency_model(hs_cmd *c, const hs_consistency_options *o, const hs_consistency_store *store);

#endif
