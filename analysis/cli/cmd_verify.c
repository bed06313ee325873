/* hspace verify: the four properties of directions, their controls, one report. */
#include <errno.h>
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
#include "analysis/cli/verify_plan.h"
#include "analysis/properties/measurement.h"
#include "core/base/alloc.h"
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
    hs_verify_plan plan;
    char folder[4096];
    json_t *measurements, *controls, *missing;
    size_t n_verdicts;
    hs_verdict *verdict; /* of the directions, not of the controls */
} job;

static void job_free(job *j)
{
    hs_verify_plan_free(&j->plan);
    json_decref(j->measurements);
    json_decref(j->controls);
    json_decref(j->missing);
    free(j->verdict);
}

/* ---- The plan ---- */

HS_CHECKED static int make_plan(hs_cmd *c, job *j)
{
    char path[HS_SHIPPED_PATH];
    const char **factor = NULL;
    hs_attrnet *net = NULL;
    size_t factors = 0;
    int rc = HS_OK;
    HS_TRY(hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &net));
    const hs_attrnet_config *cfg = hs_attrnet_config_of(net);
    HS_TRY(hs_alloc(cfg->n_factors, sizeof *factor, &factor));
    for (; factors < cfg->n_factors; factors++) {
        factor[factors] = cfg->factor[factors].name;
    }
    const hs_verify_options o = {.folder = j->folder,
                                 .n = hs_cmd_given(c, "N") ? (size_t)hs_cmd_int(c, "N") : 32,
                                 .nulls = (size_t)hs_cmd_int(c, "null"),
                                 .readout = hs_cmd_str(c, "readout")};
    HS_TRY(hs_verify_plan_make(c, &o, factors, factor, &j->plan));
out:
    free(factor);
    hs_attrnet_free(net);
    return rc;
}

/* The folder: there, or made; without its last '/'. */
HS_CHECKED static int make_folder(hs_cmd *c, job *j)
{
    const char *out = hs_cmd_out(c);
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

HS_CHECKED static int run_steps(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_alloc(j->plan.n, sizeof *j->verdict, &j->verdict));
    for (size_t i = 0; i < j->plan.n; i++) {
        json_t *answer = NULL;
        rc = run_step(c, j, &j->plan.step[i], &answer);
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

static void say_plan(hs_cmd *c, const job *j)
{
    hs_str line = {0};
    for (size_t i = 0; i < j->plan.n; i++) {
        line.len = 0;
        hs_words_line(&j->plan.step[i].words, 1, &line);
        hs_cmd_say(c, "%s\n", line.s != NULL ? line.s : "");
    }
    hs_str_free(&line);
}

static int run(hs_cmd *c)
{
    int rc = HS_OK;
    job j = {.measurements = json_array(), .controls = json_array(), .missing = json_array()};
    HS_TRY(hs_cmd_need(c, "model"));
    HS_TRY(make_folder(c, &j));
    HS_TRY(make_plan(c, &j));
    if (hs_cmd_dry_run(c)) {
        say_plan(c, &j);
        goto out;
    }
    HS_TRY(run_steps(c, &j));
    HS_TRY(report(c, &j));
    HS_TRY(write_json(c, &j));
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
                "hspace verify --model DIR -D pca.h5:pc0 --readout x0 -n -o verify/",
    .options = tables,
    .run = run,
};
