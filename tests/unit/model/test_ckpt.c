/* Weights by name: every tensor once, with its shape, under both naming schemes and the prefixes that
 * checkpoints come with. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/model/unet.h"
#include "tests/support/support.h"
#include "tests/support/weights.h"

enum { D_X = 3 * 4 * 4, D_H = 8 * 4 * 4 };

static int load(weights *w, int diffusers, hs_tensors **ts, hs_unet **u)
{
    const char *path = temp_path("small.safetensors");
    hs_unet_config c;
    small_config(&c);
    c.names = diffusers ? HS_NAMES_DIFFUSERS : HS_NAMES_DDPM;
    weights_write(w, path);
    assert_ok(hs_tensors_open(path, ts));
    return hs_unet_load(&c, *ts, u);
}

/* eps of the network in the file at one fixed input. */
static void eps_of(weights *w, int diffusers, float eps[D_X])
{
    hs_tensors *ts = NULL;
    hs_unet *u = NULL;
    hs_unet_ws *ws = NULL;
    float x[D_X], h[D_H];
    int t = 7;
    for (int i = 0; i < D_X; i++) {
        x[i] = (float)(i % 7) / 7 - 0.4f;
    }
    assert_ok(load(w, diffusers, &ts, &u));
    assert_ok(hs_unet_ws_create(u, 1, 1, HS_CONV_IM2COL, &ws));
    assert_ok(hs_unet_encode(u, ws, 1, x, &t, h));
    assert_ok(hs_unet_decode(u, ws, 1, NULL, h, eps));
    hs_unet_ws_free(ws);
    hs_unet_free(u);
    hs_tensors_free(ts);
}

/* The list is refused with all the words in the message. */
static void refused(weights *w, const char *a, const char *b, const char *c)
{
    hs_tensors *ts = NULL;
    hs_unet *u = NULL;
    assert_code(load(w, 0, &ts, &u), HS_EFORMAT);
    assert_null(u);
    const char *said = hs_error_message();
    if (strstr(said, a) == NULL || strstr(said, b) == NULL || strstr(said, c) == NULL) {
        fail_msg("\"%s\" lacks \"%s\", \"%s\" or \"%s\"", said, a, b, c);
    }
    hs_tensors_free(ts);
}

static void test_both_schemes_give_the_same_network(void **state)
{
    (void)state;
    weights w = {0};
    float ddpm[D_X], diffusers[D_X], older[D_X];
    small_weights(&w, "", 0, 1);
    eps_of(&w, 0, ddpm);
    small_weights(&w, "", 1, 1);
    eps_of(&w, 1, diffusers);
    assert_memory_equal(ddpm, diffusers, sizeof ddpm);
    static const char *const names[4][2] = {
        {"to_q", "query"}, {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}};
    small_weights(&w, "", 1, 1);
    for (int i = 0; i < 4; i++) {
        for (int leaf = 0; leaf < 2; leaf++) {
            char from[96], to[96];
            snprintf(from, sizeof from, "mid_block.attentions.0.%s.%s", names[i][0], leaf ? "bias" : "weight");
            snprintf(to, sizeof to, "mid_block.attentions.0.%s.%s", names[i][1], leaf ? "bias" : "weight");
            weights_rename(&w, from, to);
        }
    }
    eps_of(&w, 1, older);
    assert_memory_equal(ddpm, older, sizeof ddpm);
}

static void test_prefixes_and_averages(void **state)
{
    (void)state;
    weights w = {0};
    const uint64_t dim[1] = {3};
    const float moment[3] = {1, 2, 3};
    float plain[D_X], other[D_X], got[D_X];
    small_weights(&w, "", 0, 1);
    eps_of(&w, 0, plain);
    small_weights(&w, "", 0, 2);
    eps_of(&w, 0, other);
    assert_memory_not_equal(plain, other, sizeof plain);
    small_weights(&w, "module.", 0, 1);
    eps_of(&w, 0, got);
    assert_memory_equal(plain, got, sizeof plain);
    /* [network, optimizer, epoch, step, averaged] */
    small_weights(&w, "0.module.", 0, 2);
    weights_add(&w, "1.state.0.exp_avg", HS_F32, 1, dim, moment);
    small_weights(&w, "4.", 0, 1);
    eps_of(&w, 0, got);
    assert_memory_equal(plain, got, sizeof plain);
    /* the same list without averages */
    small_weights(&w, "0.module.", 0, 1);
    weights_add(&w, "1.state.0.exp_avg", HS_F32, 1, dim, moment);
    eps_of(&w, 0, got);
    assert_memory_equal(plain, got, sizeof plain);
    small_weights(&w, "model.", 0, 2);
    small_weights(&w, "ema_model.", 0, 1);
    eps_of(&w, 0, got);
    assert_memory_equal(plain, got, sizeof plain);
}

static void test_two_networks_and_none(void **state)
{
    (void)state;
    weights w = {0};
    const uint64_t dim[1] = {1};
    const float one[1] = {1};
    small_weights(&w, "a.", 0, 1);
    small_weights(&w, "b.", 0, 2);
    refused(&w, "2 networks", "ema", "");
    weights_add(&w, "fc.weight", HS_F32, 1, dim, one);
    refused(&w, "no U-Net", "conv_in.weight", "");
}

