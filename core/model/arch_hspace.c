/* hspace's own architecture file: a JSON object with "hspace_arch": 1 and the fields of
 * hs_unet_config by name.  Per-level fields (ch, blocks, attn_down, attn_up, resnet_updown,
 * resnet_up) are arrays from image_size down; blocks may be one number.  schedule is an object:
 * kind "linear" | "scaled_linear" | "cosine" | "table", T, beta_start, beta_end, cosine_s,
 * beta_min, beta_max, table.  What is left out is as in the public DDPM models. */
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/arch.h"

static int level_flags(const json_t *o, const char *key, size_t levels, int *out)
{
    const json_t *a = json_object_get(o, key);
    if (a == NULL) {
        return HS_OK;
    }
    if (!json_is_array(a) || json_array_size(a) != levels) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must be an array as long as ch: %zu", key, json_array_size(a),
                       levels);
    }
    for (size_t i = 0; i < levels; i++) {
        const json_t *v = json_array_get(a, i);
        if (!json_is_boolean(v)) {
            return hs_fail(HS_EFORMAT, "%s must hold true or false", key);
        }
        out[i] = json_is_true(v);
    }
    return HS_OK;
}

static int read_levels(const json_t *o, hs_unet_config *c)
{
    size_t n = 0, one = 2;
    int rc = HS_OK;
    HS_TRY(hs_json_sizes(o, "ch", 1, 16384, HS_LEVELS_MAX, &c->levels, c->ch));
    if (json_is_array(json_object_get(o, "blocks"))) {
        HS_TRY(hs_json_sizes(o, "blocks", 1, 64, HS_LEVELS_MAX, &n, c->blocks));
        if (n != c->levels) {
            return hs_fail(HS_EFORMAT, "blocks has %zu entries, must be as long as ch: %zu", n, c->levels);
        }
    } else {
        HS_TRY(hs_json_size(o, "blocks", 1, 64, &one));
        for (size_t i = 0; i < c->levels; i++) {
            c->blocks[i] = one;
        }
    }
    HS_TRY(level_flags(o, "attn_down", c->levels, c->attn_down));
    HS_TRY(level_flags(o, "attn_up", c->levels, c->attn_up));
    HS_TRY(level_flags(o, "resnet_updown", c->levels, c->resnet_updown));
    HS_TRY(level_flags(o, "resnet_up", c->levels, c->resnet_up));
out:
    return rc;
}

static int read_numbers(const json_t *o, hs_unet_config *c)
{
    int rc = HS_OK;
    c->temb_base = c->ch[0];
    c->temb_dim = 4 * c->ch[0];
    HS_TRY(hs_json_size(o, "image_size", 1, 65536, &c->image_size));
    HS_TRY(hs_json_size(o, "in_ch", 1, 1024, &c->in_ch));
    HS_TRY(hs_json_size(o, "out_ch", 1, 2048, &c->out_ch));
    HS_TRY(hs_json_size(o, "head_ch", 0, 65536, &c->head_ch));
    HS_TRY(hs_json_size(o, "heads", 0, 65536, &c->heads));
    HS_TRY(hs_json_size(o, "heads_up", 0, 65536, &c->heads_up));
    HS_TRY(hs_json_size(o, "classes", 0, 1000000, &c->classes));
    HS_TRY(hs_json_size(o, "groups", 1, 16384, &c->groups));
    HS_TRY(hs_json_real(o, "norm_eps", 1e-30, 1, &c->norm_eps));
    HS_TRY(hs_json_size(o, "temb_base", 2, 65536, &c->temb_base));
    HS_TRY(hs_json_size(o, "temb_dim", 1, 65536, &c->temb_dim));
    HS_TRY(hs_json_real(o, "temb_freq_shift", 0, 65536, &c->temb_freq_shift));
    HS_TRY(hs_json_size(o, "down_pad", 0, 1, &c->down_pad));
    HS_TRY(hs_json_real(o, "mid_scale", 1e-6, 1e6, &c->mid_scale));
    HS_TRY(hs_json_flag(o, "attn_mid", &c->attn_mid));
    HS_TRY(hs_json_flag(o, "attn_mid_norm", &c->attn_mid_norm));
    HS_TRY(hs_json_flag(o, "attn_adds_normed", &c->attn_adds_normed));
    HS_TRY(hs_json_flag(o, "temb_cos_first", &c->temb_cos_first));
    HS_TRY(hs_json_flag(o, "scale_shift", &c->scale_shift));
    HS_TRY(hs_json_flag(o, "center_input", &c->center_input));
out:
    return rc;
}

const char *const hs_arch_names[HS_ARCH_NAMES] = {"diffusers", "ddpm", "adm"};
const char *const hs_arch_qkv[HS_ARCH_QKV] = {"apart", "by_head", "whole"};

