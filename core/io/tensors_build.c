#include "core/io/tensors_build.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *key, *value;
} metadata_pair;

struct hs_tensors {
    hs_tensor *t;
    size_t n, cap;
    void **block;
    size_t n_block, cap_block;
    hs_mapping *map;
    size_t n_map, cap_map;
    metadata_pair *meta;
    size_t n_meta, cap_meta;
    hs_arena names;
};

int hs_tensors_new(hs_tensors **out)
{
    return hs_calloc(1, sizeof **out, out);
}

/* Makes room for one more element in the array at *list. */
static int grow(void *list, size_t n, size_t *cap, size_t size)
{
    void **p = list, *bigger;
    if (n < *cap) {
        return HS_OK;
    }
    size_t want = *cap < 16 ? 16 : *cap * 2;
    int rc = hs_alloc(want, size, &bigger);
    if (rc == HS_OK) {
        if (n > 0) {
            memcpy(bigger, *p, n * size);
        }
        free(*p);
        *p = bigger;
        *cap = want;
    }
    return rc;
}

static int keep_name(hs_tensors *ts, const char *s, const char **out)
{
    char *copy;
    size_t len = strlen(s) + 1;
    int rc = hs_arena_alloc(&ts->names, len, 1, &copy);
    if (rc == HS_OK) {
        memcpy(copy, s, len);
        *out = copy;
    }
    return rc;
}

int hs_tensor_bytes(const hs_tensor *t, size_t *out)
{
    uint64_t other[HS_RANK_MAX];
    size_t count, bytes;
    int empty = 0;
    if (t->rank > HS_RANK_MAX) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\" has %zu dimensions; the limit is %d", t->name, t->rank,
                       HS_RANK_MAX);
    }
    for (size_t i = 0; i < t->rank; i++) {
        empty |= t->dim[i] == 0;
        other[i] = t->dim[i] == 0 ? 1 : t->dim[i];
    }
    if (hs_size_product(t->rank, other, &count) != HS_OK ||
        hs_size_mul(count, hs_dtype_size(t->dtype), &bytes) != HS_OK) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": its shape overflows", t->name);
    }
    *out = empty ? 0 : bytes;
    return HS_OK;
}

void hs_tensors_gather(const hs_tensor *t, const uint64_t *stride, const unsigned char *from, unsigned char *to)
{
    uint64_t index[HS_RANK_MAX] = {0}, at = 0;
    size_t size = hs_dtype_size(t->dtype), i;
    do {
        memcpy(to, from + at * size, size);
        to += size;
        for (i = t->rank; i > 0; i--) {
            at += stride[i - 1];
            if (++index[i - 1] < t->dim[i - 1]) {
                break;
            }
            at -= stride[i - 1] * t->dim[i - 1];
            index[i - 1] = 0;
        }
    } while (i > 0);
}

int hs_tensors_add(hs_tensors *ts, hs_tensor t)
{
    size_t bytes, len = strnlen(t.name, HS_TENSOR_NAME_MAX + 1);
    int rc = HS_OK;
    if (len == 0 || len > HS_TENSOR_NAME_MAX) {
        return hs_fail(HS_EFORMAT, "tensor name \"%.60s\" has %s bytes; 1 to %d are legal", t.name,
                       len == 0 ? "no" : "too many", HS_TENSOR_NAME_MAX);
    }
    HS_TRY(hs_tensor_bytes(&t, &bytes));
    t.count = bytes / hs_dtype_size(t.dtype);
    HS_TRY(grow(&ts->t, ts->n, &ts->cap, sizeof *ts->t));
    HS_TRY(keep_name(ts, t.name, &t.name));
    ts->t[ts->n++] = t;
out:
    return rc;
}

int hs_tensors_adopt(hs_tensors *ts, void *block)
{
    int rc = grow(&ts->block, ts->n_block, &ts->cap_block, sizeof *ts->block);
    if (rc != HS_OK) {
        free(block);
        return rc;
    }
    ts->block[ts->n_block++] = block;
    return HS_OK;
}

int hs_tensors_adopt_mapping(hs_tensors *ts, hs_mapping m)
{
    int rc = grow(&ts->map, ts->n_map, &ts->cap_map, sizeof *ts->map);
    if (rc != HS_OK) {
        hs_mapping_close(&m);
        return rc;
    }
    ts->map[ts->n_map++] = m;
    return HS_OK;
}

int hs_tensors_check(const hs_tensors *ts)
{
    int rc = HS_OK;
    for (size_t i = 0; ts != NULL && i < ts->n_map && rc == HS_OK; i++) {
        rc = hs_mapping_check(&ts->map[i]);
    }
    return rc;
}

