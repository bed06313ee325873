#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/pickle_vm.h"

enum {
    OP_MARK = '(',
    OP_EMPTY_TUPLE = ')',
    OP_STOP = '.',
    OP_BINFLOAT = 'G',
    OP_BININT = 'J',
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_NONE = 'N',
    OP_BINPERSID = 'Q',
    OP_REDUCE = 'R',
    OP_SHORT_BINSTRING = 'U',
    OP_BINUNICODE = 'X',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_BUILD = 'b',
    OP_GLOBAL = 'c',
    OP_APPENDS = 'e',
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_SETITEM = 's',
    OP_TUPLE = 't',
    OP_SETITEMS = 'u',
    OP_EMPTY_DICT = '}',
    OP_PROTO = 0x80,
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_LONG1 = 0x8a
};

static int bad(const vm *m, const char *what)
{
    return hs_fail(HS_EFORMAT, "pickle: %s at byte %zu", what, m->at);
}

int hs_vm_room(const vm *m, void *list, size_t n, size_t *cap, size_t size)
{
    void **p = list, *bigger;
    if (n < *cap) {
        return HS_OK;
    }
    if (n >= m->limits.values) {
        return hs_fail(HS_ELIMIT, "pickle: more than %zu values at byte %zu", m->limits.values, m->at);
    }
    size_t want = *cap < 64 ? 64 : *cap * 2;
    want = want < m->limits.values ? want : m->limits.values;
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

static int push(vm *m, value v)
{
    int rc = hs_vm_room(m, &m->stack, m->n_stack, &m->cap_stack, sizeof *m->stack);
    if (rc == HS_OK) {
        m->stack[m->n_stack++] = v;
    }
    return rc;
}

/* Values above the last mark. */
static size_t above_mark(const vm *m)
{
    return m->n_stack - (m->n_mark > 0 ? m->mark[m->n_mark - 1] : 0);
}

static int pop(vm *m, value *v)
{
    if (above_mark(m) == 0) {
        return bad(m, "nothing on the stack");
    }
    *v = m->stack[--m->n_stack];
    return HS_OK;
}

/* p <- n bytes of argument. */
static int take(vm *m, size_t n, const unsigned char **p)
{
    if (n > m->len - m->at) {
        return bad(m, "ends inside an argument");
    }
    *p = m->in + m->at;
    m->at += n;
    return HS_OK;
}

static uint64_t le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0) {
        v = v << 8 | p[n];
    }
    return v;
}

static int take_le(vm *m, size_t n, uint64_t *v)
{
    const unsigned char *p = NULL;
    int rc = take(m, n, &p);
    if (rc == HS_OK) {
        *v = le(p, n);
    }
    return rc;
}

static int push_int(vm *m, int64_t i)
{
    return push(m, (value){.kind = V_INT, .u.i = i});
}

static int push_unsigned(vm *m, size_t bytes)
{
    uint64_t v = 0;
    int rc = take_le(m, bytes, &v);
    return rc == HS_OK ? push_int(m, (int64_t)v) : rc;
}

static int push_binint(vm *m)
{
    uint64_t v = 0;
    int rc = take_le(m, 4, &v);
    return rc == HS_OK ? push_int(m, (int32_t)(uint32_t)v) : rc;
}

static int push_long(vm *m)
{
    const unsigned char *p = NULL;
    uint64_t n = 0, v = 0;
    int rc = HS_OK;
    HS_TRY(take_le(m, 1, &n));
    HS_TRY(take(m, (size_t)n, &p));
    if (n > 8) {
        return bad(m, "an integer of more than 64 bits");
    }
    v = le(p, (size_t)n);
    if (n > 0 && n < 8 && (p[n - 1] & 0x80) != 0) {
        v |= UINT64_MAX << (8 * n);
    }
    HS_TRY(push_int(m, (int64_t)v));
out:
    return rc;
}

static int push_float(vm *m)
{
    const unsigned char *p = NULL;
    uint64_t bits = 0;
    double f;
    int rc = take(m, 8, &p);
    if (rc != HS_OK) {
        return rc;
    }
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | p[i];
    }
    memcpy(&f, &bits, sizeof f);
    return push(m, (value){.kind = V_FLOAT, .u.f = f});
}

static int push_string(vm *m, size_t len_bytes)
{
    const unsigned char *p = NULL;
    uint64_t n = 0;
    int rc = HS_OK;
    HS_TRY(take_le(m, len_bytes, &n));
    HS_TRY(take(m, (size_t)n, &p));
    if (!hs_text_is_utf8((const char *)p, (size_t)n)) {
        return bad(m, "a string that isn't UTF-8");
    }
    HS_TRY(push(m, (value){.kind = V_STR, .len = (uint32_t)n, .u.at = (size_t)(p - m->in)}));
out:
    return rc;
}

