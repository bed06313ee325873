/* What holds of any U-Net whatever its weights: batches, shared states, cut rows, determinism. */
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/model/asyrp.h"
#include "core/model/unet.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"

enum { N = 3, D_X = 3 * 16 * 16, D_H = 64 * 4 * 4 };

typedef struct {
    hs_unet *u;
    float x[N * D_X], h[N * D_H];
    int t[N];
} setup;

static void begin(setup *s)
{
    hs_unet_config c;
    assert_ok(hs_arch_builtin("tiny", &c));
    assert_ok(hs_unet_random(&c, 5, &s->u));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, N * D_X, s->x);
    for (int i = 0; i < N; i++) {
        s->t[i] = 900 - 400 * i;
    }
}

/* 35,746,307 is what the published file holds; 113,673,219 of ddpm-256 (tests/parity counts anime64's
 * in its file). */
static void test_parameter_counts(void **state)
{
    (void)state;
    hs_unet_config c;
    hs_unet *u = NULL;
    assert_ok(hs_arch_builtin("ddpm-cifar10-32", &c));
    assert_ok(hs_unet_random(&c, 1, &u));
    assert_int_equal(hs_unet_parameters(u), 35746307);
    hs_unet_free(u);
    assert_ok(hs_arch_builtin("ddpm-256", &c));
    assert_ok(hs_unet_random(&c, 1, &u));
    assert_int_equal(hs_unet_parameters(u), 113673219);
    hs_unet_free(u);
}

