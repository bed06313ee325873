#include "analysis/properties/homogeneity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"

enum { G, TAU, A, R, G_CORRECTED, H_CORRECTED, EFFECT, SCALARS };

static const struct {
    const char *name, *estimator;
} statistic[SCALARS] = {
    {"share_common", "|grand mean|^2 / mean |delta|^2, plug-in"},
    {"share_step", "mean |step effect|^2 / mean |delta|^2, plug-in"},
    {"share_sample", "mean |sample effect|^2 / mean |delta|^2, plug-in"},
    {"share_rest", "what the other three leave, plug-in"},
    {"share_common_corrected", "over pairs of different images; BCa"},
    {"share_homogeneous_corrected", "over pairs of different images at one step; BCa"},
    {"mean_cosine", "mean over steps of the pairwise cosines of the deltas; BCa"},
};

static void shares(const void *ctx, const hs_deltas_moments *m, double *theta, void *work)
{
    size_t S = m->S;
    double diagonal = 0, diagonal_plain = 0, concentration = 0, total = m->total;
    (void)ctx, (void)work;
    for (size_t k = 0; k < S; k++) {
        diagonal += m->M[k * S + k];
        diagonal_plain += m->plain[k * S + k];
        concentration += m->concentration[k] / (double)S;
        theta[SCALARS + k] = m->concentration[k];
    }
    double s = (double)S, scale = total > 0 ? 1 / total : NAN;
    double g = m->plain_all * scale, h = diagonal_plain / s * scale, a = m->image * scale - g;
    theta[G] = g;
    theta[TAU] = h - g;
    theta[A] = a;
    theta[R] = 1 - h - a;
    theta[G_CORRECTED] = m->M_all * scale;
    theta[H_CORRECTED] = diagonal / s * scale;
    theta[EFFECT] = concentration;
}

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

HS_CHECKED static int put_concentrations(const char *name, const char *estimator, const hs_deltas *x,
                                         const hs_interval *ci, hs_measurement *r)
{
    int rc = HS_OK;
    for (size_t k = 0; k < x->S; k++) {
        hs_estimate e = hs_estimate_of("", ci[SCALARS + k], x->n, estimator);
        snprintf(e.name, sizeof e.name, "%s[%zu]", name, k);
        HS_TRY(put(r, e));
    }
out:
    return rc;
}

/* The same statistics of other deltas. */
HS_CHECKED static int intervals(const hs_deltas *x, const hs_homogeneity_options *o, hs_interval **ci)
{
    int rc;
    const hs_deltas_statistic st = {.q = SCALARS + x->S, .eval = shares, .diagonal = 1};
    HS_TRY(hs_alloc(st.q, sizeof **ci, ci));
    HS_TRY(hs_deltas_bootstrap(x, &o->bootstrap, &st, o->progress, *ci));
out:
    return rc;
}

HS_CHECKED static int put_statistics(const hs_deltas *x, const hs_interval *ci, hs_measurement *r)
{
    int rc;
    HS_TRY(put_concentrations("concentration", "mean pairwise cosine at a step; BCa", x, ci, r));
    for (size_t i = 0; i < SCALARS; i++) {
        HS_TRY(put(r, hs_estimate_of(statistic[i].name, ci[i], x->n, statistic[i].estimator)));
    }
out:
    return rc;
}

HS_CHECKED static int put_removed(const hs_homogeneity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval *ci = NULL;
    if (o->removed == NULL) {
        HS_TRY(put(r, hs_estimate_plain("concentration_removed", NAN, 0, "not computed",
                                        "needs an untrained network's deltas, whose mean is taken off")));
        goto out;
    }
    HS_TRY(intervals(o->removed, o, &ci));
    HS_TRY(put_concentrations("concentration_removed", "mean pairwise cosine without the mean of the null deltas; BCa",
                              o->removed, ci, r));
    HS_TRY(put(r, hs_estimate_of("share_homogeneous_removed", ci[H_CORRECTED], o->removed->n,
                                 "share_homogeneous_corrected without the mean of the null deltas; BCa")));
out:
    free(ci);
    return rc;
}

int hs_homogeneity_put_deltas(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *r)
{
    int rc;
    hs_interval *ci = NULL;
    HS_TRY(intervals(x, o, &ci));
    HS_TRY(put_statistics(x, ci, r));
    HS_TRY(put_removed(o, r));
out:
    free(ci);
    return rc;
}

HS_CHECKED static int random_null(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    double *value = NULL;
    hs_deltas_null kind = o->null;
    HS_TRY(hs_alloc(o->K, sizeof *value, &value));
    size_t first = o->K > 0 ? 1 : 0; /* tells whether the others are worth it */
    HS_TRY(hs_deltas_random(x, kind, o->bootstrap.seed, first, value));
    if (first > 0 && isnan(value[0]) && kind == HS_DELTAS_COVARIANCE && x->units > 1) {
        kind = HS_DELTAS_IDENTITY;
        HS_TRY(hs_measurement_note(r, "the deltas don't vary between images: null of isotropic directions"));
    }
    HS_TRY(hs_deltas_random(x, kind, o->bootstrap.seed, o->K, value));
    r->null = hs_estimate_plain("null", hs_null_limit(o->K, value), o->K,
                                kind == HS_DELTAS_IDENTITY
                                    ? "limit of the mean cosine of n runs of isotropic directions"
                                    : "limit of the mean cosine of n runs of directions with the deltas' covariance",
                                x->units > 1 ? NULL : "undefined for one image");
out:
    free(value);
    return rc;
}