/* One line of GLOBAL. */
static int take_line(vm *m, const char **s, size_t *len)
{
    enum { LINE_MAX_BYTES = 200 };
    size_t left = m->len - m->at;
    const unsigned char *p = m->in + m->at;
    const unsigned char *end = memchr(p, '\n', left < LINE_MAX_BYTES ? left : LINE_MAX_BYTES);
    if (end == NULL || memchr(p, 0, (size_t)(end - p)) != NULL ||
        !hs_text_is_utf8((const char *)p, (size_t)(end - p))) {
        return bad(m, "a global's name that isn't a line of at most 200 bytes of text");
    }
    *s = (const char *)p;
    *len = (size_t)(end - p);
    m->at += *len + 1;
    return HS_OK;
}

static int push_global(vm *m)
{
    const char *module = NULL, *name = NULL;
    size_t module_len = 0, name_len = 0;
    uint32_t g = 0;
    int rc = HS_OK;
    HS_TRY(take_line(m, &module, &module_len));
    HS_TRY(take_line(m, &name, &name_len));
    HS_TRY(hs_vm_global(module, module_len, name, name_len, &g));
    HS_TRY(push(m, (value){.kind = V_GLOBAL, .u.ref = g}));
out:
    return rc;
}

int hs_vm_container(vm *m, kind k, value *v)
{
    int rc = hs_vm_room(m, &m->obj, m->n_obj, &m->cap_obj, sizeof *m->obj);
    if (rc == HS_OK) {
        m->obj[m->n_obj] = (container){NIL, NIL, 0};
        *v = (value){.kind = k, .u.ref = (uint32_t)m->n_obj++};
    }
    return rc;
}

static int push_empty(vm *m, kind k)
{
    value v = {0};
    int rc = hs_vm_container(m, k, &v);
    return rc == HS_OK ? push(m, v) : rc;
}

static int append(vm *m, uint32_t to, value v)
{
    int rc = hs_vm_room(m, &m->items, m->n_items, &m->cap_items, sizeof *m->items);
    if (rc != HS_OK) {
        return rc;
    }
    uint32_t i = (uint32_t)m->n_items++;
    container *c = &m->obj[to];
    m->items[i] = (item){v, NIL};
    if (c->last == NIL) {
        c->first = i;
    } else {
        m->items[c->last].next = i;
    }
    c->last = i;
    c->n++;
    return HS_OK;
}

/* The n topmost values move, in their order, to container v. */
static int move_top(vm *m, size_t n, value v)
{
    int rc = HS_OK;
    for (size_t i = m->n_stack - n; rc == HS_OK && i < m->n_stack; i++) {
        rc = append(m, v.u.ref, m->stack[i]);
    }
    m->n_stack -= n;
    return rc;
}

static int make_tuple(vm *m, size_t n)
{
    value v = {0};
    int rc = HS_OK;
    if (above_mark(m) < n) {
        return bad(m, "nothing on the stack");
    }
    HS_TRY(hs_vm_container(m, V_TUPLE, &v));
    HS_TRY(move_top(m, n, v));
    HS_TRY(push(m, v));
out:
    return rc;
}

/* *n <- values above the last mark, which is taken away. */
static int take_mark(vm *m, size_t *n)
{
    if (m->n_mark == 0) {
        return bad(m, "no mark on the stack");
    }
    *n = above_mark(m);
    m->n_mark--;
    return HS_OK;
}

static int make_marked_tuple(vm *m)
{
    size_t n = 0;
    int rc = take_mark(m, &n);
    return rc == HS_OK ? make_tuple(m, n) : rc;
}

static int push_mark(vm *m)
{
    int rc = hs_vm_room(m, &m->mark, m->n_mark, &m->cap_mark, sizeof *m->mark);
    if (rc == HS_OK) {
        m->mark[m->n_mark++] = m->n_stack;
    }
    return rc;
}

/* The n topmost values into the list or dict under them. */
static int add_top(vm *m, size_t n, kind k)
{
    if (above_mark(m) < n + 1 || m->stack[m->n_stack - n - 1].kind != k) {
        return bad(m, k == V_LIST ? "APPEND to what isn't a list" : "SETITEM on what isn't a dict");
    }
    if (k == V_DICT && n % 2 != 0) {
        return bad(m, "SETITEMS with an odd count");
    }
    for (size_t i = m->n_stack - n; k == V_DICT && i < m->n_stack; i += 2) {
        if (m->stack[i].kind == V_LIST || m->stack[i].kind == V_DICT) {
            return bad(m, "a dict's key that is itself a list or dict");
        }
    }
    return move_top(m, n, m->stack[m->n_stack - n - 1]);
}

static int add_marked(vm *m, kind k)
{
    size_t n = 0;
    int rc = take_mark(m, &n);
    return rc == HS_OK ? add_top(m, n, k) : rc;
}

static int reduce(vm *m)
{
    value args = {0}, callee = {0}, v = {0};
    int rc = HS_OK;
    HS_TRY(pop(m, &args));
    HS_TRY(pop(m, &callee));
    if (args.kind != V_TUPLE || callee.kind != V_GLOBAL) {
        return bad(m, "REDUCE of what isn't a global and a tuple");
    }
    rc = hs_vm_reduce(m, callee.u.ref, &m->obj[args.u.ref], &v);
    HS_TRY(rc);
    HS_TRY(push(m, v));
out:
    return rc;
}

