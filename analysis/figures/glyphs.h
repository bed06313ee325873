/* A bitmap face for labels in pictures: 5 x 7 pixels, printable ASCII. */
#ifndef HS_FIGURES_GLYPHS_H
#define HS_FIGURES_GLYPHS_H

#include <stdint.h>

enum { HS_GLYPH_W = 5, HS_GLYPH_H = 7, HS_GLYPH_STEP = 6, HS_GLYPH_DROP = 2 };

/* Row y (0 ... 6) of a character: bit 4 is the left pixel.  Others than ' ' ... '~' look like '?'. */
uint8_t hs_glyph_row(char c, unsigned y);
/* How far a character hangs below the line: 0 or HS_GLYPH_DROP rows. */
unsigned hs_glyph_drop(char c);

#endif
