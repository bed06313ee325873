/* core/io/npy: arrays numpy wrote, our own back, and the malformed headers of NP. */
#include <stdlib.h>
#include <string.h>

#include "core/io/file.h"
#include "core/io/npy.h"
#include "tests/support/support.h"

/* An .npy of this version, header text (a newline is added) and zeros as data. */
static int parse(const char *magic, const char *head, size_t head_len, size_t data, hs_tensors **out)
{
    size_t wide = magic[6] == 1 ? 2 : 4, n = 8 + wide + head_len + 1 + data;
    unsigned char *b = calloc(1, n);
    memcpy(b, magic, 8);
    for (size_t i = 0; i < wide; i++) {
        b[8 + i] = (unsigned char)((head_len + 1) >> (8 * i));
    }
    memcpy(b + 8 + wide, head, head_len);
    b[8 + wide + head_len] = '\n';
    int rc = hs_npy_parse(b, n, "array", out);
    if (rc == HS_OK) {
        const hs_tensor *t = hs_tensors_at(*out, 0);
        assert_int_equal(t->count * hs_dtype_size(t->dtype), data);
        for (size_t i = 0; i < data; i++) {
            assert_int_equal(t->bytes[i], 0);
        }
        hs_tensors_free(*out);
    }
    free(b);
    return rc;
}

#define V1                  "\x93NUMPY\x01\0"
#define D(descr, fo, shape) "{'descr': " descr ", 'fortran_order': " fo ", 'shape': " shape ", }"
#define SHAPE(shape)        D("'<f4'", "False", shape)
#define DESCR(descr)        D(descr, "False", "(4,)")

