#include "analysis/figures/figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "analysis/figures/gnuplot.h"
#include "core/base/alloc.h"
#include "core/io/file.h"

/* Okabe and Ito, in an order whose first ones also differ in grey. */
const char *const hs_figure_colour[HS_FIGURE_COLOURS] = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                         "#E69F00", "#56B4E9", "#000000"};
const char *const hs_figure_tint[HS_FIGURE_COLOURS] = {"#C2DCEC", "#F6D9C4", "#C2E8DE", "#F3E0EB",
                                                       "#FAE9C4", "#D8EDFA", "#D0D0D0"};

static const char styles[] = "set encoding utf8\n"
                             "set border 3 lw 0.6 lc rgb '#404040'\n"
                             "set tics nomirror out scale 0.5 font ',7' textcolor rgb '#202020'\n"
                             "set xtics offset 0,0.25\n"
                             "set minussign\n"
                             "set style fill solid 1 noborder\n"
                             "set linetype 1 lc rgb '#0072B2' lw 1.4 dt 1 pt 7 ps 0.35 * PS\n"
                             "set linetype 2 lc rgb '#D55E00' lw 1.4 dt (8,3) pt 5 ps 0.33 * PS\n"
                             "set linetype 3 lc rgb '#009E73' lw 1.4 dt (3,2) pt 9 ps 0.42 * PS\n"
                             "set linetype 4 lc rgb '#CC79A7' lw 1.4 dt (8,3,2,3) pt 13 ps 0.45 * PS\n"
                             "set linetype 5 lc rgb '#E69F00' lw 1.4 dt (12,3) pt 11 ps 0.42 * PS\n"
                             "set linetype 6 lc rgb '#56B4E9' lw 1.4 dt (8,2,2,2,2,2) pt 6 ps 0.4 * PS\n"
                             "set linetype 7 lc rgb '#000000' lw 1.4 dt (1,2) pt 4 ps 0.38 * PS\n";

/* ---- Text --------------------------------------------------------------------------------------- */

/* In double quotes with octal escapes: gnuplot reads a doubled quote at the start of a single-quoted
 * string wrongly, and runs backquotes in a double-quoted one. */
void hs_figure_quote(hs_figure *fig, const char *text)
{
    char safe[1024];
    hs_text_escape(text, safe, sizeof safe);
    hs_str_add(&fig->gp, "\"");
    for (const char *p = safe; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (strchr("\"\\`$@'", c) != NULL) {
            hs_str_addf(&fig->gp, "\\%03o", c);
        } else {
            hs_str_add_bytes(&fig->gp, p, 1);
        }
    }
    hs_str_add(&fig->gp, "\"");
}

/* Bytes of the first n characters of UTF-8 text. */
static size_t prefix_bytes(const char *text, size_t n)
{
    size_t i = 0, chars = 0;
    while (text[i] != '\0') {
        if (((unsigned char)text[i] & 0xc0) != 0x80 && chars++ == n) {
            break;
        }
        i++;
    }
    return i;
}

static size_t fitting(double inches, double pt)
{
    double chars = inches * 72 / (0.56 * pt); /* 0.56: the mean advance of DejaVu Sans in em */
    return chars < 1 ? 1 : (size_t)chars;
}

void hs_figure_quote_fit(hs_figure *fig, const char *text, double inches, double pt)
{
    size_t most = fitting(inches, pt);
    if (strlen(text) == prefix_bytes(text, most)) {
        hs_figure_quote(fig, text);
        return;
    }
    hs_str cut = {0};
    hs_str_add_bytes(&cut, text, prefix_bytes(text, most - 1));
    hs_str_add(&cut, "\xe2\x80\xa6");
    fig->gp.failed |= cut.failed;
    hs_figure_quote(fig, cut.s != NULL ? cut.s : "");
    hs_str_free(&cut);
}

