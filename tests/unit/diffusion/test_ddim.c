#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/diffusion/editing.h"
#include "tests/support/support.h"

enum { N = 3, D = 50 };

static hs_schedule sched;

static int make_schedule(void **state)
{
    (void)state;
    hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
    return hs_schedule_create(&spec, &sched);
}

static int drop_schedule(void **state)
{
    (void)state;
    hs_schedule_free(&sched);
    return 0;
}

static hs_steps asyrp_steps(size_t S)
{
    hs_steps st;
    assert_ok(hs_steps_create(&sched, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = S}, &st));
    return st;
}

/* For data N(0, s^2) the best predictor is eps*(x, t) = sqrt(1 - ab) x / v_t, v_t = ab s^2 + 1 - ab. */
typedef struct {
    double s2;
    int calls, fail_at;
    size_t last_step;
} gauss;

static double gauss_v(double ab, double s2)
{
    return ab * s2 + 1.0 - ab;
}

static int gauss_predict(void *ctx, size_t n, const float *x, int t, size_t step, float *eps_p, float *eps_d)
{
    gauss *g = ctx;
    double ab = sched.alpha_bar[t], c = sqrt(1.0 - ab) / gauss_v(ab, g->s2);
    if (g->calls++ == g->fail_at) {
        return hs_fail(HS_EIO, "test: told to fail");
    }
    g->last_step = step;
    for (size_t i = 0; i < n * D; i++) {
        eps_p[i] = eps_d[i] = (float)(c * (double)x[i]);
    }
    return HS_OK;
}

/* One step of that predictor multiplies x by (sqrt(ab ab') s^2 + sqrt((1 - ab)(1 - ab'))) / v_t. */
static double gauss_factor(double ab, double ab1, double s2)
{
    return (sqrt(ab * ab1) * s2 + sqrt((1.0 - ab) * (1.0 - ab1))) / gauss_v(ab, s2);
}

static void test_sampling_a_gaussian(void **state)
{
    (void)state;
    float x0[N * D], x[N * D];
    gauss g = {.s2 = 4.0, .fail_at = -1};
    hs_steps st = asyrp_steps(40);
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N * D, x0);
    memcpy(x, x0, sizeof x);
    assert_ok(hs_ddim_sample(&(hs_predictor){gauss_predict, &g}, &st, &o, N, D, x));
    double f = 1.0;
    for (size_t k = 0; k < st.S; k++) {
        f *= gauss_factor(st.step[k].alpha_bar, st.step[k].alpha_bar_next, 4.0);
    }
    for (size_t i = 0; i < N * D; i++) {
        assert_near(x[i], f * x0[i], 40 * 2e-7 * fabs(f * x0[i])); /* one float rounding a step */
    }
    assert_near(f, 2.0, 0.1); /* and it carries N(0, 1) near to N(0, 4), to the error of 40 Euler steps */
    assert_int_equal(g.calls, 40);
    assert_int_equal(g.last_step, 39);
    hs_steps_free(&st);
}

typedef struct {
    size_t steps;
    float first, last;
} seen;

static int observe(void *ctx, size_t step, size_t n, const float *x)
{
    seen *s = ctx;
    assert_int_equal(step, s->steps);
    assert_int_equal(n, N);
    s->steps++;
    if (step == 0) {
        s->first = x[0];
    }
    s->last = x[0];
    return HS_OK;
}

static void test_inverting_a_gaussian(void **state)
{
    (void)state;
    float x0[N * D], x[N * D];
    gauss g = {.s2 = 4.0, .fail_at = -1};
    seen log = {0, 0, 0};
    hs_steps st = asyrp_steps(40);
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    o.observe = observe;
    o.observe_ctx = &log;
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, 0}, 0, N * D, x0);
    memcpy(x, x0, sizeof x);
    assert_ok(hs_ddim_invert(&(hs_predictor){gauss_predict, &g}, &st, &o, N, D, x));
    double f = 1.0;
    for (size_t k = 39; k > 0; k--) {
        f *= gauss_factor(st.step[k].alpha_bar, st.step[k - 1].alpha_bar, 4.0);
    }
    for (size_t i = 0; i < N * D; i++) {
        assert_near(x[i], f * x0[i], 40 * 2e-7 * fabs(f * x0[i]));
    }
    assert_int_equal(g.calls, 39);
    assert_int_equal(log.steps, 40);
    assert_true(log.first == x0[0] && log.last == x[0]);
    hs_steps_free(&st);
}

/* With the true eps of x_t = sqrt(ab) x_0 + sqrt(1 - ab) eps, P_t is x_0 and the step lands on
 * sqrt(ab') x_0 + sqrt(1 - ab') eps. */