/* *which <- the place of a word among n. */
static int word_of(const char *key, const char *word, const char *const *words, size_t n, size_t *which)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(word, words[i]) == 0) {
            *which = i;
            return HS_OK;
        }
    }
    return hs_fail(HS_EFORMAT, "%s must be \"%s\", \"%s\" or \"%s\"", key, words[0], words[1], words[2]);
}

static int read_texts(const json_t *o, hs_unet_config *c)
{
    const char *family = "hspace", *names = "ddpm", *prediction = "epsilon", *qkv = "apart";
    size_t which = 0;
    int rc = HS_OK;
    HS_TRY(hs_json_text(o, "family", &family));
    HS_TRY(hs_json_text(o, "names", &names));
    HS_TRY(hs_json_text(o, "prediction", &prediction));
    HS_TRY(hs_json_text(o, "qkv", &qkv));
    hs_text_escape(family, c->family, sizeof c->family);
    hs_text_escape(prediction, c->prediction, sizeof c->prediction);
    HS_TRY(word_of("names", names, hs_arch_names, HS_ARCH_NAMES, &which));
    c->names = (hs_names)which;
    HS_TRY(word_of("qkv", qkv, hs_arch_qkv, HS_ARCH_QKV, &which));
    c->qkv = (hs_qkv_order)which;
out:
    return rc;
}

static int read_schedule(const json_t *o, hs_unet_config *c)
{
    static const char *const kinds[] = {"linear", "scaled_linear", "cosine", "table"};
    static const char *const known[] = {"kind",     "T",        "beta_start", "beta_end",
                                        "cosine_s", "beta_min", "beta_max",   "table"};
    hs_schedule_spec *s = &c->schedule;
    const char *kind = "linear";
    int rc = HS_OK;
    if (o == NULL) {
        return HS_OK;
    }
    HS_TRY(hs_json_only(o, "schedule", known, sizeof known / sizeof known[0]));
    HS_TRY(hs_json_text(o, "kind", &kind));
    s->kind = HS_SCHEDULE_LINEAR; /* the names stand in the order of hs_schedule_kind */
    while (s->kind < HS_SCHEDULE_TABLE && strcmp(kind, kinds[s->kind]) != 0) {
        s->kind++;
    }
    if (strcmp(kind, kinds[s->kind]) != 0) {
        return hs_fail(HS_EFORMAT, "schedule.kind must be linear, scaled_linear, cosine or table");
    }
    s->cosine_s = 0.008;
    s->beta_max = 0.999;
    HS_TRY(hs_json_size(o, "T", 1, 1000000, &s->T));
    HS_TRY(hs_json_real(o, "beta_start", 1e-12, 0.9999, &s->beta_start));
    HS_TRY(hs_json_real(o, "beta_end", 1e-12, 0.9999, &s->beta_end));
    HS_TRY(hs_json_real(o, "cosine_s", 0, 1, &s->cosine_s));
    HS_TRY(hs_json_real(o, "beta_min", 0, 0.9999, &s->beta_min));
    HS_TRY(hs_json_real(o, "beta_max", 0, 0.9999, &s->beta_max));
    if (s->kind == HS_SCHEDULE_TABLE) {
        HS_TRY(hs_json_reals(o, "table", s->T, &c->schedule_table));
        s->table = c->schedule_table;
    }
out:
    return rc;
}

int hs_arch_read_hspace(const json_t *root, hs_unet_config *out)
{
    static const char *const known[] = {
        "hspace_arch",
        "family",
        "names",
        "image_size",
        "in_ch",
        "out_ch",
        "ch",
        "blocks",
        "attn_down",
        "attn_up",
        "attn_mid",
        "head_ch",
        "groups",
        "norm_eps",
        "temb_base",
        "temb_dim",
        "schedule",
        "temb_cos_first",
        "temb_freq_shift",
        "scale_shift",
        "mid_scale",
        "resnet_up",
        "resnet_updown",
        "down_pad",
        "attn_mid_norm",
        "attn_adds_normed",
        "center_input",
        "prediction",
        "heads",
        "heads_up",
        "qkv",
        "classes",
    };
    hs_unet_config c;
    size_t version = 1;
    int rc = HS_OK;
    hs_arch_ddpm_defaults(&c);
    HS_TRY(hs_json_only(root, "the architecture", known, sizeof known / sizeof known[0]));
    HS_TRY(hs_json_size(root, "hspace_arch", 1, 1, &version));
    HS_TRY(read_texts(root, &c));
    HS_TRY(read_levels(root, &c));
    HS_TRY(read_numbers(root, &c));
    HS_TRY(read_schedule(json_object_get(root, "schedule"), &c));
    HS_TRY(hs_unet_config_check(&c));
    *out = c;
    c.schedule_table = NULL;
out:
    hs_unet_config_free(&c);
    return rc;
}
