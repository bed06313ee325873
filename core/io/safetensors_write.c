#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/json.h"
#include "core/io/safetensors.h"
#include "core/io/tensors_build.h"

static const char *const dtype_names[] = {
    [HS_F64] = "F64", [HS_F32] = "F32", [HS_F16] = "F16",  [HS_BF16] = "BF16", [HS_I64] = "I64",
    [HS_I32] = "I32", [HS_I16] = "I16", [HS_I8] = "I8",    [HS_U64] = "U64",   [HS_U32] = "U32",
    [HS_U16] = "U16", [HS_U8] = "U8",   [HS_BOOL] = "BOOL"};

/* Larger elements first keeps each tensor aligned to its own. */
static int by_size_then_name(const void *a, const void *b)
{
    const hs_tensor *x = *(const hs_tensor *const *)a, *y = *(const hs_tensor *const *)b;
    size_t sx = hs_dtype_size(x->dtype), sy = hs_dtype_size(y->dtype);
    if (sx != sy) {
        return sx > sy ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static int check_name(const hs_tensor *t, const json_t *root)
{
    size_t len = strnlen(t->name, HS_TENSOR_NAME_MAX + 1);
    if (len == 0 || len > HS_TENSOR_NAME_MAX || !hs_text_is_utf8(t->name, len) ||
        strcmp(t->name, "__metadata__") == 0) {
        return hs_fail(HS_ERANGE, "\"%.60s\" can't name a tensor in a safetensors file", t->name);
    }
    if (json_object_get(root, t->name) != NULL) {
        return hs_fail(HS_ERANGE, "two tensors are called \"%.200s\"", t->name);
    }
    return HS_OK;
}

/* root[name] <- the entry of t, whose data start at *offset, which moves on. */
static int put_entry(json_t *root, const hs_tensor *t, uint64_t *offset)
{
    size_t bytes;
    int rc = check_name(t, root);
    if (rc == HS_OK) {
        rc = hs_tensor_bytes(t, &bytes);
    }
    if (rc != HS_OK) {
        return rc;
    }
    json_t *shape = json_array();
    int bad = shape == NULL;
    for (size_t i = 0; i < t->rank; i++) {
        bad |= json_array_append_new(shape, json_integer((json_int_t)t->dim[i]));
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I,I]}", "dtype", dtype_names[t->dtype], "shape", shape, "data_offsets",
                              (json_int_t)*offset, (json_int_t)(*offset + bytes));
    bad |= json_object_set_new(root, t->name, entry);
    *offset += bytes;
    return bad ? hs_fail(HS_ENOMEM, "memory for a safetensors header could not be had") : HS_OK;
}

static int put_metadata(json_t *root, size_t n, const hs_pair *meta)
{
    json_t *m = json_object();
    for (size_t i = 0; i < n; i++) {
        if (json_object_set_new(m, meta[i].key, json_string(meta[i].value)) != 0) {
            json_decref(m);
            return hs_fail(HS_ERANGE, "metadata \"%.60s\": not UTF-8", meta[i].key);
        }
    }
    if (json_object_set_new(root, "__metadata__", m) != 0) {
        return hs_fail(HS_ENOMEM, "memory for a safetensors header could not be had");
    }
    return HS_OK;
}

static int header_of(size_t n, const hs_tensor *const *order, size_t n_meta, const hs_pair *meta, char **out)
{
    json_t *root = json_object();
    uint64_t offset = 0;
    int rc = n_meta > 0 ? put_metadata(root, n_meta, meta) : HS_OK;
    for (size_t i = 0; rc == HS_OK && i < n; i++) {
        rc = put_entry(root, order[i], &offset);
    }
    if (rc == HS_OK) {
        *out = json_dumps(root, JSON_COMPACT);
        rc = *out != NULL ? HS_OK : hs_fail(HS_ENOMEM, "memory for a safetensors header could not be had");
    }
    json_decref(root);
    return rc;
}

static int write_header(hs_outfile *f, const char *json)
{
    static const char spaces[] = "       ";
    size_t len = strlen(json), pad = (8 - len % 8) % 8;
    unsigned char first[8];
    int rc = HS_OK;
    for (int i = 0; i < 8; i++) {
        first[i] = (unsigned char)((uint64_t)(len + pad) >> (8 * i));
    }
    HS_TRY(hs_outfile_write(f, first, sizeof first));
    HS_TRY(hs_outfile_write(f, json, len));
    HS_TRY(hs_outfile_write(f, spaces, pad));
out:
    return rc;
}

int hs_safetensors_write(const char *path, size_t n, const hs_tensor *tensor, size_t n_meta, const hs_pair *meta,
                         int force)
{
    const hs_tensor **order = NULL;
    char *json = NULL;
    hs_outfile *f = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *order, &order));
    for (size_t i = 0; i < n; i++) {
        order[i] = &tensor[i];
    }
    if (n > 1) {
        qsort(order, n, sizeof *order, by_size_then_name);
    }
    rc = hs_fail_in(header_of(n, order, n_meta, meta, &json), path);
    HS_TRY(rc);
    HS_TRY(hs_outfile_begin(path, force, &f));
    HS_TRY(write_header(f, json));
    for (size_t i = 0; i < n; i++) {
        size_t bytes;
        HS_TRY(hs_tensor_bytes(order[i], &bytes));
        HS_TRY(hs_outfile_write(f, order[i]->bytes, bytes));
    }
    HS_TRY(hs_outfile_commit(f));
out:
    hs_outfile_free(f);
    free(json);
    free(order);
    return rc;
}
