/* Which part of a dump this process makes. */
#ifndef HS_CLI_SHARD_H
#define HS_CLI_SHARD_H

#include "analysis/cli/command.h"

typedef struct {
    size_t i, N;
} hs_shard;

/* *out <- --shard, else the place in a Slurm job array (SLURM_ARRAY_TASK_ID), else among the tasks of srun
 * (SLURM_PROCID), else the rank under mpirun (OMPI_COMM_WORLD_RANK, then PMI_RANK), else 0 of 1.  Says which it
 * was; puts "shard", "shards" and "shard_by" into params.  HS_ERANGE: not I/N with 0 <= I < N; an array that isn't
 * numbered 0 ... N - 1 or 1 ... N: a part of one, submitted again, would be taken for the whole. */
HS_CHECKED int hs_shard_choose(hs_cmd *c, hs_shard *out);

#endif
