/* hspace sweep: strengths x images along a direction. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/resume.h"
#include "analysis/cli/strip_out.h"
#include "analysis/cli/sweep_file.h"
#include "analysis/cli/work.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"direction", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input",
     "direction file and name; several: their sum is swept"},
    {"weights", 0, HS_OPT_GRID, NULL, 0, 0, NULL, "W1,W2,...", "Edit",
     "several directions: what each counts at strength 1; 1 each when left out"},
    {"strengths", 0, HS_OPT_GRID, "-2:2:0.5", 0, 0, NULL, "A:B:STEP", "Edit", "strengths, 0 among them"},
    {"null", 0, HS_OPT_INT, "0", 0, 1000, NULL, "K", "Statistics",
     "also K random directions of equal norm, at the largest strengths"},
    HS_OPT_RIVAL,
    HS_OPT_CONTROLS("none"),
    {"strip", 0, HS_OPT_STR, NULL, 0, 0, NULL, "STRIP.png|.pdf", "Output",
     "the images: a row each, a column per strength"},
    {0}};
static const hs_opt *const tables[] = {
    hs_opts_model,          hs_opts_source,  hs_opts_sampler, hs_opts_edit, hs_opts_interval,
    hs_opts_interval_texts, hs_opts_readout, hs_opts_strip,   options,      NULL};

/* Coefficients of several directions. */
HS_CHECKED static int set_weights(hs_cmd *c, hs_edit_job *job)
{
    const double *w;
    size_t n = hs_cmd_grid(c, "weights", &w);
    if (n > 0 && n != job->n_dir) {
        return hs_fail(HS_ERANGE, "--weights: %zu given for %zu directions; wanted one each", n, job->n_dir);
    }
    for (size_t i = 0; i < n; i++) {
        job->coef[i] *= w[i];
    }
    return hs_cmd_int(c, "null") > 0 ? hs_sweep_check_set(job) : HS_OK;
}

HS_CHECKED static int sweep(hs_cmd *c, hs_edit_job *job)
{
    static const char *const changes_nothing[] = {"strip", "labels", "rows", NULL};
    int rc;
    size_t rows;
    float *x_0 = NULL;
    hs_run_cells cells = {0};
    hs_sweep_file f = {.job = job, .kind = "sweep"};
    HS_TRY(hs_edit_readouts(c, &job->model, &f.n_phi, &f.phi));
    HS_TRY(hs_resume_job(c, changes_nothing, job, &cells));
    HS_TRY(hs_size_mul(job->source.n, job->plan.m, &rows));
    HS_TRY(hs_alloc(rows, hs_chw_size(job->source.image) * sizeof *x_0, &x_0));
    HS_TRY(hs_sweep_run(&job->plan, job->source.n, job->x_T, f.n_phi, f.phi, x_0, &f.sweep));
    HS_TRY(hs_sweep_file_natural(&f));
    HS_TRY(hs_sweep_file_rival(c, &f));
    HS_TRY(hs_sweep_file_null(&f, (size_t)hs_cmd_int(c, "null"), hs_cmd_seed(c)));
    HS_TRY(hs_sweep_file_controls(c, &f));
    hs_resume_say(c, cells.had, cells.images);
    HS_TRY(hs_sweep_file_finish(c, &f, x_0));
    hs_work_done(c, &job->model, f.beside);
out:
    job->plan.cells = NULL;
    hs_resume_close(cells.cells, rc);
    free(x_0);
    hs_sweep_file_free(&f);
    return rc;
}

/* What --dry-run says; each read-out is stored twice, and its first one a third time. */
HS_CHECKED static int plan_only(hs_cmd *c, const hs_edit_job *job)
{
    int rc;
    const hs_edit_plan *p = &job->plan;
    hs_work_of work = hs_work_of_job(&job->source, p);
    hs_controls cs = {0};
    size_t n_phi = 0;
    hs_readout *phi = NULL;
    double cells = (double)(job->source.n * p->m), bytes = 65536;
    HS_TRY(hs_controls_open(c, job, &cs));
    hs_work_controls(&work, &cs);
    hs_controls_say_plan(c, &cs);
    HS_TRY(hs_edit_readouts(c, &job->model, &n_phi, &phi));
    for (size_t i = 0; i < n_phi; i++) {
        bytes += cells * ((i == 0 ? 8.0 : 4.0) * (double)phi[i].features + 8 * (1 + (double)hs_cmd_int(c, "null")));
    }
    HS_TRY(hs_work_planned(
        c, &job->model, job->source.n,
        hs_work_sweep(&work, p->m, p->strength, (size_t)hs_cmd_int(c, "null"), hs_cmd_str(c, "rival") != NULL), bytes));
out:
    hs_controls_free(&cs);
    if (phi != NULL) {
        hs_edit_readouts_free(n_phi, phi);
    }
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    hs_edit_job job = {0};
    const double *strength;
    size_t m = hs_cmd_grid(c, "strengths", &strength);
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_edit_check_strengths(m, strength));
    HS_TRY(hs_strip_check(c, hs_cmd_str(c, "strip")));
    HS_TRY(hs_edit_job_open(c, 64, &job));
    HS_TRY(set_weights(c, &job));
    job.plan.m = m;
    job.plan.strength = strength;
    if (hs_cmd_dry_run(c)) {
        HS_TRY(plan_only(c, &job));
        goto out;
    }
    HS_TRY(sweep(c, &job));
out:
    hs_edit_job_free(&job);
    return rc;
}

const hs_command hs_cmd_sweep = {
    .name = "sweep",
    .usage = "--model M --direction D[:NAME] --strengths A:B:STEP (-N n | --images PATH... | --x-T X.npy) -o SWEEP.h5",
    .purpose =
        "Edit images at many strengths along one direction and record what read-outs say. Stopped or killed, the "
        "same command goes on where it stood (SWEEP.h5.journal).",
    .examples =
        "hspace sweep --model M --direction pca.h5:pc0 --strengths -2:2:0.5 -N 16 -o pc0.h5 --strip pc0.png\n"
        "hspace sweep --model M --direction smile.h5 --strengths -1,-0.5,0,0.5,1 --readout brightness,x0 --null 8 "
        "-N 16 -o smile.h5",
    .options = tables,
    .run = run,
};
