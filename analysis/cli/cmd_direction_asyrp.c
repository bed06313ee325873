/* hspace direction asyrp: an edit is learned, by a delta network f_t or free of one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/asyrp.h"
#include "analysis/cli/commands.h"
#include "analysis/cli/interval.h"
#include "analysis/directions/direction.h"
#include "analysis/sweep/edit.h"
#include "analysis/train/checkpoint.h"
#include "core/base/alloc.h"

static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source,   hs_opts_steps,
                                       hs_opts_asyrp, hs_opts_interval, NULL};

static void job_free(hs_asyrp_job *j)
{
    hs_asyrp_task_free(j->task);
    hs_delta_free(j->v);
    hs_deltablock_free(j->net);
    hs_goal_free(&j->goal);
    hs_attrnet_free(j->phi);
    hs_clip_free(j->clip);
    for (size_t i = 0; i < j->n_templates; i++) {
        free(j->templates[i]);
    }
    free(j->templates);
    free(j->x_T);
    free(j->x_0);
    hs_str_free(&j->about);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

/* ---- The folder of the training, FILE.train ---- */

HS_CHECKED static int check_folder(const hs_cmd *c, hs_asyrp_job *j)
{
    const char *out = hs_cmd_out(c);
    int n = snprintf(j->folder, sizeof j->folder, "%s.train", out);
    if (n < 0 || (size_t)n >= sizeof j->folder) {
        return hs_fail(HS_ERANGE, "-o: the path is too long");
    }
    int there = hs_checkpoint_there(j->folder);
    if (hs_cmd_flag(c, "resume") && !there) {
        return hs_fail(HS_ERANGE, "%s: no checkpoint to resume from; leave --resume out to begin", j->folder);
    }
    if (!hs_cmd_flag(c, "resume") && there && !hs_cmd_force(c)) {
        return hs_fail(HS_ERANGE, "%s: holds a checkpoint; --resume continues it, -f begins anew", j->folder);
    }
    return HS_OK;
}

HS_CHECKED static int open_job(hs_cmd *c, hs_asyrp_job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_cmd_out(c) != NULL ? check_folder(c, j) : HS_OK);
    HS_TRY(hs_asyrp_choose(c, &j->o));
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_interval_threshold(c, "t-edit", j->model.schedule.T, &j->t_edit));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
    HS_TRY(hs_asyrp_open_goal(c, hs_common_batch(c, j->source.n), j));
    if (j->o.trajectories == 0) {
        size_t batch = hs_common_batch(c, j->source.n);
        j->o.trajectories = (j->source.n + batch - 1) / batch;
    }
    json_object_set_new(hs_cmd_params(c), "trajectories", json_integer((json_int_t)j->o.trajectories));
out:
    return rc;
}

/* ---- What is trained, on what ---- */

/* x_0 of the prior or of given x_T: what the sampler makes of it over the same steps. */
HS_CHECKED static int sample_x_0(hs_cmd *c, hs_asyrp_job *j)
{
    static const double none = 0;
    const hs_edit_plan plan = {.model = &j->model,
                               .steps = &j->steps,
                               .m = 1,
                               .strength = &none,
                               .batch = (size_t)hs_cmd_int(c, "batch"),
                               .conv = hs_common_conv(c),
                               .progress = hs_cmd_progress(c)};
    return hs_edit_run(&plan, j->source.n, j->x_T, NULL, j->x_0);
}

HS_CHECKED static int read_x_T(hs_asyrp_job *j)
{
    size_t n = j->source.n;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, hs_chw_size(j->source.image) * sizeof *j->x_T, &j->x_T));
    HS_TRY(hs_source_x_T(&j->source, 0, n, j->x_T));
out:
    return rc;
}

/* A number for --t-edit auto. */
HS_CHECKED static int find_t_edit(hs_cmd *c, hs_asyrp_job *j)
{
    hs_interval_found f = {0};
    double cosine = j->o.clip && !hs_cmd_given(c, "cosine") ? j->cosine : hs_cmd_num(c, "cosine");
    int rc = HS_OK;
    if (j->t_edit != HS_T_AUTO) {
        return HS_OK;
    }
    HS_TRY(hs_cmd_list(c, "curves", NULL) > 0
               ? hs_interval_given(c, cosine, &f)
               : hs_interval_measure(c, &j->model, &j->steps, j->source.n, j->x_T, cosine, &f));
    hs_interval_say(c, &f);
    j->t_edit = f.t_edit;
    json_object_set_new(hs_cmd_params(c), "t-edit", json_integer(j->t_edit));
out:
    hs_interval_free(&f);
    return rc;
}

