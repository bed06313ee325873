#include <math.h>
#include <stdlib.h>

#include "core/diffusion/editing.h"
#include "core/diffusion/schedule.h"
#include "tests/support/support.h"

static const hs_schedule_spec linear_1000 = {
    .kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
static const hs_schedule_spec anime64 = {
    .kind = HS_SCHEDULE_COSINE, .T = 300, .cosine_s = 0.008, .beta_min = 1e-4, .beta_max = 0.9999};

static hs_schedule make(const hs_schedule_spec *spec)
{
    hs_schedule s;
    assert_ok(hs_schedule_create(spec, &s));
    return s;
}

/* Four digits of field.md 7.1. */
static void test_linear_alpha_bar(void **state)
{
    (void)state;
    const double want[] = {.8951, .6563, .3940, .1936, .0778, .0256, .0069, .0015, .0003, .0000};
    hs_schedule s = make(&linear_1000);
    for (int k = 0; k < 10; k++) {
        assert_near(s.alpha_bar[k < 9 ? 100 * (k + 1) : 999], want[k], 5.1e-5);
    }
    assert_near(s.beta[0], 1e-4, 0);
    assert_near(s.beta[999], 0.02, 0);
    hs_schedule_free(&s);
    hs_schedule_free(NULL);
}

/* Six digits of the model's own card. */
static void test_cosine_of_anime64(void **state)
{
    (void)state;
    const int t[] = {0, 50, 100, 150, 250, 290};
    const double want[] = {.999844, .925156, .738329, .488649, .063407, .002184};
    hs_schedule s = make(&anime64);
    for (int k = 0; k < 6; k++) {
        assert_near(s.alpha_bar[t[k]], want[k], 5.1e-7);
    }
    hs_schedule_free(&s);
}

/* One step of beta = 1/2: as much image as noise in x_T. Sixteen values of mean -1/4 sum to 4 in each, a unit of the
 * noise. */
static void test_offset(void **state)
{
    (void)state;
    const double half = 0.5;
    hs_schedule s = make(&(hs_schedule_spec){.kind = HS_SCHEDULE_TABLE, .T = 1, .table = &half});
    assert_near(hs_schedule_offset(&s, -0.25, 16), 1, 1e-15);
    assert_near(hs_schedule_offset(&s, 0, 16), 0, 0);
    hs_schedule_free(&s);
}

/* scaled_linear interpolates square roots: the middle of 3 is ((sqrt a + sqrt b) / 2)^2; a table is taken as it is. */
static void test_scaled_linear_and_table(void **state)
{
    (void)state;
    hs_schedule s =
        make(&(hs_schedule_spec){.kind = HS_SCHEDULE_SCALED_LINEAR, .T = 3, .beta_start = 0.0001, .beta_end = 0.09});
    assert_near(s.beta[1], 0.155 * 0.155, 1e-17);
    hs_schedule_free(&s);
    const double b[] = {0.5, 0.2};
    s = make(&(hs_schedule_spec){.kind = HS_SCHEDULE_TABLE, .T = 2, .table = b});
    assert_near(s.alpha_bar[1], 0.4, 1e-16);
    hs_schedule_free(&s);
}

static void test_bad_schedules(void **state)
{
    (void)state;
    hs_schedule s = {.T = 7, .beta = NULL, .alpha_bar = NULL};
    hs_schedule_spec bad = linear_1000;
    bad.T = 0;
    assert_code(hs_schedule_create(&bad, &s), HS_ERANGE);
    bad.T = 1000001;
    assert_code(hs_schedule_create(&bad, &s), HS_ERANGE);
    bad = linear_1000;
    bad.beta_end = 1.0;
    assert_code(hs_schedule_create(&bad, &s), HS_ERANGE);
    bad.beta_end = NAN;
    assert_code(hs_schedule_create(&bad, &s), HS_ERANGE);
    bad.beta_end = 0.9; /* the product falls below 1e-300 */
    assert_code(hs_schedule_create(&bad, &s), HS_ERANGE);
    assert_int_equal(s.T, 7);
}

/* field.md 2.5: 0, 25, 51, 76, 102, 128 ... 973, 999; the next of each is its neighbour, the last ends at 1. */
static void test_asyrp_grid(void **state)
{
    (void)state;
    const int low[] = {0, 25, 51, 76, 102, 128};
    hs_schedule s = make(&linear_1000);
    hs_steps st;
    assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 40}, &st));
    for (size_t k = 0; k < 6; k++) {
        assert_int_equal(st.step[39 - k].t, low[k]);
    }
    assert_int_equal(st.step[0].t, 999);
    assert_int_equal(st.step[1].t, 973);
    for (size_t k = 0; k + 1 < 40; k++) {
        assert_int_equal(st.step[k].t_next, st.step[k + 1].t);
        assert_near(st.step[k].alpha_bar_next, s.alpha_bar[st.step[k + 1].t], 0);
    }
    assert_int_equal(st.step[39].t_next, -1);
    assert_near(st.step[39].alpha_bar_next, 1, 0);
    hs_steps_free(&st);
    hs_steps_free(NULL);
    assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 1}, &st));
    assert_int_equal(st.step[0].t, 0);
    hs_steps_free(&st);
    assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 1000}, &st));
    assert_int_equal(st.step[499].t, 500);
    hs_steps_free(&st);
    hs_schedule_free(&s);
}

