#include "analysis/cli/line_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/edit_common.h"
#include "analysis/cli/property.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/sweep_file.h"
#include "analysis/cli/sweep_in.h"
#include "analysis/cli/work.h"
#include "analysis/properties/verdict.h"
#include "analysis/sweep/tangent.h"
#include "core/base/alloc.h"
#include "core/stats/moments.h"

void hs_line_data_free(hs_line_data *d)
{
    for (size_t i = 0; i < d->n; i++) {
        hs_effects_free(&d->item[i].effects);
        hs_vector_shape_free(&d->item[i].shape);
        free(d->item[i].twin);
        free(d->item[i].draws);
        free(d->item[i].jacobian);
        hs_line_terms_free(&d->item[i].terms);
        for (int k = 0; k < HS_CONTROLS; k++) {
            hs_effects_free(&d->item[i].control[k].effects);
        }
    }
    free(d->item);
    memset(d, 0, sizeof *d);
}

HS_CHECKED static int reserve(hs_line_data *d, size_t n)
{
    return hs_calloc(n, sizeof *d->item, &d->item);
}

int hs_line_of_effects(hs_cmd *c, const char *path, hs_line_data *out)
{
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    hs_effects_set set = {0};
    hs_line_data d = {0};
    int rc = HS_OK;
    HS_TRY(hs_effects_read(path, &limits, &set));
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(reserve(&d, set.n));
    for (; d.n < set.n; d.n++) {
        d.item[d.n] = (hs_line_case){.effects = set.table[d.n], .spread = NAN, .natural = NAN, .controls = 1};
        for (int k = 0; k < HS_CONTROLS; k++) {
            snprintf(d.item[d.n].missing[k], sizeof d.item[d.n].missing[k], "needs a model, not a table");
        }
        set.table[d.n] = (hs_effects){0};
    }
    *out = d;
    d = (hs_line_data){0};
out:
    hs_effects_set_free(&set);
    hs_line_data_free(&d);
    return rc;
}

/* One read-out of a sweep, its columns in the order of the file; borrowed but for score. */
typedef struct {
    const char *name, *direction;
    size_t n, m, f, K;
    const double *strength;
    const float *value;  /* (n, m, f), or NULL: score is the read-out itself */
    const double *score; /* (n, m) */
    const double *null;  /* (K, n, m) */
    const double *rival; /* (n, m) or NULL */
    double noise_floor, spread, natural;
    const hs_control_scores *control; /* (HS_CONTROLS), or NULL */
    const char (*missing)[160];       /* (HS_CONTROLS), or NULL: none were planned */
} swept;

/* The shape statistics of a vector read-out, strengths put in order. */
HS_CHECKED static int shape_of(const swept *s, hs_vector_shape *out)
{
    size_t *order = NULL;
    double *rank = NULL, *strength = NULL;
    float *row = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->m, sizeof *order, &order));
    HS_TRY(hs_alloc(s->m, sizeof *rank, &rank));
    HS_TRY(hs_alloc(s->m, sizeof *strength, &strength));
    HS_TRY(hs_alloc(s->m * s->f, sizeof *row, &row));
    HS_TRY(hs_vector_shape_create(s->n, s->m, out));
    hs_ranks(s->m, s->strength, order, rank);
    for (size_t j = 0; j < s->m; j++) {
        strength[j] = s->strength[order[j]];
    }
    for (size_t i = 0; i < s->n; i++) {
        for (size_t j = 0; j < s->m; j++) {
            memcpy(row + j * s->f, s->value + (i * s->m + order[j]) * s->f, s->f * sizeof *row);
        }
        HS_TRY(hs_vector_shape_image(out, i, strength, s->f, row));
    }
out:
    free(order);
    free(rank);
    free(strength);
    free(row);
    return rc;
}

/* Owned arrays of a sweep cut to natural strengths, and the columns that are left (m 0: all of them). */
typedef struct {
    size_t m, *column;
    double *strength, *score, *null, *rival;
    float *value;
} cut_arrays;

static void cut_free(cut_arrays *a)
{
    free(a->column);
    free(a->strength);
    free(a->score);
    free(a->null);
    free(a->rival);
    free(a->value);
}

