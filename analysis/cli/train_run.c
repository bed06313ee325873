#include "analysis/cli/train_run.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analysis/cli/common.h"
#include "analysis/train/checkpoint.h"
#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/base/clock.h"
#include "core/io/file.h"
#include "core/io/json.h"

enum { TABLE_EVERY = 100 };

const hs_opt hs_opts_train[] = {
    {"data", 0, HS_OPT_STR, NULL, 0, 0, NULL, "SOURCE", "Input",
     "faces[:STYLE] (rendered), a folder of PNG or JPEG files, or an idx file as MNIST's"},
    {"images", 0, HS_OPT_INT, "50000", 2, 0x1p31, NULL, "N", "Input", "renders of a generator"},
    {"data-seed", 0, HS_OPT_INT, NULL, 0, 0x1p53, NULL, "N", "Input", "of a generator; --seed when left out"},
    {"fit", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Input", "cut and resize images of another size"},
    {"skip-bad", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Input",
     "leave unreadable images out instead of refusing them"},
    {"conv", 0, HS_OPT_STR, "auto", 0, 0, "auto|winograd|direct|im2col", "MODE", "Model", "convolution algorithm"},
    {"steps", 0, HS_OPT_INT, NULL, 1, 0x1p40, NULL, "N", "Training", "updates"},
    {"batch", 0, HS_OPT_INT, "32", 1, 4096, NULL, "N", "Training", "images of an update"},
    {"rate", 0, HS_OPT_NUM, "5e-4", 0, 100, NULL, "R", "Training", "learning rate"},
    {"warmup", 0, HS_OPT_INT, "200", 0, 0x1p40, NULL, "N", "Training", "updates over which the rate rises from 0"},
    {"flat", 0, HS_OPT_NUM, "0.6", 0, 1, NULL, "F", "Training", "fraction of the updates at the full rate"},
    {"last", 0, HS_OPT_NUM, "0.05", 0, 1, NULL, "F", "Training", "fraction of the rate at the end"},
    {"decay", 0, HS_OPT_NUM, "0", 0, 10, NULL, "D", "Training", "decoupled weight decay (AdamW); 0: Adam"},
    {"clip", 0, HS_OPT_NUM, "1", 0, 1e9, NULL, "G", "Training", "largest norm of the gradient; 0: not clipped"},
    {"ema", 0, HS_OPT_NUM, "0.999", 0, 0.999999, NULL, "E", "Training", "decay of the averaged weights"},
    {"resume", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Training", "continue from the folder's checkpoint"},
    {"save-every", 0, HS_OPT_NUM, "120", 0, 1e9, NULL, "S", "Output", "seconds between checkpoints"},
    {"grid-every", 0, HS_OPT_NUM, "600", 0, 1e9, NULL, "S", "Output", "seconds between pictures; 0: at the end only"},
    {"dtype", 0, HS_OPT_STR, "f16", 0, 0, "f16|f32", "TYPE", "Output", "of the published weights"},
    {0}};

void hs_train_run_free(hs_train_run *r)
{
    hs_data_free(&r->data);
    hs_str_free(&r->source);
    json_decref(r->described);
    free(r->line);
    memset(r, 0, sizeof *r);
}

/* ---- The folder ---------------------------------------------------------------------------------- */

HS_CHECKED static int is_empty(const char *folder, int *empty)
{
    DIR *d = opendir(folder);
    if (d == NULL) {
        return hs_fail_errno(folder, "cannot be opened as a folder");
    }
    *empty = 1;
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        *empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    }
    closedir(d);
    return HS_OK;
}

/* Before any work: --resume wants the folder with a checkpoint, else it must be new, empty or forced. */
HS_CHECKED static int check_folder(const hs_cmd *c, const char *folder)
{
    struct stat st;
    int empty = 1, rc = HS_OK, there = stat(folder, &st) == 0;
    if (hs_cmd_flag(c, "resume")) {
        return hs_checkpoint_there(folder)
                   ? HS_OK
                   : hs_fail(HS_ERANGE, "%s: no checkpoint to resume from; leave --resume out to begin", folder);
    }
    if (there && !S_ISDIR(st.st_mode)) {
        return hs_fail(HS_ERANGE, "%s: not a folder; wanted the model's folder", folder);
    }
    if (there) {
        HS_TRY(is_empty(folder, &empty));
    }
    if (!empty && !hs_cmd_force(c)) {
        return hs_fail(HS_ERANGE, "%s: not empty; --resume continues a run, -f begins anew", folder);
    }
out:
    return rc;
}

/* ---- train.json ---------------------------------------------------------------------------------- */

/* *line <- the command that began the run: of its train.json when resumed, else this one. */
HS_CHECKED static int first_line(const hs_cmd *c, const char *folder, char **line)
{
    char path[HS_TRAIN_PATH];
    json_t *root = NULL;
    const char *said = hs_cmd_line(c);
    int rc = HS_OK;
    HS_TRY(hs_train_path(folder, "train.json", path));
    if (hs_cmd_flag(c, "resume") && access(path, F_OK) == 0) {
        HS_TRY(hs_json_read(path, &root));
        HS_TRY(hs_fail_in(hs_json_get_str(root, "command_line", NULL, &said), path));
    }
    HS_TRY(hs_strdup(said, line));
out:
    json_decref(root);
    return rc;
}

HS_CHECKED static int describe(hs_cmd *c, hs_train_run *r)
{
    int rc = HS_OK;
    HS_TRY(first_line(c, r->folder, &r->line));
    hs_str_addf(&r->source, "hspace %s (%s)", hs_version(), hs_version_git());
    HS_TRY(hs_str_ok(&r->source));
    snprintf(r->seed_text, sizeof r->seed_text, "%llu", (unsigned long long)hs_cmd_seed(c));
    r->meta[r->n_meta++] = (hs_pair){"format", "pt"};
    r->meta[r->n_meta++] = (hs_pair){"source", r->source.s};
    r->meta[r->n_meta++] = (hs_pair){"command_line", r->line};
    r->meta[r->n_meta++] = (hs_pair){"seed", r->seed_text};
    r->meta[r->n_meta++] = (hs_pair){"data", r->data.text};
    r->meta[r->n_meta++] = (hs_pair){"data_sha256", r->data.sha256};
    r->described = json_object();
    for (size_t i = 1; i < r->n_meta; i++) {
        json_object_set_new(r->described, r->meta[i].key, json_string(r->meta[i].value));
    }
    json_object_set_new(r->described, "images", json_integer((json_int_t)r->data.n));
    json_object_set_new(r->described, "skipped", json_integer((json_int_t)r->data.skipped));
    json_object_set_new(r->described, "libraries", json_string(hs_version_long()));
    if (hs_cmd_flag(c, "resume")) {
        json_object_set_new(r->described, "resumed_by", json_string(hs_cmd_line(c)));
    }
out:
    return rc;
}

int hs_train_run_write(hs_train_run *r)
{
    char path[HS_TRAIN_PATH];
    char *text = NULL;
    int rc = HS_OK;
    HS_TRY(hs_train_path(r->folder, "train.json", path));
    text = json_dumps(r->described, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (text == NULL) {
        rc = hs_fail(HS_ENOMEM, "%s: out of memory", path);
        goto out;
    }
    HS_TRY(hs_file_write_atomic(path, text, strlen(text), 1));
out:
    free(text);
    return rc;
}

/* ---- The run ------------------------------------------------------------------------------------- */

static void set_loop(const hs_cmd *c, hs_train_options *o)
{
    uint64_t total = (uint64_t)hs_cmd_int(c, "steps");
    *o = (hs_train_options){.adam = {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .decay = hs_cmd_num(c, "decay")},
                            .rate = {hs_cmd_num(c, "rate"), hs_cmd_num(c, "flat"), hs_cmd_num(c, "last"),
                                     (uint64_t)hs_cmd_int(c, "warmup"), total},
                            .clip = hs_cmd_num(c, "clip"),
                            .ema = hs_cmd_num(c, "ema"),
                            .save_seconds = hs_cmd_num(c, "save-every"),
                            .show_seconds = hs_cmd_num(c, "grid-every"),
                            .table_every = total < 20 * TABLE_EVERY ? (total + 19) / 20 : TABLE_EVERY,
                            .resume = hs_cmd_flag(c, "resume"),
                            .force = hs_cmd_force(c),
                            .progress = hs_cmd_progress(c)};
}

unsigned long long hs_train_data_seed(const hs_cmd *c)
{
    return hs_cmd_given(c, "data-seed") ? (unsigned long long)hs_cmd_int(c, "data-seed") : hs_cmd_seed(c);
}

HS_CHECKED static int load(hs_cmd *c, hs_chw image, int factors, hs_train_run *r)
{
    const char *source = hs_cmd_str(c, "data");
    struct stat st;
    hs_data_options o = {.image = image,
                         .fit = hs_cmd_flag(c, "fit"),
                         .skip_bad = hs_cmd_flag(c, "skip-bad"),
                         .factors = factors,
                         .seed = hs_cmd_given(c, "data-seed") ? (unsigned long long)hs_cmd_int(c, "data-seed")
                                                              : hs_cmd_seed(c),
                         .images = (size_t)hs_cmd_int(c, "images"),
                         .progress = hs_cmd_progress(c)};
    int rc = HS_OK;
    o.n_attributes = hs_cmd_list(c, "attributes", &o.attributes);
    HS_TRY(hs_data_open(source, &o, &r->data));
    if (stat(source, &st) == 0) {
        HS_TRY(hs_cmd_input_sha(c, source, r->data.sha256));
        if (hs_cmd_given(c, "images") || hs_cmd_given(c, "data-seed")) {
            hs_cmd_warn(c, "--images and --data-seed have no effect: %s is no generator", source);
        }
    }
out:
    return rc;
}

int hs_train_run_open(hs_cmd *c, hs_chw image, int factors, hs_train_run *r)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "data"));
    HS_TRY(hs_cmd_need(c, "steps"));
    r->folder = hs_cmd_out(c);
    if (r->folder == NULL) {
        return hs_fail(HS_ERANGE, "train: no -o; wanted the folder of the model");
    }
    HS_TRY(check_folder(c, r->folder));
    set_loop(c, &r->loop);
    HS_TRY(load(c, image, factors, r));
    HS_TRY(describe(c, r));