/* diffusers ends at alpha_bar_0 unless told set_alpha_to_one. */
static void test_end_of_leading(void **state)
{
    (void)state;
    hs_schedule s = make(&linear_1000);
    hs_steps st;
    for (int one = 0; one < 2; one++) {
        hs_steps_spec spec = {.spacing = HS_SPACING_LEADING, .S = 40, .set_alpha_to_one = one};
        assert_ok(hs_steps_create(&s, &spec, &st));
        assert_int_equal(st.step[0].t, 975);
        assert_int_equal(st.step[39].t, 0);
        assert_near(st.step[39].alpha_bar_next, one ? 1.0 : s.alpha_bar[0], 0);
        hs_steps_free(&st);
    }
    hs_schedule_free(&s);
}

/* The 25 timesteps of anime64's stored trajectory, given as a list. */
static void test_list(void **state)
{
    (void)state;
    const int t[] = {290, 278, 266, 254, 242, 230, 218, 205, 193, 181, 169, 157, 145,
                     133, 121, 109, 97,  85,  72,  60,  48,  36,  24,  12,  0};
    hs_schedule s = make(&anime64);
    hs_steps st;
    assert_ok(hs_steps_from_list(&s, 25, t, &st));
    assert_int_equal(st.S, 25);
    assert_int_equal(st.step[7].t, 205);
    assert_int_equal(st.step[7].t_next, 193);
    assert_near(st.step[7].alpha_bar_next, s.alpha_bar[193], 0);
    assert_int_equal(st.step[24].t_next, -1);
    assert_near(st.step[24].alpha_bar_next, 1, 0);
    hs_steps_free(&st);
    hs_schedule_free(&s);
}

static void test_bad_steps(void **state)
{
    (void)state;
    hs_schedule s = make(&anime64);
    hs_steps st = {.S = 7, .step = NULL};
    assert_code(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 0}, &st), HS_ERANGE);
    assert_code(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 301}, &st), HS_ERANGE);
    hs_steps_spec over = {.spacing = HS_SPACING_LEADING, .S = 300, .steps_offset = 1};
    assert_code(hs_steps_create(&s, &over, &st), HS_ERANGE);
    hs_steps_spec under = {.spacing = HS_SPACING_LEADING, .S = 10, .steps_offset = -1};
    assert_code(hs_steps_create(&s, &under, &st), HS_ERANGE);
    assert_code(hs_steps_from_list(&s, 2, (const int[]){10, 10}, &st), HS_ERANGE);
    assert_code(hs_steps_from_list(&s, 2, (const int[]){300, 10}, &st), HS_ERANGE);
    assert_code(hs_steps_from_list(&s, 2, (const int[]){10, -1}, &st), HS_ERANGE);
    assert_code(hs_steps_from_list(&s, 0, NULL, &st), HS_ERANGE);
    assert_int_equal(st.S, 7);
    hs_schedule_free(&s);
}

