#include "analysis/figures/curves.h"

#include <math.h>
#include <stdio.h>

static void draw(hs_figure *fig, size_t panel, const hs_figure_distances *c, size_t block)
{
    const double level = panel == 0 ? c->edit : c->boost, at = panel == 0 ? c->t_edit : c->t_boost;
    char title[80];
    snprintf(title, sizeof title, panel == 0 ? "x to P_t: t_edit %.0f" : "x to x_t: t_boost %.0f", at);
    hs_figure_panel(fig, panel, title, NULL);
    hs_figure_x_axis(fig, c->t[0], c->t[c->S - 1], "t");
    hs_figure_y_name(fig, panel, c->distance);
    hs_str_addf(
        &fig->gp,
        "unset key\nset yrange [0:*]\nunset arrow\n"
        "set arrow 1 from graph 0,first %.6g to graph 1,first %.6g nohead lw 0.8 dt (4,3) lc rgb '#808080'\n"
        "set arrow 2 from first %.6g,graph 0 to first %.6g,graph 1 nohead lw 0.8 dt (1,2) lc rgb '#808080'\nplot",
        level, level, at, at);
    hs_figure_using(fig, block, panel == 0 ? "1:2" : "1:3");
    hs_str_addf(&fig->gp, "with lines lt %zu notitle\n", panel + 1);
}

int hs_figure_curves(const hs_figure_distances *c, const hs_figure_options *opt, int *drawn)
{
    static const hs_figure_grid grid = {2, 2, 1.8, 0.56, 0.1, 0.42, 0.4, 0.6, 0};
    const double *const column[] = {c->t, c->p, c->x};
    hs_figure fig = {0};
    char caption[200];
    int rc = HS_OK;
    if (c->S < 2) {
        return hs_fail(HS_ESHAPE, "curves of %zu timesteps; wanted 2 or more", c->S);
    }
    snprintf(caption, sizeof caption,
             "Distance of each trajectory's own end from its prediction and from x_t (%.40s), means over %zu images; "
             "dashed: threshold, dotted: where it is reached.",
             c->distance, c->n);
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : 6.75, &grid, caption, &fig));
    size_t block = hs_figure_block(&fig, "t distance_p distance_x", c->S, 3, column);
    draw(&fig, 0, c, block);
    draw(&fig, 1, c, block);
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
