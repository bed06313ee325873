/* hspace info of files: stores, results, tensors. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/info.h"

/* ---- Activation stores ---- */

static void put_store(hs_cmd *c, const hs_store_info *s)
{
    json_t *r = hs_cmd_results(c), *t = json_array();
    for (size_t k = 0; k < s->S && s->timestep != NULL; k++) {
        json_array_append_new(t, json_integer(s->timestep[k]));
    }
    json_object_set_new(r, "kind", json_string("activations"));
    json_object_set_new(r, "n", json_integer((json_int_t)s->n));
    json_object_set_new(r, "timesteps", t);
    json_object_set_new(r, "h", hs_json_chw(s->h));
    json_object_set_new(r, "dtype", json_string(hs_dtype_name(s->dtype)));
    json_object_set_new(r, "shards", json_integer(s->shards > 0 ? (json_int_t)s->shards : 1));
    json_object_set_new(r, "sealed", json_boolean(s->sealed));
    json_object_set_new(r, "units_committed", json_integer((json_int_t)s->units_committed));
    json_object_set_new(r, "units_total", json_integer((json_int_t)s->units_total));
    json_object_set_new(r, "tap", json_string(s->tap));
    json_object_set_new(r, "model_sha256", json_string(s->model_sha256));
    json_object_set_new(r, "store_id", json_string(s->store_id));
    json_object_set_new(r, "content_sha256", s->sealed ? json_string(s->content_sha256) : json_null());
    if (!s->sealed) {
        json_object_set_new(r, "reason", json_string("still being written: no content_sha256 yet"));
    }
}

int hs_info_store(hs_cmd *c, const char *path)
{
    hs_store_info s = {0};
    int rc = hs_store_inspect(path, &s);
    if (rc != HS_OK) {
        return rc;
    }
    put_store(c, &s);
    hs_cmd_say(c, "activations %zu samples x %zu timesteps (%d ... %d)\n", s.n, s.S,
               s.timestep != NULL && s.S > 0 ? s.timestep[0] : 0,
               s.timestep != NULL && s.S > 0 ? s.timestep[s.S - 1] : 0);
    hs_cmd_say(c, "h           %zu x %zu x %zu %s at %s\n", s.h.c, s.h.h, s.h.w, hs_dtype_name(s.dtype), s.tap);
    hs_cmd_say(c, "state       %s, %zu of %zu units\n", s.sealed ? "sealed" : "being written", s.units_committed,
               s.units_total);
    hs_cmd_say(c, "model       %s\n", s.model_sha256);
    if (s.shards > 0) {
        hs_cmd_say(c, "shards      %zu, of which this is the index\n", s.shards);
    }
    if (s.sealed) {
        hs_cmd_say(c, "content     %s\n", s.content_sha256);
        rc = hs_cmd_input(c, path);
    }
    free(s.timestep);
    return rc;
}

/* ---- Results and directions ---- */

/* Text attributes that our files may have. */
static void put_attributes(hs_cmd *c, hs_result_in *r)
{
    static const char *const names[] = {"method",  "tap",    "model_sha256", "direction", "readout",
                                        "verdict", "reason", "source",       "created",   "command_line"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = NULL;
        if (hs_result_attr_get_str(r, NULL, names[i], &text) == HS_OK) {
            json_object_set_new(hs_cmd_results(c), names[i], json_string(text));
            hs_cmd_say(c, "%-19s%s\n", names[i], text);
            free(text);
        }
    }
}

/* Shapes of the arrays that our kinds of file hold. */
static void put_arrays(hs_cmd *c, hs_result_in *r)
{
    static const char *const names[] = {"delta_h", "delta_eps", "component", "effect",
                                        "h",       "timestep",  "strength",  "explained_variance"};
    json_t *arrays = json_object();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t rank = 0, dim[8];
        if (!hs_result_has(r, names[i]) || hs_result_shape(r, names[i], &rank, dim) != HS_OK) {
            continue;
        }
        json_t *shape = json_array();
        hs_cmd_say(c, "%-19s(", names[i]);
        for (size_t k = 0; k < rank; k++) {
            json_array_append_new(shape, json_integer((json_int_t)dim[k]));
            hs_cmd_say(c, "%s%zu", k > 0 ? ", " : "", dim[k]);
        }
        hs_cmd_say(c, ")\n");
        json_object_set_new(arrays, names[i], shape);
    }
    json_object_set_new(hs_cmd_results(c), "arrays", arrays);
}

