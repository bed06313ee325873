/* The sections of a geometry run on small networks, each against what defines it: dense Jacobians, forward noise drawn
 * by hand, spaces of known angles, planted nulls. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/geometry/cloud.h"
#include "analysis/geometry/flatness.h"
#include "analysis/geometry/noise.h"
#include "analysis/geometry/skips.h"
#include "analysis/geometry/summary.h"
#include "analysis/geometry/tangent.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/cloud.h"
#include "core/linalg/factor.h"
#include "core/model/unet_grad.h"
#include "core/stats/special.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"

enum { S = 3, N = 12 };
static const int times[S] = {800, 400, 100};

/* A small untrained model and the states of N samples. */
typedef struct {
    hs_model m;
    hs_steps steps;
    hs_geometry_statistics statistics;
    hs_geometry_run run;
    hs_geometry_states states;
} setting;

static void setting_begin(setting *s)
{
    static const int visited[5] = {999, 800, 400, 100, 0};
    memset(s, 0, sizeof *s);
    assert_ok(hs_model_open("random:tiny", NULL, NULL, &s->m));
    assert_ok(hs_steps_from_list(&s->m.schedule, 5, visited, &s->steps));
    s->run = (hs_geometry_run){.m = &s->m,
                               .batch = 5,
                               .S = S,
                               .t = times,
                               .draws = 5,
                               .bootstrap = {.B = 500, .seed = 0, .level = 0.95},
                               .statistics = &s->statistics};
    float *x_T = normals(3, N * hs_chw_size(hs_unet_image_shape(hs_unet_config_of(s->m.unet))));
    assert_ok(hs_geometry_states_of(&s->run, &s->steps, N, x_T, &s->states));
    free(x_T);
}

static void setting_end(setting *s)
{
    hs_geometry_states_free(&s->states);
    hs_geometry_statistics_free(&s->statistics);
    hs_steps_free(&s->steps);
    hs_model_free(&s->m);
}

static const hs_geometry_statistic *found(const setting *s, const char *name)
{
    const hs_geometry_statistic *one = hs_geometry_find(&s->statistics, name);
    if (one == NULL) {
        fail_msg("no statistic %s", name);
    }
    return one;
}

/* ---- Statistics ---- */

static void test_series(void **state)
{
    (void)state;
    hs_geometry_statistics all = {0};
    const double value[2] = {1, 3}, loo[6] = {1.1, 0.9, 1.0, 3, 3, 3}, null[6] = {1, 2, 3, 5, 5, 8};
    hs_geometry_series one = {.name = "a",
                              .estimator = "e",
                              .S = 2,
                              .n = 3,
                              .value = value,
                              .jackknife = 1,
                              .units = 3,
                              .R = 3,
                              .replicates = loo,
                              .K = 3,
                              .null = null,
                              .null_what = "w",
                              .level = 0.95};
    assert_ok(hs_geometry_put(&all, &one));
    one.name = "b";
    one.K = 1;
    one.no_interval = "none";
    one.replicates = NULL;
    assert_ok(hs_geometry_put(&all, &one));
    assert_int_equal(all.n, 6);
    const hs_geometry_statistic *mean = hs_geometry_find(&all, "a"), *first = hs_geometry_find(&all, "a[0]");
    assert_near(mean->ci.value, 2, 1e-15);
    assert_near(mean->null, 4, 1e-15);
    /* jackknife: t_2 sqrt(2 / 3 sum d^2) */
    assert_near(first->ci.hi - 1, hs_student_quantile(0.975, 2) * sqrt(2 / 3.0 * 0.02), 1e-12);
    assert_near(mean->ci.hi - 2, hs_student_quantile(0.975, 2) * sqrt(2 / 3.0 * 0.005), 1e-12);
    assert_near(first->null_hi - 2, hs_student_quantile(0.975, 2) * sqrt(1 + 1 / 3.0), 1e-12);
    first = hs_geometry_find(&all, "b[1]");
    assert_true(isnan(first->ci.lo) && isnan(first->null_lo) && first->null == 2);
    assert_string_equal(first->ci.reason, "none");
    assert_null(hs_geometry_find(&all, "c"));
    hs_geometry_statistics_free(&all);
    const double v[4] = {1, NAN, 3, 5};
    double out[4];
    assert_near(hs_geometry_leave_out(4, v, out), 3, 1e-15);
    assert_near(out[0], 4, 1e-15);
    assert_near(out[1], 3, 1e-15);
}

