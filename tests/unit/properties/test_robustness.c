#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/robustness.h"
#include "core/base/rng.h"
#include "tests/support/support.h"

enum { M = 14, N_MAX = 128 };

static double normal(uint64_t stream, uint64_t i)
{
    float z;
    hs_rng_normal((hs_rng){11, HS_RNG_TEST, stream}, i, 1, &z);
    return (double)z;
}

/* Damage floor_i + scale (l^4 / (l^4 + s^4)) + noise, levels 0 and half octaves from 1/16 to 4; s per arm, 0: no such
 * arm. */
typedef struct {
    double s[HS_ARMS], noise, scale;
    size_t n;
    uint64_t stream;
} plan;

static const plan good = {.s = {0.8, 0.25, 0, 0, 0.4}, .noise = 0.1, .scale = 1, .n = 48};

static double level_at(size_t j)
{
    return j == 0 ? 0 : pow(2, 0.5 * (double)(j - 1) - 4);
}

static double curve_at(double level, double s)
{
    return level > 0 ? pow(level, 4) / (pow(level, 4) + pow(s, 4)) : 0;
}

static hs_damage plant(const plan *p)
{
    static double damage[N_MAX * M];
    double level[M];
    hs_damage d = {.n = p->n};
    for (int a = 0; a < HS_ARMS; a++) {
        for (size_t i = 0; i < p->n * M && p->s[a] > 0; i++) {
            double z = normal(p->stream * 8 + (uint64_t)a, i), offset = 2 + normal(p->stream * 8 + 7, i / M);
            level[i % M] = level_at(i % M);
            damage[i] = p->scale * (offset + curve_at(level[i % M], p->s[a]) + p->noise * z);
        }
        if (p->s[a] > 0) {
            assert_ok(hs_damage_add(&d, (hs_arm)a, M, level, damage));
        }
    }
    return d;
}

static hs_robustness measure(const plan *p)
{
    hs_robustness r;
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    hs_damage d = plant(p);
    assert_ok(hs_robustness_measure(&d, &o, &r));
    hs_damage_free(&d);
    return r;
}

static const hs_estimate *stat(const hs_robustness *r, const char *name)
{
    const hs_estimate *e = hs_measurement_find(&r->result, name);
    assert_non_null(e);
    return e;
}

#define assert_verdict(r, v)                                                                    \
    do {                                                                                        \
        if ((r).result.verdict != (v)) {                                                        \
            fail_msg("verdict %s: %s", hs_verdict_name((r).result.verdict), (r).result.reason); \
        }                                                                                       \
    } while (0)

/* Halfway, in log level, between two grid points; the first of two crossings; bounds. */
static void test_crossing(void **state)
{
    (void)state;
    const double level[] = {0, 1, 4, 16}, up[] = {0, 0.25, 0.75, 1}, back[] = {0, 0.25, 0.75, 0.1};
    double s;
    assert_int_equal(hs_damage_crossing(4, level, up, 0.5, &s), HS_CROSS_AT);
    assert_near(s, 2, 1e-14);
    assert_int_equal(hs_damage_crossing(4, level, back, 0.5, &s), HS_CROSS_AT);
    assert_near(s, 2, 1e-14);
    assert_int_equal(hs_damage_crossing(4, level, up, 2, &s), HS_CROSS_BEYOND);
    assert_near(s, 16, 0);
    assert_int_equal(hs_damage_crossing(4, level, up, 0.1, &s), HS_CROSS_BEFORE);
    assert_near(s, 1, 0);
    assert_int_equal(hs_damage_crossing(1, level, up, 0.5, &s), HS_CROSS_NONE);
    assert_true(isnan(s));
    assert_int_equal(hs_damage_crossing(4, level, up, 0, &s), HS_CROSS_NONE);
}

/* Without noise: threshold t = half of the last level's value, sigma50 = s (t / (1 - t))^(1/4) but for the line between
 * two half octaves, whose error is below 1 %. */