static const struct {
    const char *head;
    size_t data;
    int code;
    const char *says;
} heads[] = {
    {SHAPE("(4,)"), 16, HS_OK, ""},
    {SHAPE("(2, 2)") "      ", 16, HS_OK, ""},
    {SHAPE("()"), 4, HS_OK, ""},
    {SHAPE("(0, 3)"), 0, HS_OK, ""},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}", 16, HS_OK, ""},
    {"{'shape':(4,),'fortran_order':False,'descr':'<f4'}", 16, HS_OK, ""},
    {D("'>f4'", "False", "(2, 2)"), 16, HS_OK, ""},
    {D("'<f4'", "True", "(2, 2)"), 16, HS_OK, ""},
    {DESCR("'|u1'"), 4, HS_OK, ""},
    {DESCR("'|b1'"), 4, HS_OK, ""},
    {DESCR("'<f2'"), 8, HS_OK, ""},
    {DESCR("'<i8'"), 32, HS_OK, ""},
    {DESCR("'|O'"), 32, HS_EFORMAT, "element type"},
    {DESCR("'O8'"), 32, HS_EFORMAT, "element type"},
    {DESCR("'|O8'"), 32, HS_EFORMAT, "element type"},
    {DESCR("'V8'"), 32, HS_EFORMAT, "element type"},
    {DESCR("'|V8'"), 32, HS_EFORMAT, "element type"},
    {DESCR("[('a', '<f4')]"), 16, HS_EFORMAT, "element type"},
    {DESCR("'<f3'"), 12, HS_EFORMAT, "element type"},
    {DESCR("'<U10'"), 160, HS_EFORMAT, "element type"},
    {DESCR("'=f4'"), 16, HS_EFORMAT, "element type"},
    {DESCR("'|f4'"), 16, HS_EFORMAT, "element type"},
    {DESCR("'<c8'"), 32, HS_EFORMAT, "element type"},
    {DESCR("None"), 16, HS_EFORMAT, "element type"},
    {DESCR("__import__('os')"), 16, HS_EFORMAT, "element type"},
    {D("'<f4'", "1", "(4,)"), 16, HS_EFORMAT, "fortran_order"},
    {"{'descr': '<f4', 'shape': (4,), }", 16, HS_EFORMAT, "lacks"},
    {"{'fortran_order': False, 'shape': (4,), }", 16, HS_EFORMAT, "lacks"},
    {"{'descr': '<f4', 'fortran_order': False, }", 4, HS_EFORMAT, "lacks"},
    {"{}", 0, HS_EFORMAT, "lacks"},
    {SHAPE("(4)"), 16, HS_EFORMAT, "tuple"},
    {SHAPE("4"), 16, HS_EFORMAT, "tuple"},
    {SHAPE("[4]"), 16, HS_EFORMAT, "tuple"},
    {SHAPE("(-1, 4)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(2, 2,)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(4L,)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(0x4, 1)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(04,)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(True, 4)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(4.0,)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(,)"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(4"), 16, HS_EFORMAT, "shape"},
    {SHAPE("(4611686018427387904, 4)"), 0, HS_EFORMAT, "overflow"},
    {SHAPE("(1099511627776, 1099511627776)"), 0, HS_EFORMAT, "overflow"},
    {SHAPE("(0, 9223372036854775808)"), 0, HS_EFORMAT, "overflow"},
    {SHAPE("(0, 9223372036854775807)"), 0, HS_EFORMAT, "overflow"},
    {SHAPE("(99999999999999999999999,)"), 0, HS_EFORMAT, "overflow"},
    {SHAPE("(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4)"), 16, HS_OK, ""},
    {SHAPE("(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 4)"), 16, HS_EFORMAT, "dimensions"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'shape': (4,), }", 16, HS_EFORMAT, "once each"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,), 'x': 1, }", 16, HS_EFORMAT, "keys"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': (4,), }", 16, HS_EFORMAT, "plain dict"},
    {SHAPE("(4,)") "x", 16, HS_EFORMAT, "goes on"},
    {"{", 16, HS_EFORMAT, ""},
    {"", 16, HS_EFORMAT, "dict"},
    {SHAPE("(4,)"), 15, HS_EFORMAT, "needs 16"},
    {SHAPE("(4,)"), 17, HS_EFORMAT, "needs 16"},
};

static void test_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        hs_tensors *ts = NULL;
        int rc = parse(V1, heads[i].head, strlen(heads[i].head), heads[i].data, &ts);
        if (rc != heads[i].code || (rc != HS_OK && strstr(hs_error_message(), heads[i].says) == NULL)) {
            fail_msg("%s gave %d (%s), wanted %d \"%s\"", heads[i].head, rc, hs_error_message(), heads[i].code,
                     heads[i].says);
        }
    }
}

static void test_versions_and_lengths(void **state)
{
    (void)state;
    static const char good[] = SHAPE("(4,)");
    static char nested[16000];
    hs_tensors *ts = NULL;
    assert_ok(parse("\x93NUMPY\x02\0", good, sizeof good - 1, 16, &ts));
    assert_ok(parse("\x93NUMPY\x03\0", good, sizeof good - 1, 16, &ts));
    assert_code(parse("\x93NUMPY\0\0", good, sizeof good - 1, 16, &ts), HS_EFORMAT);
    assert_code(parse("\x93NUMPY\x01\x01", good, sizeof good - 1, 16, &ts), HS_EFORMAT);
    assert_code(parse("\x93NUMPY\x09\0", good, sizeof good - 1, 16, &ts), HS_EFORMAT);
    assert_code(hs_npy_parse((const unsigned char *)"\x93NUMPY\x02\0\xff\xff\xff\xff", 12, "a", &ts), HS_EFORMAT);
    assert_code(hs_npy_parse((const unsigned char *)"\x93NUMPY\x01\0\x40\0{}\n", 13, "a", &ts), HS_EFORMAT);
    assert_code(parse(V1, "{\0}", 3, 0, &ts), HS_EFORMAT);
    memset(nested, '(', sizeof nested);
    assert_code(parse(V1, nested, 4000, 0, &ts), HS_EFORMAT);
    memset(nested, ' ', sizeof nested);
    memcpy(nested, good, sizeof good - 1);
    assert_ok(parse(V1, nested, 9999, 16, &ts));
    assert_code(parse(V1, nested, 10000, 16, &ts), HS_EFORMAT); /* 10,001 with its newline */
}

