/* core/io/ptzip and zipdir: real PyTorch files, the archives ZP01-ZP22 and the rows PT that need one. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/io/file.h"
#include "core/io/ptzip.h"
#include "core/io/tensors.h"
#include "tests/support/support.h"

/* ---- An archive builder that can lie ---- */

typedef struct {
    unsigned char b[1 << 16];
    size_t n;
} buffer;

static void put(buffer *o, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        o->b[o->n++] = (unsigned char)(v >> (8 * i));
    }
}

static void put_bytes(buffer *o, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(o->b + o->n, p, n);
        o->n += n;
    }
}

typedef struct {
    const char *name;
    const void *data;
    size_t len;
    /* lies; 0 is the truth */
    const char *local_name;
    size_t name_len;
    unsigned flags, method, wrong_crc, wrong_size, wrong_stored;
    int64_t move; /* of the local offset in the directory */
    size_t extra_data;
    const char *alias; /* its name by the directory's Unicode path field */
} entry;

typedef struct {
    const entry *e;
    size_t n;
    int zip64;
    uint64_t locator, count, prepend, append, comment, offset, size; /* lies: added */
    int no_end;
} archive;

static void put_shared(buffer *o, const entry *e, int local)
{
    uint32_t crc = (uint32_t)crc32(0, e->data, (uInt)e->len) ^ e->wrong_crc;
    put(o, 0x0808 | e->flags, 2);
    put(o, e->method, 2);
    put(o, 0, 4);
    put(o, local ? 0 : crc, 4);
    put(o, local ? 0 : e->len + e->wrong_stored, 4);
    put(o, local ? 0 : e->len + e->wrong_size, 4);
}

static void build(const archive *a, buffer *o)
{
    uint64_t at[64];
    o->n = 0;
    put_bytes(o, "#!/bin/sh\n#######", a->prepend);
    for (size_t i = 0; i < a->n; i++) {
        const entry *e = &a->e[i];
        const char *name = e->local_name != NULL ? e->local_name : e->name;
        size_t len = e->name_len > 0 ? e->name_len : strlen(name);
        at[i] = o->n;
        put(o, 0x04034b50, 4);
        put(o, 0, 2);
        put_shared(o, e, 1);
        put(o, len, 2);
        put(o, 0, 2);
        put_bytes(o, name, len);
        put_bytes(o, e->data, e->len);
        put(o, 0x08074b50, 4);
        put(o, 0, 8);
        put(o, 0, 4);
        for (size_t k = 0; k < e->extra_data; k++) {
            put(o, 0, 1);
        }
    }
    uint64_t start = o->n;
    for (size_t i = 0; i < a->n; i++) {
        const entry *e = &a->e[i];
        size_t len = e->name_len > 0 ? e->name_len : strlen(e->name);
        put(o, 0x02014b50, 4);
        put(o, 0, 4);
        put_shared(o, e, 0);
        size_t alias = e->alias != NULL ? strlen(e->alias) : 0;
        put(o, len, 2);
        put(o, alias > 0 ? alias + 9 : 0, 2);
        put(o, 0, 4);
        put(o, 0, 6);
        put(o, at[i] + (uint64_t)e->move - a->prepend, 4);
        put_bytes(o, e->name, len);
        if (alias > 0) {
            put(o, 0x7075, 2);
            put(o, alias + 5, 2);
            put(o, 1, 1);
            put(o, crc32(0, (const unsigned char *)e->name, (uInt)len), 4);
            put_bytes(o, e->alias, alias);
        }
    }
    uint64_t size = o->n - start, where = o->n;
    if (a->zip64) {
        put(o, 0x06064b50, 4);
        put(o, 44, 8);
        put(o, 0, 4);
        put(o, 0, 8);
        put(o, a->n, 8);
        put(o, a->n, 8);
        put(o, size, 8);
        put(o, start, 8);
        put(o, 0x07064b50, 4);
        put(o, 0, 4);
        put(o, where + a->locator, 8);
        put(o, 1, 4);
    }
    if (!a->no_end) {
        put(o, 0x06054b50, 4);
        put(o, 0, 4);
        put(o, a->n + a->count, 2);
        put(o, a->n + a->count, 2);
        put(o, size + a->size, 4);
        put(o, start + a->offset - a->prepend, 4);
        put(o, a->comment, 2);
    }
    for (uint64_t k = 0; k < a->append; k++) {
        put(o, 'x', 1);
    }
}

