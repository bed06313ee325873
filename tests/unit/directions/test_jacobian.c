/* Jacobian directions on a small random network: against its dense Jacobian, written out column by column from decodes'
 * derivatives, and against finite differences; the states against a sampler's. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/dir_jacobian.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "core/model/asyrp.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"

enum { N = 2, S = 2, K = 4, D_X = 3 * 16 * 16, D_H = 64 * 4 * 4, R = 16 };
static const int T[S] = {700, 300};

typedef struct {
    hs_model m;
    float x[S * N * D_X];
} fixture;

/* v: the network is read as one that predicts v. */
static void start(fixture *f, int v)
{
    assert_ok(hs_model_open("random:tiny:3", NULL, NULL, &f->m));
    if (v) {
        assert_ok(hs_unet_predicts_v(f->m.unet, f->m.schedule.T, f->m.schedule.alpha_bar));
    }
    hs_rng_normal((hs_rng){5, HS_RNG_TEST, 0}, 0, S * N * D_X, f->x);
}

static hs_jacobian_options options(hs_jacobian_map map)
{
    return (hs_jacobian_options){.map = map, .k = K, .tol = 1e-5, .rows = 8, .conv = HS_CONV_AUTO, .seed = 1};
}

/* A (n rows, D_X a sample, D_H) <- the map at the n states of one timestep, a unit vector of h at a time. */
static double *dense(const fixture *f, const hs_jacobian_options *o, size_t n, int t, const float *x)
{
    static const hs_unet_map map[] = {HS_MAP_EPS_H, HS_MAP_X0HAT_H, HS_MAP_H_X};
    int by_h = o->map != HS_JACOBIAN_H_X, times[N] = {t, t};
    size_t columns = by_h ? D_H : D_X, rows = by_h ? D_X : D_H;
    hs_unet_grad *g;
    float *h, *eps, *unit, *image;
    double *A;
    assert_ok(hs_alloc(n * D_X * D_H, sizeof *A, &A));
    assert_ok(hs_alloc(N * D_H, sizeof *h, &h));
    assert_ok(hs_alloc(N * D_X, sizeof *eps, &eps));
    assert_ok(hs_calloc(columns, sizeof *unit, &unit));
    assert_ok(hs_alloc(rows, sizeof *image, &image));
    assert_ok(hs_unet_grad_create(f->m.unet, N, 1, 0, HS_CONV_IM2COL, &g));
    assert_ok(hs_unet_grad_encode(g, n, x, times, h));
    assert_ok(hs_unet_grad_decode(g, h, eps));
    for (size_t i = 0; i < n; i++) {
        hs_unet_jacobian j = {g, map[o->map], i, f->m.schedule.alpha_bar[t]};
        hs_linop op = hs_unet_linop(&j);
        for (size_t c = 0; c < columns; c++) {
            unit[c] = 1;
            assert_ok(op.apply(op.ctx, 1, unit, image));
            unit[c] = 0;
            for (size_t r = 0; r < rows; r++) {
                size_t pixel = by_h ? r : c, feature = by_h ? c : r;
                size_t px = pixel % R, py = pixel / R % R;
                int kept = o->box[2] == 0 || (px >= o->box[0] && px < o->box[2] && py >= o->box[1] && py < o->box[3]);
                A[(i * D_X + pixel) * D_H + feature] = kept ? (double)image[r] / sqrt((double)n) : 0;
            }
        }
    }
    hs_unet_grad_free(g);
    free(h), free(eps), free(unit), free(image);
    return A;
}

/* Singular values and subspaces of dgesdd, at the first timesteps, within 1e-4. */
static void check_against_dense(const fixture *f, const hs_jacobian_options *o, size_t n, size_t steps)
{
    hs_jacobian j;
    assert_ok(hs_jacobian_directions(&f->m, o, S, T, n, f->x, &j));
    for (size_t s = 0; s < steps; s++) {
        size_t m = n * D_X, r = m < D_H ? m : D_H;
        double *A = dense(f, o, n, T[s], f->x + s * n * D_X), *sv, *U, *Vt;
        assert_ok(hs_alloc(r, sizeof *sv, &sv));
        assert_ok(hs_alloc(m * r, sizeof *U, &U));
        assert_ok(hs_alloc(r * D_H, sizeof *Vt, &Vt));
        assert_ok(hs_svd(m, D_H, A, U, sv, Vt));
        for (size_t i = 0; i < K; i++) {
            const float *v = j.dh + (i * S + s) * D_H, *u = j.x + (i * S + s) * m;
            double inside = 0, pair = 0;
            assert_near(j.sigma[i * S + s], sv[i], 1e-4 * sv[0]);
            assert_true(j.residual[0][i * S + s] <= 1e-5 && j.residual[1][i * S + s] <= 1e-5);
            assert_near(hs_nrm2_f32(D_H, v), 1, 1e-5);
            assert_near(hs_nrm2_f32(m, u), 1, 1e-5);
            for (size_t l = 0; l < K; l++) {
                double on_v = 0, on_u = 0;
                for (size_t d = 0; d < D_H; d++) {
                    on_v += (double)v[d] * Vt[l * D_H + d];
                }
                for (size_t d = 0; d < m; d++) {
                    on_u += (double)u[d] * U[d * r + l];
                }
                inside += on_v * on_v;
                pair += on_v * on_u;
            }
            assert_near(inside, 1, 1e-4); /* v lies in the span of the leading K */
            assert_near(pair, 1, 1e-4);   /* and u beside it, of the same sign */
        }
        free(A), free(sv), free(U), free(Vt);
    }
    hs_jacobian_free(&j);
}