static void test_closed_form(void **state)
{
    (void)state;
    plan p = good;
    p.noise = 0;
    hs_robustness r = measure(&p);
    double t = curve_at(level_at(M - 1), p.s[HS_ARM_EPS_P]) / 2, grow = pow(t / (1 - t), 0.25);
    assert_near(r.threshold, t, 1e-12);
    assert_near(stat(&r, "sigma50[h_p]")->value, 0.8 * grow, 0.008);
    assert_near(stat(&r, "sigma50[eps_p]")->value, 0.25 * grow, 0.0025);
    assert_near(stat(&r, "sigma50[x_t]")->value, 0.4 * grow, 0.004);
    assert_near(r.result.primary.value, log(3.2), 0.01);
    assert_near(r.result.standard, log(1.25), 1e-15);
    assert_true(isnan(stat(&r, "sigma50[h_both]")->value));
    assert_string_equal(stat(&r, "sigma50[h_both]")->reason, "the arm was not run");
    assert_true(isnan(stat(&r, "log_ratio_sigma50_both")->value));
    assert_verdict(r, HS_VERDICT_HOLDS);
    hs_robustness_free(&r);
}

/* Levels in another order, or arms in another order, are the same table. */
static void test_order(void **state)
{
    (void)state;
    const double level[] = {2, 0, 1}, value[] = {5, 1, 3, 7, 2, 4};
    hs_damage d = {.n = 2};
    assert_ok(hs_damage_add(&d, HS_ARM_X_T, 3, level, value));
    assert_near(d.level[HS_ARM_X_T][2], 2, 0);
    assert_near(d.damage[HS_ARM_X_T][0], 1, 0);
    assert_near(d.damage[HS_ARM_X_T][5], 7, 0);
    assert_code(hs_damage_add(&d, HS_ARM_X_T, 3, level, value), HS_ERANGE);
    assert_code(hs_damage_add(&d, HS_ARM_H_P, 1, level, value), HS_ERANGE);
    assert_code(hs_damage_add(&d, HS_ARM_H_P, 2, (const double[]){0, 0}, value), HS_ERANGE);
    assert_code(hs_damage_add(&d, HS_ARM_H_P, 2, (const double[]){0, -1}, value), HS_ERANGE);
    assert_code(hs_damage_add(&d, HS_ARM_H_P, 2, (const double[]){0, NAN}, value), HS_ERANGE);
    hs_damage_free(&d);
}

/* 200 tables of 32 images: the interval holds the truth in 95 % of them (here 90 to 99: 200 draws say no more), and the
 * mean is within 2 % of it.  The truth is the value of the table without noise. */
static void test_coverage(void **state)
{
    (void)state;
    enum { RUNS = 200 };
    size_t in_sigma = 0, in_ratio = 0;
    double sum = 0;
    plan p = good;
    p.n = 32;
    p.noise = 0;
    hs_robustness truth = measure(&p);
    p.noise = 0.25;
    for (uint64_t run = 0; run < RUNS; run++) {
        p.stream = 100 + run;
        hs_robustness r = measure(&p);
        const hs_estimate *s = stat(&r, "sigma50[h_p]"), *ratio = &r.result.primary;
        in_sigma += s->lo <= truth.sigma50[HS_ARM_H_P] && truth.sigma50[HS_ARM_H_P] <= s->hi;
        in_ratio += ratio->lo <= truth.result.primary.value && truth.result.primary.value <= ratio->hi;
        sum += s->value / RUNS;
        hs_robustness_free(&r);
    }
    print_message("coverage of 95 %% intervals: sigma50 %zu, log ratio %zu of %d\n", in_sigma, in_ratio, RUNS);
    assert_in_range(in_sigma, 180, 198);
    assert_in_range(in_ratio, 180, 198);
    assert_near(sum / truth.sigma50[HS_ARM_H_P], 1, 0.02);
    hs_robustness_free(&truth);
}

/* Swapping h and eps flips the sign, where both have the same plateau; a scale of all damage changes nothing, nor does
 * another order of the images. */
