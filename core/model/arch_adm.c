/* The model flags of guided-diffusion (openai/guided-diffusion, Asyrp's improved_ddpm and guided_diffusion): a JSON
 * object with the arguments of its create_model by name, and those of its process: diffusion_steps, noise_schedule.
 * Numbers in a text, "32,16,8", are lists.  What is left out is as create_model has it. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/arch.h"

void hs_arch_adm_defaults(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    snprintf(c->family, sizeof c->family, "adm");
    c->names = HS_NAMES_ADM;
    c->qkv = HS_QKV_BY_HEAD;
    c->norm_eps = 1e-5;
    c->temb_cos_first = 1;
    c->temb_freq_shift = 0;
    c->down_pad = 1;
}

/* v[0..*n) <- the numbers of a text with commas. */
static int numbers(const char *key, const char *text, size_t most, double lo, double hi, size_t *n, double *v)
{
    char one[32];
    for (*n = 0;; text++) {
        size_t len = strcspn(text, ",");
        char shown[64];
        snprintf(one, sizeof one, "%.*s", (int)(len < sizeof one ? len : sizeof one - 1), text);
        if (*n == most || len >= sizeof one || hs_text_f64(one, lo, hi, &v[*n]) != HS_OK) {
            hs_text_escape(text, shown, sizeof shown);
            return hs_fail(HS_EFORMAT, "%s: at \"%s\": wanted 1 to %zu numbers between %g and %g, by commas", key,
                           shown, most, lo, hi);
        }
        ++*n;
        text += len;
        if (*text == '\0') {
            return HS_OK;
        }
    }
}

/* create_model's own multiples of num_channels for a size of image. */
static const char *standard_multiples(size_t image_size)
{
    switch (image_size) {
    case 512: return "0.5,1,1,2,2,4,4";
    case 256: return "1,1,2,2,4,4";
    case 128: return "1,1,2,3,4";
    case 64: return "1,2,3,4";
    default: return "";
    }
}

static int read_levels(const json_t *o, hs_unet_config *c)
{
    const char *text = "";
    double mult[HS_LEVELS_MAX];
    size_t base = 0, blocks = 0;
    int rc = HS_OK;
    HS_TRY(hs_json_size(o, "num_channels", 1, 16384, &base));
    HS_TRY(hs_json_size(o, "num_res_blocks", 1, 64, &blocks));
    HS_TRY(hs_json_text(o, "channel_mult", &text));
    text = text[0] != '\0' ? text : standard_multiples(c->image_size);
    if (text[0] == '\0') {
        return hs_fail(HS_EFORMAT, "channel_mult is missing, and create_model has none for image_size %zu",
                       c->image_size);
    }
    HS_TRY(numbers("channel_mult", text, HS_LEVELS_MAX, 0.125, 1024, &c->levels, mult));
    for (size_t i = 0; i < c->levels; i++) {
        c->ch[i] = (size_t)(mult[i] * (double)base);
        c->blocks[i] = blocks;
    }
    c->temb_base = base;
    c->temb_dim = 4 * base;
out:
    return rc;
}

/* Sides at which there is attention; the middle always has it. */
static int read_attention(const json_t *o, hs_unet_config *c)
{
    const char *text = "16";
    double side[HS_LEVELS_MAX];
    size_t n = 0;
    int rc = HS_OK, whole = 0;
    HS_TRY(hs_json_text(o, "attention_resolutions", &text));
    HS_TRY(numbers("attention_resolutions", text, HS_LEVELS_MAX, 1, 65536, &n, side));
    for (size_t k = 0; k < n; k++) {
        if (side[k] != (double)(size_t)side[k]) {
            return hs_fail(HS_EFORMAT, "attention_resolutions: %g is no whole number", side[k]);
        }
        size_t times = c->image_size / (size_t)side[k]; /* smaller than the image, rounded down as create_model does */
        for (size_t i = 0; i < c->levels; i++) {
            if (times == (size_t)1 << i) {
                c->attn_down[i] = c->attn_up[i] = 1;
            }
        }
    }
    HS_TRY(hs_json_flag(o, "use_new_attention_order", &whole));
    c->qkv = whole ? HS_QKV_WHOLE : HS_QKV_BY_HEAD;
out:
    return rc;
}

/* A count in which create_model lets -1 mean "not given". */
static int count_or_none(const json_t *o, const char *key, size_t *out)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_integer(v) && json_integer_value(v) == -1) {
        return HS_OK;
    }
    return hs_json_size(o, key, 1, 16384, out);
}

static int read_heads(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK;
    c->heads = 1;
    HS_TRY(hs_json_size(o, "num_heads", 1, 16384, &c->heads));
    HS_TRY(count_or_none(o, "num_head_channels", &c->head_ch));
    HS_TRY(count_or_none(o, "num_heads_upsample", &c->heads_up));
out:
    return rc;
}

