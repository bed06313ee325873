#include "core/model/unet_config.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

enum { SIDE_MAX = 4096, CH_MAX = 16384, BLOCKS_MAX = 64, TEMB_MAX = 65536, T_MAX = 1000000, CLASSES_MAX = 1000000 };

static int check_count(const char *field, size_t v, size_t lo, size_t hi)
{
    if (v < lo || v > hi) {
        return hs_fail(HS_EFORMAT, "%s is %zu, must be between %zu and %zu", field, v, lo, hi);
    }
    return HS_OK;
}

static int check_real(const char *field, double v, double lo, double hi)
{
    if (!(v > lo && v <= hi)) {
        return hs_fail(HS_EFORMAT, "%s is %g, must be above %g and at most %g", field, v, lo, hi);
    }
    return HS_OK;
}

static int check_flag(const char *field, int v)
{
    return v == 0 || v == 1 ? HS_OK : hs_fail(HS_EFORMAT, "%s is %d, must be 0 or 1", field, v);
}

static int has_attention(const hs_unet_config *c, size_t level)
{
    return c->attn_down[level] || c->attn_up[level] || (level + 1 == c->levels && c->attn_mid);
}

/* Every head as wide as the others. */
static int check_heads(const hs_unet_config *c, size_t i)
{
    size_t down = hs_unet_heads(c, c->ch[i], 0), up = hs_unet_heads(c, c->ch[i], 1);
    if (!has_attention(c, i)) {
        return HS_OK;
    }
    if (c->head_ch != 0 && c->ch[i] % c->head_ch != 0) {
        return hs_fail(HS_EFORMAT,
                       "head_ch (attention_head_dim, num_head_channels) is %zu, must divide the channels of level %zu: "
                       "%zu",
                       c->head_ch, i, c->ch[i]);
    }
    if (c->ch[i] % down != 0) {
        return hs_fail(HS_EFORMAT, "heads (num_heads) is %zu, must divide the channels of level %zu: %zu", down, i,
                       c->ch[i]);
    }
    if (c->ch[i] % up != 0) {
        return hs_fail(HS_EFORMAT, "heads_up (num_heads_upsample) is %zu, must divide the channels of level %zu: %zu",
                       up, i, c->ch[i]);
    }
    return HS_OK;
}

static int check_level(const hs_unet_config *c, size_t i)
{
    int rc = HS_OK;
    HS_TRY(check_count("channels of a level (ch)", c->ch[i], 1, CH_MAX));
    HS_TRY(check_count("residual blocks of a level (blocks)", c->blocks[i], 1, BLOCKS_MAX));
    if (c->ch[i] % c->groups != 0) {
        return hs_fail(HS_EFORMAT, "groups (norm_num_groups) is %zu, must divide the channels of level %zu: %zu",
                       c->groups, i, c->ch[i]);
    }
    HS_TRY(check_heads(c, i));
    HS_TRY(check_flag("attn_down", c->attn_down[i]));
    HS_TRY(check_flag("attn_up", c->attn_up[i]));
    HS_TRY(check_flag("resnet_updown", c->resnet_updown[i]));
    HS_TRY(check_flag("resnet_up", c->resnet_up[i]));
out:
    return rc;
}

static int check_sizes(const hs_unet_config *c)
{
    int rc = HS_OK;
    HS_TRY(check_count("levels (length of block_out_channels)", c->levels, 1, HS_LEVELS_MAX));
    HS_TRY(check_count("in_ch (in_channels)", c->in_ch, 1, 1024));
    if (c->out_ch != c->in_ch && c->out_ch != 2 * c->in_ch) {
        return hs_fail(HS_EFORMAT, "out_ch (out_channels) is %zu, must be in_channels or twice that: %zu or %zu",
                       c->out_ch, c->in_ch, 2 * c->in_ch);
    }
    HS_TRY(check_count("image_size (sample_size)", c->image_size, 1, SIDE_MAX));
    size_t multiple = (size_t)1 << (c->levels - 1);
    if (c->image_size % multiple != 0) {
        return hs_fail(HS_EFORMAT, "image_size (sample_size) is %zu, must be a multiple of %zu for %zu levels",
                       c->image_size, multiple, c->levels);
    }
    HS_TRY(check_count("groups (norm_num_groups)", c->groups, 1, CH_MAX));
    for (size_t i = 0; i < c->levels; i++) {
        HS_TRY(check_level(c, i));
    }
out:
    return rc;
}

static int check_time(const hs_unet_config *c)
{
    int rc = HS_OK;
    HS_TRY(check_count("temb_base", c->temb_base, 2, TEMB_MAX));
    HS_TRY(check_count("temb_dim (time_embedding_dim)", c->temb_dim, 1, TEMB_MAX));
    double half = (double)(c->temb_base / 2);
    if (!(c->temb_freq_shift >= 0 && c->temb_freq_shift < half)) {
        return hs_fail(HS_EFORMAT, "temb_freq_shift (freq_shift) is %g, must be between 0 and %g", c->temb_freq_shift,
                       half - 1);
    }
    HS_TRY(check_flag("temb_cos_first (flip_sin_to_cos)", c->temb_cos_first));
out:
    return rc;
}

