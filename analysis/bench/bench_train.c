/* An update of the trainer against PyTorch's, in time and memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/objective.h"
#include "core/model/arch_write.h"
#include "core/model/unet_grad.h"
#include "core/model/unet_params.h"
#include "core/nn/optim.h"

enum { STEPS = 3 }; /* a round; the first round of each side warms up besides */

static const char *const mode[] = {"eager", "channels_last", "compile", "compile_channels_last"};
enum { MODES = sizeof mode / sizeof *mode };
static const hs_adam adam = {2e-4, 0.9, 0.999, 1e-8, 0};
static const double clip = 1, decay = 0.999;

/* ---- Ours ---- */

/* What an update reads and moves. */
typedef struct {
    hs_unet *unet;
    hs_unet_grad *grad;
    hs_schedule schedule;
    size_t n, d, count; /* images, values of one, parameters with the copies that layers read */
    float *theta, *dtheta, *m, *v, *average;
    float *x_0, *x_t, *target, *eps, *h;
    int *t;
    uint64_t k;
    hs_arena arena;
} trainee;

static void trainee_free(trainee *s)
{
    hs_unet_grad_free(s->grad);
    hs_unet_free(s->unet);
    hs_schedule_free(&s->schedule);
    hs_arena_free(&s->arena);
}

HS_CHECKED static int make(const hs_bench_options *o, const hs_unet_config *cfg, size_t batch, trainee *s)
{
    int rc = HS_OK;
    s->n = batch;
    s->d = hs_chw_size(hs_unet_image_shape(cfg));
    HS_TRY(hs_schedule_create(&cfg->schedule, &s->schedule));
    HS_TRY(hs_unet_trainable(cfg, 0, NULL, &s->unet));
    HS_TRY(hs_unet_grad_create(s->unet, batch, batch, 1, o->conv, &s->grad));
    s->theta = hs_unet_theta(s->unet, &s->count);
    float **state[] = {&s->dtheta, &s->m, &s->v, &s->average}, **image[] = {&s->x_0, &s->x_t, &s->target, &s->eps};
    for (size_t i = 0; i < 4; i++) {
        HS_TRY(hs_arena_alloc(&s->arena, s->count, sizeof(float), state[i]));
        memset(*state[i], 0, s->count * sizeof(float));
        HS_TRY(hs_arena_alloc(&s->arena, batch, s->d * sizeof(float), image[i]));
    }
    HS_TRY(hs_arena_alloc(&s->arena, batch, hs_chw_size(hs_unet_h_shape(cfg)) * sizeof(float), &s->h));
    HS_TRY(hs_arena_alloc(&s->arena, batch, sizeof *s->t, &s->t));
    memcpy(s->average, s->theta, s->count * sizeof *s->average);
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, batch * s->d, s->x_0);
out:
    return rc;
}

/* The update as hs_train makes it. */
HS_CHECKED static int update(trainee *s)
{
    int rc = HS_OK;
    s->k++;
    memset(s->dtheta, 0, s->count * sizeof *s->dtheta);
    hs_objective_draw(&s->schedule, HS_PREDICT_EPSILON, 0, s->k, s->n, s->d, s->x_0, s->t, s->x_t, s->target);
    HS_TRY(hs_unet_grad_encode(s->grad, s->n, s->x_t, s->t, s->h));
    HS_TRY(hs_unet_grad_decode(s->grad, s->h, s->eps));
    double loss = hs_objective_loss(s->n * s->d, s->eps, s->target, s->target);
    HS_TRY(hs_unet_backward(s->grad, s->target, s->dtheta));
    double norm = hs_grad_norm(s->count, s->dtheta);
    if (!isfinite(loss) || !isfinite(norm)) {
        rc = hs_fail(HS_EDEGENERATE, "bench: the loss of update %llu is %g, its gradient's norm %g",
                     (unsigned long long)s->k, loss, norm);
        goto out;
    }
    hs_adam_step(&adam, s->k, s->count, hs_clip_scale(norm, clip), s->dtheta, s->m, s->v, s->theta);
    hs_ema_step(decay, s->k, s->count, s->theta, s->average);
    hs_unet_refresh(s->unet);
    HS_TRY(hs_unet_grad_refresh(s->grad));
out:
    return rc;
}

HS_CHECKED static int time_updates(trainee *s, double *seconds)
{
    int rc = HS_OK;
    double t0 = hs_clock();
    for (size_t i = 0; i < STEPS; i++) {
        HS_TRY(update(s));
    }
    *seconds = (hs_clock() - t0) / STEPS;
out:
    return rc;
}

/* ---- Theirs ---- */

typedef struct {
    hs_peer *peer[MODES];
    int ok[MODES];
    double peak[MODES], grown[MODES]; /* bytes */
    json_t *config;                   /* of diffusers */
} peers;

static void peers_free(peers *p)
{
    for (size_t k = 0; k < MODES; k++) {
        hs_peer_stop(p->peer[k]);
    }
    json_decref(p->config);
}

