/* CLIP's folder, as Hugging Face's CLIPModel and CLIPProcessor have it. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/model/clip_net.h"

enum { PATH_BYTES = 4096, OLD_END = 2 };

HS_CHECKED static int join(const char *folder, const char *name, char out[PATH_BYTES])
{
    int n = snprintf(out, PATH_BYTES, "%s/%s", folder, name);
    return n < PATH_BYTES ? HS_OK : hs_fail(HS_ERANGE, "a path of %d bytes is too long", n);
}

/* ---- config.json ----------------------------------------------------------------------------------- */

HS_CHECKED static int get_size(const json_t *o, const char *key, size_t usual, size_t *out)
{
    const int64_t fallback = (int64_t)usual;
    int64_t v;
    int rc = hs_json_get_i64(o, key, 1, 1 << 30, &fallback, &v);
    *out = rc == HS_OK ? (size_t)v : 0;
    return rc;
}

static const char *act_name(hs_gelu_kind act)
{
    return act == HS_GELU_QUICK ? "quick_gelu" : "gelu";
}

/* t holds what an absent key means. */
HS_CHECKED static int read_tower(const json_t *o, hs_clip_tower_config *t)
{
    const char *act;
    int rc = HS_OK;
    HS_TRY(get_size(o, "hidden_size", t->hidden, &t->hidden));
    HS_TRY(get_size(o, "num_hidden_layers", t->layers, &t->layers));
    HS_TRY(get_size(o, "num_attention_heads", t->heads, &t->heads));
    HS_TRY(get_size(o, "intermediate_size", t->mlp, &t->mlp));
    HS_TRY(hs_json_get_f64(o, "layer_norm_eps", 0, 1, &t->eps, &t->eps));
    HS_TRY(hs_json_get_str(o, "hidden_act", "quick_gelu", &act));
    if (strcmp(act, "quick_gelu") != 0 && strcmp(act, "gelu") != 0) {
        char shown[40];
        hs_text_escape(act, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "hidden_act is \"%s\"; wanted quick_gelu or gelu", shown);
    }
    t->act = strcmp(act, "gelu") == 0 ? HS_GELU_EXACT : HS_GELU_QUICK;
out:
    return rc;
}

HS_CHECKED static int read_vision(const json_t *o, hs_clip_config *c)
{
    size_t channels;
    int rc = HS_OK;
    HS_TRY(read_tower(o, &c->vision));
    HS_TRY(get_size(o, "num_channels", 3, &channels));
    HS_TRY(get_size(o, "image_size", 224, &c->image_size));
    HS_TRY(get_size(o, "patch_size", 32, &c->patch_size));
    if (channels != 3) {
        rc = hs_fail(HS_EFORMAT, "num_channels is %zu; wanted 3", channels);
    }
out:
    return rc;
}

/* *end <- eos_token_id. */
HS_CHECKED static int read_text(const json_t *o, hs_clip_config *c, int64_t *end)
{
    const int64_t usual = OLD_END;
    int rc = HS_OK;
    HS_TRY(read_tower(o, &c->text));
    HS_TRY(get_size(o, "vocab_size", 49408, &c->vocab));
    HS_TRY(get_size(o, "max_position_embeddings", 77, &c->context));
    HS_TRY(hs_json_get_i64(o, "eos_token_id", 0, 1 << 30, &usual, end));
out:
    return rc;
}

HS_CHECKED static int read_part(const json_t *root, const char *key, const json_t **out)
{
    *out = json_object_get(root, key);
    return json_is_object(*out) ? HS_OK : hs_fail(HS_EFORMAT, "%s must be an object", key);
}

/* What a key means that isn't there: ViT-B/32, as CLIPConfig has it. */
HS_CHECKED static int read_config(const json_t *root, hs_clip_config *c, int64_t *end)
{
    const json_t *part;
    const char *type;
    int rc = HS_OK;
    HS_TRY(hs_clip_config_named("ViT-B/32", c));
    HS_TRY(json_is_object(root) ? HS_OK : hs_fail(HS_EFORMAT, "not a JSON object"));
    HS_TRY(hs_json_get_str(root, "model_type", NULL, &type));
    if (strcmp(type, "clip") != 0) {
        char shown[40];
        hs_text_escape(type, shown, sizeof shown);
        return hs_fail(HS_EFORMAT, "model_type is \"%s\"; wanted clip", shown);
    }
    HS_TRY(get_size(root, "projection_dim", 512, &c->projection));
    HS_TRY(read_part(root, "vision_config", &part));
    HS_TRY(hs_fail_in(read_vision(part, c), "vision_config"));
    HS_TRY(read_part(root, "text_config", &part));
    HS_TRY(hs_fail_in(read_text(part, c, end), "text_config"));
out:
    return rc;
}

