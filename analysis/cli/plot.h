/* --plot of the measurement commands. */
#ifndef HS_CLI_PLOT_H
#define HS_CLI_PLOT_H

#include "analysis/cli/command.h"

/* Before any work: path (NULL: nothing to check) may be written and is a .pdf, .svg or .png. */
HS_CHECKED int hs_plot_check(const hs_cmd *c, const char *path);
/* -o or --json; -o and --plot may be written; --plot has its -o. */
HS_CHECKED int hs_plot_check_outputs(hs_cmd *c);
/* Draws n result files into out, as their own kind or (kind not NULL) as that; warns when gnuplot is missing. */
HS_CHECKED int hs_plot_as(hs_cmd *c, const char *kind, const char *const *path, size_t n, const char *out);
HS_CHECKED int hs_plot_files(hs_cmd *c, const char *const *path, size_t n, const char *out);

#endif
