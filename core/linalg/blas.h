/* BLAS behind row-major, size-checked calls, and the guard that keeps results independent of the
 * number of threads.
 *
 * A multithreaded BLAS cuts its sums by worker, so its bits change with the thread count.  Here
 * every library call is made single-threaded on a tile whose borders depend on indices only;
 * parallelism is over tiles, in the caller. */
#ifndef HS_LINALG_BLAS_H
#define HS_LINALG_BLAS_H

#include <stddef.h>

#include "core/base/error.h"

/* While the guard is held by a thread, BLAS and LAPACK calls of that thread, and of parallel regions
 * it opens, run on one thread.  Open those regions with num_threads(guard.threads): the guard
 * lowers OpenMP's own default as well.  Guards nest; end them in reverse order.  Not to be begun
 * from two threads at once (with a pthread OpenBLAS the setting belongs to the process). */
typedef struct {
    int threads;     /* what OpenMP would have used */
    int lib_threads; /* OpenBLAS' own setting; 0 where it isn't ours to set */
} hs_blas_serial;
hs_blas_serial hs_blas_serial_begin(void);
void hs_blas_serial_end(hs_blas_serial guard);

typedef enum { HS_NO_TRANS, HS_TRANS } hs_trans;

/* The library's products, for large matrices cut at fixed borders: which bits they round to may depend on m, n and
 * the number of threads.  Where a row's must not, sgemm.h.
 * C (m, n) <- alpha op(A) op(B) + beta C, op(A) (m, k), op(B) (k, n); row i of X at X + i * ldx.
 * With beta = 0, C is not read.  HS_ELIMIT when a dimension or a leading dimension exceeds
 * 2^31 - 1, HS_ESHAPE when a leading dimension is below its row length. */
HS_CHECKED int hs_gemm_f32(hs_trans ta, hs_trans tb, size_t m, size_t n, size_t k, float alpha, const float *A,
                           size_t lda, const float *B, size_t ldb, float beta, float *C, size_t ldc);
HS_CHECKED int hs_gemm_f64(hs_trans ta, hs_trans tb, size_t m, size_t n, size_t k, double alpha, const double *A,
                           size_t lda, const double *B, size_t ldb, double beta, double *C, size_t ldc);

/* C (n, n), both triangles <- alpha A Aᵀ + beta C, A (n, k); C must be symmetric when beta != 0.
 * Errors as hs_gemm_f64. */
HS_CHECKED int hs_syrk_f64(size_t n, size_t k, double alpha, const double *A, size_t lda, double beta, double *C,
                           size_t ldc);
/* The lower triangle of C (n, n), and nothing else of it, <- A Aᵀ, A (n, k).  Errors as hs_gemm_f64. */
HS_CHECKED int hs_syrk_lower_f32(size_t n, size_t k, const float *A, size_t lda, float *C, size_t ldc);

/* Σ a_i b_i, and √Σ a_i², of float32 data in double; always in the same order, whatever the machine. */
double hs_dot_f32(size_t n, const float *a, const float *b);
double hs_nrm2_f32(size_t n, const float *a);
/* √Σ (a_i - b_i)², summed in the order of i. */
double hs_distance_f32(size_t n, const float *a, const float *b);
double hs_dot_f64(size_t n, const double *a, const double *b);
/* √Σ a_i² without overflow or underflow of the squares. */
double hs_nrm2_f64(size_t n, const double *a);

#endif
