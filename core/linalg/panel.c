#include "core/linalg/panel.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)

#define X86_KERNELS
#include <immintrin.h>

/* -DHS_NO_AVX512 builds what a machine without AVX-512 would run, for measuring it on one that has it. */
#ifdef HS_NO_AVX512
#define WITH_AVX512 0
#else
#define WITH_AVX512 1
#endif

/* A block of `rows` rows is held in registers: rows x 2 accumulators, one broadcast of A and two
 * vectors of the panel per k.  rows and fetch are constants after inlining.  The first block of
 * rows fetches the panel that lies behind this one: panels are used in order, and come from far. */
#define BLOCK_AVX512 __attribute__((target("avx512f"), always_inline)) static inline
#define BLOCK_AVX2   __attribute__((target("avx2,fma"), always_inline)) static inline

enum { ROWS_512 = 12, ROWS_256 = 6 };

BLOCK_AVX512 void block_avx512(const int rows, const int fetch, size_t k, const float *A, size_t lda,
                               const float *panel, int onto, float *C, size_t ldc)
{
    const float *next = panel + 32 * k;
    __m512 left[ROWS_512], right[ROWS_512];
    for (int r = 0; r < rows; r++) {
        left[r] = right[r] = _mm512_setzero_ps();
    }
    for (size_t p = 0; p < k; p++) {
        __m512 b0 = _mm512_load_ps(panel + 32 * p), b1 = _mm512_load_ps(panel + 32 * p + 16);
        if (fetch) {
            _mm_prefetch((const char *)(next + 32 * p), _MM_HINT_T1);
            _mm_prefetch((const char *)(next + 32 * p + 16), _MM_HINT_T1);
        }
        for (int r = 0; r < rows; r++) {
            __m512 a = _mm512_set1_ps(A[(size_t)r * lda + p]);
            left[r] = _mm512_fmadd_ps(a, b0, left[r]);
            right[r] = _mm512_fmadd_ps(a, b1, right[r]);
        }
    }
    for (int r = 0; r < rows; r++, C += ldc) {
        if (onto) {
            left[r] = _mm512_add_ps(_mm512_loadu_ps(C), left[r]);
            right[r] = _mm512_add_ps(_mm512_loadu_ps(C + 16), right[r]);
        }
        _mm512_storeu_ps(C, left[r]);
        _mm512_storeu_ps(C + 16, right[r]);
    }
}

/* The rows left over when fewer than 4 are. */
#define RUN_REST(block)                     \
    do {                                    \
        switch (m) {                        \
        case 3: block(3, 0, RUN_AT); break; \
        case 2: block(2, 0, RUN_AT); break; \
        case 1: block(1, 0, RUN_AT); break; \
        }                                   \
    } while (0)
#define RUN_AT k, A, lda, panel, onto, C, ldc

__attribute__((target("avx512f"))) static void run_avx512(size_t m, size_t k, const float *A, size_t lda,
                                                          const float *panel, int onto, float *C, size_t ldc)
{
    /* 12s and 8s make every multiple of 4 from 16 on: no narrow block, which can't fill the pipes. */
    if (m >= ROWS_512 && m != 16) {
        block_avx512(ROWS_512, 1, RUN_AT);
        m -= ROWS_512, A += ROWS_512 * lda, C += ROWS_512 * ldc;
    } else if (m >= 8) {
        block_avx512(8, 1, RUN_AT);
        m -= 8, A += 8 * lda, C += 8 * ldc;
    }
    for (; m >= ROWS_512 && m != 16; m -= ROWS_512, A += ROWS_512 * lda, C += ROWS_512 * ldc) {
        block_avx512(ROWS_512, 0, RUN_AT);
    }
    for (; m >= 8; m -= 8, A += 8 * lda, C += 8 * ldc) {
        block_avx512(8, 0, RUN_AT);
    }
    for (; m >= 4; m -= 4, A += 4 * lda, C += 4 * ldc) {
        block_avx512(4, 0, RUN_AT);
    }
    RUN_REST(block_avx512);
}

BLOCK_AVX2 void block_avx2(const int rows, const int fetch, size_t k, const float *A, size_t lda, const float *panel,
                           int onto, float *C, size_t ldc)
{
    const float *next = panel + 16 * k;
    __m256 left[ROWS_256], right[ROWS_256];
    for (int r = 0; r < rows; r++) {
        left[r] = right[r] = _mm256_setzero_ps();
    }
    for (size_t p = 0; p < k; p++) {
        __m256 b0 = _mm256_load_ps(panel + 16 * p), b1 = _mm256_load_ps(panel + 16 * p + 8);
        if (fetch) {
            _mm_prefetch((const char *)(next + 16 * p), _MM_HINT_T1);
        }
        for (int r = 0; r < rows; r++) {
            __m256 a = _mm256_set1_ps(A[(size_t)r * lda + p]);
            left[r] = _mm256_fmadd_ps(a, b0, left[r]);
            right[r] = _mm256_fmadd_ps(a, b1, right[r]);
        }
    }
    for (int r = 0; r < rows; r++, C += ldc) {
        if (onto) {
            left[r] = _mm256_add_ps(_mm256_loadu_ps(C), left[r]);
            right[r] = _mm256_add_ps(_mm256_loadu_ps(C + 8), right[r]);
        }
        _mm256_storeu_ps(C, left[r]);
        _mm256_storeu_ps(C + 8, right[r]);
    }
}

