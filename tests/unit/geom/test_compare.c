/* Procrustes, CCA and RSA: planted answers, invariances, the reference values of real activations. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cca.h"
#include "core/geom/procrustes.h"
#include "core/geom/rsa.h"
#include "core/linalg/factor.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static const char golden[] = "golden-stats/compare.json";

static float *noise(size_t n, uint64_t index)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){13, HS_RNG_TEST, index}, 0, n, x);
    return x;
}

/* X M, M (d, d): a rotation, or any invertible matrix. */
static float *mapped(const float *x, size_t n, size_t d, int rotation)
{
    float *g = noise(d * d, 99), *y = noise(n * d, 98);
    double *q;
    assert_ok(hs_alloc(d * d, sizeof *q, &q));
    for (size_t i = 0; i < d * d; i++) {
        q[i] = (double)g[i] + (i % (d + 1) == 0 ? 3 : 0);
    }
    if (rotation) {
        assert_ok(hs_qr_thin(d, d, q, q, NULL));
    }
    for (size_t i = 0; i < n * d; i++) {
        double s = 7;
        for (size_t l = 0; l < d; l++) {
            s += (double)x[i / d * d + l] * q[l * d + i % d];
        }
        y[i] = (float)s;
    }
    free(g), free(q);
    return y;
}

/* ---- Procrustes -------------------------------------------------------------------------------------- */

static void test_procrustes(void **state)
{
    (void)state;
    /* X = e1, e2 with weights 2 and 1 (centred already); Y the same directions with the weights swapped:
     * XᵀY/(|X||Y|) = diag(4, 4)/(2·5) */
    float x[8] = {2, 0, -2, 0, 0, 1, 0, -1}, y[8] = {1, 0, -1, 0, 0, 2, 0, -2};
    hs_procrustes r;
    assert_ok(hs_procrustes_compare(hs_mat_of(x, 4, 2), hs_mat_of(y, 4, 2), &r));
    assert_near(r.similarity, .8, 1e-15);
    assert_near(r.squared_distance, .4, 1e-15);
    assert_near(r.angle, acos(.8), 1e-15);
    assert_near(r.disparity, .36, 1e-15);
    for (size_t d = 5; d <= 60; d *= 12) { /* narrower and wider than n */
        float *a = noise(20 * d, 1), *b = mapped(a, 20, d, 1);
        assert_ok(hs_procrustes_compare(hs_mat_of(a, 20, d), hs_mat_of(b, 20, d), &r));
        assert_near(r.similarity, 1, 1e-6);
        assert_near(r.squared_distance, 0, 1e-6);
        free(a), free(b);
    }
}

static void test_procrustes_errors(void **state)
{
    (void)state;
    float x[8] = {2, 0, -2, 0, 0, 1, 0, -1}, same[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    hs_procrustes r;
    assert_code(hs_procrustes_compare(hs_mat_of(x, 4, 2), hs_mat_of(x, 2, 2), &r), HS_ESHAPE);
    assert_code(hs_procrustes_compare(hs_mat_of(x, 4, 2), hs_mat_of(same, 4, 2), &r), HS_EDEGENERATE);
    assert_code(hs_procrustes_compare(hs_mat_of(x, 1, 2), hs_mat_of(x, 1, 2), &r), HS_EDEGENERATE);
    x[3] = NAN;
    assert_code(hs_procrustes_compare(hs_mat_of(x, 4, 2), hs_mat_of(x, 4, 2), &r), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "row 1, feature 1"));
}

/* ---- CCA ------------------------------------------------------------------------------------------------ */

static void test_cca_against_one_feature_each(void **state)
{
    (void)state;
    enum { N = 50 };
    float *x = noise(N, 1), *y = noise(N, 2);
    double mx = 0, my = 0, sxy = 0, sxx = 0, syy = 0;
    for (size_t i = 0; i < N; i++) {
        y[i] += x[i];
        mx += (double)x[i] / N, my += (double)y[i] / N;
    }
    for (size_t i = 0; i < N; i++) {
        double a = (double)x[i] - mx, b = (double)y[i] - my;
        sxy += a * b, sxx += a * a, syy += b * b;
    }
    hs_cca r;
    assert_ok(hs_cca_compare(hs_mat_of(x, N, 1), hs_mat_of(y, N, 1), 1, &r));
    assert_int_equal(r.count, 1);
    assert_near(r.correlation[0], fabs(sxy) / sqrt(sxx * syy), 1e-13); /* Pearson's */
    assert_near(r.mean, r.correlation[0], 0);
    assert_near(r.pwcca_x, r.correlation[0], 1e-15);
    hs_cca_free(&r);
    free(x), free(y);
}

