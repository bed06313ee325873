/* The directions of hspace compare: what sides have in common, and what was found of them. */
#ifndef HS_CLI_COMPARE_DIRS_H
#define HS_CLI_COMPARE_DIRS_H

#include "analysis/cli/compare_in.h"
#include "analysis/compare/directions.h"

/* Of two sides; those of the sides are borrowed. */
typedef struct {
    size_t D;
    hs_side_dirs *side[2];
    hs_direction_pair *pair; /* (D) */
} hs_compared_dirs;

/* Leaves each side the directions that all have, in the first's order: by name, else, where no name is in all, by
 * order. Before hs_compared_match.  HS_ERANGE: none. */
HS_CHECKED int hs_compared_dirs_match(hs_cmd *c, size_t count, hs_compared *list);
/* *out <- the pairs of two of them, which stay where they are; D = 0: none. */
HS_CHECKED int hs_compared_dirs_of(hs_compared *a, hs_compared *b, hs_compared_dirs *out);
void hs_compared_dirs_free(hs_compared_dirs *d);

/* "shared", "not shared", "inconclusive" */
const char *hs_compared_verdict(hs_verdict v);
/* results.directions[]: a, b, delta_network (either is one), aligned_cosine, aligned_cosine_back, ceiling,
 * ceiling_back, over_ceiling, null, null_back, raw_cosine, raw_cosine_control, effect_ratio (null), verdict, reason. */
json_t *hs_compared_dirs_json(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n);
/* Each as a line of text. */
void hs_compared_dirs_say(hs_cmd *c, const hs_compared_dirs *d, const hs_direction_answer *answer);
/* /direction (texts), direction_over, _low, _high, direction_cosine, _back, direction_null, _back, direction_raw. */
HS_CHECKED int hs_compared_dirs_put(hs_result *r, const hs_compared_dirs *d, const hs_direction_answer *answer);
/* m's verdict, reason and numbers that decide <- of the direction that decides for all. */
void hs_compared_dirs_decide(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n, hs_measurement *m);

#endif
