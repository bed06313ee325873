#include "analysis/figures/matrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/palette.h"
#include "core/base/alloc.h"

enum { NUMBERS = 8, LABELS = 16, BOXES = 10000, ACROSS = 3 };

static double reach_of(const hs_figure_table *t)
{
    return t->reach > 0 ? t->reach : 1;
}

/* Inches that the longest of the labels takes at 7 points, cut as add_labels cuts. */
static double room(size_t n, const char *const *label)
{
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(label[i]);
        longest = len > longest ? len : longest;
    }
    double in = (double)longest * 0.058;
    return in > 0.75 ? 0.75 : in;
}

/* At most LABELS labels along an axis, evenly picked. */
static void add_labels(hs_figure *fig, const char *axis, size_t n, const char *const *label, const char *extra)
{
    size_t step = (n + LABELS - 1) / LABELS;
    hs_str_addf(&fig->gp, "set %stics %s scale 0 (", axis, extra);
    for (size_t i = 0; i < n; i += step) {
        hs_str_add(&fig->gp, i > 0 ? ", " : "");
        hs_figure_quote_fit(fig, label[i], 0.75, 7);
        hs_str_addf(&fig->gp, " %zu", i);
    }
    hs_str_add(&fig->gp, ")\n");
}

/* One row of the data a cell: column, row, value. */
static int add_cells(hs_figure *fig, const hs_figure_table *t, size_t *block)
{
    int rc = HS_OK;
    size_t n = t->rows * t->cols;
    double *x = NULL, *y = NULL, *star = NULL;
    HS_TRY(hs_alloc(n, sizeof *x, &x));
    HS_TRY(hs_alloc(n, sizeof *y, &y));
    for (size_t i = 0; i < n; i++) {
        x[i] = (double)(i % t->cols);
        y[i] = (double)(i / t->cols);
    }
    HS_TRY(hs_calloc(n, sizeof *star, &star));
    for (size_t i = 0; i < n && t->marked != NULL; i++) {
        star[i] = t->marked[i];
    }
    const double *const column[] = {x, y, t->value, t->lo, t->hi, star};
    *block = t->lo != NULL ? hs_figure_block(fig, "column row value low high star", n, 6, column)
                           : hs_figure_block(fig, "column row value", n, 3, column);
out:
    free(x);
    free(y);
    free(star);
    return rc;
}

/* The numbers in the cells: white on dark ones, black on light ones. */
static void add_numbers(hs_figure *fig, const hs_figure_table *t, size_t block)
{
    static const char *const ink = "(DARK($3) ? 0xffffff : 0x000000)";
    char columns[200];
    const char *number =
        t->lo != NULL ? "sprintf('%.2f%s', ROUND($3), $6 > 0 ? '*' : '')" : "sprintf('%.2f', ROUND($3))";
    snprintf(columns, sizeof columns, "1:2:(strcol(3) eq 'nan' ? '' : %s):%s", number, ink);
    hs_str_add(&fig->gp, ", \\\n");
    hs_figure_using(fig, block, columns);
    hs_str_addf(&fig->gp, "with labels font ',%s' tc rgb variable %snotitle", t->lo != NULL ? "7.5" : "6.5",
                t->lo != NULL ? "offset 0,0.35 " : "");
    if (t->lo != NULL) {
        snprintf(columns, sizeof columns,
                 "1:2:(strcol(4) eq 'nan' ? '' : sprintf('[%%.2f, %%.2f]', ROUND($4), ROUND($5))):%s", ink);
        hs_str_add(&fig->gp, ", \\\n");
        hs_figure_using(fig, block, columns);
        hs_str_add(&fig->gp, "with labels font ',5.5' tc rgb variable offset 0,-0.4 notitle");
    }
}