HS_CHECKED static int read_images(hs_cmd *c, hs_asyrp_job *j)
{
    size_t n = j->source.n, d = hs_chw_size(j->source.image);
    char digest[HS_SHA256_HEX];
    int rc = HS_OK;
    HS_TRY(hs_sha256_of(j->x_T, n * d * sizeof *j->x_T, digest));
    hs_str_addf(&j->about, "images %zu, sha256 %.16s\n", n, digest);
    if (j->o.against == HS_AGAINST_IMAGE) {
        HS_TRY(hs_alloc(n, d * sizeof *j->x_0, &j->x_0));
        HS_TRY(j->source.kind == HS_SOURCE_IMAGES ? hs_source_x_0(&j->source, 0, n, j->x_0) : sample_x_0(c, j));
    }
out:
    return rc;
}

/* A network of the model's type and width; on eps of its patches, of the same width inside. */
HS_CHECKED static int draw_network(hs_cmd *c, hs_asyrp_job *j)
{
    const hs_unet_config *cfg = hs_unet_config_of(j->model.unet);
    size_t width = hs_unet_h_shape(cfg).c, p = hs_direction_patch(cfg);
    if (j->o.eps) {
        return hs_deltablock_random(cfg->in_ch * p * p, width, cfg->temb_dim, hs_cmd_seed(c), j->o.silent, &j->net);
    }
    return (cfg->names == HS_NAMES_ADM ? hs_deltablock_random_adm : hs_deltablock_random)(
        width, width, cfg->temb_dim, hs_cmd_seed(c), j->o.silent, &j->net);
}

/* The network of a file, which must fit the model. */
HS_CHECKED static int open_network(hs_cmd *c, hs_asyrp_job *j)
{
    hs_direction d = {0};
    int rc = HS_OK;
    HS_TRY(hs_fail_in(hs_direction_open(j->o.start, &d), "--init"));
    if (d.net == NULL || d.space != (j->o.eps ? HS_SPACE_EPS : HS_SPACE_H)) {
        rc = hs_fail(HS_ESHAPE, "--init %.200s: wanted a delta network of %s", j->o.start, j->o.eps ? "eps" : "h");
        goto out;
    }
    HS_TRY(hs_direction_fits(&d, hs_unet_config_of(j->model.unet), j->model.sha256, hs_cmd_force(c)));
    HS_TRY(hs_cmd_input(c, d.file));
    j->net = d.net;
    d.net = NULL;
out:
    hs_direction_free(&d);
    return rc;
}

HS_CHECKED static int make_delta(hs_cmd *c, hs_asyrp_job *j)
{
    hs_delta_spec spec = {.kind = j->o.kind,
                          .eps = j->o.eps,
                          .n = j->source.n,
                          .S = hs_asyrp_edited_steps(&j->steps, j->t_edit),
                          .batch = hs_common_batch(c, j->source.n),
                          .silent = j->o.silent,
                          .seed = hs_cmd_seed(c)};
    size_t count;
    char digest[HS_SHA256_HEX];
    int rc = HS_OK;
    if (spec.S == 0) {
        return hs_fail(HS_ERANGE, "--t-edit %d: no step at or above it", j->t_edit);
    }
    if (spec.kind == HS_DELTA_NET) {
        HS_TRY(j->o.start != NULL ? open_network(c, j) : draw_network(c, j));
        spec.net = j->net;
    }
    HS_TRY(hs_delta_create(hs_unet_config_of(j->model.unet), &spec, &j->v));
    const float *theta = hs_delta_theta(j->v, &count);
    HS_TRY(hs_sha256_of(theta, count * sizeof *theta, digest));
    hs_str_addf(&j->about, "initial weights, sha256 %.16s\n", digest);
out:
    return rc;
}

