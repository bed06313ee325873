#include "analysis/sweep/edit.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/tensor/layout.h"

/* A run at work on one group of images: the columns of strength 0 by themselves, batched as plain samples are so that
 * they are the same to the bit, or all others. */
typedef struct {
    const hs_edit_plan *plan; /* of the columns at hand: m and strength are theirs */
    const hs_edit_watch *watch;
    size_t all, done;  /* columns of the whole run; row steps before these columns */
    size_t copies;     /* columns that a row stands for: 1, or of strength 0 all there are */
    const size_t *col; /* (m copies) */
    hs_predictor inner;
    size_t n, first, group; /* images in all; first and number of this group */
    size_t d_h, d_x, step;
    float *one;   /* (states, the larger of d_h and d_x): dh of one direction */
    float *patch; /* (states, d_x), two of them: eps and its change on the grid of h */
    float *z;     /* (group, d_x) */
    double *size; /* (S) of hs_edit_first_order: sums of |eps_p - eps|; NULL: a run */
} run_state;

/* r->one <- the network's answer to h, or to eps by its patches. */
HS_CHECKED static int ask_network(run_state *r, const hs_direction *d, size_t states, const float *in,
                                  const float *temb)
{
    const hs_unet_config *cfg = hs_unet_config_of(r->plan->model->unet);
    hs_chw h = hs_unet_h_shape(cfg), x = hs_unet_image_shape(cfg);
    size_t p = hs_direction_patch(cfg);
    int rc = HS_OK;
    if (d->space == HS_SPACE_H) {
        return hs_deltablock_forward(d->net, states, h, in, temb, r->one);
    }
    float *answer = r->patch + states * r->d_x;
    hs_patches(states, x.c, x.h, x.w, p, in, r->patch);
    HS_TRY(hs_deltablock_forward(d->net, states, (hs_chw){x.c * p * p, x.h / p, x.w / p}, r->patch, temb, answer));
    hs_patches_back(states, x.c, x.h, x.w, p, answer, r->one);
out:
    return rc;
}

/* What a direction is asked for: its change of these states. */
typedef struct {
    int t;
    size_t states, d;
    const float *in, *temb; /* h or eps, unedited */
} question;

/* dh (states, d) += weight * direction. */
HS_CHECKED static int add_direction(run_state *r, const hs_direction *dir, double weight, const question *q, float *dh)
{
    int rc = HS_OK;
    if (dir->net != NULL) {
        HS_TRY(ask_network(r, dir, q->states, q->in, q->temb));
    } else {
        hs_direction_at(dir, q->t, r->one);
    }
    for (size_t i = 0; i < q->states; i++) {
        const float *v = dir->net != NULL ? r->one + i * q->d : r->one;
        for (size_t k = 0; k < q->d; k++) {
            dh[i * q->d + k] += (float)(weight * (double)v[k]);
        }
    }
out:
    return rc;
}

/* dh <- the sum of the directions of one space. */
HS_CHECKED static int add_up(run_state *r, hs_space space, const question *q, float *dh)
{
    int rc = HS_OK;
    double scale = r->plan->scale * (r->plan->factor != NULL ? r->plan->factor[r->step] : 1);
    memset(dh, 0, q->states * q->d * sizeof *dh);
    for (size_t i = 0; i < r->plan->n_dir; i++) {
        if (r->plan->dir[i].space == space) {
            HS_TRY(add_direction(r, &r->plan->dir[i], scale * r->plan->coef[i], q, dh));
        }
    }
out:
    return rc;
}

static int has_space(const hs_edit_plan *p, hs_space space)
{
    int has = 0;
    for (size_t i = 0; i < p->n_dir; i++) {
        has |= p->dir[i].space == space;
    }
    return has;
}

/* dh <- target of each state's image at this step, less h. */
static void towards_target(const run_state *r, size_t states, const size_t *image, const float *h, float *dh)
{
    for (size_t i = 0; i < states; i++) {
        const float *to = r->plan->target + ((r->first + image[i]) * r->plan->steps->S + r->step) * r->d_h;
        for (size_t k = 0; k < r->d_h; k++) {
            dh[i * r->d_h + k] = to[k] - h[i * r->d_h + k];
        }
    }
}

