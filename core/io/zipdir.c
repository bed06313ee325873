#include "core/io/zipdir.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

enum {
    END_SIZE = 22,
    END64_SIZE = 56,
    LOCATOR_SIZE = 20,
    CENTRAL_SIZE = 46,
    LOCAL_SIZE = 30,
    DESCRIPTOR_MAX = 24,
    FLAGS_LEGAL = 0x0808 /* a data descriptor follows; the name is UTF-8 */
};

struct hs_zip {
    hs_zip_entry *entry;
    size_t n;
    hs_arena names;
    zip_t *lib;
};

typedef struct {
    uint64_t count, offset, size; /* of the directory */
} directory;

/* One entry's record as the directory has it. */
typedef struct {
    const unsigned char *name;
    size_t name_len;
    uint64_t size, stored, local;
    uint32_t crc;
    unsigned flags, method;
} record;

typedef struct {
    uint64_t begin, end;
    unsigned flags;
} extent;

static uint64_t le(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    while (n-- > 0) {
        v = v << 8 | p[n];
    }
    return v;
}

static int bad(const char *what)
{
    return hs_fail(HS_EFORMAT, "zip: %s", what);
}

/* The ZIP64 end record, through its locator in front of the end record at. */
static int find_directory64(const unsigned char *b, size_t at, directory *d, size_t *end)
{
    const unsigned char *locator = b + at - LOCATOR_SIZE;
    uint64_t where = le(locator + 8, 8);
    if (at < LOCATOR_SIZE + END64_SIZE || where != at - LOCATOR_SIZE - END64_SIZE || le(locator + 4, 4) != 0 ||
        le(locator + 16, 4) != 1) {
        return bad("the ZIP64 locator points elsewhere than to the record before it");
    }
    const unsigned char *e = b + where;
    if (le(e, 4) != 0x06064b50 || le(e + 4, 8) != END64_SIZE - 12 || le(e + 16, 8) != 0 ||
        le(e + 24, 8) != le(e + 32, 8)) {
        return bad("the ZIP64 end record is malformed");
    }
    *d = (directory){le(e + 32, 8), le(e + 48, 8), le(e + 40, 8)};
    *end = (size_t)where;
    return HS_OK;
}

/* The directory by the end record, which must be the file's last 22 bytes. */
static int find_directory(const unsigned char *b, size_t len, directory *d)
{
    if (len < END_SIZE || le(b + len - END_SIZE, 4) != 0x06054b50 || le(b + len - 2, 2) != 0) {
        return bad("no end record at the end of the file (truncated, commented, or something is appended)");
    }
    size_t at = len - END_SIZE, end = at;
    const unsigned char *e = b + at;
    directory small = {le(e + 10, 2), le(e + 16, 4), le(e + 12, 4)};
    *d = small;
    if (at >= LOCATOR_SIZE && le(e - LOCATOR_SIZE, 4) == 0x07064b50) {
        int rc = find_directory64(b, at, d, &end);
        if (rc != HS_OK) {
            return rc;
        }
    }
    if (le(e + 4, 4) != 0 || le(e + 8, 2) != small.count || (small.count != d->count && small.count != 0xffff) ||
        (small.offset != d->offset && small.offset != 0xffffffff) ||
        (small.size != d->size && small.size != 0xffffffff)) {
        return bad("the end records contradict each other");
    }
    if (d->offset > end || d->size != end - d->offset) {
        return bad("the directory doesn't lie between the entries and the end record");
    }
    if (d->count > d->size / CENTRAL_SIZE) {
        return bad("the directory is too short for its entries");
    }
    if (d->count > HS_ZIP_ENTRIES_MAX) {
        return hs_fail(HS_ELIMIT, "zip: %llu entries; the limit is %d", (unsigned long long)d->count,
                       HS_ZIP_ENTRIES_MAX);
    }
    return HS_OK;
}

/* Sizes and offsets that didn't fit 32 bits, from the extra field 1. */
static int read_extra64(const unsigned char *extra, size_t len, record *r)
{
    uint64_t *wide[3];
    size_t n = 0;
    if (r->size == 0xffffffff) {
        wide[n++] = &r->size;
    }
    if (r->stored == 0xffffffff) {
        wide[n++] = &r->stored;
    }
    if (r->local == 0xffffffff) {
        wide[n++] = &r->local;
    }
    for (size_t at = 0; n > 0 && len - at >= 4;) {
        size_t size = (size_t)le(extra + at + 2, 2);
        if (size > len - at - 4) {
            break;
        }
        if (le(extra + at, 2) == 1 && size >= 8 * n) {
            for (size_t i = 0; i < n; i++) {
                *wide[i] = le(extra + at + 4 + 8 * i, 8);
            }
            return HS_OK;
        }
        at += 4 + size;
    }
    return n == 0 ? HS_OK : bad("a ZIP64 entry without its sizes");
}

