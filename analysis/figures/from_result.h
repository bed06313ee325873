/* Figures of result files: what `hspace plot` and the report draw.
 *
 * kind          drawn from
 * linearity     /strength /effect_mean /ci_low /ci_high [/null_low /null_high] (strength), attributes readout,
 *               direction, verdict, slope, linearity_index, n, bootstrap, ci: one panel a file
 * crosstalk     of a linearity file: /crosstalk, _low, _high [, _random_low, _random_high] (crosstalk_direction,
 *               crosstalk_readout), texts /crosstalk_direction and /crosstalk_readout, attributes crosstalk_strength,
 *               n, ci
 * homogeneity,  /shown (row, column) as a heat map from -1 to 1, attributes shown_title, shown_caption, row_axis,
 * consistency   column_axis; without it as a sweep
 * sweep,        /strength and, per name in attribute readouts, /score_NAME (sample, strength), else /effect
 * interpolation (sample, strength); attribute direction: one panel a read-out, the files are its curves
 * pca           /explained_variance_ratio (timestep, component) or (component), /timestep, attribute n
 * similarity    /similarity (row, column), texts or numbers /row and /column, attributes metric and n; of models and
 *               directions /direction_similarity (direction, row, column) with /subject and /subject_verdict, h first
 * curves        /distance_p and /distance_x (timestep), /timestep rising, attributes distance, n, threshold_edit,
 *               threshold_boost, t_edit, t_boost
 * compare       /aligned_cosine, _back, _null, /ceiling (timestep), /timestep, /cka_debiased (row, column), /row; where
 *               there are directions /direction, /direction_over, _low, _high, and /profile_a, _b (direction, factor,
 *               strength), /factor, /strength; attributes a, b, verdict, standard, n
 * geometry      see geometry.h
 * theorem1      /symmetric and /asymmetric (timestep), /timestep: the files are the curves
 *
 * A file whose attribute untrained is 1 has that word stamped on its picture. */
#ifndef HS_FIGURES_FROM_RESULT_H
#define HS_FIGURES_FROM_RESULT_H

#include "analysis/figures/figure.h"

/* Draws the files, all of one kind (kind NULL: what the first says; pca and similarity: one file).
 * HS_ERANGE: a kind without a figure, or files of two kinds; HS_EFORMAT: an array or attribute is
 * missing; HS_ESHAPE: arrays that don't fit; else as hs_figure_finish and hs_result_open. */
HS_CHECKED int hs_figure_from_results(const char *const *path, size_t n, const char *kind, const hs_figure_options *opt,
                                      int *drawn);

#endif
