#include "tests/support/shared_stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

static const json_t *at(const json_t *root, const char *path)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", path);
    for (const char *key = strtok_r(rest, "/", &rest); key != NULL && root != NULL; key = strtok_r(rest, "/", &rest)) {
        root = json_is_array(root) ? json_array_get(root, strtoul(key, NULL, 10)) : json_object_get(root, key);
    }
    if (root == NULL) {
        fail_msg("no reference value %s", path);
    }
    return root;
}

double shared_number(const char *file, const char *path)
{
    json_t *root = json_load_file(shared_data(file), 0, NULL);
    double v = json_number_value(at(root, path));
    json_decref(root);
    return v;
}

size_t shared_length(const char *file, const char *path)
{
    json_t *root = json_load_file(shared_data(file), 0, NULL);
    size_t n = json_array_size(at(root, path));
    json_decref(root);
    return n;
}

/* dim and element size from a version 1 header whose text is in h. */
static size_t parse_header(const char *h, size_t rank, size_t *dim, size_t *size)
{
    const char *p = strstr(h, "'shape': (");
    size_t count = 1;
    *size = strstr(h, "'<f4'") != NULL ? 4 : (strstr(h, "'<f8'") != NULL ? 8 : 0);
    assert_non_null(p);
    assert_true(*size > 0);
    p += strlen("'shape': (");
    for (size_t i = 0; i < rank; i++) {
        char *end;
        dim[i] = strtoul(p, &end, 10);
        assert_true(end > p && *end != '\0');
        p = end + (end[1] == ' ' ? 2 : 1);
        count *= dim[i];
    }
    return count;
}

float *shared_floats(const char *file, size_t rank, size_t *dim)
{
    FILE *f = fopen(shared_data(file), "rb");
    unsigned char start[10];
    char header[1024] = {0};
    size_t size;
    assert_non_null(f);
    assert_int_equal(fread(start, 1, sizeof start, f), sizeof start);
    size_t len = start[8] + 256U * start[9];
    assert_true(len < sizeof header);
    assert_int_equal(fread(header, 1, len, f), len);
    size_t count = parse_header(header, rank, dim, &size);
    double *wide = malloc(count * 8);
    float *out = malloc(count * 4);
    assert_true(wide != NULL && out != NULL);
    assert_int_equal(fread(size == 4 ? (void *)out : (void *)wide, size, count, f), count);
    for (size_t i = 0; size == 8 && i < count; i++) {
        out[i] = (float)wide[i];
    }
    free(wide);
    fclose(f);
    return out;
}
