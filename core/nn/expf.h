/* exp in float32 as straight-line code, so that loops over it become vector code.
 *
 * exp(x) = 2^k exp(r), k = round(x / ln 2), |r| <= ln 2 / 2, exp(r) by a polynomial of degree 7
 * (its Taylor series: remainder below 1e-9).  At most 2 ulp for |x| <= 87.3; beyond, the result
 * stays at exp(+-87.3) (8e37, 1.2e-38: never infinite, never subnormal); NaN gives NaN. */
#ifndef HS_NN_EXPF_H
#define HS_NN_EXPF_H

#include <stdint.h>
#include <string.h>

/* x cut to [-87.3, 87.3].  In whole numbers: of a comparison of floats GCC makes two paths with a
 * constant on one, computes both for every lane, and x / (1 + exp(87)) is subnormal, at 150 cycles
 * a vector. */
static inline float hs_expf_clamp(float x)
{
    const uint32_t limit = 0x42ae999aU, infinity = 0x7f800000U; /* 87.3f */
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t size = bits & 0x7fffffffU;
    size = size > limit && size <= infinity ? limit : size;
    bits = (bits & 0x80000000U) | size;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

static inline float hs_expf(float x)
{
    const float round_magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    const float ln2_hi = 0.693359375f, ln2_lo = -2.12194440e-4f;
    x = hs_expf_clamp(x);
    float t = x * 1.44269504f + round_magic;
    float k = t - round_magic;
    float r = (x - k * ln2_hi) - k * ln2_lo;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = (p * r) * r + r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &t, sizeof bits);
    bits = (bits + 127U) << 23; /* the low bits of t hold k in two's complement */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* The derivative of x / (1 + exp(-x)): s (1 + x (1 - s)), s = 1 / (1 + exp(-x)); 1 - s = exp(-x) s
 * keeps its digits where s is nearly 1. */
static inline float hs_silu_slope(float x)
{
    float e = hs_expf(-x), s = 1 / (1 + e);
    return s + x * (s * (e * s));
}

#endif