/* Cut at every byte, every bit flipped: refused, or data of the announced size. */
static void test_cuts_and_flips(void **state)
{
    (void)state;
    const float v[4] = {1, 2, 3, 4};
    const uint64_t dim[1] = {4};
    const char *path = temp_path("cuts.npy");
    unsigned char *b;
    size_t len;
    hs_tensors *ts = NULL;
    assert_ok(hs_npy_write_f32(path, 1, dim, v, 0));
    assert_ok(hs_file_read(path, 1000, &b, &len));
    assert_int_equal((len - 16) % 64, 0);
    for (size_t n = 0; n < len; n++) {
        unsigned char *cut = malloc(n + 1);
        memcpy(cut, b, n);
        assert_code(hs_npy_parse(cut, n, "a", &ts), HS_EFORMAT);
        free(cut);
    }
    for (size_t i = 0; i < len * 8; i++) {
        b[i / 8] = (unsigned char)(b[i / 8] ^ 1 << i % 8);
        int rc = hs_npy_parse(b, len, "a", &ts);
        assert_true(rc == HS_OK || rc == HS_EFORMAT);
        if (rc == HS_OK) {
            assert_int_equal(hs_tensors_at(ts, 0)->count * hs_dtype_size(hs_tensors_at(ts, 0)->dtype), 16);
            hs_tensors_free(ts);
        }
        b[i / 8] = (unsigned char)(b[i / 8] ^ 1 << i % 8);
    }
    free(b);
}

/* np.asfortranarray(np.arange(1, 7, dtype='>i2').reshape(1, 2, 3)): numpy's bytes, typed from a hex
 * dump; by value and in C order. */
static void test_fortran_and_big_endian(void **state)
{
    (void)state;
    static const char head[] = D("'>i2'", "True", "(1, 2, 3)");
    static const unsigned char data[12] = {0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6};
    unsigned char b[256] = V1;
    const size_t n = sizeof head - 1;
    hs_tensors *ts = NULL;
    float v[6];
    b[8] = (unsigned char)(n + 1);
    memcpy(b + 10, head, n);
    b[10 + n] = '\n';
    memcpy(b + 11 + n, data, 12);
    assert_ok(hs_npy_parse(b, 23 + n, "array", &ts));
    const hs_tensor *t = hs_tensors_find(ts, "array");
    assert_int_equal(t->dim[0] * 100 + t->dim[1] * 10 + t->dim[2], 123);
    hs_to_f32(t->dtype, t->bytes, 6, v);
    for (int i = 0; i < 6; i++) {
        assert_near(v[i], i + 1, 0);
    }
    hs_tensors_free(ts);
}

static void test_write_and_read(void **state)
{
    (void)state;
    const float v[6] = {1, -2, 3.5f, 4, 5, 6};
    const uint64_t dim[2] = {2, 3};
    char path[256];
    float *back;
    size_t rank;
    uint64_t got[HS_RANK_MAX];
    hs_tensors *ts = NULL;
    snprintf(path, sizeof path, "%s", temp_path("w.npy"));
    assert_ok(hs_npy_write_f32(path, 2, dim, v, 0));
    assert_code(hs_npy_write_f32(path, 2, dim, v, 0), HS_ERANGE);
    assert_ok(hs_npy_write_f32(path, 2, dim, v, 1));
    assert_ok(hs_npy_read_f32(path, &rank, got, &back));
    assert_int_equal(rank, 2);
    assert_memory_equal(got, dim, sizeof dim);
    assert_memory_equal(back, v, sizeof v);
    free(back);
    assert_ok(hs_tensors_open(path, &ts));
    assert_non_null(hs_tensors_find(ts, "array"));
    hs_tensors_free(ts);
    assert_code(hs_npy_write_f32(path, 17, dim, v, 1), HS_ERANGE);
    const hs_tensor bf = {.name = "x", .dtype = HS_BF16, .rank = 0, .bytes = (const unsigned char *)v};
    assert_code(hs_npy_write(path, &bf, 1), HS_ERANGE);
    assert_code(hs_npy_write_f32("/nowhere/x.npy", 2, dim, v, 1), HS_EIO);
    assert_code(hs_npy_read_f32("/nowhere/x.npy", &rank, got, &back), HS_EIO);
}