static const hs_mapping *mapping_of(const hs_tensors *ts, const hs_tensor *t)
{
    for (size_t i = 0; i < ts->n_map; i++) {
        uintptr_t at = (uintptr_t)t->bytes, from = (uintptr_t)ts->map[i].bytes;
        if (at >= from && at - from < ts->map[i].len) {
            return &ts->map[i];
        }
    }
    return NULL;
}

int hs_tensors_lend(const hs_tensors *ts, const hs_tensor *t, size_t first, size_t len, void *room,
                    const unsigned char **bytes)
{
    const hs_mapping *m = mapping_of(ts, t);
    *bytes = t->bytes + first;
    if (m == NULL || len == 0) {
        return HS_OK;
    }
    size_t at = (size_t)(*bytes - m->bytes);
    if (room != NULL && !hs_mapping_cached(m, at + len - 1)) {
        const hs_file f = {.fd = m->fd, .size = m->len};
        *bytes = room;
        return hs_file_read_at(&f, "a mapped file", at, room, len);
    }
    hs_mapping_fetch(m, at, len);
    return HS_OK;
}

void hs_tensors_drop_part(const hs_tensors *ts, const hs_tensor *t, size_t first, size_t len)
{
    const hs_mapping *m = mapping_of(ts, t);
    if (m != NULL) {
        hs_mapping_drop_part(m, (size_t)(t->bytes - m->bytes) + first, len);
    }
}

int hs_tensors_place(const hs_tensors *ts, const hs_tensor *t, uint64_t *offset, uint64_t *size)
{
    const hs_mapping *m = mapping_of(ts, t);
    if (m != NULL) {
        *offset = (uint64_t)(t->bytes - m->bytes);
        *size = m->len;
    }
    return m != NULL;
}

void hs_tensors_drop(const hs_tensors *ts)
{
    for (size_t i = 0; ts != NULL && i < ts->n_map; i++) {
        hs_mapping_drop(&ts->map[i]);
    }
}

int hs_tensors_add_metadata(hs_tensors *ts, const char *key, const char *value)
{
    metadata_pair pair;
    int rc = HS_OK;
    HS_TRY(grow(&ts->meta, ts->n_meta, &ts->cap_meta, sizeof *ts->meta));
    HS_TRY(keep_name(ts, key, &pair.key));
    HS_TRY(keep_name(ts, value, &pair.value));
    ts->meta[ts->n_meta++] = pair;
out:
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hs_tensor *)a)->name, ((const hs_tensor *)b)->name);
}

int hs_tensors_finish(hs_tensors *ts)
{
    if (ts->n > 1) {
        qsort(ts->t, ts->n, sizeof *ts->t, by_name);
    }
    for (size_t i = 1; i < ts->n; i++) {
        if (strcmp(ts->t[i - 1].name, ts->t[i].name) == 0) {
            return hs_fail(HS_EFORMAT, "tensor \"%.200s\" is there twice", ts->t[i].name);
        }
    }
    return HS_OK;
}

int hs_tensors_merge(hs_tensors *ts, hs_tensors *src)
{
    int rc = HS_OK;
    for (size_t i = 0; i < src->n; i++) {
        HS_TRY(hs_tensors_add(ts, src->t[i]));
    }
    while (src->n_block > 0) {
        HS_TRY(hs_tensors_adopt(ts, src->block[--src->n_block]));
    }
    while (src->n_map > 0) {
        HS_TRY(hs_tensors_adopt_mapping(ts, src->map[--src->n_map]));
    }
out:
    hs_tensors_free(src);
    return rc;
}

size_t hs_tensors_count(const hs_tensors *ts)
{
    return ts->n;
}

const hs_tensor *hs_tensors_at(const hs_tensors *ts, size_t i)
{
    return &ts->t[i];
}

const hs_tensor *hs_tensors_find(const hs_tensors *ts, const char *name)
{
    hs_tensor key = {.name = name};
    return ts->n > 0 ? bsearch(&key, ts->t, ts->n, sizeof *ts->t, by_name) : NULL;
}

const char *hs_tensors_metadata(const hs_tensors *ts, const char *key)
{
    for (size_t i = 0; i < ts->n_meta; i++) {
        if (strcmp(ts->meta[i].key, key) == 0) {
            return ts->meta[i].value;
        }
    }
    return NULL;
}

void hs_tensors_free(hs_tensors *ts)
{
    if (ts == NULL) {
        return;
    }
    for (size_t i = 0; i < ts->n_block; i++) {
        free(ts->block[i]);
    }
    for (size_t i = 0; i < ts->n_map; i++) {
        hs_mapping_close(&ts->map[i]);
    }
    hs_arena_free(&ts->names);
    free(ts->block);
    free(ts->map);
    free(ts->meta);
    free(ts->t);
    free(ts);
}
