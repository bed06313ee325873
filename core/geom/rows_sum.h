/* Sums over rows along a tree of fixed shape (team.h). */
#ifndef HS_GEOM_ROWS_SUM_H
#define HS_GEOM_ROWS_SUM_H

#include "core/geom/rows.h"

/* One array that the tasks of a walk sum into: what a tile with tile->fresh gives replaces what is there. */
typedef struct {
    double *v;
    size_t count;
} hs_sum;

enum { HS_SUMS_MOST = 3 };

/* Blocks of rows for sums of `count` numbers: 16; 4 above 16 MiB, 2 above 128 MiB of them, since log2 of it is how
 * often they are kept while the tree is added up. */
size_t hs_sum_blocks(size_t count);
/* Scratch of hs_rows_sum by one process; each rank of a team takes at most twice as much. */
HS_CHECKED int hs_sum_bytes(size_t count, size_t *bytes);

/* Walks this rank's blocks of all rows; sum[i].v <- the sums over the rows of all ranks.  Fails as hs_rows_walk does on
 * any rank, on every rank. */
HS_CHECKED int hs_rows_sum(const hs_rows *rows, hs_team *team, size_t tile, const hs_walk *walk, size_t n,
                           const hs_sum *sum);

/* hs_rows_walk with borders: tile->fresh is set on a tile that starts with one of border[0 ... n - 1], and after the
 * tile before the next of them, or the last, done(ctx, i) follows; borders are ascending and lie on tiles. */
HS_CHECKED int hs_rows_walk_blocks(const hs_rows *rows, size_t to, size_t tile, const hs_walk *walk, size_t n,
                                   const size_t *border, int (*done)(void *ctx, size_t i), void *ctx);

#endif
