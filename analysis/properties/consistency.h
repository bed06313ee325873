/* Consistency across timesteps: the same change of h does the same at every step.
 *
 * Of per-sample deltas (deltas.h), D_k the mean over samples at step position k:
 *
 *   cosine[k,l]               cos(D_k, D_l)
 *   cosine_disattenuated[k,l] M_kl / sqrt(M_kk M_ll), free of the noise of a finite mean and of the noise that one
 *                             image shares between steps; undefined where M_kk or M_ll <= 0
 *   share_consistent          mean of M_kl over all k, l / mean of M_kk: corrected g / (g + tau); undefined where the
 *                             denominator <= 0
 *   effective_rank            exp of the entropy of the spectrum of the Gram matrix of the unit D_k; _raw: of the D_k
 *   decay_length              1 / b, b the least-squares slope through the origin of -log C* on |t_k - t_l| over the
 *                             pairs with C* > 0; decay_pairs_dropped: the others
 *
 * Of effects E_kl of the direction of step l, rescaled to |D_k|, applied at step k alone:
 *
 *   transfer_steps            mean of E_kl, k != l, over mean of E_kk
 *   effect[k,l]               E_kl; positions among the steps chosen
 *   effect_mean_ratio, effect_global_ratio   the effect of the mean and of the global delta over that of the
 *                             per-sample deltas (the global one over the mean where there are none)
 *
 * Intervals: BCa over images. */
#ifndef HS_PROPERTIES_CONSISTENCY_H
#define HS_PROPERTIES_CONSISTENCY_H

#include "analysis/properties/deltas.h"
#include "analysis/properties/measurement.h"
#include "core/base/log.h"

/* Effects of a run, per image; owned by the caller. */
typedef struct {
    size_t n, P;         /* images; steps chosen */
    const double *E;     /* (n, P, P): increment of image i; row k where applied, column l where found */
    const double *whole; /* (n) of the direction at all its steps */
    size_t K;
    int twins;               /* they are twins of it (hs_twin_limit) */
    const double *null;      /* (K, n) of random directions with its norms */
    const double *shuffled;  /* (n) with the steps in another order, each at its step's norm; or NULL */
    const double *mean;      /* (n) with the mean over samples, or NULL */
    const double *global;    /* (n) with one delta for all steps, or NULL */
    const double *untrained; /* (n, P, P) of an untrained f_t, or NULL */
    const double *rival;     /* (n, P, P) of the same recipe in eps-space, at equal first-order effects, or NULL */
    int constant;            /* the direction is the same at all steps: nothing to test */
    double noise_floor, spread;
    int naturalness;
} hs_step_effects;

typedef struct {
    hs_bootstrap_options bootstrap;
    double standard;                /* 0.5 */
    const hs_deltas *null_deltas;   /* an untrained network's, whose effect must be exceeded; or NULL */
    const hs_step_effects *effects; /* then they decide; or NULL */
    const hs_progress *progress;
} hs_consistency_options;

#define HS_CONSISTENCY_OPTIONS_INIT                             \
    {                                                           \
        .bootstrap = HS_BOOTSTRAP_OPTIONS_INIT, .standard = 0.5 \
    }

/* What its figure shows besides: (S, S), NaN where undefined; owned. */
typedef struct {
    hs_measurement result;
    size_t S, P;
    double *cosine, *disattenuated; /* (S, S); NULL without deltas */
    double *effect;                 /* (P, P) mean E_kl; NULL without effects */
} hs_consistency;

/* *out <- the measurement of deltas x (NULL: effects alone), of effects where given.  Of deltas, effect: mean of M_kl
 * over k != l in units of mean |D|^2; its null 0, or the upper limit of the same number of null_deltas where that is
 * larger.  Of effects, effect: root mean square over images of the whole direction's effect, its null as in
 * linearity.h.  One step: inconclusive.  HS_ERANGE: bad bootstrap options, a standard above 1, neither deltas nor
 * effects. */
HS_CHECKED int hs_consistency_measure(const hs_deltas *x, const hs_consistency_options *o, hs_consistency *out);
void hs_consistency_free(hs_consistency *c);

#endif
