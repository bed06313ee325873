/* From a comparison's numbers to its answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare/compare.h"
#include "analysis/compare/context.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

static const char *const estimator[HS_CMP_COLUMNS] = {"mean cosine of mapped a and b over held-out images",
                                                      "mean cosine of mapped b and a over held-out images",
                                                      "mean cosine of b and its projection on the axes used",
                                                      "mean cosine of a and its projection on the axes used",
                                                      "97.5 % quantile of fits on shuffled pairs",
                                                      "97.5 % quantile of fits on shuffled pairs",
                                                      "aligned_cosine extrapolated to ever more images",
                                                      "aligned_cosine_back extrapolated to ever more images",
                                                      "singular pairs kept, by cross-validation",
                                                      "cosine of mapped a and b as matrices, held out",
                                                      "as aligned_cosine, by ridge regression",
                                                      "as aligned_cosine_back, by ridge regression",
                                                      "mean canonical correlation of leading axes, in sample",
                                                      "mean canonical correlation of leading axes, held out",
                                                      "held-out correlations weighted by what they explain of a",
                                                      "held-out correlations weighted by what they explain of b",
                                                      "sum of singular values of A^T B within the axes, in sample",
                                                      "97.5 % quantile of shuffled pairs",
                                                      "Spearman correlation of squared distances",
                                                      "97.5 % quantile of shuffled pairs",
                                                      "participation ratio of the variance of a",
                                                      "participation ratio of the variance of b",
                                                      "mean cosine of features as they stand, about their means"};

static const char no_interval[] = "no interval", undefined[] = "too few images for these dimensions, or other shapes";

/* ---- The bootstrap over images ---- */

enum { TO, BACK, OVER, OVER_BACK, LOWER, CEILING, CEILING_BACK, NUMBERS };

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const hs_comparison *c = ctx;
    (void)scratch;
    for (int s = 0; s < 2; s++) {
        double steps = (double)c->S, cosine = hs_mean(c->n, c->cosine + (size_t)s * c->n, w) / steps;
        double kept = hs_mean(c->n, c->kept + (size_t)s * c->n, w) / steps;
        theta[TO + s] = cosine;
        theta[CEILING + s] = kept;
        theta[OVER + s] = kept > 0 ? cosine / kept : NAN;
    }
    theta[LOWER] = fmin(theta[OVER], theta[OVER_BACK]);
}

/* An estimate of numbers that don't vary at all has no BCa interval: it is exact. */
static void settle(hs_interval *ci)
{
    if (isnan(ci->lo) && fabs(ci->value - 1) < 1e-9) {
        ci->lo = ci->hi = ci->value;
        ci->reason = NULL;
    }
}

/* ---- Statistics ---- */

static double mean_of(const hs_comparison *c, size_t column)
{
    return hs_mean(c->S, c->column + column * c->S, NULL);
}

HS_CHECKED static int put_plain(hs_measurement *m, const char *name, double v, size_t n, const char *how)
{
    hs_estimate e = hs_estimate_plain(name, v, n, how, isnan(v) ? undefined : no_interval);
    return hs_measurement_put(m, &e);
}

HS_CHECKED static int put_pooled(hs_measurement *m, const char *name, double v, size_t n, const char *how)
{
    hs_estimate e = hs_estimate_plain(name, v, n, how, isnan(v) ? "one timestep, or too few images" : no_interval);
    return hs_measurement_put(m, &e);
}

/* Means over steps, then each step of those with several. */
HS_CHECKED static int put_columns(const hs_comparison *c, hs_measurement *m)
{
    int rc = HS_OK;
    char name[64];
    for (size_t j = HS_CMP_LIMIT; j < HS_CMP_COLUMNS; j++) {
        HS_TRY(put_plain(m, hs_compare_name[j], mean_of(c, j), c->n, estimator[j]));
    }
    for (size_t j = 0; j < HS_CMP_COLUMNS && c->S > 1; j++) {
        for (size_t k = 0; k < c->S; k++) {
            snprintf(name, sizeof name, "%.40s[%zu]", hs_compare_name[j], k);
            HS_TRY(put_plain(m, name, c->column[j * c->S + k], c->n, estimator[j]));
        }
    }
    HS_TRY(put_plain(m, "effective_dimension_a_null", hs_context_dimension_null(c->n, c->d[0]), c->n,
                     "of an isotropic Gaussian cloud"));
    HS_TRY(put_plain(m, "effective_dimension_b_null", hs_context_dimension_null(c->n, c->d[1]), c->n,
                     "of an isotropic Gaussian cloud"));
out:
    return rc;
}

