/* analysis/figures/strip: pixels where they belong, labels legible, a PDF whose table of objects is true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "analysis/figures/glyphs.h"
#include "analysis/figures/strip.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "tests/support/support.h"

enum { ROWS = 2, COLS = 3, SIDE = 16, D = 3 * SIDE * SIDE };

static float pictures[ROWS * COLS * D];
static const char *const columns[COLS] = {"-1", "0", "1.5"};
static const char *const rows[ROWS] = {"a.png", "b"};

/* Picture i is of one colour, but for its first pixel. */
static void fill(void)
{
    for (size_t i = 0; i < ROWS * COLS; i++) {
        for (size_t k = 0; k < D; k++) {
            pictures[i * D + k] = (float)i / 5 * 2 - 1;
        }
        pictures[i * D] = i % 2 == 0 ? 1 : -1;
    }
}

static hs_strip strip(void)
{
    fill();
    return (hs_strip){.rows = ROWS, .cols = COLS, .shape = {3, SIDE, SIDE}, .x = pictures};
}

/* Without labels: 8 px around, 64 px a picture, 4 px between. */
static void test_pictures_without_labels(void **state)
{
    (void)state;
    const char *path = temp_path("plain.png");
    hs_strip s = strip();
    hs_image im;
    assert_ok(hs_strip_write(path, &s, 0));
    assert_code(hs_strip_write(path, &s, 0), HS_ERANGE);
    assert_ok(hs_image_read(path, 3, NULL, &im));
    assert_int_equal(im.w, 8 + 3 * 64 + 2 * 4 + 8);
    assert_int_equal(im.h, 8 + 2 * 64 + 4 + 8);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        size_t x = 8 + i % COLS * 68, y = 8 + i / COLS * 68;
        const uint8_t *first = im.px + (y * im.w + x) * 3, *last = im.px + ((y + 63) * im.w + x + 63) * 3;
        assert_int_equal(first[0], i % 2 == 0 ? 255 : 0);
        assert_int_equal(first[1], i * 51);
        assert_memory_equal(first, first + 3 * 3, 3); /* four pixels to one */
        assert_memory_equal(first, first + 3 * 3 * im.w, 3);
        assert_int_equal(first[4 * 3], i * 51);
        assert_int_equal(last[2], i * 51);
    }
    assert_int_equal(im.px[0], 255); /* the margin */
    hs_image_free(&im);
}

/* Dark pixels in a box. */
static size_t ink(const hs_image *im, size_t x0, size_t y0, size_t x1, size_t y1)
{
    size_t n = 0;
    for (size_t y = y0; y < y1; y++) {
        for (size_t x = x0; x < x1; x++) {
            n += im->px[(y * im->w + x) * 3] < 100;
        }
    }
    return n;
}

static size_t glyph_ink(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        for (unsigned y = 0; y < HS_GLYPH_H; y++) {
            n += (size_t)__builtin_popcount(hs_glyph_row(*text, y));
        }
    }
    return 4 * n; /* twice as large both ways */
}

static void test_labels_stand_where_they_belong(void **state)
{
    (void)state;
    const char *path = temp_path("labels.png");
    hs_strip s = strip();
    hs_image im;
    s.title = "smile";
    s.col_label = columns;
    s.row_label = rows;
    assert_ok(hs_strip_write(path, &s, 0));
    assert_ok(hs_image_read(path, 3, NULL, &im));
    const size_t left = 8 + 5 * 12 + 8, top = 8 + 22 + 22;
    assert_int_equal(im.w, left + 3 * 68 - 4 + 8);
    assert_int_equal(im.h, top + 2 * 68 - 4 + 8);
    assert_int_equal(ink(&im, 0, 0, im.w, 8 + 22), glyph_ink("smile"));
    for (size_t j = 0; j < COLS; j++) {
        assert_int_equal(ink(&im, left + j * 68, 30, left + j * 68 + 68, top), glyph_ink(columns[j]));
    }
    for (size_t i = 0; i < ROWS; i++) {
        assert_int_equal(ink(&im, 0, top + i * 68, left, top + i * 68 + 64), glyph_ink(rows[i]));
    }
    hs_image_free(&im);
    /* a wider gap after each block */
    s.block = 1;
    assert_ok(hs_strip_write(path, &s, 1));
    assert_ok(hs_image_read(path, 3, NULL, &im));
    assert_int_equal(im.h, top + 2 * 68 - 4 + 8 + 16);
    hs_image_free(&im);
}

