/* Two sides of hspace compare, and everything that is found of them. */
#ifndef HS_CLI_COMPARE_PAIR_H
#define HS_CLI_COMPARE_PAIR_H

#include "analysis/cli/compare_dirs.h"
#include "analysis/cli/compare_effects.h"
#include "analysis/cli/compare_in.h"
#include "analysis/compare/compare.h"

typedef struct {
    hs_comparison x;
    hs_measurement m;
    hs_compared_dirs dirs;
    hs_carrier *carrier;         /* NULL without directions */
    hs_direction_answer *answer; /* (dirs.D) */
    hs_compared_effects effects; /* of two models */
} hs_compared_pair;

/* On every rank: opens the directions of both, where there are any, and runs the comparison; effects: keeps what
 * hs_compared_pair_judge needs to run them.  Free also after an error. */
HS_CHECKED int hs_compared_pair_run(hs_compared *a, hs_compared *b, const hs_compare_options *o, int effects,
                                    hs_compared_pair *p);
/* After it, on the leading rank: measurement, the directions' answers and, unless cells is NULL, their effects, which
 * may lower those.  pooled: as hs_compare_judge. */
HS_CHECKED int hs_compared_pair_judge(hs_cmd *c, hs_compared *a, hs_compared *b, const hs_compare_options *o,
                                      const double pooled[2], hs_run_cells *cells, hs_compared_pair *p);
void hs_compared_pair_free(hs_compared_pair *p);

#endif
