/* Configurations: what diffusers, DDPM and hspace files say, and what is refused before any weight. */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/unet_config.h"
#include "tests/support/support.h"
#include "tests/support/weights.h"

static const char google[] =
    "{\"_class_name\":\"UNet2DModel\",\"act_fn\":\"silu\",\"attention_head_dim\":null,"
    "\"block_out_channels\":[128,256,256,256],\"center_input_sample\":false,"
    "\"down_block_types\":[\"DownBlock2D\",\"AttnDownBlock2D\",\"DownBlock2D\",\"DownBlock2D\"],"
    "\"downsample_padding\":0,\"flip_sin_to_cos\":false,\"freq_shift\":1,\"in_channels\":3,\"layers_per_block\":2,"
    "\"mid_block_scale_factor\":1,\"norm_eps\":1e-06,\"norm_num_groups\":32,\"out_channels\":3,\"sample_size\":32,"
    "\"time_embedding_type\":\"positional\","
    "\"up_block_types\":[\"UpBlock2D\",\"UpBlock2D\",\"AttnUpBlock2D\",\"UpBlock2D\"]}";

static int read_as(const char *name, const char *text, const char *scheduler, hs_unet_config *c)
{
    const char *path = temp_path(name);
    write_text(path, text);
    if (scheduler == NULL) {
        return hs_arch_read(path, NULL, c);
    }
    const char *sched = temp_path("scheduler_config.json");
    write_text(sched, scheduler);
    return hs_arch_read(path, sched, c);
}

/* The public CIFAR-10 file is the built-in architecture under other names. */
static void test_google_cifar10(void **state)
{
    (void)state;
    hs_unet_config c, want;
    assert_ok(read_as("config.json", google, NULL, &c));
    assert_ok(hs_arch_builtin("ddpm-cifar10-32", &want));
    assert_string_equal(c.family, "diffusers");
    assert_int_equal(c.names, HS_NAMES_DIFFUSERS);
    snprintf(want.family, sizeof want.family, "%s", c.family);
    want.names = c.names;
    want.schedule.cosine_s = c.schedule.cosine_s; /* of no meaning for linear betas */
    want.schedule.beta_max = c.schedule.beta_max;
    assert_int_equal(c.levels, want.levels);
    assert_memory_equal(c.ch, want.ch, 4 * sizeof *c.ch);
    assert_memory_equal(c.attn_down, want.attn_down, 4 * sizeof *c.attn_down);
    assert_memory_equal(c.attn_up, want.attn_up, 4 * sizeof *c.attn_up);
    assert_int_equal(c.head_ch, want.head_ch);
    assert_int_equal(c.down_pad, want.down_pad);
    assert_int_equal(c.temb_cos_first, want.temb_cos_first);
    assert_near(c.temb_freq_shift, want.temb_freq_shift, 0);
    assert_near(c.norm_eps, want.norm_eps, 0);
    assert_int_equal(c.attn_mid_norm, 1);
}

/* What diffusers means when it says nothing. */
static void test_diffusers_defaults(void **state)
{
    (void)state;
    hs_unet_config c;
    assert_ok(read_as("config.json",
                      "{\"_class_name\":\"UNet2DModel\",\"sample_size\":64,\"block_out_channels\":[64,128],"
                      "\"down_block_types\":[\"DownBlock2D\",\"AttnDownBlock2D\"],"
                      "\"up_block_types\":[\"AttnUpBlock2D\",\"UpBlock2D\"]}",
                      "{\"beta_schedule\":\"squaredcos_cap_v2\",\"num_train_timesteps\":500}", &c));
    assert_int_equal(c.head_ch, 8);
    assert_near(c.temb_freq_shift, 0, 0);
    assert_int_equal(c.temb_cos_first, 1);
    assert_int_equal(c.down_pad, 1);
    assert_near(c.norm_eps, 1e-5, 0);
    assert_int_equal(c.groups, 32);
    assert_int_equal(c.blocks[1], 2);
    assert_int_equal(c.attn_up[1], 1);
    assert_int_equal(c.attn_up[0], 0);
    assert_int_equal(c.schedule.kind, HS_SCHEDULE_COSINE);
    assert_int_equal(c.schedule.T, 500);
    assert_near(c.schedule.beta_max, 0.999, 0);
    assert_near(c.schedule.cosine_s, 0.008, 0);
}

