/* PNG: the chunk walk comes first, libpng (low-level interface, so that gamma stays out) after.  JPEG: jpeg.c. */
#include "core/io/image.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <zlib.h>

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/jpeg.h"

void hs_image_free(hs_image *im)
{
    free(im->px);
    *im = (hs_image){0};
}

/* ---- What kind of file is it ----------------------------------------------------------------- */

static int refuse_other(const unsigned char *b, size_t len)
{
    static const struct {
        size_t at, n;
        const char *magic, *name;
    } known[] = {{0, 4, "GIF8", "GIF"},       {8, 4, "WEBP", "WebP"},  {0, 2, "BM", "BMP"},
                 {4, 4, "ftyp", "HEIF/AVIF"}, {0, 4, "II*\0", "TIFF"}, {0, 4, "MM\0*", "TIFF"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (len >= known[i].at + known[i].n && memcmp(b + known[i].at, known[i].magic, known[i].n) == 0) {
            return hs_fail(HS_EFORMAT, "a %s image; convert it to PNG or JPEG", known[i].name);
        }
    }
    return hs_fail(HS_EFORMAT, "not a PNG or JPEG image");
}

/* ---- The chunk walk: structure, budget, CRCs --------------------------------------------------- */

static uint32_t be32(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static int check_header(const unsigned char *d, const hs_image_limits *lim)
{
    uint32_t w = be32(d), h = be32(d + 4);
    if (w == 0 || h == 0 || w > INT32_MAX || h > INT32_MAX) {
        return hs_fail(HS_EFORMAT, "PNG header says %u x %u pixels", w, h);
    }
    /* Which depths go with which colour type (bit mask over 1 2 4 8 16). */
    static const unsigned char depths[7] = {1 | 2 | 4 | 8 | 16, 0, 8 | 16, 1 | 2 | 4 | 8, 8 | 16, 0, 8 | 16};
    unsigned depth = d[8], type = d[9];
    if (type > 6 || (depth & (depth - 1)) != 0 || (depth & depths[type]) == 0) {
        return hs_fail(HS_EFORMAT, "PNG header says bit depth %u with colour type %u", depth, type);
    }
    if (d[10] != 0 || d[11] != 0 || d[12] > 1) {
        return hs_fail(HS_EFORMAT, "PNG header says compression %u, filter %u, interlace %u", d[10], d[11], d[12]);
    }
    if (w > lim->side || h > lim->side || (uint64_t)w * h > lim->pixels) {
        return hs_fail(HS_ELIMIT, "image of %u x %u pixels; the limit is %zu a side and %zu in all", w, h, lim->side,
                       lim->pixels);
    }
    return HS_OK;
}

static int check_chunk(const unsigned char *b, size_t left, size_t index)
{
    if (left < 12) {
        return hs_fail(HS_EFORMAT, "PNG ends inside chunk %zu", index);
    }
    size_t n = be32(b);
    for (int i = 4; i < 8; i++) {
        if (!isalpha(b[i])) {
            return hs_fail(HS_EFORMAT, "PNG chunk %zu has a name that is not letters", index);
        }
    }
    if (n > INT32_MAX || n > left - 12) {
        return hs_fail(HS_EFORMAT, "PNG chunk %zu (%.4s) says %zu bytes, %zu are left", index, (const char *)b + 4, n,
                       left - 12);
    }
    if ((uint32_t)crc32(0, b + 4, (uInt)(n + 4)) != be32(b + 8 + n)) {
        return hs_fail(HS_EFORMAT, "PNG chunk %zu (%.4s) fails its CRC", index, (const char *)b + 4);
    }
    return HS_OK;
}

static int walk(const unsigned char *b, size_t len, const hs_image_limits *lim)
{
    int rc = HS_OK, plte = 0, idat = 0;
    size_t at = 8;
    for (size_t i = 0;; i++) {
        const unsigned char *c = b + at;
        if (i >= lim->chunks) {
            return hs_fail(HS_ELIMIT, "PNG of more than %zu chunks", lim->chunks);
        }
        HS_TRY(check_chunk(c, len - at, i));
        size_t n = be32(c);
        int is_header = memcmp(c + 4, "IHDR", 4) == 0;
        if (is_header != (i == 0) || (is_header && n != 13)) {
            return hs_fail(HS_EFORMAT, "PNG chunk %zu is %.4s of %zu bytes; IHDR (13) comes first and once", i,
                           (const char *)c + 4, n);
        }
        if (is_header) {
            HS_TRY(check_header(c + 8, lim));
        } else if (memcmp(c + 4, "acTL", 4) == 0) {
            return hs_fail(HS_EFORMAT, "an animated PNG; give single images");
        } else if (memcmp(c + 4, "PLTE", 4) == 0) {
            plte = 1;
        } else if (memcmp(c + 4, "IDAT", 4) == 0) {
            idat = 1;
        } else if (memcmp(c + 4, "IEND", 4) == 0) {
            at += n + 12;
            break;
        } else if (isupper(c[4])) {
            return hs_fail(HS_EFORMAT, "PNG chunk %.4s is critical and unknown", (const char *)c + 4);
        }
        at += n + 12;
    }
    if (at != len) {
        return hs_fail(HS_EFORMAT, "%zu bytes after the end of the PNG", len - at);
    }
    if (!idat || (b[25] == 3 && !plte)) {
        return hs_fail(HS_EFORMAT, "PNG without %s", idat ? "its palette" : "image data");
    }
out:
    return rc;
}

/* ---- libpng -------------------------------------------------------------------------------------- */

typedef struct {
    const unsigned char *b;
    size_t at, len;
    char message[160];
    jmp_buf jump;
} source;

static void on_error(png_structp png, png_const_charp message)
{
    source *s = png_get_error_ptr(png);
    snprintf(s->message, sizeof s->message, "%s", message);
    longjmp(s->jump, 1);
}

static void on_read(png_structp png, png_bytep out, png_size_t n)
{
    source *s = png_get_io_ptr(png);
    if (n > s->len - s->at) {
        png_error(png, "ends too early");
    }
    memcpy(out, s->b + s->at, n);
    s->at += n;
}

/* Everything to 8-bit grey, RGB or palette indices, without alpha. */
static void set_transforms(png_structp png, png_infop info)
{
    png_byte type = png_get_color_type(png, info);
    png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(png);
    } else if (type == PNG_COLOR_TYPE_GRAY) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    png_set_strip_alpha(png);
}

/* Every object that must survive the longjmp is the caller's. */
static int decode_png(source *s, png_structp png, png_infop info, hs_image *im, png_bytep **rows)
{
    if (setjmp(s->jump) != 0) {
        return hs_fail(HS_EFORMAT, "damaged PNG: %s", s->message);
    }
    png_set_read_fn(png, s, on_read);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ours are already checked */
    png_read_info(png, info);
    set_transforms(png, info);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    im->w = png_get_image_width(png, info);
    im->h = png_get_image_height(png, info);
    im->c = png_get_channels(png, info);
    if (png_get_bit_depth(png, info) != 8 || (im->c != 1 && im->c != 3)) {
        return hs_fail(HS_EBUG, "PNG decoded to %zu channels of %d bits", im->c, png_get_bit_depth(png, info));
    }
    if (hs_alloc(im->w * im->h, im->c, &im->px) != HS_OK || hs_alloc(im->h, sizeof **rows, rows) != HS_OK) {
        return HS_ENOMEM;
    }
    for (size_t y = 0; y < im->h; y++) {
        (*rows)[y] = im->px + y * im->w * im->c;
    }
    png_read_image(png, *rows);
    png_read_end(png, NULL);
    return HS_OK;
}

/* *im <- the colours of its palette indices; libpng would take any index for black. */
static int expand_palette(png_structp png, png_infop info, hs_image *im)
{
    png_colorp colour = NULL;
    int colours = 0;
    uint8_t *px;
    size_t n = im->w * im->h;
    if (png_get_color_type(png, info) != PNG_COLOR_TYPE_PALETTE) {
        return HS_OK;
    }
    png_get_PLTE(png, info, &colour, &colours);
    int rc = hs_alloc(n, 3, &px);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        if (im->px[i] >= colours) {
            free(px);
            return hs_fail(HS_EFORMAT, "palette index %u of a palette of %d", im->px[i], colours);
        }
        const png_color *p = colour + im->px[i];
        px[3 * i] = p->red;
        px[3 * i + 1] = p->green;
        px[3 * i + 2] = p->blue;
    }
    free(im->px);
    im->px = px;
    im->c = 3;
    return HS_OK;
}

