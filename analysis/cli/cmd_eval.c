/* hspace eval: one forward evaluation of given images at given timesteps, and derivatives there. */
#include <stdlib.h>
#include <string.h>

#include "analysis/cli/commands.h"
#include "analysis/cli/common.h"
#include "analysis/cli/eval_products.h"
#include "core/base/alloc.h"

static const hs_opt options[] = {
    {"x", 0, HS_OPT_STR, NULL, 0, 0, NULL, "X.npy", "Input", "images x_t (N, C, H, W)"},
    {"t", 0, HS_OPT_GRID, NULL, 0, 0x1p30, NULL, "T1,T2,...", "Input", "timesteps: one for all, or one an image"},
    {"dh", 0, HS_OPT_STR, NULL, 0, 0, NULL, "DH.npy", "Input", "added to h before decoding: (N, C, H, W) or (C, H, W)"},
    {"jvp-h", 0, HS_OPT_STR, NULL, 0, 0, NULL, "V.npy", "Input",
     "derivatives of eps along v in h, skips fixed: one v, one an image, or (N, K, C, H, W)"},
    {"vjp-h", 0, HS_OPT_STR, NULL, 0, 0, NULL, "U.npy", "Input", "gradients in h of <u, eps>, skips fixed"},
    {"jvp-x", 0, HS_OPT_STR, NULL, 0, 0, NULL, "V.npy", "Input", "derivatives of h along v in x"},
    {"vjp-x", 0, HS_OPT_STR, NULL, 0, 0, NULL, "U.npy", "Input", "gradients in x of <u, h>"},
    {0}};
static const hs_opt *const tables[] = {hs_opts_model, options, NULL};

typedef struct {
    hs_model model;
    hs_chw image, hs, out; /* shapes of x, h, eps */
    hs_array x, dh;
    size_t n, n_dh;
    hs_eval_products products;
    int *t;
    float *h, *edited, *eps;
} job;

static void job_free(job *j)
{
    hs_model_free(&j->model);
    hs_array_free(&j->x);
    hs_array_free(&j->dh);
    hs_eval_products_free(&j->products);
    free(j->t);
    free(j->h);
    free(j->edited);
    free(j->eps);
}

HS_CHECKED static int read_times(hs_cmd *c, job *j)
{
    const double *t;
    size_t n = hs_cmd_grid(c, "t", &t);
    if (n == 0) {
        return hs_cmd_need(c, "t");
    }
    if (n != 1 && n != j->n) {
        return hs_fail(HS_ESHAPE, "--t: %zu timesteps for %zu images; wanted one, or one an image", n, j->n);
    }
    int rc = hs_alloc(j->n, sizeof *j->t, &j->t);
    for (size_t i = 0; i < j->n && rc == HS_OK; i++) {
        double v = t[n == 1 ? 0 : i];
        j->t[i] = (int)v;
        if (v != (double)j->t[i] || j->t[i] >= (int)j->model.schedule.T) {
            rc = hs_fail(HS_ERANGE, "--t: %.17g; wanted a whole number from 0 to %zu", v, j->model.schedule.T - 1);
        }
    }
    return rc;
}

HS_CHECKED static int read_job(hs_cmd *c, job *j)
{
    int rc = HS_OK;
    HS_TRY(hs_cmd_need(c, "x"));
    HS_TRY(hs_cmd_need(c, "t"));
    HS_TRY(hs_cmd_need_out(c));
    HS_TRY(hs_arrays_check(c, hs_cmd_out(c), "npz|safetensors"));
    HS_TRY(hs_common_model(c, &j->model));
    const hs_unet_config *cfg = hs_unet_config_of(j->model.unet);
    j->image = hs_unet_image_shape(cfg);
    j->hs = hs_unet_h_shape(cfg);
    j->out = j->image;
    HS_TRY(hs_common_batch_of(c, hs_cmd_str(c, "x"), j->image, &j->x, &j->n));
    HS_TRY(hs_common_classes_fit(c, j->n));
    HS_TRY(read_times(c, j));
    HS_TRY(hs_eval_products_read(c, j->image, j->hs, j->n, &j->products));
    if (hs_cmd_str(c, "dh") != NULL) {
        HS_TRY(hs_common_batch_of(c, hs_cmd_str(c, "dh"), j->hs, &j->dh, &j->n_dh));
        if (j->n_dh != 1 && j->n_dh != j->n) {
            rc = hs_fail(HS_ESHAPE, "--dh: %zu of them for %zu images; wanted one, or one an image", j->n_dh, j->n);
        }
    }
out:
    return rc;
}

/* Evaluates; where derivatives are asked for, by what records. */
typedef struct {
    hs_unet_ws *ws;
    hs_unet_grad *grad; /* or NULL */
} evaluator;

HS_CHECKED static int evaluator_create(hs_cmd *c, job *j, size_t batch, evaluator *e)
{
    int rc = HS_OK;
    if (!j->products.any) {
        return hs_unet_ws_create(j->model.unet, batch, batch, hs_common_conv(c), &e->ws);
    }
    size_t rows = hs_common_batch(c, hs_eval_products_most(&j->products));
    HS_TRY(hs_unet_grad_create(j->model.unet, batch, rows, 0, hs_common_conv(c), &e->grad));
    HS_TRY(hs_eval_products_begin(&j->products, rows));
out:
    return rc;
}

