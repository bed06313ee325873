/* The other way round from arch_diffusers.c: diffusers' words for a configuration. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/model/arch_write.h"

static int no_word(const char *field, const char *what)
{
    return hs_fail(HS_EFORMAT, "%s: diffusers' UNet2DModel has no word for %s", field, what);
}

/* diffusers' squaredcos_cap_v2 has its numbers built in; see arch_diffusers.c. */
static int check_schedule(const hs_schedule_spec *s)
{
    if (s->kind == HS_SCHEDULE_COSINE && (s->cosine_s != 0.008 || s->beta_min != 0 || s->beta_max != 0.999)) {
        return no_word("schedule", "a cosine of other numbers than cosine_s .008, beta_min 0, beta_max .999");
    }
    return HS_OK;
}

static int check(const hs_unet_config *c)
{
    for (size_t l = 0; l < c->levels; l++) {
        if (c->blocks[l] != c->blocks[0]) {
            return no_word("blocks", "another number of blocks a level");
        }
        if (c->resnet_updown[l] || c->resnet_up[l]) {
            return no_word("resnet_updown", "this file's writer, of resampling residual blocks");
        }
    }
    if (c->names == HS_NAMES_ADM) {
        return no_word("names", "a network of guided-diffusion's");
    }
    if (c->temb_base != c->ch[0]) {
        return no_word("temb_base", "a sinusoid that isn't as wide as the first level");
    }
    if (c->attn_adds_normed) {
        return no_word("attn_adds_normed", "attention that is added to its normalised input");
    }
    if (c->attn_mid && c->attn_mid_norm == c->scale_shift) {
        return no_word("attn_mid_norm", "a middle attention like this");
    }
    return check_schedule(&c->schedule);
}

static json_t *types(const hs_unet_config *c, const int *attn, int upwards, const char *plain, const char *with)
{
    json_t *a = json_array();
    for (size_t i = 0; i < c->levels; i++) {
        json_array_append_new(a, json_string(attn[upwards ? c->levels - 1 - i : i] ? with : plain));
    }
    return a;
}

static json_t *config_object(const hs_unet_config *c)
{
    json_t *ch = json_array();
    for (size_t l = 0; l < c->levels; l++) {
        json_array_append_new(ch, json_integer((json_int_t)c->ch[l]));
    }
    return json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:f, s:o, s:f, s:b, s:I, s:f, s:b, s:s, s:s, s:s,"
        " s:b, s:I}",
        "_class_name", "UNet2DModel", "sample_size", (json_int_t)c->image_size, "in_channels", (json_int_t)c->in_ch,
        "out_channels", (json_int_t)c->out_ch, "layers_per_block", (json_int_t)c->blocks[0], "block_out_channels", ch,
        "down_block_types", types(c, c->attn_down, 0, "DownBlock2D", "AttnDownBlock2D"), "up_block_types",
        types(c, c->attn_up, 1, "UpBlock2D", "AttnUpBlock2D"), "norm_num_groups", (json_int_t)c->groups, "norm_eps",
        c->norm_eps, "attention_head_dim", c->head_ch > 0 ? json_integer((json_int_t)c->head_ch) : json_null(),
        "freq_shift", c->temb_freq_shift, "flip_sin_to_cos", c->temb_cos_first, "downsample_padding",
        (json_int_t)c->down_pad, "mid_block_scale_factor", c->mid_scale, "center_input_sample", c->center_input,
        "act_fn", "silu", "time_embedding_type", "positional", "resnet_time_scale_shift",
        c->scale_shift ? "scale_shift" : "default", "add_attention", c->attn_mid, "time_embedding_dim",
        (json_int_t)c->temb_dim);
}

static json_t *scheduler_object(const hs_unet_config *c)
{
    const hs_schedule_spec *s = &c->schedule;
    json_t *o = json_pack("{s:s, s:I, s:s, s:b, s:b, s:I}", "_class_name", "DDIMScheduler", "num_train_timesteps",
                          (json_int_t)s->T, "prediction_type", c->prediction, "clip_sample", 0, "set_alpha_to_one", 1,
                          "steps_offset", (json_int_t)0);
    if (s->kind == HS_SCHEDULE_TABLE) {
        json_t *table = json_array();
        for (size_t t = 0; t < s->T && table != NULL; t++) {
            json_array_append_new(table, json_real(s->table[t]));
        }
        json_object_set_new(o, "trained_betas", table);
        return o;
    }
    if (s->kind == HS_SCHEDULE_COSINE) {
        json_object_set_new(o, "beta_schedule", json_string("squaredcos_cap_v2"));
        return o;
    }
    json_object_set_new(o, "beta_schedule", json_string(s->kind == HS_SCHEDULE_LINEAR ? "linear" : "scaled_linear"));
    json_object_set_new(o, "beta_start", json_real(s->beta_start));
    json_object_set_new(o, "beta_end", json_real(s->beta_end));
    return o;
}

/* Takes o. */
static int add(json_t *o, hs_str *out)
{
    char *text = o != NULL ? json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(o);
    if (text == NULL) {
        return hs_fail(HS_ENOMEM, "configuration: out of memory");
    }
    hs_str_addf(out, "%s\n", text);
    free(text);
    return hs_str_ok(out);
}

int hs_arch_write_diffusers(const hs_unet_config *c, hs_str *config, hs_str *scheduler)
{
    int rc = HS_OK;
    HS_TRY(check(c));
    HS_TRY(add(config_object(c), config));
    HS_TRY(add(scheduler_object(c), scheduler));
out:
    return rc;
}
