/* hspace info of a model, and the list of architectures. */
#include <stdio.h>
#include <string.h>

#include "analysis/cli/info.h"
#include "analysis/cli/shipped.h"
#include "core/io/json.h"

json_t *hs_json_chw(hs_chw s)
{
    return json_pack("[I, I, I]", (json_int_t)s.c, (json_int_t)s.h, (json_int_t)s.w);
}

int hs_info_archs(hs_cmd *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < hs_arch_count(); i++) {
        hs_unet_config cfg;
        int rc = hs_arch_builtin(hs_arch_name(i), &cfg);
        if (rc != HS_OK) {
            json_decref(list);
            return rc;
        }
        json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}", "name", hs_arch_name(i), "summary",
                                              hs_arch_summary(i), "image", hs_json_chw(hs_unet_image_shape(&cfg)), "h",
                                              hs_json_chw(hs_unet_h_shape(&cfg))));
        hs_cmd_say(c, "%-21s %s\n", hs_arch_name(i), hs_arch_summary(i));
        hs_unet_config_free(&cfg);
    }
    json_object_set_new(hs_cmd_results(c), "kind", json_string("archs"));
    json_object_set_new(hs_cmd_results(c), "archs", list);
    return HS_OK;
}

static void say_model(hs_cmd *c, const hs_model *m, const hs_unet_config *cfg)
{
    hs_chw image = hs_unet_image_shape(cfg), h = hs_unet_h_shape(cfg);
    hs_cmd_say(c, "model       %s (%s)%s\n", m->name, m->format, m->untrained ? ", untrained" : "");
    hs_cmd_say(c, "family      %s, %.1f million parameters\n", cfg->family, (double)hs_unet_parameters(m->unet) / 1e6);
    hs_cmd_say(c, "image       %zu x %zu x %zu\n", image.c, image.h, image.w);
    hs_cmd_say(c, "h           %zu x %zu x %zu\n", h.c, h.h, h.w);
    hs_cmd_say(c, "schedule    %s, T = %zu, predicts %s; x_T keeps %.2g of an image\n", hs_common_schedule(c, cfg),
               m->schedule.T, cfg->prediction, hs_schedule_kept(&m->schedule));
    if (cfg->classes > 0) {
        hs_cmd_say(c, "classes     %zu (--class)\n", cfg->classes);
    }
    hs_cmd_say(c, "sha256      %s\n", m->sha256);
}

/* A folder whose config.json says that it is an attribute network. */
static int is_attrnet(const char *folder)
{
    char path[HS_SHIPPED_PATH + 16];
    json_t *root = NULL;
    int n = snprintf(path, sizeof path, "%s/config.json", folder);
    int found = n < (int)sizeof path && hs_json_read(path, &root) == HS_OK;
    const char *name = found ? json_string_value(json_object_get(root, "_class_name")) : NULL;
    found = name != NULL && strcmp(name, "HspaceAttrNet") == 0;
    json_decref(root);
    return found;
}

HS_CHECKED static int info_attrnet(hs_cmd *c, const char *folder)
{
    hs_attrnet *a = NULL;
    size_t count;
    int rc = hs_attrnet_open(folder, &a);
    if (rc != HS_OK) {
        return rc;
    }
    const hs_attrnet_config *cfg = hs_attrnet_config_of(a);
    (void)hs_attrnet_theta(a, &count);
    json_t *r = hs_cmd_results(c), *factors = json_array();
    hs_cmd_say(c, "attribute network, %.2f million parameters, images of %zu x %zu, %zu features\n",
               (double)count / 1e6, cfg->image_size, cfg->image_size, cfg->features);
    for (size_t k = 0; k < cfg->n_factors; k++) {
        const hs_attr_factor *f = &cfg->factor[k];
        const char *kind = f->binary ? "binary" : "continuous";
        json_array_append_new(factors, json_pack("{s:s, s:s, s:o, s:o}", "name", f->name, "kind", kind, "mean",
                                                 hs_json_num(f->mean), "sd", hs_json_num(f->sd)));
        hs_cmd_say(c, "  %-20s %-10s  mean %.4g, sd %.4g\n", f->name, kind, f->mean, f->sd);
    }
    json_object_set_new(r, "kind", json_string("attributes"));
    json_object_set_new(r, "params", json_integer((json_int_t)count));
    json_object_set_new(r, "image", hs_json_chw((hs_chw){3, cfg->image_size, cfg->image_size}));
    json_object_set_new(r, "features", json_integer((json_int_t)cfg->features));
    json_object_set_new(r, "factors", factors);
    hs_attrnet_free(a);
    return HS_OK;
}

/* A folder whose config.json says that it is a CLIP. */
static int is_clip(const char *folder)
{
    char path[HS_SHIPPED_PATH + 16];
    json_t *root = NULL;
    int n = snprintf(path, sizeof path, "%s/config.json", folder);
    int found = n < (int)sizeof path && hs_json_read(path, &root) == HS_OK;
    const char *type = found ? json_string_value(json_object_get(root, "model_type")) : NULL;
    found = type != NULL && strcmp(type, "clip") == 0;
    json_decref(root);
    return found;
}

