/* hspace edit: images through the asymmetric reverse process along directions. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/edit_common.h"
#include "analysis/cli/interval.h"
#include "analysis/cli/shipped.h"
#include "analysis/sweep/sweep.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {{"direction", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "D[:NAME]", "Input",
                                  "direction file and name; several: one strength each, their sum is applied"},
                                 HS_OPT_ATTR,
                                 {"strength", 0, HS_OPT_GRID, "1", 0, 0, NULL, "S", "Edit",
                                  "of the edit; several with one direction: one image each"},
                                 {0}};
static const hs_opt *const tables[] = {
    hs_opts_model, hs_opts_source, hs_opts_sampler, hs_opts_edit, hs_opts_interval, options, NULL};

/* strength (m, then 0 for the unedited image) and coefficients from --strength. */
HS_CHECKED static int set_strengths(const hs_cmd *c, hs_edit_job *job, size_t *m, double **strength)
{
    int rc;
    const double *s;
    size_t n = hs_cmd_grid(c, "strength", &s);
    *m = job->n_dir > 1 ? 1 : n;
    HS_TRY(hs_alloc(*m + 1, sizeof **strength, strength));
    if (job->n_dir > 1 && n != job->n_dir) {
        rc = hs_fail(HS_ERANGE, "--strength: %zu given for %zu directions; wanted one each", n, job->n_dir);
        goto out;
    }
    for (size_t i = 0; i < job->n_dir && job->n_dir > 1; i++) {
        job->coef[i] *= s[i];
    }
    for (size_t j = 0; j < *m; j++) {
        (*strength)[j] = job->n_dir > 1 ? 1 : s[j];
    }
    (*strength)[*m] = 0;
    job->plan.m = *m + 1;
    job->plan.strength = *strength;
out:
    return rc;
}

/* What the edit did, against what the batch alone does: an edit below the floor is no edit. */
static void report(hs_cmd *c, const hs_edit_job *job, const hs_sweep *s, size_t m)
{
    size_t d = hs_chw_size(job->source.image);
    json_t *effects = json_array(), *strengths = json_array(), *none = json_array();
    for (size_t j = 0; j < m; j++) {
        double effect = hs_sweep_effect(s, 0, d, j, m), strength = job->plan.strength[j];
        json_array_append_new(effects, hs_json_num(effect));
        json_array_append_new(strengths, hs_json_num(strength));
        hs_cmd_say(c, "strength %6g   image change %.4g (rms over images of |x_0 - plain|)\n", strength, effect);
        int no_effect = strength != 0 && effect <= s->noise_floor[0];
        json_array_append_new(none, json_boolean(no_effect));
        if (no_effect) {
            hs_cmd_warn(c, "strength %g: no effect, %.3g is within the numerical noise %.3g", strength, effect,
                        s->noise_floor[0]);
        }
    }
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)s->n));
    json_object_set_new(hs_cmd_results(c), "strengths", strengths);
    json_object_set_new(hs_cmd_results(c), "effect", effects);
    json_object_set_new(hs_cmd_results(c), "no_effect", none);
    json_object_set_new(hs_cmd_results(c), "noise_floor", hs_json_num(s->noise_floor[0]));
}

/* Images without the unedited column, written where -o says. */
HS_CHECKED static int write_images(const hs_cmd *c, const hs_edit_job *job, size_t m, float *x_0)
{
    size_t d = hs_chw_size(job->source.image);
    for (size_t i = 0; i < job->source.n; i++) {
        memmove(x_0 + i * m * d, x_0 + i * (m + 1) * d, m * d * sizeof *x_0);
    }
    return hs_images_write(c, hs_cmd_out(c), job->source.n, m > 1 ? m : 0, job->source.image, x_0);
}

static int run(hs_cmd *c)
{
    int rc;
    hs_edit_job job = {0};
    hs_sweep s = {0};
    double *strength = NULL;
    float *x_0 = NULL;
    size_t m = 0, rows;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_images_check(c, hs_cmd_out(c)));
    HS_TRY(hs_edit_job_open(c, 64, &job));
    HS_TRY(set_strengths(c, &job, &m, &strength));
    if (hs_cmd_dry_run(c)) {
        hs_cmd_say(c, "%zu images x %zu strengths x %zu steps\n", job.source.n, m, job.steps.S);
        goto out;
    }
    hs_readout phi = {.name = "x0", .phi = HS_PHI_X0, .features = hs_chw_size(job.source.image)};
    HS_TRY(hs_size_mul(job.source.n, m + 1, &rows));
    HS_TRY(hs_alloc(rows, phi.features * sizeof *x_0, &x_0));
    HS_TRY(hs_sweep_run(&job.plan, job.source.n, job.x_T, 1, &phi, x_0, &s));
    report(c, &job, &s, m);
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(write_images(c, &job, m, x_0));
    }
out:
    free(x_0);
    free(strength);
    hs_sweep_free(&s);
    hs_edit_job_free(&job);
    return rc;
}

const hs_command hs_cmd_edit = {
    .name = "edit",
    .usage = "--model M --direction D[:NAME] --strength S (-N n | --images PATH... | --x-T X.npy) -o OUT",
    .purpose = "Edit images in h-space: the asymmetric reverse process along one direction or a sum of them.",
    .examples =
        "hspace edit --model ddpm-celebahq-256 --direction pca.h5:pc0 --strength -3,0,3 -N 4 -o edited.png\n"
        "hspace edit --model M --direction smile.h5 --direction young.h5 --strength 1,0.5 --images face.png -o out/",
    .options = tables,
    .run = run,
};
