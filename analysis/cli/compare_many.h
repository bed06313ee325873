/* More than two sides: every pair, a matrix in the order of their likeness. */
#ifndef HS_CLI_COMPARE_MANY_H
#define HS_CLI_COMPARE_MANY_H

#include "analysis/cli/compare_in.h"
#include "analysis/compare/compare.h"

/* results: models[], order[], matrix (h's over_ceiling, the lower way round, models as given), pairs[] {"a", "b",
 * over_ceiling, "verdict", "reason"}, verdict and reason over all pairs.  With directions that verdict is theirs, h has
 * its own (h {"verdict", "reason"}); directions[] {"name", "verdict", "reason" over all pairs, matrix, pairs[]}; and
 * pairs[] have what two sides' results have: directions[], and between models crosstalk and profiles.
 *
 * -o: a file of kind similarity, rows in that order: /similarity (row, column) of h, /direction_similarity (direction,
 * row, column); /subject ("h", then the directions) with _verdict and _reason; of each subject and pair /case_subject,
 * _a, _b, _verdict, _reason, _over, _low, _high. */
HS_CHECKED int hs_compare_many(hs_cmd *c, size_t count, hs_compared *list, const hs_compare_options *o);

#endif
