/* core/io/json: the texts of JS, the limits, and what the getters say. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/io/file.h"
#include "core/io/json.h"
#include "tests/support/support.h"

#define B(text) text, sizeof(text) - 1

static const struct {
    const char *text;
    size_t len;
    int code;
    const char *says;
} texts[] = {
    {B("{}"), HS_OK, ""},
    {B(" [1, -2.5e3, \"\\u00e9\", true, null] \n"), HS_OK, ""},
    {B("[-0]"), HS_OK, ""},
    {B("[\"\\\\\", \"\\\"[[[[\"]"), HS_OK, ""},
    {B("[9223372036854775807, -9223372036854775808]"), HS_OK, ""},
    {B("[\"\\ud83d\\ude00\"]"), HS_OK, ""},
    {B(""), HS_EFORMAT, "empty"},
    {B("   "), HS_EFORMAT, ""},
    {B("5"), HS_EFORMAT, ""},
    {B("[1e400]"), HS_EFORMAT, ""},
    {B("[01]"), HS_EFORMAT, ""},
    {B("[+1]"), HS_EFORMAT, ""},
    {B("[0x10]"), HS_EFORMAT, ""},
    {B("[.5]"), HS_EFORMAT, ""},
    {B("[NaN]"), HS_EFORMAT, ""},
    {B("[Infinity]"), HS_EFORMAT, ""},
    {B("[-Infinity]"), HS_EFORMAT, ""},
    {B("[9223372036854775808]"), HS_EFORMAT, "integer"},
    {B("[\"\\ud800\"]"), HS_EFORMAT, ""},
    {B("[\"\\udc00\\ud800\"]"), HS_EFORMAT, ""},
    {B("[\"a\nb\"]"), HS_EFORMAT, ""},
    {B("[\"a\tb\"]"), HS_EFORMAT, ""},
    {B("[\"\\u0000\"]"), HS_EFORMAT, ""},
    {B("{\"a\":1,\"a\":1}"), HS_EFORMAT, "duplicate"},
    {B("{\"a\":1,\"\\u0061\":1}"), HS_EFORMAT, "duplicate"},
    {B("{\"x\":{\"a\":1,\"a\":1}}"), HS_EFORMAT, "duplicate"},
    {B("[1,]"), HS_EFORMAT, ""},
    {B("{\"a\":1,}"), HS_EFORMAT, ""},
    {B("{'a':1}"), HS_EFORMAT, ""},
    {B("{a:1}"), HS_EFORMAT, ""},
    {B("[1] // c"), HS_EFORMAT, ""},
    {B("/* c */ [1]"), HS_EFORMAT, ""},
    {B("\xef\xbb\xbf{}"), HS_EFORMAT, "byte order mark"},
    {B("\xff\xfe{\0}\0"), HS_EFORMAT, "UTF-16"},
    {B("\xfe\xff\0{\0}"), HS_EFORMAT, "UTF-16"},
    {B("{\0}\0"), HS_EFORMAT, "UTF-16"},
    {B("\0{\0}"), HS_EFORMAT, "UTF-16"},
    {B("{} {}"), HS_EFORMAT, ""},
    {B("{}]"), HS_EFORMAT, ""},
    {B("{}\0\0"), HS_EFORMAT, "NUL padding"},
    {B("{\"a\0b\":1}"), HS_EFORMAT, "NUL byte"},
    {B("[\"\xff\"]"), HS_EFORMAT, "UTF-8"},
    {B("[\"\xc0\xaf\"]"), HS_EFORMAT, "UTF-8"},
    {B("[\"\xed\xa0\x80\"]"), HS_EFORMAT, "UTF-8"},
    {B("[\"abc"), HS_EFORMAT, ""},
    {B("[\"abc\\"), HS_EFORMAT, ""},
    {B("[tru]"), HS_EFORMAT, ""},
};

static void test_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *root = NULL;
        char *copy = malloc(texts[i].len + 1);
        memcpy(copy, texts[i].text, texts[i].len);
        copy = realloc(copy, texts[i].len > 0 ? texts[i].len : 1);
        int rc = hs_json_parse(copy, texts[i].len, NULL, &root);
        free(copy);
        if (rc != texts[i].code || (rc != HS_OK && strstr(hs_error_message(), texts[i].says) == NULL)) {
            fail_msg("%s gave %d (%s), wanted %d \"%s\"", texts[i].text, rc, hs_error_message(), texts[i].code,
                     texts[i].says);
        }
        for (const char *c = hs_error_message(); rc != HS_OK && *c != '\0'; c++) {
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
        }
        json_decref(root);
    }
}

static char *repeat(const char *head, const char *piece, size_t n, const char *tail, size_t *len)
{
    size_t a = strlen(head), b = strlen(piece);
    char *s = malloc(a + n * b + strlen(tail) + 1);
    memcpy(s, head, a);
    for (size_t i = 0; i < n; i++) {
        memcpy(s + a + i * b, piece, b);
    }
    memcpy(s + a + n * b, tail, strlen(tail) + 1);
    *len = a + n * b + strlen(tail);
    return s;
}

static void test_size(void **state)
{
    (void)state;
    static const struct {
        const char *head, *piece, *tail;
        size_t n;
        int code;
    } large[] = {
        {"", "[", "", 100000, HS_EFORMAT},
        {"", "{\"a\":", "", 100000, HS_EFORMAT},
        {"", "[", "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 32, HS_OK},
        {"", "[", "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 33, HS_EFORMAT},
        {"[", "1", "]", 5000, HS_EFORMAT},
        {"[1", ",1", "]", 900000, HS_OK},
        {"[1", ",1", "]", 1000000, HS_ELIMIT},
        {"[[]", ",[]", "]", 600000, HS_ELIMIT},
        {"[\"", "a", "\"]", 16777000, HS_OK},
        {"[\"", "a", "\"]", 16777216, HS_ELIMIT},
    };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        size_t len;
        char *s = repeat(large[i].head, large[i].piece, large[i].n, large[i].tail, &len);
        json_t *root = NULL;
        clock_t start = clock();
        int rc = hs_json_parse(s, len, NULL, &root);
        if (rc != large[i].code) {
            fail_msg("%zu x %s gave %d (%s)", large[i].n, large[i].piece, rc, rc ? hs_error_message() : "");
        }
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 2);
        json_decref(root);
        free(s);
    }
}

