#include "analysis/train/task_ddpm.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/diffusion/ddim.h"
#include "core/io/image.h"
#include "core/model/arch_write.h"
#include "core/model/asyrp.h"
#include "core/model/unet_grad.h"
#include "core/model/unet_params.h"

enum { PICTURES_MAX = 256, BATCH_MAX = 4096, SAMPLE_BATCH = 16 };

struct hs_ddpm {
    hs_unet *unet;
    hs_unet_grad *grad;
    hs_schedule schedule;
    const hs_data *data;
    hs_ddpm_options o;
    const char *folder;
    size_t n_theta, d;               /* parameters; values of an image */
    float *dtheta;                   /* (n_theta) */
    float *x_0, *x_t, *target, *eps; /* (batch, d) */
    float *h;                        /* (batch, C H W) */
    int *t;                          /* (batch) */
    size_t *index;                   /* (batch) */
    hs_str fingerprint;
};

void hs_ddpm_free(hs_ddpm *d)
{
    if (d == NULL) {
        return;
    }
    hs_unet_grad_free(d->grad);
    hs_unet_free(d->unet);
    hs_schedule_free(&d->schedule);
    free(d->dtheta);
    free(d->x_0);
    free(d->x_t);
    free(d->target);
    free(d->eps);
    free(d->h);
    free(d->t);
    free(d->index);
    hs_str_free(&d->fingerprint);
    free(d);
}

HS_CHECKED static int make_room(hs_ddpm *d)
{
    size_t n = d->o.batch, nd, nh;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(n, d->d, &nd));
    HS_TRY(hs_size_mul(n, hs_chw_size(hs_unet_h_shape(hs_unet_config_of(d->unet))), &nh));
    HS_TRY(hs_alloc(d->n_theta, sizeof *d->dtheta, &d->dtheta));
    HS_TRY(hs_alloc(nd, sizeof *d->x_0, &d->x_0));
    HS_TRY(hs_alloc(nd, sizeof *d->x_t, &d->x_t));
    HS_TRY(hs_alloc(nd, sizeof *d->target, &d->target));
    HS_TRY(hs_alloc(nd, sizeof *d->eps, &d->eps));
    HS_TRY(hs_alloc(nh, sizeof *d->h, &d->h));
    HS_TRY(hs_alloc(n, sizeof *d->t, &d->t));
    HS_TRY(hs_alloc(n, sizeof *d->index, &d->index));
out:
    return rc;
}

static int same_param(const hs_unet_param *a, const hs_unet_param *b)
{
    return strcmp(a->name, b->name) == 0 && a->rank == b->rank && a->count == b->count && a->offset == b->offset &&
           memcmp(a->dim, b->dim, a->rank * sizeof *a->dim) == 0;
}

/* HS_ESHAPE unless the two networks have the same parameters in the same places. */
HS_CHECKED static int check_same(const hs_unet *u, const hs_unet *from, const char *name)
{
    size_t n = hs_unet_param_count(u), m = hs_unet_param_count(from);
    for (size_t i = 0; i < n && i < m; i++) {
        hs_unet_param want = hs_unet_param_at(u, i), got = hs_unet_param_at(from, i);
        if (!same_param(&want, &got)) {
            return hs_fail(HS_ESHAPE, "%s is another network: its %s has %zu values, where %s of %zu is wanted", name,
                           got.name, got.count, want.name, want.count);
        }
    }
    return n == m ? HS_OK : hs_fail(HS_ESHAPE, "%s is another network: %zu parameters, wanted %zu", name, m, n);
}

/* The first weights: those of the model instead of random ones. */
HS_CHECKED static int start_from(hs_unet *u, const hs_model *model)
{
    hs_unet *from = NULL;
    size_t n, m;
    int rc = HS_OK;
    HS_TRY(hs_unet_trainable(hs_unet_config_of(model->unet), 0, model->weights, &from));
    HS_TRY(check_same(u, from, model->name));
    const float *theta = hs_unet_theta(from, &m);
    memcpy(hs_unet_theta(u, &n), theta, m * sizeof *theta);
out:
    hs_unet_free(from);
    return rc;
}