HS_CHECKED static int put_cka(const hs_comparison *c, hs_measurement *m)
{
    int rc = HS_OK;
    char name[64];
    for (size_t i = 0; i < c->M * c->M; i++) {
        size_t k = c->matrix[i / c->M], l = c->matrix[i % c->M];
        double v = c->cka[i], half = c->cka_half[i];
        hs_estimate e = hs_estimate_of("",
                                       (hs_interval){v, v - half, v + half,
                                                     isnan(v)      ? undefined
                                                     : isnan(half) ? no_interval
                                                                   : NULL},
                                       c->n, "U-statistic; delete-one jackknife, t interval");
        snprintf(e.name, sizeof e.name, "cka_debiased[%zu,%zu]", k, l);
        HS_TRY(hs_measurement_put(m, &e));
        snprintf(name, sizeof name, "cka_biased[%zu,%zu]", k, l);
        HS_TRY(put_plain(m, name, c->cka_biased[i], c->n, "plug-in; near 1 for unrelated data when d >> n"));
        if (k == l) {
            snprintf(name, sizeof name, "cka_debiased_null[%zu,%zu]", k, l);
            HS_TRY(put_plain(m, name, c->cka_null[i / c->M], c->n, "97.5 % quantile of shuffled pairs"));
        }
    }
out:
    return rc;
}

/* ---- The verdict ---- */

/* Gate and standard, of the way round that is lower. */
static void decide(hs_measurement *m, double rank)
{
    const hs_estimate *p = &m->primary;
    int above = m->effect.value > m->null.value;
    m->verdict = isnan(p->lo)                    ? HS_VERDICT_INCONCLUSIVE
                 : p->hi < m->standard           ? HS_VERDICT_FAILS
                 : p->lo >= m->standard && above ? HS_VERDICT_HOLDS
                                                 : HS_VERDICT_INCONCLUSIVE;
    if (isnan(p->lo)) {
        snprintf(m->reason, sizeof m->reason, "%s has no %s: %s", p->name, isnan(p->value) ? "value" : "interval",
                 p->reason);
        return;
    }
    const char *how = m->verdict == HS_VERDICT_FAILS ? "lies below"
                      : p->lo >= m->standard         ? "lies at or above"
                                                     : "contains";
    snprintf(
        m->reason, sizeof m->reason,
        "aligned cosine over its ceiling %.3f [%.3f, %.3f] (rank %.0f) %s the standard, %g; unscaled %.3f is %s %.3f "
        "of shuffled pairs",
        p->value, p->lo, p->hi, rank, how, m->standard, m->effect.value, above ? "above" : "not above", m->null.value);
}

int hs_compare_judge(const hs_comparison *c, const hs_compare_options *o, const double pooled[2], hs_measurement *out)
{
    static const char *const name[NUMBERS] = {"aligned_cosine",    "aligned_cosine_back",         "over_ceiling",
                                              "over_ceiling_back", "aligned_cosine_over_ceiling", "ceiling",
                                              "ceiling_back"};
    static const char *const how[NUMBERS] = {"mean cosine of mapped a and b over held-out images; BCa over images",
                                             "mean cosine of mapped b and a over held-out images; BCa over images",
                                             "aligned_cosine over ceiling; BCa over images",
                                             "aligned_cosine_back over ceiling_back; BCa over images",
                                             "the lower of both ways round, over its ceiling; BCa over images",
                                             "mean cosine of b and its projection on the axes used",
                                             "mean cosine of a and its projection on the axes used"};
    int rc;
    hs_measurement m = {.property = "compare", .standard = o->standard, .has_null = 1};
    hs_interval ci[NUMBERS];
    double *null = NULL;
    const hs_statistic st = {.n = c->n, .q = NUMBERS, .eval = evaluate, .ctx = c};
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    HS_TRY(hs_alloc(c->nulls, sizeof *null, &null));
    for (size_t i = 0; i < NUMBERS; i++) {
        settle(&ci[i]);
        hs_estimate e = hs_estimate_of(name[i], ci[i], c->n, how[i]);
        HS_TRY(hs_measurement_put(&m, &e));
        m.primary = i == LOWER ? e : m.primary;
    }
    for (size_t w = 0; w < 2; w++) {
        memcpy(null, c->null + w * c->nulls, c->nulls * sizeof *null);
        hs_estimate e =
            hs_estimate_plain(w == 0 ? "aligned_cosine_null" : "aligned_cosine_null_back",
                              hs_null_quantile(c->nulls, null), c->nulls, estimator[HS_CMP_NULL], no_interval);
        HS_TRY(hs_measurement_put(&m, &e));
        int lower = ci[OVER].value <= ci[OVER_BACK].value;
        if (lower == (w == 0)) {
            m.null = e;
            m.effect = hs_estimate_of(name[TO + w], ci[TO + w], c->n, how[TO + w]);
        }
    }
    HS_TRY(put_pooled(&m, "aligned_cosine_pooled", pooled[0], c->n, "one map for all steps, a to b"));
    HS_TRY(put_pooled(&m, "aligned_cosine_pooled_back", pooled[1], c->n, "one map for all steps, b to a"));
    HS_TRY(put_columns(c, &m));
    HS_TRY(put_cka(c, &m));
    HS_TRY(c->n < HS_LOW_N ? hs_measurement_note(&m, "low n") : HS_OK);
    decide(&m, mean_of(c, HS_CMP_RANK));
    *out = m;
    memset(&m, 0, sizeof m);
out:
    free(null);
    hs_measurement_free(&m);
    return rc;
}
