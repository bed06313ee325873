/* core/linalg: BLAS wrappers, factorisations, operators.  Oracles: triple loops, residual and
 * orthogonality ratios in LAPACK's own form (pass below 30), closed forms. */
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "core/linalg/linop.h"
#include "tests/support/support.h"

static double *doubles(size_t n)
{
    double *p;
    assert_ok(hs_calloc(n, sizeof *p, &p));
    return p;
}

static double *normals(size_t n, uint64_t index)
{
    double *p = doubles(n);
    for (size_t i = 0; i < n; i++) {
        float x;
        hs_rng_normal((hs_rng){7, HS_RNG_TEST, index}, i, 1, &x);
        p[i] = (double)x;
    }
    return p;
}

static double product_error(hs_trans ta, hs_trans tb)
{
    enum { M = 5, N = 7, K = 9, LD = 11 };
    double *A = normals(LD * LD, 1), *B = normals(LD * LD, 2), *C = normals(LD * LD, 3), *want = doubles(LD * LD);
    float fa[LD * LD], fb[LD * LD], fc[LD * LD];
    for (size_t i = 0; i < LD * LD; i++) {
        fa[i] = (float)A[i], fb[i] = (float)B[i], fc[i] = (float)C[i];
    }
    memcpy(want, C, LD * LD * sizeof *C);
    for (size_t i = 0; i < M; i++) {
        for (size_t j = 0; j < N; j++) {
            double s = 0;
            for (size_t l = 0; l < K; l++) {
                s += (ta ? A[l * LD + i] : A[i * LD + l]) * (tb ? B[j * LD + l] : B[l * LD + j]);
            }
            want[i * LD + j] = 2 * s - 3 * C[i * LD + j];
        }
    }
    assert_ok(hs_gemm_f64(ta, tb, M, N, K, 2, A, LD, B, LD, -3, C, LD));
    assert_ok(hs_gemm_f32(ta, tb, M, N, K, 2, fa, LD, fb, LD, -3, fc, LD));
    double err = max_rel_f64(C, want, LD * LD);
    for (size_t i = 0; i < LD * LD; i++) {
        assert_near((double)fc[i], want[i], 1e-4); /* 9 float products of size 1 to 4 */
    }
    free(A), free(B), free(C), free(want);
    return err;
}

static void test_products_against_loops(void **state)
{
    (void)state;
    for (int t = 0; t < 4; t++) {
        assert_true(product_error(t & 1 ? HS_TRANS : HS_NO_TRANS, t & 2 ? HS_TRANS : HS_NO_TRANS) < 1e-14);
    }
    double a[6] = {1, 2, 3, 4, 5, 6}, c[4] = {1, 1, 1, 1};
    assert_ok(hs_syrk_f64(2, 3, 1, a, 3, 2, c, 2));
    const double want[4] = {16, 34, 34, 79};
    assert_memory_equal(c, want, sizeof c);
    double empty[1] = {5};
    assert_ok(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, 1, 1, 0, 1, a, 0, a, 1, 0, empty, 1));
    assert_near(empty[0], 0, 0);
}

static void test_products_refuse_bad_sizes(void **state)
{
    (void)state;
    double a[4] = {0}, c[4] = {0};
    assert_code(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, 2, 2, 2, 1, a, 1, a, 2, 0, c, 2), HS_ESHAPE);
    assert_code(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, (size_t)1 << 31, 1, 1, 1, a, 1, a, 1, 0, c, 1), HS_ELIMIT);
    assert_code(hs_syrk_f64(1, 1, 1, a, (size_t)1 << 31, 0, c, 1), HS_ELIMIT);
    float f[1] = {0};
    assert_code(hs_gemm_f32(HS_TRANS, HS_NO_TRANS, 2, 1, 1, 1, f, 1, f, 1, 0, f, 1), HS_ESHAPE);
}

static void test_norms(void **state)
{
    (void)state;
    double big[2] = {3e300, -4e300}, small[2] = {3e-310, 4e-310};
    assert_near(hs_nrm2_f64(2, big) / 5e300, 1, 1e-15);
    assert_near(hs_nrm2_f64(2, small) / 5e-310, 1, 1e-13); /* denormal inputs carry 43 bits */
    float f[19], g[19];
    double want = 0;
    for (int i = 0; i < 19; i++) {
        f[i] = (float)i, g[i] = (float)(20 - i), want += i * (20. - i);
    }
    assert_near(hs_dot_f32(19, f, g), want, 0); /* whole numbers: exact */
    assert_near(hs_nrm2_f32(5, f), sqrt(30), 1e-15);
    assert_near(hs_nrm2_f64(0, big), 0, 0);
    assert_near(hs_distance_f32(2, f, g), sqrt(20 * 20 + 18 * 18), 1e-14);
}

