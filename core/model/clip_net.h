/* Inside of core/model/clip*: where each parameter is, and the transformer that both towers are. */
#ifndef HS_MODEL_CLIP_NET_H
#define HS_MODEL_CLIP_NET_H

#include "core/base/alloc.h"
#include "core/model/clip.h"
#include "core/nn/layernorm.h"

/* Offsets of one block; the weights of q, k and v follow each other, so do their biases: one product makes all three.
 */
typedef struct {
    size_t ln1_w, ln1_b, qkv_w, qkv_b, out_w, out_b, ln2_w, ln2_b, fc1_w, fc1_b, fc2_w, fc2_b;
} hs_clip_block;

/* How a tensor begins: normal of deviation sd, or sd 0 and constant. */
typedef struct {
    double sd;
    float constant;
} hs_clip_start;

typedef struct {
    size_t count, n_params;
    hs_clip_param *param;
    hs_clip_start *start;
    hs_clip_block vision[HS_CLIP_LAYERS_MAX], text[HS_CLIP_LAYERS_MAX];
    size_t class_vector, patch, vision_at, pre_w, pre_b, post_w, post_b, image_out;
    size_t token, text_at, final_w, final_b, text_out;
} hs_clip_layout;

struct hs_clip {
    hs_clip_config cfg;
    hs_clip_layout at;
    float *theta;
    hs_bpe *tokenizer;
};

/* *out <- a network of that configuration, parameters not set.  code: what a bad configuration is (HS_ERANGE of a
 * caller's, HS_EFORMAT of a file's). */
HS_CHECKED int hs_clip_new(const hs_clip_config *cfg, int code, hs_clip **out);
HS_CHECKED int hs_clip_rows(size_t n, size_t room, const char *what);

/* The blocks of one tower over n sequences of T vectors.  What derivatives need is kept by block; without derivatives
 * all blocks share. */
typedef struct {
    const hs_clip_tower_config *cfg;
    const hs_clip_block *block;
    const float *theta;
    int causal, grads;
    float *x[HS_CLIP_LAYERS_MAX + 1]; /* what enters block l; the last: what leaves */
    float *mid[HS_CLIP_LAYERS_MAX], *qkv[HS_CLIP_LAYERS_MAX], *mix[HS_CLIP_LAYERS_MAX], *fc1[HS_CLIP_LAYERS_MAX];
    float *stats1[HS_CLIP_LAYERS_MAX], *stats2[HS_CLIP_LAYERS_MAX];
    float *norm, *act;              /* (rows, hidden), (rows, mlp) */
    float *d, *dnorm, *dqkv, *dact; /* tangent or cotangent: (rows, hidden) twice, (rows, 3 hidden), (rows, mlp) */
    void *scratch;
} hs_clip_tower;

HS_CHECKED int hs_clip_tower_make(hs_clip_tower *t, hs_arena *arena, size_t n, size_t T);
/* x[layers] <- of x[0]. */
void hs_clip_tower_forward(hs_clip_tower *t, size_t n, size_t T);
/* d <- along d;  d <- the adjoint of d, grad (NULL: not wanted) added to. */
void hs_clip_tower_jvp(hs_clip_tower *t, size_t n, size_t T);
void hs_clip_tower_vjp(hs_clip_tower *t, size_t n, size_t T, float *grad);

#endif
