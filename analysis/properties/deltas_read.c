/* One pass over deltas that are read: blocks of images, each read, measured and added to its unit by one thread. */
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas_internal.h"
#include "core/base/alloc.h"

enum { BLOCKS_MIB = 128 }; /* of all threads: where images are large, fewer read */

/* One thread's block of images. */
typedef struct {
    size_t first, n;
    float *room;    /* (n, S, d), for what doesn't lie anywhere yet */
    const float *v; /* (n, S, d) */
    double *norm2;  /* (n, S) */
    double *image;  /* (n) |mean_k D|^2; NaN: not finite */
    double *sum;    /* (d) */
} block;

static void block_free(block *b)
{
    free(b->room);
    free(b->norm2);
    free(b->image);
    free(b->sum);
}

HS_CHECKED static int block_create(const hs_deltas *x, size_t most, block *b)
{
    int rc;
    *b = (block){0};
    HS_TRY(hs_alloc(most, x->S * x->d * sizeof *b->room, &b->room));
    hs_alloc_sweeping(b->room, most * x->S * x->d * sizeof *b->room);
    HS_TRY(hs_alloc(most, x->S * sizeof *b->norm2, &b->norm2));
    HS_TRY(hs_alloc(most, sizeof *b->image, &b->image));
    HS_TRY(hs_alloc(x->d, sizeof *b->sum, &b->sum));
out:
    return rc;
}

/* Norms of image i of the block. */
static void measure(const hs_deltas *x, size_t i, block *b)
{
    b->image[i] = hs_deltas_measure(x->S, x->d, b->v + i * x->S * x->d, b->norm2 + i * x->S, b->sum);
}

/* Adds images [i, i + rows) of the block, all finite, to a unit. */
static void add_images(hs_deltas *x, size_t unit, const block *b, size_t i, size_t rows)
{
    for (size_t k = 0; k < x->S; k++) {
        hs_deltas_add_step(x, unit, k, rows, b->v + (i * x->S + k) * x->d, b->norm2 + i * x->S + k);
    }
    for (size_t r = 0; r < rows; r++) {
        x->square_of_image[unit] += b->image[i + r];
    }
    x->count[unit] += (double)rows;
}

static void pass_over(hs_deltas *x, size_t image)
{
#pragma omp critical(hs_deltas_bad)
    {
        x->first_bad = x->bad == 0 || image < x->first_bad ? image : x->first_bad;
        x->bad++;
    }
}

static void add_block(hs_deltas *x, size_t together, const block *b)
{
    for (size_t i = 0, rows; i < b->n; i += rows) {
        size_t unit = (b->first + i) / together % x->units, room = together - (b->first + i) % together;
        for (rows = 0; rows < room && i + rows < b->n && isfinite(b->image[i + rows]); rows++) {
        }
        if (rows > 0) {
            add_images(x, unit, b, i, rows);
        } else {
            pass_over(x, b->first + i);
            rows = 1;
        }
    }
}

/* The first failure of a pass's threads: its message belongs to the thread. */
typedef struct {
    int rc;
    char message[512];
} failure;

/* rc HS_OK, or after another failure: nothing. */
static void note(failure *f, int rc)
{
#pragma omp critical(hs_deltas_failure)
    if (rc != HS_OK && f->rc == HS_OK) {
        snprintf(f->message, sizeof f->message, "%s", hs_error_message());
#pragma omp atomic write
        f->rc = rc;
    }
}

static int failed(const failure *f)
{
    int rc;
#pragma omp atomic read
    rc = f->rc;
    return rc != HS_OK;
}

HS_CHECKED static int outcome(const failure *f)
{
    return f->rc == HS_OK ? HS_OK : hs_fail(f->rc, "%s", f->message);
}

/* Whose turn it is to do what must happen in order. `omp ordered` would not do: GCC's lets the next thread in when the
 * last one takes its next block, not when it leaves the region. */
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t passed;
    size_t next; /* image */
} turn;

static void wait_for_turn(turn *t, const block *b)
{
    pthread_mutex_lock(&t->lock);
    while (t->next != b->first) {
        pthread_cond_wait(&t->passed, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

static void pass_turn(turn *t, const block *b)
{
    pthread_mutex_lock(&t->lock);
    t->next += b->n;
    pthread_cond_broadcast(&t->passed);
    pthread_mutex_unlock(&t->lock);
}

/* What all threads of a pass share. */
typedef struct {
    const hs_deltas_source *source;
    const hs_progress *progress;
    hs_deltas *x;
    size_t together, rows; /* images of a unit at a time, of a block */
    turn turn;
    failure failure;
} pass;

HS_CHECKED static int read_block(const pass *p, block *b)
{
    return p->source->read(p->source->ctx, b->first, b->n, b->room, &b->v);
}

/* What must happen in order. */
HS_CHECKED static int in_order(const pass *p, block *b)
{
    int rc;
    const hs_deltas_source *s = p->source;
    HS_TRY(hs_progress_tell(p->progress, "deltas", b->first, s->n));
    HS_TRY(s->parallel ? HS_OK : read_block(p, b));
    if (s->seen != NULL) {
        s->seen(s->ctx, b->first, b->n, b->v);
    }
out:
    return rc;
}

static void do_block(pass *p, block *b)
{
    const hs_deltas_source *s = p->source;
    if (s->parallel && !failed(&p->failure)) {
        note(&p->failure, read_block(p, b));
    }
    wait_for_turn(&p->turn, b);
    if (!failed(&p->failure)) {
        note(&p->failure, in_order(p, b));
    }
    pass_turn(&p->turn, b);
    if (!failed(&p->failure)) {
        for (size_t i = 0; i < b->n; i++) {
            measure(p->x, i, b);
        }
        add_block(p->x, p->together, b);
    }
}

/* Blocks of a round belong to different units, so that any thread may take any of them. */
static void do_round(pass *p, size_t first, size_t n, block *b)
{
    size_t blocks = (n + p->rows - 1) / p->rows;
#pragma omp for schedule(monotonic : dynamic, 1)
    for (size_t k = 0; k < blocks; k++) {
        b->first = first + k * p->rows;
        b->n = first + n - b->first < p->rows ? first + n - b->first : p->rows;
        do_block(p, b);
    }
}

int hs_deltas_read(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x)
{
    pass p = {.source = s,
              .progress = progress,
              .x = x,
              .together = hs_deltas_together(x, s->n),
              .turn = {.lock = PTHREAD_MUTEX_INITIALIZER, .passed = PTHREAD_COND_INITIALIZER}};
    size_t round = x->units * p.together, groups = ((size_t)1 << 20) / (s->S * s->d) / p.together;
    groups = groups > x->units / 4 ? x->units / 4 : groups; /* something for each thread */
    p.rows = p.together * (groups < 1 ? 1 : groups);
    size_t most = ((size_t)BLOCKS_MIB << 20) / (p.rows * s->S * s->d * sizeof(float)),
           all = (size_t)omp_get_max_threads();
    int threads = (int)(most < 1 ? 1 : most < all ? most : all);
#pragma omp parallel num_threads(threads)
    {
        block b;
        note(&p.failure, block_create(x, p.rows, &b));
#pragma omp barrier
        for (size_t first = 0; first < s->n; first += round) {
            do_round(&p, first, s->n - first < round ? s->n - first : round, &b);
        }
        block_free(&b);
    }
    x->n = s->n - x->bad;
    return outcome(&p.failure);
}
