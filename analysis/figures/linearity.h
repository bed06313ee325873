/* The linearity figure: the effect of a direction against its strength, one panel a read-out. */
#ifndef HS_FIGURES_LINEARITY_H
#define HS_FIGURES_LINEARITY_H

#include "analysis/figures/figure.h"

/* One panel.  Everything is borrowed; an absent number is NaN, an absent text or array NULL. */
typedef struct {
    const char *readout;             /* "brightness" */
    const char *direction;           /* "pc0" */
    const char *verdict;             /* "holds", "fails", "inconclusive", "no effect" */
    size_t m;                        /* strengths */
    const double *strength;          /* (m), ascending */
    const double *mean, *lo, *hi;    /* (m): mean effect over images and its confidence limits */
    const double *null_lo, *null_hi; /* (m): band of the null (random directions of equal norm) or NULL */
    double slope, index;             /* b of the line b s; linearity index */
    size_t n, bootstrap;             /* images, resamples */
    double level;                    /* of the band, percent; NaN: 95 */
} hs_figure_line;

/* Draws 1 to 24 panels: null band, confidence band, the line b s (dashed), the mean curve; n and B in
 * the caption.  Errors as hs_figure_finish; HS_ESHAPE: no panel, too many, or fewer than 2 strengths. */
HS_CHECKED int hs_figure_linearity(const hs_figure_line *panel, size_t n_panels, const hs_figure_options *opt,
                                   int *drawn);

#endif
