/* core/io/image: a PNG builder by hand (so that every field can lie) against the reader. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/io/image.h"
#include "core/io/resize.h"
#include "tests/support/support.h"

/* ---- PNG files byte by byte ---------------------------------------------------------------------- */

typedef struct {
    unsigned char b[1 << 16];
    size_t len;
} png_file;

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (unsigned char)(v >> (24 - 8 * i));
    }
}

static void put_chunk(png_file *f, const char *name, const void *data, size_t n)
{
    unsigned char *p = f->b + f->len;
    assert_true(f->len + n + 12 <= sizeof f->b);
    put32(p, (uint32_t)n);
    memcpy(p + 4, name, 4);
    if (n > 0) {
        memcpy(p + 8, data, n);
    }
    put32(p + 8 + n, (uint32_t)crc32(0, p + 4, (uInt)(n + 4)));
    f->len += n + 12;
}

typedef struct {
    uint32_t w, h;
    unsigned char depth, type, compression, filter, interlace;
} header;

static void begin(png_file *f, header h)
{
    unsigned char d[13] = {0, 0, 0, 0, 0, 0, 0, 0, h.depth, h.type, h.compression, h.filter, h.interlace};
    memcpy(f->b, "\x89PNG\r\n\x1a\n", 8);
    f->len = 8;
    put32(d, h.w);
    put32(d + 4, h.h);
    put_chunk(f, "IHDR", d, 13);
}

static size_t deflate_rows(const unsigned char *rows, size_t n, unsigned char *out, size_t cap)
{
    uLongf len = (uLongf)cap;
    assert_int_equal(compress(out, &len, rows, (uLong)n), Z_OK);
    return len;
}

static void put_idat(png_file *f, const unsigned char *rows, size_t n)
{
    unsigned char z[8192];
    put_chunk(f, "IDAT", z, deflate_rows(rows, n, z, sizeof z));
}

/* A valid RGB image of 3 x 2 pixels: value = 10 * index. */
static void small_rgb(png_file *f, int with_end)
{
    unsigned char rows[20] = {0};
    for (unsigned i = 0; i < 18; i++) {
        rows[1 + i + i / 9] = (unsigned char)(10 * i);
    }
    begin(f, (header){3, 2, 8, 2, 0, 0, 0});
    put_idat(f, rows, sizeof rows);
    if (with_end) {
        put_chunk(f, "IEND", NULL, 0);
    }
}

static png_file file; /* large: not on the stack */

static int decode(size_t channels, hs_image *im)
{
    return hs_image_decode(file.b, file.len, channels, NULL, im);
}

/* ---- Valid files ---------------------------------------------------------------------------------- */

static void test_rgb_and_luma(void **state)
{
    (void)state;
    hs_image im;
    small_rgb(&file, 1);
    assert_ok(decode(0, &im));
    assert_int_equal(im.w, 3);
    assert_int_equal(im.h, 2);
    assert_int_equal(im.c, 3);
    for (size_t i = 0; i < 18; i++) {
        assert_int_equal(im.px[i], 10 * i);
    }
    hs_image_free(&im);
    assert_ok(decode(1, &im));
    assert_int_equal(im.c, 1);
    assert_int_equal(im.px[0], 8);   /* Pillow: Image.new("RGB", (1, 1), (0, 10, 20)).convert("L") */
    assert_int_equal(im.px[5], 158); /* (150, 160, 170) */
    hs_image_free(&im);
}

static void test_palette_grey_bits_alpha_and_16_bits(void **state)
{
    (void)state;
    hs_image im;
    const unsigned char palette[6] = {1, 2, 3, 40, 50, 60}, bits[2] = {0, 0xa0}; /* 1 0 1 */
    begin(&file, (header){3, 1, 1, 3, 0, 0, 0});
    put_chunk(&file, "PLTE", palette, 6);
    put_idat(&file, bits, 2);
    put_chunk(&file, "IEND", NULL, 0);
    assert_ok(decode(0, &im));
    const unsigned char want[9] = {40, 50, 60, 1, 2, 3, 40, 50, 60};
    assert_memory_equal(im.px, want, 9);
    hs_image_free(&im);

    begin(&file, (header){3, 1, 1, 0, 0, 0, 0});
    put_idat(&file, bits, 2);
    put_chunk(&file, "IEND", NULL, 0);
    assert_ok(decode(3, &im));
    assert_memory_equal(im.px, "\xff\xff\xff\0\0\0\xff\xff\xff", 9);
    hs_image_free(&im);

    const unsigned char ga16[5] = {0, 0x12, 0xff, 0x00, 0x01}; /* grey 0x12ff, alpha 1/65535 */
    const unsigned char gamma[4] = {0, 1, 0x86, 0xa0};         /* gAMA 1.0: must not change a pixel */
    begin(&file, (header){1, 1, 16, 4, 0, 0, 0});
    put_chunk(&file, "gAMA", gamma, 4);
    put_idat(&file, ga16, 5);
    put_chunk(&file, "IEND", NULL, 0);
    assert_ok(decode(0, &im));
    assert_int_equal(im.c, 1);
    assert_int_equal(im.px[0], 0x12);
    hs_image_free(&im);
}

