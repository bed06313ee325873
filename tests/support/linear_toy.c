#include "tests/support/linear_toy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/model/unet_params.h"
#include "tests/support/support.h"

enum { C = TOY_D_H, COLOURS = 3, LARGE = 1000, OFFSET = 50 };

double toy_in(size_t j)
{
    return j == 0 ? 0.4 : 0.1;
}

double toy_out(size_t j)
{
    return j == 0 ? 1 : 0.5;
}

/* ---- Parameters by name ---- */

/* Where a parameter of the network lies. */
static float *at(hs_unet *u, const char *name)
{
    size_t count;
    float *theta = hs_unet_theta(u, &count);
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        hs_unet_param p = hs_unet_param_at(u, i);
        if (strcmp(p.name, name) == 0) {
            return theta + p.offset;
        }
    }
    fail_msg("the network has no %s", name);
    return NULL;
}

/* A tap of a 3 x 3 kernel (out, C, 3, 3). */
static float *tap(float *kernel, size_t in, size_t out, size_t from, size_t y, size_t x)
{
    return kernel + ((out * in + from) * 3 + y) * 3 + x;
}

/* Everything 0 but the time embedding, which f_t reads: residual branches add nothing, skips are not read. */
static void silence(hs_unet *u)
{
    size_t count;
    float *theta = hs_unet_theta(u, &count);
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        hs_unet_param p = hs_unet_param_at(u, i);
        if (strncmp(p.name, "time_embedding.", 15) != 0) {
            memset(theta + p.offset, 0, p.count * sizeof *theta);
        }
    }
}

/* The shortcuts of the way up, (C, 2 C): what comes from below, without the skip. */
static void pass_up(hs_unet *u)
{
    char name[64];
    for (size_t level = 0; level < 3; level++) {
        for (size_t j = 0; j < 2; j++) {
            snprintf(name, sizeof name, "up_blocks.%zu.resnets.%zu.conv_shortcut.weight", level, j);
            float *w = at(u, name);
            for (size_t c = 0; c < C; c++) {
                w[c * 2 * C + c] = 1;
            }
        }
    }
}

/* ---- The maps ---- */

/* Colours; sums of 2 x 2 pixels; then the four quadrants of each colour, to h. */
static void write_encoder(linear_toy *toy)
{
    hs_unet *u = toy->m.unet;
    for (size_t c = 0; c < COLOURS; c++) {
        *tap(at(u, "conv_in.weight"), COLOURS, c, c, 1, 1) = 1;
        for (size_t q = 0; q < 4; q++) { /* the stride of 2 begins at the upper left pixel */
            *tap(at(u, "down_blocks.0.downsamplers.0.conv.weight"), C, c, c, q / 2, q % 2) = 0.5F;
        }
    }
    for (size_t j = 0; j < C; j++) {
        for (size_t r = 0; r < C; r++) {
            *tap(at(u, "down_blocks.1.downsamplers.0.conv.weight"), C, r, j / 4, j % 4 / 2, j % 2) =
                (float)toy_in(j) * toy->a[j][r];
        }
    }
}

/* h to twelve numbers; each to its quadrant, which a kernel can choose at the border: one tap there sees the map. Three
 * channels have the negatives of the colours, so that the mean is 0 for every h, six have constants. */
static void write_decoder(linear_toy *toy)
{
    hs_unet *u = toy->m.unet;
    pass_up(u);
    float *w = at(u, "up_blocks.0.resnets.0.conv_shortcut.weight");
    float *bias = at(u, "up_blocks.2.resnets.1.conv_shortcut.bias");
    for (size_t j = 0; j < C; j++) {
        for (size_t r = 0; r < C; r++) {
            w[j * 2 * C + r] = (float)toy_out(j) * toy->a[j][r];
        }
        float *quadrants = at(u, "up_blocks.0.upsamplers.0.conv.weight");
        size_t y = j % 4 / 2 == 0 ? 2 : 0, x = j % 2 == 0 ? 2 : 0;
        *tap(quadrants, C, j / 4, j, y, x) = 0.5F;
        *tap(quadrants, C, COLOURS + j / 4, j, y, x) = -0.5F;
        *tap(at(u, "up_blocks.1.upsamplers.0.conv.weight"), C, j, j, 1, 1) = 1;
        bias[j] = j < 6 ? 0 : j % 2 == 0 ? LARGE : -LARGE;
        at(u, "conv_norm_out.weight")[j] = LARGE * sqrtf(0.5F);
        at(u, "conv_norm_out.bias")[j] = OFFSET;
    }
    for (size_t c = 0; c < COLOURS; c++) {
        *tap(at(u, "conv_out.weight"), C, c, c, 1, 1) = 1;
        at(u, "conv_out.bias")[c] = -OFFSET;
    }
}

