/* hspace linearity: does scaling the direction scale the effect? */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/line_crosstalk.h"
#include "analysis/cli/line_data.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/property.h"
#include "analysis/cli/resume.h"
#include "core/base/alloc.h"
#include "core/stats/special.h"

static const hs_opt options[] = {
    {"effects", 0, HS_OPT_STR, NULL, 0, 0, NULL, "E.csv", "Input", "a table: image,strength,value[,null,...][,rival]"},
    {"sweep", 0, HS_OPT_STR, NULL, 0, 0, NULL, "SWEEP.h5", "Input", "a sweep made before"},
    {"terms", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "A.h5,B.h5,...", "Input",
     "--sweep was along a sum: the sweeps of its terms on the same images; do effects add?"},
    {"direction", 'D', HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input",
     "direction file and name; several: their sum, and each alone: do effects add?"},
    {"strengths", 0, HS_OPT_GRID, "-2:2:0.5", 0, 0, NULL, "A:B:STEP", "Edit", "strengths, 0 among them"},
    {"null", 0, HS_OPT_INT, "8", 0, 1000, NULL, "K", "Statistics", "random directions of equal norm, with --model"},
    HS_OPT_RIVAL,
    HS_OPT_CONTROLS("all"),
    {"bootstrap", 0, HS_OPT_INT, "2000", 1, 1000000, NULL, "B", "Statistics", "resamples of the images"},
    {"ci", 0, HS_OPT_NUM, "95", 1, 99.999, NULL, "P", "Statistics", "confidence level of the intervals, percent"},
    {"standard", 0, HS_OPT_NUM, "0.85", -1e6, 1, NULL, "L", "Statistics", "linearity index that must be reached"},
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "the figure (.pdf, .svg or .png); needs -o"},
    {"plot-crosstalk", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output",
     "several directions, --terms: the cross-talk matrix as a heat map; needs -o"},
    {0}};
static const hs_opt *const tables[] = {options,          hs_opts_model,          hs_opts_source,
                                       hs_opts_sampler,  hs_opts_readout,        hs_opts_edit,
                                       hs_opts_interval, hs_opts_interval_texts, NULL};

HS_CHECKED static int check_crosstalk(hs_cmd *c)
{
    const char *out = hs_cmd_str(c, "plot-crosstalk"), *const * item;
    if (out != NULL && hs_cmd_list(c, "direction", &item) < 2 && !hs_cmd_given(c, "terms")) {
        return hs_fail(HS_ERANGE, "--plot-crosstalk: of several directions, or --terms");
    }
    if (out != NULL && hs_cmd_out(c) == NULL) {
        return hs_fail(HS_ERANGE, "--plot-crosstalk: drawn from the result file, but there is no -o");
    }
    return hs_plot_check(c, out);
}

HS_CHECKED static int check(hs_cmd *c)
{
    int effects = hs_cmd_str(c, "effects") != NULL, sweep = hs_cmd_str(c, "sweep") != NULL;
    int model = hs_cmd_str(c, "model") != NULL, rc = HS_OK;
    if (effects + sweep + model != 1) {
        return hs_fail(HS_ERANGE,
                       "--model, --sweep, --effects: %s given; wanted one of them; usage: hspace linearity %s",
                       effects + sweep + model == 0 ? "none" : "several", hs_cmd_linearity.usage);
    }
    if (hs_cmd_given(c, "terms") && !sweep) {
        return hs_fail(HS_ERANGE, "--terms: of --sweep, the sweep of their sum");
    }
    HS_TRY(check_crosstalk(c));
    HS_TRY(hs_plot_check_outputs(c));
out:
    return rc;
}

