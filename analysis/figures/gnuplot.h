/* Running gnuplot as a child process, without a shell. */
#ifndef HS_FIGURES_GNUPLOT_H
#define HS_FIGURES_GNUPLOT_H

#include "core/base/error.h"

/* HS_OK when DIR/NAME does not exist, else HS_ERANGE "exists; use -f". */
HS_CHECKED int hs_gnuplot_free_name(const char *dir, const char *name);

/* Runs gnuplot (from PATH, or the program named by HSPACE_GNUPLOT) on STEM.gp in folder dir; the
 * picture appears as dir/NAME when gnuplot succeeded.  *found <- 0 when there is no gnuplot
 * (HS_OK, nothing done), else 1.  HS_EIO: it failed, with the first line it wrote. */
HS_CHECKED int hs_gnuplot_run(const char *dir, const char *stem, const char *name, int *found);

#endif