/* ---- The malformed corpus --------------------------------------------------------------------------- */

static void expect(int code, const char *what)
{
    hs_image im = {.w = 77};
    int rc = decode(3, &im);
    if (rc != code) {
        fail_msg("%s: %d (%s), wanted %d", what, rc, rc == HS_OK ? "accepted" : hs_error_message(), code);
    }
    assert_int_equal(im.w, 77);
}

static void test_headers_that_lie(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        header h;
        int code;
    } row[] = {
        {"7FFFFFFF squared", {0x7fffffff, 0x7fffffff, 8, 2, 0, 0, 0}, HS_ELIMIT},
        {"FFFFFFFF wide", {0xffffffff, 1, 8, 2, 0, 0, 0}, HS_EFORMAT},
        {"a million squared", {1000000, 1000000, 8, 2, 0, 0, 0}, HS_ELIMIT},
        {"65536 squared", {65536, 65536, 8, 2, 0, 0, 0}, HS_ELIMIT},
        {"16384 squared", {16384, 16384, 8, 2, 0, 0, 0}, HS_ELIMIT},
        {"16385 x 1", {16385, 1, 8, 0, 0, 0, 0}, HS_ELIMIT},
        {"0 x 1", {0, 1, 8, 2, 0, 0, 0}, HS_EFORMAT},
        {"1 x 0", {1, 0, 8, 2, 0, 0, 0}, HS_EFORMAT},
        {"bit depth 3", {1, 1, 3, 0, 0, 0, 0}, HS_EFORMAT},
        {"bit depth 0", {1, 1, 0, 0, 0, 0, 0}, HS_EFORMAT},
        {"16-bit palette", {1, 1, 16, 3, 0, 0, 0}, HS_EFORMAT},
        {"colour type 5", {1, 1, 8, 5, 0, 0, 0}, HS_EFORMAT},
        {"colour type 1", {1, 1, 8, 1, 0, 0, 0}, HS_EFORMAT},
        {"colour type 255", {1, 1, 8, 255, 0, 0, 0}, HS_EFORMAT},
        {"interlace 2", {1, 1, 8, 2, 0, 0, 2}, HS_EFORMAT},
        {"compression 1", {1, 1, 8, 2, 1, 0, 0}, HS_EFORMAT},
        {"filter 1", {1, 1, 8, 2, 0, 1, 0}, HS_EFORMAT},
        {"palette missing", {1, 1, 8, 3, 0, 0, 0}, HS_EFORMAT},
    };
    const unsigned char rows[4] = {0, 0, 0, 0};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        begin(&file, row[i].h);
        put_idat(&file, rows, row[i].h.type == 2 ? 4 : 2);
        put_chunk(&file, "IEND", NULL, 0);
        expect(row[i].code, row[i].what);
    }
}

static void test_data_that_lies(void **state)
{
    (void)state;
    unsigned char rows[32] = {0}, z[256];
    size_t n;
    const header rgb = {3, 2, 8, 2, 0, 0, 0};

    begin(&file, rgb);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "IDAT missing");

    begin(&file, rgb);
    put_idat(&file, rows, 19);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "IDAT short");

    begin(&file, rgb);
    put_idat(&file, rows, 32);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "IDAT long");

    n = deflate_rows(rows, 20, z, sizeof z);
    z[n - 1] ^= 1;
    begin(&file, rgb);
    put_chunk(&file, "IDAT", z, n);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "bad Adler");

    z[0] = 0xff;
    begin(&file, rgb);
    put_chunk(&file, "IDAT", z, n);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "bad zlib header");

    rows[0] = 9;
    begin(&file, rgb);
    put_idat(&file, rows, 20);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "row filter 9");

    const unsigned char palette[6] = {1, 2, 3, 4, 5, 6}, index[2] = {0, 7};
    begin(&file, (header){1, 1, 8, 3, 0, 0, 0});
    put_chunk(&file, "PLTE", palette, 6);
    put_idat(&file, index, 2);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "index beyond PLTE");
}

