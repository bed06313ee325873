/* Two spaces that share a latent: the planted truth of comparisons. */
#ifndef HS_TESTS_PLANTED_SPACES_H
#define HS_TESTS_PLANTED_SPACES_H

#include <stdint.h>

#include "analysis/compare/side.h"

typedef struct {
    size_t n, k, d[2];
    double noise;
    float *x[2];        /* (n, d) */
    double *loading[2]; /* (d, k) orthonormal columns */
    double cosine;      /* mean over rows of cos(the shared axes of x[0] carried by the true map, x[1]) */
    double back;
} planted_spaces;

/* x_s = z Q_sᵀ + noise: z (n, k) standard normal, Q_s orthonormal, noise of root mean square norm `noise` times that
 * of z, spread over all d axes.  k = 0: nothing shared, standard normal rows. */
planted_spaces planted_spaces_make(size_t n, size_t k, size_t da, size_t db, double noise, uint64_t seed);
void planted_spaces_free(planted_spaces *p);

/* x (n, d) as a side of one step; x must outlive it. */
typedef struct {
    const float *x;
    size_t d;
} planted_rows;
hs_compare_side planted_side(planted_rows *rows, size_t n);

#endif
