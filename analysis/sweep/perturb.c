#include "analysis/sweep/perturb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/diffusion/ddim.h"

/* A run at work on a group of images; row i m + j is image i in column j. */
typedef struct {
    const hs_perturb_plan *plan;
    const hs_perturb_watch *watch;
    const hs_perturb_span *span;
    size_t n, m, own, first, sample0, group; /* own: columns that change x_t, the last ones */
    const hs_perturbation *column;
    size_t d_h, d_x, room, states; /* rows of a group; states encoded at once */
    hs_unet_ws *ws;
    float *x;                   /* (group m, d_x) */
    float *xi[HS_NOISE_SPACES]; /* (group, d) noise of this step */
    float *part[2];             /* (group, d_h) inside, outside; NULL where none is wanted */
    float *in, *h;              /* (room, d_x), (room, d_h): states */
    float *edited, *eps;        /* (2 room, d_h), (2 room, d_x): what is decoded */
    float *eps_p;               /* (d_x) of a row */
    size_t *of, *state, *plain, *change;
    int *t;
} run_state;

static int wants(const run_state *r, hs_noise_space space, int parts)
{
    int any = 0;
    for (size_t j = 0; j < r->m; j++) {
        const hs_perturbation *c = &r->column[j];
        int part = c->part == HS_PART_INSIDE || c->part == HS_PART_OUTSIDE;
        any |= c->space == space && c->level > 0 && part == parts && c->part != HS_PART_COMMON;
    }
    return any;
}

static int is_active(const run_state *r, size_t j, size_t step)
{
    return r->column[j].level > 0 && (!r->column[j].once || step == r->span->from);
}

/* inside, outside (d) <- the parts of xi in the span of k rows and beside it, as long as xi. */
static void split(size_t k, size_t d, const float *basis, const float *xi, float *inside, float *outside)
{
    double whole = 0, in = 0, beside = 0;
    memset(inside, 0, d * sizeof *inside);
    for (size_t c = 0; c < k; c++) {
        double dot = 0;
        for (size_t q = 0; q < d; q++) {
            dot += (double)basis[c * d + q] * (double)xi[q];
        }
        for (size_t q = 0; q < d; q++) {
            inside[q] += (float)(dot * (double)basis[c * d + q]);
        }
    }
    for (size_t q = 0; q < d; q++) {
        outside[q] = xi[q] - inside[q];
        whole += (double)xi[q] * (double)xi[q];
        in += (double)inside[q] * (double)inside[q];
        beside += (double)outside[q] * (double)outside[q];
    }
    for (size_t q = 0; q < d; q++) {
        inside[q] *= (float)(in > 0 ? sqrt(whole / in) : 0);
        outside[q] *= (float)(beside > 0 ? sqrt(whole / beside) : 0);
    }
}

static void draw_noise(run_state *r, size_t step)
{
    const size_t d[HS_NOISE_SPACES] = {r->d_h, r->d_x, r->d_x};
    for (int s = 0; s < HS_NOISE_SPACES; s++) {
        for (size_t i = 0; r->xi[s] != NULL && i < r->group; i++) {
            uint64_t sample = r->sample0 + r->first + i;
            hs_rng stream = {r->plan->seed, HS_RNG_PERTURB, sample << 20 | (uint64_t)step << 4 | (uint64_t)s};
            hs_rng_normal(stream, 0, d[s], r->xi[s] + i * d[s]);
        }
    }
    for (size_t i = 0; r->part[0] != NULL && i < r->group; i++) {
        split(r->plan->k, r->d_h, r->plan->basis + step * r->plan->k * r->d_h, r->xi[HS_NOISE_H] + i * r->d_h,
              r->part[0] + i * r->d_h, r->part[1] + i * r->d_h);
    }
}

static void move_to_common(const run_state *r, size_t step, float level, const float *from, float *to)
{
    const float *common = r->plan->common + step * r->d_h;
    for (size_t q = 0; q < r->d_h; q++) {
        to[q] = from[q] + level * (common[q] - from[q]);
    }
}

