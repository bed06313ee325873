/* Straight and relaxed paths of a map g: R^n -> R^m between two points: is the straight line in h one in the image?
 *
 *   midpoint deviation: |g((a + b) / 2) - (g(a) + g(b)) / 2| / |g(a) - g(b)|, 0 where g is affine on the line
 *
 *   energy of y_0 = a, ..., y_K = b: K sum |g(y_k+1) - g(y_k)|^2 / |g(b) - g(a)|^2, at least 1 (Cauchy and Schwarz),
 *   and 1 only for an image that is a straight line run through evenly
 *
 *   relaxed: the least energy found from the straight path by descent on its inner nodes, the discrete geodesic of the
 *   pullback metric (Shao, Kumar and Fletcher, arXiv:1711.08014)
 *
 *   bend: max_k |y_k - straight_k| / |b - a| of the relaxed path
 *
 * Descent: the gradient 2 K J_k'(2 g_k - g_k-1 - g_k+1), smoothed along the path by the inverse of the chain's
 * Laplacian (so that the number of nodes doesn't slow it), Barzilai-Borwein steps, each halved until the energy falls.
 */
#ifndef HS_GEOMETRY_PATH_H
#define HS_GEOMETRY_PATH_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    size_t m, n;
    /* y (rows, m) <- g of the rows of x (rows, n) */
    int (*eval)(void *ctx, size_t rows, const float *x, float *y);
    /* y as eval's, and for every u (rows, m): dx (rows, n) <- J(x_r)' u_r at these rows.  keep is called first. */
    int (*keep)(void *ctx, size_t rows, const float *x, float *y);
    int (*pull)(void *ctx, size_t rows, const float *u, float *dx);
    void *ctx;
} hs_curved_map;

/* out (count) <- midpoint deviations between a and a + f (b - a) for each f of fraction (count).  NaN where g(b) =
 * g(a). HS_ENOMEM, or what eval fails with.  2 count + 1 rows of eval. */
HS_CHECKED int hs_midpoint_deviation(const hs_curved_map *g, const float *a, const float *b, size_t count,
                                     const double *fraction, double *out);

typedef struct {
    double straight, relaxed; /* energies */
    double bend;
    double gradient; /* smoothed gradient at the end over that at the start */
    size_t iterations;
} hs_path_energy;

/* *out <- of paths of K segments; node (2, K + 1, n), or NULL: the straight and the relaxed nodes.  HS_ERANGE: K < 2;
 * HS_EDEGENERATE: g(a) = g(b), or something that isn't finite; HS_ENOMEM, or what g fails with.
 * Cost: a keep and a pull of K - 1 rows an iteration, and a keep for every halving. */
HS_CHECKED int hs_path_relax(const hs_curved_map *g, const float *a, const float *b, size_t K, size_t iterations,
                             float *node, hs_path_energy *out);

#endif
