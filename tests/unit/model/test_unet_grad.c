/* The U-Net's derivatives on small networks of every family, whatever their weights: adjoint identities,
 * batches, and what is refused.  (test_unet_differences.c has differences of the forward pass, tests/parity
 * PyTorch's numbers.) */
#include "core/model/attr_map.h"
#include "core/model/unet_grad.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "core/base/rng.h"
#include "core/model/attrnet.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"

enum { MODES = 4, FACTORS = 8 };

static const hs_conv_mode modes[MODES] = {HS_CONV_IM2COL, HS_CONV_DIRECT, HS_CONV_WINOGRAD, HS_CONV_AUTO};
static const char *const mode_name[MODES] = {"im2col", "direct", "winograd", "auto"};

static double alpha_bar(int t)
{
    return 1 - 0.998 * t / 999; /* any fall from 1 to .002 */
}

/* ---- <J v, u> = <v, J^T u> ------------------------------------------------------------------------ */

/* d readout / dh: an attribute network after x0hat, two rows at once. */
typedef struct {
    hs_unet_jacobian x0hat;
    hs_attrnet *a;
    hs_attr_map *map;
    hs_conv_mode mode;
    size_t d_x;
    float *image; /* (d_x) */
} readout;

static void readout_begin(readout *r, const recorded *s, hs_conv_mode mode, uint64_t seed)
{
    hs_attrnet_config c = {.image_size = hs_unet_config_of(s->u)->image_size,
                           .levels = 2,
                           .ch = {4, 8},
                           .groups = 2,
                           .features = 8,
                           .n_factors = FACTORS,
                           .factor = {{"a", 0, 0, 1}, {"b", 1, 0, 1}}};
    for (int i = 2; i < FACTORS; i++) {
        c.factor[i] = (hs_attr_factor){.name = {(char)('a' + i)}, .sd = i};
    }
    *r = (readout){.d_x = s->d_x, .mode = mode, .image = room(s->d_x)};
    assert_ok(hs_attrnet_random(&c, seed, &r->a));
}

static void readout_end(readout *r)
{
    hs_attr_map_free(r->map);
    hs_attrnet_free(r->a);
    free(r->image);
}

/* The read-out's operator at x0hat of a state. */
static hs_linop readout_at(readout *r, const recorded *s, size_t state)
{
    double ab = alpha_bar(s->t[state]);
    for (size_t i = 0; i < s->d_x; i++) {
        size_t k = state * s->d_x + i;
        r->image[i] = (float)((s->x[k] - sqrt(1 - ab) * s->eps[k]) / sqrt(ab));
    }
    r->x0hat = (hs_unet_jacobian){s->g, HS_MAP_X0HAT_H, state, ab};
    hs_attr_map_free(r->map);
    assert_ok(hs_attr_map_create(&r->x0hat, r->a, r->image, 2, r->mode, &r->map));
    return hs_attr_map_linop(r->map);
}

enum { MAPS = HS_MAP_X0HAT_X + 2 }; /* the last: the read-out */
static const char *const map_name[MAPS] = {"dh/dx (encode)", "deps/dh (decode)", "dx0hat/dh",
                                           "deps/dx (both)", "dx0hat/dx",        "dreadout/dh"};

static void adjoints(unet_kind kind, size_t mode, size_t cases[MAPS], double worst[MAPS])
{
    recorded s;
    readout r;
    uint64_t seed = 1 + (uint64_t)kind * MODES + mode;
    recorded_begin(&s, kind, modes[mode], seed, 0);
    readout_begin(&r, &s, modes[mode], seed);
    for (size_t state = 0; state < STATES; state++) {
        for (int map = 0; map < MAPS; map++) {
            hs_unet_jacobian j = {s.g, (hs_unet_map)map, state, alpha_bar(s.t[state])};
            hs_linop op = map == MAPS - 1 ? readout_at(&r, &s, state) : hs_unet_linop(&j);
            double error;
            assert_ok(hs_linop_adjoint_error(&op, 1, seed * STATES + state, &error));
            if (!(error <= 1e-5)) {
                fail_msg("%s of %s, %s: adjoint off by %g |Jv| |u|", map_name[map], unet_name(kind), mode_name[mode],
                         error);
            }
            worst[map] = fmax(worst[map], error);
            cases[map]++;
        }
    }
    readout_end(&r);
    recorded_end(&s);
}

