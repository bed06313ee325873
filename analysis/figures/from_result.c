#include "analysis/figures/from_result.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/compare.h"
#include "analysis/figures/curves.h"
#include "analysis/figures/geometry.h"
#include "analysis/figures/linearity.h"
#include "analysis/figures/matrix.h"
#include "analysis/figures/robustness.h"
#include "analysis/figures/scree.h"
#include "analysis/figures/sources.h"
#include "analysis/figures/sweep.h"
#include "analysis/figures/theorem1.h"
#include "core/base/alloc.h"

/* ---- The kinds --------------------------------------------------------------------------------------- */

static int read_line(hs_sources *s, size_t i, hs_figure_line *p)
{
    int rc = HS_OK;
    double *strength, *mean;
    size_t m = 0;
    HS_TRY(hs_sources_array(s, i, "strength", 1, &m, &strength));
    HS_TRY(hs_sources_array(s, i, "effect_mean", 1, &m, &mean));
    HS_TRY(hs_sources_optional(s, i, "ci_low", m, &p->lo));
    HS_TRY(hs_sources_optional(s, i, "ci_high", m, &p->hi));
    HS_TRY(hs_sources_optional(s, i, "null_low", m, &p->null_lo));
    HS_TRY(hs_sources_optional(s, i, "null_high", m, &p->null_hi));
    HS_TRY(hs_sources_text(s, i, "readout", "effect", &p->readout));
    HS_TRY(hs_sources_text(s, i, "direction", NULL, &p->direction));
    HS_TRY(hs_sources_text(s, i, "verdict", NULL, &p->verdict));
    p->m = m;
    p->strength = strength;
    p->mean = mean;
    p->slope = hs_sources_number(s, i, "slope");
    p->index = hs_sources_number(s, i, "linearity_index");
    p->n = hs_sources_count(s, i, "n");
    p->bootstrap = hs_sources_count(s, i, "bootstrap");
    p->level = hs_sources_number(s, i, "ci");
out:
    return rc;
}

static int plot_linearity(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    hs_figure_line *p = NULL;
    HS_TRY(hs_calloc(s->n, sizeof *p, &p));
    for (size_t i = 0; i < s->n; i++) {
        HS_TRY(read_line(s, i, &p[i]));
    }
    HS_TRY(hs_figure_linearity(p, s->n, opt, drawn));
out:
    free(p);
    return rc;
}

/* The array of a read-out, "score_" or "effect_" and its name, as the sweep writes it. */
static void array_name(const char *prefix, const char *readout, size_t len, char out[128])
{
    size_t used = (size_t)snprintf(out, 128, "%s", prefix);
    for (size_t i = 0; i < len && used + 1 < 128; i++) {
        out[used++] = isalnum((unsigned char)readout[i]) ? readout[i] : '_';
    }
    out[used] = '\0';
}

/* Whether the read-out itself has many numbers an image. */
static int is_vector(hs_result_in *r, const char *readout, size_t len)
{
    char name[128];
    size_t rank, d[8];
    array_name("effect_", readout, len, name);
    return hs_result_has(r, name) && hs_result_shape(r, name, &rank, d) == HS_OK && rank == 3;
}

/* The curve of file i: increments against strength 0 (or against the first position). */
static int read_curve(hs_sources *s, size_t i, const char *array, hs_figure_curve *c)
{
    int rc = HS_OK;
    double *strength, *effect;
    size_t m = 0, dim[2] = {0, 0}, zero = 0;
    const char *where = hs_result_has(s->file[i], array) ? array : "effect";
    HS_TRY(hs_sources_array(s, i, "strength", 1, &m, &strength));
    dim[1] = m;
    HS_TRY(hs_sources_array(s, i, where, 2, dim, &effect));
    for (size_t j = 0; j < m; j++) {
        zero = strength[j] == 0 ? j : zero;
    }
    for (size_t r = 0; r < dim[0]; r++) {
        double base = effect[r * m + zero];
        for (size_t j = 0; j < m; j++) {
            effect[r * m + j] -= base;
        }
    }
    HS_TRY(hs_sources_text(s, i, "direction", "", &c->label));
    c->n = dim[0];
    c->m = m;
    c->strength = strength;
    c->effect = effect;
out:
    return rc;
}

