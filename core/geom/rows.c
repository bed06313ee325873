#include "core/geom/rows.h"

#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/geom/rows_sum.h"
#include "core/linalg/blas.h"

static int mat_read(void *ctx, size_t first, size_t count, float *out)
{
    const hs_mat *A = ctx;
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * A->cols, hs_mat_row(*A, first + i), A->cols * sizeof *out);
    }
    return HS_OK;
}

hs_rows hs_rows_of_mat(const hs_mat *A)
{
    union {
        const hs_mat *in;
        void *out;
    } ctx = {.in = A}; /* only ever read through */
    return (hs_rows){A->rows, A->cols, 1, mat_read, ctx.out};
}

size_t hs_rows_tile(size_t d, size_t most)
{
    size_t fit = ((size_t)1 << 22) / (d > 0 ? d : 1);
    return fit < 8 ? 8 : (fit < most ? fit : most);
}

size_t hs_rows_chunks(size_t d)
{
    return (d + HS_ROWS_CHUNK - 1) / HS_ROWS_CHUNK;
}

size_t hs_rows_chunk_width(size_t d, size_t chunk)
{
    size_t left = d - chunk * HS_ROWS_CHUNK;
    return left < HS_ROWS_CHUNK ? left : HS_ROWS_CHUNK;
}

/* ---- Walking -------------------------------------------------------------------------------------- */

typedef struct {
    const hs_rows *rows;
    const hs_walk *walk;
    size_t from, to, tile;
    float *buffer[2];
    int fresh; /* of the tile at hand */
} walker;

static int read_tile(walker *w, size_t first, float *out)
{
    size_t count = w->to - first < w->tile ? w->to - first : w->tile;
    int rc = hs_progress_tell(w->walk->progress, w->walk->what, first - w->from, w->to - w->from);
    return rc != HS_OK ? rc : w->rows->read(w->rows->ctx, first, count, out);
}

/* Works on one tile while the calling thread reads the next one. */
static int walk_tile(walker *w, size_t first, float *now, float *next)
{
    const hs_walk *k = w->walk;
    size_t count = w->to - first < w->tile ? w->to - first : w->tile;
    int read_rc = HS_OK, task_rc = HS_OK;
#pragma omp parallel num_threads(k->threads)
    {
        hs_tile tile = {now, first, count, omp_get_thread_num(), w->fresh};
#pragma omp master
        {
            read_rc = first + count < w->to ? read_tile(w, first + count, next) : HS_OK;
        }
        for (size_t p = 0; p < k->phases; p++) {
#pragma omp for schedule(dynamic)
            for (size_t i = 0; i < k->tasks[p]; i++) {
                int rc = k->task(k->ctx, p, i, &tile);
                if (rc != HS_OK) {
#pragma omp atomic write
                    task_rc = rc;
                }
            }
        }
    }
    if (read_rc == HS_OK && task_rc != HS_OK) {
        return hs_fail(task_rc, "rows %zu to %zu: a computation failed", first, first + count - 1);
    }
    return read_rc;
}

static int nothing(void *ctx, size_t i)
{
    (void)ctx;
    (void)i;
    return HS_OK;
}

int hs_rows_walk_blocks(const hs_rows *rows, size_t to, size_t tile, const hs_walk *walk, size_t n,
                        const size_t *border, int (*done)(void *ctx, size_t i), void *ctx)
{
    walker w = {.rows = rows, .walk = walk, .from = n > 0 ? border[0] : to, .to = to, .tile = tile};
    size_t floats, block = 0;
    float *own = NULL;
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_size_mul(tile, rows->d, &floats));
    if (walk->scratch == NULL) {
        HS_TRY(hs_alloc(floats, 2 * sizeof(float), &own));
    }
    w.buffer[0] = own != NULL ? own : walk->scratch;
    w.buffer[1] = w.buffer[0] + floats;
    if (w.from < to) {
        HS_TRY(read_tile(&w, w.from, w.buffer[0]));
    }
    for (size_t first = w.from, turn = 0; first < to; first += tile, turn ^= 1) {
        w.fresh = first == border[block];
        HS_TRY(walk_tile(&w, first, w.buffer[turn], w.buffer[turn ^ 1]));
        if (first + tile >= (block + 1 < n ? border[block + 1] : to)) {
            HS_TRY(done(ctx, block));
            block++;
        }
    }
out:
    hs_blas_serial_end(guard);
    free(own);
    return rc;
}

int hs_rows_walk(const hs_rows *rows, size_t from, size_t to, size_t tile, const hs_walk *walk)
{
    return hs_rows_walk_blocks(rows, to, tile, walk, 1, &from, nothing, NULL);
}

