#include "analysis/figures/sweep.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"

static int check(const hs_figure_sweep_panel *panel, size_t n)
{
    if (n == 0 || n > 24) {
        return hs_fail(HS_ESHAPE, "a sweep figure of %zu panels; 1 to 24 are possible", n);
    }
    for (size_t i = 0; i < n; i++) {
        if (panel[i].n_curves == 0 || panel[i].n_curves > HS_FIGURE_COLOURS) {
            return hs_fail(HS_ESHAPE, "%zu curves in one panel; 1 to %d are possible", panel[i].n_curves,
                           HS_FIGURE_COLOURS);
        }
        for (size_t k = 0; k < panel[i].n_curves; k++) {
            if (panel[i].curve[k].m < 2 || panel[i].curve[k].n < 1) {
                return hs_fail(HS_ESHAPE, "curve %s: %zu images, %zu strengths; 1 and 2 are needed",
                               panel[i].curve[k].label, panel[i].curve[k].n, panel[i].curve[k].m);
            }
        }
    }
    return HS_OK;
}

/* Columns: strength, mean, image 0, image 1 ... */
static int add_curve(hs_figure *fig, const hs_figure_curve *c, size_t *block)
{
    int rc = HS_OK;
    double *mean = NULL;
    const double **column = NULL, *row;
    HS_TRY(hs_calloc(c->m, sizeof *mean, &mean));
    HS_TRY(hs_alloc(c->n + 2, sizeof *column, &column));
    for (size_t i = 0; i < c->n; i++) {
        row = c->effect + i * c->m;
        for (size_t j = 0; j < c->m; j++) {
            mean[j] += row[j] / (double)c->n;
        }
        column[i + 2] = row;
    }
    column[0] = c->strength;
    column[1] = mean;
    *block = hs_figure_block(fig, c->label, c->m, c->n + 2, column);
out:
    free(mean);
    free(column);
    return rc;
}

static int draw(hs_figure *fig, size_t i, const hs_figure_sweep_panel *p)
{
    int rc = HS_OK;
    size_t block[HS_FIGURE_COLOURS];
    const char *label[HS_FIGURE_COLOURS];
    double lo = p->curve[0].strength[0], hi = lo;
    hs_figure_panel(fig, i, p->readout, NULL);
    for (size_t k = 0; k < p->n_curves; k++) {
        const hs_figure_curve *c = &p->curve[k];
        lo = c->strength[0] < lo ? c->strength[0] : lo;
        hi = c->strength[c->m - 1] > hi ? c->strength[c->m - 1] : hi;
        HS_TRY(add_curve(fig, c, &block[k]));
    }
    hs_figure_x_axis(fig, lo, hi, "strength s");
    hs_figure_y_name(fig, i, "change of read-out");
    hs_str_add(&fig->gp, "set xzeroaxis lw 0.5 lc rgb '#909090'\nset yzeroaxis lw 0.5 lc rgb '#909090'\n");
    if (i == 0) {
        for (size_t k = 0; k < p->n_curves; k++) {
            label[k] = p->curve[k].label;
        }
        hs_figure_legend(fig, p->n_curves, label, NULL);
    }
    hs_str_add(&fig->gp, "unset key\nplot");
    for (size_t k = 0; k < p->n_curves; k++) {
        for (size_t j = 0; j < p->curve[k].n && j < 64; j++) {
            char columns[32];
            snprintf(columns, sizeof columns, "1:%zu", j + 3);
            hs_figure_using(fig, block[k], columns);
            hs_str_addf(&fig->gp, "with lines lw 0.5 dt 1 lc rgb '%s' notitle, \\\n", hs_figure_tint[k]);
        }
    }
    for (size_t k = 0; k < p->n_curves; k++) {
        hs_figure_using(fig, block[k], "1:2");
        hs_str_addf(&fig->gp, "with linespoints lt %zu notitle%s\n", k + 1, k + 1 < p->n_curves ? ", \\" : "");
    }
out:
    return rc;
}

int hs_figure_sweep(const hs_figure_sweep_panel *panel, size_t n_panels, const hs_figure_options *opt, int *drawn)
{
    char caption[256];
    hs_figure fig = {0};
    int rc = check(panel, n_panels);
    if (rc != HS_OK) {
        return rc;
    }
    snprintf(caption, sizeof caption,
             "Change against strength 0. Thick: mean of n = %zu images; thin: single images%s.", panel[0].curve[0].n,
             panel[0].curve[0].n > 64 ? " (the first 64)" : "");
    double width = opt->width > 0 ? opt->width : n_panels > 1 ? 6.75 : 3.25;
    size_t cols = width < 4 ? 1 : n_panels == 2 || n_panels == 4 ? 2 : 3;
    hs_figure_grid grid = {n_panels, cols, cols == 1 ? 1.75 : 1.4, 0.68, 0.1, 0.42, 0.4, 0.52, 0.7};
    HS_TRY(hs_figure_begin(opt, width, &grid, caption, &fig));
    for (size_t i = 0; i < n_panels; i++) {
        HS_TRY(draw(&fig, i, &panel[i]));
    }
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
