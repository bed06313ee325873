#include "analysis/sweep/freeze.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct hs_freeze {
    hs_freeze_plan plan;
    hs_steps first; /* the recorded steps alone; borrows */
    hs_chw h_shape;
    size_t d_h, d_x, d_temb;
    hs_unet_ws *ws;
    float *h, *temb, *dh, *x; /* (batch, .) */
    int *t;                   /* (batch) */
    float *delta, *states;    /* of the run at hand, borrowed; states NULL: not wanted */
};

int hs_freeze_create(const hs_freeze_plan *plan, hs_freeze **out)
{
    int rc;
    hs_freeze *f = NULL;
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    size_t B = plan->batch;
    HS_TRY(hs_calloc(1, sizeof *f, &f));
    if ((plan->dir->net == NULL && !plan->states) || plan->edited == 0 || plan->edited > plan->steps->S) {
        rc = hs_fail(HS_ERANGE, "freeze: %s",
                     plan->dir->net == NULL && !plan->states
                         ? "wanted a delta network; a stored direction is the same for every sample"
                         : "no step of the sampler is recorded");
        goto out;
    }
    f->plan = *plan;
    f->first = *plan->steps;
    f->first.S = plan->edited;
    f->h_shape = hs_unet_h_shape(cfg);
    f->d_h = hs_chw_size(f->h_shape);
    f->d_x = hs_chw_size(hs_unet_image_shape(cfg));
    f->d_temb = cfg->temb_dim;
    HS_TRY(hs_unet_ws_create(plan->model->unet, B, B, plan->conv, &f->ws));
    HS_TRY(hs_alloc(B, f->d_h * sizeof(float), &f->h));
    HS_TRY(hs_alloc(B, f->d_h * sizeof(float), &f->dh));
    HS_TRY(hs_alloc(B, f->d_temb * sizeof(float), &f->temb));
    HS_TRY(hs_alloc(B, f->d_x * sizeof(float), &f->x));
    HS_TRY(hs_alloc(B, sizeof *f->t, &f->t));
    *out = f;
    f = NULL;
out:
    hs_freeze_free(f);
    return rc;
}

void hs_freeze_free(hs_freeze *f)
{
    if (f != NULL) {
        hs_unet_ws_free(f->ws);
        free(f->h);
        free(f->dh);
        free(f->temb);
        free(f->x);
        free(f->t);
        free(f);
    }
}

/* to (n, edited, d_h), its step <- v (n, d_h). */
static void put_aside(const hs_freeze *f, size_t n, size_t step, const float *v, float *to)
{
    for (size_t i = 0; i < n; i++) {
        memcpy(to + (i * f->plan.edited + step) * f->d_h, v + i * f->d_h, f->d_h * sizeof *v);
    }
}

/* The plain predictor, with f_t of each state put aside. */
HS_CHECKED static int predict(void *ctx, size_t n, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    hs_freeze *f = ctx;
    const hs_unet *u = f->plan.model->unet;
    int rc;
    for (size_t i = 0; i < n; i++) {
        f->t[i] = t;
    }
    HS_TRY(hs_unet_encode(u, f->ws, n, x_t, f->t, f->h));
    if (f->states != NULL) {
        put_aside(f, n, step, f->h, f->states);
    }
    if (f->plan.dir->net != NULL) {
        for (size_t i = 0; i < n; i++) {
            memcpy(f->temb + i * f->d_temb, hs_unet_temb(f->ws, i), f->d_temb * sizeof *f->temb);
        }
        HS_TRY(hs_deltablock_forward(f->plan.dir->net, n, f->h_shape, f->h, f->temb, f->dh));
        put_aside(f, n, step, f->dh, f->delta);
    }
    HS_TRY(hs_unet_decode(u, f->ws, n, NULL, f->h, eps_p));
    memcpy(eps_d, eps_p, n * f->d_x * sizeof *eps_d);
out:
    return rc;
}

int hs_freeze_run(hs_freeze *f, size_t first, size_t n, const float *x_T, float *delta)
{
    return hs_freeze_run_states(f, first, n, x_T, NULL, delta);
}

int hs_freeze_run_states(hs_freeze *f, size_t first, size_t n, const float *x_T, float *h, float *delta)
{
    hs_ddim_options o = f->plan.ddim;
    o.observe = NULL;
    o.progress = NULL;
    f->delta = delta;
    f->states = h;
    hs_unet_ws_first(f->ws, first);
    memcpy(f->x, x_T, n * f->d_x * sizeof *x_T);
    return hs_ddim_sample(&(hs_predictor){predict, f}, &f->first, &o, n, f->d_x, f->x);
}

/* ---- Along an edit's plan ---- */

size_t hs_edit_plan_edited(const hs_edit_plan *p)
{
    size_t k = 0;
    while (k < p->steps->S && p->steps->step[k].t >= p->t_edit) {
        k++;
    }
    return k;
}

/* The plan's noise for the batch at hand. */
typedef struct {
    const hs_image_noise *noise;
    size_t first;
} batch_noise;

HS_CHECKED static int noise_of_batch(void *ctx, size_t n, size_t step, float *z)
{
    const batch_noise *b = ctx;
    return b->noise->fill(b->noise->ctx, b->first, n, step, z);
}

