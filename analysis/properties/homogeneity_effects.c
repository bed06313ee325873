/* Homogeneity of the effects of one fixed delta, and of transfers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/homogeneity.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

enum { SHARE, SIGNS, CV, MEAN, EFFECT, RIVAL, DIFFERENCE, SCALARS };

typedef struct {
    size_t n;
    double *e, *far, *rival; /* (n) increments: at the largest positive strength, the largest |s|; rival or NULL */
} sample;

double hs_common_share(size_t n, const double *e, const double *w, double *se)
{
    double sum = 0, square = 0, copies = 0, weight = 0, weight2 = 0;
    for (size_t i = 0; i < n; i++) {
        double wi = w != NULL ? w[i] : 1;
        sum += wi * e[i];
        square += wi * e[i] * e[i];
        copies += wi * wi * e[i] * e[i];
        weight += wi;
        weight2 += wi * wi;
    }
    double pairs = weight * weight - weight2, m2 = square / weight, mean = sum / weight;
    double u = pairs > 0 ? (sum * sum - copies) / pairs : NAN, share = m2 > 0 ? u / m2 : NAN;
    if (se != NULL) {
        double influence = 0;
        for (size_t i = 0; i < n; i++) {
            double d = (2 * (mean * e[i] - u) - share * (e[i] * e[i] - m2)) / m2;
            influence += (w != NULL ? w[i] : 1) * d * d;
        }
        *se = sqrt(influence / (weight * (weight - 1)));
    }
    return share;
}

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const sample *s = ctx;
    double mean = hs_mean(s->n, s->e, w), agree = 0, weight = 0;
    (void)scratch;
    for (size_t i = 0; i < s->n; i++) {
        agree += s->e[i] * mean > 0 ? w[i] : 0;
        weight += w[i];
    }
    theta[SHARE] = hs_common_share(s->n, s->e, w, NULL);
    theta[SIGNS] = fabs(mean) > 0 ? agree / weight : NAN;
    theta[CV] = fabs(mean) > 0 ? hs_sd(s->n, s->e, w) / fabs(mean) : NAN;
    theta[MEAN] = mean;
    theta[EFFECT] = hs_rms(s->n, s->far, w);
    theta[RIVAL] = s->rival != NULL ? hs_common_share(s->n, s->rival, w, NULL) : NAN;
    theta[DIFFERENCE] = theta[SHARE] - theta[RIVAL];
}

/* Studentised statistics, each on a scale where its error depends little on it. */
enum { T_LOG_REST, T_LOG_CV, T_MEAN, T_STUDENTISED };

static void with_errors(const void *ctx, const double *w, double *theta, void *scratch)
{
    const sample *s = ctx;
    double error, share = hs_common_share(s->n, s->e, w, &error), mean = hs_mean(s->n, s->e, w), weight = 0, cv2 = 0;
    double sd = hs_sd(s->n, s->e, w), cv = sd / fabs(mean);
    (void)scratch;
    for (size_t i = 0; i < s->n; i++) {
        double x = (s->e[i] - mean) / sd; /* influence on log cv: (x^2 - 1) / 2 - x cv sign of the mean */
        double influence = (x * x - 1) / 2 - x * cv * (mean < 0 ? -1 : 1);
        weight += w[i];
        cv2 += w[i] * influence * influence;
    }
    theta[2 * T_LOG_REST] = log(1 - share);
    theta[2 * T_LOG_REST + 1] = error / (1 - share);
    theta[2 * T_LOG_CV] = log(cv);
    theta[2 * T_LOG_CV + 1] = sqrt(cv2 / (weight * (weight - 1)));
    theta[2 * T_MEAN] = mean;
    theta[2 * T_MEAN + 1] = sd / sqrt(weight);
}

/* x <- the interval t on the transformed scale, taken back; its value stays. */
static void take_back(hs_interval t, double (*back)(double), int falls, hs_interval *x)
{
    x->reason = t.reason;
    x->lo = t.reason == NULL ? back(falls ? t.hi : t.lo) : NAN;
    x->hi = t.reason == NULL ? back(falls ? t.lo : t.hi) : NAN;
}