HS_CHECKED static int set_null(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval *ci = NULL;
    if (o->null_deltas != NULL) {
        HS_TRY(intervals(o->null_deltas, o, &ci));
        hs_interval c = ci[EFFECT];
        r->has_null = 1;
        r->null = hs_estimate_plain("null", isnan(c.hi) ? c.value : c.hi, o->null_deltas->n,
                                    "upper limit of the mean cosine of the null deltas", c.reason);
    } else if (o->K > 0) {
        r->has_null = 1;
        HS_TRY(random_null(x, o, r));
    }
out:
    free(ci);
    return rc;
}

HS_CHECKED static int add_notes(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    HS_TRY(x->n < HS_LOW_N ? hs_measurement_note(r, "low n") : HS_OK);
    HS_TRY(hs_measurement_note(r, "naturalness not tested"));
    HS_TRY(x->pooled ? hs_measurement_note(r, "images pooled into groups, resampled as such") : HS_OK);
    HS_TRY(x->bad > 0 ? hs_measurement_note(r, "images that are not finite were left out") : HS_OK);
    HS_TRY(o->null_deltas == NULL && o->K > 0 && o->K < 8
               ? hs_measurement_note(r, "null from fewer than 8 random directions")
               : HS_OK);
out:
    return rc;
}

/* Percentages read better than shares where the interval decided. */
static void say(hs_measurement *r)
{
    const hs_estimate *p = &r->primary;
    const char *how = r->verdict == HS_VERDICT_HOLDS   ? "and at least"
                      : r->verdict == HS_VERDICT_FAILS ? "where at least"
                                                       : "which does not settle whether it is at least";
    if (isnan(p->lo) || (r->verdict != HS_VERDICT_HOLDS && r->verdict != HS_VERDICT_FAILS &&
                         strstr(r->reason, "contains the standard") == NULL)) {
        return;
    }
    snprintf(r->reason, sizeof r->reason,
             "%.1f %% [%.1f, %.1f] of the deltas' energy is the same for all images, %s %g %%%s", 100 * p->value,
             100 * p->lo, 100 * p->hi, how, 100 * r->standard,
             r->verdict == HS_VERDICT_INCONCLUSIVE ? "" : " was wanted");
}

HS_CHECKED static int put_missing(hs_measurement *r)
{
    static const char *const name[] = {"common_share", "transfer", "sign_agreement", "effect_cv"};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        HS_TRY(put(r, hs_estimate_plain(name[i], NAN, 0, "not computed",
                                        i == 1 ? "needs a model: each image edited with another's delta"
                                               : "needs effects, not deltas")));
    }
out:
    return rc;
}

int hs_homogeneity_deltas(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *out)
{
    int rc;
    hs_measurement r = {.property = "homogeneity", .standard = isnan(o->standard) ? 0.5 : o->standard};
    hs_interval *ci = NULL;
    char undecided[96] = "";
    if (r.standard > 1) {
        return hs_fail(HS_ERANGE, "homogeneity: standard %g; at most 1", r.standard);
    }
    HS_TRY(intervals(x, o, &ci));
    r.primary = hs_estimate_of(statistic[H_CORRECTED].name, ci[H_CORRECTED], x->n, statistic[H_CORRECTED].estimator);
    r.effect = hs_estimate_of("effect", ci[EFFECT], x->n, statistic[EFFECT].estimator);
    if (isnan(r.effect.value)) {
        r.effect.reason = r.primary.reason = x->n < 2 ? "one image makes no pair" : "the deltas are all zero";
    }
    HS_TRY(set_null(x, o, &r));
    HS_TRY(put_statistics(x, ci, &r));
    HS_TRY(put_removed(o, &r));
    HS_TRY(put_missing(&r));
    HS_TRY(add_notes(x, o, &r));
    if (x->bad > 0) {
        snprintf(undecided, sizeof undecided, "%zu image%s not finite, number %zu the first", x->bad,
                 x->bad == 1 ? " is" : "s are", x->first_bad);
    }
    hs_decide(&r, &(hs_verdict_rules){.undecided = x->bad > 0 ? undecided : NULL,
                                      .spread = -INFINITY,
                                      .noise_floor = -INFINITY,
                                      .needs_null = "--null or --null-deltas is needed"});
    say(&r);
    hs_decide_specific(&r);
    *out = r;
    memset(&r, 0, sizeof r);
out:
    hs_measurement_free(&r);
    free(ci);
    return rc;
}
