#include "analysis/train/task_attr.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"

enum { BATCH_MAX = 4096, SCORE_BATCH = 32 };

struct hs_attr_task {
    hs_attrnet *net;
    hs_attrnet_ws *ws;
    const hs_data *data;
    hs_attr_options o;
    const char *folder;
    size_t n_theta;
    float *theta, *dtheta; /* theta: the network's; dtheta (n_theta) */
    float *x;              /* (batch, c, R, R) */
    float *out, *dout;     /* (batch, K) */
    double *value;         /* (batch, K) */
    size_t *index;         /* (batch) */
    hs_str fingerprint;
};

void hs_attr_task_free(hs_attr_task *a)
{
    if (a == NULL) {
        return;
    }
    hs_attrnet_ws_free(a->ws);
    hs_attrnet_free(a->net);
    free(a->dtheta);
    free(a->x);
    free(a->out);
    free(a->dout);
    free(a->value);
    free(a->index);
    hs_str_free(&a->fingerprint);
    free(a);
}

double hs_attr_loss(size_t n, size_t K, const hs_attr_factor *factor, const float *out, const double *value,
                    float *dout)
{
    double loss = 0, each = 1.0 / (double)(n * K);
    for (size_t i = 0; i < n * K; i++) {
        const hs_attr_factor *f = &factor[i % K];
        double o = out[i], v = value[i];
        if (f->binary) {
            loss += fmax(o, 0) + log1p(exp(-fabs(o))) - v * o;
            dout[i] = (float)(each * (1 / (1 + exp(-o)) - v));
        } else {
            double e = o - (v - f->mean) / f->sd;
            loss += e * e;
            dout[i] = (float)(each * 2 * e);
        }
    }
    return loss * each;
}

HS_CHECKED static int make_room(hs_attr_task *a)
{
    size_t n = a->o.batch, K = a->data->n_factors, size;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(n, hs_chw_size(a->data->image), &size));
    HS_TRY(hs_alloc(a->n_theta, sizeof *a->dtheta, &a->dtheta));
    HS_TRY(hs_alloc(size, sizeof *a->x, &a->x));
    HS_TRY(hs_alloc(n * K, sizeof *a->out, &a->out));
    HS_TRY(hs_alloc(n * K, sizeof *a->dout, &a->dout));
    HS_TRY(hs_alloc(n * K, sizeof *a->value, &a->value));
    HS_TRY(hs_alloc(n, sizeof *a->index, &a->index));
out:
    return rc;
}

HS_CHECKED static int describe(hs_attr_task *a)
{
    hs_str *s = &a->fingerprint;
    hs_str_addf(s, "task attr\narchitecture %zux%zu, %zu parameters, channels", a->data->image.h, a->data->image.w,
                a->n_theta);
    for (size_t i = 0; i < a->o.levels; i++) {
        hs_str_addf(s, " %zu", a->o.ch[i]);
    }
    hs_str_addf(s, ", groups %zu, features %zu\ndata %s, sha256 %.16s\nbatch %zu\nseed %llu\nconv %d\n", a->o.groups,
                a->o.features, a->data->text, a->data->sha256, a->o.batch, (unsigned long long)a->o.seed,
                (int)a->o.conv);
    return hs_str_ok(s);
}

static hs_attrnet_config config_of(const hs_data *data, const hs_attr_options *o)
{
    hs_attrnet_config c = {.image_size = data->image.h,
                           .levels = o->levels,
                           .groups = o->groups,
                           .features = o->features,
                           .n_factors = data->n_factors};
    memcpy(c.ch, o->ch, sizeof c.ch);
    memcpy(c.factor, data->factor, sizeof c.factor);
    return c;
}

int hs_attr_task_create(const hs_data *data, const hs_attr_options *o, const char *folder, hs_attr_task **out)
{
    hs_attr_task *a = NULL;
    int rc = HS_OK;
    if (data->n_factors == 0 || data->image.c != 3) {
        return hs_fail(HS_ESHAPE, "data of %zu channels and %zu factors; wanted 3 channels and at least one factor",
                       data->image.c, data->n_factors);
    }
    if (o->batch < 1 || o->batch > BATCH_MAX) {
        return hs_fail(HS_ERANGE, "batch %zu; wanted 1 to %d", o->batch, BATCH_MAX);
    }
    const hs_attrnet_config cfg = config_of(data, o);
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    a->data = data;
    a->o = *o;
    a->folder = folder;
    HS_TRY(hs_attrnet_random(&cfg, o->seed, &a->net));
    a->theta = hs_attrnet_theta(a->net, &a->n_theta);
    HS_TRY(hs_attrnet_ws_create(a->net, o->batch, 1, o->conv, &a->ws));
    HS_TRY(make_room(a));
    HS_TRY(describe(a));
    *out = a;
    a = NULL;
out:
    hs_attr_task_free(a);
    return rc;
}

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    hs_attr_task *a = ctx;
    size_t n = a->o.batch, K = a->data->n_factors;
    int rc = HS_OK;
    hs_data_batch(a->data, a->o.seed, k, 0, n, a->x, a->index);
    for (size_t i = 0; i < n; i++) {
        memcpy(a->value + i * K, a->data->value + a->index[i] * K, K * sizeof *a->value);
    }
    HS_TRY(hs_attrnet_forward(a->ws, n, a->x, a->out, NULL));
    *loss = hs_attr_loss(n, K, a->data->factor, a->out, a->value, a->dout);
    HS_TRY(hs_attrnet_backward(a->ws, n, a->dout, a->dtheta));
