#include "core/io/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/io/pickle_vm.h"
#include "core/io/tensors_build.h"

const hs_pickle_limits hs_pickle_limits_default = {64u << 20, 8000000, 1000000, 100000};

enum { DEPTH_MAX = 64, NAME_BYTES_MAX = 64 << 20 };

/* ---- Which containers hold tensors, and is any inside itself? ---- */

typedef enum { NEW, OPEN, DONE } state;

typedef struct {
    uint8_t *state, *holds;
    uint32_t *stack, *cursor; /* containers being walked, the member each is at */
    size_t n;
} walk;

static int is_container(value v)
{
    return v.kind == V_TUPLE || v.kind == V_LIST || v.kind == V_DICT;
}

/* The member after i that is a value (of a dict every second is; keys are never walked). */
static uint32_t value_after(const vm *m, kind k, uint32_t i)
{
    return k == V_DICT && i != NIL ? m->items[i].next : i;
}

static void enter(const vm *m, walk *w, value v)
{
    w->state[v.u.ref] = OPEN;
    w->stack[w->n] = v.u.ref;
    w->cursor[w->n++] = value_after(m, v.kind, m->obj[v.u.ref].first);
}

/* kinds[c] says whether c is a dict; set when it is entered from a value that says so. */
static int walk_all(const vm *m, value root, walk *w, uint8_t *kinds)
{
    kinds[root.u.ref] = (uint8_t)root.kind;
    enter(m, w, root);
    while (w->n > 0) {
        uint32_t c = w->stack[w->n - 1], i = w->cursor[w->n - 1];
        if (i == NIL) {
            w->state[c] = DONE;
            if (--w->n > 0) {
                w->holds[w->stack[w->n - 1]] |= w->holds[c];
            }
            continue;
        }
        value v = m->items[i].v;
        w->cursor[w->n - 1] = value_after(m, (kind)kinds[c], m->items[i].next);
        if (v.kind == V_TENSOR) {
            w->holds[c] = 1;
        } else if (is_container(v) && w->state[v.u.ref] == OPEN) {
            return hs_fail(HS_EFORMAT, "pickle: an object that contains itself");
        } else if (is_container(v) && w->state[v.u.ref] == DONE) {
            w->holds[c] |= w->holds[v.u.ref];
        } else if (is_container(v)) {
            kinds[v.u.ref] = (uint8_t)v.kind;
            enter(m, w, v);
        }
    }
    return HS_OK;
}

/* ---- Names ---- */

typedef struct {
    const vm *m;
    const uint8_t *holds;
    hs_pickle *out;
    size_t cap, name_bytes;
    char name[HS_TENSOR_NAME_MAX + 1];
    size_t len;
} naming;

typedef struct {
    value v;
    uint32_t at;  /* member */
    size_t index; /* of it */
    size_t len;   /* of the container's own name */
} frame;

static int add_part(naming *s, const char *part, size_t len)
{
    size_t dot = s->len > 0;
    if (len > HS_TENSOR_NAME_MAX - s->len - dot || s->len + dot > HS_TENSOR_NAME_MAX) {
        return hs_fail(HS_EFORMAT, "pickle: a tensor's name of more than %d bytes", HS_TENSOR_NAME_MAX);
    }
    if (memchr(part, 0, len) != NULL) {
        return hs_fail(HS_EFORMAT, "pickle: a tensor's name with a NUL byte");
    }
    s->name[s->len] = '.';
    memcpy(s->name + s->len + dot, part, len);
    s->len += dot + len;
    s->name[s->len] = '\0';
    return HS_OK;
}

static int add_number(naming *s, int64_t i)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)i);
    return add_part(s, text, strlen(text));
}

static int add_key(naming *s, value key)
{
    if (key.kind == V_STR) {
        return add_part(s, (const char *)s->m->in + key.u.at, key.len);
    }
    if (key.kind == V_INT) {
        return add_number(s, key.u.i);
    }
    return hs_fail(HS_EFORMAT, "pickle: a tensor under a key that is neither text nor an integer");
}

static int emit(naming *s, const tensor *t)
{
    hs_pickle *out = s->out;
    if (out->n == s->m->limits.tensors || (s->name_bytes += s->len) > NAME_BYTES_MAX) {
        return hs_fail(HS_ELIMIT, "pickle: more than %zu named tensors", out->n);
    }
    if (out->n == s->cap) {
        hs_pickled *bigger;
        size_t cap = s->cap < 64 ? 64 : s->cap * 2;
        int rc = hs_alloc(cap, sizeof *bigger, &bigger);
        if (rc != HS_OK) {
            return rc;
        }
        if (out->n > 0) {
            memcpy(bigger, out->t, out->n * sizeof *bigger);
        }
        free(out->t);
        out->t = bigger;
        s->cap = cap;
    }
    const storage *st = &s->m->storages[t->storage];
    hs_pickled *p = &out->t[out->n];
    *p = (hs_pickled){.dtype = st->dtype, .numel = st->numel, .offset = t->offset, .rank = t->rank};
    memcpy(p->dim, t->dim, t->rank * sizeof *t->dim);
    memcpy(p->stride, t->stride, t->rank * sizeof *t->stride);
    snprintf(p->key, sizeof p->key, "%llu", (unsigned long long)st->key);
    int rc = hs_strdup(s->len > 0 ? s->name : "tensor", &p->name);
    out->n += rc == HS_OK;
    return rc;
}

