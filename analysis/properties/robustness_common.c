#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analysis/properties/robustness_run.h"
#include "analysis/properties/verdict.h"

/* log of (scale / spread) of h over that of eps: its mean over steps, and its ends. */
typedef struct {
    double mean, least, most;
} factor;

static factor factor_of(const hs_noise_scale *s)
{
    factor f = {0, HUGE_VAL, -HUGE_VAL};
    for (size_t k = 0; k < s->S; k++) {
        double h = s->scale[HS_NOISE_H][k] / s->spread[HS_NOISE_H][k];
        double v = log(h * s->spread[HS_NOISE_EPS][k] / s->scale[HS_NOISE_EPS][k]);
        f.mean += v / (double)s->S;
        f.least = fmin(f.least, v);
        f.most = fmax(f.most, v);
    }
    return f;
}

/* The control in units of the spread; *holds: it does. */
HS_CHECKED static int in_spreads(const hs_robust_run *r, hs_robustness *m, int *holds)
{
    static const char *const name = "noise in units of the spread between images";
    const factor f = factor_of(&r->scale);
    hs_measurement twin;
    *holds = 0;
    if (!isfinite(f.mean)) {
        return hs_measurement_control_missing(&m->result, name, "needs 2 images that differ");
    }
    hs_robustness_in_units(m, f.mean, "in units of the spread between images, ", &twin);
    size_t used = strlen(twin.reason);
    snprintf(twin.reason + used, sizeof twin.reason - used,
             "; h is %.3g times eps in them, over the steps %.3g to %.3g", exp(f.mean), exp(f.least), exp(f.most));
    *holds = twin.verdict == HS_VERDICT_HOLDS;
    return hs_measurement_control(&m->result, name, &twin);
}

/* Whether images can do without what tells them apart in h: then noise in h has nothing to break. */
static void ask_ablation(hs_measurement *m)
{
    const hs_estimate *e = hs_measurement_find(m, "ablation");
    char why[120];
    if (e != NULL && e->value < 1 && !(e->hi >= 1)) {
        snprintf(why, sizeof why,
                 "h replaced by its mean over the images does only %.2g of the damage that half breaks them", e->value);
        hs_withhold(m, why);
    }
}

int hs_robust_judge_common(const hs_robust_run *r, hs_robustness *m)
{
    int rc = HS_OK, agrees;
    const hs_estimate *e = hs_measurement_find(&m->result, "common_share_h");
    double share = e != NULL ? e->value : NAN;
    HS_TRY(in_spreads(r, m, &agrees));
    if (!(share >= HS_COMMON_LARGE)) {
        goto out;
    }
    ask_ablation(&m->result);
    if (!agrees) {
        hs_withhold(&m->result, "not with noise in units of the spread between images");
    }
    size_t used = strlen(m->result.reason);
    snprintf(m->result.reason + used, sizeof m->result.reason - used,
             ". %.4g %% of |h|^2 is one vector common to all images: noise of r |h| is %.3g r times the spread between "
             "images",
             100 * share, 1 / sqrt(fmax(1 - share, 0)));
    HS_TRY(hs_measurement_note(&m->result, "h is nearly one vector common to all images: cosines of raw h and noise "
                                           "measured by |h| say little of what tells images apart"));
out:
    return rc;
}
