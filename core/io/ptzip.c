#include "core/io/ptzip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/pickle.h"
#include "core/io/tensors_build.h"

enum { PATH_ROOM = HS_ZIP_NAME_MAX + 64, EXTRA_BUDGET = 16 << 20, VERSION_MAX = 10 };

typedef struct {
    hs_zip *z;
    char top[HS_ZIP_NAME_MAX + 1]; /* the folder, with its slash */
    size_t budget;                 /* bytes that copies may still take */
    hs_tensors *out;
} reader;

static const char *base_of(const char *name)
{
    const char *slash = strchr(name, '/');
    return slash != NULL ? slash + 1 : "";
}

int hs_ptzip_is(const hs_zip *z)
{
    for (size_t i = 0; i < hs_zip_count(z); i++) {
        if (strcmp(base_of(hs_zip_at(z, i)->name), "data.pkl") == 0) {
            return 1;
        }
    }
    return 0;
}

/* One top folder; nothing of TorchScript. */
static int check_layout(reader *r)
{
    const char *first = hs_zip_at(r->z, 0)->name;
    size_t len = (size_t)(base_of(first) - first);
    if (strchr(first, '/') == NULL) {
        len = 0;
    }
    memcpy(r->top, first, len);
    r->top[len] = '\0';
    for (size_t i = 0; i < hs_zip_count(r->z); i++) {
        const char *name = hs_zip_at(r->z, i)->name, *base = base_of(name);
        if (len == 0 || strncmp(name, r->top, len) != 0) {
            return hs_fail(HS_EFORMAT, "PyTorch zip: \"%.200s\" is not in the one top folder", name);
        }
        if (strncmp(base, "code/", 5) == 0 || strcmp(base, "constants.pkl") == 0) {
            return hs_fail(HS_EFORMAT, "PyTorch zip: this is TorchScript, a program; save the state_dict instead");
        }
    }
    return HS_OK;
}

static int find(reader *r, const char *base, const hs_zip_entry **out)
{
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s%s", r->top, base);
    return hs_zip_find(r->z, path, out);
}

static int check_version(reader *r)
{
    const hs_zip_entry *version, *order;
    unsigned v = 0;
    int rc = HS_OK;
    HS_TRY(find(r, "version", &version));
    HS_TRY(find(r, "byteorder", &order));
    size_t n = version != NULL ? version->size : 0;
    n -= n > 0 && version->bytes[n - 1] == '\n';
    for (size_t i = 0; i < n && v <= VERSION_MAX; i++) {
        unsigned c = version->bytes[i];
        v = c >= '0' && c <= '9' ? 10 * v + (c - '0') : VERSION_MAX + 1;
    }
    if (n == 0 || v == 0 || v > VERSION_MAX) {
        return hs_fail(HS_EFORMAT, "PyTorch zip: the entry version is missing or not a number up to %d", VERSION_MAX);
    }
    if (order != NULL && (order->size != 6 || memcmp(order->bytes, "little", 6) != 0)) {
        return hs_fail(HS_EFORMAT, "PyTorch zip: only little-endian files are read");
    }
out:
    return rc;
}

static int is_contiguous(const hs_pickled *p)
{
    uint64_t want = 1;
    for (size_t i = p->rank; i-- > 0;) {
        if (p->dim[i] != 1 && p->stride[i] != want) {
            return 0;
        }
        want *= p->dim[i];
    }
    return 1;
}

/* t->bytes <- p's elements in C order: in the storage or in a copy. */
static int place(reader *r, const hs_pickled *p, const unsigned char *storage, hs_tensor *t)
{
    size_t count, total, size = hs_dtype_size(p->dtype);
    unsigned char *copy;
    int rc = HS_OK;
    HS_TRY(hs_size_product(p->rank, p->dim, &count));
    HS_TRY(hs_size_mul(count, size, &total));
    if (count == 0 || is_contiguous(p)) {
        t->bytes = storage + p->offset * size;
        return HS_OK;
    }
    if (total > r->budget) {
        return hs_fail(HS_ELIMIT, "tensor \"%.200s\": %zu bytes, many times the file", p->name, total);
    }
    r->budget -= total;
    HS_TRY(hs_alloc(total, 1, &copy));
    hs_tensors_gather(t, p->stride, storage + p->offset * size, copy);
    t->bytes = copy;
    HS_TRY(hs_tensors_adopt(r->out, copy));
out:
    return rc;
}

static int add(reader *r, const hs_pickled *p)
{
    const hs_zip_entry *e;
    char base[32];
    size_t size;
    hs_tensor t = {.name = p->name, .dtype = p->dtype, .rank = p->rank};
    int rc = HS_OK;
    snprintf(base, sizeof base, "data/%s", p->key);
    HS_TRY(find(r, base, &e));
    if (e == NULL) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": the archive has no storage %s", p->name, p->key);
    }
    if (__builtin_mul_overflow(p->numel, hs_dtype_size(p->dtype), &size) || size != e->size) {
        return hs_fail(HS_EFORMAT, "tensor \"%.200s\": storage %s has %zu bytes, %llu elements of %s were announced",
                       p->name, p->key, e->size, (unsigned long long)p->numel, hs_dtype_name(p->dtype));
    }
    memcpy(t.dim, p->dim, p->rank * sizeof *t.dim);
    HS_TRY(place(r, p, e->bytes, &t));
    HS_TRY(hs_tensors_add(r->out, t));
out:
    return rc;
}

static int budget_of(size_t file_bytes, size_t *out)
{
    size_t four;
    int rc = hs_size_mul(file_bytes, 4, &four);
    return rc == HS_OK ? hs_size_add(four, EXTRA_BUDGET, out) : rc;
}

int hs_ptzip_read(hs_zip *z, size_t file_bytes, hs_tensors **out)
{
    reader *r = NULL;
    const hs_zip_entry *pkl;
    hs_pickle p = {0};
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *r, &r));
    r->z = z;
    HS_TRY(budget_of(file_bytes, &r->budget));
    HS_TRY(hs_zip_count(z) > 0 ? check_layout(r) : hs_fail(HS_EFORMAT, "PyTorch zip: empty"));
    HS_TRY(check_version(r));
    HS_TRY(find(r, "data.pkl", &pkl));
    if (pkl == NULL) {
        rc = hs_fail(HS_EFORMAT, "PyTorch zip: no entry data.pkl");
        goto out;
    }
    HS_TRY(hs_pickle_read(pkl->bytes, pkl->size, NULL, &p));
    HS_TRY(hs_tensors_new(&r->out));
    for (size_t i = 0; i < p.n; i++) {
        HS_TRY(add(r, &p.t[i]));
    }
    HS_TRY(hs_tensors_finish(r->out));
    *out = r->out;
    r->out = NULL;
out:
    if (r != NULL) {
        hs_tensors_free(r->out);
    }
    hs_pickle_free(&p);
    free(r);
    return rc;
}