static double share_of_log(double rest)
{
    return 1 - exp(rest);
}

static double same(double x)
{
    return x;
}

/* The intervals of common share, cv and mean, by bootstrap-t. */
HS_CHECKED static int studentised(const sample *s, const hs_bootstrap_options *o, hs_interval *ci)
{
    int rc;
    hs_interval t[T_STUDENTISED];
    const hs_statistic st = {.n = s->n, .q = 2 * T_STUDENTISED, .eval = with_errors, .ctx = s};
    if (s->n > 1 && hs_sd(s->n, s->e, NULL) <= 1e-9 * fabs(ci[MEAN].value)) { /* all effects equal */
        for (size_t j = SHARE; j <= MEAN; j++) {
            ci[j].lo = ci[j].hi = ci[j].value;
            ci[j].reason = isnan(ci[j].value) ? "there is no effect" : NULL;
        }
        return HS_OK;
    }
    HS_TRY(hs_bootstrap_t(&st, o, t));
    take_back(t[T_LOG_REST], share_of_log, 1, &ci[SHARE]);
    take_back(t[T_LOG_CV], exp, 0, &ci[CV]);
    take_back(t[T_MEAN], same, 0, &ci[MEAN]);
out:
    return rc;
}

/* Of a share of images, Wilson's interval, which all images agreeing have too. */
static void sign_interval(const sample *s, double level, hs_interval *ci)
{
    size_t hits = (size_t)lround(ci->value * (double)s->n);
    if (!isnan(ci->value)) {
        *ci = hs_wilson_interval(hits, s->n, level);
    }
}

/* Index of the strength whose effects are judged: the largest positive one, else the largest of all. */
static size_t judged(const hs_effects *e)
{
    return e->zero + 1 < e->m ? e->m - 1 : 0;
}

static void increments(const hs_effects *e, const double *value, size_t at, double *out)
{
    for (size_t i = 0; i < e->n; i++) {
        out[i] = value[i * e->m + at] - value[i * e->m + e->zero];
    }
}

HS_CHECKED static int sample_of(const hs_effects *e, sample *s)
{
    int rc;
    s->n = e->n;
    HS_TRY(hs_alloc(e->n, sizeof *s->e, &s->e));
    HS_TRY(hs_alloc(e->n, sizeof *s->far, &s->far));
    increments(e, e->value, judged(e), s->e);
    increments(e, e->value, hs_effects_far(e), s->far);
    if (e->rival != NULL) {
        HS_TRY(hs_alloc(e->n, sizeof *s->rival, &s->rival));
        increments(e, e->rival, judged(e), s->rival);
    }
out:
    return rc;
}

HS_CHECKED static int set_null(const hs_effects *e, hs_measurement *r)
{
    int rc = HS_OK;
    double *effect = NULL, *one = NULL;
    r->has_null = e->K > 0;
    HS_TRY(hs_alloc(e->K, sizeof *effect, &effect));
    HS_TRY(hs_alloc(e->n, sizeof *one, &one));
    for (size_t k = 0; k < e->K; k++) {
        increments(e, e->null + k * e->n * e->m, hs_effects_far(e), one);
        effect[k] = hs_rms(e->n, one, NULL);
    }
    r->null = hs_estimate_plain("null", (e->twins ? hs_twin_limit : hs_null_limit)(e->K, effect), e->K,
                                e->K < 3 ? "three times the larger rms effect of n random directions"
                                         : "upper 97.5 % prediction limit of the rms effect of n random directions",
                                e->K == 0 ? "no null column" : NULL);
out:
    free(effect);
    free(one);
    return rc;
}

static double spread_of(const hs_effects *e, const hs_homogeneity_options *o, double *work)
{
    for (size_t i = 0; i < e->n; i++) {
        work[i] = e->value[i * e->m + e->zero];
    }
    double own = e->n > 1 ? hs_sd(e->n, work, NULL) : 0;
    return isnan(o->spread) ? own : o->spread;
}

