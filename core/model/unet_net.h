/* The network as data: what hs_unet_load builds and evaluation walks.  Internal to core/model. */
#ifndef HS_MODEL_UNET_NET_H
#define HS_MODEL_UNET_NET_H

#include <stdatomic.h>
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

/* What workspaces have done; beside the network, which evaluation leaves as it is. */
typedef struct {
    atomic_size_t encodes, decodes;
} hs_unet_tally;

/* A parameter of a network that is trained, by the name it is saved under. */
typedef struct {
    char name[HS_NAME_MAX];
    size_t rank, dim[4], count, offset;
} hs_unet_named;

/* A second copy of parameters, in the order in which they are used: rows x cols at `to` with row length
 * to_ld <- those at `from` with row length from_ld; offsets into the block. */
typedef struct {
    size_t to, to_ld, from, from_ld, rows, cols;
} hs_unet_copy;

struct hs_unet {
    hs_unet_config cfg;
    hs_arena arena;           /* what isn't used in place */
    const hs_tensors *lender; /* where parameters lie that aren't in the arena; NULL: all are */
    size_t parameters;
    hs_unet_tally *tally;
    size_t n_conv;
    hs_conv_def *conv;
    size_t n_enc, n_dec;
    hs_stage *enc, *dec; /* allocated in the arena */
    hs_block mid[2];     /* the first with the middle attention */
    const float *temb_w[2], *temb_b[2];
    const float *class_w; /* (classes, temb_dim); NULL: not class-conditional */
    size_t n_class;       /* 0: no class was given */
    int *class_of;        /* (n_class) of the images, or the one of all */
    size_t time_total;    /* numbers of time term a state */
    hs_groupnorm norm_out;
    int conv_out;
    double *v_alpha_bar; /* (v_T) the output is v; NULL: it is eps */
    size_t v_T;
    /* of a network that is trained (unet_params.h); else NULL and 0 */
    float *theta; /* (theta_count): every parameter and copy */
    size_t theta_count, n_named, n_copy;
    hs_unet_named *named;
    hs_unet_copy *copy;
};

/* Gradients of copies are added to those of what they are copies of, and set to 0. */
void hs_unet_fold(const hs_unet *u, float *grad);

/* Takes p: *out <- the network of cfg; theta (count floats, taken over) or NULL: not to be trained. */
HS_CHECKED int hs_unet_create(const hs_unet_config *cfg, hs_params *p, float *theta, size_t count, hs_unet **out);

/* Fills u (cfg set, the rest zero) with parameters from p. */
HS_CHECKED int hs_unet_build(hs_unet *u, hs_params *p);

/* Where a block's forward puts what lies between its input and its output (n rows each).  A workspace for
 * evaluation has one set for all blocks, where some are the same buffer (marked); a record of derivatives
 * (unet_grad.h) has one a block and its statistics: all distinct where weights have gradients, else what only those
 * ask for lies in the workspace. */
typedef struct {
    float *u1;                        /* (side^2, c1 + c2)  silu(norm1([x, skip])) */
    float *u1_half;                   /* (hw, c1)           resampled; NULL: the block doesn't resample */
    float *v;                         /* (hw, out)          conv1(.) + time */
    float *u2;                        /* (hw, out)          silu(norm2(v)); may be v */
    float *r;                         /* (hw, out)          before attention; may be u1_half; NULL: there is none */
    float *an;                        /* (hw, out)          norm(r); may be u1 */
    float *qkv;                       /* (hw, 3 out) */
    float *ao;                        /* (hw, out)          attention's mix of the values; may be v */
    float *stats1, *stats2, *stats_a; /* (groups, 2) of the three norms; NULL: not wanted */
} hs_block_acts;

/* What a forward pass keeps for derivatives, n_enc + 2 + n_dec blocks' worth (stages that aren't blocks:
 * zeros); a workspace for evaluation has none, a record of the decoder alone no enc, mid and image.  Encoder outputs
 * are the skips. */
typedef struct {
    hs_block_acts *enc, *mid, *dec;
    float *image;             /* (states, R^2, in_ch) */
    float *mid_out[2];        /* the second is h */
    float *h;                 /* (states, hw, c) what was decoded */
    float **dec_out;          /* (n_dec) */
    float *u_out, *stats_out; /* silu(norm_out(.)), and the norm's statistics */
} hs_record;

