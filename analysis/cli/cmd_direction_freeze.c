/* hspace direction freeze: the dh of a delta network on samples, and the directions in it. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/directions/direction.h"
#include "analysis/sweep/freeze.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {{"t-edit", 0, HS_OPT_INT, "0", 0, 0x1p30, NULL, "T", "Edit", "steps with t >= T"},
                                 {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source, hs_opts_sampler, options, NULL};

/* Everything a run needs, owned. */
typedef struct {
    hs_direction dir;
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_step_noise noise;
    size_t S, batch, d; /* recorded steps; images at once; numbers of a dh */
    int *t;             /* (S) */
    hs_freeze *freeze;
    hs_freeze_mean sum;
    float *mean, *global, *x_T, *delta; /* (S, d), (2, d), and a batch of each */
    double *norm;                       /* (2, S) */
} job;

static void job_free(job *j)
{
    hs_freeze_free(j->freeze);
    hs_freeze_mean_free(&j->sum);
    free(j->t);
    free(j->mean);
    free(j->global);
    free(j->x_T);
    free(j->delta);
    free(j->norm);
    hs_step_noise_free(&j->noise);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
    hs_direction_free(&j->dir);
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc;
    const char *const *in;
    hs_cmd_inputs(c, &in);
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_direction_open(in[0], &j->dir));
    HS_TRY(hs_cmd_input(c, j->dir.file));
    if (j->dir.net == NULL) {
        rc = hs_fail(HS_ERANGE, "%s: no delta network: its dh is the same for every sample already", in[0]);
        goto out;
    }
    if (j->dir.space != HS_SPACE_H) {
        rc = hs_fail(HS_ERANGE, "%s: changes eps; wanted a delta network of h", in[0]);
        goto out;
    }
    HS_TRY(hs_common_model(c, &j->model));
    const hs_unet_config *cfg = hs_unet_config_of(j->model.unet);
    HS_TRY(hs_direction_fits(&j->dir, cfg, j->model.sha256, hs_cmd_force(c)));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
    HS_TRY(hs_step_noise_open(c, j->steps.S, j->source.n, j->source.image, &j->noise));
    while (j->S < j->steps.S && j->steps.step[j->S].t >= hs_cmd_int(c, "t-edit")) {
        j->S++;
    }
    if (j->S == 0) {
        rc = hs_fail(HS_ERANGE, "--t-edit: no step of the sampler has t >= %lld", (long long)hs_cmd_int(c, "t-edit"));
        goto out;
    }
    j->batch = hs_common_batch(c, j->source.n);
    j->d = hs_chw_size(hs_unet_h_shape(cfg));
out:
    return rc;
}

HS_CHECKED static int make_room(const hs_cmd *c, job *j)
{
    int rc;
    size_t cells;
    const hs_freeze_plan plan = {.model = &j->model,
                                 .steps = &j->steps,
                                 .dir = &j->dir,
                                 .edited = j->S,
                                 .batch = j->batch,
                                 .conv = hs_common_conv(c),
                                 .ddim = {.eta = hs_cmd_num(c, "eta"),
                                          .eta_boost = 1,
                                          .clip = hs_common_clipping(c, &j->model),
                                          .noise = {hs_step_noise_next, &j->noise}}};
    HS_TRY(hs_freeze_create(&plan, &j->freeze));
    HS_TRY(hs_freeze_mean_create(j->S, j->d, &j->sum));
    HS_TRY(hs_alloc(j->S, sizeof *j->t, &j->t));
    for (size_t k = 0; k < j->S; k++) {
        j->t[k] = j->steps.step[k].t;
    }
    HS_TRY(hs_size_mul(j->batch, j->S, &cells));
    HS_TRY(hs_alloc(cells, j->d * sizeof(float), &j->delta));
    HS_TRY(hs_alloc(j->batch, hs_chw_size(j->source.image) * sizeof(float), &j->x_T));
    HS_TRY(hs_alloc(j->S, j->d * sizeof(float), &j->mean));
    HS_TRY(hs_alloc(2, j->d * sizeof(float), &j->global));
    HS_TRY(hs_alloc(2, j->S * sizeof(double), &j->norm));
out:
    return rc;
}

/* r NULL: nothing is written. */
HS_CHECKED static int run_samples(hs_cmd *c, job *j, hs_result *r)
{
    int rc = HS_OK;
    size_t n = j->source.n;
    for (size_t first = 0; first < n; first += j->batch) {
        size_t count = n - first < j->batch ? n - first : j->batch;
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "freeze", first, n));
        HS_TRY(hs_source_x_T(&j->source, first, count, j->x_T));
        j->noise.first = first;
        HS_TRY(hs_freeze_run(j->freeze, first, count, j->x_T, j->delta));
        hs_freeze_mean_add(&j->sum, count, j->delta);
        HS_TRY(r != NULL ? hs_result_put_rows(r, "delta_h", first, count, j->delta) : HS_OK);
    }
    HS_TRY(hs_freeze_mean_finish(&j->sum, j->mean, j->global, j->global + j->d, j->norm, j->norm + j->S));