/* Bytes of the next caption line: up to most characters, cut at a blank where there is one. */
static size_t line_bytes(const char *text, size_t most)
{
    size_t end = prefix_bytes(text, most);
    if (text[end] == '\0') {
        return end;
    }
    for (size_t i = end; i > 0; i--) {
        if (text[i] == ' ') {
            return i;
        }
    }
    return end;
}

static size_t wrap(const char *text, double inches, double pt, size_t max, size_t *length)
{
    size_t lines = 0;
    while (*text != '\0' && lines < max) {
        length[lines] = line_bytes(text, fitting(inches, pt));
        text += length[lines++];
        text += *text == ' ';
    }
    return lines;
}

/* ---- The page ------------------------------------------------------------------------------------ */

static int split_name(const char *out, hs_figure *fig)
{
    int rc = HS_OK;
    const char *slash = strrchr(out, '/'), *base = slash != NULL ? slash + 1 : out, *dot = strrchr(base, '.');
    static const char *const formats[] = {"pdf", "svg", "png"};
    for (size_t i = 0; dot != NULL && dot > base && i < 3; i++) {
        if (strcasecmp(dot + 1, formats[i]) == 0) {
            fig->format = formats[i];
        }
    }
    if (fig->format == NULL) {
        return hs_fail(HS_ERANGE, "%s: a figure ends in .pdf, .svg or .png", out);
    }
    for (const char *p = base; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f) {
            return hs_fail(HS_ERANGE, "%s: a control character in the name of a figure", out);
        }
    }
    HS_TRY(hs_strdup(slash != NULL ? out : "./", &fig->dir));
    fig->dir[slash == out ? 1 : slash != NULL ? (size_t)(slash - out) : 1] = '\0';
    HS_TRY(hs_strdup(base, &fig->stem));
    fig->stem[dot - base] = '\0';
out:
    return rc;
}

/* Sizes in the terminal's own units: inches, points, pixels at 300 dpi. */
static void add_terminal(hs_figure *fig)
{
    double w = fig->width, h = fig->height;
    if (strcmp(fig->format, "pdf") == 0) {
        hs_str_addf(&fig->gp, "set terminal pdfcairo noenhanced color size %.3fin,%.3fin font 'sans,8'\n", w, h);
    } else if (strcmp(fig->format, "svg") == 0) {
        hs_str_addf(
            &fig->gp,
            "set terminal svg noenhanced size %.0f,%.0f dynamic font 'Helvetica,Arial,DejaVu Sans,sans-serif,8' "
            "background rgb 'white'\n",
            w * 72, h * 72);
    } else {
        hs_str_addf(&fig->gp,
                    "set terminal pngcairo noenhanced color size %.0f,%.0f font 'sans,8' fontscale %.3f linewidth 3 "
                    "pointscale 3\n",
                    w * 300, h * 300, 300.0 / 96);
    }
}

static void add_preamble(hs_figure *fig)
{
    hs_str_add(&fig->gp, "# Made by hspace; run again with: gnuplot ");
    hs_str_add(&fig->gp, fig->stem);
    hs_str_add(&fig->gp, ".gp\n");
    add_terminal(fig);
    hs_str_add(&fig->gp, "if (!exists('out')) out = ");
    char ext[8];
    hs_str name = {0};
    snprintf(ext, sizeof ext, ".%s", fig->format);
    hs_str_add(&name, fig->stem);
    hs_str_add(&name, ext);
    fig->gp.failed |= name.failed;
    hs_figure_quote(fig, name.s != NULL ? name.s : "");
    hs_str_free(&name);
    hs_str_add(&fig->gp, "\nset output out\ndata = ");
    hs_str dat = {0};
    hs_str_addf(&dat, "%s.dat", fig->stem);
    fig->gp.failed |= dat.failed;
    hs_figure_quote(fig, dat.s != NULL ? dat.s : "");
    hs_str_free(&dat);
    hs_str_addf(&fig->gp, "\nPS = %g\n%s", strcmp(fig->format, "svg") == 0 ? 1.5 : 1.0, styles);
}

