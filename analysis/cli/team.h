/* The processes that mpirun or srun started, as one team (core/geom/team.h), in programs built by make MPI=1. */
#ifndef HS_CLI_TEAM_H
#define HS_CLI_TEAM_H

#include "analysis/cli/command.h"
#include "core/geom/team.h"

/* *team <- the ranks of this job; NULL when the process was started alone.  A rank but 0 is silent from now on: no
 * stdout, no log, no progress, no hashes of its inputs.  Call it before anything that only some ranks might fail in.
 * HS_ERANGE: several processes were started, and the program knows no MPI, or MPI doesn't see the others. */
HS_CHECKED int hs_team_begin(hs_cmd *c, hs_team **team);
/* HS_ERANGE on every rank unless all run the same program on the same kind of CPU, by the same command line, on
 * the same data (id). */
HS_CHECKED int hs_team_check(const hs_cmd *c, hs_team *team, const char *id);
/* Leaves the job with what the command ends with, and returns it.  A failure that all ranks know of is told by rank 0
 * alone; after any other, the launcher ends the rest. */
int hs_team_end(hs_team *team, int rc);
/* " MPI" where there is any, for --version. */
const char *hs_team_version(void);

#endif
