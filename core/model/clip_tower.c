/* The transformer of CLIP's towers. */
#include <string.h>

#include "core/linalg/sgemm.h"
#include "core/model/clip_net.h"
#include "core/nn/attention.h"
#include "core/nn/linear.h"

HS_CHECKED static int rows_of(hs_arena *arena, size_t rows, size_t width, float **out)
{
    size_t bytes;
    int rc = hs_size_mul(width, sizeof(float), &bytes);
    return rc != HS_OK ? rc : hs_arena_alloc(arena, rows, bytes, out);
}

/* What block l keeps; without derivatives that is block 0's. */
HS_CHECKED static int make_block(hs_clip_tower *t, hs_arena *arena, size_t rows, size_t l)
{
    size_t c = t->cfg->hidden;
    int rc = HS_OK;
    if (l >= HS_CLIP_LAYERS_MAX) {
        return hs_fail(HS_EBUG, "block %zu of a tower of at most %d", l, HS_CLIP_LAYERS_MAX);
    }
    if (l > 0 && !t->grads) {
        t->x[l + 1] = t->x[0];
        t->mid[l] = t->mid[0];
        t->qkv[l] = t->qkv[0];
        t->mix[l] = t->mix[0];
        t->fc1[l] = t->fc1[0];
        t->stats1[l] = t->stats1[0];
        t->stats2[l] = t->stats2[0];
        return HS_OK;
    }
    t->x[l + 1] = t->x[0];
    if (t->grads) {
        HS_TRY(rows_of(arena, rows, c, &t->x[l + 1]));
    }
    HS_TRY(rows_of(arena, rows, c, &t->mid[l]));
    HS_TRY(rows_of(arena, rows, 3 * c, &t->qkv[l]));
    HS_TRY(rows_of(arena, rows, c, &t->mix[l]));
    HS_TRY(rows_of(arena, rows, t->cfg->mlp, &t->fc1[l]));
    HS_TRY(rows_of(arena, rows, 2, &t->stats1[l]));
    HS_TRY(rows_of(arena, rows, 2, &t->stats2[l]));
out:
    return rc;
}

int hs_clip_tower_make(hs_clip_tower *t, hs_arena *arena, size_t n, size_t T)
{
    size_t c = t->cfg->hidden, rows, bytes;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(n, T, &rows));
    HS_TRY(rows_of(arena, rows, c, &t->x[0]));
    for (size_t l = 0; l < t->cfg->layers; l++) {
        HS_TRY(make_block(t, arena, rows, l));
    }
    HS_TRY(rows_of(arena, rows, c, &t->norm));
    HS_TRY(rows_of(arena, rows, t->cfg->mlp, &t->act));
    bytes = hs_attention_scratch(n, T, c, t->cfg->heads);
    if (t->grads) {
        HS_TRY(rows_of(arena, rows, c, &t->d));
        HS_TRY(rows_of(arena, rows, c, &t->dnorm));
        HS_TRY(rows_of(arena, rows, 3 * c, &t->dqkv));
        HS_TRY(rows_of(arena, rows, t->cfg->mlp, &t->dact));
        bytes = hs_attention_grad_scratch(n, T, c, t->cfg->heads);
    }
    HS_TRY(hs_arena_alloc(arena, bytes, 1, &t->scratch));
out:
    return rc;
}

static hs_layernorm norm_of(const hs_clip_tower *t, size_t w, size_t b)
{
    return (hs_layernorm){t->cfg->hidden, t->cfg->eps, t->theta + w, t->theta + b};
}

/* y (rows, out) <- base + x W^T + b. */
static void residual(size_t rows, size_t in, size_t out, const float *x, const float *W, const float *b,
                     const float *base, float *y)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < out; j++) {
            y[i * out + j] = base[i * out + j] + b[j];
        }
    }
    hs_sgemm(0, 1, rows, out, in, 1, x, in, W, in, 1, y, out);
}

void hs_clip_tower_forward(hs_clip_tower *t, size_t n, size_t T)
{
    const size_t rows = n * T, c = t->cfg->hidden, m = t->cfg->mlp;
    const float *theta = t->theta;
    for (size_t l = 0; l < t->cfg->layers; l++) {
        const hs_clip_block *b = &t->block[l];
        const hs_layernorm ln1 = norm_of(t, b->ln1_w, b->ln1_b), ln2 = norm_of(t, b->ln2_w, b->ln2_b);
        hs_layernorm_forward(&ln1, rows, t->x[l], t->norm, t->stats1[l]);
        hs_linear_forward(rows, c, 3 * c, t->norm, theta + b->qkv_w, theta + b->qkv_b, t->qkv[l]);
        (t->causal ? hs_attention_causal_forward : hs_attention_forward)(n, T, c, t->cfg->heads, t->qkv[l], t->mix[l],
                                                                         t->scratch);
        residual(rows, c, c, t->mix[l], theta + b->out_w, theta + b->out_b, t->x[l], t->mid[l]);
        hs_layernorm_forward(&ln2, rows, t->mid[l], t->norm, t->stats2[l]);
        hs_linear_forward(rows, c, m, t->norm, theta + b->fc1_w, theta + b->fc1_b, t->fc1[l]);
        hs_gelu(t->cfg->act, rows * m, t->fc1[l], t->act);
        residual(rows, m, c, t->act, theta + b->fc2_w, theta + b->fc2_b, t->mid[l], t->x[l + 1]);
    }
}