static void add_caption(hs_figure *fig, const char *caption, size_t lines, const size_t *length)
{
    char line[512];
    for (size_t i = 0; i < lines; i++) {
        snprintf(line, sizeof line, "%.*s", (int)length[i], caption);
        caption += length[i];
        caption += *caption == ' ';
        hs_str_addf(&fig->gp, "set label %zu ", 100 + i);
        hs_figure_quote(fig, line);
        hs_str_addf(&fig->gp, " at screen %.4f,%.4f left font ',6.5' textcolor rgb '#505050'\n", 0.05 / fig->width,
                    (0.06 + 0.115 * (double)(lines - 1 - i) + 0.03) / fig->height);
    }
    if (fig->opt->mark != NULL) {
        hs_str_add(&fig->gp, "set label 199 ");
        hs_figure_quote(fig, fig->opt->mark);
        hs_str_addf(&fig->gp, " at screen %.4f,%.4f right font ',8' textcolor rgb '#D55E00'\n", 1 - 0.06 / fig->width,
                    1 - 0.1 / fig->height);
    }
}

int hs_figure_begin(const hs_figure_options *opt, double width, const hs_figure_grid *grid, const char *caption,
                    hs_figure *fig)
{
    enum { LINES = 6 };
    size_t length[LINES];
    *fig = (hs_figure){.opt = opt, .width = opt->width > 0 ? opt->width : width};
    if (!(fig->width >= 2 && fig->width <= 20)) {
        return hs_fail(HS_ERANGE, "a figure %g in wide; 2 to 20 are possible", fig->width);
    }
    int rc = split_name(opt->out, fig);
    if (rc != HS_OK) {
        return rc;
    }
    size_t lines = wrap(caption, fig->width - 0.1, 6.5, LINES, length);
    size_t cols = grid->cols < grid->n ? grid->cols : grid->n, rows = (grid->n + cols - 1) / cols;
    fig->cols = cols;
    fig->panels = grid->n;
    fig->left = grid->left;
    fig->right = grid->right;
    fig->top = grid->top + (opt->mark != NULL ? 0.15 : 0);
    fig->caption_h = 0.06 + 0.115 * (double)lines;
    fig->bottom = grid->bottom + fig->caption_h;
    fig->gap_x = grid->gap_x;
    fig->gap_y = grid->gap_y;
    fig->panel_h = grid->panel_h;
    fig->panel_w = (fig->width - grid->left - grid->right - grid->gap_x * (double)(cols - 1)) / (double)cols;
    fig->height = fig->top + fig->bottom + grid->panel_h * (double)rows + grid->gap_y * (double)(rows - 1);
    add_preamble(fig);
    add_caption(fig, caption, lines, length);
    hs_str_add(&fig->gp, "set multiplot\n");
    return hs_str_ok(&fig->gp);
}

/* Inches from the bottom of the page to the top of panel i. */
static double panel_top(const hs_figure *fig, size_t i)
{
    return fig->height - fig->top - (double)(i / fig->cols) * (fig->panel_h + fig->gap_y);
}

void hs_figure_panel(hs_figure *fig, size_t i, const char *title, const char *subtitle)
{
    double x = fig->left + (double)(i % fig->cols) * (fig->panel_w + fig->gap_x);
    double y = panel_top(fig, i) - fig->panel_h;
    fig->at = i;
    if (i == 1) { /* what belongs to the page is drawn once */
        hs_str_add(&fig->gp, "unset label\nunset arrow\n");
    }
    hs_str_addf(&fig->gp, "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", x / fig->width,
                (x + fig->panel_w) / fig->width);
    hs_str_addf(&fig->gp, "set bmargin at screen %.5f\nset tmargin at screen %.5f\n", y / fig->height,
                (y + fig->panel_h) / fig->height);
    const char *const line[2] = {title, subtitle};
    double left = fig->left - 0.05 < fig->gap_x || fig->cols == 1 ? fig->left - 0.05 : fig->gap_x - 0.1;
    const double above[2] = {subtitle != NULL ? 0.28 : 0.15, 0.14};
    for (int k = 0; k < 2; k++) {
        hs_str_addf(&fig->gp, "unset label %d\n", k + 1);
        if (line[k] == NULL) {
            continue;
        }
        hs_str_addf(&fig->gp, "set label %d ", k + 1);
        hs_figure_quote_fit(fig, line[k], fig->panel_w + left, k == 0 ? 8 : 7);
        hs_str_addf(&fig->gp, " at screen %.5f,%.5f left font ',%d' textcolor rgb '%s'\n", (x - left) / fig->width,
                    (y + fig->panel_h + above[k]) / fig->height, k == 0 ? 8 : 7, k == 0 ? "#000000" : "#404040");
    }
}

