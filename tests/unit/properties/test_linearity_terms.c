/* Additivity and cross-talk of planted effects against their closed form. */
#include <math.h>

#include "analysis/properties/linearity.h"
#include "tests/support/support.h"

enum { N = 24, T = 2, F = 3, M = 9 };
static const char *const name[T] = {"smile", "age"};

/* Effects at the largest strength of image i: of the terms, and of their sum, `bend` times their product more. */
static void plant(double bend, size_t f, double *sum, double *term)
{
    for (size_t i = 0; i < N; i++) {
        for (size_t q = 0; q < f; q++) {
            double a = 1 + 0.3 * sin((double)(i * f + q)), b = -0.5 + 0.4 * cos((double)(2 * i + q));
            term[i * f + q] = a;
            term[(N + i) * f + q] = b;
            sum[i * f + q] = a + b + bend * a * b;
        }
    }
}

static hs_linearity measure(const hs_line_terms *t)
{
    static double value[N * M];
    const double strength[M] = {-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2};
    hs_effects e = {0};
    hs_linearity l = {0};
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    o.bootstrap.B = 500;
    o.spread = 0.5;
    o.terms = t;
    for (size_t i = 0; i < N * M; i++) {
        value[i] = sin((double)i) * 0.01 + strength[i % M];
    }
    assert_ok(hs_effects_create("smile + age", N, M, strength, value, 0, NULL, NULL, &e));
    assert_ok(hs_linearity_measure(&e, &o, &l));
    hs_effects_free(&e);
    return l;
}

static double stat(const hs_linearity *l, const char *what)
{
    const hs_estimate *e = hs_measurement_find(&l->result, what);
    assert_non_null(e);
    return e->value;
}

static void check(double bend, size_t f)
{
    double sum[N * F], term[T * N * F], rest = 0, other = 0, whole = 0, mean[T] = {0};
    hs_line_terms t = {0};
    plant(bend, f, sum, term);
    assert_ok(hs_line_terms_create(T, N, f, name, sum, term, &t));
    hs_linearity l = measure(&t);
    for (size_t i = 0; i < N * f; i++) {
        size_t next = (i + f) % (N * f);
        double a = term[i], b = term[N * f + i], x = sum[i] - term[next] - term[N * f + next];
        rest += bend * a * b * bend * a * b;
        other += x * x;
        whole += sum[i] * sum[i];
        mean[0] += a / N;
        mean[1] += b / N;
    }
    assert_near(stat(&l, "additivity"), sqrt(rest / whole), 1e-12);
    assert_near(stat(&l, "additivity_null"), sqrt(other / whole), 1e-12);
    const hs_estimate *e = hs_measurement_find(&l.result, "additivity");
    assert_true(bend == 0 || (e->lo < e->value && e->value < e->hi));
    if (f == 1) {
        assert_near(stat(&l, "crosstalk(smile)"), mean[0] / 0.5, 1e-12);
        assert_near(stat(&l, "crosstalk(age)"), mean[1] / 0.5, 1e-12);
    } else {
        assert_null(hs_measurement_find(&l.result, "crosstalk(smile)"));
    }
    hs_linearity_free(&l);
    hs_line_terms_free(&t);
}

static void test_planted(void **state)
{
    (void)state;
    check(0, 1);
    check(0, F);
    check(0.7, 1);
    check(0.7, F);
}

/* Random sets bent by 0.1, 0.2, 0.6: mean and prediction limits in closed form; two of them have no limits. */
static void check_random(size_t f, size_t K)
{
    static const double bend[3] = {0.1, 0.2, 0.6};
    double sum[N * F], term[T * N * F], v[3] = {0}, mean = 0, square = 0;
    hs_line_terms t = {0};
    plant(0, f, sum, term);
    assert_ok(hs_line_terms_create(T, N, f, name, sum, term, &t));
    assert_ok(hs_line_terms_random(&t, K));
    for (size_t k = 0; k < K; k++) {
        double rest = 0, whole = 0;
        plant(bend[k], f, sum, term);
        hs_line_terms_put_random(&t, k, f, sum, term);
        for (size_t i = 0; i < N * f; i++) {
            double x = bend[k] * term[i] * term[N * f + i];
            rest += x * x;
            whole += sum[i] * sum[i];
        }
        v[k] = sqrt(rest / whole);
        mean += v[k] / (double)K;
    }
    for (size_t k = 0; k < K; k++) {
        square += (v[k] - mean) * (v[k] - mean);
    }
    hs_linearity l = measure(&t);
    const hs_estimate *e = hs_measurement_find(&l.result, "additivity_random");
    assert_non_null(e);
    assert_near(e->value, mean, 1e-12);
    assert_int_equal(e->n, K);
    if (K == 3) { /* Student's t at .975 with 2 degrees of freedom */
        assert_near(e->hi, mean + 4.302652729749464 * sqrt(square / 2 * 4 / 3), 1e-9);
        assert_true(e->lo == 0); /* cut there */
    } else {
        assert_true(isnan(e->lo) && isnan(e->hi) && e->reason != NULL);
    }
    e = hs_measurement_find(&l.result, "crosstalk_random(age)");
    assert_true((e != NULL) == (f == 1));
    if (e != NULL) { /* the same effects in all sets */
        assert_near(e->value, stat(&l, "crosstalk(age)"), 1e-12);
    }
    hs_linearity_free(&l);
    hs_line_terms_free(&t);
}

static void test_random_sets(void **state)
{
    (void)state;
    check_random(1, 3);
    check_random(F, 3);
    check_random(1, 2);
}

/* Terms of one name are told apart. */
static void test_names(void **state)
{
    static const char *const same[3] = {"on", "on", "on"};
    const double sum[2] = {1, 2}, term[6] = {0, 1, 1, 0, 0, 1};
    hs_line_terms t = {0};
    char text[64];
    (void)state;
    assert_ok(hs_line_terms_create(3, 2, 1, same, sum, term, &t));
    hs_line_crosstalk_name(&t, 0, 0, text);
    assert_string_equal(text, "crosstalk(on)");
    hs_line_crosstalk_name(&t, 2, 1, text);
    assert_string_equal(text, "crosstalk_random(on #3)");
    hs_line_terms_free(&t);
}

static void test_refusals(void **state)
{
    (void)state;
    double sum[N], term[T * N];
    hs_line_terms t = {0};
    plant(0, 1, sum, term);
    assert_code(hs_line_terms_create(1, N, 1, name, sum, term, &t), HS_ERANGE);
    assert_code(hs_line_terms_create(T, 0, 1, name, sum, term, &t), HS_ERANGE);
    assert_code(hs_line_terms_create(T, N, 0, name, sum, term, &t), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_random_sets), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
