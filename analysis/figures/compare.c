#include "analysis/figures/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/figures/palette.h"
#include "core/base/alloc.h"

enum { PROFILES = 3 };

static void tick(hs_figure *fig, size_t i, const char *label, size_t at, double inches)
{
    hs_str_add(&fig->gp, i > 0 ? ", " : "");
    hs_figure_quote_fit(fig, label, inches, 7);
    hs_str_addf(&fig->gp, " %zu", at);
}

/* Alignment by step, both ways, between its ceiling and its null. */
static void draw_steps(hs_figure *fig, const hs_figure_comparison *c)
{
    const double *const column[] = {c->t, c->aligned, c->back, c->ceiling, c->null};
    static const char *const label[] = {"a to b", "b to a", "ceiling", "shuffled pairs"};
    static const char *const style[] = {"lt 1", "lt 2", "lt 3", "lt 4"};
    double lo = c->t[0], hi = c->t[0];
    size_t block = hs_figure_block(fig, "t aligned back ceiling null", c->S, 5, column);
    for (size_t k = 0; k < c->S; k++) {
        lo = fmin(lo, c->t[k]);
        hi = fmax(hi, c->t[k]);
    }
    hs_figure_panel(fig, 0, "held-out aligned cosine", NULL);
    hs_figure_legend(fig, 4, label, style);
    hs_figure_x_axis(fig, lo, hi > lo ? hi : lo + 1, "t");
    hs_str_add(&fig->gp, "unset key\nset yrange [-0.2:1.05]\nset ytics 0.25\nplot");
    for (int i = 0; i < 4; i++) {
        char using[16];
        snprintf(using, sizeof using, "1:%d", i + 2);
        hs_figure_using(fig, block, using);
        hs_str_addf(&fig->gp, "with linespoints lt %d ps 0.5 notitle%s", i + 1, i < 3 ? ", \\\n" : "\n");
    }
}

static int draw_directions(hs_figure *fig, size_t panel, const hs_figure_comparison *c)
{
    double *x = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(c->D, sizeof *x, &x));
    for (size_t j = 0; j < c->D; j++) {
        x[j] = (double)j;
    }
    const double *const column[] = {x, c->over, c->over_lo, c->over_hi};
    size_t block = hs_figure_block(fig, "direction over low high", c->D, 4, column);
    hs_figure_panel(fig, panel, "directions: over the ceiling", NULL);
    hs_str_addf(
        &fig->gp,
        "unset xlabel\nset xrange [-0.6:%g]\nset yrange [-0.6:1.2]\nset ytics 0.5\nset xtics rotate by 40 right (",
        (double)c->D - 0.4);
    for (size_t j = 0; j < c->D; j++) {
        tick(fig, j, c->direction[j], j, 0.6);
    }
    hs_str_addf(&fig->gp,
                ")\nset arrow 1 from graph 0,first %.6g to graph 1,first %.6g nohead lw 0.8 dt (4,3) lc rgb '#808080'\n"
                "plot",
                c->standard, c->standard);
    hs_figure_using(fig, block, "1:2:(0.5)");
    hs_str_addf(&fig->gp, "with boxes fs solid fc rgb '%s' notitle, \\\n", hs_figure_tint[0]);
    hs_figure_using(fig, block, "1:2:3:4");
    hs_str_add(&fig->gp, "with yerrorbars lt 1 ps 0.4 notitle\nunset arrow 1\n");
out:
    free(x);
    return rc;
}

