/* A panel of rows in memory against all rows before it and against itself, by the kernels of panel.h: what is centred
 * is laid out for them as it is read, and no library packs it once more for every block. */
#include "core/geom/gram_strip.h"

#include <omp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/base/sizes.h"
#include "core/linalg/blas.h"
#include "core/linalg/panel.h"
#include "core/linalg/turn.h"

enum {
    TILE = 512,            /* rows of a tile, */
    TILE_FLOATS = 1 << 24, /* and what it may hold, */
    LEAST = 8,             /* unless it were fewer rows than these */
    BLOCK = 96,            /* rows of the panel that stay in a cache while they are multiplied */
    PART = 4,              /* chunks whose products are summed in float32; sums of those go on in double */
    PAD = 16               /* floats between rows of the panel, which would share a few lines of the caches else */
};

struct hs_gram_strip {
    const hs_panel_kernel *kernel;
    const hs_centring *c;
    size_t first, count; /* rows of the panel */
    float *panel;        /* (chunks, count, chunk + PAD) centred: the rows of the strip at hand */
    float *tiles;        /* two of other rows */
    float *laid;         /* (chunks, tile / width, chunk, width): the factor at hand, in panels of the kernel */
    float *product;      /* (threads, TILE / width, BLOCK, width) */
    double *sum;         /* (count, rows of the factor) of the parts so far */
    size_t taken;        /* steps that threads have begun */
    size_t *added;       /* (blocks) parts that are in the sum */
    float *strip;        /* the caller's */
    double *norm;
};

/* Rows of a tile; at least hs_rows_tile(d, TILE). */
static size_t tile_most(size_t d)
{
    size_t fit = hs_size_min(TILE_FLOATS / d, TILE);
    return fit < LEAST ? LEAST : fit;
}

/* What tiles of d features or fewer need. */
static size_t tile_floats(size_t d)
{
    size_t floats = hs_size_min(TILE * d, TILE_FLOATS);
    return floats < LEAST * d ? LEAST * d : floats;
}

/* Tiles of one size. */
static size_t tile_rows(size_t d, size_t rows)
{
    size_t tiles = (rows + tile_most(d) - 1) / tile_most(d);
    return (rows + tiles - 1) / tiles;
}

/* Columns of chunk c. */
static size_t deep(const hs_gram_strip *g, size_t c)
{
    return hs_rows_chunk_width(g->c->rows->d, c);
}

/* Chunk c of row r of the panel; the next row's is deep + PAD further on. */
static float *in_panel(const hs_gram_strip *g, size_t c, size_t r)
{
    return g->panel + c * g->count * (HS_ROWS_CHUNK + PAD) + r * (deep(g, c) + PAD);
}

/* ---- Products ------------------------------------------------------------------------------------------ */

/* What rows from ... of the panel are multiplied by: rows at ... at + w of the side. */
typedef struct {
    size_t w, at, from;
} factor;

/* Chunk c of the factor's rows j ..., width of them. */
static float *in_factor(const hs_gram_strip *g, size_t c, size_t j)
{
    size_t room = hs_size_round_up(tile_most(g->c->rows->d), g->kernel->width);
    return g->laid + c * HS_ROWS_CHUNK * room + j * deep(g, c);
}

/* Lays out chunk c of the factor's rows j ..., which lie at X, ld apart, and are `rows` in number. */
static void lay(const hs_gram_strip *g, size_t c, size_t j, size_t rows, const float *X, size_t ld)
{
    size_t k = deep(g, c), width = g->kernel->width;
    float *to = in_factor(g, c, j);
    if (rows < width) {
        memset(to, 0, k * width * sizeof *to);
    }
    hs_turn_f32(k, rows, X, ld, to, width);
}

/* A block of the panel times the factor, over one part of the columns. */
typedef struct {
    size_t block, part;
    size_t r, h;    /* its rows of the panel */
    size_t columns; /* of the factor as far as the diagonal */
} step;

static size_t parts(const hs_gram_strip *g)
{
    return hs_size_round_up(hs_rows_chunks(g->c->rows->d), PART) / PART;
}

static void begin(hs_gram_strip *g)
{
    g->taken = 0;
    memset(g->added, 0, (g->count / BLOCK + 1) * sizeof *g->added);
}

