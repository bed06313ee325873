#include "analysis/figures/theorem1.h"

#include <math.h>
#include <stdio.h>

static void draw(hs_figure *fig, size_t panel, const hs_figure_coefficients *curve, size_t n, const size_t *block,
                 double last)
{
    const char *label[HS_FIGURE_COLOURS];
    hs_figure_panel(fig, panel, panel == 0 ? "asymmetric: P only" : "symmetric: P and D", NULL);
    hs_figure_x_axis(fig, 0, last, "t");
    hs_figure_y_name(fig, panel, "coefficient");
    for (size_t i = 0; i < n; i++) {
        label[i] = curve[i].label;
    }
    if (panel == 0) {
        hs_figure_legend(fig, n, label, NULL);
    }
    hs_str_add(&fig->gp, "unset key\nset yrange [*:0]\nplot");
    for (size_t i = 0; i < n; i++) {
        hs_str_add(&fig->gp, i > 0 ? ", \\\n" : "");
        hs_figure_using(fig, block[i], panel == 0 ? "1:3" : "1:2");
        hs_str_addf(&fig->gp, "with %s lt %zu notitle", curve[i].S > 1 ? "lines" : "points", i + 1);
    }
    hs_str_add(&fig->gp, "\n");
}

int hs_figure_theorem1(const hs_figure_coefficients *curve, size_t n, const hs_figure_options *opt, int *drawn)
{
    static const hs_figure_grid grid = {2, 2, 1.8, 0.62, 0.1, 0.42, 0.4, 0.6, 0};
    int rc = HS_OK;
    hs_figure fig = {0};
    size_t block[HS_FIGURE_COLOURS];
    double last = 1;
    if (n < 1 || n > HS_FIGURE_COLOURS) {
        return hs_fail(HS_ESHAPE, "a figure of %zu step sequences; 1 to %d are possible", n, HS_FIGURE_COLOURS);
    }
    for (size_t i = 0; i < n; i++) {
        if (curve[i].S == 0) {
            return hs_fail(HS_ESHAPE, "a step sequence without steps");
        }
        last = fmax(last, curve[i].t[0]);
    }
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : 6.75, &grid,
                           "Theorem 1: change of the next image per change of eps, in one step at t.", &fig));
    for (size_t i = 0; i < n; i++) {
        const double *const column[] = {curve[i].t, curve[i].symmetric, curve[i].asymmetric};
        block[i] = hs_figure_block(&fig, "t symmetric asymmetric", curve[i].S, 3, column);
    }
    draw(&fig, 0, curve, n, block, last);
    draw(&fig, 1, curve, n, block, last);
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
