#include "analysis/properties/consistency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency_internal.h"
#include "analysis/properties/verdict.h"

void hs_consistency_free(hs_consistency *c)
{
    if (c != NULL) {
        hs_measurement_free(&c->result);
        free(c->cosine);
        free(c->disattenuated);
        free(c->effect);
        memset(c, 0, sizeof *c);
    }
}

HS_CHECKED static int add_notes(const hs_deltas *x, const hs_consistency_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    size_t n = o->effects != NULL ? o->effects->n : x->n;
    HS_TRY(n < HS_LOW_N ? hs_measurement_note(r, "low n") : HS_OK);
    HS_TRY(o->effects == NULL || !o->effects->naturalness ? hs_measurement_note(r, "naturalness not tested") : HS_OK);
    HS_TRY(x != NULL && x->pooled ? hs_measurement_note(r, "images pooled into groups, resampled as such") : HS_OK);
    HS_TRY(x != NULL && x->bad > 0 ? hs_measurement_note(r, "images that are not finite were left out") : HS_OK);
    HS_TRY(x != NULL && o->effects == NULL && o->null_deltas == NULL
               ? hs_measurement_note(r, "not compared with an untrained network's deltas, whose cosines are high for "
                                        "free (--null-deltas)")
               : HS_OK);
    HS_TRY(o->effects != NULL && o->effects->K < 8 ? hs_measurement_note(r, "null from fewer than 8 random directions")
                                                   : HS_OK);
out:
    return rc;
}

/* What a reader makes of an interval that decided, standing so to the standard. */
static void say(const hs_consistency_options *o, const char *how, hs_measurement *r)
{
    const hs_estimate *p = &r->primary;
    if (o->effects != NULL) {
        snprintf(
            r->reason, sizeof r->reason,
            "the delta of one step does %.2f [%.2f, %.2f] times as much at another step as that step's own, %s the "
            "standard of %g",
            p->value, p->lo, p->hi, how, r->standard);
    } else {
        snprintf(r->reason, sizeof r->reason,
                 "%.1f %% [%.1f, %.1f] of what the deltas share between images is the same at all steps, %s the "
                 "standard of %g %%",
                 100 * p->value, 100 * p->lo, 100 * p->hi, how, 100 * r->standard);
    }
}

static void decide(const hs_deltas *x, const hs_consistency_options *o, hs_measurement *r)
{
    char text[96];
    const char *undecided = NULL;
    const hs_step_effects *f = o->effects;
    hs_verdict_rules rules = {.noise_floor = -INFINITY,
                              .spread = -INFINITY,
                              .needs_null = "the effect under random directions of equal norm is needed"};
    if (f != NULL) {
        rules.noise_floor = f->noise_floor;
        rules.spread = f->spread;
        undecided = f->constant ? "not tested: the direction is the same at all steps"
                    : f->P < 2  ? "one step: nothing to compare"
                                : NULL;
    } else if (x->S < 2) {
        undecided = "one step: nothing to compare";
    } else if (x->bad > 0) {
        snprintf(text, sizeof text, "%zu image%s not finite, number %zu the first", x->bad,
                 x->bad == 1 ? " is" : "s are", x->first_bad);
        undecided = text;
    }
    rules.undecided = undecided;
    if (f == NULL && x->S < 2) { /* the effect is a mean over no pairs */
        r->verdict = HS_VERDICT_INCONCLUSIVE;
        snprintf(r->reason, sizeof r->reason, "%s", undecided);
        return;
    }
    const char *how = hs_decide(r, &rules);
    if (how != NULL) {
        say(o, how, r);
    }
}

int hs_consistency_measure(const hs_deltas *x, const hs_consistency_options *o, hs_consistency *out)
{
    int rc;
    hs_consistency c = {.result = {.property = "consistency", .standard = o->standard}};
    if (!(o->standard <= 1) || (x == NULL && o->effects == NULL)) {
        return hs_fail(HS_ERANGE, "consistency: standard %g, %s; at most 1, of deltas or effects", o->standard,
                       x == NULL && o->effects == NULL ? "no data" : "data given");
    }
    HS_TRY(hs_consistency_deltas(x, o, &c));
    HS_TRY(hs_consistency_effects(o, &c));
    HS_TRY(add_notes(x, o, &c.result));
    decide(x, o, &c.result);
    hs_decide_specific(&c.result);
    *out = c;
    memset(&c, 0, sizeof c);
out:
    hs_consistency_free(&c);
    return rc;
}
