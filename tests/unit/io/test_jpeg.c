/* core/io/jpeg against Pillow's pixels; files that lie, end early or turn the picture. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <zlib.h>

#include "core/io/image.h"
#include "core/io/jpeg.h"
#include "tests/support/jpeg_samples.h"
#include "tests/support/support.h"

static void check_pixels(const unsigned char *b, size_t len, size_t c, uint32_t crc)
{
    hs_image im;
    assert_ok(hs_image_decode(b, len, 0, NULL, &im));
    assert_int_equal(im.w, JPEG_W);
    assert_int_equal(im.h, JPEG_H);
    assert_int_equal(im.c, c);
    assert_int_equal((uint32_t)crc32(0, im.px, (uInt)(im.w * im.h * im.c)), crc);
    hs_image_free(&im);
}

static void test_pixels_are_those_of_pillow(void **state)
{
    (void)state;
    check_pixels(jpeg_rgb, sizeof jpeg_rgb, 3, JPEG_RGB_CRC);
    check_pixels(jpeg_progressive, sizeof jpeg_progressive, 3, JPEG_PROGRESSIVE_CRC);
    check_pixels(jpeg_grey, sizeof jpeg_grey, 1, JPEG_GREY_CRC);
    hs_image grey, rgb;
    assert_ok(hs_image_decode(jpeg_grey, sizeof jpeg_grey, 1, NULL, &grey));
    assert_ok(hs_image_decode(jpeg_grey, sizeof jpeg_grey, 3, NULL, &rgb));
    for (size_t i = 0; i < grey.w * grey.h * 3; i++) {
        assert_int_equal(rgb.px[i], grey.px[i / 3]);
    }
    hs_image_free(&grey);
    hs_image_free(&rgb);
}

static void test_other_colours_are_refused(void **state)
{
    (void)state;
    hs_image im;
    assert_code(hs_image_decode(jpeg_cmyk, sizeof jpeg_cmyk, 3, NULL, &im), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "CMYK"));
}

/* out <- the RGB sample with an EXIF block behind its first two bytes. */
static size_t with_exif(unsigned orientation, int little, unsigned char out[2048])
{
    unsigned char exif[] = {0xff, 0xe1, 0,   34,                                      /* APP1 */
                            'E',  'x',  'i', 'f',  0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, /* directory at 8 */
                            0,    1,    1,   0x12, 0, 3, 0,   0,   0, 1,  0, 0, 0, 0, 0, 0, 0, 0};
    if (little) {
        static const unsigned char body[] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0};
        memcpy(exif + 10, body, sizeof body);
    }
    exif[little ? 28 : 29] = (unsigned char)orientation;
    memcpy(out, jpeg_rgb, 2);
    memcpy(out + 2, exif, sizeof exif);
    memcpy(out + 2 + sizeof exif, jpeg_rgb + 2, sizeof jpeg_rgb - 2);
    return sizeof jpeg_rgb + sizeof exif;
}

/* Where pixel (x, y) of the upright picture lies in the stored one: the eight cases of the EXIF standard. */
static void stored_at(unsigned how, size_t x, size_t y, size_t *sx, size_t *sy)
{
    const size_t right = JPEG_W - 1, low = JPEG_H - 1;
    const size_t table[9][2] = {{x, y}, {x, y},       {right - x, y},       {right - x, low - y}, {x, low - y},
                                {y, x}, {y, low - x}, {right - y, low - x}, {right - y, x}};
    *sx = table[how][0];
    *sy = table[how][1];
}

static void test_orientation_is_applied(void **state)
{
    (void)state;
    unsigned char b[2048];
    hs_image stored, im;
    assert_ok(hs_image_decode(jpeg_rgb, sizeof jpeg_rgb, 3, NULL, &stored));
    for (unsigned how = 0; how <= 9; how++) {
        size_t len = with_exif(how, how % 2 == 0, b), sx, sy;
        unsigned valid = how >= 1 && how <= 8 ? how : 1;
        assert_ok(hs_image_decode(b, len, 3, NULL, &im));
        assert_int_equal(im.w, valid >= 5 ? JPEG_H : JPEG_W);
        assert_int_equal(im.h, valid >= 5 ? JPEG_W : JPEG_H);
        for (size_t i = 0; i < im.w * im.h; i++) {
            stored_at(valid, i % im.w, i / im.w, &sx, &sy);
            assert_memory_equal(im.px + 3 * i, stored.px + 3 * (sy * JPEG_W + sx), 3);
        }
        hs_image_free(&im);
    }
    hs_image_free(&stored);
}

