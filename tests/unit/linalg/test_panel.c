/* The packed products against a plain sum in double. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/panel.h"
#include "tests/support/support.h"

/* C as it was, when the product is added to it, and what lies beside its rows, which nobody may touch. */
static void check(const hs_panel_kernel *kernel, size_t m, size_t k, int onto)
{
    size_t width = kernel->width, lda = k + 5, ldc = width + 31; /* rows of any alignment */
    float *A, *P, *C, *before;
    assert_ok(hs_alloc(m * lda, sizeof *A, &A));
    assert_ok(hs_alloc(k * width, sizeof *P, &P));
    assert_ok(hs_alloc(m * ldc, sizeof *C, &C));
    assert_ok(hs_alloc(m * ldc, sizeof *before, &before));
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 1}, 0, m * lda, A);
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 2}, 0, k * width, P);
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 3}, 0, m * ldc, C);
    memcpy(before, C, m * ldc * sizeof *C);
    kernel->run(m, k, A, lda, P, onto, C, ldc);
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < width; j++) {
            double want = onto ? (double)before[i * ldc + j] : 0;
            for (size_t p = 0; p < k; p++) {
                want += (double)A[i * lda + p] * (double)P[p * width + j];
            }
            assert_near((double)C[i * ldc + j], want, 3e-7 * (double)k); /* k products of size 1 */
        }
        assert_memory_equal(C + i * ldc + width, before + i * ldc + width, (ldc - width) * sizeof *C);
    }
    free(A), free(P), free(C), free(before);
}

static void test_kernels(void **state)
{
    (void)state;
    static const char *const names[] = {"avx512", "avx2", "any"};
    static const size_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 20, 36, 64};
    for (size_t i = 0; i < 3; i++) {
        const hs_panel_kernel *kernel = hs_panel_named(names[i]);
        if (kernel == NULL) {
            printf("SKIP: this processor has no %s\n", names[i]);
            continue;
        }
        assert_string_equal(kernel->name, names[i]);
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
            check(kernel, rows[r], 16, 0);
            check(kernel, rows[r], 37, 0);
            check(kernel, rows[r], 37, 1);
        }
    }
    assert_null(hs_panel_named("none"));
}

/* Fused sums in one order: avx512 and avx2 agree in every bit. */
static void test_fused_kernels_agree(void **state)
{
    (void)state;
    enum { M = 13, K = 70, WIDE = 32, HALF = 16 };
    const hs_panel_kernel *wide = hs_panel_named("avx512"), *half = hs_panel_named("avx2");
    if (wide == NULL || half == NULL) {
        printf("SKIP: this processor has no avx512\n");
        return;
    }
    float *A, *P, *C, *left, *D;
    assert_ok(hs_alloc(M * K, sizeof *A, &A));
    assert_ok(hs_alloc(K * WIDE, sizeof *P, &P));
    assert_ok(hs_alloc(K * HALF, sizeof *left, &left));
    assert_ok(hs_alloc(M * WIDE, sizeof *C, &C));
    assert_ok(hs_alloc(M * HALF, sizeof *D, &D));
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 1}, 0, M * K, A);
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 2}, 0, K * WIDE, P);
    for (size_t p = 0; p < K; p++) {
        memcpy(left + p * HALF, P + p * WIDE, HALF * sizeof *P);
    }
    wide->run(M, K, A, K, P, 0, C, WIDE);
    half->run(M, K, A, K, left, 0, D, HALF);
    for (size_t i = 0; i < M; i++) {
        assert_memory_equal(C + i * WIDE, D + i * HALF, HALF * sizeof *C);
    }
    free(A), free(P), free(left), free(C), free(D);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kernels), cmocka_unit_test(test_fused_kernels_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
