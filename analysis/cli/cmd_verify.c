/* hspace verify: the four properties of directions, their controls, one report. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/controls.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/internal.h"
#include "analysis/cli/measurement_out.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/verify_cost.h"
#include "analysis/cli/verify_plan.h"
#include "analysis/properties/measurement.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/io/file.h"
#include "core/io/json.h"

static const hs_opt options[] = {
    {"direction", 'D', HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input", "directions; all of a file without NAME"},
    {"control", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input",
     "directions that should not hold (random ones); they never count for the exit code"},
    {"readout", 0, HS_OPT_STR, NULL, 0, 0, NULL, "PHI", "Statistics",
     "what judges; the factor a direction is named after when left out, else x0"},
    {"also", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "PHI,...", "Statistics",
     "further read-outs of the sweeps, shown but not judged"},
    {"strengths", 0, HS_OPT_GRID, "-1:1:0.25", 0, 0, NULL, "A:B:STEP", "Edit", "strengths, 0 among them"},
    {"null", 0, HS_OPT_INT, "8", 0, 1000, NULL, "K", "Statistics", "random directions of equal norm"},
    {"budget", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TIME", "Run",
     "90s, 10m, 1.5h: images, steps and strengths that fit into it, where they aren't given"},
    {"at", 0, HS_OPT_INT, "5", 0, 1000, NULL, "P", "Statistics",
     "consistency: steps whose directions are tried at one another; 0: not measured"},
    {"arms", 0, HS_OPT_STR, "h_p,eps_p", 0, 0, NULL, "A,B,...", "Statistics",
     "robustness: where noise goes (hspace robustness); none: not measured"},
    {"rival", 0, HS_OPT_STR, NULL, 0, 0, NULL, "E.h5", "Statistics",
     "directions of eps of the same names, run at equal first-order effect"},
    HS_OPT_CONTROLS("all"),
    {"title", 0, HS_OPT_STR, NULL, 0, 0, NULL, "TEXT", "Output", "of the report"},
    HS_OPT_ATTR,
    {0}};
static const hs_opt *const tables[] = {options, hs_opts_model, hs_opts_source, hs_opts_sampler, hs_opts_edit, NULL};

typedef struct {
    hs_cmd *c;
    hs_verify_options options;
    hs_verify_plan plan;
    double *coarse; /* strengths of a small budget */
    size_t n_factors;
    const char **factor;
    hs_attrnet *net; /* which has their names */
    hs_verify_cost cost;
    double seconds, bytes; /* planned; NAN: not counted */
    char folder[4096];
    json_t *planned; /* results.plan */
    json_t *measurements, *controls, *missing, *work;
    size_t n_verdicts;
    hs_verdict *verdict; /* of the directions, not of the controls */
} job;

static void job_free(job *j)
{
    hs_verify_plan_free(&j->plan);
    hs_verify_cost_free(&j->cost);
    json_decref(j->planned);
    json_decref(j->measurements);
    json_decref(j->controls);
    json_decref(j->missing);
    json_decref(j->work);
    free(j->factor);
    hs_attrnet_free(j->net);
    free(j->coarse);
    free(j->verdict);
}

/* ---- The plan ---- */

HS_CHECKED static int read_options(hs_cmd *c, job *j)
{
    char path[HS_SHIPPED_PATH];
    int rc = HS_OK;
    HS_TRY(hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &j->net));
    const hs_attrnet_config *cfg = hs_attrnet_config_of(j->net);
    HS_TRY(hs_alloc(cfg->n_factors, sizeof *j->factor, &j->factor));
    for (; j->n_factors < cfg->n_factors; j->n_factors++) {
        j->factor[j->n_factors] = cfg->factor[j->n_factors].name;
    }
    j->options = (hs_verify_options){.folder = j->folder,
                                     .n = hs_cmd_given(c, "N") ? (size_t)hs_cmd_int(c, "N") : 32,
                                     .at = (size_t)hs_cmd_int(c, "at"),
                                     .nulls = (size_t)hs_cmd_int(c, "null"),
                                     .readout = hs_cmd_str(c, "readout")};
    j->options.m = hs_cmd_grid(c, "strengths", &j->options.strength);
    HS_TRY(hs_alloc(j->options.m + 1, sizeof *j->coarse, &j->coarse));
