/* analysis/train/data: each source against what was put into it. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "analysis/train/data.h"
#include "core/base/rng.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "core/io/resize.h"
#include "datasets/faces.h"
#include "tests/support/support.h"

enum { SIDE = 8 };

static hs_data_options options_of(size_t side)
{
    return (hs_data_options){.image = {3, side, side}, .seed = 5, .images = 10};
}

/* Pixel p of channel k of image i. */
static uint8_t pixel(size_t i, size_t p, size_t k)
{
    return (uint8_t)(i * 40 + p * 3 + k);
}

static void write_png(const char *dir, const char *name, size_t i, size_t side)
{
    uint8_t px[64 * 64 * 3];
    char path[300];
    for (size_t p = 0; p < side * side; p++) {
        for (size_t k = 0; k < 3; k++) {
            px[p * 3 + k] = pixel(i, p, k);
        }
    }
    const hs_image im = {side, side, 3, px};
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(hs_image_write(path, &im, 1));
}

static void write_text(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_ok(hs_file_write_atomic(path, text, strlen(text), 1));
}

/* b.png is image 0, c.png image 1, d.png image 2. */
static const char *folder(const char *name)
{
    const char *dir = temp_path(name);
    mkdir(dir, 0777);
    write_png(dir, "c.png", 1, SIDE);
    write_png(dir, "b.png", 0, SIDE);
    write_png(dir, "d.png", 2, SIDE);
    return dir;
}

static void test_folder_in_the_order_of_names(void **state)
{
    (void)state;
    const char *dir = folder("plain");
    const hs_data_options o = options_of(SIDE);
    hs_data d, again;
    assert_ok(hs_data_open(dir, &o, &d));
    assert_int_equal(d.n, 3);
    assert_int_equal(d.n_factors, 0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            for (size_t p = 0; p < SIDE * SIDE; p++) {
                assert_int_equal(d.px[(i * 3 + k) * SIDE * SIDE + p], pixel(i, p, k));
            }
        }
    }
    assert_ok(hs_data_open(dir, &o, &again));
    assert_string_equal(d.sha256, again.sha256);
    hs_data_free(&again);
    write_png(dir, "d.png", 3, SIDE);
    assert_ok(hs_data_open(dir, &o, &again));
    assert_string_not_equal(d.sha256, again.sha256);
    hs_data_free(&again);
    hs_data_free(&d);
}

static void test_unreadable_images_are_named_and_counted(void **state)
{
    (void)state;
    const char *dir = folder("bad");
    hs_data_options o = options_of(SIDE);
    hs_data d;
    write_text(dir, "a.png", "no picture at all");
    write_text(dir, "cc.png", "");
    assert_code(hs_data_open(dir, &o, &d), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "2 of 5 images can't be read, the first: "));
    assert_non_null(strstr(hs_error_message(), "/a.png"));
    assert_non_null(strstr(hs_error_message(), "--skip-bad"));
    o.skip_bad = 1;
    assert_ok(hs_data_open(dir, &o, &d));
    assert_int_equal(d.n, 3);
    assert_int_equal(d.skipped, 2);
    assert_int_equal(d.px[2 * 3 * SIDE * SIDE], pixel(2, 0, 0));
    hs_data_free(&d);
    const char *none = temp_path("none");
    mkdir(none, 0777);
    write_text(none, "a.png", "no picture");
    assert_code(hs_data_open(none, &o, &d), HS_EFORMAT);
}

static void test_other_sizes_need_fit(void **state)
{
    (void)state;
    const char *dir = folder("sizes");
    hs_data_options o = options_of(SIDE);
    hs_data d;
    hs_image im = {0}, want = {0};
    char path[300];
    write_png(dir, "e.png", 1, 20);
    assert_code(hs_data_open(dir, &o, &d), HS_ESHAPE);
    assert_non_null(strstr(hs_error_message(), "e.png: 20 x 20 pixels; wanted 8 x 8"));
    o.fit = 1;
    assert_ok(hs_data_open(dir, &o, &d));
    snprintf(path, sizeof path, "%s/e.png", dir);
    assert_ok(hs_image_read(path, 3, NULL, &im));
    assert_ok(hs_image_fit(&im, SIDE, &want));
    for (size_t p = 0; p < SIDE * SIDE; p++) {
        assert_int_equal(d.px[(3 * 3 + 1) * SIDE * SIDE + p], want.px[p * 3 + 1]);
    }
    hs_image_free(&im);
    hs_image_free(&want);
    hs_data_free(&d);
}

