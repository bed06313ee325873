/* The matrix product against a plain sum in double, and its bits against every way of cutting it. */
#include <omp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/sgemm.h"
#include "tests/support/support.h"

enum { PAD = 3 };

static float *noise(size_t n, uint32_t stream)
{
    float *x;
    assert_ok(hs_alloc(n, sizeof *x, &x));
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, stream}, 0, n, x);
    return x;
}

typedef struct {
    int transa, transb;
    size_t m, n, k, lda, ldb, ldc;
    float *A, *B, *C, *before;
} example;

static example make(int transa, int transb, size_t m, size_t n, size_t k)
{
    example e = {transa, transb, m, n, k, (transa ? m : k) + PAD, (transb ? k : n) + PAD, n + PAD, 0, 0, 0, 0};
    e.A = noise((transa ? k : m) * e.lda + 1, 1);
    e.B = noise((transb ? n : k) * e.ldb + 1, 2);
    e.C = noise(m * e.ldc, 3);
    e.before = noise(m * e.ldc, 3);
    return e;
}

static void drop(example *e)
{
    free(e->A), free(e->B), free(e->C), free(e->before);
}

static void run(const example *e, float alpha, float beta)
{
    hs_sgemm(e->transa, e->transb, e->m, e->n, e->k, alpha, e->A, e->lda, e->B, e->ldb, beta, e->C, e->ldc);
}

static double entry(const float *X, size_t ld, int trans, size_t i, size_t j)
{
    return (double)(trans ? X[j * ld + i] : X[i * ld + j]);
}

static void check(const example *e, float alpha, float beta)
{
    for (size_t i = 0; i < e->m; i++) {
        for (size_t j = 0; j < e->ldc; j++) {
            double want = (double)e->before[i * e->ldc + j], size = 0;
            if (j < e->n) {
                want *= (double)beta;
                for (size_t p = 0; p < e->k; p++) {
                    double v = entry(e->A, e->lda, e->transa, i, p) * entry(e->B, e->ldb, e->transb, p, j);
                    want += (double)alpha * v;
                    size += v * v;
                }
            }
            assert_near((double)e->C[i * e->ldc + j], want, j < e->n ? 1e-6 + 3e-6 * size : 0);
        }
    }
}

/* Odd sizes, sizes beside every border of the blocks, no k at all; what lies between rows stays as it was. */
static void test_products(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{1, 1, 1},    {1, 40, 300},  {5, 3, 7},     {7, 33, 256},   {8, 16, 257},
                                      {13, 31, 12}, {97, 17, 100}, {193, 15, 40}, {200, 270, 30}, {6, 300, 600},
                                      {4, 4, 0},    {65, 64, 63},  {12, 32, 512}, {100, 96, 130}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (int trans = 0; trans < 4; trans++) {
            static const float scale[][2] = {{1, 0}, {1, 1}, {-0.5f, 2}};
            for (size_t q = 0; q < 3; q++) {
                example e = make(trans & 1, trans >> 1, sizes[s][0], sizes[s][1], sizes[s][2]);
                run(&e, scale[q][0], scale[q][1]);
                check(&e, scale[q][0], scale[q][1]);
                drop(&e);
            }
        }
    }
}

/* With beta 0 what C held isn't read, NaN or not. */
static void test_beta_0(void **state)
{
    (void)state;
    example e = make(0, 1, 9, 20, 30);
    memset(e.C, 0xff, 9 * e.ldc * sizeof *e.C);
    run(&e, 1, 0);
    for (size_t i = 0; i < 9; i++) {
        for (size_t j = 0; j < 20; j++) {
            assert_true(e.C[i * e.ldc + j] == e.C[i * e.ldc + j]);
        }
    }
    drop(&e);
}

/* On what C was. */
static void again(const example *e, float alpha, float beta)
{
    memcpy(e->C, e->before, e->m * e->ldc * sizeof *e->C);
    run(e, alpha, beta);
}