out:
    return rc;
}

static int plan_of(void *ctx, const hs_verify_options *o, hs_verify_plan *out)
{
    const job *j = ctx;
    return hs_verify_plan_make(j->c, o, j->n_factors, j->factor, out);
}

/* *out <- what a plan belongs to: its commands but for what a budget changes. */
HS_CHECKED static int signature(hs_cmd *c, job *j, hs_str *out)
{
    hs_verify_plan plan = {0};
    int rc = HS_OK;
    HS_TRY(plan_of(j, &j->options, &plan));
    hs_str_addf(out, "--budget %s", hs_cmd_str(c, "budget"));
    for (size_t i = 0; i < plan.n; i++) {
        hs_str_add(out, "\n");
        hs_words_line(&plan.step[i].words, 0, out);
    }
    HS_TRY(hs_str_ok(out));
out:
    hs_verify_plan_free(&plan);
    return rc;
}

/* The plan that the folder keeps, when it is of the same command; else 0. */
static int kept_plan(job *j, const char *path, const char *of)
{
    json_error_t e;
    hs_verify_options *o = &j->options;
    json_t *kept = json_load_file(path, 0, &e);
    const char *same = json_string_value(json_object_get(kept, "of"));
    if (same == NULL || strcmp(same, of) != 0) {
        json_decref(kept);
        return 0;
    }
    o->n = (size_t)json_integer_value(json_object_get(kept, "images"));
    o->at = (size_t)json_integer_value(json_object_get(kept, "at"));
    o->steps = json_is_true(json_object_get(kept, "steps_fitted"))
                   ? (size_t)json_integer_value(json_object_get(kept, "steps"))
                   : 0;
    j->seconds = json_number_value(json_object_get(kept, "seconds"));
    j->bytes = json_number_value(json_object_get(kept, "bytes"));
    json_t *strengths = json_object_get(kept, "strengths");
    if (json_array_size(strengths) > 0 && json_array_size(strengths) <= o->m) {
        o->m = json_array_size(strengths);
        for (size_t k = 0; k < o->m; k++) {
            j->coarse[k] = json_number_value(json_array_get(strengths, k));
        }
        o->strength = j->coarse;
    }
    json_decref(kept);
    return 1;
}

/* j->planned <- the plan in numbers. */
HS_CHECKED static int note_plan(hs_cmd *c, job *j)
{
    const hs_verify_options *o = &j->options;
    size_t n = j->cost.n > 0 ? j->cost.n : o->n;
    json_t *strengths = json_array();
    for (size_t k = 0; k < o->m; k++) {
        json_array_append_new(strengths, json_real(o->strength[k]));
    }
    json_int_t steps = o->steps > 0 ? (json_int_t)o->steps : (json_int_t)hs_cmd_int(c, "steps");
    j->planned =
        json_pack("{s:I, s:I, s:b, s:o, s:I, s:o, s:o, s:o}", "images", (json_int_t)n, "steps",
                  hs_common_listed(c) ? (json_int_t)hs_cmd_grid(c, "timesteps", NULL) : steps, "steps_fitted",
                  o->steps > 0, "strengths", strengths, "at", (json_int_t)o->at, "seconds", hs_json_num(j->seconds),
                  "bytes", hs_json_num(j->bytes), "interval_width", hs_json_num(sqrt(128 / (double)n)));
    return j->planned != NULL ? HS_OK : hs_fail(HS_ENOMEM, "verify: its plan");
}

