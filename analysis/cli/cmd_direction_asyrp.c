/* hspace direction asyrp: a delta network f_t learns an edit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/shipped.h"
#include "analysis/directions/direction.h"
#include "analysis/train/checkpoint.h"
#include "analysis/train/paths.h"
#include "analysis/train/task_asyrp.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"readout", 0, HS_OPT_STR, NULL, 0, 0, NULL, "attr:NAME", "Edit", "the factor that shall change"},
    HS_OPT_ATTR,
    {"by", 0, HS_OPT_NUM, "1", -1000, 1000, NULL, "X", "Edit",
     "how far, in its standard deviations (of 0 and 1: in its logit)"},
    {"t-edit", 0, HS_OPT_INT, "0", 0, 0x1p30, NULL, "T", "Edit", "edited where t >= T"},
    {"name", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME", "Edit", "of the direction; the factor's when left out"},
    {"recipe", 0, HS_OPT_STR, "code", 0, 0, "code|paper", "RECIPE", "Training",
     "an update a timestep, or one a trajectory"},
    {"trajectories", 0, HS_OPT_INT, "50", 1, 0x1p30, NULL, "N", "Training", "batches taken from x_T to t-edit"},
    {"rate", 0, HS_OPT_NUM, "1e-3", 0, 100, NULL, "R", "Training", "learning rate (Adam)"},
    {"l1", 0, HS_OPT_NUM, "1", 0, 1e6, NULL, "W", "Training", "weight of mean |P_edit - P_src|"},
    {"init", 0, HS_OPT_STR, "zero", 0, 0, "zero|torch", "HOW", "Training",
     "zero: begins without an effect; torch: as PyTorch's layers, as the released networks did"},
    {"save-every", 0, HS_OPT_NUM, "120", 0, 1e9, NULL, "S", "Training", "seconds between checkpoints"},
    {"resume", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Training", "continue from the checkpoint in FILE.train/"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, hs_opts_source, hs_opts_steps, options, NULL};

/* Everything a run needs, owned. */
typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_attrnet *phi;
    hs_deltablock *f;
    hs_asyrp_task *task;
    float *x_T;
    char folder[HS_TRAIN_PATH];
    hs_str about;
    size_t factor;
} job;

static void job_free(job *j)
{
    hs_asyrp_task_free(j->task);
    hs_deltablock_free(j->f);
    hs_attrnet_free(j->phi);
    free(j->x_T);
    hs_str_free(&j->about);
    hs_source_free(&j->source);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
}

/* ---- The folder of the training, FILE.train ---- */

HS_CHECKED static int check_folder(const hs_cmd *c, job *j)
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

/* ---- What is trained, on what ---- */

HS_CHECKED static int open_factor(hs_cmd *c, job *j)
{
    char path[HS_SHIPPED_PATH];
    const char *readout = hs_cmd_str(c, "readout");
    int rc = HS_OK, k;
    if (readout == NULL || strncmp(readout, "attr:", 5) != 0) {
        return hs_fail(HS_ERANGE, "direction asyrp: wanted --readout attr:NAME, the factor that shall change");
    }
    HS_TRY(hs_attrnet_open(hs_shipped_or(hs_cmd_str(c, "attr"), path), &j->phi));
    k = hs_attrnet_find(j->phi, readout + 5);
    if (k < 0) {
        rc = hs_fail(HS_ERANGE, "--readout %.80s: %s has no such factor", readout, hs_cmd_str(c, "attr"));
        goto out;
    }
    j->factor = (size_t)k;
out:
    return rc;
}

HS_CHECKED static int open_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_cmd_check_file(c, hs_cmd_out(c)));
    HS_TRY(hs_cmd_out(c) != NULL ? check_folder(c, j) : HS_OK);
    HS_TRY(open_factor(c, j));
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
out:
    return rc;
}

HS_CHECKED static int make_task(hs_cmd *c, job *j)
{
    const hs_unet_config *cfg = hs_unet_config_of(j->model.unet);
    size_t n = j->source.n, batch = hs_common_batch(c, n), d = hs_chw_size(j->source.image);
    const hs_asyrp_task_options o = {.recipe = hs_cmd_str(c, "recipe")[0] == 'c' ? HS_RECIPE_CODE : HS_RECIPE_PAPER,
                                     .batch = batch,
                                     .factor = j->factor,
                                     .by = hs_cmd_num(c, "by"),
                                     .l1 = hs_cmd_num(c, "l1"),
                                     .t_edit = (int)hs_cmd_int(c, "t-edit"),
                                     .conv = hs_common_conv(c)};
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, d * sizeof *j->x_T, &j->x_T));
    HS_TRY(hs_source_x_T(&j->source, 0, n, j->x_T));
    size_t width = hs_unet_h_shape(cfg).c;
    HS_TRY((cfg->names == HS_NAMES_ADM ? hs_deltablock_random_adm : hs_deltablock_random)(
        width, width, cfg->temb_dim, hs_cmd_seed(c), hs_cmd_str(c, "init")[0] == 'z', &j->f));
    hs_str_addf(&j->about, "model %.16s\nattr %s\nimages %zu, sha256 ", j->model.sha256, hs_cmd_str(c, "attr"), n);
    char digest[HS_SHA256_HEX];
    HS_TRY(hs_sha256_of(j->x_T, n * d * sizeof *j->x_T, digest));
    hs_str_addf(&j->about, "%.16s\nseed %lld\ninit %s\n", digest, (long long)hs_cmd_seed(c), hs_cmd_str(c, "init"));
    HS_TRY(hs_str_ok(&j->about));
    HS_TRY(
        hs_asyrp_task_create(j->model.unet, &j->steps, j->f, j->phi, n, j->x_T, &o, j->about.s, j->folder, &j->task));
