#include <fcntl.h>
#include <hdf5_hl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/io/h5file.h"
#include "core/io/result.h"

enum { MAX_RANK = 8, CHUNK_BYTES = 1 << 20 };

typedef struct {
    char *name, *dims; /* dims: comma-separated names, "" for a scalar */
    size_t rank, dim[MAX_RANK];
    hid_t id;
} array;

struct hs_result {
    char *path, *temp;
    hid_t file;
    array *a;
    size_t n, cap;
};

int hs_result_create(const char *path, const char *kind, int force, hs_result **out)
{
    int rc = HS_OK;
    hs_result *r = NULL;
    struct stat st;
    if (!force && lstat(path, &st) == 0) {
        return hs_fail(HS_ERANGE, "%s: exists; use -f", path);
    }
    HS_TRY(hs_calloc(1, sizeof *r, &r));
    r->file = -1;
    HS_TRY(hs_strdup(path, &r->path));
    size_t len = strlen(path) + sizeof ".tmp-XXXXXX";
    char *temp = NULL;
    HS_TRY(hs_calloc(len, 1, &temp));
    snprintf(temp, len, "%s.tmp-XXXXXX", path);
    int fd = mkstemp(temp);
    if (fd < 0) {
        rc = hs_fail_errno(path, "creating");
        free(temp);
        goto out;
    }
    r->temp = temp;
    mode_t mask = umask(0);
    umask(mask);
    fchmod(fd, 0666 & ~mask);
    close(fd);
    HS_TRY(hs_h5_create(temp, &r->file));
    HS_TRY(hs_h5_attr_text(r->file, "Conventions", "CF-1.8 hspace-1.0", 0));
    HS_TRY(hs_h5_attr_text(r->file, "hspace_kind", kind, 0));
    HS_TRY(hs_h5_attr_text(r->file, "hspace_format", "1.0", 0));
    *out = r;
    r = NULL;
out:
    hs_result_free(r);
    return rc;
}

void hs_result_free(hs_result *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < r->n; i++) {
        if (r->a[i].id >= 0) {
            H5Dclose(r->a[i].id);
        }
        free(r->a[i].name);
        free(r->a[i].dims);
    }
    if (r->file >= 0) {
        H5Fclose(r->file);
    }
    if (r->temp != NULL) {
        unlink(r->temp);
    }
    free(r->a);
    free(r->path);
    free(r->temp);
    free(r);
}

static array *find(hs_result *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(r->a[i].name, name) == 0) {
            return &r->a[i];
        }
    }
    return NULL;
}

/* name <- the i-th of the comma-separated names; 0 when there is none or it is empty. */
static int dim_name(const char *dims, size_t i, char name[64])
{
    while (i-- > 0) {
        dims = strchr(dims, ',');
        if (dims == NULL) {
            return 0;
        }
        dims++;
    }
    size_t len = strcspn(dims, ",");
    if (len == 0 || len > 63) {
        return 0;
    }
    memcpy(name, dims, len);
    name[len] = '\0';
    return 1;
}

static int is_coordinate(const array *a)
{
    return a->rank == 1 && strcmp(a->name, a->dims) == 0;
}

/* A dimension has one length everywhere, and its name belongs to its coordinate alone. */
static int check_dims(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim)
{
    char d[64], e[64];
    if (rank > MAX_RANK || name[0] == '\0' || strchr(name, '/') != NULL || find(r, name) != NULL) {
        return hs_fail(HS_ERANGE, "array %s: rank %zu of at most %d, or the name is taken or unfit", name, rank,
                       MAX_RANK);
    }
    if (dim_name(dims, rank, d) || (rank == 0 && dims[0] != '\0')) {
        return hs_fail(HS_ERANGE, "array %s: more dimension names in '%s' than its rank %zu", name, dims, rank);
    }
    for (size_t i = 0; i < rank; i++) {
        if (!dim_name(dims, i, d)) {
            return hs_fail(HS_ERANGE, "array %s: '%s' names fewer dimensions than its rank %zu", name, dims, rank);
        }
        const array *c = find(r, d);
        if ((c != NULL && !is_coordinate(c)) || (strcmp(d, name) == 0 && rank != 1)) {
            return hs_fail(HS_ERANGE, "array %s: its dimension %s has the name of an array of several dimensions", name,
                           d);
        }
        for (size_t k = 0; k < r->n; k++) {
            for (size_t j = 0; j < r->a[k].rank; j++) {
                if (!dim_name(r->a[k].dims, j, e)) {
                    continue;
                }
                if (strcmp(e, d) == 0 && r->a[k].dim[j] != dim[i]) {
                    return hs_fail(HS_ESHAPE, "array %s: dimension %s is %zu, in %s it is %zu", name, d, dim[i],
                                   r->a[k].name, r->a[k].dim[j]);
                }
                if (strcmp(e, name) == 0 && (rank != 1 || strcmp(d, name) != 0)) {
                    return hs_fail(HS_ERANGE, "array %s: %s has a dimension of that name", name, r->a[k].name);
                }
            }
        }
    }
    return HS_OK;
}

