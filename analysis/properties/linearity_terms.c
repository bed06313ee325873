/* Sums compose: what a sum of directions does against what its terms do. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/linearity_internal.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"

void hs_line_terms_free(hs_line_terms *t)
{
    free(t->name);
    free(t->whole);
    free(t->rest);
    free(t->other);
    free(t->effect);
    memset(t, 0, sizeof *t);
}

/* |sum - Sum_t term_t|^2, the terms' rows `apart` from each other; T 0: |sum|^2. */
static double rest(size_t T, size_t f, const double *sum, const double *term, size_t apart)
{
    double left = 0;
    for (size_t q = 0; q < f; q++) {
        double x = sum[q];
        for (size_t t = 0; t < T; t++) {
            x -= term[t * apart + q];
        }
        left += x * x;
    }
    return left;
}

/* The name; of a second term of the same one with its number: "smile #2". */
static void name_term(hs_line_terms *t, size_t k, const char *const *name)
{
    size_t times = 1;
    for (size_t j = 0; j < k; j++) {
        times += strcmp(name[j], name[k]) == 0;
    }
    snprintf(t->name[k], sizeof *t->name, "%.48s", name[k]);
    if (times > 1) {
        snprintf(t->name[k], sizeof *t->name, "%.36s #%zu", name[k], times);
    }
}

int hs_line_terms_create(size_t T, size_t n, size_t f, const char *const *name, const double *sum, const double *term,
                         hs_line_terms *out)
{
    int rc = HS_OK;
    hs_line_terms t = {.T = T, .n = n};
    if (T < 2 || n == 0 || f == 0) {
        return hs_fail(HS_ERANGE,
                       "additivity of %zu directions on %zu images x %zu numbers; wanted two of them or more", T, n, f);
    }
    HS_TRY(hs_calloc(T, sizeof *t.name, &t.name));
    HS_TRY(hs_alloc(n, sizeof *t.whole, &t.whole));
    HS_TRY(hs_alloc(n, sizeof *t.rest, &t.rest));
    HS_TRY(hs_alloc(n, sizeof *t.other, &t.other));
    for (size_t k = 0; k < T; k++) {
        name_term(&t, k, name);
    }
    for (size_t i = 0; i < n; i++) {
        t.whole[i] = rest(0, f, sum + i * f, term, 0);
        t.rest[i] = rest(T, f, sum + i * f, term + i * f, n * f);
        t.other[i] = rest(T, f, sum + i * f, term + (i + 1) % n * f, n * f);
    }
    if (f == 1) {
        HS_TRY(hs_alloc(T, n * sizeof *t.effect, &t.effect));
        memcpy(t.effect, term, T * n * sizeof *t.effect);
    }
    *out = t;
    t = (hs_line_terms){0};
out:
    hs_line_terms_free(&t);
    return rc;
}

/* theta <- additivity and its null. */
static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const hs_line_terms *t = ctx;
    double whole = 0, left = 0, other = 0;
    (void)scratch;
    for (size_t i = 0; i < t->n; i++) {
        whole += w[i] * t->whole[i];
        left += w[i] * t->rest[i];
        other += w[i] * t->other[i];
    }
    theta[0] = whole > 0 ? sqrt(left / whole) : NAN;
    theta[1] = whole > 0 && t->n > 1 ? sqrt(other / whole) : NAN;
}

HS_CHECKED static int put_additivity(const hs_effects *e, const hs_linearity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval ci[2];
    const hs_statistic st = {.n = e->n, .q = 2, .eval = evaluate, .ctx = o->terms};
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    hs_estimate s = hs_estimate_of("additivity", ci[0], e->n,
                                   "root of Sum_i |E_sum - Sum_t E_t|^2 / Sum_i |E_sum|^2 at the largest |s|");
    HS_TRY(hs_measurement_put(r, &s));
    s = hs_estimate_of("additivity_null", ci[1], e->n, "the same with the terms' effects on other images");
    HS_TRY(hs_measurement_put(r, &s));
out:
    return rc;
}

void hs_line_crosstalk_name(const hs_line_terms *t, size_t k, char name[64])
{
    snprintf(name, 64, "crosstalk(%.48s)", t->name[k]);
}

HS_CHECKED static int put_crosstalk(const hs_effects *e, const hs_linearity_options *o, double spread,
                                    hs_measurement *r)
{
    int rc = HS_OK;
    const hs_line_terms *t = o->terms;
    char name[64];
    double *v = NULL;
    HS_TRY(hs_alloc(t->n, sizeof *v, &v));
    for (size_t k = 0; k < t->T; k++) {
        for (size_t i = 0; i < t->n; i++) {
            v[i] = t->effect[k * t->n + i] / spread;
        }
        hs_line_crosstalk_name(t, k, name);
        HS_TRY(
            hs_line_put_mean(e, &o->bootstrap, name, v, "mean effect of the term alone at the largest |s|, in sd", r));
    }
out:
    free(v);
    return rc;
}

int hs_line_put_terms(const hs_effects *e, const hs_linearity_options *o, double spread, hs_measurement *r)
{
    int rc = HS_OK;
    const hs_line_terms *t = o->terms;
    if (t->n != e->n) {
        return hs_fail(HS_ESHAPE, "terms of %zu images; the sum has %zu", t->n, e->n);
    }
    HS_TRY(put_additivity(e, o, r));
    HS_TRY(t->effect != NULL && spread > 0 ? put_crosstalk(e, o, spread, r) : HS_OK);
out:
    return rc;
}