static int check_schedule(const hs_schedule_spec *s)
{
    int rc = HS_OK;
    HS_TRY(check_count("T (num_train_timesteps)", s->T, 1, T_MAX));
    switch (s->kind) {
    case HS_SCHEDULE_LINEAR:
    case HS_SCHEDULE_SCALED_LINEAR:
        HS_TRY(check_real("beta_start", s->beta_start, 0, 0.9999));
        HS_TRY(check_real("beta_end", s->beta_end, 0, 0.9999));
        break;
    case HS_SCHEDULE_COSINE:
        HS_TRY(check_real("cosine_s", s->cosine_s, 0, 1));
        HS_TRY(check_real("beta_max", s->beta_max, 0, 0.99999));
        if (!(s->beta_min >= 0 && s->beta_min < s->beta_max)) {
            return hs_fail(HS_EFORMAT, "beta_min is %g, must be between 0 and beta_max = %g", s->beta_min, s->beta_max);
        }
        break;
    case HS_SCHEDULE_TABLE:
        if (s->table == NULL) {
            return hs_fail(HS_EFORMAT, "the schedule's table of betas (trained_betas) is absent");
        }
        for (size_t t = 0; t < s->T; t++) {
            HS_TRY(check_real("an entry of the table of betas (trained_betas)", s->table[t], 0, 0.99999));
        }
        break;
    default: return hs_fail(HS_EFORMAT, "schedule kind is %d, unknown", (int)s->kind);
    }
out:
    return rc;
}

int hs_unet_config_check(const hs_unet_config *c)
{
    int rc = HS_OK;
    if (c->names != HS_NAMES_DIFFUSERS && c->names != HS_NAMES_DDPM && c->names != HS_NAMES_ADM) {
        return hs_fail(HS_EFORMAT, "names is %d, must be diffusers, ddpm or adm", (int)c->names);
    }
    if ((c->names == HS_NAMES_ADM) != (c->qkv != HS_QKV_APART)) {
        return hs_fail(HS_EFORMAT, "qkv is %d: one matrix of q, k and v is adm's, three are the others'", (int)c->qkv);
    }
    HS_TRY(check_sizes(c));
    HS_TRY(check_real("norm_eps", c->norm_eps, 0, 1));
    HS_TRY(check_real("mid_scale (mid_block_scale_factor)", c->mid_scale, 0, 1e6));
    HS_TRY(check_time(c));
    HS_TRY(check_count("down_pad (downsample_padding)", c->down_pad, 0, 1));
    HS_TRY(check_count("heads (num_heads)", c->heads, 0, CH_MAX));
    HS_TRY(check_count("heads_up (num_heads_upsample)", c->heads_up, 0, CH_MAX));
    HS_TRY(check_count("classes (NUM_CLASSES)", c->classes, 0, CLASSES_MAX));
    if (c->classes != 0 && c->names != HS_NAMES_ADM) {
        return hs_fail(HS_EFORMAT, "classes is %zu, must be 0 where names isn't adm", c->classes);
    }
    HS_TRY(check_flag("attn_mid", c->attn_mid));
    HS_TRY(check_flag("attn_mid_norm", c->attn_mid_norm));
    HS_TRY(check_flag("attn_adds_normed", c->attn_adds_normed));
    HS_TRY(check_flag("scale_shift", c->scale_shift));
    HS_TRY(check_flag("center_input", c->center_input));
    HS_TRY(check_schedule(&c->schedule));
    if (strcmp(c->prediction, "epsilon") != 0 && strcmp(c->prediction, "v_prediction") != 0) {
        char shown[64];
        hs_text_escape(c->prediction, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "prediction (prediction_type) is \"%s\", must be \"epsilon\" or \"v_prediction\"",
                       shown);
    }
out:
    return rc;
}

size_t hs_unet_heads(const hs_unet_config *c, size_t ch, int decoder)
{
    size_t heads = decoder && c->heads_up != 0 ? c->heads_up : c->heads;
    return c->head_ch != 0 ? ch / c->head_ch : heads != 0 ? heads : 1;
}

hs_chw hs_unet_image_shape(const hs_unet_config *c)
{
    return (hs_chw){c->in_ch, c->image_size, c->image_size};
}

hs_chw hs_unet_h_shape(const hs_unet_config *c)
{
    size_t side = c->image_size >> (c->levels - 1);
    return (hs_chw){c->ch[c->levels - 1], side, side};
}

size_t hs_unet_skip_count(const hs_unet_config *c)
{
    size_t n = c->levels; /* the input convolution and levels - 1 down-samplers */
    for (size_t i = 0; i < c->levels; i++) {
        n += c->blocks[i];
    }
    return n;
}

hs_chw hs_unet_skip_shape(const hs_unet_config *c, size_t i)
{
    size_t level = 0, at = 1;
    while (level + 1 < c->levels && i >= at + c->blocks[level] + 1) {
        at += c->blocks[level++] + 1;
    }
    /* The last skip of a level is its down-sampler's, already at the next size. */
    int down = level + 1 < c->levels && i == at + c->blocks[level];
    size_t side = c->image_size >> (level + (down ? 1 : 0));
    return (hs_chw){c->ch[level], side, side};
}

void hs_unet_config_free(hs_unet_config *c)
{
    if (c == NULL) {
        return;
    }
    free(c->schedule_table);
    c->schedule_table = NULL;
    c->schedule.table = NULL;
}
