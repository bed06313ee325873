/* datasets/faces: the joint distribution and the drawing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "datasets/faces.h"
#include "tests/support/support.h"

enum { DRAWS = 100000, SIDE = 32, PIXELS = 3 * SIDE * SIDE };

static void middle(double *f)
{
    for (size_t i = 0; i < hs_face_factor_count(); i++) {
        const hs_face_factor *a = hs_face_factor_at(i);
        f[i] = a->kind == HS_FACE_BINARY ? 0 : (a->lo + a->hi) / 2;
    }
}

static void test_factors_are_named_once_and_found(void **state)
{
    (void)state;
    size_t n = hs_face_factor_count();
    assert_in_range(n, 12, HS_FACE_FACTORS_MAX);
    for (size_t i = 0; i < n; i++) {
        const hs_face_factor *a = hs_face_factor_at(i);
        assert_int_equal(hs_face_factor_find(a->name), (int)i);
        assert_true(a->lo < a->hi && strlen(a->meaning) > 0);
    }
    assert_null(hs_face_factor_at(n));
    assert_int_equal(hs_face_factor_find("nose"), -1);
    assert_null(hs_face_style_name(hs_face_style_count()));
}

static void test_a_draw_is_a_function_of_seed_and_index(void **state)
{
    (void)state;
    double a[HS_FACE_FACTORS_MAX] = {0}, b[HS_FACE_FACTORS_MAX] = {0};
    hs_face_draw(5, 1, a);
    hs_face_draw(5, 2, b);
    assert_memory_not_equal(a, b, sizeof a);
    hs_face_draw(6, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    hs_face_draw(5, 1, b);
    assert_memory_equal(a, b, sizeof a);
}

/* Pearson of columns i and j of v (DRAWS, n). */
static double pearson(const double *v, size_t n, size_t i, size_t j)
{
    double a = 0, b = 0, aa = 0, bb = 0, ab = 0;
    for (size_t k = 0; k < DRAWS; k++) {
        a += v[k * n + i] / DRAWS;
        b += v[k * n + j] / DRAWS;
    }
    for (size_t k = 0; k < DRAWS; k++) {
        double x = v[k * n + i] - a, y = v[k * n + j] - b;
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    return ab / sqrt(aa * bb);
}

static void test_correlations_are_those_stated(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        double r;
    } stated[] = {{"age", "glasses", 0.4},
                  {"hair_length", "beard", -0.3},
                  {"smile", "mouth_open", 0.3},
                  {"brow", "eye_open", 0.25}};
    size_t n = hs_face_factor_count(), pairs = 0;
    double *v = calloc(DRAWS * n, sizeof *v);
    assert_non_null(v);
    for (size_t k = 0; k < DRAWS; k++) {
        hs_face_draw(1, k, v + k * n);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_near(pearson(v, n, i, j), hs_face_correlation(i, j), 0.015);
            pairs += hs_face_correlation(i, j) != 0;
        }
        assert_near(hs_face_correlation(i, i), 1, 0);
    }
    assert_int_equal(pairs, sizeof stated / sizeof *stated);
    for (size_t k = 0; k < sizeof stated / sizeof *stated; k++) {
        size_t i = (size_t)hs_face_factor_find(stated[k].a), j = (size_t)hs_face_factor_find(stated[k].b);
        assert_near(hs_face_correlation(i, j), stated[k].r, 0);
        assert_near(hs_face_correlation(j, i), stated[k].r, 0);
    }
    free(v);
}

/* A uniform value has mean (lo + hi)/2 and deviation (hi - lo)/sqrt(12); a fair coin 1/2 and 1/2. */
static void test_each_factor_fills_its_range_evenly(void **state)
{
    (void)state;
    for (size_t i = 0; i < hs_face_factor_count(); i++) {
        const hs_face_factor *a = hs_face_factor_at(i);
        double f[HS_FACE_FACTORS_MAX], sum = 0, square = 0, range = a->hi - a->lo;
        for (size_t k = 0; k < DRAWS; k++) {
            hs_face_draw(2, k, f);
            double u = (f[i] - a->lo) / range;
            assert_true(u >= 0 && u <= 1);
            assert_true(a->kind == HS_FACE_CONTINUOUS || u == 0 || u == 1);
            sum += u / DRAWS;
            square += u * u / DRAWS;
        }
        assert_near(sum, 0.5, 0.008);
        assert_near(sqrt(square - sum * sum), a->kind == HS_FACE_BINARY ? 0.5 : 1 / sqrt(12), 0.005);
    }
}

