/* A run of consistency with a model and what it gave: between its files. */
#ifndef HS_CLI_CONSISTENCY_WORK_H
#define HS_CLI_CONSISTENCY_WORK_H

#include "analysis/cli/consistency_store.h"
#include "analysis/cli/controls.h"
#include "analysis/cli/property_model.h"
#include "analysis/properties/consistency.h"

/* Effects of one read-out, as hs_step_effects wants them. */
typedef struct {
    double *E, *whole, *null, *shuffled, *mean, *global;
} hs_consistency_effects_set;

/* A control's and the rival's run is one, too: what it doesn't own is the direction's. */
typedef struct hs_consistency_work hs_consistency_work;
struct hs_consistency_work {
    hs_cmd *c;
    const hs_consistency_options *options;
    const hs_consistency_store *store;
    hs_property_model m; /* step: what is tried at other steps */
    int constant;
    int variants; /* steps in another order, mean and global are run, and statistics of deltas wanted */
    int eps;      /* step is of eps: d_h numbers of an image */
    size_t P, K;
    double strength;
    size_t *at;   /* (P) positions among the edited steps */
    float *x;     /* (P, n, c R R) x_t of the plain trajectories there */
    double *norm; /* (edited) of the steps' deltas */
    hs_seen plain, whole;
    hs_consistency_effects_set *e;     /* [n_phi]; NULL: not run */
    const hs_consistency_work *random; /* whose random directions are its null; NULL: its own */
    size_t Kt;                         /* twins: of the direction all, of a control its own null */
    double **twins;                    /* [n_phi] (Kt, n) */
    double **draws; /* [n_phi] (HS_CONTROL_DRAWS, n) of directions with the covariance of h; NULL: not run */
    hs_controls controls;
    hs_run_cells cells; /* of all runs, in their order; the plans have them */
    const char *no_rival;
    hs_consistency_work *rival, *control; /* one or NULL; (HS_CONTROLS) */
};

/* out (n), apart by step <- effects of a run on read-out p: along each image's change under the whole direction, or the
 * length of the change. */
void hs_consistency_effects_of(const hs_consistency_work *w, size_t p, const hs_seen *s, int length, size_t step,
                               double *out);
/* x and plain <- the unedited images and their states at the chosen steps, in the network of the run's plan. */
HS_CHECKED int hs_consistency_plain(hs_consistency_work *w);
/* Makes room in e, runs the plan as a whole and every step's delta at every chosen step. */
HS_CHECKED int hs_consistency_cells(hs_consistency_work *w);
/* out[p] (n) <- effects under a plan. */
HS_CHECKED int hs_consistency_see(const hs_consistency_work *w, const hs_edit_plan *plan, int length,
                                  double *const *out);
/* e's null <- K random directions like the direction. */
HS_CHECKED int hs_consistency_nulls(hs_consistency_work *w);
/* e and whole. */
void hs_consistency_run_free(hs_consistency_work *w);

/* Runs --rival at equal first-order effects, or says in no_rival why not. */
HS_CHECKED int hs_consistency_rival(hs_consistency_work *w);
HS_CHECKED int hs_consistency_controls(hs_consistency_work *w);
void hs_consistency_controls_free(hs_consistency_work *w);

#endif