/* The workspace. */
struct hs_unet_ws {
    const hs_unet *u;
    size_t states, rows;
    size_t n;      /* states of the last encode */
    size_t first;  /* the image that state 0 of the encodes to come is */
    int *class_of; /* (states) of the last encode; NULL: not class-conditional */
    hs_arena arena;
    size_t n_conv;             /* of u, which may be gone before the workspace is freed */
    hs_conv **conv;            /* (n_conv), planned */
    float **skip;              /* (skip count) each (states, side, side, c) */
    float *a, *b;              /* activations, input and output in turn */
    float *normed;             /* (n, hw, c1 + c2); the upsampled input of a convolution */
    float *inner;              /* (n, hw, out) between the convolutions; attention's output */
    float *qkv;                /* (n, hw, 3 c) */
    float *half;               /* resampled input of a block; its output before attention */
    hs_block_acts acts;        /* of those */
    hs_record *record;         /* NULL: evaluation only */
    float *temb;               /* (states, temb_dim) before SiLU */
    float *temb_in, *temb_mid; /* (states, max(base, dim)) */
    float *time;               /* per block (states, time) */
    float *time_rows;          /* (rows, widest time) */
    float *v_x, *v_mix;        /* (states, c R R) x_t; (states, 2) what eps takes of v and of x_t; NULL: no v */
    size_t *identity;          /* 0, 1, 2, ...: row r is state r */
    void *scratch;
    size_t scratch_bytes;
    hs_unet_times times;
};

/* dst (n, side', side', out) <- the block of x and the skip; row r reads the skip and the time term of
 * state[r].  dst, x and the buffers of acts are distinct. */
HS_CHECKED int hs_block_forward(const hs_block *k, hs_unet_ws *ws, const hs_block_acts *acts, size_t n,
                                const size_t *state, const float *x, const float *skip, float *dst);
/* The same for a stage of the walk; side is the input's. */
HS_CHECKED int hs_stage_forward(const hs_stage *s, hs_unet_ws *ws, const hs_block_acts *acts, size_t n,
                                const size_t *state, const float *x, const float *skip, float *dst);
/* A network that predicts v (unet_v.c; nothing happens elsewhere): room in a workspace; what the states of an
 * encode are; y (rows, c R R) <- a y + b x, a and b of each row's state, x (rows, c R R) or NULL: its x_t. */
HS_CHECKED int hs_v_room(hs_unet_ws *ws);
HS_CHECKED int hs_v_keep(hs_unet_ws *ws, size_t n, const float *x, const int *t);
void hs_v_to_eps(const hs_unet_ws *ws, size_t rows, const size_t *state, const float *x, float *y);
/* to (rows, c R R; may be from) <- a from, or b from (of_x): the adjoints, in any layout of a row. */
void hs_v_scale(const hs_unet_ws *ws, size_t rows, const size_t *state, int of_x, const float *from, float *to);
/* A class-conditional network (unet_class.c; nothing happens elsewhere): room in a workspace; the classes of the
 * states of an encode, image NULL: 0, 1, ...; temb (n, temb_dim) += their embeddings, and the gradient of those. */
HS_CHECKED int hs_class_room(hs_unet_ws *ws);
HS_CHECKED int hs_class_keep(hs_unet_ws *ws, size_t n, const size_t *image);
void hs_class_add(const hs_unet_ws *ws, size_t n, float *temb);
void hs_class_vjp(const hs_unet_ws *ws, size_t n, const float *dtemb, float *grad_w);
/* HS_EIO where the weights lie in a mapped file that was changed. */
HS_CHECKED int hs_unet_check_weights(const hs_unet *u);
/* y (n) <- s y, and whether decoder stage s takes a skip. */
void hs_scale_all(float s, size_t n, float *y);
int hs_stage_takes_skip(const hs_stage *s);
/* Side of a block's output. */
size_t hs_block_out_side(const hs_block *k);
/* One convolution by index, timed. */
HS_CHECKED int hs_ws_conv(hs_unet_ws *ws, int conv, size_t n, const float *x, const float *add, const float *residual,
                          float *y);

#endif
