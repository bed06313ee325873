/* Model, steps, arrays and provenance of a command. */
#include "analysis/cli/common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "analysis/cli/internal.h"
#include "analysis/cli/shipped.h"
#include "core/base/alloc.h"

/* ---- Model and steps ---- */

int hs_common_model_there(const char *model)
{
    struct stat st;
    if (strncmp(model, "random:", 7) == 0 || stat(model, &st) == 0) {
        return HS_OK;
    }
    return hs_fail_errno(model, "open");
}

const char *hs_common_schedule(const hs_cmd *c, const hs_unet_config *cfg)
{
    static const char *const names[] = {"linear", "scaled_linear", "cosine", "table"};
    return hs_cmd_str(c, "schedule") != NULL ? hs_cmd_str(c, "schedule") : names[cfg->schedule.kind];
}

/* What else the model was made of: the files of --arch and --schedule, where they are files. */
HS_CHECKED static int record_files(hs_cmd *c)
{
    const char *const file[] = {hs_cmd_str(c, "arch"), hs_cmd_str(c, "schedule")};
    struct stat st;
    int rc = HS_OK;
    for (size_t i = 0; i < 2 && rc == HS_OK; i++) {
        if (file[i] != NULL && strchr(file[i], '.') != NULL && stat(file[i], &st) == 0) {
            rc = hs_cmd_input(c, file[i]);
        }
    }
    return rc;
}

/* The network's classes are those of --class, which must be there where it has any. */
HS_CHECKED static int set_classes(const hs_cmd *c, hs_unet *u)
{
    const double *value;
    size_t n = hs_cmd_grid(c, "class", &value), classes = hs_unet_config_of(u)->classes;
    int *y = NULL, rc = HS_OK;
    if (n == 0 && classes > 0) {
        return hs_fail(HS_ERANGE, "--class: none given; the model is class-conditional, wanted one of 0 to %zu",
                       classes - 1);
    }
    if (n == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, sizeof *y, &y));
    for (size_t i = 0; i < n; i++) {
        y[i] = (int)value[i];
        if (value[i] != floor(value[i])) {
            rc = hs_fail(HS_ERANGE, "--class: %.17g is not a whole number", value[i]);
            goto out;
        }
    }
    HS_TRY(hs_fail_in(hs_unet_set_classes(u, n, y), "--class"));
out:
    free(y);
    return rc;
}

int hs_common_classes_fit(const hs_cmd *c, size_t n)
{
    size_t given = hs_cmd_grid(c, "class", NULL);
    return given <= 1 || given == n
               ? HS_OK
               : hs_fail(HS_ERANGE, "--class: %zu classes for %zu images; wanted one, or one an image", given, n);
}

int hs_common_clipping(const hs_cmd *c, const hs_model *m)
{
    return !hs_cmd_flag(c, "clip")                             ? HS_CLIP_NONE
           : hs_unet_config_of(m->unet)->names == HS_NAMES_ADM ? HS_CLIP_BOTH
                                                               : HS_CLIP_P;
}

int hs_common_model_named(hs_cmd *c, const char *name, hs_model *out)
{
    char shipped[HS_SHIPPED_PATH];
    const char *model = hs_shipped_or(name, shipped);
    int rc = hs_common_model_there(model);
    if (rc == HS_OK) {
        rc = hs_model_open(model, hs_cmd_str(c, "arch"), hs_cmd_str(c, "schedule"), out);
    }
    if (rc != HS_OK) {
        return rc;
    }
    rc = set_classes(c, out->unet);
    if (rc != HS_OK) {
        hs_model_free(out);
        return rc;
    }
    if (out->untrained) {
        hs_cmd_warn(c, "%s is untrained: its pictures and numbers mean nothing", out->name);
    }
    rc = hs_cmd_input_sha(c, out->path != NULL && out->path[0] != '\0' ? out->path : name, out->sha256);
    rc = rc == HS_OK ? record_files(c) : rc;
    if (rc != HS_OK) {
        hs_model_free(out);
    }
    return rc;
}

int hs_common_model(hs_cmd *c, hs_model *out)
{
    int rc;
    HS_TRY(hs_cmd_need(c, "model"));
    HS_TRY(hs_common_model_named(c, hs_cmd_str(c, "model"), out));
    json_object_set_new(hs_cmd_params(c), "model_sha256", json_string(out->sha256));
    json_object_set_new(hs_cmd_params(c), "schedule", json_string(hs_common_schedule(c, hs_unet_config_of(out->unet))));
out:
    return rc;
}

