/* The attribute network: pixels -> factors, a small convolutional network whose answers serve as read-outs
 * (attr:NAME) and whose features serve as a perceptual distance (feat).
 *
 *   x (3, R, R), bicubically resized by the caller where R differs
 *   stem: unit 3 -> ch[0] at R x R; then per further level l: unit ch[l-1] -> ch[l] of stride 2, unit ch[l] -> ch[l]
 *   unit: conv3x3 (padding 1), GroupNorm (eps 1e-5), SiLU
 *   features f (F) = SiLU(W m + w) of the last map m, flattened channels first
 *   out_k = <a_k, f> + b_k; continuous factor: mean_k + sd_k out_k; binary: probability 1 / (1 + exp(-out_k)).
 *
 * In a folder: config.json ("_class_name": "HspaceAttrNet", sizes, factors with kind, mean and sd) and
 * model.safetensors, tensors named and laid out as PyTorch modules would be: stem.conv.weight (and .bias),
 * stem.norm.weight, levels.0.conv1.weight, levels.0.norm1.weight, levels.0.conv2.weight, ..., features.weight,
 * head.weight. */
#ifndef HS_MODEL_ATTRNET_H
#define HS_MODEL_ATTRNET_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/nn/conv.h"

enum { HS_ATTR_LEVELS_MAX = 6, HS_ATTR_FACTORS_MAX = 64 };

typedef struct {
    char name[32];
    int binary;
    double mean, sd; /* of the training data; binary: mean 0, sd 1 */
} hs_attr_factor;

typedef struct {
    size_t image_size;                     /* R */
    size_t levels, ch[HS_ATTR_LEVELS_MAX]; /* level l works at R / 2^l, rounded up */
    size_t groups, features;               /* groups divide every ch */
    size_t n_factors;
    hs_attr_factor factor[HS_ATTR_FACTORS_MAX];
} hs_attrnet_config;

typedef struct hs_attrnet hs_attrnet;

/* *out <- a network of weights uniform in +-1/sqrt(fan in), stream (seed, HS_RNG_WEIGHTS, tensor), biases 0, gains 1.
 * HS_ERANGE: R outside 4 ... 1024, levels outside 1 ... 6, channels that groups don't divide, no factor, a
 * factor's name empty or twice, sd not above 0; HS_ELIMIT: more than 2^28 parameters. */
HS_CHECKED int hs_attrnet_random(const hs_attrnet_config *cfg, unsigned long long seed, hs_attrnet **out);
/* A folder as above.  HS_EFORMAT names what is missing, extra or misshapen; HS_EIO, HS_ELIMIT. */
HS_CHECKED int hs_attrnet_open(const char *folder, hs_attrnet **out);
/* FOLDER (there already) <- weights (the block's count) with a's configuration, in half or single precision, each
 * file replaced atomically, the weights last. meta: n_meta pairs for the weights' metadata.  HS_EIO. */
HS_CHECKED int hs_attrnet_save(const hs_attrnet *a, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                               const char *folder);
void hs_attrnet_free(hs_attrnet *a);
const hs_attrnet_config *hs_attrnet_config_of(const hs_attrnet *a);
/* Index of a factor by name, or -1. */
int hs_attrnet_find(const hs_attrnet *a, const char *name);
float *hs_attrnet_theta(hs_attrnet *a, size_t *count); /* the parameters, one block */

/* Workspace for up to n images (1 to 65536, else HS_ERANGE); grads: derivatives too.  a is borrowed; nothing is
 * allocated later. */
typedef struct hs_attrnet_ws hs_attrnet_ws;
HS_CHECKED int hs_attrnet_ws_create(const hs_attrnet *a, size_t n, int grads, hs_conv_mode mode, hs_attrnet_ws **out);
void hs_attrnet_ws_free(hs_attrnet_ws *ws);
HS_CHECKED int hs_attrnet_ws_refresh(hs_attrnet_ws *ws); /* the parameters changed */

/* out (n, n_factors) <- out_k of x (n, 3, R, R), values in [-1, 1]; features (n, F) or NULL.  HS_ERANGE: more
 * images than there is room for. */
HS_CHECKED int hs_attrnet_forward(hs_attrnet_ws *ws, size_t n, const float *x, float *out, float *features);
/* value (n, n_factors) <- out in the factors' own units: mean + sd out, or the probability. */
void hs_attrnet_values(const hs_attrnet *a, size_t n, const float *out, double *value);

/* At the n images of the last forward (another n, or none: HS_ERANGE; a workspace without derivatives: HS_EBUG):
 * dout (n, n_factors) along dx (n, 3, R, R);  dx from dout;
 * grad (count, laid out as the parameters) += the gradient of sum <dout, out> in every parameter. */
HS_CHECKED int hs_attrnet_jvp(hs_attrnet_ws *ws, size_t n, const float *dx, float *dout);
HS_CHECKED int hs_attrnet_vjp(hs_attrnet_ws *ws, size_t n, const float *dout, float *dx);
HS_CHECKED int hs_attrnet_backward(hs_attrnet_ws *ws, size_t n, const float *dout, float *grad);

#endif
