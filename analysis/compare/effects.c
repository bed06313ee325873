#include "analysis/compare/effects.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"
#include "core/stats/regress.h"

typedef struct {
    size_t n, q;
    const double *a, *b; /* (n, q) */
} profiles;

/* mean (q) <- weighted means over images. */
static void mean_profile(const profiles *p, const double *v, const double *w, double *mean)
{
    double sum = 0;
    for (size_t j = 0; j < p->q; j++) {
        mean[j] = 0;
    }
    for (size_t i = 0; i < p->n; i++) {
        sum += w[i];
        for (size_t j = 0; j < p->q && w[i] > 0; j++) {
            mean[j] += w[i] * v[i * p->q + j];
        }
    }
    for (size_t j = 0; j < p->q; j++) {
        mean[j] /= sum;
    }
}

static void correlate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const profiles *p = ctx;
    double *a = scratch, *b = a + p->q;
    mean_profile(p, p->a, w, a);
    mean_profile(p, p->b, w, b);
    theta[0] = hs_pearson(p->q, a, b);
}

int hs_profile_correlation(size_t n, size_t q, const double *a, const double *b, const hs_bootstrap_options *o,
                           hs_interval *out)
{
    const profiles p = {n, q, a, b};
    const hs_statistic st = {.n = n, .q = 1, .scratch = 2 * q * sizeof(double), .eval = correlate, .ctx = &p};
    int rc = hs_bootstrap_bca(&st, o, out);
    if (rc == HS_OK && isnan(out->lo) && fabs(out->value - 1) < 1e-12) { /* equal profiles don't vary */
        *out = (hs_interval){out->value, out->value, out->value, NULL};
    }
    return rc;
}

static void ratio(const void *ctx, const double *w, double *theta, void *scratch)
{
    const profiles *p = ctx;
    double own = hs_mean(p->n, p->b, w);
    (void)scratch;
    theta[0] = fabs(own) > 0 ? hs_mean(p->n, p->a, w) / own : NAN;
}

int hs_effect_ratio(size_t n, const double *carried, const double *own, const hs_bootstrap_options *o, hs_interval *out)
{
    const profiles p = {n, 1, carried, own};
    const hs_statistic st = {.n = n, .q = 1, .eval = ratio, .ctx = &p};
    int rc = hs_bootstrap_bca(&st, o, out);
    if (rc == HS_OK && isnan(out->lo) && fabs(out->value - 1) < 1e-12) {
        *out = (hs_interval){out->value, out->value, out->value, NULL};
    }
    return rc;
}
