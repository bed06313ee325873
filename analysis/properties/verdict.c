#include "analysis/properties/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/stats/moments.h"
#include "core/stats/special.h"

double hs_null_limit(size_t K, const double *effect)
{
    if (K == 0) {
        return NAN;
    }
    if (K < 3) {
        return 3.0 * fmax(effect[0], effect[K - 1]);
    }
    double k = (double)K;
    return hs_mean(K, effect, NULL) + hs_student_quantile(0.975, k - 1) * hs_sd(K, effect, NULL) * sqrt(1 + 1 / k);
}

double hs_twin_limit(size_t K, const double *effect)
{
    return K == 0 ? NAN
                  : fmax(hs_null_limit(K, effect), hs_student_quantile(0.9875, (double)K) * hs_rms(K, effect, NULL));
}

static void answer(hs_measurement *m, hs_verdict v, const char *fmt, ...) HS_PRINTF(3, 4);

static void answer(hs_measurement *m, hs_verdict v, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    m->verdict = v;
    vsnprintf(m->reason, sizeof m->reason, fmt, ap);
    va_end(ap);
}

static int no_effect(hs_measurement *m, const hs_verdict_rules *r)
{
    if (m->effect.value <= r->noise_floor) {
        answer(m, HS_VERDICT_NO_EFFECT, "the effect, %.4g, does not exceed the numerical noise floor, %.4g",
               m->effect.value, r->noise_floor);
        return 1;
    }
    if (m->has_null && m->effect.lo <= m->null.value) {
        answer(m, HS_VERDICT_NO_EFFECT, "the effect's lower limit, %.4g, does not exceed its null, %.4g", m->effect.lo,
               m->null.value);
        return 1;
    }
    return 0;
}

/* Whether the numbers allow no decision, and why. */
static int undecidable(hs_measurement *m, const hs_verdict_rules *r)
{
    if (!m->has_null) {
        answer(m, HS_VERDICT_INCONCLUSIVE, "null missing: %s", r->needs_null);
    } else if (isnan(m->effect.lo)) {
        answer(m, HS_VERDICT_INCONCLUSIVE, "the effect has no interval: %s", m->effect.reason);
    } else if (!(m->effect.value >= r->spread)) {
        answer(m, HS_VERDICT_INCONCLUSIVE,
               "range too small: the effect, %.4g, is below 1 sd of the read-out over unedited images, %.4g",
               m->effect.value, r->spread);
    } else if (r->undecided != NULL) {
        answer(m, HS_VERDICT_INCONCLUSIVE, "%s", r->undecided);
    } else if (isnan(m->primary.value) || isnan(m->primary.lo)) {
        answer(m, HS_VERDICT_INCONCLUSIVE, "%s has no %s: %s", m->primary.name,
               isnan(m->primary.value) ? "value" : "interval", m->primary.reason);
    } else {
        return 0;
    }
    return 1;
}

const char *hs_decide(hs_measurement *m, const hs_verdict_rules *rules)
{
    if (no_effect(m, rules) || undecidable(m, rules)) {
        return NULL;
    }
    const hs_estimate *p = &m->primary;
    hs_verdict v = p->lo >= m->standard  ? HS_VERDICT_HOLDS
                   : p->hi < m->standard ? HS_VERDICT_FAILS
                                         : HS_VERDICT_INCONCLUSIVE;
    const char *how = v == HS_VERDICT_HOLDS ? "lies at or above" : v == HS_VERDICT_FAILS ? "lies below" : "contains";
    answer(m, v, "%s %.3f [%.3f, %.3f] %s the standard, %g", p->name, p->value, p->lo, p->hi, how, m->standard);
    return v == HS_VERDICT_HOLDS ? "reaching" : v == HS_VERDICT_FAILS ? "below" : "not settled against";
}

void hs_withhold(hs_measurement *m, const char *why)
{
    const hs_estimate *p = &m->primary;
    if (m->verdict == HS_VERDICT_HOLDS) {
        answer(m, HS_VERDICT_INCONCLUSIVE, "%.40s %.3f [%.3f, %.3f] would reach the standard, %g, but %.120s", p->name,
               p->value, p->lo, p->hi, m->standard, why);
    }
}

void hs_decide_specific(hs_measurement *m)
{
    const hs_estimate *d = &m->difference_rival;
    m->specific = !m->has_rival || isnan(d->value) ? HS_SPECIFIC_NOT_TESTED
                  : d->lo > 0                      ? HS_SPECIFIC_YES
                  : d->hi < 0                      ? HS_SPECIFIC_NO
                                                   : HS_SPECIFIC_UNCLEAR;
}
