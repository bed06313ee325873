/* What a denoiser is trained on (Ho et al. arXiv:2006.11239, eq. 14; v: Salimans and Ho
 * arXiv:2202.00512):
 *   x_t = sqrt(ab) x_0 + sqrt(1 - ab) eps;  target eps, or v = sqrt(ab) eps - sqrt(1 - ab) x_0
 *   loss = mean over images and values of (output - target)^2. */
#ifndef HS_DIFFUSION_OBJECTIVE_H
#define HS_DIFFUSION_OBJECTIVE_H

#include <stddef.h>
#include <stdint.h>

#include "core/diffusion/schedule.h"

typedef enum { HS_PREDICT_EPSILON, HS_PREDICT_V } hs_prediction;

/* Draws of update k (streams HS_RNG_TRAIN_T and HS_RNG_TRAIN_NOISE, index = k << 16 | image):
 * t (n) uniform on 0 ... T - 1; x_t and target (n, d) from x_0 (n, d). */
void hs_objective_draw(const hs_schedule *s, hs_prediction kind, uint64_t seed, uint64_t k, size_t n, size_t d,
                       const float *x_0, int *t, float *x_t, float *target);

/* The loss, in double; doutput (n d) <- its gradient 2 (output - target) / (n d); may be target. */
double hs_objective_loss(size_t nd, const float *output, const float *target, float *doutput);

#endif