hs_conv_mode hs_common_conv(const hs_cmd *c)
{
    static const struct {
        const char *name;
        hs_conv_mode mode;
    } modes[] = {{"winograd", HS_CONV_WINOGRAD}, {"direct", HS_CONV_DIRECT}, {"im2col", HS_CONV_IM2COL}};
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(hs_cmd_str(c, "conv"), modes[i].name) == 0) {
            return modes[i].mode;
        }
    }
    return HS_CONV_AUTO;
}

size_t hs_common_batch(const hs_cmd *c, size_t n)
{
    size_t batch = (size_t)hs_cmd_int(c, "batch");
    return batch < n ? batch : n > 0 ? n : 1;
}

HS_CHECKED static int steps_of_list(hs_cmd *c, const hs_schedule *s, hs_steps *out)
{
    const double *value;
    size_t n = hs_cmd_grid(c, "timesteps", &value);
    int *t = NULL, rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *t, &t));
    for (size_t i = 0; i < n; i++) {
        if (value[i] != floor(value[i])) {
            rc = hs_fail(HS_ERANGE, "--timesteps: %.17g is not a whole number", value[i]);
            goto out;
        }
        t[i] = (int)value[i];
    }
    if (hs_cmd_given(c, "steps") && (size_t)hs_cmd_int(c, "steps") != n) {
        rc = hs_fail(HS_ERANGE, "--timesteps: %zu of them, but --steps says %lld; wanted one of the two", n,
                     (long long)hs_cmd_int(c, "steps"));
        goto out;
    }
    HS_TRY(hs_fail_in(hs_steps_from_list(s, n, t, out), "--timesteps"));
    json_object_set_new(hs_cmd_params(c), "steps", json_integer((json_int_t)n));
    json_object_set_new(hs_cmd_params(c), "spacing", json_string("list"));
out:
    free(t);
    return rc;
}

int hs_common_spaced(const hs_cmd *c, const hs_schedule *s, size_t S, hs_steps *out)
{
    static const char *const names[] = {"asyrp", "leading", "trailing", "linspace"};
    hs_steps_spec spec = {.S = S, .set_alpha_to_one = 1};
    for (int i = 0; i < 4; i++) {
        if (strcmp(hs_cmd_str(c, "spacing"), names[i]) == 0) {
            spec.spacing = (hs_spacing)i;
        }
    }
    return hs_fail_in(hs_steps_create(s, &spec, out), "--steps");
}

int hs_common_listed(const hs_cmd *c)
{
    return hs_cmd_grid(c, "timesteps", NULL) > 0 || hs_cmd_str(c, "respacing") != NULL;
}

HS_CHECKED static int steps_of_respacing(hs_cmd *c, const hs_schedule *s, hs_steps *out)
{
    int rc = HS_OK;
    if (hs_cmd_grid(c, "timesteps", NULL) > 0 || hs_cmd_given(c, "steps") || hs_cmd_given(c, "spacing")) {
        return hs_fail(HS_ERANGE, "--respacing: beside --timesteps, --steps or --spacing; wanted one of them");
    }
    HS_TRY(hs_fail_in(hs_steps_respaced(s, hs_cmd_str(c, "respacing"), out), "--respacing"));
    json_object_set_new(hs_cmd_params(c), "steps", json_integer((json_int_t)out->S));
    json_object_set_new(hs_cmd_params(c), "spacing", json_string("respacing"));
out:
    return rc;
}

int hs_common_steps(hs_cmd *c, const hs_schedule *s, hs_steps *out)
{
    int rc = hs_cmd_str(c, "respacing") != NULL      ? steps_of_respacing(c, s, out)
             : hs_cmd_grid(c, "timesteps", NULL) > 0 ? steps_of_list(c, s, out)
                                                     : hs_common_spaced(c, s, (size_t)hs_cmd_int(c, "steps"), out);
    if (rc != HS_OK) {
        return rc;
    }
    json_t *t = json_array();
    for (size_t i = 0; i < out->S; i++) {
        json_array_append_new(t, json_integer(out->step[i].t));
    }
    json_object_set_new(hs_cmd_params(c), "timesteps", t);
    return HS_OK;
}

/* ---- Arrays ---- */

void hs_array_free(hs_array *a)
{
    free(a->v);
    memset(a, 0, sizeof *a);
}