static json_t *tower_json(hs_cmd *c, const char *name, const hs_clip_tower_config *t)
{
    const char *act = t->act == HS_GELU_QUICK ? "quick_gelu" : "gelu";
    hs_cmd_say(c, "%-12s%zu blocks of width %zu, %zu heads, %zu in between, %s\n", name, t->layers, t->hidden, t->heads,
               t->mlp, act);
    return json_pack("{s:I, s:I, s:I, s:I, s:s, s:f}", "hidden", (json_int_t)t->hidden, "layers", (json_int_t)t->layers,
                     "heads", (json_int_t)t->heads, "mlp", (json_int_t)t->mlp, "activation", act, "eps", t->eps);
}

HS_CHECKED static int info_clip(hs_cmd *c, const char *folder)
{
    hs_clip *clip = NULL;
    size_t count;
    int rc = hs_clip_open(folder, &clip);
    if (rc != HS_OK) {
        return rc;
    }
    const hs_clip_config *cfg = hs_clip_config_of(clip);
    const float *theta = hs_clip_theta(clip, &count);
    json_t *r = hs_cmd_results(c);
    hs_cmd_say(c, "CLIP        %.1f million parameters, embeddings of %zu numbers\n", (double)count / 1e6,
               cfg->projection);
    hs_cmd_say(c, "images      %zu x %zu in patches of %zu\n", cfg->image_size, cfg->image_size, cfg->patch_size);
    hs_cmd_say(c, "texts       %zu tokens of %zu, begin %d, end %d\n", cfg->context, cfg->vocab, (int)cfg->begin,
               (int)cfg->end);
    json_object_set_new(r, "kind", json_string("clip"));
    json_object_set_new(r, "params", json_integer((json_int_t)count));
    json_object_set_new(r, "projection", json_integer((json_int_t)cfg->projection));
    json_object_set_new(r, "image", hs_json_chw((hs_chw){3, cfg->image_size, cfg->image_size}));
    json_object_set_new(r, "patch", json_integer((json_int_t)cfg->patch_size));
    json_object_set_new(r, "context", json_integer((json_int_t)cfg->context));
    json_object_set_new(r, "vocab", json_integer((json_int_t)cfg->vocab));
    json_object_set_new(r, "logit_scale", hs_json_num((double)theta[0]));
    json_object_set_new(r, "vision", tower_json(c, "image tower", &cfg->vision));
    json_object_set_new(r, "text", tower_json(c, "text tower", &cfg->text));
    hs_clip_free(clip);
    return HS_OK;
}

int hs_info_model(hs_cmd *c, const char *path)
{
    hs_model m = {0};
    char shipped[HS_SHIPPED_PATH];
    path = hs_shipped_or(path, shipped);
    if (is_attrnet(path)) {
        return info_attrnet(c, path);
    }
    if (is_clip(path)) {
        return info_clip(c, path);
    }
    int rc = hs_common_model_there(path);
    if (rc == HS_OK) {
        rc = hs_model_open(path, hs_cmd_str(c, "arch"), hs_cmd_str(c, "schedule"), &m);
    }
    if (rc != HS_OK) {
        return rc;
    }
    const hs_unet_config *cfg = hs_unet_config_of(m.unet);
    json_t *r = hs_cmd_results(c), *skips = json_array();
    for (size_t i = 0; i < hs_unet_skip_count(cfg); i++) {
        json_array_append_new(skips, hs_json_chw(hs_unet_skip_shape(cfg, i)));
    }
    json_object_set_new(r, "kind", json_string("model"));
    json_object_set_new(r, "name", json_string(m.name));
    json_object_set_new(r, "format", json_string(m.format));
    json_object_set_new(r, "family", json_string(cfg->family));
    json_object_set_new(r, "params", json_integer((json_int_t)hs_unet_parameters(m.unet)));
    json_object_set_new(r, "image", hs_json_chw(hs_unet_image_shape(cfg)));
    json_object_set_new(r, "h", hs_json_chw(hs_unet_h_shape(cfg)));
    json_object_set_new(r, "skips", skips);
    json_object_set_new(r, "T", json_integer((json_int_t)m.schedule.T));
    json_object_set_new(r, "schedule", json_string(hs_common_schedule(c, cfg)));
    json_object_set_new(r, "sqrt_alpha_bar_T", hs_json_num(hs_schedule_kept(&m.schedule)));
    json_object_set_new(r, "prediction", json_string(cfg->prediction));
    json_object_set_new(r, "classes", json_integer((json_int_t)cfg->classes));
    json_object_set_new(r, "sha256", json_string(m.sha256));
    json_object_set_new(r, "untrained", json_boolean(m.untrained));
    say_model(c, &m, cfg);
    rc = hs_cmd_input_sha(c, m.path != NULL && m.path[0] != '\0' ? m.path : path, m.sha256);
    hs_model_free(&m);
    return rc;
}
