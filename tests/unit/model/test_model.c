/* Opening a model by what a user writes. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/io/file.h"
#include "core/model/model.h"
#include "tests/support/support.h"
#include "tests/support/weights.h"

static const char config[] = "{\"_class_name\":\"UNet2DModel\",\"sample_size\":4,\"block_out_channels\":[8],"
                             "\"down_block_types\":[\"DownBlock2D\"],\"up_block_types\":[\"UpBlock2D\"],"
                             "\"layers_per_block\":1,\"norm_num_groups\":4,\"attention_head_dim\":null,"
                             "\"freq_shift\":1,\"flip_sin_to_cos\":false,\"norm_eps\":1e-6,\"downsample_padding\":0}";

/* A fresh folder of this process. */
static const char *folder(const char *name)
{
    const char *path = temp_path(name);
    assert_int_equal(mkdir(path, 0700), 0);
    return path;
}

static const char *inside(const char *dir, const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];
    snprintf(p, 512, "%s/%s", dir, name);
    return p;
}

static void put_weights(const char *path)
{
    weights w = {0};
    small_weights(&w, "", 1, 1);
    weights_write(&w, path);
}

static void refused(const char *model, const char *arch, const char *schedule, int code, const char *word)
{
    hs_model m = {.untrained = 77};
    int rc = hs_model_open(model, arch, schedule, &m);
    if (rc != code || strstr(hs_error_message(), word) == NULL || m.untrained != 77) {
        fail_msg("%s gave %d: \"%s\", wanted %d with \"%s\"", model, rc, hs_error_message(), code, word);
    }
}

static void test_random(void **state)
{
    (void)state;
    hs_model m, other;
    assert_ok(hs_model_open("random:tiny", NULL, NULL, &m));
    assert_ok(hs_model_open("random:tiny:7", NULL, NULL, &other));
    assert_string_equal(m.name, "random:tiny");
    assert_string_equal(m.format, "random");
    assert_int_equal(m.untrained, 1);
    assert_int_equal(m.schedule.T, 1000);
    assert_string_not_equal(m.sha256, other.sha256);
    hs_model_free(&m);
    hs_model_free(&other);
    refused("random:tinny", NULL, NULL, HS_ERANGE, "\"tiny\"");
    refused("random:tiny:x", NULL, NULL, HS_ERANGE, "seed");
    refused("random:tiny", "tiny", NULL, HS_ERANGE, "--arch");
}

static void test_flat_and_nested_folders(void **state)
{
    (void)state;
    hs_model m;
    char want[HS_SHA256_HEX];
    const char *flat = folder("flat");
    write_text(inside(flat, "config.json"), config);
    write_text(inside(flat, "scheduler_config.json"), "{\"num_train_timesteps\":500}");
    put_weights(inside(flat, "diffusion_pytorch_model.safetensors"));
    assert_ok(hs_model_open(inside(flat, ""), NULL, NULL, &m)); /* with a slash at the end */
    assert_string_equal(m.name, "flat");
    assert_string_equal(m.format, "safetensors");
    assert_int_equal(m.schedule.T, 500);
    assert_int_equal(m.untrained, 0);
    assert_ok(hs_file_sha256(inside(flat, "diffusion_pytorch_model.safetensors"), want));
    assert_string_equal(m.sha256, want);
    hs_model_free(&m);
    const char *nested = folder("nested");
    assert_int_equal(mkdir(inside(nested, "unet"), 0700), 0);
    assert_int_equal(mkdir(inside(nested, "scheduler"), 0700), 0);
    write_text(inside(nested, "unet/config.json"), config);
    write_text(inside(nested, "scheduler/scheduler_config.json"), "{\"num_train_timesteps\":400}");
    refused(nested, NULL, NULL, HS_EFORMAT, "no weights");
    put_weights(inside(nested, "unet/diffusion_pytorch_model.safetensors"));
    assert_ok(hs_model_open(nested, NULL, NULL, &m));
    assert_int_equal(m.schedule.T, 400);
    assert_string_equal(m.sha256, want);
    hs_model_free(&m);
}

