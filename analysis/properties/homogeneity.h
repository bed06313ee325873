/* Homogeneity: the same change of h has the same effect on every sample.
 *
 * Of per-sample deltas D_{i,k} (deltas.h), with g = |G|^2, G the grand mean, T_k, A_i, R_ik the effects of step, sample
 * and the rest, each over the mean of |D_ik|^2; they add up to 1:
 *
 *   concentration[k]   mean pairwise cosine of the unit deltas at step position k
 *   concentration_removed[k], share_homogeneous_removed               of the deltas less the mean, at each step, of an
 *                                                                     untrained network's: a bias that all share
 *   share_common g, share_step tau, share_sample a, share_rest r      plug-in; g + tau is too large by (1 - share) / N
 *   share_common_corrected, share_homogeneous_corrected               g and g + tau over pairs of different images
 *
 * Of the effects e_i = phi_i(s) - phi_i(0) of one fixed delta at the largest positive strength s:
 *
 *   common_share       (mean^2 - s^2 / N) / mean of e^2 = mean of e_i e_j over i != j / mean of e^2
 *   sign_agreement     share of the e_i with the sign of their mean;  effect_cv  sd / |mean|
 *   change_cosine      mean cosine of image changes between images; _removed: about the given common mode
 *
 * Of transfers e_ij = phi(i edited with the delta found on j) - phi(i):
 *
 *   transfer           mean over i != j of e_ij / mean of e_ii;  transfer_common_share  common share of those e_ij
 *   (the lower of the two decides: the ratio misses sign flips)
 *
 * Intervals over images: bootstrap-t of log(1 - common_share), log effect_cv and the mean, Wilson's for sign_agreement,
 * BCa for the rest.  Pairs of deltas weigh w_i w_j, those of two copies of one image nothing; transfers, of which few
 * of the pairs are known, w_i + w_j - 1: products count the noise of a pair three times (98 to 99 % instead of 95 at 4
 * transfers an image). */
#ifndef HS_PROPERTIES_HOMOGENEITY_H
#define HS_PROPERTIES_HOMOGENEITY_H

#include "analysis/properties/deltas.h"
#include "analysis/properties/effects.h"
#include "analysis/properties/measurement.h"
#include "core/base/log.h"

/* e_ij of n images: each image with its own delta and with R others. */
typedef struct {
    size_t n, R;
    const double *own;   /* (n) e_ii */
    const size_t *from;  /* (n, R) j != i */
    const double *other; /* (n, R) e_ij */
} hs_transfers;

typedef struct {
    hs_bootstrap_options bootstrap;
    double standard; /* NaN: 0.5 of shares and transfers, 0.8 of common shares of effects */
    /* Of deltas: */
    size_t K; /* random directions of the null; 0: none */
    hs_deltas_null null;
    const hs_deltas *null_deltas; /* an untrained network's: the null instead; or NULL */
    const hs_deltas *removed;     /* the same deltas without their common mode; or NULL */
    /* Of effects: */
    double noise_floor;
    double spread;                 /* 1 sd of the read-out over unedited images; NaN: from the table */
    int naturalness;               /* strengths were trimmed to natural images */
    size_t f;                      /* numbers of an image change */
    const float *change;           /* (n, f) at the largest positive strength, or NULL */
    const hs_transfers *transfers; /* then they decide; or NULL */
    const hs_deltas *deltas;       /* what the effects are of: their statistics are put too; or NULL */
    const hs_progress *progress;
} hs_homogeneity_options;

#define HS_HOMOGENEITY_OPTIONS_INIT                                                                                  \
    {                                                                                                                \
        .bootstrap = HS_BOOTSTRAP_OPTIONS_INIT, .standard = __builtin_nan(""), .K = 8, .null = HS_DELTAS_COVARIANCE, \
        .spread = __builtin_nan("")                                                                                  \
    }

/* *out <- the measurement of deltas.  effect: mean over steps of the concentrations; its null: the prediction limit
 * over K random directions (identity where the deltas don't vary), or the upper limit of the same number of
 * null_deltas.  HS_ERANGE: bad bootstrap options, a standard above 1. */
HS_CHECKED int hs_homogeneity_deltas(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *out);

/* *out <- the measurement of one fixed delta's effects.  effect: root mean square over images at the largest |s|; its
 * null as in linearity.h.  HS_ESHAPE: transfers of other images. */
HS_CHECKED int hs_homogeneity_effects(const hs_effects *e, const hs_homogeneity_options *o, hs_measurement *out);

/* Puts concentrations, shares and mean_cosine of deltas into r, with intervals, and what is left of them in o->removed.
 * HS_ERANGE. */
HS_CHECKED int hs_homogeneity_put_deltas(const hs_deltas *x, const hs_homogeneity_options *o, hs_measurement *r);

/* Common share of n numbers under weights (NULL: 1 each), NaN where undefined; *se (NULL: not wanted) its standard
 * error by linearisation. */
double hs_common_share(size_t n, const double *e, const double *w, double *se);

#endif