/* The table of field.md 1.1, three digits: at the step nearest to each t of the S-step grid. */
static void test_theorem1_table(void **state)
{
    (void)state;
    const int at[] = {200, 400, 500, 700, 900};
    const struct {
        size_t S;
        double sym[5], asym[5], tol;
    } row[] = {
        {1000, {-.0035, -.0045, -.0053, -.0071, -.0091}, {-.587, -.902, -.965, -1.004, -1.009}, 5.1e-5},
        {100, {-.035, -.046, -.054, -.073, -.095}, {-.600, -.938, -1.012, -1.068, -1.094}, 5.1e-4},
        {50, {-.071, -.094, -.111, -.157, -.207}, {-.617, -.980, -1.066, -1.152, -1.207}, 5.1e-4},
        {40, {-.089, -.118, -.146, -.188, -.261}, {-.625, -1.001, -1.100, -1.182, -1.261}, 5.1e-4},
        {20, {-.192, -.259, -.313, -.424, -.578}, {-.673, -1.126, -1.261, -1.415, -1.577}, 5.1e-4},
    };
    hs_schedule s = make(&linear_1000);
    for (size_t r = 0; r < 5; r++) {
        hs_steps st;
        assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = row[r].S}, &st));
        for (int c = 0; c < 5; c++) {
            size_t best = 0;
            for (size_t k = 1; k < st.S; k++) {
                best = abs(st.step[k].t - at[c]) < abs(st.step[best].t - at[c]) ? k : best;
            }
            double sym, asym;
            hs_theorem1(&st.step[best], &sym, &asym);
            assert_near(sym, row[r].sym[c], row[r].tol);
            assert_near(asym, row[r].asym[c], 5.1e-4);
        }
        hs_steps_free(&st);
    }
    hs_schedule_free(&s);
}

/* S / S~ with t_edit = 0; counted points; the ratio of coefficient sums. */
static void test_rescale(void **state)
{
    (void)state;
    hs_schedule s = make(&linear_1000);
    hs_steps a, b;
    double f;
    assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 40}, &a));
    assert_ok(hs_steps_create(&s, &(hs_steps_spec){.spacing = HS_SPACING_ASYRP, .S = 100}, &b));
    assert_ok(hs_rescale_factor(HS_RESCALE_NONE, &a, &b, 0, &f));
    assert_near(f, 1, 0);
    assert_ok(hs_rescale_factor(HS_RESCALE_COUNT, &a, &b, 0, &f));
    assert_near(f, 0.4, 1e-15);
    assert_ok(hs_rescale_factor(HS_RESCALE_COUNT, &a, &b, 974, &f));
    assert_near(f, 1.0 / 3.0, 1e-15); /* 999 against 999, 988, 978 */
    assert_ok(hs_rescale_factor(HS_RESCALE_ALPHA, &a, &b, 999, &f));
    double sa = sqrt(a.step[0].alpha_bar_next), sb = sqrt(b.step[0].alpha_bar_next);
    assert_near(f, sa / sb, 1e-14); /* the same t: only alpha_bar' differs */
    assert_code(hs_rescale_factor(HS_RESCALE_ALPHA, &a, &b, 1000, &f), HS_EDEGENERATE);
    hs_steps_free(&a);
    hs_steps_free(&b);
    hs_schedule_free(&s);
}

static int crossing_of(const char *file, double threshold)
{
    int t[2000], cross = -1;
    double v[2000];
    size_t n = 0;
    FILE *f = fopen(shared_data(file), "r");
    assert_non_null(f);
    while (n < 2000 && fscanf(f, "%d %lf", &t[n], &v[n]) == 2) {
        n++;
    }
    (void)fclose(f);
    assert_ok(hs_curve_crossing(n, t, v, threshold, &cross));
    return cross;
}