static void test_trained_betas(void **state)
{
    (void)state;
    hs_unet_config c;
    assert_ok(read_as("config.json", google, "{\"num_train_timesteps\":3,\"trained_betas\":[0.1,0.2,0.3]}", &c));
    assert_int_equal(c.schedule.kind, HS_SCHEDULE_TABLE);
    assert_near(c.schedule.table[2], 0.3, 0);
    hs_unet_config_free(&c);
}

/* text <- google with one key's value replaced; values[] have no nested objects. */
static void with(const char *key, const char *value, char *text, size_t size)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(google, quoted);
    if (at == NULL) {
        snprintf(text, size, "{\"%s\":%s,%s", key, value, google + 1);
        return;
    }
    const char *from = at + strlen(quoted), *end = *from == '[' ? strchr(from, ']') + 1 : from + strcspn(from, ",}");
    snprintf(text, size, "%.*s%s%s", (int)(from - google), google, value, end);
}

static void test_malformed_diffusers_values(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"block_out_channels", "[-1,256,256,256]"},
        {"block_out_channels", "[0,256,256,256]"},
        {"block_out_channels", "[2147483648,256,256,256]"},
        {"block_out_channels", "[1e9,256,256,256]"},
        {"block_out_channels", "[320.5,256,256,256]"},
        {"block_out_channels", "[128,128,128,128,128,128,128,128,128,128,128,128,128,128,128,128,128]"},
        {"block_out_channels", "[]"},
        {"block_out_channels", "7"},
        {"down_block_types", "[\"DownBlock2D\"]"},
        {"down_block_types", "[\"DownBlock2D\",\"SkipDownBlock2D\",\"DownBlock2D\",\"DownBlock2D\"]"},
        {"up_block_types", "[\"UpBlock2D\",\"UpBlock2D\",3,\"UpBlock2D\"]"},
        {"sample_size", "2147483648"},
        {"sample_size", "33"},
        {"sample_size", "[32,64]"},
        {"norm_num_groups", "0"},
        {"norm_num_groups", "48"},
        {"attention_head_dim", "0"},
        {"attention_head_dim", "7"},
        {"layers_per_block", "1000000000"},
        {"layers_per_block", "-1"},
        {"in_channels", "0"},
        {"out_channels", "5"},
        {"norm_eps", "0"},
        {"norm_eps", "\"small\""},
        {"freq_shift", "-1"},
        {"freq_shift", "64"},
        {"downsample_padding", "2"},
        {"mid_block_scale_factor", "0"},
        {"flip_sin_to_cos", "1"},
        {"act_fn", "\"gelu\""},
        {"time_embedding_type", "\"fourier\""},
        {"resnet_time_scale_shift", "\"spatial\""},
        {"class_embed_type", "\"timestep\""},
        {"num_class_embeds", "10"},
        {"attn_norm_num_groups", "16"},
        {"mid_block_type", "\"UNetMidBlock2DCrossAttn\""},
        {"_class_name", "\"UNet3DModel\""},
        {"_class_name", "\"../os.system\""},
    };
    char text[2048];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hs_unet_config c = {.levels = 99};
        with(bad[i][0], bad[i][1], text, sizeof text);
        int rc = read_as("config.json", text, NULL, &c);
        if (rc != HS_EFORMAT || strstr(hs_error_message(), bad[i][0]) == NULL || c.levels != 99) {
            fail_msg("%s = %s gave %d: %s", bad[i][0], bad[i][1], rc, hs_error_message());
        }
    }
}