/* *im <- grey or RGB as wanted. */
static int convert_channels(size_t channels, hs_image *im)
{
    if (channels == 0 || channels == im->c) {
        return HS_OK;
    }
    uint8_t *px;
    size_t n = im->w * im->h;
    int rc = hs_alloc(n, channels, &px);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = im->px + i * im->c;
        if (channels == 3) {
            memset(px + 3 * i, p[0], 3);
        } else {
            px[i] = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
        }
    }
    free(im->px);
    im->px = px;
    im->c = channels;
    return HS_OK;
}

HS_CHECKED static int decode_png_bytes(const void *bytes, size_t len, const hs_image_limits *lim, hs_image *out)
{
    int rc = HS_OK;
    source s = {.b = bytes, .len = len};
    hs_image im = {0};
    png_structp png = NULL;
    png_infop info = NULL;
    png_bytep *rows = NULL;
    HS_TRY(walk(bytes, len, lim));
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &s, on_error, on_error);
    info = png != NULL ? png_create_info_struct(png) : NULL;
    if (info == NULL) {
        HS_TRY(hs_fail(HS_ENOMEM, "no memory for libpng"));
    }
    HS_TRY(decode_png(&s, png, info, &im, &rows));
    HS_TRY(expand_palette(png, info, &im));
    *out = im;
    im = (hs_image){0};
