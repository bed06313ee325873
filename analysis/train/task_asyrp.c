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
    const hs_unet *u;
    const hs_steps *steps;
    hs_delta_var *v;
    const hs_goal *goal;
    const float *x_T, *x_0; /* (n, d) */
    hs_asyrp_task_options o;
    const char *folder;
    size_t batch, d, d_h, S; /* images at once; sizes; steps that are edited */
    hs_unet_grad *g;         /* of D on h: the decoder's derivative */
    hs_unet_ws *ws;          /* of D on eps: values alone */
    float *grad;             /* of theta */
    hs_arena arena;
    size_t group, rows;     /* at hand */
    float *x, *x_plain;     /* (batch, d) the states of the edited trajectory, and of the one that is not */
    float *h, *dh;          /* (batch, d_h) */
    float *eps, *eps_edit;  /* (batch, d) */
    float *P, *P_edit, *du; /* (batch, d); du: of the loss in P_edit, then in eps_edit */
    int *t;                 /* (batch) */
    hs_str fingerprint;
};

void hs_asyrp_task_free(hs_asyrp_task *a)
{
    if (a != NULL) {
        hs_unet_grad_free(a->g);
        hs_unet_ws_free(a->ws);
        hs_arena_free(&a->arena);
        hs_str_free(&a->fingerprint);
        free(a->grad);
        free(a);
    }
}

size_t hs_asyrp_edited_steps(const hs_steps *steps, int t_edit)
{
    size_t S = 0;
    while (S < steps->S && steps->step[S].t >= t_edit) {
        S++;
    }
    return S;
}

HS_CHECKED static int make_room(hs_asyrp_task *a)
{
    const size_t size[] = {a->d, a->d, a->d_h, a->d_h, a->d, a->d, a->d, a->d, a->d};
    float **const to[] = {&a->x, &a->x_plain, &a->h, &a->dh, &a->eps, &a->eps_edit, &a->P, &a->P_edit, &a->du};
    size_t count;
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
        HS_TRY(hs_arena_alloc(&a->arena, a->batch, size[i] * sizeof(float), to[i]));
    }
    HS_TRY(hs_arena_alloc(&a->arena, a->batch, sizeof *a->t, &a->t));
    hs_delta_theta(a->v, &count);
    HS_TRY(hs_calloc(count, sizeof *a->grad, &a->grad));
out:
    return rc;
}

HS_CHECKED static int check(const hs_asyrp_task *a)
{
    const hs_delta_spec *spec = hs_delta_spec_of(a->v);
    if (a->S == 0) {
        return hs_fail(HS_ERANGE, "t-edit %d: no step at or above it", a->o.t_edit);
    }
    if (spec->S != a->S || (a->o.against == HS_AGAINST_IMAGE && a->x_0 == NULL)) {
        return hs_fail(HS_EBUG, "asyrp: made for %zu edited steps, there are %zu; or no images", spec->S, a->S);
    }
    return HS_OK;
}

HS_CHECKED static int describe(hs_asyrp_task *a, const char *about)
{
    static const char *const kind[] = {"net", "free", "shared"}, *const against[] = {"state", "trajectory", "image"};
    const hs_delta_spec *spec = hs_delta_spec_of(a->v);
    hs_str *s = &a->fingerprint;
    hs_str_addf(s, "task asyrp\n%s%sof %s\nspace %s\nagainst %s\nupdate %s\nbatch %zu\nweight %.17g\nl1 %.17g\n", about,
                a->goal->about, kind[spec->kind], spec->eps ? "eps" : "h", against[a->o.against],
                a->o.update == HS_UPDATE_TIMESTEP ? "timestep" : "trajectory", a->batch, a->o.weight, a->o.l1);
    hs_str_addf(s, "t_edit %d\ntimesteps", a->o.t_edit);
    for (size_t k = 0; k < a->steps->S; k++) {
        hs_str_addf(s, " %d", a->steps->step[k].t);
    }
    hs_str_add(s, "\n");
    return hs_str_ok(s);
}

int hs_asyrp_task_create(hs_unet *u, const hs_steps *steps, hs_delta_var *v, const hs_goal *goal, const float *x_T,
                         const float *x_0, const hs_asyrp_task_options *o, const char *about, const char *folder,
                         hs_asyrp_task **out)
{
    const hs_unet_config *cfg = hs_unet_config_of(u);
    hs_asyrp_task *a = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    *a = (hs_asyrp_task){
        .u = u, .steps = steps, .v = v, .goal = goal, .x_T = x_T, .x_0 = x_0, .o = *o, .folder = folder};
    a->batch = hs_delta_spec_of(v)->batch;
    a->d = hs_chw_size(hs_unet_image_shape(cfg));
    a->d_h = hs_chw_size(hs_unet_h_shape(cfg));
    a->S = hs_asyrp_edited_steps(steps, o->t_edit);
    HS_TRY(check(a));
    HS_TRY(make_room(a));
    HS_TRY(describe(a, about));
    HS_TRY(hs_delta_spec_of(v)->eps ? hs_unet_ws_create(u, a->batch, a->batch, o->conv, &a->ws)
                                    : hs_unet_grad_create_decoder(u, a->batch, a->batch, o->conv, &a->g));
    *out = a;
    a = NULL;
out:
    hs_asyrp_task_free(a);
    return rc;
}

