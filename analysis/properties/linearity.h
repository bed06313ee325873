/* Linearity: scaling the direction scales the effect.
 *
 * On increments E_i(s) = phi_i(s) - phi_i(0), image i, with b_i the least-squares slope of image i through
 * the origin and y(s) the mean over images:
 *
 *   linearity_index   L = 1 - sqrt(Sum_i Sum_s (E_i - b_i s)^2 / Sum_i Sum_s (b_i s)^2): a line 1, tanh s on
 *                     -2:2:.5 .80, s + .15 s^2 .74, a sign .55; may fall below 0
 *   slope             mean of b_i, which is the slope of y
 *   r2                of y against slope s, total about the mean;  r2_increments: of all E_i(s) at once
 *   lack_of_fit_p     Hotelling's T^2 on the per-image contrasts orthogonal to the line
 *   spearman          of y against s
 *   slope_ratio       b+ / b-, the slopes of y through 0 over s > 0 and over s < 0
 *   linear_range      the largest |s| on the grid up to which, on both sides, the interval of y - b0 s lies
 *                     inside -+0.1 |b0 s|, b0 the central slope at the smallest |s|; 0 if at none
 *   saturation        the smallest |s| whose local slope, to its neighbour nearer 0, is below b0 / 2
 *
 *   natural_range     the largest |s| up to which images stay natural (naturalness.h), where that was tested: the
 *                     grid ends there
 *
 * Vector read-outs, on E_i(s) in R^f, s0 the largest |s| (positive of two):
 *
 *   direction_cosine  cos(E(s) / s, E(s0) / s0)          gain      |E(s)| |s0| / (|E(s0)| |s|)
 *   residual          |E(s) - (s / s0) E(s0)| / |E(s)|   curvature |E(s) + E(-s)| / (|E(s)| + |E(-s)|)
 *
 * each per strength (NAME[s]) and as the mean over images of its mean over the strengths but 0 and s0.
 * One slope an image makes a direction that flips its sign between images perfectly linear.  It is not said to
 * hold: where L would hold but the interval of the mean slope contains 0, or the mean slope is less than half the root
 * mean square of the b_i, or the lower limit of the share of images with its sign is below 2/3, the
 * verdict is inconclusive, with that reason.
 *
 * Of a sum of directions whose terms a, b, ... were swept alone on the same images, at s0:
 *
 *   additivity        root of Sum_i |E_{a+b} - E_a - E_b|^2 / Sum_i |E_{a+b}|^2: 0 where effects add
 *   additivity_null   the same with the terms' effects on other images
 *   additivity_random the same of K random sets with the terms' lengths and angles: their mean, and the prediction
 *                     limits of one more (K >= 3)
 *   crosstalk(a)      E_a in sd of the read-out (scalar ones): a row of the matrix M_ab over read-outs;
 *                     crosstalk_random(a): of the random ones in its place, as above
 *
 * Intervals over images: bootstrap-t of log(1 - x) for the index and r2_increments, percentiles for spearman, BCa for
 * the rest.
 */
#ifndef HS_PROPERTIES_LINEARITY_H
#define HS_PROPERTIES_LINEARITY_H

#include <stddef.h>

#include "analysis/properties/effects.h"
#include "analysis/properties/measurement.h"
#include "core/base/error.h"
#include "core/stats/bootstrap.h"

/* Shape statistics of n images at m strengths, (n, m) each; NaN where undefined (s = 0, s = s0, a
 * missing -s, no effect).  Owned. */
typedef struct {
    size_t n, m;
    double *cosine, *gain, *residual, *curvature;
} hs_vector_shape;

HS_CHECKED int hs_vector_shape_create(size_t n, size_t m, hs_vector_shape *out);
void hs_vector_shape_free(hs_vector_shape *v);

/* Fills row i from phi (m, f) of that image; strength (m) ascending with 0.  One image at a time, so that
 * long vectors need not be kept.  HS_ERANGE: no 0, no other, not ascending. */
HS_CHECKED int hs_vector_shape_image(hs_vector_shape *v, size_t i, const double *strength, size_t f, const float *phi);

/* What the terms of a sum do on the same images, at the strength s0; owned. */
typedef struct {
    size_t T, n;
    char (*name)[64];             /* (T) each its own */
    double *whole, *rest, *other; /* (n): |E_sum|^2, |E_sum - Sum_t E_t|^2, and with E_t of the next image */
    double *effect;               /* (T, n) E_t of a scalar read-out; NULL: a vector */
    size_t K;                     /* random sets, like the terms: */
    double *random, *random_mean; /* (K) their additivity; (K, T) means of E_t of a scalar read-out */
} hs_line_terms;

/* *out <- from the increments sum (n, f) and term (T, n, f); name: T texts.  HS_ERANGE: T < 2, n or f is 0. */
HS_CHECKED int hs_line_terms_create(size_t T, size_t n, size_t f, const char *const *name, const double *sum,
                                    const double *term, hs_line_terms *out);
void hs_line_terms_free(hs_line_terms *t);
/* Room for K random sets; one is put there from its own increments, as above. */
HS_CHECKED int hs_line_terms_random(hs_line_terms *t, size_t K);
void hs_line_terms_put_random(hs_line_terms *t, size_t k, size_t f, const double *sum, const double *term);
/* Of the statistic crosstalk(a), or crosstalk_random(a). */
void hs_line_crosstalk_name(const hs_line_terms *t, size_t k, int random, char name[64]);

typedef struct {
    hs_bootstrap_options bootstrap;
    double standard;    /* 0.85: what the linearity index must reach; at most 1 */
    double noise_floor; /* of the effect; 0 */
    double spread;      /* 1 sd of the read-out over unedited images; NaN: from the table at strength 0 */
    double natural;     /* the grid holds natural images only, up to this magnitude; 0: none is; NaN: not tested */
    const hs_vector_shape *shape; /* or NULL */
    const double *jacobian;       /* (n) cos(E(s), s dE/ds) at the smallest |s|: jacobian_cosine; or NULL */
    const hs_line_terms *terms;   /* or NULL */
} hs_linearity_options;

#define HS_LINEARITY_OPTIONS_INIT                                                                                  \
    {                                                                                                              \
        .bootstrap = HS_BOOTSTRAP_OPTIONS_INIT, .standard = 0.85, .noise_floor = 0.0, .spread = __builtin_nan(""), \
        .natural = __builtin_nan(""), .shape = NULL, .jacobian = NULL, .terms = NULL                               \
    }

/* The measurement, and what its figure shows.  Curves are means over images of the increments. */
typedef struct {
    hs_measurement result;
    size_t m, K;
    double *strength, *mean, *lo, *hi; /* (m) */
    double *null;                      /* (K, m) mean curves of the random directions; NULL for K = 0 */
    double *rival;                     /* (m), or NULL */
} hs_linearity;

/* *out <- statistics and verdict of a table.  effect: root mean square over images of E at the largest |s|
 * (the positive of two), its null the prediction limit over the table's nulls.  `undecided` when there are
 * fewer than 4 magnitudes a side: with 1 every odd function scores 1.
 * HS_ERANGE: standard above 1, bad bootstrap options; HS_ESHAPE: shape of another size.
 * Cost: B x n x m. */
HS_CHECKED int hs_linearity_measure(const hs_effects *e, const hs_linearity_options *o, hs_linearity *out);
void hs_linearity_free(hs_linearity *l);

#endif
