#include "analysis/train/task_clip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "datasets/captions.h"
#include "datasets/faces.h"

enum {
    BATCH_MAX = 1024,
    CAPTIONS_MAX = 16,
    LEARN_CAPTIONS = 4096,
    MERGES_MAX = 4096,
    HEAD_STREAM = 1 << 20,
    CONTEXT = HS_CAPTION_WORDS + 2
};
static const double WAVE = 20, AMPLITUDE = 0.42, HEAD_SD = 0.1;

struct hs_clip_task {
    hs_clip *net;
    hs_clip_image_ws *image;
    hs_clip_text_ws *text;
    const hs_data *data;
    hs_clip_train_options o;
    const char *folder;
    size_t m;                        /* captions in all */
    size_t n_net, n_theta, scale_at; /* parameters of the network; with the guide's (K, P + 1) behind them */
    float *theta, *dtheta;           /* (n_theta) */
    float *x;                        /* (batch, 3, R, R) */
    float *u, *du;                   /* (batch, P) */
    float *w, *dw;                   /* (m, P) */
    double *truth;                   /* (batch, m) */
    double *z;                       /* (batch, K): standardised factors */
    size_t *index;                   /* (batch) */
    int32_t *ids;                    /* (m, context) */
    hs_caption *caption;             /* (m) */
    const char **said;               /* (m), their texts */
    hs_str fingerprint;
};

void hs_clip_task_free(hs_clip_task *a)
{
    if (a == NULL) {
        return;
    }
    hs_clip_image_ws_free(a->image);
    hs_clip_text_ws_free(a->text);
    hs_clip_free(a->net);
    free(a->theta);
    free(a->dtheta);
    free(a->x);
    free(a->u);
    free(a->w);
    free(a->du);
    free(a->dw);
    free(a->truth);
    free(a->z);
    free(a->index);
    free(a->ids);
    free(a->caption);
    free(a->said);
    hs_str_free(&a->fingerprint);
    free(a);
}

/* ---- What is trained ----------------------------------------------------------------------------- */

int hs_clip_arch_named(const char *name, hs_clip_config *out)
{
    static const struct {
        const char *name;
        size_t side, patch, projection;
        size_t vision[3], text[3]; /* hidden, layers, heads */
    } archs[] = {{"faces-clip", 32, 4, 64, {96, 5, 4}, {80, 3, 4}},
                 {"faces-clip-tiny", 16, 4, 16, {16, 2, 2}, {16, 2, 2}}};
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++) {
        if (strcmp(name, archs[i].name) == 0) {
            const size_t *v = archs[i].vision, *t = archs[i].text;
            *out = (hs_clip_config){.vision = {v[0], v[1], v[2], 4 * v[0], HS_GELU_QUICK, 1e-5},
                                    .text = {t[0], t[1], t[2], 4 * t[0], HS_GELU_QUICK, 1e-5},
                                    .image_size = archs[i].side,
                                    .patch_size = archs[i].patch,
                                    .context = CONTEXT,
                                    .projection = archs[i].projection,
                                    .mean = {0.5, 0.5, 0.5},
                                    .std = {0.5, 0.5, 0.5},
                                    .resize = archs[i].side};
            return HS_OK;
        }
    }
    return hs_fail(HS_ERANGE, "%.60s: no such architecture; wanted faces-clip or faces-clip-tiny", name);
}

/* Twice each phrase, so that every pair occurs often enough to be joined; captions say how often. */
int hs_clip_caption_tokens(hs_bpe **out)
{
    double factor[HS_FACE_FACTORS_MAX];
    hs_caption *caption = NULL;
    const char **text = NULL;
    size_t n = 0, phrases = 0;
    int rc = HS_OK;
    while (hs_caption_phrase(phrases) != NULL) {
        phrases++;
    }
    HS_TRY(hs_alloc(LEARN_CAPTIONS, sizeof *caption, &caption));
    HS_TRY(hs_alloc(LEARN_CAPTIONS + 2 * phrases, sizeof *text, &text));
    for (size_t i = 0; i < 2 * phrases; i++) {
        text[n++] = hs_caption_phrase(i % phrases);
    }
    for (size_t i = 0; i < LEARN_CAPTIONS; i++) {
        hs_face_draw(0, i, factor);
        hs_caption_draw(factor, 0, i, HS_CAPTION_ANY, &caption[i]);
        text[n++] = caption[i].text;
    }
    HS_TRY(hs_bpe_learn(n, text, MERGES_MAX, out));
out:
    free(caption);
    free(text);
    return rc;
}

