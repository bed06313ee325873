/* CKA: direct sums over all pairs as the oracle, leave-one-out by leaving out, reference values. */
#include "core/geom/cka.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cka_pairs.h"
#include "core/geom/gram.h"
#include "core/linalg/factor.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static float *noise(size_t n, uint64_t index)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){9, HS_RNG_TEST, index}, 0, n, x);
    return x;
}

static hs_cka cka_of(float *x, size_t dx, float *y, size_t dy, size_t n)
{
    hs_mat A = hs_mat_of(x, n, dx), B = hs_mat_of(y, n, dy);
    hs_rows X = hs_rows_of_mat(&A), Y = hs_rows_of_mat(&B);
    hs_cka r;
    assert_ok(hs_cka_linear(&X, &Y, NULL, &r));
    assert_int_equal(r.n, n);
    return r;
}

/* U by its definition, with the uncentred kernel, which it must not see; skip: an image left out (n: none). */
static double u_direct(const float *x, size_t dx, const float *y, size_t dy, size_t n, size_t skip)
{
    double trace = 0, sk = 0, sl = 0, kl = 0, m = skip < n ? (double)n - 1 : (double)n;
    for (size_t i = 0; i < n; i++) {
        double rk = 0, rl = 0;
        for (size_t j = 0; j < n; j++) {
            double k = 0, l = 0;
            for (size_t c = 0; c < dx; c++) {
                k += (double)x[i * dx + c] * (double)x[j * dx + c];
            }
            for (size_t c = 0; c < dy; c++) {
                l += (double)y[i * dy + c] * (double)y[j * dy + c];
            }
            if (i != j && i != skip && j != skip) {
                trace += k * l, rk += k, rl += l;
            }
        }
        sk += rk, sl += rl, kl += rk * rl;
    }
    return (trace + sk * sl / ((m - 1) * (m - 2)) - 2 / (m - 2) * kl) / (m * (m - 3));
}

static double debiased_direct(const float *x, size_t dx, const float *y, size_t dy, size_t n, size_t skip)
{
    return u_direct(x, dx, y, dy, n, skip) / sqrt(u_direct(x, dx, x, dx, n, skip) * u_direct(y, dy, y, dy, n, skip));
}

