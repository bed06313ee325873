#include "analysis/figures/loss.h"

#include <stdio.h>

static void draw(hs_figure *fig, size_t panel, const hs_figure_training *run, size_t block)
{
    hs_figure_panel(fig, panel, panel == 0 ? "loss" : "gradient norm", NULL);
    hs_figure_x_axis(fig, run->update[0], run->update[run->n - 1], "update");
    hs_figure_y_name(fig, panel, "mean of a row");
    hs_str_add(&fig->gp, "unset key\nset logscale y\nset yrange [*:*]\nplot");
    hs_figure_using(fig, block, panel == 0 ? "1:2" : "1:3");
    hs_str_addf(&fig->gp, "with lines lw 1.1 dt 1 lc rgb '%s' notitle\nunset logscale y\n", hs_figure_colour[panel]);
}

int hs_figure_loss(const hs_figure_training *run, const hs_figure_options *opt, int *drawn)
{
    static const hs_figure_grid grid = {2, 2, 1.8, 0.56, 0.1, 0.42, 0.4, 0.6, 0};
    const double *const column[] = {run->update, run->loss, run->grad_norm};
    hs_figure fig = {0};
    char caption[200];
    int rc = HS_OK;
    if (run->n < 2) {
        return hs_fail(HS_ESHAPE, "a loss curve of %zu points; wanted 2 or more", run->n);
    }
    snprintf(caption, sizeof caption, "Training up to update %.0f: %.1f minutes, %.3g images a second at the end.",
             run->update[run->n - 1], run->seconds / 60, run->images_per_second);
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : 6.75, &grid, caption, &fig));
    size_t block = hs_figure_block(&fig, "update loss grad_norm", run->n, 3, column);
    draw(&fig, 0, run, block);
    draw(&fig, 1, run, block);
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