/* to (d) <- from + the noise of that row. */
static void add_noise(const run_state *r, size_t step, size_t row, const float *from, float *to)
{
    const hs_perturbation *c = &r->column[row % r->m];
    size_t d = c->space == HS_NOISE_H ? r->d_h : r->d_x, i = row / r->m;
    if (c->part == HS_PART_COMMON) {
        move_to_common(r, step, (float)c->level, from, to);
        return;
    }
    const float *xi = (c->part == HS_PART_ALL ? r->xi[c->space] : r->part[c->part - HS_PART_INSIDE]) + i * d;
    float a = (float)(c->level * r->plan->scale->scale[c->space][step]);
    for (size_t q = 0; q < d; q++) {
        to[q] = from[q] + a * xi[q];
    }
}

/* Which decoded rows a row needs: of its state's own h, of the changed one; SIZE_MAX: not. */
static size_t list_decodes(run_state *r, size_t step, size_t r0, size_t r1, const size_t *state_of)
{
    size_t items = 0, shared = SIZE_MAX, last = SIZE_MAX;
    for (size_t row = r0; row < r1; row++) {
        size_t s = state_of[row - r0], j = row % r->m;
        int edit = r->column[j].space == HS_NOISE_H && is_active(r, j, step);
        shared = s == last ? shared : SIZE_MAX;
        last = s;
        r->plain[row - r0] = r->change[row - r0] = SIZE_MAX;
        if (!edit || !r->column[j].both) {
            if (shared == SIZE_MAX) {
                shared = items++;
                memcpy(r->edited + shared * r->d_h, r->h + s * r->d_h, r->d_h * sizeof *r->h);
                r->state[shared] = s;
            }
            r->plain[row - r0] = shared;
        }
        if (edit) {
            size_t to = items++;
            add_noise(r, step, row, r->h + s * r->d_h, r->edited + to * r->d_h);
            r->state[to] = s;
            r->change[row - r0] = to;
        }
    }
    return items;
}

/* One step of one row from what was decoded. */
static void step_row(run_state *r, size_t step, size_t row, size_t at)
{
    size_t j = row % r->m;
    const hs_perturbation *c = &r->column[j];
    const float *plain = r->plain[at] != SIZE_MAX ? r->eps + r->plain[at] * r->d_x : NULL;
    const float *p = plain, *d = plain;
    if (r->change[at] != SIZE_MAX) {
        p = r->eps + r->change[at] * r->d_x;
        d = plain != NULL ? plain : p;
    } else if (c->space == HS_NOISE_EPS && is_active(r, j, step)) {
        add_noise(r, step, row, plain, r->eps_p);
        p = r->eps_p;
        d = c->both ? p : plain;
    }
    float *x = r->x + row * r->d_x;
    hs_ddim_step(&r->plan->steps->step[step], 0, r->plan->clip, r->d_x, x, p, d, NULL, x, NULL);
}

/* Where an image's columns are one state, its first one stands for it; those that change x_t are states of their own.
 */
static int is_state(const run_state *r, size_t column)
{
    return column == 0 || column >= r->m - r->own;
}

/* The end of the rows from r0 that are encoded at once. */
static size_t batch_end(const run_state *r, size_t r0, size_t rows, int shared)
{
    size_t end = r0, states = 0;
    for (; end < rows; end++) {
        int own = end == r0 || !shared || is_state(r, end % r->m);
        if (own && states == r->states) {
            break;
        }
        states += (size_t)own;
    }
    return end;
}