/* One panel: read-out text of len bytes in every file. */
static int read_panel(hs_sources *s, const char *text, size_t len, hs_figure_sweep_panel *p)
{
    int rc = HS_OK;
    char array[128];
    char *name;
    hs_figure_curve *c;
    HS_TRY(hs_arena_alloc(&s->arena, len + 1, 1, &name));
    memcpy(name, text, len);
    name[len] = '\0';
    array_name("score_", text, len, array);
    HS_TRY(hs_arena_alloc(&s->arena, s->n, sizeof *c, &c));
    for (size_t i = 0; i < s->n; i++) {
        HS_TRY(read_curve(s, i, array, &c[i]));
    }
    *p = (hs_figure_sweep_panel){name, is_vector(s->file[0], text, len), s->n, c};
out:
    return rc;
}

static int plot_sweep(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    enum { PANELS = 24 };
    int rc = HS_OK;
    size_t n = 0;
    const char *names, *readout;
    hs_figure_sweep_panel panel[PANELS];
    HS_TRY(hs_sources_text(s, 0, "readout", "effect", &readout));
    HS_TRY(hs_sources_text(s, 0, "readouts", readout, &names));
    while (*names != '\0' && n < PANELS) {
        size_t len = strcspn(names, "\n");
        HS_TRY(read_panel(s, names, len, &panel[n++]));
        names += len + (names[len] == '\n');
    }
    HS_TRY(hs_figure_sweep(panel, n, opt, drawn));
out:
    return rc;
}

static int plot_pca(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t rank, d[8], dim[2] = {0, 0};
    double *ratio, *t = NULL;
    hs_figure_spectrum *sp = NULL;
    char label[64];
    HS_TRY(hs_fail_in(hs_result_shape(s->file[0], "explained_variance_ratio", &rank, d), s->path[0]));
    HS_TRY(hs_sources_array(s, 0, "explained_variance_ratio", rank == 1 ? 1 : 2, dim, &ratio));
    size_t rows = rank == 1 ? 1 : dim[0], k = rank == 1 ? dim[0] : dim[1];
    if (rank == 2 && hs_result_has(s->file[0], "timestep")) {
        HS_TRY(hs_sources_array(s, 0, "timestep", 1, &dim[0], &t));
    }
    HS_TRY(hs_calloc(rows, sizeof *sp, &sp));
    for (size_t i = 0; i < rows; i++) {
        sp[i].ratio = ratio + i * k;
        snprintf(label, sizeof label, "t = %g", t != NULL ? t[i] : 0);
        HS_TRY(hs_sources_keep_text(s, t != NULL ? label : "all timesteps", &sp[i].label));
    }
    HS_TRY(hs_figure_scree(sp, rows, k, hs_sources_count(s, 0, "n"), opt, drawn));
out:
    free(sp);
    return rc;
}

/* n labels: the texts or numbers of the array, else 0, 1, ... */
static int read_labels(hs_sources *s, const char *name, size_t n, const char *const **out)
{
    int rc = HS_OK;
    const char **label;
    char **text = NULL, buf[32];
    size_t count = 0;
    double *number = NULL;
    HS_TRY(hs_arena_alloc(&s->arena, n, sizeof *label, &label));
    if (hs_result_has(s->file[0], name) && hs_result_get_strings(s->file[0], name, &count, &text) != HS_OK) {
        HS_TRY(hs_sources_array(s, 0, name, 1, &n, &number));
    }
    if (text != NULL && count != n) {
        HS_TRY(hs_fail(HS_ESHAPE, "%s: /%s has %zu texts; %zu wanted", s->path[0], name, count, n));
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(buf, sizeof buf, "%g", number != NULL ? number[i] : (double)i);
        HS_TRY(hs_sources_keep_text(s, text != NULL ? text[i] : buf, &label[i]));
    }
    *out = label;
out:
    for (size_t i = 0; i < count; i++) {
        free(text[i]);
    }
    free(text);
    return rc;
}

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
    HS_TRY(read_labels(s, "subject", subjects, &name));
    HS_TRY(read_labels(s, "subject_verdict", subjects, &verdict));
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

static int plot_similarity(hs_sources *s, const hs_figure_options *opt, int *drawn)
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
    HS_TRY(read_labels(s, "row", dim[0], &t.row_label));
    HS_TRY(read_labels(s, "column", dim[1], &t.col_label));
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

static int plot_crosstalk(hs_sources *s, const hs_figure_options *opt, int *drawn)
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
    HS_TRY(read_labels(s, "crosstalk_direction", dim[0], &t.row_label));
    HS_TRY(read_labels(s, "crosstalk_readout", dim[1], &t.col_label));
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
    HS_TRY(read_labels(s, "store_timestep", dim[0], &t->row_label));
    t->col_label = t->row_label;
    t->rows = dim[0];
    t->cols = dim[1];
    t->value = v;
    t->is_signed = any_negative(1, t);
out:
    return rc;
}