/* ---- preprocessor_config.json ---------------------------------------------------------------------- */

/* A size, as a number or {KEY: number}; absent: usual. */
HS_CHECKED static int read_side(const json_t *root, const char *name, const char *key, size_t usual, size_t *out)
{
    const json_t *v = json_object_get(root, name);
    if (!json_is_object(v)) {
        return get_size(root, name, usual, out);
    }
    if (json_object_get(v, key) == NULL) {
        return hs_fail(HS_EFORMAT, "%s must have %s", name, key);
    }
    return hs_fail_in(get_size(v, key, usual, out), name);
}

HS_CHECKED static int read_three(const json_t *root, const char *key, double out[3])
{
    const json_t *list = json_object_get(root, key);
    if (list == NULL) {
        return HS_OK;
    }
    for (size_t k = 0; k < 3; k++) {
        const json_t *v = json_array_get(list, k);
        if (json_array_size(list) != 3 || !json_is_number(v)) {
            return hs_fail(HS_EFORMAT, "%s must be an array of 3 numbers", key);
        }
        out[k] = json_number_value(v);
    }
    return HS_OK;
}

HS_CHECKED static int read_preprocessor(const json_t *root, hs_clip_config *c)
{
    static const char *const steps[] = {"do_resize", "do_center_crop", "do_rescale", "do_normalize"};
    const int64_t bicubic = 3;
    const double usual = 1 / 255.0;
    const int yes = 1;
    size_t crop;
    int64_t resample;
    double factor;
    int does, rc = HS_OK;
    HS_TRY(json_is_object(root) ? HS_OK : hs_fail(HS_EFORMAT, "not a JSON object"));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        HS_TRY(hs_json_get_bool(root, steps[i], &yes, &does));
        if (!does) {
            return hs_fail(HS_EFORMAT, "%s is false; images are made ready in all of CLIP's steps or not at all",
                           steps[i]);
        }
    }
    HS_TRY(read_side(root, "size", "shortest_edge", c->image_size, &c->resize));
    HS_TRY(read_side(root, "crop_size", "height", c->image_size, &crop));
    HS_TRY(hs_json_get_i64(root, "resample", 0, 5, &bicubic, &resample));
    HS_TRY(hs_json_get_f64(root, "rescale_factor", 0, 1, &usual, &factor));
    HS_TRY(read_three(root, "image_mean", c->mean));
    HS_TRY(read_three(root, "image_std", c->std));
    if (crop != c->image_size) {
        rc = hs_fail(HS_EFORMAT, "crop_size is %zu, the network's images are %zu", crop, c->image_size);
    } else if (resample != bicubic) {
        rc = hs_fail(HS_EFORMAT, "resample is %d; wanted 3, bicubic", (int)resample);
    } else if (fabs(factor - usual) > 1e-6) {
        rc = hs_fail(HS_EFORMAT, "rescale_factor is %g; wanted 1/255", factor);
    }
out:
    return rc;
}

/* ---- Weights --------------------------------------------------------------------------------------- */

/* Old files also hold 0, 1, 2, ... as embeddings.position_ids. */
static int is_position_ids(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && strcmp(dot, ".position_ids") == 0;
}

/* All names and shapes, before anything is allocated for what the configuration claims. */
HS_CHECKED static int check_tensors(const hs_clip_layout *at, const hs_tensors *ts)
{
    int rc = HS_OK;
    for (size_t i = 0; i < at->n_params; i++) {
        const hs_clip_param *p = &at->param[i];
        const hs_tensor *t = hs_tensors_find(ts, p->name);
        HS_TRY(hs_tensor_check(t, p->name, p->rank, p->dim, t != NULL && hs_tensor_has_shape(t, p->rank, p->dim)));
    }
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        const char *name = hs_tensors_at(ts, i)->name;
        size_t k = 0;
        while (k < at->n_params && strcmp(at->param[k].name, name) != 0) {
            k++;
        }
        if (k == at->n_params && !is_position_ids(name)) {
            return hs_tensor_extra(name);
        }
    }