static void test_attributes(void **state)
{
    (void)state;
    const char *dir = folder("attributes");
    hs_data_options o = options_of(SIDE);
    const char *const chosen[] = {"age"}, *const absent[] = {"age", "hat"};
    hs_data d;
    o.factors = 1;
    assert_code(hs_data_open(dir, &o, &d), HS_EIO); /* no CSV */
    write_text(dir, "attributes.csv", "file,glasses,age\r\nd.png,1,0.25\nb.png,0,-1.5\n\nc,1,2e0\n");
    assert_ok(hs_data_open(dir, &o, &d));
    assert_int_equal(d.n_factors, 2);
    assert_string_equal(d.factor[0].name, "glasses");
    assert_true(d.factor[0].binary && !d.factor[1].binary);
    const double want[6] = {0, -1.5, 1, 2, 1, 0.25};
    assert_memory_equal(d.value, want, sizeof want);
    assert_near(d.factor[1].mean, 0.25, 1e-15);
    assert_near(d.factor[1].sd, 1.4288690166235205, 1e-14); /* sqrt((1.75^2 + 1.75^2) / 3) */
    hs_data_free(&d);
    o.attributes = chosen;
    o.n_attributes = 1;
    assert_ok(hs_data_open(dir, &o, &d));
    assert_true(d.n_factors == 1 && d.value[2] == 0.25);
    hs_data_free(&d);
    o.attributes = absent;
    o.n_attributes = 2;
    assert_code(hs_data_open(dir, &o, &d), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "no column \"hat\""));
}

static void test_malformed_attributes(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"file,age\nb.png,1\nc.png,1\n", "no row for"},
                                         {"file,age\nb.png,1\nc.png\nd.png,2\n", ":3: 1 columns; wanted 2"},
                                         {"file,age\nb.png,1\nc.png,old\nd.png,2\n", "age of c.png is no number"},
                                         {"file\nb.png\nc.png\nd.png\n", "header of 1 columns"},
                                         {"file,\nb.png,1\nc.png,1\nd.png,2\n", "a name of 0 bytes"},
                                         {"", "empty"}};
    const char *dir = folder("malformed");
    hs_data_options o = options_of(SIDE);
    hs_data d;
    o.factors = 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(dir, "attributes.csv", bad[i][0]);
        assert_code(hs_data_open(dir, &o, &d), HS_EFORMAT);
        if (strstr(hs_error_message(), bad[i][1]) == NULL) {
            fail_msg("%s; wanted %s", hs_error_message(), bad[i][1]);
        }
    }
}

static void test_idx_plain_and_gzipped(void **state)
{
    (void)state;
    unsigned char file[16 + 2 * 36] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 6};
    const char *plain = temp_path("images.idx3-ubyte"), *packed = temp_path("images.idx3-ubyte.gz");
    hs_data_options o = options_of(6);
    hs_data d, z;
    for (size_t i = 0; i < 72; i++) {
        file[16 + i] = (unsigned char)(3 * i);
    }
    assert_ok(hs_file_write_atomic(plain, file, sizeof file, 1));
    gzFile gz = gzopen(packed, "wb");
    assert_int_equal(gzwrite(gz, file, sizeof file), sizeof file);
    gzclose(gz);
    assert_ok(hs_data_open(plain, &o, &d));
    assert_ok(hs_data_open(packed, &o, &z));
    assert_int_equal(d.n, 2);
    assert_string_equal(d.sha256, z.sha256);
    for (size_t k = 0; k < 3; k++) { /* grey in every channel */
        assert_memory_equal(d.px + (3 + k) * 36, file + 16 + 36, 36);
    }
    hs_data_free(&d);
    hs_data_free(&z);
    o.factors = 1;
    assert_code(hs_data_open(plain, &o, &d), HS_ERANGE);
    o.factors = 0;
    assert_int_equal(truncate(packed, 30), 0);
    assert_code(hs_data_open(packed, &o, &d), HS_EFORMAT);
    assert_int_equal(truncate(plain, 80), 0);
    assert_code(hs_data_open(plain, &o, &d), HS_EFORMAT);
    file[3] = 1; /* labels */
    assert_ok(hs_file_write_atomic(plain, file, sizeof file, 1));
    assert_code(hs_data_open(plain, &o, &d), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "00 00 08 01; wanted 00 00 08 03"));
    memset(file + 4, 255, 4);
    file[3] = 3;
    assert_ok(hs_file_write_atomic(plain, file, sizeof file, 1));
    assert_code(hs_data_open(plain, &o, &d), HS_ELIMIT);
}

