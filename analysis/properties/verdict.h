/* From numbers to an answer: the same rules for every property.
 *
 * In this order:
 *   no effect      the effect is within the numerical noise floor, or its lower limit does not exceed the null
 *   inconclusive   null missing; range too small; grid too coarse; primary (or an interval) undefined
 *   holds          the primary's interval lies at or above the standard
 *   fails          wholly below
 *   inconclusive   the interval contains the standard */
#ifndef HS_PROPERTIES_VERDICT_H
#define HS_PROPERTIES_VERDICT_H

#include <stddef.h>

#include "analysis/properties/measurement.h"

/* What K random directions of equal norm reach at most: the upper prediction limit of one more,
 * mean + t_{K-1, .975} sd sqrt(1 + 1/K), for K >= 3; three times the larger for K = 1 and 2, where a
 * spread means nothing.  NaN for K = 0.  (K from 3 to 7 gets the same limit as K >= 8: the t quantile
 * already pays for the few, 4.3 at K = 3.)  One random direction is no null: another one beats it in
 * 46 % of runs. */
double hs_null_limit(size_t K, const double *effect);

/* The same of K twins of the direction: not below t_{K, .9875} times their root mean square either, which is the 97.5 %
 * limit of one more where the effect is common to the images, normal over twins and of either sign; the limit above
 * lets 5 % of those through, whatever K. */
double hs_twin_limit(size_t K, const double *effect);

typedef struct {
    double noise_floor;     /* of the effect: the same unedited computation twice; 0 when exact */
    double spread;          /* 1 sd of the read-out over unedited images; the effect must reach it */
    const char *undecided;  /* NULL, or why the design allows no answer ("grid too coarse: ...") */
    const char *needs_null; /* how the reader gives one, for the reason */
} hs_verdict_rules;

/* Fills verdict and reason from primary, standard, effect, has_null and null.  Where the primary's interval decided,
 * returns how it stands to the standard, for a reason in the property's own words: "reaching", "below", "not settled
 * against"; NULL otherwise. */
const char *hs_decide(hs_measurement *m, const hs_verdict_rules *rules);

/* A measurement that holds doesn't, because of `why` ("the network is untrained"): inconclusive, with that reason. */
void hs_withhold(hs_measurement *m, const char *why);

/* Fills specific from has_rival and difference_rival: yes above 0, no below, unclear with 0 inside. */
void hs_decide_specific(hs_measurement *m);

#endif