/* Rows orthonormal, by Gram and Schmidt. */
static void draw_basis(uint64_t seed, float a[C][C])
{
    for (size_t j = 0; j < C; j++) {
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, j}, 0, C, a[j]);
        for (size_t pass = 0; pass < 2; pass++) {
            for (size_t k = 0; k < j; k++) {
                double on = hs_dot_f32(C, a[j], a[k]);
                for (size_t r = 0; r < C; r++) {
                    a[j][r] -= (float)(on * (double)a[k][r]);
                }
            }
        }
        double norm = hs_nrm2_f32(C, a[j]);
        for (size_t r = 0; r < C; r++) {
            a[j][r] /= (float)norm;
        }
    }
}

static void draw_patterns(float u[C][TOY_D_X])
{
    memset(u, 0, sizeof(float) * C * TOY_D_X);
    for (size_t j = 0; j < C; j++) {
        for (size_t i = 0; i < 4; i++) {
            size_t y = j % 4 / 2 * 2 + i / 2, x = j % 2 * 2 + i % 2;
            u[j][(j / 4 * TOY_SIDE + y) * TOY_SIDE + x] = 0.5F;
        }
    }
}

static void make_model(linear_toy *toy)
{
    hs_unet_config c;
    assert_ok(hs_arch_builtin("tiny", &c));
    c.image_size = TOY_SIDE;
    c.levels = 3;
    c.groups = 1;
    c.attn_mid = 0;
    for (size_t i = 0; i < c.levels; i++) {
        c.ch[i] = C;
        c.attn_down[i] = c.attn_up[i] = 0;
    }
    assert_ok(hs_unet_trainable(&c, 1, NULL, &toy->m.unet));
    assert_ok(hs_schedule_create(&c.schedule, &toy->m.schedule));
    toy->m.name = strdup("linear-toy");
    assert_non_null(toy->m.name);
    silence(toy->m.unet);
    write_encoder(toy);
    write_decoder(toy);
    hs_unet_refresh(toy->m.unet);
}

/* ---- The attribute network ---- */

/* The stem copies red, its negative and constants; one feature adds up a quadrant. */
static void make_phi(linear_toy *toy)
{
    enum { CH = 8, PX = TOY_SIDE * TOY_SIDE };
    const hs_attrnet_config c = {.image_size = TOY_SIDE,
                                 .levels = 1,
                                 .ch = {CH},
                                 .groups = 1,
                                 .features = 1,
                                 .n_factors = 1,
                                 .factor = {{"red", 0, 0, 1}}};
    size_t count;
    assert_ok(hs_attrnet_random(&c, 1, &toy->phi));
    float *kernel = hs_attrnet_theta(toy->phi, &count), *bias = kernel + CH * 3 * 9, *gain = bias + CH,
          *shift = gain + CH, *feature = shift + CH, *rest = feature + CH * PX;
    memset(kernel, 0, count * sizeof *kernel);
    *tap(kernel, 3, 0, 0, 1, 1) = 1;
    *tap(kernel, 3, 1, 0, 1, 1) = -1;
    for (size_t k = 0; k < CH; k++) {
        bias[k] = k < 2 ? 0 : k % 2 == 0 ? LARGE : -LARGE;
        gain[k] = LARGE * sqrtf(0.75F);
        shift[k] = OFFSET;
    }
    memcpy(feature, toy->u[0], PX * sizeof *feature);
    rest[1] = 1;           /* of the feature; its bias, rest[0], is 0 */
    rest[2] = -2 * OFFSET; /* four halves of the offset */
}

void linear_toy_begin(linear_toy *toy, uint64_t seed)
{
    memset(toy, 0, sizeof *toy);
    draw_basis(seed, toy->a);
    draw_patterns(toy->u);
    make_model(toy);
    make_phi(toy);
}

void linear_toy_end(linear_toy *toy)
{
    hs_attrnet_free(toy->phi);
    hs_model_free(&toy->m);
}
