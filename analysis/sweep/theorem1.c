#include "analysis/sweep/theorem1.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"
#include "core/diffusion/editing.h"

typedef struct {
    const hs_unet *u;
    hs_unet_ws *ws;
    const hs_steps *steps;
    size_t n, d_x, d_h;
    hs_arena arena;
    int *t;                 /* (n) */
    float *dh;              /* (d_h) */
    float *h;               /* (n, d_h) */
    float *eps_edited;      /* (n, d_x) */
    double *plain, *edited; /* (n, d_x) x_t' */
    hs_theorem1_check *out;
} work;

static double norm(size_t n, const float *v)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i] * (double)v[i];
    }
    return sqrt(sum);
}

/* h <- h + dh, dh made as long as the image's own h. */
static void edit(work *w)
{
    double length = norm(w->d_h, w->dh);
    for (size_t i = 0; i < w->n; i++) {
        float *h = w->h + i * w->d_h;
        double scale = norm(w->d_h, h) / length;
        for (size_t j = 0; j < w->d_h; j++) {
            h[j] = (float)((double)h[j] + scale * (double)w->dh[j]);
        }
    }
}

/* The step with edited eps in D too or not, against the unedited one. */
HS_CHECKED static int measure(work *w, size_t k, int process, const float *x_t, const float *eps)
{
    const hs_step *step = &w->steps->step[k];
    double c[HS_THEOREM1_PROCESSES], along = 0, square = 0, off = 0;
    hs_theorem1(step, &c[HS_THEOREM1_SYMMETRIC], &c[HS_THEOREM1_ASYMMETRIC]);
    hs_ddim_step_f64(step, w->n * w->d_x, x_t, w->eps_edited, process == HS_THEOREM1_SYMMETRIC ? w->eps_edited : eps,
                     w->edited);
    for (size_t i = 0; i < w->n * w->d_x; i++) {
        double dx = w->edited[i] - w->plain[i], de = (double)w->eps_edited[i] - (double)eps[i];
        along += dx * de;
        square += de * de;
        off += (dx - c[process] * de) * (dx - c[process] * de);
    }
    if (square == 0) {
        return hs_fail(HS_EDEGENERATE, "theorem1: t = %d: eps does not change with h", step->t);
    }
    double size = fabs(c[process]);
    w->out->measured[process][k] = along / square;
    w->out->error[process][k] = sqrt(off / square) / size;
    w->out->identity_error = fmax(w->out->identity_error, w->out->error[process][k]);
    w->out->coefficient_error = fmax(w->out->coefficient_error, fabs(along / square - c[process]) / size);
    return HS_OK;
}

HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    work *w = ctx;
    int rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        w->t[i] = t;
    }
    HS_TRY(hs_unet_encode(w->u, w->ws, n, x_t, w->t, w->h));
    HS_TRY(hs_unet_decode(w->u, w->ws, n, NULL, w->h, eps_p));
    edit(w);
    HS_TRY(hs_unet_decode(w->u, w->ws, n, NULL, w->h, w->eps_edited));
    hs_ddim_step_f64(&w->steps->step[step], n * w->d_x, x_t, eps_p, eps_p, w->plain);
    for (int process = 0; process < HS_THEOREM1_PROCESSES; process++) {
        HS_TRY(measure(w, step, process, x_t, eps_p));
    }
    memcpy(eps_d, eps_p, n * w->d_x * sizeof *eps_d);
out:
    return rc;
}

HS_CHECKED static int work_create(work *w, hs_conv_mode conv, uint64_t seed)
{
    int rc;
    size_t images;
    HS_TRY(hs_size_mul(w->n, w->d_x, &images));
    HS_TRY(hs_arena_alloc(&w->arena, w->n, sizeof *w->t, &w->t));
    HS_TRY(hs_arena_alloc(&w->arena, w->d_h, sizeof *w->dh, &w->dh));
    HS_TRY(hs_arena_alloc(&w->arena, w->n, w->d_h * sizeof *w->h, &w->h));
    HS_TRY(hs_arena_alloc(&w->arena, images, sizeof *w->eps_edited, &w->eps_edited));
    HS_TRY(hs_arena_alloc(&w->arena, images, sizeof *w->plain, &w->plain));
    HS_TRY(hs_arena_alloc(&w->arena, images, sizeof *w->edited, &w->edited));
    for (int process = 0; process < HS_THEOREM1_PROCESSES; process++) {
        HS_TRY(hs_alloc(w->steps->S, sizeof **w->out->measured, &w->out->measured[process]));
        HS_TRY(hs_alloc(w->steps->S, sizeof **w->out->error, &w->out->error[process]));
    }
    hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, 0}, 0, w->d_h, w->dh);
    HS_TRY(hs_unet_ws_create(w->u, w->n, w->n, conv, &w->ws));
out:
    return rc;
}

int hs_theorem1_measure(const hs_unet *u, hs_conv_mode conv, const hs_steps *steps, size_t n, const float *x_T,
                        uint64_t seed, const hs_progress *progress, hs_theorem1_check *out)
{
    const hs_unet_config *cfg = hs_unet_config_of(u);
    hs_theorem1_check check = {.S = steps->S};
    work w = {.u = u,
              .steps = steps,
              .n = n,
              .d_x = hs_chw_size(hs_unet_image_shape(cfg)),
              .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
              .out = &check};
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    float *x = NULL;
    int rc = HS_OK;
    if (n < 1 || n > 4096) {
        return hs_fail(HS_ERANGE, "theorem1: %zu images; wanted 1 to 4096", n);
    }
    HS_TRY(work_create(&w, conv, seed));
    HS_TRY(hs_arena_alloc(&w.arena, n * w.d_x, sizeof *x, &x));
    memcpy(x, x_T, n * w.d_x * sizeof *x);
    o.progress = progress;
    HS_TRY(hs_ddim_sample(&(hs_predictor){predict, &w}, steps, &o, n, w.d_x, x));
    *out = check;
    check = (hs_theorem1_check){0};
out:
    hs_theorem1_check_free(&check);
    hs_unet_ws_free(w.ws);
    hs_arena_free(&w.arena);
    return rc;
}

void hs_theorem1_check_free(hs_theorem1_check *t)
{
    for (int process = 0; process < HS_THEOREM1_PROCESSES; process++) {
        free(t->measured[process]);
        free(t->error[process]);
    }
    memset(t, 0, sizeof *t);
}
