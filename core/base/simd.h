/* One source, the machine's own vectors: a function marked HS_SIMD is compiled for AVX-512, AVX2
 * and the baseline, and the loader picks one.  Use it on plain loops only; the parallel region
 * belongs in the caller.  -DHS_NO_AVX512 leaves AVX-512 out, to measure a machine without it. */
#ifndef HS_BASE_SIMD_H
#define HS_BASE_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#ifdef HS_NO_AVX512
#define HS_SIMD __attribute__((target_clones("avx2", "default")))
#else
#define HS_SIMD __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#else
#define HS_SIMD
#endif

#endif
