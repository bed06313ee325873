/* Coordinates and alignments: planted rotations, the two routes against each other, the reference values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/align.h"
#include "core/geom/cca.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static float *noise(size_t n, uint64_t index)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){17, HS_RNG_TEST, index}, 0, n, x);
    return x;
}

/* x (n, d) in another basis, moved: y (n, e), e >= d, rows turned by orthonormal columns. */
static float *turned(const float *x, size_t n, size_t d, size_t e)
{
    float *g = noise(e * d, 99), *y;
    double *q;
    assert_ok(hs_alloc(n * e, sizeof *y, &y));
    assert_ok(hs_alloc(e * d, sizeof *q, &q));
    for (size_t i = 0; i < e * d; i++) {
        q[i] = (double)g[i];
    }
    assert_ok(hs_qr_thin(e, d, q, q, NULL));
    for (size_t i = 0; i < n * e; i++) {
        double s = 3;
        for (size_t l = 0; l < d; l++) {
            s += (double)x[i / e * d + l] * q[i % e * d + l];
        }
        y[i] = (float)s;
    }
    free(g), free(q);
    return y;
}

static unsigned char *halves(size_t n, size_t groups)
{
    unsigned char *fit;
    assert_ok(hs_alloc(n, 1, &fit));
    for (size_t i = 0; i < n; i++) {
        fit[i] = i / groups % 2 == 0;
    }
    return fit;
}

/* *rows <- those that are not fitted. */
static size_t held_out(size_t n, const unsigned char *fit, size_t **rows)
{
    size_t count = 0;
    assert_ok(hs_alloc(n, sizeof **rows, rows));
    for (size_t i = 0; i < n; i++) {
        if (!fit[i]) {
            (*rows)[count++] = i;
        }
    }
    return count;
}

static double *gram(const float *x, size_t n, size_t d)
{
    double *K, *copy;
    assert_ok(hs_alloc(n * n, sizeof *K, &K));
    assert_ok(hs_alloc(n * d, sizeof *copy, &copy));
    for (size_t i = 0; i < n * d; i++) {
        copy[i] = (double)x[i];
    }
    assert_ok(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, n, n, d, 1, copy, d, copy, d, 0, K, n));
    free(copy);
    return K;
}

static void test_the_two_routes_agree(void **state)
{
    (void)state;
    enum { N = 40, D = 12 };
    float *x = noise(N * D, 1);
    unsigned char *fit = halves(N, 1);
    double *K = gram(x, N, D);
    hs_coords a, b;
    assert_ok(hs_coords_of_gram(N, 1, K, fit, 0, &a));
    assert_ok(hs_coords_of_rows(hs_mat_of(x, N, D), fit, 0, &b));
    assert_int_equal(a.r, D);
    assert_int_equal(b.r, D);
    assert_int_equal(a.m, N / 2);
    for (size_t j = 0; j < D; j++) {
        assert_near(a.sigma[j], b.sigma[j], 1e-12 * b.sigma[0]);
        double same = 0;
        for (size_t i = 0; i < N; i++) {
            same += a.z[i * D + j] * b.z[i * D + j];
        }
        for (size_t i = 0; i < N; i++) { /* an axis has no sign */
            assert_near(a.z[i * D + j] * (same > 0 ? 1 : -1), b.z[i * D + j], 1e-11);
            assert_near(a.norm[i], b.norm[i], 1e-12);
        }
    }
    for (size_t i = 0; i < N; i++) { /* D axes span everything */
        assert_near(hs_nrm2_f64(D, b.z + i * D), b.norm[i], 1e-12);
    }
    hs_coords_free(&a), hs_coords_free(&b);
    free(x), free(fit), free(K);
}