__attribute__((target("avx2,fma"))) static void run_avx2(size_t m, size_t k, const float *A, size_t lda,
                                                         const float *panel, int onto, float *C, size_t ldc)
{
    /* 7 and 8 rows are two blocks of 4 or 3: below 4 the pipes run half empty. */
    if (m == ROWS_256 || m > 8) {
        block_avx2(ROWS_256, 1, RUN_AT);
        m -= ROWS_256, A += ROWS_256 * lda, C += ROWS_256 * ldc;
    }
    for (; m == ROWS_256 || m > 8; m -= ROWS_256, A += ROWS_256 * lda, C += ROWS_256 * ldc) {
        block_avx2(ROWS_256, 0, RUN_AT);
    }
    if (m == 5) {
        block_avx2(5, 0, RUN_AT);
        return;
    }
    for (; m >= 4; m -= 4, A += 4 * lda, C += 4 * ldc) {
        block_avx2(4, 0, RUN_AT);
    }
    RUN_REST(block_avx2);
}

/* wide: more than one vector of B's columns. */
BLOCK_AVX512 void add_block_avx512(const int rows, const int wide, const hs_panel_pixels *s, const float *A, float *C,
                                   size_t ldc)
{
    __mmask16 m0 = (__mmask16)(s->columns < 16 ? (1u << s->columns) - 1 : 0xffff);
    __mmask16 m1 = (__mmask16)(wide ? (1u << (s->columns - 16)) - 1 : 0);
    __m512 left[ROWS_512], right[ROWS_512];
    for (int i = 0; i < rows; i++) {
        left[i] = right[i] = _mm512_setzero_ps();
    }
    for (size_t r = 0; r < s->rows; r++) {
        const float *a = A + r * s->a_row, *b = s->B + r * s->b_row;
        for (size_t p = 0; p < s->k; p++, a += s->lda, b += s->ldb) {
            __m512 b0 = _mm512_maskz_loadu_ps(m0, b), b1 = b0;
            if (wide) {
                b1 = _mm512_maskz_loadu_ps(m1, b + 16);
            }
            for (int i = 0; i < rows; i++) {
                __m512 v = _mm512_set1_ps(a[i]);
                left[i] = _mm512_fmadd_ps(v, b0, left[i]);
                if (wide) {
                    right[i] = _mm512_fmadd_ps(v, b1, right[i]);
                }
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        float *c = C + (size_t)i * ldc;
        _mm512_store_ps(c, _mm512_add_ps(_mm512_load_ps(c), left[i]));
        if (wide) {
            _mm512_store_ps(c + 16, _mm512_add_ps(_mm512_load_ps(c + 16), right[i]));
        }
    }
}

/* Rows at a time, the most first; 3, as pictures have channels, makes up the rest. */
#define ADD_BLOCKS(block, most, wide)                                               \
    do {                                                                            \
        for (; m >= (most) && m != 16; m -= (most), A += (most), C += (most)*ldc) { \
            block(most, wide, s, A, C, ldc);                                        \
        }                                                                           \
        for (; (most) > 8 && m >= 8; m -= 8, A += 8, C += 8 * ldc) {                \
            block(8, wide, s, A, C, ldc);                                           \
        }                                                                           \
        for (; m >= 4; m -= 4, A += 4, C += 4 * ldc) {                              \
            block(4, wide, s, A, C, ldc);                                           \
        }                                                                           \
        if (m == 3) {                                                               \
            block(3, wide, s, A, C, ldc);                                           \
        } else if (m == 2) {                                                        \
            block(2, wide, s, A, C, ldc);                                           \
        } else if (m == 1) {                                                        \
            block(1, wide, s, A, C, ldc);                                           \
        }                                                                           \
    } while (0)

__attribute__((target("avx512f"))) static void add_avx512(size_t m, const hs_panel_pixels *s, float *C, size_t ldc)
{
    const float *A = s->A;
    if (s->columns > 16) {
        ADD_BLOCKS(add_block_avx512, ROWS_512, 1);
    } else {
        ADD_BLOCKS(add_block_avx512, ROWS_512, 0);
    }
}

BLOCK_AVX2 void add_block_avx2(const int rows, const int wide, const hs_panel_pixels *s, const float *A, float *C,
                               size_t ldc)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i m0 = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)s->columns), lane);
    __m256i m1 = _mm256_cmpgt_epi32(_mm256_set1_epi32((int)s->columns - 8), lane);
    __m256 left[ROWS_256], right[ROWS_256];
    for (int i = 0; i < rows; i++) {
        left[i] = right[i] = _mm256_setzero_ps();
    }
    for (size_t r = 0; r < s->rows; r++) {
        const float *a = A + r * s->a_row, *b = s->B + r * s->b_row;
        for (size_t p = 0; p < s->k; p++, a += s->lda, b += s->ldb) {
            __m256 b0 = _mm256_maskload_ps(b, m0), b1 = b0;
            if (wide) {
                b1 = _mm256_maskload_ps(b + 8, m1);
            }
            for (int i = 0; i < rows; i++) {
                __m256 v = _mm256_set1_ps(a[i]);
                left[i] = _mm256_fmadd_ps(v, b0, left[i]);
                if (wide) {
                    right[i] = _mm256_fmadd_ps(v, b1, right[i]);
                }
            }
        }
    }
    for (int i = 0; i < rows; i++) {
        float *c = C + (size_t)i * ldc;
        _mm256_store_ps(c, _mm256_add_ps(_mm256_load_ps(c), left[i]));
        if (wide) {
            _mm256_store_ps(c + 8, _mm256_add_ps(_mm256_load_ps(c + 8), right[i]));
        }
    }
}

