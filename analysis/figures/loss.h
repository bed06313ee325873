/* The loss curve of a training run. */
#ifndef HS_FIGURES_LOSS_H
#define HS_FIGURES_LOSS_H

#include "analysis/figures/figure.h"

/* Borrowed; a point is the mean over the updates since the one before. */
typedef struct {
    size_t n;
    const double *update, *loss, *grad_norm; /* (n) */
    double images_per_second, seconds;       /* of the last point */
} hs_figure_training;

/* Two panels over the update: the loss and the gradient's norm, both on logarithmic axes.
 * Errors as hs_figure_finish; HS_ESHAPE: fewer than 2 points. */
HS_CHECKED int hs_figure_loss(const hs_figure_training *run, const hs_figure_options *opt, int *drawn);

#endif
