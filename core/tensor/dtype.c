#include "core/tensor/dtype.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

size_t hs_dtype_size(hs_dtype t)
{
    static const size_t size[] = {8, 4, 2, 2, 8, 4, 2, 1, 8, 4, 2, 1, 1};
    return size[t];
}

const char *hs_dtype_name(hs_dtype t)
{
    static const char *const name[] = {"float64", "float32", "float16", "bfloat16", "int64", "int32", "int16",
                                       "int8",    "uint64",  "uint32",  "uint16",   "uint8", "bool"};
    return name[t];
}

static float half_to_single(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exp = (h >> 10) & 31u, man = h & 0x3ffu, bits;
    if (exp == 31) {
        bits = sign | 0x7f800000u | (man << 13);
    } else if (exp != 0) {
        bits = sign | ((exp + 112) << 23) | (man << 13);
    } else {
        float tiny = (float)man * 0x1p-24f;
        memcpy(&bits, &tiny, 4);
        bits |= sign;
    }
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static uint16_t single_to_half(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint32_t sign = (bits >> 16) & 0x8000u, mag = bits & 0x7fffffffu;
    if (mag > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u | ((mag >> 13) & 0x3ffu));
    }
    if (mag >= 0x477ff000u) { /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (mag < 0x38800000u) { /* below 2^-14: let the float adder do the rounding */
        float m;
        memcpy(&m, &mag, 4);
        m += 0.5f;
        uint32_t r;
        memcpy(&r, &m, 4);
        return (uint16_t)(sign | (r - 0x3f000000u));
    }
    uint32_t odd = (mag >> 13) & 1u;
    return (uint16_t)(sign | ((mag + 0xfffu + odd - 0x38000000u) >> 13));
}

#if defined(__x86_64__)
__attribute__((target("avx,f16c"))) static size_t widen_f16c(const uint16_t *half, size_t n, float *out)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(half + i));
        _mm256_storeu_ps(out + i, _mm256_cvtph_ps(h));
    }
    return i;
}

__attribute__((target("avx,f16c"))) static size_t narrow_f16c(const float *x, size_t n, uint16_t *half)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128((__m128i *)(void *)(half + i), h);
    }
    return i;
}

static int has_f16c(void)
{
    /* Each machine with AVX2 has F16C, for which clang 14 has no name. */
    return __builtin_cpu_supports("avx2");
}
#endif

void hs_f16_to_f32(const uint16_t *half, size_t n, float *out)
{
    size_t i = 0;
#if defined(__x86_64__)
    if (has_f16c()) {
        i = widen_f16c(half, n, out);
    }
#endif
    for (; i < n; i++) {
        out[i] = half_to_single(half[i]);
    }
}

void hs_f32_to_f16(const float *x, size_t n, uint16_t *half)
{
    size_t i = 0;
#if defined(__x86_64__)
    if (has_f16c()) {
        i = narrow_f16c(x, n, half);
    }
#endif
    for (; i < n; i++) {
        half[i] = single_to_half(x[i]);
    }
}

/* One loop per type: load an element of type T from unaligned bytes, store it as OUT. */
#define CONVERT(T, OUT)                                           \
    for (size_t i = 0; i < n; i++) {                              \
        T v;                                                      \
        memcpy(&v, (const char *)bytes + i * sizeof v, sizeof v); \
        out[i] = (OUT)v;                                          \
    }                                                             \
    break

static float bf16_to_single(uint16_t b)
{
    uint32_t bits = (uint32_t)b << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static uint16_t load_u16(const void *bytes, size_t i)
{
    uint16_t v;
    memcpy(&v, (const char *)bytes + 2 * i, 2);
    return v;
}

void hs_to_f32(hs_dtype t, const void *bytes, size_t n, float *out)
{
    switch (t) {
    case HS_F32: memcpy(out, bytes, n * sizeof *out); break;
    case HS_F16:
        if ((uintptr_t)bytes % 2 == 0) {
            hs_f16_to_f32(bytes, n, out);
        } else {
            for (size_t i = 0; i < n; i++) {
                out[i] = half_to_single(load_u16(bytes, i));
            }
        }
        break;
    case HS_BF16:
        for (size_t i = 0; i < n; i++) {
            out[i] = bf16_to_single(load_u16(bytes, i));
        }
        break;
    case HS_F64: CONVERT(double, float);
    case HS_I64: CONVERT(int64_t, float);
    case HS_I32: CONVERT(int32_t, float);
    case HS_I16: CONVERT(int16_t, float);
    case HS_I8: CONVERT(int8_t, float);
    case HS_U64: CONVERT(uint64_t, float);
    case HS_U32: CONVERT(uint32_t, float);
    case HS_U16: CONVERT(uint16_t, float);
    case HS_U8: CONVERT(uint8_t, float);
    case HS_BOOL:
        for (size_t i = 0; i < n; i++) {
            out[i] = ((const unsigned char *)bytes)[i] != 0;
        }
        break;
    }
}

void hs_to_f64(hs_dtype t, const void *bytes, size_t n, double *out)
{
    switch (t) {
    case HS_F64: memcpy(out, bytes, n * sizeof *out); break;
    case HS_F16:
        for (size_t i = 0; i < n; i++) {
            out[i] = half_to_single(load_u16(bytes, i));
        }
        break;
    case HS_BF16:
        for (size_t i = 0; i < n; i++) {
            out[i] = bf16_to_single(load_u16(bytes, i));
        }
        break;
    case HS_F32: CONVERT(float, double);
    case HS_I64: CONVERT(int64_t, double);
    case HS_I32: CONVERT(int32_t, double);
    case HS_I16: CONVERT(int16_t, double);
    case HS_I8: CONVERT(int8_t, double);
    case HS_U64: CONVERT(uint64_t, double);
    case HS_U32: CONVERT(uint32_t, double);
    case HS_U16: CONVERT(uint16_t, double);
    case HS_U8: CONVERT(uint8_t, double);
    case HS_BOOL:
        for (size_t i = 0; i < n; i++) {
            out[i] = ((const unsigned char *)bytes)[i] != 0;
        }
        break;
    }
}