static void test_metamorphic(void **state)
{
    (void)state;
    plan p = good, swapped = good, scaled = good;
    p.noise = swapped.noise = 0;
    swapped.s[HS_ARM_H_P] = good.s[HS_ARM_EPS_P];
    swapped.s[HS_ARM_EPS_P] = good.s[HS_ARM_H_P];
    hs_robustness a = measure(&p), b = measure(&swapped);
    assert_near(a.result.primary.value, -b.result.primary.value, 0.01);
    assert_verdict(b, HS_VERDICT_FAILS);
    hs_robustness_free(&a);
    hs_robustness_free(&b);
    scaled.scale = 8; /* a power of two: the same bits */
    a = measure(&good);
    b = measure(&scaled);
    assert_near(a.result.primary.value, b.result.primary.value, 0);
    assert_near(a.result.primary.lo, b.result.primary.lo, 0);
    assert_near(b.threshold, 8 * a.threshold, 0);
    hs_robustness_free(&b);
    hs_damage d = plant(&good);
    for (int arm = 0; arm < HS_ARMS; arm++) {
        for (size_t c = 0; d.m[arm] > 0 && c < d.n / 2 * M; c++) {
            size_t other = (d.n - 1 - c / M) * M + c % M;
            double keep = d.damage[arm][c];
            d.damage[arm][c] = d.damage[arm][other];
            d.damage[arm][other] = keep;
        }
    }
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    assert_ok(hs_robustness_measure(&d, &o, &b));
    assert_near(a.result.primary.value, b.result.primary.value, 1e-12);
    hs_damage_free(&d);
    hs_robustness_free(&a);
    hs_robustness_free(&b);
}

static void test_verdicts(void **state)
{
    (void)state;
    plan p = good;
    p.s[HS_ARM_H_P] = p.s[HS_ARM_EPS_P];
    hs_robustness r = measure(&p);
    assert_verdict(r, HS_VERDICT_FAILS);
    hs_robustness_free(&r);
    p.s[HS_ARM_H_P] = p.s[HS_ARM_EPS_P] * 1.25;
    p.noise = 0.5;
    r = measure(&p);
    assert_verdict(r, HS_VERDICT_INCONCLUSIVE);
    hs_robustness_free(&r);
    p = good;
    p.s[HS_ARM_H_P] = 100; /* never breaks: a lower bound, which can hold */
    r = measure(&p);
    assert_verdict(r, HS_VERDICT_HOLDS);
    assert_int_equal(r.cross[HS_ARM_H_P], HS_CROSS_BEYOND);
    assert_near(stat(&r, "sigma50[h_p]")->value, level_at(M - 1), 0);
    assert_non_null(strstr(stat(&r, "sigma50[h_p]")->reason, "lower bound"));
    hs_robustness_free(&r);
    p.s[HS_ARM_H_P] = 0.001; /* broken at once: an upper bound, which can fail */
    r = measure(&p);
    assert_verdict(r, HS_VERDICT_FAILS);
    hs_robustness_free(&r);
}

/* A lower bound below the standard decides nothing. */
static void test_bound(void **state)
{
    (void)state;
    plan p = good;
    p.s[HS_ARM_H_P] = 100;
    hs_damage d = plant(&p);
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    hs_robustness r;
    o.standard = log(100);
    assert_ok(hs_robustness_measure(&d, &o, &r));
    assert_verdict(r, HS_VERDICT_INCONCLUSIVE);
    assert_non_null(strstr(r.result.reason, "lower bound"));
    hs_robustness_free(&r);
    o.standard = NAN;
    assert_code(hs_robustness_measure(&d, &o, &r), HS_ERANGE);
    o.standard = 1;
    o.bootstrap.B = 0;
    assert_code(hs_robustness_measure(&d, &o, &r), HS_ERANGE);
    hs_damage_free(&d);
}

static void expect(const hs_damage *d, hs_verdict v, const char *reason)
{
    hs_robustness r;
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    assert_ok(hs_robustness_measure(d, &o, &r));
    assert_verdict(r, v);
    if (strstr(r.result.reason, reason) == NULL) {
        fail_msg("reason \"%s\"; wanted \"%s\"", r.result.reason, reason);
    }
    hs_robustness_free(&r);
}

