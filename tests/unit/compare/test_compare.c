/* Comparison of two spaces: planted latents, independent spaces, a space with itself, and what must change nothing. */
#include "analysis/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare/context.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/rsa.h"
#include "core/linalg/factor.h"
#include "core/stats/moments.h"
#include "tests/support/planted_spaces.h"
#include "tests/support/support.h"

/* Everything a comparison answers, from rows as they stand. */
typedef struct {
    hs_comparison x;
    hs_measurement m;
} answer;

static answer compare(const float *a, size_t da, const float *b, size_t db, size_t n, size_t B)
{
    planted_rows ra = {a, da}, rb = {b, db};
    hs_compare_side A = planted_side(&ra, n), C = planted_side(&rb, n);
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    const double pooled[2] = {NAN, NAN};
    answer r = {0};
    o.bootstrap.B = B;
    assert_ok(hs_compare_run(&A, &C, &o, NULL, &r.x));
    assert_ok(hs_compare_judge(&r.x, &o, pooled, &r.m));
    return r;
}

static void answer_free(answer *r)
{
    hs_comparison_free(&r->x);
    hs_measurement_free(&r->m);
}

static double value(const answer *r, const char *name)
{
    const hs_estimate *e = hs_measurement_find(&r->m, name);
    if (e == NULL) {
        fail_msg("no statistic %s", name);
        return NAN;
    }
    return e->value;
}

/* How far held-out cosines of one planted pair of spaces are from what the true map reaches on the same images: as they
 * are, and extrapolated. */
static void missed(size_t n, size_t k, size_t d, double noise, uint64_t seed, double *plain, double *limit)
{
    planted_spaces p = planted_spaces_make(n, k, d, d + 50, noise, seed);
    planted_rows ra = {p.x[0], d}, rb = {p.x[1], d + 50};
    hs_compare_side A = planted_side(&ra, n), B = planted_side(&rb, n);
    const hs_fold_options o = {2, 256, 0};
    double *K, *L, *v[2];
    *plain = *limit = 0;
    assert_ok(hs_alloc(n * n, sizeof *K, &K));
    assert_ok(hs_alloc(n * n, sizeof *L, &L));
    assert_ok(hs_alloc(n, sizeof(double), &v[0]));
    assert_ok(hs_alloc(n, sizeof(double), &v[1]));
    assert_ok(hs_side_gram(&A, 0, NULL, K));
    assert_ok(hs_side_gram(&B, 0, NULL, L));
    for (size_t g = 0; g < 2; g++) {
        hs_fold f;
        assert_ok(hs_fold_new(n, 1, K, L, g, &o, &f));
        assert_int_equal(f.rank, k); /* cross-validation finds the latent's dimension */
        assert_ok(hs_align_cosines(&f.align, &f.a, &f.b, f.rank, f.count, f.row, v[0], v[1]));
        for (size_t w = 0; w < 2; w++) {
            double mean = hs_mean(f.count, v[w], NULL), truth = w == 0 ? p.cosine : p.back;
            *plain += (mean - truth) / 4;
            *limit += (hs_fold_limit(mean, f.inner[w]) - truth) / 4;
        }
        hs_fold_free(&f);
    }
    planted_spaces_free(&p);
    free(K), free(L), free(v[0]), free(v[1]);
}

/* docs/compare.md holds the whole grid, also where few noisy images fall short. */
static void test_planted_latents_are_found(void **state)
{
    (void)state;
    static const struct {
        size_t n, k, d;
        double noise, plain, limit; /* what each must reach */
    } cell[] = {{100, 5, 256, .1, .005, .01}, {100, 20, 1024, .1, .005, .01}, {100, 5, 256, .5, .02, .05},
                {400, 20, 256, .5, .02, .02}, {400, 5, 1024, 1, .02, .02},    {400, 20, 256, 1, .06, .02},
                {800, 5, 256, 2, .02, .02}};
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        double plain, limit;
        missed(cell[i].n, cell[i].k, cell[i].d, cell[i].noise, i + 1, &plain, &limit);
        assert_near(plain, 0, cell[i].plain);
        assert_near(limit, 0, cell[i].limit);
    }
}

/* What a comparison says of ever more images, where the held-out cosine itself is as much as .16 short. */
static void test_limits_of_few_images(void **state)
{
    (void)state;
    static const struct {
        size_t n, k, d;
        double noise, short_of; /* the held-out cosine falls short by this at least */
    } cell[] = {{100, 5, 256, 1, .025}, {100, 20, 256, .5, .05}, {100, 20, 1024, 1, .1}, {200, 20, 1024, 1, .06},
                {200, 5, 256, 2, .03},  {400, 20, 256, 2, .06},  {200, 20, 1024, 2, .1}};
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        double plain = 0, limit = 0;
        for (uint64_t s = 0; s < 2; s++) {
            size_t n = cell[i].n, d = cell[i].d;
            planted_spaces p = planted_spaces_make(n, cell[i].k, d, d + 50, cell[i].noise, 300 + 2 * i + s);
            answer r = compare(p.x[0], d, p.x[1], d + 50, n, 200);
            double truth = (p.cosine + p.back) / 2;
            plain += ((value(&r, "aligned_cosine") + value(&r, "aligned_cosine_back")) / 2 - truth) / 2;
            limit += ((value(&r, "aligned_cosine_limit") + value(&r, "aligned_cosine_limit_back")) / 2 - truth) / 2;
            answer_free(&r);
            planted_spaces_free(&p);
        }
        assert_true(plain < -cell[i].short_of);
        assert_near(limit, 0, .02);
    }
}

