/* hspace consistency --store: h itself at the timesteps of a store. */
#ifndef HS_CLI_CONSISTENCY_STORE_H
#define HS_CLI_CONSISTENCY_STORE_H

#include "analysis/cli/command.h"
#include "analysis/properties/step_spaces.h"
#include "core/io/result.h"

#define HS_OPTS_CONSISTENCY_STORE                                                                                    \
    {"store", 0,    HS_OPT_STR, NULL,    0,                                                                          \
     0,       NULL, "ACTS.h5",  "Input", "activations: also how alike the spaces of h are at 8 of its timesteps"},   \
    {                                                                                                                \
        "rank", 0, HS_OPT_INT, "5", 1, 1000, NULL, "R", "Statistics", "of --store: leading components of h compared" \
    }

typedef struct {
    hs_step_spaces spaces; /* P = 0: no --store, or a dry run */
    int64_t t[HS_STEP_SPACES_MOST];
} hs_consistency_store;

/* Measures --store, at HS_STEP_SPACES_MOST evenly spaced ones of its timesteps; a dry run only opens it. */
HS_CHECKED int hs_consistency_store_of(hs_cmd *c, hs_consistency_store *out);
void hs_consistency_store_free(hs_consistency_store *s);

/* Says the pair of first and last step, and lists the timesteps in results.store_timesteps.  Nothing for P = 0. */
void hs_consistency_store_say(hs_cmd *c, const hs_consistency_store *s);
/* /store_timestep, /grassmann, /principal_angle, /principal_angle_mean, /grassmann_null, _low, _high, /cka_debiased,
 * _low, _high (store_step, store_step_l), /grassmann_split (store_step); attribute subspace_rank.  Nothing for P = 0.
 */
HS_CHECKED int hs_consistency_store_put(hs_result *r, const hs_consistency_store *s);

#endif