static void test_missing_extra_misshapen(void **state)
{
    (void)state;
    weights w = {0};
    const uint64_t dim[2] = {2, 5};
    const float ten[10] = {0};
    small_weights(&w, "", 0, 1);
    weights_remove(&w, "mid.attn_1.k.bias");
    refused(&w, "mid.attn_1.k.bias", "missing", "(8)");
    small_weights(&w, "", 0, 1);
    weights_add(&w, "up.0.attn.0.q.weight", HS_F32, 2, dim, ten);
    refused(&w, "up.0.attn.0.q.weight", "extra", "(2, 5)");
    small_weights(&w, "", 0, 1);
    weights_remove(&w, "down.0.block.0.conv1.bias");
    weights_add(&w, "down.0.block.0.conv1.bias", HS_F32, 2, dim, ten);
    refused(&w, "down.0.block.0.conv1.bias", "(2, 5)", "(8)");
    small_weights(&w, "", 0, 1);
    weights_find(&w, "mid.attn_1.q.weight")->dim[2] = 2; /* a 2x1 kernel where 1x1 must be */
    weights_find(&w, "mid.attn_1.q.weight")->dim[1] = 4;
    refused(&w, "mid.attn_1.q.weight", "(8, 4, 2, 1)", "(8, 8)");
}

static void test_ignorable_names(void **state)
{
    (void)state;
    weights w = {0};
    const uint64_t dim[1] = {2};
    const float two[2] = {1, 2};
    float plain[D_X], got[D_X];
    small_weights(&w, "", 0, 1);
    eps_of(&w, 0, plain);
    small_weights(&w, "", 0, 1);
    weights_add(&w, "logvar", HS_F32, 1, dim, two);
    eps_of(&w, 0, got);
    assert_memory_equal(plain, got, sizeof plain);
}

/* Stored as half: as if the float32 values had been rounded. */
static void test_half_weights(void **state)
{
    (void)state;
    weights w = {0};
    float rounded[D_X], got[D_X];
    for (int as_half = 0; as_half < 2; as_half++) {
        small_weights(&w, "", 0, 1);
        for (size_t i = 0; i < w.n; i++) {
            hs_tensor *t = &w.t[i];
            uint16_t *half = malloc(t->count * sizeof *half);
            hs_f32_to_f16((const float *)(const void *)t->bytes, t->count, half);
            if (as_half) {
                free((unsigned char *)(uintptr_t)t->bytes);
                t->bytes = (unsigned char *)half;
                t->dtype = HS_F16;
            } else {
                hs_f16_to_f32(half, t->count, (float *)(uintptr_t)t->bytes);
                free(half);
            }
        }
        eps_of(&w, 0, as_half ? got : rounded);
    }
    assert_memory_equal(rounded, got, sizeof got);
}

static void test_whole_numbers_are_no_weights(void **state)
{
    (void)state;
    weights w = {0};
    const uint64_t dim[1] = {8};
    const int32_t eight[8] = {0};
    small_weights(&w, "", 0, 1);
    weights_remove(&w, "norm_out.bias");
    weights_add(&w, "norm_out.bias", HS_I32, 1, dim, eight);
    refused(&w, "norm_out.bias", "int32", "floating");
}

/* float32 weights used in a mapped file: a change of it ends every computation, also one of the time alone. */
static void test_a_changed_file_is_noticed(void **state)
{
    (void)state;
    static const float pad[300000];
    const uint64_t dim[1] = {300000};
    const struct timespec moved[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1}};
    char *path = strdup(temp_path("mapped.safetensors"));
    weights w = {0};
    hs_unet_config c;
    hs_tensors *ts = NULL;
    hs_unet *u = NULL;
    hs_unet_ws *ws = NULL, *late = NULL;
    float x[D_X] = {0}, h[D_H], eps[D_X];
    int t = 7;
    small_config(&c);
    c.names = HS_NAMES_DDPM;
    small_weights(&w, "model.", 0, 3);
    weights_add(&w, "optim.pad", HS_F32, 1, dim, pad);
    weights_write(&w, path);
    assert_ok(hs_tensors_map(path, &ts));
    assert_ok(hs_unet_load(&c, ts, &u));
    assert_ok(hs_unet_ws_create(u, 1, 1, HS_CONV_IM2COL, &ws));
    assert_ok(hs_unet_encode(u, ws, 1, x, &t, h));
    assert_ok(hs_unet_decode(u, ws, 1, NULL, h, eps));
    assert_int_equal(utimensat(AT_FDCWD, path, moved, 0), 0);
    assert_code(hs_unet_decode(u, ws, 1, NULL, h, eps), HS_EIO);
    assert_code(hs_unet_encode(u, ws, 1, x, &t, h), HS_EIO);
    assert_memory_equal(hs_error_message(), "weights: ", 9);
    assert_code(hs_unet_ws_create(u, 1, 1, HS_CONV_IM2COL, &late), HS_EIO);
    hs_unet_ws_free(ws);
    hs_unet_free(u);
    hs_tensors_free(ts);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_changed_file_is_noticed),
        cmocka_unit_test(test_both_schemes_give_the_same_network),
        cmocka_unit_test(test_prefixes_and_averages),
        cmocka_unit_test(test_two_networks_and_none),
        cmocka_unit_test(test_missing_extra_misshapen),
        cmocka_unit_test(test_ignorable_names),
        cmocka_unit_test(test_half_weights),
        cmocka_unit_test(test_whole_numbers_are_no_weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