static void test_step_is_the_textbook_one(void **state)
{
    (void)state;
    hs_step s = {.t = 500, .t_next = 400, .alpha_bar = 0.3, .alpha_bar_next = 0.5};
    const float x0 = 0.75f, eps = -0.5f;
    float x = (float)(sqrt(0.3) * 0.75 - sqrt(0.7) * 0.5), next, p;
    hs_ddim_step(&s, 0.0, 0, 1, &x, &eps, &eps, NULL, &next, &p);
    assert_near(p, x0, 3e-7);
    assert_near(next, sqrt(0.5) * 0.75 - sqrt(0.5) * 0.5, 3e-7);
}

/* The change of x' per change of eps is Theorem 1's coefficient, for both injections. */
static void test_step_obeys_theorem1(void **state)
{
    (void)state;
    hs_step s = {.t = 500, .t_next = 400, .alpha_bar = 0.3, .alpha_bar_next = 0.5};
    const float x = 0.2f, e = 0.1f, e2 = 1.1f;
    double sym, asym, de = (double)e2 - (double)e;
    float plain, both, only_p;
    hs_ddim_step(&s, 0.0, 0, 1, &x, &e, &e, NULL, &plain, NULL);
    hs_ddim_step(&s, 0.0, 0, 1, &x, &e2, &e2, NULL, &both, NULL);
    hs_ddim_step(&s, 0.0, 0, 1, &x, &e2, &e, NULL, &only_p, NULL);
    hs_theorem1(&s, &sym, &asym);
    assert_near(both - plain, sym * de, 3e-7);
    assert_near(only_p - plain, asym * de, 3e-7);
}

/* eta = 1 is the DDPM posterior: sigma^2 = (1 - ab') / (1 - ab) (1 - ab / ab'); the end has none. */
static void test_eta_and_clip(void **state)
{
    (void)state;
    hs_step s = {.t = 500, .t_next = 400, .alpha_bar = 0.3, .alpha_bar_next = 0.5};
    const float x = 0, e = 1.0f, zero = 0, z = 1.0f;
    float a, p;
    double var = 0.5 / 0.7 * (1 - 0.3 / 0.5);
    hs_ddim_step(&s, 1.0, 0, 1, &x, &zero, &zero, &z, &a, NULL);
    assert_near(a, sqrt(var), 1e-7);
    hs_ddim_step(&s, 1.0, 0, 1, &x, &zero, &e, NULL, &a, NULL);
    assert_near(a, sqrt(0.5 - var), 1e-7);
    hs_ddim_step(&s, 0.0, 1, 1, &x, &e, &e, NULL, &a, &p); /* P = -sqrt(.7 / .3), clipped; eps is kept */
    assert_near(p, -1, 0);
    assert_near(a, -sqrt(0.5) + sqrt(0.5), 1e-7);
    s.alpha_bar_next = 1.0;
    hs_ddim_step(&s, 1.0, 0, 1, &x, &zero, &e, &z, &a, NULL);
    assert_near(a, 0, 0);
}

/* sigma^2 above 1 - ab' by rounding (cosine betas at t = 999) gives no NaN. */
static void test_direction_is_clamped(void **state)
{
    (void)state;
    hs_step s = {.t = 999, .t_next = 998, .alpha_bar = 1e-17, .alpha_bar_next = 1e-14};
    const float x = 1e-9f, e = 1.0f;
    float a;
    hs_ddim_step(&s, 1.0, 0, 1, &x, &e, &e, &e, &a, NULL);
    assert_true(isfinite(a));
}

static int unit_noise(void *ctx, size_t n, size_t step, float *z)
{
    size_t *calls = ctx;
    (void)step;
    ++*calls;
    for (size_t i = 0; i < n * D; i++) {
        z[i] = 1.0f;
    }
    return HS_OK;
}

/* Quality boosting: eta_boost only where t < t_boost. */
static void test_boost_is_below_t_boost(void **state)
{
    (void)state;
    float x[N * D] = {0}, want = 0;
    size_t calls = 0;
    gauss g = {.s2 = 4.0, .fail_at = -1};
    hs_steps st = asyrp_steps(40);
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    o.t_boost = 76; /* 51, 25, 0 */
    o.noise = (hs_noise){unit_noise, &calls};
    assert_ok(hs_ddim_sample(&(hs_predictor){gauss_predict, &g}, &st, &o, N, D, x));
    assert_int_equal(calls, 3);
    for (size_t k = 37; k < 40; k++) { /* from x = 0 only the noise moves x */
        double c = sqrt(1.0 - st.step[k].alpha_bar) / gauss_v(st.step[k].alpha_bar, 4.0);
        float e = (float)(c * (double)want), one = 1.0f;
        hs_ddim_step(&st.step[k], 1.0, 0, 1, &want, &e, &e, &one, &want, NULL);
    }
    assert_true(want > 0.01f);
    assert_near(x[7], want, 0);
    hs_steps_free(&st);
}

