/* Deltas looked at in memory give the bits of deltas that are read, and every number is shown once, in order. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas.h"
#include "core/base/alloc.h"
#include "tests/support/delta_sample.h"
#include "tests/support/support.h"

enum { N = 500, S = 5, D = 5001 }; /* eight images are some steps at a time, not all; D of no round number */

typedef struct {
    const float *v;
    float *shown;           /* (N, S, D) */
    unsigned char done[N];  /* images that were said to be done */
    int fail;               /* the image whose seen fails; -1: none */
    size_t next[N], others; /* steps that should come next; those that came out of order */
} viewer;

HS_CHECKED static int read_rows(void *ctx, size_t first, size_t n, float *out)
{
    const viewer *w = ctx;
    memcpy(out, w->v + first * S * D, n * S * D * sizeof *out);
    return HS_OK;
}

HS_CHECKED static int seen(void *ctx, size_t image, size_t k, size_t steps, const float *v)
{
    viewer *w = ctx;
    if ((int)image == w->fail) {
        return hs_fail(HS_EIO, "image %zu", image);
    }
    if (w->next[image] != k) {
#pragma omp atomic
        w->others++;
    }
    w->next[image] = k + steps;
    memcpy(w->shown + (image * S + k) * D, v, steps * D * sizeof *v);
    return HS_OK;
}

static void done(void *ctx, size_t first, size_t n)
{
    viewer *w = ctx;
    memset(w->done + first, 1, n);
}

static int reduce(viewer *w, int in_place, int pooled, hs_deltas *out)
{
    hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    hs_deltas_source s = {.n = N, .S = S, .d = D, .read = read_rows, .ctx = w};
    limits.images_max = pooled ? 1 : limits.images_max;
    if (in_place) {
        s.rows = w->v;
        s.seen = seen;
        s.done = done;
    }
    return hs_deltas_reduce(&s, &limits, NULL, out);
}

static void assert_alike(const hs_deltas *a, const hs_deltas *b)
{
    assert_int_equal(a->units, b->units);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->bad, b->bad);
    assert_int_equal(a->first_bad, b->first_bad);
    assert_memory_equal(a->sum, b->sum, a->units * S * D * sizeof *a->sum);
    assert_memory_equal(a->count, b->count, a->units * sizeof *a->count);
    assert_memory_equal(a->square, b->square, a->units * S * sizeof *a->square);
    assert_memory_equal(a->nonzero, b->nonzero, a->units * S * sizeof *a->nonzero);
    assert_memory_equal(a->square_of_image, b->square_of_image, a->units * sizeof *a->square_of_image);
    assert_int_equal(a->unit_sum != NULL, b->unit_sum != NULL);
    if (a->unit_sum != NULL) {
        assert_memory_equal(a->unit_sum, b->unit_sum, a->units * S * D * sizeof *a->unit_sum);
    }
}

/* `wrong`: the number of an image whose last step has an infinity, or N. */
static void compare(const float *planted, int pooled, size_t wrong)
{
    float *v;
    viewer w = {.fail = -1};
    hs_deltas a = {0}, b = {0};
    assert_ok(hs_alloc(N, S * D * sizeof *v, &v));
    assert_ok(hs_calloc(N, S * D * sizeof *w.shown, &w.shown));
    memcpy(v, planted, N * S * D * sizeof *v);
    if (wrong < N) {
        v[(wrong + 1) * S * D - 1] = INFINITY;
    }
    w.v = v;
    assert_ok(reduce(&w, 0, pooled, &a));
    assert_ok(reduce(&w, 1, pooled, &b));
    assert_alike(&a, &b);
    assert_int_equal(b.bad, wrong < N);
    assert_int_equal(w.others, 0);
    assert_memory_equal(w.shown, v, N * S * D * sizeof *v);
    assert_null(memchr(w.done, 0, N));
    hs_deltas_free(&a);
    hs_deltas_free(&b);
    free(w.shown);
    free(v);
}

static void test_same_bits(void **state)
{
    (void)state;
    float *v = deltas_planted(N, S, D, 0.3, 0.2, 0.4, 11);
    for (int pooled = 0; pooled <= 1; pooled++) {
        compare(v, pooled, N);
        compare(v, pooled, 0);
        compare(v, pooled, 397);
    }
    free(v);
}

static void test_failure_of_seen(void **state)
{
    (void)state;
    hs_deltas x = {0};
    viewer w = {.fail = 120};
    float *v = deltas_planted(N, S, D, 0.3, 0.2, 0.4, 12);
    assert_ok(hs_calloc(N, S * D * sizeof *w.shown, &w.shown));
    w.v = v;
    assert_code(reduce(&w, 1, 0, &x), HS_EIO);
    assert_string_equal(hs_error_message(), "image 120");
    free(w.shown);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_failure_of_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