static void draw(hs_figure *fig, size_t panel, const hs_figure_table *t, size_t block)
{
    double bar = (t->lo != NULL ? 0.12 : 0.1) / fig->panel_w;    /* inches, as a part of the panel's width */
    hs_str_add(&fig->gp, "ROUND(v) = abs(v) < 0.005 ? 0 : v\n"); /* no -0.00 */
    hs_str_addf(&fig->gp, t->is_signed ? "DARK(v) = abs(v) > %g\n" : "DARK(v) = v < %g\n",
                (t->is_signed ? 0.6 : 0.55) * reach_of(t));
    hs_figure_panel(fig, panel, t->title, NULL);
    hs_palette_set(&fig->gp, t->is_signed);
    hs_str_addf(&fig->gp,
                "set cbrange [%g:%g]\nset colorbox user origin graph %.4f,graph 0 size graph %.4f,graph 1 noborder\n"
                "set cbtics %g scale 0 offset -0.8,0\nunset key\nset border 0\n",
                t->is_signed ? -reach_of(t) : 0, reach_of(t), 1 + bar, bar, (t->lo != NULL ? 1 : 0.5) * reach_of(t));
    hs_str_addf(&fig->gp, "set xrange [-0.5:%g]\nset yrange [%g:-0.5]\n", (double)t->cols - 0.5, (double)t->rows - 0.5);
    add_labels(fig, "x", t->cols, t->col_label, t->cols > 5 ? "rotate by 60 right" : "norotate");
    add_labels(fig, "y", t->rows, t->row_label, "");
    hs_figure_y_name(fig, panel, t->row_axis);
    if (t->col_axis != NULL && panel == 0) {
        hs_str_add(&fig->gp, "set label 4 ");
        hs_figure_quote(fig, t->col_axis);
        hs_str_addf(&fig->gp, " at screen %.4f,%.4f center\n", (fig->left + 0.5 * fig->panel_w) / fig->width,
                    (fig->caption_h + 0.09) / fig->height);
    }
    hs_str_add(&fig->gp, "plot");
    if (t->rows * t->cols <= BOXES) { /* boxes that overlap a little leave no seams */
        hs_figure_using(fig, block, "1:2:(0.52):(0.52):3");
        hs_str_add(&fig->gp, "with boxxyerror fc palette notitle");
    } else {
        hs_figure_using(fig, block, "1:2:3");
        hs_str_add(&fig->gp, "with image notitle");
    }
    if (t->rows <= NUMBERS && t->cols <= NUMBERS) {
        add_numbers(fig, t, block);
    }
    hs_str_add(&fig->gp, "\n");
}

/* Where n panels go; cells with intervals are broad. */
static hs_figure_grid lay_out(size_t n, const hs_figure_table *t, double width)
{
    const size_t cols = n < ACROSS ? n : ACROSS;
    const int broad = t->lo != NULL;
    double beside = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        beside = fmax(beside, room(t[i].rows, t[i].row_label));
        below = fmax(below, t[i].cols > 5 ? 0.87 * room(t[i].cols, t[i].col_label) : 0.08);
    }
    below += 0.14;
    double right = broad ? 0.6 : 0.5, left = 0.14 + beside + (t->row_axis != NULL ? 0.17 : 0);
    double gap = beside + (cols < ACROSS ? 0.8 : 0.6);
    double box = (width - left - right - (double)(cols - 1) * gap) / (double)cols;
    double h = broad ? 0.36 * (double)t->rows : box * (double)t->rows / (double)t->cols;
    return (hs_figure_grid){.n = n,
                            .cols = cols,
                            .panel_h = fmin(fmax(h, 0.4), 8),
                            .left = left,
                            .right = right,
                            .top = 0.28,
                            .bottom = below + (t->col_axis != NULL ? 0.17 : 0),
                            .gap_x = gap,
                            .gap_y = below + 0.35};
}

int hs_figure_matrices(size_t n, const hs_figure_table *t, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t block;
    hs_figure fig = {0};
    if (n == 0 || t->rows == 0 || t->cols == 0 || t->rows > 1000 || t->cols > 1000) {
        return hs_fail(HS_ESHAPE, "a matrix figure of %zu x %zu; 1 to 1000 are possible", t->rows, t->cols);
    }
    double width = opt->width > 0 ? opt->width : n > 1 || (t->lo != NULL && t->cols > 3) ? 6.75 : 3.25;
    const hs_figure_grid grid = lay_out(n, t, width);
    HS_TRY(hs_figure_begin(opt, width, &grid, t->caption, &fig));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(add_cells(&fig, &t[i], &block));
        draw(&fig, i, &t[i], block);
    }
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}

int hs_figure_matrix(const hs_figure_table *t, const hs_figure_options *opt, int *drawn)
{
    return hs_figure_matrices(1, t, opt, drawn);
}