/* The band of the null's mean curves: prediction limits of one more for K >= 3, else three times the largest. */
static void null_band(const hs_linearity *l, size_t j, double *lo, double *hi)
{
    double sum = 0, square = 0, most = 0, K = (double)l->K;
    for (size_t k = 0; k < l->K; k++) {
        sum += l->null[k * l->m + j];
        most = fmax(most, fabs(l->null[k * l->m + j]));
    }
    for (size_t k = 0; k < l->K; k++) {
        square += (l->null[k * l->m + j] - sum / K) * (l->null[k * l->m + j] - sum / K);
    }
    int gap = isnan(sum);
    double half = l->K < 3 ? 3 * most : hs_student_quantile(0.975, K - 1) * sqrt(square / (K - 1) * (1 + 1 / K));
    *lo = gap ? NAN : (l->K < 3 ? 0 : sum / K) - half;
    *hi = gap ? NAN : (l->K < 3 ? 0 : sum / K) + half;
}

HS_CHECKED static int put_null(hs_result *r, const hs_linearity *l)
{
    double *lo = NULL, *hi = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(l->m, sizeof *lo, &lo));
    HS_TRY(hs_alloc(l->m, sizeof *hi, &hi));
    for (size_t j = 0; j < l->m; j++) {
        null_band(l, j, &lo[j], &hi[j]);
    }
    HS_TRY(hs_result_put_f64(r, "null_low", "strength", 1, &l->m, lo));
    HS_TRY(hs_result_put_f64(r, "null_high", "strength", 1, &l->m, hi));
out:
    free(lo);
    free(hi);
    return rc;
}

static double statistic(const hs_linearity *l, const char *name)
{
    const hs_estimate *e = hs_measurement_find(&l->result, name);
    return e != NULL ? e->value : NAN;
}

HS_CHECKED static int put_curves(hs_result *r, const hs_linearity *l)
{
    int rc = HS_OK;
    HS_TRY(hs_result_put_f64(r, "strength", "strength", 1, &l->m, l->strength));
    HS_TRY(hs_result_put_f64(r, "effect_mean", "strength", 1, &l->m, l->mean));
    HS_TRY(hs_result_put_f64(r, "ci_low", "strength", 1, &l->m, l->lo));
    HS_TRY(hs_result_put_f64(r, "ci_high", "strength", 1, &l->m, l->hi));
    if (l->K > 0) {
        HS_TRY(put_null(r, l));
    }
    if (l->rival != NULL) {
        HS_TRY(hs_result_put_f64(r, "rival_mean", "strength", 1, &l->m, l->rival));
    }
out:
    return rc;
}

/* The first file holds the cross-talk matrix, too. */
HS_CHECKED static int write_file(hs_cmd *c, const char *path, const hs_line_data *d, size_t i, const hs_linearity *l,
                                 const hs_crosstalk *m)
{
    hs_result *r = NULL;
    const hs_line_case *item = &d->item[i];
    int rc = HS_OK;
    HS_TRY(hs_result_create(path, "linearity", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_measurement_put_file(r, &l->result));
    HS_TRY(hs_result_attr_str(r, NULL, "readout", item->readout[0] != '\0' ? item->readout : "value"));
    HS_TRY(hs_result_attr_f64(r, NULL, "slope", statistic(l, "slope")));
    HS_TRY(hs_result_attr_f64(r, NULL, "linearity_index", statistic(l, "linearity_index")));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)item->effects.n));
    HS_TRY(hs_result_attr_i64(r, NULL, "bootstrap", hs_cmd_int(c, "bootstrap")));
    HS_TRY(hs_result_attr_f64(r, NULL, "ci", hs_cmd_num(c, "ci")));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", d->untrained));
    HS_TRY(put_curves(r, l));
    HS_TRY(i == 0 ? hs_crosstalk_put(r, m) : HS_OK);
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    return rc;
}

HS_CHECKED static int measure(hs_cmd *c, const hs_line_case *item, hs_linearity *out)
{
    hs_linearity_options o = HS_LINEARITY_OPTIONS_INIT;
    o.bootstrap.B = (size_t)hs_cmd_int(c, "bootstrap");
    o.bootstrap.seed = hs_cmd_seed(c);
    o.bootstrap.level = hs_cmd_num(c, "ci") / 100;
    o.standard = hs_cmd_num(c, "standard");
    o.noise_floor = item->noise_floor;
    o.spread = item->spread;
    o.natural = item->natural;
    o.shape = item->shape.n > 0 ? &item->shape : NULL;
    o.jacobian = item->jacobian;
    o.terms = item->terms.T > 0 ? &item->terms : NULL;
    return hs_linearity_measure(&item->effects, &o, out);
}

