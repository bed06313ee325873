/* Streaming: means, walks, Gram and covariance matrices across panels, tiles and chunks, passes. */
#include "core/geom/rows.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/gram.h"
#include "core/geom/pass.h"
#include "core/linalg/blas.h"
#include "tests/support/support.h"

static float *noise(size_t n, double offset)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){21, HS_RNG_TEST, 1}, 0, n, x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)((double)x[i] + offset);
    }
    return x;
}

static double *doubles(size_t n)
{
    double *p;
    assert_ok(hs_calloc(n, sizeof *p, &p));
    return p;
}

/* ⟨x_i - mean, x_j - mean⟩ scale², mean by a plain second pass. */
static double product(const float *x, const double *mean, size_t d, size_t i, size_t j, double scale)
{
    double s = 0;
    for (size_t c = 0; c < d; c++) {
        s += ((double)x[i * d + c] - mean[c]) * ((double)x[j * d + c] - mean[c]);
    }
    return s * scale * scale;
}

static double *means(const float *x, size_t n, size_t d)
{
    double *mean = doubles(d);
    for (size_t i = 0; i < n * d; i++) {
        mean[i % d] += (double)x[i];
    }
    for (size_t c = 0; c < d; c++) {
        mean[c] /= (double)n;
    }
    return mean;
}

static void test_gram_across_panels(void **state)
{
    (void)state;
    enum { N = 270, D = 65537 }; /* two panels, tiles of 63 rows, a chunk of one column */
    float *x = noise((size_t)N * D, 3);
    double *K = doubles(N * N), *mean = means(x, N, D);
    hs_mat A = hs_mat_of(x, N, D);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_centring c;
    assert_ok(hs_centring_new(&rows, NULL, &c));
    for (size_t j = 0; j < D; j++) {
        assert_near(c.mean[j], mean[j], 1e-13);
    }
    assert_ok(hs_gram(&c, NULL, K));
    for (size_t k = 0; k < 400; k++) {
        size_t i = hs_rng_below((hs_rng){4, HS_RNG_TEST, 0}, k, N), j = hs_rng_below((hs_rng){4, HS_RNG_TEST, 1}, k, N);
        assert_near(K[i * N + j], product(x, mean, D, i, j, c.scale), 1e-12 * K[0]);
        assert_true(K[i * N + j] == K[j * N + i]);
    }
    hs_centring_free(&c);
    free(x), free(K), free(mean);
}

static void test_covariance_across_tiles(void **state)
{
    (void)state;
    enum { N = 1100, D = 300 }; /* three tiles, two blocks */
    float *x = noise(N * D, -2);
    double *C = doubles(D * D), *mean = means(x, N, D);
    hs_mat A = hs_mat_of(x, N, D);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_centring c;
    assert_ok(hs_centring_new(&rows, NULL, &c));
    assert_ok(hs_covariance(&c, NULL, C));
    for (size_t i = 0; i < D; i += 7) {
        for (size_t j = 0; j < D; j++) {
            double s = 0;
            for (size_t r = 0; r < N; r++) {
                s += ((double)x[r * D + i] - mean[i]) * ((double)x[r * D + j] - mean[j]);
            }
            assert_near(C[i * D + j], s * c.scale * c.scale, 1e-12 * C[0]);
        }
    }
    hs_centring_free(&c);
    free(x), free(C), free(mean);
}

/* A pass is XᵀX V and (XV)ᵀ(XV): both from the covariance matrix. */
static void test_pass_against_covariance(void **state)
{
    (void)state;
    enum { N = 1100, D = 1030, K = 5 };
    float *x = noise(N * D, 1), *V = noise(K * D, 0);
    double *C = doubles(D * D), *Z = doubles(K * D), *G = doubles(K * K), *v = doubles(D), trace = 0;
    hs_mat A = hs_mat_of(x, N, D);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_centring c;
    hs_pass *s;
    assert_ok(hs_centring_new(&rows, NULL, &c));
    assert_ok(hs_covariance(&c, NULL, C));
    assert_ok(hs_pass_new(&c, K, NULL, &s));
    assert_code(hs_pass_apply(s, K + 1, V, Z, G), HS_ERANGE);
    assert_ok(hs_pass_apply(s, K, V, Z, G));
    for (size_t j = 0; j < D; j++) {
        trace += C[j * D + j];
    }
    assert_near(hs_pass_energy(s) / trace, 1, 1e-7); /* float32 centring */
    for (size_t i = 0; i < K; i++) {
        for (size_t j = 0; j < D; j++) {
            v[j] = (double)V[i * D + j];
        }
        double scale = hs_nrm2_f64(D, v) * trace / D;
        for (size_t j = 0; j < D; j++) {
            assert_near(Z[i * D + j], hs_dot_f64(D, C + j * D, v), 1e-6 * scale);
        }
        assert_near(G[i * K + i], hs_dot_f64(D, Z + i * D, v), 1e-5 * scale * hs_nrm2_f64(D, v));
        assert_near(G[i * K], G[i], 0);
    }
    hs_pass_free(s);
    hs_pass_free(NULL);
    hs_centring_free(&c);
    free(x), free(V), free(C), free(Z), free(G), free(v);
}

