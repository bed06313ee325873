/* Small networks, one of each family's ways, whose gains and biases are all different. */
#ifndef HS_TESTS_UNETS_H
#define HS_TESTS_UNETS_H

#include "core/model/unet_grad.h"
#include "core/model/unet_params.h"

/* tiny: as built in.  diffusers: several heads, symmetric padding, centred input, scaled middle.
 * adm: scale-shift norms, residual resampling, a middle attention without norm, a variance beside eps.
 * shift: adm with convolutions for resampling.
 * own: attention added to its normalised input, another number of blocks a level, attention on one side only.
 * openai: guided-diffusion's names and resampling, q, k and v of each head together, classes (all images of one).
 * neworder: the same with convolutions for resampling, q, k and v whole, more heads upwards.
 * plain: one level, no attention. */
typedef enum {
    UNET_TINY,
    UNET_DIFFUSERS,
    UNET_ADM,
    UNET_SHIFT,
    UNET_OWN,
    UNET_OPENAI,
    UNET_NEWORDER,
    UNET_PLAIN,
    UNETS
} unet_kind;

const char *unet_name(unet_kind kind);
void unet_config(unet_kind kind, hs_unet_config *c);
/* Random weights; every gain and bias (1 or small as drawn) moved by 0.3 times a normal number. */
hs_unet *unet_trainable(unet_kind kind, unsigned long long seed);

/* n zeros; n normal numbers. */
float *room(size_t n);
float *normals(uint64_t seed, size_t n);

enum { STATES = 5, ROWS = 8 };

/* A network with STATES random states recorded, and room for ROWS rows. */
typedef struct {
    hs_unet *u;
    hs_unet_grad *g;
    size_t d_x, d_h;
    float *x, *h, *eps;
    int t[STATES];
} recorded;

void recorded_begin(recorded *s, unet_kind kind, hs_conv_mode mode, uint64_t seed, int gradients);
void recorded_end(recorded *s);

/* The encoder's, the decoder's with skips fixed, and both with them carried. */
typedef enum { JVP_E, JVP_D, JVP_BOTH, VJP_D, VJP_E, VJP_BOTH, PRODUCTS } product;

/* out <- one product of rows; h (ROWS, d_h) between the halves. */
void multiply(recorded *s, product p, size_t rows, const size_t *of, const float *in, float *h, float *out);

#endif
