/* What Winograd F(4x4,3x3) of the forward direction and of the weights' gradient share; private to
 * core/nn.  Interpolation points 0, +-a, +-b, infinity with a = 1/sqrt(2), b = sqrt(2). */
#ifndef HS_NN_CONV_TILES_H
#define HS_NN_CONV_TILES_H

#include <stddef.h>

enum {
    TILE = 4,  /* outputs */
    PATCH = 6, /* inputs */
    POINTS = PATCH * PATCH,
    LANES = 16
};

#define A1 0.70710678118654752440f
#define B1 1.41421356237309504880f

typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

/* The kernel's transform: u = G g G^T. */
void hs_conv_kernel_transform(double G[PATCH][3]);

/* Floats from one point to the next; one cache line more than a power of two, so that the 36
 * streams of a transform don't fall on the same cache sets. */
static inline size_t hs_conv_point_step(size_t tiles, size_t ld)
{
    return tiles * ld + LANES;
}

#endif
