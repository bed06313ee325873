/* The robustness figure: damage against the level of the noise, an arm a curve. */
#ifndef HS_FIGURES_ROBUSTNESS_H
#define HS_FIGURES_ROBUSTNESS_H

#include "analysis/figures/figure.h"

enum { HS_FIGURE_ARMS = 5 };

/* One curve; lo and hi may be NaN; sigma50 NaN: no mark. */
typedef struct {
    const char *name;
    size_t m;
    const double *level, *mean, *lo, *hi; /* (m) ascending from 0, which a logarithmic axis leaves out */
    double sigma50;
    int bound; /* sigma50 is only a bound: an open mark */
} hs_figure_arm;

typedef struct {
    const char *title, *subtitle; /* the verdict */
    const char *damage, *unit;    /* names of the axes */
    size_t n_arms;
    hs_figure_arm arm[HS_FIGURE_ARMS];
    double threshold; /* NaN: none */
    size_t n, bootstrap;
    double level; /* of the bands, percent */
} hs_figure_robust;

/* HS_ESHAPE: no arm with two levels above 0; else as hs_figure_finish. */
HS_CHECKED int hs_figure_robustness(const hs_figure_robust *f, const hs_figure_options *opt, int *drawn);

#endif
