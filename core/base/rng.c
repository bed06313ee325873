#include "core/base/rng.h"

#include <Random123/philox.h>
#include <math.h>

static philox4x32_ctr_t block(hs_rng s, uint64_t b)
{
    philox4x32_key_t key = {{(uint32_t)s.seed, (uint32_t)(s.seed >> 32)}};
    philox4x32_ctr_t ctr = {{(uint32_t)b, (uint32_t)s.purpose, (uint32_t)s.index, (uint32_t)(s.index >> 32)}};
    return philox4x32(ctr, key);
}

void hs_rng_u32(hs_rng stream, uint64_t first, size_t n, uint32_t *out)
{
    uint64_t have = UINT64_MAX;
    philox4x32_ctr_t r = {{0, 0, 0, 0}};
    for (size_t i = 0; i < n; i++) {
        uint64_t e = first + i;
        if (e / 4 != have) {
            have = e / 4;
            r = block(stream, have);
        }
        out[i] = r.v[e % 4];
    }
}

/* Two normals from two uniforms; u is shifted off 0 so that its logarithm is finite. */
static void box_muller(uint32_t a, uint32_t b, double *z0, double *z1)
{
    const double two_pi = 6.283185307179586476925;
    double u = ((double)a + 0.5) * 0x1p-32, v = ((double)b + 0.5) * 0x1p-32;
    double r = sqrt(-2.0 * log(u));
    *z0 = r * cos(two_pi * v);
    *z1 = r * sin(two_pi * v);
}

void hs_rng_normal(hs_rng stream, uint64_t first, size_t n, float *out)
{
    uint64_t have = UINT64_MAX;
    double z[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        uint64_t e = first + i;
        if (e / 4 != have) {
            have = e / 4;
            philox4x32_ctr_t r = block(stream, have);
            box_muller(r.v[0], r.v[1], &z[0], &z[1]);
            box_muller(r.v[2], r.v[3], &z[2], &z[3]);
        }
        out[i] = (float)z[e % 4];
    }
}

double hs_rng_uniform(hs_rng stream, uint64_t i)
{
    uint32_t w[2];
    hs_rng_u32(stream, 2 * i, 2, w);
    return (double)(((uint64_t)w[0] << 21) ^ (w[1] >> 11)) * 0x1p-53;
}

uint32_t hs_rng_below(hs_rng stream, uint64_t i, uint32_t bound)
{
    uint32_t w;
    hs_rng_u32(stream, i, 1, &w);
    return (uint32_t)(((uint64_t)w * bound) >> 32);
}