static void against_direct(size_t n, size_t dx, size_t dy)
{
    float *x = noise(n * dx, 1), *y = noise(n * dy, 2);
    double mean = 0, ss = 0, loo[64];
    for (size_t i = 0; i < n * dy; i++) {
        y[i] += x[i / dy * dx + i % dy % dx] + 3;
    }
    hs_cka r = cka_of(x, dx, y, dy, n);
    assert_near(r.debiased, debiased_direct(x, dx, y, dy, n, n), 1e-12);
    for (size_t i = 0; i < n; i++) {
        loo[i] = debiased_direct(x, dx, y, dy, n, i);
        mean += loo[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        ss += (loo[i] - mean) * (loo[i] - mean);
    }
    assert_near(r.jackknife_mean, mean, 1e-12);
    assert_near(r.jackknife_se, sqrt(ss * (double)(n - 1) / (double)n), 1e-12);
    free(x), free(y);
}

static void test_against_direct_sums(void **state)
{
    (void)state;
    against_direct(12, 30, 5); /* Gram matrices */
    against_direct(40, 6, 9);  /* products of features */
    against_direct(9, 9, 9);
    against_direct(10, 9, 9);
}

/* A panel of K and L at a time, in float32, against all of both in double. */
static void against_gram(size_t n, size_t dx, size_t dy, size_t bytes, int threads)
{
    float *x = noise(n * dx, 4), *y = noise(n * dy, 5);
    double *K, *L;
    hs_cka want, got;
    for (size_t i = 0; i < n * dy; i++) {
        y[i] = y[i] + x[i / dy * dx + i % dy % dx] + 3;
    }
    hs_mat A = hs_mat_of(x, n, dx), B = hs_mat_of(y, n, dy);
    hs_rows X = hs_rows_of_mat(&A), Y = hs_rows_of_mat(&B);
    hs_centring cx, cy;
    assert_ok(hs_centring_new(&X, NULL, &cx));
    assert_ok(hs_centring_new(&Y, NULL, &cy));
    assert_ok(hs_alloc(n * n, sizeof *K, &K));
    assert_ok(hs_alloc(n * n, sizeof *L, &L));
    assert_ok(hs_gram(&cx, NULL, K));
    assert_ok(hs_gram(&cy, NULL, L));
    assert_ok(hs_cka_gram(n, K, L, &want));
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    assert_ok(hs_cka_tiled(&cx, &cy, bytes, NULL, &got));
    omp_set_num_threads(before);
    /* products rounded to 2^-24 of |x||y|, averaged over n^2 pairs */
    assert_near(got.debiased, want.debiased, 1e-6);
    assert_near(got.biased, want.biased, 1e-6);
    assert_near(got.hsic_xy / want.hsic_xy, 1, 1e-6);
    assert_near(got.hsic_xx / want.hsic_xx, 1, 1e-6);
    assert_near(got.hsic_yy / want.hsic_yy, 1, 1e-6);
    assert_near(got.jackknife_se / want.jackknife_se, 1, 1e-5);
    assert_near(got.jackknife_mean, want.jackknife_mean, 1e-6);
    hs_centring_free(&cx), hs_centring_free(&cy);
    free(x), free(y), free(K), free(L);
}

static void test_panels(void **state)
{
    (void)state;
    against_gram(1300, 300, 70, 1, 2);              /* three panels */
    against_gram(1300, 300, 70, 1 << 23, 3);        /* two */
    against_gram(1300, 40, 60, (size_t)1 << 30, 1); /* one */
    against_gram(40, 9000, 17000, 1, 2);            /* features in parts */
}

/* Threads change no bit; so many images in so many dimensions come to panels by themselves. */
static void test_panels_same_bits(void **state)
{
    (void)state;
    enum { N = 2100, D = 2200 };
    float *x = noise((size_t)N * D, 6), *y = noise((size_t)N * D, 7);
    hs_cka one, three, whole;
    hs_mat A = hs_mat_of(x, N, D), B = hs_mat_of(y, N, D);
    hs_rows X = hs_rows_of_mat(&A), Y = hs_rows_of_mat(&B);
    hs_centring cx, cy;
    int before = omp_get_max_threads();
    assert_ok(hs_centring_new(&X, NULL, &cx));
    assert_ok(hs_centring_new(&Y, NULL, &cy));
    assert_ok(hs_cka_tiled(&cx, &cy, (size_t)640 << 20, NULL, &whole));
    omp_set_num_threads(1);
    assert_ok(hs_cka_linear(&X, &Y, NULL, &one));
    omp_set_num_threads(3);
    assert_ok(hs_cka_linear(&X, &Y, NULL, &three));
    omp_set_num_threads(before);
    assert_memory_equal(&one, &three, sizeof one);
    assert_memory_equal(&one, &whole, sizeof one);
    hs_centring_free(&cx), hs_centring_free(&cy);
    free(x), free(y);
}

/* Rotations, scales and offsets of either side change nothing; a thing is like itself. */
static void test_invariances(void **state)
{
    (void)state;
    enum { D = 7 };
    double q[D * D];
    for (size_t n = 6; n <= 150; n *= 5) {
        float *x = noise(n * D, 1), *y = noise(n * D, 2), *z = noise(n * D, 3);
        for (size_t i = 0; i < n * D; i++) {
            y[i] = y[i] + x[i];
        }
        for (size_t i = 0; i < D * D; i++) {
            q[i] = (double)x[i % (n * D)] + (double)(i % (D + 1) == 0) * 9;
        }
        assert_ok(hs_qr_thin(D, D, q, q, NULL));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < D; j++) {
                double s = 0;
                for (size_t l = 0; l < D; l++) {
                    s += (double)x[i * D + l] * q[l * D + j];
                }
                z[i * D + j] = (float)(1000 * s + 5);
            }
        }
        hs_cka xy = cka_of(x, D, y, D, n), zy = cka_of(z, D, y, D, n), xx = cka_of(x, D, x, D, n);
        assert_near(zy.debiased, xy.debiased, 1e-6); /* float32 rounding of the rotated data */
        assert_near(zy.biased, xy.biased, 1e-6);
        assert_near(xx.debiased, 1, 4 * DBL_EPSILON);
        assert_near(xx.biased, 1, 4 * DBL_EPSILON);
        assert_near(xx.jackknife_se, 0, 1e-13);
        free(x), free(y), free(z);
    }
}

