/* The objective: its draws against their own formulas, its gradient against differences. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/objective.h"
#include "tests/support/support.h"

enum { IMAGES = 12, D = 20000, SEED = 7 };

typedef struct {
    int t[IMAGES];
    float *x_0, *x_t, *target;
} draws;

static hs_schedule schedule(size_t T)
{
    hs_schedule s;
    hs_schedule_spec spec = {.kind = HS_SCHEDULE_LINEAR, .T = T, .beta_start = 1e-4, .beta_end = 0.02};
    assert_ok(hs_schedule_create(&spec, &s));
    return s;
}

static draws draw(const hs_schedule *s, hs_prediction kind, uint64_t seed, uint64_t k, size_t n)
{
    draws w;
    assert_ok(hs_alloc(IMAGES * D, sizeof(float), &w.x_0));
    assert_ok(hs_alloc(IMAGES * D, sizeof(float), &w.x_t));
    assert_ok(hs_alloc(IMAGES * D, sizeof(float), &w.target));
    hs_rng_normal((hs_rng){61, HS_RNG_TEST, 0}, 0, IMAGES * D, w.x_0);
    hs_objective_draw(s, kind, seed, k, n, D, w.x_0, w.t, w.x_t, w.target);
    return w;
}

static void drop(draws *w)
{
    free(w->x_0);
    free(w->x_t);
    free(w->target);
}

static double correlation(const float *a, const float *b, size_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

/* An image's draw depends on seed, update and its place alone: not on how many there are or threads. */
static void test_draws_are_named(void **state)
{
    (void)state;
    hs_schedule s = schedule(1000);
    int threads = omp_get_max_threads();
    draws all = draw(&s, HS_PREDICT_EPSILON, SEED, 3, IMAGES);
    omp_set_num_threads(1);
    draws few = draw(&s, HS_PREDICT_EPSILON, SEED, 3, 5);
    omp_set_num_threads(threads);
    assert_memory_equal(all.t, few.t, 5 * sizeof *all.t);
    assert_memory_equal(all.x_t, few.x_t, 5 * D * sizeof(float));
    assert_memory_equal(all.target, few.target, 5 * D * sizeof(float));
    float first[8];
    hs_rng_normal((hs_rng){SEED, HS_RNG_TRAIN_NOISE, 3ULL << 16 | 4}, 0, 8, first);
    assert_memory_equal(all.target + 4 * D, first, sizeof first);
    draws later = draw(&s, HS_PREDICT_EPSILON, SEED, 4, IMAGES), other = draw(&s, HS_PREDICT_EPSILON, 8, 3, IMAGES);
    for (size_t i = 0; i < IMAGES; i++) { /* 5 deviations of a correlation of 20000 pairs */
        const float *noise = all.target + i * D;
        assert_near(correlation(noise, later.target + i * D, D), 0, 0.036);
        assert_near(correlation(noise, other.target + i * D, D), 0, 0.036);
        assert_near(correlation(noise, all.target + (i + 1) % IMAGES * D, D), 0, 0.036);
        assert_near(correlation(noise, all.x_0 + i * D, D), 0, 0.036);
    }
    assert_true(memcmp(all.t, later.t, sizeof all.t) != 0 && memcmp(all.t, other.t, sizeof all.t) != 0);
    drop(&all);
    drop(&few);
    drop(&later);
    drop(&other);
    hs_schedule_free(&s);
}

/* About sqrt(ab) x_0, x_t has mean 0 and variance 1 - ab; both within five of their deviations. */
static void test_moments(void **state)
{
    (void)state;
    hs_schedule s = schedule(1000);
    draws w = draw(&s, HS_PREDICT_EPSILON, SEED, 1, IMAGES);
    for (size_t i = 0; i < IMAGES; i++) {
        double ab = s.alpha_bar[w.t[i]], mean = 0, square = 0;
        for (size_t e = i * D; e < (i + 1) * D; e++) {
            double off = (double)w.x_t[e] - sqrt(ab) * (double)w.x_0[e];
            mean += off / D;
            square += off * off / D;
            assert_near(off, sqrt(1 - ab) * (double)w.target[e], 1e-6); /* values up to 5, in float */
        }
        assert_near(mean, 0, 5 * sqrt((1 - ab) / D));
        assert_near(square / (1 - ab), 1, 5 * sqrt(2.0 / D));
    }
    drop(&w);
    hs_schedule_free(&s);
}

