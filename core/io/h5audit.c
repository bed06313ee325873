#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/h5file.h"
#include "core/io/h5jail.h"

enum { MAX_LINKS = 10000, MAX_DEPTH = 8, MAX_ATTRS = 1000, MAX_TEXT = 1 << 20, MAX_CHUNK = 64 << 20 };

/* HS_OK when every component of name is a hard link. */
static int check_links(hid_t file, const char *name)
{
    int rc = HS_OK;
    char *part = NULL;
    HS_TRY(hs_strdup(name, &part));
    for (char *p = part; *p != '\0'; p++) {
        char *slash = strchr(p, '/');
        if (slash == p) {
            continue;
        }
        if (slash != NULL) {
            *slash = '\0';
        }
        H5L_info_t info;
        if (H5Lget_info(file, part, &info, H5P_DEFAULT) < 0) {
            rc = hs_fail(HS_EFORMAT, "no %s in the file", part);
            goto out;
        }
        if (info.type != H5L_TYPE_HARD) {
            rc = hs_fail(HS_EFORMAT, "%s is a soft or external link: refused", part);
            goto out;
        }
        if (slash == NULL) {
            break;
        }
        *slash = '/';
        p = slash;
    }
out:
    free(part);
    return rc;
}

int hs_h5_has(hid_t file, const char *name)
{
    return check_links(file, name) == HS_OK;
}

static int check_filters(hid_t dcpl, const char *name)
{
    int n = H5Pget_nfilters(dcpl);
    for (int i = 0; i < n; i++) {
        unsigned flags = 0, config = 0;
        size_t values = 0;
        H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32) {
            return hs_fail(HS_EFORMAT, "%s: filter %d: only deflate, shuffle and fletcher32 are read", name, (int)id);
        }
    }
    return n < 0 ? hs_fail(HS_EFORMAT, "%s: its filters can't be read", name) : HS_OK;
}

static int check_layout(hid_t dcpl, const char *name, const hs_h5_array *a, size_t elem)
{
    H5D_layout_t layout = H5Pget_layout(dcpl);
    if (H5Pget_external_count(dcpl) != 0) {
        return hs_fail(HS_EFORMAT, "%s: keeps its data in other files (external storage): refused", name);
    }
    if (layout == H5D_VIRTUAL) {
        return hs_fail(HS_EFORMAT, "%s: is a virtual dataset, whose missing sources read as zeros: refused", name);
    }
    if (layout == H5D_CHUNKED) {
        hsize_t chunk[HS_H5_RANK];
        size_t bytes = elem;
        if (H5Pget_chunk(dcpl, HS_H5_RANK, chunk) != (int)a->rank) {
            return hs_fail(HS_EFORMAT, "%s: the rank of its chunks isn't %zu", name, a->rank);
        }
        for (size_t i = 0; i < a->rank; i++) {
            if (chunk[i] == 0 || chunk[i] > MAX_CHUNK || (bytes *= (size_t)chunk[i]) > MAX_CHUNK) {
                return hs_fail(HS_EFORMAT, "%s: chunks of more than %d MiB or none", name, MAX_CHUNK >> 20);
            }
        }
    } else if (layout != H5D_CONTIGUOUS && layout != H5D_COMPACT) {
        return hs_fail(HS_EFORMAT, "%s: layout %d is unknown", name, (int)layout);
    }
    return check_filters(dcpl, name);
}

static int read_extent(hid_t d, const char *name, hs_h5_array *a)
{
    hsize_t h[HS_H5_RANK] = {0};
    hid_t space = H5Dget_space(d);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    int bad = rank < 0 || rank > HS_H5_RANK || H5Sget_simple_extent_type(space) == H5S_NULL ||
              H5Sget_simple_extent_dims(space, h, NULL) < 0;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (bad) {
        return hs_fail(HS_EFORMAT, "%s: its extent can't be read, or its rank is above %d", name, HS_H5_RANK);
    }
    uint64_t dim[HS_H5_RANK];
    a->rank = (size_t)rank;
    for (int i = 0; i < rank; i++) {
        dim[i] = h[i];
        a->dim[i] = (size_t)h[i];
    }
    return hs_size_product(a->rank, dim, &a->count);
}