/* A shortfall that goes as 1 / images in the logarithm is taken away; what is noise about 0 isn't blown up. */
static void test_limit(void **state)
{
    (void)state;
    for (double b = 0; b < .4; b += .1) {
        assert_near(hs_fold_limit(.6 * exp(-b), .6 * exp(-1.5 * b)), .6, 1e-15);
    }
    assert_near(hs_fold_limit(.02, .001), .02 * 2.25, 1e-15);
    assert_near(hs_fold_limit(.02, -.01), .02 * 2.25, 1e-15);
    assert_near(hs_fold_limit(.02, .06), .02 / 2.25, 1e-15);
    assert_true(hs_fold_limit(-.02, .01) == -.02);
    assert_true(hs_fold_limit(.9, .8) == 1);
}

/* Six images held out at once at least, ten folds at most, and two of many images. */
static void test_many_folds(void **state)
{
    (void)state;
    static const size_t n[] = {12, 20, 30, 60, 64, 200, 400, 1000, 100000}, folds[] = {2, 3, 5, 10, 10, 10, 5, 2, 2};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) {
        assert_int_equal(hs_fold_many(n[i]), folds[i]);
    }
}

static void test_a_space_and_itself(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(60, 5, 200, 200, .5, 7);
    answer r = compare(p.x[0], 200, p.x[0], 200, 60, 2000);
    assert_string_equal(hs_measurement_verdict(&r.m), "shared");
    assert_near(r.m.primary.value, 1, 1e-9);
    assert_near(r.m.primary.lo, 1, 1e-9);
    assert_near(value(&r, "cka_debiased[0,0]"), 1, 1e-12);
    assert_near(value(&r, "rsa"), 1, 1e-12);
    assert_near(value(&r, "raw_cosine_h"), 1, 1e-7);
    assert_near(value(&r, "aligned_cosine"), value(&r, "ceiling"), 1e-12);
    answer_free(&r);
    planted_spaces_free(&p);
}

/* 2.5 % of 80 runs are 2. */
static void test_independent_spaces_are_not_shared(void **state)
{
    (void)state;
    size_t shared = 0, not_shared = 0;
    for (uint64_t s = 0; s < 80; s++) {
        planted_spaces p = planted_spaces_make(24, 0, 30, 40, 0, 100 + s);
        answer r = compare(p.x[0], 30, p.x[1], 40, 24, 400);
        shared += r.m.verdict == HS_VERDICT_HOLDS;
        not_shared += r.m.verdict == HS_VERDICT_FAILS;
        answer_free(&r);
        planted_spaces_free(&p);
    }
    assert_true(shared <= 2);
    assert_true(not_shared > 66);
}

static void test_shuffled_pairs_are_not_shared(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(100, 5, 256, 300, .3, 8);
    answer r = compare(p.x[0], 256, p.x[1], 300, 100, 2000);
    assert_string_equal(hs_measurement_verdict(&r.m), "shared");
    answer_free(&r);
    float *y;
    assert_ok(hs_alloc(100 * 300, sizeof *y, &y));
    for (size_t i = 0; i < 100; i++) {
        memcpy(y + i * 300, p.x[1] + (i * 37 + 11) % 100 * 300, 300 * sizeof *y);
    }
    r = compare(p.x[0], 256, y, 300, 100, 2000);
    assert_string_equal(hs_measurement_verdict(&r.m), "not shared");
    assert_true(r.m.effect.value < .1);
    answer_free(&r);
    free(y);
    planted_spaces_free(&p);
}

/* x (n, d) turned and moved. */
static float *turned(const float *x, size_t n, size_t d)
{
    float *g, *y;
    double *q;
    assert_ok(hs_alloc(d * d, sizeof *g, &g));
    assert_ok(hs_alloc(d * d, sizeof *q, &q));
    assert_ok(hs_alloc(n * d, sizeof *y, &y));
    hs_rng_normal((hs_rng){9, HS_RNG_TEST, 9}, 0, d * d, g);
    for (size_t i = 0; i < d * d; i++) {
        q[i] = (double)g[i];
    }
    assert_ok(hs_qr_thin(d, d, q, q, NULL));
    for (size_t i = 0; i < n * d; i++) {
        double s = .5;
        for (size_t l = 0; l < d; l++) {
            s += (double)x[i / d * d + l] * q[i % d * d + l];
        }
        y[i] = (float)s;
    }
    free(g), free(q);
    return y;
}