HS_CHECKED static int encode(const job *j, evaluator *e, size_t first, size_t n)
{
    const float *x = j->x.v + first * hs_chw_size(j->image);
    float *h = j->h + first * hs_chw_size(j->hs);
    if (e->grad != NULL) {
        hs_unet_grad_first(e->grad, first);
        return hs_unet_grad_encode(e->grad, n, x, j->t + first, h);
    }
    hs_unet_ws_first(e->ws, first);
    return hs_unet_encode(j->model.unet, e->ws, n, x, j->t + first, h);
}

/* Images [first, first + n) into h and eps. */
HS_CHECKED static int eval_batch(job *j, evaluator *e, size_t first, size_t n)
{
    size_t dh = hs_chw_size(j->hs);
    const float *decoded = j->h + first * dh;
    float *eps = j->eps + first * hs_chw_size(j->out);
    int rc = HS_OK;
    HS_TRY(encode(j, e, first, n));
    for (size_t i = 0; i < n && j->dh.v != NULL; i++) {
        const float *add = j->dh.v + (j->n_dh == 1 ? 0 : first + i) * dh;
        for (size_t k = 0; k < dh; k++) {
            j->edited[i * dh + k] = j->h[(first + i) * dh + k] + add[k];
        }
        decoded = j->edited;
    }
    if (e->grad == NULL) {
        return hs_unet_decode(j->model.unet, e->ws, n, NULL, decoded, eps);
    }
    HS_TRY(hs_unet_grad_decode(e->grad, decoded, eps));
    HS_TRY(hs_eval_products_at(&j->products, e->grad, first, n));
out:
    return rc;
}

HS_CHECKED static int evaluate(hs_cmd *c, job *j)
{
    size_t batch = hs_common_batch(c, j->n), dh = hs_chw_size(j->hs), de = hs_chw_size(j->out);
    evaluator e = {0};
    int rc = HS_OK;
    HS_TRY(evaluator_create(c, j, batch, &e));
    HS_TRY(hs_alloc(j->n * dh, sizeof *j->h, &j->h));
    HS_TRY(hs_alloc(j->n * de, sizeof *j->eps, &j->eps));
    HS_TRY(hs_alloc(batch * dh, sizeof *j->edited, &j->edited));
    for (size_t first = 0; first < j->n; first += batch) {
        HS_TRY(hs_progress_tell(hs_cmd_progress(c), "eval", first, j->n));
        HS_TRY(eval_batch(j, &e, first, j->n - first < batch ? j->n - first : batch));
    }
out:
    hs_unet_ws_free(e.ws);
    hs_unet_grad_free(e.grad);
    return rc;
}

HS_CHECKED static int answer(hs_cmd *c, const job *j)
{
    hs_out_array out[2 + HS_EVAL_PRODUCTS] = {{"h", 4, {j->n, j->hs.c, j->hs.h, j->hs.w}, HS_F32, j->h},
                                              {"eps", 4, {j->n, j->out.c, j->out.h, j->out.w}, HS_F32, j->eps}};
    size_t count = 2 + hs_eval_products_out(&j->products, out + 2);
    json_t *r = hs_cmd_results(c);
    json_object_set_new(r, "n", json_integer((json_int_t)j->n));
    for (size_t i = 0; i < count; i++) {
        json_object_set_new(r, out[i].name, hs_common_summary(out[i].rank, out[i].dim, out[i].v));
    }
    if (hs_cmd_out(c) == NULL) {
        return HS_OK;
    }
    hs_cmd_say(c, "h and eps of %zu images%s in %s\n", j->n, count > 2 ? ", and derivatives," : "", hs_cmd_out(c));
    return hs_arrays_write(c, hs_cmd_out(c), count, out);
}

static int run(hs_cmd *c)
{
    job j = {0};
    double seconds = 0;
    int rc = HS_OK;
    HS_TRY(read_job(c, &j));
    if (hs_cmd_dry_run(c)) {
        size_t batch = hs_common_batch(c, j.n);
        HS_TRY(hs_common_forward_time(c, &j.model, batch, &seconds));
        double each = (double)(hs_chw_size(j.hs) + hs_chw_size(j.out)) * sizeof(float);
        /* A product goes through half the network, at up to twice its cost. */
        double evaluations = (double)j.n + (double)hs_eval_products_rows(&j.products);
        hs_common_say_plan(c, evaluations, seconds * evaluations / (double)batch,
                           (double)j.n * each + hs_eval_products_bytes(&j.products));
        goto out;
    }
    HS_TRY(evaluate(c, &j));
    HS_TRY(answer(c, &j));
out:
    job_free(&j);
    return rc;
}

const hs_command hs_cmd_eval = {
    .name = "eval",
    .usage = "--model M --x X.npy --t T1,T2,... -o OUT.npz",
    .purpose =
        "Evaluates a network once: the bottleneck h and the predicted noise eps of given images, and derivatives.",
    .examples = "hspace eval --model random:tiny --x x_t.npy --t 500 -o out.npz\n"
                "hspace eval --model DIR --x x_t.npy --t 900,700 --dh dh.npy -o edited.npz\n"
                "hspace eval --model DIR --x x_t.npy --t 500 --jvp-h v.npy --vjp-h u.npy -o derivatives.npz",
    .options = tables,
    .run = run,
};
