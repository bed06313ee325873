/* The matrix figure: cosines between directions, similarities between timesteps, effects of directions on read-outs. */
#ifndef HS_FIGURES_MATRIX_H
#define HS_FIGURES_MATRIX_H

#include "analysis/figures/figure.h"

typedef struct {
    const char *title, *caption;     /* "": none */
    const char *row_axis, *col_axis; /* "t of A", "t of B"; NULL: none */
    size_t rows, cols;
    const double *value;                             /* (rows, cols); NaN is left blank */
    const char *const *row_label, *const *col_label; /* (rows), (cols) */
    int is_signed;                                   /* 1: -1 to 1, blue over white to red; 0: 0 to 1 */
    double reach;                                    /* the colours' end in place of 1; 0: 1 */
    const double *lo, *hi; /* (rows, cols) limits, said under the numbers, or NULL; cells are then broad and low */
    const int *marked;     /* (rows, cols) numbers to mark with a star, or NULL */
} hs_figure_table;

/* Draws the matrix, first row on top, with its numbers where there is room (up to 8 x 8, and their limits).
 * Errors as hs_figure_finish; HS_ESHAPE: empty, or more than 1000 rows or columns. */
HS_CHECKED int hs_figure_matrix(const hs_figure_table *table, const hs_figure_options *opt, int *drawn);
/* Several side by side, three a row, in boxes of the first one's proportions; the caption and the names of the
 * axes are the first one's, too. */
HS_CHECKED int hs_figure_matrices(size_t n, const hs_figure_table *table, const hs_figure_options *opt, int *drawn);

#endif
