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

void hs_measurement_free(hs_measurement *m)
{
    if (m != NULL) {
        free(m->statistic);
        m->statistic = NULL;
        m->n_statistics = m->cap_statistics = 0;
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

int hs_measurement_put(hs_measurement *m, const hs_estimate *e)
{
    if (m->n_statistics == m->cap_statistics) {
        size_t cap = m->cap_statistics == 0 ? 32 : 2 * m->cap_statistics;
        hs_estimate *grown;
        int rc = hs_alloc(cap, sizeof *grown, &grown);
        if (rc != HS_OK) {
            return rc;
        }
        if (m->n_statistics > 0) {
            memcpy(grown, m->statistic, m->n_statistics * sizeof *grown);
        }
        free(m->statistic);
        m->statistic = grown;
        m->cap_statistics = cap;
    }
    m->statistic[m->n_statistics++] = *e;
    return HS_OK;
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
