/* Goto's blocking, with the weights' panels of panel.h: a block of op(A) is laid out once for all columns, a panel
 * of op(B) for all rows of that block.  C is cut over threads; where the cuts fall changes no sum. */
#include "core/linalg/sgemm.h"

#include <assert.h>
#include <omp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/base/sizes.h"
#include "core/linalg/panel.h"
#include "core/linalg/turn.h"

enum {
    DEEP = 256,      /* of k at once: a panel stays in the first cache */
    TALL = 192,      /* rows of op(A) laid out at once, and */
    WIDE = 512,      /* columns of op(B): the second cache holds the most of it */
    ROWS = 96,       /* rows of products at once */
    WIDEST = 32,     /* panel */
    LINE = 16,       /* floats of a cache line */
    LEAST = 64 << 10 /* products a thread must find to be worth waking */
};

typedef struct {
    const hs_panel_kernel *kernel;
    int transa, transb;
    size_t m, n, k;
    float alpha;
    const float *A;
    size_t lda;
    const float *B;
    size_t ldb;
    float beta;
    float *C;
    size_t ldc;
} product;

/* Rows [i0, i1) and columns [j0, j1) of C. */
typedef struct {
    size_t i0, i1, j0, j1;
} rectangle;

/* to (rows, cols) <- the block of op(X) that begins at (i, j) */
static void lay_out(int trans, const float *X, size_t ld, size_t i, size_t j, size_t rows, size_t cols, float *to,
                    size_t to_ld)
{
    if (trans) {
        hs_turn_f32(rows, cols, X + j * ld + i, ld, to, to_ld);
        return;
    }
    for (size_t r = 0; r < rows; r++) {
        memcpy(to + r * to_ld, X + (i + r) * ld + j, cols * sizeof *to);
    }
}

/* c (n) <- alpha t + beta c; of n = LINE the compiler makes vectors without a loop. */
__attribute__((always_inline)) static inline void merge_run(size_t n, float alpha, const float *t, float beta, float *c)
{
    if (beta == 0) {
        for (size_t j = 0; j < n; j++) {
            c[j] = alpha * t[j];
        }
    } else {
        for (size_t j = 0; j < n; j++) {
            c[j] = alpha * t[j] + beta * c[j];
        }
    }
}

/* C <- alpha T + beta C */
HS_SIMD static void merge(size_t rows, size_t cols, float alpha, const float *T, size_t ldt, float beta, float *C,
                          size_t ldc)
{
    for (size_t i = 0; i < rows; i++, T += ldt, C += ldc) {
        size_t j = 0;
        for (; j + LINE <= cols; j += LINE) {
            merge_run(LINE, alpha, T + j, beta, C + j);
        }
        merge_run(cols - j, alpha, T + j, beta, C + j);
    }
}

/* Laid out blocks: as large as caches like them, or small ones where memory is short.  No sum depends on their size. */
typedef struct {
    size_t tall, wide, rows;
    float *panel; /* (DEEP, wide) of op(B), one panel after the other */
    float *row;   /* (tall, DEEP) of op(A) */
    float *T;     /* (rows, WIDEST), their product */
} blocks;

enum { SMALL = 24, SMALL_FLOATS = DEEP * WIDEST + SMALL * DEEP + SMALL * WIDEST };

static pthread_key_t key;
static int keyed;

static void make_key(void)
{
    keyed = pthread_key_create(&key, free) == 0;
}

/* Those of this thread, had at its first product and kept until it ends: nothing is allocated inside a network's step.
 */
static float *kept_floats(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    float *kept = NULL;
    if (pthread_once(&once, make_key) != 0 || !keyed) {
        return NULL;
    }
    kept = pthread_getspecific(key);
    if (kept != NULL || hs_alloc(DEEP * WIDE + TALL * DEEP + ROWS * WIDEST, sizeof *kept, &kept) != HS_OK) {
        return kept;
    }
    if (pthread_setspecific(key, kept) != 0) {
        free(kept);
        kept = NULL;
    }
    return kept;
}

/* small: SMALL_FLOATS for when there are no others. */
static blocks blocks_of(float *small)
{
    float *at = kept_floats();
    blocks b = {TALL, WIDE, ROWS, at, NULL, NULL};
    if (at == NULL) {
        b = (blocks){SMALL, WIDEST, SMALL, small, NULL, NULL};
    }
    b.row = b.panel + DEEP * b.wide;
    b.T = b.row + b.tall * DEEP;
    return b;
}

