#include "analysis/cli/sweep_file.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/strip_out.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/stats/bootstrap.h"

int hs_sweep_file_score(hs_sweep_file *f)
{
    int rc;
    HS_TRY(hs_calloc(f->n_phi, sizeof *f->score, &f->score));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(hs_alloc(f->sweep.n * f->sweep.m, sizeof **f->score, &f->score[p]));
        HS_TRY(hs_sweep_score(&f->sweep, p, f->phi[p].features, f->job->plan.strength, f->score[p]));
    }
out:
    return rc;
}

int hs_sweep_file_natural(hs_sweep_file *f)
{
    for (size_t p = 0; p < f->n_phi; p++) {
        if (f->phi[p].phi == HS_PHI_FEAT && f->sweep.n >= 16 && f->natural.n == 0) {
            return hs_naturalness_measure(f->sweep.n, f->sweep.m, f->job->plan.strength, f->phi[p].features,
                                          f->sweep.value[p], 0, NULL, &f->natural);
        }
    }
    return HS_OK;
}

void hs_sweep_file_free(hs_sweep_file *f)
{
    hs_sweep_free(&f->sweep);
    for (size_t p = 0; p < f->n_phi; p++) {
        free(f->score != NULL ? f->score[p] : NULL);
        free(f->null != NULL ? f->null[p] : NULL);
        free(f->rival != NULL ? f->rival[p] : NULL);
    }
    free(f->score);
    free(f->null);
    free(f->rival);
    free(f->rival_factor);
    f->score = f->null = f->rival = NULL;
    f->rival_factor = NULL;
    for (int k = 0; k < HS_CONTROLS; k++) {
        hs_sweep_control_free(f->n_phi, &f->control[k]);
    }
    for (size_t p = 0; f->terms != NULL && p < f->n_phi; p++) {
        hs_line_terms_free(&f->terms[p]);
    }
    free(f->terms);
    f->terms = NULL;
    hs_naturalness_free(&f->natural);
    hs_edit_readouts_free(f->n_phi, f->phi);
    f->phi = NULL;
}

/* ---- Report ---- */

typedef struct {
    size_t n, m;
    const double *score;
} score_table;

static void weighted_means(const void *ctx, const double *w, double *theta, void *scratch)
{
    const score_table *t = ctx;
    (void)scratch;
    for (size_t j = 0; j < t->m; j++) {
        double sum = 0;
        for (size_t i = 0; i < t->n; i++) {
            sum += w[i] * t->score[i * t->m + j];
        }
        theta[j] = sum / (double)t->n;
    }
}

HS_CHECKED static int report_readout(hs_cmd *c, const hs_sweep_file *f, size_t p, json_t *list)
{
    int rc;
    size_t n = f->sweep.n, m = f->sweep.m;
    hs_interval *ci = NULL;
    score_table table = {n, m, f->score[p]};
    hs_statistic st = {.n = n, .q = m, .eval = weighted_means, .ctx = &table};
    hs_bootstrap_options o = HS_BOOTSTRAP_OPTIONS_INIT;
    json_t *mean = json_array(), *limits = json_array();
    o.seed = hs_cmd_seed(c);
    HS_TRY(hs_alloc(m, sizeof *ci, &ci));
    HS_TRY(hs_bootstrap(&st, &o, ci, NULL));
    hs_cmd_say(c, "\n%s  (mean over n = %zu images, 95 %% bootstrap interval)\n", f->phi[p].name, n);
    for (size_t j = 0; j < m; j++) {
        json_array_append_new(mean, hs_json_num(ci[j].value));
        json_array_append_new(limits, json_pack("[o, o]", hs_json_num(ci[j].lo), hs_json_num(ci[j].hi)));
        hs_cmd_say(c, "  %8g  %10.5g  [%.5g, %.5g]\n", f->job->plan.strength[j], ci[j].value, ci[j].lo, ci[j].hi);
    }
    json_array_append_new(list,
                          json_pack("{s:s, s:O, s:O, s:I, s:o, s:b}", "name", f->phi[p].name, "mean", mean, "ci",
                                    limits, "n", (json_int_t)n, "noise_floor", hs_json_num(f->sweep.noise_floor[p]),
                                    "vector", hs_readout_is_vector(&f->phi[p])));
out:
    json_decref(mean);
    json_decref(limits);
    free(ci);
    return rc;
}

