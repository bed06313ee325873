/* Single-precision matrix product, row major. */
#ifndef HS_LINALG_SGEMM_H
#define HS_LINALG_SGEMM_H

#include <stddef.h>

/* C (m, n) <- alpha op(A) op(B) + beta C;  op(A) (m, k), op(B) (k, n); op transposes where the flag
 * is non-zero.  lda, ldb, ldc are the row lengths of the stored matrices.  With beta = 0, C need not be
 * initialised.
 * An entry's bits depend on its row of op(A), its column of op(B), k, alpha, beta and what C held alone: not on m and
 * n, nor on the number of threads.  (A library's sgemm promises neither, and OpenBLAS' of AVX2 keeps neither.) Each
 * thread that multiplies keeps 730 kB from its first product until it ends; where they can't be had it goes on slowly
 * with 60 kB of its stack, to the same bits.  Inside an OpenMP parallel region each call runs on the calling thread
 * alone.  Measured (AVX2): 1.05 to 1.25 times OpenBLAS' time from 200 rows on, less than it below 16. */
void hs_sgemm(int transa, int transb, size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
              const float *B, size_t ldb, float beta, float *C, size_t ldc);

#endif