/* Each in a process of its own, whose memory is that of its mode alone. */
HS_CHECKED static int peers_start(const hs_bench_options *o, const hs_unet_config *cfg, peers *p)
{
    hs_str config = {0}, scheduler = {0};
    int rc = HS_OK;
    HS_TRY(hs_arch_write_diffusers(cfg, &config, &scheduler));
    p->config = json_loads(config.s, 0, NULL);
    for (size_t k = 0; k < MODES; k++) {
        p->ok[k] = o->python != NULL;
        if (p->ok[k]) {
            HS_TRY(hs_peer_start(o->python, o->script, o->threads, &p->peer[k]));
        }
    }
out:
    hs_str_free(&config);
    hs_str_free(&scheduler);
    return rc;
}

/* *seconds <- an update of mode k; a peer that fails is left out from then on. */
HS_CHECKED static int ask(peers *p, size_t k, const trainee *s, double *seconds)
{
    json_t *answer = NULL;
    int rc = HS_OK;
    json_t *q = json_pack("{s:s, s:O, s:I, s:s, s:I, s:f, s:f, s:f, s:I}", "cmd", "train", "config", p->config, "batch",
                          (json_int_t)s->n, "mode", mode[k], "steps", (json_int_t)STEPS, "rate", adam.rate, "clip",
                          clip, "ema", decay, "T", (json_int_t)s->schedule.T);
    if (hs_peer_ask_all(p->peer[k], q, &answer) != HS_OK) {
        hs_log(HS_LOG_WARNING, "%s: %s", mode[k], hs_error_message());
        p->ok[k] = 0;
        goto out;
    }
    json_int_t count = json_integer_value(json_object_get(answer, "parameters"));
    if (count != (json_int_t)hs_unet_parameters(s->unet)) {
        rc = hs_fail(HS_EIO, "bench: the peer's network has %lld parameters, ours %zu", (long long)count,
                     hs_unet_parameters(s->unet));
        goto out;
    }
    *seconds = json_number_value(json_object_get(answer, "seconds"));
    p->peak[k] = json_number_value(json_object_get(answer, "peak_rss"));
    p->grown[k] = p->peak[k] - json_number_value(json_object_get(answer, "rss_before"));
out:
    json_decref(answer);
    return rc;
}

/* ---- Together ---- */

HS_CHECKED static int rounds(const hs_bench_options *o, trainee *s, peers *p, double *ours, double *theirs)
{
    int rc = HS_OK;
    HS_TRY(update(s));
    for (size_t r = 0; r < o->rounds; r++) {
        HS_TRY(hs_progress_tell(o->progress, "train", r, o->rounds));
        HS_TRY(time_updates(s, &ours[r]));
        for (size_t k = 0; k < MODES; k++) {
            if (p->ok[k]) {
                HS_TRY(ask(p, k, s, &theirs[k * o->rounds + r]));
            }
        }
    }
out:
    return rc;
}

/* {mode: bytes}, and the least of them (NaN: none). */
static json_t *bytes_of(const peers *p, const double *bytes, double *least)
{
    json_t *all = json_object();
    *least = NAN;
    for (size_t k = 0; k < MODES; k++) {
        json_object_set_new(all, mode[k], p->ok[k] ? json_real(bytes[k]) : json_null());
        *least = p->ok[k] ? fmin(*least, bytes[k]) : *least;
    }
    return all;
}

HS_CHECKED static int report(const char *arch, const trainee *s, const peers *p, double seconds, json_t *medians,
                             double ratio, double peak, double grown, json_t **out)
{
    double least, least_grown;
    json_t *a = bytes_of(p, p->peak, &least), *b = bytes_of(p, p->grown, &least_grown);
    *out = json_pack("{s:s, s:s, s:I, s:I, s:f, s:f, s:O, s:o, s:f, s:f, s:o, s:o, s:o, s:o}", "work", "train", "arch",
                     arch, "batch", (json_int_t)s->n, "parameters", (json_int_t)hs_unet_parameters(s->unet), "seconds",
                     seconds, "images_per_second", (double)s->n / seconds, "peers", medians, "ratio",
                     hs_bench_number(ratio), "peak_rss_bytes", peak, "grown_rss_bytes", grown, "peers_rss_bytes", a,
                     "peers_grown_rss_bytes", b, "rss_ratio", hs_bench_number(peak / least), "rss_ratio_grown",
                     hs_bench_number(grown / least_grown));
    return *out != NULL ? HS_OK : hs_fail(HS_ENOMEM, "bench: out of memory");
}

int hs_bench_train(const hs_bench_options *o, const char *arch, size_t batch, json_t **out)
{
    int rc = HS_OK;
    trainee s = {0};
    peers p = {0};
    hs_unet_config cfg = {0};
    double *ours = NULL, *theirs = NULL, ratio = NAN, before = hs_bench_reset_rss();
    json_t *medians = json_object();
    HS_TRY(hs_arch_builtin(arch, &cfg));
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_calloc(MODES * o->rounds, sizeof *theirs, &theirs));
    HS_TRY(make(o, &cfg, batch, &s));
    HS_TRY(peers_start(o, &cfg, &p));
    HS_TRY(rounds(o, &s, &p, ours, theirs));
    double peak = hs_bench_peak_rss();
    HS_TRY(hs_bench_compare(o->rounds, ours, MODES, mode, theirs, p.ok, medians, &ratio));
    HS_TRY(report(arch, &s, &p, hs_bench_median(o->rounds, ours), medians, ratio, peak, peak - before, out));
out:
    peers_free(&p);
    trainee_free(&s);
    hs_unet_config_free(&cfg);
    json_decref(medians);
    free(ours);
    free(theirs);
    return rc;
}
