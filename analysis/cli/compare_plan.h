/* What hspace compare has to do: planned, and done. */
#ifndef HS_CLI_COMPARE_PLAN_H
#define HS_CLI_COMPARE_PLAN_H

#include "analysis/cli/compare_in.h"

/* Of a dry run: says images, timesteps, the size of h in stores and arrays and, of models, what they evaluate; results
 * "n", "timesteps", "store_bytes" (of h at the timesteps in common), "encodes", "decodes".  After hs_compared_match. */
HS_CHECKED int hs_compared_plan(hs_cmd *c, size_t count, const hs_compared *list);
/* results.encodes and .decodes of a run, where there are models. */
void hs_compared_done(hs_cmd *c, size_t count, const hs_compared *list);

#endif