static void test_every_factor_changes_the_picture(void **state)
{
    (void)state;
    static float low[PIXELS], high[PIXELS];
    for (size_t s = 0; s < hs_face_style_count(); s++) {
        for (size_t i = 0; i < hs_face_factor_count(); i++) {
            double f[HS_FACE_FACTORS_MAX], change = 0;
            middle(f);
            f[i] = hs_face_factor_at(i)->lo;
            assert_ok(hs_face_render(s, f, SIDE, low));
            f[i] = hs_face_factor_at(i)->hi;
            assert_ok(hs_face_render(s, f, SIDE, high));
            for (size_t k = 0; k < PIXELS; k++) {
                change += (double)((high[k] - low[k]) * (high[k] - low[k]));
                assert_true(fabsf(low[k]) <= 1 && fabsf(high[k]) <= 1);
            }
            /* At least the energy of twenty values changed by half the range of a pixel. */
            if (change < 20) {
                fail_msg("%s, style %zu: squared change %g", hs_face_factor_at(i)->name, s, change);
            }
        }
    }
}

/* The same face drawn four times finer and averaged is nearly the coarse one: antialiasing, and no
 * part that depends on the resolution. */
static void test_resolution_does_not_change_the_face(void **state)
{
    (void)state;
    static float coarse[PIXELS], fine[16 * PIXELS];
    for (size_t s = 0; s < hs_face_style_count(); s++) {
        double f[HS_FACE_FACTORS_MAX], error = 0;
        hs_face_draw(3, 4, f);
        assert_ok(hs_face_render(s, f, SIDE, coarse));
        assert_ok(hs_face_render(s, f, 4 * SIDE, fine));
        for (size_t i = 0; i < PIXELS; i++) {
            size_t k = i / (SIDE * SIDE), y = i / SIDE % SIDE, x = i % SIDE;
            float mean = 0;
            for (size_t q = 0; q < 16; q++) {
                mean += fine[(k * 4 * SIDE + 4 * y + q / 4) * 4 * SIDE + 4 * x + q % 4] / 16;
            }
            error += (double)((mean - coarse[i]) * (mean - coarse[i])) / PIXELS;
        }
        assert_true(sqrt(error) < 0.08);
    }
}

static void test_values_outside_the_range_are_clamped(void **state)
{
    (void)state;
    static float a[PIXELS], b[PIXELS];
    double f[HS_FACE_FACTORS_MAX];
    middle(f);
    f[0] = 1;
    assert_ok(hs_face_render(0, f, SIDE, a));
    f[0] = 7;
    assert_ok(hs_face_render(0, f, SIDE, b));
    assert_memory_equal(a, b, sizeof a);
    f[0] = (double)NAN;
    assert_ok(hs_face_render(0, f, SIDE, b));
    f[0] = -1;
    assert_ok(hs_face_render(0, f, SIDE, a));
    assert_memory_equal(a, b, sizeof a);
}

static void test_sizes_and_styles(void **state)
{
    (void)state;
    float *x = calloc((size_t)3 * 1024 * 1024, sizeof *x);
    double f[HS_FACE_FACTORS_MAX];
    assert_non_null(x);
    middle(f);
    assert_code(hs_face_render(0, f, 7, x), HS_ERANGE);
    assert_code(hs_face_render(0, f, 1025, x), HS_ERANGE);
    assert_code(hs_face_render(hs_face_style_count(), f, 32, x), HS_ERANGE);
    for (size_t s = 0; s < hs_face_style_count(); s++) {
        assert_ok(hs_face_render(s, f, 8, x));
        assert_ok(hs_face_render(s, f, 1024, x));
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_factors_are_named_once_and_found),
        cmocka_unit_test(test_a_draw_is_a_function_of_seed_and_index),
        cmocka_unit_test(test_correlations_are_those_stated),
        cmocka_unit_test(test_each_factor_fills_its_range_evenly),
        cmocka_unit_test(test_every_factor_changes_the_picture),
        cmocka_unit_test(test_resolution_does_not_change_the_face),
        cmocka_unit_test(test_values_outside_the_range_are_clamped),
        cmocka_unit_test(test_sizes_and_styles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
