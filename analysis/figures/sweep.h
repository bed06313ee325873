/* The sweep figure: every image's read-out against strength, one panel a read-out, directions side
 * by side. */
#ifndef HS_FIGURES_SWEEP_H
#define HS_FIGURES_SWEEP_H

#include "analysis/figures/figure.h"

/* One direction in one panel; borrowed. */
typedef struct {
    const char *label;      /* "pc0" */
    size_t n, m;            /* images, strengths */
    const double *strength; /* (m) ascending */
    const double *effect;   /* (n, m) change against strength 0 of each image */
} hs_figure_curve;

typedef struct {
    const char *readout;
    int is_vector; /* effect is a vector's share along its own first change */
    size_t n_curves;
    const hs_figure_curve *curve; /* up to 7 */
} hs_figure_sweep_panel;

/* Thin tinted lines: single images; thick: their mean.  Errors as hs_figure_finish; HS_ESHAPE: no
 * panel or more than 24, no curve or more than 7, or fewer than 2 strengths. */
HS_CHECKED int hs_figure_sweep(const hs_figure_sweep_panel *panel, size_t n_panels, const hs_figure_options *opt,
                               int *drawn);

#endif
