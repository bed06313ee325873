#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/sweep/perturb.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"

#define SMALL 0.01 /* length of a difference, of the space's own: its square is what first order leaves out */

/* A batch of plain trajectories and, at each of their states, of neighbours. */
typedef struct {
    const hs_perturb_plan *plan;
    hs_matching matching;
    size_t n, d_h, d_x;
    hs_unet_ws *ws;
    float *x, *h, *eps, *xi, *near_x, *near_h, *near_eps; /* (n, d) */
    int *t;
} walk;

void hs_noise_scale_free(hs_noise_scale *s)
{
    for (int k = 0; k < HS_NOISE_SPACES; k++) {
        free(s->scale[k]);
        free(s->spread[k]);
        s->scale[k] = s->spread[k] = NULL;
    }
}

static void walk_free(walk *w)
{
    void *const owned[] = {w->x, w->h, w->eps, w->xi, w->near_x, w->near_h, w->near_eps, w->t};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    hs_unet_ws_free(w->ws);
}

HS_CHECKED static int walk_create(walk *w)
{
    int rc = HS_OK;
    size_t most = w->d_h > w->d_x ? w->d_h : w->d_x;
    HS_TRY(hs_alloc(w->n, w->d_x * sizeof(float), &w->x));
    HS_TRY(hs_alloc(w->n, w->d_h * sizeof(float), &w->h));
    HS_TRY(hs_alloc(w->n, w->d_x * sizeof(float), &w->eps));
    HS_TRY(hs_alloc(w->n, most * sizeof(float), &w->xi));
    HS_TRY(hs_alloc(w->n, w->d_x * sizeof(float), &w->near_x));
    HS_TRY(hs_alloc(w->n, w->d_h * sizeof(float), &w->near_h));
    HS_TRY(hs_alloc(w->n, w->d_x * sizeof(float), &w->near_eps));
    HS_TRY(hs_alloc(w->n, sizeof *w->t, &w->t));
    HS_TRY(hs_unet_ws_create(w->plan->model->unet, w->n, w->n, w->plan->conv, &w->ws));
out:
    return rc;
}

/* Mean over rows of |v| / sqrt(d). */
static double length(size_t n, size_t d, const float *v)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t q = 0; q < d; q++) {
            square += (double)v[i * d + q] * (double)v[i * d + q];
        }
        sum += sqrt(square / (double)d);
    }
    return sum / (double)n;
}

/* Root mean square over coordinates of their standard deviation over rows, divisor n - 1. */
static double spread(size_t n, size_t d, const float *v)
{
    double square = 0;
    for (size_t q = 0; q < d; q++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) {
            mean += (double)v[i * d + q] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            square += ((double)v[i * d + q] - mean) * ((double)v[i * d + q] - mean);
        }
    }
    return n > 1 ? sqrt(square / (double)(n - 1) / (double)d) : NAN;
}

/* xi (n, d) <- noise of the first samples at the step. */
static void draw(walk *w, size_t first, size_t step, hs_noise_space s, size_t d)
{
    for (size_t i = 0; i < w->n; i++) {
        uint64_t index = (uint64_t)(first + i) << 20 | (uint64_t)step << 4 | (uint64_t)s;
        hs_rng_normal((hs_rng){w->plan->seed, HS_RNG_PERTURB, index}, 0, d, w->xi + i * d);
    }
}

/* to (n d) <- from + a xi. */
static void shift(const walk *w, size_t d, double a, const float *from, float *to)
{
    for (size_t q = 0; q < w->n * d; q++) {
        to[q] = from[q] + (float)a * w->xi[q];
    }
}

/* *gain <- change of eps, or of x_t - sqrt(1 - ab) eps, per coordinate and unit of noise. */
HS_CHECKED static int gain_of_h(walk *w, size_t first, size_t step, double *gain)
{
    int rc;
    double a = SMALL * length(w->n, w->d_h, w->h);
    draw(w, first, step, HS_NOISE_H, w->d_h);
    shift(w, w->d_h, a, w->h, w->near_h);
    HS_TRY(hs_unet_decode(w->plan->model->unet, w->ws, w->n, NULL, w->near_h, w->near_eps));
    for (size_t q = 0; q < w->n * w->d_x; q++) {
        w->near_eps[q] -= w->eps[q];
    }
    *gain = length(w->n, w->d_x, w->near_eps) / a;
out:
    return rc;
}

HS_CHECKED static int gain_of_x(walk *w, size_t first, size_t step, double *gain)
{
    int rc;
    double a = SMALL * length(w->n, w->d_x, w->x), noise = sqrt(1 - w->plan->steps->step[step].alpha_bar);
    draw(w, first, step, HS_NOISE_X, w->d_x);
    shift(w, w->d_x, a, w->x, w->near_x);
    HS_TRY(hs_unet_encode(w->plan->model->unet, w->ws, w->n, w->near_x, w->t, w->near_h));
    HS_TRY(hs_unet_decode(w->plan->model->unet, w->ws, w->n, NULL, w->near_h, w->near_eps));
    for (size_t q = 0; q < w->n * w->d_x; q++) {
        w->near_eps[q] = (float)(a * (double)w->xi[q] - noise * ((double)w->near_eps[q] - (double)w->eps[q]));
    }
    *gain = length(w->n, w->d_x, w->near_eps) / a;
out:
    return rc;
}

