/* The attribute network's folder: config.json and model.safetensors. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/model/attrnet_net.h"

enum { PATH_BYTES = 4096 };
static const char class_name[] = "HspaceAttrNet";

HS_CHECKED static int join(const char *folder, const char *name, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return n < PATH_BYTES ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", n);
}

/* ---- Reading --------------------------------------------------------------------------------------- */

HS_CHECKED static int read_factor(const json_t *o, hs_attr_factor *f)
{
    const double zero = 0, one = 1;
    const char *name, *kind;
    int rc = HS_OK;
    if (!json_is_object(o)) {
        return hs_fail(HS_EFORMAT, "must be an object with name and kind");
    }
    HS_TRY(hs_json_get_str(o, "name", NULL, &name));
    HS_TRY(hs_json_get_str(o, "kind", NULL, &kind));
    if (strlen(name) >= sizeof f->name || (strcmp(kind, "binary") != 0 && strcmp(kind, "continuous") != 0)) {
        char shown[64];
        hs_text_escape(name, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "\"%s\" must have a name of at most 31 bytes and kind binary or continuous", shown);
    }
    *f = (hs_attr_factor){.binary = strcmp(kind, "binary") == 0};
    memcpy(f->name, name, strlen(name) + 1);
    HS_TRY(hs_json_get_f64(o, "mean", -1e300, 1e300, f->binary ? &zero : NULL, &f->mean));
    HS_TRY(hs_json_get_f64(o, "sd", 0, 1e300, f->binary ? &one : NULL, &f->sd));
out:
    return rc;
}

HS_CHECKED static int read_factors(const json_t *root, hs_attrnet_config *c)
{
    const json_t *list = json_object_get(root, "factors");
    int rc = HS_OK;
    c->n_factors = json_array_size(list);
    if (c->n_factors == 0 || c->n_factors > HS_ATTR_FACTORS_MAX) {
        return hs_fail(HS_EFORMAT, "factors must be an array of 1 to %d objects", HS_ATTR_FACTORS_MAX);
    }
    for (size_t k = 0; k < c->n_factors; k++) {
        char where[32];
        snprintf(where, sizeof where, "factors[%zu]", k);
        HS_TRY(hs_fail_in(read_factor(json_array_get(list, k), &c->factor[k]), where));
    }
out:
    return rc;
}

HS_CHECKED static int read_config(const json_t *root, hs_attrnet_config *c)
{
    const char *name;
    int64_t size, groups, features, ch[HS_ATTR_LEVELS_MAX];
    int rc = HS_OK;
    if (!json_is_object(root)) {
        return hs_fail(HS_EFORMAT, "not a JSON object");
    }
    HS_TRY(hs_json_get_str(root, "_class_name", NULL, &name));
    if (strcmp(name, class_name) != 0) {
        char shown[64];
        hs_text_escape(name, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "_class_name is \"%s\", an attribute network's is %s", shown, class_name);
    }
    HS_TRY(hs_json_get_i64(root, "image_size", 4, 1024, NULL, &size));
    HS_TRY(hs_json_get_i64(root, "norm_num_groups", 1, 1024, NULL, &groups));
    HS_TRY(hs_json_get_i64(root, "features", 1, 65536, NULL, &features));
    HS_TRY(hs_json_get_i64s(root, "channels", 1, 4096, HS_ATTR_LEVELS_MAX, ch, &c->levels));
    c->image_size = (size_t)size;
    c->groups = (size_t)groups;
    c->features = (size_t)features;
    for (size_t l = 0; l < c->levels; l++) {
        c->ch[l] = (size_t)ch[l];
    }
    HS_TRY(read_factors(root, c));
out:
    return rc;
}

/* All names and shapes, before anything is allocated for what the configuration claims. */
HS_CHECKED static int check_tensors(const hs_attr_layout *at, const hs_tensors *ts)
{
    int rc = HS_OK;
    for (size_t i = 0; i < at->n_params; i++) {
        const hs_attr_param *p = &at->param[i];
        const hs_tensor *t = hs_tensors_find(ts, p->name);
        HS_TRY(hs_tensor_check(t, p->name, p->rank, p->dim, t != NULL && hs_tensor_has_shape(t, p->rank, p->dim)));
    }
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        size_t k = 0;
        while (k < at->n_params && strcmp(at->param[k].name, hs_tensors_at(ts, i)->name) != 0) {
            k++;
        }
        if (k == at->n_params) {
            return hs_tensor_extra(hs_tensors_at(ts, i)->name);
        }
    }
out:
    return rc;
}

