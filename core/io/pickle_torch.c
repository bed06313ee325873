/* What PyTorch's pickles mean: the allowed globals, storages and tensors. */
#include <string.h>

#include "core/io/pickle_vm.h"

enum { G_DICT, G_TENSOR, G_PARAMETER, G_STORAGE };

static const struct {
    const char *module, *name;
    int what;
    hs_dtype dtype;
} globals[] = {
    {"collections", "OrderedDict", G_DICT, HS_F32},
    {"torch._utils", "_rebuild_tensor_v2", G_TENSOR, HS_F32},
    {"torch._utils", "_rebuild_parameter", G_PARAMETER, HS_F32},
    {"torch", "FloatStorage", G_STORAGE, HS_F32},
    {"torch", "DoubleStorage", G_STORAGE, HS_F64},
    {"torch", "HalfStorage", G_STORAGE, HS_F16},
    {"torch", "BFloat16Storage", G_STORAGE, HS_BF16},
    {"torch", "LongStorage", G_STORAGE, HS_I64},
    {"torch", "IntStorage", G_STORAGE, HS_I32},
    {"torch", "ShortStorage", G_STORAGE, HS_I16},
    {"torch", "CharStorage", G_STORAGE, HS_I8},
    {"torch", "ByteStorage", G_STORAGE, HS_U8},
    {"torch", "BoolStorage", G_STORAGE, HS_BOOL},
};