static const hs_clip_param *param_named(const hs_clip *c, const char *name)
{
    for (size_t i = 0; i < hs_clip_params(c); i++) {
        if (strcmp(hs_clip_param_at(c, i)->name, name) == 0) {
            return hs_clip_param_at(c, i);
        }
    }
    return NULL;
}

/* Where a patch lies, as waves of its row and its column, about as strong as what patches begin with: so that what
 * depends on place can be told from the first update on. */
HS_CHECKED static int place_patches(hs_clip *c)
{
    const hs_clip_config *cfg = hs_clip_config_of(c);
    const hs_clip_param *at = param_named(c, "vision_model.embeddings.position_embedding.weight");
    size_t side = cfg->image_size / cfg->patch_size, quarter = cfg->vision.hidden / 4, count;
    float *theta = hs_clip_theta(c, &count);
    if (at == NULL || at->count != (side * side + 1) * cfg->vision.hidden) {
        return hs_fail(HS_EBUG, "no position for each patch");
    }
    for (size_t i = 0; i < side * side; i++) {
        float *row = theta + at->offset + (i + 1) * cfg->vision.hidden;
        for (size_t k = 0; k < 2 * quarter; k++) {
            double where = (double)(k < quarter ? i / side : i % side);
            double angle = where * pow(WAVE, -(double)(k % quarter) / (double)quarter);
            row[2 * k] = (float)(AMPLITUDE * sin(angle));
            row[2 * k + 1] = (float)(AMPLITUDE * cos(angle));
        }
    }
    return HS_OK;
}

HS_CHECKED static int build_net(const char *arch, uint64_t seed, hs_clip **out)
{
    hs_clip_config cfg;
    hs_bpe *tokens = NULL;
    hs_clip *net = NULL;
    int rc = HS_OK;
    HS_TRY(hs_clip_arch_named(arch, &cfg));
    HS_TRY(hs_clip_caption_tokens(&tokens));
    cfg.vocab = hs_bpe_vocab(tokens);
    cfg.begin = hs_bpe_begin(tokens);
    cfg.end = hs_bpe_end(tokens);
    HS_TRY(hs_clip_random(&cfg, seed, &net));
    HS_TRY(hs_clip_set_tokenizer(net, tokens));
    tokens = NULL;
    HS_TRY(place_patches(net));
    *out = net;
    net = NULL;
out:
    hs_clip_free(net);
    hs_bpe_free(tokens);
    return rc;
}

/* ---- The task ------------------------------------------------------------------------------------ */

int hs_clip_task_check(const hs_data *d, const hs_clip_config *cfg)
{
    int same = d->n_factors == hs_face_factor_count();
    for (size_t f = 0; same && f < d->n_factors; f++) {
        same = strcmp(d->factor[f].name, hs_face_factor_at(f)->name) == 0;
    }
    if (!same) {
        return hs_fail(HS_ESHAPE, "%s: not the factors that captions speak of (hspace faces)", d->text);
    }
    if (d->image.c != 3 || d->image.h != cfg->image_size || d->image.w != cfg->image_size) {
        return hs_fail(HS_ESHAPE, "%s: images of %zu x %zu x %zu; the architecture reads 3 x %zu x %zu", d->text,
                       d->image.c, d->image.h, d->image.w, cfg->image_size, cfg->image_size);
    }
    return HS_OK;
}