static void test_adjoints(void **state)
{
    (void)state;
    size_t cases[MAPS] = {0};
    double worst[MAPS] = {0};
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        for (size_t mode = 0; mode < MODES; mode++) {
            adjoints(kind, mode, cases, worst);
        }
    }
    for (size_t map = 0; map < MAPS; map++) {
        printf("%-18s %zu cases, worst %.1e of |Jv| |u|\n", map_name[map], cases[map], worst[map]);
        assert_true(cases[map] >= 100);
    }
}

/* The measure above isn't blind: the adjoint at another state is none. */
static int another_state(void *ctx, size_t k, const float *Y, float *X)
{
    hs_unet_jacobian j = *(hs_unet_jacobian *)ctx;
    j.state++;
    hs_linop op = hs_unet_linop(&j);
    return op.apply_adjoint(op.ctx, k, Y, X);
}

static void test_another_states_adjoint_is_none(void **state)
{
    (void)state;
    recorded s;
    recorded_begin(&s, UNET_ADM, HS_CONV_IM2COL, 3, 0);
    for (int map = 0; map <= HS_MAP_X0HAT_X; map++) {
        hs_unet_jacobian j = {s.g, (hs_unet_map)map, 1, 0.5};
        hs_linop op = hs_unet_linop(&j);
        double error;
        op.apply_adjoint = another_state;
        assert_ok(hs_linop_adjoint_error(&op, 4, 9, &error));
        assert_true(error > 1e-3);
    }
    recorded_end(&s);
}

/* ---- Many rows at once ---------------------------------------------------------------------------- */

static double rows_against_single(recorded *s, product p)
{
    static const size_t of[ROWS] = {4, 2, 2, 0, 1, 3, 4, 0};
    size_t from = p == JVP_D || p == VJP_E ? s->d_h : s->d_x, to = p == JVP_E || p == VJP_D ? s->d_h : s->d_x;
    float *in = normals(50, ROWS * from), *h = room(ROWS * s->d_h), *out = room(ROWS * to), *one = room(to);
    double worst = 0;
    multiply(s, p, ROWS, of, in, h, out);
    for (size_t r = 0; r < ROWS; r++) {
        multiply(s, p, 1, &of[r], in + r * from, h, one);
        worst = fmax(worst, max_rel_f32(out + r * to, one, to));
    }
    free(in);
    free(h);
    free(out);
    free(one);
    return worst;
}

/* Rows of one pass, of states in any order and again, are what each gives alone, up to the order of sums. */
static void test_rows_are_single_ones(void **state)
{
    (void)state;
    double worst = 0;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        for (size_t mode = 0; mode < MODES; mode++) {
            recorded s;
            recorded_begin(&s, kind, modes[mode], 77, 0);
            for (product p = 0; p < PRODUCTS; p++) {
                double error = rows_against_single(&s, p);
                if (!(error <= 2e-5)) {
                    fail_msg("product %d of %s, %s: rows and single ones differ by %g", (int)p, unet_name(kind),
                             mode_name[mode], error);
                }
                worst = fmax(worst, error);
            }
            recorded_end(&s);
        }
    }
    printf("rows of one pass and single ones: worst %.1e\n", worst);
}

/* More rows than g has room for are cut into batches by an operator; without a state, row r is of state r. */
static void test_operator_cuts_rows(void **state)
{
    (void)state;
    enum { K = 2 * ROWS + 3 };
    recorded s;
    recorded_begin(&s, UNET_DIFFUSERS, HS_CONV_AUTO, 5, 0);
    hs_unet_jacobian j = {s.g, HS_MAP_X0HAT_X, 2, 0.3};
    hs_linop op = hs_unet_linop(&j);
    assert_int_equal(op.m, s.d_x);
    assert_int_equal(op.n, s.d_x);
    float *in = normals(6, K * s.d_x), *many = room(K * s.d_x), *one = room(K * s.d_x);
    for (int adjoint = 0; adjoint < 2; adjoint++) {
        int (*f)(void *, size_t, const float *, float *) = adjoint ? op.apply_adjoint : op.apply;
        assert_ok(f(op.ctx, K, in, many));
        for (size_t r = 0; r < K; r++) {
            assert_ok(f(op.ctx, 1, in + r * s.d_x, one + r * s.d_x));
        }
        assert_true(max_rel_f32(many, one, K * s.d_x) <= 2e-5);
    }
    static const size_t of[STATES] = {0, 1, 2, 3, 4};
    assert_ok(hs_unet_vjp_decode(s.g, STATES, NULL, HS_SKIPS_FIXED, in, many));
    assert_ok(hs_unet_vjp_decode(s.g, STATES, of, HS_SKIPS_FIXED, in, one));
    assert_memory_equal(many, one, STATES * s.d_h * sizeof *many);
    free(in);
    free(many);
    free(one);
    recorded_end(&s);
}