out:
    return rc;
}

HS_CHECKED static int read_weights(hs_clip *c, const hs_tensors *ts)
{
    int rc = HS_OK;
    HS_TRY(check_tensors(&c->at, ts));
    HS_TRY(hs_alloc(c->at.count, sizeof *c->theta, &c->theta));
    for (size_t i = 0; i < c->at.n_params; i++) {
        const hs_tensor *t = hs_tensors_find(ts, c->at.param[i].name);
        hs_to_f32(t->dtype, t->bytes, t->count, c->theta + c->at.param[i].offset);
    }
    HS_TRY(hs_tensors_check(ts));
out:
    return rc;
}

HS_CHECKED static int open_weights(const char *folder, hs_clip *c)
{
    char path[PATH_BYTES];
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(join(folder, "model.safetensors", path));
    if (access(path, F_OK) != 0) {
        char old[PATH_BYTES];
        HS_TRY(join(folder, "pytorch_model.bin", old));
        memcpy(path, access(old, F_OK) == 0 ? old : path, sizeof path);
    }
    HS_TRY(hs_tensors_map(path, &ts));
    HS_TRY(hs_fail_in(read_weights(c, ts), path));
out:
    hs_tensors_free(ts);
    return rc;
}

/* ---- The folder ------------------------------------------------------------------------------------ */

/* The tokenizer's ids decide; the table may have more rows than it has tokens. */
HS_CHECKED static int match(const hs_bpe *t, int64_t end, hs_clip_config *c)
{
    if (hs_bpe_vocab(t) > c->vocab) {
        return hs_fail(HS_EFORMAT, "vocab.json has %zu tokens, text_config's vocab_size is %zu", hs_bpe_vocab(t),
                       c->vocab);
    }
    if (end != OLD_END && end != hs_bpe_end(t)) {
        return hs_fail(HS_EFORMAT, "text_config's eos_token_id is %lld, vocab.json's end token %d", (long long)end,
                       (int)hs_bpe_end(t));
    }
    c->begin = hs_bpe_begin(t);
    c->end = hs_bpe_end(t);
    return HS_OK;
}

HS_CHECKED static int read_json_config(const char *folder, hs_clip_config *cfg, int64_t *end)
{
    char path[PATH_BYTES];
    json_t *root = NULL;
    int rc = HS_OK;
    HS_TRY(join(folder, "config.json", path));
    HS_TRY(hs_json_read(path, &root));
    HS_TRY(hs_fail_in(read_config(root, cfg, end), path));
    cfg->resize = cfg->image_size;
    HS_TRY(join(folder, "preprocessor_config.json", path));
    if (access(path, F_OK) == 0) {
        json_decref(root);
        root = NULL;
        HS_TRY(hs_json_read(path, &root));
        HS_TRY(hs_fail_in(read_preprocessor(root, cfg), path));
    }
out:
    json_decref(root);
    return rc;
}

int hs_clip_open(const char *folder, hs_clip **out)
{
    hs_clip_config cfg;
    hs_bpe *tokenizer = NULL;
    hs_clip *c = NULL;
    int64_t end;
    int rc = HS_OK;
    HS_TRY(read_json_config(folder, &cfg, &end));
    HS_TRY(hs_bpe_open(folder, &tokenizer));
    HS_TRY(hs_fail_in(match(tokenizer, end, &cfg), folder));
    HS_TRY(hs_fail_in(hs_clip_new(&cfg, HS_EFORMAT, &c), folder));
    c->tokenizer = tokenizer;
    tokenizer = NULL;
    HS_TRY(open_weights(folder, c));
    *out = c;
    c = NULL;
out:
    hs_bpe_free(tokenizer);
    hs_clip_free(c);
    return rc;
}

static json_t *tower_json(const hs_clip_tower_config *t, const char *type, size_t projection)
{
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:s, s:I}", "model_type", type, "hidden_size",
                     (json_int_t)t->hidden, "num_hidden_layers", (json_int_t)t->layers, "num_attention_heads",
                     (json_int_t)t->heads, "intermediate_size", (json_int_t)t->mlp, "layer_norm_eps", t->eps,
                     "hidden_act", act_name(t->act), "projection_dim", (json_int_t)projection);
}