/* Rows [r0, r1) at the step; shared: columns of an image before the own ones are one state. */
HS_CHECKED static int run_rows(run_state *r, size_t step, size_t r0, size_t r1, int shared, size_t *state_of)
{
    int rc = HS_OK;
    const hs_unet *u = r->plan->model->unet;
    size_t states = 0;
    for (size_t row = r0; row < r1; row++) {
        if (row == r0 || !shared || is_state(r, row % r->m)) {
            r->of[states] = r->first + row / r->m;
            r->t[states] = r->plan->steps->step[step].t;
            memcpy(r->in + states++ * r->d_x, r->x + row * r->d_x, r->d_x * sizeof *r->x);
        }
        state_of[row - r0] = states - 1;
    }
    HS_TRY(hs_unet_encode_images(u, r->ws, states, r->of, r->in, r->t, r->h));
    for (size_t row = r0; r->watch != NULL && r->watch->h != NULL && row < r1; row++) {
        HS_TRY(r->watch->h(r->watch->ctx, step, r->first + row / r->m, row % r->m, r->h + state_of[row - r0] * r->d_h));
    }
    size_t items = list_decodes(r, step, r0, r1, state_of);
    HS_TRY(hs_unet_decode(u, r->ws, items, r->state, r->edited, r->eps));
    for (size_t row = r0; row < r1; row++) {
        step_row(r, step, row, row - r0);
    }
out:
    return rc;
}

HS_CHECKED static int run_step(run_state *r, size_t step, size_t *state_of)
{
    int rc = HS_OK;
    size_t rows = r->group * r->m, S = r->plan->steps->S, from = r->span->from;
    draw_noise(r, step);
    for (size_t row = 0; row < rows; row++) {
        if (r->column[row % r->m].space == HS_NOISE_X && is_active(r, row % r->m, step)) {
            add_noise(r, step, row, r->x + row * r->d_x, r->x + row * r->d_x);
        }
    }
    for (size_t i = 0; r->span->x_seen != NULL && step == r->span->seen && i < r->group; i++) {
        memcpy(r->span->x_seen + (r->first + i) * r->d_x, r->x + i * r->m * r->d_x, r->d_x * sizeof *r->x);
    }
    for (size_t r0 = 0, r1; r0 < rows; r0 = r1) {
        r1 = batch_end(r, r0, rows, step == from);
        HS_TRY(run_rows(r, step, r0, r1, step == from, state_of));
    }
    HS_TRY(hs_progress_tell(r->plan->progress, r->plan->what,
                            (r->first * (S - from) + r->group * (step - from + 1)) * r->m, r->n * (S - from) * r->m));
out:
    return rc;
}

HS_CHECKED static int check_finite(const run_state *r)
{
    for (size_t c = 0; c < r->group * r->m * r->d_x; c++) {
        if (!isfinite(r->x[c])) {
            size_t row = c / r->d_x;
            return hs_fail(HS_EDEGENERATE, "image %zu is not finite at noise level %g; wanted smaller levels",
                           r->first + row / r->m, r->column[row % r->m].level);
        }
    }
    return HS_OK;
}

static void release(run_state *r)
{
    void *const owned[] = {r->x,      r->xi[0], r->xi[1], r->xi[2], r->part[0], r->part[1], r->in,     r->h,
                           r->edited, r->eps,   r->eps_p, r->of,    r->state,   r->plain,   r->change, r->t};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    hs_unet_ws_free(r->ws);
}

/* groups: images worked on at once. */
HS_CHECKED static int make_room(run_state *r, size_t groups)
{
    int rc = HS_OK;
    const size_t d[HS_NOISE_SPACES] = {r->d_h, r->d_x, r->d_x};
    size_t rows;
    HS_TRY(hs_size_mul(groups, r->m, &rows));
    HS_TRY(hs_alloc(rows, r->d_x * sizeof(float), &r->x));
    for (int s = 0; s < HS_NOISE_SPACES; s++) {
        int parts = s == HS_NOISE_H && wants(r, HS_NOISE_H, 1);
        if (parts || wants(r, (hs_noise_space)s, 0)) {
            HS_TRY(hs_alloc(groups, d[s] * sizeof(float), &r->xi[s]));
        }
        for (int k = 0; parts && k < 2; k++) {
            HS_TRY(hs_alloc(groups, r->d_h * sizeof(float), &r->part[k]));
        }
    }
    HS_TRY(hs_alloc(r->room, r->d_x * sizeof(float), &r->in));
    HS_TRY(hs_alloc(r->room, r->d_h * sizeof(float), &r->h));
    HS_TRY(hs_alloc(2 * r->room, r->d_h * sizeof(float), &r->edited));
    HS_TRY(hs_alloc(2 * r->room, r->d_x * sizeof(float), &r->eps));
    HS_TRY(hs_alloc(r->d_x, sizeof(float), &r->eps_p));
    HS_TRY(hs_alloc(r->room, sizeof *r->of, &r->of));
    HS_TRY(hs_alloc(2 * r->room, sizeof *r->state, &r->state));
    HS_TRY(hs_alloc(r->room, sizeof *r->plain, &r->plain));
    HS_TRY(hs_alloc(r->room, sizeof *r->change, &r->change));
    HS_TRY(hs_alloc(r->room, sizeof *r->t, &r->t));
    HS_TRY(hs_unet_ws_create(r->plan->model->unet, r->states, r->states, r->plan->conv, &r->ws));
out:
    return rc;
}

