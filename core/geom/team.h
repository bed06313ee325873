/* Processes that work on one matrix together, each on its own rows, and all arrive at the same bits.
 *
 * The rows are cut into at most 16 blocks at borders that depend on their number and width, and on the size of what
 * is summed, only.
 * Sums over rows are taken within each block in order, and over the blocks along a binary tree whose shape
 * depends on the number of blocks only; a rank owns a run of blocks, adds up what of the tree lies within
 * it, and rank 0 adds the rest.  So one process, two, or sixteen give the same sum to the last bit,
 * when they are the same program on the same kind of CPU.
 *
 * Where the work is made of whole things instead (the steps of a comparison), each is one rank's from beginning to end,
 * and no sum is cut at all.
 *
 * Every rank makes the same calls in the same order.  How bytes travel is the caller's (analysis/cli/team.h: MPI). */
#ifndef HS_GEOM_TEAM_H
#define HS_GEOM_TEAM_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    size_t rank, size;
    /* Both return when the bytes are the caller's again. */
    HS_CHECKED int (*send)(void *ctx, size_t to, const void *bytes, size_t len);
    HS_CHECKED int (*receive)(void *ctx, size_t from, void *bytes, size_t len);
    void *ctx;
    int agreed; /* the failure that a call came back with is one that all ranks know of */
} hs_team;

/* bytes of rank `from` -> all ranks, along a binary tree.  NULL, or one rank: nothing. */
HS_CHECKED int hs_team_broadcast(hs_team *team, size_t from, void *bytes, size_t len);
/* bytes of rank `from` -> rank `to`; nothing for the others, and where both are one. */
HS_CHECKED int hs_team_pass(hs_team *team, size_t from, size_t to, void *bytes, size_t len);
/* Whether all came through: HS_OK on every rank, or on every rank the failure, with its message, of the lowest that
 * has one. */
HS_CHECKED int hs_team_agree(hs_team *team, int rc);
/* v (n) <- the largest of all ranks', element by element. */
HS_CHECKED int hs_team_max(hs_team *team, double *v, size_t n);
/* HS_ERANGE on every rank unless all have the same text: what must be alike, hashed. */
HS_CHECKED int hs_team_same(hs_team *team, const char *text, const char *what);

/* 1 for rank 0, and for a process alone (NULL): who writes and tells. */
int hs_team_leads(const hs_team *team);
size_t hs_team_size(const hs_team *team); /* NULL: 1 */
/* The first of n things in a row that a rank takes when they are dealt evenly, in order; its last is before the first
 * of rank + 1. */
size_t hs_team_first(const hs_team *team, size_t rank, size_t n);

#endif
