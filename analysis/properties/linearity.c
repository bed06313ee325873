#include "analysis/properties/linearity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/linearity_internal.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

void hs_linearity_free(hs_linearity *l)
{
    if (l != NULL) {
        hs_measurement_free(&l->result);
        free(l->strength);
        free(l->mean);
        free(l->lo);
        free(l->hi);
        free(l->null);
        free(l->rival);
        memset(l, 0, sizeof *l);
    }
}

/* At least 4 magnitudes a side of natural images, or why not. */
static const char *grid_trouble(const hs_effects *e, const hs_linearity_options *o)
{
    if (o->natural == 0) {
        return "no strength leaves the images natural";
    }
    size_t below = e->zero, above = e->m - 1 - e->zero;
    if (below >= 4 && above >= 4) {
        return NULL;
    }
    return isnan(o->natural)
               ? "grid too coarse: at least 4 strengths on either side of 0 are needed"
               : "grid too coarse: at least 4 strengths on either side of 0 are needed at which images stay natural";
}

static int is_symmetric(const hs_effects *e)
{
    if (e->m != 2 * e->zero + 1) {
        return 0;
    }
    for (size_t j = 0; j < e->zero; j++) {
        double a = e->strength[j], b = e->strength[e->m - 1 - j];
        if (fabs(a + b) > 1e-9 * b) {
            return 0;
        }
    }
    return 1;
}

static int slopes_differ_in_sign(const hs_line *line, size_t n)
{
    size_t up = 0, down = 0;
    for (size_t i = 0; i < n; i++) {
        up += line->b[i] > 0;
        down += line->b[i] < 0;
    }
    return 20 * up > n && 20 * down > n; /* more than 5 % either way */
}

static int add_notes(const hs_effects *e, const hs_linearity_options *o, const hs_line *line, double spread,
                     hs_measurement *r)
{
    int rc = HS_OK;
    const struct {
        int applies;
        const char *text;
    } note[] = {
        {e->n < HS_LOW_N, "low n"},
        {isnan(o->natural), "naturalness not tested"},
        {e->K == 1 || e->K == 2, "null from 1 or 2 random directions: three times the larger"},
        {e->K > 2 && e->K < 8, "null from fewer than 8 random directions"},
        {!is_symmetric(e), "strengths are not symmetric"},
        {!(spread > 0), "the read-out does not vary over unedited images: range not tested"},
        {slopes_differ_in_sign(line, e->n), "the slope's sign differs between images"},
    };
    for (size_t i = 0; i < sizeof note / sizeof *note; i++) {
        if (note[i].applies) {
            HS_TRY(hs_measurement_note(r, note[i].text));
        }
    }
out:
    return rc;
}

/* Root mean square over images of one null's increments at the largest strength. */
static void null_effects(const hs_effects *e, size_t far, double *effect)
{
    for (size_t k = 0; k < e->K; k++) {
        double sum = 0;
        for (size_t i = 0; i < e->n; i++) {
            const double *v = e->null + (k * e->n + i) * e->m;
            sum += (v[far] - v[e->zero]) * (v[far] - v[e->zero]);
        }
        effect[k] = sqrt(sum / (double)e->n);
    }
}

static int set_null(const hs_effects *e, size_t far, hs_measurement *r)
{
    int rc = HS_OK;
    double *effect = NULL;
    r->has_null = e->K > 0;
    HS_TRY(hs_alloc(e->K, sizeof *effect, &effect));
    null_effects(e, far, effect);
    r->null = hs_estimate_plain("null", (e->twins ? hs_twin_limit : hs_null_limit)(e->K, effect), e->K,
                                e->K == 0  ? "none"
                                : e->K < 3 ? "three times the larger rms effect of n random directions"
                                           : "upper 97.5 % prediction limit of the rms effect of n random directions",
                                e->K == 0 ? "no null column" : NULL);
out:
    free(effect);
    return rc;
}

static void set_rival(const hs_line_answer *a, size_t n, hs_measurement *r)
{
    const hs_interval none = {NAN, NAN, NAN, "no rival"};
    r->has_rival = a->has_rival;
    r->rival = hs_estimate_of("linearity_index", a->has_rival ? a->ci[HS_LINE_RIVAL] : none, n,
                              "the same index in the rival space");
    r->difference_rival = hs_estimate_of("difference_rival", a->has_rival ? a->ci[HS_LINE_DIFFERENCE] : none, n,
                                         "primary - rival, same resamples");
}