HS_CHECKED static int keep_plan(const job *j, const char *path, const char *of)
{
    json_t *kept = json_copy(j->planned);
    json_object_set_new(kept, "of", json_string(of));
    char *text = json_dumps(kept, JSON_REAL_PRECISION(17) | JSON_INDENT(1));
    int rc = text == NULL ? hs_fail(HS_ENOMEM, "%s: a plan to be kept", path)
                          : hs_file_write_atomic(path, text, strlen(text), 1);
    free(text);
    json_decref(kept);
    return rc;
}

/* A plan that fits --budget is kept, since timings differ from run to run: the same command goes on with it. */
HS_CHECKED static int make_plan(hs_cmd *c, job *j)
{
    hs_str of = {0};
    char path[4200];
    const char *budget = hs_cmd_str(c, "budget");
    int rc = HS_OK, kept = 0;
    snprintf(path, sizeof path, "%s/plan.json", j->folder);
    j->seconds = j->bytes = NAN;
    HS_TRY(read_options(c, j));
    if (budget != NULL) {
        HS_TRY(signature(c, j, &of));
        kept = kept_plan(j, path, of.s);
    }
    if (hs_cmd_dry_run(c) || (budget != NULL && !kept)) {
        HS_TRY(hs_verify_cost_open(c, &j->cost));
        HS_TRY(budget != NULL && !kept ? hs_verify_fit(c, &j->cost, budget, plan_of, j, j->coarse, &j->options)
                                       : HS_OK);
    }
    HS_TRY(plan_of(j, &j->options, &j->plan));
    if (j->cost.rate.passes > 0) {
        HS_TRY(hs_verify_count(c, &j->cost, &j->options, &j->plan, &j->seconds, &j->bytes));
    }
    HS_TRY(note_plan(c, j));
    HS_TRY(budget != NULL && !kept && !hs_cmd_dry_run(c) ? keep_plan(j, path, of.s) : HS_OK);
out:
    hs_str_free(&of);
    return rc;
}

/* The folder: there, or made; without its last '/'.  A plan needs none. */
HS_CHECKED static int make_folder(hs_cmd *c, job *j)
{
    const char *out = hs_cmd_out(c) == NULL && hs_cmd_dry_run(c) ? "." : hs_cmd_out(c);
    struct stat st;
    if (out == NULL) {
        return hs_fail(HS_ERANGE, "verify: no -o DIR/");
    }
    size_t n = strlen(out);
    while (n > 1 && out[n - 1] == '/') {
        n--;
    }
    if (n >= sizeof j->folder) {
        return hs_fail(HS_ERANGE, "-o: the path is too long");
    }
    memcpy(j->folder, out, n);
    j->folder[n] = '\0';
    if (stat(j->folder, &st) == 0) {
        return S_ISDIR(st.st_mode) ? HS_OK : hs_fail(HS_ERANGE, "%s: is no folder", j->folder);
    }
    if (!hs_cmd_dry_run(c) && mkdir(j->folder, 0777) != 0) {
        return hs_fail_errno(j->folder, "cannot be made");
    }
    return HS_OK;
}

/* ---- A step ---- */

/* *answer <- what the step said when it ran before with the same words and its file is still there; NULL otherwise. */
static json_t *found(const hs_verify_step *s, const char *line)
{
    json_error_t e;
    json_t *answer = access(s->out, R_OK) == 0 ? json_load_file(s->json, 0, &e) : NULL;
    const char *said = json_string_value(json_object_get(answer, "verify_step"));
    if (said == NULL || strcmp(said, line) != 0) {
        json_decref(answer);
        return NULL;
    }
    return answer;
}

HS_CHECKED static int keep(const hs_verify_step *s, json_t *answer, const char *line)
{
    json_object_set_new(answer, "verify_step", json_string(line));
    char *text = json_dumps(answer, JSON_REAL_PRECISION(17) | JSON_INDENT(1));
    int rc = text == NULL ? hs_fail(HS_ENOMEM, "%s: an answer to be kept", s->json)
                          : hs_file_write_atomic(s->json, text, strlen(text), 1);
    free(text);
    return rc;
}