/* Rows (image, step), each step moved by its own mean: groups take the moves away. */
static void test_groups(void **state)
{
    (void)state;
    enum { N = 60, D = 9, G = 3 };
    float *x = noise(N * D, 2), *y = noise(N * D, 3);
    unsigned char *fit = halves(N, G);
    for (size_t i = 0; i < N * D; i++) {
        y[i] = x[i] + (float)(5 * (i / D % G + 1) * (i % D));
    }
    double *K = gram(x, N, D), *L = gram(y, N, D);
    hs_coords a, b;
    assert_ok(hs_coords_of_gram(N, G, K, fit, 0, &a));
    assert_ok(hs_coords_of_gram(N, G, L, fit, 0, &b));
    assert_int_equal(a.r, D);
    for (size_t i = 0; i < N; i++) {
        assert_near(a.norm[i], b.norm[i], 1e-4); /* float32 of y */
    }
    for (size_t j = 0; j < D; j++) {
        assert_near(a.sigma[j], b.sigma[j], 1e-4);
    }
    hs_coords_free(&a), hs_coords_free(&b);
    free(x), free(y), free(fit), free(K), free(L);
}

static void test_a_rotation_is_found(void **state)
{
    (void)state;
    enum { N = 80, D = 10, E = 30 };
    float *x = noise(N * D, 4), *y = turned(x, N, D, E);
    unsigned char *fit = halves(N, 1);
    size_t *row, count = held_out(N, fit, &row);
    hs_coords a, b;
    hs_align f;
    double cosine[N], back[N], curve[2 * D], matrix, r[D], B[D * D];
    assert_ok(hs_coords_of_rows(hs_mat_of(x, N, D), fit, 0, &a));
    assert_ok(hs_coords_of_rows(hs_mat_of(y, N, E), fit, D, &b));
    assert_ok(hs_align_fit(&a, &b, 0, NULL, &f));
    assert_int_equal(f.rank, D);
    assert_ok(hs_align_cosines(&f, &a, &b, D, count, row, cosine, back));
    assert_ok(hs_align_curve(&f, &a, &b, count, row, curve));
    assert_ok(hs_align_matrix_cosine(&f, &a, &b, D, count, row, &matrix));
    for (size_t i = 0; i < count; i++) {
        assert_near(cosine[i], 1, 1e-9);
        assert_near(back[i], 1, 1e-9);
    }
    assert_near(curve[D - 1], 1, 1e-9);
    assert_near(matrix, 1, 1e-9);
    assert_near(hs_coords_kept(&b, count, row, NULL), 1, 1e-9);
    for (size_t j = 0; j + 1 < D; j++) {
        assert_near(curve[j], curve[D + j], 1e-7);
        assert_true(curve[j] < curve[j + 1]); /* each axis more of the same space brings something */
    }
    assert_ok(hs_ridge_fit(&a, &b, 1e-9, B));
    assert_ok(hs_ridge_cosines(&a, &b, B, count, row, cosine));
    assert_near(cosine[3], 1, 1e-9);
    hs_align_free(&f);
    assert_ok(hs_align_fit(&a, &b, 1, NULL, &f));
    assert_ok(hs_align_correlations(&f, &a, &b, count, row, r));
    for (size_t j = 0; j < D; j++) {
        assert_near(f.s[j], 1, 1e-6);
        assert_near(r[j], 1, 1e-6);
    }
    hs_align_free(&f), hs_coords_free(&a), hs_coords_free(&b);
    free(x), free(y), free(fit), free(row);
}