static void test_every_character_has_a_face_of_its_own(void **state)
{
    (void)state;
    for (char a = '!'; a <= '~'; a++) {
        unsigned used = 0;
        for (unsigned y = 0; y < HS_GLYPH_H; y++) {
            used |= hs_glyph_row(a, y);
        }
        assert_true(used != 0 && used < 32);
        for (char b = '!'; b < a; b++) {
            unsigned differ = 0;
            for (unsigned y = 0; y < HS_GLYPH_H; y++) {
                differ |= (unsigned)(hs_glyph_row(a, y) ^ hs_glyph_row(b, y));
            }
            assert_true(differ != 0 || (a == 'O' && b == '0')); /* as on typewriters */
        }
    }
    assert_int_equal(hs_glyph_row('\xc3', 0), hs_glyph_row('?', 0));
}

/* The bytes of stream object n, inflated. */
static size_t stream_of(const unsigned char *b, size_t start, unsigned char *out, size_t cap)
{
    const char *text = (const char *)b + start, *head = strstr(text, "/Length ");
    assert_non_null(head);
    uLong packed = (uLong)strtoul(head + 8, NULL, 10);
    uLongf len = (uLongf)cap;
    const char *data = strstr(head, "stream\n");
    assert_non_null(data);
    assert_int_equal(uncompress(out, &len, (const unsigned char *)data + 7, packed), Z_OK);
    return len;
}

static void test_pdf_objects_are_where_the_table_says(void **state)
{
    (void)state;
    static unsigned char out[64 * 64 * 3];
    const char *path = temp_path("strip.pdf");
    unsigned char *b;
    size_t len;
    hs_strip s = strip();
    s.title = "a (b) \\ \xc3\xa4";
    s.col_label = columns;
    assert_ok(hs_strip_write(path, &s, 0));
    assert_ok(hs_file_read(path, 1 << 24, &b, &len));
    assert_memory_equal(b, "%PDF-1.4\n", 9);
    assert_memory_equal(b + len - 6, "%%EOF\n", 6);
    b = realloc(b, len + 1);
    assert_non_null(b);
    b[len] = '\0';
    size_t at = len;
    while (memcmp(b + at - 10, "startxref\n", 10) != 0) {
        at--;
    }
    size_t table = strtoul((char *)b + at, NULL, 10);
    assert_memory_equal(b + table, "xref\n0 12\n", 10);
    for (size_t n = 1; n <= 11; n++) {
        char want[32];
        size_t object = strtoul((char *)b + table + 10 + 20 * n, NULL, 10);
        snprintf(want, sizeof want, "%zu 0 obj\n", n);
        assert_memory_equal(b + object, want, strlen(want));
        if (n == 5) {
            size_t got = stream_of(b, object, out, sizeof out - 1);
            out[got] = '\0';
            assert_non_null(strstr((char *)out, "(a \\(b\\) \\\\ ?\?) Tj"));
            assert_non_null(strstr((char *)out, "(1.5) Tj"));
            assert_non_null(strstr((char *)out, "/I5 Do"));
        } else if (n > 5) {
            assert_int_equal(stream_of(b, object, out, sizeof out), sizeof out);
            assert_int_equal(out[sizeof out - 1], (n - 6) * 51);
        }
    }
    free(b);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    hs_strip s = strip();
    assert_code(hs_strip_write(temp_path("a.svg"), &s, 0), HS_ERANGE);
    assert_code(hs_strip_write("/nonexistent/a.png", &s, 0), HS_EIO);
    assert_code(hs_strip_write("/nonexistent/a.pdf", &s, 0), HS_EIO);
    s.shape.c = 2;
    assert_code(hs_strip_write(temp_path("a.png"), &s, 0), HS_ESHAPE);
    s.shape.c = 3;
    s.rows = 0;
    assert_code(hs_strip_write(temp_path("a.png"), &s, 0), HS_ESHAPE);
    s.rows = (size_t)1 << 40;
    assert_code(hs_strip_write(temp_path("a.png"), &s, 0), HS_ELIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pictures_without_labels),
        cmocka_unit_test(test_labels_stand_where_they_belong),
        cmocka_unit_test(test_every_character_has_a_face_of_its_own),
        cmocka_unit_test(test_pdf_objects_are_where_the_table_says),
        cmocka_unit_test(test_what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
