/* The report: result files and picture strips as one page. */
#ifndef HS_REPORT_REPORT_H
#define HS_REPORT_REPORT_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    const char *title; /* NULL: "hspace report" */
    const char *lead;  /* under the title; NULL: none */
    size_t n_controls; /* names of directions that are controls */
    const char *const *control;
    const char *mark; /* stamped on every picture; NULL: "untrained" when a file says so */
    int force;
} hs_report_options;

/* Writes OUT.html from result files, activation stores (.h5) and PNG strips, told apart by content:
 * verdicts, activations, principal components, sweeps (with the strips that share their name), linearity, similarities,
 * what edits did, geometry, other strips, and where each file comes from.  *undrawn <- figures left out because gnuplot
 * is missing. HS_ERANGE (no input, or out exists and force is 0), HS_EFORMAT (an input that is neither), HS_EIO, and
 * what hs_figure_from_results and hs_page_png say. */
HS_CHECKED int hs_report_write(const char *const *path, size_t n, const hs_report_options *opt, const char *out,
                               size_t *undrawn);

#endif
