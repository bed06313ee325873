#include "analysis/figures/scree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/figures/palette.h"
#include "core/base/alloc.h"

enum { SHOWN = 6, NARROW = 4 }; /* the legend of a narrow figure has room for NARROW */

static const int point[SHOWN] = {7, 5, 9, 13, 6, 4};

/* total (k) <- running sums; NaN ends them. */
static void add_up(const double *ratio, size_t k, double *total)
{
    double sum = 0;
    for (size_t i = 0; i < k; i++) {
        sum += ratio[i];
        total[i] = sum;
    }
}

/* Colours from dark to light along the sequence, without its pale end. */
static void curve_style(size_t i, size_t shown, char look[64])
{
    char hex[8];
    hs_palette_sequential(shown > 1 ? 0.85 * (double)i / (double)(shown - 1) : 0.2, hex);
    snprintf(look, 64, "lw 1.1 dt 1 lc rgb '%s' pt %d ps 0.35 * PS", hex, point[i]);
}

static void draw(hs_figure *fig, size_t panel, size_t k, size_t shown, const hs_figure_spectrum *const *s,
                 const size_t *block)
{
    char text[SHOWN][64];
    const char *look[SHOWN], *label[SHOWN];
    for (size_t i = 0; i < shown; i++) {
        curve_style(i, shown, text[i]);
        look[i] = text[i];
        label[i] = s[i]->label;
    }
    hs_figure_panel(fig, panel, panel == 0 ? "per component" : "cumulative", NULL);
    hs_figure_x_axis(fig, 1, (double)(k > 1 ? k : 2), "component");
    hs_str_add(&fig->gp, k <= 8 ? "set xtics 1\n" : "");
    hs_figure_y_name(fig, panel, "explained variance ratio");
    if (panel == 0) {
        hs_figure_legend(fig, shown, label, look);
    }
    hs_str_add(&fig->gp, panel == 0 ? "unset key\nset yrange [0:*]\nplot" : "set yrange [0:1]\nplot");
    for (size_t i = 0; i < shown; i++) {
        hs_str_add(&fig->gp, i > 0 ? ", \\\n" : "");
        hs_figure_using(fig, block[i], panel == 0 ? "1:2" : "1:3");
        hs_str_addf(&fig->gp, "with linespoints %s notitle", look[i]);
    }
    hs_str_add(&fig->gp, "\n");
}

int hs_figure_scree(const hs_figure_spectrum *spectrum, size_t n_spectra, size_t k, size_t n,
                    const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    hs_figure fig = {0};
    double *index = NULL, *total = NULL;
    const hs_figure_spectrum *shown[SHOWN];
    size_t block[SHOWN], count;
    char caption[256], samples[64] = "", left_out[64] = "";
    if (n_spectra == 0 || k == 0) {
        return hs_fail(HS_ESHAPE, "a scree figure of %zu spectra of %zu components", n_spectra, k);
    }
    double width = opt->width > 0 ? opt->width : 3.25;
    count = width < 4 ? NARROW : SHOWN;
    count = n_spectra < count ? n_spectra : count;
    HS_TRY(hs_alloc(k, sizeof *index, &index));
    HS_TRY(hs_alloc(k, sizeof *total, &total));
    if (n > 0) {
        snprintf(samples, sizeof samples, ", n = %zu samples", n);
    }
    if (n_spectra > count) {
        snprintf(left_out, sizeof left_out, " %zu of %zu timesteps are shown.", count, n_spectra);
    }
    snprintf(caption, sizeof caption, "Principal components of h%s.%s", samples, left_out);
    hs_figure_grid grid = {2, 2, width < 4 ? 1.4 : 1.8, 0.56, 0.1, 0.42, 0.4, 0.38, 0};
    HS_TRY(hs_figure_begin(opt, width, &grid, caption, &fig));
    for (size_t i = 0; i < count; i++) {
        shown[i] = &spectrum[count > 1 ? i * (n_spectra - 1) / (count - 1) : 0];
        add_up(shown[i]->ratio, k, total);
        for (size_t j = 0; j < k; j++) {
            index[j] = (double)(j + 1);
        }
        const double *const column[] = {index, shown[i]->ratio, total};
        block[i] = hs_figure_block(&fig, shown[i]->label, k, 3, column);
    }
    draw(&fig, 0, k, count, shown, block);
    draw(&fig, 1, k, count, shown, block);
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    free(index);
    free(total);
    hs_figure_free(&fig);
    return rc;
}