static void test_malformed_schedulers(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"num_train_timesteps", "0"},
        {"num_train_timesteps", "-1"},
        {"num_train_timesteps", "1000000000000"},
        {"beta_start", "-0.1"},
        {"beta_end", "1.5"},
        {"beta_schedule", "\"sigmoid\""},
        {"trained_betas", "[0.1,0.2]"},
        {"prediction_type", "\"sample\""},
        {"rescale_betas_zero_snr", "true"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        hs_unet_config c;
        snprintf(text, sizeof text, "{\"%s\":%s}", bad[i][0], bad[i][1]);
        int rc = read_as("config.json", google, text, &c);
        if (rc != HS_EFORMAT || strstr(hs_error_message(), bad[i][0]) == NULL) {
            fail_msg("%s = %s gave %d: %s", bad[i][0], bad[i][1], rc, hs_error_message());
        }
    }
    hs_unet_config c;
    assert_code(read_as("config.json", google, "{\"num_train_timesteps\":1,\"trained_betas\":[2]}", &c), HS_EFORMAT);
    assert_code(read_as("config.json", google, "{\"num_train_timesteps\":1,\"trained_betas\":[\"a\"]}", &c),
                HS_EFORMAT);
}

static void test_other_families(void **state)
{
    (void)state;
    hs_unet_config c;
    assert_code(read_as("c.json", "{\"_class_name\":\"UNet2DConditionModel\"}", NULL, &c), HS_EFORMAT);
    assert_non_null(
        strstr(hs_error_message(), "conditional U-Net: export its activations with scripts/hspace_export.py"));
    assert_code(read_as("c.json", "{\"hello\":1}", NULL, &c), HS_EFORMAT);
    assert_code(read_as("c.json", "[1]", NULL, &c), HS_EFORMAT);
    assert_code(read_as("c.json", "", NULL, &c), HS_EFORMAT);
    assert_code(hs_arch_read("/nowhere/config.json", NULL, &c), HS_EIO);
}

