/* Controls of a measurement with a model: what is edited beside it and judged by the same rule, to see whether the rule
 * could be fooled.
 *
 *   untrained U-Net: the same direction in a network of the same architecture with random weights; its null are the
 *   twins below in that network, else random directions there
 *
 *   shuffled labels: the same recipe on shuffled labels (direction mean-diff and probe store such twins), at the
 *   direction's norms; the other twins are its null, beside the random directions
 *
 *   untrained delta network: f_t as it was before training (the weights of the seed its file names), at f_t's own mean
 *   norms per step; networks of other seeds are its null, beside the random directions
 *
 *   h covariance: random directions with the covariance of h of the run's own images at each step (h_draws.h), at the
 *   direction's norms; a limit alone, as random directions are
 *
 *   x_T: x_T + s v instead of h + s dh, v one random vector for all images, as long as gives the same root mean square
 *   change of x_0 for a small s
 *
 * Random directions are the null of the direction itself; of a control's two nulls the one that is harder to beat
 * counts.  The direction is not said to hold where one of the first three passes, nor where its effect does not exceed
 * the limit of its twins, which lie in the covariance of h as it does, or of draws from that covariance. */
#ifndef HS_CLI_CONTROLS_H
#define HS_CLI_CONTROLS_H

#include "analysis/cli/edit_common.h"
#include "analysis/properties/measurement.h"

typedef enum {
    HS_CONTROL_UNET,
    HS_CONTROL_LABELS,
    HS_CONTROL_NET,
    HS_CONTROL_X_T,
    HS_CONTROL_COVARIANCE,
    HS_CONTROLS
} hs_control_kind;
extern const char *const hs_control_name[HS_CONTROLS]; /* as above */
extern const char
    *const hs_control_key[HS_CONTROLS]; /* untrained_unet, shuffled_labels, untrained_ft, x_T, h_covariance */

enum {
    HS_CONTROL_NULLS = 4,    /* at most so many random directions in another network */
    HS_CONTROL_NETWORKS = 4, /* an untrained f_t and its null */
    HS_CONTROL_DRAWS = 8,    /* from the covariance of h, */
    HS_CONTROL_IMAGES = 3    /* of so many images at least: two span one line */
};

#define HS_OPT_CONTROLS(default_)                                                                                      \
    {                                                                                                                  \
        "controls", 0, HS_OPT_LIST, default_, 0, 0, NULL, "KIND,...", "Statistics",                                    \
            "untrained-unet, shuffled-labels, untrained-ft, x-T, h-covariance, those that the direction allows; all; " \
            "none"                                                                                                     \
    }

typedef struct {
    char missing[160];  /* why it isn't run; "": it is */
    hs_model model;     /* UNET */
    size_t n;           /* LABELS, NET: the control and its null; COVARIANCE: the draws */
    hs_direction *twin; /* (n) */
    double *factor;     /* NET: (n, S) brings each to f_t's mean norms; NULL in a dry run */
} hs_control;

typedef struct {
    int wanted; /* any was asked for */
    hs_control of[HS_CONTROLS];
} hs_controls;

/* wanted[k] <- 1 for each kind that --controls names.  HS_ERANGE: a kind that there isn't. */
HS_CHECKED int hs_controls_wanted(hs_cmd *c, int wanted[HS_CONTROLS]);
/* *out <- the controls of --controls that the job's direction allows, ready to be run; of a dry run only which.
 * HS_ERANGE: a kind that there isn't. */
HS_CHECKED int hs_controls_open(hs_cmd *c, const hs_edit_job *job, hs_controls *out);
void hs_controls_free(hs_controls *cs);
/* Of a dry run: which are planned, and which are not, with reasons; also results.controls_planned. */
void hs_controls_say_plan(hs_cmd *c, const hs_controls *cs);

/* The kind that holds twins of the direction: LABELS or NET (n 0: neither does). */
hs_control_kind hs_controls_twins(const hs_controls *cs);

/* The job's plan in the untrained U-Net; with twin or draw i. */
hs_edit_plan hs_control_plan(const hs_control *of, hs_control_kind kind, size_t i, const hs_edit_job *job);

/* mean (edited) <- mean over the images of |dh| that the network of the plan's first direction gives at each edited
 * step, along the plan's plain trajectories. */
HS_CHECKED int hs_network_norms(const hs_edit_plan *plan, size_t n, const float *x_T, double *mean);

/* *shift (c R R, free()) <- v of strength 1, for images that move as they do at strength s. */
HS_CHECKED int hs_control_shift(const hs_edit_job *job, double s, uint64_t seed, float **shift);
/* x (n, c R R) <- x_T + s v. */
void hs_control_shifted(const hs_edit_job *job, const float *shift, double s, float *x);

/* Adds a control as it was measured to m, whose verdict is withheld where one of the first three holds. */
HS_CHECKED int hs_control_add(hs_measurement *m, hs_control_kind kind, hs_measurement *of);
/* Why nothing is said to hold in a network with random weights: a smooth network is linear, and moves every sample
 * alike, along any direction. */
#define HS_UNTRAINED "the network is untrained"

/* effect (rows) <- value (rows, m) at column `far` less that at `zero`. */
void hs_control_increments(size_t rows, size_t m, size_t zero, size_t far, const double *value, double *effect);
/* *harder <- whether the effects b (Kb, n) of twins are a null that is harder to beat than a (Ka, n): prediction limits
 * of the root mean square of one more. */
HS_CHECKED int hs_control_harder(size_t n, size_t Ka, const double *a, size_t Kb, const double *b, int *harder);
/* Withholds m's verdict where the effect does not exceed the limit of K twins' effects (K, n); K = 0: as it is. */
HS_CHECKED int hs_control_beside_twins(hs_measurement *m, size_t n, size_t K, const double *twins);
/* Adds the control h covariance to m: what the effects (K, n) of K >= 1 draws reach; withholds as above. */
HS_CHECKED int hs_control_draws(hs_measurement *m, size_t n, size_t K, const double *effect);

#endif