static int read_type(hid_t type, const char *name, hs_h5_array *a)
{
    a->is_text = H5Tget_class(type) == H5T_STRING;
    int rc = a->is_text ? HS_OK : hs_h5_dtype(type, &a->dtype);
    if (a->is_text && H5Tget_size(type) > MAX_TEXT) {
        rc = hs_fail(HS_ELIMIT, "texts of %zu bytes, at most %d", H5Tget_size(type), MAX_TEXT);
    }
    return hs_fail_in(rc, name);
}

static int check_array(hid_t d, const char *name, hs_h5_array *a)
{
    int rc = HS_OK;
    hid_t type = H5Dget_type(d), dcpl = H5Dget_create_plist(d);
    size_t elem = type < 0 ? 0 : H5Tget_size(type), bytes = 0;
    if (type < 0 || dcpl < 0 || elem == 0) {
        rc = hs_fail(HS_EFORMAT, "%s: its description can't be read", name);
        goto out;
    }
    HS_TRY(read_extent(d, name, a));
    HS_TRY(read_type(type, name, a));
    HS_TRY(check_layout(dcpl, name, a, elem));
    HS_TRY(hs_size_mul(a->count, elem, &bytes));
    hsize_t stored = H5Dget_storage_size(d);
    if (bytes / 1000 > stored && bytes > 65536) {
        rc = hs_fail(HS_ELIMIT, "%s: claims %zu bytes, of which %llu are stored: over the limit of 1000 times", name,
                     bytes, (unsigned long long)stored);
        goto out;
    }
    a->contiguous = H5Pget_layout(dcpl) == H5D_CONTIGUOUS && stored == bytes;
    a->offset = a->contiguous && bytes > 0 ? H5Dget_offset(d) : 0;
out:
    if (type >= 0) {
        H5Tclose(type);
    }
    if (dcpl >= 0) {
        H5Pclose(dcpl);
    }
    return rc;
}

int hs_h5_array_open(hid_t file, const char *name, hid_t *out, hs_h5_array *info)
{
    int rc = HS_OK;
    hs_h5_array a = {0};
    hid_t d = -1;
    HS_TRY(check_links(file, name));
    d = H5Dopen2(file, name, H5P_DEFAULT);
    if (d < 0) {
        rc = hs_fail(HS_EFORMAT, "%s: isn't an array that can be opened", name);
        goto out;
    }
    HS_TRY(check_array(d, name, &a));
    if (info != NULL) {
        *info = a;
    }
    *out = d;
    d = -1;
out:
    if (d >= 0) {
        H5Dclose(d);
    }
    return rc;
}

int hs_h5_read_rows(hid_t array, const hs_h5_array *info, size_t first, size_t n, void *bytes)
{
    hsize_t start[HS_H5_RANK] = {first}, count[HS_H5_RANK] = {n};
    for (size_t i = 1; i < info->rank; i++) {
        count[i] = info->dim[i];
    }
    if (info->count == 0 || n == 0) {
        return HS_OK;
    }
    hid_t type = hs_h5_type(info->dtype), fs = H5Dget_space(array);
    hid_t ms = info->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple((int)info->rank, count, NULL);
    int bad = type < 0 || fs < 0 || ms < 0 ||
              (info->rank > 0 && H5Sselect_hyperslab(fs, H5S_SELECT_SET, start, NULL, count, NULL) < 0) ||
              H5Dread(array, type, ms, fs, H5P_DEFAULT, bytes) < 0;
    H5Tclose(type);
    H5Sclose(fs);
    H5Sclose(ms);
    return bad ? hs_fail(HS_ECHECKSUM, "an array can't be read: cut off, or a checksum fails") : HS_OK;
}

static int copy_fixed(const char *all, size_t width, size_t n, char **list)
{
    for (size_t i = 0; i < n; i++) {
        size_t len = strnlen(all + i * width, width);
        int rc = hs_calloc(len + 1, 1, &list[i]);
        if (rc != HS_OK) {
            return rc;
        }
        memcpy(list[i], all + i * width, len);
    }
    return HS_OK;
}

