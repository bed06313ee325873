/* Deltas read by several threads give the bits of deltas read one after another, and all of them are shown, in order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas.h"
#include "core/base/alloc.h"
#include "tests/support/delta_sample.h"
#include "tests/support/support.h"

enum { N = 500, S = 11, D = 2501 }; /* more steps than go together, more columns too; none of a round number */

typedef struct {
    const float *v;
    int lent;       /* rows stay where they lie */
    size_t fail;    /* the image that can't be read, or N */
    size_t shown;   /* images so far */
    size_t strange; /* that came out of order, or with other numbers */
} viewer;

HS_CHECKED static int read_rows(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    const viewer *w = ctx;
    if (first <= w->fail && w->fail < first + n) {
        return hs_fail(HS_EIO, "image %zu", w->fail);
    }
    *v = w->v + first * S * D;
    if (!w->lent) {
        memcpy(room, *v, n * S * D * sizeof *room);
        *v = room;
    }
    return HS_OK;
}

static void seen(void *ctx, size_t first, size_t n, const float *v)
{
    viewer *w = ctx;
    w->strange += first != w->shown || memcmp(v, w->v + first * S * D, n * S * D * sizeof *v) != 0;
    w->shown += n;
}

static int reduce(viewer *w, int parallel, int pooled, hs_deltas *out)
{
    hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    const hs_deltas_source s = {
        .n = N, .S = S, .d = D, .read = read_rows, .seen = seen, .ctx = w, .parallel = parallel};
    limits.images_max = pooled ? 1 : limits.images_max;
    w->shown = 0;
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

/* The sums themselves, added up plainly. */
static void assert_sums(const float *v, size_t wrong, const hs_deltas *x)
{
    double square[S] = {0}, plain[S] = {0}, images = 0, plain_images = 0;
    double *mean;
    assert_ok(hs_alloc(D, sizeof *mean, &mean));
    for (size_t i = 0; i < N; i++) {
        memset(mean, 0, D * sizeof *mean);
        for (size_t k = 0; k < S && i != wrong; k++) {
            for (size_t j = 0; j < D; j++) {
                double w = (double)v[(i * S + k) * D + j];
                plain[k] += w * w;
                mean[j] += w / S;
            }
        }
        for (size_t j = 0; j < D; j++) {
            plain_images += mean[j] * mean[j];
        }
    }
    for (size_t u = 0; u < x->units; u++) {
        images += x->square_of_image[u];
        for (size_t k = 0; k < S; k++) {
            square[k] += x->square[u * S + k];
        }
    }
    for (size_t k = 0; k < S; k++) {
        assert_near(square[k] / plain[k], 1, 1e-12);
    }
    assert_near(images / plain_images, 1, 1e-12);
    free(mean);
}

/* `wrong`: the number of an image whose last step has an infinity, or N. */
static void compare(const float *planted, int pooled, size_t wrong)
{
    float *v;
    hs_deltas a = {0}, b = {0}, c = {0};
    assert_ok(hs_alloc(N, S * D * sizeof *v, &v));
    memcpy(v, planted, N * S * D * sizeof *v);
    if (wrong < N) {
        v[(wrong + 1) * S * D - 1] = INFINITY;
    }
    viewer w = {.v = v, .fail = N};
    assert_ok(reduce(&w, 0, pooled, &a));
    assert_int_equal(w.shown, N);
    assert_ok(reduce(&w, 1, pooled, &b));
    assert_int_equal(w.shown, N);
    w.lent = 1;
    assert_ok(reduce(&w, 1, pooled, &c));
    assert_int_equal(w.shown, N);
    assert_int_equal(w.strange, 0);
    assert_alike(&a, &b);
    assert_alike(&a, &c);
    assert_int_equal(b.bad, wrong < N);
    assert_sums(v, wrong, &b);
    hs_deltas_free(&a);
    hs_deltas_free(&b);
    hs_deltas_free(&c);
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

static void test_failure_of_read(void **state)
{
    (void)state;
    hs_deltas x = {0};
    float *v = deltas_planted(N, S, D, 0.3, 0.2, 0.4, 12);
    for (int parallel = 0; parallel <= 1; parallel++) {
        viewer w = {.v = v, .fail = 120};
        assert_code(reduce(&w, parallel, 0, &x), HS_EIO);
        assert_string_equal(hs_error_message(), "image 120");
        assert_in_range(w.shown, 0, 120);
    }
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits), cmocka_unit_test(test_failure_of_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