out:
    return rc;
}

int hs_train_run_plan(hs_cmd *c, const hs_train_run *r, const hs_task *task)
{
    double loss, started = 0;
    int rc = HS_OK;
    for (uint64_t k = 1; k <= 2; k++) { /* the second is warm */
        started = hs_clock();
        memset(task->grad, 0, task->n * sizeof *task->grad);
        HS_TRY(task->loss(task->ctx, k, &loss));
    }
    double each = hs_clock() - started, all = each * (double)r->loop.rate.total;
    json_object_set_new(hs_cmd_results(c), "parameters", json_integer((json_int_t)task->parameters));
    json_object_set_new(hs_cmd_results(c), "updates", json_integer((json_int_t)r->loop.rate.total));
    json_object_set_new(hs_cmd_results(c), "seconds", hs_json_num(all));
    json_object_set_new(hs_cmd_results(c), "images_per_second", hs_json_num((double)task->images / each));
    hs_cmd_say(c, "%s; %zu parameters; %llu updates of %zu images: about %.0f s (%.1f images a second)\n", r->data.text,
               task->parameters, (unsigned long long)r->loop.rate.total, task->images, all,
               (double)task->images / each);
out:
    return rc;
}

int hs_train_run_go(hs_cmd *c, hs_train_run *r, const hs_task *task)
{
    hs_train_result done;
    json_t *out = hs_cmd_results(c);
    int rc = HS_OK;
    HS_TRY(hs_train_make_folder(r->folder));
    json_object_set_new(out, "parameters", json_integer((json_int_t)task->parameters));
    json_object_set_new(r->described, "fingerprint", json_string(task->fingerprint));
    HS_TRY(hs_train_run_write(r));
    HS_TRY(hs_train(task, &r->loop, r->folder, &done));
    json_object_set_new(out, "folder", json_string(r->folder));
    json_object_set_new(out, "data", json_string(r->data.text));
    json_object_set_new(out, "images", json_integer((json_int_t)r->data.n));
    json_object_set_new(out, "skipped", json_integer((json_int_t)r->data.skipped));
    json_object_set_new(out, "updates", json_integer((json_int_t)done.updates));
    json_object_set_new(out, "loss", hs_json_num(done.loss));
    json_object_set_new(out, "grad_norm", hs_json_num(done.grad_norm));
    json_object_set_new(out, "images_per_second", hs_json_num(done.images_per_second));
    json_object_set_new(out, "seconds", hs_json_num(done.seconds));
    json_object_set(r->described, "results", out);
    HS_TRY(hs_train_run_write(r));
    hs_cmd_say(c, "%s: %llu updates in %.0f s, loss %.4g, %.1f images a second\n", r->folder,
               (unsigned long long)done.updates, done.seconds, done.loss, done.images_per_second);
out:
    return rc;
}
