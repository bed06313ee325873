#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/stats/bootstrap.h"
#include "core/stats/moments.h"
#include "core/stats/regress.h"
#include "core/stats/special.h"
#include "tests/support/support.h"

#define assert_rel(a, b, tol) assert_near(a, b, (tol)*fabs(b))

/* Values of SciPy 1.x (Boost, Cephes), frozen. */
static void test_beta_and_normal(void **state)
{
    (void)state;
    assert_rel(hs_beta_inc(2, 3, .4), 0.5247999999999999, 1e-13);
    assert_rel(hs_beta_inc(.5, .5, .3), 0.36901011956554536, 1e-13);
    assert_rel(hs_beta_inc(10, .5, .99), 0.6579281751567845, 1e-12);
    assert_rel(hs_beta_inc(200, 300, .41), 0.677628164772179, 1e-11); /* log-gammas of 1e3 cancel */
    assert_rel(hs_beta_inc(1e4, 1.5, .9995), 0.018542766437367908, 1e-10);
    assert_true(isnan(hs_beta_inc(0, 1, .5)) && isnan(hs_beta_inc(1, 1, 1.5)));
    assert_near(hs_beta_inc(2, 3, 0), 0, 0);
    assert_near(hs_beta_inc(2, 3, 1), 1, 0);
    assert_near(hs_normal_quantile(.5), 0, 1e-15);
    assert_rel(hs_normal_quantile(.025), -1.9599639845400545, 1e-14);
    assert_rel(hs_normal_quantile(.975), 1.959963984540054, 1e-13);
    assert_rel(hs_normal_quantile(.3), -0.5244005127080409, 1e-13);
    assert_rel(hs_normal_quantile(.45), -0.12566134685507402, 1e-13);
    assert_rel(hs_normal_quantile(1e-10), -6.361340902404056, 1e-13);
    assert_rel(hs_normal_quantile(1e-300), -37.0470962993612, 1e-13);
    assert_rel(hs_normal_quantile(.9999), 3.719016485455709, 1e-11); /* 1 - p has lost 4 digits */
    assert_true(isinf(hs_normal_quantile(0)) && isnan(hs_normal_quantile(-.1)));
    assert_rel(hs_normal_cdf(-1.9599639845400545), .025, 1e-14);
}

static void test_student_and_f(void **state)
{
    (void)state;
    assert_near(hs_student_cdf(0, 3), .5, 1e-15);
    assert_rel(hs_student_cdf(1.5, 3), 0.8847080673775886, 1e-13);
    assert_rel(hs_student_cdf(-2.2, 7), 0.03186550765131839, 1e-13);
    assert_rel(hs_student_cdf(12, 5), 0.9999645525374142, 1e-13);
    assert_rel(hs_student_cdf(-.1, 1000), 0.46018218451180204, 1e-12);
    assert_near(hs_student_cdf(-INFINITY, 4), 0, 0);
    assert_rel(hs_student_quantile(.975, 1), 12.706204736174694, 1e-12);
    assert_rel(hs_student_quantile(.975, 7), 2.364624251592784, 1e-12);
    assert_rel(hs_student_quantile(.975, 15), 2.131449545559776, 1e-12);
    assert_rel(hs_student_quantile(.975, 63), 1.998340542520741, 1e-12);
    assert_rel(hs_student_quantile(.025, 7), -2.3646242515927844, 1e-12);
    assert_rel(hs_student_quantile(.6, 2.5), 0.2814595127485477, 1e-12);
    assert_rel(hs_student_quantile(.999, 99), 3.1746038497557523, 1e-11);
    assert_true(isnan(hs_student_quantile(0, 7)));
    assert_rel(hs_f_upper(1.5, 3, 20), 0.24505201159396733, 1e-12);
    assert_rel(hs_f_upper(3, 7, 57), 0.009420784263506184, 1e-12);
    assert_rel(hs_f_upper(40, 7, 57), 9.801252727061796e-20, 1e-11);
    assert_rel(hs_f_upper(.2, 2, 9), 0.8222728507964265, 1e-12);
    assert_rel(hs_f_upper(100, 15, 50), 6.763092047746453e-32, 1e-11);
    assert_near(hs_f_upper(-1, 2, 9), 1, 0);
}

