/* svds: every method against dgesdd of the same matrix, on spectra that are hard for each; residuals
 * recomputed in double; the same bits for 1 and 2 threads. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "core/linalg/svds.h"
#include "tests/support/support.h"

static void *floats(size_t n)
{
    float *p;
    assert_ok(hs_calloc(n, sizeof *p, &p));
    return p;
}

/* Q (n, r) with orthonormal columns, random. */
static double *random_q(size_t n, size_t r, uint64_t index)
{
    float *g = floats(n * r);
    double *Q;
    assert_ok(hs_alloc(n * r, sizeof *Q, &Q));
    hs_rng_normal((hs_rng){11, HS_RNG_TEST, index}, 0, n * r, g);
    for (size_t i = 0; i < n * r; i++) {
        Q[i] = (double)g[i];
    }
    assert_ok(hs_qr_thin(n, r, Q, Q, NULL));
    free(g);
    return Q;
}

/* A (m, n) = P diag(s) Qᵀ in float32, r singular values. */
static hs_mat planted(size_t m, size_t n, size_t r, const double *s)
{
    double *P = random_q(m, r, 1), *Q = random_q(n, r, 2);
    hs_mat A = hs_mat_of(floats(m * n), m, n);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t l = 0; l < r; l++) {
                sum += P[i * r + l] * s[l] * Q[j * r + l];
            }
            A.data[i * n + j] = (float)sum;
        }
    }
    free(P), free(Q);
    return A;
}

/* The k leading triplets, compared with the singular values of dgesdd and with the definition. */
static void check_triplets(hs_mat A, size_t k, hs_svds_options opt, double tol)
{
    size_t m = A.rows, n = A.cols, r = m < n ? m : n;
    double *D, *s, *sigma, *residual;
    float *U = floats(k * m), *V = floats(k * n);
    hs_svds_counts counts;
    assert_ok(hs_alloc(m * n, sizeof *D, &D));
    assert_ok(hs_alloc(r, sizeof *s, &s));
    assert_ok(hs_alloc(k, sizeof *sigma, &sigma));
    assert_ok(hs_alloc(2 * k, sizeof *residual, &residual));
    for (size_t i = 0; i < m * n; i++) {
        D[i] = (double)A.data[i];
    }
    assert_ok(hs_svd(m, n, D, NULL, s, NULL));
    hs_linop op = hs_linop_dense(&A);
    assert_ok(hs_svds(&op, k, &opt, sigma, U, V, residual, &counts));
    assert_true(counts.worst <= tol);
    assert_true(counts.applied > 0 && counts.adjoint > 0);
    for (size_t i = 0; i < k; i++) {
        assert_near(sigma[i], s[i], tol * s[0]);
        assert_true(i == 0 || sigma[i] <= sigma[i - 1]);
        assert_false(hs_sign_flips_f32(n, V + i * n));
        assert_true(residual[i] <= counts.worst && residual[k + i] <= counts.worst);
        double av2 = 0;
        for (size_t row = 0; row < m; row++) {
            double e = hs_dot_f32(n, A.data + row * n, V + i * n) - sigma[i] * (double)U[i * m + row];
            av2 += e * e;
        }
        assert_true(sqrt(av2) <= (residual[i] + 3e-6) * s[0]); /* the reported one, and float32 rounding */
        for (size_t j = 0; j < i; j++) {
            assert_near(hs_dot_f32(n, V + i * n, V + j * n), 0, 2e-6);
        }
        if (sigma[i] > 1e-6 * sigma[0]) {
            assert_near(hs_nrm2_f32(n, V + i * n), 1, 1e-6);
            assert_near(hs_nrm2_f32(m, U + i * m), 1, 1e-6);
        }
    }
    free(D), free(s), free(sigma), free(residual), free(U), free(V);
}

static void all_methods(size_t m, size_t n, size_t r, const double *s, size_t k)
{
    hs_mat A = planted(m, n, r, s);
    hs_svds_options opt = HS_SVDS_OPTIONS;
    check_triplets(A, k, opt, 1e-5);
    opt.method = HS_SVDS_DENSE;
    check_triplets(A, k, opt, 1e-5);
    opt.method = HS_SVDS_RANDOMIZED;
    opt.max_sweeps = 60; /* enough for the slowest of these spectra */
    check_triplets(A, k, opt, 1e-4);
    free(A.data);
}

static void test_spectra(void **state)
{
    (void)state;
    double s[80];
    for (size_t i = 0; i < 80; i++) {
        s[i] = exp(-.2 * (double)i); /* graded over 7 decades */
    }
    all_methods(90, 150, 80, s, 12);
    all_methods(150, 90, 80, s, 12);
    for (size_t i = 0; i < 80; i++) {
        s[i] = i < 6 ? 5 : (i < 9 ? 4.999 : 1); /* a sphere, and a cluster beside it */
    }
    all_methods(120, 100, 80, s, 9);
    for (size_t i = 0; i < 80; i++) {
        s[i] = 1e-22 * (1 + (i < 10) * (double)(20 - i)); /* squares below float32's range */
    }
    all_methods(120, 100, 80, s, 8);
}

static void test_rank_below_k(void **state)
{
    (void)state;
    const double s[3] = {3, 2, 1};
    all_methods(60, 40, 3, s, 6);
    all_methods(40, 60, 3, s, 6);
    const double one = 7;
    all_methods(1, 5, 1, &one, 1);
    all_methods(5, 1, 1, &one, 1);
}