/* A recorded pass is the plain one, bit for bit. */
static void test_recording_changes_nothing(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        for (size_t mode = 0; mode < MODES; mode++) {
            recorded s;
            hs_unet_ws *ws = NULL;
            recorded_begin(&s, kind, modes[mode], 8, 0);
            float *h = room(STATES * s.d_h), *eps = room(STATES * s.d_x);
            assert_ok(hs_unet_ws_create(s.u, ROWS, ROWS, modes[mode], &ws));
            assert_ok(hs_unet_encode(s.u, ws, STATES, s.x, s.t, h));
            assert_ok(hs_unet_decode(s.u, ws, STATES, NULL, h, eps));
            assert_memory_equal(h, s.h, STATES * s.d_h * sizeof *h);
            assert_memory_equal(eps, s.eps, STATES * s.d_x * sizeof *h);
            free(h);
            free(eps);
            hs_unet_ws_free(ws);
            recorded_end(&s);
        }
    }
}

/* ---- What is refused ---------------------------------------------------------------------------------- */

static void test_sizes_out_of_range(void **state)
{
    (void)state;
    hs_unet *u = unet_trainable(UNET_PLAIN, 1);
    hs_unet_grad *g = NULL;
    assert_code(hs_unet_grad_create(u, 0, 1, 0, HS_CONV_AUTO, &g), HS_ERANGE);
    assert_code(hs_unet_grad_create(u, 1, 0, 0, HS_CONV_AUTO, &g), HS_ERANGE);
    assert_code(hs_unet_grad_create(u, 65537, 1, 0, HS_CONV_AUTO, &g), HS_ERANGE);
    assert_code(hs_unet_grad_create(u, 1, 65537, 0, HS_CONV_AUTO, &g), HS_ERANGE);
    assert_null(g);
    hs_unet_grad_free(NULL);
    hs_unet_free(u);
}

/* Every product wants the states of its rows recorded, and as many as there is room for. */
static void test_rows_out_of_range(void **state)
{
    (void)state;
    static const size_t zeros[ROWS + 1] = {0}, beyond[1] = {STATES};
    recorded s;
    recorded_begin(&s, UNET_PLAIN, HS_CONV_AUTO, 1, 0);
    float *in = normals(2, (ROWS + 1) * s.d_x), *out = room((ROWS + 1) * s.d_x), *grad = room(1);
    for (int many = 0; many < 2; many++) {
        size_t rows = many ? ROWS + 1 : 1;
        const size_t *of = many ? zeros : beyond;
        assert_code(hs_unet_jvp_encode(s.g, rows, of, in, out), HS_EBUG);
        assert_code(hs_unet_jvp_decode(s.g, rows, of, HS_SKIPS_FIXED, in, out), HS_EBUG);
        assert_code(hs_unet_vjp_decode(s.g, rows, of, HS_SKIPS_CARRIED, in, out), HS_EBUG);
        assert_code(hs_unet_vjp_encode(s.g, rows, of, HS_SKIPS_CARRIED, in, out), HS_EBUG);
    }
    assert_code(hs_unet_jvp_encode(s.g, STATES + 1, NULL, in, out), HS_EBUG);
    hs_unet_jacobian j = {s.g, HS_MAP_EPS_X, STATES, 0.5};
    hs_linop op = hs_unet_linop(&j);
    assert_code(op.apply(op.ctx, 1, in, out), HS_EBUG);
    assert_code(op.apply_adjoint(op.ctx, 1, in, out), HS_EBUG);
    assert_code(hs_unet_backward(s.g, in, grad), HS_EBUG); /* made without weights */
    free(in);
    free(out);
    free(grad);
    recorded_end(&s);
}