static void test_chunks_that_lie(void **state)
{
    (void)state;
    unsigned char junk[64] = {0};
    small_rgb(&file, 0);
    put_chunk(&file, "IHDR", file.b + 16, 13);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "IHDR twice");

    memcpy(file.b, "\x89PNG\r\n\x1a\n", 8);
    file.len = 8;
    put_chunk(&file, "tEXt", "a\0b", 3);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "IHDR not first");

    small_rgb(&file, 1);
    put_chunk(&file, "tEXt", "a\0b", 3);
    expect(HS_EFORMAT, "data after IEND");

    small_rgb(&file, 0);
    put_chunk(&file, "acTL", junk, 8);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "APNG");

    small_rgb(&file, 0);
    put_chunk(&file, "XYZW", junk, 8);
    put_chunk(&file, "IEND", NULL, 0);
    expect(HS_EFORMAT, "unknown critical chunk");

    for (int ancillary = 0; ancillary < 2; ancillary++) {
        small_rgb(&file, 0);
        if (ancillary) {
            put_chunk(&file, "tEXt", "a\0b", 3);
        }
        file.b[file.len - 1] ^= 1;
        put_chunk(&file, "IEND", NULL, 0);
        expect(HS_EFORMAT, ancillary ? "ancillary CRC" : "critical CRC");
    }
    static const uint32_t length[] = {0xffffffff, 0x7fffffff, 0x7ffffff3, 1000};
    for (size_t i = 0; i < sizeof length / sizeof *length; i++) {
        small_rgb(&file, 1);
        put32(file.b + 33, length[i]);
        expect(HS_EFORMAT, "chunk length");
    }
}

/* A compressed text of 64 MiB and two thousand comments: never inflated, no harm, a legal image. */
static void test_bombs_stay_unexploded(void **state)
{
    (void)state;
    hs_image im;
    enum { BOMB = 64 << 20 };
    unsigned char *zeros = calloc(BOMB, 1), *z = malloc(BOMB / 256);
    assert_non_null(zeros);
    assert_non_null(z);
    uLongf len = BOMB / 256;
    assert_int_equal(compress2(z + 3, &len, zeros, BOMB, 9), Z_OK);
    memcpy(z, "k\0\0", 3);
    static png_file small;
    small_rgb(&small, 1);
    unsigned char *b = malloc(small.len + len + 64);
    assert_non_null(b);
    size_t head = 33, n = len + 3;
    memcpy(b, small.b, head);
    put32(b + head, (uint32_t)n);
    memcpy(b + head + 4, "zTXt", 4);
    memcpy(b + head + 8, z, n);
    put32(b + head + 8 + n, (uint32_t)crc32(0, b + head + 4, (uInt)n + 4));
    memcpy(b + head + 12 + n, small.b + head, small.len - head);
    assert_ok(hs_image_decode(b, small.len + n + 12, 3, NULL, &im));
    hs_image_free(&im);
    free(b);
    free(z);
    free(zeros);

    small_rgb(&file, 0);
    for (int i = 0; i < 2000; i++) {
        put_chunk(&file, "tEXt", "a\0b", 3);
    }
    put_chunk(&file, "IEND", NULL, 0);
    assert_ok(decode(3, &im));
    hs_image_free(&im);
    hs_image_limits lim = HS_IMAGE_LIMITS;
    lim.chunks = 1000;
    assert_code(hs_image_decode(file.b, file.len, 3, &lim, &im), HS_ELIMIT);
    assert_code(hs_image_decode(file.b, file.len, 2, NULL, &im), HS_ERANGE);
}