int hs_array_of(const hs_tensor *t, hs_array *out)
{
    hs_array a = {.rank = t->rank, .count = t->count};
    int rc = hs_alloc(t->count, sizeof *a.v, &a.v);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t i = 0; i < t->rank; i++) {
        a.dim[i] = (size_t)t->dim[i];
    }
    hs_to_f32(t->dtype, t->bytes, t->count, a.v);
    *out = a;
    return HS_OK;
}

int hs_common_array(hs_cmd *c, const char *path, hs_array *out)
{
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_tensors_open(path, &ts));
    if (hs_tensors_count(ts) != 1) {
        rc = hs_fail(HS_ESHAPE, "%s: holds %zu arrays; wanted one (.npy)", path, hs_tensors_count(ts));
        goto out;
    }
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(hs_array_of(hs_tensors_at(ts, 0), out));
out:
    hs_tensors_free(ts);
    return rc;
}

/* "(2, 3, 64, 64)" */
static const char *shape_text(const hs_array *a, char *out, size_t size)
{
    size_t used = (size_t)snprintf(out, size, "(");
    for (size_t i = 0; i < a->rank && used < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%zu", i > 0 ? ", " : "", a->dim[i]);
    }
    if (used < size) {
        snprintf(out + used, size - used, ")");
    }
    return out;
}

HS_CHECKED static int all_finite(const char *path, const hs_array *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!isfinite(a->v[i])) {
            return hs_fail(HS_EFORMAT, "%s: element %zu is not finite; wanted numbers only", path, i);
        }
    }
    return HS_OK;
}

/* An array of rank 3 to `most` that ends in shape and is finite; lead names what stands before. */
HS_CHECKED static int ends_in(hs_cmd *c, const char *path, hs_chw shape, size_t most, const char *lead, hs_array *out)
{
    char text[128];
    hs_array a = {0};
    int rc = HS_OK;
    HS_TRY(hs_common_array(c, path, &a));
    size_t at = a.rank >= 3 ? a.rank - 3 : 0;
    int fits = a.rank >= 3 && a.rank <= most && a.dim[at] == shape.c && a.dim[at + 1] == shape.h &&
               a.dim[at + 2] == shape.w && a.count > 0;
    if (!fits) {
        rc = hs_fail(HS_ESHAPE, "%s: shape %s; wanted (%s%zu, %zu, %zu)", path, shape_text(&a, text, sizeof text), lead,
                     shape.c, shape.h, shape.w);
        goto out;
    }
    HS_TRY(all_finite(path, &a));
    *out = a;
    a = (hs_array){0};
out:
    hs_array_free(&a);
    return rc;
}

int hs_common_batch_of(hs_cmd *c, const char *path, hs_chw shape, hs_array *out, size_t *n)
{
    int rc = HS_OK;
    HS_TRY(ends_in(c, path, shape, 4, "N, ", out));
    *n = out->rank == 4 ? out->dim[0] : 1;
out:
    return rc;
}

int hs_common_stack_of(hs_cmd *c, const char *path, hs_chw shape, hs_array *out)
{
    return ends_in(c, path, shape, 5, "N, or N, K, ", out);
}

/* ---- Provenance ---- */

int hs_common_provenance(const hs_cmd *c, hs_result *r)
{
    char source[256], created[32];
    char *params = NULL;
    time_t now = time(NULL);
    struct tm utc;
    int rc = HS_OK;
    json_t *all = hs_answer_params(c);
    snprintf(source, sizeof source, "hspace %s (%s)", hs_version(), hs_version_git());
    gmtime_r(&now, &utc);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    params = json_dumps(all, JSON_REAL_PRECISION(17));
    if (params == NULL) {
        rc = hs_fail(HS_ENOMEM, "provenance: out of memory");
        goto out;
    }
    HS_TRY(hs_result_attr_str(r, NULL, "source", source));
    HS_TRY(hs_result_attr_str(r, NULL, "command_line", hs_cmd_line(c)));
    HS_TRY(hs_result_attr_str(r, NULL, "created", created));
    HS_TRY(hs_result_attr_i64(r, NULL, "seed", (int64_t)hs_cmd_seed(c)));
    HS_TRY(hs_result_attr_str(r, NULL, "params", params));
out:
    free(params);
    json_decref(all);
    return rc;
}

hs_space hs_common_space(const hs_cmd *c)
{
    return hs_cmd_str(c, "space")[0] == 'e' ? HS_SPACE_EPS : HS_SPACE_H;
}
