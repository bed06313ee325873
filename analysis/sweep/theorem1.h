/* Theorem 1 of Kwon et al. (arXiv:2210.10960), measured on a network: one step of the deterministic process changes
 * by a coefficient times the change of eps, -sqrt(1 - ab) sqrt(ab' / ab) where only P takes the edited eps and
 * sqrt(1 - ab') - sqrt(1 - ab) sqrt(ab' / ab) where D does too (core/diffusion/editing.h, hs_theorem1).
 *
 * At every x_t of the unedited trajectories eps comes out of h and out of h + dh, dh a random direction (stream
 * (seed, HS_RNG_DIRECTION, 0)) as long as h itself; the step is taken with neither, with P's and with both, and
 * dx, d eps are the differences from the unedited ones.  The step is the sampler's, before it rounds to float32: dx can
 * be far below the rounding of x_t' itself. */
#ifndef HS_SWEEP_THEOREM1_H
#define HS_SWEEP_THEOREM1_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/diffusion/schedule.h"
#include "core/model/unet.h"

enum { HS_THEOREM1_SYMMETRIC, HS_THEOREM1_ASYMMETRIC, HS_THEOREM1_PROCESSES };

typedef struct {
    size_t S;
    double *measured[HS_THEOREM1_PROCESSES]; /* (S) <dx, d eps> / |d eps|^2 over all images */
    double *error[HS_THEOREM1_PROCESSES];    /* (S) |dx - c d eps| / |c d eps| */
    double identity_error;                   /* the largest of error */
    double coefficient_error;                /* the largest |measured - c| / |c| */
} hs_theorem1_check;

/* x_T (n, c R R), 1 <= n <= 4096.  HS_ERANGE: another n; HS_EDEGENERATE: dh changes eps nowhere at some step, or
 * x_t is no longer finite; HS_ENOMEM; HS_ESTOPPED.  Cost: S (1 encode + 2 decodes) an image. */
HS_CHECKED int hs_theorem1_measure(const hs_unet *u, hs_conv_mode conv, const hs_steps *steps, size_t n,
                                   const float *x_T, uint64_t seed, const hs_progress *progress,
                                   hs_theorem1_check *out);
void hs_theorem1_check_free(hs_theorem1_check *t);

#endif
