/* The scree figure: how much variance each component explains, and all up to it. */
#ifndef HS_FIGURES_SCREE_H
#define HS_FIGURES_SCREE_H

#include "analysis/figures/figure.h"

/* One fit (a timestep, or all pooled); borrowed. */
typedef struct {
    const char *label;   /* "t = 290" */
    const double *ratio; /* (k) explained variance ratio, descending; NaN where not computed */
} hs_figure_spectrum;

/* Two panels: the ratio of component 1 ... k, and the sum up to it.  Up to 6 spectra are drawn (4 in a
 * narrow figure), evenly picked when there are more (the caption says so); n: samples of each fit, 0 unknown.
 * Errors as hs_figure_finish; HS_ESHAPE: nothing to draw. */
HS_CHECKED int hs_figure_scree(const hs_figure_spectrum *spectrum, size_t n_spectra, size_t k, size_t n,
                               const hs_figure_options *opt, int *drawn);

#endif