static void test_cca_sees_no_invertible_map(void **state)
{
    (void)state;
    enum { N = 60, D = 6 };
    float *x = noise(N * D, 3), *y = noise(N * D, 4), *z = mapped(x, N, D, 0);
    hs_cca a, b, c;
    for (size_t i = 0; i < N * D; i++) {
        y[i] += x[i];
    }
    assert_ok(hs_cca_compare(hs_mat_of(x, N, D), hs_mat_of(y, N, D), 1, &a));
    assert_ok(hs_cca_compare(hs_mat_of(z, N, D), hs_mat_of(y, N, D), 1, &b));
    assert_ok(hs_cca_compare(hs_mat_of(x, N, D), hs_mat_of(z, N, D), 1, &c));
    for (size_t i = 0; i < D; i++) {
        assert_near(a.correlation[i], b.correlation[i], 1e-5); /* float32 rounding, times the condition */
        assert_near(c.correlation[i], 1, 1e-6);
    }
    hs_cca_free(&a), hs_cca_free(&b), hs_cca_free(&c);
    for (size_t i = 0; i < N; i++) { /* a duplicated feature adds no dimension */
        x[i * D + 2] = x[i * D + 5];
    }
    assert_ok(hs_cca_compare(hs_mat_of(x, N, D), hs_mat_of(y, N, D), 1, &a));
    assert_int_equal(a.rank_x, D - 1);
    assert_int_equal(a.count, D - 1);
    hs_cca_free(&a);
    free(x), free(y), free(z);
}

static void test_cca_errors(void **state)
{
    (void)state;
    float *x = noise(12 * 6, 5), *y = noise(12 * 6, 6);
    hs_cca r = {.count = 77};
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 6), hs_mat_of(y, 12, 6), 1, &r), HS_EDEGENERATE); /* n = p + q */
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 6), hs_mat_of(y, 11, 6), 1, &r), HS_ESHAPE);
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 2), hs_mat_of(y, 12, 2), 0, &r), HS_ERANGE);
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 2), hs_mat_of(y, 12, 2), NAN, &r), HS_ERANGE);
    y[3] = INFINITY;
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 2), hs_mat_of(y, 12, 2), 1, &r), HS_EDEGENERATE);
    memset(y, 0, 24 * sizeof *y);
    assert_code(hs_cca_compare(hs_mat_of(x, 12, 2), hs_mat_of(y, 12, 2), 1, &r), HS_EDEGENERATE);
    assert_int_equal(r.count, 77);
    hs_cca_free(NULL);
    free(x), free(y);
}

/* ---- RSA --------------------------------------------------------------------------------------------------- */

static void test_rsa_distances(void **state)
{
    (void)state;
    float x[12] = {0, 0, 0, 1, 3, 4, 0, 1, 0, 0, 1, 2};
    double D[6];
    assert_ok(hs_rsa_distances(hs_mat_of(x, 4, 3), HS_RSA_SQEUCLIDEAN, D)); /* rows 000, 134, 010, 012 */
    const double want[6] = {26, 1, 5, 21, 9, 4};
    assert_memory_equal(D, want, sizeof D);
    assert_code(hs_rsa_distances(hs_mat_of(x, 4, 3), HS_RSA_CORRELATION, D), HS_EDEGENERATE); /* row 0 is constant */
    assert_ok(hs_rsa_distances(hs_mat_of(x + 3, 3, 3), HS_RSA_CORRELATION, D));
    assert_near(D[1], 1 - 9 / sqrt(14 * 6), 1e-14); /* 134 and 012: nΣab - ΣaΣb = 9, nΣa² - (Σa)² = 14, 6 */
}