/* s <- its columns with |strength| <= natural; all of them where that was not judged, or leaves nothing but 0. */
HS_CHECKED static int cut_to_natural(swept *s, cut_arrays *a)
{
    size_t m = 0, *column;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->m, sizeof *a->column, &a->column));
    column = a->column;
    for (size_t j = 0; j < s->m; j++) {
        if (fabs(s->strength[j]) <= s->natural) {
            column[m++] = j;
        }
    }
    if (m < 2 || m == s->m) {
        goto out;
    }
    a->m = m;
    HS_TRY(hs_alloc(m, sizeof *a->strength, &a->strength));
    HS_TRY(hs_alloc(s->n, m * sizeof *a->score, &a->score));
    HS_TRY(hs_alloc(s->n * m, (s->value != NULL ? s->f : 1) * sizeof *a->value, &a->value));
    HS_TRY(hs_alloc(s->n * m, (s->K > 0 ? s->K : 1) * sizeof *a->null, &a->null));
    HS_TRY(hs_alloc(s->n, m * sizeof *a->rival, &a->rival));
    for (size_t j = 0; j < m; j++) {
        a->strength[j] = s->strength[column[j]];
        for (size_t i = 0; i < s->n; i++) {
            a->score[i * m + j] = s->score[i * s->m + column[j]];
            a->rival[i * m + j] = s->rival != NULL ? s->rival[i * s->m + column[j]] : 0;
            if (s->value != NULL) {
                memcpy(a->value + (i * m + j) * s->f, s->value + (i * s->m + column[j]) * s->f,
                       s->f * sizeof *a->value);
            }
        }
        for (size_t i = 0; i < s->K * s->n; i++) {
            a->null[i * m + j] = s->null[i * s->m + column[j]];
        }
    }
    s->m = m;
    s->strength = a->strength;
    s->score = a->score;
    s->value = s->value != NULL ? a->value : NULL;
    s->null = s->K > 0 ? a->null : NULL;
    s->rival = s->rival != NULL ? a->rival : NULL;
out:
    return rc;
}

/* ---- Controls ---- */

/* to (rows, m) <- the columns of from (rows, of). */
static void cut_rows(size_t rows, size_t of, const cut_arrays *cut, const double *from, double *to)
{
    size_t m = cut->m > 0 ? cut->m : of;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < m; j++) {
            to[i * m + j] = from[i * of + (cut->m > 0 ? cut->column[j] : j)];
        }
    }
}

/* Columns of strength 0 and of the largest magnitude, the positive of two. */
static void ends_of(const swept *s, size_t *zero, size_t *far)
{
    *zero = *far = 0;
    for (size_t j = 0; j < s->m; j++) {
        *zero = s->strength[j] == 0 ? j : *zero;
        double more = fabs(s->strength[j]) - fabs(s->strength[*far]);
        *far = more > 0 || (more == 0 && s->strength[j] > 0) ? j : *far;
    }
}

/* effect (K, n) <- the increments of rows (K, n, m) at the largest strength. */
static void far_effects(const swept *s, size_t K, const double *rows, double *effect)
{
    size_t zero, far;
    ends_of(s, &zero, &far);
    hs_control_increments(K * s->n, s->m, zero, far, rows, effect);
}

/* *null (free()), *K <- of a's and b's the one that is harder to beat, cut; b may hold none. */
HS_CHECKED static int harder_null(const swept *s, size_t Ka, const double *a, size_t Kb, const double *b, size_t *K,
                                  double **null, int *twins)
{
    int rc;
    double *effect = NULL;
    HS_TRY(hs_alloc((Ka + Kb) * s->n, sizeof *effect, &effect));
    far_effects(s, Ka, a, effect);
    far_effects(s, Kb, b, effect + Ka * s->n);
    HS_TRY(hs_control_harder(s->n, Ka, effect, Kb, effect + Ka * s->n, twins));
    *K = *twins ? Kb : Ka;
    HS_TRY(hs_alloc(*K * s->n, s->m * sizeof **null, null));
    if (*K > 0) {
        memcpy(*null, *twins ? b : a, *K * s->n * s->m * sizeof **null);
    }
out:
    free(effect);
    return rc;
}

