/* The PDF: one page, one picture object a cell, text in a face that every reader has.  After ISO 32000-1. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "analysis/figures/strip_internal.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"

/* Points; 6.75 in is the width of a page of two columns. */
static const double width_max = 486, cell_max = 54, gap = 2, block_gap = 9, size = 8, line = 11, margin = 2;

/* Advance of ' ' ... '~' in Helvetica, thousandths of the size. */
static const short advance[95] = {278,  278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
                                  556,  556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
                                  1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
                                  667,  778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
                                  333,  556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
                                  556,  556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584};

static double text_width(const char *text)
{
    double sum = 0;
    for (; *text != '\0'; text++) {
        sum += advance[*text - ' '];
    }
    return sum * size / 1000;
}

/* Text cut to so many points. */
static void fit_text(const char *text, double room, char out[HS_STRIP_TEXT])
{
    size_t most = HS_STRIP_TEXT - 1;
    hs_strip_text(text, most, out);
    while (most > 1 && text_width(out) > room) {
        most = (strlen(out) < most ? strlen(out) : most) - 1;
        hs_strip_text(text, most, out);
    }
}

/* A file being written: where its objects begin. */
typedef struct {
    hs_str s;
    size_t *at, n; /* (n) offsets of objects 1 ... n */
} pdf;

static void begin_object(pdf *p)
{
    p->at[p->n++] = p->s.len;
    hs_str_addf(&p->s, "%zu 0 obj\n", p->n);
}

typedef struct {
    double cell_w, cell_h, left, top, w, h;
} layout;

static layout lay(const hs_strip *s)
{
    layout l = {0};
    char text[HS_STRIP_TEXT];
    double labels = 0;
    for (size_t i = 0; s->row_label != NULL && i < s->rows; i++) {
        fit_text(s->row_label[i], 80, text);
        labels = fmax(labels, text_width(text));
    }
    l.left = margin + (labels > 0 ? labels + 4 : 0);
    l.top = margin + (s->title != NULL ? line : 0) + (s->col_label != NULL ? line : 0);
    l.cell_w = fmin(cell_max, (width_max - l.left - margin + gap) / (double)s->cols - gap);
    l.cell_w = fmax(l.cell_w, 4);
    l.cell_h = l.cell_w * (double)s->shape.h / (double)s->shape.w;
    l.w = l.left + (double)s->cols * (l.cell_w + gap) - gap + margin;
    if (s->title != NULL) {
        fit_text(s->title, width_max - 2 * margin, text);
        l.w = fmax(l.w, text_width(text) + 2 * margin);
    }
    double blocks = s->block > 0 ? (double)((s->rows - 1) / s->block) : 0;
    l.h = l.top + (double)s->rows * (l.cell_h + gap) - gap + blocks * (block_gap - gap) + margin;
    return l;
}

/* Distance of the lower edge of a row from the bottom of the page. */
static double row_base(const hs_strip *s, const layout *l, size_t row)
{
    double above = s->block > 0 ? (double)(row / s->block) * (block_gap - gap) : 0;
    return l->h - l->top - (double)row * (l->cell_h + gap) - above - l->cell_h;
}

static void show_text(hs_str *c, double x, double y, const char *text)
{
    hs_str_addf(c, "BT /F %g Tf 1 0 0 1 %.2f %.2f Tm (", size, x, y);
    for (; *text != '\0'; text++) {
        if (strchr("()\\", *text) != NULL) {
            hs_str_add(c, "\\");
        }
        hs_str_add_bytes(c, text, 1);
    }
    hs_str_add(c, ") Tj ET\n");
}

static void show_labels(const hs_strip *s, const layout *l, hs_str *c)
{
    char text[HS_STRIP_TEXT];
    double y = l->h - margin - size + 1;
    if (s->title != NULL) {
        fit_text(s->title, l->w - 2 * margin, text);
        show_text(c, margin, y, text);
        y -= line;
    }
    for (size_t j = 0; s->col_label != NULL && j < s->cols; j++) {
        fit_text(s->col_label[j], l->cell_w + gap, text);
        double x = l->left + (double)j * (l->cell_w + gap) + 0.5 * (l->cell_w - text_width(text));
        show_text(c, x, y, text);
    }
    for (size_t i = 0; s->row_label != NULL && i < s->rows; i++) {
        fit_text(s->row_label[i], 80, text);
        show_text(c, l->left - 4 - text_width(text), row_base(s, l, i) + 0.5 * l->cell_h - 0.35 * size, text);
    }
}

