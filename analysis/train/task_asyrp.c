#include "analysis/train/task_asyrp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/paths.h"
#include "core/base/alloc.h"
#include "core/diffusion/ddim.h"
#include "core/io/safetensors.h"
#include "core/model/unet_grad.h"

struct hs_asyrp_task {
    const hs_steps *steps;
    hs_deltablock *f;
    const hs_attrnet *phi;
    const float *x_T; /* (n, d) */
    hs_asyrp_task_options o;
    const char *folder;
    size_t n, d, d_h, K, S; /* latents; sizes; answers of phi; steps that are edited */
    hs_unet_grad *g;
    hs_deltablock_grad *fg;
    hs_attrnet_ws *ws;
    float *dtheta;
    hs_arena arena;
    float *x;                 /* (batch, d) the trajectory's state */
    float *h, *dh;            /* (batch, d_h) */
    float *eps, *eps_edit;    /* (batch, d) */
    float *P, *P_edit, *grad; /* (batch, d); grad: of the loss in P_edit, then in eps_edit */
    float *out, *out_edit;    /* (batch, K) */
    int *t;                   /* (batch) */
    hs_str fingerprint;
};

void hs_asyrp_task_free(hs_asyrp_task *a)
{
    if (a != NULL) {
        hs_unet_grad_free(a->g);
        hs_deltablock_grad_free(a->fg);
        hs_attrnet_ws_free(a->ws);
        hs_arena_free(&a->arena);
        hs_str_free(&a->fingerprint);
        free(a->dtheta);
        free(a);
    }
}

HS_CHECKED static int make_room(hs_asyrp_task *a)
{
    const size_t n = a->o.batch, size[] = {a->d, a->d_h, a->d_h, a->d, a->d, a->d, a->d, a->d, a->K, a->K};
    float **const to[] = {&a->x, &a->h,      &a->dh,   &a->eps, &a->eps_edit,
                          &a->P, &a->P_edit, &a->grad, &a->out, &a->out_edit};
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        HS_TRY(hs_arena_alloc(&a->arena, n, size[i] * sizeof(float), to[i]));
    }
    HS_TRY(hs_arena_alloc(&a->arena, n, sizeof *a->t, &a->t));
out:
    return rc;
}

HS_CHECKED static int check(const hs_asyrp_task *a, hs_chw image)
{
    size_t R = hs_attrnet_config_of(a->phi)->image_size;
    if (image.c != 3 || image.h != R || image.w != R) {
        return hs_fail(HS_ESHAPE, "the attribute network reads 3 x %zu x %zu, the model draws %zu x %zu x %zu", R, R,
                       image.c, image.h, image.w);
    }
    if (a->o.batch == 0 || a->o.batch > a->n) {
        return hs_fail(HS_ERANGE, "batch %zu: must be 1 to the number of images, %zu", a->o.batch, a->n);
    }
    if (a->S == 0) {
        return hs_fail(HS_ERANGE, "t-edit %d: no step at or above it", a->o.t_edit);
    }
    if (a->o.factor >= a->K) {
        return hs_fail(HS_ERANGE, "factor %zu of %zu", a->o.factor, a->K);
    }
    return HS_OK;
}

HS_CHECKED static int describe(hs_asyrp_task *a, const char *about)
{
    hs_str *s = &a->fingerprint;
    hs_str_addf(s, "task asyrp\n%srecipe %s\nbatch %zu\nfactor %s\nby %.17g\nl1 %.17g\nt_edit %d\ntimesteps", about,
                a->o.recipe == HS_RECIPE_CODE ? "code" : "paper", a->o.batch,
                hs_attrnet_config_of(a->phi)->factor[a->o.factor].name, a->o.by, a->o.l1, a->o.t_edit);
    for (size_t k = 0; k < a->steps->S; k++) {
        hs_str_addf(s, " %d", a->steps->step[k].t);
    }
    hs_str_add(s, "\n");
    return hs_str_ok(s);
}