static void test_guard_nests_and_restores(void **state)
{
    (void)state;
    int before = omp_get_max_threads();
    omp_set_num_threads(2);
    hs_blas_serial outer = hs_blas_serial_begin();
    assert_int_equal(outer.threads, 2);
    hs_blas_serial inner = hs_blas_serial_begin();
    assert_int_equal(omp_get_max_threads(), 1);
    hs_blas_serial_end(inner);
    hs_blas_serial_end(outer);
    assert_int_equal(omp_get_max_threads(), 2);
    omp_set_num_threads(before);
}

/* max |QᵀQ - I| / (m eps) over the columns of Q (m, n) */
static double orthogonality(size_t m, size_t n, const double *Q)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double s = i == j ? -1 : 0;
            for (size_t l = 0; l < m; l++) {
                s += Q[l * n + i] * Q[l * n + j];
            }
            worst = fmax(worst, fabs(s));
        }
    }
    return worst / ((double)m * DBL_EPSILON);
}

static double max_abs(size_t n, const double *a)
{
    double m = 0;
    for (size_t i = 0; i < n; i++) {
        m = fmax(m, fabs(a[i]));
    }
    return m;
}

static void check_qr(size_t m, size_t n, const double *A)
{
    double *Q = doubles(m * n), *R = doubles(n * n), *back = doubles(m * n);
    assert_ok(hs_qr_thin(m, n, A, Q, R));
    assert_true(orthogonality(m, n, Q) < 30);
    memcpy(back, A, m * n * sizeof *back);
    assert_ok(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, m, n, n, -1, Q, n, R, n, 1, back, n));
    assert_true(max_abs(m * n, back) <= 30 * (double)m * DBL_EPSILON * max_abs(m * n, A));
    for (size_t i = 0; i < n; i++) {
        assert_true(R[i * n + i] >= 0);
        assert_true(i == 0 || max_abs(i, R + i * n) == 0);
    }
    free(Q), free(R), free(back);
}

static void test_qr(void **state)
{
    (void)state;
    double *A = normals(40 * 13, 4);
    check_qr(40, 13, A);
    check_qr(13, 13, A);
    check_qr(1, 1, A);
    check_qr(5, 0, A);
    for (size_t i = 0; i < 40; i++) { /* Läuchli: rank-deficient to rounding */
        for (size_t j = 0; j < 13; j++) {
            A[i * 13 + j] = i == 0 ? 1 : (i == j + 1 ? 1e-9 : 0);
        }
    }
    check_qr(40, 13, A);
    assert_code(hs_qr_thin(3, 4, A, A, NULL), HS_ESHAPE);
    assert_ok(hs_qr_thin(40, 13, A, A, NULL)); /* in place */
    assert_true(orthogonality(40, 13, A) < 30);
    A[17] = NAN;
    assert_code(hs_qr_thin(40, 13, A, A, NULL), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "(1, 4) is nan"));
    free(A);
}

/* The residual and orthogonality ratios of all triplets, descending order, signs. */
static void check_svd(size_t m, size_t n, const double *A)
{
    size_t r = m < n ? m : n;
    double *a = doubles(m * n), *U = doubles(m * r), *s = doubles(r), *Vt = doubles(r * n), *s2 = doubles(r);
    memcpy(a, A, m * n * sizeof *a);
    assert_ok(hs_svd(m, n, a, U, s, Vt));
    memcpy(a, A, m * n * sizeof *a);
    assert_ok(hs_svd(m, n, a, NULL, s2, NULL));
    double unit = (double)(m > n ? m : n) * DBL_EPSILON;
    assert_true(orthogonality(m, r, U) < 30);
    for (size_t i = 0; i < r; i++) {
        assert_true(i == 0 || s[i] <= s[i - 1]);
        assert_near(s[i], s2[i], 30 * unit * s[0]);
        assert_false(hs_sign_flips(n, Vt + i * n, 1));
        for (size_t row = 0; row < m; row++) {
            double av = hs_dot_f64(n, A + row * n, Vt + i * n);
            assert_near(av, s[i] * U[row * r + i], 30 * unit * s[0]);
        }
        for (size_t j = 0; j <= i; j++) {
            assert_near(hs_dot_f64(n, Vt + i * n, Vt + j * n), i == j, 30 * unit);
        }
    }
    free(a), free(U), free(s), free(Vt), free(s2);
}