void hs_clip_tower_jvp(hs_clip_tower *t, size_t n, size_t T)
{
    const size_t rows = n * T, c = t->cfg->hidden, m = t->cfg->mlp;
    for (size_t l = 0; l < t->cfg->layers; l++) {
        const hs_clip_block *b = &t->block[l];
        const hs_layernorm ln1 = norm_of(t, b->ln1_w, b->ln1_b), ln2 = norm_of(t, b->ln2_w, b->ln2_b);
        hs_layernorm_jvp(&ln1, rows, t->x[l], t->stats1[l], t->d, t->dnorm);
        hs_linear_forward(rows, c, 3 * c, t->dnorm, t->theta + b->qkv_w, NULL, t->dqkv);
        if (t->causal) {
            hs_attention_causal_jvp(n, T, c, t->cfg->heads, t->qkv[l], t->dqkv, t->dnorm, t->scratch);
        } else {
            hs_attention_jvp(n, NULL, T, c, t->cfg->heads, t->qkv[l], t->dqkv, t->dnorm, t->scratch);
        }
        hs_sgemm(0, 1, rows, c, c, 1, t->dnorm, c, t->theta + b->out_w, c, 1, t->d, c);
        hs_layernorm_jvp(&ln2, rows, t->mid[l], t->stats2[l], t->d, t->dnorm);
        hs_linear_forward(rows, c, m, t->dnorm, t->theta + b->fc1_w, NULL, t->dact);
        hs_gelu_jvp(t->cfg->act, rows * m, t->fc1[l], t->dact, t->dact);
        hs_sgemm(0, 1, rows, c, m, 1, t->dact, m, t->theta + b->fc2_w, m, 1, t->d, c);
    }
}

static float *at(float *grad, size_t offset)
{
    return grad != NULL ? grad + offset : NULL;
}

/* d <- the adjoint of the two-layer network and its sum. */
static void mlp_vjp(hs_clip_tower *t, size_t rows, size_t l, float *grad)
{
    const size_t c = t->cfg->hidden, m = t->cfg->mlp;
    const hs_clip_block *b = &t->block[l];
    const hs_layernorm ln = norm_of(t, b->ln2_w, b->ln2_b);
    hs_linear_vjp(rows, m, c, t->theta + b->fc2_w, t->d, t->dact);
    hs_gelu_jvp(t->cfg->act, rows * m, t->fc1[l], t->dact, t->dact);
    if (grad != NULL) {
        hs_gelu(t->cfg->act, rows * m, t->fc1[l], t->act);
        hs_linear_vjp_weights(rows, m, c, t->act, t->d, grad + b->fc2_w, grad + b->fc2_b);
        hs_layernorm_again(&ln, rows, t->mid[l], t->stats2[l], t->norm);
        hs_linear_vjp_weights(rows, c, m, t->norm, t->dact, grad + b->fc1_w, grad + b->fc1_b);
    }
    hs_linear_vjp(rows, c, m, t->theta + b->fc1_w, t->dact, t->dnorm);
    hs_layernorm_vjp(&ln, rows, t->mid[l], t->stats2[l], t->dnorm, 1, t->d, at(grad, b->ln2_w), at(grad, b->ln2_b));
}

/* d <- the adjoint of the attention and its sum. */
static void attention_vjp(hs_clip_tower *t, size_t n, size_t T, size_t l, float *grad)
{
    const size_t rows = n * T, c = t->cfg->hidden;
    const hs_clip_block *b = &t->block[l];
    const hs_layernorm ln = norm_of(t, b->ln1_w, b->ln1_b);
    hs_linear_vjp(rows, c, c, t->theta + b->out_w, t->d, t->dnorm);
    if (t->causal) {
        hs_attention_causal_vjp(n, T, c, t->cfg->heads, t->qkv[l], t->dnorm, t->dqkv, t->scratch);
    } else {
        hs_attention_vjp(n, NULL, T, c, t->cfg->heads, t->qkv[l], t->dnorm, t->dqkv, t->scratch);
    }
    if (grad != NULL) {
        hs_linear_vjp_weights(rows, c, c, t->mix[l], t->d, grad + b->out_w, grad + b->out_b);
        hs_layernorm_again(&ln, rows, t->x[l], t->stats1[l], t->norm);
        hs_linear_vjp_weights(rows, c, 3 * c, t->norm, t->dqkv, grad + b->qkv_w, grad + b->qkv_b);
    }
    hs_linear_vjp(rows, c, 3 * c, t->theta + b->qkv_w, t->dqkv, t->dnorm);
    hs_layernorm_vjp(&ln, rows, t->x[l], t->stats1[l], t->dnorm, 1, t->d, at(grad, b->ln1_w), at(grad, b->ln1_b));
}

void hs_clip_tower_vjp(hs_clip_tower *t, size_t n, size_t T, float *grad)
{
    for (size_t l = t->cfg->layers; l-- > 0;) {
        mlp_vjp(t, n * T, l, grad);
        attention_vjp(t, n, T, l, grad);
    }
}
