/* Strips of a Gram matrix against the whole one in double; no cutting and no number of threads changes a bit. */
#include "core/geom/gram_strip.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/gram.h"
#include "tests/support/support.h"

enum { N = 700, D = 13100 }; /* two tiles, and four parts of which the last is short */

typedef struct {
    float *x;
    hs_mat mat;
    hs_rows rows;
    hs_centring c;
} sample;

static void sample_new(sample *s)
{
    assert_ok(hs_alloc((size_t)N * D, sizeof *s->x, &s->x));
    hs_rng_normal((hs_rng){9, HS_RNG_TEST, 11}, 0, (size_t)N * D, s->x);
    for (size_t i = 0; i < N; i++) { /* rows of different lengths, far from 0 */
        for (size_t j = 0; j < D; j++) {
            s->x[i * D + j] = s->x[i * D + j] * (float)(1 + i % 7) + 5;
        }
    }
    s->mat = hs_mat_of(s->x, N, D);
    s->rows = hs_rows_of_mat(&s->mat);
    assert_ok(hs_centring_new(&s->rows, NULL, &s->c));
}

static void sample_free(sample *s)
{
    hs_centring_free(&s->c);
    free(s->x);
}

/* K (N, N) on and below the diagonal, 0 above it, in strips of `most` rows. */
static void whole(const sample *s, size_t most, int threads, float *K, double *norm)
{
    hs_gram_strip *g;
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    assert_ok(hs_gram_strip_new(most, D, &g));
    for (size_t first = 0; first < N; first += most) {
        size_t count = N - first < most ? N - first : most;
        assert_ok(hs_gram_strip_make(g, &s->c, first, count, NULL, K + first * N, norm));
    }
    hs_gram_strip_free(g);
    omp_set_num_threads(before);
    for (size_t i = 0; i < N; i++) {
        memset(K + i * N + i + 1, 0, (N - i - 1) * sizeof *K);
    }
}

static void test_against_double(void **state)
{
    (void)state;
    sample s;
    float *K;
    double *norm, *want;
    sample_new(&s);
    assert_ok(hs_alloc(N * N, sizeof *K, &K));
    assert_ok(hs_alloc(N, sizeof *norm, &norm));
    assert_ok(hs_alloc(N * N, sizeof *want, &want));
    assert_ok(hs_gram(&s.c, NULL, want));
    whole(&s, 300, 2, K, norm);
    for (size_t i = 0; i < N; i++) {
        /* centring rounds to 2^-24 of each feature */
        assert_near(norm[i] / want[i * N + i], 1, 1e-8);
        for (size_t j = 0; j <= i; j++) {
            assert_near(((double)K[i * N + j] - want[i * N + j]) / sqrt(want[i * N + i] * want[j * N + j]), 0, 1e-6);
        }
    }
    sample_free(&s);
    free(K), free(norm), free(want);
}

static void test_same_bits(void **state)
{
    (void)state;
    static const struct {
        size_t most;
        int threads;
    } way[] = {{N, 1}, {N, 4}, {300, 1}, {300, 3}, {97, 2}};
    sample s;
    float *K[2];
    double *norm[2];
    sample_new(&s);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(hs_alloc(N * N, sizeof *K[i], &K[i]));
        assert_ok(hs_alloc(N, sizeof *norm[i], &norm[i]));
    }
    whole(&s, way[0].most, way[0].threads, K[0], norm[0]);
    for (size_t i = 1; i < sizeof way / sizeof *way; i++) {
        whole(&s, way[i].most, way[i].threads, K[1], norm[1]);
        assert_memory_equal(K[0], K[1], N * N * sizeof *K[0]);
        assert_memory_equal(norm[0], norm[1], N * sizeof *norm[0]);
    }
    sample_free(&s);
    for (size_t i = 0; i < 2; i++) {
        free(K[i]), free(norm[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_double), cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
