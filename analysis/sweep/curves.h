/* Where an edit may end and the boost begin: perceptual distance along plain trajectories (Kwon, Jeong, Uh,
 * arXiv:2210.10960, sections 4.1 and 4.2).
 *
 *   p(t) = distance(x, P_t)    what is already decided at t; the edit ends at the first t, ascending, where
 *                              p(t) >= 0.33 cos(source text, reference text)
 *   x(t) = distance(x, x_t)    quality deficiency gamma_t; noise is added below the first t where x(t) >= 1.2
 *   xi_t = p(T) - p(t)         editing strength of the interval [T, t]
 *
 * The two numbers are in units of LPIPS (AlexNet).  Another distance has its own scale, found on its own curves by
 * what the authors' five published ones say (celeba, afhq, church, bedroom, metface; linear schedule, T = 1000):
 *   0.33 is on average 0.2881 of LPIPS(x, P_T) (0.246 to 0.343): the edit's threshold is that fraction of p(T);
 *   1.2 is reached where 1 - alpha_bar_t is on average 0.3586 (0.257 to 0.589): the boost's threshold is x(t) at that
 *   noise level.  (No fraction of x(T): LPIPS hardly grows beyond it, while other distances do.)
 *
 * Distances: with an attribute network the Euclidean distance of its features; without, the root mean square
 * difference of the pixels. */
#ifndef HS_SWEEP_CURVES_H
#define HS_SWEEP_CURVES_H

#include <stddef.h>

#include "analysis/sweep/scorer.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/diffusion/schedule.h"
#include "core/model/model.h"

#define HS_CURVE_EDIT_FRACTION 0.2881
#define HS_CURVE_BOOST_NOISE   0.3586

typedef struct {
    size_t S, n; /* points; images they are means of (0: a given curve) */
    int *t;      /* (S) ascending */
    double *p, *x;
    double *noise; /* (S) 1 - alpha_bar_t */
} hs_curves;
void hs_curves_free(hs_curves *c);

typedef struct {
    const hs_model *model;
    const hs_steps *steps;
    size_t batch; /* images at once; fewer where their trajectories would take more than 256 MiB */
    hs_conv_mode conv;
    hs_scorer *scorer; /* NULL: pixels */
    const hs_progress *progress;
} hs_curves_plan;

/* *out <- means over n images of the curves along their plain trajectories (eta = 0) from x_T (n, c R R); x is
 * each trajectory's own end, so p and x are 0 where it is reached.  One evaluation a step and image and two of the
 * scorer.  Errors of the network; HS_EDEGENERATE; HS_ENOMEM. */
HS_CHECKED int hs_curves_measure(const hs_curves_plan *plan, size_t n, const float *x_T, hs_curves *out);

/* Thresholds of the edit (times cosine) and of the boost, as above; x(t) is linear in the noise between points. */
void hs_curves_thresholds(const hs_curves *c, double cosine, double *edit, double *boost);

/* One curve as "t value" lines, t ascending: *t, *value (n) owned by the caller.  HS_EFORMAT names the line; HS_EIO. */
HS_CHECKED int hs_curve_read(const char *path, size_t *n, int **t, double **value);

#endif
