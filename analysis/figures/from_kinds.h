/* Each kind of figure from its open files, which hold what from_result.h says of the kind.
 *
 * *drawn as of hs_figure_finish.  HS_EFORMAT: an array or attribute is missing; HS_ESHAPE: arrays that don't fit; else
 * as the figure itself. */
#ifndef HS_FIGURES_FROM_KINDS_H
#define HS_FIGURES_FROM_KINDS_H

#include "analysis/figures/figure.h"
#include "analysis/figures/sources.h"

/* Curves (from_lines.c): a file is a panel of linearity, a curve of sweep and theorem1; of the others one file. */
HS_CHECKED int hs_draw_linearity(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_sweep(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_pca(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_curves(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_robustness(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_theorem1(hs_sources *s, const hs_figure_options *opt, int *drawn);

/* Heat maps (from_tables.c), of one file; property: homogeneity and consistency, whose files without /shown are swept.
 */
HS_CHECKED int hs_draw_similarity(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_crosstalk(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_property(hs_sources *s, const hs_figure_options *opt, int *drawn);
HS_CHECKED int hs_draw_compare(hs_sources *s, const hs_figure_options *opt, int *drawn);

#endif
