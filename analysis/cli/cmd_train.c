/* hspace train: a U-Net, an attribute network or a CLIP, from images. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/shipped.h"
#include "analysis/cli/train_run.h"
#include "analysis/train/task_ddpm.h"
#include "core/model/model.h"

static const hs_opt options[] = {
    {"arch", 0, HS_OPT_STR, NULL, 0, 0, NULL, "NAME|FILE", "Model",
     "architecture (info --archs); --readout clip: faces-clip"},
    {"init", 0, HS_OPT_STR, NULL, 0, 0, NULL, "MODEL", "Model",
     "a model whose weights are the first ones: trained on, or tuned to other images; random ones when left out"},
    {"schedule", 0, HS_OPT_STR, NULL, 0, 0, NULL, "S", "Model",
     "linear, cosine, scaled_linear or a .npy table of beta; the architecture's own when left out"},
    {"beta-end", 0, HS_OPT_NUM, NULL, 1e-6, 0.9999, NULL, "B", "Model",
     "last beta of a linear or scaled_linear schedule; the architecture's own when left out"},
    {"prediction", 0, HS_OPT_STR, "epsilon", 0, 0, "epsilon|v", "KIND", "Model", "what the network learns to predict"},
    {"flip", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Training", "mirror half of the images"},
    {"grid", 0, HS_OPT_INT, "36", 1, 256, NULL, "N", "Output", "samples in samples.png"},
    {"grid-steps", 0, HS_OPT_INT, "50", 1, 0x1p20, NULL, "S", "Output", "DDIM steps of each"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_train, options, hs_opts_train_attr, hs_opts_train_clip, NULL};

enum { UNET = 1, ATTR = 2, CLIP = 4 };
/* x_T from noise, in sd: the faces of style paint stand at .28, and their means held; those of lines at 1.0, and did
 * not. */
#define OFFSET_MAX 0.5

static int task_of(const hs_cmd *c)
{
    const char *readout = hs_cmd_str(c, "readout");
    return readout == NULL ? UNET : strcmp(readout, "attr") == 0 ? ATTR : CLIP;
}

/* Options of another task would silently do nothing. */
HS_CHECKED static int check_options(const hs_cmd *c)
{
    static const struct {
        const char *name;
        int tasks;
    } of[] = {{"arch", UNET | CLIP}, {"schedule", UNET},       {"beta-end", UNET}, {"prediction", UNET},
              {"init", UNET},        {"flip", UNET},           {"grid", UNET},     {"grid-steps", UNET},
              {"conv", UNET | ATTR}, {"attributes", ATTR},     {"size", ATTR},     {"channels", ATTR},
              {"groups", ATTR},      {"features", ATTR},       {"captions", CLIP}, {"guide", CLIP},
              {"no-augment", CLIP},  {"held-out", ATTR | CLIP}};
    static const char *const goes[] = {[UNET] = "without --readout",
                                       [ATTR] = "with --readout attr",
                                       [CLIP] = "with --readout clip",
                                       [UNET | ATTR] = "without --readout clip",
                                       [UNET | CLIP] = "without --readout attr",
                                       [ATTR | CLIP] = "with --readout"};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        if (hs_cmd_given(c, of[i].name) && (of[i].tasks & task_of(c)) == 0) {
            return hs_fail(HS_ERANGE, "--%s: goes %s", of[i].name, goes[of[i].tasks]);
        }
    }
    return HS_OK;
}

HS_CHECKED static int configure(hs_cmd *c, hs_unet_config *cfg)
{
    struct stat st;
    int rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "arch"));
    const char *arch = hs_cmd_str(c, "arch");
    HS_TRY(hs_model_config(arch, hs_cmd_str(c, "schedule"), cfg));
    if (stat(arch, &st) == 0) {
        HS_TRY(hs_cmd_input(c, arch));
    }
    if (hs_cmd_given(c, "beta-end")) {
        if (cfg->schedule.kind != HS_SCHEDULE_LINEAR && cfg->schedule.kind != HS_SCHEDULE_SCALED_LINEAR) {
            return hs_fail(HS_ERANGE, "--beta-end: of a linear or scaled_linear schedule; this one is neither");
        }
        cfg->schedule.beta_end = hs_cmd_num(c, "beta-end");
        HS_TRY(hs_fail_in(hs_unet_config_check(cfg), "--beta-end"));
    }
    if (cfg->names == HS_NAMES_ADM) {
        return hs_fail(HS_ERANGE, "--arch: a network of guided-diffusion's; it is run and edited, not trained here");
    }
    cfg->names = HS_NAMES_DIFFUSERS; /* as the weights are published */
    if (strcmp(hs_cmd_str(c, "prediction"), "v") == 0) {
        snprintf(cfg->prediction, sizeof cfg->prediction, "v_prediction");
    }
    json_object_set_new(hs_cmd_params(c), "schedule", json_string(hs_common_schedule(c, cfg)));
    json_object_set_new(hs_cmd_params(c), "beta-end", hs_json_num(cfg->schedule.beta_end));
out:
    return rc;
}

