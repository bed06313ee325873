/* The derivatives of f_t, by those of its layers. */
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/model/deltablock_net.h"
#include "core/nn/linear.h"
#include "core/tensor/layout.h"

struct hs_deltablock_grad {
    const hs_deltablock *f;
    size_t hw, states, rows; /* rows: room for tangents, at least states */
    size_t n;                /* recorded */
    int timed;               /* with temb */
    hs_arena arena;
    hs_delta_acts a;
    float *d[2];  /* (rows, hw, widest) tangents or cotangents */
    float *dterm; /* (states, c) */
    void *scratch;
};

static int room(hs_deltablock_grad *g)
{
    const hs_deltablock *f = g->f;
    const hs_groupnorm norm = hs_delta_norm(f);
    float **map[] = {&g->a.h, &g->a.v, &g->a.u};
    size_t each = 0, outer = 0, widest;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(g->hw, f->c * sizeof(float), &each));
    HS_TRY(hs_size_mul(g->hw, f->io * sizeof(float), &outer));
    widest = outer > each ? outer : each;
    for (size_t i = 0; i < 3; i++) {
        HS_TRY(hs_arena_alloc(&g->arena, g->states, i == 0 ? outer : each, map[i]));
    }
    for (size_t i = 0; i < 2; i++) {
        HS_TRY(hs_arena_alloc(&g->arena, g->rows, widest, &g->d[i]));
    }
    g->a.out = g->d[0];
    HS_TRY(hs_arena_alloc(&g->arena, g->states, f->temb * sizeof(float), &g->a.act));
    HS_TRY(hs_arena_alloc(&g->arena, g->states, f->c * sizeof(float), &g->a.term));
    HS_TRY(hs_arena_alloc(&g->arena, g->states, f->c * sizeof(float), &g->dterm));
    HS_TRY(hs_arena_alloc(&g->arena, g->states, 2 * HS_DELTA_GROUPS * sizeof(float), &g->a.stats));
    g->a.s = g->a.h;
    size_t scratch = hs_groupnorm_vjp_scratch(&norm, g->rows, f->c);
    if (f->adm) {
        const hs_groupnorm first = hs_delta_norm0(f);
        size_t more = hs_groupnorm_vjp_scratch(&first, g->rows, f->io);
        scratch = more > scratch ? more : scratch;
        HS_TRY(hs_arena_alloc(&g->arena, g->states, outer, &g->a.s));
        HS_TRY(hs_arena_alloc(&g->arena, g->states, 2 * HS_DELTA_GROUPS * sizeof(float), &g->a.stats0));
    }
    HS_TRY(hs_arena_alloc(&g->arena, scratch, 1, &g->scratch));
out:
    return rc;
}

int hs_deltablock_grad_create(const hs_deltablock *f, hs_chw shape, size_t states, size_t rows,
                              hs_deltablock_grad **out)
{
    hs_deltablock_grad *g = NULL;
    int rc = HS_OK;
    if (states == 0 || rows == 0 || states > 65536 || rows > 65536) {
        return hs_fail(HS_ERANGE, "f_t: derivatives at %zu states of %zu rows: must be 1 to 65536 each", states, rows);
    }
    HS_TRY(hs_delta_fits(f, shape));
    HS_TRY(hs_calloc(1, sizeof *g, &g));
    g->f = f;
    g->states = states;
    g->rows = rows > states ? rows : states;
    HS_TRY(hs_size_mul(shape.h, shape.w, &g->hw));
    HS_TRY(room(g));
    *out = g;
    g = NULL;
out:
    hs_deltablock_grad_free(g);
    return rc;
}

void hs_deltablock_grad_free(hs_deltablock_grad *g)
{
    if (g != NULL) {
        hs_arena_free(&g->arena);
        free(g);
    }
}

int hs_deltablock_grad_forward(hs_deltablock_grad *g, size_t n, const float *h, const float *temb, float *dh)
{
    if (n > g->states) {
        return hs_fail(HS_EBUG, "f_t: %zu states to record, room for %zu", n, g->states);
    }
    hs_delta_run(g->f, n, g->hw, h, temb, &g->a, dh);
    g->n = n;
    g->timed = temb != NULL;
    return HS_OK;
}

HS_CHECKED static int check(const hs_deltablock_grad *g, size_t rows, const size_t *state)
{
    if (rows > g->rows) {
        return hs_fail(HS_EBUG, "f_t: %zu rows, room for %zu", rows, g->rows);
    }
    for (size_t r = 0; r < rows; r++) {
        size_t s = state != NULL ? state[r] : r;
        if (s >= g->n) {
            return hs_fail(HS_EBUG, "f_t: row %zu wants state %zu of %zu recorded", r, s, g->n);
        }
    }
    return HS_OK;
}

static hs_groupnorm_at norm_at(const hs_deltablock_grad *g)
{
    return (hs_groupnorm_at){.hw = g->hw, .c = g->f->c, .x = g->a.v, .stats = g->a.stats};
}

static hs_groupnorm_at norm0_at(const hs_deltablock_grad *g)
{
    return (hs_groupnorm_at){.hw = g->hw, .c = g->f->io, .x = g->a.h, .stats = g->a.stats0};
}

/* d[0] <- the tangent behind the norm of h, of that before it. */
static void push_norm0(hs_deltablock_grad *g, size_t rows, const size_t *state)
{
    if (g->f->adm) {
        const hs_groupnorm norm = hs_delta_norm0(g->f);
        const hs_groupnorm_at at = norm0_at(g);
        hs_groupnorm_jvp(&norm, &at, rows, state, g->d[0], NULL, NULL, NULL, 0, g->d[0]);
    }
}

