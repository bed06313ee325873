#include "core/io/json.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/file.h"

const hs_json_limits hs_json_limits_default = {16u << 20, 32, 1000000};

static int check_encoding(const unsigned char *s, size_t len)
{
    if (len == 0) {
        return hs_fail(HS_EFORMAT, "JSON: empty");
    }
    if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
        return hs_fail(HS_EFORMAT, "JSON: starts with a byte order mark");
    }
    if (len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0 || (s[0] == 0) != (s[1] == 0))) {
        return hs_fail(HS_EFORMAT, "JSON: UTF-16; only UTF-8 is read");
    }
    const unsigned char *nul = memchr(s, 0, len);
    if (nul != NULL) {
        size_t rest = 0, at = (size_t)(nul - s);
        while (at + rest < len && s[at + rest] == 0) {
            rest++;
        }
        return hs_fail(HS_EFORMAT, "JSON: %s at byte %zu", at + rest == len ? "NUL padding" : "NUL byte", at);
    }
    if (!hs_text_is_utf8((const char *)s, len)) {
        return hs_fail(HS_EFORMAT, "JSON: not UTF-8");
    }
    return HS_OK;
}

/* Depth and an upper bound of the number of values, before jansson recurses or allocates. */
static int check_size(const unsigned char *s, size_t len, const hs_json_limits *limits)
{
    size_t depth = 0, values = 1;
    int in_string = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = s[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        in_string = c == '"';
        if (c == '{' || c == '[') {
            values++;
            if (++depth > limits->depth) {
                return hs_fail(HS_EFORMAT, "JSON: nested deeper than %zu at byte %zu", limits->depth, i);
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        } else if (c == ',') {
            values++;
        }
        if (values > limits->values) {
            return hs_fail(HS_ELIMIT, "JSON: more than %zu values", limits->values);
        }
    }
    return HS_OK;
}

int hs_json_parse(const void *text, size_t len, const hs_json_limits *limits, json_t **out)
{
    limits = limits != NULL ? limits : &hs_json_limits_default;
    if (len > limits->bytes) {
        return hs_fail(HS_ELIMIT, "JSON: %zu bytes; the limit is %zu", len, limits->bytes);
    }
    int rc = check_encoding(text, len);
    if (rc == HS_OK) {
        rc = check_size(text, len, limits);
    }
    if (rc != HS_OK) {
        return rc;
    }
    json_error_t error;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        int memory = json_error_code(&error) == json_error_out_of_memory;
        return hs_fail(memory ? HS_ENOMEM : HS_EFORMAT, "JSON: %s (line %d, column %d)", error.text, error.line,
                       error.column);
    }
    *out = root;
    return HS_OK;
}

int hs_json_read(const char *path, json_t **out)
{
    unsigned char *text = NULL;
    size_t len = 0;
    int rc = hs_file_read(path, hs_json_limits_default.bytes, &text, &len);
    if (rc == HS_OK) {
        rc = hs_fail_in(hs_json_parse(text, len, NULL, out), path);
    }
    free(text);
    return rc;
}

int hs_json_has(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    return v != NULL && !json_is_null(v);
}

/* what(v): the value in a few characters, for messages. */
static void describe(const json_t *v, char *s, size_t size)
{
    static const char *const kind[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array", [JSON_TRUE] = "true", [JSON_FALSE] = "false",
        [JSON_NULL] = "null",        [JSON_STRING] = "",        [JSON_INTEGER] = "",  [JSON_REAL] = ""};
    if (v == NULL) {
        snprintf(s, size, "missing");
    } else if (json_is_integer(v)) {
        snprintf(s, size, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    } else if (json_is_real(v)) {
        snprintf(s, size, "%.9g", json_real_value(v));
    } else if (json_is_string(v)) {
        snprintf(s, size, "\"%.60s\"", json_string_value(v));
    } else {
        snprintf(s, size, "%s", kind[json_typeof(v)]);
    }
}

static int refuse(const json_t *v, const char *key, const char *wanted)
{
    char found[80];
    describe(v, found, sizeof found);
    return hs_fail(HS_EFORMAT, "%.100s is %s; it must be %s", key, found, wanted);
}

static int i64_of(const json_t *v, const char *key, int64_t lo, int64_t hi, int64_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < lo || json_integer_value(v) > hi) {
        char wanted[96];
        snprintf(wanted, sizeof wanted, "a whole number in [%lld, %lld]", (long long)lo, (long long)hi);
        return refuse(v, key, wanted);
    }
    *out = json_integer_value(v);
    return HS_OK;
}

