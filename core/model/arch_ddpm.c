/* config.yml of the DDPM codes (ermongroup/ddim, pesser/pytorch_diffusion, Asyrp). */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "core/base/text.h"
#include "core/model/arch.h"

/* The value of a key in a mapping, or NULL. */
static yaml_node_t *child(yaml_document_t *doc, const yaml_node_t *map, const char *key)
{
    if (map == NULL || map->type != YAML_MAPPING_NODE) {
        return NULL;
    }
    for (yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *k = yaml_document_get_node(doc, p->key);
        if (k != NULL && k->type == YAML_SCALAR_NODE && strcmp((const char *)k->data.scalar.value, key) == 0) {
            return yaml_document_get_node(doc, p->value);
        }
    }
    return NULL;
}

static int scalar(yaml_document_t *doc, const char *section, const char *key, const char **out)
{
    const yaml_node_t *v = child(doc, child(doc, yaml_document_get_root_node(doc), section), key);
    if (v == NULL || v->type != YAML_SCALAR_NODE) {
        return hs_fail(HS_EFORMAT, "%s.%s is missing or not a single value", section, key);
    }
    *out = (const char *)v->data.scalar.value;
    return HS_OK;
}

static int whole_number(const char *name, const char *text, size_t lo, size_t hi, size_t *out)
{
    int64_t v = 0;
    if (hs_text_i64(text, (int64_t)lo, (int64_t)hi, &v) != HS_OK) {
        char shown[48];
        hs_text_escape(text, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "%s is \"%s\", must be a whole number between %zu and %zu", name, shown, lo, hi);
    }
    *out = (size_t)v;
    return HS_OK;
}

static int size_of(yaml_document_t *doc, const char *section, const char *key, size_t lo, size_t hi, size_t *out)
{
    const char *text = NULL;
    char name[64];
    int rc = HS_OK;
    snprintf(name, sizeof name, "%s.%s", section, key);
    HS_TRY(scalar(doc, section, key, &text));
    HS_TRY(whole_number(name, text, lo, hi, out));
out:
    return rc;
}

static int real_of(yaml_document_t *doc, const char *key, double *out)
{
    const char *text = NULL;
    int rc = HS_OK;
    HS_TRY(scalar(doc, "diffusion", key, &text));
    if (hs_text_f64(text, 1e-12, 0.9999, out) != HS_OK) {
        char shown[48];
        hs_text_escape(text, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "diffusion.%s is \"%s\", must be a number between 1e-12 and 0.9999", key, shown);
    }
out:
    return rc;
}

static int list_of(yaml_document_t *doc, const char *key, size_t lo, size_t hi, size_t max, size_t *n, size_t *v)
{
    char name[64];
    const yaml_node_t *list = child(doc, child(doc, yaml_document_get_root_node(doc), "model"), key);
    snprintf(name, sizeof name, "model.%s", key);
    if (list == NULL || list->type != YAML_SEQUENCE_NODE) {
        return hs_fail(HS_EFORMAT, "%s must be a list of whole numbers", name);
    }
    size_t count = (size_t)(list->data.sequence.items.top - list->data.sequence.items.start);
    if (count > max) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must have at most %zu", name, count, max);
    }
    int rc = HS_OK;
    for (size_t i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(doc, list->data.sequence.items.start[i]);
        int is_scalar = item != NULL && item->type == YAML_SCALAR_NODE;
        HS_TRY(whole_number(name, is_scalar ? (const char *)item->data.scalar.value : "a list", lo, hi, &v[i]));
    }
    *n = count;
out:
    return rc;
}

static int read_network(yaml_document_t *doc, hs_unet_config *c)
{
    size_t base = 0, levels = 0, blocks = 0, n_attn = 0, mult[HS_LEVELS_MAX], attn[HS_LEVELS_MAX];
    const char *resample = NULL;
    int rc = HS_OK;
    HS_TRY(size_of(doc, "data", "image_size", 1, 65536, &c->image_size));
    HS_TRY(size_of(doc, "model", "in_channels", 1, 1024, &c->in_ch));
    HS_TRY(size_of(doc, "model", "out_ch", 1, 2048, &c->out_ch));
    HS_TRY(size_of(doc, "model", "ch", 1, 16384, &base));
    HS_TRY(size_of(doc, "model", "num_res_blocks", 1, 64, &blocks));
    HS_TRY(list_of(doc, "ch_mult", 1, 1024, HS_LEVELS_MAX, &levels, mult));
    HS_TRY(list_of(doc, "attn_resolutions", 1, 65536, HS_LEVELS_MAX, &n_attn, attn));
    HS_TRY(scalar(doc, "model", "resamp_with_conv", &resample));
    if (strcmp(resample, "true") != 0 && strcmp(resample, "True") != 0) {
        return hs_fail(HS_EFORMAT,
                       "model.resamp_with_conv is not true: resampling without a convolution isn't supported");
    }
    hs_arch_set_levels(c, base, levels, mult, blocks);
    for (size_t i = 0; i < levels; i++) {
        for (size_t k = 0; k < n_attn; k++) {
            if (attn[k] == c->image_size >> i) {
                c->attn_down[i] = c->attn_up[i] = 1;
            }
        }
    }
out:
    return rc;
}

static int read_diffusion(yaml_document_t *doc, hs_unet_config *c)
{
    const char *kind = NULL;
    int rc = HS_OK;
    HS_TRY(scalar(doc, "diffusion", "beta_schedule", &kind));
    if (strcmp(kind, "linear") == 0) {
        c->schedule.kind = HS_SCHEDULE_LINEAR;
    } else if (strcmp(kind, "quad") == 0) {
        c->schedule.kind = HS_SCHEDULE_SCALED_LINEAR;
    } else {
        char shown[48];
        hs_text_escape(kind, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "diffusion.beta_schedule is \"%s\", must be linear or quad", shown);
    }
    HS_TRY(real_of(doc, "beta_start", &c->schedule.beta_start));
    HS_TRY(real_of(doc, "beta_end", &c->schedule.beta_end));
    HS_TRY(size_of(doc, "diffusion", "num_diffusion_timesteps", 1, 1000000, &c->schedule.T));
out:
    return rc;
}

int hs_arch_read_ddpm(const char *text, size_t len, hs_unet_config *out)
{
    hs_unet_config c;
    yaml_parser_t parser;
    yaml_document_t doc;
    int rc = HS_OK;
    if (!yaml_parser_initialize(&parser)) {
        return hs_fail(HS_ENOMEM, "no memory for a YAML parser");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    if (!yaml_parser_load(&parser, &doc)) {
        rc = hs_fail(HS_EFORMAT, "neither JSON nor YAML: line %zu: %s", parser.problem_mark.line + 1,
                     parser.problem != NULL ? parser.problem : "malformed");
        yaml_parser_delete(&parser);
        return rc;
    }
    hs_arch_ddpm_defaults(&c);
    HS_TRY(read_network(&doc, &c));
    HS_TRY(read_diffusion(&doc, &c));
    HS_TRY(hs_unet_config_check(&c));
    *out = c;
out:
    yaml_document_delete(&doc);
    yaml_parser_delete(&parser);
    return rc;
}