/* What a resumed run must share. */
HS_CHECKED static int describe(hs_ddpm *d)
{
    const hs_unet_config *c = hs_unet_config_of(d->unet);
    hs_str *s = &d->fingerprint, json = {0};
    char hex[HS_SHA256_HEX];
    int rc = HS_OK;
    HS_TRY(hs_arch_write(c, &json));
    HS_TRY(hs_sha256_of(json.s, json.len, hex));
    hs_str_addf(s, "task ddpm\narchitecture %zu x %zu x %zu, %zu parameters, sha256 %.16s\n", c->in_ch, c->image_size,
                c->image_size, d->n_theta, hex);
    hs_str_addf(s, "prediction %s\n", d->o.prediction == HS_PREDICT_V ? "v" : "epsilon");
    hs_str_addf(s, "data %s, sha256 %.16s\n", d->data->text, d->data->sha256);
    hs_str_addf(s, "batch %zu\nflip %d\nseed %llu\nconv %d\n", d->o.batch, d->o.flip, (unsigned long long)d->o.seed,
                (int)d->o.conv);
    if (d->o.init != NULL) {
        hs_str_addf(s, "init %.16s\n", d->o.init->sha256);
    }
    HS_TRY(hs_str_ok(s));
out:
    hs_str_free(&json);
    return rc;
}

HS_CHECKED static int check(const hs_unet_config *cfg, const hs_data *data, const hs_ddpm_options *o)
{
    hs_chw want = hs_unet_image_shape(cfg);
    if (cfg->out_ch != cfg->in_ch) {
        return hs_fail(HS_ERANGE, "out_ch is %zu: a network that also gives a variance; wanted %zu", cfg->out_ch,
                       cfg->in_ch);
    }
    if (want.c != data->image.c || want.h != data->image.h || want.w != data->image.w) {
        return hs_fail(HS_ESHAPE, "the data are %zu x %zu x %zu; the network wants %zu x %zu x %zu", data->image.c,
                       data->image.h, data->image.w, want.c, want.h, want.w);
    }
    if (o->batch < 1 || o->batch > BATCH_MAX || o->pictures < 1 || o->pictures > PICTURES_MAX) {
        return hs_fail(HS_ERANGE, "batch %zu, pictures %zu; wanted 1 to %d and 1 to %d", o->batch, o->pictures,
                       BATCH_MAX, PICTURES_MAX);
    }
    return HS_OK;
}

int hs_ddpm_create(const hs_unet_config *cfg, const hs_data *data, const hs_ddpm_options *o, const char *folder,
                   hs_ddpm **out)
{
    hs_ddpm *d = NULL;
    int rc = HS_OK;
    HS_TRY(check(cfg, data, o));
    HS_TRY(hs_calloc(1, sizeof *d, &d));
    d->data = data;
    d->o = *o;
    d->folder = folder;
    d->d = hs_chw_size(data->image);
    HS_TRY(hs_schedule_create(&cfg->schedule, &d->schedule));
    HS_TRY(hs_unet_trainable(cfg, o->seed, NULL, &d->unet));
    HS_TRY(o->init != NULL ? start_from(d->unet, o->init) : HS_OK);
    hs_unet_theta(d->unet, &d->n_theta);
    HS_TRY(hs_unet_grad_create(d->unet, o->batch, o->batch, 1, o->conv, &d->grad));
    HS_TRY(make_room(d));
    HS_TRY(describe(d));
    *out = d;
    d = NULL;
out:
    hs_ddpm_free(d);
    return rc;
}

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    hs_ddpm *d = ctx;
    size_t n = d->o.batch;
    int rc = HS_OK;
    hs_data_batch(d->data, d->o.seed, k, d->o.flip, n, d->x_0, d->index);
    hs_objective_draw(&d->schedule, d->o.prediction, d->o.seed, k, n, d->d, d->x_0, d->t, d->x_t, d->target);
    HS_TRY(hs_unet_grad_encode(d->grad, n, d->x_t, d->t, d->h));
    HS_TRY(hs_unet_grad_decode(d->grad, d->h, d->eps));
    *loss = hs_objective_loss(n * d->d, d->eps, d->target, d->target);
    HS_TRY(hs_unet_backward(d->grad, d->target, d->dtheta));
out:
    return rc;
}

static int refresh(void *ctx)
{
    hs_ddpm *d = ctx;
    hs_unet_refresh(d->unet);
    return hs_unet_grad_refresh(d->grad);
}