/* The no-op guard: a read-out that no strength moves beyond what the batch alone does. */
static void guard(hs_cmd *c, const hs_sweep_file *f, size_t p)
{
    double most = 0;
    for (size_t j = 0; j < f->sweep.m; j++) {
        most = fmax(most, hs_sweep_effect(&f->sweep, p, f->phi[p].features, j, hs_sweep_file_zero(f)));
    }
    if (most <= HS_SWEEP_NOTHING * f->sweep.noise_floor[p]) {
        hs_cmd_warn(c, "%s: no effect, the largest change %.3g is within the numerical noise %.3g", f->phi[p].name,
                    most, f->sweep.noise_floor[p]);
    }
}

/* Until which strength images stay natural. */
static void report_naturalness(hs_cmd *c, const hs_naturalness *a, const double *strength)
{
    json_t *median = json_array(), *outside = json_array();
    hs_cmd_say(c,
               "\nnaturalness  (median distance of feat from clean images; natural up to %.4g; natural strengths: |s| "
               "<= %g)\n",
               a->limit, a->reach);
    for (size_t j = 0; j < a->m; j++) {
        json_array_append_new(median, hs_json_num(a->median[j]));
        json_array_append_new(outside, hs_json_num(a->outside[j]));
        hs_cmd_say(c, "  %8g  %10.5g\n", strength[j], a->median[j]);
    }
    json_object_set_new(hs_cmd_results(c), "naturalness",
                        json_pack("{s:o, s:o, s:o, s:o}", "median", median, "unnatural_share", outside, "limit",
                                  hs_json_num(a->limit), "natural_strength", hs_json_num(a->reach)));
}

int hs_sweep_file_report(hs_cmd *c, const hs_sweep_file *f)
{
    int rc = HS_OK;
    json_t *strengths = json_array(), *readouts = json_array();
    for (size_t j = 0; j < f->sweep.m; j++) {
        json_array_append_new(strengths, hs_json_num(f->job->plan.strength[j]));
    }
    json_object_set_new(hs_cmd_results(c), "strengths", strengths);
    json_object_set_new(hs_cmd_results(c), "readouts", readouts);
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(report_readout(c, f, p, readouts));
        guard(c, f, p);
    }
    if (f->natural.n > 0) {
        report_naturalness(c, &f->natural, f->job->plan.strength);
    }
out:
    return rc;
}

/* ---- The file ---- */

void hs_sweep_array_name(const char *prefix, const char *readout, char out[128])
{
    size_t used = (size_t)snprintf(out, 128, "%s", prefix);
    for (; *readout != '\0' && used + 1 < 128; readout++) {
        out[used++] = isalnum((unsigned char)*readout) ? *readout : '_';
    }
    out[used] = '\0';
}

HS_CHECKED static int put_effect(hs_result *r, const hs_sweep_file *f, size_t p, const char *name)
{
    int vector = hs_readout_is_vector(&f->phi[p]);
    char dims[128], feature[128];
    size_t dim[3] = {f->sweep.n, f->sweep.m, f->phi[p].features};
    hs_sweep_array_name("feature_", f->phi[p].name, feature);
    snprintf(dims, sizeof dims, vector ? "sample,strength,%.100s" : "sample,strength", feature);
    return hs_result_put_f32(r, name, dims, vector ? 3 : 2, dim, f->sweep.value[p]);
}

/* control_KEY_score_NAME and its attributes. */
HS_CHECKED static int put_control_score(hs_result *r, const hs_sweep_file *f, size_t p, hs_control_kind kind)
{
    int rc;
    char prefix[64], name[128];
    const hs_sweep_control *o = &f->control[kind];
    const char *key = hs_control_key[kind];
    const size_t rows[2] = {f->sweep.n, f->sweep.m};
    snprintf(prefix, sizeof prefix, "control_%s_score_", key);
    hs_sweep_array_name(prefix, f->phi[p].name, name);
    HS_TRY(hs_result_put_f64(r, name, "sample,strength", 2, rows, o->score[p]));
    snprintf(prefix, sizeof prefix, "control_%s_spread_", key);
    hs_sweep_array_name(prefix, f->phi[p].name, name);
    HS_TRY(hs_result_attr_f64(r, NULL, name, o->spread[p]));
    snprintf(prefix, sizeof prefix, "control_%s_noise_floor_", key);
    hs_sweep_array_name(prefix, f->phi[p].name, name);
    HS_TRY(hs_result_attr_f64(r, NULL, name, o->noise_floor[p]));
out:
    return rc;
}

