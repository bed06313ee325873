/* Noise against identity: what the distance between two h has to do with the image, and what with the noise.
 *
 *   x_t(i, j) = sqrt(ab) x_0(i) + sqrt(1 - ab) eps(j),   h(i, j) = encoder of it,   i < N images, j < M noises
 *
 * The same M noises for every image, so that images and noises are crossed and h splits into image, noise and
 * interaction (core/stats/twoway.h): share_image, share_noise, share_interaction, and the root mean square distances
 * distance_same_image (other noise), distance_same_noise (other image), distance_other (both), distance_ratio =
 * distance_same_image / distance_other.  The network is deterministic, so the rest is interaction and no error.
 *
 * Beside them the same shares of x_t itself, share_image_x and share_noise_x: without interaction, by arithmetic. What
 * h adds is the difference.  Nulls: images shuffled among the h of one noise (of share_image), noises among the h of
 * one image (of share_noise). */
#ifndef HS_GEOMETRY_NOISE_H
#define HS_GEOMETRY_NOISE_H

#include "analysis/geometry/states.h"
#include "core/stats/twoway.h"

typedef struct {
    size_t S, N, M;
    double *h, *x;   /* (S, HS_TWOWAY_STATISTICS) */
    double *lo, *hi; /* (S, HS_TWOWAY_STATISTICS) of h */
} hs_geometry_noise;
void hs_geometry_noise_free(hs_geometry_noise *g);

/* D (N M, N M) <- squared distances of x_t(i, j), from x_0 (N, d) and eps (M, d).  HS_ENOMEM. */
HS_CHECKED int hs_geometry_forward_distances(size_t N, size_t M, size_t d, const float *x_0, const float *eps,
                                             double alpha_bar, double *D);

/* Appends the statistics of run and fills *out.  Noise j: stream (seed, HS_RNG_GEOMETRY, HS_RNG_FORWARD << 48 | j).
 * HS_ERANGE: N or M below 2.  Cost: N M encodes a timestep; N M d_h floats, 16 (N M)^2 bytes. */
HS_CHECKED int hs_geometry_noise_of(const hs_geometry_run *run, size_t N, const float *x_0, size_t M,
                                    hs_geometry_noise *out);

#endif