static void test_faces_are_the_renders_of_their_index(void **state)
{
    (void)state;
    hs_data_options o = options_of(16);
    double factor[HS_FACE_FACTORS_MAX];
    float rgb[3 * 16 * 16];
    uint8_t px[16 * 16 * 3];
    hs_data d;
    o.factors = 1;
    o.first = 1000;
    assert_ok(hs_data_open("faces", &o, &d));
    assert_int_equal(d.n, 10);
    assert_int_equal(d.n_factors, hs_face_factor_count());
    hs_face_draw(5, 1007, factor);
    assert_memory_equal(d.value + 7 * d.n_factors, factor, d.n_factors * sizeof *factor);
    assert_ok(hs_face_render(0, factor, 16, rgb));
    hs_image_bytes(rgb, (hs_chw){3, 16, 16}, px);
    for (size_t p = 0; p < 256; p++) {
        assert_int_equal(d.px[(7 * 3 + 2) * 256 + p], px[p * 3 + 2]);
    }
    hs_data_free(&d);
    assert_code(hs_data_open("faces:nosuch", &o, &d), HS_ERANGE);
    o.image.c = 1;
    assert_code(hs_data_open("faces", &o, &d), HS_ERANGE);
    o.image.c = 2;
    assert_code(hs_data_open("faces", &o, &d), HS_ERANGE);
    o = options_of(SIDE);
    assert_code(hs_data_open("nosuch", &o, &d), HS_EIO);
    o.images = (size_t)1 << 50;
    assert_code(hs_data_open("faces", &o, &d), HS_ELIMIT);
    assert_non_null(strstr(hs_error_message(), "--images"));
}

static int stop(void *ctx, const char *what, size_t done, size_t total)
{
    (void)ctx;
    (void)what;
    (void)done;
    (void)total;
    return 1;
}

static void test_reading_can_be_stopped(void **state)
{
    (void)state;
    const hs_progress p = {stop, NULL};
    hs_data_options o = options_of(SIDE);
    hs_data d;
    o.progress = &p;
    assert_code(hs_data_open(folder("stop"), &o, &d), HS_ESTOPPED);
    assert_code(hs_data_open("faces", &o, &d), HS_ESTOPPED);
}

/* Every draw is a function of (seed, update, place); mirrored images are mirrored rows. */
static void test_batches(void **state)
{
    (void)state;
    enum { BATCH = 600 };
    const hs_data_options o = options_of(SIDE);
    hs_data d;
    static float x[BATCH * 3 * SIDE * SIDE], y[BATCH * 3 * SIDE * SIDE];
    size_t a[BATCH], b[BATCH], seen[3] = {0}, mirrored = 0;
    assert_ok(hs_data_open(folder("batches"), &o, &d));
    hs_data_batch(&d, 9, 3, 0, BATCH, x, a);
    hs_data_batch(&d, 9, 3, 1, 100, y, b);
    assert_memory_equal(a, b, 100 * sizeof *a); /* neither the batch's size nor flips change the choice */
    for (size_t i = 0; i < BATCH; i++) {
        seen[a[i]]++;
        for (size_t p = 0; p < 3 * SIDE * SIDE; p++) {
            float want = (float)d.px[a[i] * 3 * SIDE * SIDE + p] / 127.5f - 1.0f;
            assert_true(x[i * 3 * SIDE * SIDE + p] == want);
        }
    }
    for (size_t i = 0; i < 100; i++) {
        const float *u = x + i * 3 * SIDE * SIDE, *v = y + i * 3 * SIDE * SIDE;
        int is = memcmp(u, v, 3 * SIDE * SIDE * sizeof *u) != 0;
        mirrored += (size_t)is;
        for (size_t p = 0; p < 3 * SIDE * SIDE; p++) {
            size_t q = is ? p - p % SIDE + SIDE - 1 - p % SIDE : p;
            assert_true(v[p] == u[q]);
        }
    }
    for (size_t k = 0; k < 3; k++) { /* 200 +- 5 standard deviations of sqrt(600 / 3 * 2 / 3) = 11.5 */
        assert_in_range(seen[k], 142, 258);
    }
    assert_in_range(mirrored, 25, 75); /* 50 +- 5 standard deviations */
    hs_data_batch(&d, 9, 4, 0, BATCH, x, b);
    assert_memory_not_equal(a, b, sizeof a);
    hs_data_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_in_the_order_of_names),
        cmocka_unit_test(test_unreadable_images_are_named_and_counted),
        cmocka_unit_test(test_other_sizes_need_fit),
        cmocka_unit_test(test_attributes),
        cmocka_unit_test(test_malformed_attributes),
        cmocka_unit_test(test_idx_plain_and_gzipped),
        cmocka_unit_test(test_faces_are_the_renders_of_their_index),
        cmocka_unit_test(test_reading_can_be_stopped),
        cmocka_unit_test(test_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