static void test_svd(void **state)
{
    (void)state;
    double *A = normals(30 * 12, 5);
    check_svd(30, 12, A);
    check_svd(12, 30, A);
    check_svd(1, 5, A);
    for (size_t i = 0; i < 12; i++) { /* Hilbert: graded over 16 decades */
        for (size_t j = 0; j < 12; j++) {
            A[i * 12 + j] = 1. / (double)(i + j + 1);
        }
    }
    check_svd(12, 12, A);
    memset(A, 0, 144 * sizeof *A);
    check_svd(12, 12, A);
    for (size_t i = 0; i < 12; i++) { /* clustered: 1 and 1 + 1e-14 */
        A[i * 13] = i % 2 ? 1 : 1 + 1e-14;
    }
    check_svd(12, 12, A);
    A[3] = INFINITY;
    assert_code(hs_svd(12, 12, A, NULL, A + 200, NULL), HS_EDEGENERATE);
    assert_code(hs_svd(1, 1, A, A, A, NULL), HS_EBUG);
    assert_code(hs_svd((size_t)1 << 31, 0, A, NULL, A, NULL), HS_ELIMIT);
    free(A);
}

static void test_symmetric_eigen(void **state)
{
    (void)state;
    enum { N = 24, K = 5 };
    double *G = normals(N * N, 6), *A = doubles(N * N), *keep = doubles(N * N), w[N], wk[K], *V = doubles(N * N);
    double *Vk = doubles(K * N);
    assert_ok(hs_syrk_f64(N, N, 1, G, N, 0, A, N));
    memcpy(keep, A, N * N * sizeof *A);
    assert_ok(hs_sym_eig(N, A, N, w, V));
    memcpy(A, keep, N * N * sizeof *A);
    assert_ok(hs_sym_eig(N, A, K, wk, Vk));
    double trace = 0, sum = 0;
    for (size_t i = 0; i < N; i++) {
        trace += keep[i * N + i], sum += w[i];
        for (size_t r = 0; r < N; r++) {
            assert_near(hs_dot_f64(N, keep + r * N, V + i * N), w[i] * V[i * N + r], 30 * N * DBL_EPSILON * w[0]);
        }
    }
    assert_near(sum, trace, 30 * N * DBL_EPSILON * w[0]);
    for (size_t i = 0; i < K; i++) {
        assert_near(wk[i], w[i], 30 * N * DBL_EPSILON * w[0]);
        assert_near(hs_dot_f64(N, Vk + i * N, V + i * N), 1, 1e-10); /* gaps of a random matrix: no cluster */
    }
    assert_code(hs_sym_eig(N, keep, 0, w, NULL), HS_ERANGE);
    assert_code(hs_sym_eig(N, keep, N + 1, w, NULL), HS_ERANGE);
    keep[30] = NAN;
    assert_code(hs_sym_eig(N, keep, 1, w, NULL), HS_EDEGENERATE);
    free(G), free(A), free(keep), free(V), free(Vk);
}

static void test_sign_rule_takes_the_first_of_ties(void **state)
{
    (void)state;
    const double v[4] = {.1, -2, 2, 0};
    const float f[3] = {1, -1, .5F};
    assert_true(hs_sign_flips(4, v, 1));
    assert_false(hs_sign_flips(2, v, 2));
    assert_false(hs_sign_flips_f32(3, f));
    assert_false(hs_sign_flips(0, v, 1));
}

static int broken_adjoint(void *ctx, size_t k, const float *Y, float *X)
{
    const hs_mat *A = ctx;
    for (size_t i = 0; i < k * A->cols; i++) {
        X[i] = Y[i % A->rows];
    }
    return HS_OK;
}

static int failing(void *ctx, size_t k, const float *X, float *Y)
{
    (void)ctx, (void)k, (void)X, (void)Y;
    return hs_fail(HS_EIO, "the network is away");
}

static void test_adjoint_identity(void **state)
{
    (void)state;
    float a[17 * 31];
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 8}, 0, 17 * 31, a);
    hs_mat A = {a, 17, 29, 31};
    hs_linop op = hs_linop_dense(&A);
    double worst;
    assert_ok(hs_linop_adjoint_error(&op, 5, 3, &worst));
    assert_true(worst < 1e-6);
    hs_linop bad = op;
    bad.apply_adjoint = broken_adjoint;
    assert_ok(hs_linop_adjoint_error(&bad, 5, 3, &worst));
    assert_true(worst > 1e-3);
    bad.apply = failing;
    assert_code(hs_linop_adjoint_error(&bad, 1, 3, &worst), HS_EIO);
    assert_code(hs_linop_adjoint_error(&op, 0, 3, &worst), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products_against_loops),
        cmocka_unit_test(test_products_refuse_bad_sizes),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_guard_nests_and_restores),
        cmocka_unit_test(test_qr),
        cmocka_unit_test(test_svd),
        cmocka_unit_test(test_symmetric_eigen),
        cmocka_unit_test(test_sign_rule_takes_the_first_of_ties),
        cmocka_unit_test(test_adjoint_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
