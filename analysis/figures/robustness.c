#include "analysis/figures/robustness.h"

#include <math.h>
#include <stdio.h>

/* Ends of the levels above 0. */
static void ends(const hs_figure_robust *f, double *lo, double *hi)
{
    *lo = HUGE_VAL;
    *hi = 0;
    for (size_t a = 0; a < f->n_arms; a++) {
        for (size_t j = 0; j < f->arm[a].m; j++) {
            double l = f->arm[a].level[j];
            *lo = l > 0 && l < *lo ? l : *lo;
            *hi = l > *hi ? l : *hi;
        }
    }
}

/* A logarithmic axis of x with ticks at 1, 2 and 5 times powers of ten, few enough to be read. */
static void log_axis(hs_figure *fig, double lo, double hi, const char *name)
{
    static const double step[3] = {1, 2, 5};
    double air = pow(hi / lo, 0.04), decades = log10(hi / lo);
    int wide = decades > 2.2, first = 1;
    hs_figure_x_axis(fig, lo, hi, name);
    hs_str_addf(&fig->gp, "set logscale x\nset xrange [%.6g:%.6g]\nset xtics (", lo / air, hi * air);
    for (int e = (int)floor(log10(lo)) - 1; e <= (int)ceil(log10(hi)); e++) {
        for (int k = 0; k < 3; k += wide ? 3 : 1) {
            double at = step[k] * pow(10, e);
            if (at >= lo / air && at <= hi * air) {
                hs_str_addf(&fig->gp, "%s'%.4g' %.6g", first ? "" : ", ", at, at);
                first = 0;
            }
        }
    }
    hs_str_add(&fig->gp, ")\n");
}

static void curve(hs_figure *fig, const hs_figure_arm *a, size_t block, size_t colour, int last)
{
    hs_figure_using(fig, block, "($1>0?$1:1/0):2");
    hs_str_addf(&fig->gp, "with linespoints lt %zu notitle, \\\n", colour + 1);
    hs_str_addf(
        &fig->gp, " '+' using (%.17g):(threshold) every ::0::0 with points pt %d ps 1.1 lw 1.2 lc rgb '%s' notitle%s",
        isfinite(a->sigma50) ? a->sigma50 : NAN, a->bound ? 4 : 5, hs_figure_colour[colour], last ? "\n" : ", \\\n");
}

static void draw(hs_figure *fig, const hs_figure_robust *f, const size_t *block)
{
    double lo, hi;
    ends(f, &lo, &hi);
    hs_figure_panel(fig, 0, f->title, f->subtitle);
    const char *label[HS_FIGURE_ARMS];
    for (size_t a = 0; a < f->n_arms; a++) {
        label[a] = f->arm[a].name;
    }
    hs_figure_legend(fig, f->n_arms, label, NULL);
    log_axis(fig, lo, hi, f->unit);
    hs_figure_y_name(fig, 0, f->damage);
    hs_str_add(&fig->gp, "unset key\nset yrange [0:*]\nset samples 2\n");
    hs_str_addf(&fig->gp, "threshold = %.17g\n", isfinite(f->threshold) ? f->threshold : NAN);
    if (isfinite(f->threshold)) {
        hs_str_addf(&fig->gp,
                    "set arrow 90 from graph 0,first %.6g to graph 1,first %.6g nohead lw 0.8 dt (4,3) lc rgb "
                    "'#808080'\n",
                    f->threshold, f->threshold);
    }
    hs_str_add(&fig->gp, "plot");
    for (size_t a = 0; a < f->n_arms; a++) {
        hs_figure_using(fig, block[a], "($1>0?$1:1/0):3:4");
        hs_str_addf(&fig->gp, "with filledcurves fc rgb '%s' notitle, \\\n", hs_figure_tint[a]);
    }
    for (size_t a = 0; a < f->n_arms; a++) {
        curve(fig, &f->arm[a], block[a], a, a + 1 == f->n_arms);
    }
}

int hs_figure_robustness(const hs_figure_robust *f, const hs_figure_options *opt, int *drawn)
{
    static const hs_figure_grid grid = {1, 1, 2.1, 0.6, 0.1, 0.62, 0.4, 0.6, 0};
    hs_figure fig = {0};
    char caption[400];
    size_t block[HS_FIGURE_ARMS];
    int rc = HS_OK, enough = 0;
    for (size_t a = 0; a < f->n_arms; a++) {
        enough |= f->arm[a].m > 2;
    }
    if (!enough) {
        return hs_fail(HS_ESHAPE, "a robustness figure without an arm of two levels above 0");
    }
    snprintf(
        caption, sizeof caption,
        "Mean damage above level 0, n = %zu images; bands: %g %% bootstrap intervals over images, B = %zu. Dashed: "
        "half the plateau of eps_p; squares: where each arm crosses it (sigma50), open where that is only a bound.",
        f->n, isfinite(f->level) ? f->level : 95, f->bootstrap);
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : 4.5, &grid, caption, &fig));
    for (size_t a = 0; a < f->n_arms; a++) {
        const double *const column[] = {f->arm[a].level, f->arm[a].mean, f->arm[a].lo, f->arm[a].hi};
        char head[80];
        snprintf(head, sizeof head, "level damage_%.20s ci_low ci_high", f->arm[a].name);
        block[a] = hs_figure_block(&fig, head, f->arm[a].m, 4, column);
    }
    draw(&fig, f, block);
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