static int publish(void *ctx, const float *weights, uint64_t k)
{
    hs_ddpm *d = ctx;
    (void)k;
    return hs_unet_save(d->unet, weights, d->o.half, d->o.n_meta, d->o.meta, d->folder);
}

HS_CHECKED static int sample_with(const hs_ddpm *d, const hs_unet *u, const hs_steps *steps, size_t n, float *x)
{
    hs_unet_ws *ws = NULL;
    hs_asyrp *a = NULL;
    size_t batch = n < SAMPLE_BATCH ? n : SAMPLE_BATCH;
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    int rc = HS_OK;
    HS_TRY(hs_unet_ws_create(u, batch, batch, d->o.conv, &ws));
    HS_TRY(hs_asyrp_create(u, ws, NULL, n, &a));
    const hs_predictor p = hs_asyrp_predictor(a);
    HS_TRY(hs_ddim_sample(&p, steps, &o, n, d->d, x));
out:
    hs_asyrp_free(a);
    hs_unet_ws_free(ws);
    return rc;
}

int hs_ddpm_sample(const hs_ddpm *d, const float *weights, size_t first, size_t n, float *x)
{
    hs_unet *u = NULL;
    hs_steps steps = {0};
    size_t count, S = d->o.picture_steps < d->schedule.T ? d->o.picture_steps : d->schedule.T;
    const hs_steps_spec spec = {.spacing = HS_SPACING_ASYRP, .S = S, .set_alpha_to_one = 1};
    int rc = HS_OK;
    HS_TRY(hs_unet_trainable(hs_unet_config_of(d->unet), d->o.seed, NULL, &u));
    memcpy(hs_unet_theta(u, &count), weights, d->n_theta * sizeof *weights);
    hs_unet_refresh(u);
    if (d->o.prediction == HS_PREDICT_V) {
        HS_TRY(hs_unet_predicts_v(u, d->schedule.T, d->schedule.alpha_bar));
    }
    HS_TRY(hs_steps_create(&d->schedule, &spec, &steps));
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){d->o.seed, HS_RNG_X_T, first + i}, 0, d->d, x + i * d->d);
    }
    HS_TRY(sample_with(d, u, &steps, n, x));
out:
    hs_steps_free(&steps);
    hs_unet_free(u);
    return rc;
}

HS_CHECKED static int write_grid(const hs_ddpm *d, const float *x)
{
    char path[HS_TRAIN_PATH];
    hs_image grid = {0};
    size_t n = d->o.pictures, cols = 1;
    int rc = HS_OK;
    while (cols * cols < n) {
        cols++;
    }
    size_t rows = n / cols; /* a last row that isn't full is left out */
    HS_TRY(hs_train_path(d->folder, "samples.png", path));
    HS_TRY(hs_image_grid(x, rows, cols, d->data->image, 2, &grid));
    HS_TRY(hs_image_write(path, &grid, 1));
out:
    hs_image_free(&grid);
    return rc;
}

/* Early weights can sample to infinity; that is no reason to stop training. */
static int show(void *ctx, const float *weights, uint64_t k)
{
    hs_ddpm *d = ctx;
    float *x = NULL;
    int rc = hs_alloc(d->o.pictures * d->d, sizeof *x, &x);
    if (rc == HS_OK) {
        rc = hs_ddpm_sample(d, weights, 0, d->o.pictures, x);
    }
    if (rc == HS_OK) {
        rc = write_grid(d, x);
    }
    if (rc != HS_OK) {
        hs_log(HS_LOG_WARNING, "no pictures at update %llu: %s", (unsigned long long)k, hs_error_message());
    }
    free(x);
    return HS_OK;
}

hs_task hs_ddpm_task(hs_ddpm *d)
{
    size_t n;
    float *theta = hs_unet_theta(d->unet, &n);
    return (hs_task){.n = n,
                     .parameters = hs_unet_parameters(d->unet),
                     .theta = theta,
                     .grad = d->dtheta,
                     .loss = loss_of,
                     .refresh = refresh,
                     .publish = publish,
                     .show = show,
                     .fingerprint = d->fingerprint.s,
                     .images = d->o.batch,
                     .ctx = d};
}