static int same(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

int hs_vm_global(const char *module, size_t module_len, const char *name, size_t name_len, uint32_t *g)
{
    for (uint32_t i = 0; i < sizeof globals / sizeof *globals; i++) {
        if (same(module, module_len, globals[i].module) && same(name, name_len, globals[i].name)) {
            *g = i;
            return HS_OK;
        }
    }
    return hs_fail(HS_EFORMAT, "pickle: global %.*s.%.*s is not a part of weights; nothing was run", (int)module_len,
                   module, (int)name_len, name);
}

/* out[0..n) <- the members. */
static void members(const vm *m, const container *c, size_t n, value *out)
{
    uint32_t i = c->first;
    for (size_t k = 0; k < n && i != NIL; k++, i = m->items[i].next) {
        out[k] = m->items[i].v;
    }
}

/* A storage's key: the decimal number of an archive entry, written the one way there is. */
static int read_key(const unsigned char *s, size_t len, uint64_t *out)
{
    uint64_t v = 0;
    int legal = len >= 1 && len <= 10 && (len == 1 || s[0] != '0');
    for (size_t i = 0; legal && i < len; i++) {
        legal = s[i] >= '0' && s[i] <= '9';
        v = v * 10 + (uint64_t)(s[i] - '0');
    }
    if (!legal) {
        return hs_fail(HS_EFORMAT, "pickle: storage key \"%.*s\" is not a plain number", (int)(len < 40 ? len : 40), s);
    }
    *out = v;
    return HS_OK;
}

int hs_vm_storage(vm *m, value id, value *v)
{
    enum { PARTS = 5 }; /* "storage", type, key, device, numel */
    value p[PARTS];
    storage s;
    if (id.kind != V_TUPLE || m->obj[id.u.ref].n != PARTS) {
        return hs_fail(HS_EFORMAT, "pickle: a persistent id that isn't a tuple of 5 at byte %zu", m->at);
    }
    members(m, &m->obj[id.u.ref], PARTS, p);
    if (p[0].kind != V_STR || !same((const char *)m->in + p[0].u.at, p[0].len, "storage") || p[1].kind != V_GLOBAL ||
        globals[p[1].u.ref].what != G_STORAGE || p[2].kind != V_STR || p[3].kind != V_STR || p[4].kind != V_INT ||
        p[4].u.i < 0) {
        return hs_fail(HS_EFORMAT, "pickle: a persistent id that isn't a storage at byte %zu", m->at);
    }
    s.dtype = globals[p[1].u.ref].dtype;
    s.numel = (uint64_t)p[4].u.i;
    int rc = read_key(m->in + p[2].u.at, p[2].len, &s.key);
    if (rc == HS_OK) {
        rc = hs_vm_room(m, &m->storages, m->n_storages, &m->cap_storages, sizeof s);
    }
    if (rc == HS_OK) {
        m->storages[m->n_storages] = s;
        *v = (value){.kind = V_STORAGE, .u.ref = (uint32_t)m->n_storages++};
    }
    return rc;
}

/* out[0..*n) <- a tuple of integers >= 0. */
static int read_sizes(const vm *m, value v, const char *what, size_t *n, uint64_t *out)
{
    value e[HS_RANK_MAX];
    if (v.kind != V_TUPLE || m->obj[v.u.ref].n > HS_RANK_MAX) {
        return hs_fail(HS_EFORMAT, "pickle: a tensor's %s is no tuple of at most %d at byte %zu", what, HS_RANK_MAX,
                       m->at);
    }
    *n = m->obj[v.u.ref].n;
    members(m, &m->obj[v.u.ref], *n, e);
    for (size_t i = 0; i < *n; i++) {
        if (e[i].kind != V_INT || e[i].u.i < 0) {
            return hs_fail(HS_EFORMAT, "pickle: a tensor's %s holds no number >= 0 at byte %zu", what, m->at);
        }
        out[i] = (uint64_t)e[i].u.i;
    }
    return HS_OK;
}

/* Every element of t lies inside its numel elements. */
static int check_bounds(const vm *m, const tensor *t)
{
    uint64_t last = t->offset, numel = m->storages[t->storage].numel, step;
    int empty = 0, over = 0;
    for (size_t i = 0; i < t->rank; i++) {
        empty |= t->dim[i] == 0;
        over |= t->dim[i] > 1 && (__builtin_mul_overflow(t->dim[i] - 1, t->stride[i], &step) ||
                                  __builtin_add_overflow(last, step, &last));
    }
    if (empty ? t->offset > numel : over || last >= numel) {
        return hs_fail(HS_EFORMAT, "pickle: a tensor reaches beyond its storage of %llu elements at byte %zu",
                       (unsigned long long)numel, m->at);
    }
    return HS_OK;
}

/* _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static int rebuild_tensor(vm *m, const container *args, value *v)
{
    value a[7];
    tensor t;
    size_t n_stride;
    int rc = HS_OK;
    if (args->n < 6 || args->n > 7) {
        return hs_fail(HS_EFORMAT, "pickle: _rebuild_tensor_v2 with %u arguments at byte %zu", args->n, m->at);
    }
    members(m, args, args->n, a);
    if (a[0].kind != V_STORAGE || a[1].kind != V_INT || a[1].u.i < 0 || a[4].kind != V_BOOL || a[5].kind != V_DICT) {
        return hs_fail(HS_EFORMAT, "pickle: _rebuild_tensor_v2 with arguments of the wrong kind at byte %zu", m->at);
    }
    t.storage = a[0].u.ref;
    t.offset = (uint64_t)a[1].u.i;
    HS_TRY(read_sizes(m, a[2], "size", &t.rank, t.dim));
    HS_TRY(read_sizes(m, a[3], "stride", &n_stride, t.stride));
    if (n_stride != t.rank) {
        return hs_fail(HS_EFORMAT, "pickle: a tensor of %zu sizes and %zu strides at byte %zu", t.rank, n_stride,
                       m->at);
    }
    HS_TRY(check_bounds(m, &t));
    if (m->n_tensors >= m->limits.tensors) {
        return hs_fail(HS_ELIMIT, "pickle: more than %zu tensors", m->limits.tensors);
    }
    HS_TRY(hs_vm_room(m, &m->tensors, m->n_tensors, &m->cap_tensors, sizeof t));
    m->tensors[m->n_tensors] = t;
    *v = (value){.kind = V_TENSOR, .u.ref = (uint32_t)m->n_tensors++};
out:
    return rc;
}

/* _rebuild_parameter(tensor, requires_grad, hooks) */
static int rebuild_parameter(vm *m, const container *args, value *v)
{
    value a[3];
    members(m, args, 3, a);
    if (args->n != 3 || a[0].kind != V_TENSOR || a[1].kind != V_BOOL || a[2].kind != V_DICT) {
        return hs_fail(HS_EFORMAT, "pickle: _rebuild_parameter with wrong arguments at byte %zu", m->at);
    }
    *v = a[0];
    return HS_OK;
}

int hs_vm_reduce(vm *m, uint32_t g, const container *args, value *v)
{
    switch (globals[g].what) {
    case G_TENSOR: return rebuild_tensor(m, args, v);
    case G_PARAMETER: return rebuild_parameter(m, args, v);
    case G_DICT:
        if (args->n == 0) {
            return hs_vm_container(m, V_DICT, v);
        }
        return hs_fail(HS_EFORMAT, "pickle: OrderedDict with arguments at byte %zu", m->at);
    default:
        return hs_fail(HS_EFORMAT, "pickle: %s.%s is called at byte %zu", globals[g].module, globals[g].name, m->at);
    }
}