/* list (n, zeroed) <- texts read by fetch from a dataset or an attribute. */
static int read_texts(hid_t object, int is_attr, hid_t type, hid_t space, size_t n, char **list)
{
    int rc = HS_OK;
    size_t width = H5Tget_size(type), bytes = 0;
    char *all = NULL;
    int vlen = H5Tis_variable_str(type) > 0;
    hid_t mem = H5Tcopy(type);
    HS_TRY(hs_size_mul(n, width, &bytes));
    HS_TRY(hs_calloc(bytes, 1, &all));
    herr_t e = is_attr ? H5Aread(object, mem, all) : H5Dread(object, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, all);
    if (e < 0) {
        rc = hs_fail(HS_EFORMAT, "a text can't be read");
        goto out;
    }
    if (!vlen) {
        HS_TRY(copy_fixed(all, width, n, list));
        goto out;
    }
    char *const *v = (char *const *)(void *)all;
    for (size_t i = 0; i < n && rc == HS_OK; i++) {
        rc = hs_strdup(v[i] == NULL ? "" : v[i], &list[i]);
    }
    H5Dvlen_reclaim(mem, space, H5P_DEFAULT, all);
out:
    H5Tclose(mem);
    free(all);
    return rc;
}

int hs_h5_read_texts(hid_t array, const hs_h5_array *info, char ***out)
{
    int rc = HS_OK;
    char **list = NULL;
    if (!info->is_text || info->rank > 1) {
        return hs_fail(HS_EFORMAT, "not a list of texts");
    }
    hid_t type = H5Dget_type(array), space = H5Dget_space(array);
    HS_TRY(hs_calloc(info->count, sizeof *list, &list));
    HS_TRY(info->count == 0 ? HS_OK : read_texts(array, 0, type, space, info->count, list));
    *out = list;
    list = NULL;
out:
    for (size_t i = 0; list != NULL && i < info->count; i++) {
        free(list[i]);
    }
    free(list);
    H5Tclose(type);
    H5Sclose(space);
    return rc;
}

/* An attribute of one element, open, with its type and space. */
typedef struct {
    hid_t id, type, space;
} attribute;

static void attr_close(attribute *a)
{
    if (a->space >= 0) {
        H5Sclose(a->space);
    }
    if (a->type >= 0) {
        H5Tclose(a->type);
    }
    if (a->id >= 0) {
        H5Aclose(a->id);
    }
}

static int attr_open(hid_t object, const char *name, attribute *a)
{
    *a = (attribute){-1, -1, -1};
    a->id = H5Aexists(object, name) > 0 ? H5Aopen(object, name, H5P_DEFAULT) : -1;
    if (a->id < 0) {
        return hs_fail(HS_EFORMAT, "no attribute %s", name);
    }
    a->type = H5Aget_type(a->id);
    a->space = H5Aget_space(a->id);
    if (a->type < 0 || a->space < 0 || H5Sget_simple_extent_npoints(a->space) != 1 || H5Tget_size(a->type) > MAX_TEXT) {
        attr_close(a);
        return hs_fail(HS_EFORMAT, "attribute %s isn't one value", name);
    }
    return HS_OK;
}

int hs_h5_attr_get_text(hid_t object, const char *name, char **out)
{
    attribute a;
    char *s = NULL;
    int rc = attr_open(object, name, &a);
    if (rc != HS_OK) {
        return rc;
    }
    rc = H5Tget_class(a.type) == H5T_STRING ? read_texts(a.id, 1, a.type, a.space, 1, &s)
                                            : hs_fail(HS_EFORMAT, "attribute %s isn't a text", name);
    attr_close(&a);
    if (rc == HS_OK) {
        *out = s;
    } else {
        free(s);
    }
    return rc;
}

int hs_h5_attr_get_f64(hid_t object, const char *name, double *value)
{
    attribute a;
    hs_dtype t;
    char bytes[8];
    int rc = attr_open(object, name, &a);
    if (rc != HS_OK) {
        return rc;
    }
    rc = hs_fail_in(hs_h5_dtype(a.type, &t), name);
    if (rc == HS_OK) {
        hid_t mem = hs_h5_type(t);
        rc = H5Aread(a.id, mem, bytes) < 0 ? hs_fail(HS_EFORMAT, "attribute %s can't be read", name) : HS_OK;
        H5Tclose(mem);
    }
    attr_close(&a);
    if (rc == HS_OK) {
        hs_to_f64(t, bytes, 1, value);
    }
    return rc;
}

