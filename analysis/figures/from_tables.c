/* Heat maps, and the comparison of two models, from what their files hold. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/compare.h"
#include "analysis/figures/from_kinds.h"
#include "analysis/figures/matrix.h"
#include "core/base/alloc.h"

/* *out (1 + D) <- the matrix of h, as t describes it, and one for each direction, with their verdicts as titles. */
static int read_matrices(hs_sources *s, const hs_figure_table *t, size_t *n, hs_figure_table **out)
{
    int rc = HS_OK;
    size_t dim[3] = {0, t->rows, t->cols}, subjects;
    const char *const *name, *const *verdict;
    double *v = NULL;
    char title[96];
    if (hs_result_has(s->file[0], "direction_similarity")) {
        HS_TRY(hs_sources_array(s, 0, "direction_similarity", 3, dim, &v));
    }
    *n = subjects = 1 + dim[0];
    HS_TRY(hs_arena_alloc(&s->arena, subjects, sizeof **out, out));
    (*out)[0] = *t;
    if (v == NULL) {
        goto out;
    }
    HS_TRY(hs_sources_labels(s, "subject", subjects, &name));
    HS_TRY(hs_sources_labels(s, "subject_verdict", subjects, &verdict));
    for (size_t i = 0; i < subjects; i++) {
        (*out)[i] = *t;
        (*out)[i].value = i == 0 ? t->value : v + (i - 1) * t->rows * t->cols;
        snprintf(title, sizeof title, "%.60s: %.30s", name[i], verdict[i]);
        HS_TRY(hs_sources_keep_text(s, title, &(*out)[i].title));
    }
out:
    return rc;
}

static int any_negative(size_t n, const hs_figure_table *t)
{
    int any = 0;
    for (size_t i = 0; i < n * t->rows * t->cols; i++) {
        any |= t[i / (t->rows * t->cols)].value[i % (t->rows * t->cols)] < -0.05; /* debiased ones may dip a little */
    }
    return any;
}

int hs_draw_similarity(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t dim[2] = {0, 0}, count;
    double *v;
    char caption[200] = "";
    hs_figure_table t = {0}, *all;
    HS_TRY(hs_sources_array(s, 0, "similarity", 2, dim, &v));
    t.rows = dim[0];
    t.cols = dim[1];
    t.value = v;
    HS_TRY(hs_sources_labels(s, "row", dim[0], &t.row_label));
    HS_TRY(hs_sources_labels(s, "column", dim[1], &t.col_label));
    HS_TRY(hs_sources_text(s, 0, "metric", "similarity", &t.title));
    HS_TRY(hs_sources_text(s, 0, "row_axis", NULL, &t.row_axis));
    HS_TRY(hs_sources_text(s, 0, "column_axis", NULL, &t.col_axis));
    HS_TRY(read_matrices(s, &t, &count, &all));
    size_t n = hs_sources_count(s, 0, "n");
    if (n > 0) {
        snprintf(caption, sizeof caption, "%.120s%sn = %zu samples.", count > 1 ? t.title : "", count > 1 ? "; " : "",
                 n);
    }
    const int is_signed = any_negative(count, all);
    for (size_t i = 0; i < count; i++) {
        all[i].caption = caption;
        all[i].is_signed = is_signed;
    }
    HS_TRY(hs_figure_matrices(count, all, opt, drawn));
out:
    return rc;
}

/* *out <- the end of a colour scale for v: 1, 2 or 5 times a power of ten. */
static double round_up(size_t n, const double *v)
{
    double most = 0, unit;
    for (size_t i = 0; i < n; i++) {
        most = isfinite(v[i]) ? fmax(most, fabs(v[i])) : most;
    }
    unit = most > 0 ? pow(10, floor(log10(most))) : 1;
    return most <= unit ? unit : most <= 2 * unit ? 2 * unit : most <= 5 * unit ? 5 * unit : 10 * unit;
}