out:
    png_destroy_read_struct(&png, &info, NULL);
    free(rows);
    hs_image_free(&im);
    return rc;
}

int hs_image_decode(const void *bytes, size_t len, size_t channels, const hs_image_limits *limits, hs_image *out)
{
    static const unsigned char magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    const hs_image_limits lim = limits != NULL ? *limits : HS_IMAGE_LIMITS;
    int rc = HS_OK;
    hs_image im = {0};
    if (channels != 0 && channels != 1 && channels != 3) {
        return hs_fail(HS_ERANGE, "images have 1 or 3 channels; %zu wanted", channels);
    }
    if (hs_jpeg_is(bytes, len)) {
        HS_TRY(hs_jpeg_decode(bytes, len, &lim, &im));
    } else if (len >= 8 && memcmp(bytes, magic, 8) == 0) {
        HS_TRY(decode_png_bytes(bytes, len, &lim, &im));
    } else {
        return refuse_other(bytes, len);
    }
    HS_TRY(convert_channels(channels, &im));
    *out = im;
    im = (hs_image){0};
out:
    hs_image_free(&im);
    return rc;
}

/* ---- Files ------------------------------------------------------------------------------------------ */

int hs_image_read(const char *path, size_t channels, const hs_image_limits *limits, hs_image *out)
{
    const hs_image_limits lim = limits != NULL ? *limits : HS_IMAGE_LIMITS;
    unsigned char *b;
    size_t len;
    int rc = hs_file_read(path, lim.bytes, &b, &len);
    if (rc != HS_OK) {
        return rc;
    }
    rc = hs_fail_in(hs_image_decode(b, len, channels, &lim, out), path);
    free(b);
    return rc;
}

int hs_image_write(const char *path, const hs_image *im, int force)
{
    png_image p = {.version = PNG_IMAGE_VERSION,
                   .width = (png_uint_32)im->w,
                   .height = (png_uint_32)im->h,
                   .format = im->c == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY};
    png_alloc_size_t len = 0;
    unsigned char *b = NULL;
    int rc = HS_OK;
    if (!png_image_write_to_memory(&p, NULL, &len, 0, im->px, 0, NULL)) {
        return hs_fail(HS_ERANGE, "%s: cannot be written as PNG: %s", path, p.message);
    }
    HS_TRY(hs_alloc(len, 1, &b));
    if (!png_image_write_to_memory(&p, b, &len, 0, im->px, 0, NULL)) {
        HS_TRY(hs_fail(HS_ENOMEM, "%s: cannot be written as PNG: %s", path, p.message));
    }
    HS_TRY(hs_file_write_atomic(path, b, len, force));
out:
    free(b);
    return rc;
}