/* dh <- the given one of each state's image at this step; 0 beyond the last. */
static void from_given(const run_state *r, size_t states, const size_t *image, float *dh)
{
    const hs_edit_plan *p = r->plan;
    for (size_t i = 0; i < states; i++) {
        size_t number = r->first + image[i], row = p->given_row != NULL ? p->given_row[number] : number;
        if (r->step < p->given_S) {
            memcpy(dh + i * r->d_h, p->given + (row * p->given_S + r->step) * r->d_h, r->d_h * sizeof *dh);
        } else {
            memset(dh + i * r->d_h, 0, r->d_h * sizeof *dh);
        }
    }
}

HS_CHECKED static int change_of_h(void *ctx, int t, size_t states, const size_t *image, const float *h,
                                  const float *temb, float *dh)
{
    run_state *r = ctx;
    if (r->plan->target != NULL) {
        towards_target(r, states, image, h, dh);
        return HS_OK;
    }
    if (r->plan->given != NULL) {
        from_given(r, states, image, dh);
        return HS_OK;
    }
    return add_up(r, HS_SPACE_H, &(question){t, states, r->d_h, h, temb}, dh);
}

HS_CHECKED static int change_of_eps(void *ctx, int t, size_t states, const size_t *image, const float *eps,
                                    const float *temb, float *de)
{
    run_state *r = ctx;
    (void)image;
    return add_up(r, HS_SPACE_EPS, &(question){t, states, r->d_x, eps, temb}, de);
}

HS_CHECKED static int watch_h(void *ctx, size_t step, size_t row, const float *h)
{
    run_state *r = ctx;
    int rc = HS_OK;
    size_t m = r->plan->m;
    for (size_t k = 0; k < r->copies; k++) {
        HS_TRY(r->watch->h(r->watch->ctx, step, r->first + row / m, r->col[row % m * r->copies + k], h));
    }
out:
    return rc;
}

HS_CHECKED static int watch_eps(const run_state *r, size_t step, size_t row, const float *x_t, const float *eps_p)
{
    int rc = HS_OK;
    size_t m = r->plan->m;
    for (size_t k = 0; k < r->copies; k++) {
        HS_TRY(r->watch->eps(r->watch->ctx, step, r->first + row / m, r->col[row % m * r->copies + k],
                             x_t + row * r->d_x, eps_p + row * r->d_x));
    }
out:
    return rc;
}

/* Adds up how far the edited eps is from the unedited one, which then takes its place. */
static void take_size(run_state *r, size_t rows, size_t step, float *eps_p, const float *eps_d)
{
    for (size_t row = 0; row < rows; row++) {
        double sum = 0;
        for (size_t k = row * r->d_x; k < (row + 1) * r->d_x; k++) {
            double apart = (double)eps_p[k] - (double)eps_d[k];
            sum += apart * apart;
        }
        r->size[step] += sqrt(sum);
    }
    memcpy(eps_p, eps_d, rows * r->d_x * sizeof *eps_p);
}

/* The inner predictor, seen through watch->eps, and the progress. */
HS_CHECKED static int predict(void *ctx, size_t rows, const float *x_t, int t, size_t step, float *eps_p, float *eps_d)
{
    run_state *r = ctx;
    int rc;
    size_t S = r->plan->steps->S, m = r->plan->m;
    r->step = step;
    HS_TRY(hs_progress_tell(r->plan->progress, "edit", r->done + (r->first * m + rows * step / S) * r->copies * S,
                            r->n * r->all * S));
    HS_TRY(r->inner.predict(r->inner.ctx, rows, x_t, t, step, eps_p, eps_d));
    if (r->size != NULL) {
        take_size(r, rows, step, eps_p, eps_d);
    }
    for (size_t row = 0; row < rows && r->watch != NULL && r->watch->eps != NULL; row++) {
        HS_TRY(watch_eps(r, step, row, x_t, eps_p));
    }
out:
    return rc;
}

/* The rows of one image share their noise, so that only the edit tells them apart. */
HS_CHECKED static int noise_for_rows(void *ctx, size_t rows, size_t step, float *z)
{
    run_state *r = ctx;
    int rc;
    size_t m = r->plan->m;
    HS_TRY(r->plan->noise.fill(r->plan->noise.ctx, r->first, rows / m, step, r->z));
    for (size_t row = 0; row < rows; row++) {
        memcpy(z + row * r->d_x, r->z + row / m * r->d_x, r->d_x * sizeof *z);
    }
out:
    return rc;
}

