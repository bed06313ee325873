/* CKA of many images: K and L a panel of rows at a time.
 *
 * Columns are centred, so K1 = 0 and row sums of K̃ are minus its diagonal: what is summed with them can be summed
 * as soon as a pair of images is at hand, and its K_ij and L_ij be forgotten. */
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/geom/cka_pairs.h"
#include "core/linalg/blas.h"

/* Rows of a block of a panel, columns of a product in float32 before sums go on in double, columns of a strip that one
 * thread sums. */
enum { SUB = 512, WIDTH = 8192, COLUMNS = 256, TILE_FLOATS = 1 << 24 };

typedef struct {
    const hs_centring *side[2];
    size_t first, count; /* rows of the panel at hand */
    size_t sub;          /* rows of a block of it */
    float *panel;        /* (count, d) centred, of one side */
    float *strip[2];     /* (count, n) rows first ... of K, of L, up to the diagonal */
    double *norm[2];     /* (n) K_ii, L_ii of the rows so far */
    float *tiles;        /* two, of either side */
    float *product;      /* (threads, SUB, SUB) */
    double *sum;         /* (threads, SUB, SUB) */
    hs_cka_pair *q;      /* XY, XX, YY */
    size_t s;            /* side at hand */
} tiled;

/* ---- Products ------------------------------------------------------------------------------------------ */

HS_SIMD static void add_product(size_t n, const float *from, int fresh, double *to)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (double)from[i] + (fresh ? 0 : to[i]);
    }
}

HS_SIMD static void round_row(size_t n, const double *from, float *to)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (float)from[i];
    }
}

/* Rows [r0, r0 + h) of the panel times those of B (w, d), to the columns `at` ... of the strip; B is the block itself:
 * on and below the diagonal. */
static int multiply(const tiled *t, size_t r0, size_t h, const float *B, size_t w, size_t at, int thread)
{
    size_t d = t->side[t->s]->rows->d, n = t->side[t->s]->rows->n;
    const float *A = t->panel + r0 * d;
    float *product = t->product + (size_t)thread * SUB * SUB;
    double *sum = t->sum + (size_t)thread * SUB * SUB;
    int rc = HS_OK;
    for (size_t c = 0; c < d; c += WIDTH) {
        size_t k = d - c < WIDTH ? d - c : WIDTH;
        if (A == B) {
            HS_TRY(hs_syrk_lower_f32(h, k, A + c, d, product, w));
        } else {
            HS_TRY(hs_gemm_f32(HS_NO_TRANS, HS_TRANS, h, w, k, 1, A + c, d, B + c, d, 0, product, w));
        }
        add_product(h * w, product, c == 0, sum);
    }
    for (size_t r = 0; r < h; r++) {
        round_row(w, sum + r * w, t->strip[t->s] + (r0 + r) * n + at);
    }
out:
    return rc;
}

static size_t block_rows(const tiled *t, size_t i)
{
    size_t left = t->count - i * t->sub;
    return left < t->sub ? left : t->sub;
}

static size_t blocks(const tiled *t)
{
    return (t->count + t->sub - 1) / t->sub;
}

/* Phase 0 centres a chunk of a tile of earlier rows where it lies, phase 1 multiplies it by a block of the panel. */
static int earlier(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    const tiled *t = ctx;
    size_t d = t->side[t->s]->rows->d;
    if (phase == 1) {
        return multiply(t, i * t->sub, block_rows(t, i), tile->data, tile->count, tile->first, tile->thread);
    }
    for (size_t r = 0; r < tile->count; r++) {
        float *x = tile->data + r * d + i * HS_ROWS_CHUNK;
        hs_centre_f32(t->side[t->s], tile->first + r, i, x, x);
    }
    return HS_OK;
}

/* Phase 0 centres a chunk of rows into the panel, phase 1 takes their squares. */
static int fill(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    const tiled *t = ctx;
    size_t d = t->side[t->s]->rows->d, at = i * HS_ROWS_CHUNK;
    float *to = t->panel + (tile->first - t->first) * d;
    if (phase == 1) {
        for (size_t r = i; r < tile->count; r += hs_rows_chunks(d)) {
            t->norm[t->s][tile->first + r] = hs_dot_f32(d, to + r * d, to + r * d);
        }
        return HS_OK;
    }
    for (size_t r = 0; r < tile->count; r++) {
        hs_centre_f32(t->side[t->s], tile->first + r, i, tile->data + r * d + at, to + r * d + at);
    }
    return HS_OK;
}

