/* The network as data: what hs_unet_load builds and evaluation walks.  Internal to core/model. */
#ifndef HS_MODEL_UNET_NET_H
#define HS_MODEL_UNET_NET_H

#include <stddef.h>

#include "core/base/alloc.h"
#include "core/model/ckpt.h"
#include "core/model/unet.h"
#include "core/nn/conv.h"
#include "core/nn/norm.h"

/* A convolution: its weights and the input it will see.  The workspace makes the hs_conv of it, since a
 * plan belongs to a batch size; elsewhere it is named by its index. */
typedef struct {
    char name[48];
    hs_conv_shape shape;
    const float *weight, *bias;
    size_t side; /* of the square input */
    int decoder; /* runs on decoder rows, else on encoded states */
} hs_conv_def;

enum { HS_NO_CONV = -1 };

typedef struct {
    hs_groupnorm norm; /* gamma NULL: no norm */
    int qkv, proj;     /* convolutions c -> 3 c, c -> c */
    size_t heads;
    int adds_normed;
} hs_attn;

/* x (c1 channels) and the skip (c2) -> out:
 *   u = silu(norm1([x, skip])), resampled; v = conv1(u) + time;  v = silu(norm2(v) [(1 + scale) + shift])
 *   y = (conv2(v) + shortcut([x, skip], resampled)) / scale; then attention where there is one */
typedef struct {
    size_t c1, c2, out, side; /* side: of the input */
    int resample;             /* -1: half, 0, +1: twice the side */
    hs_groupnorm norm1, norm2;
    int conv1, conv2;
    int short1, short2;           /* 1x1 of x and of the skip, HS_NO_CONV: identity */
    const float *time_w, *time_b; /* (time, temb_dim), (time); time = out or 2 out */
    size_t time, time_at;         /* width; offset of this block's rows in the workspace, per state */
    float inv_scale;
    int has_attn;
    hs_attn attn;
} hs_block;

typedef enum { HS_STAGE_CONV, HS_STAGE_BLOCK, HS_STAGE_UP } hs_stage_kind;

/* One step of the walk: a plain convolution (the input's, a down-sampler), a block, or nearest x 2 and
 * a convolution.  Encoder stages each leave a skip; decoder blocks with c2 > 0 take the last one left. */
typedef struct {
    hs_stage_kind kind;
    int conv;
    hs_block block;
} hs_stage;

struct hs_unet {
    hs_unet_config cfg;
    hs_arena arena;           /* what isn't used in place */
    const hs_tensors *lender; /* where parameters lie that aren't in the arena; NULL: all are */
    size_t parameters;
    size_t n_conv;
    hs_conv_def *conv;
    size_t n_enc, n_dec;
    hs_stage *enc, *dec; /* allocated in the arena */
    hs_block mid[2];     /* the first with the middle attention */
    const float *temb_w[2], *temb_b[2];
    size_t time_total; /* numbers of time term a state */
    hs_groupnorm norm_out;
    int conv_out;
};

/* Fills u (cfg set, the rest zero) with parameters from p. */
HS_CHECKED int hs_unet_build(hs_unet *u, hs_params *p);

/* The workspace. */
struct hs_unet_ws {
    const hs_unet *u;
    size_t states, rows;
    size_t n; /* states of the last encode */
    hs_arena arena;
    size_t n_conv;             /* of u, which may be gone before the workspace is freed */
    hs_conv **conv;            /* (n_conv), planned */
    float **skip;              /* (skip count) each (states, side, side, c) */
    float *a, *b;              /* activations, input and output in turn */
    float *normed;             /* (n, hw, c1 + c2); the upsampled input of a convolution */
    float *inner;              /* (n, hw, out) between the convolutions; attention's output */
    float *qkv;                /* (n, hw, 3 c) */
    float *half;               /* resampled input of a block */
    float *temb;               /* (states, temb_dim) before SiLU */
    float *temb_in, *temb_mid; /* (states, max(base, dim)) */
    float *time;               /* per block (states, time) */
    float *time_rows;          /* (rows, widest time) */
    size_t *identity;          /* 0, 1, 2, ...: row r is state r */
    void *scratch;
    hs_unet_times times;
};

/* dst (n, side', side', out) <- the block of x and the skip; row r reads the skip and the time term of
 * state[r].  dst, x and the workspace's other buffers are distinct. */
HS_CHECKED int hs_block_forward(const hs_block *k, hs_unet_ws *ws, size_t n, const size_t *state, const float *x,
                                const float *skip, float *dst);
/* The same for a stage of the walk; side is the input's. */
HS_CHECKED int hs_stage_forward(const hs_stage *s, hs_unet_ws *ws, size_t n, const size_t *state, const float *x,
                                const float *skip, float *dst);
/* One convolution by index, timed. */
HS_CHECKED int hs_ws_conv(hs_unet_ws *ws, int conv, size_t n, const float *x, const float *add, const float *residual,
                          float *y);
double hs_ws_now(void);

#endif