/* Derivatives of what wasn't recorded: at the start, after encode alone, after other weights. */
/* A record of the decoder alone gives the bits of the whole one, and nothing of the encoder. */
static void test_decoder_alone(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        recorded s;
        hs_unet_grad *g = NULL;
        recorded_begin(&s, kind, HS_CONV_AUTO, 5, 0);
        float *h = room(STATES * s.d_h), *eps = room(STATES * s.d_x), *u = normals(2, STATES * s.d_x);
        float *dh = room(STATES * s.d_h), *want = room(STATES * s.d_h);
        assert_ok(hs_unet_grad_create_decoder(s.u, STATES, ROWS, HS_CONV_AUTO, &g));
        assert_ok(hs_unet_grad_encode(g, STATES, s.x, s.t, h));
        assert_ok(hs_unet_grad_decode(g, h, eps));
        assert_memory_equal(h, s.h, STATES * s.d_h * sizeof *h);
        assert_memory_equal(eps, s.eps, STATES * s.d_x * sizeof *eps);
        assert_ok(hs_unet_vjp_decode(g, STATES, NULL, HS_SKIPS_FIXED, u, dh));
        assert_ok(hs_unet_vjp_decode(s.g, STATES, NULL, HS_SKIPS_FIXED, u, want));
        assert_memory_equal(dh, want, STATES * s.d_h * sizeof *dh);
        assert_ok(hs_unet_jvp_decode(g, STATES, NULL, HS_SKIPS_FIXED, h, eps));
        assert_ok(hs_unet_jvp_decode(s.g, STATES, NULL, HS_SKIPS_FIXED, h, u));
        assert_memory_equal(eps, u, STATES * s.d_x * sizeof *eps);
        assert_code(hs_unet_vjp_decode(g, 1, NULL, HS_SKIPS_CARRIED, u, dh), HS_EBUG);
        assert_code(hs_unet_jvp_decode(g, 1, NULL, HS_SKIPS_CARRIED, h, eps), HS_EBUG);
        assert_code(hs_unet_vjp_encode(g, 1, NULL, HS_SKIPS_FIXED, h, eps), HS_EBUG);
        assert_code(hs_unet_jvp_encode(g, 1, NULL, u, h), HS_EBUG);
        hs_unet_grad_free(g);
        free(h), free(eps), free(u), free(dh), free(want);
        recorded_end(&s);
    }
}

static void test_nothing_recorded(void **state)
{
    (void)state;
    recorded s;
    size_t count;
    recorded_begin(&s, UNET_PLAIN, HS_CONV_AUTO, 1, 1);
    (void)hs_unet_theta(s.u, &count);
    float *in = normals(2, STATES * s.d_x), *out = room(STATES * s.d_x), *grad = room(count);
    hs_unet_grad *fresh = NULL;
    assert_ok(hs_unet_grad_create(s.u, 1, 1, 1, HS_CONV_AUTO, &fresh));
    assert_code(hs_unet_grad_decode(fresh, s.h, out), HS_EBUG);
    assert_code(hs_unet_jvp_encode(fresh, 1, NULL, in, out), HS_EBUG);
    assert_code(hs_unet_grad_encode(fresh, 2, s.x, s.t, s.h), HS_EBUG);
    assert_ok(hs_unet_grad_encode(fresh, 1, s.x, s.t, s.h));
    assert_ok(hs_unet_jvp_encode(fresh, 1, NULL, in, out));
    assert_code(hs_unet_jvp_decode(fresh, 1, NULL, HS_SKIPS_FIXED, in, out), HS_EBUG);
    assert_code(hs_unet_vjp_decode(fresh, 1, NULL, HS_SKIPS_FIXED, in, out), HS_EBUG);
    assert_code(hs_unet_backward(fresh, in, grad), HS_EBUG);
    assert_ok(hs_unet_backward(s.g, in, grad));
    assert_ok(hs_unet_grad_refresh(s.g));
    assert_code(hs_unet_backward(s.g, in, grad), HS_EBUG);
    assert_code(hs_unet_vjp_encode(s.g, 1, NULL, HS_SKIPS_FIXED, in, out), HS_EBUG);
    hs_unet_grad_free(fresh);
    free(in);
    free(out);
    free(grad);
    recorded_end(&s);
}

