/* CLIP's image tower, forward and back to the pixels, against transformers. */
#include <math.h>
#include <stdlib.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/clip.h"

enum { STEPS = 2, MODES = 2 };
static const char *const mode[MODES] = {"sdpa", "eager"};

typedef struct {
    hs_clip *clip;
    hs_clip_image_ws *ws;
    size_t n;
    float *x, *dx, *e, *de;
    hs_arena arena;
} subject;

static void subject_free(subject *s)
{
    hs_clip_image_ws_free(s->ws);
    hs_clip_free(s->clip);
    hs_arena_free(&s->arena);
}

HS_CHECKED static int prepare(const char *model, size_t batch, subject *s)
{
    hs_clip_config cfg;
    int rc = HS_OK;
    HS_TRY(hs_clip_config_named(model, &cfg));
    const size_t pixels = 3 * cfg.image_size * cfg.image_size, P = cfg.projection;
    s->n = batch;
    HS_TRY(hs_clip_random(&cfg, 0, &s->clip));
    HS_TRY(hs_clip_image_ws_create(s->clip, batch, 1, &s->ws));
    HS_TRY(hs_arena_alloc(&s->arena, batch, pixels * sizeof(float), &s->x));
    HS_TRY(hs_arena_alloc(&s->arena, batch, pixels * sizeof(float), &s->dx));
    HS_TRY(hs_arena_alloc(&s->arena, batch, P * sizeof(float), &s->e));
    HS_TRY(hs_arena_alloc(&s->arena, batch, P * sizeof(float), &s->de));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, batch * pixels, s->x);
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1}, 0, batch * P, s->de);
out:
    return rc;
}

HS_CHECKED static int time_both(subject *s, double *seconds)
{
    const double t0 = hs_clock();
    int rc = HS_OK;
    for (size_t i = 0; i < STEPS; i++) {
        HS_TRY(hs_clip_image_forward(s->ws, s->n, s->x, s->e));
        HS_TRY(hs_clip_image_vjp(s->ws, s->n, s->de, s->dx, NULL));
    }
    *seconds = (hs_clock() - t0) / STEPS;
out:
    return rc;
}

HS_CHECKED static int take_turns(const hs_bench_options *o, subject *s, double *ours, double *peer, int ok[MODES])
{
    const hs_clip_config *cfg = hs_clip_config_of(s->clip);
    int rc = HS_OK;
    for (size_t r = 0; r < o->rounds; r++) {
        HS_TRY(hs_progress_tell(o->progress, "clip", r, o->rounds));
        HS_TRY(time_both(s, &ours[r]));
        for (size_t k = 0; k < MODES; k++) {
            ok[k] = ok[k] && o->peer != NULL;
            json_t *q = json_pack(
                "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:i}", "cmd", "clip", "mode", mode[k], "batch",
                (json_int_t)s->n, "image_size", (json_int_t)cfg->image_size, "patch_size", (json_int_t)cfg->patch_size,
                "hidden_size", (json_int_t)cfg->vision.hidden, "num_hidden_layers", (json_int_t)cfg->vision.layers,
                "num_attention_heads", (json_int_t)cfg->vision.heads, "intermediate_size", (json_int_t)cfg->vision.mlp,
                "projection_dim", (json_int_t)cfg->projection, "steps", STEPS);
            if (!ok[k]) {
                json_decref(q);
            } else if (hs_peer_ask(o->peer, q, &peer[k * o->rounds + r]) != HS_OK) {
                hs_log(HS_LOG_WARNING, "%s: %s", mode[k], hs_error_message());
                ok[k] = 0;
            }
        }
    }
out:
    return rc;
}

int hs_bench_clip(const hs_bench_options *o, const char *model, size_t batch, json_t **out)
{
    subject s = {0};
    double *ours = NULL, *peer = NULL, ratio = NAN, warm;
    int ok[MODES] = {1, 1}, rc = HS_OK;
    json_t *peers = json_object();
    HS_TRY(hs_alloc(o->rounds, sizeof *ours, &ours));
    HS_TRY(hs_calloc(MODES * o->rounds, sizeof *peer, &peer));
    (void)hs_bench_reset_rss();
    HS_TRY(prepare(model, batch, &s));
    HS_TRY(time_both(&s, &warm));
    const double rss = hs_bench_peak_rss();
    HS_TRY(take_turns(o, &s, ours, peer, ok));
    HS_TRY(hs_bench_compare(o->rounds, ours, MODES, mode, peer, ok, peers, &ratio));
    const double seconds = hs_bench_median(o->rounds, ours);
    *out = json_pack("{s:s, s:s, s:I, s:f, s:f, s:O, s:o, s:f}", "work", "clip", "model", model, "batch",
                     (json_int_t)batch, "seconds", seconds, "images_per_second", (double)batch / seconds, "peers",
                     peers, "ratio", hs_bench_number(ratio), "peak_rss_bytes", rss);
out:
    json_decref(peers);
    free(ours);
    free(peer);
    subject_free(&s);
    return rc;
}
