/* Planted positives and negatives of the four properties, kinds mixed. */
#include <math.h>
#include <stdlib.h>

#include "analysis/properties/consistency.h"
#include "analysis/properties/homogeneity.h"
#include "analysis/properties/linearity.h"
#include "analysis/properties/robustness.h"
#include "core/base/alloc.h"
#include "tests/coverage/coverage.h"
#include "tests/coverage/planted.h"
#include "tests/support/support.h"

/* ---- Deltas ---- */

/* Both properties of deltas; null: those of an untrained network, which share a direction of their own. */
static hs_verdict of_deltas(const deltas_plan *p, const deltas_plan *null, int steps, size_t n, uint64_t set)
{
    hs_deltas x = planted_deltas(p, n, set), other = {0};
    hs_homogeneity_options h = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_verdict v;
    if (null != NULL) {
        other = planted_deltas(null, n, set + (1U << 20));
        h.null_deltas = o.null_deltas = &other;
    }
    h.bootstrap.seed = o.bootstrap.seed = set;
    if (steps) {
        hs_consistency c;
        assert_ok(hs_consistency_measure(&x, &o, &c));
        v = c.result.verdict;
        hs_consistency_free(&c);
    } else {
        hs_measurement m;
        assert_ok(hs_homogeneity_deltas(&x, &h, &m));
        v = m.verdict;
        hs_measurement_free(&m);
    }
    hs_deltas_free(&x);
    hs_deltas_free(&other);
    return v;
}

#define DELTAS_CASE(name, steps, null, ...)                         \
    static hs_verdict name(size_t n, uint64_t set)                  \
    {                                                               \
        static const deltas_plan p = {__VA_ARGS__};                 \
        return of_deltas(&p, (null) ? &bias : NULL, steps, n, set); \
    }

static const deltas_plan bias = {.g = 0.85, .tau = 0.03, .gain_sd = 0.3};

/* share g + tau, divided by 1 + gain_sd^2: standard .5 */
DELTAS_CASE(alike, 0, 0, .g = 0.6, .tau = 0.15, .gain_sd = 0.2)
DELTAS_CASE(alike_unequal, 0, 0, .g = 0.7, .tau = 0.15, .gain_sd = 0.45)
DELTAS_CASE(alike_weak, 0, 0, .g = 0.5, .tau = 0.08, .gain_sd = 0.2)
DELTAS_CASE(alike_null, 0, 1, .g = 0.9, .tau = 0.08)
DELTAS_CASE(unlike, 0, 0, .g = 0.2, .tau = 0.1, .gain_sd = 0.2)
DELTAS_CASE(unlike_weak, 0, 0, .g = 0.35, .tau = 0.1, .gain_sd = 0.2)
DELTAS_CASE(flipped_third, 0, 0, .g = 0.7, .tau = 0.1, .flip = 1.0 / 3)
DELTAS_CASE(one_large, 0, 0, .g = 0.4, .tau = 0.05, .outlier = 5)
DELTAS_CASE(shared_bias, 0, 1, .g = 0.75, .tau = 0.05, .gain_sd = 0.3)

/* share g / (g + tau): standard .5 */
DELTAS_CASE(steady, 1, 0, .g = 0.5, .tau = 0.1, .gain_sd = 0.2)
DELTAS_CASE(steady_unequal, 1, 0, .g = 0.6, .tau = 0.15, .gain_sd = 0.45)
DELTAS_CASE(steady_weak, 1, 0, .g = 0.35, .tau = 0.25, .gain_sd = 0.2)
DELTAS_CASE(steady_one_large, 1, 0, .g = 0.5, .tau = 0.1, .outlier = 5)
DELTAS_CASE(steady_null, 1, 1, .g = 0.95, .tau = 0.01)
DELTAS_CASE(unsteady, 1, 0, .g = 0.24, .tau = 0.47, .gain_sd = 0.2)
DELTAS_CASE(disagreeing, 1, 0, .g = 0.15, .tau = 0.5, .gain_sd = 0.2)
DELTAS_CASE(unsteady_weak, 1, 0, .g = 0.28, .tau = 0.35, .gain_sd = 0.2)
DELTAS_CASE(unsteady_third, 1, 0, .g = 0.32, .tau = 0.6, .flip = 1.0 / 6)
DELTAS_CASE(unsteady_one_large, 1, 0, .g = 0.24, .tau = 0.47, .outlier = 5)
DELTAS_CASE(steady_bias, 1, 1, .g = 0.7, .tau = 0.05, .gain_sd = 0.3)

