/* The directions of hspace compare: pairs from two files, and what was found of them. */
#ifndef HS_CLI_COMPARE_DIRS_H
#define HS_CLI_COMPARE_DIRS_H

#include "analysis/cli/compare_in.h"
#include "analysis/compare/directions.h"

typedef struct {
    size_t D;
    hs_direction *a, *b;     /* (D) as stored */
    float **at_a, **at_b;    /* [D] (S, d) at the steps compared */
    hs_direction_pair *pair; /* (D) */
} hs_compared_dirs;

/* Opens the pairs of --directions-a and --directions-b, FILE.h5 (all of them) or FILE.h5:NAME: by name, else, where no
 * name is in both, by order.  HS_ERANGE: a file without partner, no pair, delta networks (freeze them first);
 * HS_ESHAPE: of another shape than the side. */
HS_CHECKED int hs_compared_dirs_open(hs_cmd *c, const hs_compared *a, const hs_compared *b, hs_compared_dirs *out);
void hs_compared_dirs_free(hs_compared_dirs *d);

/* results.directions[]: a, b, aligned_cosine, aligned_cosine_back, ceiling, ceiling_back, over_ceiling, null,
 * null_back, raw_cosine, raw_cosine_control, effect_ratio (null), verdict, reason. */
json_t *hs_compared_dirs_json(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n);
/* Each as a line of text. */
void hs_compared_dirs_say(hs_cmd *c, const hs_compared_dirs *d, const hs_direction_answer *answer);
/* /direction (texts), direction_over, _low, _high, direction_cosine, _back, direction_null, _back, direction_raw. */
HS_CHECKED int hs_compared_dirs_put(hs_result *r, const hs_compared_dirs *d, const hs_direction_answer *answer);
/* m's verdict, reason and numbers that decide <- of the direction that decides for all. */
void hs_compared_dirs_decide(const hs_compared_dirs *d, const hs_direction_answer *answer, size_t n, hs_measurement *m);

#endif