/* The twins of a control, its own score first, beside which the direction is judged: effects (1 + K, n) at the largest
 * strength left. */
HS_CHECKED static int twins_of(const swept *s, size_t full, const cut_arrays *cut, const hs_control_scores *o,
                               size_t *K, double **effect)
{
    int rc = HS_OK;
    size_t cells = s->n * s->m;
    double *score = NULL;
    *K = o->score != NULL && o->K > 0 ? 1 + o->K : 0;
    HS_TRY(hs_alloc(*K, cells * sizeof *score, &score));
    HS_TRY(hs_alloc(*K * s->n, sizeof **effect, effect));
    if (*K > 0) {
        cut_rows(s->n, full, cut, o->score, score);
        cut_rows(o->K * s->n, full, cut, o->null, score + cells);
    }
    far_effects(s, *K, score, *effect);
out:
    free(score);
    return rc;
}

/* Effects (K, n) of the draws from the covariance of h at the largest strength left. */
HS_CHECKED static int draws_of(const swept *s, size_t full, const cut_arrays *cut, const hs_control_scores *o,
                               size_t *K, double **effect)
{
    int rc = HS_OK;
    double *score = NULL;
    *K = o->K;
    HS_TRY(hs_alloc(*K * s->n, s->m * sizeof *score, &score));
    HS_TRY(hs_alloc(*K * s->n, sizeof **effect, effect));
    if (*K > 0) {
        cut_rows(*K * s->n, full, cut, o->null, score);
    }
    far_effects(s, *K, score, *effect);
out:
    free(score);
    return rc;
}

/* One control's table: its null the harder of its own and, in the direction's own network, the random directions. */
HS_CHECKED static int add_control(const swept *s, size_t full, const cut_arrays *cut, hs_control_kind kind,
                                  hs_line_control *out)
{
    int rc, twins;
    const hs_control_scores *o = &s->control[kind];
    double *score = NULL, *own = NULL, *null = NULL;
    size_t K = 0, random = kind == HS_CONTROL_UNET ? 0 : s->K;
    HS_TRY(hs_alloc(s->n, s->m * sizeof *score, &score));
    HS_TRY(hs_alloc(o->K * s->n, s->m * sizeof *own, &own));
    cut_rows(s->n, full, cut, o->score, score);
    if (o->K > 0) {
        cut_rows(o->K * s->n, full, cut, o->null, own);
    }
    HS_TRY(harder_null(s, random, s->null, o->K, own, &K, &null, &twins));
    HS_TRY(hs_effects_create(s->direction, s->n, s->m, s->strength, score, K, null, NULL, &out->effects));
    out->effects.twins = twins;
    out->noise_floor = o->noise_floor;
    out->spread = o->spread;
out:
    free(score);
    free(own);
    free(null);
    return rc;
}

/* ---- A case ---- */

HS_CHECKED static int add_swept(hs_line_data *d, const swept *s, size_t full, const cut_arrays *cut)
{
    hs_line_case *item = &d->item[d->n];
    int rc = HS_OK;
    *item = (hs_line_case){.noise_floor = s->noise_floor, .spread = s->spread, .natural = s->natural};
    snprintf(item->readout, sizeof item->readout, "%s", s->name);
    item->controls = s->missing != NULL;
    if (s->control != NULL) {
        int net = s->control[HS_CONTROL_NET].score != NULL;
        HS_TRY(twins_of(s, full, cut, &s->control[net ? HS_CONTROL_NET : HS_CONTROL_LABELS], &item->K, &item->twin));
        HS_TRY(draws_of(s, full, cut, &s->control[HS_CONTROL_COVARIANCE], &item->Kd, &item->draws));
    }
    HS_TRY(hs_effects_create(s->direction, s->n, s->m, s->strength, s->score, s->K, s->null, s->rival, &item->effects));
    d->n++;
    for (int k = 0; k < HS_CONTROLS && s->missing != NULL; k++) {
        snprintf(item->missing[k], sizeof item->missing[k], "%s", s->missing[k]);
        HS_TRY(s->control[k].score != NULL ? add_control(s, full, cut, (hs_control_kind)k, &item->control[k]) : HS_OK);
    }
    if (s->value != NULL && s->f > 1) {
        HS_TRY(shape_of(s, &item->shape));
    }
out:
    return rc;
}

