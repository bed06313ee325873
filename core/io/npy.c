#include "core/io/npy.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/tensors_build.h"

enum { HEADER_MAX = 10000, MAGIC = 8 };

static const struct {
    char code[3];
    hs_dtype dtype;
} codes[] = {{"f8", HS_F64}, {"f4", HS_F32}, {"f2", HS_F16}, {"i8", HS_I64}, {"i4", HS_I32}, {"i2", HS_I16},
             {"i1", HS_I8},  {"u8", HS_U64}, {"u4", HS_U32}, {"u2", HS_U16}, {"u1", HS_U8},  {"b1", HS_BOOL}};

typedef struct {
    const char *s, *end;
} cursor;

typedef struct {
    hs_tensor t;
    int big_endian, fortran;
} header;

static void skip_spaces(cursor *c)
{
    while (c->s < c->end && *c->s == ' ') {
        c->s++;
    }
}

/* Steps over word, spaces around it allowed. */
static int eat(cursor *c, const char *word)
{
    size_t n = strlen(word);
    skip_spaces(c);
    if ((size_t)(c->end - c->s) < n || memcmp(c->s, word, n) != 0) {
        return 0;
    }
    c->s += n;
    skip_spaces(c);
    return 1;
}

static int malformed(const char *what)
{
    return hs_fail(HS_EFORMAT, "npy: %s", what);
}

/* '<f4' and such; anything else (objects, structures, strings) is refused. */
static int read_descr(cursor *c, header *h)
{
    skip_spaces(c);
    const char *s = c->s;
    if (c->end - s >= 5 && s[0] == '\'' && s[4] == '\'') {
        for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
            int wide = codes[i].code[1] != '1';
            if (memcmp(s + 2, codes[i].code, 2) == 0 && (s[1] == '<' || s[1] == '>' || (s[1] == '|' && !wide))) {
                h->t.dtype = codes[i].dtype;
                h->big_endian = s[1] == '>' && wide;
                c->s += 5;
                return HS_OK;
            }
        }
    }
    int n = c->end - s < 12 ? (int)(c->end - s) : 12;
    return hs_fail(HS_EFORMAT, "npy: element type %.*s; floats, integers and bool are read", n, s);
}

static int read_order(cursor *c, header *h)
{
    h->fortran = eat(c, "True");
    return h->fortran || eat(c, "False") ? HS_OK : malformed("fortran_order is neither True nor False");
}

static int read_dim(cursor *c, uint64_t *out)
{
    uint64_t v = 0;
    const char *start = c->s;
    while (c->s < c->end && *c->s >= '0' && *c->s <= '9') {
        uint64_t digit = (uint64_t)(*c->s++ - '0');
        if (v > (INT64_MAX - digit) / 10) {
            return malformed("a dimension that overflows");
        }
        v = v * 10 + digit;
    }
    if (c->s == start || (*start == '0' && c->s - start > 1)) {
        return malformed("shape is no tuple of numbers >= 0");
    }
    *out = v;
    return HS_OK;
}

/* (), (4,), (4, 5): as numpy writes them. */
static int read_shape(cursor *c, header *h)
{
    int closed = 0, comma = 0;
    if (!eat(c, "(")) {
        return malformed("shape is not a tuple");
    }
    closed = eat(c, ")");
    while (!closed) {
        if (h->t.rank == HS_RANK_MAX) {
            return hs_fail(HS_EFORMAT, "npy: more than %d dimensions", HS_RANK_MAX);
        }
        int rc = read_dim(c, &h->t.dim[h->t.rank]);
        if (rc != HS_OK) {
            return rc;
        }
        h->t.rank++;
        comma = eat(c, ",");
        closed = (!comma || h->t.rank == 1) && eat(c, ")");
        if (!comma && !closed) {
            return malformed("shape is no tuple of numbers >= 0");
        }
    }
    return h->t.rank == 1 && !comma ? malformed("shape (n) is a number; (n,) is a tuple") : HS_OK;
}

static int read_header(const char *s, size_t len, header *h)
{
    static const char *const keys[] = {"'descr'", "'fortran_order'", "'shape'"};
    static int (*const read[])(cursor *, header *) = {read_descr, read_order, read_shape};
    cursor c = {s, s + len - 1};
    unsigned seen = 0;
    if (len == 0 || s[len - 1] != '\n' || !eat(&c, "{")) {
        return malformed("the header is not a dict and a newline");
    }
    while (!eat(&c, "}")) {
        unsigned k = 0;
        while (k < 3 && !eat(&c, keys[k])) {
            k++;
        }
        if (k == 3 || (seen & 1u << k) != 0 || !eat(&c, ":")) {
            return malformed("the header's keys are not descr, fortran_order and shape, once each");
        }
        seen |= 1u << k;
        int rc = read[k](&c, h);
        if (rc != HS_OK) {
            return rc;
        }
        if (!eat(&c, ",") && (c.s == c.end || *c.s != '}')) {
            return malformed("the header is not a plain dict");
        }
    }
    return seen == 7 && c.s == c.end ? HS_OK : malformed("the header lacks a key or goes on after its dict");
}

