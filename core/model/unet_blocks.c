#include "core/base/clock.h"
#include "core/model/unet_net.h"
#include "core/nn/attention.h"
#include "core/nn/linear.h"
#include "core/nn/resample.h"

int hs_ws_conv(hs_unet_ws *ws, int conv, size_t n, const float *x, const float *add, const float *residual, float *y)
{
    const hs_conv_def *d = &ws->u->conv[conv];
    double start = hs_clock();
    int rc = hs_conv_forward(ws->conv[conv], n, d->side, d->side, x, add, residual, y, ws->scratch);
    *(d->shape.kernel == 3 ? &ws->times.conv3 : &ws->times.conv1) += hs_clock() - start;
    return rc;
}

/* Number of rows from r on whose states follow one another: they read one stretch of the skips. */
static size_t run_length(const size_t *state, size_t r, size_t n)
{
    size_t k = 1;
    while (r + k < n && state[r + k] == state[r] + k) {
        k++;
    }
    return k;
}

void hs_scale_all(float s, size_t n, float *y)
{
    if (s == 1) {
        return;
    }
#pragma omp parallel for
    for (size_t i = 0; i < n; i++) {
        y[i] *= s;
    }
}

/* acts->u1 <- silu(norm1([x, skip])), the skip of each row's state. */
static void first_norm(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const size_t *state,
                       const float *x, const float *skip)
{
    size_t hw = k->side * k->side, c = k->c1 + k->c2;
    double start = hs_clock();
    for (size_t r = 0, run; r < n; r += run) {
        run = skip != NULL ? run_length(state, r, n) : n;
        hs_groupnorm_forward(&k->norm1, run, hw, k->c1, x + r * hw * k->c1, k->c2,
                             skip != NULL ? skip + state[r] * hw * k->c2 : NULL, NULL, NULL, 0, acts->u1 + r * hw * c,
                             acts->stats1 != NULL ? acts->stats1 + r * k->norm1.groups * 2 : NULL);
    }
    ws->times.norm += hs_clock() - start;
}

static void resample(const hs_block *k, hs_unet_ws *ws, size_t n, size_t c, const float *x, float *y)
{
    double start = hs_clock();
    if (k->resample < 0) {
        hs_avgpool2(n, k->side, k->side, c, x, y);
    } else {
        hs_upsample2(n, k->side, k->side, c, x, y);
    }
    ws->times.resample += hs_clock() - start;
}

/* The time term of n rows: as encoded where row r is state r, else gathered. */
static const float *time_rows(const hs_block *k, hs_unet_ws *ws, size_t n, const size_t *state)
{
    const float *time = ws->time + k->time_at * ws->states;
    if (run_length(state, 0, n) == n) {
        return time + state[0] * k->time;
    }
    for (size_t r = 0; r < n; r++) {
        for (size_t i = 0; i < k->time; i++) {
            ws->time_rows[r * k->time + i] = time[state[r] * k->time + i];
        }
    }
    return ws->time_rows;
}

/* dst <- the sum of the 1x1 shortcuts of x and skip. */
static int project_shortcut(const hs_block *k, hs_unet_ws *ws, size_t n, const size_t *state, const float *x,
                            const float *skip, float *dst)
{
    size_t hw = k->side * k->side;
    int rc = HS_OK;
    HS_TRY(hs_ws_conv(ws, k->short1, n, x, NULL, NULL, dst));
    for (size_t r = 0, run; k->short2 != HS_NO_CONV && r < n; r += run) {
        float *y = dst + r * hw * k->out;
        run = run_length(state, r, n);
        HS_TRY(hs_ws_conv(ws, k->short2, run, skip + state[r] * hw * k->c2, NULL, y, y));
    }
out:
    return rc;
}

