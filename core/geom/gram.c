#include "core/geom/gram.h"

#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/rows_sum.h"
#include "core/linalg/blas.h"

enum { SUB = 128, BLOCK = 256, COV_ROWS = 512 };

static void mirror(size_t n, double *A)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            A[j * n + i] = A[i * n + j];
        }
    }
}

/* ---- Gram: a panel of rows in memory against all rows before it ------------------------------------- */

typedef struct {
    const hs_centring *c;
    size_t sub;          /* rows of a block of K */
    size_t first, count; /* of the panel */
    float *panel;        /* (count, d), as read */
    double *centred;     /* (chunks, sub, chunk) the tile, a block of rows for each chunk */
    double *scratch;     /* (threads, sub, chunk) */
    double *K;
} gram_pass;

static size_t rank_of(const hs_team *team)
{
    return team != NULL ? team->rank : 0;
}

/* Who makes a block of rows of K: in turn, since later ones are longer. */
static size_t owner(const hs_team *team, size_t block)
{
    return team != NULL ? block % team->size : 0;
}

/* Every block of rows goes from the rank that made it to all. */
static int exchange(const gram_pass *p)
{
    int rc = HS_OK;
    size_t n = p->c->rows->n;
    for (size_t r = 0; r < n && p->c->team != NULL; r += p->sub) {
        size_t count = n - r < p->sub ? n - r : p->sub;
        HS_TRY(hs_team_broadcast(p->c->team, owner(p->c->team, r / p->sub), p->K + r * n, count * n * sizeof(double)));
    }
out:
    return rc;
}

static void centre_tile(const gram_pass *p, size_t c, const hs_tile *tile)
{
    size_t d = p->c->rows->d, at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
    for (size_t r = 0; r < tile->count; r++) {
        hs_centre_f64(p->c, tile->first + r, c, tile->data + r * d + at, p->centred + p->sub * at + r * w);
    }
}

/* The block of K that i's rows of the panel share with the tile. */
static int gram_block(const gram_pass *p, size_t i, const hs_tile *tile)
{
    size_t n = p->c->rows->n, d = p->c->rows->d, r0 = i * p->sub;
    size_t h = p->count - r0 < p->sub ? p->count - r0 : p->sub;
    double *a = p->scratch + (size_t)tile->thread * p->sub * HS_ROWS_CHUNK;
    double *K = p->K + (p->first + r0) * n + tile->first;
    if (tile->first > p->first + r0 || owner(p->c->team, (p->first + r0) / p->sub) != rank_of(p->c->team)) {
        return HS_OK; /* above the diagonal, or another rank's */
    }
    for (size_t c = 0; c < hs_rows_chunks(d); c++) {
        size_t at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
        for (size_t r = 0; r < h; r++) {
            hs_centre_f64(p->c, p->first + r0 + r, c, p->panel + (r0 + r) * d + at, a + r * w);
        }
        int rc =
            hs_gemm_f64(HS_NO_TRANS, HS_TRANS, h, tile->count, w, 1, a, w, p->centred + p->sub * at, w, c > 0, K, n);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

static int gram_task(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    if (phase == 1) {
        return gram_block(ctx, i, tile);
    }
    centre_tile(ctx, i, tile);
    return HS_OK;
}

static size_t panel_rows(size_t d, size_t sub)
{
    size_t fit = ((size_t)1 << 24) / d / sub * sub;
    return fit > sub ? fit : sub;
}

int hs_gram_bytes(size_t d, size_t *bytes)
{
    size_t sub = hs_rows_tile(d, SUB), threads = (size_t)omp_get_max_threads(), scratch;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, (uint64_t[]){panel_rows(d, sub) + 4 * sub, d, sizeof(float)}, bytes));
    HS_TRY(hs_size_product(4, (uint64_t[]){threads, sub, HS_ROWS_CHUNK, sizeof(double)}, &scratch));
    HS_TRY(hs_size_add(*bytes, scratch, bytes));
out:
    return rc;
}

