#include "analysis/properties/robustness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"

/* theta: sigma50 of each arm, then these, then the mean curves of the arms in order. */
enum { RATIO = HS_ARMS, RATIO_BOTH, PLATEAU, SCALARS };

hs_cross hs_damage_crossing(size_t m, const double *level, const double *D, double threshold, double *sigma50)
{
    *sigma50 = NAN;
    for (size_t j = 0; j < m; j++) {
        if (isnan(D[j])) {
            return HS_CROSS_NONE;
        }
    }
    if (m < 2 || !(threshold > 0)) {
        return HS_CROSS_NONE;
    }
    for (size_t j = 1; j < m; j++) {
        if (D[j] < threshold) {
            continue;
        }
        *sigma50 = level[j];
        if (j == 1) {
            return D[j] > threshold ? HS_CROSS_BEFORE : HS_CROSS_AT;
        }
        double part = (threshold - D[j - 1]) / (D[j] - D[j - 1]);
        *sigma50 = exp(log(level[j - 1]) + part * (log(level[j]) - log(level[j - 1])));
        return HS_CROSS_AT;
    }
    *sigma50 = level[m - 1];
    return HS_CROSS_BEYOND;
}

/* D (m) <- weighted mean increments of arm a. */
static void mean_curve(const hs_damage *d, int a, const double *w, double *D)
{
    double weight = 0;
    memset(D, 0, d->m[a] * sizeof *D);
    for (size_t i = 0; i < d->n; i++) {
        const double *v = d->damage[a] + i * d->m[a];
        for (size_t j = 0; w[i] > 0 && j < d->m[a]; j++) {
            D[j] += w[i] * (v[j] - v[0]);
        }
        weight += w[i];
    }
    for (size_t j = 0; j < d->m[a]; j++) {
        D[j] /= weight;
    }
}

static double plateau_of(const hs_damage *d, const double *D)
{
    size_t m = d->m[HS_ARM_EPS_P];
    return m > 1 ? D[m - 1] : NAN;
}

/* A ratio of two bounds of the same sense bounds nothing. */
static double log_ratio(const hs_cross cross[HS_ARMS], const double *sigma50, hs_arm h, hs_arm eps)
{
    if ((cross[h] == HS_CROSS_BEYOND && cross[eps] == HS_CROSS_BEYOND) ||
        (cross[h] == HS_CROSS_BEFORE && cross[eps] == HS_CROSS_BEFORE)) {
        return NAN;
    }
    return log(sigma50[h] / sigma50[eps]);
}

static void evaluate_with(const hs_damage *d, const double *w, double *theta, hs_cross cross[HS_ARMS])
{
    double *D[HS_ARMS], *at = theta + SCALARS;
    for (int a = 0; a < HS_ARMS; a++) {
        D[a] = at;
        mean_curve(d, a, w, D[a]);
        at += d->m[a];
    }
    theta[PLATEAU] = plateau_of(d, D[HS_ARM_EPS_P]);
    for (int a = 0; a < HS_ARMS; a++) {
        cross[a] = hs_damage_crossing(d->m[a], d->level[a], D[a], theta[PLATEAU] / 2, &theta[a]);
    }
    theta[RATIO] = log_ratio(cross, theta, HS_ARM_H_P, HS_ARM_EPS_P);
    theta[RATIO_BOTH] = log_ratio(cross, theta, HS_ARM_H_BOTH, HS_ARM_EPS_BOTH);
}

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    evaluate_with(ctx, w, theta, scratch);
}

void hs_robustness_free(hs_robustness *r)
{
    if (r != NULL) {
        hs_measurement_free(&r->result);
        for (int a = 0; a < HS_ARMS; a++) {
            free(r->level[a]);
            free(r->mean[a]);
            free(r->lo[a]);
            free(r->hi[a]);
        }
        memset(r, 0, sizeof *r);
    }
}