/* Adds a stream object: dictionary entries, then deflated bytes. */
HS_CHECKED static int add_stream(pdf *p, const char *entries, const void *bytes, size_t len)
{
    int rc;
    uLongf packed_len = compressBound((uLong)len);
    unsigned char *packed = NULL;
    HS_TRY(hs_alloc(packed_len, 1, &packed));
    if (compress2(packed, &packed_len, bytes, (uLong)len, 9) != Z_OK) {
        rc = hs_fail(HS_ENOMEM, "PDF: %zu bytes can't be packed", len);
        goto out;
    }
    begin_object(p);
    hs_str_addf(&p->s, "<< %s /Filter /FlateDecode /Length %zu >>\nstream\n", entries, (size_t)packed_len);
    hs_str_add_bytes(&p->s, (const char *)packed, packed_len);
    hs_str_add(&p->s, "\nendstream\nendobj\n");
out:
    free(packed);
    return rc;
}

enum { CATALOG = 1, PAGES, PAGE, FACE, CONTENT, FIRST_PICTURE };

static void add_frame(pdf *p, const hs_strip *s, const layout *l)
{
    hs_str_add(&p->s, "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n");
    begin_object(p);
    hs_str_addf(&p->s, "<< /Type /Catalog /Pages %d 0 R >>\nendobj\n", PAGES);
    begin_object(p);
    hs_str_addf(&p->s, "<< /Type /Pages /Kids [%d 0 R] /Count 1 >>\nendobj\n", PAGE);
    begin_object(p);
    hs_str_addf(&p->s,
                "<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R\n"
                "/Resources << /Font << /F %d 0 R >> /XObject <<",
                PAGES, l->w, l->h, CONTENT, FACE);
    for (size_t i = 0; i < s->rows * s->cols; i++) {
        hs_str_addf(&p->s, " /I%zu %zu 0 R", i, FIRST_PICTURE + i);
    }
    hs_str_add(&p->s, " >> >> >>\nendobj\n");
    begin_object(p);
    hs_str_add(&p->s, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n");
}

HS_CHECKED static int add_content(pdf *p, const hs_strip *s, const layout *l)
{
    int rc;
    hs_str c = {0};
    show_labels(s, l, &c);
    for (size_t i = 0; i < s->rows * s->cols; i++) {
        hs_str_addf(&c, "q %.3f 0 0 %.3f %.3f %.3f cm /I%zu Do Q\n", l->cell_w, l->cell_h,
                    l->left + (double)(i % s->cols) * (l->cell_w + gap), row_base(s, l, i / s->cols), i);
    }
    HS_TRY(hs_str_ok(&c));
    HS_TRY(add_stream(p, "", c.s, c.len));
out:
    hs_str_free(&c);
    return rc;
}

HS_CHECKED static int add_pictures(pdf *p, const hs_strip *s)
{
    int rc;
    size_t z = hs_strip_zoom(s), w = z * s->shape.w, h = z * s->shape.h;
    uint8_t *rgb = NULL;
    char entries[160];
    snprintf(entries, sizeof entries,
             "/Type /XObject /Subtype /Image /Width %zu /Height %zu /ColorSpace /DeviceRGB /BitsPerComponent 8", w, h);
    HS_TRY(hs_alloc(w * h, 3, &rgb));
    for (size_t i = 0; i < s->rows * s->cols; i++) {
        hs_strip_picture(s, i, z, rgb);
        HS_TRY(add_stream(p, entries, rgb, w * h * 3));
    }
out:
    free(rgb);
    return rc;
}

static void add_trailer(pdf *p)
{
    size_t start = p->s.len;
    hs_str_addf(&p->s, "xref\n0 %zu\n0000000000 65535 f \n", p->n + 1);
    for (size_t i = 0; i < p->n; i++) {
        hs_str_addf(&p->s, "%010zu 00000 n \n", p->at[i]);
    }
    hs_str_addf(&p->s, "trailer\n<< /Size %zu /Root %d 0 R >>\nstartxref\n%zu\n%%%%EOF\n", p->n + 1, CATALOG, start);
}

int hs_strip_pdf(const char *path, const hs_strip *s, int force)
{
    int rc;
    pdf p = {0};
    const layout l = lay(s);
    HS_TRY(hs_alloc(FIRST_PICTURE + s->rows * s->cols, sizeof *p.at, &p.at));
    add_frame(&p, s, &l);
    HS_TRY(add_content(&p, s, &l));
    HS_TRY(add_pictures(&p, s));
    add_trailer(&p);
    HS_TRY(hs_str_ok(&p.s));
    HS_TRY(hs_file_write_atomic(path, p.s.s, p.s.len, force));
out:
    hs_str_free(&p.s);
    free(p.at);
    return rc;
}