/* (x_t, v) is (x_0, eps) turned by an angle: turning back gives both. */
static void test_v(void **state)
{
    (void)state;
    hs_schedule s = schedule(1000);
    draws e = draw(&s, HS_PREDICT_EPSILON, SEED, 2, IMAGES), v = draw(&s, HS_PREDICT_V, SEED, 2, IMAGES);
    assert_memory_equal(e.x_t, v.x_t, IMAGES * D * sizeof(float));
    for (size_t i = 0; i < IMAGES; i++) {
        double ab = s.alpha_bar[v.t[i]];
        for (size_t j = 0; j < D; j++) {
            size_t at = i * D + j;
            assert_near(sqrt(ab) * (double)v.target[at] + sqrt(1 - ab) * (double)v.x_t[at], (double)e.target[at], 2e-6);
            assert_near(sqrt(ab) * (double)v.x_t[at] - sqrt(1 - ab) * (double)v.target[at], (double)v.x_0[at], 2e-6);
        }
    }
    drop(&e);
    drop(&v);
    hs_schedule_free(&s);
}

/* 65536 timesteps of 1000 in 20 equal bins: chi-square of 19 degrees is below 43.8 in 999 of 1000 streams;
 * too even is as suspicious (above 5.4 in as many). */
static void test_timesteps_are_uniform(void **state)
{
    (void)state;
    enum { N = 65536, BINS = 20 };
    hs_schedule s = schedule(1000);
    int *t, lowest = 1000, highest = -1;
    float *x;
    size_t bin[BINS] = {0};
    double chi = 0;
    assert_ok(hs_alloc(N, sizeof *t, &t));
    assert_ok(hs_calloc(3 * N, sizeof *x, &x));
    hs_objective_draw(&s, HS_PREDICT_EPSILON, SEED, 9, N, 1, x, t, x + N, x + 2 * N);
    for (size_t i = 0; i < N; i++) {
        assert_true(t[i] >= 0 && t[i] < 1000);
        bin[t[i] / (1000 / BINS)]++;
        lowest = t[i] < lowest ? t[i] : lowest;
        highest = t[i] > highest ? t[i] : highest;
    }
    for (size_t b = 0; b < BINS; b++) {
        double off = (double)bin[b] - (double)N / BINS;
        chi += off * off / ((double)N / BINS);
    }
    assert_true(chi > 5.4 && chi < 43.8);
    assert_true(lowest == 0 && highest == 999);
    free(t);
    free(x);
    hs_schedule_free(&s);
}

/* The loss is quadratic, so its central difference has no truncation error, whatever the step. */
static void test_loss_and_gradient(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 15, 64, 1000, 3333};
    enum { MOST = 3333 };
    float out[MOST], target[MOST], g[MOST], spare[MOST];
    hs_rng_normal((hs_rng){62, HS_RNG_TEST, 0}, 0, MOST, out);
    hs_rng_normal((hs_rng){62, HS_RNG_TEST, 1}, 0, MOST, target);
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++) {
        size_t n = sizes[c];
        double want = 0, loss = hs_objective_loss(n, out, target, g), step = 0.5;
        for (size_t i = 0; i < n; i++) {
            double off = (double)out[i] - (double)target[i];
            want += off * off / (double)n;
        }
        assert_near(loss, want, 1e-6 * want);
        for (size_t i = 0; i < n; i += 1 + n / 40) {
            float kept = out[i];
            out[i] = kept + (float)step;
            double up = hs_objective_loss(n, out, target, spare), moved = (double)out[i];
            out[i] = kept - (float)step;
            double down = hs_objective_loss(n, out, target, spare);
            moved -= (double)out[i];
            out[i] = kept;
            assert_near((double)g[i] * (double)n, (up - down) / moved * (double)n, 1e-5);
        }
        memcpy(spare, target, sizeof spare);
        assert_true(hs_objective_loss(n, out, spare, spare) == loss);
        assert_memory_equal(spare, g, n * sizeof *g);
    }
    assert_true(hs_objective_loss(MOST, out, out, g) == 0);
    out[MOST - 1] = NAN;
    assert_true(isnan(hs_objective_loss(MOST, out, target, g)));
}

static void test_loss_has_the_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    hs_schedule s = schedule(10);
    int threads = omp_get_max_threads();
    draws w = draw(&s, HS_PREDICT_V, SEED, 2, IMAGES);
    omp_set_num_threads(1);
    double one = hs_objective_loss(IMAGES * D - 3, w.x_t, w.target, w.x_0);
    omp_set_num_threads(3);
    double three = hs_objective_loss(IMAGES * D - 3, w.x_t, w.target, w.x_0);
    omp_set_num_threads(threads);
    assert_true(one == three);
    drop(&w);
    hs_schedule_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_draws_are_named),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_v),
        cmocka_unit_test(test_timesteps_are_uniform),
        cmocka_unit_test(test_loss_and_gradient),
        cmocka_unit_test(test_loss_has_the_same_bits_for_any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
