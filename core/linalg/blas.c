#include "core/linalg/blas.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#include "core/base/simd.h"

/* Weak: another BLAS may stand behind cblas.h, and then there is nothing to set. */
extern int openblas_get_parallel(void) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int num_threads) __attribute__((weak));

enum { OPENBLAS_PTHREAD = 1 };

hs_blas_serial hs_blas_serial_begin(void)
{
    hs_blas_serial guard = {omp_get_max_threads(), 0};
    omp_set_num_threads(1);
    if (openblas_get_parallel != NULL && openblas_get_parallel() == OPENBLAS_PTHREAD) {
        guard.lib_threads = openblas_get_num_threads();
        openblas_set_num_threads(1);
    }
    return guard;
}

void hs_blas_serial_end(hs_blas_serial guard)
{
    if (guard.lib_threads > 0) {
        openblas_set_num_threads(guard.lib_threads);
    }
    omp_set_num_threads(guard.threads);
}

static int check(size_t m, size_t n, size_t k)
{
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX) {
        return hs_fail(HS_ELIMIT, "matrix product of %zu x %zu x %zu: BLAS takes dimensions up to %d", m, n, k,
                       INT_MAX);
    }
    return HS_OK;
}

static int check_ld(char name, size_t ld, size_t cols)
{
    if (ld < cols) {
        return hs_fail(HS_ESHAPE, "matrix product: rows of %c are %zu long but %zu apart", name, cols, ld);
    }
    if (ld > INT_MAX) {
        return hs_fail(HS_ELIMIT, "matrix product: rows of %c are %zu apart, BLAS takes up to %d", name, ld, INT_MAX);
    }
    return HS_OK;
}

static int check_gemm(hs_trans ta, hs_trans tb, size_t m, size_t n, size_t k, size_t lda, size_t ldb, size_t ldc)
{
    int rc = HS_OK;
    HS_TRY(check(m, n, k));
    HS_TRY(check_ld('A', lda, ta == HS_TRANS ? m : k));
    HS_TRY(check_ld('B', ldb, tb == HS_TRANS ? k : n));
    HS_TRY(check_ld('C', ldc, n));
out:
    return rc;
}

static CBLAS_TRANSPOSE op(hs_trans t)
{
    return t == HS_TRANS ? CblasTrans : CblasNoTrans;
}

/* CBLAS refuses a leading dimension of 0, which an empty matrix may well have. */
static size_t ld_of(size_t ld)
{
    return ld > 0 ? ld : 1;
}

int hs_gemm_f32(hs_trans ta, hs_trans tb, size_t m, size_t n, size_t k, float alpha, const float *A, size_t lda,
                const float *B, size_t ldb, float beta, float *C, size_t ldc)
{
    int rc = check_gemm(ta, tb, m, n, k, lda, ldb, ldc);
    if (rc == HS_OK && m > 0 && n > 0) {
        cblas_sgemm(CblasRowMajor, op(ta), op(tb), (int)m, (int)n, (int)k, alpha, A, (int)ld_of(lda), B,
                    (int)ld_of(ldb), beta, C, (int)ld_of(ldc));
    }
    return rc;
}

int hs_gemm_f64(hs_trans ta, hs_trans tb, size_t m, size_t n, size_t k, double alpha, const double *A, size_t lda,
                const double *B, size_t ldb, double beta, double *C, size_t ldc)
{
    int rc = check_gemm(ta, tb, m, n, k, lda, ldb, ldc);
    if (rc == HS_OK && m > 0 && n > 0) {
        cblas_dgemm(CblasRowMajor, op(ta), op(tb), (int)m, (int)n, (int)k, alpha, A, (int)ld_of(lda), B,
                    (int)ld_of(ldb), beta, C, (int)ld_of(ldc));
    }
    return rc;
}

int hs_syrk_f64(size_t n, size_t k, double alpha, const double *A, size_t lda, double beta, double *C, size_t ldc)
{
    int rc = check_gemm(HS_NO_TRANS, HS_TRANS, n, n, k, lda, lda, ldc);
    if (rc != HS_OK || n == 0) {
        return rc;
    }
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)n, (int)k, alpha, A, (int)ld_of(lda), beta, C,
                (int)ld_of(ldc));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            C[j * ldc + i] = C[i * ldc + j];
        }
    }
    return HS_OK;
}

int hs_syrk_lower_f32(size_t n, size_t k, const float *A, size_t lda, float *C, size_t ldc)
{
    int rc = check_gemm(HS_NO_TRANS, HS_TRANS, n, n, k, lda, lda, ldc);
    if (rc == HS_OK && n > 0) {
        cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)n, (int)k, 1, A, (int)ld_of(lda), 0, C,
                    (int)ld_of(ldc));
    }
    return rc;
}

/* Eight partial sums, so that the compiler may use vectors without reordering anything itself. */
enum { LANES = 2 * HS_DOUBLES };

static double sum_lanes(const double *s)
{
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

HS_SIMD double hs_dot_f32(size_t n, const float *a, const float *b)
{
    double s[LANES];
    hs_doubles low = {0}, high = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        low += HS_WIDEN(a + i) * HS_WIDEN(b + i);
        high += HS_WIDEN(a + i + HS_DOUBLES) * HS_WIDEN(b + i + HS_DOUBLES);
    }
    memcpy(s, &low, sizeof low);
    memcpy(s + HS_DOUBLES, &high, sizeof high);
    for (; i < n; i++) {
        s[i % LANES] += (double)a[i] * (double)b[i];
    }
    return sum_lanes(s);
}

double hs_nrm2_f32(size_t n, const float *a)
{
    return sqrt(hs_dot_f32(n, a, a));
}

double hs_distance_f32(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)a[i] - (double)b[i];
        sum += d * d;
    }
    return sqrt(sum);
}

HS_SIMD double hs_dot_f64(size_t n, const double *a, const double *b)
{
    double s[LANES];
    hs_doubles low = {0}, high = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        low += *(const hs_doubles *)(a + i) * *(const hs_doubles *)(b + i);
        high += *(const hs_doubles *)(a + i + HS_DOUBLES) * *(const hs_doubles *)(b + i + HS_DOUBLES);
    }
    memcpy(s, &low, sizeof low);
    memcpy(s + HS_DOUBLES, &high, sizeof high);
    for (; i < n; i++) {
        s[i % LANES] += a[i] * b[i];
    }
    return sum_lanes(s);
}

double hs_nrm2_f64(size_t n, const double *a)
{
    double big = 0;
    for (size_t i = 0; i < n; i++) {
        big = fmax(big, fabs(a[i]));
    }
    if (big == 0 || !isfinite(big)) {
        return big;
    }
    int e;
    frexp(big, &e);
    double scale = ldexp(1, -e / 2), again = ldexp(1, -e - -e / 2); /* in two steps: 2^-e itself may overflow */
    double s[LANES] = {0};
    for (size_t i = 0; i < n; i++) {
        double v = a[i] * scale * again;
        s[i % LANES] += v * v;
    }
    return sqrt(sum_lanes(s)) / scale / again;
}
