/* core/io/resize against Pillow 11.3: integers, so exactly equal. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/io/resize.h"
#include "tests/support/support.h"

static unsigned char *read_npy_u8(const char *path, size_t *n)
{
    static unsigned char b[1 << 16];
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t len = fread(b, 1, sizeof b, f), head = 10 + b[8] + 256u * b[9];
    fclose(f);
    assert_true(len > head);
    *n = len - head;
    return b + head;
}

static hs_resize_filter filter_of(const char *name)
{
    return strcmp(name, "bilinear") == 0  ? HS_RESIZE_BILINEAR
           : strcmp(name, "bicubic") == 0 ? HS_RESIZE_BICUBIC
                                          : HS_RESIZE_LANCZOS;
}

static void check_one(const json_t *c)
{
    char file[256];
    hs_image im, out;
    const char *name = json_string_value(json_object_get(c, "output"));
    const json_t *size = json_object_get(c, "size_wh"), *box = json_object_get(c, "box");
    hs_box b = {0};
    for (size_t i = 0; i < json_array_size(box); i++) {
        (&b.x0)[i] = (float)json_number_value(json_array_get(box, i));
    }
    snprintf(file, sizeof file, "parity/pillow_resize/%s", json_string_value(json_object_get(c, "input")));
    assert_ok(hs_image_read(shared_data(file), 0, NULL, &im));
    assert_ok(hs_image_resize(
        &im, (size_t)json_integer_value(json_array_get(size, 0)), (size_t)json_integer_value(json_array_get(size, 1)),
        filter_of(json_string_value(json_object_get(c, "filter"))), box != NULL ? &b : NULL, &out));
    size_t n;
    snprintf(file, sizeof file, "parity/pillow_resize/%s", name);
    const unsigned char *want = read_npy_u8(shared_data(file), &n);
    assert_int_equal(n, out.w * out.h * out.c);
    if (memcmp(want, out.px, n) != 0) {
        fail_msg("%s differs", name);
    }
    hs_image_free(&im);
    hs_image_free(&out);
}

static void test_equals_pillow(void **state)
{
    (void)state;
    need_shared("parity/pillow_resize/case.json");
    json_t *root = json_load_file(shared_data("parity/pillow_resize/case.json"), 0, NULL);
    const json_t *files = json_object_get(root, "files");
    assert_true(json_array_size(files) >= 60);
    for (size_t i = 0; i < json_array_size(files); i++) {
        check_one(json_array_get(files, i));
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_equals_pillow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
