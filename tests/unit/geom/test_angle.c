/* Cosines and principal angles: closed forms, and the reference angles of real activations. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/angle.h"
#include "core/geom/gram.h"
#include "core/linalg/factor.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static void test_cosine(void **state)
{
    (void)state;
    const float a[3] = {1, 2, 2}, b[3] = {-2, -4, -4}, c[3] = {2, 1, -2}, zero[3] = {0}, bad[3] = {1, NAN, 0};
    const float tiny[2] = {1e-40F, 0}, huge[2] = {3e38F, 3e38F};
    double out = 7;
    assert_ok(hs_cosine(3, a, b, &out));
    assert_near(out, -1, 0);
    assert_ok(hs_cosine(3, a, c, &out));
    assert_near(out, 0, 0);
    assert_ok(hs_cosine(2, tiny, huge, &out));
    assert_near(out, sqrt(.5), 1e-15);
    assert_code(hs_cosine(3, a, zero, &out), HS_EDEGENERATE);
    assert_code(hs_cosine(3, bad, a, &out), HS_EDEGENERATE);
    assert_code(hs_cosine(0, a, a, &out), HS_EDEGENERATE);
}

static void test_cosine_matrix(void **state)
{
    (void)state;
    float a[6] = {1, 0, 0, 2, 1, 1}, b[4] = {3, 0, 0, -1};
    double C[6], one;
    hs_mat A = hs_mat_of(a, 3, 2), B = hs_mat_of(b, 2, 2);
    assert_ok(hs_cosine_matrix(A, B, C));
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 2; j++) {
            assert_ok(hs_cosine(2, a + 2 * i, b + 2 * j, &one));
            assert_near(C[2 * i + j], one, 1e-15);
        }
    }
    b[2] = b[3] = 0;
    assert_code(hs_cosine_matrix(A, B, C), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "row 1 of the second"));
    b[3] = INFINITY;
    assert_code(hs_cosine_matrix(A, B, C), HS_EDEGENERATE);
    B.cols = 1;
    assert_code(hs_cosine_matrix(A, B, C), HS_ESHAPE);
}

/* Spans with known angles: e_i against cos θ_i e_i + sin θ_i e_{k+i}, mixed by random bases. */
static void test_planted_angles(void **state)
{
    (void)state;
    enum { K = 5, D = 40 };
    static const double want[K] = {0, 1e-9, .01, .8, M_PI / 2};
    double A[K * D], B[K * D] = {0}, MA[K * K], mixed[K * D] = {0}, theta[K];
    memset(A, 0, sizeof A);
    for (size_t i = 0; i < K; i++) {
        A[i * D + i] = 1;
        B[i * D + i] = cos(want[i]);
        B[i * D + K + i] = sin(want[i]);
    }
    for (size_t i = 0; i < K * K; i++) {
        MA[i] = hs_rng_uniform((hs_rng){3, HS_RNG_TEST, 1}, i) + (double)(i % (K + 1) == 0);
    }
    for (size_t i = 0; i < K; i++) {
        for (size_t l = 0; l < K; l++) {
            for (size_t j = 0; j < D; j++) {
                mixed[i * D + j] += MA[i * K + l] * B[l * D + j];
            }
        }
    }
    assert_ok(hs_principal_angles(D, K, A, K, mixed, theta));
    for (size_t i = 0; i < K; i++) {
        assert_near(theta[i], want[i], 1e-14 + 1e-14 * want[i]);
    }
    assert_near(hs_grassmann(K, theta), sqrt(1e-18 + 1e-4 + .64 + M_PI * M_PI / 4), 1e-13);
    assert_ok(hs_principal_angles(D, 2, A, K, mixed, theta)); /* the first two of A lie almost within B */
    assert_near(theta[0], 0, 1e-14);
    assert_near(theta[1], 1e-9, 1e-14);
    assert_ok(hs_principal_angles(D, K, mixed, 2, A, theta));
    assert_near(theta[1], 1e-9, 1e-14);
}

static void test_angle_errors(void **state)
{
    (void)state;
    double A[6] = {1, 0, 0, 0, 1, 0}, B[6] = {1, 1, 0, 2, 2, 0}, theta[2];
    assert_code(hs_principal_angles(3, 2, A, 2, B, theta), HS_EDEGENERATE);
    assert_code(hs_principal_angles(3, 0, A, 2, B, theta), HS_ERANGE);
    assert_code(hs_principal_angles(1, 1, A, 2, B, theta), HS_ERANGE);
    B[0] = NAN;
    assert_code(hs_principal_angles(3, 2, A, 2, B, theta), HS_EDEGENERATE);
}

/* The first ten components of each step, in double. */
static double *components(const float *h, size_t d, size_t step)
{
    float *x;
    double *C, *V, w[10];
    assert_ok(hs_alloc(2000 * d, sizeof *x, &x));
    assert_ok(hs_alloc(d * d, sizeof *C, &C));
    assert_ok(hs_alloc(10 * d, sizeof *V, &V));
    for (size_t i = 0; i < 2000; i++) {
        memcpy(x + i * d, h + (3 * i + step) * d, d * sizeof *x);
    }
    hs_mat A = hs_mat_of(x, 2000, d);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_centring c;
    assert_ok(hs_centring_new(&rows, NULL, &c));
    assert_ok(hs_covariance(&c, NULL, C));
    assert_ok(hs_sym_eig(d, C, 10, w, V));
    hs_centring_free(&c);
    free(x), free(C);
    return V;
}

static void real(const char *file, const char *name, double tol)
{
    size_t dim[5];
    float *h = shared_floats(file, 5, dim);
    size_t d = dim[2] * dim[3] * dim[4];
    double *V[3], theta[10];
    char path[128];
    for (size_t k = 0; k < 3; k++) {
        V[k] = components(h, d, k);
    }
    for (size_t k = 0; k < 3; k++) {
        for (size_t l = k + 1; l < 3; l++) {
            assert_ok(hs_principal_angles(d, 10, V[k], 10, V[l], theta));
            for (size_t i = 0; i < 10; i++) {
                snprintf(path, sizeof path, "%s/principal_angles_top10/%zu-%zu/radians/%zu", name, k, l, i);
                assert_near(theta[i] / shared_number("golden-stats/pca.json", path), 1, tol);
            }
            snprintf(path, sizeof path, "%s/principal_angles_top10/%zu-%zu/grassmann", name, k, l);
            assert_near(hs_grassmann(10, theta) / shared_number("golden-stats/pca.json", path), 1, tol);
        }
    }
    free(V[0]), free(V[1]), free(V[2]), free(h);
}

static void test_real_angles(void **state)
{
    (void)state;
    need_shared("golden-stats/pca.json");
    real("h-mnist/h_charles.npy", "charles", 1e-6);
    real("h-mnist/h_pulfer.npy", "pulfer", 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cosine),         cmocka_unit_test(test_cosine_matrix),
        cmocka_unit_test(test_planted_angles), cmocka_unit_test(test_angle_errors),
        cmocka_unit_test(test_real_angles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
