/* Strips and grids of images for print: a row an image, a column a strength, with labels.
 *
 * OUT.png: pictures blown up by whole factors until they are at least 64 pixels wide (pixels stay squares), labels in a
 * 5 x 7 bitmap face at twice its size.  OUT.pdf: one page that is just the figure, at most 6.75 in wide, labels as
 * text in Helvetica, 8 pt (one of PDF's own 14 faces); pictures blown up alike, without loss.  No other program is
 * needed. Labels are ASCII: other characters are shown as '?'; one that has no room is cut, a dot at its end. */
#ifndef HS_FIGURES_STRIP_H
#define HS_FIGURES_STRIP_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/io/image.h"

typedef struct {
    size_t rows, cols;            /* rows of all blocks */
    hs_chw shape;                 /* of each picture; c = 1 or 3 */
    const float *x;               /* (rows, cols, c, h, w) in [-1, 1] */
    const char *title;            /* NULL: none */
    const char *const *col_label; /* (cols), NULL: none */
    const char *const *row_label; /* (rows), NULL: none */
    size_t block;                 /* a wider gap after every so many rows; 0: none */
} hs_strip;

/* Writes the figure, complete or not at all.  HS_ERANGE: another extension than .png and .pdf, or the file exists
 * and force is 0; HS_ESHAPE: no picture, or channels; HS_ELIMIT: above 2^28 pixels; HS_EIO, HS_ENOMEM. */
HS_CHECKED int hs_strip_write(const char *path, const hs_strip *s, int force);

#endif