static void test_noise_is_unlike_noise(void **state)
{
    (void)state;
    enum { N = 50, D = 2048 };
    float *x = noise(N * D, 4), *y = noise(N * D, 5);
    hs_cka r = cka_of(x, D, y, D, N);
    assert_near(r.biased, 1 / (1 + (double)N / D), .01); /* the bias: almost 1 */
    assert_near(r.debiased, 0, .05);
    assert_near(r.debiased / r.jackknife_se, 0, 4);
    free(x), free(y);
}

static void test_errors(void **state)
{
    (void)state;
    float *x = noise(40, 6), *y = noise(40, 7);
    hs_mat A = hs_mat_of(x, 10, 4), B = hs_mat_of(y, 10, 4), S = hs_mat_of(y, 3, 4);
    hs_rows X = hs_rows_of_mat(&A), Y = hs_rows_of_mat(&B), small = hs_rows_of_mat(&S);
    hs_cka r = {.n = 77};
    assert_code(hs_cka_linear(&X, &small, NULL, &r), HS_ESHAPE);
    assert_code(hs_cka_linear(&small, &small, NULL, &r), HS_EDEGENERATE);
    Y.groups = 2;
    assert_code(hs_cka_linear(&X, &Y, NULL, &r), HS_ESHAPE);
    Y.groups = 1;
    y[5] = NAN;
    assert_code(hs_cka_linear(&X, &Y, NULL, &r), HS_EDEGENERATE);
    for (size_t i = 0; i < 40; i++) {
        y[i] = 2;
    }
    assert_code(hs_cka_linear(&X, &Y, NULL, &r), HS_EDEGENERATE);
    double K[16] = {0}, L[16] = {0}, bad[16] = {0};
    assert_code(hs_cka_gram(4, K, L, &r), HS_EDEGENERATE); /* no variance */
    assert_code(hs_cka_gram(3, K, L, &r), HS_EDEGENERATE);
    for (size_t i = 0; i < 4; i++) { /* orthogonal images: K̃ of the centred kernel is constant, U = 0 */
        for (size_t j = 0; j < 4; j++) {
            K[4 * i + j] = (i == j) - .25;
        }
    }
    assert_code(hs_cka_gram(4, K, K, &r), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "HSIC"));
    for (size_t i = 0; i < 16; i++) {
        K[i] = i % 5 == 0 ? 4 : (double)((i * 7) % 3 == 1);
        bad[i] = NAN;
    }
    assert_code(hs_cka_gram(4, K, bad, &r), HS_EDEGENERATE);
    assert_int_equal(r.n, 77);
    free(x), free(y);
}

static void test_threads_do_not_change_bits(void **state)
{
    (void)state;
    float *x = noise(300 * 400, 6), *y = noise(300 * 400, 7);
    int before = omp_get_max_threads();
    for (size_t n = 200; n <= 300; n += 100) {
        size_t d = 60000 / n;
        omp_set_num_threads(1);
        hs_cka a = cka_of(x, d, y, d / 2, n), c = cka_of(x, 20, y, 30, n);
        omp_set_num_threads(3);
        hs_cka b = cka_of(x, d, y, d / 2, n), e = cka_of(x, 20, y, 30, n);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(&c, &e, sizeof c);
    }
    omp_set_num_threads(before);
    free(x), free(y);
}