static void test_npz(void **state)
{
    (void)state;
    const float f[4] = {1, 2, 3, 4};
    const int64_t i[2] = {-5, 7};
    const hs_tensor t[2] = {
        {.dtype = HS_F32, .rank = 2, .dim = {2, 2}, .bytes = (const unsigned char *)f},
        {.dtype = HS_I64, .rank = 1, .dim = {2}, .bytes = (const unsigned char *)i},
    };
    const char *const names[2] = {"z", "a/b"};
    char path[256];
    hs_tensors *ts = NULL;
    snprintf(path, sizeof path, "%s", temp_path("w.npz"));
    assert_ok(hs_npz_write(path, 2, names, t, 0));
    assert_code(hs_npz_write(path, 2, names, t, 0), HS_ERANGE);
    assert_ok(hs_tensors_open(path, &ts));
    assert_int_equal(hs_tensors_count(ts), 2);
    assert_memory_equal(hs_tensors_find(ts, "z")->bytes, f, sizeof f);
    assert_memory_equal(hs_tensors_find(ts, "a/b")->bytes, i, sizeof i);
    hs_tensors_free(ts);
    unsigned char *b;
    size_t len;
    assert_ok(hs_file_read(path, 4096, &b, &len));
    for (size_t k = 0; k < len; k++) { /* a wrong checksum is among these */
        b[k] ^= 1;
        hs_zip *z = NULL;
        int rc = hs_zip_parse(b, len, &z);
        rc = rc == HS_OK ? hs_npz_read(z, &ts) : rc;
        assert_true(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ELIMIT);
        if (rc == HS_OK) {
            hs_tensors_free(ts);
        }
        hs_zip_free(z);
        b[k] ^= 1;
    }
    free(b);
}

/* An entry that is no array. */
static void test_foreign_zip(void **state)
{
    (void)state;
    const hs_zip_entry e = {.name = "readme.txt", .bytes = (const unsigned char *)"x", .size = 1};
    hs_tensors *ts = NULL;
    assert_ok(hs_zip_write(temp_path("foreign.zip"), 1, &e, 0));
    assert_code(hs_tensors_open(temp_path("foreign.zip"), &ts), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "readme.txt"));
}

/* numpy: golden_x_0.npy .shape, .ravel()[0], .ravel()[-1]; labels.npy [0], [-1]. */
static void test_real_files(void **state)
{
    (void)state;
    need_shared("anime64/golden_x_0.npy");
    float *v;
    size_t rank;
    uint64_t dim[HS_RANK_MAX];
    assert_ok(hs_npy_read_f32(shared_data("anime64/golden_x_0.npy"), &rank, dim, &v));
    assert_int_equal(rank, 4);
    assert_int_equal(dim[0] * 1000000 + dim[1] * 10000 + dim[2] * 100 + dim[3], 4036464);
    assert_near(v[0], 0.6968244910240173, 0);
    assert_near(v[4 * 3 * 64 * 64 - 1], 0.5565153956413269, 0);
    free(v);
    assert_ok(hs_npy_read_f32(shared_data("h-mnist/labels.npy"), &rank, dim, &v));
    assert_int_equal(rank, 1);
    assert_int_equal(dim[0], 2000);
    assert_near(v[0], 7, 0);
    assert_near(v[1999], 5, 0);
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),        cmocka_unit_test(test_versions_and_lengths),
        cmocka_unit_test(test_cuts_and_flips), cmocka_unit_test(test_fortran_and_big_endian),
        cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_npz),
        cmocka_unit_test(test_foreign_zip),    cmocka_unit_test(test_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