static void test_flat_spectrum_needs_the_whole_space(void **state)
{
    (void)state;
    double s[64];
    for (size_t i = 0; i < 64; i++) {
        s[i] = 1 + 1e-3 * (double)(64 - i); /* no gap anywhere */
    }
    hs_mat A = planted(64, 64, 64, s);
    check_triplets(A, 5, HS_SVDS_OPTIONS, 1e-5);
    free(A.data);
}

static void test_zero_operator(void **state)
{
    (void)state;
    float zero[20] = {0}, U[8], V[10];
    double sigma[2], residual[4];
    hs_mat A = hs_mat_of(zero, 4, 5);
    hs_linop op = hs_linop_dense(&A);
    for (int m = 0; m < 3; m++) {
        hs_svds_options opt = HS_SVDS_OPTIONS;
        opt.method = (hs_svds_method)m;
        assert_ok(hs_svds(&op, 2, &opt, sigma, U, V, residual, NULL));
        assert_near(sigma[0], 0, 0);
        assert_near(sigma[1], 0, 0);
        assert_near(hs_nrm2_f32(8, U), 0, 0);
    }
}

static int broken(void *ctx, size_t k, const float *X, float *Y)
{
    (void)X;
    for (size_t i = 0; i < k * *(size_t *)ctx; i++) {
        Y[i] = NAN;
    }
    return HS_OK;
}

static int away(void *ctx, size_t k, const float *X, float *Y)
{
    (void)ctx, (void)k, (void)X, (void)Y;
    return hs_fail(HS_EIO, "the network is away");
}

static void test_errors_leave_outputs(void **state)
{
    (void)state;
    size_t n = 20;
    hs_linop op = {n, n, broken, broken, &n};
    double sigma[3] = {5, 5, 5}, residual[6];
    float U[60], V[60];
    hs_svds_options opt = HS_SVDS_OPTIONS;
    for (int m = 0; m < 3; m++) {
        opt.method = (hs_svds_method)m;
        assert_code(hs_svds(&op, 3, &opt, sigma, U, V, residual, NULL), HS_EDEGENERATE);
    }
    op.apply = away;
    for (int m = 0; m < 3; m++) {
        opt.method = (hs_svds_method)m;
        assert_code(hs_svds(&op, 3, &opt, sigma, U, V, residual, NULL), HS_EIO);
    }
    assert_code(hs_svds(&op, 0, &opt, sigma, U, V, residual, NULL), HS_ERANGE);
    assert_code(hs_svds(&op, 21, &opt, sigma, U, V, residual, NULL), HS_ERANGE);
    opt.max_sweeps = 0;
    assert_code(hs_svds(&op, 3, &opt, sigma, U, V, residual, NULL), HS_ERANGE);
    assert_near(sigma[0], 5, 0);
}

static void test_no_convergence_fills_everything(void **state)
{
    (void)state;
    double s[64], sigma[5] = {0}, residual[10] = {0};
    float U[5 * 64], V[5 * 64];
    hs_svds_counts counts = {0};
    for (size_t i = 0; i < 64; i++) {
        s[i] = 1 + 1e-3 * (double)(64 - i);
    }
    hs_mat A = planted(64, 64, 64, s);
    hs_linop op = hs_linop_dense(&A);
    hs_svds_options opt = HS_SVDS_OPTIONS;
    opt.max_sweeps = 2;
    assert_code(hs_svds(&op, 5, &opt, sigma, U, V, residual, &counts), HS_ENOCONV);
    assert_true(counts.worst > 1e-5 && counts.sweeps == 2);
    assert_near(sigma[0], 1.04, .03);
    assert_near(hs_nrm2_f32(64, V), 1, 1e-6);
    free(A.data);
}

static void test_threads_do_not_change_bits(void **state)
{
    (void)state;
    enum { M = 300, N = 2500, K = 7 };
    float *a = floats(M * N), *V[2] = {floats(K * N), floats(K * N)}, *U = floats(K * M);
    double sigma[2][K], residual[2][2 * K];
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 3}, 0, M * N, a);
    hs_mat A = hs_mat_of(a, M, N);
    hs_linop op = hs_linop_dense(&A);
    int before = omp_get_max_threads();
    for (int t = 0; t < 2; t++) {
        omp_set_num_threads(t + 1);
        assert_ok(hs_svds(&op, K, &HS_SVDS_OPTIONS, sigma[t], U, V[t], residual[t], NULL));
    }
    omp_set_num_threads(before);
    assert_memory_equal(sigma[0], sigma[1], sizeof sigma[0]);
    assert_memory_equal(residual[0], residual[1], sizeof residual[0]);
    assert_memory_equal(V[0], V[1], K * N * sizeof(float));
    free(a), free(V[0]), free(V[1]), free(U);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spectra),
        cmocka_unit_test(test_rank_below_k),
        cmocka_unit_test(test_flat_spectrum_needs_the_whole_space),
        cmocka_unit_test(test_zero_operator),
        cmocka_unit_test(test_errors_leave_outputs),
        cmocka_unit_test(test_no_convergence_fills_everything),
        cmocka_unit_test(test_threads_do_not_change_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