/* Rows of op(A) from i on, columns of op(B) from j on, alone: entries [i, i + m) x [j, j + n) to `to` (m, n). */
static void part(const example *e, float alpha, float beta, size_t i, size_t j, size_t m, size_t n, float *to)
{
    const float *a = e->A + (e->transa ? i : i * e->lda), *b = e->B + (e->transb ? j * e->ldb : j);
    for (size_t r = 0; r < m; r++) {
        memcpy(to + r * n, e->before + (i + r) * e->ldc + j, n * sizeof *to);
    }
    hs_sgemm(e->transa, e->transb, m, n, e->k, alpha, a, e->lda, b, e->ldb, beta, to, n);
}

static void check_same_bits(int trans, float alpha, float beta)
{
    enum { M = 211, N = 77 };
    example e = make(trans & 1, trans >> 1, M, N, 530);
    float *all = noise(M * e.ldc, 3), row[N], one;
    omp_set_num_threads(1);
    again(&e, alpha, beta);
    memcpy(all, e.C, M * e.ldc * sizeof *all);
    for (int t = 2; t <= 7; t++) {
        omp_set_num_threads(t);
        again(&e, alpha, beta);
        assert_memory_equal(e.C, all, M * e.ldc * sizeof *all);
    }
#pragma omp parallel num_threads(2)
#pragma omp single
    again(&e, alpha, beta);
    assert_memory_equal(e.C, all, M * e.ldc * sizeof *all);
    for (size_t i = 0; i < M; i += 7) {
        part(&e, alpha, beta, i, 0, 1, N, row);
        assert_memory_equal(row, all + i * e.ldc, sizeof row);
        part(&e, alpha, beta, i, i % N, 1, 1, &one);
        assert_memory_equal(&one, all + i * e.ldc + i % N, sizeof one);
    }
    free(all);
    drop(&e);
}

/* One row alone, one entry alone, any number of threads, inside a parallel region: the same bits, whether the kernel
 * adds to C itself (alpha 1, whole panels) or not. */
static void test_same_bits(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    for (int trans = 0; trans < 4; trans++) {
        check_same_bits(trans, 0.7f, 0);
        check_same_bits(trans, 1, 0);
        check_same_bits(trans, 1, 1);
    }
    omp_set_num_threads(threads);
}

/* Threads that come and go give back what they multiplied with: 730 kB each would be 290 MB. */
static void *multiply_once(void *of)
{
    run(of, 0.7f, 0);
    return NULL;
}

static void test_threads_that_end(void **state)
{
    (void)state;
    example e = make(0, 1, 40, 40, 300);
    struct rusage before, after;
    for (int i = 0; i < 420; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, multiply_once, &e), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (i == 20) {
            getrusage(RUSAGE_SELF, &before);
        }
    }
    getrusage(RUSAGE_SELF, &after);
    assert_true(after.ru_maxrss - before.ru_maxrss < 50 << 10);
    drop(&e);
}

#ifndef __SANITIZE_ADDRESS__
static _Thread_local int no_memory;

void *__libc_memalign(size_t align, size_t size);

/* In front of the C library's. */
void *aligned_alloc(size_t align, size_t size)
{
    return no_memory ? NULL : __libc_memalign(align, size);
}

static void *multiply_without_memory(void *of)
{
    no_memory = 1; /* this thread has multiplied nothing yet */
    omp_set_num_threads(1);
    run(of, 0.7f, 0);
    return NULL;
}

/* A thread that gets no memory for its blocks: the same bits. */
static void test_without_memory(void **state)
{
    (void)state;
    for (int trans = 0; trans < 4; trans++) {
        example e = make(trans & 1, trans >> 1, 211, 77, 530), same = make(trans & 1, trans >> 1, 211, 77, 530);
        pthread_t thread;
        run(&e, 0.7f, 0);
        assert_int_equal(pthread_create(&thread, NULL, multiply_without_memory, &same), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_memory_equal(e.C, same.C, 211 * e.ldc * sizeof *e.C);
        drop(&e);
        drop(&same);
    }
}
#else
static void test_without_memory(void **state)
{
    (void)state; /* the sanitizer's allocator is not to be replaced */
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_beta_0),
                                       cmocka_unit_test(test_same_bits), cmocka_unit_test(test_without_memory),
                                       cmocka_unit_test(test_threads_that_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
