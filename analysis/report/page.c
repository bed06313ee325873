#include "analysis/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/image.h"

struct hs_page {
    hs_str html;
    char *mark;
    size_t figures;
};

static const char head_html[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";

static const char style_html[] =
    "<style>\n"
    ":root { --ink: #1c1c1e; --soft: #5d5d63; --rule: #d9d9de; --mark: #b34700; --paper: #fff; --desk: #f4f4f2;\n"
    "  --good: #0b6e4f; --bad: #a3312d; --open: #6b6b72; color-scheme: light dark; }\n"
    "@media (prefers-color-scheme: dark) { :root { --ink: #e6e6e8; --soft: #a5a5ad; --rule: #3d3d44; --mark: #ff9d5c;\n"
    "  --paper: #1b1b1e; --desk: #121214; --good: #5cc9a0; --bad: #f08a84; --open: #a5a5ad; }\n"
    "  figure div { background: #fff; border-radius: 4px; padding: .5rem; } }\n"
    "html { background: var(--desk); }\n"
    "body { font: 17px/1.55 Charter, 'Bitstream Charter', 'Source Serif 4', Georgia, 'DejaVu Serif', serif;\n"
    "  color: var(--ink); background: var(--paper); max-width: 47rem; margin: 0 auto; padding: 3.2rem 3.2rem 4rem;\n"
    "  box-sizing: border-box; text-rendering: optimizeLegibility; }\n"
    "h1, h2, h3, table, figcaption, .mark, .lead, .card, dl { font-family: system-ui, 'Helvetica Neue', Arial, 'DejaVu "
    "Sans', "
    "sans-serif; }\n"
    "h1 { font-size: 1.75rem; line-height: 1.2; font-weight: 650; letter-spacing: -.01em; margin: 0 0 .5rem; }\n"
    ".lead { color: var(--soft); font-size: .95rem; margin: 0 0 2rem; }\n"
    "h2 { font-size: 1.15rem; font-weight: 650; margin: 2.6rem 0 .7rem; padding-top: 1.1rem;\n"
    "  border-top: 1px solid var(--rule); }\n"
    "h3 { font-size: .95rem; font-weight: 650; margin: 1.6rem 0 .5rem; }\n"
    "p { margin: .7rem 0; }\n"
    ".cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.4rem, 1fr)); gap: .7rem; margin: .8rem "
    "0; }\n"
    ".card { border: 1px solid var(--rule); border-top: 4px solid var(--tone); border-radius: 4px;\n"
    "  padding: .6rem .7rem .7rem; font-size: .8rem; line-height: 1.4; break-inside: avoid; }\n"
    ".card b { display: block; font-size: 1.05rem; font-weight: 650; color: var(--tone); margin: .1rem 0; }\n"
    ".card i { display: block; font-style: normal; font-variant-numeric: tabular-nums; margin-bottom: .35rem; }\n"
    ".card span { color: var(--soft); } .good { --tone: var(--good); } .bad { --tone: var(--bad); }\n"
    ".open { --tone: var(--open); }\n"
    "figure { margin: 1.4rem 0; break-inside: avoid; }\n"
    "figure div { position: relative; width: fit-content; max-width: 100%; }\n"
    "figure svg { display: block; width: 100%; height: auto; }\n"
    "figure img { display: block; max-width: 100%; height: auto; image-rendering: pixelated; }\n"
    "figcaption { font-size: .82rem; line-height: 1.45; color: var(--soft); margin-top: .5rem; }\n"
    "figure .mark { position: absolute; top: 0; right: 0; background: #fff; padding: 0 .4em; }\n"
    ".mark { color: var(--mark); font-size: .8rem; font-weight: 600; }\n"
    "h1 .mark { font-size: .9rem; vertical-align: .25em; border: 1.5px solid var(--mark); border-radius: 3px;\n"
    "  padding: .05em .4em; margin-left: .4em; }\n"
    "table { border-collapse: collapse; font-size: .84rem; line-height: 1.4; margin: 1rem 0; width: 100%;\n"
    "  font-variant-numeric: tabular-nums; }\n"
    "th { text-align: left; font-weight: 600; border-bottom: 1.5px solid var(--ink); }\n"
    "th, td { padding: .32rem .9rem .32rem 0; vertical-align: top; overflow-wrap: break-word; }\n"
    "td { border-bottom: 1px solid var(--rule); }\n"
    "td.n, th.n { text-align: right; white-space: nowrap; }\n"
    "table.pairs td { overflow-wrap: anywhere; }\n"
    "table.pairs td:first-child { color: var(--soft); white-space: nowrap; width: 1%; padding-right: 1.6rem; }\n"
    "pre { font: .78rem/1.5 ui-monospace, 'DejaVu Sans Mono', monospace; background: var(--desk); padding: .8rem "
    "1rem;\n"
    "  white-space: pre-wrap; overflow-wrap: anywhere; }\n"
    "@media (max-width: 40rem) { body { padding: 1.4rem; } th, td { padding-right: .5rem; overflow-wrap: anywhere; }\n"
    "  table { font-size: .78rem; } }\n"
    "@media print { :root { --ink: #1c1c1e; --soft: #5d5d63; --rule: #d9d9de; --paper: #fff; --good: #0b6e4f;\n"
    "  --bad: #a3312d; --open: #6b6b72; } html { background: none; } body { font-size: 10.5pt; max-width: none; "
    "padding: 0; }\n"
    "  h2 { break-after: avoid; } pre { border: 1px solid var(--rule); background: none; } @page { margin: 2cm; } }\n"
    "</style>\n</head>\n<body>\n";

/* ---- Text ------------------------------------------------------------------------------------------- */

/* Control characters, broken UTF-8 and marks that turn the writing direction are shown as \xHH. */
static void add_text(hs_page *p, const char *text)
{
    char *safe;
    size_t size = strlen(text) * 4 + 1;
    if (hs_alloc(size, 1, &safe) != HS_OK) {
        p->html.failed = 1;
        return;
    }
    hs_text_escape(text, safe, size);
    for (const char *c = safe; *c != '\0'; c++) {
        const char *as = *c == '<'    ? "&lt;"
                         : *c == '>'  ? "&gt;"
                         : *c == '&'  ? "&amp;"
                         : *c == '"'  ? "&quot;"
                         : *c == '\'' ? "&#39;"
                                      : NULL;
        if (as != NULL) {
            hs_str_add(&p->html, as);
        } else {
            hs_str_add_bytes(&p->html, c, 1);
        }
    }
    free(safe);
}

static void add_element(hs_page *p, const char *open, const char *text, const char *close)
{
    hs_str_add(&p->html, open);
    add_text(p, text);
    hs_str_add(&p->html, close);
}

int hs_page_begin(const char *title, const char *lead, const char *mark, hs_page **out)
{
    int rc = HS_OK;
    hs_page *p = NULL;
    HS_TRY(hs_calloc(1, sizeof *p, &p));
    if (mark != NULL) {
        HS_TRY(hs_strdup(mark, &p->mark));
    }
    hs_str_add(&p->html, head_html);
    add_element(p, "<title>", title, "</title>\n");
    hs_str_add(&p->html, style_html);
    add_element(p, "<h1>", title, "");
    if (mark != NULL) {
        add_element(p, " <span class=\"mark\">", mark, "</span>");
    }
    hs_str_add(&p->html, "</h1>\n");
    if (lead != NULL) {
        add_element(p, "<p class=\"lead\">", lead, "</p>\n");
    }
    HS_TRY(hs_str_ok(&p->html));
    *out = p;
    p = NULL;
out:
    hs_page_free(p);
    return rc;
}

void hs_page_free(hs_page *p)
{
    if (p != NULL) {
        hs_str_free(&p->html);
        free(p->mark);
        free(p);
    }
}

void hs_page_section(hs_page *p, const char *heading)
{
    add_element(p, "<h2>", heading, "</h2>\n");
}

void hs_page_subsection(hs_page *p, const char *heading)
{
    add_element(p, "<h3>", heading, "</h3>\n");
}

void hs_page_cards(hs_page *p, size_t n, const hs_page_card *card)
{
    static const char *const tone[] = {"good", "bad", "open"};
    hs_str_add(&p->html, "<div class=\"cards\">\n");
    for (size_t i = 0; i < n; i++) {
        hs_str_addf(&p->html, "<div class=\"card %s\">", tone[card[i].tone]);
        add_element(p, "<span>", card[i].title, "</span>");
        add_element(p, "<b>", card[i].answer, "</b>");
        add_element(p, "<i>", card[i].number, "</i>");
        add_element(p, "<span>", card[i].text, "</span></div>\n");
    }
    hs_str_add(&p->html, "</div>\n");
}

void hs_page_text(hs_page *p, const char *text)
{
    add_element(p, "<p>", text, "</p>\n");
}

void hs_page_code(hs_page *p, const char *text)
{
    hs_str line = {0};
    hs_str_add(&p->html, "<pre>");
    while (*text != '\0') { /* line by line: a newline is not to be escaped here */
        size_t len = strcspn(text, "\n");
        line.len = 0;
        hs_str_add_bytes(&line, text, len);
        add_text(p, line.s != NULL && len > 0 ? line.s : "");
        hs_str_add(&p->html, "\n");
        text += len + (text[len] == '\n');
    }
    p->html.failed |= line.failed;
    hs_str_free(&line);
    hs_str_add(&p->html, "</pre>\n");
}

void hs_page_pairs(hs_page *p, size_t n, const hs_page_pair *pair)
{
    hs_str_add(&p->html, "<table class=\"pairs\">\n");
    for (size_t i = 0; i < n; i++) {
        if (pair[i].value != NULL) {
            add_element(p, "<tr><td>", pair[i].key, "</td>");
            add_element(p, "<td>", pair[i].value, "</td></tr>\n");
        }
    }
    hs_str_add(&p->html, "</table>\n");
}

static int is_number(const char *text)
{
    double v;
    return hs_text_f64(text, -1e300, 1e300, &v) == HS_OK;
}

void hs_page_table(hs_page *p, size_t cols, const char *const *head, size_t rows, const char *const *cell)
{
    hs_str_add(&p->html, "<table>\n<tr>");
    for (size_t j = 0; j < cols; j++) {
        int numbers = rows > 0 && is_number(cell[j]);
        add_element(p, numbers ? "<th class=\"n\">" : "<th>", head[j], "</th>");
    }
    hs_str_add(&p->html, "</tr>\n");
    for (size_t i = 0; i < rows; i++) {
        hs_str_add(&p->html, "<tr>");
        for (size_t j = 0; j < cols; j++) {
            const char *text = cell[i * cols + j];
            add_element(p, is_number(text) ? "<td class=\"n\">" : "<td>", text, "</td>");
        }
        hs_str_add(&p->html, "</tr>\n");
    }
    hs_str_add(&p->html, "</table>\n");
}

/* ---- Pictures ------------------------------------------------------------------------------------------ */

static void end_figure(hs_page *p, const char *caption)
{
    if (caption != NULL) {
        add_element(p, "\n<figcaption>", caption, "</figcaption>");
    }
    hs_str_add(&p->html, "\n</figure>\n");
}

/* True when the bytes at s begin a reference or a definition of an id; *len <- up to the id. */
static int at_id(const char *s, size_t *len)
{
    static const char *const lead[] = {" id=\"", " id='", "href='#", "href=\"#", "url(#"};
    for (size_t i = 0; i < sizeof lead / sizeof *lead; i++) {
        *len = strlen(lead[i]);
        if (strncmp(s, lead[i], *len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What a picture of gnuplot never holds, and a page must not. */
static int check_svg(const char *svg)
{
    static const char *const never[] = {"<script", "<foreignObject", "<iframe", "javascript:", " onload", "<!ENTITY"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        if (strcasestr(svg, never[i]) != NULL) {
            return hs_fail(HS_EFORMAT, "an SVG that holds \"%s\"", never[i]);
        }
    }
    for (const char *h = svg; (h = strstr(h, "href=")) != NULL; h += 5) {
        if (h[5] == '\0' || (h[6] != '#' && strncmp(h + 6, "data:image/png", 14) != 0)) {
            return hs_fail(HS_EFORMAT, "an SVG that links out");
        }
    }
    return HS_OK;
}

/* Appends the <svg> element, ids prefixed with this figure's number. */
static void add_svg(hs_page *p, const char *svg, const char *alt)
{
    size_t len;
    hs_str_add(&p->html, "<svg role=\"img\" aria-label=\"");
    add_text(p, alt);
    hs_str_add(&p->html, "\"");
    for (const char *s = svg + 4; *s != '\0';) {
        const char *past = strncmp(s, "<title>", 7) == 0 ? strstr(s, "</title>") : NULL;
        if (past != NULL) { /* gnuplot's names of its own plots would pop up under the pointer */
            len = (size_t)(past - s) + 8;
        } else if (at_id(s, &len)) {
            hs_str_add_bytes(&p->html, s, len);
            hs_str_addf(&p->html, "f%zu-", p->figures);
        } else {
            len = 1;
            hs_str_add_bytes(&p->html, s, 1);
        }
        s += len;
    }
}

int hs_page_svg(hs_page *p, const char *path, const char *alt, const char *caption)
{
    int rc = HS_OK;
    unsigned char *b = NULL;
    char *text = NULL;
    size_t len;
    HS_TRY(hs_file_read(path, (size_t)16 << 20, &b, &len));
    HS_TRY(hs_alloc(len + 1, 1, &text));
    memcpy(text, b, len);
    text[len] = '\0';
    const char *svg = strstr(text, "<svg"), *end = svg != NULL ? strstr(svg, "</svg>") : NULL;
    if (end == NULL || strlen(text) != len || strspn(end + 6, " \r\n\t") != strlen(end + 6)) {
        HS_TRY(hs_fail(HS_EFORMAT, "%s: not an SVG picture", path));
    }
    HS_TRY(hs_fail_in(check_svg(svg), path));
    p->figures++;
    hs_str_add(&p->html, "<figure>\n");
    add_svg(p, svg, alt);
    end_figure(p, caption);
out:
    free(b);
    free(text);
    return rc;
}

static void add_base64(hs_page *p, const unsigned char *b, size_t len)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned v = (unsigned)b[i] << 16;
        v |= i + 1 < len ? (unsigned)b[i + 1] << 8 : 0;
        v |= i + 2 < len ? b[i + 2] : 0;
        const char four[4] = {digit[v >> 18], digit[v >> 12 & 63], i + 1 < len ? digit[v >> 6 & 63] : '=',
                              i + 2 < len ? digit[v & 63] : '='};
        hs_str_add_bytes(&p->html, four, 4);
    }
}

int hs_page_png(hs_page *p, const char *path, const char *alt, const char *caption)
{
    int rc = HS_OK;
    hs_image im = {0};
    unsigned char *b = NULL;
    size_t len;
    HS_TRY(hs_file_read(path, HS_IMAGE_LIMITS.bytes, &b, &len));
    HS_TRY(hs_fail_in(hs_image_decode(b, len, 0, NULL, &im), path));
    p->figures++;
    /* Small pictures are shown larger, by a whole factor so that pixels stay square. */
    size_t zoom = im.w >= 340 ? 1 : im.w >= 160 ? 2 : 640 / im.w > 8 ? 8 : 640 / im.w;
    hs_str_addf(&p->html, "<figure>\n<div><img width=\"%zu\" height=\"%zu\" alt=\"", im.w * zoom, im.h * zoom);
    add_text(p, alt);
    hs_str_add(&p->html, "\" src=\"data:image/png;base64,");
    add_base64(p, b, len);
    hs_str_add(&p->html, "\">");
    if (p->mark != NULL) {
        add_element(p, "<span class=\"mark\">", p->mark, "</span>");
    }
    hs_str_add(&p->html, "</div>");
    end_figure(p, caption);
out:
    hs_image_free(&im);
    free(b);
    return rc;
}

int hs_page_commit(hs_page *p, const char *path, int force)
{
    hs_str_add(&p->html, "</body>\n</html>\n");
    int rc = hs_str_ok(&p->html);
    return rc != HS_OK ? rc : hs_file_write_atomic(path, p->html.s, p->html.len, force);
}