HS_CHECKED static int make_room(hs_clip_task *a)
{
    size_t n = a->o.batch, m = a->m, P = hs_clip_config_of(a->net)->projection;
    int rc = HS_OK;
    HS_TRY(hs_alloc(a->n_theta, sizeof *a->dtheta, &a->dtheta));
    HS_TRY(hs_alloc(n * hs_chw_size(a->data->image), sizeof *a->x, &a->x));
    HS_TRY(hs_alloc(n * P, sizeof *a->u, &a->u));
    HS_TRY(hs_alloc(m * P, sizeof *a->w, &a->w));
    HS_TRY(hs_alloc(n * P, sizeof *a->du, &a->du));
    HS_TRY(hs_alloc(m * P, sizeof *a->dw, &a->dw));
    HS_TRY(hs_alloc(n * m, sizeof *a->truth, &a->truth));
    HS_TRY(hs_alloc(n * a->data->n_factors, sizeof *a->z, &a->z));
    HS_TRY(hs_alloc(n, sizeof *a->index, &a->index));
    HS_TRY(hs_alloc(m * CONTEXT, sizeof *a->ids, &a->ids));
    HS_TRY(hs_alloc(m, sizeof *a->caption, &a->caption));
    HS_TRY(hs_alloc(m, sizeof *a->said, &a->said));
out:
    return rc;
}

HS_CHECKED static int describe(hs_clip_task *a)
{
    const hs_clip_config *c = hs_clip_config_of(a->net);
    hs_str *s = &a->fingerprint;
    hs_str_addf(s,
                "task clip\narchitecture %s, %zu parameters, %zu tokens\ndata %s, sha256 %.16s\nbatch %zu, %zu "
                "captions each\nseed "
                "%llu\naugment %d, guide %g\n",
                a->o.arch, a->n_net, c->vocab, a->data->text, a->data->sha256, a->o.batch, a->o.captions,
                (unsigned long long)a->o.seed, a->o.augment, a->o.guide);
    return hs_str_ok(s);
}

/* theta <- the network's parameters and a random head; a->theta is what the loop moves. */
HS_CHECKED static int take_parameters(hs_clip_task *a)
{
    const hs_clip_param *scale = param_named(a->net, "logit_scale");
    const float *net = hs_clip_theta(a->net, &a->n_net);
    size_t head = a->data->n_factors * (hs_clip_config_of(a->net)->projection + 1);
    int rc = HS_OK;
    if (scale == NULL) {
        return hs_fail(HS_EBUG, "no logit_scale");
    }
    a->scale_at = scale->offset;
    a->n_theta = a->n_net + head;
    HS_TRY(hs_alloc(a->n_theta, sizeof *a->theta, &a->theta));
    memcpy(a->theta, net, a->n_net * sizeof *net);
    hs_rng_normal((hs_rng){a->o.seed, HS_RNG_WEIGHTS, HEAD_STREAM}, 0, head, a->theta + a->n_net);
    for (size_t i = a->n_net; i < a->n_theta; i++) {
        a->theta[i] *= (float)HEAD_SD;
    }
out:
    return rc;
}

int hs_clip_task_create(const hs_data *data, const hs_clip_train_options *o, const char *folder, hs_clip_task **out)
{
    hs_clip_task *a = NULL;
    int rc = HS_OK;
    if (o->batch < 2 || o->batch > BATCH_MAX) {
        return hs_fail(HS_ERANGE, "batch %zu; wanted 2 to %d", o->batch, BATCH_MAX);
    }
    if (o->captions < 1 || o->captions > CAPTIONS_MAX) {
        return hs_fail(HS_ERANGE, "%zu captions an image; wanted 1 to %d", o->captions, CAPTIONS_MAX);
    }
    if (!(o->guide >= 0)) {
        return hs_fail(HS_ERANGE, "guide %g; wanted at least 0", o->guide);
    }
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    a->m = o->batch * o->captions;
    a->data = data;
    a->o = *o;
    a->folder = folder;
    HS_TRY(build_net(o->arch, o->seed, &a->net));
    HS_TRY(hs_clip_task_check(data, hs_clip_config_of(a->net)));
    HS_TRY(take_parameters(a));
    HS_TRY(hs_clip_image_ws_create(a->net, o->batch, 1, &a->image));
    HS_TRY(hs_clip_text_ws_create(a->net, a->m, 1, &a->text));
    HS_TRY(make_room(a));
    HS_TRY(describe(a));
    *out = a;
    a = NULL;
out:
    hs_clip_task_free(a);
    return rc;
}