/* What is there of a control: score, null. */
HS_CHECKED static int put_control(hs_result *r, const hs_sweep_file *f, size_t p, hs_control_kind kind)
{
    int rc = HS_OK;
    char prefix[64], name[128], dims[96];
    const hs_sweep_control *o = &f->control[kind];
    const size_t nulls[3] = {o->K, f->sweep.n, f->sweep.m};
    HS_TRY(o->score != NULL ? put_control_score(r, f, p, kind) : HS_OK);
    if (o->K > 0) {
        snprintf(prefix, sizeof prefix, "control_%s_null_", hs_control_key[kind]);
        snprintf(dims, sizeof dims, "null_%s,sample,strength", hs_control_key[kind]);
        hs_sweep_array_name(prefix, f->phi[p].name, name);
        HS_TRY(hs_result_put_f64(r, name, dims, 3, nulls, o->null[p]));
    }
out:
    return rc;
}

HS_CHECKED static int put_readout(hs_result *r, const hs_sweep_file *f, size_t p)
{
    int rc;
    char name[128];
    double spread;
    size_t rows[2] = {f->sweep.n, f->sweep.m}, nulls[3] = {f->K, f->sweep.n, f->sweep.m};
    hs_sweep_array_name("effect_", f->phi[p].name, name);
    HS_TRY(put_effect(r, f, p, name));
    hs_sweep_array_name("score_", f->phi[p].name, name);
    HS_TRY(hs_result_put_f64(r, name, "sample,strength", 2, rows, f->score[p]));
    if (f->K > 0) {
        hs_sweep_array_name("null_score_", f->phi[p].name, name);
        HS_TRY(hs_result_put_f64(r, name, "null,sample,strength", 3, nulls, f->null[p]));
    }
    if (f->rival != NULL) {
        hs_sweep_array_name("rival_score_", f->phi[p].name, name);
        HS_TRY(hs_result_put_f64(r, name, "sample,strength", 2, rows, f->rival[p]));
    }
    hs_sweep_array_name("noise_floor_", f->phi[p].name, name);
    HS_TRY(hs_result_attr_f64(r, NULL, name, f->sweep.noise_floor[p]));
    HS_TRY(hs_sweep_spread(&f->sweep, p, f->phi[p].features, f->job->plan.strength, &spread));
    hs_sweep_array_name("spread_", f->phi[p].name, name);
    HS_TRY(hs_result_attr_f64(r, NULL, name, spread));
    for (int k = 0; k < HS_CONTROLS; k++) {
        HS_TRY(put_control(r, f, p, (hs_control_kind)k));
    }
out:
    return rc;
}

int hs_sweep_name_directions(const hs_edit_job *job, hs_str *out)
{
    for (size_t i = 0; i < job->n_dir; i++) {
        hs_str_addf(out, "%s%s", i > 0 ? " + " : "", job->dir[i].name);
    }
    return hs_str_ok(out);
}

/* The directions swept and what each counts, apart from their names put together. */
HS_CHECKED static int put_terms(hs_result *r, const hs_edit_job *job)
{
    int rc = HS_OK;
    const char **name = NULL;
    if (job->n_dir == 0) {
        return HS_OK;
    }
    HS_TRY(hs_alloc(job->n_dir, sizeof *name, &name));
    for (size_t i = 0; i < job->n_dir; i++) {
        name[i] = job->dir[i].name;
    }
    HS_TRY(hs_result_put_strings(r, "term", "term", job->n_dir, name));
    HS_TRY(hs_result_put_f64(r, "coefficient", "term", 1, &job->n_dir, job->coef));
out:
    free(name);
    return rc;
}

HS_CHECKED static int put_attributes(hs_result *r, const hs_sweep_file *f)
{
    int rc;
    hs_str names = {0}, directions = {0};
    const hs_edit_job *job = f->job;
    for (size_t p = 0; p < f->n_phi; p++) {
        hs_str_addf(&names, "%s%s", p > 0 ? "\n" : "", f->phi[p].name);
    }
    HS_TRY(hs_str_ok(&names));
    HS_TRY(hs_result_attr_str(r, NULL, "readout", f->phi[0].name));
    HS_TRY(hs_result_attr_str(r, NULL, "readouts", names.s));
    HS_TRY(hs_sweep_name_directions(job, &directions));
    HS_TRY(hs_result_attr_str(r, NULL, "direction", directions.s != NULL ? directions.s : ""));
    HS_TRY(hs_result_attr_str(r, NULL, "model_name", job->model.name));
    HS_TRY(hs_result_attr_str(r, NULL, "model_sha256", job->model.sha256));
    HS_TRY(hs_result_attr_str(r, NULL, "mode", job->plan.symmetric ? "symmetric" : "asymmetric"));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_edit", job->plan.t_edit));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_boost", job->plan.t_boost));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", job->model.untrained));