static void test_degenerate(void **state)
{
    (void)state;
    const double level[] = {0, 1, 2, 4}, zero[8] = {0}, rising[] = {0, 1, 2, 4, 0, 1, 2, 5};
    plan p = good;
    p.n = 1;
    hs_damage d = plant(&p);
    expect(&d, HS_VERDICT_INCONCLUSIVE, "one image");
    hs_damage_free(&d);
    d = plant(&good);
    d.damage[HS_ARM_H_P][5] = NAN;
    expect(&d, HS_VERDICT_INCONCLUSIVE, "not finite");
    d.damage[HS_ARM_EPS_P][5] = NAN;
    expect(&d, HS_VERDICT_INCONCLUSIVE, "not finite");
    hs_damage_free(&d);
    d = (hs_damage){.n = 2};
    assert_ok(hs_damage_add(&d, HS_ARM_H_P, 1, level, zero));
    assert_ok(hs_damage_add(&d, HS_ARM_EPS_P, 1, level, zero));
    expect(&d, HS_VERDICT_INCONCLUSIVE, "no level above 0");
    hs_damage_free(&d);
    d = (hs_damage){.n = 2};
    assert_ok(hs_damage_add(&d, HS_ARM_H_P, 4, level, zero));
    assert_ok(hs_damage_add(&d, HS_ARM_EPS_P, 4, level, zero));
    expect(&d, HS_VERDICT_NO_EFFECT, "noise floor");
    hs_damage_free(&d);
    d = (hs_damage){.n = 2};
    assert_ok(hs_damage_add(&d, HS_ARM_H_P, 4, level, zero));
    hs_robustness r;
    hs_robustness_options o = HS_ROBUSTNESS_OPTIONS_INIT;
    assert_code(hs_robustness_measure(&d, &o, &r), HS_ERANGE);
    assert_ok(hs_damage_add(&d, HS_ARM_EPS_P, 4, level, rising));
    expect(&d, HS_VERDICT_INCONCLUSIVE, "");
    hs_damage_free(&d);
    p = good;
    p.s[HS_ARM_EPS_P] = 4; /* still rising at the last level */
    d = plant(&p);
    expect(&d, HS_VERDICT_INCONCLUSIVE, "no plateau");
    hs_damage_free(&d);
}

static const char *csv(const char *text)
{
    const char *path = temp_path("damage.csv");
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    return path;
}

static void test_csv(void **state)
{
    (void)state;
    hs_damage d;
    assert_ok(hs_damage_read(csv("arm,level,damage,image\nh_p,1,3,b\nh_p,0,1,a\nh_p,0,2,b\nh_p,1,nan,a\n"
                                 "x_t,0,5,b\nx_t,0,6,a\n"),
                             &d));
    assert_int_equal(d.n, 2);
    assert_int_equal(d.m[HS_ARM_H_P], 2);
    assert_int_equal(d.m[HS_ARM_X_T], 1);
    assert_true(isnan(d.damage[HS_ARM_H_P][1]));
    assert_near(d.damage[HS_ARM_H_P][3], 3, 0);
    assert_near(d.damage[HS_ARM_X_T][0], 6, 0);
    hs_damage_free(&d);
    assert_code(hs_damage_read(csv("image,arm,level\na,h_p,0\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,x,1\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,0,x\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,0,1\na,h_p,0,1\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,0,1\na,h_p,1,1\nb,h_p,0,1\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,0,1\nb,x_t,0,1\n"), &d), HS_EFORMAT);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h,0,1\n"), &d), HS_ERANGE);
    assert_code(hs_damage_read(csv("image,arm,level,damage\na,h_p,1,1\n"), &d), HS_ERANGE);
    assert_code(hs_damage_read(csv("image,arm,level,damage\n"), &d), HS_ERANGE);
    assert_code(hs_damage_read("/nonexistent/c.csv", &d), HS_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossing), cmocka_unit_test(test_closed_form), cmocka_unit_test(test_order),
        cmocka_unit_test(test_coverage), cmocka_unit_test(test_metamorphic), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_bound),    cmocka_unit_test(test_degenerate),  cmocka_unit_test(test_csv),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
