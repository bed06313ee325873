/* Consistency of effects: closed forms, planted verdicts, designs that allow no answer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/consistency.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/measured.h"
#include "tests/support/support.h"

enum { N = 64, P = 4, K = 8 };

typedef struct {
    double E[N * P * P], whole[N], null[K * N], mean[N], global[N], shuffled[N];
} data;

/* E_kl of image i: (1 + noise) for k = l, off + noise elsewhere, times the row's own size 1 + k. */
static void fill(data *d, double off, double noise)
{
    float *z;
    size_t cells = N * P * P;
    assert_ok(hs_alloc(cells + (K + 1) * N, sizeof *z, &z));
    hs_rng_normal((hs_rng){7, HS_RNG_TEST, 3}, 0, cells + (K + 1) * N, z);
    for (size_t i = 0; i < cells; i++) {
        size_t k = i / P % P, l = i % P;
        d->E[i] = (1 + (double)k) * ((k == l ? 1 : off) + noise * (double)z[i]);
    }
    for (size_t i = 0; i < N; i++) {
        d->whole[i] = 4 + 0.2 * (double)z[cells + i];
        d->mean[i] = 0.75 * d->whole[i];
        d->global[i] = 0.5 * d->whole[i];
        d->shuffled[i] = 0.25 * d->whole[i];
    }
    for (size_t i = 0; i < K * N; i++) {
        d->null[i] = 0.3 * (double)z[cells + N + i];
    }
    free(z);
}

static hs_step_effects effects_of(const data *d)
{
    return (hs_step_effects){.n = N,
                             .P = P,
                             .E = d->E,
                             .whole = d->whole,
                             .K = K,
                             .null = d->null,
                             .mean = d->mean,
                             .global = d->global,
                             .shuffled = d->shuffled,
                             .spread = 1};
}

static hs_consistency measure(const hs_step_effects *f)
{
    hs_consistency c = {0};
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    o.effects = f;
    assert_ok(hs_consistency_measure(NULL, &o, &c));
    return c;
}

static void test_closed_form(void **state)
{
    (void)state;
    data d;
    fill(&d, 0.7, 0);
    hs_step_effects f = effects_of(&d);
    f.untrained = d.E;
    hs_consistency c = measure(&f);
    assert_near(statistic_of(&c.result, "transfer_steps"), 0.7, 1e-12);
    assert_near(statistic_of(&c.result, "transfer_steps_untrained"), 0.7, 1e-12);
    assert_near(statistic_of(&c.result, "effect[2,2]"), 3, 1e-12);
    assert_near(statistic_of(&c.result, "effect[2,0]"), 2.1, 1e-12);
    assert_near(c.effect[2 * P + 0], 2.1, 1e-12);
    assert_near(statistic_of(&c.result, "effect_mean_ratio"), 0.75, 1e-12);
    assert_near(statistic_of(&c.result, "effect_global_ratio"), 0.5, 1e-12);
    assert_near(statistic_of(&c.result, "effect_shuffled_ratio"), 0.25, 1e-12);
    assert_true(isnan(statistic_of(&c.result, "cosine")) && c.cosine == NULL);
    assert_int_equal(c.result.verdict, HS_VERDICT_HOLDS);
    assert_int_equal(c.result.specific, HS_SPECIFIC_NOT_TESTED);
    hs_consistency_free(&c);
}

/* A rival whose E_kl have the ratio 0.4 less: specific. */
static void test_rival(void **state)
{
    (void)state;
    data d, other;
    fill(&d, 0.8, 0.1);
    fill(&other, 0.4, 0.1);
    hs_step_effects f = effects_of(&d);
    f.rival = other.E;
    hs_consistency c = measure(&f);
    assert_near(c.result.rival.value, 0.4, 0.05);
    assert_near(c.result.difference_rival.value, c.result.primary.value - c.result.rival.value, 1e-12);
    assert_true(c.result.has_rival && c.result.difference_rival.lo > 0);
    assert_int_equal(c.result.specific, HS_SPECIFIC_YES);
    hs_consistency_free(&c);
    f.rival = d.E;
    c = measure(&f);
    assert_near(c.result.difference_rival.value, 0, 0);
    assert_true(c.result.specific != HS_SPECIFIC_YES);
    hs_consistency_free(&c);
}

static hs_verdict verdict_of(const hs_step_effects *f, const char *reason)
{
    hs_consistency c = measure(f);
    hs_verdict v = c.result.verdict;
    if (strstr(c.result.reason, reason) == NULL) {
        fail_msg("%s; wanted %s", c.result.reason, reason);
    }
    hs_consistency_free(&c);
    return v;
}

static void test_verdicts(void **state)
{
    (void)state;
    data d;
    fill(&d, 0.8, 0.3);
    hs_step_effects f = effects_of(&d);
    assert_int_equal(verdict_of(&f, "0.5"), HS_VERDICT_HOLDS);
    f.constant = 1;
    assert_int_equal(verdict_of(&f, "not tested"), HS_VERDICT_INCONCLUSIVE);
    f = effects_of(&d);
    f.P = 1;
    assert_int_equal(verdict_of(&f, "one step"), HS_VERDICT_INCONCLUSIVE);
    f = effects_of(&d);
    f.K = 0;
    assert_int_equal(verdict_of(&f, "null missing"), HS_VERDICT_INCONCLUSIVE);
    f = effects_of(&d);
    f.spread = 50;
    assert_int_equal(verdict_of(&f, "range too small"), HS_VERDICT_INCONCLUSIVE);
    f = effects_of(&d);
    f.n = 1;
    assert_int_equal(verdict_of(&f, "interval"), HS_VERDICT_INCONCLUSIVE);
    f = effects_of(&d);
    f.null = d.whole; /* random directions do as much */
    f.K = 1;
    assert_int_equal(verdict_of(&f, "null"), HS_VERDICT_NO_EFFECT);
    fill(&d, 0.1, 0.3);
    f = effects_of(&d);
    assert_int_equal(verdict_of(&f, "below"), HS_VERDICT_FAILS);
    fill(&d, 0.5, 0.3);
    f = effects_of(&d);
    assert_int_equal(verdict_of(&f, "not settled"), HS_VERDICT_INCONCLUSIVE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_closed_form), cmocka_unit_test(test_rival),
                                       cmocka_unit_test(test_verdicts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