/* Opens the archive's bytes from a block of exactly their size. */
static int open_bytes(const unsigned char *b, size_t n, hs_tensors **out)
{
    unsigned char *copy = malloc(n + (n == 0));
    hs_zip *z = NULL;
    memcpy(copy, b, n);
    int rc = hs_zip_parse(copy, n, &z);
    if (rc == HS_OK) {
        rc = hs_ptzip_read(z, n, out);
        if (rc == HS_OK) {
            for (size_t i = 0; i < hs_tensors_count(*out); i++) {
                const hs_tensor *t = hs_tensors_at(*out, i);
                volatile unsigned char sum = 0;
                for (size_t k = 0; k < t->count * hs_dtype_size(t->dtype); k++) {
                    sum = (unsigned char)(sum + t->bytes[k]); /* AddressSanitizer looks on */
                }
            }
        }
    }
    hs_zip_free(z);
    if (rc == HS_OK) {
        hs_tensors_free(*out);
    }
    free(copy);
    return rc;
}

/* {"w": a FloatStorage "0" of 6 as a (3, 2) transposed view} */
#define PICKLE(numel, size, stride)                                                                                 \
    "\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0" \
    "0X\x03\0\0\0cpuK" numel "tQK\0" size stride "\x89}tRs."
#define ACROSS PICKLE("\x06", "K\x03K\x02\x86", "K\x01K\x03\x86")

static const float six[6] = {1, 2, 3, 4, 5, 6};

#define PKL                                                            \
    {                                                                  \
        .name = "a/data.pkl", .data = ACROSS, .len = sizeof ACROSS - 1 \
    }
#define VER                                          \
    {                                                \
        .name = "a/version", .data = "3\n", .len = 2 \
    }
#define DATA0                                      \
    {                                              \
        .name = "a/data/0", .data = six, .len = 24 \
    }

typedef struct {
    const char *id;
    entry e[4];
    archive a;
    int code;
    const char *says;
} zip_case;

static const char long_name[2000] = "a/b";