static void test_dense(void **state)
{
    (void)state;
    static fixture f;
    start(&f, 0);
    hs_jacobian_options o = options(HS_JACOBIAN_EPS_H);
    check_against_dense(&f, &o, 1, S);
    o.map = HS_JACOBIAN_H_X;
    check_against_dense(&f, &o, N, 1);
    hs_model_free(&f.m);
    start(&f, 1);
    o.map = HS_JACOBIAN_X0_H;
    check_against_dense(&f, &o, 1, 1);
    hs_model_free(&f.m);
}

static void test_mask(void **state)
{
    (void)state;
    static fixture f;
    start(&f, 0);
    hs_jacobian_options o = options(HS_JACOBIAN_EPS_H);
    hs_jacobian j;
    memcpy(o.box, (size_t[]){2, 4, 10, 7}, sizeof o.box);
    check_against_dense(&f, &o, 1, 1);
    assert_ok(hs_jacobian_directions(&f.m, &o, S, T, 1, f.x, &j));
    for (size_t i = 0; i < K * S * D_X; i++) {
        size_t x = i % R, y = i / R % R;
        assert_true((x >= 2 && x < 10 && y >= 4 && y < 7) || j.x[i] == 0);
    }
    hs_jacobian_free(&j);
    hs_model_free(&f.m);
}

/* Along a direction eps changes by s u: from two decodes, without any derivative. */
static void test_finite_difference(void **state)
{
    (void)state;
    static fixture f;
    static float h[D_H], moved[2 * D_H], eps[2 * D_X];
    const double step = 0.02;
    hs_jacobian j;
    hs_unet_ws *ws;
    start(&f, 0);
    hs_jacobian_options o = options(HS_JACOBIAN_EPS_H);
    assert_ok(hs_jacobian_directions(&f.m, &o, 1, T, 1, f.x, &j));
    assert_ok(hs_unet_ws_create(f.m.unet, 1, 2, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_encode(f.m.unet, ws, 1, f.x, T, h));
    assert_near(hs_nrm2_f32(D_H, h), j.h_norm[0], 1e-5 * j.h_norm[0]);
    for (size_t d = 0; d < D_H; d++) {
        moved[d] = h[d] + (float)step * j.dh[d];
        moved[D_H + d] = h[d] - (float)step * j.dh[d];
    }
    assert_ok(hs_unet_decode(f.m.unet, ws, 2, (const size_t[]){0, 0}, moved, eps));
    double off = 0;
    for (size_t d = 0; d < D_X; d++) {
        double de = ((double)eps[d] - (double)eps[D_X + d]) / (2 * step);
        off += (de - j.sigma[0] * (double)j.x[d]) * (de - j.sigma[0] * (double)j.x[d]);
    }
    assert_true(sqrt(off) < 0.01 * j.sigma[0]);
    hs_unet_ws_free(ws);
    hs_jacobian_free(&j);
    hs_model_free(&f.m);
}

/* The sign goes along from step to step; the same bits for every number of products at once. */
static void test_signs_and_batches(void **state)
{
    (void)state;
    static fixture f;
    hs_jacobian a, b;
    start(&f, 0);
    memcpy(f.x + N * D_X, f.x, N * D_X * sizeof *f.x);
    hs_jacobian_options o = options(HS_JACOBIAN_EPS_H);
    assert_ok(hs_jacobian_directions(&f.m, &o, S, T, N, f.x, &a));
    for (size_t i = 0; i < K; i++) {
        assert_true(hs_dot_f32(D_H, a.dh + i * S * D_H, a.dh + (i * S + 1) * D_H) >= 0);
        assert_true(i == 0 || a.sigma[i * S] <= a.sigma[(i - 1) * S]);
    }
    o.rows = 3;
    assert_ok(hs_jacobian_directions(&f.m, &o, S, T, N, f.x, &b));
    for (size_t i = 0; i < K * S; i++) {
        assert_near(a.sigma[i], b.sigma[i], 1e-5 * a.sigma[i % S]);
    }
    hs_jacobian_free(&a);
    hs_jacobian_free(&b);
    hs_model_free(&f.m);
}

/* ---- States ---- */

typedef struct {
    float x[5][N * D_X];
} trace;

static int keep(void *ctx, size_t step, size_t n, const float *x)
{
    trace *t = ctx;
    memcpy(t->x[step], x, n * D_X * sizeof *x);
    return HS_OK;
}

static void test_states(void **state)
{
    (void)state;
    static fixture f;
    static trace kept;
    static float x_T[N * D_X], got[4 * N * D_X], aside[N * D_X], eps[N * D_X];
    const int t[4] = {999, 800, 666, 333};
    hs_steps steps;
    hs_unet_ws *ws;
    hs_asyrp *plain;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    start(&f, 0);
    hs_rng_normal((hs_rng){6, HS_RNG_TEST, 0}, 0, N * D_X, x_T);
    assert_ok(hs_steps_create(&f.m.schedule, &(hs_steps_spec){.S = 4, .set_alpha_to_one = 1}, &steps));
    assert_int_equal(steps.step[1].t, 666);
    assert_ok(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x_T, 4, t, NULL, got));
    assert_ok(hs_unet_ws_create(f.m.unet, N, N, HS_CONV_AUTO, &ws));
    assert_ok(hs_asyrp_create(f.m.unet, ws, NULL, N, &plain));
    hs_predictor p = hs_asyrp_predictor(plain);
    float x[N * D_X];
    memcpy(x, x_T, sizeof x);
    o.observe = keep;
    o.observe_ctx = &kept;
    assert_ok(hs_ddim_sample(&p, &steps, &o, N, D_X, x));
    assert_memory_equal(got, x_T, sizeof x);
    assert_memory_equal(got + 2 * N * D_X, kept.x[1], sizeof x);
    assert_memory_equal(got + 3 * N * D_X, kept.x[2], sizeof x);
    /* 800 from 999 by hand */
    assert_ok(p.predict(p.ctx, N, x_T, 999, 0, eps, aside));
    double ab = f.m.schedule.alpha_bar[999], to = f.m.schedule.alpha_bar[800];
    for (size_t i = 0; i < N * D_X; i++) {
        double e = (double)eps[i], want = sqrt(to) * ((double)x_T[i] - sqrt(1 - ab) * e) / sqrt(ab) + sqrt(1 - to) * e;
        assert_near((double)got[N * D_X + i], want, 1e-5 * (1 + fabs(want)));
    }
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x_T, 2, (int[]){5, 9}, NULL, got), HS_ERANGE);
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x_T, 1, (int[]){1000}, NULL, got), HS_ERANGE);
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x_T, 1, (int[]){-1}, NULL, got), HS_ERANGE);
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x_T, 0, NULL, NULL, got), HS_ERANGE);
    x[7] = (float)NAN;
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &steps, 2, N, x, 1, (int[]){0}, NULL, got), HS_EDEGENERATE);
    hs_steps late = {steps.S - 1, steps.step + 1};
    assert_code(hs_jacobian_states(&f.m, HS_CONV_AUTO, &late, 2, N, x_T, 1, (int[]){900}, NULL, got), HS_ERANGE);
    hs_asyrp_free(plain);
    hs_unet_ws_free(ws);
    hs_steps_free(&steps);
    hs_model_free(&f.m);
}