out:
    return rc;
}

static int refresh(void *ctx)
{
    return hs_attrnet_ws_refresh(((hs_attr_task *)ctx)->ws);
}

static int publish(void *ctx, const float *weights, uint64_t k)
{
    hs_attr_task *a = ctx;
    (void)k;
    return hs_attrnet_save(a->net, weights, a->o.half, a->o.n_meta, a->o.meta, a->folder);
}

hs_task hs_attr_task_of(hs_attr_task *a)
{
    return (hs_task){.n = a->n_theta,
                     .parameters = a->n_theta,
                     .theta = a->theta,
                     .grad = a->dtheta,
                     .loss = loss_of,
                     .refresh = refresh,
                     .publish = publish,
                     .fingerprint = a->fingerprint.s,
                     .images = a->o.batch,
                     .ctx = a};
}

/* Sums over the held-out images. */
typedef struct {
    double sum, square, error, right;
} tally;

static void add_image(const hs_data *d, const double *guess, const double *value, tally *t)
{
    for (size_t f = 0; f < d->n_factors; f++) {
        double e = guess[f] - value[f];
        t[f].sum += value[f];
        t[f].square += value[f] * value[f];
        t[f].error += e * e;
        t[f].right += (guess[f] > 0.5) == (value[f] > 0.5);
    }
}

static void finish(const hs_data *d, const tally *t, hs_attr_score *score)
{
    double n = (double)d->n;
    for (size_t f = 0; f < d->n_factors; f++) {
        double variance = t[f].square / n - t[f].sum / n * (t[f].sum / n);
        score[f].r2 = d->factor[f].binary ? NAN : 1 - t[f].error / n / variance;
        score[f].accuracy = d->factor[f].binary ? t[f].right / n : NAN;
    }
}

HS_CHECKED static int same_factors(const hs_attrnet_config *c, const hs_data *d)
{
    int same = d->n_factors == c->n_factors && d->image.h == c->image_size && d->image.c == 3;
    for (size_t f = 0; same && f < d->n_factors; f++) {
        same = strcmp(d->factor[f].name, c->factor[f].name) == 0;
    }
    return same ? HS_OK : hs_fail(HS_ESHAPE, "%s: not the factors or the size that the network knows", d->text);
}

int hs_attr_score_on(const hs_attrnet *net, hs_conv_mode conv, const hs_data *held_out, hs_attr_score *score)
{
    size_t K = held_out->n_factors, size = hs_chw_size(held_out->image);
    hs_attrnet_ws *ws = NULL;
    float *x = NULL, *out = NULL;
    double *guess = NULL;
    tally t[HS_ATTR_FACTORS_MAX] = {{0}};
    int rc = HS_OK;
    HS_TRY(same_factors(hs_attrnet_config_of(net), held_out));
    HS_TRY(hs_attrnet_ws_create(net, SCORE_BATCH, 0, conv, &ws));
    HS_TRY(hs_alloc(SCORE_BATCH * size, sizeof *x, &x));
    HS_TRY(hs_alloc(SCORE_BATCH * K, sizeof *out, &out));
    HS_TRY(hs_alloc(SCORE_BATCH * K, sizeof *guess, &guess));
    for (size_t first = 0; first < held_out->n; first += SCORE_BATCH) {
        size_t n = held_out->n - first < SCORE_BATCH ? held_out->n - first : SCORE_BATCH;
        for (size_t i = 0; i < n * size; i++) {
            x[i] = (float)held_out->px[first * size + i] / 127.5f - 1.0f;
        }
        HS_TRY(hs_attrnet_forward(ws, n, x, out, NULL));
        hs_attrnet_values(net, n, out, guess);
        for (size_t i = 0; i < n; i++) {
            add_image(held_out, guess + i * K, held_out->value + (first + i) * K, t);
        }
    }
    finish(held_out, t, score);
out:
    hs_attrnet_ws_free(ws);
    free(x);
    free(out);
    free(guess);
    return rc;
}
