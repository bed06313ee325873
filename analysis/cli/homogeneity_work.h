/* A run of homogeneity with a model and what it gave: between its files. */
#ifndef HS_CLI_HOMOGENEITY_WORK_H
#define HS_CLI_HOMOGENEITY_WORK_H

#include "analysis/cli/controls.h"
#include "analysis/cli/property_model.h"
#include "analysis/properties/homogeneity.h"

/* A control's run is one, too: m, plain and what it doesn't own are the direction's. */
typedef struct hs_homogeneity_work hs_homogeneity_work;
struct hs_homogeneity_work {
    hs_cmd *c;
    const hs_homogeneity_options *options;
    hs_property_model m;
    double strength; /* the one judged */
    int natural;     /* naturalness was judged and allows it */
    int deltas;      /* their statistics belong to the answer */
    size_t K, R;
    int has_removed;
    hs_deltas removed; /* the network's deltas without the mean of those it gave before its training */
    hs_seen plain, edited;
    double **null;        /* [n_phi] (K, n) effects of random directions */
    double **other;       /* [n_phi] (n, R) effects of other images' deltas */
    double **rival;       /* [n_phi] (n) effects of --rival; NULL: none */
    size_t *from;         /* (n, R) */
    const char *no_rival; /* why there is none */
    size_t Kt;            /* twins: of the direction all, of a control its own null */
    double **twins;       /* [n_phi] (Kt, n) */
    double **draws;       /* [n_phi] (HS_CONTROL_DRAWS, n) of directions with the covariance of h; NULL: not run */
    hs_controls controls;
    hs_run_cells cells;           /* of all runs, in their order; the plans have them */
    hs_homogeneity_work *control; /* (HS_CONTROLS); edited.value NULL: not run */
};

/* e (n) <- effects of v, along the mean change of axis_of (v itself, or the images' own edits); base (n, or NULL): what
 * the unedited images read on that axis. */
HS_CHECKED int hs_homogeneity_effects_of(const hs_homogeneity_work *w, size_t p, const float *axis_of, const float *v,
                                         double *e, double *base);
/* Fills null with K random directions in the network of the run's plan; other and from. */
HS_CHECKED int hs_homogeneity_nulls(hs_homogeneity_work *w);
HS_CHECKED int hs_homogeneity_transfers(hs_homogeneity_work *w);
/* What a run owns beside m and plain. */
void hs_homogeneity_run_free(hs_homogeneity_work *w);

/* Runs --rival at equal first-order effect, or says in no_rival why not. */
HS_CHECKED int hs_homogeneity_rival(hs_homogeneity_work *w);
/* Runs the controls. */
HS_CHECKED int hs_homogeneity_controls(hs_homogeneity_work *w);
void hs_homogeneity_controls_free(hs_homogeneity_work *w);
/* Effects (Kt, n) of the twins that are a null of w; none of the direction where no null was wanted. */
const double *hs_homogeneity_twins(const hs_homogeneity_work *w, size_t p, size_t *Kt);

#endif