int hs_json_get_i64(const json_t *object, const char *key, int64_t lo, int64_t hi, const int64_t *fallback,
                    int64_t *out)
{
    if (fallback != NULL && !hs_json_has(object, key)) {
        *out = *fallback;
        return HS_OK;
    }
    return i64_of(json_object_get(object, key), key, lo, hi, out);
}

int hs_json_get_f64(const json_t *object, const char *key, double lo, double hi, const double *fallback, double *out)
{
    const json_t *v = json_object_get(object, key);
    if (fallback != NULL && !hs_json_has(object, key)) {
        *out = *fallback;
        return HS_OK;
    }
    double x = json_number_value(v);
    if (!json_is_number(v) || !(x >= lo && x <= hi)) {
        char wanted[96];
        snprintf(wanted, sizeof wanted, "a number in [%.9g, %.9g]", lo, hi);
        return refuse(v, key, wanted);
    }
    *out = x;
    return HS_OK;
}

int hs_json_get_bool(const json_t *object, const char *key, const int *fallback, int *out)
{
    const json_t *v = json_object_get(object, key);
    if (fallback != NULL && !hs_json_has(object, key)) {
        *out = *fallback;
        return HS_OK;
    }
    if (!json_is_boolean(v)) {
        return refuse(v, key, "true or false");
    }
    *out = json_is_true(v);
    return HS_OK;
}

int hs_json_get_str(const json_t *object, const char *key, const char *fallback, const char **out)
{
    const json_t *v = json_object_get(object, key);
    if (fallback != NULL && !hs_json_has(object, key)) {
        *out = fallback;
        return HS_OK;
    }
    if (!json_is_string(v)) {
        return refuse(v, key, "a string");
    }
    *out = json_string_value(v);
    return HS_OK;
}

static int array_of(const json_t *object, const char *key, size_t max, const json_t **out)
{
    const json_t *v = json_object_get(object, key);
    if (!json_is_array(v)) {
        return refuse(v, key, "an array");
    }
    if (json_array_size(v) < 1 || json_array_size(v) > max) {
        return hs_fail(HS_EFORMAT, "%.100s has %zu entries; it must have 1 to %zu", key, json_array_size(v), max);
    }
    *out = v;
    return HS_OK;
}

int hs_json_get_i64s(const json_t *object, const char *key, int64_t lo, int64_t hi, size_t max, int64_t *out, size_t *n)
{
    const json_t *list = NULL;
    int rc = array_of(object, key, max, &list);
    for (size_t i = 0; rc == HS_OK && i < json_array_size(list); i++) {
        char place[140];
        snprintf(place, sizeof place, "%.100s[%zu]", key, i);
        rc = i64_of(json_array_get(list, i), place, lo, hi, &out[i]);
    }
    if (rc == HS_OK) {
        *n = json_array_size(list);
    }
    return rc;
}

int hs_json_get_strs(const json_t *object, const char *key, size_t max, const char **out, size_t *n)
{
    const json_t *list = NULL;
    int rc = array_of(object, key, max, &list);
    for (size_t i = 0; rc == HS_OK && i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (!json_is_string(v)) {
            char place[140];
            snprintf(place, sizeof place, "%.100s[%zu]", key, i);
            return refuse(v, place, "a string");
        }
        out[i] = json_string_value(v);
    }
    if (rc == HS_OK) {
        *n = json_array_size(list);
    }
    return rc;
}