static const zip_case zips[] = {
    {"good", {PKL, VER, DATA0}, {0}, HS_OK, ""},
    {"good zip64", {PKL, VER, DATA0}, {.zip64 = 1}, HS_OK, ""},
    {"little", {PKL, VER, DATA0, {.name = "a/byteorder", .data = "little", .len = 6}}, {0}, HS_OK, ""},
    {"ZP03", {PKL, VER, DATA0}, {.no_end = 1}, HS_EFORMAT, "end record"},
    {"ZP04", {PKL, VER, DATA0}, {.comment = 60000}, HS_EFORMAT, "end record"},
    {"ZP05", {PKL, VER, DATA0}, {.comment = 3, .append = 3}, HS_EFORMAT, "end record"},
    {"ZP06", {PKL, VER, DATA0}, {.prepend = 17}, HS_EFORMAT, "zip"},
    {"appended", {PKL, VER, DATA0}, {.append = 1}, HS_EFORMAT, "end record"},
    {"ZP07 offset", {PKL, VER, DATA0}, {.offset = 1u << 30}, HS_EFORMAT, "directory"},
    {"ZP07 size", {PKL, VER, DATA0}, {.size = 1u << 30}, HS_EFORMAT, "directory"},
    {"ZP08", {PKL, VER, DATA0}, {.count = 0xffff - 3}, HS_EFORMAT, "too short"},
    {"ZP08 more", {PKL, VER, DATA0}, {.count = 1}, HS_EFORMAT, "directory"},
    {"ZP08 fewer", {PKL, VER, DATA0}, {.count = UINT64_MAX}, HS_EFORMAT, "directory"},
    {"ZP09", {PKL, VER, DATA0}, {.zip64 = 1, .locator = 1ull << 63}, HS_EFORMAT, "locator"},
    {"ZP09 contradiction", {PKL, VER, DATA0}, {.zip64 = 1, .count = 1}, HS_EFORMAT, "contradict"},
    {"ZP11",
     {PKL, VER, {.name = "a/data/0", .local_name = "a/data/1", .data = six, .len = 24}},
     {0},
     HS_EFORMAT,
     "local header"},
    {"alias", {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .alias = "a/evil"}}, {0}, HS_EFORMAT, "libzip"},
    {"ZP12 encrypted", {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .flags = 1}}, {0}, HS_EFORMAT, "flags"},
    {"ZP12 patched",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .flags = 1 << 5}},
     {0},
     HS_EFORMAT,
     "flags"},
    {"ZP12 strong",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .flags = 1 << 6}},
     {0},
     HS_EFORMAT,
     "flags"},
    {"ZP12 masked",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .flags = 1 << 13}},
     {0},
     HS_EFORMAT,
     "flags"},
    {"ZP13 deflate",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .method = 8}},
     {0},
     HS_EFORMAT,
     "compressed"},
    {"ZP13 zstd",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .method = 93}},
     {0},
     HS_EFORMAT,
     "compressed"},
    {"ZP13 sizes",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .wrong_size = 1}},
     {0},
     HS_EFORMAT,
     "compressed"},
    {"ZP14 beyond",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .wrong_size = 1u << 30, .wrong_stored = 1u << 30}},
     {0},
     HS_EFORMAT,
     "outside"},
    {"ZP14 overlap",
     {PKL, {.name = "a/version", .data = "3\n", .len = 2, .wrong_size = 40, .wrong_stored = 40}, DATA0},
     {0},
     HS_EFORMAT,
     "overlap"},
    {"ZP14 same",
     {PKL,
      {.name = "a/data/0", .data = six, .len = 24},
      {.name = "a/data/0", .data = six, .len = 24, .move = -(30 + 8 + 24 + 16)},
      VER},
     {0},
     HS_EFORMAT,
     "overlap"},
    {"gap", {PKL, {.name = "a/version", .data = "3\n", .len = 2, .extra_data = 9}, DATA0}, {0}, HS_EFORMAT, "no entry"},
    {"local offset",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .move = 1u << 30}},
     {0},
     HS_EFORMAT,
     "outside"},
    {"local offset by one",
     {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .move = 1}},
     {0},
     HS_EFORMAT,
     "zip"},
    {"ZP15", {PKL, VER, DATA0, DATA0}, {0}, HS_EFORMAT, "twice"},
    {"ZP16 ..", {PKL, VER, DATA0, {.name = "../../x", .data = "", .len = 0}}, {0}, HS_EFORMAT, "plain entry name"},
    {"ZP16 inside", {PKL, VER, DATA0, {.name = "a/../x", .data = "", .len = 0}}, {0}, HS_EFORMAT, "plain entry name"},
    {"ZP16 absolute", {PKL, VER, DATA0, {.name = "/x", .data = "", .len = 0}}, {0}, HS_EFORMAT, "plain entry name"},
    {"ZP16 backslash", {PKL, VER, DATA0, {.name = "a\\b", .data = "", .len = 0}}, {0}, HS_EFORMAT, "plain entry name"},
    {"ZP16 NUL",
     {PKL, VER, DATA0, {.name = "a/b\0c", .data = "", .len = 0, .name_len = 5}},
     {0},
     HS_EFORMAT,
     "plain entry name"},
    {"ZP16 empty", {PKL, VER, DATA0, {.name = "", .data = "", .len = 0}}, {0}, HS_EFORMAT, "name"},
    {"ZP16 long",
     {PKL, VER, DATA0, {.name = long_name, .data = "", .len = 0, .name_len = 2000}},
     {0},
     HS_EFORMAT,
     "too long"},
    {"ZP17", {PKL, VER, DATA0, {.name = "b/x", .data = "", .len = 0}}, {0}, HS_EFORMAT, "top folder"},
    {"ZP17 none", {PKL, VER, DATA0, {.name = "x", .data = "", .len = 0}}, {0}, HS_EFORMAT, "top folder"},
    {"ZP18", {PKL, VER, {.name = "a/data/0", .data = six, .len = 24, .wrong_crc = 1}}, {0}, HS_EFORMAT, "checksum"},
    {"ZP18 pickle",
     {{.name = "a/data.pkl", .data = ACROSS, .len = sizeof ACROSS - 1, .wrong_crc = 1}, VER, DATA0},
     {0},
     HS_EFORMAT,
     "checksum"},
    {"ZP19",
     {PKL, {.name = "a/version", .data = "111111111111111111111111111111", .len = 30}, DATA0},
     {0},
     HS_EFORMAT,
     "version"},
    {"ZP19 none", {PKL, DATA0}, {0}, HS_EFORMAT, "version"},
    {"ZP19 text", {PKL, {.name = "a/version", .data = "3a", .len = 2}, DATA0}, {0}, HS_EFORMAT, "version"},
    {"ZP20", {PKL, VER, DATA0, {.name = "a/byteorder", .data = "big", .len = 3}}, {0}, HS_EFORMAT, "little-endian"},
    {"ZP21", {PKL, VER, DATA0, {.name = "a/constants.pkl", .data = "N.", .len = 2}}, {0}, HS_EFORMAT, "TorchScript"},
    {"ZP21 code", {PKL, VER, DATA0, {.name = "a/code/x.py", .data = "", .len = 0}}, {0}, HS_EFORMAT, "TorchScript"},
    {"no pickle", {VER, DATA0}, {0}, HS_EFORMAT, "data.pkl"},
    {"PT01", {PKL, VER}, {0}, HS_EFORMAT, "no storage 0"},
    {"PT04 less", {PKL, VER, {.name = "a/data/0", .data = six, .len = 20}}, {0}, HS_EFORMAT, "announced"},
    {"PT04 more",
     {{.name = "a/data.pkl", .data = PICKLE("\x05", "K\x05\x85", "K\x01\x85"), .len = sizeof ACROSS - 5}, VER, DATA0},
     {0},
     HS_EFORMAT,
     "announced"},
};

