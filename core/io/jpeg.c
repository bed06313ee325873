#include "core/io/jpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* These come with stdio.h and size_t only. */
#include <jerror.h>
#include <jpeglib.h>

#include "core/base/alloc.h"

enum { SCANS_MAX = 100, EXIF = JPEG_APP0 + 1 };

typedef struct {
    struct jpeg_error_mgr mgr; /* first: libjpeg hands it back */
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    int code;
    unsigned orientation;
    char message[JMSG_LENGTH_MAX];
} guard;

int hs_jpeg_is(const void *bytes, size_t len)
{
    return len >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

/* ---- libjpeg's complaints ------------------------------------------------------------------------- */

static void on_error(j_common_ptr j)
{
    guard *g = (guard *)j->err;
    g->mgr.format_message(j, g->message);
    g->code = g->mgr.msg_code == JERR_OUT_OF_MEMORY ? HS_ENOMEM : HS_EFORMAT;
    longjmp(g->jump, 1);
}

/* Warnings mean that pixels were made up, but for those about bytes that play no part. */
static void on_message(j_common_ptr j, int level)
{
    switch (level < 0 ? j->err->msg_code : JWRN_EXTRANEOUS_DATA) {
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_ADOBE_XFORM: return;
    default: on_error(j);
    }
}

/* A scan costs a pass over all coefficients and a few bytes of file. */
static void on_progress(j_common_ptr j)
{
    guard *g = (guard *)j->err;
    if (((j_decompress_ptr)j)->input_scan_number > SCANS_MAX) {
        snprintf(g->message, sizeof g->message, "more than %d scans", SCANS_MAX);
        g->code = HS_ELIMIT;
        longjmp(g->jump, 1);
    }
}

/* ---- Orientation ----------------------------------------------------------------------------------- */

static unsigned number(const unsigned char *b, size_t bytes, int little)
{
    unsigned v = 0;
    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | b[little ? bytes - 1 - i : i];
    }
    return v;
}

/* Tag 0x0112 of the first directory, 1 ... 8; 1 when it is absent or makes no sense, as everyone takes it. */
static unsigned orientation_of(const unsigned char *b, size_t len)
{
    if (len < 14 || memcmp(b, "Exif\0\0", 6) != 0) {
        return 1;
    }
    b += 6;
    len -= 6;
    int little = b[0] == 'I';
    size_t at = number(b + 4, 4, little);
    if (number(b + 2, 2, little) != 42 || at > len - 2) {
        return 1;
    }
    size_t entries = number(b + at, 2, little);
    for (at += 2; entries > 0 && at + 12 <= len; entries--, at += 12) {
        if (number(b + at, 2, little) == 0x0112 && number(b + at + 2, 2, little) == 3) {
            unsigned v = number(b + at + 8, 2, little);
            return v >= 1 && v <= 8 ? v : 1;
        }
    }
    return 1;
}

static unsigned orientation(const struct jpeg_decompress_struct *j)
{
    for (jpeg_saved_marker_ptr m = j->marker_list; m != NULL; m = m->next) {
        if (m->marker == EXIF && m->data_length > 6 && memcmp(m->data, "Exif", 4) == 0) {
            return orientation_of(m->data, m->data_length);
        }
    }
    return 1;
}

/* *im <- upright.  5 ... 8 swap the axes; then columns and rows run backwards as the number says. */
static int turn(unsigned how, hs_image *im)
{
    const int swap = how >= 5, back_x = how == 2 || how == 3 || how == 7 || how == 8,
              back_y = how == 3 || how == 4 || how == 6 || how == 7;
    hs_image out = {.w = swap ? im->h : im->w, .h = swap ? im->w : im->h, .c = im->c};
    if (how == 1) {
        return HS_OK;
    }
    int rc = hs_alloc(im->w * im->h, im->c, &out.px);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t y = 0; y < out.h; y++) {
        for (size_t x = 0; x < out.w; x++) {
            size_t from_x = swap ? y : x, from_y = swap ? x : y;
            from_x = back_x ? im->w - 1 - from_x : from_x;
            from_y = back_y ? im->h - 1 - from_y : from_y;
            memcpy(out.px + (y * out.w + x) * im->c, im->px + (from_y * im->w + from_x) * im->c, im->c);
        }
    }
    hs_image_free(im);
    *im = out;
    return HS_OK;
}

/* ---- Decoding --------------------------------------------------------------------------------------- */

static int check_header(const struct jpeg_decompress_struct *j, const hs_image_limits *lim)
{
    uint64_t w = j->image_width, h = j->image_height;
    if (w > lim->side || h > lim->side || w * h > lim->pixels) {
        return hs_fail(HS_ELIMIT, "image of %u x %u pixels; the limit is %zu a side and %zu in all", j->image_width,
                       j->image_height, lim->side, lim->pixels);
    }
    if (j->num_components != 1 && j->num_components != 3) {
        return hs_fail(HS_EFORMAT, "a JPEG of %d components%s; convert it to RGB", j->num_components,
                       j->num_components == 4 ? " (CMYK)" : "");
    }
    return HS_OK;
}

/* Every object that must survive the longjmp is the caller's. */
static int decode(guard *g, struct jpeg_decompress_struct *j, const void *bytes, size_t len, const hs_image_limits *lim,
                  hs_image *im)
{
    if (setjmp(g->jump) != 0) {
        return hs_fail(g->code, "damaged JPEG: %s", g->message);
    }
    jpeg_create_decompress(j);
    j->progress = &g->progress;
    jpeg_mem_src(j, bytes, (unsigned long)len);
    jpeg_save_markers(j, EXIF, 0xffff);
    jpeg_read_header(j, TRUE);
    g->orientation = orientation(j); /* the markers go when decoding ends */
    int rc = check_header(j, lim);
    if (rc != HS_OK) {
        return rc;
    }
    im->w = j->image_width;
    im->h = j->image_height;
    im->c = (size_t)j->num_components;
    j->out_color_space = im->c == 1 ? JCS_GRAYSCALE : JCS_RGB;
    rc = hs_alloc(im->w * im->h, im->c, &im->px);
    if (rc != HS_OK) {
        return rc;
    }
    jpeg_start_decompress(j);
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = im->px + (size_t)j->output_scanline * im->w * im->c;
        jpeg_read_scanlines(j, &row, 1);
    }
    jpeg_finish_decompress(j);
    return HS_OK;
}

int hs_jpeg_decode(const void *bytes, size_t len, const hs_image_limits *limits, hs_image *out)
{
    const hs_image_limits lim = limits != NULL ? *limits : HS_IMAGE_LIMITS;
    int rc;
    guard g = {.progress = {.progress_monitor = on_progress}};
    struct jpeg_decompress_struct j = {0};
    hs_image im = {0};
    j.err = jpeg_std_error(&g.mgr);
    g.mgr.error_exit = on_error;
    g.mgr.emit_message = on_message;
    HS_TRY(decode(&g, &j, bytes, len, &lim, &im));
    HS_TRY(turn(g.orientation, &im));
    *out = im;
    im = (hs_image){0};
out:
    jpeg_destroy_decompress(&j);
    hs_image_free(&im);
    return rc;
}