/* Rows of one batch are what each image gives alone, up to the order of sums in a product. */
static void test_batch_is_its_images(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_ws *ws = NULL, *one = NULL;
    float eps[N * D_X], h1[D_H], eps1[D_X];
    assert_ok(hs_unet_ws_create(s.u, N, N, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_ws_create(s.u, 1, 1, HS_CONV_IM2COL, &one));
    assert_int_equal(hs_unet_ws_states(ws), N);
    assert_ok(hs_unet_encode(s.u, ws, N, s.x, s.t, s.h));
    assert_ok(hs_unet_decode(s.u, ws, N, NULL, s.h, eps));
    for (int i = 0; i < N; i++) {
        assert_ok(hs_unet_encode(s.u, one, 1, s.x + i * D_X, &s.t[i], h1));
        assert_ok(hs_unet_decode(s.u, one, 1, NULL, h1, eps1));
        assert_true(max_rel_f32(s.h + i * D_H, h1, D_H) < 2e-5);
        assert_true(max_rel_f32(eps + i * D_X, eps1, D_X) < 2e-5);
        assert_true(max_rel_f32(hs_unet_temb(ws, (size_t)i), hs_unet_temb(one, 0), 64) < 2e-5);
    }
    assert_true(hs_unet_ws_times(ws).conv3 > 0);
    hs_unet_ws_free(ws);
    hs_unet_ws_free(one);
    hs_unet_free(s.u);
}

/* Rows name their states in any order; more rows than planned are cut into batches. */
static void test_rows_read_their_states(void **state)
{
    (void)state;
    static const size_t of[7] = {2, 0, 1, 2, 2, 0, 1};
    setup s;
    begin(&s);
    hs_unet_ws *ws = NULL;
    float eps[N * D_X], many[7 * D_X], h[7 * D_H];
    assert_ok(hs_unet_ws_create(s.u, N, N, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_encode(s.u, ws, N, s.x, s.t, s.h));
    assert_ok(hs_unet_decode(s.u, ws, N, NULL, s.h, eps));
    for (int r = 0; r < 7; r++) {
        memcpy(h + r * D_H, s.h + of[r] * D_H, D_H * sizeof *h);
    }
    assert_ok(hs_unet_decode(s.u, ws, 7, of, h, many));
    for (int r = 0; r < 7; r++) {
        assert_true(max_rel_f32(many + r * D_X, eps + of[r] * D_X, D_X) < 2e-5);
    }
    /* a wrong state's skips would show */
    assert_true(max_rel_f32(many, eps, D_X) > 1e-2);
    hs_unet_ws_free(ws);
    hs_unet_free(s.u);
}

static void test_same_bits_again(void **state)
{
    (void)state;
    setup s, again;
    begin(&s);
    begin(&again);
    hs_unet_ws *a = NULL, *b = NULL;
    assert_ok(hs_unet_ws_create(s.u, N, N, HS_CONV_AUTO, &a));
    assert_ok(hs_unet_ws_create(again.u, N, N, HS_CONV_AUTO, &b));
    assert_ok(hs_unet_encode(s.u, a, N, s.x, s.t, s.h));
    assert_ok(hs_unet_encode(again.u, b, N, again.x, again.t, again.h));
    assert_memory_equal(s.h, again.h, sizeof s.h);
    hs_unet_ws_free(a);
    hs_unet_ws_free(b);
    hs_unet_free(s.u);
    hs_unet_free(again.u);
}

/* center_input: the network of x is the plain one of 2 x - 1. */
static void test_centred_input(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_config c = *hs_unet_config_of(s.u);
    hs_unet *centred = NULL;
    hs_unet_ws *ws = NULL, *wc = NULL;
    float h[D_H], x[D_X];
    c.center_input = 1;
    assert_ok(hs_unet_random(&c, 5, &centred));
    assert_ok(hs_unet_ws_create(s.u, 1, 1, HS_CONV_AUTO, &ws));
    assert_ok(hs_unet_ws_create(centred, 1, 1, HS_CONV_AUTO, &wc));
    for (int i = 0; i < D_X; i++) {
        x[i] = 2 * s.x[i] - 1;
    }
    assert_ok(hs_unet_encode(s.u, ws, 1, x, s.t, s.h));
    assert_ok(hs_unet_encode(centred, wc, 1, s.x, s.t, h));
    assert_memory_equal(s.h, h, sizeof h);
    hs_unet_ws_free(ws);
    hs_unet_ws_free(wc);
    hs_unet_free(s.u);
    hs_unet_free(centred);
}

/* Norms without eps don't see the scale of their input, so that of h = (F(y) + y) / mid_scale only the
 * first term stays when the scale is large: h goes as 1 / scale. */
static void test_mid_scale(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_config c = *hs_unet_config_of(s.u);
    float size[2];
    c.norm_eps = 1e-25;
    for (int k = 0; k < 2; k++) {
        hs_unet *u = NULL;
        hs_unet_ws *ws = NULL;
        c.mid_scale = k == 0 ? 1e3 : 1e4;
        assert_ok(hs_unet_random(&c, 5, &u));
        assert_ok(hs_unet_ws_create(u, 1, 1, HS_CONV_AUTO, &ws));
        assert_ok(hs_unet_encode(u, ws, 1, s.x, s.t, s.h));
        size[k] = 0;
        for (int i = 0; i < D_H; i++) {
            size[k] += s.h[i] * s.h[i];
        }
        hs_unet_ws_free(ws);
        hs_unet_free(u);
    }
    assert_near(size[0] / size[1], 100, 0.5);
    hs_unet_free(s.u);
}

/* A network with a variance beside eps: the noise alone is what decoding gives. */
static void test_learned_variance(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_config c = *hs_unet_config_of(s.u);
    hs_unet *both = NULL;
    hs_unet_ws *ws = NULL, *wb = NULL;
    float eps[D_X + 1], got[D_X + 1];
    eps[D_X] = got[D_X] = 17; /* not written to */
    c.out_ch = 6;
    assert_ok(hs_unet_random(&c, 5, &both));
    assert_int_equal(hs_unet_parameters(both), hs_unet_parameters(s.u) + 3 * 16 * 9 + 3);
    assert_ok(hs_unet_ws_create(s.u, 1, 1, HS_CONV_IM2COL, &ws));
    assert_ok(hs_unet_ws_create(both, 1, 1, HS_CONV_IM2COL, &wb));
    assert_ok(hs_unet_encode(s.u, ws, 1, s.x, s.t, s.h));
    assert_ok(hs_unet_decode(s.u, ws, 1, NULL, s.h, eps));
    assert_ok(hs_unet_encode(both, wb, 1, s.x, s.t, s.h));
    assert_ok(hs_unet_decode(both, wb, 1, NULL, s.h, got));
    /* streams are read by position: the first 3 of 6 output kernels are the 3 of the plain network */
    assert_memory_equal(eps, got, sizeof eps);
    hs_unet_free(both);
    hs_unet_free(s.u);
    hs_unet_ws_free(ws); /* after its network: legal */
    hs_unet_ws_free(wb);
}

static void test_misuse_is_named(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_ws *ws = NULL;
    float eps[D_X], skip[1];
    const size_t beyond[1] = {2};
    assert_code(hs_unet_ws_create(s.u, 0, 1, HS_CONV_AUTO, &ws), HS_ERANGE);
    assert_code(hs_unet_ws_create(s.u, 1, 100000, HS_CONV_AUTO, &ws), HS_ERANGE);
    assert_null(ws);
    assert_ok(hs_unet_ws_create(s.u, 2, 2, HS_CONV_AUTO, &ws));
    assert_code(hs_unet_encode(s.u, ws, 3, s.x, s.t, s.h), HS_EBUG);
    assert_ok(hs_unet_encode(s.u, ws, 2, s.x, s.t, s.h));
    assert_code(hs_unet_decode(s.u, ws, 1, beyond, s.h, eps), HS_EBUG);
    assert_code(hs_unet_skip(s.u, ws, 99, 0, skip), HS_ERANGE);
    assert_code(hs_unet_skip(s.u, ws, 0, 2, skip), HS_ERANGE);
    hs_unet_ws_free(ws);
    hs_unet_free(s.u);
    hs_unet_config c;
    assert_ok(hs_arch_builtin("tiny", &c));
    c.groups = 7;
    assert_code(hs_unet_random(&c, 1, &s.u), HS_EFORMAT);
}

static void test_description(void **state)
{
    (void)state;
    setup s;
    begin(&s);
    hs_unet_ws *ws = NULL;
    hs_str text = {0};
    size_t lines = 0;
    assert_ok(hs_unet_ws_create(s.u, 1, 1, HS_CONV_IM2COL, &ws));
    assert_ok(hs_unet_ws_describe(ws, &text));
    for (const char *p = text.s; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    /* in, out; 11 blocks of 2 (3 down, 2 mid, 6 up); 2 + 2 samplers; shortcuts: 2 down, 6 up of two
     * each; attention of two: 1 down, 1 mid, 2 up */
    assert_int_equal(lines, 2 + 22 + 4 + 2 + 12 + 8);
    assert_non_null(strstr(text.s, "mid.0.1.qkv\t4x4\t64 -> 192\t1x1/1\t"));
    hs_str_free(&text);
    hs_unet_ws_free(ws);
    hs_unet_free(s.u);
}

/* Who is of which class, and what can't be. */
static void test_classes(void **state)
{
    (void)state;
    static const int y[3] = {2, 0, 2}, t[3] = {500, 500, 500};
    hs_unet_config c;
    hs_unet *u = NULL;
    hs_unet_ws *ws = NULL;
    unet_config(UNET_OPENAI, &c);
    assert_ok(hs_unet_random(&c, 1, &u));
    size_t d_x = hs_chw_size(hs_unet_image_shape(&c)), d_h = hs_chw_size(hs_unet_h_shape(&c));
    float *x = normals(4, 3 * d_x), *h = room(3 * d_h), *one = room(3 * d_h);
    assert_ok(hs_unet_ws_create(u, 3, 3, HS_CONV_IM2COL, &ws));
    memcpy(x + d_x, x, d_x * sizeof *x);
    memcpy(x + 2 * d_x, x, d_x * sizeof *x);
    assert_int_equal(hs_unet_class_of(u, 0), -1);
    assert_code(hs_unet_encode(u, ws, 1, x, t, h), HS_ERANGE); /* none set */
    assert_code(hs_unet_set_classes(u, 0, y), HS_ERANGE);
    assert_code(hs_unet_set_classes(u, 1, &(int){3}), HS_ERANGE);
    assert_code(hs_unet_set_classes(u, 1, &(int){-1}), HS_ERANGE);
    assert_ok(hs_unet_set_classes(u, 3, y));
    assert_int_equal(hs_unet_class_of(u, 1), 0);
    assert_ok(hs_unet_encode(u, ws, 3, x, t, h));
    assert_memory_equal(h, h + 2 * d_h, d_h * sizeof *h);
    assert_true(memcmp(h, h + d_h, d_h * sizeof *h) != 0);
    hs_unet_ws_first(ws, 1);
    assert_ok(hs_unet_encode(u, ws, 1, x, t, one));
    assert_memory_equal(one, h + d_h, d_h * sizeof *h);
    assert_code(hs_unet_encode(u, ws, 3, x, t, one), HS_EBUG); /* images 1 to 3 of 3 */
    hs_unet_ws_first(ws, 0);
    assert_ok(hs_unet_encode_images(u, ws, 2, (const size_t[]){1, 0}, x, t, one));
    assert_memory_equal(one, h + d_h, d_h * sizeof *h);
    assert_memory_equal(one + d_h, h, d_h * sizeof *h);
    hs_unet_ws_free(ws);
    hs_unet_free(u);
    assert_ok(hs_arch_builtin("tiny", &c));
    assert_ok(hs_unet_random(&c, 1, &u));
    assert_code(hs_unet_set_classes(u, 1, y), HS_ERANGE);
    hs_unet_free(u);
    free(x), free(h), free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_batch_is_its_images),
        cmocka_unit_test(test_rows_read_their_states),
        cmocka_unit_test(test_same_bits_again),
        cmocka_unit_test(test_centred_input),
        cmocka_unit_test(test_mid_scale),
        cmocka_unit_test(test_learned_variance),
        cmocka_unit_test(test_misuse_is_named),
        cmocka_unit_test(test_description),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