static void test_moments(void **state)
{
    (void)state;
    double x[] = {3, 1, 2, 10}, twice[] = {1, 2, 0, 1}, copied[] = {3, 1, 1, 10};
    assert_near(hs_mean(4, x, NULL), 4, 0);
    assert_rel(hs_sd(4, x, NULL), sqrt(50.0 / 3.0), 1e-15);
    assert_rel(hs_mean(4, x, twice), hs_mean(4, copied, NULL), 1e-15);
    assert_rel(hs_sd(4, x, twice), hs_sd(4, copied, NULL), 1e-15);
    assert_rel(hs_rms(4, x, twice), sqrt(111.0 / 4.0), 1e-15);
    assert_true(isnan(hs_sd(1, x, NULL)) && isnan(hs_mean(0, x, NULL)));
    hs_sort(4, x);
    assert_near(hs_quantile_sorted(4, x, 0.5), 2.5, 1e-15);
    assert_near(hs_quantile_sorted(4, x, 0.9), 3 + 0.7 * 7, 1e-14);
    assert_near(hs_quantile_sorted(4, x, 1), 10, 0);
}

/* Ten pairs with ties; SciPy's numbers. */
static void test_ranks_and_correlation(void **state)
{
    (void)state;
    const double x[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, y[] = {2, 7, 1, 8, 2, 8, 1, 8, 2, 8};
    const double want[] = {4.5, 1.5, 6, 1.5, 7.5, 10, 3, 9, 7.5, 4.5};
    size_t order[10];
    double rank[20];
    hs_ranks(10, x, order, rank);
    assert_memory_equal(rank, want, sizeof want);
    assert_rel(hs_spearman(10, x, y, order, rank), 0.13471506281091267, 1e-13);
    assert_rel(hs_pearson(10, x, y), 0.10492284287735881, 1e-13);
    assert_true(isnan(hs_pearson(2, (double[]){1, 1}, y)));
}

/* By hand: x = (-1, 0, 1, 2), y = (-2, 1, 2, 3): b = 10/6; the rest 4/3, the total 14. */
static void test_line_through_the_origin(void **state)
{
    (void)state;
    const double x[] = {-1, 0, 1, 2}, y[] = {-2, 1, 2, 3};
    double b = hs_slope_origin(4, x, y);
    assert_rel(b, 10.0 / 6.0, 1e-15);
    assert_rel(hs_r2(4, x, y, b), 1 - (18 - 100.0 / 6.0) / 14, 1e-14);
    assert_true(isnan(hs_slope_origin(1, x + 1, y)) && isnan(hs_r2(1, x, y, 1)));
}

static void test_hotelling(void **state)
{
    (void)state;
    const double r[] = {.3, .1, .5, -.2, .1, .4, .9, .2, -.2, .3, .4, .6};
    double same[12], t2 = 7, p = 7;
    assert_code(hs_hotelling(2, 2, r, &t2, &p), HS_EDEGENERATE);
    for (int i = 0; i < 6; i++) {
        same[2 * i] = r[2 * i];
        same[2 * i + 1] = 3 * r[2 * i];
    }
    assert_code(hs_hotelling(6, 2, same, &t2, &p), HS_EDEGENERATE);
    assert_near(t2, 7, 0);
    assert_ok(hs_hotelling(6, 2, r, &t2, &p));
    assert_rel(t2, 12.552394170714775, 1e-12);
    assert_rel(p, 0.08114603094565681, 1e-12);
}

typedef struct {
    size_t n;
    const double *x;
} sample;

static void mean_and_sd(const void *ctx, const double *w, double *theta, void *scratch)
{
    const sample *s = ctx;
    memcpy(scratch, w, s->n * sizeof *w); /* the scratch is ours to write */
    theta[0] = hs_mean(s->n, s->x, scratch);
    theta[1] = hs_sd(s->n, s->x, scratch);
}

static void check_golden(const json_t *j, const char *name, const sample *s, int which, const unsigned char *index)
{
    enum { B = 2000 };
    static double theta[B];
    const json_t *g = json_object_get(j, name), *want = json_object_get(g, "percentile");
    double w[60], t[2], scratch[60];
    for (size_t b = 0; b < B; b++) {
        memset(w, 0, sizeof w);
        for (size_t i = 0; i < s->n; i++) {
            w[index[b * s->n + i]] += 1;
        }
        mean_and_sd(s, w, t, scratch);
        theta[b] = t[which];
    }
    hs_interval ci = hs_percentile_interval(1, s->n, B, theta, 0.95);
    assert_rel(ci.lo, json_real_value(json_array_get(want, 0)), 1e-12);
    assert_rel(ci.hi, json_real_value(json_array_get(want, 1)), 1e-12);
    assert_null(ci.reason);
}

/* Given resamples, so the interval is a number and not a distribution. */
static void test_percentile_of_given_resamples(void **state)
{
    (void)state;
    static unsigned char index[2000 * 60];
    unsigned char head[10];
    double x[60];
    need_shared("golden-stats/bca.json");
    json_t *j = json_load_file(shared_data("golden-stats/bca.json"), 0, NULL);
    FILE *f = fopen(shared_data("golden-stats/bca_index.npy"), "rb");
    assert_true(j != NULL && f != NULL);
    assert_int_equal(fread(head, 1, 10, f), 10); /* .npy 1.0: the header's length at byte 8 */
    assert_int_equal(fseek(f, 10 + head[8] + 256 * head[9], SEEK_SET), 0);
    assert_int_equal(fread(index, 1, sizeof index, f), sizeof index);
    (void)fclose(f);
    for (size_t i = 0; i < 60; i++) {
        x[i] = json_real_value(json_array_get(json_object_get(j, "x"), i));
    }
    sample s = {60, x};
    assert_rel(hs_mean(60, x, NULL), json_real_value(json_object_get(json_object_get(j, "mean"), "value")), 1e-13);
    assert_rel(hs_sd(60, x, NULL), json_real_value(json_object_get(json_object_get(j, "sd"), "value")), 1e-13);
    check_golden(j, "mean", &s, 0, index);
    check_golden(j, "sd", &s, 1, index);
    json_decref(j);
}

static void fill_normals(size_t n, uint64_t stream, double *x)
{
    for (size_t i = 0; i < n; i++) {
        float z;
        hs_rng_normal((hs_rng){11, HS_RNG_TEST, stream}, i, 1, &z);
        x[i] = (double)z;
    }
}

/* The interval of a mean of n normals is mean -+ 1.96 s / sqrt(n): 5 sd of the bootstrap's own error allowed. */
static void test_interval_of_a_mean(void **state)
{
    (void)state;
    double x[400];
    hs_interval ci[2];
    fill_normals(400, 0, x);
    sample s = {400, x};
    hs_statistic st = {.n = 400, .q = 2, .scratch = sizeof x, .eval = mean_and_sd, .ctx = &s};
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    assert_ok(hs_bootstrap(&st, &o, ci, NULL));
    double m = hs_mean(400, x, NULL), se = hs_sd(400, x, NULL) / 20;
    assert_near(ci[0].value, m, 1e-14);
    assert_near(ci[0].lo, m - 1.96 * se, 5 * 0.06 * se); /* sd of the 2.5 % quantile of 2000: .06 se */
    assert_near(ci[0].hi, m + 1.96 * se, 5 * 0.06 * se);
    assert_true(ci[1].lo < ci[1].value && ci[1].value < ci[1].hi);
}

/* 95 % intervals of the mean cover 0 in 95 % of 400 samples, within 4 sd of that count (n = 50 costs one point). */
static void test_coverage(void **state)
{
    (void)state;
    double x[50];
    int hit = 0;
    sample s = {50, x};
    hs_statistic st = {.n = 50, .q = 2, .scratch = sizeof x, .eval = mean_and_sd, .ctx = &s};
    for (uint64_t r = 0; r < 400; r++) {
        hs_bootstrap_options o = {.B = 400, .seed = r, .level = 0.95};
        hs_interval ci[2];
        fill_normals(50, 100 + r, x);
        assert_ok(hs_bootstrap(&st, &o, ci, NULL));
        hit += ci[0].lo <= 0 && 0 <= ci[0].hi;
    }
    assert_in_range(hit, 376 - 18, 376 + 18);
}

static void test_same_bits_at_any_thread_count(void **state)
{
    (void)state;
    enum { B = 500 };
    double x[30];
    static double a[2 * B], b[2 * B];
    hs_interval ci[2];
    fill_normals(30, 1, x);
    sample s = {30, x};
    hs_statistic st = {.n = 30, .q = 2, .scratch = sizeof x, .eval = mean_and_sd, .ctx = &s};
    hs_bootstrap_options o = {.B = B, .seed = 9, .level = 0.95};
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    assert_ok(hs_bootstrap(&st, &o, ci, a));
    omp_set_num_threads(5);
    assert_ok(hs_bootstrap(&st, &o, ci, b));
    omp_set_num_threads(threads);
    assert_memory_equal(a, b, sizeof a);
    o.seed = 10;
    assert_ok(hs_bootstrap(&st, &o, ci, b));
    assert_memory_not_equal(a, b, sizeof a);
}

/* Counts sum to n; each image is drawn once on average. */
static void test_weights(void **state)
{
    (void)state;
    enum { N = 700 };
    double w[N], sum = 0, first = 0;
    for (uint64_t b = 0; b < 2000; b++) {
        hs_bootstrap_weights(3, b, N, w);
        first += w[N - 1] / 2000;
        sum = 0;
        for (size_t i = 0; i < N; i++) {
            sum += w[i];
        }
        assert_near(sum, N, 0);
    }
    assert_near(first, 1, 5 / sqrt(2000));
}

static void test_no_interval(void **state)
{
    (void)state;
    double t[2000];
    for (size_t b = 0; b < 2000; b++) {
        t[b] = b % 50 == 0 ? NAN : (double)b;
    }
    assert_non_null(hs_percentile_interval(1, 10, 2000, t, .95).reason); /* 2 % undefined */
    for (size_t b = 0; b < 2000; b++) {
        t[b] = b % 200 == 0 ? NAN : (double)b;
    }
    assert_null(hs_percentile_interval(1, 10, 2000, t, .95).reason); /* 0.5 % left out */
    for (size_t b = 0; b < 2000; b++) {
        t[b] = (double)b;
    }
    assert_non_null(hs_percentile_interval(NAN, 10, 2000, t, .95).reason);
    assert_non_null(hs_percentile_interval(1, 1, 2000, t, .95).reason);
    hs_interval few = hs_percentile_interval(1, 10, 399, t, .95);
    assert_true(few.reason != NULL && isnan(few.lo) && few.value > 0);
    assert_null(hs_percentile_interval(1, 10, 400, t, .95).reason);
}

static void test_bad_bootstrap(void **state)
{
    (void)state;
    double x = 1;
    hs_interval ci[2];
    sample s = {1, &x};
    hs_statistic st = {.n = 0, .q = 2, .scratch = 8, .eval = mean_and_sd, .ctx = &s};
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    assert_code(hs_bootstrap(&st, &o, ci, NULL), HS_ERANGE);
    st.n = 1;
    o.B = 0;
    assert_code(hs_bootstrap(&st, &o, ci, NULL), HS_ERANGE);
    o.B = 2000;
    o.level = 1;
    assert_code(hs_bootstrap(&st, &o, ci, NULL), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beta_and_normal),
        cmocka_unit_test(test_student_and_f),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_ranks_and_correlation),
        cmocka_unit_test(test_line_through_the_origin),
        cmocka_unit_test(test_hotelling),
        cmocka_unit_test(test_percentile_of_given_resamples),
        cmocka_unit_test(test_interval_of_a_mean),
        cmocka_unit_test(test_coverage),
        cmocka_unit_test(test_same_bits_at_any_thread_count),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_no_interval),
        cmocka_unit_test(test_bad_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
