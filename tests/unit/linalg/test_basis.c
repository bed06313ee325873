/* core/linalg/basis.h: the basis is orthonormal, spans the rows and nothing else, and leaves out what adds nothing. */
#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/linalg/basis.h"
#include "core/linalg/blas.h"
#include "tests/support/support.h"

enum { N = 9, K = 5 };

static void normals(size_t count, double *a)
{
    float x[K * N];
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, count, x);
    for (size_t i = 0; i < count; i++) {
        a[i] = (double)x[i];
    }
}

/* |a without its part in the rows of q| / |a|. */
static double outside(const double *a, size_t rank, const double *q)
{
    double rest[N];
    memcpy(rest, a, sizeof rest);
    for (size_t j = 0; j < rank; j++) {
        double along = hs_dot_f64(N, a, q + j * N);
        for (size_t x = 0; x < N; x++) {
            rest[x] -= along * q[j * N + x];
        }
    }
    return hs_nrm2_f64(N, rest) / hs_nrm2_f64(N, a);
}

static void orthonormal(size_t rank, const double *q)
{
    for (size_t i = 0; i < rank; i++) {
        for (size_t j = 0; j < rank; j++) {
            assert_near(hs_dot_f64(N, q + i * N, q + j * N), i == j, 1e-14);
        }
    }
}

static void test_rows_of_full_rank_whatever_their_length(void **state)
{
    (void)state;
    double a[K * N], copy[K * N], q[K * N];
    size_t rank = 0;
    normals(K * N, a);
    for (size_t x = 0; x < N; x++) {
        a[N + x] *= 1e-12;
        a[2 * N + x] *= 1e9;
    }
    memcpy(copy, a, sizeof a);
    assert_ok(hs_row_basis(K, N, a, 1e-6, q, &rank));
    assert_int_equal(rank, K);
    orthonormal(rank, q);
    for (size_t i = 0; i < K; i++) {
        assert_true(outside(copy + i * N, rank, q) < 1e-14);
    }
}

static void test_dependent_rows_count_once(void **state)
{
    (void)state;
    double a[K * N], copy[K * N], q[K * N];
    size_t rank = 0;
    normals(K * N, a);
    for (size_t x = 0; x < N; x++) {
        a[2 * N + x] = 0;
        a[3 * N + x] = a[x] - 2 * a[N + x] + 1e-8 * a[3 * N + x]; /* below the tolerance */
        a[4 * N + x] = a[x] + 1e-4 * a[4 * N + x];                /* above it */
    }
    memcpy(copy, a, sizeof a);
    assert_ok(hs_row_basis(K, N, a, 1e-6, q, &rank));
    assert_int_equal(rank, 3);
    orthonormal(rank, q);
    assert_true(outside(copy + 3 * N, rank, q) < 1e-6);
    assert_true(outside(copy + 4 * N, rank, q) < 1e-7);
    memcpy(a, copy, sizeof a);
    assert_ok(hs_row_basis(K, N, a, 1e-10, q, &rank));
    assert_int_equal(rank, 4);
}

static void test_more_rows_than_dimensions_and_none(void **state)
{
    (void)state;
    double a[K * 3], q[3 * 3];
    size_t rank = 0;
    normals(K * 3, a);
    assert_ok(hs_row_basis(K, 3, a, 1e-6, q, &rank));
    assert_int_equal(rank, 3);
    memset(a, 0, sizeof a);
    assert_ok(hs_row_basis(K, 3, a, 1e-6, q, &rank));
    assert_int_equal(rank, 0);
}

static void test_not_finite(void **state)
{
    (void)state;
    double a[K * N], q[K * N];
    size_t rank = 7;
    normals(K * N, a);
    a[3] = NAN;
    assert_code(hs_row_basis(K, N, a, 1e-6, q, &rank), HS_EDEGENERATE);
    a[3] = INFINITY;
    assert_code(hs_row_basis(K, N, a, 1e-6, q, &rank), HS_EDEGENERATE);
    assert_code(hs_row_basis((size_t)1 << 31, N, a, 1e-6, q, &rank), HS_ELIMIT);
    assert_int_equal(rank, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_of_full_rank_whatever_their_length),
        cmocka_unit_test(test_dependent_rows_count_once),
        cmocka_unit_test(test_more_rows_than_dimensions_and_none),
        cmocka_unit_test(test_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