static int is_image_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL && dot != name &&
           (strcasecmp(dot, ".png") == 0 || strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int push_path(const char *dir, const char *name, size_t *cap, size_t *n, char ***list)
{
    int rc = HS_OK;
    hs_str path = {0};
    if (*n == *cap) {
        size_t cap2 = *cap * 2 + 64;
        char **grown = realloc(*list, cap2 * sizeof *grown);
        if (grown == NULL) {
            return hs_fail(HS_ENOMEM, "no memory for %zu file names", cap2);
        }
        *list = grown;
        *cap = cap2;
    }
    hs_str_addf(&path, "%s/%s", dir, name);
    HS_TRY(hs_str_ok(&path));
    (*list)[(*n)++] = path.s;
    return HS_OK;
out:
    hs_str_free(&path);
    return rc;
}

static int list_into(DIR *d, const char *dir, size_t max, size_t *n, char ***list)
{
    int rc = HS_OK;
    size_t cap = 0, others = 0;
    struct stat st;
    for (size_t seen = 0;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (e == NULL) {
            if (errno != 0) {
                HS_TRY(hs_fail_errno(dir, "cannot be listed"));
            }
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        if (++seen > max) {
            HS_TRY(hs_fail(HS_ELIMIT, "%s: more than %zu entries", dir, max));
        }
        if (is_image_name(e->d_name) && fstatat(dirfd(d), e->d_name, &st, 0) == 0 && S_ISREG(st.st_mode)) {
            HS_TRY(push_path(dir, e->d_name, &cap, n, list));
        } else {
            others++;
        }
    }
    if (*n == 0) {
        HS_TRY(hs_fail(HS_EFORMAT, "%s: no PNG or JPEG images (%zu other entries)", dir, others));
    }
    if (others > 0) {
        hs_log(HS_LOG_WARNING, "%s: %zu entries that are not .png, .jpg or .jpeg files are left out", dir, others);
    }
out:
    return rc;
}

int hs_image_list(const char *dir, size_t max, char ***list, size_t *n)
{
    char **found = NULL;
    size_t count = 0;
    DIR *d = opendir(dir);
    if (d == NULL) {
        return hs_fail_errno(dir, "cannot be opened");
    }
    int rc = list_into(d, dir, max, &count, &found);
    closedir(d);
    if (rc != HS_OK) {
        hs_image_list_free(found, count);
        return rc;
    }
    qsort(found, count, sizeof *found, by_bytes);
    *list = found;
    *n = count;
    return HS_OK;
}

void hs_image_list_free(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(list[i]);
    }
    free(list);
}

/* ---- The float scale ---------------------------------------------------------------------------- */

void hs_image_to_float(const hs_image *im, float *x)
{
    size_t n = im->w * im->h;
    for (size_t k = 0; k < im->c; k++) {
        for (size_t i = 0; i < n; i++) {
            x[k * n + i] = (float)im->px[i * im->c + k] / 127.5f - 1.0f;
        }
    }
}

static uint8_t to_byte(float x)
{
    if (!(x > -1.0f)) {
        return 0; /* also NaN */
    }
    return x >= 1.0f ? 255 : (uint8_t)lrintf((x + 1.0f) * 127.5f);
}

/* Puts one image into px, whose rows are stride pixels apart. */
static void put_image(const float *x, hs_chw s, size_t stride, uint8_t *px)
{
    for (size_t k = 0; k < s.c; k++) {
        for (size_t y = 0; y < s.h; y++) {
            for (size_t i = 0; i < s.w; i++) {
                px[(y * stride + i) * s.c + k] = to_byte(x[(k * s.h + y) * s.w + i]);
            }
        }
    }
}

void hs_image_bytes(const float *x, hs_chw s, uint8_t *px)
{
    put_image(x, s, s.w, px);
}

int hs_image_grid(const float *x, size_t rows, size_t cols, hs_chw s, size_t gap, hs_image *out)
{
    int rc = HS_OK;
    size_t w, h, n;
    hs_image im = {.c = s.c};
    if ((s.c != 1 && s.c != 3) || s.h == 0 || s.w == 0 || rows == 0 || cols == 0) {
        return hs_fail(HS_ESHAPE, "%zu x %zu pictures of %zu x %zu x %zu; wanted 1 or 3 channels", rows, cols, s.c, s.h,
                       s.w);
    }
    HS_TRY(hs_size_mul(cols, s.w + gap, &w));
    HS_TRY(hs_size_mul(rows, s.h + gap, &h));
    im.w = w - gap;
    im.h = h - gap;
    HS_TRY(hs_size_mul(im.w, im.h, &n));
    if (im.w > INT32_MAX || im.h > INT32_MAX || n > (size_t)1 << 30) {
        HS_TRY(hs_fail(HS_ELIMIT, "a picture grid of %zu x %zu pixels; the limit is 2^30 in all", im.w, im.h));
    }
    HS_TRY(hs_alloc(n, s.c, &im.px));
    memset(im.px, 255, n * s.c);
    for (size_t i = 0; i < rows * cols; i++) {
        size_t y = i / cols * (s.h + gap), left = i % cols * (s.w + gap);
        put_image(x + i * hs_chw_size(s), s, im.w, im.px + (y * im.w + left) * s.c);
    }
    *out = im;
out:
    return rc;
}

int hs_image_from_float(const float *x, hs_chw s, hs_image *out)
{
    return hs_image_grid(x, 1, 1, s, 0, out);
}
