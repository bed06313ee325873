/* What homogeneity and consistency share when they run a model: the direction or per-sample deltas, the read-outs, what
 * an edit did to each image. */
#ifndef HS_CLI_PROPERTY_MODEL_H
#define HS_CLI_PROPERTY_MODEL_H

#include "analysis/cli/controls.h"
#include "analysis/cli/edit_common.h"
#include "analysis/properties/deltas.h"
#include "analysis/sweep/sweep.h"

typedef struct {
    hs_edit_job job; /* its plan edits with the direction, or with the per-sample deltas */
    size_t n, n_phi, d_h;
    hs_readout *phi;
    size_t edited; /* sampler steps with t >= t_edit, the first ones */
    int *t;        /* (edited) */
    float
        *delta; /* (n, edited, d_h) the deltas of a network on the unedited trajectories; NULL: one direction for all */
    hs_deltas reduced; /* of them */
    hs_direction step; /* per edited step the direction, or the mean of delta */
    hs_direction like; /* the same directions at the root mean square norm of delta: what random ones copy */
} hs_property_model;

/* Opens the job of the options; a delta network is asked for its deltas.  HS_ERANGE: a direction of eps, no edited
 * step. */
HS_CHECKED int hs_property_model_open(hs_cmd *c, hs_property_model *out);
void hs_property_model_free(hs_property_model *m);
hs_deltas_source hs_property_deltas_source(hs_property_model *m); /* of m->delta; m must outlive it */

/* *out (free()) <- read-out p of all images under a plan at one strength: (n, features). */
typedef struct {
    float **value;       /* [n_phi] (n, features) */
    double *noise_floor; /* [n_phi] of strength 0; else 0 */
} hs_seen;
HS_CHECKED int hs_property_see(const hs_property_model *m, const hs_edit_plan *plan, const float *x_T, double strength,
                               hs_seen *out);
void hs_property_seen_free(const hs_property_model *m, hs_seen *s);

/* [n_phi] tables of n numbers, 0. */
HS_CHECKED int hs_property_tables(size_t n_phi, size_t n, double ***out);
void hs_property_tables_free(size_t n_phi, double **table); /* NULL is legal */

/* A direction of one delta for each edited step, or of one for all (S = 0): a copy of dh.  *out is owned. */
HS_CHECKED int hs_property_direction(const hs_property_model *m, const char *name, size_t S, const float *dh,
                                     hs_direction *out);
/* The plan of twin i of a control; of a network *delta (free()) holds what it says on each image, which the plan gives
 * to them; else NULL. */
HS_CHECKED int hs_property_twin(const hs_property_model *m, const hs_control *of, hs_control_kind kind, size_t i,
                                float **delta, hs_edit_plan *out);
/* The job's plan with one stored direction instead. */
hs_edit_plan hs_property_plan(const hs_property_model *m, const hs_direction *d, const double *one);

#endif