static void walk_attributes(hid_t object)
{
    H5O_info_t info;
    if (H5Oget_info(object, &info) < 0) {
        return;
    }
    for (hsize_t i = 0; i < info.num_attrs && i < MAX_ATTRS; i++) {
        char name[256];
        if (H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT) < 0) {
            continue;
        }
        char *text = NULL;
        double value;
        if (hs_h5_attr_get_text(object, name, &text) != HS_OK) {
            text = NULL;
            if (hs_h5_attr_get_f64(object, name, &value) != HS_OK) {
                continue;
            }
        }
        free(text);
    }
}

/* Decodes every chunk. */
static int walk_chunks(hid_t d, const hs_h5_array *a)
{
    hsize_t chunk[HS_H5_RANK], at[HS_H5_RANK] = {0}, count[HS_H5_RANK];
    hid_t dcpl = H5Dget_create_plist(d), fs = H5Dget_space(d), type = hs_h5_type(a->dtype);
    char *buffer = NULL;
    int more = a->count > 0 && H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, HS_H5_RANK, chunk) > 0;
    int rc = more ? hs_alloc(MAX_CHUNK, 1, &buffer) : HS_OK;
    while (rc == HS_OK && more) {
        for (size_t i = 0; i < a->rank; i++) {
            count[i] = a->dim[i] - at[i] < chunk[i] ? a->dim[i] - at[i] : chunk[i];
        }
        hid_t ms = H5Screate_simple((int)a->rank, count, NULL);
        if (H5Sselect_hyperslab(fs, H5S_SELECT_SET, at, NULL, count, NULL) < 0 ||
            H5Dread(d, type, ms, fs, H5P_DEFAULT, buffer) < 0) {
            rc = hs_fail(HS_ECHECKSUM, "an array can't be read: cut off, or a checksum fails");
        }
        H5Sclose(ms);
        more = 0;
        for (size_t i = a->rank; i-- > 0 && !more;) {
            at[i] += chunk[i];
            more = at[i] < a->dim[i];
            at[i] = more ? at[i] : 0;
        }
    }
    free(buffer);
    H5Tclose(type);
    H5Sclose(fs);
    H5Pclose(dcpl);
    return rc;
}

typedef struct {
    size_t links;
    int depth, rc;
} walk;

static herr_t walk_group(hid_t group, walk *w);

static int walk_dataset(hid_t group, const char *name)
{
    int rc = HS_OK;
    hs_h5_array a;
    hid_t d = -1;
    if (hs_h5_array_open(group, name, &d, &a) != HS_OK) {
        return HS_OK;
    }
    walk_attributes(d);
    if (a.is_text) {
        char **list = NULL;
        if (hs_h5_read_texts(d, &a, &list) == HS_OK) {
            for (size_t i = 0; i < a.count; i++) {
                free(list[i]);
            }
            free(list);
        }
    } else {
        rc = hs_fail_in(walk_chunks(d, &a), name);
    }
    H5Dclose(d);
    return rc;
}

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    walk *w = ctx;
    if (++w->links > MAX_LINKS) {
        w->rc = hs_fail(HS_ELIMIT, "more than %d objects in the file", MAX_LINKS);
        return -1;
    }
    if (info->type != H5L_TYPE_HARD) {
        return 0;
    }
    hid_t object = H5Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        return 0;
    }
    if (H5Iget_type(object) == H5I_DATASET) {
        w->rc = walk_dataset(group, name);
    } else if (H5Iget_type(object) == H5I_GROUP) {
        walk_attributes(object);
        walk_group(object, w);
    }
    H5Oclose(object);
    return w->rc == HS_OK ? 0 : -1;
}

static herr_t walk_group(hid_t group, walk *w)
{
    if (++w->depth > MAX_DEPTH) {
        w->rc = hs_fail(HS_ELIMIT, "groups nested deeper than %d", MAX_DEPTH);
        return -1;
    }
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, walk_link, w) < 0 && w->rc == HS_OK) {
        w->rc = hs_fail(HS_EFORMAT, "its objects can't be listed");
    }
    w->depth--;
    return w->rc == HS_OK ? 0 : -1;
}

int hs_h5_walk(hid_t file, void *unused)
{
    (void)unused;
    walk w = {.rc = HS_OK};
    walk_attributes(file);
    hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0) {
        return hs_fail(HS_EFORMAT, "its root can't be opened");
    }
    walk_group(root, &w);
    H5Gclose(root);
    return w.rc;
}