static void test_rsa(void **state)
{
    (void)state;
    enum { N = 30, D = 9 };
    float *x = noise(N * D, 7), *y = mapped(x, N, D, 1), *z = noise(N * D, 8);
    double rho;
    assert_ok(hs_rsa_compare(hs_mat_of(x, N, D), hs_mat_of(y, N, D), HS_RSA_SQEUCLIDEAN, &rho));
    assert_near(rho, 1, 1e-6);
    assert_ok(hs_rsa_compare(hs_mat_of(x, N, D), hs_mat_of(z, N, D), HS_RSA_CORRELATION, &rho));
    assert_near(rho, 0, .2); /* 435 pairs: 4 standard errors */
    /* three images, distances 1 4 9 against 9 1 4: ranks 1 2 3 against 3 1 2, rho = -1/2; ties: 1 4 1 */
    float a[3] = {0, 1, -2}, b[3] = {0, 3, 1}, c[3] = {0, 1, 2};
    assert_ok(hs_rsa_compare(hs_mat_of(a, 3, 1), hs_mat_of(b, 3, 1), HS_RSA_SQEUCLIDEAN, &rho));
    assert_near(rho, -.5, 1e-15);
    assert_ok(hs_rsa_compare(hs_mat_of(a, 3, 1), hs_mat_of(c, 3, 1), HS_RSA_SQEUCLIDEAN, &rho));
    assert_near(rho, 0, 1e-15); /* ranks 1 2 3 against 1.5 3 1.5 */
    assert_code(hs_rsa_compare(hs_mat_of(a, 3, 1), hs_mat_of(c, 2, 1), HS_RSA_SQEUCLIDEAN, &rho), HS_ESHAPE);
    assert_code(hs_rsa_compare(hs_mat_of(a, 2, 1), hs_mat_of(c, 2, 1), HS_RSA_SQEUCLIDEAN, &rho), HS_EDEGENERATE);
    assert_code(hs_rsa_distances(hs_mat_of(a, 1, 1), HS_RSA_SQEUCLIDEAN, &rho), HS_EDEGENERATE);
    c[0] = c[1] = c[2] = 5;
    assert_code(hs_rsa_compare(hs_mat_of(a, 3, 1), hs_mat_of(c, 3, 1), HS_RSA_SQEUCLIDEAN, &rho), HS_EDEGENERATE);
    c[1] = NAN;
    assert_code(hs_rsa_compare(hs_mat_of(a, 3, 1), hs_mat_of(c, 3, 1), HS_RSA_SQEUCLIDEAN, &rho), HS_EDEGENERATE);
    free(x), free(y), free(z);
}

static void test_threads_do_not_change_bits(void **state)
{
    (void)state;
    float *x = noise(150 * 200, 1), *y = noise(150 * 200, 2);
    hs_mat A = hs_mat_of(x, 150, 200), B = hs_mat_of(y, 150, 200), a = hs_mat_of(x, 600, 50), b = hs_mat_of(y, 600, 50);
    hs_procrustes p[2];
    hs_cca c[2];
    double rho[2];
    int before = omp_get_max_threads();
    for (int t = 0; t < 2; t++) {
        omp_set_num_threads(1 + 2 * t);
        assert_ok(hs_procrustes_compare(A, B, &p[t]));
        assert_ok(hs_cca_compare(a, b, 1, &c[t]));
        assert_ok(hs_rsa_compare(A, B, HS_RSA_CORRELATION, &rho[t]));
    }
    omp_set_num_threads(before);
    assert_memory_equal(&p[0], &p[1], sizeof p[0]);
    assert_memory_equal(c[0].correlation, c[1].correlation, 50 * sizeof(double));
    assert_true(c[0].pwcca_x == c[1].pwcca_x && rho[0] == rho[1]);
    hs_cca_free(&c[0]), hs_cca_free(&c[1]);
    free(x), free(y);
}

/* ---- Real activations ---------------------------------------------------------------------------------------- */

static void check_at(double seen, const char *where, const char *what)
{
    char path[96];
    snprintf(path, sizeof path, "%s%s", where, what);
    assert_near(seen / shared_number(golden, path), 1, 1e-6);
}

static float *step(const float *h, size_t d, size_t k)
{
    float *x;
    assert_ok(hs_alloc(500 * d, sizeof *x, &x));
    for (size_t i = 0; i < 500; i++) {
        memcpy(x + i * d, h + (3 * i + k) * d, d * sizeof *x);
    }
    return x;
}

static void test_real_tables(void **state)
{
    (void)state;
    need_shared(golden);
    size_t dim[5];
    char path[64];
    float *p = shared_floats("h-mnist/h_pulfer.npy", 5, dim), *c = shared_floats("h-mnist/h_charles.npy", 5, dim);
    for (size_t k = 0; k < 3; k++) {
        float *x = step(p, 360, k);
        for (size_t l = 0; l < 3; l++) {
            float *y = step(c, 720, l);
            hs_procrustes r;
            double rho;
            assert_ok(hs_procrustes_compare(hs_mat_of(x, 500, 360), hs_mat_of(y, 500, 720), &r));
            snprintf(path, sizeof path, "procrustes_similarity/%zu/%zu", k, l);
            check_at(r.similarity, "", path);
            assert_ok(hs_rsa_compare(hs_mat_of(x, 200, 360), hs_mat_of(y, 200, 720), HS_RSA_CORRELATION, &rho));
            snprintf(path, sizeof path, "rsa_first200/spearman_correlation/%zu/%zu", k, l);
            check_at(rho, "", path);
            assert_ok(hs_rsa_compare(hs_mat_of(x, 200, 360), hs_mat_of(y, 200, 720), HS_RSA_SQEUCLIDEAN, &rho));
            snprintf(path, sizeof path, "rsa_first200/spearman_sqeuclidean/%zu/%zu", k, l);
            check_at(rho, "", path);
            free(y);
        }
        free(x);
    }
    free(p), free(c);
}