static void test_vectors_go_through(void **state)
{
    (void)state;
    enum { N = 60, D = 8, E = 20 };
    float *x = noise(N * D, 5), *v = noise(D, 6), *y, *u, both[(N + 1) * D];
    memcpy(both, x, N * D * sizeof *x);
    memcpy(both + N * D, v, D * sizeof *v);
    y = turned(both, N + 1, D, E); /* the same turn for the vector, which gains the move of 3 */
    u = y + N * E;
    unsigned char *fit = halves(N, 1);
    double *K = gram(x, N, D), *L = gram(y, N, E), q[N], p[N], cx[D], cy[D], to[D], w[N], sum = 0;
    hs_coords a, b;
    hs_align f;
    assert_ok(hs_coords_of_gram(N, 1, K, fit, 0, &a));
    assert_ok(hs_coords_of_gram(N, 1, L, fit, D, &b));
    for (size_t i = 0; i < N; i++) {
        q[i] = p[i] = 0;
        for (size_t j = 0; j < D; j++) {
            q[i] += (double)x[i * D + j] * (double)v[j];
        }
        for (size_t j = 0; j < E; j++) {
            p[i] += (double)y[i * E + j] * ((double)u[j] - 3);
        }
    }
    hs_coords_of_products(&a, q, cx);
    hs_coords_of_products(&b, p, cy);
    assert_near(hs_nrm2_f64(D, cx), hs_nrm2_f32(D, v), 1e-6); /* all of it lies in the axes */
    assert_ok(hs_align_fit(&a, &b, 0, NULL, &f));
    hs_align_map(&f, D, cx, to);
    for (size_t j = 0; j < D; j++) {
        assert_near(to[j], cy[j], 1e-5);
    }
    hs_align_map_back(&f, D, cy, to);
    for (size_t j = 0; j < D; j++) {
        assert_near(to[j], cx[j], 1e-5);
    }
    hs_coords_weights(&a, cx, w);
    for (size_t l = 0; l < D; l++) {
        double at = 0;
        for (size_t i = 0; i < N; i++) {
            at += w[i] * (double)x[i * D + l];
        }
        assert_near(at, (double)v[l], 1e-9);
    }
    for (size_t i = 0; i < N; i++) {
        assert_true(fit[i] || w[i] == 0);
        sum += w[i];
    }
    assert_near(sum, 0, 1e-12);
    hs_align_free(&f), hs_coords_free(&a), hs_coords_free(&b);
    free(x), free(v), free(y), free(fit), free(K), free(L);
}

static void test_cca_is_that_of_all_rows(void **state)
{
    (void)state;
    enum { N = 50, D = 4, E = 6 };
    float *x = noise(N * D, 7), *y = noise(N * E, 8);
    unsigned char fit[N];
    memset(fit, 1, N);
    for (size_t i = 0; i < N * D; i++) {
        y[i / D * E + i % D] += x[i];
    }
    hs_coords a, b;
    hs_align f;
    hs_cca want;
    double weight[D], top = 0, sum = 0;
    assert_ok(hs_coords_of_rows(hs_mat_of(x, N, D), fit, 0, &a));
    assert_ok(hs_coords_of_rows(hs_mat_of(y, N, E), fit, 0, &b));
    assert_ok(hs_align_fit(&a, &b, 1, NULL, &f));
    assert_ok(hs_cca_compare(hs_mat_of(x, N, D), hs_mat_of(y, N, E), 1, &want));
    hs_align_weights(&f, &a, weight);
    for (size_t j = 0; j < D; j++) {
        assert_near(f.s[j], want.correlation[j], 1e-12);
        assert_true(weight[j] > 0);
        top += weight[j] * f.s[j];
        sum += weight[j];
    }
    assert_true(top / sum > f.s[D - 1] && top / sum < f.s[0]);
    hs_cca_free(&want), hs_align_free(&f), hs_coords_free(&a), hs_coords_free(&b);
    free(x), free(y);
}