/* *r <- the record at *at of the directory, which moves on. */
static int read_record(const unsigned char *b, size_t len, size_t *at, record *r)
{
    const unsigned char *p = b + *at;
    size_t left = len - *at;
    if (left < CENTRAL_SIZE || le(p, 4) != 0x02014b50) {
        return bad("the directory is malformed");
    }
    size_t name = (size_t)le(p + 28, 2), extra = (size_t)le(p + 30, 2), comment = (size_t)le(p + 32, 2);
    if (left - CENTRAL_SIZE < name + extra + comment || le(p + 34, 2) != 0) {
        return bad("the directory is malformed");
    }
    *r = (record){p + CENTRAL_SIZE,       name,
                  le(p + 24, 4),          le(p + 20, 4),
                  le(p + 42, 4),          (uint32_t)le(p + 16, 4),
                  (unsigned)le(p + 8, 2), (unsigned)le(p + 10, 2)};
    *at += CENTRAL_SIZE + name + extra + comment;
    return read_extra64(p + CENTRAL_SIZE + name, extra, r);
}

static int check_name(const unsigned char *s, size_t len)
{
    if (len == 0 || len > HS_ZIP_NAME_MAX || !hs_text_is_utf8((const char *)s, len)) {
        return bad("an entry's name is empty, too long or not UTF-8");
    }
    int dots = 0; /* the component so far: its length when it is all dots, else -1 */
    for (size_t i = 0; i <= len; i++) {
        unsigned char c = i < len ? s[i] : '/';
        if (c < 0x20 || c == 0x7f || c == '\\' || (c == '/' && (i == 0 || dots == 1 || dots == 2))) {
            return hs_fail(HS_EFORMAT, "zip: \"%.*s\" is no plain entry name", (int)(len < 200 ? len : 200), s);
        }
        if (c == '/') {
            dots = 0;
        } else {
            dots = c == '.' && dots >= 0 ? dots + 1 : -1;
        }
    }
    return HS_OK;
}

/* The local header agrees; where->begin, end: all the entry's bytes; *data: where its data begin. */
static int check_local(const unsigned char *b, uint64_t limit, const record *r, extent *where, size_t *data)
{
    int n = (int)(r->name_len < 200 ? r->name_len : 200);
    if ((r->flags & ~(unsigned)FLAGS_LEGAL) != 0) {
        return hs_fail(HS_EFORMAT, "zip: \"%.*s\" has flags 0x%04x (encrypted or of an unknown kind)", n, r->name,
                       r->flags);
    }
    if (r->method != 0 || r->size != r->stored) {
        return hs_fail(HS_EFORMAT, "zip: \"%.*s\" is compressed (method %u); only stored entries are read", n, r->name,
                       r->method);
    }
    if (r->local > limit || limit - r->local < LOCAL_SIZE) {
        return hs_fail(HS_EFORMAT, "zip: \"%.*s\" starts outside the archive", n, r->name);
    }
    const unsigned char *p = b + r->local;
    size_t head = LOCAL_SIZE + (size_t)le(p + 26, 2) + (size_t)le(p + 28, 2);
    if (head > limit - r->local || r->size > limit - r->local - head) {
        return hs_fail(HS_EFORMAT, "zip: \"%.*s\" ends outside the archive", n, r->name);
    }
    if (le(p, 4) != 0x04034b50 || le(p + 26, 2) != r->name_len || memcmp(p + LOCAL_SIZE, r->name, r->name_len) != 0 ||
        le(p + 6, 2) != r->flags || le(p + 8, 2) != r->method) {
        return hs_fail(HS_EFORMAT, "zip: \"%.*s\" is something else in its local header", n, r->name);
    }
    *where = (extent){r->local, r->local + head + r->size, r->flags};
    *data = (size_t)r->local + head;
    return HS_OK;
}

static int by_begin(const void *a, const void *b)
{
    const extent *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

static int check_extents(extent *e, size_t n, uint64_t end)
{
    uint64_t at = 0, room = 0;
    if (n > 1) {
        qsort(e, n, sizeof *e, by_begin);
    }
    for (size_t i = 0; i <= n; i++) {
        uint64_t begin = i < n ? e[i].begin : end;
        if (begin < at) {
            return bad("entries overlap");
        }
        if (begin - at > room) {
            return bad("bytes that belong to no entry");
        }
        if (i < n) {
            at = e[i].end;
            room = (e[i].flags & 8) != 0 ? DESCRIPTOR_MAX : 0;
        }
    }
    return HS_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const hs_zip_entry *)a)->name, ((const hs_zip_entry *)b)->name);
}

