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
    size_t n, d;
    float *x;
    hs_mat mat;
    hs_rows rows;
    hs_centring c;
} sample;

static void sample_new(size_t n, size_t d, sample *s)
{
    s->n = n, s->d = d;
    assert_ok(hs_alloc(n * d, sizeof *s->x, &s->x));
    hs_rng_normal((hs_rng){9, HS_RNG_TEST, 11}, 0, n * d, s->x);
    for (size_t i = 0; i < n; i++) { /* rows of different lengths, far from 0 */
        for (size_t j = 0; j < d; j++) {
            s->x[i * d + j] = s->x[i * d + j] * (float)(1 + i % 7) + 5;
        }
    }
    s->mat = hs_mat_of(s->x, n, d);
    s->rows = hs_rows_of_mat(&s->mat);
    assert_ok(hs_centring_new(&s->rows, NULL, &s->c));
}

static void sample_free(sample *s)
{
    hs_centring_free(&s->c);
    free(s->x);
}

/* K (n, n) on and below the diagonal, 0 above it, in strips of `most` rows, room for `room` features. */
static void whole(const sample *s, size_t most, size_t room, int threads, float *K, double *norm)
{
    hs_gram_strip *g;
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    assert_ok(hs_gram_strip_new(most, room, &g));
    for (size_t first = 0; first < s->n; first += most) {
        size_t count = s->n - first < most ? s->n - first : most;
        assert_ok(hs_gram_strip_make(g, &s->c, first, count, NULL, K + first * s->n, norm));
    }
    hs_gram_strip_free(g);
    omp_set_num_threads(before);
    for (size_t i = 0; i < s->n; i++) {
        memset(K + i * s->n + i + 1, 0, (s->n - i - 1) * sizeof *K);
    }
}

static void against_double(size_t n, size_t d, size_t most, size_t room)
{
    sample s;
    float *K;
    double *norm, *want;
    sample_new(n, d, &s);
    assert_ok(hs_alloc(n * n, sizeof *K, &K));
    assert_ok(hs_alloc(n, sizeof *norm, &norm));
    assert_ok(hs_alloc(n * n, sizeof *want, &want));
    assert_ok(hs_gram(&s.c, NULL, want));
    whole(&s, most, room, 2, K, norm);
    for (size_t i = 0; i < n; i++) {
        /* centring rounds each feature by 2^-24 of it at most */
        assert_near(norm[i] / want[i * n + i], 1, 1.3e-7);
        for (size_t j = 0; j <= i; j++) {
            assert_near(((double)K[i * n + j] - want[i * n + j]) / sqrt(want[i * n + i] * want[j * n + j]), 0, 1e-6);
        }
    }
    sample_free(&s);
    free(K), free(norm), free(want);
}

static void test_against_double(void **state)
{
    (void)state;
    against_double(N, D, 300, D);
    against_double(700, 100, 300, 50000);     /* other tiles than those of as many features as there is room for */
    against_double(20, 1 << 21, 10, 1 << 21); /* tiles of 8 rows */
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
    sample_new(N, D, &s);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(hs_alloc(N * N, sizeof *K[i], &K[i]));
        assert_ok(hs_alloc(N, sizeof *norm[i], &norm[i]));
    }
    whole(&s, way[0].most, D, way[0].threads, K[0], norm[0]);
    for (size_t i = 1; i < sizeof way / sizeof *way; i++) {
        whole(&s, way[i].most, D, way[i].threads, K[1], norm[1]);
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
