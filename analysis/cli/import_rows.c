/* Arrays from elsewhere as rows of h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/import.h"
#include "core/base/alloc.h"

void hs_import_free(hs_imported *r)
{
    for (size_t i = 0; r->source != NULL && i < r->n; i++) {
        free(r->source[i]);
    }
    free(r->source);
    free(r->v);
    free(r->t);
    memset(r, 0, sizeof *r);
}

static int is_hdf5(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL && (strcmp(dot, ".h5") == 0 || strcmp(dot, ".hdf5") == 0);
}

HS_CHECKED static int array_of_result(hs_result_in *r, const char *name, hs_array *out)
{
    hs_array a = {.count = 1};
    size_t dim[8];
    int rc = hs_result_shape(r, name, &a.rank, dim);
    for (size_t i = 0; i < a.rank && rc == HS_OK; i++) {
        a.dim[i] = dim[i];
        rc = hs_size_mul(a.count, dim[i], &a.count);
    }
    if (rc == HS_OK) {
        rc = hs_result_get_f32(r, name, &a.v);
    }
    if (rc == HS_OK) {
        *out = a;
    }
    return rc;
}

static const char *const time_names[] = {"timestep", "timesteps", "t"};

/* *out <- values as falling timesteps, or NULL where they are not S such numbers. */
static void keep_times(const float *v, size_t n, size_t S, int **out)
{
    int *t = n == S && n > 0 ? malloc(n * sizeof *t) : NULL;
    int falling = t != NULL;
    for (size_t i = 0; falling && i < n; i++) {
        falling = v[i] >= 0 && v[i] < 0x1p30 && v[i] == floorf(v[i]) && (i == 0 || v[i] < v[i - 1]);
        t[i] = falling ? (int)v[i] : 0;
    }
    if (!falling) {
        free(t);
        t = NULL;
    }
    *out = t;
}

HS_CHECKED static int read_hdf5(hs_cmd *c, const char *path, const char *fallback, hs_array *out, hs_array *times)
{
    const char *what = hs_cmd_str(c, "what") != NULL ? hs_cmd_str(c, "what") : fallback;
    hs_result_in *r = NULL;
    hs_array a = {0};
    int rc = HS_OK;
    double sealed = 0;
    HS_TRY(hs_result_open(path, &r));
    if (strcmp(hs_result_kind(r), "activations") == 0 &&
        (hs_result_attr_get_f64(r, NULL, "sealed", &sealed) != HS_OK || sealed == 0)) {
        rc = hs_fail(HS_ERANGE, "%s: still being written; run the same dump command to finish", path);
        goto out;
    }
    if (!hs_result_has(r, what)) {
        rc = hs_fail(HS_ERANGE, "%s: no array '%.80s'; --what names the one to import", path, what);
        goto out;
    }
    HS_TRY(array_of_result(r, what, &a));
    if (hs_result_has(r, time_names[0])) {
        HS_TRY(array_of_result(r, time_names[0], times));
    }
    HS_TRY(hs_cmd_input(c, path));
    *out = a;
    a = (hs_array){0};
out:
    hs_array_free(&a);
    hs_result_close(r);
    return rc;
}

HS_CHECKED static int read_tensors(hs_cmd *c, const char *path, const char *fallback, hs_array *out, hs_array *times)
{
    const char *what = hs_cmd_str(c, "what");
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_tensors_open(path, &ts));
    const hs_tensor *t = what == NULL && hs_tensors_count(ts) == 1
                             ? hs_tensors_at(ts, 0)
                             : hs_tensors_find(ts, what != NULL ? what : fallback);
    if (t == NULL) {
        rc = hs_fail(HS_ERANGE, "%s: %zu arrays, none '%.80s'; --what names the one to import", path,
                     hs_tensors_count(ts), what != NULL ? what : fallback);
        goto out;
    }
    HS_TRY(hs_array_of(t, out));
    for (size_t i = 0; i < 3 && times->v == NULL; i++) {
        const hs_tensor *x = hs_tensors_find(ts, time_names[i]);
        if (x != NULL && x != t && x->rank == 1) {
            HS_TRY(hs_array_of(x, times));
        }
    }
    HS_TRY(hs_cmd_input(c, path));
out:
    hs_tensors_free(ts);
    return rc;
}

/* n, S and h of an array of rank 5, 4, 3, 2 (a row dimension first). */
HS_CHECKED static int shape_of(const char *path, const hs_array *a, int without_rows, hs_imported *out)
{
    size_t dim[6] = {1}, rank = a->rank + (without_rows ? 1 : 0);
    if (rank < 2 || rank > 5 || a->count == 0) {
        return hs_fail(HS_ESHAPE, "%s: an array of rank %zu and %zu elements; wanted %s", path, a->rank, a->count,
                       without_rows ? "([S,] C, H, W) or ([S,] d)" : "(n, [S,] C, H, W) or (n, [S,] d)");
    }
    for (size_t i = 0; i < a->rank; i++) {
        dim[i + (without_rows ? 1 : 0)] = a->dim[i];
    }
    int timed = rank == 5 || rank == 3;
    out->n = dim[0];
    out->S = timed ? dim[1] : 0;
    out->h = rank >= 4 ? (hs_chw){dim[rank - 3], dim[rank - 2], dim[rank - 1]} : (hs_chw){dim[rank - 1], 1, 1};
    return HS_OK;
}