static void test_archives(void **state)
{
    (void)state;
    static buffer o;
    for (size_t i = 0; i < sizeof zips / sizeof *zips; i++) {
        const zip_case *c = &zips[i];
        archive a = c->a;
        hs_tensors *ts = NULL;
        a.e = c->e;
        while (a.n < 4 && c->e[a.n].name != NULL) {
            a.n++;
        }
        build(&a, &o);
        int rc = open_bytes(o.b, o.n, &ts);
        if (rc != c->code || (rc != HS_OK && strstr(hs_error_message(), c->says) == NULL)) {
            fail_msg("%s gave %d (%s), wanted %d \"%s\"", c->id, rc, hs_error_message(), c->code, c->says);
        }
    }
}

/* Every cut of a good archive is refused; so is, or else is harmless, every changed byte. */
static void test_cuts_and_flips(void **state)
{
    (void)state;
    static const entry e[3] = {PKL, VER, DATA0};
    static buffer o;
    archive a = {.e = e, .n = 3, .zip64 = 1};
    hs_tensors *ts = NULL;
    build(&a, &o);
    for (size_t n = 0; n < o.n; n++) {
        assert_code(open_bytes(o.b, n, &ts), HS_EFORMAT);
    }
    for (size_t i = 0; i < o.n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            o.b[i] = (unsigned char)(o.b[i] ^ 1 << bit);
            int rc = open_bytes(o.b, o.n, &ts);
            assert_true(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ELIMIT);
            o.b[i] = (unsigned char)(o.b[i] ^ 1 << bit);
        }
    }
}

