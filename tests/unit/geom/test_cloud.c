/* Clouds: distances and spectra against numpy, Gaussian clouds of a given spectrum, intrinsic dimension of known
 * manifolds, hyperbolicity of trees, squares and Gaussian clouds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cloud.h"
#include "core/geom/dimension.h"
#include "core/geom/hyperbolicity.h"
#include "core/stats/bca.h"
#include "tests/support/support.h"

enum { GOLDEN_N = 60 };

static double *room_of(size_t n)
{
    double *v;
    assert_ok(hs_calloc(n, sizeof *v, &v));
    return v;
}

/* The cloud of tests/support/geometry_golden.py. */
static double *golden_distances(int squared)
{
    float x[GOLDEN_N * 4];
    for (int i = 0; i < GOLDEN_N; i++) {
        x[4 * i] = (float)cos(0.37 * i);
        x[4 * i + 1] = (float)sin(0.61 * i + 1);
        x[4 * i + 2] = (float)(i % 7 / 5.0);
        x[4 * i + 3] = (float)(sqrt(i) / 4);
    }
    double *D = room_of((size_t)GOLDEN_N * GOLDEN_N);
    assert_ok(hs_cloud_distances(hs_mat_of(x, GOLDEN_N, 4), squared, D));
    return D;
}

static void dimensions(size_t n, const double *D, size_t k, double *twonn, double *mle)
{
    double *log_mu = room_of(n), *log_t = room_of(n);
    size_t *order;
    assert_ok(hs_alloc(n, sizeof *order, &order));
    assert_ok(hs_dimension_local(n, D, k, log_mu, log_t));
    hs_dimension_order(n, log_mu, order);
    *twonn = hs_dimension_twonn(n, log_mu, order, NULL);
    *mle = hs_dimension_mle(n, log_t, NULL);
    free(log_mu);
    free(log_t);
    free(order);
}

static void test_golden(void **state)
{
    (void)state;
    static const double spectrum[5] = {5.929429510938, 5.134288253523, 3.591545526066, 3.056100570787, 0};
    double *D = golden_distances(0), *D2 = golden_distances(1), s[GOLDEN_N - 1], loo[GOLDEN_N], twonn, mle;
    hs_gromov g;
    assert_ok(hs_cloud_spectrum(GOLDEN_N, D2, s));
    for (int k = 0; k < 5; k++) {
        assert_near(s[k], spectrum[k], 1e-6);
    }
    dimensions(GOLDEN_N, D, 8, &twonn, &mle);
    assert_near(twonn, 3.366601052885, 1e-6); /* the cosines of numpy may differ in float32's last bit */
    assert_near(mle, 3.045362212772, 1e-6);
    assert_ok(hs_gromov_delta(GOLDEN_N, D, 0, 0, loo, &g));
    assert_int_equal(g.quadruples, 487635);
    assert_near(g.diameter, 3.244820388855, 1e-6);
    assert_near(g.max, 0.509411138321, 1e-6);
    assert_near(g.mean, 0.097715483425, 1e-6);
    assert_near(loo[0], 0.097104867739, 1e-6);
    free(D);
    free(D2);
}

/* Weights: twice each point is the cloud itself; weight 0 leaves a point's own number out. */
static void test_weights(void **state)
{
    (void)state;
    double *D = golden_distances(0), log_mu[GOLDEN_N], log_t[GOLDEN_N], w[GOLDEN_N], sum = 0;
    size_t order[GOLDEN_N];
    assert_ok(hs_dimension_local(GOLDEN_N, D, 5, log_mu, log_t));
    hs_dimension_order(GOLDEN_N, log_mu, order);
    for (int i = 0; i < GOLDEN_N; i++) {
        w[i] = 2;
        assert_true(i == 0 || log_mu[order[i - 1]] <= log_mu[order[i]]);
    }
    assert_near(hs_dimension_twonn(GOLDEN_N, log_mu, order, w), hs_dimension_twonn(GOLDEN_N, log_mu, order, NULL),
                1e-12);
    assert_near(hs_dimension_mle(GOLDEN_N, log_t, w), hs_dimension_mle(GOLDEN_N, log_t, NULL), 1e-12);
    w[3] = 0;
    for (int i = 0; i < GOLDEN_N; i++) {
        sum += i != 3 ? log_t[i] / (GOLDEN_N - 1) : 0;
    }
    assert_near(hs_dimension_mle(GOLDEN_N, log_t, w), 1 / sum, 1e-12);
    free(D);
}

