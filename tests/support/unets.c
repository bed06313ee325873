#include "tests/support/unets.h"

#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/support.h"
#include "tests/support/weights.h"

const char *unet_name(unet_kind kind)
{
    static const char *const name[UNETS] = {"tiny", "diffusers", "adm", "shift", "own", "openai", "neworder", "plain"};
    return name[kind];
}

static void levels(hs_unet_config *c, size_t n, size_t side)
{
    static const size_t ch[3] = {8, 16, 16};
    c->levels = n;
    c->image_size = side;
    c->groups = 4;
    c->temb_base = 8;
    c->temb_dim = 32;
    for (size_t i = 0; i < n; i++) {
        c->ch[i] = ch[i];
        c->blocks[i] = 1;
        c->attn_down[i] = c->attn_up[i] = i == 1;
    }
}

static void diffusers(hs_unet_config *c)
{
    levels(c, 2, 8);
    c->names = HS_NAMES_DIFFUSERS;
    c->head_ch = 4;
    c->down_pad = 1;
    c->temb_cos_first = 1;
    c->temb_freq_shift = 0;
    c->mid_scale = 1.4;
    c->center_input = 1;
}

static void adm(hs_unet_config *c)
{
    levels(c, 2, 8);
    c->names = HS_NAMES_DIFFUSERS;
    c->head_ch = 8;
    c->scale_shift = 1;
    c->attn_mid_norm = 0;
    c->out_ch = 6;
    c->resnet_updown[0] = c->resnet_updown[1] = c->resnet_up[0] = c->resnet_up[1] = 1;
}

static void shift(hs_unet_config *c)
{
    adm(c);
    c->resnet_updown[0] = c->resnet_updown[1] = c->resnet_up[0] = c->resnet_up[1] = 0;
}

static void own(hs_unet_config *c)
{
    levels(c, 3, 12);
    c->attn_adds_normed = 1;
    c->norm_eps = 1e-3;
    c->temb_base = c->temb_dim = 24;
    c->blocks[1] = 2;
    c->attn_up[1] = 0;
    c->attn_up[2] = 1;
}

static void openai(hs_unet_config *c)
{
    levels(c, 2, 8);
    c->names = HS_NAMES_ADM;
    c->qkv = HS_QKV_BY_HEAD;
    c->heads = 4;
    c->classes = 3;
    c->scale_shift = c->temb_cos_first = 1;
    c->temb_freq_shift = 0;
    c->norm_eps = 1e-5;
    c->out_ch = 6;
    c->down_pad = 1;
    c->resnet_updown[0] = c->resnet_up[1] = 1;
}

static void neworder(hs_unet_config *c)
{
    openai(c);
    c->qkv = HS_QKV_WHOLE;
    c->heads = 2;
    c->heads_up = 8;
    c->classes = 0;
    c->resnet_updown[0] = c->resnet_up[1] = 0;
}

static void plain(hs_unet_config *c)
{
    small_config(c);
    c->attn_down[0] = c->attn_up[0] = c->attn_mid = 0;
}

void unet_config(unet_kind kind, hs_unet_config *c)
{
    static void (*const change[UNETS])(hs_unet_config *) = {NULL, diffusers, adm, shift, own, openai, neworder, plain};
    assert_ok(hs_arch_builtin("tiny", c));
    if (change[kind] != NULL) {
        change[kind](c);
    }
}

hs_unet *unet_trainable(unet_kind kind, unsigned long long seed)
{
    hs_unet_config c;
    hs_unet *u = NULL;
    size_t count;
    unet_config(kind, &c);
    assert_ok(hs_unet_trainable(&c, seed, NULL, &u));
    float *theta = hs_unet_theta(u, &count);
    for (size_t i = 0; i < hs_unet_param_count(u); i++) {
        hs_unet_param p = hs_unet_param_at(u, i);
        for (size_t k = 0; p.rank == 1 && k < p.count; k++) {
            float z;
            hs_rng_normal((hs_rng){seed, HS_RNG_TEST, i}, k, 1, &z);
            theta[p.offset + k] += 0.3f * z;
        }
    }
    hs_unet_refresh(u);
    if (c.classes > 0) {
        assert_ok(hs_unet_set_classes(u, 1, &(int){1}));
    }
    return u;
}

float *room(size_t n)
{
    float *v = NULL;
    assert_ok(hs_calloc(n, sizeof *v, &v));
    return v;
}

float *normals(uint64_t seed, size_t n)
{
    float *v = room(n);
    hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 1 << 20}, 0, n, v);
    return v;
}

void recorded_begin(recorded *s, unet_kind kind, hs_conv_mode mode, uint64_t seed, int gradients)
{
    s->u = unet_trainable(kind, seed);
    const hs_unet_config *c = hs_unet_config_of(s->u);
    s->d_x = hs_chw_size(hs_unet_image_shape(c));
    s->d_h = hs_chw_size(hs_unet_h_shape(c));
    s->x = normals(seed, STATES * s->d_x);
    s->h = room(STATES * s->d_h);
    s->eps = room(STATES * s->d_x);
    for (uint64_t i = 0; i < STATES; i++) {
        s->t[i] = (int)hs_rng_below((hs_rng){seed, HS_RNG_TEST, 1 << 21}, i, 1000);
    }
    assert_ok(hs_unet_grad_create(s->u, STATES, ROWS, gradients, mode, &s->g));
    assert_ok(hs_unet_grad_encode(s->g, STATES, s->x, s->t, s->h));
    assert_ok(hs_unet_grad_decode(s->g, s->h, s->eps));
}

void recorded_end(recorded *s)
{
    hs_unet_grad_free(s->g);
    hs_unet_free(s->u);
    free(s->x);
    free(s->h);
    free(s->eps);
}

void multiply(recorded *s, product p, size_t rows, const size_t *of, const float *in, float *h, float *out)
{
    switch (p) {
    case JVP_E: assert_ok(hs_unet_jvp_encode(s->g, rows, of, in, out)); break;
    case JVP_D: assert_ok(hs_unet_jvp_decode(s->g, rows, of, HS_SKIPS_FIXED, in, out)); break;
    case JVP_BOTH:
        assert_ok(hs_unet_jvp_encode(s->g, rows, of, in, h));
        assert_ok(hs_unet_jvp_decode(s->g, rows, of, HS_SKIPS_CARRIED, h, out));
        break;
    case VJP_D: assert_ok(hs_unet_vjp_decode(s->g, rows, of, HS_SKIPS_FIXED, in, out)); break;
    case VJP_E: assert_ok(hs_unet_vjp_encode(s->g, rows, of, HS_SKIPS_FIXED, in, out)); break;
    default:
        assert_ok(hs_unet_vjp_decode(s->g, rows, of, HS_SKIPS_CARRIED, in, h));
        assert_ok(hs_unet_vjp_encode(s->g, rows, of, HS_SKIPS_CARRIED, h, out));
    }
}
