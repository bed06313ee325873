#include "analysis/cli/homogeneity_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/homogeneity_work.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/property_model.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/work.h"
#include "analysis/directions/dir_random.h"
#include "analysis/properties/naturalness.h"
#include "analysis/properties/verdict.h"
#include "core/base/alloc.h"

const hs_opt hs_opts_homogeneity_model[] = {
    {"direction", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input", "direction file and name, or a delta network"},
    {"strengths", 0, HS_OPT_GRID, "0:2:0.5", 0, 0, NULL, "A:B:STEP", "Edit", "the largest (natural) one is judged"},
    HS_OPT_RIVAL,
    HS_OPT_CONTROLS("all"),
    {"transfers", 0, HS_OPT_INT, "4", 1, 100000, NULL, "R", "Statistics", "other images' deltas tried on each image"},
    {0}};

void hs_homogeneity_run_free(hs_homogeneity_work *w)
{
    hs_property_tables_free(w->m.n_phi, w->null);
    hs_property_tables_free(w->m.n_phi, w->other);
    hs_property_tables_free(w->m.n_phi, w->rival);
    free(w->from);
    hs_property_seen_free(&w->m, &w->edited);
}

static void work_free(hs_homogeneity_work *w)
{
    hs_homogeneity_controls_free(w);
    hs_homogeneity_run_free(w);
    hs_property_seen_free(&w->m, &w->plain);
    hs_deltas_free(&w->removed);
    hs_property_model_free(&w->m);
}

/* ---- Effects as numbers ---- */

/* sum (f) <- of the changes of all images. */
static void sum_changes(size_t n, size_t f, const float *a, const float *plain, double *sum)
{
    memset(sum, 0, f * sizeof *sum);
    for (size_t i = 0; i < n * f; i++) {
        sum[i % f] += (double)a[i] - (double)plain[i];
    }
}

/* The change of image i along the unit mean change of the others, which `axis` - own change is; a scalar's change as it
 * is.  base: <plain, the same axis> too. */
static double along(size_t f, size_t i, const double *axis, const float *axis_of, const float *plain, const float *v,
                    double *base)
{
    double dot = 0, norm = 0, at = 0;
    if (f == 1) {
        *base = (double)plain[i];
        return (double)v[i] - (double)plain[i];
    }
    for (size_t j = 0; j < f; j++) {
        double p = (double)plain[i * f + j], u = axis[j] - ((double)axis_of[i * f + j] - p);
        dot += u * ((double)v[i * f + j] - p);
        at += u * p;
        norm += u * u;
    }
    *base = norm > 0 ? at / sqrt(norm) : 0;
    return norm > 0 ? dot / sqrt(norm) : 0;
}

/* e (n) <- effects of v, along the mean change of axis_of (v itself, or the images' own edits). */
int hs_homogeneity_effects_of(const hs_homogeneity_work *w, size_t p, const float *axis_of, const float *v, double *e,
                              double *base)
{
    int rc;
    size_t n = w->m.n, f = w->m.phi[p].features;
    double *axis = NULL, unused;
    HS_TRY(hs_alloc(f, sizeof *axis, &axis));
    sum_changes(n, f, axis_of, w->plain.value[p], axis);
    for (size_t i = 0; i < n; i++) {
        e[i] = along(f, i, axis, axis_of, w->plain.value[p], v, base != NULL ? &base[i] : &unused);
    }
out:
    free(axis);
    return rc;
}

/* ---- Runs ---- */

/* The plain images and the edited ones at the largest strength; where feat is read, the largest natural one. */
static size_t feature_readout(const hs_property_model *m)
{
    size_t p = 0;
    while (p < m->n_phi && m->phi[p].phi != HS_PHI_FEAT) {
        p++;
    }
    return p;
}

/* Puts the features of one strength into their column of feat (n, columns, F). */
static void keep_features(const hs_homogeneity_work *w, size_t p, const hs_seen *s, size_t column, size_t columns,
                          float *feat)
{
    size_t F = w->m.phi[p].features;
    for (size_t i = 0; i < w->m.n; i++) {
        memcpy(feat + (i * columns + column) * F, s->value[p] + i * F, F * sizeof *feat);
    }
}

/* *strength <- the largest of the m positive ones at which images are natural. */
HS_CHECKED static int judge_naturalness(hs_homogeneity_work *w, size_t p, size_t m, const double *s)
{
    int rc;
    float *feat = NULL;
    double *grid = NULL;
    hs_naturalness a = {0};
    HS_TRY(hs_alloc(m + 1, sizeof *grid, &grid));
    HS_TRY(hs_alloc(w->m.n * (m + 1), w->m.phi[p].features * sizeof *feat, &feat));
    grid[0] = 0;
    keep_features(w, p, &w->plain, 0, m + 1, feat);
    for (size_t j = 0; j < m; j++) {
        hs_seen seen = {0};
        grid[j + 1] = s[j];
        HS_TRY(hs_property_see(&w->m, &w->m.job.plan, w->m.job.x_T, s[j], &seen));
        keep_features(w, p, &seen, j + 1, m + 1, feat);
        hs_property_seen_free(&w->m, &seen);
    }
    HS_TRY(hs_naturalness_measure(w->m.n, m + 1, grid, w->m.phi[p].features, feat, 0, NULL, &a));
    w->strength = 0;
    double least = INFINITY;
    for (size_t j = 0; j < m; j++) {
        w->strength = s[j] <= a.high ? fmax(w->strength, s[j]) : w->strength;
        least = fmin(least, s[j]);
    }
    w->natural = w->strength > 0;
    if (!w->natural) {
        hs_cmd_warn(w->c, "no strength leaves the images natural; the smallest one, %g, is judged", least);
        w->strength = least;
    }
out:
    free(feat);
    free(grid);
    hs_naturalness_free(&a);
    return rc;
}

/* Whether the strengths' naturalness is judged, by read-out p. */
static int judges(const hs_property_model *m, size_t p)
{
    return p < m->n_phi && m->n >= 16;
}

HS_CHECKED static int run_edits(hs_homogeneity_work *w)
{
    int rc;
    const double *s;
    size_t m = hs_cmd_grid(w->c, "strengths", &s), positive = 0, p = feature_readout(&w->m);
    double *grid = NULL;
    HS_TRY(hs_alloc(m, sizeof *grid, &grid));
    for (size_t j = 0; j < m; j++) {
        if (s[j] > 0) {
            grid[positive++] = s[j];
            w->strength = fmax(w->strength, s[j]);
        }
    }
    HS_TRY(hs_property_see(&w->m, &w->m.job.plan, w->m.job.x_T, 0, &w->plain));
    if (judges(&w->m, p)) {
        HS_TRY(judge_naturalness(w, p, positive, grid));
    }
    HS_TRY(hs_property_see(&w->m, &w->m.job.plan, w->m.job.x_T, w->strength, &w->edited));
out:
    free(grid);
    return rc;
}

int hs_homogeneity_nulls(hs_homogeneity_work *w)
{
    int rc;
    const double one = 1;
    size_t n = w->m.n;
    HS_TRY(hs_property_tables(w->m.n_phi, w->K * n, &w->null));
    for (size_t k = 0; k < w->K; k++) {
        hs_direction d = {0};
        hs_seen seen = {0};
        rc = hs_direction_random(&w->m.like, NULL, hs_cmd_seed(w->c), k, &d);
        if (rc == HS_OK) {
            const hs_edit_plan plan = hs_property_plan(&w->m, &d, &one);
            rc = hs_property_see(&w->m, &plan, w->m.job.x_T, w->strength, &seen);
        }
        for (size_t p = 0; p < w->m.n_phi && rc == HS_OK; p++) {
            rc = hs_homogeneity_effects_of(w, p, seen.value[p], seen.value[p], w->null[p] + k * n, NULL);
        }
        hs_property_seen_free(&w->m, &seen);
        hs_direction_free(&d);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* Round q: each image with the delta of the image q + 1 further on. */
int hs_homogeneity_transfers(hs_homogeneity_work *w)
{
    int rc;
    size_t n = w->m.n, *row = NULL;
    double *e = NULL;
    HS_TRY(hs_property_tables(w->m.n_phi, n * w->R, &w->other));
    HS_TRY(hs_alloc(n * w->R, sizeof *w->from, &w->from));
    HS_TRY(hs_alloc(n, sizeof *row, &row));
    HS_TRY(hs_alloc(n, sizeof *e, &e));
    for (size_t q = 0; q < w->R; q++) {
        hs_seen seen = {0};
        hs_edit_plan plan = w->m.job.plan;
        for (size_t i = 0; i < n; i++) {
            row[i] = w->from[i * w->R + q] = (i + 1 + q) % n;
        }
        plan.given_row = row;
        HS_TRY(hs_property_see(&w->m, &plan, w->m.job.x_T, w->strength, &seen));
        for (size_t p = 0; p < w->m.n_phi && rc == HS_OK; p++) {
            rc = hs_homogeneity_effects_of(w, p, w->edited.value[p], seen.value[p], e, NULL);
            for (size_t i = 0; i < n; i++) {
                w->other[p][i * w->R + q] = e[i];
            }
        }
        hs_property_seen_free(&w->m, &seen);
        HS_TRY(rc);
    }
out:
    free(row);
    free(e);
    return rc;
}

/* ---- The answer ---- */

/* wide (K, n, 2) <- effects (K, n) at 0 and the strength judged. */
static void widen(size_t K, size_t n, const double *effect, double *wide)
{
    for (size_t i = 0; i < K * n; i++) {
        wide[2 * i] = 0;
        wide[2 * i + 1] = effect[i];
    }
}

/* *null (K, n, 2) <- the random directions' effects; of a control those or its twins', which are harder to beat. */
HS_CHECKED static int null_of(const hs_homogeneity_work *w, size_t p, size_t *K, double **null, int *is_twins)
{
    int rc;
    size_t n = w->m.n, Kt = 0;
    const double *random = w->K > 0 ? w->null[p] : NULL;
    const double *twins = w->control == NULL ? hs_homogeneity_twins(w, p, &Kt) : NULL;
    HS_TRY(hs_control_harder(n, w->K, random, Kt, twins, is_twins));
    *K = *is_twins ? Kt : w->K;
    HS_TRY(hs_alloc(*K * n, 2 * sizeof **null, null));
    widen(*K, n, *is_twins ? twins : random, *null);
out:
    return rc;
}

/* One read-out's table at 0 and the strength judged; own (n): the effects. */
HS_CHECKED static int table_of(const hs_homogeneity_work *w, size_t p, double *own, hs_effects *out)
{
    int rc, twins = 0;
    size_t n = w->m.n, K = 0;
    const double strength[2] = {0, w->strength};
    double *base = NULL, *value = NULL, *null = NULL, *rival = NULL;
    HS_TRY(hs_alloc(n, sizeof *base, &base));
    HS_TRY(hs_alloc(n, 2 * sizeof *value, &value));
    HS_TRY(hs_alloc(n, 2 * sizeof *rival, &rival));
    HS_TRY(null_of(w, p, &K, &null, &twins));
    HS_TRY(hs_homogeneity_effects_of(w, p, w->edited.value[p], w->edited.value[p], own, base));
    for (size_t i = 0; i < n; i++) {
        value[2 * i] = base[i];
        value[2 * i + 1] = base[i] + own[i];
    }
    if (w->rival != NULL) {
        widen(1, n, w->rival[p], rival);
    }
    HS_TRY(
        hs_effects_create(w->m.job.dir[0].name, n, 2, strength, value, K, null, w->rival != NULL ? rival : NULL, out));
    out->twins = twins;
out:
    free(base);
    free(value);
    free(null);
    free(rival);
    return rc;
}

/* shown (n, n) <- e_ij over the mean e_ii; NaN where it was not run. */
HS_CHECKED static int transfer_matrix(const hs_transfers *t, double **out)
{
    int rc;
    double mean = 0, most = 0;
    HS_TRY(hs_alloc(t->n, t->n * sizeof **out, out));
    for (size_t i = 0; i < t->n * t->n; i++) {
        (*out)[i] = NAN;
    }
    for (size_t i = 0; i < t->n; i++) {
        mean += t->own[i] / (double)t->n;
        most = fmax(most, fabs(t->own[i]));
        for (size_t q = 0; q < t->R; q++) {
            most = fmax(most, fabs(t->other[i * t->R + q]));
        }
    }
    double scale = most > 0 ? copysign(1 / most, mean) : 0;
    for (size_t i = 0; i < t->n; i++) {
        (*out)[i * t->n + i] = scale * t->own[i];
        for (size_t q = 0; q < t->R; q++) {
            (*out)[i * t->n + t->from[i * t->R + q]] = scale * t->other[i * t->R + q];
        }
    }
out:
    return rc;
}

HS_CHECKED static int write_file(const hs_homogeneity_work *w, const char *path, const char *readout,
                                 const hs_effects *e, const hs_transfers *t, const hs_measurement *m)
{
    int rc;
    hs_result *r = NULL;
    double *shown = NULL;
    char caption[200];
    const size_t dim[2] = {e->n, e->m};
    hs_property_table table = {0};
    if (t != NULL) {
        HS_TRY(transfer_matrix(t, &shown));
        snprintf(
            caption, sizeof caption,
            "Effect on %.40s of another image's delta, in units of the largest; %zu others an image, blank: not run.",
            readout, t->R);
        table = (hs_property_table){"what each delta does to each image",
                                    "image edited",
                                    "delta found on",
                                    caption,
                                    t->n,
                                    t->n,
                                    shown,
                                    NULL,
                                    NULL};
    }
    HS_TRY(hs_property_begin(w->c, path, m, readout, w->m.job.model.untrained, t != NULL ? &table : NULL, &r));
    HS_TRY(hs_result_put_f64(r, "strength", "strength", 1, &e->m, e->strength));
    HS_TRY(hs_result_put_f64(r, "effect", "sample,strength", 2, dim, e->value));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(shown);
    return rc;
}

/* Read-out p of a run, its controls left out; e: its table; own (n), change (n, f): room. */
HS_CHECKED static int measure(const hs_homogeneity_work *w, size_t p, double *own, float *change, hs_effects *e,
                              hs_transfers *t, hs_measurement *out)
{
    int rc;
    size_t n = w->m.n, f = w->m.phi[p].features;
    hs_homogeneity_options o = *w->options;
    HS_TRY(table_of(w, p, own, e));
    *t = (hs_transfers){n, w->R, own, w->from, w->other != NULL ? w->other[p] : NULL};
    for (size_t i = 0; i < n * f; i++) {
        change[i] = w->edited.value[p][i] - w->plain.value[p][i];
    }
    o.noise_floor = w->plain.noise_floor[p];
    o.naturalness = w->natural;
    o.transfers = w->R > 0 ? t : NULL;
    o.deltas = w->deltas && p == 0 ? &w->m.reduced : NULL;
    o.removed = o.deltas != NULL && w->has_removed ? &w->removed : NULL;
    o.f = f;
    o.change = f > 1 ? change : NULL;
    HS_TRY(hs_homogeneity_effects(e, &o, out));
out:
    return rc;
}

/* Adds the controls of read-out p to m. */
HS_CHECKED static int add_controls(const hs_homogeneity_work *w, size_t p, double *own, float *change,
                                   hs_measurement *m)
{
    int rc = HS_OK;
    size_t Kt = 0;
    const double *twins = hs_homogeneity_twins(w, p, &Kt);
    if (w->m.job.model.untrained) {
        hs_withhold(m, HS_UNTRAINED);
    }
    HS_TRY(hs_control_beside_twins(m, w->m.n, Kt, twins));
    HS_TRY(hs_measurement_own_controls(m, w->no_rival));
    for (int k = 0; k < HS_CONTROLS; k++) {
        hs_effects e = {0};
        hs_transfers t;
        hs_measurement of = {0};
        if (k == HS_CONTROL_COVARIANCE && w->draws != NULL) {
            HS_TRY(hs_control_draws(m, w->m.n, w->controls.of[k].n, w->draws[p]));
            continue;
        }
        if (w->control[k].edited.value == NULL) {
            HS_TRY(hs_measurement_control_missing(m, hs_control_name[k], w->controls.of[k].missing));
            continue;
        }
        rc = measure(&w->control[k], p, own, change, &e, &t, &of);
        if (rc == HS_OK) {
            rc = hs_control_add(m, (hs_control_kind)k, &of);
        }
        hs_effects_free(&e);
        hs_measurement_free(&of);
        HS_TRY(rc);
    }
    HS_TRY(w->natural ? HS_OK
                      : hs_measurement_control_missing(m, "naturalness",
                                                       "needs read-out feat, 16 images and a strength "
                                                       "that leaves them natural"));
out:
    return rc;
}

/* Measures read-out p; *json: the measurement. */
HS_CHECKED static int answer_one(void *ctx, size_t p, json_t **json, hs_verdict *verdict)
{
    int rc;
    hs_homogeneity_work *w = ctx;
    const char *name = w->m.phi[p].name;
    hs_effects e = {0};
    hs_transfers t;
    hs_measurement m = {0};
    double *own = NULL, *room = NULL;
    float *change = NULL;
    HS_TRY(hs_alloc(w->m.n, sizeof *own, &own));
    HS_TRY(hs_alloc(w->m.n, sizeof *room, &room));
    HS_TRY(hs_alloc(w->m.n, w->m.phi[p].features * sizeof *change, &change));
    HS_TRY(measure(w, p, own, change, &e, &t, &m));
    HS_TRY(add_controls(w, p, room, change, &m));
    *verdict = m.verdict;
    *json = hs_measurement_json(&m);
    json_object_set_new(*json, "readout", json_string(name));
    json_object_set_new(*json, "strength", hs_json_num(w->strength));
    hs_measurement_say(w->c, name, &m);
    if (hs_cmd_out(w->c) != NULL && p == 0) {
        HS_TRY(write_file(w, hs_cmd_out(w->c), name, &e, w->R > 0 ? &t : NULL, &m));
    }
out:
    free(own);
    free(room);
    free(change);
    hs_effects_free(&e);
    hs_measurement_free(&m);
    return rc;
}

HS_CHECKED static int answer(hs_homogeneity_work *w)
{
    int rc;
    const char *out = hs_cmd_out(w->c);
    HS_TRY(hs_property_readouts(w->c, w->m.n_phi, answer_one, w));
    HS_TRY(hs_cmd_str(w->c, "plot") != NULL ? hs_plot_files(w->c, &out, 1, hs_cmd_str(w->c, "plot")) : HS_OK);
out:
    return rc;
}

HS_CHECKED static int check_strengths(hs_cmd *c)
{
    const double *s;
    size_t m = hs_cmd_grid(c, "strengths", &s);
    for (size_t j = 0; j < m; j++) {
        if (s[j] > 0) {
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "--strengths: none of the %zu is positive", m);
}

/* What --dry-run says. */
HS_CHECKED static int plan_only(const hs_homogeneity_work *w)
{
    int rc;
    const double *s;
    size_t m = hs_cmd_grid(w->c, "strengths", &s), tried = 0;
    hs_work_of todo = hs_work_of_job(&w->m.job.source, &w->m.job.plan);
    hs_work_controls(&todo, &w->controls);
    for (size_t j = 0; j < m && judges(&w->m, feature_readout(&w->m)); j++) {
        tried += s[j] > 0;
    }
    hs_cmd_say(w->c, "%zu images x %zu steps, %zu nulls\n", w->m.n, w->m.job.steps.S, w->K);
    HS_TRY(hs_work_planned(w->c, &w->m.job.model, w->m.n,
                           hs_work_homogeneity(&todo, tried, w->K, w->R, hs_cmd_str(w->c, "rival") != NULL),
                           65536 + 8.0 * (double)(w->R > 0 ? w->m.n * w->m.n : w->m.n)));
    hs_controls_say_plan(w->c, &w->controls);
out:
    return rc;
}

int hs_homogeneity_model(hs_cmd *c, const hs_homogeneity_options *o)
{
    int rc;
    hs_homogeneity_work w = {.c = c, .options = o, .K = o->K};
    HS_TRY(check_strengths(c));
    HS_TRY(hs_property_model_open(c, &w.m));
    w.deltas = w.m.delta != NULL;
    HS_TRY(hs_cmd_dry_run(c) ? HS_OK : hs_resume_job(c, hs_resume_statistics, &w.m.job, &w.cells));
    HS_TRY(hs_controls_open(c, &w.m.job, &w.controls));
    if (w.m.job.dir[0].net != NULL && w.m.n > 1) {
        w.R = (size_t)hs_cmd_int(c, "transfers");
        w.R = w.R < w.m.n - 1 ? w.R : w.m.n - 1;
    }
    if (hs_cmd_dry_run(c)) {
        HS_TRY(plan_only(&w));
        goto out;
    }
    HS_TRY(run_edits(&w));
    HS_TRY(hs_homogeneity_nulls(&w));
    HS_TRY(w.R > 0 ? hs_homogeneity_transfers(&w) : HS_OK);
    HS_TRY(hs_homogeneity_rival(&w));
    HS_TRY(hs_homogeneity_controls(&w));
    hs_resume_say(c, w.cells.had, w.cells.images);
    HS_TRY(answer(&w));
    const hs_unet *untrained = w.controls.of[HS_CONTROL_UNET].model.unet;
    hs_work_done(c, &w.m.job.model, untrained != NULL ? hs_unet_work_of(untrained) : (hs_unet_work){0});
out:
    hs_resume_close(w.cells.cells, rc);
    work_free(&w);
    return rc;
}
