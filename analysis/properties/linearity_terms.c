/* Sums compose: what a sum of directions does against what its terms do. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/linearity_internal.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

void hs_line_terms_free(hs_line_terms *t)
{
    free(t->name);
    free(t->whole);
    free(t->rest);
    free(t->other);
    free(t->effect);
    free(t->random);
    free(t->random_mean);
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
    snprintf(t->name[k], sizeof *t->name, "%.44s", name[k]);
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

int hs_line_terms_random(hs_line_terms *t, size_t K)
{
    int rc;
    HS_TRY(hs_calloc(K, sizeof *t->random, &t->random));
    HS_TRY(hs_calloc(K, t->T * sizeof *t->random_mean, &t->random_mean));
    t->K = K;
out:
    return rc;
}

void hs_line_terms_put_random(hs_line_terms *t, size_t k, size_t f, const double *sum, const double *term)
{
    double whole = 0, left = 0;
    for (size_t i = 0; i < t->n; i++) {
        whole += rest(0, f, sum + i * f, term, 0);
        left += rest(t->T, f, sum + i * f, term + i * f, t->n * f);
    }
    t->random[k] = whole > 0 ? sqrt(left / whole) : NAN;
    for (size_t j = 0; j < t->T && f == 1; j++) {
        t->random_mean[k * t->T + j] = hs_mean(t->n, term + j * t->n, NULL);
    }
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

/* The mean of K numbers and the prediction limits of one more, in a Student's t. */
static hs_estimate of_random(const char *name, size_t K, const double *v, double level, const char *estimator)
{
    double k = (double)K, mean = hs_mean(K, v, NULL);
    hs_interval ci = {.value = mean, .lo = NAN, .hi = NAN};
    if (K >= 3) {
        double half = hs_student_quantile(0.5 * (1 + level), k - 1) * hs_sd(K, v, NULL) * sqrt(1 + 1 / k);
        ci.lo = mean - half;
        ci.hi = mean + half;
    }
    hs_estimate e = hs_estimate_of(name, ci, K, estimator);
    e.reason = isnan(mean)    ? "a random set has no effect"
               : isnan(ci.lo) ? "limits need three random sets or more"
                              : NULL;
    return e;
}

HS_CHECKED static int put_random_additivity(const hs_linearity_options *o, hs_measurement *r)
{
    static const char *const what = "mean over random sets of the terms' lengths and angles; limits of one set more";
    const hs_line_terms *t = o->terms;
    hs_estimate e = t->K > 0 ? of_random("additivity_random", t->K, t->random, o->bootstrap.level, what)
                             : hs_estimate_plain("additivity_random", NAN, 0, what, "no random directions were run");
    e.lo = e.lo < 0 ? 0 : e.lo;
    return hs_measurement_put(r, &e);
}

HS_CHECKED static int put_random_crosstalk(const hs_linearity_options *o, size_t k, double spread, hs_measurement *r)
{
    int rc;
    const hs_line_terms *t = o->terms;
    char name[64];
    double *v = NULL;
    HS_TRY(hs_alloc(t->K, sizeof *v, &v));
    for (size_t i = 0; i < t->K; i++) {
        v[i] = t->random_mean[i * t->T + k] / spread;
    }
    hs_line_crosstalk_name(t, k, 1, name);
    hs_estimate e = of_random(name, t->K, v, o->bootstrap.level,
                              "mean effect of a random direction as long as the term, in sd; limits of one more");
    HS_TRY(hs_measurement_put(r, &e));
out:
    free(v);
    return rc;
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
    HS_TRY(put_random_additivity(o, r));
out:
    return rc;
}

void hs_line_crosstalk_name(const hs_line_terms *t, size_t k, int random, char name[64])
{
    snprintf(name, 64, "crosstalk%s(%.44s)", random ? "_random" : "", t->name[k]);
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
        hs_line_crosstalk_name(t, k, 0, name);
        HS_TRY(
            hs_line_put_mean(e, &o->bootstrap, name, v, "mean effect of the term alone at the largest |s|, in sd", r));
        HS_TRY(t->K > 0 ? put_random_crosstalk(o, k, spread, r) : HS_OK);
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