HS_CHECKED static int check_finite(const run_state *r, size_t rows, const float *x)
{
    for (size_t row = 0; row < rows; row++) {
        for (size_t k = 0; k < r->d_x; k++) {
            if (!isfinite(x[row * r->d_x + k])) {
                return hs_fail(HS_EDEGENERATE, "edit: image %zu at strength %g is not finite; use smaller strengths",
                               r->first + row / r->plan->m, r->plan->strength[row % r->plan->m]);
            }
        }
    }
    return HS_OK;
}

/* x_0 (n, all, d) <- the group's rows x (group m, d) in their columns. */
static void scatter(const run_state *r, const float *x, float *x_0)
{
    size_t m = r->plan->m;
    for (size_t row = 0; row < r->group * m; row++) {
        for (size_t k = 0; k < r->copies; k++) {
            size_t at = (r->first + row / m) * r->all + r->col[row % m * r->copies + k];
            memcpy(x_0 + at * r->d_x, x + row * r->d_x, r->d_x * sizeof *x);
        }
    }
}

/* x (group m, d): room. */
HS_CHECKED static int run_group(run_state *r, hs_unet_ws *ws, const float *x_T, float *x, float *x_0)
{
    int rc;
    const hs_edit_plan *p = r->plan;
    size_t rows = r->group * p->m;
    hs_asyrp *a = NULL;
    int on_eps = p->given == NULL && has_space(p, HS_SPACE_EPS);
    int on_h = p->target != NULL || p->given != NULL || has_space(p, HS_SPACE_H) || p->n_dir == 0;
    hs_edit edit = {.delta = {on_h ? change_of_h : NULL, r},
                    .delta_eps = {on_eps ? change_of_eps : NULL, r},
                    .path = p->path != NULL ? p->path : hs_path_add,
                    .m = p->m,
                    .strength = p->strength,
                    .t_edit = p->strength[0] != 0 ? p->t_edit : INT_MAX,
                    .symmetric = p->symmetric,
                    .observe_h = r->watch != NULL && r->watch->h != NULL ? watch_h : NULL,
                    .observe_ctx = r};
    hs_ddim_options ddim = HS_DDIM_OPTIONS_INIT;
    ddim.eta = p->eta;
    ddim.t_boost = p->t_boost;
    ddim.clip = p->clip;
    ddim.noise = (hs_noise){p->noise.fill != NULL ? noise_for_rows : NULL, r};
    hs_unet_ws_first(ws, r->first);
    HS_TRY(hs_asyrp_create(p->model->unet, ws, &edit, r->group, &a));
    r->inner = hs_asyrp_predictor(a);
    for (size_t row = 0; row < rows; row++) {
        memcpy(x + row * r->d_x, x_T + (r->first + row / p->m) * r->d_x, r->d_x * sizeof *x);
    }
    HS_TRY(hs_ddim_sample(&(hs_predictor){predict, r}, p->steps, &ddim, rows, r->d_x, x));
    HS_TRY(check_finite(r, rows, x));
    scatter(r, x, x_0);
out:
    hs_asyrp_free(a);
    return rc;
}

/* All images at the columns of r. */
HS_CHECKED static int run_columns(run_state *r, const float *x_T, float *x_0)
{
    int rc;
    const hs_edit_plan *p = r->plan;
    const int plain = p->strength[0] == 0;
    hs_unet_ws *ws = NULL;
    float *x = NULL;
    size_t group = p->batch / p->m > 0 ? p->batch / p->m : 1, rows;
    group = group < r->n ? group : r->n;
    rows = group * p->m;
    size_t states = rows < p->batch ? rows : p->batch;
    r->first = 0;
    if (r->watch != NULL && r->watch->had != NULL) {
        HS_TRY(r->watch->had(r->watch->ctx, !plain, x_0, &r->first));
    }
    HS_TRY(hs_unet_ws_create(p->model->unet, states, plain ? states : 2 * states, p->conv, &ws));
    HS_TRY(hs_alloc(rows, r->d_x * sizeof *x, &x));
    HS_TRY(hs_alloc(states, (r->d_h > r->d_x ? r->d_h : r->d_x) * sizeof(float), &r->one));
    if (has_space(p, HS_SPACE_EPS)) {
        HS_TRY(hs_alloc(2 * states, r->d_x * sizeof(float), &r->patch));
    }
    HS_TRY(hs_alloc(group, r->d_x * sizeof(float), &r->z));
    for (; r->first < r->n; r->first += group) {
        r->group = r->n - r->first < group ? r->n - r->first : group;
        HS_TRY(run_group(r, ws, x_T, x, x_0));
        if (r->watch != NULL && r->watch->ended != NULL) {
            HS_TRY(r->watch->ended(r->watch->ctx, !plain, r->first, r->group, x_0));
        }
    }
    r->done += r->n * p->m * r->copies * p->steps->S;
out:
    hs_unet_ws_free(ws);
    free(x);
    free(r->one);
    free(r->patch);
    free(r->z);
    r->one = r->patch = r->z = NULL;
    return rc;
}

