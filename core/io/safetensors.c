#include "core/io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "core/io/file.h"
#include "core/io/json.h"
#include "core/io/tensors_build.h"

enum { PREFIX = 8 };

static const struct {
    const char *name;
    hs_dtype dtype;
} dtypes[] = {{"F64", HS_F64}, {"F32", HS_F32}, {"F16", HS_F16},  {"BF16", HS_BF16}, {"I64", HS_I64},
              {"I32", HS_I32}, {"I16", HS_I16}, {"I8", HS_I8},    {"U64", HS_U64},   {"U32", HS_U32},
              {"U16", HS_U16}, {"U8", HS_U8},   {"BOOL", HS_BOOL}};

/* Where a tensor lies; ranges are checked in their order in the file. */
typedef struct {
    const char *name;
    uint64_t begin, end;
} range;

int hs_safetensors_header_size(const unsigned char first[8], uint64_t size, size_t *out)
{
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) {
        n = n << 8 | first[i];
    }
    if (n > HS_SAFETENSORS_HEADER_MAX) {
        return hs_fail(HS_EFORMAT, "safetensors: a header of %llu bytes; the format's limit is %d",
                       (unsigned long long)n, HS_SAFETENSORS_HEADER_MAX);
    }
    if (n < 2 || size < PREFIX || n > size - PREFIX) {
        return hs_fail(HS_EFORMAT, "safetensors: a header of %llu bytes in a file of %llu", (unsigned long long)n,
                       (unsigned long long)size);
    }
    *out = (size_t)n;
    return HS_OK;
}

static int read_dtype(const json_t *v, const char *name, hs_dtype *out)
{
    const char *s = json_string_value(v);
    for (size_t i = 0; s != NULL && i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(s, dtypes[i].name) == 0) {
            *out = dtypes[i].dtype;
            return HS_OK;
        }
    }
    return hs_fail(HS_EFORMAT, "tensor \"%.200s\": dtype %.40s is none of F64 F32 F16 BF16 I64 ... U8 BOOL", name,
                   s != NULL ? s : "(not a string)");
}

/* out[0..n) <- an array of whole numbers >= 0. */
static int read_sizes(const json_t *v, const char *name, const char *what, size_t max, uint64_t *out)
{
    if (!json_is_array(v) || json_array_size(v) > max) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": %s must be an array of at most %zu numbers", name, what, max);
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const json_t *e = json_array_get(v, i);
        if (!json_is_integer(e) || json_integer_value(e) < 0) {
            return hs_fail(HS_EFORMAT, "tensor \"%.200s\": %s[%zu] is no whole number >= 0", name, what, i);
        }
        out[i] = (uint64_t)json_integer_value(e);
    }
    return HS_OK;
}

/* One entry of the header; range and bytes against data_len. */
static int read_entry(const char *name, const json_t *entry, const unsigned char *data, size_t data_len, hs_tensor *t,
                      range *r)
{
    const json_t *shape = json_object_get(entry, "shape"), *offsets = json_object_get(entry, "data_offsets");
    uint64_t offset[2];
    size_t bytes;
    int rc = HS_OK;
    if (!json_is_object(entry) || json_object_size(entry) != 3 || shape == NULL || offsets == NULL) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": needs exactly dtype, shape and data_offsets", name);
    }
    *t = (hs_tensor){.name = name, .rank = json_array_size(shape)};
    HS_TRY(read_dtype(json_object_get(entry, "dtype"), name, &t->dtype));
    HS_TRY(read_sizes(shape, name, "shape", HS_RANK_MAX, t->dim));
    HS_TRY(read_sizes(offsets, name, "data_offsets", 2, offset));
    HS_TRY(hs_tensor_bytes(t, &bytes));
    if (json_array_size(offsets) != 2 || offset[0] > offset[1] || offset[1] > data_len) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": data_offsets must be [begin, end] within %zu bytes", name,
                       data_len);
    }
    if (offset[1] - offset[0] != bytes) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": %llu bytes of data, its shape needs %zu", name,
                       (unsigned long long)(offset[1] - offset[0]), bytes);
    }
    *r = (range){name, offset[0], offset[1]};
    t->bytes = data + offset[0];
out:
    return rc;
}