static void test_a_rotation_changes_nothing(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(50, 4, 40, 40, .5, 10);
    float *y = turned(p.x[1], 50, 40);
    answer r = compare(p.x[0], 40, p.x[1], 40, 50, 400), q = compare(p.x[0], 40, y, 40, 50, 400);
    assert_int_equal(r.m.verdict, q.m.verdict);
    assert_int_equal(r.m.n_statistics, q.m.n_statistics);
    for (size_t i = 0; i < r.m.n_statistics; i++) {
        const hs_estimate *e = &r.m.statistic[i], *f = &q.m.statistic[i];
        if (strncmp(e->name, "raw_", 4) != 0 && !isnan(e->value)) {
            assert_near(e->value, f->value, 2e-5); /* float32 of the turned rows */
        }
    }
    answer_free(&r), answer_free(&q);
    free(y);
    planted_spaces_free(&p);
}

static void test_swapping_transposes(void **state)
{
    (void)state;
    static const char *const pair[][2] = {{"aligned_cosine", "aligned_cosine_back"},
                                          {"ceiling", "ceiling_back"},
                                          {"over_ceiling", "over_ceiling_back"},
                                          {"aligned_cosine_over_ceiling", "aligned_cosine_over_ceiling"},
                                          {"ridge_cosine", "ridge_cosine_back"},
                                          {"pwcca_a_held_out", "pwcca_b_held_out"},
                                          {"svcca", "svcca"},
                                          {"effective_dimension_a", "effective_dimension_b"},
                                          {"cka_debiased[0,0]", "cka_debiased[0,0]"},
                                          {"rsa", "rsa"},
                                          {"procrustes", "procrustes"},
                                          {"rank", "rank"}};
    planted_spaces p = planted_spaces_make(60, 4, 40, 90, .5, 11);
    answer r = compare(p.x[0], 40, p.x[1], 90, 60, 400), q = compare(p.x[1], 90, p.x[0], 40, 60, 400);
    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        assert_near(value(&r, pair[i][0]), value(&q, pair[i][1]), 1e-9);
        assert_near(value(&r, pair[i][1]), value(&q, pair[i][0]), 1e-9);
    }
    assert_int_equal(r.m.verdict, q.m.verdict);
    answer_free(&r), answer_free(&q);
    planted_spaces_free(&p);
}

/* RSA from Gram matrices is RSA of the rows. */
static void test_context(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(30, 3, 20, 25, 1, 12);
    planted_rows ra = {p.x[0], 20}, rb = {p.x[1], 25};
    hs_compare_side A = planted_side(&ra, 30), B = planted_side(&rb, 30);
    double K[900], L[900], rho, null, want;
    assert_ok(hs_side_gram(&A, 0, NULL, K));
    assert_ok(hs_side_gram(&B, 0, NULL, L));
    assert_ok(hs_context_rsa(30, K, L, 40, 0, &rho, &null));
    assert_ok(hs_rsa_compare(hs_mat_of(p.x[0], 30, 20), hs_mat_of(p.x[1], 30, 25), HS_RSA_SQEUCLIDEAN, &want));
    assert_near(rho, want, 1e-12);
    assert_true(null < rho && null > -.2);
    memset(L, 0, sizeof L);
    assert_code(hs_context_rsa(30, K, L, 40, 0, &rho, &null), HS_EDEGENERATE);
    for (size_t i = 0; i < 900; i++) { /* two points of equal weight on each of 3 axes: 3 dimensions */
        L[i] = i / 30 == i % 30 && i / 30 < 3 ? 2 : 0;
    }
    assert_near(hs_context_dimension(30, L), 3, 1e-12);
    assert_near(hs_context_dimension_null(101, 100), 50, 1e-12);
    planted_spaces_free(&p);
}

static void test_errors(void **state)
{
    (void)state;
    planted_spaces p = planted_spaces_make(20, 2, 10, 12, 1, 13);
    planted_rows ra = {p.x[0], 10}, rb = {p.x[1], 12};
    hs_compare_side A = planted_side(&ra, 20), B = planted_side(&rb, 20);
    const int ta = 5, tb = 6;
    hs_compare_options o = HS_COMPARE_OPTIONS_INIT;
    hs_comparison x = {.n = 77};
    B.n = 19;
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_ESHAPE);
    B.n = 20;
    A.t = &ta;
    B.t = &tb;
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_ESHAPE);
    B.t = &ta;
    o.nulls = 39;
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_ERANGE);
    o.nulls = 40;
    o.strict = 1; /* 10 fit images in 9 and 9 dimensions */
    o.keep = 1;
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "CCA of 10 images"));
    o.strict = 0;
    A.n = B.n = 11;
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_EDEGENERATE);
    A.n = B.n = 20;
    memset(p.x[0], 0, 20 * 10 * sizeof(float));
    assert_code(hs_compare_run(&A, &B, &o, NULL, &x), HS_EDEGENERATE);
    assert_int_equal(x.n, 77);
    planted_spaces_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_planted_latents_are_found),
        cmocka_unit_test(test_limits_of_few_images),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_many_folds),
        cmocka_unit_test(test_a_space_and_itself),
        cmocka_unit_test(test_independent_spaces_are_not_shared),
        cmocka_unit_test(test_shuffled_pairs_are_not_shared),
        cmocka_unit_test(test_a_rotation_changes_nothing),
        cmocka_unit_test(test_swapping_transposes),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