static int stop(void *ctx, const char *what, size_t done, size_t total)
{
    assert_int_equal(total, strcmp(what, "step") == 0 ? 40 : 39);
    return done == *(size_t *)ctx;
}

static int wild_predict(void *ctx, size_t n, const float *x, int t, size_t step, float *eps_p, float *eps_d)
{
    (void)ctx, (void)x, (void)t, (void)step;
    for (size_t i = 0; i < n * D; i++) {
        eps_p[i] = eps_d[i] = INFINITY;
    }
    return HS_OK;
}

static void test_failures_leave_x_alone(void **state)
{
    (void)state;
    float x0[N * D], x[N * D];
    size_t at = 5;
    gauss g = {.s2 = 4.0, .fail_at = 7};
    const hs_predictor p = {gauss_predict, &g};
    const hs_progress progress = {stop, &at};
    hs_steps st = asyrp_steps(40), none = {0, NULL};
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, N * D, x0);
    memcpy(x, x0, sizeof x);
    assert_code(hs_ddim_sample(&p, &st, &o, N, D, x), HS_EIO);
    g = (gauss){.s2 = 4.0, .fail_at = 7};
    assert_code(hs_ddim_invert(&p, &st, &o, N, D, x), HS_EIO);
    assert_code(hs_ddim_sample(&(hs_predictor){wild_predict, NULL}, &st, &o, N, D, x), HS_EDEGENERATE);
    assert_code(hs_ddim_invert(&(hs_predictor){wild_predict, NULL}, &st, &o, N, D, x), HS_EDEGENERATE);
    assert_code(hs_ddim_sample(&p, &none, &o, N, D, x), HS_ERANGE);
    assert_code(hs_ddim_invert(&p, &none, &o, N, D, x), HS_ERANGE);
    o.progress = &progress;
    assert_code(hs_ddim_sample(&p, &st, &o, N, D, x), HS_ESTOPPED);
    assert_code(hs_ddim_invert(&p, &st, &o, N, D, x), HS_ESTOPPED);
    o.eta = 0.5;
    assert_code(hs_ddim_sample(&p, &st, &o, N, D, x), HS_ERANGE);
    o.eta = 1.5;
    assert_code(hs_ddim_sample(&p, &st, &o, N, D, x), HS_ERANGE);
    assert_code(hs_ddim_sample(&p, &st, &o, SIZE_MAX, 2, x), HS_ELIMIT);
    assert_memory_equal(x, x0, sizeof x);
    hs_steps_free(&st);
}

/* alpha_bar .25 and .64: P = 2 (x - sqrt(.75) eps).  Clipped, the other way takes the noise that leads from x to the
 * clipped x_0; inside the range nothing changes. */
static void test_clipping_of_both(void **state)
{
    (void)state;
    const hs_step step = {.t = 5, .t_next = 3, .alpha_bar = 0.25, .alpha_bar_next = 0.64};
    const float x[2] = {2, 0.3f}, eps[2] = {0.5f, 0.1f};
    float next[2], p[2], plain[2];
    hs_ddim_step(&step, 0, HS_CLIP_BOTH, 2, x, eps, eps, NULL, next, p);
    assert_near((double)p[0], 1, 0);
    assert_near((double)next[0], 0.8 + 0.6 * (2 - 0.5) / sqrt(0.75), 1e-6);
    hs_ddim_step(&step, 0, HS_CLIP_NONE, 2, x, eps, eps, NULL, plain, NULL);
    assert_near((double)next[1], (double)plain[1], 1e-7);
    hs_ddim_step(&step, 0, HS_CLIP_P, 2, x, eps, eps, NULL, next, p);
    assert_near((double)next[0], 0.8 + 0.6 * 0.5, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sampling_a_gaussian),
        cmocka_unit_test(test_inverting_a_gaussian),
        cmocka_unit_test(test_step_is_the_textbook_one),
        cmocka_unit_test(test_step_obeys_theorem1),
        cmocka_unit_test(test_eta_and_clip),
        cmocka_unit_test(test_direction_is_clamped),
        cmocka_unit_test(test_boost_is_below_t_boost),
        cmocka_unit_test(test_failures_leave_x_alone),
        cmocka_unit_test(test_clipping_of_both),
    };
    return cmocka_run_group_tests(tests, make_schedule, drop_schedule);
}