/* *m <- the model of --init: a folder says its architecture, a weight file is of --arch. */
HS_CHECKED static int open_init(hs_cmd *c, hs_model *m)
{
    const char *name = hs_cmd_str(c, "init");
    char shipped[HS_SHIPPED_PATH];
    struct stat st;
    int rc = HS_OK;
    const char *path = hs_shipped_or(name, shipped);
    if (strncmp(name, "random:", 7) == 0) {
        return hs_fail(HS_ERANGE, "--init: %s has random weights; leave it out for those of --seed", name);
    }
    HS_TRY(hs_common_model_there(path));
    int folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    HS_TRY(hs_model_open(path, folder ? NULL : hs_cmd_str(c, "arch"), NULL, m));
    HS_TRY(hs_cmd_input_sha(c, m->path, m->sha256));
out:
    if (rc != HS_OK) {
        hs_model_free(m);
    }
    return rc;
}

/* Says where the schedule of the network leaves x_T too little noise for these images. */
HS_CHECKED static int look_at_end(hs_cmd *c, const hs_unet_config *cfg, const hs_data *data)
{
    hs_schedule s = {0};
    int rc = HS_OK;
    HS_TRY(hs_schedule_create(&cfg->schedule, &s));
    double kept = hs_schedule_kept(&s), mean = hs_data_mean(data);
    double offset = hs_schedule_offset(&s, mean, hs_chw_size(data->image));
    json_object_set_new(hs_cmd_results(c), "sqrt_alpha_bar_T", hs_json_num(kept));
    json_object_set_new(hs_cmd_results(c), "x_T_offset", hs_json_num(offset));
    if (offset > OFFSET_MAX) {
        hs_cmd_warn(
            c,
            "x_T keeps %.2g of an image, and these images' mean, %.2f, stands %.1f sd out of its noise: samples, "
            "which begin at noise alone, will have other means; a larger --beta-end or another --schedule ends "
            "nearer to noise",
            kept, mean, offset);
    }
out:
    hs_schedule_free(&s);
    return rc;
}

HS_CHECKED static int train_unet(hs_cmd *c)
{
    hs_unet_config cfg = {0};
    hs_model init = {0};
    hs_train_run r = {0};
    hs_ddpm *d = NULL;
    int rc = HS_OK;
    HS_TRY(configure(c, &cfg));
    HS_TRY(hs_cmd_given(c, "init") ? open_init(c, &init) : HS_OK);
    HS_TRY(hs_train_run_open(c, hs_unet_image_shape(&cfg), 0, &r));
    const hs_ddpm_options o = {.prediction =
                                   strcmp(hs_cmd_str(c, "prediction"), "v") == 0 ? HS_PREDICT_V : HS_PREDICT_EPSILON,
                               .seed = hs_cmd_seed(c),
                               .init = hs_cmd_given(c, "init") ? &init : NULL,
                               .batch = (size_t)hs_cmd_int(c, "batch"),
                               .flip = hs_cmd_flag(c, "flip"),
                               .half = strcmp(hs_cmd_str(c, "dtype"), "f16") == 0,
                               .conv = hs_common_conv(c),
                               .pictures = (size_t)hs_cmd_int(c, "grid"),
                               .picture_steps = (size_t)hs_cmd_int(c, "grid-steps"),
                               .n_meta = r.n_meta,
                               .meta = r.meta};
    HS_TRY(look_at_end(c, &cfg, &r.data));
    HS_TRY(hs_ddpm_create(&cfg, &r.data, &o, r.folder, &d));
    const hs_task task = hs_ddpm_task(d);
    HS_TRY(hs_cmd_dry_run(c) ? hs_train_run_plan(c, &r, &task) : hs_train_run_go(c, &r, &task));
out:
    hs_ddpm_free(d);
    hs_train_run_free(&r);
    hs_model_free(&init);
    hs_unet_config_free(&cfg);
    return rc;
}

static int run(hs_cmd *c)
{
    int rc = check_options(c);
    if (rc != HS_OK) {
        return rc;
    }
    switch (task_of(c)) {
    case ATTR: return hs_train_attr(c);
    case CLIP: return hs_train_clip(c);
    default: return train_unet(c);
    }
}

const hs_command hs_cmd_train = {
    .name = "train",
    .usage = "--data DIR|faces[:STYLE] --arch NAME|FILE --steps N -o MODELDIR",
    .purpose = "Train a U-Net to predict noise, or with --readout an attribute network or a CLIP of faces and "
               "captions. The folder is a model from the "
               "first checkpoint on; --resume continues a stopped run to the same bits.",
    .examples =
        "hspace train --data faces --arch faces-32 --steps 18000 -o faces-a/\n"
        "hspace train --data faces --arch faces-32 --steps 18000 --resume -o faces-a/\n"
        "hspace train --data photos/ --fit --flip --arch ddpm-cifar10-32 --steps 100000 -o photos-model/\n"
        "hspace train --data sketches/ --arch faces-32 --init faces-a --steps 6000 --rate 2e-4 -o sketches-model/\n"
        "hspace train --data faces --readout attr --steps 4000 --rate 1e-3 -o faces-attr/\n"
        "hspace train --data faces --readout clip --arch faces-clip --batch 64 --steps 4000 --rate 1e-3 "
        "-o faces-clip/",
    .options = tables,
    .run = run,
};
