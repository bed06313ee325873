/* What a plan of verify takes: counted from what each command runs, timed by a few evaluations of the model at hand;
 * and the largest plan that fits a budget.
 *
 *   seconds = encodes a + decodes b + images c + workspaces d + commands e,  a ... e measured
 *
 * Statistics are left out: all of them together take less than a command's start.  With --t-edit auto every step counts
 * as edited, and what finds it isn't counted. */
#ifndef HS_CLI_VERIFY_COST_H
#define HS_CLI_VERIFY_COST_H

#include "analysis/cli/common.h"
#include "analysis/cli/verify_plan.h"
#include "analysis/sweep/scorer.h"

/* Seconds each, and how they were found. */
typedef struct {
    double encode, decode, image, setup, command;
    size_t batch, passes;
    double took;
} hs_verify_rates;

/* The model, opened for counting and timing. */
typedef struct {
    hs_model model;
    hs_verify_rates rate;
    hs_scorer *scorer;
    size_t n; /* images that are given; 0: the model's samples */
} hs_verify_cost;

/* Opens the model of the options and times it, about two seconds. */
HS_CHECKED int hs_verify_cost_open(hs_cmd *c, hs_verify_cost *out);
void hs_verify_cost_free(hs_verify_cost *v);

/* Fills cost, seconds and bytes of every step of the plan made for these options; *seconds, *bytes <- of all, with the
 * report. */
HS_CHECKED int hs_verify_count(hs_cmd *c, const hs_verify_cost *v, const hs_verify_options *o, hs_verify_plan *plan,
                               double *seconds, double *bytes);

/* Changes n, steps, strengths and at of *o, but those that the user gave, to the most that fits into a budget
 * ("90s", "10m", "1.5h"): first more images, up to what a number of steps is worth, then more steps.  strength (m of
 * it, the finest grid) is borrowed; every other of it makes the coarse one, into coarse (m).
 * HS_ERANGE: no such budget; too small, with the least that is possible. */
typedef int (*hs_verify_make)(void *ctx, const hs_verify_options *o, hs_verify_plan *out);
HS_CHECKED int hs_verify_fit(hs_cmd *c, const hs_verify_cost *v, const char *budget, hs_verify_make make, void *ctx,
                             double *coarse, hs_verify_options *o);

/* "1 h 20 min", "3 min 5 s", "12 s". */
void hs_verify_time(double seconds, char out[32]);

#endif
