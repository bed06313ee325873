/* How well held-out answers tell labels. */
#ifndef HS_DIRECTIONS_PROBE_SCORE_H
#define HS_DIRECTIONS_PROBE_SCORE_H

#include <stddef.h>

#include "core/stats/bootstrap.h"

typedef struct {
    size_t n;
    const int *fold;          /* (n) */
    const double *y, *answer; /* (n) */
    const double *base;       /* (n) the mean label of the folds that answered */
    int binary;               /* y is 0 or 1, answers are logits */
} hs_held_out;

/* out[0] <- R^2 = 1 - sum (y - answer)^2 / sum (y - base)^2, out[1] NaN;
 * binary: the share of pairs (1, 0) of one fold whose 1 has the larger answer (ties count half), and the share of
 * samples whose answer is above 0 just where y is 1.  HS_ERANGE, HS_ENOMEM as hs_bootstrap. */
HS_CHECKED int hs_held_out_score(const hs_held_out *h, const hs_bootstrap_options *o, hs_interval out[2]);
/* The first alone, without an interval. */
HS_CHECKED int hs_held_out_value(const hs_held_out *h, double *out);

#endif