/* Chunks of about 1 MiB along the first dimensions, each with a checksum. */
static int set_layout(hid_t dcpl, size_t rank, const hsize_t *dim, size_t elem)
{
    hsize_t chunk[MAX_RANK];
    size_t bytes = elem;
    if (rank == 0) {
        return HS_OK;
    }
    for (size_t i = rank; i-- > 0;) {
        if (dim[i] == 0) {
            return HS_OK;
        }
        size_t room = bytes >= CHUNK_BYTES ? 1 : CHUNK_BYTES / bytes;
        chunk[i] = dim[i] < room ? dim[i] : room;
        bytes *= (size_t)chunk[i];
    }
    if (H5Pset_chunk(dcpl, (int)rank, chunk) < 0 || H5Pset_fletcher32(dcpl) < 0) {
        return hs_fail(HS_EBUG, "chunk of %zu bytes refused", bytes);
    }
    return HS_OK;
}

static int grow(hs_result *r)
{
    if (r->n < r->cap) {
        return HS_OK;
    }
    size_t cap = r->cap == 0 ? 16 : 2 * r->cap;
    array *a = NULL;
    int rc = hs_alloc(cap, sizeof *a, &a);
    if (rc == HS_OK) {
        if (r->n > 0) {
            memcpy(a, r->a, r->n * sizeof *a);
        }
        free(r->a);
        r->a = a;
        r->cap = cap;
    }
    return rc;
}

static int define(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim, hid_t type,
                  int nan_fill, array **out)
{
    int rc = HS_OK;
    hsize_t h[MAX_RANK];
    array a = {.rank = rank, .id = -1};
    hid_t dcpl = hs_h5_plist(H5P_DATASET_CREATE), space = -1;
    HS_TRY(check_dims(r, name, dims, rank, dim));
    HS_TRY(grow(r));
    for (size_t i = 0; i < rank; i++) {
        a.dim[i] = dim[i];
        h[i] = dim[i];
    }
    HS_TRY(hs_strdup(name, &a.name));
    HS_TRY(hs_strdup(dims, &a.dims));
    if (H5Tis_variable_str(type) <= 0) {
        HS_TRY(set_layout(dcpl, rank, h, H5Tget_size(type)));
    }
    if (nan_fill) {
        float nan = NAN;
        H5Pset_fill_value(dcpl, H5T_NATIVE_FLOAT, &nan);
    }
    space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)rank, h, NULL);
    a.id = H5Dcreate2(r->file, name, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    if (a.id < 0) {
        rc = hs_fail(HS_EIO, "%s: array %s can't be created", r->path, name);
        goto out;
    }
    r->a[r->n++] = a;
    *out = &r->a[r->n - 1];
out:
    if (rc != HS_OK) {
        free(a.name);
        free(a.dims);
    }
    if (space >= 0) {
        H5Sclose(space);
    }
    H5Pclose(dcpl);
    return rc;
}

static int put(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim, hid_t type,
               const void *v)
{
    array *a = NULL;
    int rc = define(r, name, dims, rank, dim, type, 0, &a);
    int empty = 0;
    for (size_t i = 0; i < rank; i++) {
        empty |= dim[i] == 0;
    }
    if (rc == HS_OK && !empty && H5Dwrite(a->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, v) < 0) {
        rc = hs_fail(HS_EIO, "%s: array %s can't be written", r->path, name);
    }
    return rc;
}

int hs_result_put_f32(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim, const float *v)
{
    return put(r, name, dims, rank, dim, H5T_IEEE_F32LE, v);
}

int hs_result_put_f64(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim, const double *v)
{
    return put(r, name, dims, rank, dim, H5T_IEEE_F64LE, v);
}

int hs_result_put_i64(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim,
                      const int64_t *v)
{
    return put(r, name, dims, rank, dim, H5T_STD_I64LE, v);
}

/* Of variable length: netCDF-C 4.9 misreads lists of fixed-length texts. */
int hs_result_put_strings(hs_result *r, const char *name, const char *dims, size_t n, const char *const *v)
{
    int rc = HS_OK;
    char **utf8 = NULL;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    HS_TRY(hs_calloc(n, sizeof *utf8, &utf8));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_h5_utf8(v[i], &utf8[i]));
    }
    HS_TRY(put(r, name, dims, 1, &n, type, utf8));
out:
    for (size_t i = 0; utf8 != NULL && i < n; i++) {
        free(utf8[i]);
    }
    free(utf8);
    H5Tclose(type);
    return rc;
}

int hs_result_define_f32(hs_result *r, const char *name, const char *dims, size_t rank, const size_t *dim)
{
    array *a = NULL;
    if (rank == 0) {
        return hs_fail(HS_ERANGE, "array %s: has no rows to fill later", name);
    }
    return define(r, name, dims, rank, dim, H5T_IEEE_F32LE, 1, &a);
}

