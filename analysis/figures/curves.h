/* The figure of `hspace curves`: distances along the trajectory, with the editing interval. */
#ifndef HS_FIGURES_CURVES_H
#define HS_FIGURES_CURVES_H

#include "analysis/figures/figure.h"

typedef struct {
    size_t S, n;             /* timesteps; images they are means of, 0: unknown */
    const double *t, *p, *x; /* (S) ascending t, distance(x, P_t), distance(x, x_t) */
    const char *distance;    /* "features", "pixels" */
    double edit, boost;      /* thresholds */
    double t_edit, t_boost;  /* where they are reached */
} hs_figure_distances;

/* Two panels, P_t and x_t, each with its threshold and where it is reached.  Errors as hs_figure_finish; HS_ESHAPE:
 * fewer than 2 timesteps. */
HS_CHECKED int hs_figure_curves(const hs_figure_distances *c, const hs_figure_options *opt, int *drawn);

#endif
