/* Directions from the network's own derivatives: the leading singular triplets J v = s u of
 *   eps/h   deps/dh at fixed skips     right vectors v are directions in h, u is what eps does
 *   x0/h    dx0hat/dh, x0hat = (x_t - sqrt(1 - ab) eps) / sqrt(ab): the same v and -u, s times sqrt(1 - ab) / sqrt(ab)
 *   h/x     dh/dx_t                    left vectors u are directions in h, v their pullbacks to the image
 * at states x_t of a sampler, matrix-free (core/linalg/svds.h on core/model/unet_grad.h's products).
 *
 * A mask keeps the rows of eps/h and x0/h inside a rectangle of pixels: what moves the mouth, say.
 *
 * Several samples: one set of directions for all of them, the leading eigenvectors of the mean metric
 * (1/n) sum_i J_i^T J_i on h (h/x: of (1/n) sum_i J_i J_i^T), s the roots of its eigenvalues; these are the singular
 * vectors of the J_i / sqrt(n) on top of each other, whose other side has a part for every sample.  n = 1 is the plain
 * Jacobian.  Directions of each sample alone are n runs.
 *
 * Directions have length 1 at every timestep: along one, strength a moves h by a, and eps (x0hat) by a s to first
 * order. |h| stands beside them.  Direction j joins triplet j of all timesteps, from the highest down, the sign flipped
 * so that it goes along with the one before. */
#ifndef HS_DIRECTIONS_DIR_JACOBIAN_H
#define HS_DIRECTIONS_DIR_JACOBIAN_H

#include <stddef.h>
#include <stdint.h>

#include "analysis/directions/direction.h"
#include "core/base/log.h"
#include "core/linalg/svds.h"
#include "core/model/model.h"

/* x (S, n, c R R) <- the states at timesteps t (S), strictly descending, of deterministic DDIM from x_T (n, c R R) over
 * steps.  A t between two of the sampler's is reached from the one above by a step of its own; the trajectory stays.
 * batch: images at once.  HS_ERANGE: t not descending, outside 0 ... T - 1, or above the first step; HS_EDEGENERATE: x
 * is no longer finite; HS_ENOMEM; HS_ESTOPPED.  Cost: an evaluation a step down to the lowest t. */
HS_CHECKED int hs_jacobian_states(const hs_model *m, hs_conv_mode conv, const hs_steps *steps, size_t batch, size_t n,
                                  const float *x_T, size_t S, const int *t, const hs_progress *progress, float *x);

typedef enum { HS_JACOBIAN_EPS_H, HS_JACOBIAN_X0_H, HS_JACOBIAN_H_X } hs_jacobian_map;

typedef struct {
    hs_jacobian_map map;
    size_t k;
    size_t box[4]; /* x0, y0, x1, y1: pixels x0 <= x < x1; all 0: the whole image */
    double tol;    /* of both residuals */
    size_t rows;   /* products at once */
    hs_conv_mode conv;
    uint64_t seed; /* of the start block */
    const hs_progress *progress;
} hs_jacobian_options;

typedef struct {
    size_t n, S, k, d_h, d_x;
    double *sigma;          /* (k, S) */
    double *residual[2];    /* (k, S) each: |J v - s u| / s_1, |J^T u - s v| / s_1 */
    double *h_norm;         /* (S) root mean square of |h| over the samples */
    hs_svds_counts *counts; /* (S) */
    float *dh;              /* (k, S, d_h) */
    float *x;               /* (k, S, n, d_x), the image's side; over all samples of length 1 */
} hs_jacobian;
void hs_jacobian_free(hs_jacobian *j);

/* *out <- the k leading triplets at x (S, n, c R R), t (S).  HS_ERANGE: k = 0 or above min(d_h, n pixels in the box),
 * a box outside the image, empty, or of h/x; HS_ENOCONV: tol was not reached (t is named, *out untouched);
 * HS_EDEGENERATE: a product is not finite; HS_ENOMEM; HS_ESTOPPED.
 * Cost: per timestep, sweeps x (k + 10) products of J_i and of its transpose for every sample. */
HS_CHECKED int hs_jacobian_directions(const hs_model *m, const hs_jacobian_options *o, size_t S, const int *t, size_t n,
                                      const float *x, hs_jacobian *out);

#endif