/* Mean cosine of eps and x_t. */
static double agreement(const walk *w)
{
    double sum = 0;
    for (size_t i = 0; i < w->n; i++) {
        double dot = 0, xx = 0, ee = 0;
        for (size_t q = i * w->d_x; q < (i + 1) * w->d_x; q++) {
            dot += (double)w->x[q] * (double)w->eps[q];
            xx += (double)w->x[q] * (double)w->x[q];
            ee += (double)w->eps[q] * (double)w->eps[q];
        }
        sum += dot / sqrt(xx * ee) / (double)w->n;
    }
    return sum;
}

HS_CHECKED static int scales_of_step(walk *w, size_t first, size_t step, double scale[HS_NOISE_SPACES],
                                     double spreads[HS_NOISE_SPACES])
{
    int rc = HS_OK;
    double h = length(w->n, w->d_h, w->h), ratio = sqrt((double)w->d_x / (double)w->d_h);
    double noise = sqrt(1 - w->plan->steps->step[step].alpha_bar);
    const double norm[] = {ratio, 1, 1}, relative[] = {h, length(w->n, w->d_x, w->eps), length(w->n, w->d_x, w->x)};
    spreads[HS_NOISE_H] = spread(w->n, w->d_h, w->h);
    spreads[HS_NOISE_EPS] = spread(w->n, w->d_x, w->eps);
    spreads[HS_NOISE_X] = spread(w->n, w->d_x, w->x);
    memcpy(scale,
           w->matching == HS_MATCH_NORM     ? norm
           : w->matching == HS_MATCH_SPREAD ? spreads
                                            : relative,
           sizeof norm);
    if (w->matching == HS_MATCH_FIRST_ORDER) {
        double gain_h, gain_x;
        HS_TRY(gain_of_h(w, first, step, &gain_h));
        HS_TRY(gain_of_x(w, first, step, &gain_x));
        scale[HS_NOISE_H] = 1 / gain_h;
        scale[HS_NOISE_EPS] = 1;
        scale[HS_NOISE_X] = noise / gain_x;
    }
    for (int s = 0; s < HS_NOISE_SPACES; s++) {
        if (!isfinite(scale[s]) || scale[s] <= 0) {
            static const char *const name[] = {"h", "eps", "x_t"};
            return hs_fail(HS_EDEGENERATE, "noise in %s at t = %d: no scale matches (%g)", name[s],
                           w->plan->steps->step[step].t, scale[s]);
        }
    }
out:
    return rc;
}

int hs_noise_scale_measure(const hs_perturb_plan *plan, hs_matching matching, size_t first, size_t n, const float *x_T,
                           hs_noise_scale *out)
{
    int rc = HS_OK;
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    hs_noise_scale s = {.S = plan->steps->S};
    walk w = {.plan = plan,
              .matching = matching,
              .n = n,
              .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
              .d_x = hs_chw_size(hs_unet_image_shape(cfg))};
    for (int k = 0; k < HS_NOISE_SPACES; k++) {
        HS_TRY(hs_alloc(s.S, sizeof(double), &s.scale[k]));
        HS_TRY(hs_alloc(s.S, sizeof(double), &s.spread[k]));
    }
    HS_TRY(walk_create(&w));
    memcpy(w.x, x_T, n * w.d_x * sizeof *x_T);
    for (size_t step = 0; step < s.S; step++) {
        double scale[HS_NOISE_SPACES], spreads[HS_NOISE_SPACES];
        HS_TRY(hs_progress_tell(plan->progress, "matching", step, s.S));
        for (size_t i = 0; i < n; i++) {
            w.t[i] = plan->steps->step[step].t;
        }
        HS_TRY(hs_unet_encode(plan->model->unet, w.ws, n, w.x, w.t, w.h));
        HS_TRY(hs_unet_decode(plan->model->unet, w.ws, n, NULL, w.h, w.eps));
        s.denoises = step == 0 ? agreement(&w) : s.denoises;
        HS_TRY(scales_of_step(&w, first, step, scale, spreads));
        for (int k = 0; k < HS_NOISE_SPACES; k++) {
            s.scale[k][step] = scale[k];
            s.spread[k][step] = spreads[k];
        }
        hs_ddim_step(&plan->steps->step[step], 0, plan->clip, n * w.d_x, w.x, w.eps, w.eps, NULL, w.x, NULL);
    }
    *out = s;
    s = (hs_noise_scale){0};
out:
    hs_noise_scale_free(&s);
    walk_free(&w);
    return rc;
}
