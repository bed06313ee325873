#include "analysis/figures/linearity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int check(const hs_figure_line *panel, size_t n)
{
    if (n == 0 || n > 24) {
        return hs_fail(HS_ESHAPE, "a linearity figure of %zu panels; 1 to 24 are possible", n);
    }
    for (size_t i = 0; i < n; i++) {
        if (panel[i].m < 2) {
            return hs_fail(HS_ESHAPE, "read-out %s has %zu strengths; a curve needs 2", panel[i].readout, panel[i].m);
        }
    }
    return HS_OK;
}

/* "n = 8", or "n = 8 to 12" when the panels differ. */
static void range_text(const char *name, const hs_figure_line *p, size_t n, int bootstrap, char *out, size_t size)
{
    size_t lo = (size_t)-1, hi = 0;
    for (size_t i = 0; i < n; i++) {
        size_t v = bootstrap ? p[i].bootstrap : p[i].n;
        lo = v < lo ? v : lo;
        hi = v > hi ? v : hi;
    }
    if (lo == hi) {
        snprintf(out, size, "%s = %zu", name, lo);
    } else {
        snprintf(out, size, "%s = %zu to %zu", name, lo, hi);
    }
}

static void make_caption(const hs_figure_line *p, size_t n, char *out, size_t size)
{
    char images[64], resamples[64], band[160] = "";
    int null = 0, ci = 0;
    double level = isfinite(p[0].level) ? p[0].level : 95;
    for (size_t i = 0; i < n; i++) {
        null |= p[i].null_lo != NULL && p[i].null_hi != NULL;
        ci |= p[i].lo != NULL && p[i].hi != NULL;
    }
    range_text("n", p, n, 0, images, sizeof images);
    range_text("B", p, n, 1, resamples, sizeof resamples);
    if (ci) {
        snprintf(band, sizeof band, " Coloured band: %g %% bootstrap interval over images, %.32s.", level, resamples);
    }
    snprintf(out, size, "Mean change against strength 0, %s images.%s Dashes: least squares through the origin.%s",
             images, band,
             null ? " Grey: limits of the null, random directions of equal norm." : " No null was measured.");
}

static void subtitle(const hs_figure_line *p, char *out, size_t size)
{
    if (p->verdict != NULL && isfinite(p->index)) {
        snprintf(out, size, "%s \xc2\xb7 linearity index %.2f", p->verdict, p->index);
    } else if (p->verdict != NULL) {
        snprintf(out, size, "%s", p->verdict);
    } else {
        snprintf(out, size, "no verdict");
    }
}

/* The null is often run at the largest strengths only: then bars, not a band. */
static int null_is_band(const hs_figure_line *p)
{
    size_t finite = 0;
    for (size_t j = 0; j < p->m; j++) {
        finite += p->strength[j] == 0 || (isfinite(p->null_lo[j]) && isfinite(p->null_hi[j]));
    }
    return finite == p->m;
}

static void add_null(hs_figure *fig, size_t block, const hs_figure_line *p)
{
    char columns[96];
    if (null_is_band(p)) {
        hs_figure_using(fig, block, "1:5:6");
        hs_str_add(&fig->gp, "with filledcurves fc rgb '" HS_FIGURE_NULL_TINT "' notitle, \\\n");
        return;
    }
    snprintf(columns, sizeof columns, "1:(($5+$6)/2):(%.6g):(($6-$5)/2)",
             0.02 * (p->strength[p->m - 1] - p->strength[0]));
    hs_figure_using(fig, block, columns);
    hs_str_add(&fig->gp,
               "with boxxyerror fs solid 1 border rgb '#A0A0A0' fc rgb '" HS_FIGURE_NULL_TINT "' lw 0.5 notitle, \\\n");
}

static void add_bands(hs_figure *fig, size_t block, const hs_figure_line *p, int has_null, int has_ci)
{
    int band = has_null && null_is_band(p);
    if (band) {
        add_null(fig, block, p);
    }
    if (has_ci) {
        hs_figure_using(fig, block, "1:3:4");
        hs_str_addf(&fig->gp, "with filledcurves fc rgb '%s' notitle, \\\n", hs_figure_tint[0]);
    }
    for (int k = 5; k <= 6 && band; k++) { /* its edges stay visible under the interval */
        hs_figure_using(fig, block, k == 5 ? "1:5" : "1:6");
        hs_str_add(&fig->gp, "with lines lw 0.5 lc rgb '#A0A0A0' dt 1 notitle, \\\n");
    }
    if (has_null && !band) { /* a bar would vanish under the interval */
        add_null(fig, block, p);
    }
}

static void draw(hs_figure *fig, size_t i, const hs_figure_line *p)
{
    char title[256], verdict[128];
    const double *const column[] = {p->strength, p->mean, p->lo, p->hi, p->null_lo, p->null_hi};
    int has_null = p->null_lo != NULL && p->null_hi != NULL, has_ci = p->lo != NULL && p->hi != NULL;
    double s0 = p->strength[0], s1 = p->strength[p->m - 1];
    snprintf(title, sizeof title, "%s%s%s", p->readout, p->direction != NULL ? " along " : "",
             p->direction != NULL ? p->direction : "");
    subtitle(p, verdict, sizeof verdict);
    hs_figure_panel(fig, i, title, verdict);
    size_t block = hs_figure_block(fig, "strength mean ci_low ci_high null_low null_high", p->m, 6, column);
    hs_figure_x_axis(fig, s0, s1, "strength s");
    hs_figure_y_name(fig, i, "change of read-out");
    hs_str_add(&fig->gp, "set autoscale y\nset xzeroaxis lw 0.5 lc rgb '#909090'\nset yzeroaxis lw 0.5 lc rgb "
                         "'#909090'\nunset key\nplot");
    add_bands(fig, block, p, has_null, has_ci);
    if (isfinite(p->slope)) {
        hs_str_addf(&fig->gp, " [%.6g:%.6g] (%.17g)*x with lines lw 1 lc rgb '#000000' dt (9,5) notitle, \\\n", s0, s1,
                    p->slope);
    }
    hs_figure_using(fig, block, "1:2");
    hs_str_add(&fig->gp, "with linespoints lt 1 notitle\n");
}

int hs_figure_linearity(const hs_figure_line *panel, size_t n_panels, const hs_figure_options *opt, int *drawn)
{
    char caption[512];
    hs_figure fig = {0};
    int rc = check(panel, n_panels);
    if (rc != HS_OK) {
        return rc;
    }
    double width = opt->width > 0 ? opt->width : n_panels > 1 ? 6.75 : 3.25;
    size_t cols = width < 4 ? 1 : n_panels == 2 || n_panels == 4 ? 2 : 3;
    hs_figure_grid grid = {n_panels, cols, cols == 1 ? 1.75 : 1.4, 0.68, 0.1, 0.42, 0.4, 0.52, 0.84};
    make_caption(panel, n_panels, caption, sizeof caption);
    HS_TRY(hs_figure_begin(opt, width, &grid, caption, &fig));
    for (size_t i = 0; i < n_panels; i++) {
        draw(&fig, i, &panel[i]);
    }
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
