/* core/io/safetensors: real files, the writer, and the malformed files ST01-ST61 and IX. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/io/file.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

#define ENTRY(offsets) "{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":" offsets "}"
#define TEST(entry)    "{\"test\":" entry "}"
#define SHAPED(shape)  TEST("{\"dtype\":\"I32\",\"shape\":" shape ",\"data_offsets\":[0,16]}")

/* A file of this header and data_len zero bytes, parsed in memory of its exact size. */
static int parse(const char *json, size_t len, size_t data_len, hs_tensors **out)
{
    size_t size = 8 + len + data_len;
    unsigned char *b = calloc(1, size);
    assert_non_null(b);
    for (int i = 0; i < 8; i++) {
        b[i] = (unsigned char)((uint64_t)len >> (8 * i));
    }
    memcpy(b + 8, json, len);
    int rc = hs_safetensors_from_memory(b, size, out);
    if (rc == HS_OK) {
        for (size_t i = 0; i < hs_tensors_count(*out); i++) {
            const hs_tensor *t = hs_tensors_at(*out, i);
            assert_true(t->bytes >= b + 8 + len && t->bytes + t->count * hs_dtype_size(t->dtype) <= b + size);
        }
    }
    free(b);
    return rc;
}

typedef struct {
    const char *id, *json;
    size_t data;
    int code;
    const char *says; /* part of the message */
} header_case;

