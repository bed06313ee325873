/* Controls: what a measurement keeps of them, withheld verdicts, and that twins judged against twins don't hold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/controls.h"
#include "analysis/properties/homogeneity.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

static hs_measurement holding(double lo)
{
    hs_measurement m = {.property = "linearity", .verdict = HS_VERDICT_HOLDS, .standard = 0.85};
    m.primary = hs_estimate_of("linearity_index", (hs_interval){.value = 0.9, .lo = lo, .hi = 0.95}, 32, "");
    m.effect = hs_estimate_of("effect", (hs_interval){.value = 2, .lo = 1.8, .hi = 2.2}, 32, "");
    snprintf(m.reason, sizeof m.reason, "its reason");
    return m;
}

static void test_a_measurement_keeps_its_controls(void **state)
{
    (void)state;
    hs_measurement m = holding(0.87), of = holding(0.86);
    of.has_null = 1;
    of.null = hs_estimate_plain("null", 0.3, 4, "", NULL);
    for (int i = 0; i < 40; i++) { /* the list grows */
        assert_ok(hs_measurement_control(&m, "untrained U-Net", &of));
    }
    assert_ok(hs_measurement_control_missing(&m, "x_T", "why"));
    assert_ok(hs_measurement_own_controls(&m, "none given"));
    assert_int_equal(m.n_controls, 43);
    const hs_control_answer *a = &m.control[39], *x = &m.control[40], *null = &m.control[41], *rival = &m.control[42];
    assert_true(a->run && strcmp(a->verdict, "holds") == 0 && strcmp(a->reason, "its reason") == 0 && a->has_null);
    assert_near(a->primary.value, 0.9, 0);
    assert_near(a->null.value, 0.3, 0);
    assert_true(!x->run && strcmp(x->name, "x_T") == 0 && strcmp(x->reason, "why") == 0);
    assert_true(!null->run && !rival->run && strcmp(rival->reason, "none given") == 0);
    hs_measurement_free(&m);
    assert_true(m.control == NULL && m.n_controls == 0);
    m = of;
    assert_ok(hs_measurement_own_controls(&m, ""));
    assert_true(m.control[0].run && strstr(m.control[0].reason, "4 of them") != NULL);
    hs_measurement_free(&m);
}

static void test_what_twins_reach_is_not_said_to_hold(void **state)
{
    (void)state;
    const double twins[3 * 2] = {0.1, 0.1, -0.2, 0.2, 0.3, -0.3}; /* root mean squares .1 .2 .3: limit .90 */
    hs_measurement m = holding(0.87);
    m.effect = hs_estimate_plain("effect", 1, 2, "", NULL);
    m.effect.lo = 0.95;
    m.effect.hi = 1.2;
    assert_ok(hs_control_beside_twins(&m, 2, 3, twins));
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    assert_ok(hs_control_beside_twins(&m, 2, 0, NULL));
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    m.effect.lo = 0.85;
    assert_ok(hs_control_beside_twins(&m, 2, 3, twins));
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(m.reason, "twins"));
    hs_measurement_free(&m);
}

static void test_what_a_control_passes_is_not_said_to_hold(void **state)
{
    (void)state;
    hs_measurement m = holding(0.87), of = holding(0.86);
    assert_ok(hs_control_add(&m, HS_CONTROL_X_T, &of)); /* that x_T is linear, too, says nothing against h */
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    assert_ok(hs_control_add(&m, HS_CONTROL_LABELS, &of));
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(m.reason, "shuffled labels"));
    hs_measurement_free(&m);
    m = holding(0.87);
    assert_ok(hs_control_add(&m, HS_CONTROL_UNET, &of));
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_string_equal(m.control[0].verdict, "inconclusive"); /* what it says of itself: an untrained network */
    assert_non_null(strstr(m.control[0].reason, HS_UNTRAINED));
    hs_measurement_free(&m);
    m = holding(0.87);
    of.verdict = HS_VERDICT_FAILS;
    assert_ok(hs_control_add(&m, HS_CONTROL_UNET, &of));
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    assert_string_equal(m.control[0].verdict, "fails");
    hs_measurement_free(&m);
}