/* *head, *head_len <- the header's text; *data <- where the data begin. */
static int find_header(const unsigned char *b, size_t len, const char **head, size_t *head_len, size_t *data)
{
    if (len < MAGIC || memcmp(b, "\x93NUMPY", 6) != 0) {
        return malformed("no magic bytes");
    }
    if (b[6] < 1 || b[6] > 3 || b[7] != 0) {
        return hs_fail(HS_EFORMAT, "npy: version %d.%d; 1.0 to 3.0 are read", b[6], b[7]);
    }
    size_t wide = b[6] == 1 ? 2 : 4, n = 0;
    if (len - MAGIC < wide) {
        return malformed("ends inside the header");
    }
    for (size_t i = wide; i-- > 0;) {
        n = n << 8 | b[MAGIC + i];
    }
    if (n > HEADER_MAX || n > len - MAGIC - wide) {
        return hs_fail(HS_EFORMAT, "npy: a header of %zu bytes; at most %d, and within the file", n, HEADER_MAX);
    }
    *head = (const char *)b + MAGIC + wide;
    *head_len = n;
    *data = MAGIC + wide + n;
    return HS_OK;
}

static void swap_bytes(unsigned char *p, size_t count, size_t size)
{
    for (size_t k = 0; k < count; k++, p += size) {
        for (size_t i = 0; i < size / 2; i++) {
            unsigned char c = p[i];
            p[i] = p[size - 1 - i];
            p[size - 1 - i] = c;
        }
    }
}

/* h->t.bytes <- a copy (owned by ts) in C order and little-endian. */
static int convert(header *h, size_t bytes, hs_tensors *ts)
{
    uint64_t stride[HS_RANK_MAX], step = 1;
    size_t size = hs_dtype_size(h->t.dtype);
    unsigned char *copy;
    int rc = HS_OK;
    for (size_t i = 0; i < h->t.rank; i++) {
        size_t k = h->fortran ? i : h->t.rank - 1 - i;
        stride[k] = step;
        step *= h->t.dim[k];
    }
    HS_TRY(hs_alloc(bytes, 1, &copy));
    hs_tensors_gather(&h->t, stride, h->t.bytes, copy);
    if (h->big_endian) {
        swap_bytes(copy, bytes / size, size);
    }
    h->t.bytes = copy;
    HS_TRY(hs_tensors_adopt(ts, copy));
out:
    return rc;
}

static int add_array(const unsigned char *b, size_t len, const char *name, hs_tensors *ts)
{
    header h = {.t = {.name = name}};
    const char *text = NULL;
    size_t text_len = 0, data = 0, bytes = 0;
    int rc = HS_OK;
    HS_TRY(find_header(b, len, &text, &text_len, &data));
    HS_TRY(read_header(text, text_len, &h));
    HS_TRY(hs_tensor_bytes(&h.t, &bytes));
    if (bytes != len - data) {
        return hs_fail(HS_EFORMAT, "npy: %zu bytes of data; the shape needs %zu", len - data, bytes);
    }
    h.t.bytes = b + data;
    if (bytes > 0 && (h.big_endian || (h.fortran && h.t.rank > 1))) {
        HS_TRY(convert(&h, bytes, ts));
    }
    HS_TRY(hs_tensors_add(ts, h.t));
out:
    return rc;
}

int hs_npy_parse(const unsigned char *bytes, size_t len, const char *name, hs_tensors **out)
{
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_tensors_new(&ts));
    HS_TRY(add_array(bytes, len, name, ts));
    HS_TRY(hs_tensors_finish(ts));
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    return rc;
}

int hs_npz_read(hs_zip *z, hs_tensors **out)
{
    hs_tensors *ts = NULL;
    int rc = HS_OK;
    HS_TRY(hs_tensors_new(&ts));
    for (size_t i = 0; i < hs_zip_count(z); i++) {
        const hs_zip_entry *e;
        char name[HS_ZIP_NAME_MAX + 1];
        HS_TRY(hs_zip_find(z, hs_zip_at(z, i)->name, &e));
        size_t len = strlen(e->name);
        if (len < 5 || strcmp(e->name + len - 4, ".npy") != 0) {
            rc = hs_fail(HS_EFORMAT, "npz: \"%.200s\" is no .npy, and there is no PyTorch data.pkl", e->name);
            goto out;
        }
        memcpy(name, e->name, len - 4);
        name[len - 4] = '\0';
        rc = hs_fail_in(add_array(e->bytes, e->size, name, ts), e->name);
        HS_TRY(rc);
    }
    HS_TRY(hs_tensors_finish(ts));
    *out = ts;
    ts = NULL;
out:
    hs_tensors_free(ts);
    return rc;
}

