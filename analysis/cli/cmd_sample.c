/* hspace sample: images from noise by DDIM. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "core/base/alloc.h"
#include "core/model/asyrp.h"

static const hs_opt options[] = {
    {"N", 'N', HS_OPT_INT, NULL, 1, 0x1p31, NULL, "n", "Input", "number of samples from the prior"},
    {"x-T", 0, HS_OPT_STR, NULL, 0, 0, NULL, "X.npy", "Input", "starting noise (N, C, H, W)"},
    {"trajectory", 0, HS_OPT_STR, NULL, 0, 0, NULL, "T.npz", "Output", "x at every step (steps + 1, N, C, H, W) and t"},
    {0}};
static const hs_opt *const tables[] = {options, hs_opts_model, hs_opts_sampler, NULL};

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source;
    hs_step_noise noise;
    float *x;          /* (n, d) */
    float *trajectory; /* (S + 1, n, d), or NULL */
    size_t first;      /* of the batch in work */
} job;

static void job_free(job *j)
{
    hs_source_free(&j->source);
    hs_step_noise_free(&j->noise);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
    free(j->x);
    free(j->trajectory);
}

HS_CHECKED static int read_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_images_check(c, hs_cmd_out(c)));
    HS_TRY(hs_arrays_check(c, hs_cmd_str(c, "trajectory"), "npz|safetensors"));
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    HS_TRY(hs_source_open(c, &j->model, &j->steps, &j->source));
    HS_TRY(hs_step_noise_open(c, j->steps.S, j->source.n, j->source.image, &j->noise));
    if (j->noise.stored.v != NULL && hs_cmd_num(c, "eta") == 0) {
        hs_cmd_warn(c, "--noise has no effect with --eta 0");
    }
out:
    return rc;
}

static int keep_step(void *ctx, size_t step, size_t n, const float *x)
{
    job *j = ctx;
    size_t d = hs_chw_size(j->source.image);
    memcpy(j->trajectory + (step * j->source.n + j->first) * d, x, n * d * sizeof *x);
    return HS_OK;
}

HS_CHECKED static int sample_batch(hs_cmd *c, job *j, hs_unet_ws *ws, size_t n)
{
    size_t d = hs_chw_size(j->source.image);
    float *x = j->x + j->first * d;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    hs_asyrp *a = NULL;
    int rc = HS_OK;
    o.eta = hs_cmd_num(c, "eta");
    o.clip = hs_common_clipping(c, &j->model);
    o.progress = hs_cmd_progress(c);
    j->noise.first = j->first;
    o.noise = (hs_noise){hs_step_noise_next, &j->noise};
    if (j->trajectory != NULL) {
        o.observe = keep_step;
        o.observe_ctx = j;
    }
    hs_unet_ws_first(ws, j->first);
    HS_TRY(hs_source_x_T(&j->source, j->first, n, x));
    HS_TRY(hs_asyrp_create(j->model.unet, ws, NULL, n, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    HS_TRY(hs_ddim_sample(&p, &j->steps, &o, n, d, x));
out:
    hs_asyrp_free(a);
    return rc;
}

HS_CHECKED static int sample(hs_cmd *c, job *j)
{
    size_t n = j->source.n, batch = hs_common_batch(c, n), nd = 0, all = 0;
    hs_unet_ws *ws = NULL;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(n, hs_chw_size(j->source.image), &nd));
    HS_TRY(hs_alloc(nd, sizeof *j->x, &j->x));
    if (hs_cmd_str(c, "trajectory") != NULL) {
        HS_TRY(hs_size_mul(nd, j->steps.S + 1, &all));
        HS_TRY(hs_alloc(all, sizeof *j->trajectory, &j->trajectory));
    }
    HS_TRY(hs_unet_ws_create(j->model.unet, batch, batch, hs_common_conv(c), &ws));
    for (; j->first < n; j->first += batch) {
        HS_TRY(sample_batch(c, j, ws, n - j->first < batch ? n - j->first : batch));
    }
out:
    hs_unet_ws_free(ws);
    return rc;
}

HS_CHECKED static int write_trajectory(hs_cmd *c, const job *j)
{
    hs_chw im = j->source.image;
    int64_t *t = NULL;
    int rc = hs_alloc(j->steps.S + 1, sizeof *t, &t);
    for (size_t k = 0; k <= j->steps.S && rc == HS_OK; k++) {
        t[k] = k < j->steps.S ? j->steps.step[k].t : -1;
    }
    if (rc == HS_OK) {
        const hs_out_array out[2] = {{"x", 5, {j->steps.S + 1, j->source.n, im.c, im.h, im.w}, HS_F32, j->trajectory},
                                     {"t", 1, {j->steps.S + 1}, HS_I64, t}};
        rc = hs_arrays_write(c, hs_cmd_str(c, "trajectory"), 2, out);
    }
    free(t);
    return rc;
}

HS_CHECKED static int answer(hs_cmd *c, const job *j)
{
    hs_chw im = j->source.image;
    const size_t dim[4] = {j->source.n, im.c, im.h, im.w};
    int rc = HS_OK;
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)j->source.n));
    json_object_set_new(hs_cmd_results(c), "x_0", hs_common_summary(4, dim, j->x));
    if (j->trajectory != NULL) {
        HS_TRY(write_trajectory(c, j));
    }
    if (hs_cmd_out(c) != NULL) {
        HS_TRY(hs_images_write(c, hs_cmd_out(c), j->source.n, 0, im, j->x));
        hs_cmd_say(c, "%zu images of %zu x %zu in %s\n", j->source.n, im.w, im.h, hs_cmd_out(c));
    }
out:
    return rc;
}

static int run(hs_cmd *c)
{
    job j = {0};
    double seconds = 0;
    int rc = HS_OK;
    HS_TRY(read_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        size_t n = j.source.n, batch = hs_common_batch(c, n);
        double all = (double)n * (double)j.steps.S,
               copies = hs_cmd_str(c, "trajectory") != NULL ? (double)j.steps.S + 2 : 1;
        HS_TRY(hs_common_forward_time(c, &j.model, batch, &seconds));
        hs_common_say_plan(c, all, seconds * all / (double)batch,
                           copies * (double)n * (double)hs_chw_size(j.source.image) * sizeof(float));
        goto out;
    }
    HS_TRY(sample(c, &j));
    HS_TRY(answer(c, &j));
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_sample = {
    .name = "sample",
    .usage = "--model M (-N n | --x-T X.npy) -o OUT.npy|OUT.png|DIR/",
    .purpose = "Samples images from noise with DDIM (--eta 0) to DDPM (--eta 1).",
    .examples = "hspace sample --model random:tiny -N 4 --steps 10 -o samples.png\n"
                "hspace sample --model DIR --x-T x_T.npy --eta 1 --seed 3 --trajectory traj.npz -o x_0.npy",
    .options = tables,
    .run = run,
};
