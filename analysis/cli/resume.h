/* Work that a killed or stopped command had finished: the same command goes on with it. */
#ifndef HS_CLI_RESUME_H
#define HS_CLI_RESUME_H

#include "analysis/cli/command.h"
#include "analysis/cli/edit_common.h"
#include "core/base/text.h"
#include "core/io/cells.h"

/* *out <- the cells of this command in OUT.journal, OUT being -o; NULL without -o.  They are of the same command when
 * hspace's version, all inputs' hashes, `also` (lines) and all options agree, but for those about the machine and the
 * answer (-o, -f, --threads, --json ...) and those named in changes_nothing (NULL-terminated).  HS_ERANGE: of another
 * command, unless -f; else as hs_cells_open. */
HS_CHECKED int hs_resume_open(const hs_cmd *c, const char *const *changes_nothing, const char *also, hs_cells **out);
/* Options of a property that change its answer but nothing that is run: --bootstrap --ci --standard --plot
 * --plot-crosstalk. */
extern const char *const hs_resume_statistics[];
/* also += what a network's runs depend on, whatever files it came from: lines of its hash and those of its starting
 * points x_T (n, c R R) and steps. */
HS_CHECKED int hs_resume_describe(hs_str *also, const hs_model *model, const hs_steps *steps, size_t n,
                                  const float *x_T);
/* The cells of all runs of an open job, whose plan gets them; cells->cells is closed by the caller.  Once every input
 * is open. */
HS_CHECKED int hs_resume_job(const hs_cmd *c, const char *const *changes_nothing, hs_edit_job *job,
                             hs_run_cells *cells);
/* Says, and files under results.resumed, how many of n images were there: of all runs, where there are several. */
void hs_resume_say(hs_cmd *c, size_t resumed, size_t n);
/* How the command ended: the cells go when it succeeded, or found that it has no answer (HS_EDEGENERATE); else they
 * stay.
 */
void hs_resume_close(hs_cells *cells, int rc);

#endif
