/* One source, the machine's own vectors: a function marked HS_SIMD is compiled for AVX-512, AVX2
 * and the baseline, and the loader picks one.  Use it on plain loops only; the parallel region
 * belongs in the caller.  -DHS_NO_AVX512 leaves AVX-512 out, to measure a machine without it. */
#ifndef HS_BASE_SIMD_H
#define HS_BASE_SIMD_H

#include <stddef.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#ifdef HS_NO_AVX512
#define HS_SIMD __attribute__((target_clones("avx2", "default")))
#else
#define HS_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define HS_SIMD
#endif

/* Four doubles, read and written anywhere, that stay in registers: the compiler takes plain loops with several sums
 * apart again, and eight doubles, one vector with AVX-512 alone, go over memory at every step without it. */
enum { HS_DOUBLES = 4 };
typedef double hs_doubles __attribute__((vector_size(HS_DOUBLES * sizeof(double)), aligned(sizeof(double)), may_alias));
/* Of four floats. */
#define HS_WIDEN(p) ((hs_doubles){(double)(p)[0], (double)(p)[1], (double)(p)[2], (double)(p)[3]})

#endif