static int read_flags(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK, updown = 0, sigma = 0, by_class = 0;
    size_t classes = 1000;
    HS_TRY(hs_json_flag(o, "use_scale_shift_norm", &c->scale_shift));
    HS_TRY(hs_json_flag(o, "resblock_updown", &updown));
    HS_TRY(hs_json_flag(o, "learn_sigma", &sigma));
    HS_TRY(hs_json_flag(o, "class_cond", &by_class));
    HS_TRY(hs_json_size(o, "NUM_CLASSES", 1, 1000000, &classes));
    c->out_ch = sigma ? 2 * c->in_ch : c->in_ch;
    c->classes = by_class ? classes : 0;
    for (size_t i = 0; i < c->levels; i++) {
        c->resnet_updown[i] = updown && i + 1 < c->levels;
        c->resnet_up[i] = updown && i > 0;
    }
out:
    return rc;
}

/* Betas for another T than 1000 are stretched so that their sum stays. */
static int read_process(const json_t *o, hs_unet_config *c)
{
    hs_schedule_spec *s = &c->schedule;
    const char *kind = "linear", *respacing = "";
    int rc = HS_OK, x_0 = 0, rescaled = 0;
    HS_TRY(hs_json_size(o, "diffusion_steps", 21, 1000000, &s->T));
    HS_TRY(hs_json_text(o, "noise_schedule", &kind));
    HS_TRY(hs_json_flag(o, "predict_xstart", &x_0));
    HS_TRY(hs_json_flag(o, "rescale_timesteps", &rescaled));
    HS_TRY(hs_json_text(o, "timestep_respacing", &respacing));
    if (strcmp(kind, "linear") == 0) {
        s->beta_start = 1000.0 / (double)s->T * 1e-4;
        s->beta_end = 1000.0 / (double)s->T * 0.02;
    } else if (strcmp(kind, "cosine") == 0) {
        *s = (hs_schedule_spec){.kind = HS_SCHEDULE_COSINE, .T = s->T, .cosine_s = 0.008, .beta_max = 0.999};
    } else {
        char shown[48];
        hs_text_escape(kind, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "noise_schedule is \"%s\", must be linear or cosine", shown);
    }
    if (x_0) {
        return hs_fail(HS_EFORMAT, "predict_xstart is true, must be false: the network has to predict the noise");
    }
    if (rescaled && s->T != 1000) {
        return hs_fail(HS_EFORMAT, "rescale_timesteps is true, must be false where diffusion_steps is %zu", s->T);
    }
    if (respacing[0] != '\0') {
        return hs_fail(HS_EFORMAT, "timestep_respacing is set: it is no part of a network, give --respacing");
    }
out:
    return rc;
}

int hs_arch_read_adm(const json_t *root, hs_unet_config *out)
{
    /* the second half says nothing about the values of eps */
    static const char *const known[] = {
        "image_size",
        "num_channels",
        "num_res_blocks",
        "channel_mult",
        "learn_sigma",
        "class_cond",
        "NUM_CLASSES",
        "attention_resolutions",
        "num_heads",
        "num_head_channels",
        "num_heads_upsample",
        "resblock_updown",
        "in_channels",
        "use_scale_shift_norm",
        "diffusion_steps",
        "noise_schedule",
        "use_new_attention_order",
        "timestep_respacing",
        "predict_xstart",
        "rescale_timesteps",
        "use_checkpoint",
        "use_fp16",
        "dropout",
        "use_kl",
        "rescale_learned_sigmas",
    };
    static const char *const needed[] = {"image_size", "num_channels", "num_res_blocks"};
    hs_unet_config c;
    int rc = HS_OK;
    hs_arch_adm_defaults(&c);
    HS_TRY(hs_json_only(root, "guided-diffusion's create_model", known, sizeof known / sizeof known[0]));
    for (size_t i = 0; i < 3; i++) {
        if (json_object_get(root, needed[i]) == NULL) {
            return hs_fail(HS_EFORMAT, "%s is missing: guided-diffusion's create_model has no standard for it",
                           needed[i]);
        }
    }
    HS_TRY(hs_json_size(root, "image_size", 1, 65536, &c.image_size));
    HS_TRY(hs_json_size(root, "in_channels", 1, 1024, &c.in_ch));
    HS_TRY(read_levels(root, &c));
    HS_TRY(read_attention(root, &c));
    HS_TRY(read_heads(root, &c));
    HS_TRY(read_flags(root, &c));
    HS_TRY(read_process(root, &c));
    HS_TRY(hs_unet_config_check(&c));
    *out = c;
out:
    return rc;
}
