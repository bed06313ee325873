/* Images of an edit or a sweep as they go out: arrays, folders, plain grids, or labelled strips for print. */
#ifndef HS_CLI_STRIP_OUT_H
#define HS_CLI_STRIP_OUT_H

#include "analysis/cli/common.h"

extern const hs_opt hs_opts_strip[]; /* --labels, --rows */

/* Before any work: as hs_images_check, and .pdf. */
HS_CHECKED int hs_strip_check(const hs_cmd *c, const char *path);
/* True when path becomes a labelled strip: .pdf, or .png of several columns; --labels decides otherwise. */
int hs_strip_wanted(const hs_cmd *c, const char *path, size_t columns);

typedef struct {
    const char *title; /* what the columns are strengths of */
    size_t rows, cols;
    hs_chw shape;
    const float *x;         /* (rows, cols, C H W) */
    const char *const *col; /* (cols) labels */
    const char *const *row; /* (rows) labels */
    size_t block;           /* rows of an image; 1: no wider gaps */
} hs_strip_out;
/* The first --rows images. */
HS_CHECKED int hs_strip_out_write(const hs_cmd *c, const char *path, const hs_strip_out *s);

/* n labels: "%g" of values, or the names of a source's images (files without their folder; else their numbers).
 * Freed by hs_strip_labels_free. */
HS_CHECKED int hs_strip_labels_of(size_t n, const double *value, char ***out);
HS_CHECKED int hs_strip_labels_of_source(const hs_source *s, char ***out);
void hs_strip_labels_free(size_t n, char **label);

#endif