static int put_scalars(const hs_effects *e, const hs_linearity_options *o, const hs_line_answer *a, hs_measurement *r)
{
    int rc = HS_OK;
    size_t n = e->n;
    HS_TRY(put(r, r->primary));
    HS_TRY(put(r, hs_estimate_of("slope", a->ci[HS_LINE_SLOPE], n, "mean over images of the slope through 0")));
    HS_TRY(put(r, hs_estimate_of("r2", a->ci[HS_LINE_R2], n, "mean curve of increments, line through 0")));
    HS_TRY(put(r, hs_estimate_of("r2_increments", a->ci[HS_LINE_R2_ALL], n, "all increments, one line through 0")));
    HS_TRY(put(r, hs_estimate_plain("lack_of_fit_p", a->lack_of_fit_p, n, "Hotelling T^2 on residual contrasts",
                                    a->lack_of_fit_reason)));
    HS_TRY(put(r, hs_estimate_of("spearman", a->ci[HS_LINE_SPEARMAN], n, "mean curve against strength")));
    HS_TRY(put(r, hs_estimate_of("slope_ratio", a->ci[HS_LINE_RATIO], n, "mean curve, b+ / b- through 0")));
    HS_TRY(put(r, hs_estimate_plain("natural_range", o->natural, n, "largest |s| up to which images stay natural",
                                    isnan(o->natural) ? "not tested" : NULL)));
    HS_TRY(put(r, hs_estimate_plain("linear_range", a->linear_range, n,
                                    "largest |s| with the interval of y - b0 s inside 0.1 |b0 s|", a->range_reason)));
    HS_TRY(put(r, hs_estimate_plain("saturation", a->saturation, n, "smallest |s| with local slope below b0 / 2",
                                    a->saturation_reason)));
out:
    return rc;
}

static int put_missing(hs_measurement *r, const hs_linearity_options *o)
{
    int rc = HS_OK;
    static const char *const vector[] = {"direction_cosine", "gain", "residual", "curvature"};
    for (size_t i = 0; o->shape == NULL && i < 4; i++) {
        HS_TRY(put(r, hs_estimate_plain(vector[i], NAN, 0, "not computed", "needs a vector read-out")));
    }
    if (o->jacobian == NULL) {
        HS_TRY(
            put(r, hs_estimate_plain("jacobian_cosine", NAN, 0, "not computed",
                                     "needs the model's derivative: --model, the read-out x0, no noise or clipping")));
    }
    if (o->terms == NULL) {
        HS_TRY(put(r, hs_estimate_plain("additivity", NAN, 0, "not computed",
                                        "needs a sum of directions and its terms: --terms")));
    }
out:
    return rc;
}

/* One slope an image makes a sign-flipping direction linear; scaling it still scales no common effect: the mean
 * slope may be 0, or less than half of the root mean square, or where images disagree, those of the mean's sign may be
 * fewer than two thirds (of 32 images of which a third are flipped, a few draws have a mean above half). */
static int no_common_slope(const hs_line *line, size_t n, const hs_interval *slope)
{
    double square = 0;
    size_t hits = 0;
    for (size_t i = 0; i < n; i++) {
        square += line->b[i] * line->b[i] / (double)n;
        hits += line->b[i] * slope->value > 0;
    }
    return (slope->lo <= 0 && slope->hi >= 0) || fabs(slope->value) < sqrt(square) / 2 ||
           (hits < n && hs_wilson_interval(hits, n, 0.95).lo < 2.0 / 3);
}

