#include "core/geom/rows_sum.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { BLOCKS_MOST = 16 };

/* A node of the tree over the blocks: the sum of blocks [index << level, (index + 1) << level). */
typedef struct {
    size_t level, index;
    double *v;
} node;

typedef struct {
    const hs_sum *sum;
    size_t n, count;
    size_t first;           /* block of the walk's first */
    size_t last;            /* block that ends the sum here, for a process alone: SIZE_MAX in a team */
    node list[BLOCKS_MOST]; /* what is put aside, in the order of the blocks */
    size_t nodes;
} tree;

size_t hs_sum_blocks(size_t count)
{
    return count <= (size_t)1 << 21 ? BLOCKS_MOST : (count <= (size_t)1 << 24 ? 4 : 2);
}

int hs_sum_bytes(size_t count, size_t *bytes)
{
    size_t levels = 0, blocks = hs_sum_blocks(count);
    while ((size_t)1 << levels < blocks) {
        levels++;
    }
    return hs_size_product(3, (uint64_t[]){levels, count, sizeof(double)}, bytes);
}

static void add(size_t n, const double *from, double *to)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i] + to[i];
    }
}

/* The last node that was put aside is added to the sums at hand. */
static void take_up(tree *t)
{
    node *last = &t->list[--t->nodes];
    const double *v = last->v;
    for (size_t i = 0; i < t->n; v += t->sum[i].count, i++) {
        add(t->sum[i].count, v, t->sum[i].v);
    }
    free(last->v);
}

static int put_aside(tree *t, size_t level, size_t index)
{
    node x = {level, index, NULL};
    int rc = hs_alloc(t->count, sizeof *x.v, &x.v);
    if (rc != HS_OK) {
        return rc;
    }
    t->list[t->nodes++] = x;
    for (size_t i = 0; i < t->n; x.v += t->sum[i].count, i++) {
        memcpy(x.v, t->sum[i].v, t->sum[i].count * sizeof *x.v);
    }
    return HS_OK;
}

/* The sums at hand are those of one block: with what they are children of one node with, they become it. */
static int block_done(void *ctx, size_t i)
{
    tree *t = ctx;
    size_t level = 0, index = t->first + i, ends = index == t->last;
    while (t->nodes > 0 && (ends || (t->list[t->nodes - 1].level == level && t->list[t->nodes - 1].index % 2 == 0 &&
                                     t->list[t->nodes - 1].index + 1 == index))) {
        take_up(t);
        level++;
        index /= 2;
    }
    return ends ? HS_OK : put_aside(t, level, index);
}

/* A node that came from another rank is the next in order. */
static void push(tree *t, node x)
{
    while (t->nodes > 0) {
        node *last = &t->list[t->nodes - 1];
        if (last->level != x.level || last->index % 2 != 0 || last->index + 1 != x.index) {
            break;
        }
        add(t->count, last->v, x.v);
        free(last->v);
        t->nodes--;
        x.level++;
        x.index /= 2;
    }
    t->list[t->nodes++] = x;
}

static int hand_over(tree *t, hs_team *team)
{
    int rc = HS_OK;
    HS_TRY(team->send(team->ctx, 0, &t->nodes, sizeof t->nodes));
    for (size_t i = 0; i < t->nodes; i++) {
        HS_TRY(team->send(team->ctx, 0, (size_t[]){t->list[i].level, t->list[i].index}, 2 * sizeof(size_t)));
        HS_TRY(team->send(team->ctx, 0, t->list[i].v, t->count * sizeof(double)));
    }
out:
    return rc;
}

static int take_over(tree *t, hs_team *team, size_t rank)
{
    int rc = HS_OK;
    size_t n, head[2];
    node x = {0, 0, NULL};
    HS_TRY(team->receive(team->ctx, rank, &n, sizeof n));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(team->receive(team->ctx, rank, head, sizeof head));
        HS_TRY(hs_alloc(t->count, sizeof *x.v, &x.v));
        HS_TRY(team->receive(team->ctx, rank, x.v, t->count * sizeof *x.v));
        x.level = head[0];
        x.index = head[1];
        push(t, x);
        x.v = NULL;
    }
out:
    free(x.v);
    return rc;
}

/* Rank 0 goes on with the nodes of the others.  What is left in the end stands for 2^a + 2^b + … blocks, a > b > …:
 * added from the last to the first. */
static int finish(tree *t, hs_team *team)
{
    int rc = HS_OK;
    for (size_t r = 1; r < team->size; r++) {
        HS_TRY(take_over(t, team, r));
    }
    double *v = t->list[--t->nodes].v;
    for (size_t i = 0, at = 0; i < t->n; at += t->sum[i].count, i++) {
        memcpy(t->sum[i].v, v + at, t->sum[i].count * sizeof *v);
    }
    free(v);
    while (t->nodes > 0) {
        take_up(t);
    }
out:
    return rc;
}

int hs_rows_sum(const hs_rows *rows, hs_team *team, size_t tile, const hs_walk *walk, size_t n, const hs_sum *sum)
{
    int rc = HS_OK, alone = team == NULL || team->size < 2;
    tree t = {.n = n, .sum = sum};
    size_t tiles = (rows->n + tile - 1) / tile, border[BLOCKS_MOST + 1];
    for (size_t i = 0; i < n; i++) {
        t.count += sum[i].count;
    }
    size_t blocks = tiles < hs_sum_blocks(t.count) ? tiles : hs_sum_blocks(t.count);
    size_t from = alone ? 0 : team->rank * blocks / team->size;
    size_t to = alone ? blocks : (team->rank + 1) * blocks / team->size;
    for (size_t b = 0; b < blocks; b++) {
        border[b] = b * tiles / blocks * tile;
    }
    border[blocks] = rows->n;
    t.first = from;
    t.last = alone ? blocks - 1 : SIZE_MAX;
    rc = hs_rows_walk_blocks(rows, border[to], tile, walk, to - from, border + from, block_done, &t);
    HS_TRY(hs_team_agree(team, rc));
    if (alone) {
        goto out;
    }
    HS_TRY(team->rank == 0 ? finish(&t, team) : hand_over(&t, team));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_team_broadcast(team, 0, sum[i].v, sum[i].count * sizeof(double)));
    }
out:
    for (size_t i = 0; i < t.nodes; i++) {
        free(t.list[i].v);
    }
    return rc;
}