/* ---- One timestep -------------------------------------------------------------------------------- */

/* P <- the predicted x_0 at states x. */
static void predict_x0(const hs_asyrp_task *a, const hs_step *s, const float *x, const float *eps, float *P)
{
    float noise = (float)sqrt(1 - s->alpha_bar), signal = (float)sqrt(s->alpha_bar);
    for (size_t i = 0; i < a->rows * a->d; i++) {
        P[i] = (x[i] - noise * eps[i]) / signal;
    }
}

/* a->h and a->eps <- the plain network at states x. */
HS_CHECKED static int evaluate(hs_asyrp_task *a, const hs_step *s, const float *x)
{
    int rc = HS_OK;
    for (size_t i = 0; i < a->rows; i++) {
        a->t[i] = s->t;
    }
    if (a->g != NULL) {
        HS_TRY(hs_unet_grad_encode(a->g, a->rows, x, a->t, a->h));
        HS_TRY(hs_unet_grad_decode(a->g, a->h, a->eps));
    } else {
        HS_TRY(hs_unet_encode(a->u, a->ws, a->rows, x, a->t, a->h));
        HS_TRY(hs_unet_decode(a->u, a->ws, a->rows, NULL, a->h, a->eps));
    }
out:
    return rc;
}

/* a->P <- P_src of the trajectory that is never edited, which moves on; at its first step it is where the other is. */
HS_CHECKED static int follow_plain(hs_asyrp_task *a, size_t k)
{
    const hs_step *s = &a->steps->step[k];
    int rc = HS_OK;
    if (a->o.against == HS_AGAINST_STATE || k == 0) {
        return HS_OK;
    }
    HS_TRY(evaluate(a, s, a->x_plain));
    predict_x0(a, s, a->x_plain, a->eps, a->P);
    hs_ddim_step(s, 0, 0, a->rows * a->d, a->x_plain, a->eps, a->eps, NULL, a->x_plain, NULL);
out:
    return rc;
}

/* Both predictions at the state at hand; the record is that of the edited one. */
HS_CHECKED static int predict(hs_asyrp_task *a, size_t k)
{
    const hs_step *s = &a->steps->step[k];
    size_t nd = a->rows * a->d;
    int rc = HS_OK;
    HS_TRY(follow_plain(a, k));
    HS_TRY(evaluate(a, s, a->x));
    if (a->o.against == HS_AGAINST_STATE || k == 0) {
        predict_x0(a, s, a->x, a->eps, a->P);
    }
    if (a->o.against != HS_AGAINST_STATE && k == 0) {
        hs_ddim_step(s, 0, 0, nd, a->x, a->eps, a->eps, NULL, a->x_plain, NULL);
    }
    if (a->g != NULL) {
        HS_TRY(hs_delta_forward(a->v, a->group, k, a->h, hs_unet_grad_temb(a->g, 0), a->dh));
        for (size_t i = 0; i < a->rows * a->d_h; i++) {
            a->h[i] += a->dh[i];
        }
        HS_TRY(hs_unet_grad_decode(a->g, a->h, a->eps_edit));
    } else {
        HS_TRY(hs_delta_forward(a->v, a->group, k, a->eps, hs_unet_temb(a->ws, 0), a->eps_edit));
        for (size_t i = 0; i < nd; i++) {
            a->eps_edit[i] += a->eps[i];
        }
    }
    predict_x0(a, s, a->x, a->eps_edit, a->P_edit);
out:
    return rc;
}

/* *loss, and a->du <- its gradient in P_edit. */
HS_CHECKED static int judge(hs_asyrp_task *a, double *loss)
{
    size_t nd = a->rows * a->d;
    double value, l1 = 0, each = a->o.l1 / (double)nd;
    int rc = HS_OK;
    if (a->o.against != HS_AGAINST_IMAGE) {
        HS_TRY(a->goal->source(a->goal->ctx, a->rows, a->P));
    }
    HS_TRY(a->goal->judge(a->goal->ctx, a->rows, a->P_edit, a->o.weight, &value, a->du));
    for (size_t i = 0; i < nd; i++) {
        double e = (double)a->P_edit[i] - (double)a->P[i];
        l1 += fabs(e) / (double)nd;
        a->du[i] += (float)(e > 0 ? each : e < 0 ? -each : 0);
    }
    *loss = a->o.weight * value + a->o.l1 * l1;
out:
    return rc;
}