static frame frame_of(const naming *s, value v)
{
    return (frame){v, s->m->obj[v.u.ref].first, 0, s->len};
}

/* *v <- the next member of f that is or holds a tensor, its name made; 0 when there is none. */
static int next_member(naming *s, frame *f, value *v, int *found)
{
    const item *items = s->m->items;
    *found = 0;
    while (f->at != NIL && !*found) {
        value key = items[f->at].v;
        uint32_t at = value_after(s->m, f->v.kind, f->at);
        *v = items[at].v;
        f->at = items[at].next;
        size_t index = f->index++;
        if (v->kind == V_TENSOR || (is_container(*v) && s->holds[v->u.ref])) {
            *found = 1;
            s->len = f->len;
            int rc = f->v.kind == V_DICT ? add_key(s, key) : add_number(s, (int64_t)index);
            if (rc != HS_OK) {
                return rc;
            }
        }
    }
    return HS_OK;
}

static int name_all(naming *s, value root)
{
    frame stack[DEPTH_MAX];
    size_t n = 1;
    int rc = HS_OK, found;
    stack[0] = frame_of(s, root);
    while (n > 0) {
        value v;
        HS_TRY(next_member(s, &stack[n - 1], &v, &found));
        if (!found) {
            n--;
        } else if (v.kind == V_TENSOR) {
            HS_TRY(emit(s, &s->m->tensors[v.u.ref]));
        } else if (n == DEPTH_MAX) {
            return hs_fail(HS_EFORMAT, "pickle: tensors nested deeper than %d", DEPTH_MAX);
        } else {
            stack[n++] = frame_of(s, v);
        }
    }
out:
    return rc;
}

int hs_vm_collect(vm *m, value root, hs_pickle *out)
{
    naming *s = NULL;
    walk w = {0};
    uint8_t *kinds = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *s, &s));
    s->m = m;
    s->out = out;
    if (root.kind == V_TENSOR) {
        HS_TRY(emit(s, &m->tensors[root.u.ref]));
    } else if (is_container(root)) {
        HS_TRY(hs_calloc(m->n_obj, 1, &w.state));
        HS_TRY(hs_calloc(m->n_obj, 1, &w.holds));
        HS_TRY(hs_calloc(m->n_obj, 1, &kinds));
        HS_TRY(hs_alloc(m->n_obj, sizeof *w.stack, &w.stack));
        HS_TRY(hs_alloc(m->n_obj, sizeof *w.cursor, &w.cursor));
        HS_TRY(walk_all(m, root, &w, kinds));
        s->holds = w.holds;
        HS_TRY(name_all(s, root));
    }
out:
    free(w.state);
    free(w.holds);
    free(w.stack);
    free(w.cursor);
    free(kinds);
    free(s);
    return rc;
}

/* ---- The whole ---- */

static int by_key(const void *a, const void *b)
{
    const storage *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* One archive entry can't be of two types or lengths.  Reorders the table: last of all. */
static int check_storages(vm *m)
{
    storage *s = m->storages;
    if (m->n_storages > 1) {
        qsort(s, m->n_storages, sizeof *s, by_key);
    }
    for (size_t i = 1; i < m->n_storages; i++) {
        if (s[i].key == s[i - 1].key && (s[i].dtype != s[i - 1].dtype || s[i].numel != s[i - 1].numel)) {
            return hs_fail(HS_EFORMAT, "pickle: storage %llu is of two types or lengths", (unsigned long long)s[i].key);
        }
    }
    return HS_OK;
}

static void free_vm(vm *m)
{
    free(m->stack);
    free(m->memo);
    free(m->memo_set);
    free(m->mark);
    free(m->obj);
    free(m->items);
    free(m->storages);
    free(m->tensors);
}

int hs_pickle_read(const unsigned char *bytes, size_t len, const hs_pickle_limits *limits, hs_pickle *out)
{
    vm m = {.in = bytes, .len = len, .limits = limits != NULL ? *limits : hs_pickle_limits_default};
    hs_pickle found = {0};
    value root;
    int rc = HS_OK;
    if (len > m.limits.bytes) {
        return hs_fail(HS_ELIMIT, "pickle: %zu bytes; the limit is %zu", len, m.limits.bytes);
    }
    HS_TRY(hs_vm_run(&m, &root));
    HS_TRY(hs_vm_collect(&m, root, &found));
    HS_TRY(check_storages(&m));
    *out = found;
    found = (hs_pickle){0};
out:
    hs_pickle_free(&found);
    free_vm(&m);
    return rc;
}

void hs_pickle_free(hs_pickle *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->t[i].name);
    }
    free(p->t);
    *p = (hs_pickle){0};
}