/* *marked <- what lies beyond the limits of random directions; NULL where none were run. */
static int read_marked(hs_sources *s, size_t dim[2], const double *v, const int **marked)
{
    int rc = HS_OK, *mark;
    double *lo, *hi;
    *marked = NULL;
    if (!hs_result_has(s->file[0], "crosstalk_random_low")) {
        return HS_OK;
    }
    HS_TRY(hs_sources_array(s, 0, "crosstalk_random_low", 2, dim, &lo));
    HS_TRY(hs_sources_array(s, 0, "crosstalk_random_high", 2, dim, &hi));
    HS_TRY(hs_arena_alloc(&s->arena, dim[0] * dim[1], sizeof *mark, &mark));
    for (size_t i = 0; i < dim[0] * dim[1]; i++) {
        mark[i] = v[i] < lo[i] || v[i] > hi[i];
    }
    *marked = mark;
out:
    return rc;
}

int hs_draw_crosstalk(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t dim[2] = {0, 0};
    double *v, *lo, *hi;
    char title[64], caption[240];
    hs_figure_table t = {.is_signed = 1, .row_axis = "direction", .col_axis = "read-out", .title = title};
    if (!hs_result_has(s->file[0], "crosstalk")) {
        return hs_fail(HS_EFORMAT, "%s: no cross-talk matrix; linearity of several directions has one", s->path[0]);
    }
    HS_TRY(hs_sources_array(s, 0, "crosstalk", 2, dim, &v));
    HS_TRY(hs_sources_array(s, 0, "crosstalk_low", 2, dim, &lo));
    HS_TRY(hs_sources_array(s, 0, "crosstalk_high", 2, dim, &hi));
    HS_TRY(hs_sources_labels(s, "crosstalk_direction", dim[0], &t.row_label));
    HS_TRY(hs_sources_labels(s, "crosstalk_readout", dim[1], &t.col_label));
    HS_TRY(read_marked(s, dim, v, &t.marked));
    snprintf(title, sizeof title, "effect at strength %g, in sd", hs_sources_number(s, 0, "crosstalk_strength"));
    snprintf(caption, sizeof caption, "Each direction alone; n = %zu images, %g %% interval over them in brackets.%s",
             hs_sources_count(s, 0, "n"), hs_sources_number(s, 0, "ci"),
             t.marked != NULL ? " *: beyond what a random direction of the same length does." : "");
    t.caption = caption;
    t.rows = dim[0];
    t.cols = dim[1];
    t.value = v;
    t.lo = lo;
    t.hi = hi;
    t.reach = round_up(dim[0] * dim[1], v);
    HS_TRY(hs_figure_matrix(&t, opt, drawn));
out:
    return rc;
}

/* t <- how alike h itself is at a store's timesteps; rows stay 0 where the file doesn't say. */
static int read_spaces(hs_sources *s, hs_figure_table *t)
{
    int rc = HS_OK;
    size_t dim[2], n = 0;
    double *v, *times;
    *t = (hs_figure_table){.title = "debiased CKA of h at t and t'"};
    if (!hs_result_has(s->file[0], "store_timestep") || !hs_result_has(s->file[0], "cka_debiased")) {
        return HS_OK;
    }
    HS_TRY(hs_sources_array(s, 0, "store_timestep", 1, &n, &times));
    dim[0] = dim[1] = n;
    HS_TRY(hs_sources_array(s, 0, "cka_debiased", 2, dim, &v));
    HS_TRY(hs_sources_labels(s, "store_timestep", dim[0], &t->row_label));
    t->col_label = t->row_label;
    t->rows = dim[0];
    t->cols = dim[1];
    t->value = v;
    t->is_signed = any_negative(1, t);
out:
    return rc;
}