/* ---- States ---- */

static void test_states(void **state)
{
    (void)state;
    setting s;
    hs_unet_ws *ws = NULL;
    setting_begin(&s);
    const size_t d = s.states.d_x, d_h = s.states.d_h;
    float *h = room(d_h), *x = normals(3, N * d);
    assert_ok(hs_unet_ws_create(s.m.unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t k = 0; k < S; k++) {
        assert_ok(hs_unet_encode(s.m.unet, ws, 1, s.states.x + (k * N + 7) * d, &times[k], h));
        assert_true(max_rel_f32(s.states.h + (k * N + 7) * d_h, h, d_h) < 1e-4);
    }
    const int elsewhere[1] = {500};
    hs_geometry_states other;
    s.run.S = 1;
    s.run.t = elsewhere;
    assert_code(hs_geometry_states_of(&s.run, &s.steps, N, x, &other), HS_ERANGE);
    hs_unet_ws_free(ws);
    free(h);
    free(x);
    setting_end(&s);
}

/* ---- Noise against identity ---- */

static void test_forward(void **state)
{
    (void)state;
    enum { I = 4, J = 3, D = 50 };
    float *x_0 = normals(1, I * D), *eps = normals(2, J * D), x[I * J * D];
    double fast[I * J * I * J], direct[I * J * I * J], ab = 0.3;
    for (size_t c = 0; c < I * J * D; c++) {
        size_t i = c / D / J, j = c / D % J;
        x[c] = (float)(sqrt(ab) * (double)x_0[i * D + c % D] + sqrt(1 - ab) * (double)eps[j * D + c % D]);
    }
    assert_ok(hs_geometry_forward_distances(I, J, D, x_0, eps, ab, fast));
    assert_ok(hs_cloud_distances(hs_mat_of(x, I * J, D), 1, direct));
    assert_true(max_rel_f64(fast, direct, I * J * I * J) < 1e-6);
    free(x_0);
    free(eps);
}

static void test_noise(void **state)
{
    (void)state;
    enum { I = 5, J = 4, Q = HS_TWOWAY_STATISTICS };
    setting s;
    hs_geometry_noise g;
    hs_unet_ws *ws = NULL;
    setting_begin(&s);
    const size_t d = s.states.d_x, d_h = s.states.d_h;
    assert_ok(hs_geometry_noise_of(&s.run, I, s.states.x_0, J, &g));
    /* the middle timestep by hand */
    float *h = room(I * J * d_h), *x = room(d), *eps = room(d);
    double D[I * J * I * J], out[Q], ab = s.m.schedule.alpha_bar[times[1]];
    assert_ok(hs_unet_ws_create(s.m.unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t c = 0; c < I * J; c++) {
        hs_rng_normal((hs_rng){0, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_FORWARD << 48 | c % J}, 0, d, eps);
        for (size_t k = 0; k < d; k++) {
            x[k] = (float)(sqrt(ab) * (double)s.states.x_0[c / J * d + k] + sqrt(1 - ab) * (double)eps[k]);
        }
        assert_ok(hs_unet_encode(s.m.unet, ws, 1, x, &times[1], h + c * d_h));
    }
    assert_ok(hs_cloud_distances(hs_mat_of(h, I * J, d_h), 1, D));
    hs_twoway_eval(&(hs_twoway){I, J, D}, NULL, NULL, out);
    assert_true(max_rel_f64(g.h + Q, out, Q) < 1e-4);
    assert_near(found(&s, "share_image[1]")->ci.value, out[HS_TWOWAY_ROW], 1e-4);
    for (size_t k = 0; k < S; k++) {
        assert_near(g.h[k * Q] + g.h[k * Q + 1] + g.h[k * Q + 2], 1, 1e-12);
        assert_near(g.x[k * Q + HS_TWOWAY_REST], 0, 1e-9);    /* x_t is additive */
        assert_true(k == 0 || g.x[k * Q] > g.x[(k - 1) * Q]); /* less noise, more image */
    }
    assert_true(isfinite(found(&s, "share_noise")->null_hi) && isnan(found(&s, "distance_other")->null));
    assert_near(found(&s, "share_interaction[0]")->null, 0, 0);
    assert_near(found(&s, "distance_ratio")->null, 1, 0);
    hs_geometry_noise none;
    assert_code(hs_geometry_noise_of(&s.run, 1, s.states.x_0, J, &none), HS_ERANGE);
    hs_geometry_noise_free(&g);
    hs_unet_ws_free(ws);
    free(h);
    free(x);
    free(eps);
    setting_end(&s);
}

/* ---- Clouds ---- */

static int planted_h(void *ctx, size_t k, float *h)
{
    const float *all = ctx;
    memcpy(h, all + k * 80 * 6, 80 * 6 * sizeof *h);
    return HS_OK;
}

/* A circle with a little noise at the first timestep, Gaussian clouds at the others. */
static void test_cloud(void **state)
{
    (void)state;
    enum { POINTS = 80, D = 6 };
    setting s;
    hs_geometry_cloud_options o = HS_GEOMETRY_CLOUD_OPTIONS;
    setting_begin(&s);
    float *h = normals(8, S * POINTS * D);
    for (size_t i = 0; i < POINTS; i++) {
        const double a = 6.2831853 * hs_rng_uniform((hs_rng){1, HS_RNG_TEST, 0}, i);
        for (size_t c = 0; c < D; c++) {
            h[i * D + c] = (float)(c == 0 ? cos(a) : c == 1 ? sin(a) : 1e-4 * (double)h[i * D + c]);
        }
    }
    s.run.bootstrap.B = 1000;
    s.run.draws = 30;
    assert_ok(hs_geometry_cloud_of(&s.run, &o, POINTS, D, planted_h, h));
    const hs_geometry_statistic *circle = found(&s, "dimension_twonn[0]"), *gauss = found(&s, "dimension_mle[1]");
    assert_true(circle->ci.lo < 1.1 && circle->ci.hi > 0.9 && circle->ci.hi < 1.7);
    assert_true(circle->null > 1.5); /* its Gaussian twins fill the plane */
    assert_true(gauss->null_lo < gauss->ci.value && gauss->ci.value < gauss->null_hi);
    assert_near(found(&s, "dimension_linear[0]")->ci.value, 2, 0.1);
    const hs_geometry_statistic *delta = found(&s, "gromov_delta[2]");
    assert_true(delta->ci.lo < delta->ci.value && delta->null_lo < delta->ci.value && delta->ci.value < delta->null_hi);
    assert_true(found(&s, "gromov_delta_max[2]")->ci.value > delta->ci.value);
    assert_non_null(found(&s, "gromov_delta_max")->ci.reason);
    assert_code(hs_geometry_cloud_of(&s.run, &o, 4, D, planted_h, h), HS_EDEGENERATE);
    assert_code(hs_geometry_cloud_of(&s.run, &o, 10, D, planted_h, h), HS_ERANGE);
    free(h);
    setting_end(&s);
}

/* ---- Pullback ---- */

/* A (m, n) by its columns, in double. */
static double *dense(const hs_linop *A)
{
    float *unit = room(A->n), *y = room(A->m);
    double *J;
    assert_ok(hs_alloc(A->m * A->n, sizeof *J, &J));
    for (size_t j = 0; j < A->n; j++) {
        unit[j] = 1;
        assert_ok(A->apply(A->ctx, 1, unit, y));
        unit[j] = 0;
        for (size_t i = 0; i < A->m; i++) {
            J[i * A->n + j] = (double)y[i];
        }
    }
    free(unit);
    free(y);
    return J;
}

/* Both maps of the networks against LAPACK on their dense Jacobians: the top 5 to 1e-4, traces within 4 standard errors
 * of the probes. */
static void check_dense(unet_kind kind, hs_unet_map map)
{
    recorded r;
    hs_geometry_pullback_options o = HS_GEOMETRY_PULLBACK_OPTIONS;
    hs_metric metric;
    o.r = 5;
    o.probes = 40;
    recorded_begin(&r, kind, HS_CONV_AUTO, 11, 0);
    hs_unet_jacobian j = {r.g, map, 2, 0.4};
    const hs_linop A = hs_unet_linop(&j);
    const size_t least = A.m < A.n ? A.m : A.n;
    double *J = dense(&A), *s, sigma[5], trace = 0, square = 0;
    float *U = room(5 * A.m), *V = room(5 * A.n);
    assert_ok(hs_alloc(least, sizeof *s, &s));
    assert_ok(hs_svd(A.m, A.n, J, NULL, s, NULL));
    assert_ok(hs_metric_of(&A, &o, 1, 0, sigma, U, V, &metric));
    for (size_t i = 0; i < 5; i++) {
        assert_near(sigma[i], s[i], 1e-4 * s[i]);
    }
    for (size_t i = 0; i < least; i++) {
        trace += s[i] * s[i];
        square += pow(s[i], 4);
    }
    printf("%s: trace %.4f [%.4f, %.4f] of %.4f, rank %.2f of %.2f, residual %.1e\n", unet_name(kind), metric.trace,
           metric.trace_lo, metric.trace_hi, trace, metric.trace * metric.trace / metric.square, trace * trace / square,
           metric.residual);
    assert_near(metric.trace, trace, 2 * (metric.trace_hi - metric.trace_lo));
    assert_near(metric.trace * metric.trace / metric.square, trace * trace / square, 0.1 * trace * trace / square);
    assert_true(metric.residual <= o.tol);
    free(J);
    free(s);
    free(U);
    free(V);
    recorded_end(&r);
}

static void test_dense(void **state)
{
    (void)state;
    check_dense(UNET_DIFFUSERS, HS_MAP_H_X);
    check_dense(UNET_DIFFUSERS, HS_MAP_X0HAT_H);
    check_dense(UNET_ADM, HS_MAP_X0HAT_H);
    check_dense(UNET_PLAIN, HS_MAP_H_X);
}

static void test_pullback(void **state)
{
    (void)state;
    setting s;
    hs_geometry_pullback p, none;
    hs_geometry_pullback_options o = {3, 8, 1e-3, 10, 2};
    setting_begin(&s);
    assert_ok(hs_geometry_pullback_of(&s.run, &s.states, 3, &o, &p));
    const hs_geometry_statistic *rank = found(&s, "pullback_rank_h_x[1]"), *share = found(&s, "pullback_share_x0_h");
    double mean = 0;
    for (size_t i = 0; i < 3; i++) {
        const hs_metric *m = &p.metric[3 + i];
        mean += m->trace * m->trace / m->square / 3;
    }
    assert_near(rank->ci.value, mean, 1e-9 * mean);
    assert_true(rank->ci.lo < rank->ci.value && share->ci.value > 0 && share->ci.value < 1 && share->null > 0);
    for (size_t i = 0; i < 3; i++) { /* tangent rows: unit and orthogonal */
        for (size_t j = 0; j < 3; j++) {
            double dot = 0;
            for (size_t c = 0; c < p.d_h; c++) {
                dot += (double)p.tangent[i * p.d_h + c] * (double)p.tangent[j * p.d_h + c];
            }
            assert_near(dot, i == j, 1e-4);
        }
    }
    assert_ok(hs_geometry_tangent_of(&s.run, &s.states, &p));
    const hs_geometry_statistic *turn = found(&s, "tangent_samples[2]"), *steps = found(&s, "tangent_steps[1]");
    assert_true(turn->ci.value > 0 && turn->ci.value <= 1 && isfinite(turn->null_hi));
    assert_true(steps->ci.value > 0 && steps->ci.value <= 1);
    assert_null(hs_geometry_find(&s.statistics, "tangent_steps[2]"));
    assert_true(found(&s, "tangent_isotropic")->ci.value > 0.5);
    hs_geometry_pullback_free(&p);
    o.twins = 0; /* the closed form */
    s.statistics.n = 0;
    assert_ok(hs_geometry_pullback_of(&s.run, &s.states, 1, &o, &p));
    const double m = (double)s.states.d_h, n = (double)s.states.d_x;
    assert_near(found(&s, "pullback_rank_h_x")->null, m * n / (m + n + 1), 1e-9);
    assert_code(hs_geometry_tangent_of(&s.run, &s.states, &p), HS_EDEGENERATE);
    hs_geometry_pullback_free(&p);
    assert_code(hs_geometry_pullback_of(&s.run, &s.states, 0, &o, &none), HS_ERANGE);
    assert_code(hs_geometry_pullback_of(&s.run, &s.states, N + 1, &o, &none), HS_ERANGE);
    o.probes = 1;
    assert_code(hs_geometry_pullback_of(&s.run, &s.states, 1, &o, &none), HS_ERANGE);
    setting_end(&s);
}

/* A matrix of normal numbers has the rank that its closed form says. */
static void test_normal_matrix(void **state)
{
    (void)state;
    enum { ROWS_OF = 60, COLS = 90 };
    float *a = normals(5, ROWS_OF * COLS), U[4 * ROWS_OF], V[4 * COLS];
    const hs_mat A = hs_mat_of(a, ROWS_OF, COLS);
    const hs_linop op = hs_linop_dense(&A);
    const hs_geometry_pullback_options o = {4, 200, 1e-4, 100, 0};
    double sigma[4];
    hs_metric m;
    assert_ok(hs_metric_of(&op, &o, 3, 0, sigma, U, V, &m));
    const double mn = ROWS_OF * COLS, expect = mn / (ROWS_OF + COLS + 1);
    assert_near(m.trace * m.trace / m.square, expect, 0.06 * expect);
    assert_near(m.trace, mn, 4 * sqrt(2 * mn));
    free(a);
}

/* Spaces of coordinate vectors turned by known angles. */
static void test_turn(void **state)
{
    (void)state;
    const float c = (float)cos(0.6), n = (float)sin(0.6);
    const float A[8] = {1, 0, 0, 0, 0, 1, 0, 0}, same[8] = {1, 1, 0, 0, 1, -2, 0, 0},
                right[8] = {0, 0, 2, 0, 0, 0, 0, 1};
    const float turned[8] = {c, 0, n, 0, 0, 1, 0, 0}, flat[8] = {1, 0, 0, 0, 2, 0, 0, 0};
    double turn;
    assert_ok(hs_tangent_turn(2, 4, A, same, &turn));
    assert_near(turn, 0, 1e-7);
    assert_ok(hs_tangent_turn(2, 4, A, right, &turn));
    assert_near(turn, 1, 1e-7);
    assert_ok(hs_tangent_turn(2, 4, A, turned, &turn));
    assert_near(turn, sqrt(0.36 / 2) / acos(0), 1e-6);
    assert_code(hs_tangent_turn(2, 4, A, flat, &turn), HS_EDEGENERATE);
}

/* ---- Flatness and skips ---- */

static void test_flatness(void **state)
{
    (void)state;
    setting s;
    hs_geometry_flatness f, none;
    hs_geometry_flatness_options o = {4, 3, 4, 8, 3, 0.1};
    setting_begin(&s);
    assert_ok(hs_geometry_flatness_of(&s.run, &s.states, &o, &f));
    const hs_geometry_statistic *whole = found(&s, "midpoint_deviation[1]");
    const hs_geometry_statistic *eighth = found(&s, "midpoint_deviation_eighth[1]");
    assert_true(whole->ci.value > eighth->ci.value && eighth->ci.value > 0 && whole->null > 0);
    const hs_geometry_statistic *energy = found(&s, "path_energy"), *relaxed = found(&s, "path_energy_relaxed");
    assert_true(energy->ci.value >= 1 && relaxed->ci.value >= 1 && relaxed->ci.value <= relaxed->null);
    const double range = found(&s, "linear_range[1]")->ci.value;
    assert_true(range == 0 || range == 0.125 || range == 0.25 || range == 0.5 || range == 1);
    /* the paths share their ends, and their images are x0hat: of the first sample its own */
    const size_t d = s.states.d_x, row = (o.segments + 1) * d;
    assert_memory_equal(f.straight + row, f.relaxed + row, d * sizeof *f.straight);
    assert_memory_equal(f.straight + 2 * row - d, f.relaxed + 2 * row - d, d * sizeof *f.straight);
    hs_str text = {0};
    hs_geometry_paragraph(&s.statistics, 0.1, &text);
    assert_non_null(strstr(text.s, "curved by"));
    assert_non_null(strstr(text.s, range > 0 ? "linear within" : "linear"));
    hs_str_free(&text);
    hs_geometry_flatness_free(&f);
    o.pairs = 7;
    assert_code(hs_geometry_flatness_of(&s.run, &s.states, &o, &none), HS_ERANGE);
    setting_end(&s);
}

static void test_skips(void **state)
{
    (void)state;
    setting s;
    hs_geometry_skips k, none;
    hs_unet_ws *ws = NULL;
    setting_begin(&s);
    const hs_unet_config *cfg = hs_unet_config_of(s.m.unet);
    const size_t skip = 0, size = hs_chw_size(hs_unet_skip_shape(cfg, skip));
    assert_ok(hs_geometry_skips_of(&s.run, &s.states, 8, &k));
    float *v = room(size), *h = room(s.states.d_h);
    double squares = 0;
    assert_ok(hs_unet_ws_create(s.m.unet, 1, 1, HS_CONV_AUTO, &ws));
    for (size_t i = 0; i < 8; i++) {
        assert_ok(hs_unet_encode(s.m.unet, ws, 1, s.states.x + (N + i) * s.states.d_x, &times[1], h));
        assert_ok(hs_unet_skip(s.m.unet, ws, skip, 0, v));
        for (size_t c = 0; c < size; c++) {
            squares += (double)v[c] * (double)v[c];
        }
    }
    assert_near(k.rms[k.skips + skip], sqrt(squares / (double)size / 8), 1e-6);
    assert_true(k.h_rms[0] > 0 && found(&s, "skip_norm[0]")->ci.value > 0);
    const hs_geometry_statistic *cosine = found(&s, "skip_cosine[0]");
    assert_true(cosine->ci.value > cosine->null); /* h is made from the same x_t as its own skips */
    assert_code(hs_geometry_skips_of(&s.run, &s.states, 2, &none), HS_ERANGE);
    hs_geometry_skips_free(&k);
    hs_unet_ws_free(ws);
    free(v);
    free(h);
    setting_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series),   cmocka_unit_test(test_states),        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_noise),    cmocka_unit_test(test_cloud),         cmocka_unit_test(test_dense),
        cmocka_unit_test(test_pullback), cmocka_unit_test(test_normal_matrix), cmocka_unit_test(test_turn),
        cmocka_unit_test(test_flatness), cmocka_unit_test(test_skips),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