/* Every row of the range is seen once, in tiles at fixed borders, phases in order. */
typedef struct {
    int seen[100], phase[2][10];
} visits;

static int visit(void *ctx, size_t phase, size_t i, const hs_tile *tile)
{
    visits *v = ctx;
    if (i == 0 && phase == 0) {
        for (size_t r = 0; r < tile->count; r++) {
            v->seen[tile->first + r] += (int)tile->data[2 * r];
        }
    }
    v->phase[phase][i] += phase == 0 || v->phase[0][i % 3] > 0;
    return tile->first == 90 ? HS_ENOMEM : HS_OK;
}

static void test_walk(void **state)
{
    (void)state;
    float x[200];
    for (size_t i = 0; i < 200; i++) {
        x[i] = 1;
    }
    visits v = {0};
    hs_mat A = hs_mat_of(x, 100, 2);
    hs_rows rows = hs_rows_of_mat(&A);
    float scratch[2 * 10 * 2];
    hs_walk walk = {2, {3, 10}, visit, &v, 2, NULL, "test", NULL};
    assert_ok(hs_rows_walk(&rows, 13, 50, 10, &walk));
    walk.scratch = scratch;
    assert_ok(hs_rows_walk(&rows, 50, 87, 10, &walk));
    walk.scratch = NULL;
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(v.seen[i], i >= 13 && i < 87);
    }
    assert_int_equal(v.phase[0][2], 8);
    assert_int_equal(v.phase[1][9], 8);
    assert_code(hs_rows_walk(&rows, 80, 100, 10, &walk), HS_ENOMEM); /* what a task fails with */
    assert_ok(hs_rows_walk(&rows, 5, 5, 10, &walk));
    rows.d = (size_t)1 << 62;
    assert_code(hs_rows_walk(&rows, 0, 100, 10, &walk), HS_ELIMIT);
}

/* Rows full of their own number, but for three values. */
typedef struct {
    size_t d, row[3], feature[3];
    float value[3];
} holes;

static int read_holes(void *ctx, size_t first, size_t count, float *out)
{
    const holes *h = ctx;
    for (size_t i = 0; i < count * h->d; i++) {
        out[i] = (float)(first + i / h->d);
    }
    for (size_t k = 0; k < 3; k++) {
        if (h->row[k] >= first && h->row[k] < first + count) {
            out[(h->row[k] - first) * h->d + h->feature[k]] = h->value[k];
        }
    }
    return HS_OK;
}

/* The first row that isn't finite is named, and its first such feature, whichever tile, chunk and group they are in:
 * tiles of 8 rows here, chunks of 1024 features. */
static void test_first_value_not_finite(void **state)
{
    (void)state;
    const size_t d = (size_t)1 << 19;
    const struct {
        holes h;
        size_t groups;
        const char *says;
    } of[] = {
        {{d, {21, 21, 22}, {5000, 4000, 3}, {NAN, INFINITY, NAN}}, 1, "row 21, feature 4000 "},
        {{d, {39, 12, 30}, {0, d - 1, 0}, {NAN, -INFINITY, NAN}}, 5, "row 12, feature 524287 "},
        {{d, {25, 25, 26}, {7, 6, 5}, {INFINITY, NAN, NAN}}, 20, "row 25, feature 6 "},
        {{d, {17, 18, 19}, {9, 9, 9}, {INFINITY, -INFINITY, NAN}}, 1, "row 17, feature 9 "},
    };
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        holes h = of[i].h;
        hs_rows rows = {40, d, of[i].groups, read_holes, &h};
        hs_centring c = {0};
        assert_code(hs_centring_new(&rows, NULL, &c), HS_EDEGENERATE);
        assert_non_null(strstr(hs_error_message(), of[i].says));
    }
}

static void test_centred_copy(void **state)
{
    (void)state;
    float x[6] = {1, 5, 2, 5, 6, 5};
    double out[6];
    assert_ok(hs_centred_f64(hs_mat_of(x, 3, 2), out));
    const double want[6] = {-2. / 16, 0, -1. / 16, 0, 3. / 16, 0}; /* spread 5: scale 1/16 */
    assert_memory_equal(out, want, sizeof out);
    x[4] = INFINITY;
    assert_code(hs_centred_f64(hs_mat_of(x, 3, 2), out), HS_EDEGENERATE);
    hs_centring_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gram_across_panels),      cmocka_unit_test(test_covariance_across_tiles),
        cmocka_unit_test(test_pass_against_covariance), cmocka_unit_test(test_walk),
        cmocka_unit_test(test_first_value_not_finite),  cmocka_unit_test(test_centred_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
