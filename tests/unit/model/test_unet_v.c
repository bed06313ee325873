/* A network that predicts v against the same network that predicts eps: eps = sqrt(ab) v + sqrt(1 - ab) x_t, and
 * what follows for the derivatives. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"

enum { N = 2, ROWS = 4, D_X = 3 * 16 * 16, D_H = 64 * 4 * 4 };

/* Two networks of the same weights, and their schedule. */
typedef struct {
    hs_unet *eps, *v;
    hs_schedule s;
    float x[N * D_X], h[N * D_H], out[N * D_X], as_eps[N * D_X];
    int t[N];
} setup;

static void begin(setup *s)
{
    hs_unet_config c;
    assert_ok(hs_arch_builtin("tiny", &c));
    assert_ok(hs_schedule_create(&c.schedule, &s->s));
    assert_ok(hs_unet_random(&c, 5, &s->eps));
    assert_ok(hs_unet_random(&c, 5, &s->v));
    assert_ok(hs_unet_predicts_v(s->v, s->s.T, s->s.alpha_bar));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N * D_X, s->x);
    s->t[0] = 700;
    s->t[1] = 90;
}

static void end(setup *s)
{
    hs_unet_free(s->eps);
    hs_unet_free(s->v);
    hs_schedule_free(&s->s);
}

static void record(setup *s, hs_unet *u, hs_unet_grad **g, float *out)
{
    assert_ok(hs_unet_grad_create(u, N, ROWS, 0, HS_CONV_AUTO, g));
    assert_ok(hs_unet_grad_encode(*g, N, s->x, s->t, s->h));
    assert_ok(hs_unet_grad_decode(*g, s->h, out));
}

/* Rows that name their states, cut into batches, too. */
static void test_decode(void **state)
{
    (void)state;
    static const size_t of[3] = {1, 0, 1};
    setup s;
    hs_unet_ws *ws[2];
    float h[3 * D_H], out[3 * D_X], eps[3 * D_X];
    begin(&s);
    assert_ok(hs_unet_ws_create(s.eps, N, 2, HS_CONV_AUTO, &ws[0]));
    assert_ok(hs_unet_ws_create(s.v, N, 2, HS_CONV_AUTO, &ws[1]));
    assert_ok(hs_unet_encode(s.eps, ws[0], N, s.x, s.t, s.h));
    assert_ok(hs_unet_encode(s.v, ws[1], N, s.x, s.t, h));
    assert_memory_equal(h, s.h, N * D_H * sizeof *h);
    for (size_t r = 0; r < 3; r++) {
        memcpy(h + r * D_H, s.h + of[r] * D_H, D_H * sizeof *h);
    }
    assert_ok(hs_unet_decode(s.eps, ws[0], 3, of, h, out));
    assert_ok(hs_unet_decode(s.v, ws[1], 3, of, h, eps));
    for (size_t r = 0; r < 3; r++) {
        double ab = s.s.alpha_bar[s.t[of[r]]];
        for (size_t i = 0; i < D_X; i++) {
            double want = sqrt(ab) * (double)out[r * D_X + i] + sqrt(1 - ab) * (double)s.x[of[r] * D_X + i];
            assert_near((double)eps[r * D_X + i], want, 1e-6 * (1 + fabs(want)));
        }
    }
    s.t[1] = (int)s.s.T;
    assert_code(hs_unet_encode(s.v, ws[1], N, s.x, s.t, s.h), HS_ERANGE);
    hs_unet_ws_free(ws[0]);
    hs_unet_ws_free(ws[1]);
    end(&s);
}

/* Of every map: J v against sqrt(ab) J' v + sqrt(1 - ab) v, J' that of the network read as eps. */
static void test_derivatives(void **state)
{
    (void)state;
    setup s;
    hs_unet_grad *g[2];
    float dx[ROWS * D_X], dh[ROWS * D_H], of_out[ROWS * D_X], of_v[ROWS * D_X];
    begin(&s);
    record(&s, s.eps, &g[0], s.out);
    record(&s, s.v, &g[1], s.as_eps);
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, 0}, 0, ROWS * D_X, dx);
    hs_rng_normal((hs_rng){2, HS_RNG_TEST, 1}, 0, ROWS * D_H, dh);
    for (size_t k = 0; k < N; k++) {
        double ab = s.s.alpha_bar[s.t[k]];
        for (int through_x = 0; through_x < 2; through_x++) {
            const hs_unet_map map = through_x ? HS_MAP_EPS_X : HS_MAP_EPS_H;
            hs_unet_jacobian j[2] = {{g[0], map, k, ab}, {g[1], map, k, ab}};
            hs_linop plain = hs_unet_linop(&j[0]), v = hs_unet_linop(&j[1]);
            const float *in = through_x ? dx : dh;
            assert_ok(plain.apply(plain.ctx, ROWS, in, of_out));
            assert_ok(v.apply(v.ctx, ROWS, in, of_v));
            for (size_t i = 0; i < ROWS * D_X; i++) {
                double beside = through_x ? (double)dx[i] : 0;
                double want = sqrt(ab) * (double)of_out[i] + sqrt(1 - ab) * beside;
                assert_near((double)of_v[i], want, 1e-5 * (1 + fabs(want)));
            }
        }
    }
    hs_unet_grad_free(g[0]);
    hs_unet_grad_free(g[1]);
    end(&s);
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

static void test_adjoints(void **state)
{
    (void)state;
    setup s;
    hs_unet_grad *g;
    float x[ROWS * D_X], y[ROWS * D_X], Jx[ROWS * D_X], Jty[ROWS * D_X];
    begin(&s);
    record(&s, s.v, &g, s.as_eps);
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, ROWS * D_X, x);
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 1}, 0, ROWS * D_X, y);
    for (int map = HS_MAP_H_X; map <= HS_MAP_X0HAT_X; map++) {
        hs_unet_jacobian j = {g, (hs_unet_map)map, 1, s.s.alpha_bar[s.t[1]]};
        hs_linop op = hs_unet_linop(&j);
        /* the first m or n numbers of each row's worth serve */
        assert_true(op.m <= 2 * D_X && op.n <= 2 * D_X);
        assert_ok(op.apply(op.ctx, 1, x, Jx));
        assert_ok(op.apply_adjoint(op.ctx, 1, y, Jty));
        double scale = sqrt(dot(op.m, Jx, Jx) * dot(op.m, y, y));
        assert_near(dot(op.m, Jx, y), dot(op.n, x, Jty), 1e-5 * scale);
    }
    hs_unet_grad_free(g);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_derivatives),
        cmocka_unit_test(test_adjoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