/* The panel's blocks by each other. */
static int within(const tiled *t)
{
    size_t m = blocks(t), d = t->side[t->s]->rows->d;
    int failed = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel for schedule(dynamic) num_threads(guard.threads)
    for (size_t p = 0; p < m * m; p++) {
        size_t i = m - 1 - p / m, j = p % m;
        int rc = i < j ? HS_OK
                       : multiply(t, i * t->sub, block_rows(t, i), t->panel + j * t->sub * d, block_rows(t, j),
                                  t->first + j * t->sub, omp_get_thread_num());
        if (rc != HS_OK) {
#pragma omp atomic write
            failed = rc;
        }
    }
    hs_blas_serial_end(guard);
    return failed == HS_OK
               ? HS_OK
               : hs_fail(failed, "rows %zu to %zu: a computation failed", t->first, t->first + t->count - 1);
}

/* At least hs_rows_tile(d, SUB). */
static size_t tile_most(size_t d)
{
    size_t fit = (size_t)TILE_FLOATS / d;
    return fit < 8 ? 8 : (fit < SUB ? fit : SUB);
}

/* Tiles of one size. */
static size_t tile_rows(size_t d, size_t rows)
{
    size_t most = tile_most(d);
    size_t tiles = (rows + most - 1) / most;
    return tiles > 0 ? (rows + tiles - 1) / tiles : most;
}

static int make_strip(tiled *t, size_t s, const hs_progress *progress)
{
    int rc;
    const hs_rows *rows = t->side[s]->rows;
    size_t chunks = hs_rows_chunks(rows->d), end = t->first + t->count;
    hs_walk load = {2, {chunks, chunks}, fill, t, omp_get_max_threads(), progress, "CKA", t->tiles};
    hs_walk walk = {2, {chunks, blocks(t)}, earlier, t, omp_get_max_threads(), progress, "CKA", t->tiles};
    t->s = s;
    HS_TRY(hs_rows_walk(rows, t->first, end, hs_rows_tile(rows->d, SUB), &load));
    HS_TRY(within(t));
    HS_TRY(t->first > 0 ? hs_rows_walk(rows, 0, t->first, tile_rows(rows->d, t->first), &walk) : HS_OK);
out:
    return rc;
}

/* ---- Sums over pairs of images ---------------------------------------------------------------------------- */

enum { LANES = 8, SUMS = 6 };

/* s <- sums over j < n of k l, k k, l l, k lsj + l ksj, k ksj, l lsj, where ksj is minus x_j, lsj minus y_j. */
HS_SIMD static void sum_row(size_t n, const float *k, const float *l, const double *x, const double *y, double s[SUMS])
{
    double v[SUMS][LANES] = {{0}};
    for (size_t j = 0; j < n; j += LANES) {
        size_t lanes = n - j < LANES ? n - j : LANES;
        for (size_t i = 0; i < lanes; i++) {
            double a = (double)k[j + i], b = (double)l[j + i];
            v[0][i] += a * b;
            v[1][i] += a * a;
            v[2][i] += b * b;
            v[3][i] -= a * y[j + i] + b * x[j + i];
            v[4][i] -= a * x[j + i];
            v[5][i] -= b * y[j + i];
        }
    }
    for (size_t m = 0; m < SUMS; m++) {
        s[m] = ((v[m][0] + v[m][4]) + (v[m][2] + v[m][6])) + ((v[m][1] + v[m][5]) + (v[m][3] + v[m][7]));
    }
}

/* The same from the other image of each pair: to[m][j] += what image i, of squares x and y, adds to each j < n. */
HS_SIMD static void sum_columns(size_t n, const float *k, const float *l, double x, double y, double *const to[SUMS])
{
    for (size_t j = 0; j < n; j++) {
        double a = (double)k[j], b = (double)l[j];
        to[0][j] += a * b;
        to[1][j] += a * a;
        to[2][j] += b * b;
        to[3][j] -= a * y + b * x;
        to[4][j] -= 2 * (a * x);
        to[5][j] -= 2 * (b * y);
    }
}