/* ---- Centring ------------------------------------------------------------------------------------- */

HS_SIMD static void centre_f32(size_t n, const double *mean, double scale, const float *x, float *out)
{
    for (size_t j = 0; j < n; j++) {
        out[j] = (float)(((double)x[j] - mean[j]) * scale);
    }
}

HS_SIMD static void centre_f64(size_t n, const double *mean, double scale, const float *x, double *out)
{
    for (size_t j = 0; j < n; j++) {
        out[j] = ((double)x[j] - mean[j]) * scale;
    }
}

static const double *mean_of(const hs_centring *c, size_t row, size_t chunk)
{
    return c->mean + row % c->rows->groups * c->rows->d + chunk * HS_ROWS_CHUNK;
}

void hs_centre_f32(const hs_centring *c, size_t row, size_t chunk, const float *x, float *out)
{
    centre_f32(hs_rows_chunk_width(c->rows->d, chunk), mean_of(c, row, chunk), c->scale, x, out);
}

void hs_centre_f64(const hs_centring *c, size_t row, size_t chunk, const float *x, double *out)
{
    centre_f64(hs_rows_chunk_width(c->rows->d, chunk), mean_of(c, row, chunk), c->scale, x, out);
}

/* Sums are of differences from the group's first row: exact zeros for constant features, and no
 * cancellation when the offset is large beside the spread. */
typedef struct {
    const hs_rows *rows;
    float *shift;   /* (groups, d) */
    double *sum;    /* (groups, d) */
    double *spread; /* (chunks) largest |x - shift| */
    size_t *bad;    /* (chunks, 2) row and feature of the first value that isn't finite */
} mean_pass;

HS_SIMD static double add_shifted(size_t n, const float *x, const float *shift, double *sum)
{
    double most = 0;
    for (size_t j = 0; j < n; j++) {
        double v = (double)x[j] - (double)shift[j];
        sum[j] += v;
        v = fabs(v);
        most = v > most ? v : most;
    }
    return most;
}

static int all_finite(size_t n, const double *x)
{
    double zero = 0;
    for (size_t j = 0; j < n; j++) {
        zero += x[j] * 0;
    }
    return zero == 0;
}

/* Where the tile has its first value of a chunk that isn't finite, if its sums tell that there is one. */
static void find_bad(mean_pass *p, size_t c, const hs_tile *tile)
{
    size_t d = p->rows->d, at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
    for (size_t i = 0; i < tile->count && p->bad[2 * c] == SIZE_MAX; i++) {
        for (size_t j = 0; j < w; j++) {
            if (!isfinite(tile->data[i * d + at + j])) {
                p->bad[2 * c] = tile->first + i;
                p->bad[2 * c + 1] = at + j;
                break;
            }
        }
    }
}

static int mean_task(void *ctx, size_t phase, size_t c, const hs_tile *tile)
{
    mean_pass *p = ctx;
    size_t d = p->rows->d, at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
    (void)phase;
    for (size_t g = 0; tile->fresh && g < p->rows->groups; g++) {
        memset(p->sum + g * d + at, 0, w * sizeof *p->sum);
    }
    for (size_t i = 0; i < tile->count; i++) {
        size_t row = tile->first + i, g = row % p->rows->groups;
        const float *x = tile->data + i * d + at;
        double most = add_shifted(w, x, p->shift + g * d + at, p->sum + g * d + at);
        p->spread[c] = fmax(p->spread[c], most);
    }
    size_t met = tile->count < p->rows->groups ? tile->count : p->rows->groups;
    for (size_t i = 0; i < met && p->bad[2 * c] == SIZE_MAX; i++) {
        if (!all_finite(w, p->sum + (tile->first + i) % p->rows->groups * d + at)) {
            find_bad(p, c, tile);
        }
    }
    return HS_OK;
}

/* Names the first value that isn't finite. */
static int name_bad(const mean_pass *p)
{
    size_t row = SIZE_MAX, feature = 0;
    for (size_t c = hs_rows_chunks(p->rows->d); c-- > 0;) {
        if (p->bad[2 * c] <= row) {
            row = p->bad[2 * c];
            feature = p->bad[2 * c + 1];
        }
    }
    return hs_fail(HS_EDEGENERATE, "row %zu, feature %zu is not a finite number", row, feature);
}

