/* What both forms share, and the PNG. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/figures/glyphs.h"
#include "analysis/figures/strip_internal.h"
#include "core/base/alloc.h"

enum {
    CELL = 64,
    GAP = 4,
    BLOCK_GAP = 20,
    MARGIN = 8,
    SCALE = 2,
    STEP = HS_GLYPH_STEP * SCALE,
    LINE = 22,
    ROW_CHARS = 16,
    TITLE_CHARS = 60
};

size_t hs_strip_zoom(const hs_strip *s)
{
    return (CELL + s->shape.w - 1) / s->shape.w;
}

void hs_strip_picture(const hs_strip *s, size_t i, size_t z, uint8_t *rgb)
{
    const size_t w = s->shape.w, h = s->shape.h, c = s->shape.c, row = z * w * 3;
    uint8_t *px = rgb + z * h * row - w * h * c; /* the small picture at the end, overwritten last */
    hs_image_bytes(s->x + i * c * h * w, s->shape, px);
    for (size_t y = 0; y < h; y++) {
        uint8_t *line = rgb + y * z * row, small[3];
        for (size_t x = 0; x < w; x++) {
            const uint8_t *p = px + (y * w + x) * c;
            for (size_t k = 0; k < 3; k++) {
                small[k] = p[c == 3 ? k : 0];
            }
            for (size_t r = 0; r < z; r++) {
                memcpy(line + (x * z + r) * 3, small, 3);
            }
        }
        for (size_t r = 1; r < z; r++) {
            memcpy(line + r * row, line, row);
        }
    }
}

size_t hs_strip_row_chars(const hs_strip *s)
{
    size_t most = 0;
    for (size_t i = 0; s->row_label != NULL && i < s->rows; i++) {
        size_t n = strlen(s->row_label[i]);
        most = n > most ? n : most;
    }
    return most < ROW_CHARS ? most : ROW_CHARS;
}

void hs_strip_text(const char *text, size_t most, char out[HS_STRIP_TEXT])
{
    size_t n = strlen(text), room = most < HS_STRIP_TEXT - 1 ? most : HS_STRIP_TEXT - 1;
    size_t len = n < room ? n : room;
    for (size_t i = 0; i < len; i++) {
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    }
    if (len < n && len > 0) {
        out[len - 1] = '.';
    }
    out[len] = '\0';
}

/* ---- PNG ------------------------------------------------------------------------------------------ */

/* Where everything stands, pixels. */
typedef struct {
    size_t z, cell_w, cell_h, left, top;
} layout;

static layout lay(const hs_strip *s, hs_image *im)
{
    size_t z = hs_strip_zoom(s), chars = hs_strip_row_chars(s);
    layout l = {.z = z, .cell_w = z * s->shape.w, .cell_h = z * s->shape.h};
    l.left = MARGIN + (chars > 0 ? chars * STEP + MARGIN : 0);
    l.top = MARGIN + (s->title != NULL ? (size_t)LINE : 0) + (s->col_label != NULL ? (size_t)LINE : 0);
    size_t blocks = s->block > 0 ? (s->rows - 1) / s->block : 0;
    im->c = 3;
    im->w = l.left + s->cols * (l.cell_w + GAP) - GAP + MARGIN;
    if (s->title != NULL) {
        size_t n = strlen(s->title), wide = 2 * MARGIN + (n < TITLE_CHARS ? n : TITLE_CHARS) * STEP;
        im->w = wide > im->w ? wide : im->w;
    }
    im->h = l.top + s->rows * (l.cell_h + GAP) - GAP + blocks * (BLOCK_GAP - GAP) + MARGIN;
    return l;
}

static size_t row_top(const hs_strip *s, const layout *l, size_t row)
{
    return l->top + row * (l->cell_h + GAP) + (s->block > 0 ? row / s->block * (BLOCK_GAP - GAP) : 0);
}

/* Text from (x, y), the top left corner; what would leave the picture is left out. */
static void print(hs_image *im, size_t x, size_t y, const char *text)
{
    for (; *text != '\0'; text++, x += STEP) {
        size_t top = y + hs_glyph_drop(*text) * SCALE;
        for (unsigned v = 0; v < HS_GLYPH_H * SCALE; v++) {
            uint8_t bits = hs_glyph_row(*text, v / SCALE);
            for (unsigned u = 0; u < HS_GLYPH_W * SCALE; u++) {
                if ((bits >> (HS_GLYPH_W - 1 - u / SCALE) & 1) != 0 && x + u < im->w && top + v < im->h) {
                    memset(im->px + ((top + v) * im->w + x + u) * 3, 0x20, 3);
                }
            }
        }
    }
}