HS_CHECKED static int read_weights(const hs_attrnet_config *cfg, const hs_attr_layout *at, const hs_tensors *ts,
                                   hs_attrnet **out)
{
    hs_attrnet *a = NULL;
    int rc = HS_OK;
    HS_TRY(check_tensors(at, ts));
    HS_TRY(hs_attr_new(cfg, at, &a));
    for (size_t i = 0; i < at->n_params; i++) {
        const hs_tensor *t = hs_tensors_find(ts, at->param[i].name);
        hs_to_f32(t->dtype, t->bytes, t->count, a->theta + at->param[i].offset);
    }
    *out = a;
out:
    return rc;
}

int hs_attrnet_open(const char *folder, hs_attrnet **out)
{
    char path[PATH_BYTES];
    hs_attrnet_config cfg = {0};
    hs_attr_layout at;
    json_t *root = NULL;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(join(folder, "config.json", path));
    HS_TRY(hs_json_read(path, &root));
    HS_TRY(hs_fail_in(read_config(root, &cfg), path));
    HS_TRY(hs_fail_in(hs_attr_lay_out(&cfg, HS_EFORMAT, &at), path));
    HS_TRY(join(folder, "model.safetensors", path));
    HS_TRY(hs_safetensors_open(path, &ts));
    HS_TRY(hs_fail_in(read_weights(&cfg, &at, ts, out), path));
out:
    json_decref(root);
    hs_tensors_free(ts);
    return rc;
}

/* ---- Writing --------------------------------------------------------------------------------------- */

static json_t *factor_json(const hs_attr_factor *f)
{
    return json_pack("{s:s, s:s, s:f, s:f}", "name", f->name, "kind", f->binary ? "binary" : "continuous", "mean",
                     f->mean, "sd", f->sd);
}

HS_CHECKED static int write_config(const hs_attrnet_config *c, const char *path)
{
    json_t *ch = json_array(), *factors = json_array(), *root = NULL;
    char *text = NULL;
    int rc = HS_OK;
    for (size_t l = 0; l < c->levels; l++) {
        json_array_append_new(ch, json_integer((json_int_t)c->ch[l]));
    }
    for (size_t k = 0; k < c->n_factors; k++) {
        json_array_append_new(factors, factor_json(&c->factor[k]));
    }
    root = json_pack("{s:s, s:I, s:O, s:I, s:I, s:O}", "_class_name", class_name, "image_size",
                     (json_int_t)c->image_size, "channels", ch, "norm_num_groups", (json_int_t)c->groups, "features",
                     (json_int_t)c->features, "factors", factors);
    text = root != NULL ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    if (text == NULL) {
        rc = hs_fail(HS_ERANGE, "%s: a factor's name is not UTF-8, or out of memory", path);
        goto out;
    }
    HS_TRY(hs_file_write_atomic(path, text, strlen(text), 1));
out:
    free(text);
    json_decref(root);
    json_decref(ch);
    json_decref(factors);
    return rc;
}

HS_CHECKED static int write_weights(const hs_attr_layout *at, const float *weights, int half, size_t n_meta,
                                    const hs_pair *meta, const char *path)
{
    hs_tensor t[HS_ATTR_PARAMS_MAX] = {{0}};
    uint16_t *halves = NULL;
    int rc = HS_OK;
    if (half) {
        HS_TRY(hs_alloc(at->count, sizeof *halves, &halves));
        hs_f32_to_f16(weights, at->count, halves);
    }
    for (size_t i = 0; i < at->n_params; i++) {
        const hs_attr_param *p = &at->param[i];
        t[i] = (hs_tensor){.name = p->name, .dtype = half ? HS_F16 : HS_F32, .rank = p->rank, .count = p->count};
        t[i].bytes = half ? (const unsigned char *)(halves + p->offset) : (const unsigned char *)(weights + p->offset);
        for (size_t r = 0; r < p->rank; r++) {
            t[i].dim[r] = p->dim[r];
        }
    }
    HS_TRY(hs_safetensors_write(path, at->n_params, t, n_meta, meta, 1));
out:
    free(halves);
    return rc;
}

int hs_attrnet_save(const hs_attrnet *a, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                    const char *folder)
{
    char path[PATH_BYTES];
    int rc = HS_OK;
    HS_TRY(join(folder, "config.json", path));
    HS_TRY(write_config(&a->cfg, path));
    HS_TRY(join(folder, "model.safetensors", path));
    HS_TRY(write_weights(&a->at, weights, half, n_meta, meta, path));
out:
    return rc;
}
