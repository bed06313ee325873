/* hspace import: activations, per-sample deltas, directions. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/import.h"
#include "analysis/directions/direction.h"
#include "core/base/alloc.h"
#include "core/io/store.h"

/* ---- Activations ---- */

/* Arrays of a store's spec that the rows alone decide. */
typedef struct {
    int64_t *sample;
    uint64_t *seed;
    double *alpha_bar;
    int *t;
} labels;

static void labels_free(labels *l)
{
    free(l->sample);
    free(l->seed);
    free(l->alpha_bar);
    free(l->t);
}

HS_CHECKED static int label(hs_cmd *c, const hs_imported *r, labels *l)
{
    size_t S = r->S > 0 ? r->S : 1;
    int rc = HS_OK;
    HS_TRY(hs_alloc(r->n, sizeof *l->sample, &l->sample));
    HS_TRY(hs_calloc(r->n, sizeof *l->seed, &l->seed));
    HS_TRY(hs_alloc(S, sizeof *l->alpha_bar, &l->alpha_bar));
    HS_TRY(hs_import_times(c, r, &l->t));
    for (size_t i = 0; i < r->n; i++) {
        l->sample[i] = (int64_t)i;
    }
    for (size_t k = 0; k < S; k++) {
        l->alpha_bar[k] = NAN; /* the arrays don't say */
    }
out:
    return rc;
}

HS_CHECKED static int write_store(hs_cmd *c, const hs_store_spec *spec, const float *h)
{
    hs_store_writer *w = NULL;
    size_t d = hs_chw_size(spec->h) * spec->S;
    int sealed = 0, rc = HS_OK;
    HS_TRY(hs_store_begin(hs_cmd_out(c), spec, hs_cmd_force(c), &sealed, &w));
    for (size_t u = 0; !sealed && u < hs_store_units(w); u++) {
        size_t count = 0, first = hs_store_unit_first(w, u, &count);
        if (!hs_store_has(w, u)) {
            HS_TRY(hs_store_put(w, u, h + first * d, NULL, NULL, NULL));
        }
    }
    if (!sealed) {
        HS_TRY(hs_store_seal(w));
    }
out:
    hs_store_writer_free(w);
    return rc;
}

int hs_import_activations(hs_cmd *c)
{
    hs_imported r = {0};
    labels l = {0};
    int rc = HS_OK;
    HS_TRY(hs_import_rows(c, 0, &r));
    HS_TRY(label(c, &r, &l));
    const hs_attr attr[] = {{"tap", hs_cmd_str(c, "tap")}, {"model_sha256", ""}, {"method", "import"}};
    const hs_attr info[] = {{"command_line", hs_cmd_line(c)}};
    hs_store_spec spec = {.n = r.n,
                          .S = r.S > 0 ? r.S : 1,
                          .h = r.h,
                          .image = {1, 1, 1},
                          .dtype = HS_F32,
                          .sample = l.sample,
                          .timestep = l.t,
                          .alpha_bar = l.alpha_bar,
                          .seed = l.seed,
                          .source = (const char *const *)r.source,
                          .unit = 64,
                          .n_attr = 3,
                          .attr = attr,
                          .n_info = 1,
                          .info = info,
                          .model_config = "{}",
                          .scheduler_config = "{}"};
    HS_TRY(write_store(c, &spec, r.v));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)r.n));
    hs_cmd_say(c, "%zu samples x %zu timesteps of %zu x %zu x %zu in %s\n", r.n, spec.S, r.h.c, r.h.h, r.h.w,
               hs_cmd_out(c));
out:
    labels_free(&l);
    hs_import_free(&r);
    return rc;
}

/* ---- Deltas ---- */

int hs_import_deltas(hs_cmd *c)
{
    hs_imported r = {0};
    hs_result *out = NULL;
    int *t = NULL, rc = HS_OK;
    int64_t *t64 = NULL;
    HS_TRY(hs_import_rows(c, 0, &r));
    size_t S = r.S > 0 ? r.S : 1;
    HS_TRY(hs_import_times(c, &r, &t));
    HS_TRY(hs_alloc(S, sizeof *t64, &t64));
    for (size_t k = 0; k < S; k++) {
        t64[k] = t[k];
    }
    const size_t dim[5] = {r.n, S, r.h.c, r.h.h, r.h.w};
    HS_TRY(hs_result_create(hs_cmd_out(c), "deltas", hs_cmd_force(c), &out));
    HS_TRY(hs_result_put_i64(out, "timestep", "timestep", 1, &S, t64));
    HS_TRY(hs_result_put_f32(out, "delta_h", "sample,timestep,channel,y,x", 5, dim, r.v));
    HS_TRY(hs_result_attr_str(out, NULL, "tap", hs_cmd_str(c, "tap")));
    HS_TRY(hs_common_provenance(c, out));
    HS_TRY(hs_result_commit(out));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)r.n));
    hs_cmd_say(c, "deltas of %zu samples x %zu timesteps in %s\n", r.n, S, hs_cmd_out(c));
out:
    free(t);
    free(t64);
    hs_result_free(out);
    hs_import_free(&r);
    return rc;
}

/* ---- Directions ---- */

/* A tensor file of an f_t, or of dh by timestep ({t: tensor}, names all digits). */
typedef enum { ARRAYS, NETWORKS, BY_TIME } direction_form;

static direction_form form_of(const hs_tensors *ts)
{
    int digits = hs_tensors_count(ts) > 0;
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        const char *name = hs_tensors_at(ts, i)->name;
        if (strstr(name, "conv1.weight") != NULL) {
            return NETWORKS;
        }
        digits &= name[0] != '\0' && name[strspn(name, "0123456789")] == '\0' && strlen(name) < 8;
    }
    return digits ? BY_TIME : ARRAYS;
}