/* What a property's file shows: /shown (row, column) as a heat map, else its effects as a sweep. */
static int plot_property(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    size_t dim[2] = {0, 0};
    double *v;
    hs_figure_table both[2] = {{.is_signed = 1}}, t = {.is_signed = 1};
    if (!hs_result_has(s->file[0], "shown")) {
        return plot_sweep(s, opt, drawn);
    }
    if (s->n > 1) {
        return hs_fail(HS_ERANGE, "%zu files of heat maps in one figure; one is possible", s->n);
    }
    HS_TRY(hs_sources_array(s, 0, "shown", 2, dim, &v));
    HS_TRY(read_labels(s, "row", dim[0], &t.row_label));
    HS_TRY(read_labels(s, "column", dim[1], &t.col_label));
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

static int plot_theorem1(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    hs_figure_coefficients c[HS_FIGURE_COLOURS];
    double *t, *symmetric, *asymmetric;
    char label[64];
    for (size_t i = 0; i < s->n; i++) {
        size_t S = 0;
        HS_TRY(hs_sources_array(s, i, "timestep", 1, &S, &t));
        HS_TRY(hs_sources_array(s, i, "symmetric", 1, &S, &symmetric));
        HS_TRY(hs_sources_array(s, i, "asymmetric", 1, &S, &asymmetric));
        snprintf(label, sizeof label, "%zu steps", S);
        HS_TRY(hs_sources_keep_text(s, label, &c[i].label));
        c[i].S = S;
        c[i].t = t;
        c[i].symmetric = symmetric;
        c[i].asymmetric = asymmetric;
    }
    HS_TRY(hs_figure_theorem1(c, s->n, opt, drawn));
out:
    return rc;
}

static int plot_curves(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    int rc = HS_OK;
    hs_figure_distances c = {.n = hs_sources_count(s, 0, "n"),
                             .edit = hs_sources_number(s, 0, "threshold_edit"),
                             .boost = hs_sources_number(s, 0, "threshold_boost"),
                             .t_edit = hs_sources_number(s, 0, "t_edit"),
                             .t_boost = hs_sources_number(s, 0, "t_boost")};
    double *t, *p, *x;
    HS_TRY(hs_sources_text(s, 0, "distance", "distance", &c.distance));
    HS_TRY(hs_sources_array(s, 0, "timestep", 1, &c.S, &t));
    HS_TRY(hs_sources_array(s, 0, "distance_p", 1, &c.S, &p));
    HS_TRY(hs_sources_array(s, 0, "distance_x", 1, &c.S, &x));
    c.t = t;
    c.p = p;
    c.x = x;
    HS_TRY(hs_figure_curves(&c, opt, drawn));
out:
    return rc;
}

/* Arms are rows of (arm, position) arrays, filled up with NaN. */
static int read_arm(hs_sources *s, size_t a, const size_t dim[2], double *const v[4], hs_figure_arm *arm)
{
    size_t m = 0;
    while (m < dim[1] && !isnan(v[0][a * dim[1] + m])) {
        m++;
    }
    double *sigma, *bound;
    size_t n = dim[0];
    int rc = hs_sources_array(s, 0, "sigma50", 1, &n, &sigma);
    if (rc == HS_OK) {
        rc = hs_sources_array(s, 0, "sigma50_bound", 1, &n, &bound);
    }
    if (rc == HS_OK) {
        arm->m = m;
        arm->level = v[0] + a * dim[1];
        arm->mean = v[1] + a * dim[1];
        arm->lo = v[2] + a * dim[1];
        arm->hi = v[3] + a * dim[1];
        arm->sigma50 = sigma[a];
        arm->bound = bound[a] != 0;
    }
    return rc;
}

static int plot_robustness(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    static const char *const array[4] = {"level", "damage_mean", "ci_low", "ci_high"};
    int rc = HS_OK;
    size_t dim[2] = {0, 0};
    double *v[4];
    const char *const *name;
    const char *verdict, *damage, *matching;
    char text[160], unit[80];
    hs_figure_robust f = {.n = hs_sources_count(s, 0, "images"),
                          .bootstrap = hs_sources_count(s, 0, "bootstrap"),
                          .level = hs_sources_number(s, 0, "ci"),
                          .threshold = hs_sources_number(s, 0, "threshold")};
    for (int k = 0; k < 4; k++) {
        HS_TRY(hs_sources_array(s, 0, array[k], 2, dim, &v[k]));
    }
    if (dim[0] > HS_FIGURE_ARMS) {
        HS_TRY(hs_fail(HS_ESHAPE, "%s: %zu arms; %d are possible", s->path[0], dim[0], HS_FIGURE_ARMS));
    }
    HS_TRY(read_labels(s, "arm", dim[0], &name));
    HS_TRY(hs_sources_text(s, 0, "verdict", "no verdict", &verdict));
    HS_TRY(hs_sources_text(s, 0, "damage", "damage", &damage));
    snprintf(text, sizeof text, "%.20s \xc2\xb7 log ratio %.2f", verdict, hs_sources_number(s, 0, "primary_value"));
    f.title = "robustness";
    f.subtitle = text;
    HS_TRY(hs_sources_text(s, 0, "matching", NULL, &matching));
    snprintf(unit, sizeof unit, "noise level%s%.20s", matching != NULL ? ", matched by " : "",
             matching != NULL ? matching : "");
    f.unit = unit;
    f.damage = damage;
    f.n_arms = dim[0];
    for (size_t a = 0; a < dim[0]; a++) {
        HS_TRY(read_arm(s, a, dim, v, &f.arm[a]));
        f.arm[a].name = name[a];
    }
    HS_TRY(hs_figure_robustness(&f, opt, drawn));
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
    HS_TRY(read_labels(s, "direction", c->D, &c->direction));
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
    HS_TRY(read_labels(s, "factor", c->F, &c->factor));
out:
    return rc;
}

static int plot_compare(hs_sources *s, const hs_figure_options *opt, int *drawn)
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
    HS_TRY(read_labels(s, "row", c.M, &c.label));
    HS_TRY(hs_sources_text(s, 0, "a", "a", &c.a));
    HS_TRY(hs_sources_text(s, 0, "b", "b", &c.b));
    HS_TRY(hs_sources_text(s, 0, "verdict", "no verdict", &c.verdict));
    HS_TRY(read_directions(s, &c));
    HS_TRY(hs_figure_compare(&c, opt, drawn));
out:
    return rc;
}

