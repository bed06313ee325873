#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/h5jail.h"
#include "core/io/result.h"

struct hs_result_in {
    hid_t file;
    char *path, *kind;
};

int hs_result_open(const char *path, hs_result_in **out)
{
    int rc = HS_OK;
    hs_result_in *r = NULL;
    HS_TRY(hs_calloc(1, sizeof *r, &r));
    r->file = -1;
    HS_TRY(hs_strdup(path, &r->path));
    HS_TRY(hs_h5jail_open(path, hs_h5_walk, NULL, &r->file));
    if (H5Aexists(r->file, "hspace_kind") <= 0 || hs_h5_attr_get_text(r->file, "hspace_kind", &r->kind) != HS_OK) {
        HS_TRY(hs_strdup("", &r->kind));
    }
    *out = r;
    r = NULL;
out:
    hs_result_close(r);
    return rc;
}

void hs_result_close(hs_result_in *r)
{
    if (r == NULL) {
        return;
    }
    if (r->file >= 0) {
        H5Fclose(r->file);
    }
    free(r->path);
    free(r->kind);
    free(r);
}

const char *hs_result_kind(const hs_result_in *r)
{
    return r->kind;
}

int hs_result_has(const hs_result_in *r, const char *name)
{
    return hs_h5_has(r->file, name);
}

int hs_result_has_texts(const hs_result_in *r, const char *name)
{
    hs_h5_array a;
    hid_t d = -1;
    int yes = hs_h5_has(r->file, name) && hs_h5_array_open(r->file, name, &d, &a) == HS_OK && a.is_text && a.rank < 2;
    if (d >= 0) {
        H5Dclose(d);
    }
    return yes;
}

int hs_result_shape(hs_result_in *r, const char *name, size_t *rank, size_t dim[8])
{
    hs_h5_array a;
    hid_t d = -1;
    int rc = hs_h5_array_open(r->file, name, &d, &a);
    if (rc != HS_OK) {
        return hs_fail_in(rc, r->path);
    }
    H5Dclose(d);
    *rank = a.rank;
    memcpy(dim, a.dim, a.rank * sizeof *dim);
    return HS_OK;
}

/* *raw (free()) <- rows [first, first + n) as stored, n = SIZE_MAX: all; *count elements of type *t. */
static int get_raw(hs_result_in *r, const char *name, size_t first, size_t n, char **raw, size_t *count, hs_dtype *t)
{
    int rc = HS_OK;
    hs_h5_array a;
    hid_t d = -1;
    char *bytes = NULL;
    HS_TRY(hs_h5_array_open(r->file, name, &d, &a));
    if (a.is_text) {
        rc = hs_fail(HS_EFORMAT, "%s: holds texts, not numbers", name);
        goto out;
    }
    size_t rows = a.rank == 0 ? 1 : a.dim[0], row = rows == 0 ? 0 : a.count / rows;
    n = n == SIZE_MAX ? rows : n;
    if (first > rows || n > rows - first) {
        rc = hs_fail(HS_ERANGE, "%s: rows %zu to %zu of %zu", name, first, first + n, rows);
        goto out;
    }
    HS_TRY(hs_size_mul(n, row, count));
    HS_TRY(hs_alloc(*count, hs_dtype_size(a.dtype), &bytes));
    HS_TRY(hs_fail_in(hs_h5_read_rows(d, &a, first, n, bytes), name));
    *t = a.dtype;
    *raw = bytes;
    bytes = NULL;
out:
    free(bytes);
    if (d >= 0) {
        H5Dclose(d);
    }
    return hs_fail_in(rc, r->path);
}

int hs_result_get_f32(hs_result_in *r, const char *name, float **out)
{
    int rc = HS_OK;
    char *raw = NULL;
    float *v = NULL;
    size_t count = 0;
    hs_dtype t = HS_F32;
    HS_TRY(get_raw(r, name, 0, SIZE_MAX, &raw, &count, &t));
    HS_TRY(hs_alloc(count, sizeof *v, &v));
    hs_to_f32(t, raw, count, v);
    *out = v;
out:
    free(raw);
    return rc;
}

int hs_result_get_f64(hs_result_in *r, const char *name, double **out)
{
    int rc = HS_OK;
    char *raw = NULL;
    double *v = NULL;
    size_t count = 0;
    hs_dtype t = HS_F32;
    HS_TRY(get_raw(r, name, 0, SIZE_MAX, &raw, &count, &t));
    HS_TRY(hs_alloc(count, sizeof *v, &v));
    hs_to_f64(t, raw, count, v);
    *out = v;
out:
    free(raw);
    return rc;
}

int hs_result_get_rows(hs_result_in *r, const char *name, size_t first, size_t n, float *v)
{
    char *raw = NULL;
    size_t count = 0;
    hs_dtype t = HS_F32;
    int rc = get_raw(r, name, first, n, &raw, &count, &t);
    if (rc == HS_OK) {
        hs_to_f32(t, raw, count, v);
    }
    free(raw);
    return rc;
}

int hs_result_get_strings(hs_result_in *r, const char *name, size_t *n, char ***out)
{
    int rc = HS_OK;
    hs_h5_array a;
    hid_t d = -1;
    HS_TRY(hs_h5_array_open(r->file, name, &d, &a));
    HS_TRY(hs_fail_in(hs_h5_read_texts(d, &a, out), name));
    *n = a.count;
out:
    if (d >= 0) {
        H5Dclose(d);
    }
    return hs_fail_in(rc, r->path);
}

/* *id <- the file or the array `on`; close with close_target. */
static int open_target(hs_result_in *r, const char *on, hid_t *id)
{
    *id = r->file;
    return on == NULL ? HS_OK : hs_h5_array_open(r->file, on, id, NULL);
}

static void close_target(const hs_result_in *r, hid_t id)
{
    if (id >= 0 && id != r->file) {
        H5Dclose(id);
    }
}

int hs_result_attr_get_str(hs_result_in *r, const char *on, const char *name, char **out)
{
    int rc = HS_OK;
    hid_t id = -1;
    HS_TRY(open_target(r, on, &id));
    HS_TRY(hs_h5_attr_get_text(id, name, out));
out:
    close_target(r, id);
    return hs_fail_in(rc, r->path);
}

int hs_result_attr_get_f64(hs_result_in *r, const char *on, const char *name, double *out)
{
    int rc = HS_OK;
    hid_t id = -1;
    HS_TRY(open_target(r, on, &id));
    HS_TRY(hs_h5_attr_get_f64(id, name, out));
out:
    close_target(r, id);
    return hs_fail_in(rc, r->path);
}