static void sum_panel(tiled *t)
{
    size_t n = t->side[0]->rows->n, end = t->first + t->count;
    hs_cka_pair *q = t->q;
    const double *x = t->norm[0], *y = t->norm[1];
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < t->count; r++) {
        double s[SUMS];
        sum_row(t->first + r, t->strip[0] + r * n, t->strip[1] + r * n, x, y, s);
        for (size_t m = 0; m < 3; m++) {
            q[m].p[t->first + r] += s[m];
            q[m].a[t->first + r] += m == 0 ? s[3] : 2 * s[3 + m];
        }
    }
#pragma omp parallel for schedule(dynamic)
    for (size_t c = 0; c < end; c += COLUMNS) {
        double *const to[SUMS] = {q[0].p + c, q[1].p + c, q[2].p + c, q[0].a + c, q[1].a + c, q[2].a + c};
        for (size_t r = 0; r < t->count; r++) {
            size_t i = t->first + r, wide = i <= c ? 0 : (i - c < COLUMNS ? i - c : COLUMNS);
            sum_columns(wide, t->strip[0] + r * n + c, t->strip[1] + r * n + c, x[i], y[i], to);
        }
    }
}

static void sum_diagonals(tiled *t)
{
    static const size_t of[3][2] = {{0, 1}, {0, 0}, {1, 1}};
    for (size_t m = 0; m < 3; m++) {
        const double *x = t->norm[of[m][0]], *y = t->norm[of[m][1]];
        for (size_t i = 0; i < t->side[0]->rows->n; i++) {
            t->q[m].ks[i] = -x[i];
            t->q[m].ls[i] = -y[i];
            t->q[m].diagonal += x[i] * y[i];
        }
    }
}

/* ---- All panels --------------------------------------------------------------------------------------------- */

/* Panels of one size, of SUB rows at least. */
static size_t panel_rows(size_t n, size_t d, size_t bytes)
{
    size_t fit = bytes / (sizeof(float) * (d + 2 * n));
    size_t panels = fit < SUB ? (n + SUB - 1) / SUB : (n + fit - 1) / fit;
    return (n + panels - 1) / panels;
}

static int tiled_new(tiled *t, size_t panel)
{
    int rc = HS_OK;
    size_t n = t->side[0]->rows->n, dx = t->side[0]->rows->d, dy = t->side[1]->rows->d;
    size_t tx = tile_most(dx) * dx, ty = tile_most(dy) * dy, threads = (size_t)omp_get_max_threads();
    HS_TRY(hs_alloc(panel, (dx > dy ? dx : dy) * sizeof *t->panel, &t->panel));
    HS_TRY(hs_alloc(2 * (tx > ty ? tx : ty), sizeof *t->tiles, &t->tiles));
    HS_TRY(hs_calloc(threads * SUB, SUB * sizeof *t->product, &t->product));
    HS_TRY(hs_calloc(threads * SUB, SUB * sizeof *t->sum, &t->sum));
    for (size_t s = 0; s < 2; s++) {
        HS_TRY(hs_alloc(panel, n * sizeof(float), &t->strip[s]));
        HS_TRY(hs_alloc(n, sizeof(double), &t->norm[s]));
    }
out:
    return rc;
}

static void tiled_free(tiled *t)
{
    free(t->panel);
    free(t->tiles);
    free(t->product);
    free(t->sum);
    for (size_t s = 0; s < 2; s++) {
        free(t->strip[s]);
        free(t->norm[s]);
    }
}

int hs_cka_tiled(const hs_centring *x, const hs_centring *y, size_t bytes, const hs_progress *progress, hs_cka *out)
{
    int rc = HS_OK;
    size_t n = x->rows->n, panel = panel_rows(n, x->rows->d > y->rows->d ? x->rows->d : y->rows->d, bytes);
    hs_cka_pair q[3] = {0};
    tiled t = {.side = {x, y}, .q = q};
    HS_TRY(tiled_new(&t, panel));
    for (size_t m = 0; m < 3; m++) {
        HS_TRY(hs_cka_pair_new(n, &q[m]));
    }
    for (t.first = 0; t.first < n; t.first += panel) {
        t.count = n - t.first < panel ? n - t.first : panel;
        size_t m = (t.count + SUB - 1) / SUB;
        t.sub = (t.count + m - 1) / m;
        HS_TRY(make_strip(&t, 0, progress));
        HS_TRY(make_strip(&t, 1, progress));
        sum_panel(&t);
    }
    sum_diagonals(&t);
    rc = hs_cka_conclude(n, q, out);
out:
    tiled_free(&t);
    for (size_t m = 0; m < 3; m++) {
        free(q[m].p);
    }
    return rc;
}