/* d[0] <- the cotangent before the norm of h, of that behind it. */
static void pull_norm0(hs_deltablock_grad *g, size_t rows, const size_t *state, float *grad)
{
    const hs_deltablock *f = g->f;
    const hs_groupnorm norm = hs_delta_norm0(f);
    const hs_groupnorm_at at = norm0_at(g);
    hs_groupnorm_grads to = {.dx = g->d[0]};
    if (grad != NULL) {
        to.dgamma = grad + f->at[HS_DELTA_GAMMA0];
        to.dbeta = grad + f->at[HS_DELTA_BETA0];
    }
    hs_groupnorm_vjp(&norm, &at, rows, state, g->d[0], &to, g->scratch);
}

int hs_deltablock_jvp(hs_deltablock_grad *g, size_t rows, const size_t *state, const float *v, float *v_out)
{
    const hs_deltablock *f = g->f;
    const hs_groupnorm norm = hs_delta_norm(f);
    const hs_groupnorm_at at = norm_at(g);
    size_t c = f->c, io = f->io, all = rows * g->hw;
    int rc = HS_OK;
    HS_TRY(check(g, rows, state));
    hs_nchw_to_nhwc(rows, io, g->hw, v, g->d[0]);
    push_norm0(g, rows, state);
    hs_linear_forward(all, io, c, g->d[0], hs_delta_at(f, HS_DELTA_CONV1_W), NULL, g->d[1]);
    hs_groupnorm_jvp(&norm, &at, rows, state, g->d[1], NULL, NULL, NULL, 0, g->d[1]);
    hs_linear_forward(all, c, io, g->d[1], hs_delta_at(f, HS_DELTA_CONV2_W), NULL, g->d[0]);
    hs_nhwc_to_nchw(rows, io, g->hw, g->d[0], v_out);
out:
    return rc;
}

/* d[1] <- the cotangent before the norm, d[0] that of the output; grad NULL: parameters aren't asked for. */
static void pull_to_norm(hs_deltablock_grad *g, size_t rows, const size_t *state, const float *u, float *grad)
{
    const hs_deltablock *f = g->f;
    const hs_groupnorm norm = hs_delta_norm(f);
    const hs_groupnorm_at at = norm_at(g);
    hs_groupnorm_grads to = {.dx = g->d[1]};
    size_t c = f->c, all = rows * g->hw;
    hs_nchw_to_nhwc(rows, f->io, g->hw, u, g->d[0]);
    if (grad != NULL) {
        hs_linear_vjp_weights(all, c, f->io, g->a.u, g->d[0], grad + f->at[HS_DELTA_CONV2_W],
                              grad + f->at[HS_DELTA_CONV2_B]);
        to.dgamma = grad + f->at[HS_DELTA_GAMMA];
        to.dbeta = grad + f->at[HS_DELTA_BETA];
    }
    hs_linear_vjp(all, c, f->io, hs_delta_at(f, HS_DELTA_CONV2_W), g->d[0], g->d[1]);
    hs_groupnorm_vjp(&norm, &at, rows, state, g->d[1], &to, g->scratch);
}

int hs_deltablock_vjp(hs_deltablock_grad *g, size_t rows, const size_t *state, const float *u, float *u_out)
{
    size_t io = g->f->io;
    int rc = HS_OK;
    HS_TRY(check(g, rows, state));
    pull_to_norm(g, rows, state, u, NULL);
    hs_linear_vjp(rows * g->hw, io, g->f->c, hs_delta_at(g->f, HS_DELTA_CONV1_W), g->d[1], g->d[0]);
    if (g->f->adm) {
        pull_norm0(g, rows, state, NULL);
    }
    hs_nhwc_to_nchw(rows, io, g->hw, g->d[0], u_out);
out:
    return rc;
}

/* dterm (n, c) <- sums of d[1] over each state's pixels. */
static void sum_pixels(const hs_deltablock_grad *g)
{
    size_t c = g->f->c;
    for (size_t i = 0; i < g->n; i++) {
        for (size_t o = 0; o < c; o++) {
            double sum = 0;
            for (size_t p = 0; p < g->hw; p++) {
                sum += (double)g->d[1][(i * g->hw + p) * c + o];
            }
            g->dterm[i * c + o] = (float)sum;
        }
    }
}

int hs_deltablock_backward(hs_deltablock_grad *g, const float *u, float *grad)
{
    const hs_deltablock *f = g->f;
    size_t c = f->c;
    int rc = HS_OK;
    HS_TRY(check(g, g->n, NULL));
    pull_to_norm(g, g->n, NULL, u, grad);
    hs_linear_vjp_weights(g->n * g->hw, f->io, c, g->a.s, g->d[1], grad + f->at[HS_DELTA_CONV1_W],
                          grad + f->at[HS_DELTA_CONV1_B]);
    if (f->adm) {
        hs_linear_vjp(g->n * g->hw, f->io, c, hs_delta_at(f, HS_DELTA_CONV1_W), g->d[1], g->d[0]);
        pull_norm0(g, g->n, NULL, grad);
    }
    if (g->timed) {
        sum_pixels(g);
        hs_linear_vjp_weights(g->n, f->temb, c, g->a.act, g->dterm, grad + f->at[HS_DELTA_TIME_W],
                              grad + f->at[HS_DELTA_TIME_B]);
    }
out:
    return rc;
}
