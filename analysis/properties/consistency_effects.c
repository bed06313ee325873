#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency_internal.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

enum { TRANSFER, WHOLE, SHUFFLED, MEAN, GLOBAL, UNTRAINED, RIVAL, DIFFERENCE, SCALARS };

/* E (P, P) <- the weighted mean over images. */
static void mean_matrix(size_t n, size_t P, const double *e, const double *w, double *E)
{
    double weight = 0;
    memset(E, 0, P * P * sizeof *E);
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; w[i] > 0 && c < P * P; c++) {
            E[c] += w[i] * e[i * P * P + c];
        }
        weight += w[i];
    }
    for (size_t c = 0; c < P * P; c++) {
        E[c] /= weight;
    }
}

static double off_over_diagonal(size_t P, const double *E)
{
    double off = 0, diagonal = 0;
    for (size_t c = 0; c < P * P; c++) {
        *(c % (P + 1) == 0 ? &diagonal : &off) += E[c];
    }
    return P > 1 && fabs(diagonal) > 0 ? off / (double)(P - 1) / diagonal : NAN;
}

static double over(size_t n, const double *a, const double *b, const double *w)
{
    double below = hs_mean(n, b, w);
    return a != NULL && fabs(below) > 0 ? hs_mean(n, a, w) / below : NAN;
}

/* theta: scalars, then E. */
static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const hs_step_effects *f = ctx;
    double *E = theta + SCALARS;
    theta[RIVAL] = theta[UNTRAINED] = NAN;
    if (f->rival != NULL) {
        mean_matrix(f->n, f->P, f->rival, w, scratch);
        theta[RIVAL] = off_over_diagonal(f->P, scratch);
    }
    if (f->untrained != NULL) {
        mean_matrix(f->n, f->P, f->untrained, w, scratch);
        theta[UNTRAINED] = off_over_diagonal(f->P, scratch);
    }
    mean_matrix(f->n, f->P, f->E, w, E);
    theta[TRANSFER] = off_over_diagonal(f->P, E);
    theta[WHOLE] = hs_rms(f->n, f->whole, w);
    theta[SHUFFLED] = over(f->n, f->shuffled, f->whole, w);
    theta[MEAN] = over(f->n, f->mean, f->whole, w);
    theta[GLOBAL] = over(f->n, f->global, f->whole, w);
    theta[DIFFERENCE] = theta[TRANSFER] - theta[RIVAL];
}

HS_CHECKED static int set_null(const hs_step_effects *f, hs_measurement *r)
{
    int rc;
    double *effect = NULL;
    HS_TRY(hs_alloc(f->K, sizeof *effect, &effect));
    for (size_t k = 0; k < f->K; k++) {
        effect[k] = hs_rms(f->n, f->null + k * f->n, NULL);
    }
    r->has_null = f->K > 0;
    r->null = hs_estimate_plain("null", (f->twins ? hs_twin_limit : hs_null_limit)(f->K, effect), f->K,
                                "limit of the rms effect of n random directions with the direction's norms", NULL);
out:
    free(effect);
    return rc;
}

static int put(hs_measurement *r, hs_estimate e)
{
    return hs_measurement_put(r, &e);
}

HS_CHECKED static int put_scalars(const hs_step_effects *f, hs_interval *ci, hs_measurement *r)
{
    int rc;
    const char *none = "needs a direction found per sample (a delta network, deltas)";
    HS_TRY(put(r, r->primary));
    if (f->shuffled == NULL) {
        ci[SHUFFLED].reason = "the direction is the same at all steps";
    }
    if (f->mean == NULL) {
        ci[MEAN].reason = none;
    }
    if (f->untrained == NULL) {
        ci[UNTRAINED].reason = "no untrained network was given";
    }
    HS_TRY(put(r, hs_estimate_of("effect_mean_ratio", ci[MEAN], f->n, "mean delta over per-sample deltas; BCa")));
    HS_TRY(put(r, hs_estimate_of("effect_global_ratio", ci[GLOBAL], f->n, "one delta for all steps; BCa")));
    HS_TRY(put(r, hs_estimate_of("effect_shuffled_ratio", ci[SHUFFLED], f->n,
                                 "steps in another order, at the norms of their places; BCa")));
    HS_TRY(put(r, hs_estimate_of("transfer_steps_untrained", ci[UNTRAINED], f->n,
                                 "transfer_steps of the untrained network; BCa")));
out:
    return rc;
}

HS_CHECKED static int put_missing(hs_measurement *r)
{
    static const char *const name[] = {"transfer_steps", "effect", "effect_mean_ratio", "effect_global_ratio"};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        HS_TRY(put(r, hs_estimate_plain(name[i], NAN, 0, "not computed", "needs a model")));
    }
out:
    return rc;
}

int hs_consistency_effects(const hs_consistency_options *o, hs_consistency *c)
{
    int rc;
    const hs_step_effects *f = o->effects;
    hs_measurement *r = &c->result;
    hs_interval *ci = NULL;
    if (f == NULL) {
        return put_missing(r);
    }
    size_t cells = f->P * f->P;
    const hs_statistic st = {
        .n = f->n, .q = SCALARS + cells, .scratch = cells * sizeof(double), .eval = evaluate, .ctx = f};
    HS_TRY(hs_alloc(st.q, sizeof *ci, &ci));
    HS_TRY(hs_bootstrap_bca(&st, &o->bootstrap, ci));
    r->primary = hs_estimate_of("transfer_steps", ci[TRANSFER], f->n, "mean E_kl, k != l, over mean E_kk; BCa");
    r->effect = hs_estimate_of("effect", ci[WHOLE], f->n, "rms over images of the whole direction's effect; BCa");
    HS_TRY(set_null(f, r));
    r->has_rival = f->rival != NULL;
    if (r->has_rival) {
        r->rival = hs_estimate_of("transfer_steps", ci[RIVAL], f->n, "the same ratio in the rival space; BCa");
        r->difference_rival =
            hs_estimate_of("difference_rival", ci[DIFFERENCE], f->n, "primary - rival, same resamples; BCa");
    }
    HS_TRY(put_scalars(f, ci, r));
    c->P = f->P;
    HS_TRY(hs_alloc(f->P, f->P * sizeof *c->effect, &c->effect));
    for (size_t i = 0; i < cells; i++) {
        hs_estimate e = hs_estimate_of("", ci[SCALARS + i], f->n, "mean over images of E_kl; BCa");
        snprintf(e.name, sizeof e.name, "effect[%zu,%zu]", i / f->P, i % f->P);
        c->effect[i] = ci[SCALARS + i].value;
        HS_TRY(put(r, e));
    }
out:
    free(ci);
    return rc;
}
