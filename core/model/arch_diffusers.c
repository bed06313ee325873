/* config.json and scheduler_config.json of diffusers' UNet2DModel.  A missing key means diffusers'
 * own default, which is not what the google/ddpm-* files say: attention_head_dim 8, freq_shift 0,
 * flip_sin_to_cos true, downsample_padding 1, norm_eps 1e-5. */
#include <stdio.h>

#include <string.h>

#include "core/base/text.h"
#include "core/model/arch.h"

static int refuse(const char *key, const char *found, const char *wanted)
{
    char shown[80];
    hs_text_escape(found, shown, sizeof shown);
    return hs_fail(HS_EFORMAT, "%s is \"%s\", must be %s", key, shown, wanted);
}

/* The text under key is one of the two given ("" for b: only a). */
static int one_of(const json_t *o, const char *key, const char *standard, const char *a, const char *b, int *is_b)
{
    const char *v = standard;
    int rc = HS_OK;
    HS_TRY(hs_json_text(o, key, &v));
    *is_b = b[0] != '\0' && strcmp(v, b) == 0;
    if (!*is_b && strcmp(v, a) != 0) {
        char wanted[96];
        snprintf(wanted, sizeof wanted, b[0] != '\0' ? "\"%s\" or \"%s\"" : "\"%s\"", a, b);
        return refuse(key, v, wanted);
    }
out:
    return rc;
}

static int absent(const json_t *o, const char *key, const char *why)
{
    const json_t *v = json_object_get(o, key);
    return v == NULL || json_is_null(v) ? HS_OK : hs_fail(HS_EFORMAT, "%s is set, must be null: %s", key, why);
}

/* kinds[i] of one side: 0 plain, 1 resnet resampling, 2 attention. */
static int block_types(const json_t *o, const char *key, size_t levels, const char *const name[3], int *kind)
{
    const json_t *a = json_object_get(o, key);
    if (!json_is_array(a) || json_array_size(a) != levels) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must have as many as block_out_channels: %zu", key,
                       json_array_size(a), levels);
    }
    for (size_t i = 0; i < levels; i++) {
        const char *v = json_string_value(json_array_get(a, i));
        kind[i] = -1;
        for (int k = 0; k < 3; k++) {
            if (v != NULL && strcmp(v, name[k]) == 0) {
                kind[i] = k;
            }
        }
        if (kind[i] < 0) {
            char wanted[160];
            snprintf(wanted, sizeof wanted, "%s, %s or %s", name[0], name[1], name[2]);
            return refuse(key, v != NULL ? v : "not a text", wanted);
        }
    }
    return HS_OK;
}

static int read_blocks(const json_t *o, hs_unet_config *c)
{
    static const char *const down[3] = {"DownBlock2D", "ResnetDownsampleBlock2D", "AttnDownBlock2D"};
    static const char *const up[3] = {"UpBlock2D", "ResnetUpsampleBlock2D", "AttnUpBlock2D"};
    int kind_down[HS_LEVELS_MAX], kind_up[HS_LEVELS_MAX], down_resnet = 0, up_resnet = 0;
    int rc = HS_OK;
    HS_TRY(block_types(o, "down_block_types", c->levels, down, kind_down));
    HS_TRY(block_types(o, "up_block_types", c->levels, up, kind_up));
    HS_TRY(one_of(o, "downsample_type", "conv", "conv", "resnet", &down_resnet));
    HS_TRY(one_of(o, "upsample_type", "conv", "conv", "resnet", &up_resnet));
    for (size_t i = 0; i < c->levels; i++) {
        int k = kind_down[i], u = kind_up[c->levels - 1 - i];
        c->attn_down[i] = k == 2;
        c->attn_up[i] = u == 2;
        /* downsample_type matters to attention blocks only: the others say it in their name */
        c->resnet_updown[i] = k == 1 || (k == 2 && down_resnet);
        c->resnet_up[i] = u == 1 || (u == 2 && up_resnet);
    }
out:
    return rc;
}

/* A whole number, or a pair of equal ones. */
static int read_image_size(const json_t *o, hs_unet_config *c)
{
    size_t n = 0, side[2] = {0, 0};
    int rc = HS_OK;
    if (json_is_array(json_object_get(o, "sample_size"))) {
        HS_TRY(hs_json_sizes(o, "sample_size", 1, 65536, 2, &n, side));
        if (n == 2 && side[0] != side[1]) {
            return hs_fail(HS_EFORMAT, "sample_size is %zu x %zu, must be square", side[0], side[1]);
        }
        c->image_size = side[0];
        return HS_OK;
    }
    if (json_object_get(o, "sample_size") == NULL) {
        return hs_fail(HS_EFORMAT, "sample_size is missing: how large are the images?");
    }
    HS_TRY(hs_json_size(o, "sample_size", 1, 65536, &c->image_size));
out:
    return rc;
}

static int read_attention(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK;
    const json_t *groups = json_object_get(o, "attn_norm_num_groups");
    c->head_ch = 8;
    if (json_is_null(json_object_get(o, "attention_head_dim"))) {
        c->head_ch = 0;
    } else {
        HS_TRY(hs_json_size(o, "attention_head_dim", 1, 65536, &c->head_ch));
    }
    c->attn_mid = 1;
    HS_TRY(hs_json_flag(o, "add_attention", &c->attn_mid));
    c->attn_mid_norm = !c->scale_shift;
    if (groups != NULL && !json_is_null(groups)) {
        HS_TRY(hs_json_size(o, "attn_norm_num_groups", c->groups, c->groups, &(size_t){0}));
        c->attn_mid_norm = 1;
    }
out:
    return rc;
}

