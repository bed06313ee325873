/* Pullback metrics J'J of x_t -> h and of h -> x0hat (skips fixed): how unevenly the network stretches.
 *
 *   sigma_1 ... sigma_r           the leading singular values, matrix-free and certified (core/linalg/svds.h)
 *   tr G,  G = J'J                sum of sigma_i^2, i <= r, exactly, + the rest by Hutchinson: E |J z|^2 over z = (1 -
 * V'V) s, s of signs, its interval by t over the probes (the deflation of Hutch++, Meyer et al., arXiv:2010.09649, by
 * singular vectors) tr G^2                        the same: E |J'J z|^2 pullback_rank                 (tr G)^2 / tr
 * G^2, the number of equal singular values that would do the same pullback_share                share of the r leading
 * sigma^2 in tr G pullback_gain                 sqrt(tr G / n): root mean square stretch of a direction names end in
 * _h_x and _x0_h.  Means over samples with the jackknife's interval.
 *
 * Null: networks of the same shape with random weights (one sample each, at the same x_t); without any, an m x n matrix
 * of independent normal numbers: rank m n / (m + n + 1), share about r (sqrt m + sqrt n)^2 / (m n).
 *
 * A caution: geodesics of a decoder with a surjective derivative decode to straight lines (arXiv:2505.17517); curvature
 * is asked in analysis/geometry/flatness.h. */
#ifndef HS_GEOMETRY_PULLBACK_H
#define HS_GEOMETRY_PULLBACK_H

#include "analysis/geometry/states.h"
#include "core/linalg/linop.h"

typedef struct {
    size_t r, probes;
    double tol;    /* of the residuals of the singular vectors */
    size_t sweeps; /* of the operator and its transpose, at most */
    size_t twins;  /* networks with random weights */
} hs_geometry_pullback_options;
#define HS_GEOMETRY_PULLBACK_OPTIONS ((hs_geometry_pullback_options){8, 16, 1e-4, 100, 3})

/* What is known of one operator's G = A'A. */
typedef struct {
    double trace, trace_lo, trace_hi; /* 95 % by t over probes */
    double square;                    /* tr G^2 */
    double residual;                  /* the largest of the singular vectors */
    size_t products, adjoint;
} hs_metric;

/* *out, sigma (r), U (r, m), V (r, n) <- of A.  Probes: stream (seed, HS_RNG_GEOMETRY, HS_RNG_PROBE_TRACE << 48 |
 * draw). HS_ERANGE (r, fewer than 2 probes), HS_ENOCONV (filled in), HS_ENOMEM, or what A fails with. */
HS_CHECKED int hs_metric_of(const hs_linop *A, const hs_geometry_pullback_options *o, uint64_t seed, uint64_t draw,
                            double *sigma, float *U, float *V, hs_metric *out);

enum { HS_PULLBACK_H_X, HS_PULLBACK_X0_H, HS_PULLBACK_MAPS };

typedef struct {
    size_t S, n, r, d_h;
    double *sigma;     /* (maps, S, n, r) */
    hs_metric *metric; /* (maps, S, n) */
    float *tangent;    /* (S, n, r, d_h): orthonormal rows, the images in h of the leading directions of x_t */
} hs_geometry_pullback;
void hs_geometry_pullback_free(hs_geometry_pullback *p);

/* Appends the statistics of the first n of the states' samples and fills *out.  HS_ERANGE: n = 0 or above the states',
 * r above the sizes of x_t and h, fewer than 2 probes.  A tolerance missed is said by metric.residual.
 * Cost: per sample, timestep and map about 200 products and as many of the transpose for r = 8. */
HS_CHECKED int hs_geometry_pullback_of(const hs_geometry_run *run, const hs_geometry_states *s, size_t n,
                                       const hs_geometry_pullback_options *o, hs_geometry_pullback *out);

#endif
