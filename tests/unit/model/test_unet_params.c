/* Networks that can be trained: what their block holds, and the way into a folder and back. */
#include "core/model/unet_params.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/arch_write.h"
#include "core/model/model.h"
#include "core/model/unet_grad.h"
#include "tests/support/support.h"
#include "tests/support/unets.h"
#include "tests/support/weights.h"

enum { N = 2, D_MAX = 3 * 16 * 16, H_MAX = 64 * 4 * 4 };

static const hs_conv_mode modes[] = {HS_CONV_IM2COL, HS_CONV_DIRECT, HS_CONV_WINOGRAD, HS_CONV_AUTO};
static const int steps[N] = {10, 700};

/* The others can't be said in diffusers' words, or not by hs_unet_save. */
static int can_be_saved(unet_kind kind)
{
    return kind != UNET_OWN && kind != UNET_ADM && kind != UNET_OPENAI && kind != UNET_NEWORDER;
}

static const char *fresh_folder(void)
{
    static int n;
    char name[32];
    snprintf(name, sizeof name, "net%d", n++);
    const char *path = temp_path(name);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static void picture(float x[N * D_MAX])
{
    hs_rng_normal((hs_rng){3, HS_RNG_TEST, 0}, 0, N * D_MAX, x);
}

/* eps (N, d) <- of fixed pictures and times. */
static void eps_of(const hs_unet *u, hs_conv_mode mode, float *eps)
{
    float x[N * D_MAX], h[N * H_MAX];
    hs_unet_ws *ws = NULL;
    picture(x);
    assert_ok(hs_unet_ws_create(u, N, N, mode, &ws));
    assert_ok(hs_unet_encode(u, ws, N, x, steps, h));
    assert_ok(hs_unet_decode(u, ws, N, NULL, h, eps));
    hs_unet_ws_free(ws);
}

static void same_eps(const hs_unet *a, const hs_unet *b, hs_conv_mode mode)
{
    float ea[N * D_MAX] = {0}, eb[N * D_MAX] = {0};
    eps_of(a, mode, ea);
    eps_of(b, mode, eb);
    assert_memory_equal(ea, eb, sizeof ea);
}

/* ---- The block ------------------------------------------------------------------------------------- */

static void test_random_is_random(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        hs_unet_config c;
        hs_unet *u = NULL, *fixed = NULL;
        size_t count = 1;
        unet_config(kind, &c);
        assert_ok(hs_unet_trainable(&c, 9, NULL, &u));
        assert_ok(hs_unet_random(&c, 9, &fixed));
        if (c.classes > 0) {
            assert_ok(hs_unet_set_classes(u, 1, &(int){2}));
            assert_ok(hs_unet_set_classes(fixed, 1, &(int){2}));
        }
        same_eps(u, fixed, HS_CONV_IM2COL);
        assert_null(hs_unet_theta(fixed, &count));
        assert_int_equal(count, 0);
        assert_int_equal(hs_unet_param_count(fixed), 0);
        hs_unet_free(u);
        hs_unet_free(fixed);
    }
}

/* Every parameter has a name of its own and a stretch of the block that no other has; together they are all
 * that the network counts. */
static void test_names_and_stretches(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        hs_unet *u = unet_trainable(kind, 1);
        size_t count, total = 0;
        assert_non_null(hs_unet_theta(u, &count));
        char *taken = calloc(count, 1);
        for (size_t i = 0; i < hs_unet_param_count(u); i++) {
            hs_unet_param p = hs_unet_param_at(u, i);
            size_t numbers = 1;
            for (size_t r = 0; r < p.rank; r++) {
                numbers *= p.dim[r];
            }
            assert_int_equal(numbers, p.count);
            assert_true(p.offset + p.count <= count);
            assert_null(memchr(taken + p.offset, 1, p.count));
            memset(taken + p.offset, 1, p.count);
            for (size_t k = 0; k < i; k++) {
                assert_string_not_equal(hs_unet_param_at(u, k).name, p.name);
            }
            total += p.count;
        }
        assert_int_equal(total, hs_unet_parameters(u));
        free(taken);
        hs_unet_free(u);
    }
}

static void test_what_cannot_be_made(void **state)
{
    (void)state;
    hs_unet_config c;
    hs_unet *u = NULL;
    hs_tensors *ts = NULL;
    weights w = {0};
    const char *path = temp_path("lacking.safetensors");
    small_config(&c);
    c.groups = 7;
    assert_code(hs_unet_trainable(&c, 1, NULL, &u), HS_EFORMAT);
    small_config(&c);
    c.names = HS_NAMES_DIFFUSERS;
    small_weights(&w, "", 1, 1);
    weights_remove(&w, "conv_out.bias");
    weights_write(&w, path);
    assert_ok(hs_tensors_open(path, &ts));
    assert_code(hs_unet_trainable(&c, 1, ts, &u), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "conv_out.bias"));
    assert_null(u);
    hs_tensors_free(ts);
}