/* The same of a control: what it answers, without its curves. */
HS_CHECKED static int measure_control(hs_cmd *c, const hs_line_case *item, hs_measurement *out)
{
    hs_linearity l = {0};
    int rc = measure(c, item, &l);
    *out = l.result;
    l.result = (hs_measurement){0};
    hs_linearity_free(&l);
    return rc;
}

/* Measures case i and says it. */
HS_CHECKED static int answer_one(hs_cmd *c, const hs_line_data *d, size_t i, hs_linearity *l, json_t *list)
{
    int rc;
    HS_TRY(hs_progress_tell(hs_cmd_progress(c), "linearity", i, d->n));
    HS_TRY(measure(c, &d->item[i], l));
    HS_TRY(hs_line_controls(c, &d->item[i], d->untrained, measure_control, &l->result));
    json_t *json = hs_measurement_json(&l->result);
    if (d->item[i].readout[0] != '\0') {
        json_object_set_new(json, "readout", json_string(d->item[i].readout));
    }
    json_array_append_new(list, json);
    hs_measurement_say(c, d->item[i].readout, &l->result);
out:
    return rc;
}

/* Writes each to its file (path NULL: none), and draws them. */
HS_CHECKED static int write_files(hs_cmd *c, const hs_line_data *d, const hs_linearity *l, const hs_crosstalk *m,
                                  char *const *path)
{
    const char *matrix = hs_cmd_str(c, "plot-crosstalk");
    int rc = HS_OK;
    if (path == NULL) {
        return HS_OK;
    }
    for (size_t i = 0; i < d->n; i++) {
        HS_TRY(write_file(c, path[i], d, i, &l[i], m));
    }
    if (hs_cmd_str(c, "plot") != NULL) {
        HS_TRY(hs_plot_files(c, (const char *const *)path, d->n < 24 ? d->n : 24, hs_cmd_str(c, "plot")));
    }
    if (matrix != NULL && m->R == 0) {
        hs_cmd_warn(c, "%s was not drawn: no scalar read-out", matrix);
    } else if (matrix != NULL) {
        HS_TRY(hs_plot_as(c, "crosstalk", (const char *const *)path, 1, matrix));
    }
out:
    return rc;
}

/* One measurement is the results; of several directions they are listed; of several read-outs the first
 * decides and the others are exploratory. */
static void file_results(hs_cmd *c, const hs_line_data *d, json_t *list)
{
    int readouts = d->item[0].readout[0] != '\0';
    json_t *r = hs_cmd_results(c);
    if (d->n == 1 || readouts) {
        json_object_update(r, json_array_get(list, 0));
    }
    if (d->n > 1 && readouts) {
        json_array_remove(list, 0);
        json_object_set(r, "exploratory", list);
    } else if (d->n > 1) {
        json_object_set(r, "measurements", list);
    }
}

HS_CHECKED static int answer(hs_cmd *c, const hs_line_data *d)
{
    json_t *list = json_array();
    hs_verdict *verdict = NULL;
    hs_linearity *l = NULL;
    hs_crosstalk m = {0};
    char **path = NULL;
    int rc = HS_OK;
    HS_TRY(hs_property_paths(c, d->n, &path));
    HS_TRY(hs_calloc(d->n, sizeof *verdict, &verdict));
    HS_TRY(hs_calloc(d->n, sizeof *l, &l));
    for (size_t i = 0; i < d->n; i++) {
        HS_TRY(answer_one(c, d, i, &l[i], list));
        verdict[i] = l[i].result.verdict;
    }
    HS_TRY(hs_crosstalk_of(d->n, d->item, l, &m));
    file_results(c, d, list);
    if (m.T > 0) {
        json_object_set_new(hs_cmd_results(c), "crosstalk", hs_crosstalk_json(&m));
        hs_crosstalk_say(c, &m);
    }
    hs_cmd_exit(c, hs_measurements_exit(d->item[0].readout[0] != '\0' ? 1 : d->n, verdict));
    HS_TRY(write_files(c, d, l, &m, path));
out:
    for (size_t i = 0; l != NULL && i < d->n; i++) {
        hs_linearity_free(&l[i]);
    }
    hs_crosstalk_free(&m);
    hs_strings_free(d->n, path);
    free(l);
    free(verdict);
    json_decref(list);
    return rc;
}

