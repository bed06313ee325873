/* More than two sides: every pair, a matrix in the order of their likeness. */
#ifndef HS_CLI_COMPARE_MANY_H
#define HS_CLI_COMPARE_MANY_H

#include "analysis/cli/compare_in.h"
#include "analysis/compare/compare.h"

/* results: models[], order[], matrix (over_ceiling, the lower way round, models as given), pairs[] {"a", "b",
 * over_ceiling, "verdict", "reason"}, verdict over all pairs.  -o: a file of kind similarity, rows in that order. */
HS_CHECKED int hs_compare_many(hs_cmd *c, size_t count, const hs_compared *list, const hs_compare_options *o);

#endif
