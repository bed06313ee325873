/* The network: forward passes against PyTorch, and what strengths on one state cost. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/asyrp.h"

static const char *const peer_mode[] = {"eager", "channels_last", "compile"};
enum { PEERS = sizeof peer_mode / sizeof *peer_mode };

/* A network on its inputs. */
typedef struct {
    hs_unet *unet;
    hs_unet_ws *ws;
    size_t n, d_x, d_h;
    float *x, *h, *eps;
    int *t;
} subject;

static void subject_free(subject *s)
{
    hs_unet_ws_free(s->ws);
    hs_unet_free(s->unet);
    free(s->x);
    free(s->h);
    free(s->eps);
    free(s->t);
}

HS_CHECKED static int subject_inputs(subject *s, size_t n)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(s->unet);
    s->n = n;
    s->d_x = hs_chw_size(hs_unet_image_shape(cfg));
    s->d_h = hs_chw_size(hs_unet_h_shape(cfg));
    HS_TRY(hs_alloc(n, s->d_x * sizeof(float), &s->x));
    HS_TRY(hs_alloc(n, s->d_x * sizeof(float), &s->eps));
    HS_TRY(hs_alloc(n, s->d_h * sizeof(float), &s->h));
    HS_TRY(hs_alloc(n, sizeof *s->t, &s->t));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, n * s->d_x, s->x);
    for (size_t i = 0; i < n; i++) {
        s->t[i] = (int)cfg->schedule.T / 2;
    }
out:
    return rc;
}

HS_CHECKED static int forward(subject *s)
{
    int rc;
    HS_TRY(hs_unet_encode(s->unet, s->ws, s->n, s->x, s->t, s->h));
    HS_TRY(hs_unet_decode(s->unet, s->ws, s->n, NULL, s->h, s->eps));
out:
    return rc;
}

HS_CHECKED static int time_forward(subject *s, double *seconds)
{
    double t0 = hs_clock();
    int rc = forward(s);
    *seconds = hs_clock() - t0;
    return rc;
}

/* max |h - h'| / max |h'|, h' by direct convolutions. */
HS_CHECKED static int error_against_direct(subject *s, double *error)
{
    int rc;
    hs_unet_ws *direct = NULL;
    float *h = NULL;
    double worst = 0, scale = 0;
    HS_TRY(hs_alloc(s->n, s->d_h * sizeof *h, &h));
    HS_TRY(hs_unet_ws_create(s->unet, s->n, s->n, HS_CONV_DIRECT, &direct));
    HS_TRY(hs_unet_encode(s->unet, direct, s->n, s->x, s->t, h));
    for (size_t i = 0; i < s->n * s->d_h; i++) {
        worst = fmax(worst, fabs((double)s->h[i] - (double)h[i]));
        scale = fmax(scale, fabs((double)h[i]));
    }
    *error = worst / scale;
out:
    hs_unet_ws_free(direct);
    free(h);
    return rc;
}

static json_t *shares(hs_unet_times t)
{
    double all = t.conv3 + t.conv1 + t.norm + t.attention + t.resample + t.other;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "conv3x3", t.conv3 / all, "conv1x1", t.conv1 / all, "norm",
                     t.norm / all, "attention", t.attention / all, "resample", t.resample / all, "other",
                     t.other / all);
}

/* Rounds of ours and each peer; times (rounds) of ours, peer (PEERS, rounds); a peer that fails is left out. */
HS_CHECKED static int rounds_of_unet(const hs_bench_options *o, subject *s, const char *config, double *ours,
                                     double *peer, int ok[PEERS])
{
    int rc = HS_OK;
    for (size_t r = 0; r < o->rounds; r++) {
        HS_TRY(hs_progress_tell(o->progress, config, r, o->rounds));
        HS_TRY(time_forward(s, &ours[r]));
        for (size_t k = 0; k < PEERS; k++) {
            json_t *q = json_pack("{s:s, s:s, s:I, s:s}", "cmd", "unet", "config", config, "batch", (json_int_t)s->n,
                                  "mode", peer_mode[k]);
            ok[k] = ok[k] && o->peer != NULL;
            if (!ok[k]) {
                json_decref(q);
            } else if (hs_peer_ask(o->peer, q, &peer[k * o->rounds + r]) != HS_OK) {
                hs_log(HS_LOG_WARNING, "%s", hs_error_message());
                ok[k] = 0;
            }
        }
    }
out:
    return rc;
}

HS_CHECKED static int prepare(const hs_bench_options *o, const char *config, size_t batch, subject *s)
{
    int rc;
    hs_unet_config cfg;
    HS_TRY(hs_arch_builtin(strcmp(config, "cifar10") == 0 ? "ddpm-cifar10-32" : "ddpm-256", &cfg));
    rc = hs_unet_random(&cfg, 0, &s->unet);
    hs_unet_config_free(&cfg);
    HS_TRY(rc);
    HS_TRY(subject_inputs(s, batch));
    HS_TRY(hs_unet_ws_create(s->unet, batch, batch, o->conv, &s->ws));
    HS_TRY(forward(s)); /* warm */
out:
    return rc;
}

