/* Single-precision matrix product, row major. */
#ifndef HS_LINALG_SGEMM_H
#define HS_LINALG_SGEMM_H

#include <stddef.h>

/* C (m, n) <- alpha op(A) op(B) + beta C;  op(A) (m, k), op(B) (k, n); op transposes where the flag
 * is non-zero.  lda, ldb, ldc are the row lengths of the stored matrices; every size must fit an
 * int (asserted).  With beta = 0, C need not be initialised.
 * Inside an OpenMP parallel region each call runs on the calling thread alone. */
void hs_sgemm(int transa, int transb, size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
              const float *B, size_t ldb, float beta, float *C, size_t ldc);

#endif