/* h and what the network says of all images, in batches; states: h is wanted. */
HS_CHECKED static int along(const hs_edit_plan *p, int states, size_t n, const float *x_T, hs_take_states take,
                            void *ctx)
{
    int rc;
    batch_noise noise = {&p->noise, 0};
    float *delta = NULL, *h = NULL;
    hs_freeze *f = NULL;
    const hs_freeze_plan plan = {.model = p->model,
                                 .steps = p->steps,
                                 .dir = p->dir,
                                 .states = states,
                                 .edited = hs_edit_plan_edited(p),
                                 .batch = p->batch,
                                 .conv = p->conv,
                                 .ddim = {.eta = p->eta,
                                          .eta_boost = 1,
                                          .t_boost = p->t_boost,
                                          .clip = p->clip,
                                          .noise = {p->noise.fill != NULL ? noise_of_batch : NULL, &noise}}};
    HS_TRY(hs_freeze_create(&plan, &f));
    if (p->dir->net != NULL) {
        HS_TRY(hs_alloc(p->batch, plan.edited * f->d_h * sizeof *delta, &delta));
    }
    if (states) {
        HS_TRY(hs_alloc(p->batch, plan.edited * f->d_h * sizeof *h, &h));
    }
    for (noise.first = 0; noise.first < n; noise.first += p->batch) {
        size_t count = n - noise.first < p->batch ? n - noise.first : p->batch;
        HS_TRY(hs_progress_tell(p->progress, states ? "states" : "freeze", noise.first, n));
        HS_TRY(hs_freeze_run_states(f, noise.first, count, x_T + noise.first * f->d_x, h, delta));
        HS_TRY(take(ctx, noise.first, count, h, delta));
    }
out:
    hs_freeze_free(f);
    free(delta);
    free(h);
    return rc;
}

int hs_states_along(const hs_edit_plan *p, size_t n, const float *x_T, hs_take_states take, void *ctx)
{
    return along(p, 1, n, x_T, take, ctx);
}

typedef struct {
    hs_take_deltas take;
    void *ctx;
} deltas_alone;

HS_CHECKED static int pass_deltas(void *ctx, size_t first, size_t count, const float *h, const float *delta)
{
    const deltas_alone *o = ctx;
    (void)h;
    return o->take(o->ctx, first, count, delta);
}

int hs_freeze_along(const hs_edit_plan *p, size_t n, const float *x_T, hs_take_deltas take, void *ctx)
{
    deltas_alone o = {take, ctx};
    return along(p, 0, n, x_T, pass_deltas, &o);
}

/* ---- Means ---- */

int hs_freeze_mean_create(size_t S, size_t d, hs_freeze_mean *out)
{
    int rc;
    hs_freeze_mean m = {.S = S, .d = d};
    HS_TRY(hs_calloc(S, d * sizeof *m.sum, &m.sum));
    HS_TRY(hs_calloc(S, sizeof *m.norm, &m.norm));
    *out = m;
    return HS_OK;
out:
    hs_freeze_mean_free(&m);
    return rc;
}

void hs_freeze_mean_free(hs_freeze_mean *m)
{
    free(m->sum);
    free(m->norm);
    memset(m, 0, sizeof *m);
}

void hs_freeze_mean_add(hs_freeze_mean *m, size_t n, const float *delta)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < m->S; k++) {
            const float *v = delta + (i * m->S + k) * m->d;
            double *sum = m->sum + k * m->d, squares = 0;
            for (size_t j = 0; j < m->d; j++) {
                sum[j] += (double)v[j];
                squares += (double)v[j] * (double)v[j];
            }
            m->norm[k] += sqrt(squares);
        }
    }
    m->n += n;
}

static double norm_of(size_t d, const double *v)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++) {
        sum += v[j] * v[j];
    }
    return sqrt(sum);
}

int hs_freeze_mean_finish(const hs_freeze_mean *m, float *mean, float *global, float *global_unit, double *norm_each,
                          double *norm_mean)
{
    int rc = HS_OK;
    double *g = NULL, n = (double)m->n;
    HS_TRY(hs_calloc(2, m->d * sizeof *g, &g));
    double *u = g + m->d;
    for (size_t k = 0; k < m->S; k++) {
        const double *sum = m->sum + k * m->d;
        double norm = norm_of(m->d, sum);
        if (m->n == 0 || !(norm > 0)) {
            rc = hs_fail(HS_EDEGENERATE, "freeze: the mean dh of step %zu is 0", k);
            goto out;
        }
        norm_each[k] = m->norm[k] / n;
        norm_mean[k] = norm / n;
        for (size_t j = 0; j < m->d; j++) {
            mean[k * m->d + j] = (float)(sum[j] / n);
            g[j] += sum[j] / (n * (double)m->S);
            u[j] += sum[j] / norm;
        }
    }
    double of_g = norm_of(m->d, g), of_u = norm_of(m->d, u);
    if (!(of_g > 0) || !(of_u > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "freeze: the means of the steps cancel");
        goto out;
    }
    for (size_t j = 0; j < m->d; j++) {
        global[j] = (float)g[j];
        global_unit[j] = (float)(u[j] * (of_g / of_u));
    }
out:
    free(g);
    return rc;
}