HS_CHECKED static int add_notes(const hs_effects *e, const hs_homogeneity_options *o, double spread, hs_measurement *r)
{
    int rc = HS_OK;
    HS_TRY(e->n < HS_LOW_N ? hs_measurement_note(r, "low n") : HS_OK);
    HS_TRY(!o->naturalness ? hs_measurement_note(r, "naturalness not tested") : HS_OK);
    HS_TRY(e->K == 1 || e->K == 2 ? hs_measurement_note(r, "null from 1 or 2 random directions: three times the larger")
                                  : HS_OK);
    HS_TRY(e->K > 2 && e->K < 8 ? hs_measurement_note(r, "null from fewer than 8 random directions") : HS_OK);
    HS_TRY(!(spread > 0) ? hs_measurement_note(r, "the read-out does not vary over unedited images: range not tested")
                         : HS_OK);
out:
    return rc;
}

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

/* ---- Image changes ---- */

typedef struct {
    size_t n;
    const double *gram; /* (n, n) cosines */
} alike;

static void mean_of_pairs(const void *ctx, const double *w, double *theta, void *scratch)
{
    const alike *a = ctx;
    double sum = 0, weight = 0, squares = 0;
    (void)scratch;
    for (size_t i = 0; i < a->n; i++) {
        for (size_t j = 0; w[i] > 0 && j < i; j++) {
            sum += 2 * w[i] * w[j] * a->gram[i * a->n + j];
        }
        weight += w[i];
        squares += w[i] * w[i];
    }
    double pairs = weight * weight - squares;
    theta[0] = pairs > 0 ? sum / pairs : NAN;
}

/* gram (n, n) <- cosines of the rows of v; 0 where one is 0. */
static void cosines(size_t n, size_t f, const double *v, double *gram)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double dot = 0, a = 0, b = 0;
            for (size_t k = 0; k < f; k++) {
                dot += v[i * f + k] * v[j * f + k];
                a += v[i * f + k] * v[i * f + k];
                b += v[j * f + k] * v[j * f + k];
            }
            gram[i * n + j] = gram[j * n + i] = a > 0 && b > 0 ? dot / sqrt(a * b) : 0;
        }
    }
}

/* v (n, f) <- the changes, each less the mean grey level of its own: what a shift of brightness would share. */
static void fill_changes(const hs_homogeneity_options *o, size_t n, int removed, double *v)
{
    size_t f = o->f;
    for (size_t i = 0; i < n; i++) {
        double mean = 0;
        for (size_t k = 0; k < f; k++) {
            mean += (double)o->change[i * f + k] / (double)f;
        }
        for (size_t k = 0; k < f; k++) {
            v[i * f + k] = (double)o->change[i * f + k] - (removed ? mean : 0);
        }
    }
}

HS_CHECKED static int put_changes(const hs_homogeneity_options *o, size_t n, hs_measurement *r)
{
    int rc = HS_OK;
    double *v = NULL, *gram = NULL;
    if (o->change == NULL) {
        return put(r, hs_estimate_plain("change_cosine", NAN, 0, "not computed", "needs the changes of the images"));
    }
    HS_TRY(hs_alloc(n, o->f * sizeof *v, &v));
    HS_TRY(hs_alloc(n, n * sizeof *gram, &gram));
    for (int removed = 0; removed < 2; removed++) {
        hs_interval ci;
        alike a = {n, gram};
        const hs_statistic st = {.n = n, .q = 1, .eval = mean_of_pairs, .ctx = &a};
        fill_changes(o, n, removed, v);
        cosines(n, o->f, v, gram);
        HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, &ci));
        HS_TRY(put(r, hs_estimate_of(removed ? "change_cosine_removed" : "change_cosine", ci, n,
                                     removed ? "the same without each change's own mean over the pixels; BCa"
                                             : "mean cosine of the changes of two images; BCa")));
    }
out:
    free(v);
    free(gram);
    return rc;
}

/* ---- Transfers ---- */

enum { RATIO, T_SHARE, LOWER, OWN_MEAN, T_EFFECT, T_SCALARS };

/* Pairs (i, j) count w_i + w_j - 1; common share over all pairs of transfers of different images, by their products:
 * (sum e)^2 - sum e^2 over the same pairs. */
