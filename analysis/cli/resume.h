/* Work that a killed or stopped command had finished: the same command goes on with it. */
#ifndef HS_CLI_RESUME_H
#define HS_CLI_RESUME_H

#include "analysis/cli/command.h"
#include "core/io/cells.h"

/* *out <- the cells of this command in OUT.journal, OUT being -o; NULL without -o.  They are of the same command when
 * hspace's version, all inputs' hashes, `also` (lines) and all options agree, but for those about the machine and the
 * answer (-o, -f, --threads, --json ...) and those named in changes_nothing (NULL-terminated).  HS_ERANGE: of another
 * command, unless -f; else as hs_cells_open. */
HS_CHECKED int hs_resume_open(const hs_cmd *c, const char *const *changes_nothing, const char *also, hs_cells **out);
/* Says, and files under results.resumed, how many of n images were there. */
void hs_resume_say(hs_cmd *c, size_t resumed, size_t n);
/* How the command ended: the cells go when it succeeded, or found that it has no answer (HS_EDEGENERATE); else they
 * stay.
 */
void hs_resume_close(hs_cells *cells, int rc);

#endif