static int add_entry(hs_zip *z, const unsigned char *b, const directory *d, size_t *at, extent *where)
{
    record r = {0};
    size_t data = 0;
    char *name;
    int rc = HS_OK;
    HS_TRY(read_record(b, (size_t)(d->offset + d->size), at, &r));
    HS_TRY(check_name(r.name, r.name_len));
    HS_TRY(check_local(b, d->offset, &r, where, &data));
    HS_TRY(hs_arena_alloc(&z->names, r.name_len + 1, 1, &name));
    memcpy(name, r.name, r.name_len);
    name[r.name_len] = '\0';
    z->entry[z->n] = (hs_zip_entry){name, b + data, (size_t)r.size, r.crc, z->n, 0};
    z->n++;
out:
    return rc;
}

static int lib_failed(const zip_error_t *e)
{
    zip_error_t copy = *e;
    int code = zip_error_code_zip(e) == ZIP_ER_MEMORY ? HS_ENOMEM : HS_EFORMAT;
    return hs_fail(code, "zip: %s", zip_error_strerror(&copy));
}

/* z->lib <- libzip's view of the same bytes. */
static int open_lib(hs_zip *z, const unsigned char *bytes, size_t len)
{
    zip_error_t e;
    zip_error_init(&e);
    zip_source_t *source = zip_source_buffer_create(bytes, len, 0, &e);
    int rc = HS_OK;
    if (source == NULL || (z->lib = zip_open_from_source(source, ZIP_RDONLY, &e)) == NULL) {
        zip_source_free(source);
        rc = lib_failed(&e);
    } else if (zip_get_num_entries(z->lib, 0) != (zip_int64_t)z->n) {
        rc = bad("libzip counts other entries");
    }
    zip_error_fini(&e);
    return rc;
}

int hs_zip_parse(const unsigned char *bytes, size_t len, hs_zip **out)
{
    directory d = {0};
    hs_zip *z = NULL;
    extent *where = NULL;
    int rc = HS_OK;
    HS_TRY(find_directory(bytes, len, &d));
    HS_TRY(hs_calloc(1, sizeof *z, &z));
    HS_TRY(hs_alloc((size_t)d.count, sizeof *z->entry, &z->entry));
    HS_TRY(hs_alloc((size_t)d.count, sizeof *where, &where));
    size_t at = (size_t)d.offset;
    for (size_t i = 0; i < d.count; i++) {
        HS_TRY(add_entry(z, bytes, &d, &at, &where[i]));
    }
    if (at != d.offset + d.size) {
        rc = bad("the directory is longer than its entries");
        goto out;
    }
    HS_TRY(check_extents(where, z->n, d.offset));
    if (z->n > 1) {
        qsort(z->entry, z->n, sizeof *z->entry, by_name);
    }
    for (size_t i = 1; i < z->n; i++) {
        if (strcmp(z->entry[i - 1].name, z->entry[i].name) == 0) {
            rc = hs_fail(HS_EFORMAT, "zip: \"%.200s\" is there twice", z->entry[i].name);
            goto out;
        }
    }
    HS_TRY(open_lib(z, bytes, len));
    *out = z;
    z = NULL;
out:
    free(where);
    hs_zip_free(z);
    return rc;
}

size_t hs_zip_count(const hs_zip *z)
{
    return z->n;
}

const hs_zip_entry *hs_zip_at(const hs_zip *z, size_t i)
{
    return &z->entry[i];
}

/* libzip knows the entry by the same name, size and checksum, and as stored. */
static int same_entry(const hs_zip *z, const hs_zip_entry *e)
{
    const zip_uint64_t all = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC | ZIP_STAT_COMP_METHOD;
    const char *name = zip_get_name(z->lib, e->index, ZIP_FL_ENC_RAW);
    zip_stat_t st;
    return name != NULL && strcmp(name, e->name) == 0 && zip_stat_index(z->lib, e->index, 0, &st) == 0 &&
           (st.valid & all) == all && st.size == e->size && st.comp_size == e->size && st.crc == e->crc &&
           st.comp_method == ZIP_CM_STORE;
}

/* Reads the entry through libzip, whose checksum test comes at its end; what it reads must be what
 * e->bytes points to, so that these can be used without a copy. */
static int check_entry(const hs_zip *z, const hs_zip_entry *e)
{
    enum { BLOCK = 1 << 16 };
    unsigned char *block;
    zip_file_t *f = NULL;
    size_t at = 0;
    zip_int64_t n = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(BLOCK, 1, &block));
    f = same_entry(z, e) ? zip_fopen_index(z->lib, e->index, 0) : NULL;
    while (f != NULL && (n = zip_fread(f, block, BLOCK)) > 0) {
        if ((size_t)n > e->size - at || memcmp(block, e->bytes + at, (size_t)n) != 0) {
            break;
        }
        at += (size_t)n;
    }
    if (f != NULL && n < 0 && zip_error_code_zip(zip_file_get_error(f)) == ZIP_ER_CRC) {
        rc = hs_fail(HS_EFORMAT, "zip: \"%.200s\" fails its checksum", e->name);
    } else if (f == NULL || n != 0 || at != e->size) {
        rc = hs_fail(HS_EFORMAT, "zip: \"%.200s\" is something else to libzip than its headers say", e->name);
    }