static void test_errors(void **state)
{
    (void)state;
    enum { N = 12, D = 6 };
    float *x = noise(N * D, 9);
    unsigned char *fit = halves(N, 1), other[N] = {1, 1, 1};
    double *K = gram(x, N, D), flat[N * N];
    hs_coords a, b;
    hs_align f = {.rank = 77};
    memset(flat, 0, sizeof flat);
    assert_code(hs_coords_of_gram(N, 1, flat, fit, 0, &a), HS_EDEGENERATE);
    assert_code(hs_coords_of_gram(N, 6, K, other, 0, &a), HS_EDEGENERATE);
    assert_ok(hs_coords_of_gram(N, 1, K, fit, 0, &a));
    assert_ok(hs_coords_of_gram(N, 1, K, other, 0, &b));
    assert_code(hs_align_fit(&a, &b, 0, NULL, &f), HS_ESHAPE);
    assert_code(hs_align_fit(&a, &a, 1, NULL, &f), HS_EDEGENERATE); /* 6 rows in 5 + 5 dimensions */
    assert_non_null(strstr(hs_error_message(), "CCA of 6 images"));
    assert_int_equal(f.rank, 77);
    memset(x, 0, D * sizeof *x);
    for (size_t i = 1; i < N; i++) {
        memcpy(x + i * D, x, D * sizeof *x);
    }
    hs_coords_free(&b);
    assert_code(hs_coords_of_rows(hs_mat_of(x, N, D), fit, 0, &b), HS_EDEGENERATE);
    hs_coords_free(&a), hs_align_free(NULL), hs_coords_free(NULL);
    free(x), free(fit), free(K);
}

/* Pulfer's step k as x, charles' step l as y, rows [from, to) of y moved on by one, cyclically. */
static void golden_one(const float *x, const float *y, size_t k, size_t l, size_t from, size_t to, const char *null)
{
    enum { N = 2000, D = 360, E = 720, HALF = 1000 };
    float *X, *Y;
    unsigned char fit[N];
    size_t row[HALF];
    char path[80];
    hs_coords a, b;
    hs_align f;
    double cosine[HALF], mean = 0, matrix;
    assert_ok(hs_alloc(N * D, sizeof *X, &X));
    assert_ok(hs_alloc(N * E, sizeof *Y, &Y));
    for (size_t i = 0; i < N; i++) {
        size_t j = i < from || i >= to ? i : i + 1 == to ? from : i + 1;
        memcpy(X + i * D, x + (i * 3 + k) * D, D * sizeof *X);
        memcpy(Y + i * E, y + (j * 3 + l) * E, E * sizeof *Y);
        fit[i] = i < HALF;
        row[i % HALF] = HALF + i % HALF;
    }
    assert_ok(hs_coords_of_rows(hs_mat_of(X, N, D), fit, 0, &a));
    assert_ok(hs_coords_of_rows(hs_mat_of(Y, N, E), fit, 0, &b));
    assert_ok(hs_align_fit(&a, &b, 0, NULL, &f));
    assert_ok(hs_align_cosines(&f, &a, &b, f.rank, HALF, row, cosine, NULL));
    assert_ok(hs_align_matrix_cosine(&f, &a, &b, f.rank, HALF, row, &matrix));
    for (size_t i = 0; i < HALF; i++) {
        mean += cosine[i] / HALF;
    }
    snprintf(path, sizeof path, "table/%zu/%zu/%s%smean_row_cosine", k, l, null, null[0] != '\0' ? "/" : "");
    assert_near(mean, shared_number("golden-stats/align.json", path), 1e-6);
    snprintf(path, sizeof path, "table/%zu/%zu/%s%smatrix_cosine", k, l, null, null[0] != '\0' ? "/" : "");
    assert_near(matrix, shared_number("golden-stats/align.json", path), 1e-6);
    hs_align_free(&f), hs_coords_free(&a), hs_coords_free(&b);
    free(X), free(Y);
}

static void test_golden(void **state)
{
    (void)state;
    need_shared("golden-stats/align.json");
    need_shared("h-mnist/h_pulfer.npy");
    size_t dim[5];
    float *x = shared_floats("h-mnist/h_pulfer.npy", 5, dim), *y = shared_floats("h-mnist/h_charles.npy", 5, dim);
    golden_one(x, y, 0, 0, 0, 0, "");
    golden_one(x, y, 1, 2, 0, 0, "");
    golden_one(x, y, 2, 1, 1000, 2000, "null_test_rolled");
    golden_one(x, y, 0, 1, 0, 1000, "null_train_rolled");
    free(x), free(y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_two_routes_agree),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_a_rotation_is_found),
        cmocka_unit_test(test_vectors_go_through),
        cmocka_unit_test(test_cca_is_that_of_all_rows),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_golden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