static int plot_geometry(hs_sources *s, const hs_figure_options *opt, int *drawn)
{
    return hs_figure_geometry(s->file[0], s->path[0], opt, drawn);
}

static const struct {
    const char *kind;
    int (*plot)(hs_sources *s, const hs_figure_options *opt, int *drawn);
    size_t most;
} kinds[] = {{"linearity", plot_linearity, 24},
             {"crosstalk", plot_crosstalk, 1},
             {"sweep", plot_sweep, HS_FIGURE_COLOURS},
             {"interpolation", plot_sweep, HS_FIGURE_COLOURS},
             {"homogeneity", plot_property, HS_FIGURE_COLOURS},
             {"consistency", plot_property, 1},
             {"pca", plot_pca, 1},
             {"similarity", plot_similarity, 1},
             {"compare", plot_compare, 1},
             {"curves", plot_curves, 1},
             {"robustness", plot_robustness, 1},
             {"geometry", plot_geometry, 1},
             {"theorem1", plot_theorem1, HS_FIGURE_COLOURS}};

int hs_figure_from_results(const char *const *path, size_t n, const char *kind, const hs_figure_options *opt,
                           int *drawn)
{
    int rc = HS_OK, found = 0;
    hs_sources s = {0};
    hs_figure_options o = *opt;
    if (n == 0) {
        return hs_fail(HS_ERANGE, "%s: a figure of no result file", opt->out);
    }
    HS_TRY(hs_sources_open(path, n, &s));
    for (size_t i = 0; i < n; i++) {
        const char *is = hs_result_kind(s.file[i]);
        if (kind == NULL) {
            kind = is;
        } else if (i > 0 && strcmp(is, hs_result_kind(s.file[0])) != 0) {
            HS_TRY(hs_fail(HS_ERANGE, "%s is of kind %s, %s of kind %s; one figure shows one kind", path[i], is,
                           path[0], hs_result_kind(s.file[0])));
        }
        o.mark = o.mark == NULL && hs_sources_count(&s, i, "untrained") == 1 ? "untrained" : o.mark;
    }
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds && !found; k++) {
        if (strcmp(kind, kinds[k].kind) != 0) {
            continue;
        }
        if (n > kinds[k].most) {
            HS_TRY(hs_fail(HS_ERANGE, "%zu files of kind %s in one figure; %zu are possible", n, kind, kinds[k].most));
        }
        found = 1;
        HS_TRY(kinds[k].plot(&s, &o, drawn));
    }
    if (!found) {
        HS_TRY(hs_fail(HS_ERANGE,
                       "%s: no figure of kind \"%s\"; there are homogeneity, linearity, crosstalk, robustness, "
                       "consistency, sweep, interpolation, pca, similarity, compare, curves, geometry, theorem1",
                       path[0], kind));
    }
out:
    hs_sources_close(&s);
    return rc;
}