HS_CHECKED static int add_case(hs_line_data *d, swept s)
{
    cut_arrays cut = {0};
    const size_t full = s.m;
    int rc = HS_OK;
    HS_TRY(cut_to_natural(&s, &cut));
    HS_TRY(add_swept(d, &s, full, &cut));
out:
    cut_free(&cut);
    return rc;
}

int hs_line_controls(hs_cmd *c, const hs_line_case *item, int untrained, hs_line_measure measure, hs_measurement *m)
{
    int rc = HS_OK;
    if (untrained) {
        hs_withhold(m, HS_UNTRAINED);
    }
    if (!item->controls) {
        return HS_OK;
    }
    HS_TRY(hs_control_beside_twins(m, item->effects.n, item->effects.K > 0 ? item->K : 0, item->twin));
    HS_TRY(hs_measurement_own_controls(m, "no direction of eps was given"));
    for (int k = 0; k < HS_CONTROLS; k++) {
        const hs_line_control *o = &item->control[k];
        hs_measurement of = {0};
        if (k == HS_CONTROL_COVARIANCE && item->Kd > 0) {
            HS_TRY(hs_control_draws(m, item->effects.n, item->Kd, item->draws));
            continue;
        }
        if (o->effects.n == 0) {
            HS_TRY(hs_measurement_control_missing(m, hs_control_name[k], item->missing[k]));
            continue;
        }
        hs_line_case one = {
            .effects = o->effects, .noise_floor = o->noise_floor, .spread = o->spread, .natural = item->natural};
        rc = measure(c, &one, &of);
        if (rc == HS_OK) {
            rc = hs_control_add(m, (hs_control_kind)k, &of);
        }
        hs_measurement_free(&of);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* ---- From a sweep file ---- */

HS_CHECKED static int add_from_file(hs_sweep_in *in, const char *readout, hs_line_data *d)
{
    hs_sweep_readout r = {0};
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_read(in, readout, &r));
    const swept s = {.name = readout,
                     .direction = in->direction,
                     .n = r.n,
                     .m = in->m,
                     .f = r.f,
                     .K = r.K,
                     .strength = in->strength,
                     .value = r.value,
                     .score = r.score,
                     .null = r.null,
                     .rival = r.rival,
                     .noise_floor = r.noise_floor,
                     .spread = r.spread,
                     .natural = in->natural,
                     .control = r.control,
                     .missing = (const char(*)[160])in->missing};
    HS_TRY(add_case(d, s));
out:
    hs_sweep_readout_free(&r);
    return rc;
}

/* True when the read-out is wanted: named by --readout, or none is. */
static int is_wanted(const hs_cmd *c, const char *readout)
{
    const char *const *item;
    size_t n = hs_cmd_given(c, "readout") ? hs_cmd_list(c, "readout", &item) : 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(item[i], readout) == 0) {
            return 1;
        }
    }
    return n == 0;
}

int hs_line_of_sweep(hs_cmd *c, const char *path, size_t n, const char *const *term, hs_line_data *out)
{
    hs_sweep_in in = {0};
    hs_line_data d = {0};
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_open(path, &in));
    HS_TRY(hs_cmd_input(c, path));
    HS_TRY(reserve(&d, in.n_readouts));
    for (size_t p = 0; p < in.n_readouts; p++) {
        if (is_wanted(c, in.readout[p])) {
            HS_TRY(hs_fail_in(add_from_file(&in, in.readout[p], &d), path));
        }
    }
    if (d.n == 0) {
        rc = hs_fail(HS_ERANGE, "--readout: none of those in %s; hspace info lists its arrays", path);
        goto out;
    }
    HS_TRY(n > 0 ? hs_line_add_terms(c, &in, n, term, &d) : HS_OK);
    double untrained = 0;
    d.untrained = hs_result_attr_get_f64(in.r, NULL, "untrained", &untrained) == HS_OK && untrained != 0;
    *out = d;
    d = (hs_line_data){0};