static int measure(const hs_effects *e, const hs_linearity_options *o, const hs_line *line, const hs_line_answer *a,
                   hs_measurement *r)
{
    int rc = HS_OK;
    double spread = o->spread;
    r->property = "linearity";
    snprintf(r->direction, sizeof r->direction, "%s", e->direction);
    r->standard = o->standard;
    r->primary = hs_estimate_of("linearity_index", a->ci[HS_LINE_INDEX], e->n,
                                "1 - rms residual / rms fit, one slope an image; bootstrap-t of log(1 - index)");
    r->effect = hs_estimate_of("effect", a->ci[HS_LINE_EFFECT], e->n, "rms over images at the largest strength");
    HS_TRY(set_null(e, line->far, r));
    set_rival(a, e->n, r);
    HS_TRY(put_scalars(e, o, a, r));
    if (o->shape != NULL) {
        HS_TRY(hs_line_put_shape(e, o, r));
    }
    if (o->jacobian != NULL) {
        HS_TRY(hs_line_put_jacobian(e, o, r));
    }
    HS_TRY(put_missing(r, o));
    if (isnan(spread)) {
        spread = e->n > 1 ? line->spread : 0;
    }
    HS_TRY(o->terms != NULL ? hs_line_put_terms(e, o, spread, r) : HS_OK);
    HS_TRY(add_notes(e, o, line, spread, r));
    hs_verdict_rules rules = {.noise_floor = o->noise_floor,
                              .spread = spread,
                              .undecided = grid_trouble(e, o),
                              .needs_null = "the effect under random directions of equal norm is needed"};
    const char *how = hs_decide(r, &rules);
    HS_TRY(how != NULL ? hs_line_say(e, o, line->far, spread, how, r) : HS_OK);
    if (r->verdict == HS_VERDICT_HOLDS && no_common_slope(line, e->n, &a->ci[HS_LINE_SLOPE])) {
        r->verdict = HS_VERDICT_INCONCLUSIVE;
        snprintf(r->reason, sizeof r->reason,
                 "each image answers in a line, but in opposite senses: mean slope %.4g [%.4g, %.4g], no common effect",
                 a->ci[HS_LINE_SLOPE].value, a->ci[HS_LINE_SLOPE].lo, a->ci[HS_LINE_SLOPE].hi);
    }
    hs_decide_specific(r);
out:
    return rc;
}

/* out (m) <- mean increments of a (n, m) block. */
static void mean_curve(const hs_effects *e, const double *v, double *out)
{
    for (size_t j = 0; j < e->m; j++) {
        out[j] = 0;
        for (size_t i = 0; i < e->n; i++) {
            out[j] += (v[i * e->m + j] - v[i * e->m + e->zero]) / (double)e->n;
        }
    }
}

static int fill_curves(const hs_effects *e, const hs_line_answer *a, hs_linearity *l)
{
    int rc = HS_OK;
    size_t count;
    l->m = e->m;
    l->K = e->K;
    HS_TRY(hs_alloc(e->m, sizeof *l->strength, &l->strength));
    HS_TRY(hs_alloc(e->m, sizeof *l->mean, &l->mean));
    HS_TRY(hs_alloc(e->m, sizeof *l->lo, &l->lo));
    HS_TRY(hs_alloc(e->m, sizeof *l->hi, &l->hi));
    for (size_t j = 0; j < e->m; j++) {
        const hs_interval *c = &a->ci[HS_LINE_SCALARS + j];
        l->strength[j] = e->strength[j];
        l->mean[j] = c->value;
        l->lo[j] = c->lo;
        l->hi[j] = c->hi;
    }
    if (e->K > 0) {
        HS_TRY(hs_size_mul(e->K, e->m, &count));
        HS_TRY(hs_alloc(count, sizeof *l->null, &l->null));
    }
    for (size_t k = 0; k < e->K; k++) {
        mean_curve(e, e->null + k * e->n * e->m, l->null + k * e->m);
    }
    if (e->rival != NULL) {
        HS_TRY(hs_alloc(e->m, sizeof *l->rival, &l->rival));
        mean_curve(e, e->rival, l->rival);
    }
out:
    return rc;
}

int hs_linearity_measure(const hs_effects *e, const hs_linearity_options *o, hs_linearity *out)
{
    int rc = HS_OK;
    hs_linearity l = {.m = 0};
    hs_line line = {.b = NULL};
    hs_line_answer a = {.ci = NULL};
    if (!(o->standard <= 1.0)) {
        return hs_fail(HS_ERANGE, "linearity: standard %g; at most 1", o->standard);
    }
    if (o->shape != NULL && (o->shape->n != e->n || o->shape->m != e->m)) {
        return hs_fail(HS_ESHAPE, "linearity: vector statistics of %zu x %zu, effects of %zu x %zu", o->shape->n,
                       o->shape->m, e->n, e->m);
    }
    HS_TRY(hs_line_fit(e, &line));
    HS_TRY(hs_line_bootstrap(e, &line, &o->bootstrap, &a));
    HS_TRY(measure(e, o, &line, &a, &l.result));
    HS_TRY(fill_curves(e, &a, &l));
    *out = l;
    memset(&l, 0, sizeof l);
out:
    hs_linearity_free(&l);
    hs_line_free(&line);
    free(a.ci);
    return rc;
}