/* ---- An update ----------------------------------------------------------------------------------- */

static const double *value_of(const hs_clip_task *a, size_t i)
{
    return a->data->value + a->index[i] * a->data->n_factors;
}

/* Images and captions of update k (caption j of image j / captions), and what is true of what. */
static void draw_batch(hs_clip_task *a, uint64_t k)
{
    size_t n = a->o.batch, m = a->m, size = hs_chw_size(a->data->image);
    hs_data_batch(a->data, a->o.seed, k, 0, n, a->x, a->index);
#pragma omp parallel for schedule(static)
    for (size_t j = 0; j < m; j++) {
        const double *value = value_of(a, j / a->o.captions);
        hs_caption_draw(value, a->o.seed, k << 16 | j, HS_CAPTION_ANY, &a->caption[j]);
        a->said[j] = a->caption[j].text;
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        if (a->o.augment) {
            hs_clip_augment(a->o.seed, k << 16 | i, a->data->image.h, a->x + i * size);
        }
        for (size_t f = 0; f < a->data->n_factors; f++) {
            a->z[i * a->data->n_factors + f] = (value_of(a, i)[f] - a->data->factor[f].mean) / a->data->factor[f].sd;
        }
        for (size_t j = 0; j < m; j++) {
            a->truth[i * m + j] = hs_caption_truth(&a->caption[j], value_of(a, i));
        }
    }
}

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    hs_clip_task *a = ctx;
    size_t n = a->o.batch, m = a->m, P = hs_clip_config_of(a->net)->projection;
    double dscale = 0;
    int rc = HS_OK;
    draw_batch(a, k);
    HS_TRY(hs_clip_tokens(a->net, m, a->said, 0, a->ids));
    HS_TRY(hs_clip_image_forward(a->image, n, a->x, a->u));
    HS_TRY(hs_clip_text_forward(a->text, m, a->ids, a->w));
    HS_TRY(hs_clip_match(n, m, P, a->u, a->w, a->truth, (double)a->theta[a->scale_at], loss, a->du, a->dw, &dscale));
    *loss += hs_clip_guide(n, P, a->data->n_factors, a->u, a->z, a->theta + a->n_net, a->o.guide, a->du,
                           a->dtheta + a->n_net);
    HS_TRY(hs_clip_image_vjp(a->image, n, a->du, NULL, a->dtheta));
    HS_TRY(hs_clip_text_backward(a->text, m, a->dw, a->dtheta));
    a->dtheta[a->scale_at] += (float)dscale;
out:
    return rc;
}

static int refresh(void *ctx)
{
    hs_clip_task *a = ctx;
    const float most = logf(100);
    size_t count;
    if (a->theta[a->scale_at] > most) {
        a->theta[a->scale_at] = most;
    }
    memcpy(hs_clip_theta(a->net, &count), a->theta, a->n_net * sizeof *a->theta);
    return HS_OK;
}

static int publish(void *ctx, const float *weights, uint64_t k)
{
    hs_clip_task *a = ctx;
    (void)k;
    return hs_clip_save(a->net, weights, a->o.half, a->o.n_meta, a->o.meta, a->folder);
}

hs_task hs_clip_task_of(hs_clip_task *a)
{
    return (hs_task){.n = a->n_theta,
                     .parameters = a->n_net,
                     .theta = a->theta,
                     .grad = a->dtheta,
                     .loss = loss_of,
                     .refresh = refresh,
                     .publish = publish,
                     .fingerprint = a->fingerprint.s,
                     .images = a->o.batch,
                     .ctx = a};
}