/* Runs a step, or takes what it left.  *answer NULL: it measured nothing, and the others go on without it (code 6). */
HS_CHECKED static int run_step(hs_cmd *c, job *j, const hs_verify_step *s, json_t **answer)
{
    hs_str line = {0}, shown = {0};
    int rc = HS_OK, code = 0;
    hs_words_line(&s->words, 0, &line);
    hs_words_line(&s->words, 1, &shown);
    HS_TRY(hs_str_ok(&line));
    HS_TRY(hs_str_ok(&shown));
    *answer = found(s, line.s);
    if (*answer != NULL) {
        hs_cmd_say(c, "(there)  %s\n", shown.s);
        goto out;
    }
    hs_cmd_say(c, "%s\n", shown.s);
    HS_TRY(hs_child_run(&s->words, answer, &code));
    if (code == hs_exit_code(HS_EDEGENERATE)) {
        json_array_append_new(j->missing, json_pack("{s:s, s:s}", "step", shown.s, "why", "numerically undefined"));
        json_decref(*answer);
        *answer = NULL;
    } else if (code != 0 && code != 10 && code != 11) {
        rc = hs_fail(code == 75 ? HS_ESTOPPED : HS_EIO, "verify: exit code %d of: %.300s", code, shown.s);
        goto out;
    } else if (*answer != NULL) {
        HS_TRY(keep(s, *answer, line.s));
    }
out:
    hs_str_free(&line);
    hs_str_free(&shown);
    return rc;
}

static hs_verdict verdict_of(const char *name)
{
    static const hs_verdict all[] = {HS_VERDICT_NO_EFFECT, HS_VERDICT_INCONCLUSIVE, HS_VERDICT_HOLDS, HS_VERDICT_FAILS};
    for (size_t k = 0; k < 4; k++) {
        if (name != NULL && strcmp(name, hs_verdict_name(all[k])) == 0) {
            return all[k];
        }
    }
    return HS_VERDICT_INCONCLUSIVE;
}

/* A measurement's results into the list it belongs to. */
static void file_answer(hs_cmd *c, job *j, const hs_verify_step *s, json_t *answer)
{
    json_t *r = json_object_get(answer, "results");
    const char *verdict = json_string_value(json_object_get(r, "verdict"));
    if (s->property == NULL || verdict == NULL) {
        return;
    }
    json_array_append(s->control ? j->controls : j->measurements, r);
    if (!s->control) {
        j->verdict[j->n_verdicts++] = verdict_of(verdict);
    }
    hs_cmd_say(c, "    %s%s%s: %s. %s\n", s->property, s->direction[0] != '\0' ? " of " : "", s->direction, verdict,
               json_string_value(json_object_get(r, "reason")));
}

/* What the command's network counted; one that reads a sweep runs none. */
static void note_work(const job *j, const json_t *answer)
{
    const json_t *r = json_object_get(answer, "results");
    json_array_append_new(j->work, json_pack("{s:f, s:f}", "encodes", json_number_value(json_object_get(r, "encodes")),
                                             "decodes", json_number_value(json_object_get(r, "decodes"))));
}

