#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/properties/common_share.h"
#include "analysis/properties/robustness_run.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

/* Means over images of q columns, or the log ratio of two. */
typedef struct {
    size_t n, q;
    int log_ratio;
    const double *v[2]; /* q = 1: (n); log_ratio: two of them */
} means;

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const means *m = ctx;
    (void)scratch;
    theta[0] = hs_mean(m->n, m->v[0], w);
    if (m->log_ratio) {
        theta[0] = log(theta[0] / hs_mean(m->n, m->v[1], w));
    }
}

HS_CHECKED static int put_mean(const char *name, const means *m, const char *estimator, const char *missing,
                               const hs_bootstrap_options *o, hs_measurement *out)
{
    int rc = HS_OK;
    hs_interval ci = {NAN, NAN, NAN, missing};
    if (m->v[0] != NULL) {
        hs_statistic st = {.n = m->n, .q = 1, .eval = evaluate, .ctx = m};
        HS_TRY(hs_bootstrap_bca(&st, o, &ci));
    }
    hs_estimate e = hs_estimate_of(name, ci, m->n, estimator);
    HS_TRY(hs_measurement_put(out, &e));
out:
    return rc;
}

static int put_plain(hs_measurement *m, const char *name, double value, size_t n, const char *estimator,
                     const char *missing)
{
    hs_estimate e = hs_estimate_plain(name, value, n, estimator, isnan(value) ? missing : NULL);
    return hs_measurement_put(m, &e);
}

static const char *const no_features = "needs an attribute network for images of this size, and fresh samples (-N)";

HS_CHECKED static int put_frechet(const hs_robust_run *r, hs_measurement *m)
{
    int rc = HS_OK;
    static const char *const how = "features of n perturbed and n fresh images; beside frechet_clean, the same bias";
    char name[64];
    HS_TRY(
        put_plain(m, "frechet_clean", r->frechet_clean, r->n, "features of n plain and n fresh images", no_features));
    HS_TRY(put_plain(m, "frechet_bias", r->frechet_bias, r->n, "tr S / n of both", no_features));
    for (int a = 0; a < HS_ARMS; a++) {
        const hs_damage *d = &r->damage[HS_DAMAGE_L2];
        for (size_t j = 1; j < d->m[a]; j++) {
            snprintf(name, sizeof name, "frechet[%s,%.4g]", hs_arm_name((hs_arm)a), d->level[a][j]);
            HS_TRY(put_plain(m, name, r->frechet[a] != NULL ? r->frechet[a][j] : NAN, r->n, how, no_features));
        }
    }
out:
    return rc;
}

HS_CHECKED static int put_percentiles(const hs_robust_run *r, hs_measurement *m)
{
    int rc = HS_OK;
    char name[64];
    for (int a = 0; a < HS_ARMS; a++) {
        const hs_damage *d = &r->damage[HS_DAMAGE_L2];
        for (size_t j = 1; j < d->m[a]; j++) {
            double sum = r->percentile[a] != NULL ? 0 : NAN;
            for (size_t i = 0; r->percentile[a] != NULL && i < r->n; i++) {
                sum += r->percentile[a][i * r->m + j] / (double)r->n;
            }
            snprintf(name, sizeof name, "percentile[%s,%.4g]", hs_arm_name((hs_arm)a), d->level[a][j]);
            HS_TRY(put_plain(m, name, sum, r->n, "mean percentile of the middle step's h in the clean PC model",
                             "needs 8 images and fresh samples (-N)"));
        }
    }
out:
    return rc;
}

/* The primary's twin of each other damage: exploratory. */
HS_CHECKED static int put_twins(const hs_robust_run *r, hs_damage_kind kind, const hs_bootstrap_options *o,
                                hs_measurement *m)
{
    int rc = HS_OK;
    char name[64];
    for (int k = 0; k < HS_DAMAGES; k++) {
        hs_robustness twin = {0};
        hs_robustness_options opt = HS_ROBUSTNESS_OPTIONS_INIT;
        opt.bootstrap = *o;
        if (k == (int)kind) {
            continue;
        }
        snprintf(name, sizeof name, "log_ratio_sigma50[%s]", hs_damage_kind_name((hs_damage_kind)k));
        hs_estimate e = hs_estimate_plain(name, NAN, r->n, "exploratory", no_features);
        if (r->damage[k].n > 0) {
            HS_TRY(hs_robustness_measure(&r->damage[k], &opt, &twin));
            e = twin.result.primary;
            snprintf(e.name, sizeof e.name, "%s", name);
        }
        rc = hs_measurement_put(m, &e);
        hs_robustness_free(&twin);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* Damage with h replaced, over the threshold: half the plateau of eps_p. */
typedef struct {
    size_t n, m;
    const double *replaced, *eps; /* (n); (n, m) */
} ablation;

static void evaluate_ablation(const void *ctx, const double *w, double *theta, void *scratch)
{
    const ablation *a = ctx;
    double plateau = 0, replaced = 0;
    (void)scratch;
    for (size_t i = 0; i < a->n; i++) {
        plateau += w[i] * (a->eps[i * a->m + a->m - 1] - a->eps[i * a->m]);
        replaced += w[i] * a->replaced[i];
    }
    theta[0] = plateau > 0 ? 2 * replaced / plateau : NAN;
}

HS_CHECKED static int put_ablation(const hs_robust_run *r, hs_damage_kind kind, const hs_bootstrap_options *o,
                                   hs_measurement *m)
{
    int rc = HS_OK;
    const ablation a = {r->n, r->m, r->part[HS_ROBUST_COMMON][kind], r->damage[kind].damage[HS_ARM_EPS_P]};
    const hs_statistic st = {.n = r->n, .q = 1, .eval = evaluate_ablation, .ctx = &a};
    hs_interval ci = {NAN, NAN, NAN, "needs 2 images and the arm eps_p"};
    HS_TRY(a.replaced != NULL && a.eps != NULL ? hs_bootstrap_bca(&st, o, &ci) : HS_OK);
    hs_estimate e =
        hs_estimate_of("ablation", ci, r->n, "damage with h replaced by its mean over images, over the threshold; BCa");
    HS_TRY(hs_measurement_put(m, &e));
out:
    return rc;
}

int hs_robust_put(const hs_robust_run *r, hs_damage_kind kind, const hs_bootstrap_options *o, hs_measurement *m)
{
    int rc = HS_OK;
    static const char *const slope = "mean over images of log |dh| per step after one kick; BCa";
    const char *few = "needs 3 steps after the kick";
    const means h = {.n = r->n, .v = {r->contraction[0]}}, eps = {.n = r->n, .v = {r->contraction[1]}};
    const means part = {
        .n = r->n, .log_ratio = 1, .v = {r->part[HS_ROBUST_INSIDE][kind], r->part[HS_ROBUST_OUTSIDE][kind]}};
    HS_TRY(put_mean("contraction", &h, slope, few, o, m));
    HS_TRY(put_mean("contraction_eps", &eps, slope, few, o, m));
    HS_TRY(put_mean("anisotropy", &part, "log of mean damage, noise inside the top PCs of h over outside; BCa",
                    "needs 2 images for a principal component", o, m));
    HS_TRY(put_ablation(r, kind, o, m));
    HS_TRY(hs_common_put(r->n_h, r->S, r->gram, o, m));
    HS_TRY(put_twins(r, kind, o, m));
    HS_TRY(put_frechet(r, m));
    HS_TRY(put_percentiles(r, m));
out:
    return rc;
}