/* ---- There and back ---------------------------------------------------------------------------------- */

static void saved(const hs_unet *u, const float *theta, int half, hs_model *m)
{
    const hs_pair meta[2] = {{"step", "17"}, {"seed", "3"}};
    const char *folder = fresh_folder();
    assert_ok(hs_unet_save(u, theta, half, 2, meta, folder));
    assert_ok(hs_model_open(folder, NULL, NULL, m));
    assert_string_equal(hs_tensors_metadata(m->weights, "step"), "17");
    assert_string_equal(hs_tensors_metadata(m->weights, "seed"), "3");
}

static void same_schedule(const hs_unet *a, const hs_unet *b)
{
    hs_str text[2] = {{0}, {0}};
    assert_ok(hs_arch_write_schedule(&hs_unet_config_of(a)->schedule, &text[0]));
    assert_ok(hs_arch_write_schedule(&hs_unet_config_of(b)->schedule, &text[1]));
    assert_string_equal(text[0].s, text[1].s);
    hs_str_free(&text[0]);
    hs_str_free(&text[1]);
}

/* Each schedule that diffusers has a word for comes back as it was. */
static void test_schedules(void **state)
{
    (void)state;
    static const double table[3] = {0.1, 0.2, 0.30000000000000004};
    static const hs_schedule_spec spec[4] = {
        {.kind = HS_SCHEDULE_LINEAR, .T = 50, .beta_start = 1e-3, .beta_end = 0.1},
        {.kind = HS_SCHEDULE_SCALED_LINEAR, .T = 1000, .beta_start = 0.00085, .beta_end = 0.012},
        {.kind = HS_SCHEDULE_COSINE, .T = 300, .cosine_s = 0.008, .beta_max = 0.999},
        {.kind = HS_SCHEDULE_TABLE, .T = 3, .table = table}};
    for (size_t i = 0; i < 4; i++) {
        hs_unet_config c;
        hs_unet *u = NULL;
        size_t count;
        hs_model m;
        unet_config(UNET_PLAIN, &c);
        c.schedule = spec[i];
        assert_ok(hs_unet_trainable(&c, 1, NULL, &u));
        saved(u, hs_unet_theta(u, &count), 0, &m);
        same_schedule(u, m.unet);
        hs_model_free(&m);
        hs_unet_free(u);
    }
}

/* Saved in single precision and opened: the same network; made trainable again, the same parameters. */
static void test_saved_and_opened(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        hs_unet *u = unet_trainable(kind, 4), *again = NULL;
        size_t count, n;
        const float *theta = hs_unet_theta(u, &count);
        hs_model m;
        if (can_be_saved(kind)) {
            saved(u, theta, 0, &m);
            assert_int_equal(hs_tensors_count(m.weights), hs_unet_param_count(u));
            for (size_t i = 0; i < 4; i++) {
                same_eps(u, m.unet, modes[i]);
            }
            assert_ok(hs_unet_trainable(hs_unet_config_of(m.unet), 0, m.weights, &again));
            same_eps(u, again, HS_CONV_AUTO);
            same_schedule(u, again);
            const float *copy = hs_unet_theta(again, &n);
            assert_int_equal(n, count);
            for (size_t i = 0; i < hs_unet_param_count(u); i++) {
                hs_unet_param p = hs_unet_param_at(u, i), q = hs_unet_param_at(again, i);
                assert_string_equal(p.name, q.name);
                assert_memory_equal(theta + p.offset, copy + q.offset, p.count * sizeof *theta);
            }
            hs_unet_free(again);
            hs_model_free(&m);
        }
        hs_unet_free(u);
    }
}

/* In half precision: the network of the parameters rounded so. */
static void test_saved_in_half_precision(void **state)
{
    (void)state;
    hs_unet *u = unet_trainable(UNET_DIFFUSERS, 4);
    size_t count;
    float *theta = hs_unet_theta(u, &count);
    uint16_t *half = malloc(count * sizeof *half);
    float before[N * D_MAX] = {0}, after[N * D_MAX] = {0};
    hs_model m;
    saved(u, theta, 1, &m);
    eps_of(u, HS_CONV_IM2COL, before);
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        hs_unet_param p = hs_unet_param_at(u, i);
        hs_f32_to_f16(theta + p.offset, p.count, half);
        hs_f16_to_f32(half, p.count, theta + p.offset);
    }
    hs_unet_refresh(u);
    same_eps(u, m.unet, HS_CONV_IM2COL);
    eps_of(u, HS_CONV_IM2COL, after);
    double moved = max_rel_f32(after, before, N * D_MAX);
    assert_true(moved > 0 && moved < 1e-2);
    free(half);
    hs_unet_free(u);
    hs_model_free(&m);
}