/* The next step that no thread has begun, of one part after the other, so that threads share what caches hold of the
 * factor; 0 when there is none left. */
static int take(hs_gram_strip *g, const factor *f, step *s)
{
    size_t i, blocks = hs_size_round_up(g->count - f->from, BLOCK) / BLOCK;
#pragma omp atomic capture
    i = g->taken++;
    s->block = i % blocks;
    s->part = i / blocks;
    s->r = f->from + s->block * BLOCK;
    s->h = hs_size_min(g->count - s->r, BLOCK);
    s->columns = hs_size_min(g->first + s->r + s->h - f->at, f->w);
    return s->part < parts(g);
}

static void multiply(const hs_gram_strip *g, const step *s, float *product)
{
    size_t width = g->kernel->width, first = s->part * PART;
    size_t end = hs_size_min(first + PART, hs_rows_chunks(g->c->rows->d));
    for (size_t c = first; c < end; c++) {
        const float *A = in_panel(g, c, s->r);
        for (size_t j = 0; j < s->columns; j += width) {
            g->kernel->run(s->h, deep(g, c), A, deep(g, c) + PAD, in_factor(g, c, j), c > first, product + j * BLOCK,
                           width);
        }
    }
}

/* Until the block's parts before this one are in the sum: always in the same order. */
static void wait_for_turn(const hs_gram_strip *g, const step *s)
{
    size_t added;
    for (;;) {
#pragma omp atomic read acquire
        added = g->added[s->block];
        if (added == s->part) {
            return;
        }
        sched_yield();
    }
}

HS_SIMD static void add_row(size_t n, const float *from, int fresh, double *to)
{
    for (size_t j = 0; j < n; j++) {
        to[j] = (double)from[j] + (fresh ? 0 : to[j]);
    }
}

HS_SIMD static void round_row(size_t n, const double *from, float *to)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = (float)from[i];
    }
}

/* To the sum, and after the last part to the strip. */
static void add(const hs_gram_strip *g, const factor *f, const step *s, const float *product)
{
    size_t width = g->kernel->width, n = g->c->rows->n;
    for (size_t i = 0; i < s->h; i++) {
        double *sum = g->sum + (s->r + i) * f->w;
        for (size_t j = 0; j < s->columns; j += width) {
            add_row(hs_size_min(s->columns - j, width), product + j * BLOCK + i * width, s->part == 0, sum + j);
        }
        if (s->part + 1 == parts(g)) {
            round_row(s->columns, sum, g->strip + (s->r + i) * n + f->at);
        }
    }
#pragma omp atomic write release
    g->added[s->block] = s->part + 1;
}

/* What each thread does of the panel times the factor. */
static void share(hs_gram_strip *g, const factor *f)
{
    float *product = g->product + (size_t)omp_get_thread_num() * BLOCK * hs_size_round_up(TILE, g->kernel->width);
    step s;
    while (take(g, f, &s)) {
        multiply(g, &s, product);
        wait_for_turn(g, &s);
        add(g, f, &s, product);
    }
}

/* Phase 0 centres a chunk of a tile of earlier rows and lays it out, phase 1 multiplies the panel by it. */
static int earlier(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    hs_gram_strip *g = ctx;
    size_t d = g->c->rows->d, width = g->kernel->width;
    if (phase == 1) {
        share(g, &(factor){tile->count, tile->first, 0});
        return HS_OK;
    }
    if (i == 0) {
        begin(g);
    }
    for (size_t j = 0; j < tile->count; j += width) {
        float *X = tile->data + j * d + i * HS_ROWS_CHUNK;
        size_t rows = hs_size_min(tile->count - j, width);
        for (size_t r = 0; r < rows; r++) {
            hs_centre_f32(g->c, tile->first + j + r, i, X + r * d, X + r * d);
        }
        lay(g, i, j, rows, X, d);
    }
    return HS_OK;
}