/* a->grad += the gradient of the step's loss; the state moves on. */
HS_CHECKED static int timestep(hs_asyrp_task *a, size_t k, double *loss)
{
    const hs_step *s = &a->steps->step[k];
    float slope = (float)(-sqrt(1 - s->alpha_bar) / sqrt(s->alpha_bar));
    size_t nd = a->rows * a->d;
    int rc = HS_OK;
    HS_TRY(predict(a, k));
    HS_TRY(judge(a, loss));
    for (size_t i = 0; i < nd; i++) {
        a->du[i] *= slope;
    }
    if (a->g != NULL) {
        HS_TRY(hs_unet_vjp_decode(a->g, a->rows, NULL, HS_SKIPS_FIXED, a->du, a->dh));
    }
    HS_TRY(hs_delta_backward(a->v, a->g != NULL ? a->dh : a->du, a->grad));
    hs_ddim_step(s, 0, 0, nd, a->x, a->eps_edit, a->eps, NULL, a->x, NULL);
out:
    return rc;
}

HS_CHECKED static int begin_trajectory(hs_asyrp_task *a, uint64_t round)
{
    a->group = (size_t)(round % hs_delta_groups(a->v));
    a->rows = hs_delta_group_size(a->v, a->group);
    size_t first = a->group * a->batch * a->d;
    if (a->g != NULL) {
        hs_unet_grad_first(a->g, a->group * a->batch);
    } else {
        hs_unet_ws_first(a->ws, a->group * a->batch);
    }
    memcpy(a->x, a->x_T + first, a->rows * a->d * sizeof *a->x);
    return a->o.against == HS_AGAINST_IMAGE ? a->goal->source(a->goal->ctx, a->rows, a->x_0 + first) : HS_OK;
}

/* ---- The task ------------------------------------------------------------------------------------ */

size_t hs_asyrp_task_updates(const hs_asyrp_task *a)
{
    return a->o.update == HS_UPDATE_TIMESTEP ? a->S : 1;
}

static int loss_of(void *ctx, uint64_t k, double *loss)
{
    hs_asyrp_task *a = ctx;
    uint64_t each = hs_asyrp_task_updates(a), step = (k - 1) % each;
    int rc = HS_OK;
    HS_TRY(step == 0 ? begin_trajectory(a, (k - 1) / each) : HS_OK);
    if (a->o.update == HS_UPDATE_TIMESTEP) {
        return timestep(a, (size_t)step, loss);
    }
    *loss = 0;
    for (size_t s = 0; s < a->S; s++) {
        double one;
        HS_TRY(timestep(a, s, &one));
        *loss += one / (double)a->S;
    }
out:
    return rc;
}

static void span_of(void *ctx, uint64_t k, size_t *first, size_t *count, uint64_t *visit)
{
    const hs_asyrp_task *a = ctx;
    uint64_t each = hs_asyrp_task_updates(a);
    size_t step = (size_t)((k - 1) % each);
    hs_delta_span(a->v, (k - 1) / each, a->o.update == HS_UPDATE_TIMESTEP ? step : a->S, first, count, visit);
}

static int refresh(void *ctx)
{
    (void)ctx; /* D is read afresh at every evaluation */
    return HS_OK;
}

/* f_t.safetensors, named as the released files are; of free D nothing but the checkpoint. */
static int publish(void *ctx, const float *weights, uint64_t k)
{
    const hs_asyrp_task *a = ctx;
    const hs_deltablock *f = hs_delta_spec_of(a->v)->net;
    char path[HS_TRAIN_PATH], name[HS_DELTABLOCK_PARAMS_MAX][48];
    hs_tensor t[HS_DELTABLOCK_PARAMS_MAX];
    size_t count = f != NULL ? hs_deltablock_param_count(f) : 0;
    int rc = HS_OK;
    (void)k;
    if (f == NULL) {
        return HS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        hs_deltablock_param p = hs_deltablock_param_at(f, i);
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
    hs_task t = {.grad = a->grad,
                 .loss = loss_of,
                 .span = span_of,
                 .refresh = refresh,
                 .publish = publish,
                 .fingerprint = a->fingerprint.s,
                 .images = a->batch,
                 .ctx = a};
    t.theta = hs_delta_theta(a->v, &t.n);
    t.parameters = t.n;
    return t;
}