HS_CHECKED static int fill_curves(const hs_damage *d, const hs_interval *ci, hs_robustness *r)
{
    int rc = HS_OK;
    for (int a = 0; a < HS_ARMS; a++) {
        size_t m = r->m[a] = d->m[a];
        HS_TRY(hs_alloc(m, sizeof(double), &r->level[a]));
        HS_TRY(hs_alloc(m, sizeof(double), &r->mean[a]));
        HS_TRY(hs_alloc(m, sizeof(double), &r->lo[a]));
        HS_TRY(hs_alloc(m, sizeof(double), &r->hi[a]));
        for (size_t j = 0; j < m; j++, ci++) {
            r->level[a][j] = d->level[a][j];
            r->mean[a][j] = ci->value;
            r->lo[a][j] = j == 0 ? ci->value : ci->lo; /* the floor less itself has no spread */
            r->hi[a][j] = j == 0 ? ci->value : ci->hi;
        }
    }
out:
    return rc;
}

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

/* Why an arm has no sigma50, or what its number is short of; NULL when it has one. */
static const char *trouble(const hs_damage *d, const hs_robustness *r, int a)
{
    const char *eps = "eps_p does no damage, there is no threshold";
    if (d->m[a] == 0) {
        return "the arm was not run";
    }
    if (d->m[a] < 2) {
        return "the arm has no level above 0";
    }
    for (size_t j = 0; j < d->m[a]; j++) {
        if (isnan(r->mean[a][j])) {
            return "a damage of the arm is not finite";
        }
    }
    switch (r->cross[a]) {
    case HS_CROSS_BEYOND: return "never reaches the threshold: the largest level, a lower bound";
    case HS_CROSS_BEFORE: return "above the threshold at the smallest level already: an upper bound";
    case HS_CROSS_NONE: return isnan(r->plateau) ? "eps_p has no plateau, there is no threshold" : eps;
    default: return NULL;
    }
}

HS_CHECKED static int put_sigmas(const hs_damage *d, hs_interval *ci, hs_robustness *r)
{
    int rc = HS_OK;
    char name[64];
    for (int a = 0; a < HS_ARMS; a++) {
        const char *why = trouble(d, r, a);
        if (why != NULL) {
            ci[a].reason = why;
        }
        snprintf(name, sizeof name, "sigma50[%s]", hs_arm_name((hs_arm)a));
        HS_TRY(put(&r->result,
                   hs_estimate_of(name, ci[a], d->n,
                                  r->cross[a] == HS_CROSS_BEYOND   ? "censored at the largest level: a lower bound"
                                  : r->cross[a] == HS_CROSS_BEFORE ? "censored at the smallest level: an upper bound"
                                                                   : "level of half the plateau of eps_p, BCa over "
                                                                     "images")));
    }
out:
    return rc;
}

/* Whether the last two levels of eps_p agree within a tenth of the plateau. */
static int has_plateau(const hs_robustness *r)
{
    size_t m = r->m[HS_ARM_EPS_P];
    const double *D = r->mean[HS_ARM_EPS_P];
    return m > 2 && fabs(D[m - 1] - D[m - 2]) <= 0.1 * fabs(D[m - 1]);
}

/* +1: the ratio is at least this; -1: at most; 0: it is this. */
static int bound(const hs_cross cross[HS_ARMS])
{
    hs_cross h = cross[HS_ARM_H_P], eps = cross[HS_ARM_EPS_P];
    return h == HS_CROSS_BEYOND || eps == HS_CROSS_BEFORE ? 1 : h == HS_CROSS_BEFORE || eps == HS_CROSS_BEYOND ? -1 : 0;
}

/* A bound may decide in one sense only. */
static void respect_bounds(const hs_cross *cross, hs_measurement *m)
{
    int b = bound(cross);
    if ((b > 0 && m->verdict == HS_VERDICT_FAILS) || (b < 0 && m->verdict == HS_VERDICT_HOLDS)) {
        m->verdict = HS_VERDICT_INCONCLUSIVE;
        snprintf(m->reason, sizeof m->reason,
                 "log_ratio_sigma50 %.3f is only %s bound: the levels do not reach far "
                 "enough to decide",
                 m->primary.value, b > 0 ? "a lower" : "an upper");
    }
}