static void compare_pair(hs_mat X, hs_mat Y, const char *where)
{
    hs_procrustes p;
    hs_cca all, most;
    double rho;
    char path[32];
    assert_ok(hs_procrustes_compare(X, Y, &p));
    check_at(p.similarity, where, "procrustes/similarity");
    check_at(p.squared_distance, where, "procrustes/squared_distance");
    check_at(p.angle, where, "procrustes/angle");
    check_at(p.disparity, where, "procrustes/disparity_scaled");
    assert_ok(hs_cca_compare(X, Y, 1, &all));
    assert_ok(hs_cca_compare(X, Y, .99, &most));
    check_at((double)all.rank_x, where, "cca_rank/0");
    check_at((double)all.rank_y, where, "cca_rank/1");
    check_at(all.mean, where, "cca_mean");
    check_at(all.pwcca_x, where, "pwcca_model0_weights");
    check_at(all.pwcca_y, where, "pwcca_model1_weights");
    check_at((double)most.rank_x, where, "svcca99_rank/0");
    check_at((double)most.rank_y, where, "svcca99_rank/1");
    check_at(most.mean, where, "svcca99_mean");
    for (size_t i = 0; i < 10; i++) {
        snprintf(path, sizeof path, "cca_first10/%zu", i);
        check_at(all.correlation[i], where, path);
        snprintf(path, sizeof path, "svcca99_first10/%zu", i);
        if (i < most.count) {
            check_at(most.correlation[i], where, path);
        }
    }
    X.rows = Y.rows = 200;
    assert_ok(hs_rsa_compare(X, Y, HS_RSA_CORRELATION, &rho));
    check_at(rho, where, "rsa_first200/spearman_correlation");
    assert_ok(hs_rsa_compare(X, Y, HS_RSA_SQEUCLIDEAN, &rho));
    check_at(rho, where, "rsa_first200/spearman_sqeuclidean");
    hs_cca_free(&all), hs_cca_free(&most);
}

static void test_two_trainings_of_one_network(void **state)
{
    (void)state;
    need_shared("svcca/MNIST_model_0_lay04.npy");
    size_t dim[2];
    float *a = shared_floats("svcca/MNIST_model_0_lay04.npy", 2, dim);
    float *b = shared_floats("svcca/MNIST_model_1_lay04.npy", 2, dim);
    compare_pair(hs_mat_of(a, 2000, 10), hs_mat_of(b, 2000, 10), "svcca/MNIST_first2000/");
    /* all 10000, as printed with the data */
    static const double rho[10] = {0.9462459238, 0.9202472861, 0.9054237994, 0.8832599021, 0.8473499352,
                                   0.7771479499, 0.7365304752, 0.5741157156, 0.3766539769, 0.0902881724};
    hs_cca r;
    hs_procrustes p;
    assert_ok(hs_cca_compare(hs_mat_of(a, 10000, 10), hs_mat_of(b, 10000, 10), 1, &r));
    for (size_t i = 0; i < 10; i++) {
        assert_near(r.correlation[i], rho[i], 1e-10);
    }
    assert_near(r.mean, 0.705726313660, 1e-12);
    assert_ok(hs_procrustes_compare(hs_mat_of(a, 10000, 10), hs_mat_of(b, 10000, 10), &p));
    assert_near(p.similarity, 0.707687154299, 1e-12);
    hs_cca_free(&r);
    free(a), free(b);
    a = shared_floats("svcca/SVHN_model_0_lay06.npy", 2, dim);
    b = shared_floats("svcca/SVHN_model_1_lay06.npy", 2, dim);
    compare_pair(hs_mat_of(a, 1000, 200), hs_mat_of(b, 1000, 200), "svcca/SVHN/");
    free(a), free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_procrustes),
        cmocka_unit_test(test_procrustes_errors),
        cmocka_unit_test(test_cca_against_one_feature_each),
        cmocka_unit_test(test_cca_sees_no_invertible_map),
        cmocka_unit_test(test_cca_errors),
        cmocka_unit_test(test_rsa_distances),
        cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_threads_do_not_change_bits),
        cmocka_unit_test(test_real_tables),
        cmocka_unit_test(test_two_trainings_of_one_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
