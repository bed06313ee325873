/* hspace curves: distances along plain trajectories, and the editing interval they give. */
#include <stdlib.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/plot.h"
#include "analysis/cli/shipped.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    HS_OPT_ATTR,
    HS_OPT_CLIP("clip-model"),
    {"plot", 0, HS_OPT_STR, NULL, 0, 0, NULL, "F.pdf", "Output", "both curves, as `hspace plot` draws them"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model,          hs_opts_source, hs_opts_steps, hs_opts_interval,
                                       hs_opts_interval_texts, options,        NULL};

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    float *x_T;
    hs_interval_found found;
} job;

static void job_free(job *j)
{
    hs_interval_free(&j->found);
    free(j->x_T);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

HS_CHECKED static int put_curves(const hs_curves *k, hs_result *r)
{
    int rc;
    int64_t *t = NULL;
    double *strength = NULL;
    HS_TRY(hs_alloc(k->S, sizeof *t, &t));
    HS_TRY(hs_alloc(k->S, sizeof *strength, &strength));
    for (size_t i = 0; i < k->S; i++) {
        t[i] = k->t[i];
        strength[i] = k->p[k->S - 1] - k->p[i];
    }
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &k->S, t));
    HS_TRY(hs_result_put_f64(r, "distance_p", "timestep", 1, &k->S, k->p));
    HS_TRY(hs_result_put_f64(r, "distance_x", "timestep", 1, &k->S, k->x));
    HS_TRY(hs_result_put_f64(r, "noise", "timestep", 1, &k->S, k->noise));
    HS_TRY(hs_result_put_f64(r, "editing_strength", "timestep", 1, &k->S, strength));
out:
    free(t);
    free(strength);
    return rc;
}

HS_CHECKED static int write_file(hs_cmd *c, const job *j)
{
    int rc;
    hs_result *r = NULL;
    const hs_interval_found *f = &j->found;
    HS_TRY(hs_result_create(hs_cmd_out(c), "curves", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(put_curves(&f->curves, r));
    HS_TRY(hs_result_attr_str(r, NULL, "distance", f->distance));
    HS_TRY(hs_result_attr_str(r, NULL, "model_sha256", j->model.sha256));
    HS_TRY(hs_result_attr_i64(r, NULL, "n", (int64_t)f->curves.n));
    HS_TRY(hs_result_attr_i64(r, NULL, "untrained", j->model.untrained));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_edit", f->t_edit));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_boost", f->t_boost));
    HS_TRY(hs_result_attr_f64(r, NULL, "threshold_edit", f->edit));
    HS_TRY(hs_result_attr_f64(r, NULL, "threshold_boost", f->boost));
    HS_TRY(hs_result_commit(r));
    if (hs_cmd_str(c, "plot") != NULL) {
        HS_TRY(hs_plot_files(c, (const char *const[]){hs_cmd_out(c)}, 1, hs_cmd_str(c, "plot")));
    }
out:
    hs_result_free(r);
    return rc;
}

/* The curves of the model over --steps timesteps. */
HS_CHECKED static int measure(hs_cmd *c, double cosine, job *j)
{
    int rc;
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
    size_t most = (size_t)hs_cmd_int(c, "auto-samples"), n = j->source.n < most ? j->source.n : most;
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu images x %zu steps\n", n, j->steps.S);
        goto out;
    }
    HS_TRY(hs_alloc(n, hs_chw_size(j->source.image) * sizeof *j->x_T, &j->x_T));
    HS_TRY(hs_source_x_T(&j->source, 0, n, j->x_T));
    HS_TRY(hs_interval_measure(c, &j->model, &j->steps, n, j->x_T, cosine, &j->found));
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_file(c, j));
    }
out:
    return rc;
}

static int run(hs_cmd *c)
{
    int rc, given = hs_cmd_list(c, "curves", NULL) > 0;
    double cosine;
    job j = {0};
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_plot_check(c, hs_cmd_str(c, "plot")));
    HS_TRY(hs_interval_cosine(c, 1, &cosine));
    if (given ? hs_cmd_out(c) != NULL : hs_cmd_str(c, "plot") != NULL && hs_cmd_out(c) == NULL) {
        rc = hs_fail(HS_ERANGE, given ? "curves: -o with --curves; given curves are only read"
                                      : "curves: --plot without -o; wanted -o C.h5, which is drawn");
        goto out;
    }
    HS_TRY(given ? hs_interval_given(c, cosine, &j.found) : measure(c, cosine, &j));
    if (given || !hs_cmd_dry_run(c)) {
        hs_interval_say(c, &j.found);
    }
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_curves = {
    .name = "curves",
    .usage = "(--model M (-N n | --images PATH... | --x-T X.npy) [-o C.h5] | --curves P.tsv,X.tsv)",
    .purpose =
        "How far the prediction of x_0 and x_t itself are from the image at each timestep, and where an edit may "
        "end (t_edit) and the quality boost begin (t_boost): what --t-edit auto and --t-boost auto use.",
    .examples = "hspace curves --model faces-a -N 64 --auto-samples 64 --steps 100 -o curves.h5 --plot curves.pdf\n"
                "hspace curves --curves celeba_LPIPS_distance_x0_t.tsv,celeba_LPIPS_distance_x.tsv --cosine 0.9\n"
                "hspace curves --model faces-a -N 16 --source 'a face' --target 'a smiling face'",
    .options = tables,
    .run = run,
};