static const char *design(const hs_robustness *r)
{
    if (r->m[HS_ARM_EPS_P] < 2 || r->m[HS_ARM_H_P] < 2) {
        return "no level above 0 in h_p or eps_p";
    }
    if (r->m[HS_ARM_EPS_P] < 3) {
        return "eps_p has one level above 0: a plateau needs two";
    }
    return has_plateau(r) ? NULL
                          : "no plateau: the last two levels of eps_p differ by more than 10 %; wanted larger levels";
}

HS_CHECKED static int add_notes(const hs_damage *d, const hs_robustness_options *o, hs_robustness *r)
{
    int rc = HS_OK, falls = 0;
    for (int a = 0; a < HS_ARMS; a++) {
        for (size_t j = 1; j < r->m[a]; j++) {
            falls |= r->mean[a][j] < r->mean[a][j - 1] - 0.1 * fabs(r->plateau);
        }
    }
    const struct {
        int applies;
        const char *text;
    } note[] = {
        {d->n < HS_LOW_N, "low n"},
        {!o->naturalness, "naturalness not tested"},
        {1, "specific: the primary is itself a comparison with eps"},
        {bound(r->cross) > 0, "log_ratio_sigma50 is a lower bound"},
        {bound(r->cross) < 0, "log_ratio_sigma50 is an upper bound"},
        {falls, "a curve falls by more than 10 % of the plateau: its first crossing counts"},
    };
    for (size_t i = 0; i < sizeof note / sizeof *note; i++) {
        if (note[i].applies) {
            HS_TRY(hs_measurement_note(&r->result, note[i].text));
        }
    }
out:
    return rc;
}

static const char *ratio_trouble(const hs_damage *d, const hs_robustness *r, hs_arm h, hs_arm eps, double value)
{
    const char *why = isnan(value) && !isfinite(r->sigma50[h]) ? trouble(d, r, (int)h) : NULL;
    why = why == NULL && isnan(value) && !isfinite(r->sigma50[eps]) ? trouble(d, r, (int)eps) : why;
    return why != NULL ? why : isnan(value) ? "both arms are censored alike" : NULL;
}

/* The verdict, and its reason in our own words; 1 where the primary's interval had its say. */
static int decide(const hs_cross *cross, const hs_verdict_rules *rules, const char *units, hs_measurement *m)
{
    const char *stands = hs_decide(m, rules);
    if (stands != NULL) {
        int b = bound(cross);
        snprintf(
            m->reason, sizeof m->reason,
            "%sh bears %s%.3g [%.3g, %.3g] times the noise that eps bears before the images are half broken, %s the "
            "standard of %.3g",
            units,
            b > 0   ? "at least "
            : b < 0 ? "at most "
                    : "",
            exp(m->primary.value), exp(m->primary.lo), exp(m->primary.hi), stands, exp(m->standard));
    }
    respect_bounds(cross, m);
    return stands != NULL;
}

void hs_robustness_in_units(const hs_robustness *r, double shift, const char *units, hs_measurement *m)
{
    *m = r->result;
    m->primary.value += shift;
    m->primary.lo += shift;
    m->primary.hi += shift;
    if (r->decided) {
        decide(r->cross, &(hs_verdict_rules){.spread = -HUGE_VAL}, units, m);
    }
}