/* params say what was measured; of a table or a sweep made before, the sampler's options said nothing. */
static void resolve_params(hs_cmd *c, const hs_line_data *d)
{
    static const char *const unused[] = {"steps", "spacing", "timesteps", "respacing", "eta",     "clip",
                                         "mode",  "conv",    "batch",     "t-edit",    "t-boost", "rescale"};
    json_t *p = hs_cmd_params(c), *strengths = json_array(), *readouts = json_array();
    if (hs_cmd_str(c, "model") == NULL) {
        for (size_t i = 0; i < sizeof unused / sizeof *unused; i++) {
            json_object_set_new(p, unused[i], json_null());
        }
    }
    for (size_t j = 0; d->n > 0 && j < d->item[0].effects.m; j++) {
        json_array_append_new(strengths, hs_json_num(d->item[0].effects.strength[j]));
    }
    for (size_t i = 0; i < d->n; i++) {
        if (d->item[i].readout[0] != '\0') {
            json_array_append_new(readouts, json_string(d->item[i].readout));
        }
    }
    if (d->n > 0) {
        json_object_set_new(p, "null", json_integer((json_int_t)d->item[0].effects.K));
        json_object_set(p, "strengths", strengths);
        json_object_set(p, "readout", readouts);
    }
    json_decref(strengths);
    json_decref(readouts);
}

static int run(hs_cmd *c)
{
    hs_line_data d = {0};
    hs_run_cells cells = {0};
    const char *const *term;
    size_t terms = hs_cmd_list(c, "terms", &term);
    int rc = HS_OK;
    HS_TRY(check(c));
    if (hs_cmd_str(c, "effects") != NULL) {
        HS_TRY(hs_line_of_effects(c, hs_cmd_str(c, "effects"), &d));
    } else if (hs_cmd_str(c, "sweep") != NULL) {
        HS_TRY(hs_line_of_sweep(c, hs_cmd_str(c, "sweep"), terms, term, &d));
    } else {
        HS_TRY(hs_line_of_model(c, &d, &cells));
    }
    resolve_params(c, &d);
    if (!hs_cmd_dry_run(c)) {
        HS_TRY(answer(c, &d));
    }
out:
    hs_resume_close(cells.cells, rc);
    hs_line_data_free(&d);
    return rc;
}

const hs_command hs_cmd_linearity = {
    .name = "linearity",
    .usage = "(--model M --direction D... --strengths A:B:STEP -N n | --sweep SWEEP.h5 | --effects E.csv) -o R.h5",
    .purpose =
        "Measures whether scaling a direction scales its effect, against random directions of equal norm. Stopped "
        "or killed, the same command with --model goes on where it stood (R.h5.journal).",
    .examples = "hspace linearity --effects effects.csv --json | jq .results.verdict\n"
                "hspace linearity --sweep pc0.h5 --readout brightness -o linearity.h5 --plot linearity.pdf\n"
                "hspace linearity --model DIR --direction pca.h5:pc0 --strengths -2:2:0.5 -N 16 -o linearity.h5\n"
                "hspace linearity --model DIR -D smile.h5 -D age.h5 -N 16 --json | jq .results.crosstalk\n"
                "hspace linearity --sweep smile+age.h5 --terms smile.h5,age.h5 --json | jq .results.crosstalk",
    .options = tables,
    .run = run,
};