/* ---- Effects of one fixed delta, and of transfers ---- */

static hs_verdict of_effects(const sweep_plan *p, size_t n, uint64_t set)
{
    hs_effects e = planted_sweep(p, n, set);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_measurement m;
    o.bootstrap.seed = set;
    assert_ok(hs_homogeneity_effects(&e, &o, &m));
    hs_verdict v = m.verdict;
    hs_measurement_free(&m);
    hs_effects_free(&e);
    return v;
}

#define EFFECTS_CASE(name, ...)                                                                             \
    static hs_verdict name(size_t n, uint64_t set)                                                          \
    {                                                                                                       \
        static const sweep_plan p = {                                                                       \
            .g = planted_line, .m = 3, .reach = 1, .spread = 0.5, .null = 0.1, .noise = 0.05, __VA_ARGS__}; \
        return of_effects(&p, n, set);                                                                      \
    }

/* common share 1 / (1 + cv^2): standard .8 */
EFFECTS_CASE(common, .scale = 2, .gain_sd = 0.2)
EFFECTS_CASE(common_unequal, .scale = 2, .skew = 0.2, .unequal = 0.4)
EFFECTS_CASE(common_weak, .scale = 2, .gain_sd = 0.38)
EFFECTS_CASE(spread_out, .scale = 2, .gain_sd = 1)
EFFECTS_CASE(spread_skewed, .scale = 2, .skew = 0.9)
EFFECTS_CASE(spread_weak, .scale = 2, .gain_sd = 0.6)
EFFECTS_CASE(effects_flipped_third, .scale = 2, .gain_sd = 0.2, .flip = 1.0 / 3)
EFFECTS_CASE(effects_flipping, .scale = 2, .gain_sd = 0.2, .flip = 0.5)
EFFECTS_CASE(effects_one_large, .scale = 2, .gain_sd = 0.2, .outlier = 12)
EFFECTS_CASE(effects_small, .scale = 0.25, .gain_sd = 0.2)
EFFECTS_CASE(effects_none, .scale = 0.1, .gain_sd = 0.2)

/* e_ij = T (1 + cv z of the receiver and of the donor), a share of donors flipped; e_ii about 1. */
static hs_verdict of_transfers(double T, double cv, double flip, size_t n, uint64_t set)
{
    enum { R = 4 };
    static const sweep_plan p = {
        .g = planted_line, .m = 3, .reach = 1, .scale = 1, .gain_sd = 0.2, .spread = 0.3, .null = 0.1};
    double *own, *other;
    size_t *from;
    hs_effects e = planted_sweep(&p, n, set);
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    hs_measurement m;
    assert_ok(hs_alloc(n, sizeof *own, &own));
    assert_ok(hs_alloc(n * R, sizeof *other, &other));
    assert_ok(hs_alloc(n * R, sizeof *from, &from));
    for (size_t i = 0; i < n * R; i++) {
        size_t a = i / R, j = from[i] = (a + 1 + i % R * (n / 5)) % n;
        double sign = planted_sign_of(flip, set, j);
        own[a] = e.value[a * 3 + 2] - e.value[a * 3 + 1];
        other[i] = sign * T * (1 + cv * (planted_normal(set, 1, a) + planted_normal(set, 2, j)));
    }
    const hs_transfers t = {n, R, own, from, other};
    o.bootstrap.seed = set;
    o.transfers = &t;
    assert_ok(hs_homogeneity_effects(&e, &o, &m));
    hs_verdict v = m.verdict;
    hs_measurement_free(&m);
    hs_effects_free(&e);
    free(own);
    free(other);
    free(from);
    return v;
}

static hs_verdict transferring(size_t n, uint64_t set) /* T .9, share .78 */
{
    return of_transfers(0.9, 0.37, 0, n, set);
}

static hs_verdict not_transferring(size_t n, uint64_t set) /* T .3 */
{
    return of_transfers(0.3, 0.3, 0, n, set);
}

static hs_verdict transfers_flipping(size_t n, uint64_t set) /* every second donor does the opposite */
{
    return of_transfers(0.9, 0.2, 0.5, n, set);
}

/* ---- Linearity ---- */

static hs_verdict of_line(const sweep_plan *p, size_t n, uint64_t set)
{
    hs_effects e = planted_sweep(p, n, set);
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    hs_linearity l;
    o.bootstrap.seed = set;
    assert_ok(hs_linearity_measure(&e, &o, &l));
    hs_verdict v = l.result.verdict;
    hs_linearity_free(&l);
    hs_effects_free(&e);
    return v;
}