static void transferred(const void *ctx, const double *w, double *theta, void *scratch)
{
    const hs_transfers *t = ctx;
    double own = 0, own2 = 0, weight = 0, mean = 0, square = 0, pairs = 0;
    (void)scratch;
    for (size_t i = 0; i < t->n; i++) {
        own += w[i] * t->own[i];
        own2 += w[i] * t->own[i] * t->own[i];
        weight += w[i];
        for (size_t q = 0; q < t->R; q++) {
            double p = w[i] + w[t->from[i * t->R + q]] - 1, e = t->other[i * t->R + q];
            mean += p * e;
            square += p * e * e;
            pairs += p;
        }
    }
    mean = pairs > 0 ? mean / pairs : NAN;
    square = pairs > 0 ? square / pairs : NAN;
    double variance = square - mean * mean;
    theta[RATIO] = fabs(own) > 0 ? mean / (own / weight) : NAN;
    theta[T_SHARE] = square > 0 ? (mean * mean - variance / (double)t->n) / square : NAN;
    theta[LOWER] = theta[RATIO] < theta[T_SHARE] ? theta[RATIO] : theta[T_SHARE];
    theta[OWN_MEAN] = own / weight;
    theta[T_EFFECT] = sqrt(own2 / weight);
}

static const char *check_transfers(const hs_transfers *t, size_t n)
{
    for (size_t i = 0; i < t->n * t->R; i++) {
        if (t->from[i] >= t->n || t->from[i] == i / t->R) {
            return "a transfer from the image itself";
        }
    }
    return t->n != n ? "transfers of other images" : t->R == 0 ? "no transfers" : NULL;
}

HS_CHECKED static int put_transfers(const hs_homogeneity_options *o, size_t n, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval ci[T_SCALARS];
    const hs_transfers *t = o->transfers;
    if (t == NULL) {
        return put(r, hs_estimate_plain("transfer", NAN, 0, "not computed",
                                        "one fixed delta: every image is edited with the same one"));
    }
    const char *trouble = check_transfers(t, n);
    if (trouble != NULL) {
        return hs_fail(HS_ESHAPE, "homogeneity: %s (%zu images, %zu effects)", trouble, t->n, n);
    }
    const hs_statistic st = {.n = t->n, .q = T_SCALARS, .eval = transferred, .ctx = t};
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    HS_TRY(put(r, hs_estimate_of("transfer", ci[RATIO], n, "mean e_ij, i != j, over mean e_ii; BCa in both indices")));
    HS_TRY(put(r, hs_estimate_of("transfer_common_share", ci[T_SHARE], n,
                                 "(mean^2 - s^2 / N) / mean of e_ij^2, i != j; BCa in both indices")));
    int ratio = ci[RATIO].value < ci[T_SHARE].value;
    r->primary = hs_estimate_of(ratio ? "transfer" : "transfer_common_share", ci[LOWER], n,
                                "the lower of transfer and common share of the e_ij, i != j; BCa in both indices");
    r->effect = hs_estimate_of("effect", ci[T_EFFECT], n, "rms over images of e_ii, each with its own delta; BCa");
out:
    return rc;
}

/* ---- The answer ---- */

HS_CHECKED static int put_scalars(const hs_effects *e, const hs_interval *ci, hs_measurement *r)
{
    int rc;
    HS_TRY(put(r, hs_estimate_of("common_share", ci[SHARE], e->n,
                                 "(mean^2 - s^2 / N) / mean of squares; bootstrap-t of log(1 - share)")));
    HS_TRY(put(r, hs_estimate_of("sign_agreement", ci[SIGNS], e->n, "share with the sign of the mean; Wilson")));
    HS_TRY(put(r, hs_estimate_of("effect_cv", ci[CV], e->n, "sd / |mean|; bootstrap-t of its log")));
    HS_TRY(put(r, hs_estimate_of("effect_mean", ci[MEAN], e->n, "mean effect at the strength judged; bootstrap-t")));
    HS_TRY(
        put(r, hs_estimate_plain("strength", e->strength[judged(e)], e->n, "the one whose effects are judged", NULL)));
out:
    return rc;
}