static void print_labels(const hs_strip *s, const layout *l, hs_image *im)
{
    char text[HS_STRIP_TEXT];
    size_t y = MARGIN;
    if (s->title != NULL) {
        hs_strip_text(s->title, (im->w - 2 * MARGIN) / STEP, text);
        print(im, MARGIN, y, text);
        y += LINE;
    }
    for (size_t j = 0; s->col_label != NULL && j < s->cols; j++) {
        hs_strip_text(s->col_label[j], (l->cell_w + GAP) / STEP, text);
        size_t wide = strlen(text) * STEP - (text[0] != '\0' ? (size_t)SCALE : 0), x = l->left + j * (l->cell_w + GAP);
        print(im, wide < l->cell_w ? x + (l->cell_w - wide) / 2 : x, y, text);
    }
    for (size_t i = 0; s->row_label != NULL && i < s->rows; i++) {
        hs_strip_text(s->row_label[i], ROW_CHARS, text);
        size_t up = (l->cell_h - HS_GLYPH_H * SCALE) / 2;
        print(im, l->left - MARGIN - strlen(text) * STEP, row_top(s, l, i) + up, text);
    }
}

int hs_strip_png(const char *path, const hs_strip *s, int force)
{
    int rc;
    hs_image im = {0};
    uint8_t *cell = NULL;
    layout l = lay(s, &im);
    HS_TRY(hs_alloc(im.w * im.h, 3, &im.px));
    HS_TRY(hs_alloc(l.cell_w * l.cell_h, 3, &cell));
    memset(im.px, 255, im.w * im.h * 3);
    for (size_t i = 0; i < s->rows * s->cols; i++) {
        size_t x = l.left + i % s->cols * (l.cell_w + GAP), y = row_top(s, &l, i / s->cols);
        hs_strip_picture(s, i, l.z, cell);
        for (size_t v = 0; v < l.cell_h; v++) {
            memcpy(im.px + ((y + v) * im.w + x) * 3, cell + v * l.cell_w * 3, l.cell_w * 3);
        }
    }
    print_labels(s, &l, &im);
    HS_TRY(hs_image_write(path, &im, force));
out:
    free(cell);
    hs_image_free(&im);
    return rc;
}

/* ---- Either ----------------------------------------------------------------------------------------- */

static int check(const hs_strip *s)
{
    const size_t most = (size_t)1 << 28;
    size_t cells, pixels, z;
    if (s->rows == 0 || s->cols == 0 || (s->shape.c != 1 && s->shape.c != 3) || s->shape.h == 0 || s->shape.w == 0) {
        return hs_fail(HS_ESHAPE, "a strip of %zu x %zu pictures of %zu x %zu x %zu; wanted 1 or 3 channels", s->rows,
                       s->cols, s->shape.c, s->shape.h, s->shape.w);
    }
    z = hs_strip_zoom(s);
    if (hs_size_mul(s->rows, s->cols, &cells) != HS_OK ||
        hs_size_mul(s->shape.h * z, s->shape.w * z, &pixels) != HS_OK || hs_size_mul(cells, pixels, &pixels) != HS_OK ||
        pixels > most) {
        return hs_fail(HS_ELIMIT, "a strip of %zu x %zu pictures; the limit is 2^28 pixels in all", s->rows, s->cols);
    }
    return HS_OK;
}

int hs_strip_write(const char *path, const hs_strip *s, int force)
{
    const char *dot = strrchr(path, '.');
    int rc = check(s);
    if (rc != HS_OK) {
        return hs_fail_in(rc, path);
    }
    if (dot != NULL && strcasecmp(dot, ".png") == 0) {
        return hs_strip_png(path, s, force);
    }
    if (dot != NULL && strcasecmp(dot, ".pdf") == 0) {
        return hs_strip_pdf(path, s, force);
    }
    return hs_fail(HS_ERANGE, "%s: a strip ends in .png or .pdf", path);
}