typedef struct {
    int t;
    const hs_tensor *tensor;
} timed;

static int by_falling_time(const void *a, const void *b)
{
    return ((const timed *)b)->t - ((const timed *)a)->t;
}

/* All tensors as one direction: (1, C, H, W) or (C, H, W) each. */
HS_CHECKED static int rows_by_time(const char *path, const hs_tensors *ts, hs_imported *out, int **times)
{
    size_t S = hs_tensors_count(ts);
    timed *list = NULL;
    hs_imported r = {.n = 0, .S = S};
    int *t = NULL, rc = HS_OK;
    HS_TRY(hs_alloc(S, sizeof *list, &list));
    HS_TRY(hs_alloc(S, sizeof *t, &t));
    for (size_t i = 0; i < S; i++) {
        list[i] = (timed){(int)strtol(hs_tensors_at(ts, i)->name, NULL, 10), hs_tensors_at(ts, i)};
    }
    qsort(list, S, sizeof *list, by_falling_time);
    for (size_t i = 0; i < S; i++) {
        const hs_tensor *x = list[i].tensor;
        size_t lead = x->rank == 4 && x->dim[0] == 1;
        if (x->rank - lead != 3 || x->count == 0) {
            rc = hs_fail(HS_ESHAPE, "%s: the tensor of t = %d has rank %zu; wanted (1, C, H, W)", path, list[i].t,
                         x->rank);
            goto out;
        }
        hs_chw h = {(size_t)x->dim[lead], (size_t)x->dim[lead + 1], (size_t)x->dim[lead + 2]};
        if (i == 0) {
            r.h = h;
            HS_TRY(hs_size_mul(S, x->count, &r.n));
            HS_TRY(hs_alloc(r.n, sizeof *r.v, &r.v));
        } else if (memcmp(&h, &r.h, sizeof h) != 0) {
            rc = hs_fail(HS_ESHAPE, "%s: the tensor of t = %d has another shape than that of t = %d", path, list[i].t,
                         t[0]);
            goto out;
        }
        t[i] = list[i].t;
        hs_to_f32(x->dtype, x->bytes, x->count, r.v + i * x->count);
    }
    r.n = 0; /* names no rows: the one direction is named by the caller */
    *out = r;
    *times = t;
    r = (hs_imported){0};
    t = NULL;
out:
    r.n = 0;
    free(list);
    free(t);
    hs_import_free(&r);
    return rc;
}

/* "smile" of "dir/smile.npy", or --name. */
HS_CHECKED static int name_of(hs_cmd *c, const char *path, char **out)
{
    const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    int rc = hs_strdup(hs_cmd_str(c, "name") != NULL ? hs_cmd_str(c, "name") : base, out);
    char *dot = rc == HS_OK && hs_cmd_str(c, "name") == NULL ? strrchr(*out, '.') : NULL;
    if (dot != NULL && dot != *out) {
        *dot = '\0';
    }
    return rc;
}

HS_CHECKED static int write_rows(hs_cmd *c, hs_result *out, const char *name, const hs_imported *r, const int *t)
{
    hs_direction_set set = {.method = "import",
                            .tap = hs_cmd_str(c, "tap"),
                            .model_sha256 = "",
                            .shape = r->h,
                            .n = 1,
                            .name = &name,
                            .S = r->S,
                            .t = t};
    int rc = HS_OK;
    HS_TRY(hs_direction_put(out, &set));
    HS_TRY(hs_result_put_rows(out, "delta_h", 0, 1, r->v));
out:
    return rc;
}

/* The one direction of a file that is not a network. */
HS_CHECKED static int put_arrays(hs_cmd *c, const char *path, const hs_tensors *ts, const char *name, hs_result *out)
{
    hs_imported r = {0};
    int *t = NULL, rc = HS_OK;
    if (ts != NULL && form_of(ts) == BY_TIME) {
        HS_TRY(rows_by_time(path, ts, &r, &t));
    } else {
        HS_TRY(hs_import_rows(c, 1, &r));
        if (r.S > 0) {
            HS_TRY(hs_import_times(c, &r, &t));
        }
    }
    HS_TRY(write_rows(c, out, name, &r, t));
out:
    free(t);
    hs_import_free(&r);
    return rc;
}

static int is_tensor_file(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL || (strcmp(dot, ".h5") != 0 && strcmp(dot, ".hdf5") != 0);
}

int hs_import_directions(hs_cmd *c)
{
    const char *const *path;
    hs_tensors *ts = NULL;
    hs_result *out = NULL;
    char *name = NULL;
    size_t count = 1;
    int rc = HS_OK;
    if (hs_cmd_inputs(c, &path) != 1) {
        return hs_fail(HS_ERANGE, "import: several files; wanted one a direction file");
    }
    HS_TRY(name_of(c, path[0], &name));
    if (is_tensor_file(path[0])) {
        HS_TRY(hs_tensors_open(path[0], &ts));
    }
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &out));
    if (ts != NULL && form_of(ts) == NETWORKS) {
        HS_TRY(hs_direction_put_networks(out, ts, name, "import", "", &count));
        HS_TRY(hs_cmd_input(c, path[0]));
    } else {
        HS_TRY(put_arrays(c, path[0], ts, name, out));
    }
    HS_TRY(hs_common_provenance(c, out));
    HS_TRY(hs_result_commit(out));
    json_object_set_new(hs_cmd_results(c), "directions", json_integer((json_int_t)count));
    hs_cmd_say(c, "%zu direction%s (%s) in %s\n", count, count == 1 ? "" : "s", name, hs_cmd_out(c));
out:
    free(name);
    hs_result_free(out);
    hs_tensors_free(ts);
    return rc;
}
