/* The figure of a comparison: alignment with its null by step, directions, their profiles, the CKA map. */
#ifndef HS_FIGURES_COMPARE_H
#define HS_FIGURES_COMPARE_H

#include "analysis/figures/figure.h"

typedef struct {
    const char *a, *b, *verdict; /* names of the sides */
    size_t S;
    const double *t, *aligned, *back, *ceiling, *null; /* (S) */
    double standard;
    size_t D; /* directions; 0: none */
    const char *const *direction;
    const double *over, *over_lo, *over_hi; /* (D) */
    size_t F, m;                            /* factors and strengths of profiles; 0: none */
    const char *const *factor;
    const double *strength;   /* (m) */
    const double *profile[2]; /* (D, F, m) */
    size_t M;                 /* steps of the CKA map */
    const char *const *label; /* (M) */
    const double *cka;        /* (M, M) rows a */
    size_t n;
} hs_figure_comparison;

/* Up to three directions' profiles are drawn, at the largest strength.  HS_ESHAPE: no step; else as hs_figure_finish.
 */
HS_CHECKED int hs_figure_compare(const hs_figure_comparison *c, const hs_figure_options *opt, int *drawn);

#endif
