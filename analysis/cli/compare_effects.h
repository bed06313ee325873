/* What directions do in the two models of hspace compare: profiles of read-outs, and effects of carried directions. */
#ifndef HS_CLI_COMPARE_EFFECTS_H
#define HS_CLI_COMPARE_EFFECTS_H

#include "analysis/cli/compare_dirs.h"
#include "analysis/compare/effects.h"
#include "analysis/sweep/edit.h"

enum { HS_CARRIED_NULLS = 8 };

/* Of one pair of directions; index 0: a's in b (or side a), 1: b's in a (or side b). */
typedef struct {
    hs_interval profile;    /* correlation of the two profiles */
    double profile_other;   /* mean |correlation| of a's with profiles of b's other directions; NaN with one */
    size_t own;             /* the factor that is its own */
    double effect[2];       /* its own effect on that factor in each model at the largest strength, sd */
    hs_interval carried[2]; /* the effect of the carried one on held-out images, sd */
    double carried_null[2]; /* what the size of carried random directions' effects stays below (prediction limit), sd */
    hs_interval ratio[2];   /* carried over the other model's own, held-out images */
    double ratio_null[2];   /* carried_null over the same */
} hs_compared_effect;

typedef struct {
    size_t D, F, m, n, held; /* directions, factors, strengths, images, held-out images */
    size_t zero, far;        /* positions of 0 and of the largest strength */
    const double *strength;  /* (m) borrowed from the options */
    char (*factor)[32];
    double *sd;                 /* (F) of unedited images, both models together */
    const double *value[2];     /* (D, F, n, m) read-outs in each model, borrowed from its side */
    hs_compared_effect *effect; /* (D) */
} hs_compared_effects;

/* HS_ERANGE: --strengths without 0 or a positive one, before anything is run. */
HS_CHECKED int hs_compared_strengths_check(hs_cmd *c);
/* Of all runs of these models; the caller closes them, also after an error, when the answer is written
 * (hs_resume_close). */
HS_CHECKED int hs_compared_cells_open(hs_cmd *c, size_t count, const hs_compared *list, hs_run_cells *cells);
/* Runs two models along their directions and carried ones; what a model does along its own is run once.  After the
 * comparison; the carrier kept its maps with HS_CARRIED_NULLS random ones; both have a scorer.  A delta network acts
 * as it is in its own model; carried, its mean over the images is.  HS_ERANGE: --strengths without 0 or a positive
 * one. */
HS_CHECKED int hs_compared_effects_run(hs_cmd *c, hs_compared *a, hs_compared *b, const hs_compared_dirs *dirs,
                                       const hs_carrier *carrier, hs_run_cells *cells, hs_compared_effects *out);
void hs_compared_effects_free(hs_compared_effects *e);

/* Lowers verdicts by the effects: a direction that is aligned but whose carried effect does not beat random ones, in a
 * model whose own does, is inconclusive. */
void hs_compared_effects_decide(const hs_compared_effects *e, hs_direction_answer *answer);
/* Adds effect_ratio, profile_correlation ... to the objects of results.directions, and results.crosstalk, .profiles. */
void hs_compared_effects_json(const hs_compared_effects *e, const hs_compared_dirs *dirs, json_t *results);
void hs_compared_effects_say(hs_cmd *c, const hs_compared_effects *e, const hs_compared_dirs *dirs);
/* profile_correlation[NAME] and effect_ratio[NAME] (and _back) as statistics of the measurement. */
HS_CHECKED int hs_compared_effects_put(const hs_compared_effects *e, const hs_compared_dirs *dirs, hs_measurement *m);
/* /factor (texts), /strength, profile_a and profile_b (direction, factor, strength), crosstalk_a, _b (direction,
 * factor), /own_factor (texts), effect_a, _b, effect_carried, _low, _high, _null, effect_carried_back ... (direction).
 */
HS_CHECKED int hs_compared_effects_file(hs_result *r, const hs_compared_effects *e);

#endif
