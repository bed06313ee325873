/* What the commands that run a model have to do: planned, and done.  Beside the runs of each command, which these
 * follow in their order; tests hold the two together. */
#ifndef HS_CLI_WORK_H
#define HS_CLI_WORK_H

#include "analysis/cli/command.h"
#include "analysis/cli/common.h"
#include "analysis/cli/controls.h"
#include "analysis/sweep/cost.h"

/* One direction, or for sweep and linearity several, as commands see them. */
typedef struct {
    hs_cost_of edit; /* of the sampler and the direction's space */
    size_t terms;    /* directions, of which */
    size_t nets;     /* so many are delta networks: each asked once along the plain trajectories */
    int net;         /* the first is one */
    int constant;    /* one delta for all steps */
    size_t n;        /* images */
    int inverted;    /* they are given, and x_T is found first */
    int unet, x_T;   /* controls: the untrained U-Net, x_T */
    size_t twins;    /* those of shuffled labels or untrained networks */
    int covariance;  /* directions are drawn from the covariance of h, where the images are enough */
} hs_work_of;
hs_work_of hs_work_of_job(const hs_source *source, const hs_edit_plan *plan);
/* The controls that will run. */
void hs_work_controls(hs_work_of *w, const hs_controls *cs);

/* x_T of the images. */
hs_cost hs_work_source(const hs_work_of *w);
/* sweep: m strengths with 0 among them, K random directions, a rival of eps or none, the controls. */
hs_cost hs_work_sweep(const hs_work_of *w, size_t m, const double *strength, size_t K, int rival);
/* linearity: the same, each of several directions and of K random sets alone, and where tangent is set the model's own
 * derivative. */
hs_cost hs_work_linearity(const hs_work_of *w, size_t m, const double *strength, size_t K, int rival, int tangent);
/* homogeneity: `tried` strengths whose naturalness is judged, K random directions, R deltas of other images tried on
 * each, a rival of eps or none, the controls. */
hs_cost hs_work_homogeneity(const hs_work_of *w, size_t tried, size_t K, size_t R, int rival);
/* consistency: at most P steps tried at one another, K random directions, a rival of eps or none, the controls. */
hs_cost hs_work_consistency(const hs_work_of *w, size_t P, size_t K, int rival);
/* compare: one model's share: its h, each of D directions over all strengths, and, for each of so many partners, every
 * direction carried from it and so many random ones at the largest strength on the held-out images. */
hs_cost hs_work_compare(const hs_work_of *w, size_t D, size_t m, const double *strength, size_t partners, size_t held,
                        size_t random);

/* Where step q of P chosen ones lies among S: evenly, the first and the last among them. */
size_t hs_work_place(size_t q, size_t P, size_t S);

/* results.encodes and results.decodes: of a dry run, with what it takes; of a run, as the network counted them. */
HS_CHECKED int hs_work_planned(hs_cmd *c, const hs_model *m, size_t n, hs_cost cost, double bytes);
/* The same of several models, each with its own cost. */
HS_CHECKED int hs_work_planned_all(hs_cmd *c, size_t count, const hs_model *const *m, size_t n, const hs_cost *cost,
                                   double bytes);
void hs_work_done(hs_cmd *c, const hs_model *m, hs_unet_work beside); /* beside: in other networks */

#endif