/* The two convolutions of a block on u = silu(norm1(.)), with the residual. */
static int convolve(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const size_t *state,
                    size_t hw, const float *u, const float *residual, float *dst)
{
    const float *time = time_rows(k, ws, n, state);
    int split = k->time == 2 * k->out, rc = HS_OK;
    HS_TRY(hs_ws_conv(ws, k->conv1, n, u, split ? NULL : time, NULL, acts->v));
    double start = hs_clock();
    hs_groupnorm_forward(&k->norm2, n, hw, k->out, acts->v, 0, NULL, split ? time : NULL, split ? time + k->out : NULL,
                         k->time, acts->u2, acts->stats2);
    ws->times.norm += hs_clock() - start;
    HS_TRY(hs_ws_conv(ws, k->conv2, n, acts->u2, NULL, residual, dst));
    hs_scale_all(k->inv_scale, n * hw * k->out, dst);
out:
    return rc;
}

int hs_stage_takes_skip(const hs_stage *s)
{
    return s->kind == HS_STAGE_BLOCK && s->block.c2 > 0;
}

size_t hs_block_out_side(const hs_block *k)
{
    return k->resample < 0 ? k->side / 2 : k->resample > 0 ? k->side * 2 : k->side;
}

static int forward_residual(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const size_t *state,
                            const float *x, const float *skip, float *dst)
{
    size_t side = hs_block_out_side(k);
    const float *u = acts->u1, *residual = x;
    int rc = HS_OK;
    first_norm(k, ws, acts, n, state, x, skip);
    if (k->resample != 0) {
        /* Both branches are resampled between norm1 and conv1. */
        resample(k, ws, n, k->c1, acts->u1, acts->u1_half);
        resample(k, ws, n, k->c1, x, dst);
        u = acts->u1_half;
        residual = dst;
    }
    if (k->short1 != HS_NO_CONV) {
        HS_TRY(project_shortcut(k, ws, n, state, x, skip, dst));
        residual = dst;
    }
    HS_TRY(convolve(k, ws, acts, n, state, side * side, u, residual, dst));
out:
    return rc;
}

/* y <- x + attention(norm(x)), or norm(x) + ... where the model says so. */
static int forward_attention(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const float *x,
                             float *y)
{
    const hs_attn *a = &k->attn;
    size_t hw = k->side * k->side, c = k->out;
    const float *u = x;
    double start = hs_clock();
    int rc = HS_OK;
    if (a->norm.gamma != NULL) {
        hs_groupnorm_forward(&a->norm, n, hw, c, x, 0, NULL, NULL, NULL, 0, acts->an, acts->stats_a);
        u = acts->an;
    }
    ws->times.norm += hs_clock() - start;
    HS_TRY(hs_ws_conv(ws, a->qkv, n, u, NULL, NULL, acts->qkv));
    start = hs_clock();
    hs_attention_forward(n, hw, c, a->heads, acts->qkv, acts->ao, ws->scratch);
    ws->times.attention += hs_clock() - start;
    HS_TRY(hs_ws_conv(ws, a->proj, n, acts->ao, NULL, a->adds_normed ? u : x, y));
    hs_scale_all(k->inv_scale, n * hw * c, y);
out:
    return rc;
}

int hs_block_forward(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const size_t *state,
                     const float *x, const float *skip, float *dst)
{
    int rc = HS_OK;
    HS_TRY(forward_residual(k, ws, acts, n, state, x, skip, k->has_attn ? acts->r : dst));
    if (k->has_attn) {
        HS_TRY(forward_attention(k, ws, acts, n, acts->r, dst));
    }
out:
    return rc;
}

int hs_stage_forward(const hs_stage *s, hs_unet_ws *ws, const hs_block_acts *acts, size_t n, const size_t *state,
                     const float *x, const float *skip, float *dst)
{
    if (s->kind == HS_STAGE_BLOCK) {
        return hs_block_forward(&s->block, ws, acts, n, state, x, skip, dst);
    }
    if (s->kind == HS_STAGE_CONV) {
        return hs_ws_conv(ws, s->conv, n, x, NULL, NULL, dst);
    }
    const hs_conv_def *d = &ws->u->conv[s->conv];
    double start = hs_clock();
    hs_upsample2(n, d->side / 2, d->side / 2, d->shape.in_ch, x, ws->normed);
    ws->times.resample += hs_clock() - start;
    return hs_ws_conv(ws, s->conv, n, ws->normed, NULL, NULL, dst);
}