static int all_panels(gram_pass *p, size_t panel, const hs_progress *progress)
{
    int rc = HS_OK;
    const hs_rows *rows = p->c->rows;
    for (p->first = 0; p->first < rows->n; p->first += panel) {
        p->count = rows->n - p->first < panel ? rows->n - p->first : panel;
        HS_TRY(rows->read(rows->ctx, p->first, p->count, p->panel));
        hs_walk walk = {2,
                        {hs_rows_chunks(rows->d), (p->count + p->sub - 1) / p->sub},
                        gram_task,
                        p,
                        omp_get_max_threads(),
                        progress,
                        "Gram matrix",
                        NULL};
        HS_TRY(hs_rows_walk(rows, 0, p->first + p->count, p->sub, &walk));
    }
out:
    return rc;
}

int hs_gram(const hs_centring *c, const hs_progress *progress, double *K)
{
    const hs_rows *rows = c->rows;
    gram_pass p = {.c = c, .sub = hs_rows_tile(rows->d, SUB), .K = K};
    size_t panel = panel_rows(rows->d, p.sub);
    size_t threads = (size_t)omp_get_max_threads();
    int rc = HS_OK;
    panel = panel < rows->n ? panel : rows->n;
    HS_TRY(hs_alloc(panel * rows->d, sizeof *p.panel, &p.panel));
    HS_TRY(hs_alloc(p.sub * rows->d, sizeof *p.centred, &p.centred));
    HS_TRY(hs_alloc(threads * p.sub * HS_ROWS_CHUNK, sizeof *p.scratch, &p.scratch));
    rc = all_panels(&p, panel, progress);
    HS_TRY(hs_team_agree(c->team, rc));
    HS_TRY(exchange(&p));
    mirror(rows->n, K);
out:
    free(p.panel);
    free(p.centred);
    free(p.scratch);
    return rc;
}

/* ---- Covariance: blocks of C, each tile added to all of them ----------------------------------------- */

typedef struct {
    const hs_centring *c;
    double *X; /* (tile rows, d) centred */
    double *C;
    const size_t (*block)[2]; /* row and column of each block of the lower triangle */
} cov_pass;

static int cov_task(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    cov_pass *p = ctx;
    size_t d = p->c->rows->d;
    if (phase == 0) {
        for (size_t r = 0; r < tile->count; r++) {
            size_t at = r * d + i * HS_ROWS_CHUNK;
            hs_centre_f64(p->c, tile->first + r, i, tile->data + at, p->X + at);
        }
        return HS_OK;
    }
    size_t r0 = p->block[i][0] * BLOCK, c0 = p->block[i][1] * BLOCK;
    size_t h = d - r0 < BLOCK ? d - r0 : BLOCK, w = d - c0 < BLOCK ? d - c0 : BLOCK;
    return hs_gemm_f64(HS_TRANS, HS_NO_TRANS, h, w, tile->count, 1, p->X + r0, d, p->X + c0, d, !tile->fresh,
                       p->C + r0 * d + c0, d);
}

int hs_covariance_bytes(size_t d, size_t *bytes)
{
    size_t tree;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, (uint64_t[]){hs_rows_tile(d, COV_ROWS), d, 2 * sizeof(float) + sizeof(double)}, bytes));
    HS_TRY(hs_size_mul(d, d, &tree));
    HS_TRY(hs_sum_bytes(tree, &tree));
    HS_TRY(hs_size_add(*bytes, tree, bytes));
out:
    return rc;
}

int hs_covariance(const hs_centring *c, const hs_progress *progress, double *C)
{
    size_t d = c->rows->d, tile = hs_rows_tile(d, COV_ROWS), across = (d + BLOCK - 1) / BLOCK, count = 0;
    size_t(*block)[2] = NULL;
    cov_pass p = {.c = c, .C = C};
    int rc = HS_OK;
    HS_TRY(hs_alloc(tile * d, sizeof *p.X, &p.X));
    HS_TRY(hs_alloc(across * (across + 1) / 2, sizeof *block, &block));
    for (size_t i = 0; i < across; i++) {
        for (size_t j = 0; j <= i; j++, count++) {
            block[count][0] = i;
            block[count][1] = j;
        }
    }
    p.block = (const size_t(*)[2])block;
    int threads = omp_get_max_threads();
    hs_walk walk = {2, {hs_rows_chunks(d), count}, cov_task, &p, threads, progress, "covariance matrix", NULL};
    HS_TRY(hs_rows_sum(c->rows, c->team, tile, &walk, 1, &(hs_sum){C, d * d}));
    mirror(d, C);
out:
    free(p.X);
    free(block);
    return rc;
}