static int stop(void *ctx, const char *what, size_t done, size_t total)
{
    (void)ctx, (void)what, (void)done, (void)total;
    return 1;
}

static void refuse(const fixture *f, hs_jacobian_options o, size_t n, int code)
{
    hs_jacobian j;
    assert_code(hs_jacobian_directions(&f->m, &o, 1, T, n, f->x, &j), code);
}

static void test_refusals(void **state)
{
    (void)state;
    static fixture f;
    hs_progress p = {stop, NULL};
    start(&f, 0);
    hs_jacobian_options o = options(HS_JACOBIAN_EPS_H);
    o.k = 0;
    refuse(&f, o, 1, HS_ERANGE);
    o.k = D_X + 1;
    refuse(&f, o, 1, HS_ERANGE);
    o.k = D_H + 1;
    refuse(&f, o, N, HS_ERANGE);
    o.k = K;
    refuse(&f, o, 0, HS_ERANGE);
    memcpy(o.box, (size_t[]){0, 0, 1, 1}, sizeof o.box); /* three numbers */
    refuse(&f, o, 1, HS_ERANGE);
    memcpy(o.box, (size_t[]){4, 0, 4, 8}, sizeof o.box);
    refuse(&f, o, 1, HS_ERANGE);
    memcpy(o.box, (size_t[]){0, 0, 17, 8}, sizeof o.box);
    refuse(&f, o, 1, HS_ERANGE);
    memcpy(o.box, (size_t[]){0, 0, 8, 8}, sizeof o.box);
    o.map = HS_JACOBIAN_H_X;
    refuse(&f, o, 1, HS_ERANGE);
    o = options(HS_JACOBIAN_EPS_H);
    o.tol = 1e-14; /* below what float32 can reach */
    refuse(&f, o, 1, HS_ENOCONV);
    assert_non_null(strstr(hs_error_message(), "t = 700"));
    o = options(HS_JACOBIAN_EPS_H);
    o.progress = &p;
    refuse(&f, o, 1, HS_ESTOPPED);
    o.progress = NULL;
    f.x[3] = (float)INFINITY;
    refuse(&f, o, 1, HS_EDEGENERATE);
    hs_model_free(&f.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),  cmocka_unit_test(test_mask),     cmocka_unit_test(test_finite_difference),
        cmocka_unit_test(test_states), cmocka_unit_test(test_refusals), cmocka_unit_test(test_signs_and_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