HS_CHECKED static int append(hs_imported *all, const hs_imported *part, const char *path, const float *v)
{
    size_t each = hs_chw_size(part->h) * (part->S > 0 ? part->S : 1), old = 0, more = 0, sum = 0;
    int same = part->S == all->S && memcmp(&part->h, &all->h, sizeof part->h) == 0, rc = HS_OK;
    if (all->n > 0 && !same) {
        return hs_fail(HS_ESHAPE, "%s: rows of another shape than %s; wanted the same", path, all->source[0]);
    }
    HS_TRY(hs_size_mul(all->n, each, &old));
    HS_TRY(hs_size_mul(part->n, each, &more));
    HS_TRY(hs_size_add(old, more, &sum));
    HS_TRY(hs_size_mul(sum, sizeof(float), &sum));
    float *grown = realloc(all->v, sum);
    char **source = realloc(all->source, (all->n + part->n) * sizeof *source);
    all->v = grown != NULL ? grown : all->v;
    all->source = source != NULL ? source : all->source;
    if (grown == NULL || source == NULL) {
        return hs_fail(HS_ENOMEM, "%s: %zu bytes of memory could not be had", path, sum);
    }
    memcpy(all->v + old, v, more * sizeof *v);
    all->S = part->S;
    all->h = part->h;
    for (size_t i = 0; i < part->n; i++) {
        HS_TRY(hs_strdup(path, &all->source[all->n]));
        all->n++;
    }
out:
    return rc;
}

HS_CHECKED static int check_finite(const char *path, const hs_array *a)
{
    for (size_t i = 0; i < a->count; i++) {
        if (!isfinite(a->v[i])) {
            return hs_fail(HS_EFORMAT, "%s: element %zu is not finite; wanted numbers only", path, i);
        }
    }
    return HS_OK;
}

int hs_import_rows(hs_cmd *c, int without_rows, hs_imported *out)
{
    const char *const *path;
    size_t n = hs_cmd_inputs(c, &path);
    return hs_import_rows_of(c, n, path, without_rows, out);
}

int hs_import_rows_of(hs_cmd *c, size_t n, const char *const *path, int without_rows, hs_imported *out)
{
    const char *fallback = without_rows ? "delta_h" : "h";
    hs_imported all = {0};
    hs_array a = {0}, times = {0};
    int rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        hs_imported part = {0};
        hs_array_free(&times);
        HS_TRY(is_hdf5(path[i]) ? read_hdf5(c, path[i], fallback, &a, &times)
                                : read_tensors(c, path[i], fallback, &a, &times));
        HS_TRY(shape_of(path[i], &a, without_rows, &part));
        HS_TRY(check_finite(path[i], &a));
        HS_TRY(append(&all, &part, path[i], a.v));
        if (i == 0) {
            keep_times(times.v, times.count, part.S, &all.t);
        }
        hs_array_free(&a);
    }
    *out = all;
    all = (hs_imported){0};
out:
    hs_array_free(&a);
    hs_array_free(&times);
    hs_import_free(&all);
    return rc;
}

HS_CHECKED static int times_of_option(const double *t, size_t n, size_t S, int *list)
{
    if (n != S) {
        return hs_fail(HS_ERANGE, "--t: %zu timesteps for %zu; wanted one for each position of the array", n, S);
    }
    for (size_t i = 0; i < S; i++) {
        list[i] = (int)t[i];
        if (t[i] != (double)list[i] || (i > 0 && list[i] >= list[i - 1])) {
            return hs_fail(HS_ERANGE, "--t: %.17g; wanted falling whole numbers", t[i]);
        }
    }
    return HS_OK;
}

int hs_import_times(hs_cmd *c, const hs_imported *r, int **out)
{
    const double *t;
    size_t given = hs_cmd_grid(c, "t", &t), S = r->S > 0 ? r->S : 1;
    int *list = NULL, rc = HS_OK;
    HS_TRY(hs_alloc(S, sizeof *list, &list));
    if (given > 0) {
        HS_TRY(times_of_option(t, given, S, list));
    } else if (r->t != NULL) {
        memcpy(list, r->t, S * sizeof *list);
    } else {
        for (size_t k = 0; k < S; k++) {
            list[k] = (int)(S - 1 - k);
        }
        hs_cmd_warn(c, "the timesteps are not known: positions %d ... 0 stand for them; --t gives them", list[0]);
    }
    *out = list;
    list = NULL;
out:
    free(list);
    return rc;
}
