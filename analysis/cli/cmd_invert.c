/* hspace invert: the noise that DDIM turns into given images. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "core/base/alloc.h"
#include "core/model/asyrp.h"

static const hs_opt options[] = {
    {"images", 0, HS_OPT_LIST, NULL, 0, 0, NULL, "PATH...", "Input", "PNG or JPEG files or folders of them"},
    {"x-0", 0, HS_OPT_STR, NULL, 0, 0, NULL, "X.npy", "Input", "images (N, C, H, W) in [-1, 1]"},
    {"fit", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Input", "resize and crop images of another size"},
    {"check", 0, HS_OPT_FLAG, NULL, 0, 0, NULL, NULL, "Output", "sample back and report PSNR and largest error"},
    {0}};
static const hs_opt *const tables[] = {options, hs_opts_model, hs_opts_steps, NULL};

typedef struct {
    hs_model model;
    hs_steps steps;
    hs_source source; /* of --images */
    hs_array given;   /* --x-0 */
    hs_chw image;
    size_t n;
    float *x_T, *back; /* (n, d); back only to check */
} job;

static void job_free(job *j)
{
    hs_source_free(&j->source);
    hs_array_free(&j->given);
    hs_steps_free(&j->steps);
    hs_model_free(&j->model);
    free(j->x_T);
    free(j->back);
}

HS_CHECKED static int read_job(hs_cmd *c, job *j)
{
    int images = hs_cmd_list(c, "images", NULL) > 0, array = hs_cmd_str(c, "x-0") != NULL, rc = HS_OK;
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_arrays_check(c, hs_cmd_out(c), "npy"));
    if (images == array) {
        return hs_fail(HS_ERANGE, "--images, --x-0: %s given; wanted one of them", images ? "both" : "none");
    }
    HS_TRY(hs_common_model(c, &j->model));
    HS_TRY(hs_common_steps(c, &j->model.schedule, &j->steps));
    j->image = hs_unet_image_shape(hs_unet_config_of(j->model.unet));
    if (images) {
        HS_TRY(hs_source_open_images(c, "images", &j->model, &j->steps, &j->source));
        j->n = j->source.n;
    } else {
        HS_TRY(hs_common_batch_of(c, hs_cmd_str(c, "x-0"), j->image, &j->given, &j->n));
        HS_TRY(hs_common_classes_fit(c, j->n));
    }
out:
    return rc;
}

HS_CHECKED static int x_0(const job *j, size_t first, size_t n, float *x)
{
    size_t d = hs_chw_size(j->image);
    if (j->given.v == NULL) {
        return hs_source_x_0(&j->source, first, n, x);
    }
    memcpy(x, j->given.v + first * d, n * d * sizeof *x);
    return HS_OK;
}

HS_CHECKED static int invert_batch(hs_cmd *c, job *j, hs_unet_ws *ws, size_t first, size_t n)
{
    size_t d = hs_chw_size(j->image);
    float *x = j->x_T + first * d;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    hs_asyrp *a = NULL;
    int rc = HS_OK;
    o.progress = hs_cmd_progress(c);
    hs_unet_ws_first(ws, first);
    HS_TRY(x_0(j, first, n, x));
    HS_TRY(hs_asyrp_create(j->model.unet, ws, NULL, n, &a));
    hs_predictor p = hs_asyrp_predictor(a);
    HS_TRY(hs_ddim_invert(&p, &j->steps, &o, n, d, x));
    if (j->back != NULL) {
        memcpy(j->back + first * d, x, n * d * sizeof *x);
        HS_TRY(hs_ddim_sample(&p, &j->steps, &o, n, d, j->back + first * d));
    }
out:
    hs_asyrp_free(a);
    return rc;
}