/* The values that create_model fills in, and those of AFHQ-dog's network. */
static void test_adm_flags(void **state)
{
    (void)state;
    hs_unet_config c, want;
    static const char dog[] = "{\"image_size\":256,\"num_channels\":128,\"num_res_blocks\":1,\"learn_sigma\":true,"
                              "\"attention_resolutions\":\"16\",\"num_heads\":4,\"num_head_channels\":64,"
                              "\"use_scale_shift_norm\":true,\"resblock_updown\":true,\"num_heads_upsample\":-1,"
                              "\"dropout\":0.0,\"class_cond\":false,\"use_fp16\":false,\"use_checkpoint\":false}";
    assert_ok(hs_arch_builtin("adm-256", &want));
    assert_ok(read_as("flags.json", dog, NULL, &c));
    assert_int_equal(c.heads, 4);
    c.heads = 0; /* num_head_channels goes before it */
    assert_memory_equal(&c, &want, sizeof c);
    assert_ok(read_as("flags.json", "{\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":3}", NULL, &c));
    assert_int_equal(c.levels, 4);
    assert_int_equal(c.ch[3], 128);
    assert_int_equal(c.out_ch, 3);
    assert_int_equal(c.attn_down[2], 1);
    assert_int_equal(c.attn_down[1] + c.attn_down[3], 0);
    assert_int_equal(c.qkv, HS_QKV_BY_HEAD);
    assert_int_equal(c.resnet_updown[0] + c.resnet_up[1] + c.scale_shift + (int)c.classes, 0);
    assert_ok(read_as("flags.json",
                      "{\"image_size\":512,\"num_channels\":256,\"num_res_blocks\":2,\"class_cond\":true,"
                      "\"diffusion_steps\":4000,\"use_new_attention_order\":true}",
                      NULL, &c));
    assert_int_equal(c.ch[0], 128);
    assert_int_equal(c.temb_base, 256);
    assert_int_equal(c.classes, 1000);
    assert_int_equal(c.qkv, HS_QKV_WHOLE);
    assert_true(c.schedule.T == 4000 && c.schedule.beta_end == 0.005);
}

static void test_malformed_adm_flags(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"\"image_size\":16,\"num_res_blocks\":1", "num_channels is missing"},
        {"\"num_channels\":32,\"num_res_blocks\":1", "image_size is missing"},
        {"\"image_size\":16,\"num_channels\":32,\"num_res_block\":1", "num_res_block"},
        {"\"image_size\":16,\"num_channels\":32,\"num_res_blocks\":1", "channel_mult is missing"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"channel_mult\":\"1,,2\"", "channel_mult"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"channel_mult\":\"1,x\"", "channel_mult"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"channel_mult\":\"1,-2\"", "channel_mult"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"attention_resolutions\":8",
         "attention_resolutions"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"attention_resolutions\":\"8.5\"",
         "attention_resolutions"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"num_heads\":5", "num_heads) is 5"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"num_heads_upsample\":3",
         "num_heads_upsample) is 3"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"num_head_channels\":48",
         "num_head_channels) is 48"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"num_head_channels\":-2", "num_head_channels"},
        {"\"image_size\":64,\"num_channels\":40,\"num_res_blocks\":1", "norm_num_groups"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"learn_sigma\":1", "learn_sigma"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"NUM_CLASSES\":0", "NUM_CLASSES"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"noise_schedule\":\"sqrt\"", "noise_schedule"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"predict_xstart\":true", "predict_xstart"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"timestep_respacing\":\"25\"",
         "timestep_respacing"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"diffusion_steps\":500,"
         "\"rescale_timesteps\":true",
         "rescale_timesteps"},
        {"\"image_size\":64,\"num_channels\":32,\"num_res_blocks\":1,\"diffusion_steps\":10", "diffusion_steps"},
    };
    char text[512];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hs_unet_config c = {.levels = 99};
        snprintf(text, sizeof text, "{%s}", bad[i][0]);
        int rc = read_as("flags.json", text, NULL, &c);
        if (rc != HS_EFORMAT || strstr(hs_error_message(), bad[i][1]) == NULL || c.levels != 99) {
            fail_msg("%s gave %d: %s", bad[i][0], rc, hs_error_message());
        }
    }
}

static const char yml[] = "data:\n  image_size: 32\nmodel:\n  in_channels: 3\n  out_ch: 3\n  ch: 128\n"
                          "  ch_mult: [1, 2, 2, 2]\n  num_res_blocks: 2\n  attn_resolutions:\n  - 16\n"
                          "  resamp_with_conv: True\ndiffusion:\n  beta_schedule: linear\n  beta_start: 0.0001\n"
                          "  beta_end: 0.02\n  num_diffusion_timesteps: 1000\n";

static void test_ddpm_yaml(void **state)
{
    (void)state;
    hs_unet_config c, want;
    assert_ok(read_as("config.yml", yml, NULL, &c));
    assert_ok(hs_arch_builtin("ddpm-cifar10-32", &want));
    assert_memory_equal(&c, &want, sizeof c);
}

static void test_malformed_yaml(void **state)
{
    (void)state;
    static const char *const bad[][3] = {
        {"ch: 128", "ch: x", "model.ch"},
        {"ch: 128", "ch: -128", "model.ch"},
        {"ch: 128", "chh: 128", "model.ch"},
        {"[1, 2, 2, 2]", "[1, 2, 0]", "model.ch_mult"},
        {"[1, 2, 2, 2]", "3", "model.ch_mult"},
        {"[1, 2, 2, 2]", "[1, [2], 2]", "model.ch_mult"},
        {"image_size: 32", "image_size: 33", "image_size"},
        {"num_res_blocks: 2", "num_res_blocks: 1000", "num_res_blocks"},
        {"resamp_with_conv: True", "resamp_with_conv: False", "resamp_with_conv"},
        {"beta_schedule: linear", "beta_schedule: jsd", "beta_schedule"},
        {"beta_end: 0.02", "beta_end: 2", "beta_end"},
        {"timesteps: 1000", "timesteps: 0", "num_diffusion_timesteps"},
        {"data:", "data: [", "YAML"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        hs_unet_config c;
        char text[1024];
        const char *at = strstr(yml, bad[i][0]);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - yml), yml, bad[i][1], at + strlen(bad[i][0]));
        int rc = read_as("config.yml", text, NULL, &c);
        if (rc != HS_EFORMAT || strstr(hs_error_message(), bad[i][2]) == NULL) {
            fail_msg("%s gave %d: %s", bad[i][1], rc, hs_error_message());
        }
    }
}

