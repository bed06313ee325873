#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/properties/linearity_internal.h"
#include "core/base/alloc.h"
#include "core/stats/bca.h"

/* One shape statistic: its mean over strengths, then its means per strength. */
typedef struct {
    size_t n, m;
    const double *v; /* (n, m) */
} context;

static void evaluate(const void *ctx, const double *w, double *theta, void *scratch)
{
    const context *c = ctx;
    double *weight = scratch, images = 0;
    for (size_t j = 0; j <= c->m; j++) {
        theta[j] = 0;
        weight[j] = 0;
    }
    for (size_t i = 0; i < c->n; i++) {
        double sum = 0, points = 0;
        for (size_t j = 0; j < c->m; j++) {
            double x = c->v[i * c->m + j];
            if (!isnan(x)) {
                theta[1 + j] += w[i] * x;
                weight[1 + j] += w[i];
                sum += x;
                points += 1;
            }
        }
        if (points > 0) {
            theta[0] += w[i] * sum / points;
            images += w[i];
        }
    }
    weight[0] = images;
    for (size_t j = 0; j <= c->m; j++) {
        theta[j] = weight[j] > 0 ? theta[j] / weight[j] : NAN;
    }
}

static int put_one(const hs_effects *e, const hs_bootstrap_options *o, const char *name, const double *v,
                   const char *estimator, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval *ci = NULL;
    context ctx = {e->n, e->m, v};
    hs_statistic st = {.n = e->n, .q = e->m + 1, .scratch = (e->m + 1) * sizeof(double), .eval = evaluate, .ctx = &ctx};
    HS_TRY(hs_alloc(st.q, sizeof *ci, &ci));
    HS_TRY(hs_bootstrap_bca(&st, o, ci));
    for (size_t j = 0; j < st.q; j++) {
        hs_estimate s = hs_estimate_of(name, ci[j], e->n, estimator);
        if (j > 0) {
            snprintf(s.name, sizeof s.name, "%s[%g]", name, e->strength[j - 1]);
        }
        if (j == 0 || !isnan(s.value)) {
            HS_TRY(hs_measurement_put(r, &s));
        }
    }
out:
    free(ci);
    return rc;
}

int hs_line_put_shape(const hs_effects *e, const hs_linearity_options *o, hs_measurement *r)
{
    int rc = HS_OK;
    const hs_vector_shape *v = o->shape;
    HS_TRY(
        put_one(e, &o->bootstrap, "direction_cosine", v->cosine, "mean over images of cos(E(s) / s, E(s0) / s0)", r));
    HS_TRY(put_one(e, &o->bootstrap, "gain", v->gain, "mean over images of |E(s)| |s0| / (|E(s0)| |s|)", r));
    HS_TRY(put_one(e, &o->bootstrap, "residual", v->residual, "mean over images of |E(s) - (s/s0) E(s0)| / |E(s)|", r));
    HS_TRY(put_one(e, &o->bootstrap, "curvature", v->curvature,
                   "mean over images of |E(s) + E(-s)| / (|E(s)| + |E(-s)|)", r));
out:
    return rc;
}

int hs_line_put_mean(const hs_effects *e, const hs_bootstrap_options *o, const char *name, const double *v,
                     const char *estimator, hs_measurement *r)
{
    int rc = HS_OK;
    hs_interval ci[2];
    context ctx = {e->n, 1, v};
    const hs_statistic st = {.n = e->n, .q = 2, .scratch = 2 * sizeof(double), .eval = evaluate, .ctx = &ctx};
    HS_TRY(hs_bootstrap_bca(&st, o, ci));
    hs_estimate s = hs_estimate_of(name, ci[0], e->n, estimator);
    HS_TRY(hs_measurement_put(r, &s));
out:
    return rc;
}

int hs_line_put_jacobian(const hs_effects *e, const hs_linearity_options *o, hs_measurement *r)
{
    return hs_line_put_mean(e, &o->bootstrap, "jacobian_cosine", o->jacobian,
                            "mean over images of cos(E(s), s dE/ds), the model's derivative, at the smallest |s|", r);
}