HS_CHECKED static int run_steps(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_alloc(j->plan.n, sizeof *j->verdict, &j->verdict));
    for (size_t i = 0; i < j->plan.n; i++) {
        json_t *answer = NULL;
        rc = run_step(c, j, &j->plan.step[i], &answer);
        if (rc == HS_OK) {
            note_work(j, answer);
        }
        if (rc == HS_OK && answer != NULL) {
            file_answer(c, j, &j->plan.step[i], answer);
        }
        json_decref(answer);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* ---- The report ---- */

HS_CHECKED static int report(hs_cmd *c, job *j)
{
    hs_verify_step s = {0};
    char path[4200];
    json_t *answer = NULL;
    int rc = HS_OK, code = 0;
    const char *title = hs_cmd_str(c, "title");
    hs_words_add(&s.words, "report");
    for (size_t i = 0; i < j->plan.n; i++) {
        if (access(j->plan.step[i].out, R_OK) == 0) {
            hs_words_add(&s.words, j->plan.step[i].out);
        }
    }
    for (size_t i = 0; i < j->plan.strips.n; i++) {
        if (access(j->plan.strips.word[i], R_OK) == 0) {
            hs_words_add(&s.words, j->plan.strips.word[i]);
        }
    }
    for (size_t i = 0; i < j->plan.controls.n; i++) {
        hs_words_addf(&s.words, "--control=%s", j->plan.controls.word[i]);
    }
    if (title != NULL) {
        hs_words_addf(&s.words, "--title=%s", title);
    } else {
        hs_words_addf(&s.words, "--title=Is h-space of %s what it is said to be?", hs_cmd_str(c, "model"));
    }
    snprintf(path, sizeof path, "%s/report.html", j->folder);
    hs_words_add(&s.words, "-f");
    hs_words_add(&s.words, "-o");
    hs_words_add(&s.words, path);
    HS_TRY(hs_child_run(&s.words, &answer, &code));
    if (code != 0) {
        rc = hs_fail(HS_EIO, "verify: the report could not be written (exit code %d)", code);
        goto out;
    }
    json_object_set_new(hs_cmd_results(c), "report", json_string(path));
    hs_cmd_say(c, "%s\n", path);
out:
    json_decref(answer);
    hs_words_free(&s.words);
    return rc;
}

/* verify.json: the answer, with the commands. */
HS_CHECKED static int write_json(hs_cmd *c, job *j)
{
    json_t *r = hs_cmd_results(c), *commands = json_array();
    hs_str line = {0};
    char path[4200];
    int rc = HS_OK;
    for (size_t i = 0; i < j->plan.n; i++) {
        line.len = 0;
        hs_words_line(&j->plan.step[i].words, 0, &line);
        json_array_append_new(commands, json_string(line.s != NULL ? line.s : ""));
    }
    HS_TRY(hs_str_ok(&line));
    json_object_set(r, "measurements", j->measurements);
    json_object_set(r, "controls", j->controls);
    json_object_set(r, "not_measured", j->missing);
    json_object_set(r, "work", j->work);
    json_object_set(r, "plan", j->planned);
    json_object_set(r, "commands", commands);
    snprintf(path, sizeof path, "%s/verify.json", j->folder);
    char *text = json_dumps(r, JSON_REAL_PRECISION(17) | JSON_INDENT(1));
    rc = text == NULL ? hs_fail(HS_ENOMEM, "%s: an answer to be kept", path)
                      : hs_file_write_atomic(path, text, strlen(text), 1);
    free(text);
out:
    json_decref(commands);
    hs_str_free(&line);
    return rc;
}

/* What the plan is, and how wide its intervals are. */
static void say_size(hs_cmd *c, const job *j)
{
    char time[32];
    size_t n = j->cost.n > 0 ? j->cost.n : j->options.n;
    hs_cmd_say(c, "%zu images, %lld steps, %zu strengths", n,
               (long long)json_integer_value(json_object_get(j->planned, "steps")), j->options.m);
    if (isfinite(j->seconds)) {
        hs_verify_time(j->seconds, time);
        hs_cmd_say(c, ": about %s and %.1f MB", time, j->bytes / 1e6);
    }
    hs_cmd_say(c, "; intervals %.2g times as wide as those of 128 images\n", sqrt(128 / (double)n));
}

static void say_rates(hs_cmd *c, job *j)
{
    const hs_verify_rates *r = &j->cost.rate;
    hs_cmd_say(c,
               "measured in %.1f s, %zu passes of %zu images: encode %.3g ms an image, decode %.3g ms a row, read-outs "
               "%.3g ms an image, workspace %.3g ms, command %.3g ms\n",
               r->took, r->passes, r->batch, 1e3 * r->encode, 1e3 * r->decode, 1e3 * r->image, 1e3 * r->setup,
               1e3 * r->command);
    json_object_set_new(j->planned, "measured",
                        json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:I}", "encode_s", hs_json_num(r->encode), "decode_s",
                                  hs_json_num(r->decode), "image_s", hs_json_num(r->image), "workspace_s",
                                  hs_json_num(r->setup), "command_s", hs_json_num(r->command), "passes",
                                  (json_int_t)r->passes, "batch", (json_int_t)r->batch));
}