/* A run of n images over so many columns; part is its plan of the columns at hand. */
static run_state start(const hs_edit_plan *part, size_t n, size_t columns)
{
    const hs_unet_config *cfg = hs_unet_config_of(part->model->unet);
    return (run_state){.plan = part,
                       .all = columns,
                       .n = n,
                       .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
                       .d_x = hs_chw_size(hs_unet_image_shape(cfg))};
}

int hs_edit_run(const hs_edit_plan *p, size_t n, const float *x_T, const hs_edit_watch *watch, float *x_0)
{
    int rc;
    hs_edit_plan part = *p;
    run_state r = start(&part, n, p->m);
    r.watch = watch;
    double *strength = NULL;
    size_t *col = NULL, zeros = 0, others = 0;
    HS_TRY(hs_alloc(p->m, sizeof *strength, &strength));
    HS_TRY(hs_alloc(p->m, sizeof *col, &col));
    for (int edited = 0; edited < 2; edited++) { /* the columns of strength 0 first */
        for (size_t j = 0; j < p->m; j++) {
            if ((p->strength[j] != 0) == edited) {
                col[zeros + others] = j;
                strength[zeros + others] = p->strength[j];
                zeros += !edited;
                others += (size_t)edited;
            }
        }
    }
    if (zeros > 0) {
        part.m = 1;
        part.strength = strength;
        r.col = col;
        r.copies = zeros;
        HS_TRY(run_columns(&r, x_T, x_0));
    }
    if (others > 0) {
        part.m = others;
        part.strength = strength + zeros;
        r.col = col + zeros;
        r.copies = 1;
        HS_TRY(run_columns(&r, x_T, x_0));
    }
out:
    free(strength);
    free(col);
    return rc;
}

int hs_edit_first_order(const hs_edit_plan *p, size_t n, const float *x_T, double s, double *size)
{
    int rc;
    hs_edit_plan part = *p;
    run_state r = start(&part, n, 1);
    const size_t column = 0;
    float *x_0 = NULL;
    r.copies = 1;
    r.col = &column;
    r.size = size;
    part.m = 1;
    part.strength = &s;
    part.symmetric = 0;
    memset(size, 0, p->steps->S * sizeof *size);
    HS_TRY(hs_alloc(n, r.d_x * sizeof *x_0, &x_0));
    HS_TRY(run_columns(&r, x_T, x_0));
    for (size_t k = 0; k < p->steps->S; k++) {
        size[k] /= (double)n * fabs(s);
    }
out:
    free(x_0);
    return rc;
}

int hs_edit_match(const hs_edit_plan *plan, const hs_edit_plan *rival, size_t n, const float *x_T, double s,
                  double *factor)
{
    int rc;
    size_t S = plan->steps->S;
    double *size = NULL;
    HS_TRY(hs_alloc(S, sizeof *size, &size));
    HS_TRY(hs_edit_first_order(plan, n, x_T, s, factor));
    HS_TRY(hs_edit_first_order(rival, n, x_T, s, size));
    for (size_t k = 0; k < S; k++) {
        if (factor[k] > 0 && !(size[k] > 0)) {
            rc = hs_fail(HS_EDEGENERATE, "rival: no effect at t = %d, where the direction has one",
                         plan->steps->step[k].t);
            goto out;
        }
        factor[k] = factor[k] > 0 ? factor[k] / size[k] : 0;
    }
out:
    free(size);
    return rc;
}