out:
    return rc;
}

HS_CHECKED static int begin_file(const hs_cmd *c, const job *j, hs_result **out)
{
    int rc;
    hs_result *r = NULL;
    const hs_chw h = hs_unet_h_shape(hs_unet_config_of(j->model.unet));
    const size_t dim[5] = {j->source.n, j->S, h.c, h.h, h.w};
    int64_t *t = NULL;
    HS_TRY(hs_alloc(j->S, sizeof *t, &t));
    for (size_t k = 0; k < j->S; k++) {
        t[k] = j->t[k];
    }
    HS_TRY(hs_result_create(hs_cmd_out(c), "deltas", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_result_put_i64(r, "timestep", "timestep", 1, &j->S, t));
    HS_TRY(hs_result_define_f32(r, "delta_h", "sample,timestep,channel,y,x", 5, dim));
    *out = r;
    r = NULL;
out:
    free(t);
    hs_result_free(r);
    return rc;
}

HS_CHECKED static int end_file(hs_cmd *c, const job *j, hs_result *r)
{
    static const char *const names[] = {"mean", "global", "global_unit"};
    int rc;
    const hs_chw h = hs_unet_h_shape(hs_unet_config_of(j->model.unet));
    HS_TRY(hs_result_put_strings(r, "direction", "direction", 3, names));
    HS_TRY(hs_direction_put_named(r, HS_SPACE_H, names[0], h, j->S, j->t, HS_MATCH_LINEAR, j->mean));
    HS_TRY(hs_direction_put_named(r, HS_SPACE_H, names[1], h, 0, NULL, HS_MATCH_LINEAR, j->global));
    HS_TRY(hs_direction_put_named(r, HS_SPACE_H, names[2], h, 0, NULL, HS_MATCH_LINEAR, j->global + j->d));
    HS_TRY(hs_result_put_f64(r, "norm", "timestep", 1, &j->S, j->norm));
    HS_TRY(hs_result_put_f64(r, "norm_of_mean", "timestep", 1, &j->S, j->norm + j->S));
    HS_TRY(hs_direction_put_origin(r, "freeze", j->dir.tap, j->model.sha256));
    HS_TRY(hs_result_attr_str(r, NULL, "frozen", j->dir.name));
    HS_TRY(hs_result_attr_i64(r, NULL, "found_steps", (int64_t)j->steps.S));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_edit", hs_cmd_int(c, "t-edit")));
    HS_TRY(hs_result_commit(r));
out:
    return rc;
}

static void answer(hs_cmd *c, const job *j)
{
    json_t *r = hs_cmd_results(c), *steps = json_array();
    for (size_t k = 0; k < j->S; k++) {
        json_array_append_new(steps, json_pack("{s:i, s:o, s:o}", "t", j->t[k], "norm", hs_json_num(j->norm[k]),
                                               "norm_of_mean", hs_json_num(j->norm[j->S + k])));
        hs_cmd_say(c, "t %4d   |dh| %9.4g on average   |mean dh| %9.4g\n", j->t[k], j->norm[k], j->norm[j->S + k]);
    }
    json_object_set_new(r, "n", json_integer((json_int_t)j->source.n));
    json_object_set_new(r, "frozen", json_string(j->dir.name));
    json_object_set_new(r, "directions", json_pack("[s, s, s]", "mean", "global", "global_unit"));
    json_object_set_new(r, "steps", steps);
    if (hs_cmd_out(c) != NULL) {
        hs_cmd_say(c, "%s: dh of %zu samples at %zu steps; directions mean, global, global_unit\n", hs_cmd_out(c),
                   j->source.n, j->S);
    }
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    hs_result *r = NULL;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        double evaluations = (double)j.source.n * (double)j.S, seconds = 0;
        HS_TRY(hs_common_forward_time(c, &j.model, j.batch, &seconds));
        hs_common_say_plan(c, evaluations, seconds, evaluations * (double)j.d * sizeof(float));
        goto out;
    }
    HS_TRY(make_room(c, &j));
    HS_TRY(hs_cmd_out(c) != NULL ? begin_file(c, &j, &r) : HS_OK);
    HS_TRY(run_samples(c, &j, r));
    HS_TRY(r != NULL ? end_file(c, &j, r) : HS_OK);
    answer(c, &j);
out:
    hs_result_free(r);
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_freeze = {
    .name = "direction freeze",
    .usage = "F.h5[:NAME] --model M (-N n | --images PATH... | --x-T X.npy) -o D.h5",
    .purpose = "The dh of a delta network on samples, along their unedited trajectories, and the directions mean (per "
               "step), global and global_unit (constant in t) in it.",
    .examples = "hspace direction freeze smile.h5 --model faces-a -N 64 --t-edit 300 -o frozen.h5\n"
                "hspace edit --model faces-a --direction frozen.h5:global --t-edit 300 -N 4 -o global.png",
    .options = tables,
    .min_inputs = 1,
    .max_inputs = 1,
    .run = run,
};
