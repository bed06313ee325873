/* hspace homogeneity: does the same change of h have the same effect on every sample? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/homogeneity_model.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/line_data.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/sweep_in.h"
#include "analysis/properties/homogeneity.h"
#include "core/base/alloc.h"
#include "core/linalg/blas.h"

static const hs_opt options[] = {
    {"deltas", 0, HS_OPT_STR, NULL, 0, 0, NULL, "DELTAS", "Input",
     "/delta_h (sample, timestep, ...) or .npy (N, S, d)"},
    {"effects", 0, HS_OPT_STR, NULL, 0, 0, NULL, "E.csv", "Input", "a table: image,strength,value[,null,...][,rival]"},
    {"sweep", 0, HS_OPT_STR, NULL, 0, 0, NULL, "SWEEP.h5", "Input", "a sweep along one direction"},
    {"null", 0, HS_OPT_STR, "covariance", 0, 0, "identity|covariance|none", "KIND", "Statistics",
     "random deltas: isotropic, or with the covariance of --deltas about their mean"},
    {"null-deltas", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F", "Statistics", "deltas of an untrained network instead"},
    {"nulls", 0, HS_OPT_INT, "8", 1, 1000, NULL, "K", "Statistics", "random directions"},
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"standard", 0, HS_OPT_NUM, NULL, -1e6, 1, NULL, "C", "Statistics",
     "what must be reached: 0.5 of deltas and transfers, 0.8 of effects"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {0}};
static const hs_opt *const tables[] = {options,
                                       hs_opts_homogeneity_model,
                                       hs_opts_model,
                                       hs_opts_source,
                                       hs_opts_sampler,
                                       hs_opts_readout,
                                       hs_opts_edit,
                                       hs_opts_interval,
                                       hs_opts_interval_texts,
                                       NULL};

static hs_homogeneity_options options_of(const hs_cmd *c)
{
    hs_homogeneity_options o = HS_HOMOGENEITY_OPTIONS_INIT;
    const char *null = hs_cmd_str(c, "null");
    o.bootstrap = hs_property_bootstrap(c);
    o.standard = hs_cmd_given(c, "standard") ? hs_cmd_num(c, "standard") : NAN;
    o.K = null[0] == 'n' ? 0 : (size_t)hs_cmd_int(c, "nulls");
    o.null = null[0] == 'i' ? HS_DELTAS_IDENTITY : HS_DELTAS_COVARIANCE;
    o.progress = hs_cmd_progress(c);
    return o;
}

/* ---- Deltas ---- */

enum { SHOWN = 48 };

/* v (n, n) <- cosines between the deltas of the first n units, averaged over the steps. */
static void alike(const hs_deltas *x, size_t n, double *v)
{
    size_t S = x->S, d = x->d;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t k = 0; k < S; k++) {
                const double *a = x->sum + (i * S + k) * d, *b = x->sum + (j * S + k) * d;
                double dot = hs_dot_f64(d, a, b);
                double norm = sqrt(x->gram[(i * S + k) * S + k] * x->gram[(j * S + k) * S + k]);
                sum += norm > 0 ? dot / norm / (double)S : 0;
            }
            v[i * n + j] = v[j * n + i] = sum;
        }
    }
}

HS_CHECKED static int write_deltas(hs_cmd *c, const hs_property_deltas *d, const hs_measurement *m)
{
    int rc;
    hs_result *r = NULL;
    double *v = NULL;
    char caption[160];
    size_t n = d->deltas.units < SHOWN ? d->deltas.units : SHOWN;
    HS_TRY(hs_alloc(n, n * sizeof *v, &v));
    alike(&d->deltas, n, v);
    snprintf(caption, sizeof caption, "The first %zu of %zu %s; cosines at a step, averaged over the steps.", n,
             d->deltas.units, d->deltas.pooled ? "groups of samples" : "samples");
    const hs_property_table t = {"cosine between samples", "sample", "sample", caption, n, n, v, NULL, NULL};
    HS_TRY(hs_property_begin(c, hs_cmd_out(c), m, "", d->in.untrained, &t, &r));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    free(v);
    return rc;
}

HS_CHECKED static int of_deltas(hs_cmd *c)
{
    int rc;
    hs_property_deltas d;
    hs_measurement m = {0};
    hs_homogeneity_options o = options_of(c);
    const char *out = hs_cmd_out(c);
    HS_TRY(hs_property_deltas_open(c, 1, &d));
    if (hs_cmd_dry_run(c)) {
        goto out;
    }
    o.null_deltas = d.has_null ? &d.null : NULL;
    o.removed = d.has_null ? &d.removed : NULL;
    HS_TRY(hs_homogeneity_deltas(&d.deltas, &o, &m));
    snprintf(m.direction, sizeof m.direction, "%s", d.in.direction);
    hs_property_answer(c, &m, NULL);
    if (out != NULL) {
        HS_TRY(write_deltas(c, &d, &m));
        HS_TRY(hs_cmd_str(c, "plot") != NULL ? hs_plot_files(c, &out, 1, hs_cmd_str(c, "plot")) : HS_OK);
    }
out:
    hs_measurement_free(&m);
    hs_property_deltas_close(&d);
    return rc;
}