/* Only an OrderedDict's _metadata comes this way; it says nothing about weights. */
static int build(vm *m)
{
    value state = {0};
    int rc = pop(m, &state);
    if (rc == HS_OK && (above_mark(m) == 0 || state.kind != V_DICT || m->stack[m->n_stack - 1].kind != V_DICT)) {
        rc = bad(m, "BUILD of what isn't two dicts");
    }
    return rc;
}

static int persistent(vm *m)
{
    value id = {0}, v = {0};
    int rc = HS_OK;
    HS_TRY(pop(m, &id));
    HS_TRY(hs_vm_storage(m, id, &v));
    HS_TRY(push(m, v));
out:
    return rc;
}

static int memo_put(vm *m, size_t bytes)
{
    uint64_t i = 0;
    int rc = HS_OK;
    HS_TRY(take_le(m, bytes, &i));
    if (i > m->ops) {
        return bad(m, "a memo index beyond the number of opcodes");
    }
    if (above_mark(m) == 0) {
        return bad(m, "nothing on the stack");
    }
    while (m->n_memo <= i) {
        HS_TRY(hs_vm_room(m, &m->memo, m->n_memo, &m->cap_memo, sizeof *m->memo));
        HS_TRY(hs_vm_room(m, &m->memo_set, m->n_memo, &m->cap_memo_set, 1));
        m->memo_set[m->n_memo++] = 0;
    }
    m->memo[i] = m->stack[m->n_stack - 1];
    m->memo_set[i] = 1;
out:
    return rc;
}

static int memo_get(vm *m, size_t bytes)
{
    uint64_t i = 0;
    int rc = take_le(m, bytes, &i);
    if (rc == HS_OK && (i >= m->n_memo || !m->memo_set[i])) {
        rc = bad(m, "a memo index that isn't set");
    }
    return rc == HS_OK ? push(m, m->memo[i]) : rc;
}

static int protocol(vm *m)
{
    uint64_t v = 0;
    int rc = take_le(m, 1, &v);
    if (rc == HS_OK && v != 2) {
        rc = hs_fail(HS_EFORMAT, "pickle: protocol %llu; only 2, PyTorch's default, is read", (unsigned long long)v);
    }
    return rc;
}

/* The opcodes that add to containers, call, or move values about. */
static int step_structure(vm *m, unsigned op)
{
    switch (op) {
    case OP_MARK: return push_mark(m);
    case OP_TUPLE: return make_marked_tuple(m);
    case OP_EMPTY_TUPLE: return make_tuple(m, 0);
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3: return make_tuple(m, op - OP_TUPLE1 + 1);
    case OP_EMPTY_LIST: return push_empty(m, V_LIST);
    case OP_EMPTY_DICT: return push_empty(m, V_DICT);
    case OP_APPEND: return add_top(m, 1, V_LIST);
    case OP_APPENDS: return add_marked(m, V_LIST);
    case OP_SETITEM: return add_top(m, 2, V_DICT);
    case OP_SETITEMS: return add_marked(m, V_DICT);
    case OP_REDUCE: return reduce(m);
    case OP_BUILD: return build(m);
    case OP_BINPERSID: return persistent(m);
    case OP_BINPUT: return memo_put(m, 1);
    case OP_LONG_BINPUT: return memo_put(m, 4);
    case OP_BINGET: return memo_get(m, 1);
    case OP_LONG_BINGET: return memo_get(m, 4);
    default:
        return hs_fail(HS_EFORMAT, "pickle: opcode 0x%02x at %zu is none that PyTorch writes for weights", op,
                       m->at - 1);
    }
}

static int step(vm *m, unsigned op)
{
    switch (op) {
    case OP_PROTO: return protocol(m);
    case OP_NONE: return push(m, (value){.kind = V_NONE});
    case OP_NEWTRUE:
    case OP_NEWFALSE: return push(m, (value){.kind = V_BOOL, .u.i = op == OP_NEWTRUE});
    case OP_BININT: return push_binint(m);
    case OP_BININT1: return push_unsigned(m, 1);
    case OP_BININT2: return push_unsigned(m, 2);
    case OP_LONG1: return push_long(m);
    case OP_BINFLOAT: return push_float(m);
    case OP_SHORT_BINSTRING: return push_string(m, 1);
    case OP_BINUNICODE: return push_string(m, 4);
    case OP_GLOBAL: return push_global(m);
    default: return step_structure(m, op);
    }
}

int hs_vm_run(vm *m, value *root)
{
    while (m->at < m->len) {
        unsigned op = m->in[m->at++];
        if (op == OP_STOP) {
            if (m->at != m->len) {
                return bad(m, "data after STOP");
            }
            if (m->n_mark != 0 || m->n_stack != 1) {
                return bad(m, "STOP with other than one value");
            }
            *root = m->stack[0];
            return HS_OK;
        }
        if (++m->ops > m->limits.ops) {
            return hs_fail(HS_ELIMIT, "pickle: more than %zu opcodes", m->limits.ops);
        }
        int rc = step(m, op);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return bad(m, "no STOP");
}
