#include "analysis/properties/measurement.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

const char *hs_verdict_name(hs_verdict v)
{
    static const char *const name[] = {"no effect", "inconclusive", "holds", "fails"};
    return name[v];
}

const char *hs_specific_name(hs_specific s)
{
    static const char *const name[] = {"not tested", "yes", "no", "unclear"};
    return name[s];
}

int hs_verdict_exit(hs_verdict v)
{
    return v == HS_VERDICT_HOLDS ? 0 : v == HS_VERDICT_FAILS ? 10 : 11;
}

const char *hs_measurement_verdict(const hs_measurement *m)
{
    if (strcmp(m->property, "compare") == 0 && m->verdict >= HS_VERDICT_HOLDS) {
        return m->verdict == HS_VERDICT_HOLDS ? "shared" : "not shared";
    }
    return hs_verdict_name(m->verdict);
}

void hs_measurement_free(hs_measurement *m)
{
    if (m != NULL) {
        free(m->statistic);
        m->statistic = NULL;
        m->n_statistics = m->cap_statistics = 0;
        free(m->control);
        m->control = NULL;
        m->n_controls = m->cap_controls = 0;
    }
}

int hs_measurement_note(hs_measurement *m, const char *note)
{
    if (m->n_notes == HS_NOTES_MAX) {
        return hs_fail(HS_EBUG, "measurement: more than %d notes", HS_NOTES_MAX);
    }
    m->note[m->n_notes++] = note;
    return HS_OK;
}

/* *list <- room for one more of n elements. */
HS_CHECKED static int grow(size_t n, size_t size, size_t *cap, void **list)
{
    size_t want = *cap == 0 ? 16 : 2 * *cap;
    void *grown;
    if (n < *cap) {
        return HS_OK;
    }
    int rc = hs_alloc(want, size, &grown);
    if (rc == HS_OK) {
        if (n > 0) {
            memcpy(grown, *list, n * size);
        }
        free(*list);
        *list = grown;
        *cap = want;
    }
    return rc;
}

int hs_measurement_put(hs_measurement *m, const hs_estimate *e)
{
    void *list = m->statistic;
    int rc = grow(m->n_statistics, sizeof *e, &m->cap_statistics, &list);
    m->statistic = list;
    if (rc == HS_OK) {
        m->statistic[m->n_statistics++] = *e;
    }
    return rc;
}

HS_CHECKED static int add_control(hs_measurement *m, const char *name, const char *reason, hs_control_answer a)
{
    void *list = m->control;
    int rc = grow(m->n_controls, sizeof a, &m->cap_controls, &list);
    m->control = list;
    if (rc == HS_OK) {
        snprintf(a.name, sizeof a.name, "%s", name);
        snprintf(a.reason, sizeof a.reason, "%s", reason);
        m->control[m->n_controls++] = a;
    }
    return rc;
}

int hs_measurement_control(hs_measurement *m, const char *name, const hs_measurement *of)
{
    return add_control(m, name, of->reason,
                       (hs_control_answer){.run = 1,
                                           .verdict = hs_verdict_name(of->verdict),
                                           .has_primary = 1,
                                           .has_effect = 1,
                                           .has_null = of->has_null,
                                           .primary = of->primary,
                                           .effect = of->effect,
                                           .null = of->null});
}

int hs_measurement_control_number(hs_measurement *m, const char *name, const hs_estimate *e, const char *reason)
{
    return add_control(m, name, reason, (hs_control_answer){.run = 1, .verdict = "", .has_primary = 1, .primary = *e});
}

int hs_measurement_control_missing(hs_measurement *m, const char *name, const char *why)
{
    return add_control(m, name, why, (hs_control_answer){.verdict = ""});
}

int hs_measurement_own_controls(hs_measurement *m, const char *no_rival)
{
    static const char *const random = "random directions of equal norm", *const rival = "rival in eps-space";
    char text[160];
    int rc = HS_OK;
    if (m->has_null) {
        snprintf(text, sizeof text, "%zu of them; the effect, %.4g, must exceed what they reach, %.4g", m->null.n,
                 m->effect.value, m->null.value);
        HS_TRY(hs_measurement_control_number(m, random, &m->null, text));
    } else {
        HS_TRY(hs_measurement_control_missing(m, random, "none were wanted"));
    }
    if (m->has_rival) {
        snprintf(text, sizeof text, "primary less the rival's: %.4g [%.4g, %.4g]", m->difference_rival.value,
                 m->difference_rival.lo, m->difference_rival.hi);
        HS_TRY(hs_measurement_control_number(m, rival, &m->rival, text));
    } else {
        HS_TRY(hs_measurement_control_missing(m, rival, no_rival));
    }
out:
    return rc;
}

const hs_estimate *hs_measurement_find(const hs_measurement *m, const char *name)
{
    for (size_t i = 0; i < m->n_statistics; i++) {
        if (strcmp(m->statistic[i].name, name) == 0) {
            return &m->statistic[i];
        }
    }
    return NULL;
}

hs_estimate hs_estimate_of(const char *name, hs_interval ci, size_t n, const char *estimator)
{
    hs_estimate e = {.value = ci.value, .lo = ci.lo, .hi = ci.hi, .n = n, .estimator = estimator, .reason = ci.reason};
    snprintf(e.name, sizeof e.name, "%s", name);
    return e;
}

hs_estimate hs_estimate_plain(const char *name, double value, size_t n, const char *estimator, const char *reason)
{
    return hs_estimate_of(name, (hs_interval){.value = value, .lo = NAN, .hi = NAN, .reason = reason}, n, estimator);
}