static const header_case headers[] = {
    {"base", TEST(ENTRY("[0,16]")), 16, HS_OK, ""},
    {"ST08", "\xff", 0, HS_EFORMAT, ""},
    {"ST09", "{\"\xc0\xaf\":1}", 0, HS_EFORMAT, "UTF-8"},
    {"ST10", "{\"\xed\xa0\x80\":1}", 0, HS_EFORMAT, "UTF-8"},
    {"ST11", "\xef\xbb\xbf" TEST(ENTRY("[0,16]")), 16, HS_EFORMAT, "byte order mark"},
    {"ST12", "{ ", 0, HS_EFORMAT, ""},
    {"ST13", "[]", 0, HS_EFORMAT, "object"},
    {"ST14", "{} x", 0, HS_EFORMAT, ""},
    {"ST16", " \t\n\r" TEST(ENTRY("[0,16]")) " \t\n\r", 16, HS_OK, ""},
    {"ST19", "{\"a\":" ENTRY("[0,16]") ",\"a\":" ENTRY("[0,16]") "}", 16, HS_EFORMAT, "duplicate"},
    {"ST20",
     "{\"a\":{\"dtype\":\"I32\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"I32\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}",
     0, HS_EFORMAT, "duplicate"},
    {"ST21", TEST("{\"dtype\":\"I32\",\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT,
     "duplicate"},
    {"ST22", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, HS_EFORMAT, "duplicate"},
    {"ST23", "{\"__metadata__\":{\"a\":1}}", 0, HS_EFORMAT, "not a string"},
    {"ST24", "{\"__metadata__\":[]}", 0, HS_EFORMAT, "object"},
    {"ST25a", TEST("{\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "exactly"},
    {"ST25b", TEST("{\"dtype\":\"I32\",\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "exactly"},
    {"ST25c", TEST("{\"dtype\":\"I32\",\"shape\":[2,2]}"), 16, HS_EFORMAT, "exactly"},
    {"ST25d", TEST("{\"x\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "dtype"},
    {"ST25e", TEST("[1,2]"), 16, HS_EFORMAT, "exactly"},
    {"ST26", TEST("{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16],\"x\":1}"), 16, HS_EFORMAT, "exactly"},
    {"ST27a", TEST("{\"dtype\":\"F99\",\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "F99"},
    {"ST27b", TEST("{\"dtype\":\"i32\",\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "i32"},
    {"ST27c", TEST("{\"dtype\":5,\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_EFORMAT, "dtype"},
    {"ST28", TEST("{\"dtype\":\"\\u0049\\u0033\\u0032\",\"shape\":[2,2],\"data_offsets\":[0,16]}"), 16, HS_OK, ""},
    {"ST29", SHAPED("[-1,4]"), 16, HS_EFORMAT, "shape[0]"},
    {"ST30", SHAPED("[2.0,2]"), 16, HS_EFORMAT, "shape[0]"},
    {"ST31", SHAPED("[2e0,2]"), 16, HS_EFORMAT, "shape[0]"},
    {"ST32", SHAPED("[true,4]"), 16, HS_EFORMAT, "shape[0]"},
    {"ST33", SHAPED("[\"2\",2]"), 16, HS_EFORMAT, "shape[0]"},
    {"ST34", SHAPED("[18446744073709551616]"), 16, HS_EFORMAT, ""},
    {"ST35", SHAPED("[2,18446744073709551614]"), 16, HS_EFORMAT, ""},
    {"ST36", SHAPED("[2,9223372036854775807]"), 16, HS_EFORMAT, "overflow"},
    {"ST37", TEST("{\"dtype\":\"I32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}"), 0, HS_EFORMAT,
     "overflow"},
    {"ST38a", TEST("{\"dtype\":\"I32\",\"shape\":[0,18446744073709551615],\"data_offsets\":[0,0]}"), 0, HS_EFORMAT, ""},
    {"ST38b", TEST("{\"dtype\":\"I32\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]}"), 0, HS_EFORMAT,
     "overflow"},
    {"ST39", SHAPED("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4]"), 16, HS_EFORMAT, "at most 16"},
    {"ST40", TEST(ENTRY("[0]")), 16, HS_EFORMAT, "begin, end"},
    {"ST41", TEST(ENTRY("[0,16,16]")), 16, HS_EFORMAT, "data_offsets"},
    {"ST42", TEST(ENTRY("[16,0]")), 16, HS_EFORMAT, "begin, end"},
    {"ST43", TEST(ENTRY("[0,17]")), 16, HS_EFORMAT, "within"},
    {"ST44a", TEST(ENTRY("[0,18446744073709551615]")), 16, HS_EFORMAT, ""},
    {"ST44b", TEST(ENTRY("[0,9223372036854775807]")), 16, HS_EFORMAT, "within"},
    {"ST45", "{\"a\":" ENTRY("[0,16]") ",\"b\":" ENTRY("[8,24]") "}", 24, HS_EFORMAT, "inside another"},
    {"ST46", "{\"a\":" ENTRY("[0,16]") ",\"b\":" ENTRY("[0,16]") ",\"c\":" ENTRY("[0,16]") "}", 16, HS_EFORMAT,
     "inside another"},
    {"ST47", "{\"a\":" ENTRY("[0,16]") ",\"b\":" ENTRY("[32,48]") "}", 48, HS_EFORMAT, "hole"},
    {"ST48", TEST(ENTRY("[16,32]")), 32, HS_EFORMAT, "hole"},
    {"ST49", TEST(ENTRY("[0,16]")), 15, HS_EFORMAT, ""},
    {"ST50", TEST(ENTRY("[0,16]")), 17, HS_EFORMAT, "cover"},
    {"ST50zip", TEST(ENTRY("[0,16]")), 16 + 22, HS_EFORMAT, "cover"},
    {"ST51", TEST(ENTRY("[0,4]")), 4, HS_EFORMAT, "needs 16"},
    {"ST52", TEST("{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}"), 2, HS_EFORMAT, "F4"},
    {"ST53", TEST("{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}"), 4, HS_OK, ""},
    {"ST54", TEST("{\"dtype\":\"F32\",\"shape\":[2,0],\"data_offsets\":[0,0]}"), 0, HS_OK, ""},
    {"ST57a", "{\"\":" ENTRY("[0,16]") "}", 16, HS_EFORMAT, "name"},
    {"ST57b", "{\"a\\u0000b\":" ENTRY("[0,16]") "}", 16, HS_EFORMAT, ""},
    {"ST58", "{\"../../x\":" ENTRY("[0,16]") "}", 16, HS_OK, ""},
    {"ST59", "{\"\\u001b[2J\":" ENTRY("[0,15]") "}", 16, HS_EFORMAT, "\\x1b[2J"},
    {"empty", "{}", 0, HS_OK, ""},
    {"meta", "{\"__metadata__\":{\"a\":\"b\"}}", 0, HS_OK, ""},
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const header_case *c = &headers[i];
        hs_tensors *ts = NULL;
        int rc = parse(c->json, strlen(c->json), c->data, &ts);
        if (rc != c->code || (rc != HS_OK && strstr(hs_error_message(), c->says) == NULL)) {
            fail_msg("%s gave %d (%s), wanted %d and \"%s\"", c->id, rc, hs_error_message(), c->code, c->says);
        }
        assert_true((ts != NULL) == (rc == HS_OK));
        hs_tensors_free(ts);
    }
}

static void test_header_lengths(void **state)
{
    (void)state;
    static const unsigned char lengths[][8] = {
        {0}, {0, 0, 0, 0, 0, 0, 0, 0x80}, {255, 255, 255, 255, 255, 255, 255, 255}, {77}, {0x01, 0xe1, 0xf5, 0x05}};
    const char *json = TEST(ENTRY("[0,16]"));
    unsigned char b[84] = {0};
    hs_tensors *ts = NULL;
    assert_int_equal(strlen(json), 60);
    memcpy(b + 8, json, 60);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) { /* ST03-ST06 (size - 7 = 77) */
        memcpy(b, lengths[i], 8);
        assert_code(hs_safetensors_from_memory(b, sizeof b, &ts), HS_EFORMAT);
    }
    b[0] = 60;
    memset(b + 1, 0, 7);
    for (size_t len = 0; len < sizeof b; len++) { /* ST01, ST02, ST49: cut at every byte */
        unsigned char *cut = malloc(len + 1);
        memcpy(cut, b, len);
        assert_code(hs_safetensors_from_memory(cut, len, &ts), HS_EFORMAT);
        free(cut);
    }
    assert_ok(hs_safetensors_from_memory(b, sizeof b, &ts));
    hs_tensors_free(ts);
}

/* ST15: jansson and many others would read past the first NUL or stop there. */
static void test_nul_padding(void **state)
{
    (void)state;
    hs_tensors *ts = NULL;
    assert_code(parse("{}\0\0\0\0", 6, 0, &ts), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "NUL padding"));
}

static void test_nesting(void **state) /* ST17, ST18 */
{
    (void)state;
    enum { DEEP = 100000 };
    static const char *const starts[] = {"{\"a\":", "{\"__metadata__\":{\"a\":"};
    for (size_t i = 0; i < 2; i++) {
        size_t head = strlen(starts[i]);
        char *json = malloc(head + DEEP);
        hs_tensors *ts = NULL;
        memcpy(json, starts[i], head);
        memset(json + head, '[', DEEP);
        assert_code(parse(json, head + DEEP, 0, &ts), HS_EFORMAT);
        assert_non_null(strstr(hs_error_message(), "deeper than 8"));
        free(json);
    }
}

static void test_many_dimensions(void **state) /* ST39 */
{
    (void)state;
    enum { ONES = 500000 };
    static const char head[] = "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1],\"shape\":[1";
    char *json = malloc(sizeof head + 2 * ONES + 4);
    size_t n = sizeof head - 1;
    hs_tensors *ts = NULL;
    memcpy(json, head, n);
    for (int i = 1; i < ONES; i++) {
        json[n++] = ',';
        json[n++] = '1';
    }
    memcpy(json + n, "]}}", 3);
    assert_code(parse(json, n + 3, 1, &ts), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "at most 16"));
    free(json);
}

static void test_long_name(void **state) /* ST58 */
{
    (void)state;
    enum { LEN = 1 << 20 };
    char *json = malloc(LEN + 200);
    size_t n = 0;
    hs_tensors *ts = NULL;
    n += (size_t)sprintf(json, "{\"");
    memset(json + n, 'a', LEN);
    n += LEN;
    n += (size_t)sprintf(json + n, "\":%s}", ENTRY("[0,16]"));
    assert_code(parse(json, n, 16, &ts), HS_EFORMAT);
    assert_in_range(strlen(hs_error_message()), 1, 400);
    free(json);
}

/* ST60: as many names as a million JSON values allow, and more (HS_ELIMIT). */
static void test_many_names(void **state)
{
    (void)state;
    enum { MANY = 1000000, ROOM = 80 };
    char *json = malloc((size_t)MANY * ROOM + 16);
    for (int round = 0; round < 2; round++) {
        int many = round == 0 ? 30000 : MANY;
        size_t n = 1;
        json[0] = '{';
        for (int i = 0; i < many; i++) {
            n += (size_t)sprintf(json + n, "%s\"%07x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                                 i > 0 ? "," : "", i);
        }
        json[n++] = '}';
        hs_tensors *ts = NULL;
        clock_t start = clock();
        int rc = parse(json, n, 0, &ts);
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
        assert_int_equal(rc, round == 0 ? HS_OK : HS_ELIMIT);
        hs_tensors_free(ts);
    }
    free(json);
}

/* ST07: nothing of the sparse file is read. */
static void test_sparse_header(void **state)
{
    (void)state;
    static const unsigned char length[8] = {0x01, 0xe1, 0xf5, 0x05};
    const char *path = temp_path("sparse.safetensors");
    hs_tensors *ts = NULL;
    assert_ok(hs_file_write_atomic(path, length, 8, 0));
    assert_int_equal(truncate(path, 100000100), 0);
    assert_code(hs_safetensors_open(path, &ts), HS_EFORMAT);
    assert_int_equal(truncate(path, (off_t)1 << 42), 0);
    assert_code(hs_safetensors_open(path, &ts), HS_EFORMAT);
}

/* A valid header in front of more data than there is memory: refused before reading. */
static void test_sparse_data(void **state)
{
    (void)state;
    const char *path = temp_path("huge.safetensors");
    const char *json = "{\"a\":{\"dtype\":\"U8\",\"shape\":[4398046511104],\"data_offsets\":[0,4398046511104]}}";
    unsigned char b[256] = {(unsigned char)strlen(json)};
    hs_tensors *ts = NULL;
    memcpy(b + 8, json, strlen(json));
    assert_ok(hs_file_write_atomic(path, b, 8 + strlen(json), 0));
    assert_int_equal(truncate(path, (off_t)(8 + strlen(json)) + ((off_t)1 << 42)), 0);
    assert_code(hs_safetensors_open(path, &ts), HS_ELIMIT);
}

/* ST55: F64 data at an odd address; ST56: special values keep their bits. */
static void test_odd_header_and_special_values(void **state)
{
    (void)state;
    static const uint32_t special[8] = {0x7fc00000, 0x7f800000, 0x80000000, 1, 0xff800000, 0x3f800000, 0, 0x7fa00001};
    const char *json = "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                       "\"f\":{\"dtype\":\"F32\",\"shape\":[8],\"data_offsets\":[16,48]},"
                       "\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[48,50]}}";
    unsigned char b[512] = {(unsigned char)(strlen(json) | 1)};
    size_t header = strlen(json) | 1;
    const double d[2] = {1.5, -2};
    double back[2];
    float f[8];
    hs_tensors *ts = NULL;
    memset(b + 8, ' ', header);
    memcpy(b + 8, json, strlen(json));
    memcpy(b + 8 + header, d, 16);
    memcpy(b + 8 + header + 16, special, 32);
    b[8 + header + 48] = 2;
    b[8 + header + 49] = 255;
    assert_true(header < 256);
    assert_ok(hs_safetensors_from_memory(b, 8 + header + 50, &ts));
    hs_to_f64(HS_F64, hs_tensors_find(ts, "d")->bytes, 2, back);
    assert_memory_equal(back, d, 16);
    hs_to_f32(HS_F32, hs_tensors_find(ts, "f")->bytes, 8, f);
    assert_memory_equal(f, special, 32);
    assert_int_equal(hs_tensors_find(ts, "b")->bytes[1], 255);
    assert_null(hs_tensors_find(ts, "c"));
    hs_tensors_free(ts);
}

/* ST61: the file ends earlier than it said when it was opened. */
static void test_truncated_while_read(void **state)
{
    (void)state;
    const char *path = temp_path("shrinks.safetensors");
    unsigned char b[100] = {0};
    hs_file f;
    assert_ok(hs_file_write_atomic(path, b, sizeof b, 0));
    assert_ok(hs_file_open(path, &f));
    assert_int_equal(truncate(path, 50), 0);
    assert_code(hs_file_read_at(&f, path, 0, b, sizeof b), HS_EIO);
    hs_file_close(&f);
}

static void test_writer_round_trip(void **state)
{
    (void)state;
    const char *path = temp_path("rt.safetensors");
    const float f[6] = {1, 2, 3, 4, 5, 6};
    const uint8_t u[3] = {7, 8, 9};
    const double d = 0.25;
    hs_tensor t[4] = {
        {.name = "u", .dtype = HS_U8, .rank = 1, .dim = {3}, .bytes = u},
        {.name = "f \"\xc3\xa9", .dtype = HS_F32, .rank = 2, .dim = {2, 3}, .bytes = (const unsigned char *)f},
        {.name = "d", .dtype = HS_F64, .rank = 0, .bytes = (const unsigned char *)&d},
        {.name = "none", .dtype = HS_I16, .rank = 2, .dim = {0, 4}, .bytes = u}};
    const hs_pair meta[] = {{"format", "pt"}, {"note", "x"}};
    hs_tensors *ts = NULL;
    assert_ok(hs_safetensors_write(path, 4, t, 2, meta, 0));
    assert_code(hs_safetensors_write(path, 4, t, 2, meta, 0), HS_ERANGE);
    assert_ok(hs_safetensors_write(path, 4, t, 2, meta, 1));
    assert_ok(hs_tensors_open(path, &ts));
    assert_int_equal(hs_tensors_count(ts), 4);
    const hs_tensor *g = hs_tensors_find(ts, t[1].name);
    assert_int_equal(g->rank, 2);
    assert_int_equal(g->dim[1], 3);
    assert_int_equal(g->count, 6);
    assert_memory_equal(g->bytes, f, sizeof f);
    assert_memory_equal(hs_tensors_find(ts, "u")->bytes, u, 3);
    assert_memory_equal(hs_tensors_find(ts, "d")->bytes, &d, 8);
    assert_int_equal(hs_tensors_find(ts, "none")->count, 0);
    assert_string_equal(hs_tensors_metadata(ts, "note"), "x");
    assert_null(hs_tensors_metadata(ts, "other"));
    hs_tensors_free(ts);
    t[3].name = "u";
    assert_code(hs_safetensors_write(path, 4, t, 0, NULL, 1), HS_ERANGE);
    t[3].name = "\xff";
    assert_code(hs_safetensors_write(path, 4, t, 0, NULL, 1), HS_ERANGE);
}

/* Values printed by the reference reader (safetensors 0.8, Python). */
static void test_real_file(void **state)
{
    (void)state;
    need_shared("anime64/anime64_ddpm_f16.safetensors");
    hs_tensors *ts = NULL;
    assert_ok(hs_tensors_open(shared_data("anime64/anime64_ddpm_f16.safetensors"), &ts));
    const hs_tensor *t = hs_tensors_find(ts, "conv_in.weight");
    assert_non_null(t);
    assert_int_equal(t->dtype, HS_F16);
    assert_int_equal(t->rank, 4);
    size_t total = 0;
    for (size_t i = 0; i < hs_tensors_count(ts); i++) {
        total += hs_tensors_at(ts, i)->count;
    }
    assert_int_equal(total, 63200387);
    hs_tensors_free(ts);
}

/* ---- Sharded files ---- */

static void write_text(const char *path, const char *text)
{
    assert_ok(hs_file_write_atomic(path, text, strlen(text), 1));
}

static void make_shards(void)
{
    const float f[4] = {1, 2, 3, 4};
    hs_tensor t[2] = {{.name = "a", .dtype = HS_F32, .rank = 1, .dim = {2}, .bytes = (const unsigned char *)f},
                      {.name = "b", .dtype = HS_F32, .rank = 1, .dim = {2}, .bytes = (const unsigned char *)(f + 2)}};
    assert_ok(hs_safetensors_write(temp_path("s1.safetensors"), 1, t, 0, NULL, 1));
    assert_ok(hs_safetensors_write(temp_path("s2.safetensors"), 1, t + 1, 0, NULL, 1));
    assert_ok(hs_safetensors_write(temp_path("both.safetensors"), 2, t, 0, NULL, 1));
    (void)!symlink("/etc/passwd", temp_path("link.safetensors"));
    mkfifo(temp_path("fifo.safetensors"), 0600);
    mkdir(temp_path("folder.safetensors"), 0700);
}

#define MAP(a, b) "{\"weight_map\":{\"a\":\"" a "\",\"b\":\"" b "\"}}"

static void test_index(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        int code;
        const char *says;
    } cases[] = {
        {MAP("s1.safetensors", "s2.safetensors"), HS_OK, ""},
        {"{\"metadata\":{\"total_size\":16},\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}", HS_OK,
         ""},
        {"{\"metadata\":{\"total_size\":17},\"weight_map\":{\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}",
         HS_EFORMAT, "total_size"},
        {MAP("s1.safetensors", "../../etc/passwd"), HS_EFORMAT, "safetensors"},
        {MAP("s1.safetensors", "../x.safetensors"), HS_EFORMAT, "plain file name"},
        {MAP("s1.safetensors", "/etc/x.safetensors"), HS_EFORMAT, "plain file name"},
        {MAP("s1.safetensors", "a/../../b.safetensors"), HS_EFORMAT, "plain file name"},
        {MAP("s1.safetensors", "a\\\\..\\\\b.safetensors"), HS_EFORMAT, "plain file name"},
        {MAP("s1.safetensors", "/etc/passwd"), HS_EFORMAT, "safetensors"},
        {MAP("s1.safetensors", "link.safetensors"), HS_EFORMAT, "symbolic link"},
        {MAP("s1.safetensors", "fifo.safetensors"), HS_EFORMAT, "FIFO"},
        {MAP("s1.safetensors", "folder.safetensors"), HS_EFORMAT, "folder"},
        {MAP("s1.safetensors", "w.safetensors.index.json"), HS_EFORMAT, "safetensors"},
        {MAP("both.safetensors", "s2.safetensors"), HS_EFORMAT, "holds 2"},
        {MAP("s2.safetensors", "s1.safetensors"), HS_EFORMAT, "not in its shard"},
        {MAP("s1.safetensors", "s3.safetensors"), HS_EFORMAT, "missing"},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"a\":\"s1.safetensors\"}}", HS_EFORMAT, "duplicate"},
        {"{\"weight_map\":{\"a\":5}}", HS_EFORMAT, "not a string"},
        {"{\"weight_map\":{}}", HS_EFORMAT, "weight_map"},
        {"{\"weight_map\":[]}", HS_EFORMAT, "weight_map"},
        {"{}", HS_EFORMAT, "weight_map"},
        {"{", HS_EFORMAT, "JSON"},
    };
    make_shards();
    const char *path = temp_path("w.safetensors.index.json");
    char keep[256];
    snprintf(keep, sizeof keep, "%s", path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hs_tensors *ts = NULL;
        write_text(keep, cases[i].json);
        int rc = hs_tensors_open(keep, &ts);
        if (rc != cases[i].code || (rc != HS_OK && strstr(hs_error_message(), cases[i].says) == NULL)) {
            fail_msg("%s gave %d (%s)", cases[i].json, rc, hs_error_message());
        }
        if (rc == HS_OK) {
            float v[2];
            hs_to_f32(HS_F32, hs_tensors_find(ts, "b")->bytes, 2, v);
            assert_near(v[1], 4, 0);
        } else {
            assert_memory_equal(hs_error_message(), keep, strlen(keep));
        }
        hs_tensors_free(ts);
    }
}

static void test_index_of_many_shards(void **state)
{
    (void)state;
    enum { MANY = 400000 };
    char *json = malloc((size_t)MANY * 40 + 64);
    size_t n = (size_t)sprintf(json, "{\"weight_map\":{");
    for (int i = 0; i < MANY; i++) {
        n += (size_t)sprintf(json + n, "%s\"%x\":\"%x.safetensors\"", i > 0 ? "," : "", i, i);
    }
    n += (size_t)sprintf(json + n, "}}");
    const char *path = temp_path("many.safetensors.index.json");
    hs_tensors *ts = NULL;
    assert_ok(hs_file_write_atomic(path, json, n, 1));
    assert_code(hs_tensors_open(path, &ts), HS_ELIMIT);
    free(json);
}

static void test_unknown_format(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "x", "GGUF000000000",
                                        "\x7f"
                                        "ELF............"};
    for (size_t i = 0; i < 4; i++) {
        hs_tensors *ts = NULL;
        write_text(temp_path("unknown"), texts[i]);
        assert_code(hs_tensors_open(temp_path("unknown"), &ts), HS_EFORMAT);
    }
    hs_tensors *ts = NULL;
    assert_code(hs_tensors_open(temp_path("absent"), &ts), HS_EIO);
    assert_code(hs_tensors_open("/dev/zero", &ts), HS_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_nul_padding),
        cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_many_dimensions),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_sparse_header),
        cmocka_unit_test(test_sparse_data),
        cmocka_unit_test(test_odd_header_and_special_values),
        cmocka_unit_test(test_truncated_while_read),
        cmocka_unit_test(test_writer_round_trip),
        cmocka_unit_test(test_real_file),
        cmocka_unit_test(test_index),
        cmocka_unit_test(test_index_of_many_shards),
        cmocka_unit_test(test_unknown_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