/* The weights saved need not be the network's own: an average of training is saved beside it. */
static void test_other_weights_than_its_own(void **state)
{
    (void)state;
    hs_unet *u = unet_trainable(UNET_PLAIN, 4), *other = unet_trainable(UNET_PLAIN, 5);
    size_t count;
    hs_model m;
    saved(u, hs_unet_theta(other, &count), 0, &m);
    same_eps(other, m.unet, HS_CONV_IM2COL);
    hs_unet_free(u);
    hs_unet_free(other);
    hs_model_free(&m);
}

/* ---- Changed weights ----------------------------------------------------------------------------------- */

static void move_all(hs_unet *u)
{
    size_t count;
    float *theta = hs_unet_theta(u, &count);
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        hs_unet_param p = hs_unet_param_at(u, i);
        float *z = malloc(p.count * sizeof *z);
        hs_rng_normal((hs_rng){12, HS_RNG_TEST, i}, 0, p.count, z);
        for (size_t k = 0; k < p.count; k++) {
            theta[p.offset + k] += 0.05f * z[k];
        }
        free(z);
    }
}

static void grad_eps(hs_unet_grad *g, float eps[N * D_MAX])
{
    float x[N * D_MAX], h[N * H_MAX];
    picture(x);
    assert_ok(hs_unet_grad_encode(g, N, x, steps, h));
    assert_ok(hs_unet_grad_decode(g, h, eps));
}

/* v's tangent and cotangent through everything, and the weights' gradient. */
static void derivatives(hs_unet_grad *g, size_t count, float jvp[N * D_MAX], float vjp[N * D_MAX], float *grad)
{
    float v[N * D_MAX], h[N * H_MAX];
    hs_rng_normal((hs_rng){4, HS_RNG_TEST, 0}, 0, N * D_MAX, v);
    assert_ok(hs_unet_jvp_encode(g, N, NULL, v, h));
    assert_ok(hs_unet_jvp_decode(g, N, NULL, HS_SKIPS_CARRIED, h, jvp));
    assert_ok(hs_unet_vjp_decode(g, N, NULL, HS_SKIPS_CARRIED, v, h));
    assert_ok(hs_unet_vjp_encode(g, N, NULL, HS_SKIPS_CARRIED, h, vjp));
    memset(grad, 0, count * sizeof *grad);
    assert_ok(hs_unet_backward(g, v, grad));
}

static void changed_is_fresh(unet_kind kind, hs_conv_mode mode)
{
    hs_unet *u = unet_trainable(kind, 6), *fresh = unet_trainable(kind, 6);
    hs_unet_grad *g = NULL, *of_fresh = NULL;
    float eps[3][N * D_MAX] = {0}, jvp[2][N * D_MAX] = {0}, vjp[2][N * D_MAX] = {0}, *grad[2];
    size_t count;
    assert_ok(hs_unet_grad_create(u, N, N, 1, mode, &g));
    grad_eps(g, eps[0]);
    move_all(u);
    hs_unet_refresh(u);
    assert_ok(hs_unet_grad_refresh(g));
    grad_eps(g, eps[1]);
    move_all(fresh); /* before anything is made of it */
    hs_unet_refresh(fresh);
    (void)hs_unet_theta(fresh, &count);
    grad[0] = malloc(count * sizeof *grad[0]);
    grad[1] = malloc(count * sizeof *grad[1]);
    assert_ok(hs_unet_grad_create(fresh, N, N, 1, mode, &of_fresh));
    grad_eps(of_fresh, eps[2]);
    assert_memory_equal(eps[1], eps[2], sizeof eps[1]);
    assert_true(max_rel_f32(eps[1], eps[0], N * D_MAX) > 1e-2);
    derivatives(g, count, jvp[0], vjp[0], grad[0]);
    derivatives(of_fresh, count, jvp[1], vjp[1], grad[1]);
    assert_memory_equal(jvp[0], jvp[1], sizeof jvp[0]);
    assert_memory_equal(vjp[0], vjp[1], sizeof vjp[0]);
    assert_memory_equal(grad[0], grad[1], count * sizeof *grad[0]);
    free(grad[0]);
    free(grad[1]);
    hs_unet_grad_free(g);
    hs_unet_grad_free(of_fresh);
    hs_unet_free(u);
    hs_unet_free(fresh);
}

/* Plans that were made before a change follow it, in every algorithm: forward, tangents, cotangents, gradients. */
static void test_changed_weights_are_followed(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        for (size_t i = 0; i < 4; i++) {
            changed_is_fresh(kind, modes[i]);
        }
    }
}

