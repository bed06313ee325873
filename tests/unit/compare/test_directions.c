/* Directions carried through alignments: planted ones are found again, others are not. */
#include "analysis/compare/directions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/planted_spaces.h"
#include "tests/support/support.h"

enum { N = 120, K = 5, DA = 200, DB = 150 };

/* Latent axis l of side s, with a part of length `beside` outside the latent. */
static float *axis(const planted_spaces *p, size_t s, size_t l, double beside)
{
    float *v, *e;
    size_t d = p->d[s];
    assert_ok(hs_alloc(d, sizeof *v, &v));
    assert_ok(hs_alloc(d, sizeof *e, &e));
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 50 + s}, 0, d, e);
    for (size_t j = 0; j < d; j++) {
        v[j] = (float)(3 * p->loading[s][j * K + l] + 3 * beside * (double)e[j] / sqrt((double)d));
    }
    free(e);
    return v;
}

static void judge(const planted_spaces *p, size_t D, const hs_direction_pair *pair, hs_direction_answer *answer)
{
    planted_rows ra = {p->x[0], p->d[0]}, rb = {p->x[1], p->d[1]};
    hs_compare_side A = planted_side(&ra, p->n), B = planted_side(&rb, p->n);
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    hs_carrier *c;
    hs_comparison x = {0};
    assert_ok(hs_carrier_new(&A, &B, D, pair, &o, &c));
    const hs_compare_watch watch = hs_carrier_watch(c);
    assert_ok(hs_compare_run(&A, &B, &o, &watch, &x));
    assert_ok(hs_carrier_judge(c, answer));
    hs_comparison_free(&x);
    hs_carrier_free(c);
}

static void test_planted_directions(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(N, K, DA, DB, .3, 21);
    float *a0 = axis(&p, 0, 0, 0), *a1 = axis(&p, 0, 1, 0), *b0 = axis(&p, 1, 0, 0), *b1 = axis(&p, 1, 1, 0),
          *far = axis(&p, 1, 0, 20);
    const hs_direction_pair pair[4] = {
        {"one", "one", a0, b0}, {"two", "two", a1, b1}, {"one", "two", a0, b1}, {"one", "far", a0, far}};
    hs_direction_answer r[4];
    judge(&p, 4, pair, r);
    for (size_t j = 0; j < 2; j++) {
        assert_int_equal(r[j].verdict, HS_VERDICT_HOLDS);
        assert_true(r[j].lower.value > .9 && r[j].lower.lo > .8 && r[j].lower.hi < 1.1);
        assert_true(r[j].cosine[0] > r[j].shuffled[0] && r[j].cosine[0] > r[j].random[0]);
        assert_true(isnan(r[j].raw)); /* 200 and 150 features */
    }
    assert_int_equal(r[2].verdict, HS_VERDICT_FAILS);
    assert_near(r[2].lower.value, 0, .2);
    assert_true(r[3].verdict != HS_VERDICT_HOLDS); /* mostly outside what the images span and share */
    assert_int_equal(hs_directions_verdict(2, r), HS_VERDICT_HOLDS);
    assert_int_equal(hs_directions_verdict(3, r), HS_VERDICT_FAILS);
    free(a0), free(a1), free(b0), free(b1), free(far);
    planted_spaces_free(&p);
}

/* A direction of a space is itself there, whatever axis; and the other way round is the same. */
static void test_itself(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(60, K, DA, DA, .3, 22);
    float *a = axis(&p, 0, 2, .5), *b = axis(&p, 0, 3, 0);
    memcpy(p.x[1], p.x[0], 60 * DA * sizeof(float));
    const hs_direction_pair pair[2] = {{"a", "a", a, a}, {"b", "b", b, b}};
    hs_direction_answer r[2];
    judge(&p, 2, pair, r);
    for (size_t j = 0; j < 2; j++) {
        assert_int_equal(r[j].verdict, HS_VERDICT_HOLDS);
        assert_near(r[j].lower.value, 1, 1e-9);
        assert_near(r[j].over[0].value, r[j].over[1].value, 1e-9);
        assert_near(r[j].raw, 1, 1e-6);
        assert_true(r[j].raw_control < .5);
    }
    free(a), free(b);
    planted_spaces_free(&p);
}

static void test_swapping(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(N, K, DA, DB, 1, 23), q = p;
    float *a = axis(&p, 0, 0, .2), *b = axis(&p, 1, 0, .3);
    const hs_direction_pair there = {"a", "b", a, b}, back = {"b", "a", b, a};
    hs_direction_answer r, s;
    for (size_t i = 0; i < 2; i++) {
        q.x[i] = p.x[1 - i];
        q.d[i] = p.d[1 - i];
    }
    judge(&p, 1, &there, &r);
    judge(&q, 1, &back, &s);
    for (size_t w = 0; w < 2; w++) {
        assert_near(r.cosine[w], s.cosine[1 - w], 1e-9);
        assert_near(r.ceiling[w], s.ceiling[1 - w], 1e-9);
        assert_near(r.random[w], s.random[1 - w], 1e-9);
    }
    assert_near(r.lower.lo, s.lower.lo, 1e-9);
    assert_int_equal(r.verdict, s.verdict);
    free(a), free(b);
    planted_spaces_free(&p);
}

static void test_errors(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(20, K, DA, DB, 1, 24);
    planted_rows ra = {p.x[0], DA}, rb = {p.x[1], DB};
    hs_compare_side A = planted_side(&ra, 20), B = planted_side(&rb, 20);
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    float *a = axis(&p, 0, 0, 0), zero[DB] = {0};
    hs_direction_pair pair = {"a", "nothing", a, zero};
    hs_carrier *c = NULL;
    assert_code(hs_carrier_new(&A, &B, 1, &pair, &o, &c), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "nothing is 0"));
    zero[3] = INFINITY;
    assert_code(hs_carrier_new(&A, &B, 1, &pair, &o, &c), HS_EDEGENERATE);
    assert_null(c);
    hs_carrier_free(NULL);
    free(a);
    planted_spaces_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_directions),
        cmocka_unit_test(test_itself),
        cmocka_unit_test(test_swapping),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
