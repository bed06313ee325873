#include "analysis/directions/probe_score.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

/* Samples sorted by fold, then answer. */
typedef struct {
    const hs_held_out *h;
    size_t *order; /* (n) */
} ranked;

typedef struct {
    int fold;
    double answer;
    size_t sample;
} row;

static int by_fold_and_answer(const void *a, const void *b)
{
    const row *x = a, *y = b;
    if (x->fold != y->fold) {
        return x->fold < y->fold ? -1 : 1;
    }
    if (x->answer != y->answer) {
        return x->answer < y->answer ? -1 : 1;
    }
    return x->sample < y->sample ? -1 : x->sample > y->sample;
}

HS_CHECKED static int rank_all(const hs_held_out *h, size_t *order)
{
    row *rows = NULL;
    int rc = hs_alloc(h->n, sizeof *rows, &rows);
    for (size_t i = 0; i < h->n && rc == HS_OK; i++) {
        rows[i] = (row){h->fold[i], h->answer[i], i};
    }
    if (rc == HS_OK) {
        qsort(rows, h->n, sizeof *rows, by_fold_and_answer);
        for (size_t i = 0; i < h->n; i++) {
            order[i] = rows[i].sample;
        }
    }
    free(rows);
    return rc;
}

static double pairs_in_order(const ranked *r, const double *w)
{
    const hs_held_out *h = r->h;
    double right = 0, pairs = 0;
    for (size_t i = 0; i < h->n;) {
        double zeros = 0, ones = 0;
        int fold = h->fold[r->order[i]];
        while (i < h->n && h->fold[r->order[i]] == fold) {
            double tied[2] = {0, 0}, answer = h->answer[r->order[i]];
            for (; i < h->n && h->fold[r->order[i]] == fold && h->answer[r->order[i]] == answer; i++) {
                tied[h->y[r->order[i]] > 0] += w[r->order[i]];
            }
            right += tied[1] * (zeros + tied[0] / 2);
            zeros += tied[0];
            ones += tied[1];
        }
        pairs += zeros * ones;
    }
    return pairs > 0 ? right / pairs : NAN;
}

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const ranked *r = ctx;
    const hs_held_out *h = r->h;
    double error = 0, spread = 0, right = 0, total = 0;
    (void)scratch;
    for (size_t i = 0; i < h->n; i++) {
        double e = h->y[i] - h->answer[i], b = h->y[i] - h->base[i];
        error += w[i] * e * e;
        spread += w[i] * b * b;
        right += w[i] * ((h->answer[i] > 0) == (h->y[i] > 0));
        total += w[i];
    }
    theta[0] = h->binary ? pairs_in_order(r, w) : spread > 0 ? 1 - error / spread : NAN;
    theta[1] = h->binary ? right / total : NAN;
}

int hs_held_out_score(const hs_held_out *h, const hs_bootstrap_options *o, hs_interval out[2])
{
    int rc = HS_OK;
    ranked r = {h, NULL};
    HS_TRY(hs_alloc(h->n, sizeof *r.order, &r.order));
    HS_TRY(rank_all(h, r.order));
    const hs_statistic st = {.n = h->n, .q = 2, .scratch = 0, .eval = evaluate, .ctx = &r};
    HS_TRY(hs_bootstrap(&st, o, out, NULL));
out:
    free(r.order);
    return rc;
}

int hs_held_out_value(const hs_held_out *h, double *out)
{
    hs_interval both[2];
    int rc = hs_held_out_score(h, &(hs_bootstrap_options){.B = 1, .seed = 0, .level = 0.95}, both);
    if (rc == HS_OK) {
        *out = both[0].value;
    }
    return rc;
}