/* A network that isn't trainable has derivatives, but no gradients of its weights. */
static void test_fixed_network(void **state)
{
    (void)state;
    recorded s;
    hs_unet *fixed = NULL;
    hs_unet_grad *g = NULL;
    recorded_begin(&s, UNET_PLAIN, HS_CONV_AUTO, 1, 0);
    assert_ok(hs_unet_random(hs_unet_config_of(s.u), 1, &fixed));
    assert_ok(hs_unet_grad_create(fixed, 1, 1, 0, HS_CONV_AUTO, &g));
    assert_ok(hs_unet_grad_encode(g, 1, s.x, s.t, s.h));
    assert_ok(hs_unet_grad_decode(g, s.h, s.eps));
    hs_unet_jacobian j = {g, HS_MAP_EPS_X, 0, 0.5};
    hs_linop op = hs_unet_linop(&j);
    double error;
    assert_ok(hs_linop_adjoint_error(&op, 1, 2, &error));
    assert_true(error <= 1e-5);
    hs_unet_grad_free(g);
    assert_ok(hs_unet_grad_create(fixed, 1, 1, 1, HS_CONV_AUTO, &g));
    assert_ok(hs_unet_grad_encode(g, 1, s.x, s.t, s.h));
    assert_ok(hs_unet_grad_decode(g, s.h, s.eps));
    assert_code(hs_unet_backward(g, s.x, s.eps), HS_EBUG);
    hs_unet_grad_free(g);
    hs_unet_free(fixed);
    recorded_end(&s);
}

/* The read-out's map by hand: x0hat's, then the network's; and what it refuses. */
static void test_readout_map(void **state)
{
    (void)state;
    enum { K = 3 };
    recorded s;
    readout r;
    recorded_begin(&s, UNET_TINY, HS_CONV_AUTO, 3, 0);
    readout_begin(&r, &s, HS_CONV_AUTO, 3);
    hs_linop op = readout_at(&r, &s, 1), x0hat = hs_unet_linop(&r.x0hat);
    float *dh = room(K * s.d_h), *image = room(s.d_x), got[K * FACTORS], want[FACTORS], out[FACTORS];
    hs_attrnet_ws *ws;
    hs_rng_normal((hs_rng){4, HS_RNG_TEST, 0}, 0, K * s.d_h, dh);
    assert_ok(hs_attrnet_ws_create(r.a, 1, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_attrnet_forward(ws, 1, r.image, out, NULL));
    assert_ok(op.apply(op.ctx, K, dh, got));
    for (size_t i = 0; i < K; i++) {
        assert_ok(x0hat.apply(x0hat.ctx, 1, dh + i * s.d_h, image));
        assert_ok(hs_attrnet_jvp(ws, 1, image, want));
        assert_true(max_rel_f32(got + i * FACTORS, want, FACTORS) < 1e-5);
    }
    hs_attrnet_config c = *hs_attrnet_config_of(r.a);
    hs_attrnet *other;
    hs_attr_map *map;
    c.image_size *= 2;
    assert_ok(hs_attrnet_random(&c, 1, &other));
    assert_code(hs_attr_map_create(&r.x0hat, other, image, 1, HS_CONV_AUTO, &map), HS_ESHAPE);
    assert_code(hs_attr_map_create(&r.x0hat, r.a, image, 0, HS_CONV_AUTO, &map), HS_ERANGE);
    r.x0hat.map = HS_MAP_EPS_H;
    assert_code(hs_attr_map_create(&r.x0hat, r.a, image, 1, HS_CONV_AUTO, &map), HS_ERANGE);
    hs_attrnet_free(other);
    hs_attrnet_ws_free(ws);
    free(dh), free(image);
    readout_end(&r);
    recorded_end(&s);
}

int main(void)
{
    omp_set_num_threads(1); /* networks this small gain nothing by a second, and lose much on a busy machine */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjoints),
        cmocka_unit_test(test_another_states_adjoint_is_none),
        cmocka_unit_test(test_rows_are_single_ones),
        cmocka_unit_test(test_operator_cuts_rows),
        cmocka_unit_test(test_recording_changes_nothing),
        cmocka_unit_test(test_sizes_out_of_range),
        cmocka_unit_test(test_rows_out_of_range),
        cmocka_unit_test(test_decoder_alone),
        cmocka_unit_test(test_nothing_recorded),
        cmocka_unit_test(test_fixed_network),
        cmocka_unit_test(test_readout_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