static void test_cut_anywhere_and_flipped_anywhere(void **state)
{
    (void)state;
    hs_image im;
    small_rgb(&file, 1);
    for (size_t n = 0; n < file.len; n++) {
        assert_code(hs_image_decode(file.b, n, 3, NULL, &im), HS_EFORMAT);
    }
    /* Every byte of this file is under a CRC or is one: a flip is always seen. */
    for (size_t i = 0; i < file.len * 8; i++) {
        file.b[i / 8] ^= (unsigned char)(1 << i % 8);
        int rc = decode(3, &im);
        assert_true(rc == HS_EFORMAT || rc == HS_ELIMIT);
        file.b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void test_other_formats_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *name;
        size_t len;
    } row[] = {{"\xff\xd8\xff\xe0xxxxxxxx", "damaged JPEG", 12},
               {"GIF89axxxxxx", "GIF", 12},
               {"RIFFxxxxWEBPVP8 ", "WebP", 16},
               {"BMxxxxxxxxxx", "BMP", 12},
               {"\0\0\0\x18"
                "ftypheic",
                "HEIF", 12},
               {"II*\0xxxxxxxx", "TIFF", 12},
               {"hello, world", "not a PNG or JPEG image", 12},
               {"", "not a PNG or JPEG image", 0}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        hs_image im;
        assert_code(hs_image_decode(row[i].bytes, row[i].len, 3, NULL, &im), HS_EFORMAT);
        assert_non_null(strstr(hs_error_message(), row[i].name));
    }
}

/* ---- Files, folders, the float scale ------------------------------------------------------------------ */

static void write_bytes(const char *path, const void *b, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b, 1, n, f), n);
    fclose(f);
}

static void test_float_scale_round_trips(void **state)
{
    (void)state;
    unsigned char px[256];
    float x[256];
    hs_image im = {16, 16, 1, px}, back;
    for (size_t i = 0; i < 256; i++) {
        px[i] = (unsigned char)i;
    }
    hs_image_to_float(&im, x);
    assert_near((double)x[0], -1, 0);
    assert_near((double)x[255], 1, 0);
    assert_near((double)x[51], -0.6, 1e-7);
    assert_ok(hs_image_from_float(x, (hs_chw){1, 16, 16}, &back));
    assert_memory_equal(back.px, px, 256);
    hs_image_free(&back);
    const float edge[6] = {-3, 3, (float)NAN, 0.0039f, -1 + 0.49f / 127.5f, -1 + 0.51f / 127.5f};
    assert_ok(hs_image_from_float(edge, (hs_chw){1, 1, 6}, &back));
    assert_memory_equal(back.px, "\x00\xff\x00\x80\x00\x01", 6);
    hs_image_free(&back);
    assert_code(hs_image_from_float(edge, (hs_chw){2, 1, 3}, &back), HS_ESHAPE);
}

static void test_grid_places_rows_and_gaps(void **state)
{
    (void)state;
    /* 2 x 3 pictures of 1 x 1 RGB, planes in order R G B. */
    float x[18];
    for (size_t i = 0; i < 18; i++) {
        x[i] = (float)(i * 10) / 127.5f - 1;
    }
    hs_image im;
    assert_ok(hs_image_grid(x, 2, 3, (hs_chw){3, 1, 1}, 2, &im));
    assert_int_equal(im.w, 7);
    assert_int_equal(im.h, 4);
    for (size_t i = 0; i < 6; i++) {
        const uint8_t *p = im.px + (i / 3 * 3 * 7 + i % 3 * 3) * 3;
        assert_int_equal(p[0], 30 * i);
        assert_int_equal(p[2], 30 * i + 20);
    }
    assert_int_equal(im.px[3], 255);
    hs_image_free(&im);
    assert_code(hs_image_grid(x, 0, 3, (hs_chw){3, 1, 1}, 0, &im), HS_ESHAPE);
    assert_code(hs_image_grid(x, 1 << 20, 1 << 20, (hs_chw){1, 4, 4}, 0, &im), HS_ELIMIT);
}

static void test_write_then_read(void **state)
{
    (void)state;
    const char *path = temp_path("w.png");
    unsigned char px[2 * 3 * 3];
    for (size_t i = 0; i < sizeof px; i++) {
        px[i] = (unsigned char)(i * 14);
    }
    hs_image im = {3, 2, 3, px}, back;
    assert_ok(hs_image_write(path, &im, 0));
    assert_ok(hs_image_read(path, 0, NULL, &back));
    assert_int_equal(back.w, 3);
    assert_memory_equal(back.px, px, sizeof px);
    hs_image_free(&back);
    assert_code(hs_image_write(path, &im, 0), HS_ERANGE);
    assert_ok(hs_image_write(path, &im, 1));
    assert_code(hs_image_write("/nonexistent/w.png", &im, 0), HS_EIO);
    assert_code(hs_image_read(temp_path("absent.png"), 0, NULL, &back), HS_EIO);
    hs_image_limits lim = HS_IMAGE_LIMITS;
    lim.bytes = 10;
    assert_code(hs_image_read(path, 0, &lim, &back), HS_ELIMIT);
    const char *lies = temp_path("lies.png");
    write_bytes(lies, "\xff\xd8\xff\xe0", 4);
    assert_code(hs_image_read(lies, 0, NULL, &back), HS_EFORMAT);
    assert_non_null(strstr(hs_error_message(), "lies.png: damaged JPEG"));
    const char *fifo = temp_path("fifo.png");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_code(hs_image_read(fifo, 0, NULL, &back), HS_EFORMAT);
}