static void test_getters(void **state)
{
    (void)state;
    static const char text[] = "{\"i\":3,\"f\":2.5,\"b\":true,\"s\":\"x\",\"n\":null,\"l\":[1,2,3],\"m\":[1,2.5],"
                               "\"w\":[\"p\",\"q\"],\"e\":[],\"neg\":[-1],\"big\":1000000000000}";
    json_t *o = NULL;
    int64_t i = 0, seven = 7, list[3];
    double d = 0, half = 0.5;
    int b = 0, one = 1;
    const char *s = NULL, *words[2];
    size_t n = 0;
    assert_ok(hs_json_parse(text, sizeof text - 1, NULL, &o));
    assert_ok(hs_json_get_i64(o, "i", 1, 10, NULL, &i));
    assert_int_equal(i, 3);
    assert_ok(hs_json_get_i64(o, "absent", 1, 10, &seven, &i));
    assert_int_equal(i, 7);
    assert_ok(hs_json_get_i64(o, "n", 1, 10, &seven, &i));
    assert_code(hs_json_get_i64(o, "absent", 1, 10, NULL, &i), HS_EFORMAT);
    assert_string_equal(hs_error_message(), "absent is missing; it must be a whole number in [1, 10]");
    assert_code(hs_json_get_i64(o, "f", 1, 10, &seven, &i), HS_EFORMAT);
    assert_string_equal(hs_error_message(), "f is 2.5; it must be a whole number in [1, 10]");
    assert_code(hs_json_get_i64(o, "big", 1, 10, &seven, &i), HS_EFORMAT);
    assert_code(hs_json_get_i64(o, "s", 1, 10, NULL, &i), HS_EFORMAT);
    assert_code(hs_json_get_i64(o, "b", 0, 10, NULL, &i), HS_EFORMAT);
    assert_int_equal(i, 7);
    assert_ok(hs_json_get_f64(o, "f", 0, 10, NULL, &d));
    assert_near(d, 2.5, 0);
    assert_ok(hs_json_get_f64(o, "i", 0, 10, NULL, &d));
    assert_near(d, 3, 0);
    assert_ok(hs_json_get_f64(o, "absent", 0, 1, &half, &d));
    assert_near(d, 0.5, 0);
    assert_code(hs_json_get_f64(o, "f", 0, 1, NULL, &d), HS_EFORMAT);
    assert_code(hs_json_get_f64(o, "s", 0, 1, NULL, &d), HS_EFORMAT);
    assert_ok(hs_json_get_bool(o, "b", NULL, &b));
    assert_int_equal(b, 1);
    assert_ok(hs_json_get_bool(o, "absent", &one, &b));
    assert_code(hs_json_get_bool(o, "i", &one, &b), HS_EFORMAT);
    assert_ok(hs_json_get_str(o, "s", NULL, &s));
    assert_string_equal(s, "x");
    assert_ok(hs_json_get_str(o, "absent", "y", &s));
    assert_string_equal(s, "y");
    assert_code(hs_json_get_str(o, "i", "y", &s), HS_EFORMAT);
    assert_ok(hs_json_get_i64s(o, "l", 1, 3, 3, list, &n));
    assert_int_equal(n * 100 + (size_t)list[2], 303);
    assert_code(hs_json_get_i64s(o, "l", 1, 3, 2, list, &n), HS_EFORMAT);
    assert_code(hs_json_get_i64s(o, "m", 1, 3, 3, list, &n), HS_EFORMAT);
    assert_string_equal(hs_error_message(), "m[1] is 2.5; it must be a whole number in [1, 3]");
    assert_code(hs_json_get_i64s(o, "neg", 1, 3, 3, list, &n), HS_EFORMAT);
    assert_code(hs_json_get_i64s(o, "e", 1, 3, 3, list, &n), HS_EFORMAT);
    assert_code(hs_json_get_i64s(o, "i", 1, 3, 3, list, &n), HS_EFORMAT);
    assert_ok(hs_json_get_strs(o, "w", 2, words, &n));
    assert_string_equal(words[1], "q");
    assert_code(hs_json_get_strs(o, "l", 3, words, &n), HS_EFORMAT);
    assert_code(hs_json_get_strs(o, "absent", 3, words, &n), HS_EFORMAT);
    assert_true(hs_json_has(o, "i") && !hs_json_has(o, "n") && !hs_json_has(o, "absent"));
    json_decref(o);
}

static void test_file(void **state)
{
    (void)state;
    json_t *o = NULL;
    char path[256];
    snprintf(path, sizeof path, "%s", temp_path("c.json"));
    assert_ok(hs_file_write_atomic(path, "{\"a\":1}", 7, 0));
    assert_ok(hs_json_read(path, &o));
    json_decref(o);
    assert_ok(hs_file_write_atomic(path, "{\"a\":1", 6, 1));
    assert_code(hs_json_read(path, &o), HS_EFORMAT);
    assert_memory_equal(hs_error_message(), path, strlen(path));
    assert_code(hs_json_read(temp_path("absent.json"), &o), HS_EIO);
    assert_code(hs_json_read("/dev/zero", &o), HS_EFORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