static void test_own_format(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"\"hspace_arch\":1,\"ch\":[16,32],\"image_siz\":16", "image_siz"},
        {"\"hspace_arch\":2,\"ch\":[16,32],\"image_size\":16", "hspace_arch"},
        {"\"hspace_arch\":1,\"image_size\":16", "ch"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8", "image_size"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"blocks\":[1]", "blocks"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"attn_down\":[1,0]", "attn_down"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"attn_up\":[true]", "attn_up"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"names\":\"tf\"", "names"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"names\":\"adm\"", "qkv"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"qkv\":\"mixed\"", "qkv"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"heads\":3", "heads"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"heads_up\":5", "heads_up"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"classes\":5", "classes"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"prediction\":\"x0\"", "prediction"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"schedule\":{\"kind\":\"x\"}",
         "schedule.kind"},
        {"\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"schedule\":{\"t\":3}", "\"t\""},
    };
    char text[512];
    hs_unet_config c;
    assert_ok(read_as("own.json", "{\"hspace_arch\":1,\"ch\":[16,32],\"groups\":8,\"image_size\":16,\"blocks\":[1,3]}",
                      NULL, &c));
    assert_int_equal(c.blocks[1], 3);
    assert_int_equal(c.temb_dim, 64);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "{%s}", bad[i][0]);
        int rc = read_as("own.json", text, NULL, &c);
        if (rc != HS_EFORMAT || strstr(hs_error_message(), bad[i][1]) == NULL) {
            fail_msg("%s gave %d: %s", bad[i][0], rc, hs_error_message());
        }
    }
}

static void test_shapes(void **state)
{
    (void)state;
    hs_unet_config c;
    assert_ok(hs_arch_builtin("ddpm-256", &c));
    hs_chw h = hs_unet_h_shape(&c), last = hs_unet_skip_shape(&c, hs_unet_skip_count(&c) - 1);
    assert_int_equal(h.c, 512);
    assert_int_equal(h.h, 8);
    assert_int_equal(hs_unet_skip_count(&c), 1 + 6 * 2 + 5);
    assert_int_equal(hs_unet_skip_shape(&c, 0).h, 256);
    assert_int_equal(hs_unet_skip_shape(&c, 2).h, 256);
    assert_int_equal(hs_unet_skip_shape(&c, 3).h, 128); /* the first down-sampler's */
    assert_int_equal(hs_unet_skip_shape(&c, 3).c, 128);
    assert_int_equal(hs_unet_skip_shape(&c, 7).c, 256); /* first block of level 2 */
    assert_int_equal(last.c, 512);
    assert_int_equal(last.h, 8);
}

static void test_unknown_builtin(void **state)
{
    (void)state;
    hs_unet_config c;
    assert_code(hs_arch_builtin("anime46", &c), HS_ERANGE);
    assert_non_null(strstr(hs_error_message(), "\"anime64\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_google_cifar10),
        cmocka_unit_test(test_diffusers_defaults),
        cmocka_unit_test(test_trained_betas),
        cmocka_unit_test(test_malformed_diffusers_values),
        cmocka_unit_test(test_malformed_schedulers),
        cmocka_unit_test(test_other_families),
        cmocka_unit_test(test_adm_flags),
        cmocka_unit_test(test_malformed_adm_flags),
        cmocka_unit_test(test_ddpm_yaml),
        cmocka_unit_test(test_malformed_yaml),
        cmocka_unit_test(test_own_format),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_unknown_builtin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
