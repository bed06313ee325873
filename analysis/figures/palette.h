/* Colour sequences that gnuplot 5.4 does not bring. */
#ifndef HS_FIGURES_PALETTE_H
#define HS_FIGURES_PALETTE_H

#include "core/base/text.h"

/* hex <- "#RRGGBB" at x in [0, 1]: dark blue over green to yellow, lightness rising evenly, so that
 * the order survives in grey. */
void hs_palette_sequential(double x, char hex[8]);

/* Appends gnuplot's "set palette" of the same sequence, or of the signed one (blue, white, red,
 * symmetric in lightness). */
void hs_palette_set(hs_str *gp, int is_signed);

#endif
