#include "core/linalg/sgemm.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>

static int fits(size_t a)
{
    assert(a <= INT_MAX);
    return (int)a;
}

void hs_sgemm(int transa, int transb, size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
              const float *B, size_t ldb, float beta, float *C, size_t ldc)
{
    if (m == 0 || n == 0) {
        return;
    }
    cblas_sgemm(CblasRowMajor, transa ? CblasTrans : CblasNoTrans, transb ? CblasTrans : CblasNoTrans, fits(m), fits(n),
                fits(k), alpha, A, fits(lda), B, fits(ldb), beta, C, fits(ldc));
}