static void test_exif_that_lies_is_ignored(void **state)
{
    (void)state;
    unsigned char b[2048];
    hs_image im;
    for (size_t at = 6; at < 38; at++) {
        for (unsigned v = 0; v < 256; v += 51) {
            size_t len = with_exif(6, 0, b);
            b[at] = (unsigned char)v;
            assert_ok(hs_image_decode(b, len, 3, NULL, &im));
            assert_int_equal(im.w * im.h, JPEG_W * JPEG_H);
            hs_image_free(&im);
        }
    }
}

static void test_cut_anywhere_is_refused(void **state)
{
    (void)state;
    hs_image im;
    for (size_t n = 3; n < sizeof jpeg_rgb; n++) {
        assert_code(hs_image_decode(jpeg_rgb, n, 3, NULL, &im), HS_EFORMAT);
    }
    for (size_t n = 3; n < sizeof jpeg_progressive; n++) {
        assert_code(hs_image_decode(jpeg_progressive, n, 3, NULL, &im), HS_EFORMAT);
    }
    unsigned char more[sizeof jpeg_rgb + 5] = {0}; /* bytes after the image, as phones write them */
    memcpy(more, jpeg_rgb, sizeof jpeg_rgb);
    check_pixels(more, sizeof more, 3, JPEG_RGB_CRC);
}

static void test_flipped_anywhere_does_no_harm(void **state)
{
    (void)state;
    unsigned char b[sizeof jpeg_progressive];
    memcpy(b, jpeg_progressive, sizeof b);
    hs_image_limits lim = HS_IMAGE_LIMITS;
    lim.pixels = 1 << 20;
    for (size_t i = 0; i < 8 * sizeof b; i++) {
        hs_image im = {0};
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        int rc = hs_image_decode(b, sizeof b, 3, &lim, &im);
        assert_true(rc == HS_OK || rc == HS_EFORMAT || rc == HS_ELIMIT);
        hs_image_free(&im);
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void test_the_budget_is_checked_in_the_header(void **state)
{
    (void)state;
    unsigned char b[sizeof jpeg_rgb];
    hs_image im;
    size_t at = 0;
    memcpy(b, jpeg_rgb, sizeof b);
    while (b[at] != 0xff || b[at + 1] != 0xc0) { /* SOF0: length, precision, height, width */
        at++;
    }
    memset(b + at + 5, 0x7f, 4);
    assert_code(hs_image_decode(b, sizeof b, 3, NULL, &im), HS_ELIMIT);
    hs_image_limits lim = HS_IMAGE_LIMITS;
    lim.pixels = JPEG_W * JPEG_H - 1;
    assert_code(hs_image_decode(jpeg_rgb, sizeof jpeg_rgb, 3, &lim, &im), HS_ELIMIT);
    b[at + 4] = 12; /* bits */
    assert_code(hs_image_decode(b, sizeof b, 3, NULL, &im), HS_EFORMAT);
}

/* *out <- a picture whose three components come in a scan each, the last of them `times` times. */
static size_t many_scans(size_t times, unsigned char **out)
{
    static const jpeg_scan_info scans[] = {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
    struct jpeg_error_mgr err;
    struct jpeg_compress_struct j = {.err = jpeg_std_error(&err)};
    unsigned char *small = NULL, row[16 * 3] = {0};
    unsigned long len = 0;
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &small, &len);
    j.image_width = j.image_height = 16;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    j.scan_info = scans;
    j.num_scans = 3;
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < 16) {
        JSAMPROW r = row;
        jpeg_write_scanlines(&j, &r, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    size_t last = len - 2;
    while (small[last] != 0xff || small[last + 1] != 0xda) {
        last--;
    }
    size_t scan = len - 2 - last;
    unsigned char *b = malloc(len + scan * times);
    assert_non_null(b);
    memcpy(b, small, last);
    for (size_t i = 0; i < times; i++) {
        memcpy(b + last + i * scan, small + last, scan);
    }
    memcpy(b + last + times * scan, "\xff\xd9", 2);
    free(small);
    *out = b;
    return last + times * scan + 2;
}

static void test_scans_without_end_are_not_followed(void **state)
{
    (void)state;
    unsigned char *b;
    hs_image im;
    size_t len = many_scans(1, &b);
    assert_ok(hs_image_decode(b, len, 3, NULL, &im));
    assert_int_equal(im.px[0], 0);
    hs_image_free(&im);
    free(b);
    len = many_scans(1000, &b);
    assert_code(hs_image_decode(b, len, 3, NULL, &im), HS_ELIMIT);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixels_are_those_of_pillow),
        cmocka_unit_test(test_other_colours_are_refused),
        cmocka_unit_test(test_orientation_is_applied),
        cmocka_unit_test(test_exif_that_lies_is_ignored),
        cmocka_unit_test(test_cut_anywhere_is_refused),
        cmocka_unit_test(test_flipped_anywhere_does_no_harm),
        cmocka_unit_test(test_the_budget_is_checked_in_the_header),
        cmocka_unit_test(test_scans_without_end_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
