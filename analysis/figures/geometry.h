/* The figure of `hspace geometry`: up to four panels, of what the file holds.
 *
 *   shares over t      areas: image, noise, interaction, on top of each other; dashed: the image's share of x_t
 *   spectra            sigma_i / sigma_1 of x_t -> h and of h -> x0hat, a curve a timestep (dark: the highest t)
 *   Gromov's delta     bars with their intervals, beside those of Gaussian clouds with their prediction limits */
#ifndef HS_FIGURES_GEOMETRY_H
#define HS_FIGURES_GEOMETRY_H

#include "analysis/figures/figure.h"
#include "core/io/result.h"

/* Draws the file: /timestep, and /share and /share_x (timestep, part), /spectrum (map, timestep, singular),
 * /gromov_delta with _low, _high, _null, _null_low, _null_high (timestep), where there.  HS_ESHAPE: nothing to draw, or
 * arrays that don't fit; HS_EFORMAT; else as hs_figure_finish.  path: for messages. */
HS_CHECKED int hs_figure_geometry(hs_result_in *r, const char *path, const hs_figure_options *opt, int *drawn);

#endif
