#include "analysis/figures/geometry.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/figures/palette.h"
#include "core/base/alloc.h"

enum { SHARES, SPECTRUM_IN, SPECTRUM_OUT, DELTA, PANELS, BARS = 6, CURVES = 8 };

typedef struct {
    size_t S, r;                 /* timesteps, singular values */
    double *t, *share, *share_x; /* (S), (S, 3), (S, 3) */
    double *spectrum;            /* (2, S, r) */
    double *bar[BARS];           /* (S): delta, low, high, null, low, high */
    int shown[PANELS];
    size_t panels;
} contents;

static void contents_free(contents *g)
{
    free(g->t);
    free(g->share);
    free(g->share_x);
    free(g->spectrum);
    for (size_t k = 0; k < BARS; k++) {
        free(g->bar[k]);
    }
}

/* *out <- the array, of rank dimensions dim, those that are not 0 checked. */
HS_CHECKED static int get(hs_result_in *r, const char *path, const char *name, size_t rank, size_t *dim, double **out)
{
    size_t have, d[8];
    int rc = hs_result_shape(r, name, &have, d);
    for (size_t k = 0; rc == HS_OK && k < rank; k++) {
        if (have != rank || d[k] == 0 || (dim[k] != 0 && dim[k] != d[k])) {
            return hs_fail(HS_ESHAPE, "%s: /%s has another shape than wanted", path, name);
        }
        dim[k] = d[k];
    }
    return rc == HS_OK ? hs_result_get_f64(r, name, out) : rc;
}

HS_CHECKED static int read_contents(hs_result_in *r, const char *path, contents *g)
{
    static const char *const bar[BARS] = {"gromov_delta",      "gromov_delta_low",      "gromov_delta_high",
                                          "gromov_delta_null", "gromov_delta_null_low", "gromov_delta_null_high"};
    int rc = HS_OK;
    HS_TRY(get(r, path, "timestep", 1, &g->S, &g->t));
    if (hs_result_has(r, "share") && g->S > 1) {
        size_t dim[2] = {g->S, 3};
        HS_TRY(get(r, path, "share", 2, dim, &g->share));
        HS_TRY(get(r, path, "share_x", 2, dim, &g->share_x));
        g->shown[SHARES] = 1;
    }
    if (hs_result_has(r, "spectrum")) {
        size_t dim[3] = {2, g->S, 0};
        HS_TRY(get(r, path, "spectrum", 3, dim, &g->spectrum));
        g->r = dim[2];
        g->shown[SPECTRUM_IN] = g->shown[SPECTRUM_OUT] = 1;
    }
    for (size_t k = 0; k < BARS && hs_result_has(r, bar[0]); k++) {
        HS_TRY(get(r, path, bar[k], 1, &g->S, &g->bar[k]));
        g->shown[DELTA] = 1;
    }
    for (size_t k = 0; k < PANELS; k++) {
        g->panels += (size_t)g->shown[k];
    }
    rc = g->panels > 0 ? HS_OK : hs_fail(HS_ESHAPE, "%s: nothing that a figure of geometry shows", path);
out:
    return rc;
}

static void ends(const contents *g, double *lo, double *hi)
{
    *lo = *hi = g->t[0];
    for (size_t k = 1; k < g->S; k++) {
        *lo = fmin(*lo, g->t[k]);
        *hi = fmax(*hi, g->t[k]);
    }
}

/* Areas: up to image + noise + interaction, drawn from the highest down. */
static int draw_shares(hs_figure *fig, const contents *g, size_t panel)
{
    static const char *const label[4] = {"image", "noise", "interaction", "image, of x_t itself"};
    static const char *const style[4] = {"lt 1 lw 6", "lt 2 lw 6", "lt 3 lw 6", "lw 1.4 dt (4,3) lc rgb '#000000'"};
    double *v, lo, hi;
    int rc = hs_alloc(g->S, 4 * sizeof *v, &v);
    if (rc != HS_OK) {
        return rc;
    }
    const double *const column[5] = {g->t, v, v + g->S, v + 2 * g->S, v + 3 * g->S};
    for (size_t k = 0; k < g->S; k++) {
        for (size_t p = 0; p < 3; p++) {
            v[p * g->S + k] = fmax(g->share[3 * k + p], 0) + (p > 0 ? v[(p - 1) * g->S + k] : 0);
        }
        v[3 * g->S + k] = g->share_x[3 * k];
    }
    size_t block = hs_figure_block(fig, "t image image_noise all image_of_x", g->S, 5, column);
    ends(g, &lo, &hi);
    hs_figure_panel(fig, panel, "shares of the variance of h", NULL);
    hs_figure_legend(fig, 4, label, style);
    hs_figure_x_axis(fig, lo, hi, "t");
    hs_figure_y_name(fig, panel, "share");
    hs_str_addf(&fig->gp, "unset key\nset xrange [%.6g:%.6g]\nset yrange [0:1]\nplot", lo, hi);
    for (int p = 2; p >= 0; p--) {
        char columns[16];
        snprintf(columns, sizeof columns, "1:%d", p + 2);
        hs_figure_using(fig, block, columns);
        hs_str_addf(&fig->gp, "with filledcurves y1=0 fc rgb '%s' notitle, \\\n", hs_figure_colour[p]);
    }
    hs_figure_using(fig, block, "1:5");
    hs_str_add(&fig->gp, "with lines lw 1.4 dt (4,3) lc rgb '#000000' notitle\n");
    free(v);
    return HS_OK;
}

