/* Derivatives of many tangents at one state against as many decodes. */
#include <stdlib.h>

#include "analysis/bench/bench.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/model/unet_grad.h"

enum { REPEAT = 5 }; /* calls a round */

typedef struct {
    hs_unet *unet;
    hs_unet_ws *many, *one; /* k rows at once; one */
    hs_unet_grad *grad;
    size_t k, d_x, d_h, *state;
    float *h, *dh, *eps;
    hs_arena arena;
} subject;

static void subject_free(subject *s)
{
    hs_unet_grad_free(s->grad);
    hs_unet_ws_free(s->many);
    hs_unet_ws_free(s->one);
    hs_unet_free(s->unet);
    hs_arena_free(&s->arena);
}

HS_CHECKED static int make(const hs_bench_options *o, const hs_unet_config *cfg, size_t k, subject *s)
{
    float *x = NULL;
    int t = (int)cfg->schedule.T / 2, rc = HS_OK;
    s->k = k;
    s->d_x = hs_chw_size(hs_unet_image_shape(cfg));
    s->d_h = hs_chw_size(hs_unet_h_shape(cfg));
    HS_TRY(hs_unet_random(cfg, 0, &s->unet));
    HS_TRY(hs_unet_ws_create(s->unet, 1, k, o->conv, &s->many));
    HS_TRY(hs_unet_ws_create(s->unet, 1, 1, o->conv, &s->one));
    HS_TRY(hs_unet_grad_create(s->unet, 1, k, 0, o->conv, &s->grad));
    HS_TRY(hs_arena_alloc(&s->arena, 1, s->d_x * sizeof *x, &x));
    HS_TRY(hs_arena_alloc(&s->arena, k, s->d_h * sizeof(float), &s->h));
    HS_TRY(hs_arena_alloc(&s->arena, k, s->d_h * sizeof(float), &s->dh));
    HS_TRY(hs_arena_alloc(&s->arena, k, s->d_x * sizeof(float), &s->eps));
    HS_TRY(hs_arena_alloc(&s->arena, k, sizeof *s->state, &s->state));
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 0}, 0, s->d_x, x);
    hs_rng_normal((hs_rng){0, HS_RNG_TEST, 1}, 0, k * s->d_h, s->dh);
    HS_TRY(hs_unet_encode(s->unet, s->many, 1, x, &t, s->h));
    HS_TRY(hs_unet_encode(s->unet, s->one, 1, x, &t, s->h));
    HS_TRY(hs_unet_grad_encode(s->grad, 1, x, &t, s->h));
    HS_TRY(hs_unet_grad_decode(s->grad, s->h, s->eps));
    for (size_t r = 0; r < k; r++) {
        s->state[r] = 0;
        for (size_t i = 0; i < s->d_h; i++) {
            s->h[r * s->d_h + i] = s->h[i] + (r > 0 ? s->dh[r * s->d_h + i] : 0);
        }
    }
out:
    return rc;
}

HS_CHECKED static int decode_at_once(subject *s)
{
    return hs_unet_decode(s->unet, s->many, s->k, s->state, s->h, s->eps);
}

HS_CHECKED static int decode_singly(subject *s)
{
    int rc = HS_OK;
    for (size_t r = 0; r < s->k && rc == HS_OK; r++) {
        rc = hs_unet_decode(s->unet, s->one, 1, NULL, s->h + r * s->d_h, s->eps + r * s->d_x);
    }
    return rc;
}

HS_CHECKED static int jvp(subject *s)
{
    return hs_unet_jvp_decode(s->grad, s->k, s->state, HS_SKIPS_FIXED, s->dh, s->eps);
}

HS_CHECKED static int time_of(subject *s, int (*call)(subject *s), double *seconds)
{
    int rc = HS_OK;
    double t0 = hs_clock();
    for (size_t i = 0; i < REPEAT && rc == HS_OK; i++) {
        rc = call(s);
    }
    *seconds = (hs_clock() - t0) / REPEAT;
    return rc;
}

int hs_bench_jvp(const hs_bench_options *o, const char *arch, size_t k, json_t **out)
{
    int rc = HS_OK;
    subject s = {0};
    hs_unet_config cfg = {0};
    double *v[5] = {NULL};
    HS_TRY(hs_arch_builtin(arch, &cfg));
    HS_TRY(make(o, &cfg, k, &s));
    for (size_t i = 0; i < 5; i++) {
        HS_TRY(hs_alloc(o->rounds, sizeof **v, &v[i]));
    }
    for (size_t r = 0; r < o->rounds + 1; r++) { /* the first only warms up */
        size_t at = r > 0 ? r - 1 : 0;
        HS_TRY(hs_progress_tell(o->progress, "jvp", at, o->rounds));
        HS_TRY(time_of(&s, decode_at_once, &v[0][at]));
        HS_TRY(time_of(&s, decode_singly, &v[1][at]));
        HS_TRY(time_of(&s, jvp, &v[2][at]));
        v[3][at] = v[2][at] / v[0][at];
        v[4][at] = v[2][at] / v[1][at];
    }
    *out = json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f}", "work", "jvp", "arch", arch, "tangents", (json_int_t)k,
                     "seconds", hs_bench_median(o->rounds, v[2]), "decodes_s", hs_bench_median(o->rounds, v[0]),
                     "single_decodes_s", hs_bench_median(o->rounds, v[1]), "ratio", hs_bench_median(o->rounds, v[3]),
                     "ratio_single", hs_bench_median(o->rounds, v[4]));
out:
    subject_free(&s);
    hs_unet_config_free(&cfg);
    for (size_t i = 0; i < 5; i++) {
        free(v[i]);
    }
    return rc;
}