HS_CHECKED static int invert(hs_cmd *c, job *j)
{
    size_t batch = hs_common_batch(c, j->n), nd = 0;
    hs_unet_ws *ws = NULL;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(j->n, hs_chw_size(j->image), &nd));
    HS_TRY(hs_alloc(nd, sizeof *j->x_T, &j->x_T));
    if (hs_cmd_flag(c, "check")) {
        HS_TRY(hs_alloc(nd, sizeof *j->back, &j->back));
    }
    HS_TRY(hs_unet_ws_create(j->model.unet, batch, batch, hs_common_conv(c), &ws));
    for (size_t first = 0; first < j->n; first += batch) {
        HS_TRY(invert_batch(c, j, ws, first, j->n - first < batch ? j->n - first : batch));
    }
out:
    hs_unet_ws_free(ws);
    return rc;
}

/* Round trip per image: PSNR = 10 log10(2^2 / mse) over the range [-1, 1], and the largest difference. */
HS_CHECKED static int check(hs_cmd *c, const job *j)
{
    size_t d = hs_chw_size(j->image);
    double sum = 0, worst = 0;
    json_t *list = json_array();
    float *x = NULL;
    int rc = hs_alloc(d, sizeof *x, &x);
    for (size_t i = 0; i < j->n && rc == HS_OK; i++) {
        double square = 0;
        rc = x_0(j, i, 1, x);
        for (size_t k = 0; k < d && rc == HS_OK; k++) {
            double e = fabs((double)j->back[i * d + k] - (double)x[k]);
            square += e * e;
            worst = e > worst ? e : worst;
        }
        sum += square;
        json_array_append_new(list, hs_json_num(10 * log10(4 * (double)d / square)));
    }
    free(x);
    double psnr = 10 * log10(4 * (double)d * (double)j->n / sum);
    json_t *r =
        json_pack("{s:o, s:o, s:o}", "psnr", hs_json_num(psnr), "max_error", hs_json_num(worst), "psnr_each", list);
    if (!isfinite(psnr)) {
        json_object_set_new(r, "reason", json_string(sum == 0 ? "the round trip is exact" : "not finite"));
    }
    json_object_set_new(hs_cmd_results(c), "check", r);
    hs_cmd_say(c, "round trip: PSNR %.2f dB, largest error %.3g of a range of 2\n", psnr, worst);
    return rc;
}

static int run(hs_cmd *c)
{
    job j = {0};
    int rc = HS_OK;
    double seconds = 0;
    HS_TRY(read_job(c, &j));
    const size_t dim[4] = {j.n, j.image.c, j.image.h, j.image.w};
    if (hs_cmd_dry_run(c)) {
        size_t batch = hs_common_batch(c, j.n);
        double all = (double)j.n * (double)j.steps.S * (hs_cmd_flag(c, "check") ? 2 : 1);
        HS_TRY(hs_common_forward_time(c, &j.model, batch, &seconds));
        hs_common_say_plan(c, all, seconds * all / (double)batch,
                           (double)j.n * (double)hs_chw_size(j.image) * sizeof(float));
        goto out;
    }
    HS_TRY(invert(c, &j));
    json_object_set_new(hs_cmd_results(c), "n", json_integer((json_int_t)j.n));
    json_object_set_new(hs_cmd_results(c), "x_T", hs_common_summary(4, dim, j.x_T));
    if (j.back != NULL) {
        HS_TRY(check(c, &j));
    }
    if (hs_cmd_out(c) != NULL) {
        const hs_out_array out = {"x_T", 4, {j.n, j.image.c, j.image.h, j.image.w}, HS_F32, j.x_T};
        HS_TRY(hs_arrays_write(c, hs_cmd_out(c), 1, &out));
        hs_cmd_say(c, "x_T of %zu images in %s\n", j.n, hs_cmd_out(c));
    }
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_invert = {
    .name = "invert",
    .usage = "--model M (--images PATH... | --x-0 X.npy) -o XT.npy",
    .purpose = "Inverts images: the noise x_T from which DDIM makes them again.",
    .examples = "hspace invert --model DIR --images faces/ --fit --check -o x_T.npy\n"
                "hspace invert --model random:tiny --x-0 x_0.npy --steps 20 -o x_T.npy",
    .options = tables,
    .run = run,
};