/* Two shards: the digest is over both, in the order of their names. */
static void test_sharded(void **state)
{
    (void)state;
    weights w = {0}, second = {0};
    hs_model m;
    hs_sha256 *sum = NULL;
    char want[HS_SHA256_HEX], index[16384];
    const char *dir = folder("sharded");
    size_t at = 0;
    write_text(inside(dir, "config.json"), config);
    small_weights(&w, "", 1, 1);
    at += (size_t)snprintf(index, sizeof index, "{\"metadata\":{},\"weight_map\":{");
    for (size_t i = 0; i < w.n; i++) {
        at += (size_t)snprintf(index + at, sizeof index - at, "%s\"%s\":\"%s.safetensors\"", i > 0 ? "," : "",
                               w.t[i].name, i < 20 ? "b" : "a");
    }
    snprintf(index + at, sizeof index - at, "}}");
    write_text(inside(dir, "diffusion_pytorch_model.safetensors.index.json"), index);
    while (w.n > 20) {
        second.t[second.n++] = w.t[--w.n];
    }
    weights_write(&w, inside(dir, "b.safetensors"));
    weights_write(&second, inside(dir, "a.safetensors"));
    assert_ok(hs_model_open(dir, NULL, NULL, &m));
    assert_ok(hs_sha256_new(&sum));
    for (int i = 0; i < 2; i++) {
        unsigned char *bytes = NULL;
        size_t len = 0;
        assert_ok(hs_file_read(inside(dir, i == 0 ? "a.safetensors" : "b.safetensors"), 1 << 20, &bytes, &len));
        assert_ok(hs_sha256_add(sum, bytes, len));
        free(bytes);
    }
    assert_ok(hs_sha256_hex(sum, want));
    assert_string_equal(m.sha256, want);
    hs_sha256_free(sum);
    hs_model_free(&m);
}

static void test_weight_file_with_architecture(void **state)
{
    (void)state;
    hs_model m;
    const char *file = temp_path("model.safetensors"), *arch = temp_path("arch.json");
    put_weights(file);
    write_text(arch, config);
    refused(file, NULL, NULL, HS_ERANGE, "--arch");
    refused(file, "anime64", NULL, HS_EFORMAT, "temb.dense.0.weight");
    assert_ok(hs_model_open(file, arch, NULL, &m));
    assert_string_equal(m.name, "model.safetensors");
    assert_string_equal(m.path, file);
    hs_model_free(&m);
    refused("/nowhere/model.safetensors", arch, NULL, HS_EIO, "/nowhere");
}

static void test_conditional_folder(void **state)
{
    (void)state;
    const char *dir = folder("sd");
    assert_int_equal(mkdir(inside(dir, "unet"), 0700), 0);
    write_text(inside(dir, "unet/config.json"), "{\"_class_name\":\"UNet2DConditionModel\",\"sample_size\":64}");
    refused(dir, NULL, NULL, HS_EFORMAT, "conditional U-Net: export its activations with scripts/hspace_export.py");
    refused(folder("empty"), NULL, NULL, HS_EFORMAT, "config.json");
}

static void test_schedules(void **state)
{
    (void)state;
    hs_model m;
    assert_ok(hs_model_open("random:anime64", NULL, "linear", &m));
    assert_int_equal(m.schedule.T, 300);
    assert_near(m.schedule.beta[0], 1e-4, 1e-15);
    assert_near(m.schedule.beta[299], 0.02, 1e-15);
    hs_model_free(&m);
    assert_ok(hs_model_open("random:tiny", NULL, "scaled_linear", &m));
    assert_near(m.schedule.beta[999], 0.02, 1e-15);
    assert_true(m.schedule.beta[500] < 0.01);
    hs_model_free(&m);
    assert_ok(hs_model_open("random:tiny", NULL, "cosine", &m));
    assert_near(m.schedule.beta[999], 0.999, 1e-15);
    hs_model_free(&m);
    refused("random:tiny", NULL, "sigmoid", HS_ERANGE, "sigmoid");
    refused("random:tiny", NULL, "/nowhere/betas.npy", HS_EIO, "betas.npy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_flat_and_nested_folders),
        cmocka_unit_test(test_sharded),
        cmocka_unit_test(test_weight_file_with_architecture),
        cmocka_unit_test(test_conditional_folder),
        cmocka_unit_test(test_schedules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