out:
    hs_sweep_in_close(&in);
    hs_line_data_free(&d);
    return rc;
}

/* ---- From a model ---- */

HS_CHECKED static int add_from_run(const hs_sweep_file *f, const char *direction, size_t p, hs_line_data *d)
{
    size_t m = f->sweep.m;
    hs_control_scores control[HS_CONTROLS] = {0};
    char missing[HS_CONTROLS][160];
    for (int k = 0; k < HS_CONTROLS; k++) {
        const hs_sweep_control *o = &f->control[k];
        memcpy(missing[k], o->missing, sizeof missing[k]);
        if (k == HS_CONTROL_COVARIANCE && o->K > 0) {
            control[k] = (hs_control_scores){.K = o->K, .null = o->null[p]};
        } else if (o->score != NULL) {
            control[k] = (hs_control_scores){o->K, o->score[p], o->null != NULL ? o->null[p] : NULL, o->noise_floor[p],
                                             o->spread[p]};
        }
    }
    double spread = NAN;
    const double *strength = f->job->plan.strength;
    int rc = hs_sweep_spread(&f->sweep, p, f->phi[p].features, strength, &spread);
    swept s = {.name = f->phi[p].name,
               .direction = direction,
               .n = f->sweep.n,
               .m = m,
               .f = f->phi[p].features,
               .K = f->K,
               .strength = strength,
               .value = hs_readout_is_vector(&f->phi[p]) ? f->sweep.value[p] : NULL,
               .score = f->score[p],
               .null = f->null != NULL ? f->null[p] : NULL,
               .rival = f->rival != NULL ? f->rival[p] : NULL,
               .noise_floor = f->sweep.noise_floor[p],
               .spread = spread,
               .natural = f->natural.n > 0 ? f->natural.reach : NAN,
               .control = control,
               .missing = (const char(*)[160])missing};
    return rc == HS_OK ? add_case(d, s) : rc;
}

static double cosine_with(size_t d, double s, const float *x, const float *x_0, const float *dx)
{
    double cross = 0, effect = 0, slope = 0;
    for (size_t k = 0; k < d; k++) {
        double e = (double)x[k] - (double)x_0[k], g = s * (double)dx[k];
        cross += e * g;
        effect += e * e;
        slope += g * g;
    }
    return effect > 0 && slope > 0 ? cross / sqrt(effect * slope) : NAN;
}

/* item->jacobian <- cos(E(s), s dx_0/ds) at the smallest |s| of the read-out p, which is x0. */
HS_CHECKED static int add_jacobian(const hs_sweep_file *f, size_t p, hs_line_case *item)
{
    const hs_edit_plan *plan = &f->job->plan;
    size_t n = f->sweep.n, m = f->sweep.m, d = f->phi[p].features, zero = 0, near = m;
    float *dx = NULL;
    int rc = HS_OK;
    for (size_t j = 0; j < m; j++) {
        zero = plan->strength[j] == 0 ? j : zero;
        if (plan->strength[j] != 0 && (near == m || fabs(plan->strength[j]) <= fabs(plan->strength[near]))) {
            near = j;
        }
    }
    if (near == m || !hs_edit_has_tangent(plan)) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, d * sizeof *dx, &dx));
    HS_TRY(hs_edit_tangent(plan, n, f->job->x_T, dx));
    HS_TRY(hs_alloc(n, sizeof *item->jacobian, &item->jacobian));
    for (size_t i = 0; i < n; i++) {
        const float *row = f->sweep.value[p] + i * m * d;
        item->jacobian[i] = cosine_with(d, plan->strength[near], row + near * d, row + zero * d, dx + i * d);
    }
out:
    free(dx);
    return rc;
}

