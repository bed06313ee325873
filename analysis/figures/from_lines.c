/* Figures of curves from what their files hold. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/figures/curves.h"
#include "analysis/figures/from_kinds.h"
#include "analysis/figures/linearity.h"
#include "analysis/figures/robustness.h"
#include "analysis/figures/scree.h"
#include "analysis/figures/sweep.h"
#include "analysis/figures/theorem1.h"
#include "core/base/alloc.h"

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

int hs_draw_linearity(hs_sources *s, const hs_figure_options *opt, int *drawn)
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

int hs_draw_sweep(hs_sources *s, const hs_figure_options *opt, int *drawn)
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

int hs_draw_pca(hs_sources *s, const hs_figure_options *opt, int *drawn)
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

int hs_draw_theorem1(hs_sources *s, const hs_figure_options *opt, int *drawn)
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

int hs_draw_curves(hs_sources *s, const hs_figure_options *opt, int *drawn)
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

int hs_draw_robustness(hs_sources *s, const hs_figure_options *opt, int *drawn)
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
    HS_TRY(hs_sources_labels(s, "arm", dim[0], &name));
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