static int sums_to_means(const mean_pass *p, double *mean, double *scale)
{
    size_t groups = p->rows->groups, d = p->rows->d, n = p->rows->n;
    double most = 0;
    int e;
    for (size_t g = 0; g < groups; g++) {
        double count = (double)((n - g + groups - 1) / groups);
        for (size_t j = 0; j < d; j++) {
            mean[g * d + j] = (double)p->shift[g * d + j] + p->sum[g * d + j] / count;
        }
    }
    for (size_t c = 0; c < hs_rows_chunks(d); c++) {
        most = fmax(most, p->spread[c]);
    }
    if (most == 0) {
        return hs_fail(HS_EDEGENERATE, "all %zu rows coincide%s: there is no variance", n,
                       groups > 1 ? " within their groups" : "");
    }
    frexp(2 * most, &e); /* a mean lies within the spread, so |x - mean| <= 2 most */
    *scale = ldexp(1, -e);
    return HS_OK;
}

static int check_rows(const hs_rows *r)
{
    if (r->n == 0 || r->d == 0 || r->groups == 0) {
        return hs_fail(HS_ERANGE, "%zu rows of %zu features in %zu groups: nothing to centre", r->n, r->d, r->groups);
    }
    if (r->n <= r->groups) {
        return hs_fail(HS_EDEGENERATE, "%zu row%s, %zu mean%s: nothing varies", r->n, r->n == 1 ? "" : "s", r->groups,
                       r->groups == 1 ? "" : "s");
    }
    return HS_OK;
}

int hs_centring_new(const hs_rows *rows, const hs_progress *progress, hs_centring *out)
{
    return hs_centring_shared(rows, NULL, progress, out);
}

/* The sums over this rank's rows, or the name of the first value among them that isn't finite. */
static int sum_rows(mean_pass *p, hs_team *team, const hs_progress *progress, size_t all)
{
    size_t chunks = hs_rows_chunks(p->rows->d);
    const hs_sum sum = {p->sum, all};
    hs_walk walk = {1, {chunks}, mean_task, p, omp_get_max_threads(), progress, "means", NULL};
    int rc = hs_rows_sum(p->rows, team, hs_rows_tile(p->rows->d, 512), &walk, 1, &sum);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t c = 0; c < chunks && rc == HS_OK; c++) {
        rc = p->bad[2 * c] != SIZE_MAX ? name_bad(p) : HS_OK;
    }
    rc = hs_team_agree(team, rc); /* on the first, which the lowest rank of them has found */
    return rc != HS_OK ? rc : hs_team_max(team, p->spread, chunks);
}

int hs_centring_shared(const hs_rows *rows, hs_team *team, const hs_progress *progress, hs_centring *out)
{
    mean_pass p = {.rows = rows};
    size_t chunks = hs_rows_chunks(rows->d), all;
    double *mean = NULL, scale = 1;
    int rc = HS_OK;
    HS_TRY(check_rows(rows));
    HS_TRY(hs_size_mul(rows->groups, rows->d, &all));
    HS_TRY(hs_alloc(all, sizeof *mean, &mean));
    HS_TRY(hs_alloc(all, sizeof *p.shift, &p.shift));
    HS_TRY(hs_alloc(all, sizeof *p.sum, &p.sum));
    HS_TRY(hs_calloc(chunks, sizeof *p.spread, &p.spread));
    HS_TRY(hs_alloc(2 * chunks, sizeof *p.bad, &p.bad));
    memset(p.bad, 0xff, 2 * chunks * sizeof *p.bad);
    HS_TRY(rows->read(rows->ctx, 0, rows->groups, p.shift));
    HS_TRY(sum_rows(&p, team, progress, all));
    HS_TRY(sums_to_means(&p, mean, &scale));
    *out = (hs_centring){rows, mean, scale, team};
    mean = NULL;
out:
    free(mean);
    free(p.shift);
    free(p.sum);
    free(p.spread);
    free(p.bad);
    return rc;
}

void hs_centring_free(hs_centring *c)
{
    if (c != NULL) {
        free(c->mean);
        *c = (hs_centring){0};
    }
}

int hs_centred_f64(hs_mat A, double *out)
{
    hs_rows rows = hs_rows_of_mat(&A);
    hs_centring c = {0};
    int rc = hs_centring_new(&rows, NULL, &c);
    for (size_t i = 0; rc == HS_OK && i < A.rows; i++) {
        for (size_t k = 0; k < hs_rows_chunks(A.cols); k++) {
            size_t at = k * HS_ROWS_CHUNK;
            hs_centre_f64(&c, i, k, hs_mat_row(A, i) + at, out + i * A.cols + at);
        }
    }
    hs_centring_free(&c);
    return rc;
}
