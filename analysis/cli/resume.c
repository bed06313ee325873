#include "analysis/cli/resume.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/cli/internal.h"

const char *const hs_resume_statistics[] = {"bootstrap", "ci", "standard", "plot", "plot-crosstalk", NULL};

static int is_in(const char *name, const char *const *list)
{
    while (*list != NULL && strcmp(*list, name) != 0) {
        list++;
    }
    return *list != NULL;
}

/* The lines that two commands must share. */
HS_CHECKED static int describe(const hs_cmd *c, const char *const *changes_nothing, const char *also, hs_str *out)
{
    static const char *const own[] = {"output", "force",   "json",   "dry-run", "threads",
                                      "quiet",  "verbose", "config", "batch",   NULL};
    const char *name;
    json_t *params = hs_answer_params(c), *value, *input;
    size_t i;
    hs_str_addf(out, "hspace %s %s\n", hs_version(), c->def->name);
    json_object_foreach(params, name, value)
    {
        char *text = is_in(name, own) || is_in(name, changes_nothing)
                         ? NULL
                         : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        if (text != NULL) {
            hs_str_addf(out, "--%s %s\n", name, text);
        }
        free(text);
    }
    json_array_foreach(c->inputs, i, input)
    {
        json_object_foreach(input, name, value)
        {
            if (strcmp(name, "path") != 0) {
                hs_str_addf(out, "input %zu %s %s\n", i, name, json_string_value(value));
            }
        }
    }
    hs_str_add(out, also);
    json_decref(params);
    return hs_str_ok(out);
}

int hs_resume_open(const hs_cmd *c, const char *const *changes_nothing, const char *also, hs_cells **out)
{
    hs_str plan = {0}, path = {0};
    int rc = HS_OK;
    *out = NULL;
    if (hs_cmd_out(c) == NULL) {
        return HS_OK;
    }
    hs_str_addf(&path, "%s.journal", hs_cmd_out(c));
    HS_TRY(hs_str_ok(&path));
    HS_TRY(describe(c, changes_nothing, also, &plan));
    HS_TRY(hs_cells_open(path.s, plan.s, hs_cmd_force(c), out));
out:
    hs_str_free(&plan);
    hs_str_free(&path);
    return rc;
}

int hs_resume_describe(hs_str *also, const hs_model *model, const hs_steps *steps, size_t n, const float *x_T)
{
    char sha[HS_SHA256_HEX], t[HS_SHA256_HEX];
    int rc;
    const size_t d = hs_chw_size(hs_unet_image_shape(hs_unet_config_of(model->unet)));
    HS_TRY(hs_sha256_of(x_T, n * d * sizeof *x_T, sha));
    HS_TRY(hs_sha256_of(steps->step, steps->S * sizeof *steps->step, t));
    hs_str_addf(also, "model %s\nx_T %s\nsteps %s\n", model->sha256, sha, t);
    rc = hs_str_ok(also);
out:
    return rc;
}

int hs_resume_job(const hs_cmd *c, const char *const *changes_nothing, hs_edit_job *job, hs_run_cells *cells)
{
    int rc;
    hs_str also = {0};
    HS_TRY(hs_resume_describe(&also, &job->model, &job->steps, job->source.n, job->x_T));
    HS_TRY(hs_resume_open(c, changes_nothing, also.s, &cells->cells));
    job->plan.cells = cells->cells != NULL ? cells : NULL;
out:
    hs_str_free(&also);
    return rc;
}

void hs_resume_say(hs_cmd *c, size_t resumed, size_t n)
{
    json_object_set_new(hs_cmd_results(c), "resumed", json_integer((json_int_t)resumed));
    if (resumed > 0) {
        hs_cmd_say(c, "%zu of %zu images were there\n", resumed, n);
    }
}

void hs_resume_close(hs_cells *cells, int rc)
{
    hs_cells_close(cells, rc == HS_OK || rc == HS_EDEGENERATE);
}