static int read_metadata(const json_t *meta, hs_tensors *ts)
{
    const char *key;
    json_t *value;
    if (!json_is_object(meta)) {
        return hs_fail(HS_EFORMAT, "__metadata__ must be an object of strings");
    }
    json_object_foreach((json_t *)meta, key, value)
    {
        if (!json_is_string(value)) {
            return hs_fail(HS_EFORMAT, "__metadata__: \"%.200s\" is not a string", key);
        }
        int rc = hs_tensors_add_metadata(ts, key, json_string_value(value));
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

static int by_begin(const void *a, const void *b)
{
    const range *x = a, *y = b;
    if (x->begin != y->begin) {
        return x->begin < y->begin ? -1 : 1;
    }
    return (x->end > y->end) - (x->end < y->end);
}

/* The ranges, in order, follow each other without hole or overlap and end with the data. */
static int check_ranges(range *r, size_t n, size_t data_len)
{
    uint64_t at = 0;
    if (n > 1) {
        qsort(r, n, sizeof *r, by_begin);
    }
    for (size_t i = 0; i < n; i++) {
        if (r[i].begin != at) {
            return hs_fail(HS_EFORMAT, "tensor \"%.200s\": starts at %llu, %s", r[i].name,
                           (unsigned long long)r[i].begin, r[i].begin < at ? "inside another tensor" : "after a hole");
        }
        at = r[i].end;
    }
    if (at != data_len) {
        return hs_fail(HS_EFORMAT, "safetensors: %zu bytes of data, the tensors cover %llu", data_len,
                       (unsigned long long)at);
    }
    return HS_OK;
}

static int read_entries(const json_t *root, const unsigned char *data, size_t data_len, hs_tensors *ts)
{
    range *r = NULL;
    size_t n = 0;
    const char *name;
    json_t *entry;
    int rc = HS_OK;
    HS_TRY(hs_alloc(json_object_size(root) + 1, sizeof *r, &r));
    json_object_foreach((json_t *)root, name, entry)
    {
        hs_tensor t;
        if (strcmp(name, "__metadata__") == 0) {
            HS_TRY(read_metadata(entry, ts));
            continue;
        }
        HS_TRY(read_entry(name, entry, data, data_len, &t, &r[n]));
        HS_TRY(hs_tensors_add(ts, t));
        n++;
    }
    HS_TRY(check_ranges(r, n, data_len));
out:
    free(r);
    return rc;
}

int hs_safetensors_parse(const char *json, size_t len, const unsigned char *data, size_t data_len, hs_tensors **out)
{
    static const hs_json_limits limits = {HS_SAFETENSORS_HEADER_MAX, 8, 1000000};
    json_t *root = NULL;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_json_parse(json, len, &limits, &root));
    if (!json_is_object(root)) {
        rc = hs_fail(HS_EFORMAT, "safetensors: the header must be a JSON object");
        goto out;
    }
    HS_TRY(hs_tensors_new(&ts));
    HS_TRY(read_entries(root, data, data_len, ts));
    HS_TRY(hs_tensors_finish(ts));
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    json_decref(root);
    return rc;
}

int hs_safetensors_from_memory(const unsigned char *bytes, size_t len, hs_tensors **out)
{
    size_t header;
    if (len < PREFIX) {
        return hs_fail(HS_EFORMAT, "safetensors: %zu bytes; 8 are needed for the header's length", len);
    }
    int rc = hs_safetensors_header_size(bytes, len, &header);
    if (rc != HS_OK) {
        return rc;
    }
    return hs_safetensors_parse((const char *)bytes + PREFIX, header, bytes + PREFIX + header, len - PREFIX - header,
                                out);
}

/* *ts <- the tensors that json describes, over data of the file from byte begin on.  All is checked before
 * the data are read; their memory is only touched by reading. */
static int read_data(const hs_file *f, const char *path, const char *json, size_t header, hs_tensors **out)
{
    unsigned char *data = NULL;
    size_t begin = PREFIX + header, data_len = (size_t)f->size - begin;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(data_len, 1, &data));
    HS_TRY(hs_safetensors_parse(json, header, data, data_len, &ts));
    HS_TRY(hs_file_read_at(f, path, begin, data, data_len));
    rc = hs_tensors_adopt(ts, data);
    data = NULL;
    HS_TRY(rc);
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    free(data);
    return rc;
}

static int map_data(const hs_file *f, const char *path, const char *json, size_t header, hs_tensors **out)
{
    hs_mapping m = {0};
    size_t begin = PREFIX + header;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_mapping_open(f, path, &m));
    HS_TRY(hs_safetensors_parse(json, header, m.bytes + begin, m.len - begin, &ts));
    rc = hs_tensors_adopt_mapping(ts, m);
    m = (hs_mapping){0};
    HS_TRY(rc);
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    hs_mapping_close(&m);
    return rc;
}

static int read_file(const hs_file *f, const char *path, int mapped, hs_tensors **out)
{
    unsigned char first[PREFIX];
    char *json = NULL;
    size_t header;
    int rc = HS_OK;
    if (f->size < PREFIX) {
        return hs_fail(HS_EFORMAT, "safetensors: %llu bytes; 8 are needed for the header's length",
                       (unsigned long long)f->size);
    }
    HS_TRY(hs_file_read_at(f, path, 0, first, PREFIX));
    HS_TRY(hs_safetensors_header_size(first, f->size, &header));
    HS_TRY(hs_file_fits_memory(f->size));
    HS_TRY(hs_alloc(header, 1, &json));
    HS_TRY(hs_file_read_at(f, path, PREFIX, json, header));
    rc = mapped && f->size >= HS_MAP_MIN ? map_data(f, path, json, header, out) : read_data(f, path, json, header, out);
out:
    free(json);
    return rc;
}