static int open_pickle(const char *pickle, size_t len, const char *name, hs_tensors **out)
{
    static buffer o;
    const entry e[3] = {{.name = "a/data.pkl", .data = pickle, .len = len}, VER, DATA0};
    archive a = {.e = e, .n = 3};
    build(&a, &o);
    assert_ok(hs_file_write_atomic(temp_path(name), o.b, o.n, 1));
    return hs_tensors_open(temp_path(name), out);
}

/* PT12: views that aren't contiguous come out in C order; a stride of 0 repeats. */
static void test_views(void **state)
{
    (void)state;
    static const struct {
        const char *pickle;
        size_t len;
        float want[8];
        size_t n;
    } views[] = {
        {ACROSS, sizeof ACROSS - 1, {1, 4, 2, 5, 3, 6}, 6},
        {PICKLE("\x06", "K\x02K\x03\x86", "K\x00K\x02\x86"), sizeof ACROSS - 1, {1, 3, 5, 1, 3, 5}, 6},
        {PICKLE("\x06", "K\x02K\x02\x86", "K\x01K\x01\x86"), sizeof ACROSS - 1, {1, 2, 2, 3}, 4},
        {PICKLE("\x06", "K\x01K\x06\x86", "K\x63K\x01\x86"), sizeof ACROSS - 1, {1, 2, 3, 4, 5, 6}, 6},
    };
    for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
        hs_tensors *ts = NULL;
        assert_ok(open_pickle(views[i].pickle, views[i].len, "views.pth", &ts));
        const hs_tensor *t = hs_tensors_find(ts, "w");
        assert_int_equal(t->count, views[i].n);
        assert_memory_equal(t->bytes, views[i].want, 4 * views[i].n);
        hs_tensors_free(ts);
    }
}

/* PT11: stride 0 makes a file of 300 bytes as large as one likes. */
static void test_budget(void **state)
{
    (void)state;
    static const char overflow[] = PICKLE("\x06", "\x8a\x05\0\0\0\0\x02\x8a\x05\0\0\0\0\x02\x86", "K\0K\0\x86");
    static const char large[] = PICKLE("\x06", "J\0\0\0\x10J\0\0\0\x10\x86", "K\0K\0\x86");
    hs_tensors *ts = NULL;
    assert_code(open_pickle(overflow, sizeof overflow - 1, "budget.pth", &ts), HS_ELIMIT);
    assert_code(open_pickle(large, sizeof large - 1, "budget.pth", &ts), HS_ELIMIT);
}

/* ZP10: more entries than anyone needs, of nothing. */
static void test_many_entries(void **state)
{
    (void)state;
    enum { N = 65534 };
    size_t cap = (size_t)N * (30 + 46 + 14) + 22, n = 0;
    unsigned char *b = calloc(1, cap);
    for (int pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < N; i++) {
            size_t head = pass == 0 ? 30 : 46;
            static const unsigned char magic[2][4] = {{'P', 'K', 3, 4}, {'P', 'K', 1, 2}};
            char name[8];
            memcpy(b + n, magic[pass], 4);
            b[n + (pass == 0 ? 26 : 28)] = 7;
            uint32_t at = i * 37;
            if (pass == 1) {
                memcpy(b + n + 42, &at, 4);
            }
            snprintf(name, sizeof name, "a/%05u", i);
            memcpy(b + n + head, name, 7);
            n += head + 7;
        }
    }
    uint32_t offset = N * 37, size = N * 53;
    memcpy(b + n, "PK\x05\x06", 4);
    b[n + 8] = b[n + 10] = N & 0xff;
    b[n + 9] = b[n + 11] = N >> 8;
    memcpy(b + n + 12, &size, 4);
    memcpy(b + n + 16, &offset, 4);
    n += 22;
    hs_tensors *ts = NULL;
    assert_code(open_bytes(b, n, &ts), HS_ELIMIT);
    free(b);
}

/* ZP22 */
static void test_large_pickle(void **state)
{
    (void)state;
    enum { LEN = (64 << 20) + 1 };
    unsigned char *b = calloc(1, LEN);
    hs_zip_entry e[2] = {{.name = "a/data.pkl", .bytes = b, .size = LEN},
                         {.name = "a/version", .bytes = (const unsigned char *)"3", .size = 1}};
    const char *path = temp_path("large.pth");
    hs_tensors *ts = NULL;
    assert_ok(hs_zip_write(path, 2, e, 0));
    assert_code(hs_tensors_open(path, &ts), HS_ELIMIT);
    free(b);
}