HS_CHECKED static int put_missing(hs_measurement *r)
{
    static const char *const name[] = {"concentration",          "concentration_removed",
                                       "share_common",           "share_step",
                                       "share_sample",           "share_rest",
                                       "share_common_corrected", "share_homogeneous_corrected"};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        HS_TRY(put(r, hs_estimate_plain(name[i], NAN, 0, "not computed", "needs deltas, not effects")));
    }
out:
    return rc;
}

/* What a reader makes of an interval that decided, standing so to the standard. */
static void say(const hs_interval *ci, const hs_homogeneity_options *o, const char *how, hs_measurement *r)
{
    const hs_estimate *p = &r->primary;
    if (o->transfers != NULL) {
        snprintf(
            r->reason, sizeof r->reason,
            "an image moves %.2f [%.2f, %.2f] as far with another image's delta as with its own (the lower of mean "
            "ratio and common share), %s the standard of %g",
            p->value, p->lo, p->hi, how, r->standard);
    } else {
        snprintf(r->reason, sizeof r->reason,
                 "%.0f %% of the images move the same way and %.1f %% [%.1f, %.1f] of the effect's energy is common to "
                 "them, %s the standard of %g %%",
                 100 * ci[SIGNS].value, 100 * p->value, 100 * p->lo, 100 * p->hi, how, 100 * r->standard);
    }
}

HS_CHECKED static int measure(const hs_effects *e, const hs_homogeneity_options *o, const sample *s, hs_interval *ci,
                              hs_measurement *r)
{
    int rc;
    double *work = NULL;
    HS_TRY(hs_alloc(e->n, sizeof *work, &work));
    double spread = spread_of(e, o, work);
    r->primary = hs_estimate_of("common_share", ci[SHARE], e->n, "(mean^2 - s^2 / N) / mean of squares over images");
    r->effect = hs_estimate_of("effect", ci[EFFECT], e->n, "rms over images at the largest strength; BCa");
    HS_TRY(set_null(e, r));
    r->has_rival = s->rival != NULL;
    if (r->has_rival) {
        r->rival = hs_estimate_of("common_share", ci[RIVAL], e->n, "the same share in the rival space; BCa");
        r->difference_rival =
            hs_estimate_of("difference_rival", ci[DIFFERENCE], e->n, "primary - rival, same resamples; BCa");
    }
    HS_TRY(o->deltas != NULL ? hs_homogeneity_put_deltas(o->deltas, o, r) : put_missing(r));
    HS_TRY(put_scalars(e, ci, r));
    HS_TRY(put_transfers(o, e->n, r));
    HS_TRY(put_changes(o, e->n, r));
    HS_TRY(add_notes(e, o, spread, r));
    const char *how =
        hs_decide(r, &(hs_verdict_rules){.noise_floor = o->noise_floor,
                                         .spread = spread,
                                         .undecided = e->zero + 1 < e->m ? NULL : "no positive strength was given",
                                         .needs_null = "the effect under random directions of equal norm is needed"});
    if (how != NULL) {
        say(ci, o, how, r);
    }
    hs_decide_specific(r);
out:
    free(work);
    return rc;
}

int hs_homogeneity_effects(const hs_effects *e, const hs_homogeneity_options *o, hs_measurement *out)
{
    int rc;
    hs_measurement r = {.property = "homogeneity"};
    hs_interval ci[SCALARS];
    sample s = {0};
    r.standard = !isnan(o->standard) ? o->standard : o->transfers != NULL ? 0.5 : 0.8;
    if (r.standard > 1) {
        return hs_fail(HS_ERANGE, "homogeneity: standard %g; at most 1", r.standard);
    }
    snprintf(r.direction, sizeof r.direction, "%s", e->direction);
    HS_TRY(sample_of(e, &s));
    const hs_statistic st = {.n = e->n, .q = SCALARS, .eval = evaluate, .ctx = &s};
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    HS_TRY(studentised(&s, &o->bootstrap, ci));
    sign_interval(&s, o->bootstrap.level, &ci[SIGNS]);
    HS_TRY(measure(e, o, &s, ci, &r));
    *out = r;
    memset(&r, 0, sizeof r);
out:
    hs_measurement_free(&r);
    free(s.e);
    free(s.far);
    free(s.rival);
    return rc;
}