int hs_asyrp_task_create(hs_unet *u, const hs_steps *steps, hs_deltablock *f, const hs_attrnet *phi, size_t n,
                         const float *x_T, const hs_asyrp_task_options *o, const char *about, const char *folder,
                         hs_asyrp_task **out)
{
    const hs_unet_config *cfg = hs_unet_config_of(u);
    hs_chw h = hs_unet_h_shape(cfg), image = hs_unet_image_shape(cfg);
    size_t count;
    hs_asyrp_task *a = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    *a = (hs_asyrp_task){.steps = steps, .f = f, .phi = phi, .x_T = x_T, .o = *o, .folder = folder, .n = n};
    a->d = hs_chw_size(image);
    a->d_h = hs_chw_size(h);
    a->K = hs_attrnet_config_of(phi)->n_factors;
    while (a->S < steps->S && steps->step[a->S].t >= o->t_edit) {
        a->S++;
    }
    HS_TRY(check(a, image));
    HS_TRY(make_room(a));
    HS_TRY(describe(a, about));
    hs_deltablock_theta(f, &count);
    HS_TRY(hs_calloc(count, sizeof *a->dtheta, &a->dtheta));
    HS_TRY(hs_unet_grad_create(u, o->batch, o->batch, 0, o->conv, &a->g));
    HS_TRY(hs_deltablock_grad_create(f, h, o->batch, o->batch, &a->fg));
    HS_TRY(hs_attrnet_ws_create(phi, o->batch, 1, o->conv, &a->ws));
    *out = a;
    a = NULL;
out:
    hs_asyrp_task_free(a);
    return rc;
}

/* ---- One timestep -------------------------------------------------------------------------------- */

/* P <- the predicted x_0. */
static void predict_x0(const hs_asyrp_task *a, const hs_step *s, const float *eps, float *P)
{
    float noise = (float)sqrt(1 - s->alpha_bar), signal = (float)sqrt(s->alpha_bar);
    for (size_t i = 0; i < a->o.batch * a->d; i++) {
        P[i] = (a->x[i] - noise * eps[i]) / signal;
    }
}

/* Both predictions at the state at hand; the record is that of the edited one. */
HS_CHECKED static int predict(hs_asyrp_task *a, const hs_step *s)
{
    size_t n = a->o.batch;
    int rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        a->t[i] = s->t;
    }
    HS_TRY(hs_unet_grad_encode(a->g, n, a->x, a->t, a->h));
    HS_TRY(hs_unet_grad_decode(a->g, a->h, a->eps));
    HS_TRY(hs_deltablock_grad_forward(a->fg, n, a->h, hs_unet_grad_temb(a->g, 0), a->dh));
    for (size_t i = 0; i < n * a->d_h; i++) {
        a->h[i] += a->dh[i];
    }
    HS_TRY(hs_unet_grad_decode(a->g, a->h, a->eps_edit));
    predict_x0(a, s, a->eps, a->P);
    predict_x0(a, s, a->eps_edit, a->P_edit);
out:
    return rc;
}

/* *loss, and a->grad <- weight times its gradient in P_edit. */
HS_CHECKED static int judge(hs_asyrp_task *a, double weight, double *loss)
{
    size_t n = a->o.batch, nd = n * a->d;
    double attr = 0, l1 = 0, each = weight * a->o.l1 / (double)nd;
    int rc = HS_OK;
    HS_TRY(hs_attrnet_forward(a->ws, n, a->P, a->out, NULL));
    HS_TRY(hs_attrnet_forward(a->ws, n, a->P_edit, a->out_edit, NULL));
    for (size_t i = 0; i < n; i++) {
        size_t at = i * a->K + a->o.factor;
        double e = (double)a->out_edit[at] - (double)a->out[at] - a->o.by;
        attr += e * e / (double)n;
        memset(a->out + i * a->K, 0, a->K * sizeof *a->out);
        a->out[at] = (float)(weight * 2 * e / (double)n);
    }
    HS_TRY(hs_attrnet_vjp(a->ws, n, a->out, a->grad));
    for (size_t i = 0; i < nd; i++) {
        double e = (double)a->P_edit[i] - (double)a->P[i];
        l1 += fabs(e) / (double)nd;
        a->grad[i] += (float)(e > 0 ? each : e < 0 ? -each : 0);
    }
    *loss = attr + a->o.l1 * l1;
out:
    return rc;
}

