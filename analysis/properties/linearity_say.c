#include <math.h>
#include <stdio.h>

#include "analysis/properties/linearity_internal.h"
#include "core/base/text.h"
#include "core/stats/bca.h"

/* Two columns of a table. */
typedef struct {
    const hs_effects *e;
    size_t whole, half;
} doubling;

static void ratio_of_means(const void *ctx, const double *w, double *theta, void *scratch)
{
    const doubling *d = ctx;
    const hs_effects *e = d->e;
    double whole = 0, half = 0;
    (void)scratch;
    for (size_t i = 0; i < e->n; i++) {
        const double *row = e->value + i * e->m;
        whole += w[i] * (row[d->whole] - row[e->zero]);
        half += w[i] * (row[d->half] - row[e->zero]);
    }
    theta[0] = half != 0 ? whole / half : NAN;
}

/* The column of half the strength of `far`; m where there is none. */
static size_t half_of(const hs_effects *e, size_t far)
{
    size_t j = 0;
    while (j < e->m && fabs(2 * e->strength[j] - e->strength[far]) > 1e-9 * fabs(e->strength[far])) {
        j++;
    }
    return j;
}

int hs_line_say(const hs_effects *e, const hs_linearity_options *o, size_t far, double spread, const char *how,
                hs_measurement *r)
{
    int rc = HS_OK;
    doubling d = {e, far, half_of(e, far)};
    const hs_statistic st = {.n = e->n, .q = 1, .eval = ratio_of_means, .ctx = &d};
    hs_interval ci = {NAN, NAN, NAN, NULL};
    hs_str text = {0};
    HS_TRY(d.half < e->m ? hs_bootstrap_bca(&st, &o->bootstrap, &ci) : HS_OK);
    if (isfinite(ci.lo)) {
        hs_str_addf(&text, "doubling the strength gave %.2f [%.2f, %.2f] times the effect; ", ci.value, ci.lo, ci.hi);
    }
    hs_str_addf(&text, "linearity index %.2f [%.2f, %.2f], %s the standard of %g", r->primary.value, r->primary.lo,
                r->primary.hi, how, r->standard);
    if (r->has_null && spread > 0) {
        hs_str_addf(&text, "; random directions of equal norm moved it at most %.2g sd", r->null.value / spread);
    }
    HS_TRY(hs_str_ok(&text));
    snprintf(r->reason, sizeof r->reason, "%s", text.s);
out:
    hs_str_free(&text);
    return rc;
}