/* The authors' curves and the crossings of field.md 1.1. */
static void test_crossings_of_the_lpips_curves(void **state)
{
    (void)state;
    const char *name[] = {"celeba", "afhq", "church", "bedroom", "metface"};
    const int edit[] = {538, 482, 396, 384, 396}, boost[] = {167, 167, 293, 221, 180};
    need_shared("lpips-curves/celeba_LPIPS_distance_x.tsv");
    for (size_t i = 0; i < 5; i++) {
        char file[128];
        snprintf(file, sizeof file, "lpips-curves/%s_LPIPS_distance_x0_t.tsv", name[i]);
        assert_int_equal(crossing_of(file, HS_LPIPS_T_EDIT), edit[i]);
        snprintf(file, sizeof file, "lpips-curves/%s_LPIPS_distance_x.tsv", name[i]);
        assert_int_equal(crossing_of(file, HS_LPIPS_T_BOOST), boost[i]);
    }
}

static void test_crossing_edges(void **state)
{
    (void)state;
    int t = 7;
    const double v[] = {.1, .3, .2, .4};
    assert_ok(hs_curve_crossing(4, (const int[]){1, 2, 3, 4}, v, .3, &t));
    assert_int_equal(t, 2);
    assert_code(hs_curve_crossing(4, (const int[]){1, 2, 3, 4}, v, .5, &t), HS_EDEGENERATE);
    assert_code(hs_curve_crossing(0, NULL, NULL, .5, &t), HS_EDEGENERATE);
    assert_code(hs_curve_crossing(4, (const int[]){1, 1, 3, 4}, v, .5, &t), HS_ERANGE);
    assert_int_equal(t, 2);
}

/* The sections of T are as equal as can be, the first ones longer; halves are rounded to even. */
static void test_respacing(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t S;
        int t[6];
    } good[] = {{"ddim4", 4, {9, 6, 3, 0}}, {"3", 3, {9, 4, 0}}, {"1,2,1", 4, {7, 6, 4, 0}}, {"1", 1, {0}}};
    static const char *const bad[] = {"",
                                      "ddim",
                                      "ddim0",
                                      "ddim7",
                                      "ddim1,2",
                                      "0",
                                      "11",
                                      "5,6",
                                      "1,,2",
                                      "1,2,",
                                      "x",
                                      "-1",
                                      "1.5",
                                      "1,1,1,1,1,1,1,1,1,1,1",
                                      "2 ,3",
                                      "ddim99",
                                      "12345678901234567890123456789"};
    hs_schedule s =
        make(&(hs_schedule_spec){.kind = HS_SCHEDULE_LINEAR, .T = 10, .beta_start = 1e-4, .beta_end = 0.02});
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        hs_steps st;
        assert_ok(hs_steps_respaced(&s, good[i].text, &st));
        assert_int_equal(st.S, good[i].S);
        for (size_t k = 0; k < st.S; k++) {
            assert_int_equal(st.step[k].t, good[i].t[k]);
        }
        assert_true(st.step[st.S - 1].alpha_bar_next == 1);
        hs_steps_free(&st);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hs_steps st = {.S = 99};
        assert_code(hs_steps_respaced(&s, bad[i], &st), HS_ERANGE);
        assert_int_equal(st.S, 99);
    }
    hs_schedule_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_alpha_bar),
        cmocka_unit_test(test_cosine_of_anime64),
        cmocka_unit_test(test_scaled_linear_and_table),
        cmocka_unit_test(test_offset),
        cmocka_unit_test(test_bad_schedules),
        cmocka_unit_test(test_asyrp_grid),
        cmocka_unit_test(test_end_of_leading),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_bad_steps),
        cmocka_unit_test(test_theorem1_table),
        cmocka_unit_test(test_rescale),
        cmocka_unit_test(test_crossings_of_the_lpips_curves),
        cmocka_unit_test(test_crossing_edges),
        cmocka_unit_test(test_respacing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
