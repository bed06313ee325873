/* Attention's derivatives: the adjoint identity, and central differences of attention in double. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/attention.h"
#include "tests/support/support.h"

enum { CASES = 100, MAX_ROWS = 5 };

typedef struct {
    size_t m, rows, hw, c, heads, at[MAX_ROWS];
    int mapped;
    float *qkv, *u, *jvp, *dy, *g;
    char *scratch;
    hs_arena arena;
} point;

static float *normals(point *t, uint64_t index, size_t n)
{
    float *v;
    assert_ok(hs_arena_alloc(&t->arena, n, sizeof *v, &v));
    hs_rng_normal((hs_rng){31, HS_RNG_TEST, index}, 0, n, v);
    return v;
}

static size_t below(uint64_t index, uint64_t i, size_t bound)
{
    return hs_rng_below((hs_rng){32, HS_RNG_TEST, index}, i, (uint32_t)bound);
}

static point start_shape(uint64_t k, size_t m, size_t rows, size_t hw, size_t c, size_t heads)
{
    point t = {.m = m, .rows = rows, .hw = hw, .c = c, .heads = heads, .mapped = k % 2 != 0};
    for (size_t r = 0; r < rows; r++) {
        t.at[r] = below(k, 10 + r, m);
    }
    t.qkv = normals(&t, 8 * k, m * hw * 3 * c);
    t.u = normals(&t, 8 * k + 1, rows * hw * 3 * c);
    t.jvp = normals(&t, 8 * k + 2, rows * hw * c);
    t.dy = normals(&t, 8 * k + 3, rows * hw * c);
    t.g = normals(&t, 8 * k + 4, rows * hw * 3 * c);
    assert_ok(hs_arena_alloc(&t.arena, hs_attention_grad_scratch(rows, hw, c, heads), 1, &t.scratch));
    return t;
}

/* Small shapes; one in ten has more than one block of queries. */
static point start(uint64_t k)
{
    size_t m = 1 + below(k, 0, 3), rows = k % 2 != 0 ? 1 + below(k, 1, MAX_ROWS) : m, heads = 1 + below(k, 2, 3);
    size_t hw = k % 10 == 9 ? 129 + below(k, 3, 150) : 1 + below(k, 3, 40), c = heads * (1 + below(k, 4, 20));
    return start_shape(k, m, rows, hw, c, heads);
}

static void run(point *t)
{
    const size_t *at = t->mapped ? t->at : NULL;
    hs_attention_jvp(t->rows, at, t->hw, t->c, t->heads, t->qkv, t->u, t->jvp, t->scratch);
    hs_attention_vjp(t->rows, at, t->hw, t->c, t->heads, t->qkv, t->dy, t->g, t->scratch);
}

static double dot(const float *a, const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        s += (double)a[i] * (double)b[i];
    }
    return s;
}

static double adjoint_error(const point *t)
{
    size_t n = t->rows * t->hw * t->c;
    double left = dot(t->jvp, t->dy, n), right = dot(t->u, t->g, 3 * n);
    return fabs(left - right) / sqrt(dot(t->jvp, t->jvp, n) * dot(t->dy, t->dy, n));
}

static void test_adjoint(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k);
        run(&t);
        worst = fmax(worst, adjoint_error(&t));
        hs_arena_free(&t.arena);
    }
    assert_near(worst, 0, 2e-6);
}

/* The sizes of training and of a 64 x 64 map. */
static void test_adjoint_of_real_sizes(void **state)
{
    (void)state;
    point small = start_shape(1000, 4, 4, 64, 128, 1), large = start_shape(1001, 1, 2, 4096, 16, 1);
    run(&small);
    run(&large);
    assert_near(adjoint_error(&small), 0, 2e-6);
    assert_near(adjoint_error(&large), 0, 2e-6);
    hs_arena_free(&small.arena);
    hs_arena_free(&large.arena);
}

