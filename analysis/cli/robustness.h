/* robustness from a model: its options, its run and what its result file holds besides. */
#ifndef HS_CLI_ROBUSTNESS_H
#define HS_CLI_ROBUSTNESS_H

#include "analysis/cli/common.h"
#include "analysis/properties/robustness_run.h"
#include "analysis/sweep/cost.h"

extern const hs_opt hs_opts_robust[]; /* --arms --levels --matching --damage --attr */

/* What the command works on: a table, or a model's run. */
typedef struct {
    hs_damage table; /* of --curves; else the run's */
    int has_run, untrained;
    hs_robust_run run;
    hs_cells *cells; /* of a run with -o */
    hs_damage_kind kind;
    char matching[16], model_sha256[HS_SHA256_HEX];
} hs_robust_case;
/* rc: how the command ended. */
void hs_robust_case_free(hs_robust_case *k, int rc);
/* The damage that decides. */
const hs_damage *hs_robust_decides(const hs_robust_case *k);

/* What a run of n images takes over the steps, at the levels and the matching that stand when none are given.  arms: as
 * --arms has them; prior: samples of the model, not given images. */
HS_CHECKED int hs_robust_work(const char *arms, const hs_steps *steps, size_t n, int prior, hs_cost *out);

/* Runs --model; under --dry-run says what it would take and leaves *k without a run. */
HS_CHECKED int hs_robust_of_model(hs_cmd *c, hs_robust_case *k);

#endif