static json_t *config_json(const hs_clip_config *c)
{
    json_t *vision = tower_json(&c->vision, "clip_vision_model", c->projection);
    json_t *text = tower_json(&c->text, "clip_text_model", c->projection);
    json_object_set_new(vision, "num_channels", json_integer(3));
    json_object_set_new(vision, "image_size", json_integer((json_int_t)c->image_size));
    json_object_set_new(vision, "patch_size", json_integer((json_int_t)c->patch_size));
    json_object_set_new(text, "vocab_size", json_integer((json_int_t)c->vocab));
    json_object_set_new(text, "max_position_embeddings", json_integer((json_int_t)c->context));
    json_object_set_new(text, "bos_token_id", json_integer(c->begin));
    json_object_set_new(text, "eos_token_id", json_integer(c->end));
    json_object_set_new(text, "pad_token_id", json_integer(c->end));
    return json_pack("{s:[s], s:s, s:I, s:o, s:o}", "architectures", "CLIPModel", "model_type", "clip",
                     "projection_dim", (json_int_t)c->projection, "text_config", text, "vision_config", vision);
}

static json_t *preprocessor_json(const hs_clip_config *c)
{
    const json_int_t R = (json_int_t)c->image_size;
    return json_pack("{s:s, s:b, s:b, s:b, s:b, s:b, s:i, s:f, s:{s:I}, s:{s:I, s:I}, s:[f,f,f], s:[f,f,f]}",
                     "image_processor_type", "CLIPImageProcessor", "do_resize", 1, "do_center_crop", 1, "do_rescale", 1,
                     "do_normalize", 1, "do_convert_rgb", 1, "resample", 3, "rescale_factor", 1 / 255.0, "size",
                     "shortest_edge", (json_int_t)c->resize, "crop_size", "height", R, "width", R, "image_mean",
                     c->mean[0], c->mean[1], c->mean[2], "image_std", c->std[0], c->std[1], c->std[2]);
}

/* Takes root over. */
HS_CHECKED static int write_json(json_t *root, const char *folder, const char *name)
{
    char path[PATH_BYTES];
    char *text = root != NULL ? json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    int rc = HS_OK;
    HS_TRY(join(folder, name, path));
    HS_TRY(text != NULL ? HS_OK : hs_fail(HS_ENOMEM, "%s: no memory", path));
    HS_TRY(hs_file_write_atomic(path, text, strlen(text), 1));
out:
    free(text);
    json_decref(root);
    return rc;
}

HS_CHECKED static int write_weights(const hs_clip_layout *at, const float *weights, int half, size_t n_meta,
                                    const hs_pair *meta, const char *path)
{
    hs_tensor *t = NULL;
    uint16_t *halves = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(at->n_params, sizeof *t, &t));
    HS_TRY(hs_alloc(half ? at->count : 0, sizeof *halves, &halves));
    if (half) {
        hs_f32_to_f16(weights, at->count, halves);
    }
    for (size_t i = 0; i < at->n_params; i++) {
        const hs_clip_param *p = &at->param[i];
        t[i] = (hs_tensor){.name = p->name, .dtype = half ? HS_F16 : HS_F32, .rank = p->rank, .count = p->count};
        t[i].bytes = half ? (const unsigned char *)(halves + p->offset) : (const unsigned char *)(weights + p->offset);
        for (size_t r = 0; r < p->rank; r++) {
            t[i].dim[r] = p->dim[r];
        }
    }
    HS_TRY(hs_safetensors_write(path, at->n_params, t, n_meta, meta, 1));
out:
    free(halves);
    free(t);
    return rc;
}

int hs_clip_save(const hs_clip *c, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                 const char *folder)
{
    char path[PATH_BYTES];
    int rc = HS_OK;
    HS_TRY(write_json(config_json(&c->cfg), folder, "config.json"));
    HS_TRY(write_json(preprocessor_json(&c->cfg), folder, "preprocessor_config.json"));
    if (c->tokenizer != NULL) {
        HS_TRY(hs_bpe_save(c->tokenizer, folder));
    }
    HS_TRY(join(folder, "model.safetensors", path));
    HS_TRY(write_weights(&c->at, weights, half, n_meta, meta, path));
out:
    return rc;
}