/* The sweep of an open job, measured. */
HS_CHECKED static int sweep_job(hs_cmd *c, hs_edit_job *job, hs_line_data *d, hs_run_cells *cells)
{
    hs_sweep_file f = {.job = job, .kind = "sweep"};
    hs_str direction = {0};
    char **path = NULL;
    int rc = HS_OK;
    HS_TRY(hs_sweep_name_directions(job, &direction));
    HS_TRY(hs_edit_readouts(c, &job->model, &f.n_phi, &f.phi));
    HS_TRY(hs_property_paths(c, f.n_phi, &path)); /* refused now, not when all has been run */
    HS_TRY(hs_resume_job(c, hs_resume_statistics, job, cells));
    HS_TRY(hs_sweep_run(&job->plan, job->source.n, job->x_T, f.n_phi, f.phi, NULL, &f.sweep));
    HS_TRY(hs_sweep_file_score(&f));
    HS_TRY(hs_sweep_file_natural(&f));
    HS_TRY(hs_sweep_file_terms(&f));
    HS_TRY(hs_sweep_file_rival(c, &f));
    HS_TRY(hs_sweep_file_null(&f, (size_t)hs_cmd_int(c, "null"), hs_cmd_seed(c)));
    HS_TRY(hs_sweep_file_controls(c, &f));
    HS_TRY(reserve(d, f.n_phi));
    for (size_t p = 0; p < f.n_phi; p++) {
        HS_TRY(add_from_run(&f, direction.s, p, d));
        if (f.terms != NULL) {
            d->item[d->n - 1].terms = f.terms[p];
            f.terms[p] = (hs_line_terms){0};
        }
        HS_TRY(f.phi[p].phi == HS_PHI_X0 ? add_jacobian(&f, p, &d->item[d->n - 1]) : HS_OK);
    }
    d->untrained = job->model.untrained;
    hs_resume_say(c, cells->had, cells->images);
    hs_work_done(c, &job->model, f.beside);
out:
    hs_strings_free(f.n_phi, path);
    hs_sweep_file_free(&f);
    hs_str_free(&direction);
    return rc;
}

/* What --dry-run says; a file of each read-out holds its scores and what is beside them. */
HS_CHECKED static int plan_only(hs_cmd *c, const hs_edit_job *job)
{
    int rc;
    const hs_edit_plan *p = &job->plan;
    hs_work_of todo = hs_work_of_job(&job->source, p);
    hs_controls cs = {0};
    hs_readout *phi = NULL;
    size_t n_phi = 0, K = (size_t)hs_cmd_int(c, "null"), tangents = 0;
    HS_TRY(hs_controls_open(c, job, &cs));
    hs_work_controls(&todo, &cs);
    HS_TRY(hs_edit_readouts(c, &job->model, &n_phi, &phi));
    for (size_t i = 0; i < n_phi; i++) {
        tangents += phi[i].phi == HS_PHI_X0 && hs_edit_has_tangent(p);
    }
    hs_cmd_say(c, "%zu images x %zu strengths x %zu steps, %zu nulls\n", job->source.n, p->m, job->steps.S, K);
    if (p->n_dir > 1) {
        hs_cmd_say(c, "each of %zu directions alone, and of %zu random sets, at the largest strength\n", p->n_dir, K);
    }
    HS_TRY(hs_work_planned(c, &job->model, job->source.n,
                           hs_work_linearity(&todo, p->m, p->strength, K, hs_cmd_str(c, "rival") != NULL, tangents > 0),
                           (double)n_phi * (65536 + 8 * (double)(job->source.n * p->m * (2 + K)))));
    hs_controls_say_plan(c, &cs);
out:
    hs_controls_free(&cs);
    hs_edit_readouts_free(n_phi, phi);
    return rc;
}

int hs_line_of_model(hs_cmd *c, hs_line_data *out, hs_run_cells *cells)
{
    hs_edit_job job = {0};
    hs_line_data d = {0};
    const double *strength;
    size_t m = hs_cmd_grid(c, "strengths", &strength);
    int rc = HS_OK;
    HS_TRY(hs_edit_check_strengths(m, strength));
    HS_TRY(hs_edit_job_open(c, 64, &job));
    HS_TRY(hs_sweep_check_set(&job));
    job.plan.m = m;
    job.plan.strength = strength;
    if (hs_cmd_dry_run(c)) {
        HS_TRY(plan_only(c, &job));
    } else {
        HS_TRY(sweep_job(c, &job, &d, cells));
    }
    *out = d;
    d = (hs_line_data){0};
out:
    hs_edit_job_free(&job);
    hs_line_data_free(&d);
    return rc;
}
