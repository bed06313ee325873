/* The figure of Theorem 1: both coefficients over the timestep. */
#ifndef HS_FIGURES_THEOREM1_H
#define HS_FIGURES_THEOREM1_H

#include "analysis/figures/figure.h"

/* One sequence of steps; borrowed. */
typedef struct {
    const char *label; /* "40 steps" */
    size_t S;
    const double *t, *symmetric, *asymmetric; /* (S) */
} hs_figure_coefficients;

/* Two panels, what a change of eps is multiplied with in one step of the asymmetric and of the symmetric process, a
 * curve a sequence (up to HS_FIGURE_COLOURS).  Errors as hs_figure_finish; HS_ESHAPE: no sequence, more, or an empty
 * one. */
HS_CHECKED int hs_figure_theorem1(const hs_figure_coefficients *curve, size_t n, const hs_figure_options *opt,
                                  int *drawn);

#endif