HS_CHECKED static int put_directions(hs_cmd *c, hs_result_in *r)
{
    char **names = NULL;
    size_t n = 0;
    int rc = hs_result_get_strings(r, "direction", &n, &names);
    json_t *list = json_array();
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        json_array_append_new(list, json_string(names[i]));
        hs_cmd_say(c, "%s%s%s", i == 0 ? "directions         " : ", ", names[i], i + 1 == n ? "\n" : "");
    }
    for (size_t i = 0; i < n; i++) {
        free(names[i]);
    }
    free(names);
    json_object_set_new(hs_cmd_results(c), "directions", list);
    return rc;
}

int hs_info_hdf5(hs_cmd *c, const char *path)
{
    hs_result_in *r = NULL;
    int rc = HS_OK;
    HS_TRY(hs_result_open(path, &r));
    const char *kind = hs_result_kind(r);
    if (hs_store_kind(kind)) {
        hs_result_close(r);
        return hs_info_store(c, path);
    }
    json_object_set_new(hs_cmd_results(c), "kind", json_string(kind[0] != '\0' ? kind : "hdf5"));
    hs_cmd_say(c, "kind               %s\n", kind[0] != '\0' ? kind : "plain HDF5");
    put_attributes(c, r);
    put_arrays(c, r);
    if (hs_result_has_texts(r, "direction")) {
        HS_TRY(put_directions(c, r));
    }
    HS_TRY(hs_cmd_input(c, path));
out:
    hs_result_close(r);
    return rc;
}

/* ---- Tensor files ---- */

int hs_info_tensors(hs_cmd *c, const char *path)
{
    enum { SHOWN = 12 };
    hs_tensors *ts = NULL;
    json_t *list = json_array();
    size_t elements = 0;
    int rc = HS_OK;
    HS_TRY(hs_tensors_open(path, &ts));
    size_t n = hs_tensors_count(ts);
    hs_cmd_say(c, "tensors     %zu\n", n);
    for (size_t i = 0; i < n; i++) {
        const hs_tensor *t = hs_tensors_at(ts, i);
        json_t *shape = json_array();
        char name[200], dims[200];
        size_t used = 0;
        dims[0] = '\0';
        for (size_t k = 0; k < t->rank; k++) {
            json_array_append_new(shape, json_integer((json_int_t)t->dim[k]));
            used += (size_t)snprintf(dims + used, sizeof dims - used, "%s%llu", k > 0 ? ", " : "",
                                     (unsigned long long)t->dim[k]);
            used = used < sizeof dims ? used : sizeof dims - 1;
        }
        hs_text_escape(t->name, name, sizeof name);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o}", "name", name, "dtype", hs_dtype_name(t->dtype), "shape", shape));
        if (i < SHOWN) {
            hs_cmd_say(c, "  %s %s (%s)\n", name, hs_dtype_name(t->dtype), dims);
        }
        elements += t->count;
    }
    if (n > SHOWN) {
        hs_cmd_say(c, "  ... and %zu more\n", n - SHOWN);
    }
    hs_cmd_say(c, "elements    %zu\n", elements);
    json_object_set_new(hs_cmd_results(c), "kind", json_string("tensors"));
    json_object_set_new(hs_cmd_results(c), "elements", json_integer((json_int_t)elements));
    json_object_set(hs_cmd_results(c), "tensors", list);
    HS_TRY(hs_cmd_input(c, path));
out:
    json_decref(list);
    hs_tensors_free(ts);
    return rc;
}