static int open_one(const char *path, int mapped, hs_tensors **out)
{
    hs_file f;
    int rc = hs_file_open(path, &f);
    if (rc == HS_OK) {
        rc = read_file(&f, path, mapped, out);
        rc = rc == HS_EIO ? rc : hs_fail_in(rc, path);
        hs_file_close(&f);
    }
    return rc;
}

int hs_safetensors_open(const char *path, hs_tensors **out)
{
    return open_one(path, 0, out);
}

int hs_safetensors_map(const char *path, hs_tensors **out)
{
    return open_one(path, 1, out);
}

static int open_shard(const char *index_path, const char *name, int mapped, hs_tensors **out)
{
    size_t len = strlen(name);
    hs_file f;
    if (len < 12 || strcmp(name + len - 12, ".safetensors") != 0) {
        return hs_fail(HS_EFORMAT, "shard \"%.200s\" is not called *.safetensors", name);
    }
    int rc = hs_file_open_beside(index_path, name, &f);
    if (rc == HS_OK) {
        rc = read_file(&f, name, mapped, out);
        rc = rc == HS_EIO ? rc : hs_fail_in(rc, name);
        hs_file_close(&f);
    } else if (rc == HS_EIO) {
        return hs_fail(HS_EFORMAT, "shard \"%.200s\" is missing or can't be opened", name);
    }
    return rc;
}

/* Every tensor of shard is listed for it, and as many are listed for it as it has. */
static int check_shard(const json_t *map, const char *name, const hs_tensors *shard)
{
    size_t listed = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)map, key, value)
    {
        if (strcmp(json_string_value(value), name) == 0) {
            listed++;
            if (hs_tensors_find(shard, key) == NULL) {
                return hs_fail(HS_EFORMAT, "tensor \"%.200s\" is not in its shard %.100s", key, name);
            }
        }
    }
    if (listed != hs_tensors_count(shard)) {
        return hs_fail(HS_EFORMAT, "shard %.100s holds %zu tensors; the index lists %zu for it", name,
                       hs_tensors_count(shard), listed);
    }
    return HS_OK;
}

static int check_total(const json_t *root, const hs_tensors *ts)
{
    const json_t *total = json_object_get(json_object_get(root, "metadata"), "total_size");
    uint64_t sum = 0;
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        const hs_tensor *t = hs_tensors_at(ts, i);
        sum += t->count * hs_dtype_size(t->dtype);
    }
    if (total != NULL && (!json_is_number(total) || json_number_value(total) != (double)sum)) {
        return hs_fail(HS_EFORMAT, "metadata.total_size is not the %llu bytes that the shards hold",
                       (unsigned long long)sum);
    }
    return HS_OK;
}

/* *names (borrowed from map) <- the different shard names. */
static int shard_names(const json_t *map, json_t *set)
{
    enum { SHARDS_MAX = 1000 };
    const char *key;
    json_t *value;
    if (!json_is_object(map) || json_object_size(map) == 0) {
        return hs_fail(HS_EFORMAT, "weight_map must be an object that gives each tensor its shard");
    }
    json_object_foreach((json_t *)map, key, value)
    {
        if (!json_is_string(value)) {
            return hs_fail(HS_EFORMAT, "weight_map: the shard of \"%.200s\" is not a string", key);
        }
        if (json_object_set_new(set, json_string_value(value), json_null()) != 0) {
            return hs_fail(HS_ENOMEM, "memory for the names of shards could not be had");
        }
        if (json_object_size(set) > SHARDS_MAX) {
            return hs_fail(HS_ELIMIT, "weight_map names more than %d shards", SHARDS_MAX);
        }
    }
    return HS_OK;
}

static int open_shards(const char *path, const json_t *root, const json_t *set, int mapped, hs_tensors *ts)
{
    const json_t *map = json_object_get(root, "weight_map");
    const char *name;
    json_t *unused;
    int rc = HS_OK;
    json_object_foreach((json_t *)set, name, unused)
    {
        hs_tensors *shard = NULL;
        HS_TRY(open_shard(path, name, mapped, &shard));
        rc = check_shard(map, name, shard);
        if (rc != HS_OK) {
            hs_tensors_free(shard);
            goto out;
        }
        HS_TRY(hs_tensors_merge(ts, shard));
    }
    HS_TRY(hs_tensors_finish(ts));
    HS_TRY(check_total(root, ts));
out:
    return rc;
}

int hs_safetensors_open_index(const char *path, int mapped, hs_tensors **out)
{
    json_t *root = NULL, *set = NULL;
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_json_read(path, &root));
    set = json_object();
    rc = set != NULL ? hs_tensors_new(&ts) : hs_fail(HS_ENOMEM, "memory for the names of shards could not be had");
    if (rc == HS_OK) {
        rc = shard_names(json_object_get(root, "weight_map"), set);
    }
    if (rc == HS_OK) {
        rc = open_shards(path, root, set, mapped, ts);
    }
    rc = hs_fail_in(rc, path);
    if (rc == HS_OK) {
        *out = ts;
        ts = NULL;
    }
out:
    hs_tensors_free(ts);
    json_decref(set);
    json_decref(root);
    return rc;
}