int hs_npy_read_f32(const char *path, size_t *rank, uint64_t dim[HS_RANK_MAX], float **out)
{
    unsigned char *bytes = NULL;
    size_t len;
    hs_tensors *ts = NULL;
    float *v;
    int rc = HS_OK;
    HS_TRY(hs_file_read(path, SIZE_MAX, &bytes, &len));
    rc = hs_fail_in(hs_npy_parse(bytes, len, "array", &ts), path);
    HS_TRY(rc);
    const hs_tensor *t = hs_tensors_at(ts, 0);
    HS_TRY(hs_alloc(t->count, sizeof *v, &v));
    hs_to_f32(t->dtype, t->bytes, t->count, v);
    *rank = t->rank;
    memcpy(dim, t->dim, t->rank * sizeof *dim);
    *out = v;
out:
    hs_tensors_free(ts);
    free(bytes);
    return rc;
}

/* ---- Writing ---- */

static int put_header(const hs_tensor *t, hs_str *s)
{
    const char *code = NULL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        code = codes[i].dtype == t->dtype ? codes[i].code : code;
    }
    if (code == NULL) {
        return hs_fail(HS_ERANGE, "numpy has no element type %s", hs_dtype_name(t->dtype));
    }
    hs_str_add_bytes(s, "\x93NUMPY\x01\x00\x00\x00", MAGIC + 2);
    hs_str_addf(s, "{'descr': '%c%.2s', 'fortran_order': False, 'shape': (", code[1] == '1' ? '|' : '<', code);
    for (size_t i = 0; i < t->rank; i++) {
        hs_str_addf(s, "%s%llu", i > 0 ? ", " : "", (unsigned long long)t->dim[i]);
    }
    hs_str_add(s, t->rank == 1 ? ",), }" : "), }");
    while (s->len % 64 != 63 && !s->failed) {
        hs_str_add(s, " ");
    }
    hs_str_add(s, "\n");
    int rc = hs_str_ok(s);
    if (rc == HS_OK) {
        size_t n = s->len - MAGIC - 2;
        s->s[MAGIC] = (char)(n & 0xff);
        s->s[MAGIC + 1] = (char)(n >> 8);
    }
    return rc;
}

int hs_npy_write(const char *path, const hs_tensor *t, int force)
{
    hs_str head = {0};
    hs_outfile *f = NULL;
    size_t bytes;
    int rc = HS_OK;
    rc = hs_fail_in(put_header(t, &head), path);
    HS_TRY(rc);
    HS_TRY(hs_tensor_bytes(t, &bytes));
    HS_TRY(hs_outfile_begin(path, force, &f));
    HS_TRY(hs_outfile_write(f, head.s, head.len));
    HS_TRY(hs_outfile_write(f, t->bytes, bytes));
    HS_TRY(hs_outfile_commit(f));
out:
    hs_outfile_free(f);
    hs_str_free(&head);
    return rc;
}

int hs_npy_write_f32(const char *path, size_t rank, const uint64_t *dim, const float *data, int force)
{
    hs_tensor t = {.name = "array", .dtype = HS_F32, .rank = rank, .bytes = (const unsigned char *)data};
    if (rank > HS_RANK_MAX) {
        return hs_fail(HS_ERANGE, "%s: %zu dimensions; the limit is %d", path, rank, HS_RANK_MAX);
    }
    memcpy(t.dim, dim, rank * sizeof *dim);
    return hs_npy_write(path, &t, force);
}

/* e->name, e->bytes (both free()) <- NAME.npy of t. */
static int member_of(const char *name, const hs_tensor *t, hs_zip_entry *e)
{
    hs_str label = {0}, body = {0};
    size_t bytes;
    int rc = HS_OK;
    hs_str_add(&label, name);
    hs_str_add(&label, ".npy");
    HS_TRY(hs_str_ok(&label));
    HS_TRY(put_header(t, &body));
    HS_TRY(hs_tensor_bytes(t, &bytes));
    hs_str_add_bytes(&body, t->bytes, bytes);
    HS_TRY(hs_str_ok(&body));
    *e = (hs_zip_entry){.name = label.s, .bytes = (const unsigned char *)body.s, .size = body.len};
    label = body = (hs_str){0};
out:
    hs_str_free(&label);
    hs_str_free(&body);
    return rc;
}

int hs_npz_write(const char *path, size_t n, const char *const *name, const hs_tensor *tensor, int force)
{
    hs_zip_entry *e = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(n, sizeof *e, &e));
    for (size_t i = 0; i < n; i++) {
        rc = hs_fail_in(member_of(name[i], &tensor[i], &e[i]), path);
        HS_TRY(rc);
    }
    HS_TRY(hs_zip_write(path, n, e, force));
out:
    for (size_t i = 0; e != NULL && i < n; i++) {
        free((void *)(uintptr_t)e[i].name);
        free((void *)(uintptr_t)e[i].bytes);
    }
    free(e);
    return rc;
}
