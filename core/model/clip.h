/* CLIP (Radford et al., arXiv:2103.00020): an image tower and a text tower that meet in one space of P numbers, with
 * exact derivatives; folders as Hugging Face's CLIPModel has them.
 *
 *   block     x <- x + O attn(LN1 x),  x <- x + F2 act(F1 LN2 x);  act: x / (1 + exp(-1.702 x)) or x Phi(x)
 *   image     x (3, R, R) in [-1, 1], v = ((x + 1) / 2 - mean) / std;  patches p x p to vectors (no bias), the class
 * vector first, + positions, LN, blocks, LN of the class vector, projection (no bias) text      token vectors +
 * positions, blocks with a causal mask, LN, the vector at the first end token, projection logits    exp(logit_scale)
 * cos(E_I, E_T)
 *
 * A text's embedding depends only on the tokens up to its first end token, so a batch is computed to its longest text.
 * Embeddings are not normalised.  Everything is float32; sums of norms are in double.  The number of threads may change
 * the last bits (the products are a library's). */
#ifndef HS_MODEL_CLIP_H
#define HS_MODEL_CLIP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/io/bpe.h"
#include "core/io/image.h"
#include "core/io/safetensors.h"
#include "core/nn/gelu.h"

enum { HS_CLIP_LAYERS_MAX = 64 };

/* One tower: width (heads divide it), number of blocks, attention heads, width of the two-layer network. */
typedef struct {
    size_t hidden, layers, heads, mlp;
    hs_gelu_kind act;
    double eps; /* of the norms */
} hs_clip_tower_config;

typedef struct {
    hs_clip_tower_config vision, text;
    size_t image_size, patch_size; /* R, p; p <= R, a remainder at the right and below is not seen (as PyTorch) */
    size_t vocab, context;         /* number of tokens; longest text, begin and end counted */
    int32_t begin, end;            /* ids; a text is pooled at its first end token */
    size_t projection;             /* P */
    double mean[3], std[3];        /* of the image's channels in [0, 1] */
    size_t resize;                 /* shorter side before the central crop to R; at least R */
} hs_clip_config;

/* The configuration of "ViT-B/32", "ViT-B/16" or "ViT-L/14" as OpenAI made them.  HS_ERANGE: another name. */
HS_CHECKED int hs_clip_config_named(const char *name, hs_clip_config *out);
/* OpenAI's mean and std, which cfg gets. */
void hs_clip_config_usual_scale(hs_clip_config *cfg);

typedef struct hs_clip hs_clip;

/* *out <- a network as OpenAI's begins: normal weights (tokens of deviation 0.02, their positions 0.01, all else
 * hidden^-1/2, what is added to the residual (2 layers)^-1/2 of that), biases 0, gains 1, logit_scale ln(1 / 0.07);
 * stream (seed, HS_RNG_WEIGHTS, tensor).  It has no tokenizer.  HS_ERANGE: a size of 0, heads that don't divide hidden,
 * p > R, R above 2048, context below 2, resize below R, ids outside the vocabulary, eps or std not above 0, more than
 * HS_CLIP_LAYERS_MAX layers; HS_ELIMIT: more than 2^30 parameters. */
HS_CHECKED int hs_clip_random(const hs_clip_config *cfg, uint64_t seed, hs_clip **out);

/* A folder: config.json, model.safetensors or pytorch_model.bin (which is read only if the other is absent),
 * vocab.json, merges.txt, and preprocessor_config.json (absent: the usual scale, bicubic to R).  HS_EFORMAT names what
 * is missing, extra, misshapen or of another kind (a tokenizer of more tokens than the table has, a resampling that
 * isn't bicubic); HS_EIO, HS_ELIMIT.  eos_token_id 2 in config.json, as old folders say, means the tokenizer's end
 * token. */
HS_CHECKED int hs_clip_open(const char *folder, hs_clip **out);
/* FOLDER (there already) <- such a folder with weights (the block's count), in half or single precision; each file
 * replaced atomically, the weights last; vocab.json and merges.txt if c has a tokenizer.  meta: n_meta pairs for the
 * weights' metadata.  HS_EIO. */
HS_CHECKED int hs_clip_save(const hs_clip *c, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                            const char *folder);
void hs_clip_free(hs_clip *c);