HS_CHECKED static int check_columns(run_state *r)
{
    for (size_t j = 0; j < r->m; j++) {
        if (r->column[j].space == HS_NOISE_X) {
            r->own++;
        } else if (r->own > 0) {
            return hs_fail(HS_ERANGE, "perturbation %zu: one of x_t stands before it; wanted those last", j);
        }
    }
    return r->m > 0 ? HS_OK : hs_fail(HS_ERANGE, "no perturbation");
}

int hs_perturb_run(const hs_perturb_plan *plan, size_t first, size_t n, const float *x, const hs_perturb_span *span,
                   size_t m, const hs_perturbation *column, const hs_perturb_watch *watch, float *x_0)
{
    int rc = HS_OK;
    const hs_unet_config *cfg = hs_unet_config_of(plan->model->unet);
    size_t *state_of = NULL;
    run_state r = {.plan = plan,
                   .watch = watch,
                   .span = span,
                   .n = n,
                   .m = m,
                   .sample0 = first,
                   .column = column,
                   .d_h = hs_chw_size(hs_unet_h_shape(cfg)),
                   .d_x = hs_chw_size(hs_unet_image_shape(cfg))};
    HS_TRY(check_columns(&r));
    size_t groups = plan->batch / m > 0 ? plan->batch / m : 1;
    groups = groups < n ? groups : n;
    r.room = groups * m;
    r.states = r.room < plan->batch ? r.room : plan->batch;
    HS_TRY(hs_alloc(r.room, sizeof *state_of, &state_of));
    HS_TRY(make_room(&r, groups));
    for (r.first = 0; r.first < n; r.first += groups) {
        r.group = n - r.first < groups ? n - r.first : groups;
        for (size_t row = 0; row < r.group * m; row++) {
            memcpy(r.x + row * r.d_x, x + (r.first + row / m) * r.d_x, r.d_x * sizeof *x);
        }
        for (size_t step = span->from; step < plan->steps->S; step++) {
            HS_TRY(run_step(&r, step, state_of));
        }
        HS_TRY(check_finite(&r));
        if (x_0 != NULL) {
            memcpy(x_0 + r.first * m * r.d_x, r.x, r.group * m * r.d_x * sizeof *x_0);
        }
        if (watch != NULL && watch->ended != NULL) {
            HS_TRY(watch->ended(watch->ctx, r.first, r.group, r.x));
        }
    }
out:
    release(&r);
    free(state_of);
    return rc;
}

void hs_perturb_cost(size_t S, size_t n, size_t m, const hs_perturbation *column, double *encodes, double *decodes)
{
    double own = 0, later = 0, apart = 0, plain = 0;
    for (size_t j = 0; j < m; j++) {
        int h = column[j].space == HS_NOISE_H && column[j].level > 0;
        own += column[j].space == HS_NOISE_X;
        later += h && !column[j].both ? 2 : 1;
        apart += h; /* at the first step: the changed h; the unchanged one is shared */
        plain += column[j].space != HS_NOISE_X && !(h && column[j].both);
    }
    *encodes = (double)n * ((double)(S - 1) * (double)m + own + ((double)m > own));
    *decodes = (double)n * ((double)(S - 1) * later + apart + own + (plain > 0));
}