/* ---- Effects ---- */

HS_CHECKED static int write_effects(hs_cmd *c, const char *path, const char *readout, const hs_effects *e,
                                    const hs_measurement *m)
{
    int rc;
    hs_result *r = NULL;
    const size_t dim[2] = {e->n, e->m};
    HS_TRY(hs_property_begin(c, path, m, readout, 0, NULL, &r));
    HS_TRY(hs_result_put_f64(r, "strength", "strength", 1, &e->m, e->strength));
    HS_TRY(hs_result_put_f64(r, "effect", "sample,strength", 2, dim, e->value));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

/* Measures a table, to the file path (NULL: none). */
HS_CHECKED static int effects_one(hs_cmd *c, const hs_effects *e, json_t *list, hs_verdict *verdict, const char *path)
{
    int rc;
    hs_measurement m = {0};
    hs_homogeneity_options o = options_of(c);
    HS_TRY(hs_homogeneity_effects(e, &o, &m));
    *verdict = m.verdict;
    json_array_append_new(list, hs_measurement_json(&m));
    hs_measurement_say(c, "", &m);
    HS_TRY(path != NULL ? write_effects(c, path, "effect", e, &m) : HS_OK);
out:
    hs_measurement_free(&m);
    return rc;
}

HS_CHECKED static int of_effects(hs_cmd *c)
{
    int rc;
    hs_effects_limits limits = HS_EFFECTS_LIMITS_INIT;
    hs_effects_set set = {0};
    json_t *list = json_array();
    hs_verdict *verdict = NULL;
    char **path = NULL;
    HS_TRY(hs_effects_read(hs_cmd_str(c, "effects"), &limits, &set));
    HS_TRY(hs_cmd_input(c, hs_cmd_str(c, "effects")));
    HS_TRY(hs_calloc(set.n, sizeof *verdict, &verdict));
    HS_TRY(hs_property_paths(c, set.n, &path));
    for (size_t i = 0; i < set.n && !hs_cmd_dry_run(c); i++) {
        HS_TRY(effects_one(c, &set.table[i], list, &verdict[i], path != NULL ? path[i] : NULL));
    }
    if (hs_cmd_dry_run(c)) {
        goto out;
    }
    if (set.n == 1) {
        json_object_update(hs_cmd_results(c), json_array_get(list, 0));
    } else {
        json_object_set(hs_cmd_results(c), "measurements", list);
    }
    hs_cmd_exit(c, hs_measurements_exit(set.n, verdict));
    if (hs_cmd_str(c, "plot") != NULL) {
        HS_TRY(hs_plot_files(c, (const char *const *)path, set.n < 7 ? set.n : 7, hs_cmd_str(c, "plot")));
    }
out:
    hs_strings_free(set.n, path);
    free(verdict);
    json_decref(list);
    hs_effects_set_free(&set);
    return rc;
}

/* ---- A sweep ---- */

/* change (n, f) <- x0(s) - x0(0) at strength s of the sweep's x0; NULL where it has none. */
HS_CHECKED static int read_change(const char *path, double s, size_t *f, float **change)
{
    hs_sweep_in in = {0};
    hs_sweep_readout r = {0};
    size_t at = 0, zero = 0;
    int rc = HS_OK;
    HS_TRY(hs_sweep_in_open(path, &in));
    if (!hs_sweep_in_has(&in, "x0")) {
        goto out;
    }
    HS_TRY(hs_sweep_in_read(&in, "x0", &r));
    for (size_t j = 0; j < in.m; j++) {
        at = in.strength[j] == s ? j : at;
        zero = in.strength[j] == 0 ? j : zero;
    }
    HS_TRY(hs_alloc(r.n, r.f * sizeof **change, change));
    for (size_t i = 0; i < r.n; i++) {
        const float *to = r.value + (i * in.m + at) * r.f, *from = r.value + (i * in.m + zero) * r.f;
        for (size_t k = 0; k < r.f; k++) {
            (*change)[i * r.f + k] = to[k] - from[k];
        }
    }
    *f = r.f;
out:
    hs_sweep_readout_free(&r);
    hs_sweep_in_close(&in);
    return rc;
}

/* The same of a control, without the change of its images. */
HS_CHECKED static int measure_control(hs_cmd *c, const hs_line_case *item, hs_measurement *out)
{
    hs_homogeneity_options o = options_of(c);
    o.noise_floor = item->noise_floor;
    o.spread = item->spread;
    o.naturalness = !isnan(item->natural);
    return hs_homogeneity_effects(&item->effects, &o, out);
}

/* Case i of a sweep, to the file path (NULL: none); the first decides. */
HS_CHECKED static int sweep_one(hs_cmd *c, const hs_line_data *d, size_t i, json_t *list, hs_verdict *verdict,
                                const char *path)
{
    int rc;
    const hs_line_case *item = &d->item[i];
    hs_measurement m = {0};
    hs_homogeneity_options o = options_of(c);
    float *change = NULL;
    json_t *json = NULL;
    o.noise_floor = item->noise_floor;
    o.spread = item->spread;
    o.naturalness = !isnan(item->natural);
    HS_TRY(read_change(hs_cmd_str(c, "sweep"), item->effects.strength[item->effects.m - 1], &o.f, &change));
    o.change = change;
    HS_TRY(hs_homogeneity_effects(&item->effects, &o, &m));
    HS_TRY(hs_line_controls(c, item, d->untrained, measure_control, &m));
    *verdict = m.verdict;
    json = hs_measurement_json(&m);
    json_object_set_new(json, "readout", json_string(item->readout));
    json_array_append_new(list, json);
    hs_measurement_say(c, item->readout, &m);
    HS_TRY(path != NULL ? write_effects(c, path, item->readout, &item->effects, &m) : HS_OK);
out:
    free(change);
    hs_measurement_free(&m);
    return rc;
}

HS_CHECKED static int of_sweep(hs_cmd *c)
{
    int rc;
    hs_line_data d = {0};
    json_t *list = json_array();
    hs_verdict *verdict = NULL;
    char **path = NULL;
    HS_TRY(hs_line_of_sweep(c, hs_cmd_str(c, "sweep"), 0, NULL, &d));
    HS_TRY(hs_calloc(d.n, sizeof *verdict, &verdict));
    HS_TRY(hs_property_paths(c, d.n, &path));
    for (size_t i = 0; i < d.n && !hs_cmd_dry_run(c); i++) {
        HS_TRY(sweep_one(c, &d, i, list, &verdict[i], path != NULL ? path[i] : NULL));
    }
    if (hs_cmd_dry_run(c)) {
        goto out;
    }
    json_object_update(hs_cmd_results(c), json_array_get(list, 0));
    json_array_remove(list, 0);
    if (d.n > 1) {
        json_object_set(hs_cmd_results(c), "exploratory", list);
    }
    hs_cmd_exit(c, hs_verdict_exit(verdict[0]));
    if (hs_cmd_str(c, "plot") != NULL) {
        HS_TRY(hs_plot_files(c, (const char *const *)path, d.n < 7 ? d.n : 7, hs_cmd_str(c, "plot")));
    }
out:
    hs_strings_free(d.n, path);
    free(verdict);
    json_decref(list);
    hs_line_data_free(&d);
    return rc;
}

static int run(hs_cmd *c)
{
    static const char *const input[] = {"model", "deltas", "effects", "sweep"};
    int rc;
    const hs_homogeneity_options o = options_of(c);
    HS_TRY(hs_property_check(c, hs_cmd_homogeneity.usage, 4, input));
    HS_TRY(hs_cmd_str(c, "deltas") != NULL    ? of_deltas(c)
           : hs_cmd_str(c, "sweep") != NULL   ? of_sweep(c)
           : hs_cmd_str(c, "effects") != NULL ? of_effects(c)
                                              : hs_homogeneity_model(c, &o));
out:
    return rc;
}

const hs_command hs_cmd_homogeneity = {
    .name = "homogeneity",
    .usage = "(--model M --direction D -N n | --deltas DELTAS.h5|.npy [--null-deltas F] | --effects E.csv | --sweep "
             "SWEEP.h5 --readout PHI) -o R.h5",
    .purpose = "Measures whether the same change of h has the same effect on every sample. Stopped or killed, the same "
               "command with --model goes on where it stood (R.h5.journal).",
    .examples =
        "hspace homogeneity --sweep smile.h5 --readout attr:smile -o homogeneity.h5\n"
        "hspace homogeneity --deltas frozen.h5 --null-deltas untrained.h5 --json | jq .results.verdict\n"
        "hspace homogeneity --model faces-a --direction d.h5:smile --readout attr:smile,feat -N 32 -o smile.h5\n"
        "hspace homogeneity --effects effects.csv -o homogeneity.h5 --plot homogeneity.pdf",
    .options = tables,
    .run = run,
};