const hs_clip_config *hs_clip_config_of(const hs_clip *c);
/* c takes t over (in place of another).  HS_ESHAPE: more tokens than cfg.vocab, other begin or end; t stays the
 * caller's. */
HS_CHECKED int hs_clip_set_tokenizer(hs_clip *c, hs_bpe *t);
const hs_bpe *hs_clip_tokenizer(const hs_clip *c); /* NULL: none */

/* The parameters, one block, and what is where in it, named as in the file; may be changed between evaluations. */
float *hs_clip_theta(hs_clip *c, size_t *count);
typedef struct {
    char name[80];
    size_t rank, dim[4];
    size_t offset, count;
} hs_clip_param;
size_t hs_clip_params(const hs_clip *c);
const hs_clip_param *hs_clip_param_at(const hs_clip *c, size_t i); /* i < hs_clip_params; logit_scale: rank 0, i = 0 */

/* ids (n, context) <- the tokens of n texts.  HS_ERANGE: as hs_bpe_encode, the text's beginning in the message, or c
 * has no tokenizer. */
HS_CHECKED int hs_clip_tokens(const hs_clip *c, size_t n, const char *const *texts, int truncate, int32_t *ids);

/* x (3, R, R) in [-1, 1] <- im as CLIP's own preprocessing has it: the shorter side resized to cfg.resize (bicubic,
 * Pillow's bits; the longer one cut to a whole number), the central R x R, v / 127.5 - 1.  Grey counts as RGB.
 * HS_ELIMIT, HS_ENOMEM. */
HS_CHECKED int hs_clip_preprocess(const hs_clip_config *cfg, const hs_image *im, float *x);

/* ---- The image tower ------------------------------------------------------------------------------- */

/* Workspace for up to n images (1 to 65536, else HS_ERANGE); grads: derivatives too.  c is borrowed; nothing is
 * allocated later.  Memory for each image, m = (R / p)^2 + 1 vectors: about 4 m (6 hidden + mlp) layers bytes with
 * derivatives. */
typedef struct hs_clip_image_ws hs_clip_image_ws;
HS_CHECKED int hs_clip_image_ws_create(const hs_clip *c, size_t n, int grads, hs_clip_image_ws **out);
void hs_clip_image_ws_free(hs_clip_image_ws *ws);

/* e (n, P) <- E_I(x), x (n, 3, R, R) in [-1, 1].  HS_ERANGE: more images than there is room for. */
HS_CHECKED int hs_clip_image_forward(hs_clip_image_ws *ws, size_t n, const float *x, float *e);
/* At the n images of the last forward (another n, or none: HS_ERANGE; a workspace without derivatives: HS_EBUG), whose
 * parameters must not have changed since:  de (n, P) along dx (n, 3, R, R);
 * dx (NULL: not wanted) <- the gradient of sum <de, e> in x, grad (the block's count; NULL: not wanted) += in every
 * parameter. */
HS_CHECKED int hs_clip_image_jvp(hs_clip_image_ws *ws, size_t n, const float *dx, float *de);
HS_CHECKED int hs_clip_image_vjp(hs_clip_image_ws *ws, size_t n, const float *de, float *dx, float *grad);

/* ---- The text tower -------------------------------------------------------------------------------- */

typedef struct hs_clip_text_ws hs_clip_text_ws;
HS_CHECKED int hs_clip_text_ws_create(const hs_clip *c, size_t n, int grads, hs_clip_text_ws **out);
void hs_clip_text_ws_free(hs_clip_text_ws *ws);

/* e (n, P) <- E_T of the tokens ids (n, context).  HS_ERANGE: more texts than there is room for, an id outside the
 * vocabulary, a row without an end token. */
HS_CHECKED int hs_clip_text_forward(hs_clip_text_ws *ws, size_t n, const int32_t *ids, float *e);
/* grad += the gradient of sum <de, e> in every parameter, at the n texts of the last forward; errors as above. */
HS_CHECKED int hs_clip_text_backward(hs_clip_text_ws *ws, size_t n, const float *de, float *grad);

/* e (n, P) <- E_T of n texts, in a workspace of its own.  Errors as hs_clip_tokens; HS_ENOMEM. */
HS_CHECKED int hs_clip_embed_texts(const hs_clip *c, size_t n, const char *const *texts, int truncate, float *e);

#endif