HS_CHECKED static int make_task(hs_cmd *c, hs_asyrp_job *j)
{
    int cosine = j->o.clip && hs_cmd_str(c, "l1-scale")[0] == 'c';
    int rc = HS_OK;
    HS_TRY(read_x_T(j));
    HS_TRY(find_t_edit(c, j));
    const hs_asyrp_task_options o = {.against = j->o.against,
                                     .update = j->o.update,
                                     .weight = j->o.weight,
                                     .l1 = j->o.l1 * (cosine ? j->cosine : 1),
                                     .t_edit = j->t_edit,
                                     .conv = hs_common_conv(c)};
    hs_str_addf(&j->about, "model %.16s\nseed %lld\n", j->model.sha256, (long long)hs_cmd_seed(c));
    HS_TRY(make_delta(c, j));
    HS_TRY(read_images(c, j));
    HS_TRY(hs_str_ok(&j->about));
    HS_TRY(hs_asyrp_task_create(j->model.unet, &j->steps, j->v, &j->goal, j->x_T, j->x_0, &o, j->about.s, j->folder,
                                &j->task));
out:
    return rc;
}

/* ---- The run ---- */

static hs_train_options loop_of(const hs_cmd *c, const hs_asyrp_job *j)
{
    const hs_asyrp_choice *o = &j->o;
    uint64_t each = hs_asyrp_task_updates(j->task), total = each * o->trajectories;
    return (hs_train_options){.sgd = o->sgd,
                              .adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                              .rate = {.rate = o->rate,
                                       .flat = 0.5,
                                       .last = 0.05,
                                       .total = total,
                                       .every = o->every * each * hs_delta_groups(j->v),
                                       .gamma = o->every > 0 ? o->gamma : 0},
                              .clip = o->max_norm,
                              .save_seconds = hs_cmd_num(c, "save-every"),
                              .whole = each,
                              .table_every = each > 10 ? each : 10,
                              .resume = hs_cmd_flag(c, "resume"),
                              .force = hs_cmd_force(c),
                              .progress = hs_cmd_progress(c)};
}

static void answer(hs_cmd *c, const hs_asyrp_job *j, size_t parameters, const hs_train_result *done)
{
    static const char *const what[] = {"f_t", "a change of each image", "a change of all images"};
    json_t *out = hs_cmd_results(c);
    json_object_set_new(out, "name", json_string(j->name));
    json_object_set_new(out, "parameters", json_integer((json_int_t)parameters));
    json_object_set_new(out, "updates", json_integer((json_int_t)done->updates));
    json_object_set_new(out, "loss", hs_json_num(done->loss));
    json_object_set_new(out, "seconds", hs_json_num(done->seconds));
    hs_cmd_say(c, "%s: %s for %s, %llu updates in %.0f s, loss %.4g; its curve: %s/loss.png\n", hs_cmd_out(c),
               what[j->o.kind], j->name, (unsigned long long)done->updates, done->seconds, done->loss, j->folder);
}

static int run(hs_cmd *c)
{
    int rc;
    hs_asyrp_job j = {0};
    hs_train_result done;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c) || hs_cmd_out(c) == NULL) {
        hs_cmd_say(c, "%llu trajectories of %zu images over %zu timesteps\n", (unsigned long long)j.o.trajectories,
                   hs_common_batch(c, j.source.n), j.steps.S);
        goto out;
    }
    HS_TRY(make_task(c, &j));
    const hs_task task = hs_asyrp_task_of(j.task);
    const hs_train_options loop = loop_of(c, &j);
    HS_TRY(hs_train_make_folder(j.folder));
    HS_TRY(hs_train(&task, &loop, j.folder, &done));
    HS_TRY(hs_asyrp_write(c, &j));
    answer(c, &j, task.parameters, &done);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_asyrp = {
    .name = "direction asyrp",
    .usage =
        "--model M (--readout attr:NAME | --source TEXT --target TEXT) (-N n | --images PATH... | --x-T X.npy) -o D.h5",
    .purpose = "Trains Asyrp's delta network f_t(h, t), or changes free of one, the model frozen, until the edited "
               "prediction of x_0 scores as far from the unedited one as asked, or CLIP sees it move from one text to "
               "another; FILE.train/ keeps the checkpoint and the loss curve.",
    .examples =
        "hspace direction asyrp --model faces-a --readout attr:smile -N 64 --t-edit 300 -o smile.h5\n"
        "hspace direction asyrp --model faces-a --source 'a face' --target 'a smiling face' -N 64 --t-edit auto -o "
        "clip.h5\n"
        "hspace direction asyrp --model faces-a --readout attr:age --by -1 -N 64 --update trajectory -o young.h5\n"
        "hspace direction asyrp --model faces-a --readout attr:smile -N 16 --free --space eps -o rival.h5",
    .options = tables,
    .run = run,
};