/* y (hw, c) <- attention of one sample in double. */
static void reference(size_t hw, size_t c, size_t heads, const double *qkv, double *y)
{
    size_t d = c / heads;
    double p[512];
    for (size_t u = 0; u < heads * hw; u++) {
        size_t head = u / hw, i = u % hw;
        const double *q = qkv + i * 3 * c + head * d, *k = qkv + c + head * d, *v = k + c;
        double top = -INFINITY, sum = 0;
        for (size_t j = 0; j < hw; j++) {
            p[j] = 0;
            for (size_t l = 0; l < d; l++) {
                p[j] += q[l] * k[j * 3 * c + l] / sqrt((double)d);
            }
            top = fmax(top, p[j]);
        }
        for (size_t j = 0; j < hw; j++) {
            sum += p[j] = exp(p[j] - top);
        }
        for (size_t l = 0; l < d; l++) {
            double mix = 0;
            for (size_t j = 0; j < hw; j++) {
                mix += p[j] / sum * v[j * 3 * c + l];
            }
            y[i * c + head * d + l] = mix;
        }
    }
}

static double *doubles(point *t, size_t n)
{
    double *v;
    assert_ok(hs_arena_alloc(&t->arena, n, sizeof *v, &v));
    return v;
}

/* want <- the central difference of the reference at row r's state along v (hw, 3 c). */
static void central(point *t, size_t r, const double *v, double step, double *want)
{
    size_t n = t->hw * t->c, s = t->mapped ? t->at[r] : r;
    double *x = doubles(t, 3 * n), *minus = doubles(t, n);
    for (int sign = -1; sign <= 1; sign += 2) {
        for (size_t i = 0; i < 3 * n; i++) {
            x[i] = (double)t->qkv[s * 3 * n + i] + sign * step * v[i];
        }
        reference(t->hw, t->c, t->heads, x, sign < 0 ? minus : want);
    }
    for (size_t i = 0; i < n; i++) {
        want[i] = (want[i] - minus[i]) / (2 * step);
    }
}

/* The jvp against central differences (whose error shows in two steps), and the vjp through unit tangents:
 * element e of the adjoint is the derivative of <dy, y> along e. */
static void test_derivatives_are_the_references(void **state)
{
    (void)state;
    double worst_jvp = 0, worst_vjp = 0, own = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k);
        size_t n = t.hw * t.c, r = below(k, 20, t.rows);
        double *v = doubles(&t, 3 * n), *want = doubles(&t, n), *other = doubles(&t, n), top = 0, error = 0;
        run(&t);
        for (size_t i = 0; i < 3 * n; i++) {
            v[i] = (double)t.u[r * 3 * n + i];
        }
        central(&t, r, v, 1e-5, want);
        central(&t, r, v, 2e-5, other);
        for (size_t i = 0; i < n; i++) {
            top = fmax(top, fabs(want[i]));
            error = fmax(error, fabs(want[i] - (double)t.jvp[r * n + i]));
            own = fmax(own, fabs(want[i] - other[i]) / fmax(1, fabs(want[i])));
        }
        worst_jvp = fmax(worst_jvp, error / top);
        for (uint64_t probe = 0; probe < 5; probe++) {
            size_t e = below(k, 30 + probe, 3 * n);
            double derivative = 0, size = 0;
            memset(v, 0, 3 * n * sizeof *v);
            v[e] = 1;
            central(&t, r, v, 1e-5, want);
            for (size_t i = 0; i < n; i++) {
                derivative += want[i] * (double)t.dy[r * n + i];
            }
            for (size_t i = 0; i < 3 * n; i++) {
                size = fmax(size, fabs((double)t.g[r * 3 * n + i]));
            }
            worst_vjp = fmax(worst_vjp, fabs(derivative - (double)t.g[r * 3 * n + e]) / size);
        }
        hs_arena_free(&t.arena);
    }
    assert_near(own, 0, 1e-6);
    assert_near(worst_jvp, 0, 1e-5);
    assert_near(worst_vjp, 0, 1e-5);
}

static void test_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k), o = start(k);
        omp_set_num_threads(1);
        run(&t);
        omp_set_num_threads(2);
        run(&o);
        assert_memory_equal(t.jvp, o.jvp, t.rows * t.hw * t.c * sizeof(float));
        assert_memory_equal(t.g, o.g, t.rows * t.hw * 3 * t.c * sizeof(float));
        hs_arena_free(&t.arena);
        hs_arena_free(&o.arena);
    }
    omp_set_num_threads(threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_adjoint_of_real_sizes),
        cmocka_unit_test(test_derivatives_are_the_references),
        cmocka_unit_test(test_same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
