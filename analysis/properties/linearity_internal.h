/* The arithmetic behind linearity.c: per-image sums, and what the bootstrap makes of them. */
#ifndef HS_PROPERTIES_LINEARITY_INTERNAL_H
#define HS_PROPERTIES_LINEARITY_INTERNAL_H

#include <stddef.h>

#include "analysis/properties/effects.h"
#include "analysis/properties/linearity.h"

/* What resampling needs of each image; owned. */
typedef struct {
    size_t far;                   /* index of the largest |s| */
    double ss, spread;            /* Sum s^2; sd of phi over unedited images */
    double *E;                    /* (n, m) increments */
    double *b;                    /* (n) slopes through 0 */
    double *rest;                 /* (n) Sum_s (E - b s)^2 */
    double *b_rival, *rest_rival; /* (n), or NULL */
} hs_line;

/* Places of the scalars among the bootstrapped numbers; the mean curve (m) and its deviations from the
 * central line (m) follow. */
enum {
    HS_LINE_INDEX,
    HS_LINE_SLOPE,
    HS_LINE_R2,
    HS_LINE_R2_ALL,
    HS_LINE_SPEARMAN,
    HS_LINE_RATIO,
    HS_LINE_EFFECT,
    HS_LINE_RIVAL,
    HS_LINE_DIFFERENCE,
    HS_LINE_SCALARS
};

typedef struct {
    int has_rival;
    hs_interval *ci; /* (HS_LINE_SCALARS + 2 m); owned by the caller */
    double lack_of_fit_p, linear_range, saturation;
    const char *lack_of_fit_reason, *range_reason, *saturation_reason;
} hs_line_answer;

HS_CHECKED int hs_line_fit(const hs_effects *e, hs_line *out);
void hs_line_free(hs_line *l);
HS_CHECKED int hs_line_bootstrap(const hs_effects *e, const hs_line *l, const hs_bootstrap_options *o,
                                 hs_line_answer *out);

/* Appends direction_cosine, gain, residual and curvature, and each per strength. */
HS_CHECKED int hs_line_put_shape(const hs_effects *e, const hs_linearity_options *o, hs_measurement *r);

/* Appends NAME, the mean over images of v (n), NaN left out. */
HS_CHECKED int hs_line_put_mean(const hs_effects *e, const hs_bootstrap_options *o, const char *name, const double *v,
                                const char *estimator, hs_measurement *r);
/* Appends jacobian_cosine. */
HS_CHECKED int hs_line_put_jacobian(const hs_effects *e, const hs_linearity_options *o, hs_measurement *r);
/* Appends additivity, additivity_null and crosstalk(NAME) of every term. */
HS_CHECKED int hs_line_put_terms(const hs_effects *e, const hs_linearity_options *o, double spread, hs_measurement *r);

/* r->reason <- the sentence that a person reads: what doubling the strength (from half the largest to the largest,
 * where both are there) did to the mean effect, the index against its standard as `how` says, and what random
 * directions moved, in spreads. */
HS_CHECKED int hs_line_say(const hs_effects *e, const hs_linearity_options *o, size_t far, double spread,
                           const char *how, hs_measurement *r);

#endif