static int draw_spectrum(hs_figure *fig, const contents *g, size_t panel, size_t map)
{
    const size_t shown = g->S < CURVES ? g->S : CURVES;
    double *index;
    size_t block[CURVES];
    int rc = hs_alloc(g->r, sizeof *index, &index);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t i = 0; i < g->r; i++) {
        index[i] = (double)(i + 1);
    }
    for (size_t k = 0; k < shown; k++) {
        const size_t at = shown > 1 ? k * (g->S - 1) / (shown - 1) : 0;
        const double *const column[2] = {index, g->spectrum + (map * g->S + at) * g->r};
        char head[64];
        snprintf(head, sizeof head, "number sigma_t%.0f", g->t[at]);
        block[k] = hs_figure_block(fig, head, g->r, 2, column);
    }
    hs_figure_panel(fig, panel, map == 0 ? "x_t to h: sigma over the first" : "h to x0hat: sigma over the first", NULL);
    hs_figure_x_axis(fig, 1, (double)(g->r > 1 ? g->r : 2), "direction");
    hs_figure_y_name(fig, panel, "sigma");
    hs_str_add(&fig->gp, "unset key\nset yrange [0:1.05]\nplot");
    for (size_t k = 0; k < shown; k++) {
        char hex[8];
        hs_palette_sequential(shown > 1 ? 0.85 * (double)k / (double)(shown - 1) : 0.2, hex);
        hs_figure_using(fig, block[k], "1:2");
        hs_str_addf(&fig->gp, "with linespoints lw 1.1 dt 1 lc rgb '%s' pt 7 ps 0.35 * PS notitle%s", hex,
                    k + 1 < shown ? ", \\\n" : "\n");
    }
    free(index);
    return HS_OK;
}

static int draw_delta(hs_figure *fig, const contents *g, size_t panel)
{
    double lo, hi;
    const double *const column[BARS + 1] = {g->t, g->bar[0], g->bar[1], g->bar[2], g->bar[3], g->bar[4], g->bar[5]};
    size_t block = hs_figure_block(fig, "t delta ci_low ci_high gaussian low high", g->S, BARS + 1, column);
    ends(g, &lo, &hi);
    double width = g->S > 1 ? hi - lo : 60;
    for (size_t k = 1; k < g->S; k++) {
        width = fmin(width, fabs(g->t[k] - g->t[k - 1]));
    }
    width /= 3;
    hs_figure_panel(fig, panel, "Gromov's delta / diameter", "colour: h, grey: Gaussian clouds");
    hs_figure_x_axis(fig, lo - 1.5 * width, hi + 1.5 * width, "t");
    hs_figure_y_name(fig, panel, "mean over quadruples");
    hs_str_addf(&fig->gp, "unset key\nset yrange [0:*]\nset style fill solid 1 noborder\nbar = %.6g\nplot", width);
    hs_figure_using(fig, block, "($1-bar/2):2:(bar)");
    hs_str_addf(&fig->gp, "with boxes lc rgb '%s' notitle, \\\n", hs_figure_tint[0]);
    hs_figure_using(fig, block, "($1+bar/2):5:(bar)");
    hs_str_add(&fig->gp, "with boxes lc rgb '#B0B0B0' notitle, \\\n");
    hs_figure_using(fig, block, "($1-bar/2):2:3:4");
    hs_str_addf(&fig->gp, "with yerrorbars lc rgb '%s' pt -1 dt 1 lw 0.9 notitle, \\\n", hs_figure_colour[0]);
    hs_figure_using(fig, block, "($1+bar/2):5:6:7");
    hs_str_add(&fig->gp, "with yerrorbars lc rgb '#505050' pt -1 dt 1 lw 0.9 notitle\n");
    return HS_OK;
}

int hs_figure_geometry(hs_result_in *r, const char *path, const hs_figure_options *opt, int *drawn)
{
    contents g = {0};
    hs_figure fig = {0};
    char caption[400];
    double n = NAN;
    size_t panel = 0;
    int rc = HS_OK;
    HS_TRY(read_contents(r, path, &g));
    if (hs_result_attr_get_f64(r, NULL, "n", &n) != HS_OK) {
        n = NAN;
    }
    snprintf(
        caption, sizeof caption,
        "n = %.0f samples. Shares: two-way components of images and noises. Spectra: means over samples, dark at the "
        "highest t. Bars: jackknife intervals over samples; grey: Gaussian clouds of the same spectrum with their "
        "prediction limits.",
        n);
    const hs_figure_grid grid = {g.panels, g.panels > 1 ? 2 : 1, 1.7, 0.6, 0.12, 0.62, 0.42, 0.72, 0.72};
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : g.panels > 1 ? 6.75 : 4.5, &grid, caption, &fig));
    for (size_t k = 0; k < PANELS; k++) {
        if (!g.shown[k]) {
            continue;
        }
        HS_TRY(k == SHARES  ? draw_shares(&fig, &g, panel)
               : k == DELTA ? draw_delta(&fig, &g, panel)
                            : draw_spectrum(&fig, &g, panel, k - SPECTRUM_IN));
        panel++;
    }
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    contents_free(&g);
    return rc;
}