/* 1, 2 or 5 times a power of ten: at most about most steps in width. */
static double round_step(double width, double most)
{
    double raw = width / most, ten = pow(10, floor(log10(raw))), f = raw / ten;
    return ten * (f <= 1.001 ? 1 : f <= 2.001 ? 2 : f <= 5.001 ? 5 : 10);
}

void hs_figure_x_axis(hs_figure *fig, double lo, double hi, const char *name)
{
    double air = 0.04 * (hi - lo);
    hs_str_addf(&fig->gp, "set xrange [%.6g:%.6g]\n", lo - air, hi + air);
    if (hi > lo) {
        hs_str_addf(&fig->gp, "set xtics %.6g\n", round_step(hi - lo, fig->panel_w / 0.33));
    }
    hs_str_add(&fig->gp, "unset label 4\n");
    if (name != NULL) {
        double x = fig->left + (double)(fig->at % fig->cols) * (fig->panel_w + fig->gap_x) + 0.5 * fig->panel_w;
        hs_str_add(&fig->gp, "set label 4 ");
        hs_figure_quote(fig, name);
        hs_str_addf(&fig->gp, " at screen %.5f,%.5f center\n", x / fig->width,
                    (panel_top(fig, fig->at) - fig->panel_h - 0.3) / fig->height);
    }
}

void hs_figure_y_name(hs_figure *fig, size_t panel, const char *name)
{
    hs_str_add(&fig->gp, "unset label 3\n");
    if (panel % fig->cols != 0 || name == NULL) {
        return;
    }
    double y = panel_top(fig, panel) - 0.5 * fig->panel_h;
    hs_str_add(&fig->gp, "set label 3 ");
    hs_figure_quote(fig, name);
    hs_str_addf(&fig->gp, " at screen %.5f,%.5f center rotate by 90\n", 0.1 / fig->width, y / fig->height);
}

/* Characters of UTF-8 text. */
static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

/* The words of a look that an arrow knows too: all up to " pt ". */
static void add_line_words(hs_figure *fig, const char *look)
{
    const char *pt = strstr(look, " pt ");
    hs_str_add_bytes(&fig->gp, look, pt != NULL ? (size_t)(pt - look) : strlen(look));
    hs_str_add(&fig->gp, "\n");
}

/* Inches of a legend's label. */
static double label_width(const char *label)
{
    return (double)characters(label) * 0.058;
}

/* What a label may be wide where all share so many inches: short ones leave theirs to the longer. */
static double fair_width(size_t n, const char *const *label, double room)
{
    double most = room / (double)n;
    for (size_t round = 0; round < n; round++) {
        double used = 0;
        size_t longer = 0;
        for (size_t i = 0; i < n; i++) {
            double in = label_width(label[i]);
            used += in <= most ? in : 0;
            longer += in > most;
        }
        most = longer > 0 ? (room - used) / (double)longer : most;
    }
    return most;
}

