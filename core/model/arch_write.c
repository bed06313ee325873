#include "core/model/arch_write.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/model/arch.h"

static json_t *sizes(size_t n, const size_t *v)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(a, json_integer((json_int_t)v[i]));
    }
    return a;
}

static json_t *flags(size_t n, const int *v)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        json_array_append_new(a, json_boolean(v[i]));
    }
    return a;
}

static json_t *schedule_object(const hs_schedule_spec *s)
{
    static const char *const kind[] = {"linear", "scaled_linear", "cosine", "table"};
    json_t *o = json_pack("{s:s, s:I}", "kind", kind[s->kind], "T", (json_int_t)s->T);
    if (s->kind == HS_SCHEDULE_TABLE) {
        json_t *table = json_array();
        for (size_t t = 0; t < s->T; t++) {
            json_array_append_new(table, json_real(s->table[t]));
        }
        json_object_set_new(o, "table", table);
    } else if (s->kind == HS_SCHEDULE_COSINE) {
        json_object_set_new(o, "cosine_s", json_real(s->cosine_s));
        json_object_set_new(o, "beta_min", json_real(s->beta_min));
        json_object_set_new(o, "beta_max", json_real(s->beta_max));
    } else {
        json_object_set_new(o, "beta_start", json_real(s->beta_start));
        json_object_set_new(o, "beta_end", json_real(s->beta_end));
    }
    return o;
}

static json_t *config_object(const hs_unet_config *c)
{
    size_t n = c->levels;
    json_t *o = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I}", "hspace_arch", 1, "family", c->family, "names",
                          hs_arch_names[c->names], "image_size", (json_int_t)c->image_size, "in_ch",
                          (json_int_t)c->in_ch, "out_ch", (json_int_t)c->out_ch);
    json_object_set_new(o, "ch", sizes(n, c->ch));
    json_object_set_new(o, "blocks", sizes(n, c->blocks));
    json_object_set_new(o, "attn_down", flags(n, c->attn_down));
    json_object_set_new(o, "attn_up", flags(n, c->attn_up));
    json_object_set_new(o, "resnet_updown", flags(n, c->resnet_updown));
    json_object_set_new(o, "resnet_up", flags(n, c->resnet_up));
    json_object_set_new(o, "attn_mid", json_boolean(c->attn_mid));
    json_object_set_new(o, "attn_mid_norm", json_boolean(c->attn_mid_norm));
    json_object_set_new(o, "attn_adds_normed", json_boolean(c->attn_adds_normed));
    json_object_set_new(o, "head_ch", json_integer((json_int_t)c->head_ch));
    if (c->names == HS_NAMES_ADM) {
        json_object_set_new(o, "heads", json_integer((json_int_t)c->heads));
        json_object_set_new(o, "heads_up", json_integer((json_int_t)c->heads_up));
        json_object_set_new(o, "qkv", json_string(hs_arch_qkv[c->qkv]));
        json_object_set_new(o, "classes", json_integer((json_int_t)c->classes));
    }
    json_object_set_new(o, "groups", json_integer((json_int_t)c->groups));
    json_object_set_new(o, "norm_eps", json_real(c->norm_eps));
    json_object_set_new(o, "temb_base", json_integer((json_int_t)c->temb_base));
    json_object_set_new(o, "temb_dim", json_integer((json_int_t)c->temb_dim));
    json_object_set_new(o, "temb_cos_first", json_boolean(c->temb_cos_first));
    json_object_set_new(o, "temb_freq_shift", json_real(c->temb_freq_shift));
    json_object_set_new(o, "scale_shift", json_boolean(c->scale_shift));
    json_object_set_new(o, "down_pad", json_integer((json_int_t)c->down_pad));
    json_object_set_new(o, "mid_scale", json_real(c->mid_scale));
    json_object_set_new(o, "center_input", json_boolean(c->center_input));
    json_object_set_new(o, "prediction", json_string(c->prediction));
    json_object_set_new(o, "schedule", schedule_object(&c->schedule));
    return o;
}

/* Takes o over; NULL anywhere inside jansson is memory. */
HS_CHECKED static int add_text(json_t *o, hs_str *out)
{
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(o);
    if (text == NULL) {
        return hs_fail(HS_ENOMEM, "configuration: out of memory");
    }
    hs_str_add(out, text);
    free(text);
    return hs_str_ok(out);
}

int hs_arch_write(const hs_unet_config *c, hs_str *out)
{
    return add_text(config_object(c), out);
}

int hs_arch_write_schedule(const hs_schedule_spec *s, hs_str *out)
{
    return add_text(schedule_object(s), out);
}