typedef enum { SPHERE, ROLL, GAUSS } manifold;

/* n points of dimension d in R^D: the unit sphere S^d, a Swiss roll (even in area, d = 2), a Gaussian cloud. */
static double *points_of(manifold kind, size_t n, size_t d, size_t D, uint64_t seed)
{
    float *x, z[64];
    assert_ok(hs_calloc(n * D, sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        float *r = x + i * D;
        double norm = 0;
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, i}, 0, d + 1, z);
        if (kind == ROLL) {
            const hs_rng u = {seed, HS_RNG_TEST, i};
            double a = 3.5 + 9.5 * hs_rng_uniform(u, 0);
            r[0] = (float)(a * cos(a));
            r[1] = (float)(a * sin(a));
            r[2] = (float)(21 * hs_rng_uniform(u, 1));
            continue;
        }
        for (size_t k = 0; k <= d; k++) {
            norm += (double)z[k] * (double)z[k];
        }
        for (size_t k = 0; k < d + (kind == SPHERE); k++) {
            r[k] = kind == SPHERE ? z[k] / (float)sqrt(norm) : z[k];
        }
    }
    double *out = room_of(n * n);
    assert_ok(hs_cloud_distances(hs_mat_of(x, n, D), 0, out));
    free(x);
    return out;
}

/* Stated error: a tenth of the dimension up to 5 at n = 1000 for TwoNN, whose standard error is d / sqrt(n) = 3 %;
 * the MLE with 10 neighbours is biased by the edge of the cloud and by curvature: 15 %. */
static void test_manifolds(void **state)
{
    (void)state;
    static const struct {
        manifold kind;
        size_t d, D;
    } of[] = {{SPHERE, 2, 10}, {SPHERE, 5, 20}, {ROLL, 2, 3}, {GAUSS, 1, 5}, {GAUSS, 5, 40}};
    for (size_t k = 0; k < sizeof of / sizeof *of; k++) {
        double *D = points_of(of[k].kind, 1000, of[k].d, of[k].D, k), twonn, mle, d = (double)of[k].d;
        dimensions(1000, D, 10, &twonn, &mle);
        printf("manifold %d of %zu dimensions: TwoNN %.2f, MLE %.2f\n", (int)of[k].kind, of[k].d, twonn, mle);
        assert_near(twonn, d, 0.10 * d);
        assert_near(mle, d, 0.15 * d);
        free(D);
    }
}

/* 0 in a tree: leaves and nodes of one with random lengths, distances along it. */
static void test_tree(void **state)
{
    (void)state;
    for (size_t n = 40; n <= 160; n += 120) {
        double *D = room_of(n * n);
        const hs_rng u = {5, HS_RNG_TEST, n};
        for (size_t i = 1; i < n; i++) {
            size_t parent = hs_rng_below(u, 2 * i, (uint32_t)i);
            double length = 0.1 + hs_rng_uniform(u, 2 * i + 1);
            for (size_t j = 0; j < i; j++) {
                D[i * n + j] = D[j * n + i] = D[parent * n + j] + length;
            }
        }
        hs_gromov g;
        assert_ok(hs_gromov_delta(n, D, 20000, 1, NULL, &g));
        assert_near(g.max, 0, 1e-14);
        assert_int_equal(g.quadruples, n == 40 ? 91390 : 20000);
        free(D);
    }
}

/* The corners of a square and a point in its middle: 2 - sqrt 2. */
static void test_square(void **state)
{
    (void)state;
    float x[10] = {0, 0, 1, 0, 0, 1, 1, 1, 0.5F, 0.5F};
    double D[25];
    hs_gromov g;
    assert_ok(hs_cloud_distances(hs_mat_of(x, 5, 2), 0, D));
    assert_ok(hs_gromov_delta(5, D, 0, 0, NULL, &g));
    assert_near(g.max, 2 - sqrt(2), 1e-12);
    assert_near(g.diameter, sqrt(2), 1e-7);
}