void hs_figure_legend(hs_figure *fig, size_t n, const char *const *label, const char *const *style)
{
    const double sample = 0.32; /* with the gaps beside it */
    double x = 0.08, y = (fig->height - 0.1) / fig->height;
    double room = fig->width - 0.1 - (fig->opt->mark != NULL ? 0.7 : 0) - (double)n * sample;
    double most = fair_width(n, label, room);
    for (size_t i = 0; i < n; i++) {
        double in = label_width(label[i]);
        char number[32];
        snprintf(number, sizeof number, "lt %zu", i + 1);
        const char *look = style != NULL ? style[i] : number;
        hs_str_addf(&fig->gp, "set label %zu '' at screen %.5f,%.5f point %s\n", 10 + i, (x + 0.1) / fig->width, y,
                    look);
        hs_str_addf(&fig->gp, "set arrow %zu from screen %.5f,%.5f to screen %.5f,%.5f nohead ", i + 1, x / fig->width,
                    y, (x + 0.2) / fig->width, y);
        add_line_words(fig, look);
        hs_str_addf(&fig->gp, "set label %zu ", 30 + i);
        hs_figure_quote_fit(fig, label[i], most, 7);
        hs_str_addf(&fig->gp, " at screen %.5f,%.5f left font ',7'\n", (x + 0.24) / fig->width, y);
        x += sample + (in < most ? in : most);
    }
}

/* ---- Data ------------------------------------------------------------------------------------------ */

size_t hs_figure_block(hs_figure *fig, const char *head, size_t rows, size_t cols, const double *const *column)
{
    hs_str_add(&fig->dat, fig->blocks > 0 ? "\n\n# " : "# ");
    for (const char *p = head; *p != '\0'; p++) {
        hs_str_add_bytes(&fig->dat, (unsigned char)*p < 0x20 ? " " : p, 1);
    }
    hs_str_add(&fig->dat, "\n");
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++) {
            double v = column[j] != NULL ? column[j][i] : (double)NAN;
            if (isfinite(v)) {
                hs_str_addf(&fig->dat, j == 0 ? "%.17g" : " %.17g", v);
            } else {
                hs_str_add(&fig->dat, j == 0 ? "nan" : " nan");
            }
        }
        hs_str_add(&fig->dat, "\n");
    }
    return fig->blocks++;
}

void hs_figure_using(hs_figure *fig, size_t block, const char *columns)
{
    hs_str_addf(&fig->gp, " data index %zu using %s ", block, columns);
}

/* ---- The end ---------------------------------------------------------------------------------------- */

static int sibling(const hs_figure *fig, const char *ext, hs_str *path)
{
    hs_str_addf(path, "%s/%s%s", fig->dir, fig->stem, ext);
    return hs_str_ok(path);
}

int hs_figure_finish(hs_figure *fig, int *drawn)
{
    int rc = HS_OK, found = 0;
    hs_str gp = {0}, dat = {0}, base = {0};
    hs_str_add(&fig->gp, "unset multiplot\nunset output\n");
    HS_TRY(hs_str_ok(&fig->gp));
    HS_TRY(hs_str_ok(&fig->dat));
    HS_TRY(sibling(fig, ".gp", &gp));
    HS_TRY(sibling(fig, ".dat", &dat));
    hs_str_addf(&base, "%s.%s", fig->stem, fig->format);
    HS_TRY(hs_str_ok(&base));
    if (!fig->opt->force) { /* before anything is written */
        HS_TRY(hs_gnuplot_free_name(fig->dir, base.s));
    }
    HS_TRY(hs_file_write_atomic(dat.s, fig->dat.s != NULL ? fig->dat.s : "", fig->dat.len, fig->opt->force));
    HS_TRY(hs_file_write_atomic(gp.s, fig->gp.s, fig->gp.len, fig->opt->force));
    HS_TRY(hs_gnuplot_run(fig->dir, fig->stem, base.s, &found));
    *drawn = found;
out:
    hs_str_free(&gp);
    hs_str_free(&dat);
    hs_str_free(&base);
    return rc;
}

void hs_figure_free(hs_figure *fig)
{
    free(fig->dir);
    free(fig->stem);
    hs_str_free(&fig->gp);
    hs_str_free(&fig->dat);
    *fig = (hs_figure){0};
}