/* What a property's file shows: /shown (row, column) as a heat map, else its effects as a sweep. */
int hs_draw_property(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t dim[2] = {0, 0};
    double *v;
    hs_figure_table both[2] = {{.is_signed = 1}}, t = {.is_signed = 1};
    if (!hs_result_has(s->file[0], "shown")) {
        return hs_draw_sweep(s, opt, drawn);
    }
    if (s->n > 1) {
        return hs_fail(HS_ERANGE, "%zu files of heat maps in one figure; one is possible", s->n);
    }
    HS_TRY(hs_sources_array(s, 0, "shown", 2, dim, &v));
    HS_TRY(hs_sources_labels(s, "row", dim[0], &t.row_label));
    HS_TRY(hs_sources_labels(s, "column", dim[1], &t.col_label));
    HS_TRY(hs_sources_text(s, 0, "shown_title", "", &t.title));
    HS_TRY(hs_sources_text(s, 0, "shown_caption", "", &t.caption));
    HS_TRY(hs_sources_text(s, 0, "row_axis", NULL, &t.row_axis));
    HS_TRY(hs_sources_text(s, 0, "column_axis", NULL, &t.col_axis));
    t.rows = dim[0];
    t.cols = dim[1];
    t.value = v;
    both[0] = t;
    HS_TRY(read_spaces(s, &both[1]));
    HS_TRY(hs_figure_matrices(both[1].rows > 0 ? 2 : 1, both, opt, drawn));
out:
    return rc;
}

/* Directions and their profiles, where the comparison had any. */
static int read_directions(hs_sources *s, hs_figure_comparison *c)
{
    int rc = HS_OK;
    size_t one = 0, three[3] = {0, 0, 0};
    double *v;
    if (!hs_result_has(s->file[0], "direction_over")) {
        return HS_OK;
    }
    HS_TRY(hs_sources_array(s, 0, "direction_over", 1, &one, &v));
    c->D = one;
    c->over = v;
    HS_TRY(hs_sources_array(s, 0, "direction_over_low", 1, &one, &v));
    c->over_lo = v;
    HS_TRY(hs_sources_array(s, 0, "direction_over_high", 1, &one, &v));
    c->over_hi = v;
    HS_TRY(hs_sources_labels(s, "direction", c->D, &c->direction));
    if (!hs_result_has(s->file[0], "profile_a")) {
        return HS_OK;
    }
    for (int i = 0; i < 2; i++) {
        three[0] = c->D;
        HS_TRY(hs_sources_array(s, 0, i == 0 ? "profile_a" : "profile_b", 3, three, &v));
        c->profile[i] = v;
    }
    c->F = three[1];
    c->m = three[2];
    HS_TRY(hs_sources_array(s, 0, "strength", 1, &c->m, &v));
    c->strength = v;
    HS_TRY(hs_sources_labels(s, "factor", c->F, &c->factor));
out:
    return rc;
}

int hs_draw_compare(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    static const char *const name[] = {"timestep", "aligned_cosine", "aligned_cosine_back", "ceiling",
                                       "aligned_cosine_null"};
    int rc = HS_OK;
    size_t dim[2] = {0, 0};
    double *v;
    hs_figure_comparison c = {.n = hs_sources_count(s, 0, "n"), .standard = hs_sources_number(s, 0, "standard")};
    const double **const to[] = {&c.t, &c.aligned, &c.back, &c.ceiling, &c.null};
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        HS_TRY(hs_sources_array(s, 0, name[i], 1, &c.S, &v));
        *to[i] = v;
    }
    HS_TRY(hs_sources_array(s, 0, "cka_debiased", 2, dim, &v));
    c.M = dim[0];
    c.cka = v;
    HS_TRY(hs_sources_labels(s, "row", c.M, &c.label));
    HS_TRY(hs_sources_text(s, 0, "a", "a", &c.a));
    HS_TRY(hs_sources_text(s, 0, "b", "b", &c.b));
    HS_TRY(hs_sources_text(s, 0, "verdict", "no verdict", &c.verdict));
    HS_TRY(read_directions(s, &c));
    HS_TRY(hs_figure_compare(&c, opt, drawn));
out:
    return rc;
}
