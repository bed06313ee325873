/* The DDIM step, sampling and inversion (Song et al. arXiv:2010.02502), for any predictor.
 *
 *   P_t   = (x_t - sqrt(1 - ab) eps_p) / sqrt(ab)                  predicted x_0   (pred_x0)
 *   D_t   = sqrt(1 - ab' - sigma^2) eps_d                          direction to x_t (dir_xt)
 *   sigma = eta sqrt((1 - ab') / (1 - ab)) sqrt(1 - ab / ab')      1 - ab' - sigma^2 clamped at 0
 *   x_t'  = sqrt(ab') P_t + D_t + sigma z
 *
 * DDIM returns one eps twice; the asymmetric reverse process (Asyrp, arXiv:2210.10960) puts the
 * edited eps into P_t only. */
#ifndef HS_DIFFUSION_DDIM_H
#define HS_DIFFUSION_DDIM_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/diffusion/schedule.h"

/* Predicts the noise of the n images x_t (n, d) at timestep t: eps_p enters P_t, eps_d enters D_t
 * (n, d each).  A predictor without an edit fills both alike.  step: position in the sequence. */
typedef struct {
    HS_CHECKED int (*predict)(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d);
    void *ctx;
} hs_predictor;

/* z of step k for the n images: fills z (n, d).  NULL in the options when eta is 0 everywhere. */
typedef struct {
    HS_CHECKED int (*noise)(void *ctx, size_t n, size_t step, float *z);
    void *ctx;
} hs_noise;

/* What clipping to [-1, 1] changes: nothing; P_t alone (diffusers); P_t, and eps_d becomes what the clipped
 * x_0 that goes with it says, (x_t - sqrt(ab) clip(P)) / sqrt(1 - ab) (guided-diffusion). */
typedef enum { HS_CLIP_NONE, HS_CLIP_P, HS_CLIP_BOTH } hs_ddim_clip;

typedef struct {
    double eta;
    int t_boost;      /* eta_boost where t < t_boost; 0: never (quality boosting of Asyrp) */
    double eta_boost; /* 1 */
    int clip;         /* a hs_ddim_clip */
    hs_noise noise;
    /* called after each step with x (n, d), or NULL; step = 0 ... S; step 0 is x_T */
    HS_CHECKED int (*observe)(void *ctx, size_t step, size_t n, const float *x);
    void *observe_ctx;
    const hs_progress *progress;
} hs_ddim_options;

#define HS_DDIM_OPTIONS_INIT                       \
    {                                              \
        .eta = 0.0, .t_boost = 0, .eta_boost = 1.0 \
    }

/* x_next (n d) <- one step from x_t (n d) with given eps's and z (NULL: 0); clip a hs_ddim_clip.  pred_x0 (n d) or
 * NULL: P_t (after clipping).  x_next may be x_t. */
void hs_ddim_step(const hs_step *step, double eta, int clip, size_t nd, const float *x_t, const float *eps_p,
                  const float *eps_d, const float *z, float *x_next, float *pred_x0);

/* The same step with eta = 0 before it is rounded to float32, for small differences of two. */
void hs_ddim_step_f64(const hs_step *step, size_t nd, const float *x_t, const float *eps_p, const float *eps_d,
                      double *x_next);

/* x (n, d): x_T in, x_0 out; all S steps in descending order.  x is untouched on error.
 * HS_ERANGE: eta outside [0, 1], or above 0 without a source of noise.  HS_EDEGENERATE: x is no
 * longer finite.  What the predictor, the noise or the observer returns is passed on;
 * HS_ESTOPPED through progress.  Memory: 4 n d floats. */
HS_CHECKED int hs_ddim_sample(const hs_predictor *p, const hs_steps *steps, const hs_ddim_options *o, size_t n,
                              size_t d, float *x);

/* x (n, d): x_0 in, x_T out: the deterministic step run upwards over the same timesteps, starting by
 * treating x_0 as x at the lowest t (as Asyrp's code does): for k ascending,
 * x at t_{k+1} = sqrt(ab_{k+1}) P + sqrt(1 - ab_{k+1}) eps with P, eps at t_k: S - 1 predictions.
 * The predictor's step is the position in `steps`; the observer's is 0 (x_0) ... S - 1 (x_T).
 * eta and t_boost play no part.  Errors as hs_ddim_sample. */
HS_CHECKED int hs_ddim_invert(const hs_predictor *p, const hs_steps *steps, const hs_ddim_options *o, size_t n,
                              size_t d, float *x);

#endif