out:
    return rc;
}

/* ---- The run ---- */

static hs_train_options loop_of(const hs_cmd *c, const job *j)
{
    uint64_t each = hs_asyrp_task_updates(j->task), total = each * (uint64_t)hs_cmd_int(c, "trajectories");
    return (hs_train_options){.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
                              .rate = {.rate = hs_cmd_num(c, "rate"), .flat = 0.5, .last = 0.05, .total = total},
                              .clip = 1,
                              .save_seconds = hs_cmd_num(c, "save-every"),
                              .whole = each,
                              .table_every = each > 10 ? each : 10,
                              .resume = hs_cmd_flag(c, "resume"),
                              .force = hs_cmd_force(c),
                              .progress = hs_cmd_progress(c)};
}

/* The published weights as a direction. */
HS_CHECKED static int write_direction(hs_cmd *c, const job *j)
{
    char path[HS_TRAIN_PATH];
    const char *name = hs_cmd_str(c, "name");
    hs_tensors *ts = NULL;
    hs_result *r = NULL;
    size_t count;
    int rc = HS_OK;
    HS_TRY(hs_train_path(j->folder, "f_t.safetensors", path));
    HS_TRY(hs_safetensors_open(path, &ts));
    HS_TRY(hs_result_create(hs_cmd_out(c), "directions", hs_cmd_force(c), &r));
    HS_TRY(hs_common_provenance(c, r));
    HS_TRY(hs_direction_put_networks(r, ts, name != NULL ? name : hs_cmd_str(c, "readout") + 5, "asyrp",
                                     j->model.sha256, &count));
    HS_TRY(hs_result_attr_i64(r, NULL, "t_edit", hs_cmd_int(c, "t-edit")));
    HS_TRY(hs_result_attr_str(r, NULL, "training", j->about.s));
    HS_TRY(hs_result_commit(r));
out:
    hs_result_free(r);
    hs_tensors_free(ts);
    return rc;
}

static int run(hs_cmd *c)
{
    int rc;
    job j = {0};
    hs_train_result done;
    HS_TRY(open_job(c, &j));
    if (hs_cmd_dry_run(c) || hs_cmd_out(c) == NULL) {
        hs_cmd_say(c, "%lld trajectories of %zu images over %zu timesteps\n", (long long)hs_cmd_int(c, "trajectories"),
                   hs_common_batch(c, j.source.n), j.steps.S);
        goto out;
    }
    HS_TRY(make_task(c, &j));
    const hs_task task = hs_asyrp_task_of(j.task);
    const hs_train_options loop = loop_of(c, &j);
    HS_TRY(hs_train_make_folder(j.folder));
    HS_TRY(hs_train(&task, &loop, j.folder, &done));
    HS_TRY(write_direction(c, &j));
    json_t *out = hs_cmd_results(c);
    json_object_set_new(out, "name", json_string(hs_cmd_str(c, "readout") + 5));
    json_object_set_new(out, "parameters", json_integer((json_int_t)task.n));
    json_object_set_new(out, "updates", json_integer((json_int_t)done.updates));
    json_object_set_new(out, "loss", hs_json_num(done.loss));
    json_object_set_new(out, "seconds", hs_json_num(done.seconds));
    hs_cmd_say(c, "%s: f_t for %s, %llu updates in %.0f s, loss %.4g; its curve: %s/loss.png\n", hs_cmd_out(c),
               hs_cmd_str(c, "readout") + 5, (unsigned long long)done.updates, done.seconds, done.loss, j.folder);
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_direction_asyrp = {
    .name = "direction asyrp",
    .usage = "--model M --readout attr:NAME (-N n | --images PATH... | --x-T X.npy) -o D.h5",
    .purpose =
        "Trains Asyrp's delta network f_t(h, t), the model frozen, until the edited prediction of x_0 scores as far "
        "from the plain one as asked; FILE.train/ keeps the checkpoint and the loss curve.",
    .examples = "hspace direction asyrp --model faces-a --readout attr:smile -N 64 --t-edit 300 -o smile.h5\n"
                "hspace direction asyrp --model faces-a --readout attr:age --by -1 -N 64 --recipe paper -o young.h5",
    .options = tables,
    .run = run,
};