HS_CHECKED static int answer(const hs_damage *d, const hs_robustness_options *o, hs_interval *ci, hs_robustness *r)
{
    int rc = HS_OK;
    hs_measurement *m = &r->result;
    static const char *const how = "log of the ratio of sigma50, one threshold; BCa over images";
    const char *why = ratio_trouble(d, r, HS_ARM_H_P, HS_ARM_EPS_P, ci[RATIO].value);
    const char *both = ratio_trouble(d, r, HS_ARM_H_BOTH, HS_ARM_EPS_BOTH, ci[RATIO_BOTH].value);
    ci[RATIO].reason = why != NULL ? why : ci[RATIO].reason;
    ci[RATIO_BOTH].reason = both != NULL ? both : ci[RATIO_BOTH].reason;
    if (isnan(ci[PLATEAU].value)) {
        ci[PLATEAU].reason = trouble(d, r, HS_ARM_EPS_P);
    }
    m->property = "robustness";
    m->standard = o->standard;
    m->primary = hs_estimate_of("log_ratio_sigma50", ci[RATIO], d->n, how);
    m->effect = hs_estimate_of("effect", ci[PLATEAU], d->n, "damage of eps_p at its largest level, above level 0");
    m->has_null = 1;
    m->null = hs_estimate_plain("null", 0, d->n, "the clean floor, less itself", NULL);
    HS_TRY(put_sigmas(d, ci, r));
    HS_TRY(put(m, m->primary));
    HS_TRY(put(m, hs_estimate_of("log_ratio_sigma50_both", ci[RATIO_BOTH], d->n, how)));
    HS_TRY(put(m, hs_estimate_plain("threshold", r->threshold, d->n, "half the plateau of eps_p",
                                    isnan(r->threshold) ? trouble(d, r, HS_ARM_EPS_P) : NULL)));
    HS_TRY(add_notes(d, o, r));
    hs_verdict_rules rules = {.noise_floor = o->noise_floor,
                              .spread = -HUGE_VAL,
                              .undecided = o->undecided != NULL ? o->undecided : design(r)};
    r->decided = decide(r->cross, &rules, "", m);
    hs_decide_specific(m);
out:
    return rc;
}

/* The order of checks in a verdict asks for an effect first; without a level above 0 there is none to ask for. */
static void without_levels(hs_robustness *r)
{
    if (r->m[HS_ARM_EPS_P] < 2 || r->m[HS_ARM_H_P] < 2) {
        snprintf(r->result.reason, sizeof r->result.reason, "%s", design(r));
        r->result.verdict = HS_VERDICT_INCONCLUSIVE;
    }
}

int hs_robustness_measure(const hs_damage *d, const hs_robustness_options *o, hs_robustness *out)
{
    int rc = HS_OK;
    hs_robustness r = {.threshold = NAN};
    hs_interval *ci = NULL;
    double *w = NULL, *theta = NULL;
    size_t q = SCALARS;
    if (d->m[HS_ARM_H_P] == 0 || d->m[HS_ARM_EPS_P] == 0) {
        return hs_fail(HS_ERANGE, "robustness: no arm %s; h_p and eps_p are needed",
                       d->m[HS_ARM_H_P] == 0 ? "h_p" : "eps_p");
    }
    if (!isfinite(o->standard)) {
        return hs_fail(HS_ERANGE, "robustness: standard %g; wanted a finite log ratio", o->standard);
    }
    for (int a = 0; a < HS_ARMS; a++) {
        q += d->m[a];
    }
    hs_statistic st = {.n = d->n, .q = q, .scratch = sizeof(hs_cross[HS_ARMS]), .eval = evaluate, .ctx = d};
    HS_TRY(hs_alloc(q, sizeof *ci, &ci));
    HS_TRY(hs_alloc(q, sizeof *theta, &theta));
    HS_TRY(hs_alloc(d->n, sizeof *w, &w));
    for (size_t i = 0; i < d->n; i++) {
        w[i] = 1;
    }
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    evaluate_with(d, w, theta, r.cross);
    memcpy(r.sigma50, theta, sizeof r.sigma50);
    r.plateau = theta[PLATEAU];
    r.threshold = r.plateau / 2;
    HS_TRY(fill_curves(d, ci + SCALARS, &r));
    HS_TRY(answer(d, o, ci, &r));
    without_levels(&r);
    *out = r;
    memset(&r, 0, sizeof r);
out:
    hs_robustness_free(&r);
    free(ci);
    free(w);
    free(theta);
    return rc;
}