int hs_bench_unet(const hs_bench_options *o, const char *config, size_t batch, json_t **out)
{
    int rc, ok[PEERS] = {1, 1, 1};
    subject s = {0};
    double *ours = NULL, *peer = NULL, error = 0, ratio = NAN;
    hs_str plan = {0};
    json_t *peers = json_object();
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_calloc(PEERS * o->rounds, sizeof *peer, &peer));
    HS_TRY(prepare(o, config, batch, &s));
    double rss = hs_bench_peak_rss();
    HS_TRY(rounds_of_unet(o, &s, config, ours, peer, ok));
    HS_TRY(hs_bench_compare(o->rounds, ours, PEERS, peer_mode, peer, ok, peers, &ratio));
    hs_unet_times times = hs_unet_ws_times(s.ws);
    HS_TRY(hs_unet_ws_describe(s.ws, &plan));
    HS_TRY(error_against_direct(&s, &error));
    *out = json_pack("{s:s, s:s, s:I, s:f, s:O, s:o, s:f, s:o, s:f, s:s}", "work", "unet", "config", config, "batch",
                     (json_int_t)batch, "seconds", hs_bench_median(o->rounds, ours), "peers", peers, "ratio",
                     hs_bench_number(ratio), "h_error_direct", error, "by_kind", shares(times), "peak_rss_bytes", rss,
                     "convolutions", plan.s != NULL ? plan.s : "");
out:
    hs_str_free(&plan);
    json_decref(peers);
    free(ours);
    free(peer);
    subject_free(&s);
    return rc;
}

/* ---- Strengths on one state ---- */

HS_CHECKED static int constant_dh(void *ctx, int t, size_t states, const size_t *image, const float *h,
                                  const float *temb, float *dh)
{
    const subject *s = ctx;
    (void)t;
    (void)image;
    (void)h;
    (void)temb;
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1}, 0, states * s->d_h, dh);
    return HS_OK;
}

HS_CHECKED static int time_encode(subject *s, double *seconds)
{
    double t0 = hs_clock();
    int rc = hs_unet_encode(s->unet, s->ws, 1, s->x, s->t, s->h);
    *seconds = hs_clock() - t0;
    return rc;
}

HS_CHECKED static int time_decode(subject *s, double *seconds)
{
    double t0 = hs_clock();
    int rc = hs_unet_decode(s->unet, s->ws, 1, NULL, s->h, s->eps);
    *seconds = hs_clock() - t0;
    return rc;
}

/* One asymmetric step of the k strengths: x_t alike in all rows. */
HS_CHECKED static int time_step(hs_asyrp *a, const subject *s, size_t k, const float *x, float *p, float *d,
                                double *seconds)
{
    double t0 = hs_clock();
    hs_predictor f = hs_asyrp_predictor(a);
    int rc = f.predict(f.ctx, k, x, s->t[0], 0, p, d);
    *seconds = hs_clock() - t0;
    return rc;
}

int hs_bench_strengths(const hs_bench_options *o, const hs_model *m, size_t k, json_t **out)
{
    int rc;
    subject s = {.unet = m->unet};
    hs_unet_ws *batched = NULL;
    hs_asyrp *a = NULL;
    double *strength = NULL, *v[4] = {NULL};
    float *x = NULL, *eps = NULL;
    HS_TRY(subject_inputs(&s, 1));
    HS_TRY(hs_alloc(k, sizeof *strength, &strength));
    HS_TRY(hs_alloc(k, s.d_x * sizeof *x, &x));
    HS_TRY(hs_alloc(2 * k, s.d_x * sizeof *eps, &eps));
    for (size_t j = 0; j < k; j++) {
        strength[j] = 0.1 * (double)(j + 1);
        memcpy(x + j * s.d_x, s.x, s.d_x * sizeof *x);
    }
    hs_edit edit = {.delta = {constant_dh, &s}, .path = hs_path_add, .m = k, .strength = strength};
    HS_TRY(hs_unet_ws_create(s.unet, 1, k + 1, o->conv, &batched));
    HS_TRY(hs_unet_ws_create(s.unet, 1, 1, o->conv, &s.ws));
    HS_TRY(hs_asyrp_create(s.unet, batched, &edit, 1, &a));
    for (size_t i = 0; i < 4; i++) {
        HS_TRY(hs_alloc(o->rounds + 1, sizeof **v, &v[i]));
    }
    for (size_t r = 0; r < o->rounds + 1; r++) { /* the first only warms up */
        size_t at = r > 0 ? r - 1 : 0;
        HS_TRY(time_encode(&s, &v[0][at]));
        HS_TRY(time_decode(&s, &v[1][at]));
        HS_TRY(time_step(a, &s, k, x, eps, eps + k * s.d_x, &v[2][at]));
        v[3][at] = v[2][at] / (v[0][at] + (double)(k + 1) * v[1][at]);
    }
    *out = json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "work", "strengths", "model", m->name, "strengths",
                     (json_int_t)k, "encode_s", hs_bench_median(o->rounds, v[0]), "decode_s",
                     hs_bench_median(o->rounds, v[1]), "seconds", hs_bench_median(o->rounds, v[2]), "ratio",
                     hs_bench_median(o->rounds, v[3]));
out:
    hs_asyrp_free(a);
    hs_unet_ws_free(batched);
    s.unet = NULL; /* the model's */
    subject_free(&s);
    free(strength);
    free(x);
    free(eps);
    for (size_t i = 0; i < 4; i++) {
        free(v[i]);
    }
    return rc;
}