static void test_folder_listing(void **state)
{
    (void)state;
    char dir[256], name[300];
    snprintf(dir, sizeof dir, "%s", temp_path("folder"));
    assert_int_equal(mkdir(dir, 0700), 0);
    static const char *const entries[] = {"b.png", "a.PNG", "a\nb.png", "Z.png", "notes.txt",
                                          ".png",  "c.Jpg", ".jpg",     "d.jpeg"};
    char **list;
    size_t n;
    assert_code(hs_image_list(dir, 100, &list, &n), HS_EFORMAT);
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, entries[i]);
        write_bytes(name, "x", 1);
    }
    snprintf(name, sizeof name, "%s/loop.png", dir);
    assert_int_equal(symlink("loop.png", name), 0);
    snprintf(name, sizeof name, "%s/pipe.png", dir);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_ok(hs_image_list(dir, 100, &list, &n));
    assert_int_equal(n, 6);
    static const char *const want[] = {"Z.png", "a\nb.png", "a.PNG", "b.png", "c.Jpg", "d.jpeg"};
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(strrchr(list[i], '/') + 1, want[i]);
    }
    hs_image_list_free(list, n);
    assert_code(hs_image_list(dir, 7, &list, &n), HS_ELIMIT);
    assert_code(hs_image_list(temp_path("nowhere"), 7, &list, &n), HS_EIO);
}

/* Resizing beyond Pillow's fixtures: what needs no oracle. */
static void test_resize_refuses_and_fit_crops(void **state)
{
    (void)state;
    unsigned char px[4 * 6];
    for (size_t i = 0; i < sizeof px; i++) {
        px[i] = (unsigned char)(i % 6 * 40);
    }
    hs_image im = {6, 4, 1, px}, out;
    assert_code(hs_image_resize(&im, 0, 3, HS_RESIZE_BILINEAR, NULL, &out), HS_ERANGE);
    assert_code(hs_image_resize(&im, 3, 3, HS_RESIZE_BILINEAR, &(hs_box){0, 0, 7, 4}, &out), HS_ERANGE);
    assert_code(hs_image_resize(&im, 3, 3, HS_RESIZE_BILINEAR, &(hs_box){2, 0, 2, 4}, &out), HS_ERANGE);
    assert_code(hs_image_resize(&im, 20000, 3, HS_RESIZE_BILINEAR, NULL, &out), HS_ELIMIT);
    assert_ok(hs_image_fit(&im, 4, &out));
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(out.px[i], (i % 4 + 1) * 40);
    }
    hs_image_free(&out);
    memset(px, 93, sizeof px);
    for (int f = HS_RESIZE_BILINEAR; f <= HS_RESIZE_LANCZOS; f++) {
        assert_ok(hs_image_resize(&im, 17, 3, (hs_resize_filter)f, NULL, &out));
        for (size_t i = 0; i < 17 * 3; i++) {
            assert_int_equal(out.px[i], 93);
        }
        hs_image_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rgb_and_luma),
        cmocka_unit_test(test_palette_grey_bits_alpha_and_16_bits),
        cmocka_unit_test(test_headers_that_lie),
        cmocka_unit_test(test_data_that_lies),
        cmocka_unit_test(test_chunks_that_lie),
        cmocka_unit_test(test_bombs_stay_unexploded),
        cmocka_unit_test(test_cut_anywhere_and_flipped_anywhere),
        cmocka_unit_test(test_other_formats_are_named),
        cmocka_unit_test(test_float_scale_round_trips),
        cmocka_unit_test(test_grid_places_rows_and_gaps),
        cmocka_unit_test(test_write_then_read),
        cmocka_unit_test(test_folder_listing),
        cmocka_unit_test(test_resize_refuses_and_fit_crops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