/* ---- Real activations ------------------------------------------------------------------------------ */

static const char golden[] = "golden-stats/compare.json";

/* (n, d): the first n images at a step, rows rolled by `roll`. */
static float *step(const float *h, size_t d, size_t k, size_t n, size_t roll)
{
    float *x;
    assert_ok(hs_alloc(n * d, sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        memcpy(x + i * d, h + (3 * ((i + roll) % n) + k) * d, d * sizeof *x);
    }
    return x;
}

static void check_value(double seen, const char *where, const char *what, size_t k, size_t l)
{
    char path[96];
    snprintf(path, sizeof path, "%s%s/%zu/%zu", where, what, k, l);
    double want = shared_number(golden, path);
    assert_near(seen, want, 1e-6 * fabs(want) + 1e-9);
}

static void table(const float *a, size_t da, const float *b, size_t db, size_t roll, const char *where)
{
    for (size_t k = 0; k < 3; k++) {
        float *x = step(a, da, k, 500, 0);
        for (size_t l = 0; l < 3; l++) {
            float *y = step(b, db, l, 500, roll);
            hs_cka r = cka_of(x, da, y, db, 500);
            check_value(r.debiased, where, "cka_debiased", k, l);
            check_value(r.biased, where, "cka_biased", k, l);
            free(y);
        }
        free(x);
    }
}

static void test_real_tables(void **state)
{
    (void)state;
    need_shared(golden);
    size_t dim[5];
    float *p = shared_floats("h-mnist/h_pulfer.npy", 5, dim), *c = shared_floats("h-mnist/h_charles.npy", 5, dim);
    table(p, 360, c, 720, 0, "");
    table(c, 720, c, 720, 0, "charles_charles/");
    table(p, 360, p, 360, 0, "pulfer_pulfer/");
    table(p, 360, c, 720, 1, "null_rolled/");
    free(p), free(c);
}

static void test_two_trainings_of_one_network(void **state)
{
    (void)state;
    need_shared("svcca/MNIST_model_0_lay04.npy");
    size_t dim[2];
    float *a = shared_floats("svcca/MNIST_model_0_lay04.npy", 2, dim);
    float *b = shared_floats("svcca/MNIST_model_1_lay04.npy", 2, dim);
    hs_cka all = cka_of(a, 10, b, 10, 10000), some = cka_of(a, 10, b, 10, 2000);
    assert_near(all.biased, 0.437452312425, 1e-12); /* as printed */
    assert_near(some.debiased / shared_number(golden, "svcca/MNIST_first2000/cka_debiased"), 1, 1e-9);
    assert_near(some.biased / shared_number(golden, "svcca/MNIST_first2000/cka_biased"), 1, 1e-9);
    free(a), free(b);
    a = shared_floats("svcca/SVHN_model_0_lay06.npy", 2, dim);
    b = shared_floats("svcca/SVHN_model_1_lay06.npy", 2, dim);
    some = cka_of(a, 200, b, 200, 1000);
    assert_near(some.debiased / shared_number(golden, "svcca/SVHN/cka_debiased"), 1, 1e-9);
    assert_near(some.biased / shared_number(golden, "svcca/SVHN/cka_biased"), 1, 1e-9);
    free(a), free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_direct_sums),
        cmocka_unit_test(test_panels),
        cmocka_unit_test(test_panels_same_bits),
        cmocka_unit_test(test_invariances),
        cmocka_unit_test(test_noise_is_unlike_noise),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_threads_do_not_change_bits),
        cmocka_unit_test(test_real_tables),
        cmocka_unit_test(test_two_trainings_of_one_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
