/* Random directions with the covariance of h, found in the images of the run itself.
 *
 *   g_{k,t} = sum_i z_{k,i} (h_{i,t} - mean_t)      over the n images; z standard normal, the same for all t
 *   dh_{k,t} = norm_t g_{k,t} / |g_{k,t}|
 *
 * h_{i,t} is that of the unedited image i at step t.  g is normal with covariance (n - 1) C_t, C_t the images' sample
 * covariance, whose rank is n - 1 at most: every draw lies in the span of the images' own deviations.  One z serves all
 * steps, so that a draw adds up over the trajectory as a found direction does. */
#ifndef HS_SWEEP_H_DRAWS_H
#define HS_SWEEP_H_DRAWS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

typedef struct {
    size_t n, K, S, d;
    double *z;    /* (K, n) less their mean over the images */
    double *g;    /* (K, S, d) */
    float *first; /* (S, d) h of image 0, from which the others are counted: equal images leave exactly 0 */
} hs_h_draws;

/* Draws 0 ... K - 1 of n images (streams (seed, HS_RNG_DIRECTION, 2^41 + k)).  Memory: K S d doubles.  HS_ERANGE: n < 2
 * or another is 0; HS_ENOMEM. */
HS_CHECKED int hs_h_draws_create(size_t n, size_t K, size_t S, size_t d, uint64_t seed, hs_h_draws *out);
void hs_h_draws_free(hs_h_draws *w);
/* Adds h (count, S, d) of images [first, first + count), each once, in order.  Cost: 2 K S d an image. */
void hs_h_draws_add(hs_h_draws *w, size_t first, size_t count, const float *h);
/* dh (S, d) <- draw k of all images, at norm (S).  HS_EDEGENERATE: h does not vary at a step. */
HS_CHECKED int hs_h_draws_take(const hs_h_draws *w, size_t k, const double *norm, float *dh);

#endif