/* dtheta += the gradient of weight times the step's loss; the state moves on. */
HS_CHECKED static int timestep(hs_asyrp_task *a, size_t k, double weight, double *loss)
{
    const hs_step *s = &a->steps->step[k];
    float slope = (float)(-sqrt(1 - s->alpha_bar) / sqrt(s->alpha_bar));
    size_t n = a->o.batch;
    int rc = HS_OK;
    HS_TRY(predict(a, s));
    HS_TRY(judge(a, weight, loss));
    for (size_t i = 0; i < n * a->d; i++) {
        a->grad[i] *= slope;
    }
    HS_TRY(hs_unet_vjp_decode(a->g, n, NULL, HS_SKIPS_FIXED, a->grad, a->dh));
    HS_TRY(hs_deltablock_backward(a->fg, a->dh, a->dtheta));
    hs_ddim_step(s, 0, 0, n * a->d, a->x, a->eps_edit, a->eps, NULL, a->x, NULL);
out:
    return rc;
}

static void begin_trajectory(hs_asyrp_task *a, uint64_t trajectory)
{
    for (size_t i = 0; i < a->o.batch; i++) {
        size_t image = (size_t)((trajectory * a->o.batch + i) % a->n);
        memcpy(a->x + i * a->d, a->x_T + image * a->d, a->d * sizeof *a->x);
    }
}

/* ---- The task ------------------------------------------------------------------------------------ */

size_t hs_asyrp_task_updates(const hs_asyrp_task *a)
{
    return a->o.recipe == HS_RECIPE_CODE ? a->S : 1;
}

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    hs_asyrp_task *a = ctx;
    uint64_t each = hs_asyrp_task_updates(a), step = (k - 1) % each;
    int rc = HS_OK;
    if (step == 0) {
        begin_trajectory(a, (k - 1) / each);
    }
    if (a->o.recipe == HS_RECIPE_CODE) {
        return timestep(a, (size_t)step, 1, loss);
    }
    *loss = 0;
    for (size_t s = 0; s < a->S; s++) {
        double one;
        HS_TRY(timestep(a, s, 1 / (double)a->S, &one));
        *loss += one / (double)a->S;
    }
out:
    return rc;
}

static int refresh(void *ctx)
{
    (void)ctx; /* f is read afresh at every evaluation */
    return HS_OK;
}

/* f_t.safetensors, named as the released files are. */
static int publish(void *ctx, const float *weights, uint64_t k)
{
    const hs_asyrp_task *a = ctx;
    char path[HS_TRAIN_PATH], name[HS_DELTABLOCK_PARAMS_MAX][48];
    hs_tensor t[HS_DELTABLOCK_PARAMS_MAX];
    size_t count = hs_deltablock_param_count(a->f);
    int rc = HS_OK;
    (void)k;
    for (size_t i = 0; i < count; i++) {
        hs_deltablock_param p = hs_deltablock_param_at(a->f, i);
        snprintf(name[i], sizeof name[i], "0.%s", p.name);
        t[i] = (hs_tensor){.name = name[i], .dtype = HS_F32, .bytes = (const unsigned char *)(weights + p.offset)};
        t[i].rank = !p.matrix ? 1 : p.kernel ? 4 : 2;
        t[i].dim[0] = p.rows;
        t[i].dim[1] = p.count / p.rows;
        t[i].dim[2] = t[i].dim[3] = 1;
    }
    HS_TRY(hs_train_path(a->folder, "f_t.safetensors", path));
    HS_TRY(hs_safetensors_write(path, count, t, 0, NULL, 1));
out:
    return rc;
}

hs_task hs_asyrp_task_of(hs_asyrp_task *a)
{
    hs_task t = {.grad = a->dtheta,
                 .loss = loss_of,
                 .refresh = refresh,
                 .publish = publish,
                 .fingerprint = a->fingerprint.s,
                 .images = a->o.batch,
                 .ctx = a};
    t.theta = hs_deltablock_theta(a->f, &t.n);
    return t;
}