/* ZP01, ZP02 */
static void test_old_files(void **state)
{
    (void)state;
    static const unsigned char legacy[] = {0x80, 2,    0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                           0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
    unsigned char tar[512] = {0};
    hs_tensors *ts = NULL;
    memcpy(tar + 257, "ustar", 5);
    assert_ok(hs_file_write_atomic(temp_path("legacy.pth"), legacy, sizeof legacy, 1));
    assert_code(hs_tensors_open(temp_path("legacy.pth"), &ts), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "torch.save"));
    assert_ok(hs_file_write_atomic(temp_path("tar.pth"), tar, sizeof tar, 1));
    assert_code(hs_tensors_open(temp_path("tar.pth"), &ts), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "torch.save"));
}

/* Numbers of tensors, and of one tensor the first and last value and sum x_i (i mod 7 + 1), as
 * PyTorch 2.13 loads them. */
static void test_real_files(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        size_t n;
        const char *name;
        hs_dtype dtype;
        double first, last, sum;
    } real[] = {
        {"asyrp-dh/smiling_LC_CelebA_HQ.pth", 8, "0.conv1.weight", HS_F32, -0.012502520345151424, -0.029577314853668213,
         390.3508035192817},
        {"parity/asyrp/pair_LC_CelebA_HQ_t999_ninv6_ngen6_0.pth", 16, "1.conv1.weight", HS_F32, -0.2445085495710373,
         0.13718286156654358, -24.09367459742498},
        {"parity/ddpm_ermon/model.ckpt", 144, "up.0.block.0.conv1.weight", HS_F16, -0.022186279296875,
         -0.046661376953125, 20.89465492963791},
        {"parity/ddpm_ermon/forms/ckpt.pth", 157, "1.state.29.exp_avg", HS_F32, 0.13334913551807404,
         -0.04129088670015335, -1.0200459989719093},
        {"parity/diffusers_ddpm/flat_old/diffusion_pytorch_model.bin", 268, "up_blocks.1.attentions.0.key.weight",
         HS_F32, 0.10391031205654144, 0.1924230456352234, 11.250903300126083},
        {"mnist-models/charles_mnist.pth", 179, "decoders.0.1.res_block.time_layer.weight", HS_F32,
         0.045063138008117676, -0.04247656464576721, -0.15501133955876867},
        {"mnist-models/pulfer_fashion.pt", 173, "network.b_mid.1.ln.bias", HS_F32, 0.0012032382655888796,
         -0.007268334273248911, -0.63708724641765},
    };
    need_shared("asyrp-dh/smiling_LC_CelebA_HQ.pth");
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        hs_tensors *ts = NULL;
        assert_ok(hs_tensors_open(shared_data(real[i].file), &ts));
        assert_int_equal(hs_tensors_count(ts), real[i].n);
        const hs_tensor *t = hs_tensors_find(ts, real[i].name);
        assert_non_null(t);
        assert_int_equal(t->dtype, real[i].dtype);
        double *x = malloc(t->count * sizeof *x), sum = 0;
        hs_to_f64(t->dtype, t->bytes, t->count, x);
        for (size_t k = 0; k < t->count; k++) {
            sum += x[k] * (double)(k % 7 + 1);
        }
        assert_near(x[0], real[i].first, 0);
        assert_near(x[t->count - 1], real[i].last, 0);
        assert_near(sum, real[i].sum, 1e-9); /* order of summation in double */
        free(x);
        hs_tensors_free(ts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archives),  cmocka_unit_test(test_cuts_and_flips), cmocka_unit_test(test_views),
        cmocka_unit_test(test_budget),    cmocka_unit_test(test_many_entries),   cmocka_unit_test(test_large_pickle),
        cmocka_unit_test(test_old_files), cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