/* The panels of the products [p, p + k) of columns j to j + cols. */
static void lay_panels(const product *g, size_t p, size_t k, size_t j, size_t cols, float *panel)
{
    size_t width = g->kernel->width;
    for (size_t c = 0; c < cols; c += width, panel += k * width) {
        size_t now = hs_size_min(width, cols - c);
        if (now < width) {
            memset(panel, 0, k * width * sizeof *panel);
        }
        lay_out(g->transb, g->B, g->ldb, p, j + c, k, now, panel, width);
    }
}

/* What the products [p, p + k) contribute to a block of C; its panels are laid out. */
static void block(const product *g, const rectangle *r, size_t p, size_t k, const blocks *b)
{
    size_t width = g->kernel->width;
    float beta = p == 0 ? g->beta : 1;
    int straight = g->alpha == 1 && (beta == 0 || beta == 1); /* what a kernel does itself */
    lay_out(g->transa, g->A, g->lda, r->i0, p, r->i1 - r->i0, k, b->row, k);
    for (size_t j = r->j0; j < r->j1; j += width) {
        const float *panel = b->panel + (j - r->j0) * k;
        for (size_t i = r->i0; i < r->i1; i += b->rows) {
            const float *row = b->row + (i - r->i0) * k;
            float *C = g->C + i * g->ldc + j;
            size_t rows = hs_size_min(b->rows, r->i1 - i);
            int whole = straight && j + width <= r->j1;
            g->kernel->run(rows, k, row, k, panel, whole && beta == 1, whole ? C : b->T, whole ? g->ldc : width);
            if (!whole) {
                merge(rows, hs_size_min(width, r->j1 - j), g->alpha, b->T, width, beta, C, g->ldc);
            }
        }
    }
}

static void multiply(const product *g, const rectangle *r)
{
    _Alignas(64) float small[SMALL_FLOATS];
    const blocks b = blocks_of(small);
    for (size_t j = r->j0; j < r->j1; j += b.wide) {
        size_t p = 0;
        do { /* once for k = 0: C <- beta C */
            size_t k = hs_size_min(DEEP, g->k - p), end = hs_size_min(r->j1, j + b.wide);
            lay_panels(g, p, k, j, end - j, b.panel);
            for (size_t i = r->i0; i < r->i1; i += b.tall) {
                block(g, &(rectangle){i, hs_size_min(r->i1, i + b.tall), j, end}, p, k, &b);
            }
            p += DEEP;
        } while (p < g->k);
    }
}

/* Length of each of `parts` parts of n, a multiple of step. */
static size_t share(size_t n, size_t parts, size_t step)
{
    return (n + parts * step - 1) / (parts * step) * step;
}

/* Rows and columns of C for each of a team: the largest part small, then little to lay out. */
static void cut(const product *g, size_t team, size_t *rows, size_t *cols)
{
    size_t best = SIZE_MAX;
    for (size_t across = 1; across <= team; across++) {
        if (team % across != 0) {
            continue;
        }
        size_t h = share(g->m, team / across, 4), w = share(g->n, across, g->kernel->width);
        size_t cost = h * w + 2 * (h + w);
        if (cost < best) {
            best = cost, *rows = h, *cols = w;
        }
    }
}

static size_t team_for(const product *g)
{
    double products = (double)g->m * (double)g->n * (double)g->k;
    size_t threads = omp_in_parallel() ? 1 : (size_t)omp_get_max_threads();
    return products < LEAST * (double)threads ? 1 : threads;
}

void hs_sgemm(int transa, int transb, size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
              const float *B, size_t ldb, float beta, float *C, size_t ldc)
{
    product g = {hs_panel_best(), transa, transb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc};
    size_t team = team_for(&g), rows, cols;
    if (m == 0 || n == 0) {
        return;
    }
    assert(g.kernel->width <= WIDEST);
    cut(&g, team, &rows, &cols);
    size_t across = (n + cols - 1) / cols, parts = (m + rows - 1) / rows * across;
#pragma omp parallel for num_threads((int)team) schedule(static) if (team > 1)
    for (size_t u = 0; u < parts; u++) {
        size_t i = u / across * rows, j = u % across * cols;
        multiply(&g, &(rectangle){i, hs_size_min(m, i + rows), j, hs_size_min(n, j + cols)});
    }
}