#define LINE_CASE(name, curve, ...)                                                                           \
    static hs_verdict name(size_t n, uint64_t set)                                                            \
    {                                                                                                         \
        static const sweep_plan p = {.g = curve, .m = 17, .reach = 2, .spread = 1, .null = 0.1, __VA_ARGS__}; \
        return of_line(&p, n, set);                                                                           \
    }

LINE_CASE(straight, planted_line, .scale = 2, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(straight_unequal, planted_line, .scale = 2, .skew = 0.4, .noise = 0.05, .unequal = 0.5)
LINE_CASE(nearly_straight, planted_soft, .scale = 2, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(straight_noisy, planted_line, .scale = 2, .gain_sd = 0.3, .noise = 0.16)
LINE_CASE(straight_one_large, planted_line, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .outlier = 6)
LINE_CASE(saturating, planted_tanh, .scale = 2, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(saturating_soon, planted_saturated, .scale = 2, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(bending, planted_bent, .scale = 2, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(even, planted_square, .scale = 1, .gain_sd = 0.3, .noise = 0.05)
LINE_CASE(stepping, planted_sign, .scale = 3, .gain_sd = 0.3, .noise = 0.05, .unequal = 0.5)
LINE_CASE(turning, planted_returning, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .outlier = 6)
LINE_CASE(lines_flipping, planted_line, .scale = 2, .gain_sd = 0.2, .noise = 0.05, .flip = 0.5)
LINE_CASE(lines_flipped_third, planted_line, .scale = 2, .gain_sd = 0.2, .noise = 0.05, .flip = 1.0 / 3)
LINE_CASE(lines_small, planted_line, .scale = 0.25, .gain_sd = 0.2, .noise = 0.01)

/* Images stay natural from -1 on: four strengths below 0, eight above.  s + .15 s^2 is .89 there. */
LINE_CASE(straight_cut, planted_line, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 1)
LINE_CASE(bending_cut, planted_bent, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 1)
LINE_CASE(saturating_cut, planted_tanh, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 1)
LINE_CASE(saturating_soon_cut, planted_saturated, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 1)
LINE_CASE(turning_cut, planted_returning, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 1)
LINE_CASE(straight_cut_short, planted_line, .scale = 2, .gain_sd = 0.3, .noise = 0.05, .below = 0.75)

/* ---- Robustness: log ratio of the s of h_p and eps_p, standard log 1.25 = .223 ---- */

static hs_verdict of_damage(const damage_plan *p, size_t n, uint64_t set)
{
    hs_damage d = planted_damage(p, n, set);
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    hs_robustness r;
    o.bootstrap.seed = set;
    assert_ok(hs_robustness_measure(&d, &o, &r));
    hs_verdict v = r.result.verdict;
    hs_robustness_free(&r);
    hs_damage_free(&d);
    return v;
}

#define DAMAGE_CASE(name, ...)                      \
    static hs_verdict name(size_t n, uint64_t set)  \
    {                                               \
        static const damage_plan p = {__VA_ARGS__}; \
        return of_damage(&p, n, set);               \
    }

DAMAGE_CASE(sturdy, .s = {0.5, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14)
DAMAGE_CASE(sturdy_unequal, .s = {0.8, 0.25}, .noise = 0.15, .spread = 0.6, .m = 14)
DAMAGE_CASE(sturdy_weak, .s = {0.35, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14)
DAMAGE_CASE(never_breaking, .s = {100, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14)
DAMAGE_CASE(sturdy_one_large, .s = {0.6, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14, .outlier = 8)
DAMAGE_CASE(frail, .s = {0.25, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14)
DAMAGE_CASE(frailer, .s = {0.25, 0.5}, .noise = 0.2, .spread = 0.6, .m = 14)
DAMAGE_CASE(frail_weak, .s = {0.29, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14)
DAMAGE_CASE(frail_one_large, .s = {0.25, 0.25}, .noise = 0.1, .spread = 0.3, .m = 14, .outlier = 8)
DAMAGE_CASE(levels_too_small, .s = {1, 1}, .noise = 0.1, .spread = 0.3, .m = 10)
DAMAGE_CASE(no_damage, .s = {400, 400}, .noise = 0.1, .spread = 0.3, .m = 14)

/* ---- Effects between steps ---- */

/* E_kl = a_i ((k = l or off) + noise), one image `outlier` times as much, a share of images flipped; the whole 4 a_i.
 */
static hs_verdict of_steps(double off, double size, double flip, double outlier, size_t n, uint64_t set)
{
    enum { P = 4, K = 8, CELLS = P * P };
    double *E, *whole, *null;
    hs_consistency_options o = HS_CONSISTENCY_OPTIONS_INIT;
    hs_consistency c;
    assert_ok(hs_alloc(n, CELLS * sizeof *E, &E));
    assert_ok(hs_alloc(n, sizeof *whole, &whole));
    assert_ok(hs_alloc(n, K * sizeof *null, &null));
    for (size_t i = 0; i < n; i++) {
        double a = i == 0 && outlier > 0 ? outlier : 1 + 0.3 * planted_normal(set, 7, i);
        a *= planted_sign_of(flip, set, i);
        for (size_t k = 0; k < CELLS; k++) {
            E[i * CELLS + k] = a * ((k % (P + 1) == 0 ? 1 : off) + 0.4 * planted_normal(set, 8, i * CELLS + k));
        }
        whole[i] = size * a;
    }
    for (size_t i = 0; i < n * K; i++) {
        null[i] = 0.1 * planted_normal(set, 9, i);
    }
    const hs_step_effects f = {.n = n, .P = P, .E = E, .whole = whole, .K = K, .null = null, .spread = 1};
    o.bootstrap.seed = set;
    o.effects = &f;
    assert_ok(hs_consistency_measure(NULL, &o, &c));
    hs_verdict v = c.result.verdict;
    hs_consistency_free(&c);
    free(E);
    free(whole);
    free(null);
    return v;
}

#define STEPS_CASE(name, off, size, flip, outlier)         \
    static hs_verdict name(size_t n, uint64_t set)         \
    {                                                      \
        return of_steps(off, size, flip, outlier, n, set); \
    }

STEPS_CASE(passing, 0.8, 4, 0, 0)
STEPS_CASE(passing_weak, 0.58, 4, 0, 0)
STEPS_CASE(not_passing, 0.2, 4, 0, 0)
STEPS_CASE(opposing, -0.3, 4, 0, 0)
STEPS_CASE(not_passing_weak, 0.42, 4, 0, 0)
STEPS_CASE(not_passing_one_large, 0.2, 4, 0, 6)
STEPS_CASE(steps_flipping, 0.3, 4, 0.5, 0)
STEPS_CASE(steps_small, 0.8, 0.5, 0, 0)

#define POSITIVE VERDICT_POSITIVE
#define NEGATIVE VERDICT_NEGATIVE
#define NOTHING  VERDICT_NOTHING

const verdict_case verdict_cases[] = {
    {"homogeneity", "deltas, share .72", POSITIVE, 1, alike},
    {"homogeneity", "deltas, unequal lengths, .71", POSITIVE, 1, alike_unequal},
    {"homogeneity", "deltas beside an untrained network's", POSITIVE, 1, alike_null},
    {"homogeneity", "deltas, weak, .56", POSITIVE, 0, alike_weak},
    {"homogeneity", "effects, share .96", POSITIVE, 1, common},
    {"homogeneity", "effects, skewed and unequal noise, .96", POSITIVE, 1, common_unequal},
    {"homogeneity", "effects, weak, .87", POSITIVE, 0, common_weak},
    {"homogeneity", "transfers, .78", POSITIVE, 1, transferring},
    {"homogeneity", "deltas, share .29", NEGATIVE, 1, unlike},
    {"homogeneity", "deltas, weak, .43", NEGATIVE, 0, unlike_weak},
    {"homogeneity", "deltas, a third flipped", NEGATIVE, 0, flipped_third},
    {"homogeneity", "deltas, one image large", NEGATIVE, 0, one_large},
    {"homogeneity", "effects, share .5", NEGATIVE, 1, spread_out},
    {"homogeneity", "effects, skewed, .55", NEGATIVE, 1, spread_skewed},
    {"homogeneity", "effects, weak, .74", NEGATIVE, 0, spread_weak},
    {"homogeneity", "effects, a third flipped", NEGATIVE, 1, effects_flipped_third},
    {"homogeneity", "effects, half flipped", NEGATIVE, 1, effects_flipping},
    {"homogeneity", "effects, one image large", NEGATIVE, 0, effects_one_large},
    {"homogeneity", "transfers, T .3", NEGATIVE, 1, not_transferring},
    {"homogeneity", "transfers, half of the donors flipped", NEGATIVE, 1, transfers_flipping},
    {"homogeneity", "shared bias beside its null", NOTHING, 0, shared_bias},
    {"homogeneity", "range too small", NOTHING, 0, effects_small},
    {"homogeneity", "as random directions", NOTHING, 0, effects_none},
    {"linearity", "lines", POSITIVE, 1, straight},
    {"linearity", "lines, skewed slopes, unequal noise", POSITIVE, 1, straight_unequal},
    {"linearity", "lines, one image large", POSITIVE, 1, straight_one_large},
    {"linearity", "s - .02 s^3, .94", POSITIVE, 0, nearly_straight},
    {"linearity", "lines, weak, .91", POSITIVE, 0, straight_noisy},
    {"linearity", "lines, natural from -1 to 2", POSITIVE, 1, straight_cut},
    {"linearity", "s + .15 s^2 there, .89", POSITIVE, 0, bending_cut},
    {"linearity", "tanh s, .80", NEGATIVE, 0, saturating},
    {"linearity", "tanh 4 s", NEGATIVE, 1, saturating_soon},
    {"linearity", "s + .15 s^2, .75", NEGATIVE, 0, bending},
    {"linearity", "s^2", NEGATIVE, 1, even},
    {"linearity", "a step, unequal noise", NEGATIVE, 1, stepping},
    {"linearity", "s - .35 s^3, one image large", NEGATIVE, 1, turning},
    {"linearity", "tanh s, natural from -1 to 2, .78", NEGATIVE, 0, saturating_cut},
    {"linearity", "tanh 4 s, natural from -1 to 2", NEGATIVE, 1, saturating_soon_cut},
    {"linearity", "s - .35 s^3, natural from -1 to 2", NEGATIVE, 1, turning_cut},
    {"linearity", "lines, natural from -.75 to 2", NOTHING, 0, straight_cut_short},
    {"linearity", "lines, half flipped", NOTHING, 0, lines_flipping},
    {"linearity", "lines, a third flipped", NOTHING, 0, lines_flipped_third},
    {"linearity", "range too small", NOTHING, 0, lines_small},
    {"robustness", "log ratio .69", POSITIVE, 1, sturdy},
    {"robustness", "log ratio 1.16, unequal images", POSITIVE, 1, sturdy_unequal},
    {"robustness", "log ratio .88, one image large", POSITIVE, 1, sturdy_one_large},
    {"robustness", "h never breaks", POSITIVE, 1, never_breaking},
    {"robustness", "weak, .34", POSITIVE, 0, sturdy_weak},
    {"robustness", "log ratio 0", NEGATIVE, 1, frail},
    {"robustness", "log ratio -.69, unequal images", NEGATIVE, 1, frailer},
    {"robustness", "log ratio 0, one image large", NEGATIVE, 1, frail_one_large},
    {"robustness", "weak, .15", NEGATIVE, 0, frail_weak},
    {"robustness", "levels too small", NOTHING, 0, levels_too_small},
    {"robustness", "no damage", NOTHING, 0, no_damage},
    {"consistency", "deltas, share .83", POSITIVE, 1, steady},
    {"consistency", "deltas, unequal lengths, .8", POSITIVE, 1, steady_unequal},
    {"consistency", "deltas, one image large, .83", POSITIVE, 1, steady_one_large},
    {"consistency", "deltas beside an untrained network's", POSITIVE, 1, steady_null},
    {"consistency", "deltas, weak, .58", POSITIVE, 0, steady_weak},
    {"consistency", "effects, .8", POSITIVE, 1, passing},
    {"consistency", "effects, weak, .58", POSITIVE, 0, passing_weak},
    {"consistency", "deltas, inconsistent steps, .34", NEGATIVE, 1, unsteady},
    {"consistency", "deltas, inconsistent, .35, a sixth flipped", NEGATIVE, 1, unsteady_third},
    {"consistency", "deltas, inconsistent, one image large", NEGATIVE, 1, unsteady_one_large},
    {"consistency", "deltas, weak, .44", NEGATIVE, 0, unsteady_weak},
    {"consistency", "effects, .2", NEGATIVE, 1, not_passing},
    {"consistency", "effects, opposite elsewhere", NEGATIVE, 1, opposing},
    {"consistency", "effects, .2, one image large", NEGATIVE, 1, not_passing_one_large},
    {"consistency", "effects, weak, .42", NEGATIVE, 0, not_passing_weak},
    {"consistency", "deltas, no agreement of steps, .23", NOTHING, 0, disagreeing},
    {"consistency", "shared bias beside its null", NOTHING, 0, steady_bias},
    {"consistency", "effects, half flipped", NOTHING, 0, steps_flipping},
    {"consistency", "range too small", NOTHING, 0, steps_small},
};
const size_t verdict_cases_n = sizeof verdict_cases / sizeof *verdict_cases;
