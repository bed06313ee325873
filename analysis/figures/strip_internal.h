/* What both forms of a strip share. */
#ifndef HS_FIGURES_STRIP_INTERNAL_H
#define HS_FIGURES_STRIP_INTERNAL_H

#include <stdint.h>

#include "analysis/figures/strip.h"

/* The factor by which pictures are blown up. */
size_t hs_strip_zoom(const hs_strip *s);
/* rgb (z h, z w, 3) <- picture i. */
void hs_strip_picture(const hs_strip *s, size_t i, size_t z, uint8_t *rgb);
/* Widest row label in characters; 0 without labels. */
size_t hs_strip_row_chars(const hs_strip *s);
/* out <- text as printable ASCII, cut to most characters (its last then '.'). */
enum { HS_STRIP_TEXT = 128 };
void hs_strip_text(const char *text, size_t most, char out[HS_STRIP_TEXT]);

HS_CHECKED int hs_strip_png(const char *path, const hs_strip *s, int force);
HS_CHECKED int hs_strip_pdf(const char *path, const hs_strip *s, int force);

#endif