/* Effects of one direction on all factors in both models. */
static int draw_profile(hs_figure *fig, size_t panel, const hs_figure_comparison *c, size_t j)
{
    double *v = NULL;
    size_t far = 0;
    char title[96];
    int rc = HS_OK;
    HS_TRY(hs_alloc(3 * c->F, sizeof *v, &v));
    for (size_t k = 0; k < c->m; k++) {
        far = c->strength[k] > c->strength[far] ? k : far;
    }
    for (size_t f = 0; f < c->F; f++) {
        v[f] = (double)f;
        v[c->F + f] = c->profile[0][(j * c->F + f) * c->m + far];
        v[2 * c->F + f] = c->profile[1][(j * c->F + f) * c->m + far];
    }
    const double *const column[] = {v, v + c->F, v + 2 * c->F};
    size_t block = hs_figure_block(fig, "factor a b", c->F, 3, column);
    snprintf(title, sizeof title, "%.50s: effects, sd (a, b)", c->direction[j]);
    hs_figure_panel(fig, panel, title, NULL);
    hs_str_addf(
        &fig->gp,
        "unset xlabel\nset xrange [-0.6:%g]\nset yrange [*:*]\nset ytics autofreq\nset xtics rotate by 60 right (",
        (double)c->F - 0.4);
    for (size_t f = 0; f < c->F; f++) {
        tick(fig, f, c->factor[f], f, 0.6);
    }
    hs_str_add(&fig->gp, ")\nplot");
    hs_figure_using(fig, block, "1:2");
    hs_str_add(&fig->gp, "with linespoints lt 1 ps 0.5 notitle, \\\n");
    hs_figure_using(fig, block, "1:3");
    hs_str_add(&fig->gp, "with linespoints lt 2 ps 0.5 notitle\n");
out:
    free(v);
    return rc;
}

/* Debiased CKA of every step of a with every step of b; last, since it changes the palette and the border. */
static int draw_cka(hs_figure *fig, size_t panel, const hs_figure_comparison *c)
{
    double *v = NULL;
    size_t n = c->M * c->M;
    int rc = HS_OK;
    HS_TRY(hs_alloc(2 * n, sizeof *v, &v));
    for (size_t i = 0; i < n; i++) {
        v[i] = (double)(i % c->M);
        v[n + i] = (double)(i / c->M);
    }
    const double *const column[] = {v, v + n, c->cka};
    size_t block = hs_figure_block(fig, "b a cka", n, 3, column);
    hs_figure_panel(fig, panel, "debiased CKA, rows t of a", NULL);
    hs_palette_set(&fig->gp, 0);
    hs_str_addf(&fig->gp,
                "set cbrange [0:1]\nset colorbox user origin graph 1.03,graph 0 size graph 0.04,graph 1 noborder\n"
                "set cbtics 0.5 scale 0 offset -0.8,0\nset border 0\nset xrange [-0.5:%g]\nset yrange [%g:-0.5]\n",
                (double)c->M - 0.5, (double)c->M - 0.5);
    for (int axis = 0; axis < 2; axis++) {
        hs_str_addf(&fig->gp, axis == 0 ? "set xtics rotate by 60 right scale 0 (" : "set ytics scale 0 (");
        for (size_t i = 0; i < c->M; i++) {
            tick(fig, i, c->label[i], i, 0.5);
        }
        hs_str_add(&fig->gp, ")\n");
    }
    hs_str_add(&fig->gp, "plot");
    hs_figure_using(fig, block, "1:2:(0.52):(0.52):3");
    hs_str_add(&fig->gp, "with boxxyerror fc palette notitle\n");
out:
    free(v);
    return rc;
}

int hs_figure_compare(const hs_figure_comparison *c, const hs_figure_options *opt, int *drawn)
{
    size_t profiles = c->F > 0 && c->m > 0 ? c->D : 0, at = 1;
    profiles = profiles < PROFILES ? profiles : PROFILES;
    hs_figure_grid grid = {(c->D > 0 ? 3U : 2U) + profiles, 2, 1.5, 0.5, 0.55, 0.55, 0.65, 0.75, 1.0};
    hs_figure fig = {0};
    char caption[320];
    int rc = HS_OK;
    if (c->S == 0 || c->M == 0) {
        return hs_fail(HS_ESHAPE, "a comparison of %zu steps; wanted one", c->S);
    }
    snprintf(
        caption, sizeof caption,
        "%.60s (a) and %.60s (b), %zu images: %.20s. Held-out images under an alignment fitted to the others; dashed: "
        "the standard.",
        c->a, c->b, c->n, c->verdict);
    HS_TRY(hs_figure_begin(opt, opt->width > 0 ? opt->width : 6.75, &grid, caption, &fig));
    draw_steps(&fig, c);
    if (c->D > 0) {
        HS_TRY(draw_directions(&fig, at++, c));
    }
    for (size_t j = 0; j < profiles; j++) {
        HS_TRY(draw_profile(&fig, at++, c, j));
    }
    HS_TRY(draw_cka(&fig, at, c));
    HS_TRY(hs_figure_finish(&fig, drawn));
out:
    hs_figure_free(&fig);
    return rc;
}