/* Sampled quadruples agree with all of them within their standard error. */
static void test_sampled(void **state)
{
    (void)state;
    double *D = points_of(GAUSS, 120, 6, 6, 3), *part = room_of(100 * 100), loo[120], mean = 0;
    hs_gromov g, h;
    assert_ok(hs_gromov_delta(120, D, 200000, 2, loo, &g));
    for (size_t i = 0; i < 120; i++) {
        mean += loo[i] / 120;
    }
    assert_near(mean, g.mean, 1e-3 * g.mean); /* each leaves out its own quadruples: 4 / 120 of them */
    for (size_t i = 0; i < 100; i++) {
        memcpy(part + i * 100, D + i * 120, 100 * sizeof *part);
    }
    assert_ok(hs_gromov_delta(100, part, 0, 0, NULL, &h));
    assert_near(h.mean * h.diameter, g.mean * g.diameter, 0.05 * g.mean * g.diameter);
    assert_true(g.max * g.diameter <= 1.05 * h.max * h.diameter + 0.3 * g.diameter);
    free(D);
    free(part);
}

/* A Gaussian cloud given its spectrum: the spectrum exactly, and the hyperbolicity and dimension of Gaussian clouds lie
 * among those of their own twins as often as they should: mean rank one half. */
static void test_gaussian(void **state)
{
    (void)state;
    enum { SETS = 60, K = 19, N = 30 };
    double rank[2] = {0};
    for (uint64_t set = 0; set < SETS; set++) {
        double *D = points_of(GAUSS, N, 12, 12, 100 + set), D2[N * N], T[N * N], s[N - 1], again[N - 1];
        double d[2], e[2];
        hs_gromov g, h;
        for (size_t i = 0; i < N * N; i++) {
            D2[i] = D[i] * D[i];
        }
        assert_ok(hs_cloud_spectrum(N, D2, s));
        assert_ok(hs_gromov_delta(N, D, 0, 0, NULL, &g));
        dimensions(N, D, 5, &d[0], &d[1]);
        for (uint64_t k = 0; k < K; k++) {
            assert_ok(hs_cloud_gaussian(N, s, set, k, T));
            assert_ok(hs_gromov_delta(N, T, 0, 0, NULL, &h));
            dimensions(N, T, 5, &e[0], &e[1]);
            rank[0] += (h.mean < g.mean ? 1.0 : 0) / (K * SETS);
            rank[1] += (e[1] < d[1] ? 1.0 : 0) / (K * SETS);
        }
        for (size_t i = 0; i < N * N; i++) {
            T[i] *= T[i];
        }
        assert_ok(hs_cloud_spectrum(N, T, again));
        for (size_t i = 0; i < N - 1; i++) {
            assert_near(again[i], s[i], 1e-6 * s[0]);
        }
        free(D);
    }
    printf("mean rank of Gaussian clouds among their twins: delta %.2f, dimension %.2f\n", rank[0], rank[1]);
    assert_near(rank[0], 0.5, 0.15); /* 4 standard errors of a mean of 60 ranks */
    assert_near(rank[1], 0.5, 0.15);
}

static void test_degenerate(void **state)
{
    (void)state;
    double D[36] = {0}, s[5], v[6];
    float x[4] = {0, 1, NAN, 2};
    hs_gromov g;
    assert_code(hs_gromov_delta(6, D, 0, 0, NULL, &g), HS_EDEGENERATE);
    assert_code(hs_gromov_delta(4, D, 0, 0, NULL, &g), HS_EDEGENERATE);
    assert_code(hs_cloud_spectrum(2, D, s), HS_EDEGENERATE);
    assert_code(hs_cloud_distances(hs_mat_of(x, 2, 2), 0, D), HS_EDEGENERATE);
    assert_code(hs_dimension_local(6, D, 1, v, v), HS_ERANGE);
    assert_code(hs_dimension_local(6, D, 6, v, v), HS_ERANGE);
    memset(D, 0, sizeof D);
    double log_mu[6], log_t[6];
    size_t order[6];
    assert_ok(hs_dimension_local(6, D, 3, log_mu, log_t));
    hs_dimension_order(6, log_mu, order);
    assert_true(isnan(hs_dimension_twonn(6, log_mu, order, NULL)) && isnan(hs_dimension_mle(6, log_t, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_weights),    cmocka_unit_test(test_manifolds),
        cmocka_unit_test(test_tree),     cmocka_unit_test(test_square),     cmocka_unit_test(test_sampled),
        cmocka_unit_test(test_gaussian), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