static void say_plan(hs_cmd *c, job *j)
{
    hs_str line = {0};
    char time[32];
    json_t *commands = json_array();
    say_size(c, j);
    say_rates(c, j);
    hs_cmd_say(c, "%12s %8s %8s %8s\n", "time", "encodes", "decodes", "MB");
    for (size_t i = 0; i < j->plan.n; i++) {
        const hs_verify_step *s = &j->plan.step[i];
        line.len = 0;
        hs_words_line(&s->words, 1, &line);
        hs_verify_time(s->seconds, time);
        hs_cmd_say(c, "%12s %8.0f %8.0f %8.1f  %s\n", time, s->cost.encodes, s->cost.decodes, s->bytes / 1e6,
                   line.s != NULL ? line.s : "");
        json_array_append_new(commands, json_string(line.s != NULL ? line.s : ""));
        json_array_append_new(j->work, json_pack("{s:o, s:o, s:o, s:o}", "encodes", hs_json_num(s->cost.encodes),
                                                 "decodes", hs_json_num(s->cost.decodes), "seconds",
                                                 hs_json_num(s->seconds), "bytes", hs_json_num(s->bytes)));
    }
    json_object_set_new(hs_cmd_results(c), "commands", commands);
    json_object_set(hs_cmd_results(c), "work", j->work);
    json_object_set(hs_cmd_results(c), "plan", j->planned);
    hs_str_free(&line);
}

static void say_time(hs_cmd *c, const job *j, double seconds)
{
    char took[32], planned[32];
    hs_verify_time(seconds, took);
    hs_verify_time(j->seconds, planned);
    hs_cmd_say(c, "took %s; planned: %s\n", took, planned);
}

static int run(hs_cmd *c)
{
    int rc = HS_OK;
    job j = {
        .c = c, .measurements = json_array(), .controls = json_array(), .missing = json_array(), .work = json_array()};
    double start = hs_clock();
    HS_TRY(hs_cmd_need(c, "model"));
    HS_TRY(make_folder(c, &j));
    HS_TRY(make_plan(c, &j));
    if (hs_cmd_dry_run(c)) {
        say_plan(c, &j);
        goto out;
    }
    say_size(c, &j);
    HS_TRY(run_steps(c, &j));
    HS_TRY(report(c, &j));
    HS_TRY(write_json(c, &j));
    if (isfinite(j.seconds)) {
        say_time(c, &j, hs_clock() - start);
    }
    hs_cmd_exit(c, hs_measurements_exit(j.n_verdicts, j.verdict));
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_verify = {
    .name = "verify",
    .usage = "--model M -D D.h5[:NAME]... [--control R.h5]... [-N n] -o DIR/",
    .purpose =
        "Answers for each direction whether the properties of h-space hold, beside controls, in one report. The same "
        "command again goes on where it stopped.",
    .examples = "hspace verify --model faces-a -D means.h5 --control random.h5:random0 -N 64 --steps 20 -o verify/\n"
                "hspace verify --model DIR -D pca.h5:pc0 --budget 20m -n -o verify/      # what it would take, in how "
                "many images",
    .options = tables,
    .run = run,
};