out:
    hs_str_free(&names);
    hs_str_free(&directions);
    return rc;
}

HS_CHECKED static int put_naturalness(hs_result *r, const hs_sweep_file *f)
{
    int rc = HS_OK;
    const hs_naturalness *a = &f->natural;
    if (a->n == 0) {
        return HS_OK;
    }
    HS_TRY(hs_result_put_f64(r, "naturalness", "strength", 1, &a->m, a->median));
    HS_TRY(hs_result_put_f64(r, "unnatural_share", "strength", 1, &a->m, a->outside));
    HS_TRY(hs_result_attr_f64(r, NULL, "naturalness_limit", a->limit));
    HS_TRY(hs_result_attr_f64(r, NULL, "natural_strength", a->reach));
out:
    return rc;
}

int hs_sweep_file_write(hs_cmd *c, const hs_sweep_file *f)
{
    int rc;
    hs_result *r = NULL;
    HS_TRY(hs_result_create(hs_cmd_out(c), f->kind, hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(put_attributes(r, f));
    HS_TRY(put_terms(r, f->job));
    HS_TRY(hs_result_put_f64(r, "strength", "strength", 1, &f->sweep.m, f->job->plan.strength));
    HS_TRY(put_effect(r, f, 0, "effect"));
    for (size_t p = 0; p < f->n_phi; p++) {
        HS_TRY(put_readout(r, f, p));
    }
    if (f->rival != NULL) {
        HS_TRY(hs_result_put_f64(r, "rival_factor", "timestep", 1, &f->job->steps.S, f->rival_factor));
        HS_TRY(hs_result_attr_str(r, NULL, "rival", f->rival_name));
    }
    for (int k = 0; k < HS_CONTROLS && f->controls; k++) {
        char name[64];
        snprintf(name, sizeof name, "control_%s_missing", hs_control_key[k]);
        HS_TRY(hs_result_attr_str(r, NULL, name, f->control[k].missing));
    }
    HS_TRY(put_naturalness(r, f));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

/* The images: a row each, a column per strength or position. */
HS_CHECKED static int write_strip(hs_cmd *c, const hs_sweep_file *f, const char *path, const float *x_0)
{
    int rc;
    size_t n = f->sweep.n, m = f->sweep.m;
    char **col = NULL, **row = NULL;
    hs_str title = {0};
    if (!hs_strip_wanted(c, path, m)) {
        return hs_images_write(c, path, n, m, f->job->source.image, x_0);
    }
    HS_TRY(hs_sweep_name_directions(f->job, &title));
    HS_TRY(hs_strip_labels_of(m, f->job->plan.strength, &col));
    HS_TRY(hs_strip_labels_of_source(&f->job->source, &row));
    const hs_strip_out s = {title.s != NULL ? title.s : f->kind,
                            n,
                            m,
                            f->job->source.image,
                            x_0,
                            (const char *const *)col,
                            (const char *const *)row,
                            1};
    HS_TRY(hs_strip_out_write(c, path, &s));
out:
    hs_str_free(&title);
    hs_strip_labels_free(m, col);
    hs_strip_labels_free(n, row);
    return rc;
}

int hs_sweep_file_finish(hs_cmd *c, hs_sweep_file *f, const float *x_0)
{
    int rc = HS_OK;
    const char *strip = hs_cmd_str(c, "strip");
    HS_TRY(f->score == NULL ? hs_sweep_file_score(f) : HS_OK);
    HS_TRY(hs_sweep_file_report(c, f));
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(hs_sweep_file_write(c, f));
    }
    HS_TRY(hs_edit_reconstruction(c, f->job, x_0, f->sweep.m, hs_sweep_file_zero(f)));
    if (strip != NULL) {
        HS_TRY(write_strip(c, f, strip, x_0));
    }
out:
    return rc;
}
