/* What moves parameters: Adam, AdamW and SGD, the clipped gradient, the averaged weights, the rate.
 *
 * Everything is elementwise over one flat block of n floats, each element computed alone, so the bits
 * don't depend on the number of threads. */
#ifndef HS_NN_OPTIM_H
#define HS_NN_OPTIM_H

#include <stddef.h>
#include <stdint.h>

/* Adam (Kingma and Ba, arXiv:1412.6980) with decoupled decay (Loshchilov and Hutter, arXiv:1711.05101),
 * as torch.optim.AdamW computes it:
 *   theta <- theta (1 - rate decay);  m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
 *   theta <- theta - rate (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + eps)
 * g = scale * grad, scale being what clipping leaves; k >= 1 counts the updates.  decay 0: Adam. */
typedef struct {
    double rate, beta1, beta2, eps, decay;
} hs_adam;
void hs_adam_step(const hs_adam *a, uint64_t k, size_t n, double scale, const float *grad, float *m, float *v,
                  float *theta);

/* theta <- theta - rate scale grad, as torch.optim.SGD without momentum. */
void hs_sgd_step(double rate, size_t n, double scale, const float *grad, float *theta);

/* |grad|, in double, summed in blocks of fixed borders; NaN or infinite where an element is. */
double hs_grad_norm(size_t n, const float *grad);
/* What a gradient of this norm is multiplied by so that its norm is at most `most`: most / (norm + 1e-6),
 * never above 1 (torch's clip_grad_norm_); most 0: always 1. */
double hs_clip_scale(double norm, double most);

/* average <- decay average + (1 - decay) theta, decay = min(most, (1 + k) / (10 + k)); most 0: theta itself. */
void hs_ema_step(double most, uint64_t k, size_t n, const float *theta, float *average);

/* The rate of update k = 1 ... total: linear from 0 over `warmup` updates, then `rate` until the fraction
 * `flat` of the total, then linear down to `last` times rate at the end.  With every > 0 instead, as torch's
 * StepLR: rate gamma^floor((k - 1) / every). */
typedef struct {
    double rate, flat, last;
    uint64_t warmup, total;
    uint64_t every;
    double gamma;
} hs_rate;
double hs_rate_at(const hs_rate *r, uint64_t k);

#endif