/* Limits in closed form. */
static void test_the_null_that_is_harder_to_beat(void **state)
{
    (void)state;
    const double a[4] = {1, -1, 0.5, 0.5}, b[2] = {0.9, -0.9};
    int harder = -1;
    /* of twins at least t_{K, .9875} rms: t_{1, .9875} = 25.45 times 0.9 against 3 times 1 */
    assert_ok(hs_control_harder(2, 2, a, 1, b, &harder));
    assert_int_equal(harder, 1);
    assert_ok(hs_control_harder(2, 1, a, 1, (const double[2]){0.1, 0.1}, &harder)); /* 3 against 2.5 */
    assert_int_equal(harder, 0);
    assert_ok(hs_control_harder(2, 0, NULL, 1, b, &harder));
    assert_int_equal(harder, 1);
    assert_ok(hs_control_harder(2, 1, b, 0, NULL, &harder));
    assert_int_equal(harder, 0);
    const double three[3] = {1, 2, 2}; /* rms sqrt 3, t_{3, .9875} = 4.1765348 (SciPy) */
    assert_near(hs_twin_limit(3, three), 7.233970553034861, 1e-6);
    assert_true(isnan(hs_twin_limit(0, NULL)));
    /* increments: against their own zero column */
    const double x[4] = {5, 5.1, 5, 5.1}, y[4] = {1, 2, 1, 2};
    double increment[4];
    hs_control_increments(2, 2, 0, 1, x, increment);
    hs_control_increments(2, 2, 0, 1, y, increment + 2);
    assert_ok(hs_control_harder(2, 1, increment, 1, increment + 2, &harder));
    assert_int_equal(harder, 1);
}

/* Directions from shuffled labels have effects of one kind: whichever is taken for the direction, the others are its
 * null.  Effects of all images alike (perfectly homogeneous), sizes from one long-tailed law: what would hold against
 * small random directions must not against its own kind.  At most 2.5 %, binomial. */
static void test_twins_against_twins(void **state)
{
    (void)state;
    enum { SETS = 400, N = 24, TWINS = 3 };
    const double strength[2] = {0, 1};
    size_t held = 0, beyond = 0;
    for (uint64_t set = 0; set < SETS; set++) {
        float size[TWINS + 1], z[N * (TWINS + 1)];
        double value[2 * N], null[TWINS * 2 * N] = {0}, small[TWINS * 2 * N] = {0};
        hs_rng_normal((hs_rng){11, HS_RNG_TEST, 2 * set}, 0, TWINS + 1, size);
        hs_rng_normal((hs_rng){11, HS_RNG_TEST, 2 * set + 1}, 0, N * (TWINS + 1), z);
        for (size_t i = 0; i < N; i++) {
            value[2 * i] = 0;
            value[2 * i + 1] = 3 * (double)size[0] * (1 + 0.1 * (double)z[i]);
            for (size_t k = 0; k < TWINS; k++) {
                null[2 * (k * N + i) + 1] = 3 * (double)size[k + 1] * (1 + 0.1 * (double)z[(k + 1) * N + i]);
                small[2 * (k * N + i) + 1] = 0.1 * (double)z[(k + 1) * N + i];
            }
        }
        for (int against = 0; against < 2; against++) {
            hs_effects e = {0};
            hs_measurement m = {0};
            hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
            o.bootstrap.B = 400;
            o.spread = 1;
            assert_ok(hs_effects_create("t", N, 2, strength, value, TWINS, against ? small : null, NULL, &e));
            e.twins = !against;
            assert_ok(hs_homogeneity_effects(&e, &o, &m));
            *(against ? &beyond : &held) += m.verdict == HS_VERDICT_HOLDS;
            hs_effects_free(&e);
            hs_measurement_free(&m);
        }
    }
    assert_in_range(held, 0, 19);       /* 10 + 3 sd */
    assert_in_range(beyond, 100, SETS); /* what the twins guard against */
}

static void test_what_draws_reach_is_not_said_to_hold(void **state)
{
    (void)state;
    const double draws[3 * 2] = {0.1, 0.1, -0.2, 0.2, 0.3, -0.3}; /* as the twins above: limit .90 */
    hs_measurement m = holding(0.87);
    m.effect = hs_estimate_plain("effect", 1, 2, "", NULL);
    m.effect.lo = 0.95;
    m.effect.hi = 1.2;
    assert_ok(hs_control_draws(&m, 2, 3, draws));
    assert_int_equal(m.verdict, HS_VERDICT_HOLDS);
    m.effect.lo = 0.85;
    assert_ok(hs_control_draws(&m, 2, 3, draws));
    assert_int_equal(m.verdict, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(m.reason, "covariance of h"));
    assert_int_equal(m.n_controls, 2);
    assert_string_equal(m.control[1].name, "h covariance");
    const double rms[3] = {0.1, 0.2, 0.3};
    assert_near(m.control[1].primary.value, hs_twin_limit(3, rms), 1e-12);
    hs_measurement_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_measurement_keeps_its_controls),
        cmocka_unit_test(test_what_draws_reach_is_not_said_to_hold),
        cmocka_unit_test(test_what_twins_reach_is_not_said_to_hold),
        cmocka_unit_test(test_what_a_control_passes_is_not_said_to_hold),
        cmocka_unit_test(test_the_null_that_is_harder_to_beat),
        cmocka_unit_test(test_twins_against_twins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