out:
    if (f != NULL) {
        zip_fclose(f);
    }
    free(block);
    return rc;
}

int hs_zip_find(hs_zip *z, const char *name, const hs_zip_entry **out)
{
    hs_zip_entry key = {.name = name};
    hs_zip_entry *e = z->n > 0 ? bsearch(&key, z->entry, z->n, sizeof *z->entry, by_name) : NULL;
    if (e != NULL && !e->checked) {
        int rc = check_entry(z, e);
        if (rc != HS_OK) {
            return rc;
        }
        e->checked = 1;
    }
    *out = e;
    return HS_OK;
}

void hs_zip_free(hs_zip *z)
{
    if (z != NULL) {
        if (z->lib != NULL) {
            zip_discard(z->lib);
        }
        hs_arena_free(&z->names);
        free(z->entry);
        free(z);
    }
}

/* ---- Writing ---- */

static void put(hs_str *s, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)(v >> (8 * i));
        hs_str_add_bytes(s, &c, 1);
    }
}

/* What the local header and the directory share: version to extra length. */
static void put_common(hs_str *s, const hs_zip_entry *e, size_t extra)
{
    enum { DATE_1980 = 0x21 };
    put(s, 20, 2);
    put(s, 0x0800, 2);
    put(s, 0, 2);
    put(s, 0, 2);
    put(s, DATE_1980, 2);
    put(s, e->crc, 4);
    put(s, e->size, 4);
    put(s, e->size, 4);
    put(s, strlen(e->name), 2);
    put(s, extra, 2);
}

/* One entry at *offset, which moves on; its directory record goes to dir. */
static int write_entry(hs_outfile *f, const hs_zip_entry *given, uint64_t *offset, hs_str *dir)
{
    hs_zip_entry e = *given;
    hs_str head = {0};
    size_t name = strlen(e.name);
    uint64_t bare = *offset + LOCAL_SIZE + name;
    size_t extra = 4 + (size_t)((64 - (bare + 4) % 64) % 64);
    int rc = HS_OK;
    e.crc = (uint32_t)crc32_z(0, e.bytes, e.size);
    put(&head, 0x04034b50, 4);
    put_common(&head, &e, extra);
    hs_str_add_bytes(&head, e.name, name);
    put(&head, 0x4246, 2); /* a private field whose content is padding */
    put(&head, extra - 4, 2);
    for (size_t i = 4; i < extra; i++) {
        put(&head, 0, 1);
    }
    HS_TRY(hs_str_ok(&head));
    put(dir, 0x02014b50, 4);
    put(dir, 20, 2);
    put_common(dir, &e, 0);
    put(dir, 0, 4); /* comment, disk */
    put(dir, 0, 6); /* attributes */
    put(dir, *offset, 4);
    hs_str_add_bytes(dir, e.name, name);
    HS_TRY(hs_outfile_write(f, head.s, head.len));
    HS_TRY(hs_outfile_write(f, e.bytes, e.size));
    *offset += head.len + e.size;
    if (*offset > UINT32_MAX) {
        rc = hs_fail(HS_ELIMIT, "zip: the archive would be larger than 4 GiB");
    }
out:
    hs_str_free(&head);
    return rc;
}

int hs_zip_write(const char *path, size_t n, const hs_zip_entry *entry, int force)
{
    hs_outfile *f = NULL;
    hs_str dir = {0};
    uint64_t offset = 0;
    int rc = HS_OK;
    if (n > HS_ZIP_ENTRIES_MAX) {
        return hs_fail(HS_ELIMIT, "%s: %zu entries; the limit is %d", path, n, HS_ZIP_ENTRIES_MAX);
    }
    HS_TRY(hs_outfile_begin(path, force, &f));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(write_entry(f, &entry[i], &offset, &dir));
    }
    size_t size = dir.len;
    put(&dir, 0x06054b50, 4);
    put(&dir, 0, 4);
    put(&dir, n, 2);
    put(&dir, n, 2);
    put(&dir, size, 4);
    put(&dir, offset, 4);
    put(&dir, 0, 2);
    HS_TRY(hs_str_ok(&dir));
    HS_TRY(hs_outfile_write(f, dir.s, dir.len));
    HS_TRY(hs_outfile_commit(f));
out:
    hs_str_free(&dir);
    hs_outfile_free(f);
    return rc;
}