int hs_result_put_rows(hs_result *r, const char *name, size_t first, size_t n, const float *v)
{
    const array *a = find(r, name);
    if (a == NULL || a->rank == 0 || first > a->dim[0] || n > a->dim[0] - first) {
        return hs_fail(HS_ERANGE, "%s: rows %zu to %zu are outside array %s", r->path, first, first + n, name);
    }
    hsize_t start[MAX_RANK] = {first}, count[MAX_RANK] = {n};
    for (size_t i = 1; i < a->rank; i++) {
        count[i] = a->dim[i];
    }
    if (n == 0) {
        return HS_OK;
    }
    hid_t fs = H5Dget_space(a->id), ms = H5Screate_simple((int)a->rank, count, NULL);
    int bad = H5Sselect_hyperslab(fs, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
              H5Dwrite(a->id, H5T_NATIVE_FLOAT, ms, fs, H5P_DEFAULT, v) < 0;
    H5Sclose(fs);
    H5Sclose(ms);
    return bad ? hs_fail(HS_EIO, "%s: rows of array %s can't be written", r->path, name) : HS_OK;
}

/* *id <- the object that carries the attribute. */
static int target(hs_result *r, const char *on, hid_t *id)
{
    const array *a = on == NULL ? NULL : find(r, on);
    if (on != NULL && a == NULL) {
        return hs_fail(HS_ERANGE, "%s: no array %s to carry an attribute", r->path, on);
    }
    *id = on == NULL ? r->file : a->id;
    return HS_OK;
}

int hs_result_attr_str(hs_result *r, const char *on, const char *name, const char *v)
{
    hid_t id = -1;
    int rc = target(r, on, &id);
    return rc != HS_OK ? rc : hs_h5_attr_text(id, name, v, 0);
}

int hs_result_attr_f64(hs_result *r, const char *on, const char *name, double v)
{
    hid_t id = -1;
    int rc = target(r, on, &id);
    return rc != HS_OK ? rc : hs_h5_attr_f64(id, name, v);
}

int hs_result_attr_i64(hs_result *r, const char *on, const char *name, int64_t v)
{
    hid_t id = -1;
    int rc = target(r, on, &id);
    return rc != HS_OK ? rc : hs_h5_attr_i64(id, name, v);
}

/* A coordinate 0, 1, 2, ... for each dimension that was given none. */
static int add_coordinates(hs_result *r)
{
    int rc = HS_OK;
    char d[64];
    int64_t *v = NULL;
    for (size_t k = 0, n = r->n; k < n; k++) {
        for (size_t j = 0; j < r->a[k].rank; j++) {
            if (!dim_name(r->a[k].dims, j, d) || find(r, d) != NULL) {
                continue;
            }
            size_t len = r->a[k].dim[j];
            HS_TRY(hs_alloc(len, sizeof *v, &v));
            for (size_t i = 0; i < len; i++) {
                v[i] = (int64_t)i;
            }
            HS_TRY(put(r, d, d, 1, &len, H5T_STD_I64LE, v));
            free(v);
            v = NULL;
        }
    }
out:
    free(v);
    return rc;
}

static int attach_scales(hs_result *r)
{
    char d[64];
    for (size_t k = 0; k < r->n; k++) {
        if (is_coordinate(&r->a[k]) && H5DSset_scale(r->a[k].id, r->a[k].name) < 0) {
            return hs_fail(HS_EIO, "%s: dimension %s can't be written", r->path, r->a[k].name);
        }
    }
    for (size_t k = 0; k < r->n; k++) {
        for (size_t j = 0; j < r->a[k].rank && !is_coordinate(&r->a[k]); j++) {
            const array *scale = dim_name(r->a[k].dims, j, d) ? find(r, d) : NULL;
            if (scale == NULL || H5DSattach_scale(r->a[k].id, scale->id, (unsigned)j) < 0) {
                return hs_fail(HS_EIO, "%s: dimension %zu of %s can't be named", r->path, j, r->a[k].name);
            }
        }
    }
    return HS_OK;
}

int hs_result_commit(hs_result *r)
{
    int rc = HS_OK;
    HS_TRY(add_coordinates(r));
    HS_TRY(attach_scales(r));
    int bad = 0;
    for (size_t k = 0; k < r->n; k++) {
        bad |= H5Dclose(r->a[k].id) < 0;
        r->a[k].id = -1;
    }
    bad |= H5Fclose(r->file) < 0;
    r->file = -1;
    if (bad) {
        rc = hs_fail(HS_EIO, "%s: can't be written to the end", r->path);
        goto out;
    }
    HS_TRY(hs_publish(r->temp, r->path));
    free(r->temp);
    r->temp = NULL;
out:
    return rc;
}