__attribute__((target("avx2,fma"))) static void add_avx2(size_t m, const hs_panel_pixels *s, float *C, size_t ldc)
{
    const float *A = s->A;
    if (s->columns > 8) {
        ADD_BLOCKS(add_block_avx2, ROWS_256, 1);
    } else {
        ADD_BLOCKS(add_block_avx2, ROWS_256, 0);
    }
}

static const hs_panel_kernel avx512 = {"avx512", 32, run_avx512, add_avx512};
static const hs_panel_kernel avx2 = {"avx2", 16, run_avx2, add_avx2};

#endif

/* ---- Any processor: plain loops, which the compiler makes vectors of -------------------------------------------- */

enum { ROWS_ANY = 4, WIDE_ANY = 16 };

/* sum (ROWS_ANY, WIDE_ANY) += k pixels of `rows` channels of A, one a_row apart and a_next to the next pixel's, and
 * `columns` of B. */
static void accumulate(size_t rows, size_t columns, size_t k, const float *A, size_t a_row, size_t a_next,
                       const float *B, size_t ldb, float sum[ROWS_ANY][WIDE_ANY])
{
    for (size_t p = 0; p < k; p++) {
        for (size_t i = 0; i < rows; i++) {
            float a = A[i * a_row + p * a_next];
            for (size_t j = 0; j < columns; j++) {
                sum[i][j] += a * B[p * ldb + j];
            }
        }
    }
}

static void run_any(size_t m, size_t k, const float *A, size_t lda, const float *panel, int onto, float *C, size_t ldc)
{
    for (size_t i = 0; i < m; i += ROWS_ANY) {
        float sum[ROWS_ANY][WIDE_ANY] = {{0}};
        size_t rows = m - i < ROWS_ANY ? m - i : ROWS_ANY;
        accumulate(rows, WIDE_ANY, k, A + i * lda, lda, 1, panel, WIDE_ANY, sum);
        for (size_t r = 0; r < rows; r++) {
            float *c = C + (i + r) * ldc;
            for (size_t j = 0; j < WIDE_ANY; j++) {
                c[j] = onto ? c[j] + sum[r][j] : sum[r][j];
            }
        }
    }
}

static void add_any(size_t m, const hs_panel_pixels *s, float *C, size_t ldc)
{
    for (size_t i = 0; i < m; i += ROWS_ANY) {
        float sum[ROWS_ANY][WIDE_ANY] = {{0}};
        size_t rows = m - i < ROWS_ANY ? m - i : ROWS_ANY;
        for (size_t r = 0; r < s->rows; r++) {
            accumulate(rows, s->columns, s->k, s->A + r * s->a_row + i, 1, s->lda, s->B + r * s->b_row, s->ldb, sum);
        }
        for (size_t r = 0; r < rows; r++) {
            for (size_t j = 0; j < s->columns; j++) {
                C[(i + r) * ldc + j] += sum[r][j];
            }
        }
    }
}

static const hs_panel_kernel any = {"any", WIDE_ANY, run_any, add_any};

const hs_panel_kernel *hs_panel_named(const char *name)
{
#ifdef X86_KERNELS
    if (strcmp(name, "avx512") == 0 && WITH_AVX512 && __builtin_cpu_supports("avx512f")) {
        return &avx512;
    }
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &avx2;
    }
#endif
    return strcmp(name, "any") == 0 ? &any : NULL;
}

const hs_panel_kernel *hs_panel_best(void)
{
    static const char *const best_first[] = {"avx512", "avx2", "any"};
    const hs_panel_kernel *kernel = NULL;
    for (size_t i = 0; kernel == NULL; i++) {
        kernel = hs_panel_named(best_first[i]);
    }
    return kernel;
}
