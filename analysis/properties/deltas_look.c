/* One pass over deltas in memory: a few images of a unit at a time, a few steps of them at a time, so that what is
 * measured is still in the cache when it is added. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas_internal.h"
#include "core/base/alloc.h"

enum { CACHED = 1 << 18 }; /* floats that stay in a core's own cache */

/* One thread's images. */
typedef struct {
    size_t first, n;
    double *norm2; /* (together, S) */
    double *mean;  /* (together, d) sums over steps */
} group;

/* What all threads of a pass share. */
typedef struct {
    const hs_deltas_source *source;
    const hs_progress *progress;
    hs_deltas *x;
    size_t together, steps; /* images of a unit, steps of them at a time */
    int spoiled;
    hs_deltas_failure failure;
} pass;

/* Steps [k, to) of the group. */
HS_CHECKED static int look_at_steps(const pass *p, group *g, size_t k, size_t to)
{
    int rc = HS_OK;
    const hs_deltas_source *s = p->source;
    size_t S = s->S, d = s->d, unit = g->first / p->together % p->x->units;
    const float *v = s->rows + g->first * S * d;
    for (size_t r = 0; r < g->n; r++) {
        for (size_t l = k; l < to; l++) {
            g->norm2[r * S + l] = hs_deltas_square_and_add(d, v + (r * S + l) * d, g->mean + r * d);
        }
        HS_TRY(s->seen != NULL ? s->seen(s->ctx, g->first + r, k, to - k, v + (r * S + k) * d) : HS_OK);
    }
    for (size_t l = k; l < to; l++) {
        hs_deltas_add_step(p->x, unit, l, g->n, v + l * d, g->norm2 + l);
    }
out:
    return rc;
}

HS_CHECKED static int look_at(pass *p, group *g)
{
    int rc = HS_OK;
    hs_deltas *x = p->x;
    size_t S = x->S, d = x->d, unit = g->first / p->together % x->units;
    memset(g->mean, 0, g->n * d * sizeof *g->mean);
    for (size_t k = 0; k < S; k += p->steps) {
        HS_TRY(look_at_steps(p, g, k, S - k < p->steps ? S : k + p->steps));
    }
    for (size_t r = 0; r < g->n; r++) {
        double image = hs_deltas_image_square(S, d, g->norm2 + r * S, g->mean + r * d);
        x->square_of_image[unit] += image;
        if (!isfinite(image)) {
#pragma omp atomic write
            p->spoiled = 1;
        }
    }
    x->count[unit] += (double)g->n;
out:
    return rc;
}

/* Groups of a round belong to different units, so that any thread may take any of them. */
static void do_round(pass *p, size_t first, size_t n, group *g)
{
    const hs_deltas_source *s = p->source;
#pragma omp master
    hs_deltas_note(&p->failure, hs_progress_tell(p->progress, "deltas", first, s->n));
#pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < n; i += p->together) {
        g->first = first + i;
        g->n = n - i < p->together ? n - i : p->together;
        if (s->next != NULL) {
            s->next(s->ctx, g->first, g->n);
        }
        if (!hs_deltas_failed(&p->failure)) { /* spoiled or not: the others are to be seen */
            hs_deltas_note(&p->failure, look_at(p, g));
        }
        if (s->done != NULL) {
            s->done(s->ctx, g->first, g->n);
        }
    }
}

static void forget(hs_deltas *x)
{
    size_t steps = x->units * x->S;
    memset(x->sum, 0, steps * x->d * sizeof *x->sum);
    if (x->unit_sum != NULL) {
        memset(x->unit_sum, 0, steps * x->d * sizeof *x->unit_sum);
    }
    memset(x->nonzero, 0, steps * sizeof *x->nonzero);
    memset(x->square, 0, steps * sizeof *x->square);
    memset(x->square_of_image, 0, x->units * sizeof *x->square_of_image);
    memset(x->count, 0, x->units * sizeof *x->count);
}

int hs_deltas_look(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x, int *whole)
{
    pass p = {.source = s, .progress = progress, .x = x, .together = hs_deltas_together(x, s->n)};
    size_t round = x->units * p.together;
    p.steps = CACHED / (p.together * s->d);
    p.steps = p.steps < 1 ? 1 : p.steps > s->S ? s->S : p.steps;
#pragma omp parallel
    {
        group g = {0};
        hs_deltas_note(&p.failure, hs_alloc(p.together, s->S * sizeof *g.norm2, &g.norm2));
        hs_deltas_note(&p.failure, hs_alloc(p.together, s->d * sizeof *g.mean, &g.mean));
#pragma omp barrier
        for (size_t first = 0; first < s->n; first += round) {
            do_round(&p, first, s->n - first < round ? s->n - first : round, &g);
        }
        free(g.norm2);
        free(g.mean);
    }
    *whole = !p.spoiled;
    if (p.spoiled) {
        forget(x);
    }
    x->n = s->n;
    return hs_deltas_outcome(&p.failure);
}