static int read_time(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK, is_b = 0;
    c->temb_base = c->ch[0];
    c->temb_dim = 4 * c->ch[0];
    c->temb_freq_shift = 0;
    c->temb_cos_first = 1;
    HS_TRY(one_of(o, "time_embedding_type", "positional", "positional", "", &is_b));
    if (!json_is_null(json_object_get(o, "time_embedding_dim"))) {
        HS_TRY(hs_json_size(o, "time_embedding_dim", 1, 65536, &c->temb_dim));
    }
    HS_TRY(hs_json_real(o, "freq_shift", 0, 65536, &c->temb_freq_shift));
    HS_TRY(hs_json_flag(o, "flip_sin_to_cos", &c->temb_cos_first));
out:
    return rc;
}

static int read_unet(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK, is_b = 0;
    size_t per_level = 2;
    HS_TRY(absent(o, "class_embed_type", "class-conditional networks aren't supported"));
    HS_TRY(absent(o, "num_class_embeds", "class-conditional networks aren't supported"));
    HS_TRY(hs_json_sizes(o, "block_out_channels", 1, 16384, HS_LEVELS_MAX, &c->levels, c->ch));
    HS_TRY(hs_json_size(o, "layers_per_block", 1, 64, &per_level));
    for (size_t i = 0; i < c->levels; i++) {
        c->blocks[i] = per_level;
    }
    HS_TRY(hs_json_size(o, "in_channels", 1, 1024, &c->in_ch));
    HS_TRY(hs_json_size(o, "out_channels", 1, 2048, &c->out_ch));
    HS_TRY(read_image_size(o, c));
    HS_TRY(read_blocks(o, c));
    HS_TRY(hs_json_size(o, "norm_num_groups", 1, 16384, &c->groups));
    HS_TRY(hs_json_real(o, "norm_eps", 1e-30, 1, &c->norm_eps));
    HS_TRY(one_of(o, "resnet_time_scale_shift", "default", "default", "scale_shift", &c->scale_shift));
    HS_TRY(read_attention(o, c));
    HS_TRY(read_time(o, c));
    HS_TRY(hs_json_size(o, "downsample_padding", 0, 1, &c->down_pad));
    HS_TRY(hs_json_real(o, "mid_block_scale_factor", 1e-6, 1e6, &c->mid_scale));
    HS_TRY(hs_json_flag(o, "center_input_sample", &c->center_input));
    HS_TRY(one_of(o, "act_fn", "silu", "silu", "swish", &is_b));
    HS_TRY(one_of(o, "mid_block_type", "UNetMidBlock2D", "UNetMidBlock2D", "", &is_b));
out:
    return rc;
}

static int read_betas(const json_t *o, hs_unet_config *c)
{
    hs_schedule_spec *s = &c->schedule;
    const char *kind = "linear";
    int rc = HS_OK;
    HS_TRY(hs_json_size(o, "num_train_timesteps", 1, 1000000, &s->T));
    if (json_is_array(json_object_get(o, "trained_betas"))) {
        HS_TRY(hs_json_reals(o, "trained_betas", s->T, &c->schedule_table));
        s->kind = HS_SCHEDULE_TABLE;
        s->table = c->schedule_table;
        return HS_OK;
    }
    HS_TRY(hs_json_text(o, "beta_schedule", &kind));
    HS_TRY(hs_json_real(o, "beta_start", 1e-12, 0.9999, &s->beta_start));
    HS_TRY(hs_json_real(o, "beta_end", 1e-12, 0.9999, &s->beta_end));
    if (strcmp(kind, "linear") == 0) {
        s->kind = HS_SCHEDULE_LINEAR;
    } else if (strcmp(kind, "scaled_linear") == 0) {
        s->kind = HS_SCHEDULE_SCALED_LINEAR;
    } else if (strcmp(kind, "squaredcos_cap_v2") == 0) {
        s->kind = HS_SCHEDULE_COSINE;
    } else {
        return refuse("beta_schedule", kind, "linear, scaled_linear or squaredcos_cap_v2");
    }
out:
    return rc;
}

static int read_scheduler(const json_t *o, hs_unet_config *c)
{
    const char *prediction = "epsilon";
    int rc = HS_OK, rescale = 0;
    if (!json_is_object(o)) {
        return hs_fail(HS_EFORMAT, "the scheduler's configuration is not an object");
    }
    HS_TRY(hs_json_text(o, "prediction_type", &prediction));
    if (strcmp(prediction, "epsilon") != 0 && strcmp(prediction, "v_prediction") != 0) {
        return refuse("prediction_type", prediction, "epsilon or v_prediction");
    }
    snprintf(c->prediction, sizeof c->prediction, "%s", prediction);
    HS_TRY(hs_json_flag(o, "rescale_betas_zero_snr", &rescale));
    if (rescale) {
        return hs_fail(HS_EFORMAT,
                       "rescale_betas_zero_snr is true, must be false: eps says nothing where alpha_bar is 0");
    }
    HS_TRY(read_betas(o, c));
out:
    return rc;
}

int hs_arch_read_diffusers(const json_t *root, const json_t *scheduler, hs_unet_config *out)
{
    hs_unet_config c;
    int rc = HS_OK;
    hs_arch_ddpm_defaults(&c);
    snprintf(c.family, sizeof c.family, "diffusers");
    c.names = HS_NAMES_DIFFUSERS;
    c.norm_eps = 1e-5;
    c.down_pad = 1;
    c.schedule.cosine_s = 0.008;
    c.schedule.beta_max = 0.999;
    HS_TRY(read_unet(root, &c));
    if (scheduler != NULL) {
        HS_TRY(read_scheduler(scheduler, &c));
    }
    HS_TRY(hs_unet_config_check(&c));
    *out = c;
    c.schedule_table = NULL;
out:
    hs_unet_config_free(&c);
    return rc;
}