/* And they are what a folder of them opens as: copies (of attention's matrices, of shortcuts' halves) included. */
static void test_changed_weights_are_saved(void **state)
{
    (void)state;
    for (unet_kind kind = 0; kind < UNETS; kind++) {
        if (can_be_saved(kind)) {
            hs_unet *u = unet_trainable(kind, 6);
            size_t count;
            hs_model m;
            move_all(u);
            hs_unet_refresh(u);
            saved(u, hs_unet_theta(u, &count), 0, &m);
            same_eps(u, m.unet, HS_CONV_AUTO);
            hs_model_free(&m);
            hs_unet_free(u);
        }
    }
}

/* ---- What is refused -------------------------------------------------------------------------------------- */

static void refused(const hs_unet_config *c, int code, const char *word)
{
    hs_unet *u = NULL;
    size_t count;
    const char *folder = fresh_folder();
    char path[512];
    struct stat st;
    assert_ok(hs_unet_trainable(c, 1, NULL, &u));
    assert_code(hs_unet_save(u, hs_unet_theta(u, &count), 0, 0, NULL, folder), code);
    assert_non_null(strstr(hs_error_message(), word));
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_int_not_equal(stat(path, &st), 0); /* nothing was written */
    hs_unet_free(u);
}

static void test_what_diffusers_cannot_say(void **state)
{
    (void)state;
    hs_unet_config c;
    unet_config(UNET_OWN, &c);
    refused(&c, HS_EFORMAT, "blocks");
    unet_config(UNET_ADM, &c);
    refused(&c, HS_EFORMAT, "resnet_updown");
    unet_config(UNET_NEWORDER, &c);
    refused(&c, HS_EFORMAT, "names");
    unet_config(UNET_TINY, &c);
    c.attn_adds_normed = 1;
    refused(&c, HS_EFORMAT, "attn_adds_normed");
    unet_config(UNET_TINY, &c);
    c.attn_mid_norm = 0;
    refused(&c, HS_EFORMAT, "attn_mid_norm");
    unet_config(UNET_TINY, &c);
    c.temb_base = 32;
    refused(&c, HS_EFORMAT, "temb_base");
    unet_config(UNET_TINY, &c);
    c.schedule = (hs_schedule_spec){
        .kind = HS_SCHEDULE_COSINE, .T = 300, .cosine_s = 0.008, .beta_min = 1e-4, .beta_max = 0.9999};
    refused(&c, HS_EFORMAT, "schedule");
}

static void test_where_it_cannot_be_saved(void **state)
{
    (void)state;
    hs_unet *u = unet_trainable(UNET_PLAIN, 1), *fixed = NULL;
    size_t count;
    const float *theta = hs_unet_theta(u, &count);
    assert_code(hs_unet_save(u, theta, 0, 0, NULL, temp_path("absent")), HS_EIO);
    assert_ok(hs_unet_random(hs_unet_config_of(u), 1, &fixed));
    assert_code(hs_unet_save(fixed, theta, 0, 0, NULL, fresh_folder()), HS_EBUG);
    hs_unet_free(u);
    hs_unet_free(fixed);
}

/* Derivatives of a network that lies in a mapped file, which changes meanwhile. */
static void test_weights_changed_in_their_file(void **state)
{
    (void)state;
    hs_unet *u = unet_trainable(UNET_TINY, 1);
    size_t count;
    hs_model m;
    hs_unet_grad *g = NULL;
    float eps[N * D_MAX], h[N * H_MAX];
    saved(u, hs_unet_theta(u, &count), 0, &m);
    assert_ok(hs_unet_grad_create(m.unet, N, N, 0, HS_CONV_AUTO, &g));
    grad_eps(g, eps);
    assert_ok(hs_unet_vjp_decode(g, N, NULL, HS_SKIPS_FIXED, eps, h));
    FILE *f = fopen(m.path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    assert_int_equal(fputc('x', f), 'x');
    assert_int_equal(fclose(f), 0);
    assert_code(hs_unet_vjp_decode(g, N, NULL, HS_SKIPS_FIXED, eps, h), HS_EIO);
    assert_code(hs_unet_jvp_encode(g, N, NULL, eps, h), HS_EIO);
    assert_code(hs_unet_grad_decode(g, h, eps), HS_EIO);
    hs_unet_grad_free(g);
    hs_model_free(&m);
    hs_unet_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_is_random),           cmocka_unit_test(test_names_and_stretches),
        cmocka_unit_test(test_what_cannot_be_made),        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_saved_and_opened),           cmocka_unit_test(test_saved_in_half_precision),
        cmocka_unit_test(test_other_weights_than_its_own), cmocka_unit_test(test_changed_weights_are_followed),
        cmocka_unit_test(test_changed_weights_are_saved),  cmocka_unit_test(test_what_diffusers_cannot_say),
        cmocka_unit_test(test_where_it_cannot_be_saved),   cmocka_unit_test(test_weights_changed_in_their_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
