#include "analysis/properties/edit_success.h"

#include <math.h>

static double at(const hs_edit_effects *e, size_t factor, size_t i, size_t j)
{
    return e->value[(factor * e->n + i) * e->m + j];
}

static double mean_effect(const hs_edit_effects *e, size_t factor, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < e->n; i++) {
        sum += at(e, factor, i, j) - at(e, factor, i, e->zero);
    }
    return sum / (double)e->n / e->sd[factor];
}

static int is_natural(const hs_edit_effects *e, size_t j)
{
    const hs_naturalness *a = e->naturalness;
    return a == NULL || (e->strength[j] >= a->low && e->strength[j] <= a->high);
}

/* Of the images without a binary target, the share that has it at strength j. */
static double share_put_on(const hs_edit_effects *e, size_t j)
{
    size_t without = 0, gained = 0;
    for (size_t i = 0; i < e->n; i++) {
        int lacks = at(e, e->target, i, e->zero) < 0.5;
        without += (size_t)lacks;
        gained += (size_t)(lacks && at(e, e->target, i, j) > 0.5);
    }
    return without > 0 ? (double)gained / (double)without : 0;
}

/* What an edit is for: an effect of 1 sd, or the thing put on most images. */
static int is_enough(const hs_edit_effects *e, size_t j)
{
    return e->binary ? share_put_on(e, j) >= 0.7 : mean_effect(e, e->target, j) >= 1;
}

static size_t choose(const hs_edit_effects *e)
{
    size_t best = e->zero;
    double best_effect = 0;
    for (size_t j = 0; j < e->m; j++) {
        double effect = mean_effect(e, e->target, j), size = fabs(e->strength[j]);
        if (j == e->zero || !is_natural(e, j)) {
            continue;
        }
        int enough = is_enough(e, j), had = best != e->zero && is_enough(e, best);
        int nearer = size < fabs(e->strength[best]);
        if (best == e->zero || (enough && (!had || nearer)) || (!enough && !had && effect > best_effect)) {
            best = j;
            best_effect = effect;
        }
    }
    return best;
}

static size_t find_most_else(const hs_edit_effects *e, size_t j)
{
    size_t most = e->factors;
    double size = -1;
    for (size_t k = 0; k < e->factors; k++) {
        double effect = fabs(mean_effect(e, k, j));
        if (k != e->target && effect > size) {
            most = k;
            size = effect;
        }
    }
    return most;
}

/* What the bootstrap resamples: the effects on the target and on another factor, and the share put on. */
typedef struct {
    const hs_edit_effects *e;
    size_t j, other;
} chosen;

static void resample(const void *ctx, const double *w, double *theta, void *scratch)
{
    const chosen *c = ctx;
    const hs_edit_effects *e = c->e;
    double without = 0, put_on = 0;
    (void)scratch;
    theta[0] = theta[1] = 0;
    for (size_t i = 0; i < e->n; i++) {
        double before = at(e, e->target, i, e->zero), after = at(e, e->target, i, c->j);
        theta[0] += w[i] * (after - before) / (double)e->n / e->sd[e->target];
        if (c->other < e->factors) {
            double moved = at(e, c->other, i, c->j) - at(e, c->other, i, e->zero);
            theta[1] += w[i] * moved / (double)e->n / e->sd[c->other];
        }
        without += w[i] * (before < 0.5);
        put_on += w[i] * (before < 0.5 && after > 0.5);
    }
    theta[2] = without > 0 ? put_on / without : (double)NAN;
}

static double random_effect(const hs_edit_effects *e, size_t j)
{
    double sum = 0;
    for (size_t k = 0; k < e->K; k++) {
        double moved = 0;
        for (size_t i = 0; i < e->n; i++) {
            const double *row = e->null + (k * e->n + i) * e->m;
            moved += row[j] - row[e->zero];
        }
        sum += fabs(moved) / (double)e->n / e->sd[e->target];
    }
    return e->K > 0 ? sum / (double)e->K : (double)NAN;
}

static double change_at(const hs_edit_effects *e, size_t j)
{
    double sum = 0;
    for (size_t i = 0; e->change != NULL && i < e->n; i++) {
        sum += e->change[i * e->m + j];
    }
    return e->change != NULL ? sqrt(sum / (double)e->n) : (double)NAN;
}

int hs_edit_success_measure(const hs_edit_effects *e, const hs_bootstrap_options *o, hs_edit_success *out)
{
    const hs_naturalness *a = e->naturalness;
    hs_interval ci[3];
    int rc = HS_OK;
    for (size_t k = 0; k < e->factors; k++) {
        if (!(e->sd[k] > 0)) {
            return hs_fail(HS_ERANGE, "factor %zu: standard deviation %g; wanted above 0", k, e->sd[k]);
        }
    }
    if (e->m < 2) {
        return hs_fail(HS_ERANGE, "no strength besides 0");
    }
    size_t j = choose(e);
    const chosen c = {e, j, find_most_else(e, j)};
    const hs_statistic st = {.n = e->n, .q = 3, .eval = resample, .ctx = &c};
    HS_TRY(hs_bootstrap(&st, o, ci, NULL));
    *out = (hs_edit_success){.at = j,
                             .effect = ci[0],
                             .else_effect = ci[1],
                             .put_on = e->binary ? ci[2] : (hs_interval){NAN, NAN, NAN, "not a binary factor"},
                             .most_else = c.other,
                             .change = change_at(e, j),
                             .naturalness = a != NULL ? a->median[j] : (double)NAN,
                             .limit = a != NULL ? a->limit : (double)NAN,
                             .outside = a != NULL ? a->outside[j] : (double)NAN,
                             .random = random_effect(e, j)};
out:
    return rc;
}