/* The panel's rows by each other: all from one tile of them on by that tile. */
static void within(hs_gram_strip *g)
{
    size_t width = g->kernel->width, most = tile_most(g->c->rows->d);
#pragma omp parallel
    for (size_t from = 0; from < g->count; from += most) {
        const factor f = {hs_size_min(g->count - from, most), g->first + from, from};
#pragma omp for schedule(static)
        for (size_t c = 0; c < hs_rows_chunks(g->c->rows->d); c++) {
            if (c == 0) {
                begin(g);
            }
            for (size_t j = 0; j < f.w; j += width) {
                lay(g, c, j, hs_size_min(f.w - j, width), in_panel(g, c, from + j), deep(g, c) + PAD);
            }
        }
        share(g, &f);
#pragma omp barrier
    }
}

/* Phase 0 centres a chunk of rows into the panel, phase 1 takes their squares. */
static int fill(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    const hs_gram_strip *g = ctx;
    size_t d = g->c->rows->d, chunks = hs_rows_chunks(d), at = tile->first - g->first;
    if (phase == 0) {
        for (size_t r = 0; r < tile->count; r++) {
            hs_centre_f32(g->c, tile->first + r, i, tile->data + r * d + i * HS_ROWS_CHUNK, in_panel(g, i, at + r));
        }
        return HS_OK;
    }
    for (size_t r = i; r < tile->count; r += chunks) {
        double sum = 0;
        for (size_t c = 0; c < chunks; c++) {
            const float *x = in_panel(g, c, at + r);
            sum += hs_dot_f32(deep(g, c), x, x);
        }
        g->norm[tile->first + r] = sum;
    }
    return HS_OK;
}

int hs_gram_strip_make(hs_gram_strip *g, const hs_centring *c, size_t first, size_t count, const hs_progress *progress,
                       float *strip, double *norm)
{
    int rc;
    const hs_rows *rows = c->rows;
    size_t chunks = hs_rows_chunks(rows->d);
    hs_walk load = {2, {chunks, chunks}, fill, g, omp_get_max_threads(), progress, "Gram matrix", g->tiles};
    hs_walk walk = {2, {chunks, (size_t)load.threads}, earlier, g, load.threads, progress, "Gram matrix", g->tiles};
    g->c = c;
    g->first = first;
    g->count = count;
    g->strip = strip;
    g->norm = norm;
    HS_TRY(hs_rows_walk(rows, first, first + count, hs_rows_tile(rows->d, TILE), &load));
    within(g);
    HS_TRY(first > 0 ? hs_rows_walk(rows, 0, first, tile_rows(rows->d, first), &walk) : HS_OK);
out:
    return rc;
}

int hs_gram_strip_new(size_t rows, size_t d, hs_gram_strip **out)
{
    int rc = HS_OK;
    hs_gram_strip *g = NULL;
    const hs_panel_kernel *kernel = hs_panel_best();
    size_t tile = tile_floats(d), width = kernel->width, row = d + hs_rows_chunks(d) * PAD;
    HS_TRY(hs_calloc(1, sizeof *g, &g));
    g->kernel = kernel;
    HS_TRY(hs_alloc(rows, row * sizeof *g->panel, &g->panel));
    HS_TRY(hs_alloc(2, tile * sizeof *g->tiles, &g->tiles));
    HS_TRY(hs_alloc(tile + width * d, sizeof *g->laid, &g->laid));
    HS_TRY(hs_alloc((size_t)omp_get_max_threads() * BLOCK, hs_size_round_up(TILE, width) * sizeof *g->product,
                    &g->product));
    HS_TRY(hs_alloc(rows, TILE * sizeof *g->sum, &g->sum));
    HS_TRY(hs_alloc(rows / BLOCK + 1, sizeof *g->added, &g->added));
    hs_alloc_sweeping(g->panel, rows * row * sizeof *g->panel);
    hs_alloc_sweeping(g->tiles, 2 * tile * sizeof *g->tiles);
    hs_alloc_sweeping(g->laid, (tile + width * d) * sizeof *g->laid);
    *out = g;
    g = NULL;
out:
    hs_gram_strip_free(g);
    return rc;
}

void hs_gram_strip_free(hs_gram_strip *g)
{
    if (g != NULL) {
        free(g->panel);
        free(g->tiles);
        free(g->laid);
        free(g->product);
        free(g->sum);
        free(g->added);
        free(g);
    }
}
