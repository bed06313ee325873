#include "analysis/geometry/states.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/diffusion/ddim.h"

void hs_geometry_states_free(hs_geometry_states *s)
{
    free(s->x);
    free(s->h);
    free(s->x_0);
    memset(s, 0, sizeof *s);
}

double hs_geometry_alpha_bar(const hs_geometry_run *run, size_t k)
{
    return run->m->schedule.alpha_bar[run->t[k]];
}

/* The plain predictor, which keeps what it passes. */
typedef struct {
    const hs_geometry_run *run;
    hs_unet_ws *ws;
    size_t first; /* sample of row 0 */
    hs_geometry_states *s;
    float *h; /* (batch, d_h) */
    int *t;   /* (batch) */
} walk;

HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    walk *w = ctx;
    hs_geometry_states *s = w->s;
    int rc = HS_OK;
    (void)step;
    for (size_t i = 0; i < n; i++) {
        w->t[i] = t;
    }
    HS_TRY(hs_unet_encode(w->run->m->unet, w->ws, n, x_t, w->t, w->h));
    HS_TRY(hs_unet_decode(w->run->m->unet, w->ws, n, NULL, w->h, eps_p));
    memcpy(eps_d, eps_p, n * s->d_x * sizeof *eps_d);
    for (size_t k = 0; k < s->S; k++) {
        if (w->run->t[k] == t) {
            memcpy(s->x + (k * s->n + w->first) * s->d_x, x_t, n * s->d_x * sizeof *x_t);
            memcpy(s->h + (k * s->n + w->first) * s->d_h, w->h, n * s->d_h * sizeof *w->h);
        }
    }
out:
    return rc;
}

HS_CHECKED static int check_timesteps(const hs_geometry_run *run, const hs_steps *steps)
{
    for (size_t k = 0; k < run->S; k++) {
        size_t j = 0;
        while (j < steps->S && steps->step[j].t != run->t[k]) {
            j++;
        }
        if (j == steps->S) {
            return hs_fail(HS_ERANGE, "t = %d is none of the sampler's %zu timesteps", run->t[k], steps->S);
        }
    }
    return run->S > 0 ? HS_OK : hs_fail(HS_ERANGE, "geometry at no timestep");
}

int hs_geometry_states_of(const hs_geometry_run *run, const hs_steps *steps, size_t n, const float *x_T,
                          hs_geometry_states *out)
{
    const hs_unet_config *cfg = hs_unet_config_of(run->m->unet);
    hs_geometry_states s = {
        .n = n, .S = run->S, .d_x = hs_chw_size(hs_unet_image_shape(cfg)), .d_h = hs_chw_size(hs_unet_h_shape(cfg))};
    walk w = {.run = run, .s = &s};
    hs_ddim_options o = HS_DDIM_OPTIONS_INIT;
    size_t rows, batch = run->batch < n ? run->batch : n;
    int rc = HS_OK;
    HS_TRY(check_timesteps(run, steps));
    HS_TRY(hs_size_mul(n, s.S, &rows));
    HS_TRY(hs_alloc(rows, s.d_x * sizeof *s.x, &s.x));
    HS_TRY(hs_alloc(rows, s.d_h * sizeof *s.h, &s.h));
    HS_TRY(hs_alloc(n, s.d_x * sizeof *s.x_0, &s.x_0));
    HS_TRY(hs_alloc(batch, s.d_h * sizeof *w.h, &w.h));
    HS_TRY(hs_alloc(batch, sizeof *w.t, &w.t));
    HS_TRY(hs_unet_ws_create(run->m->unet, batch, batch, run->conv, &w.ws));
    memcpy(s.x_0, x_T, n * s.d_x * sizeof *x_T);
    for (; w.first < n; w.first += batch) {
        size_t count = n - w.first < batch ? n - w.first : batch;
        HS_TRY(hs_progress_tell(run->progress, "states", w.first, n));
        HS_TRY(hs_ddim_sample(&(hs_predictor){predict, &w}, steps, &o, count, s.d_x, s.x_0 + w.first * s.d_x));
    }
    *out = s;
    s = (hs_geometry_states){0};
out:
    free(w.h);
    free(w.t);
    hs_unet_ws_free(w.ws);
    hs_geometry_states_free(&s);
    return rc;
}
