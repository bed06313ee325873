#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/model/arch.h"

/* What the public DDPM models share (Ho et al. arXiv:2006.11239): 32 groups, eps 1e-6, sin before
 * cos, the embedding four times the base width, one head, linear betas 1e-4 ... 0.02, T = 1000. */
void hs_arch_ddpm_defaults(hs_unet_config *c)
{
    *c = (hs_unet_config){.family = "ddpm",
                          .names = HS_NAMES_DDPM,
                          .in_ch = 3,
                          .out_ch = 3,
                          .attn_mid = 1,
                          .groups = 32,
                          .norm_eps = 1e-6,
                          .attn_mid_norm = 1,
                          .temb_freq_shift = 1,
                          .mid_scale = 1,
                          .prediction = "epsilon"};
    c->schedule = (hs_schedule_spec){.kind = HS_SCHEDULE_LINEAR, .T = 1000, .beta_start = 1e-4, .beta_end = 0.02};
}

void hs_arch_set_levels(hs_unet_config *c, size_t base, size_t levels, const size_t *mult, size_t blocks)
{
    c->levels = levels;
    for (size_t i = 0; i < levels; i++) {
        c->ch[i] = base * mult[i];
        c->blocks[i] = blocks;
    }
    c->temb_base = base;
    c->temb_dim = 4 * base;
}

static void set_attention(hs_unet_config *c, size_t level)
{
    c->attn_down[level] = c->attn_up[level] = 1;
}

/* The trained face model of wangjia184/diffusion_model: a DDPM in shape that normalises with 8
 * groups and eps 1e-3, adds attention to its normalised input and embeds t in 256 numbers. */
static void anime64(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    snprintf(c->family, sizeof c->family, "anime64");
    hs_arch_set_levels(c, 64, 4, (const size_t[]){1, 2, 4, 8}, 2);
    c->image_size = 64;
    set_attention(c, 2);
    set_attention(c, 3);
    c->groups = 8;
    c->norm_eps = 1e-3;
    c->attn_adds_normed = 1;
    c->temb_base = c->temb_dim = 256;
    c->schedule = (hs_schedule_spec){
        .kind = HS_SCHEDULE_COSINE, .T = 300, .cosine_s = 0.008, .beta_min = 1e-4, .beta_max = 0.9999};
}

/* Ho's CIFAR-10 model, as google/ddpm-cifar10-32 publishes it: attention at 16 x 16. */
static void cifar10(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    hs_arch_set_levels(c, 128, 4, (const size_t[]){1, 2, 2, 2}, 2);
    c->image_size = 32;
    set_attention(c, 1);
}

/* The 256 x 256 model of CelebA-HQ and LSUN, and of Asyrp's CelebA-HQ experiments. */
static void ddpm256(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    hs_arch_set_levels(c, 128, 6, (const size_t[]){1, 1, 2, 2, 4, 4}, 2);
    c->image_size = 256;
    set_attention(c, 4);
}

static void tiny(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    hs_arch_set_levels(c, 16, 3, (const size_t[]){1, 2, 4}, 1);
    c->image_size = 16;
    set_attention(c, 2);
    c->groups = 8;
}

/* The 256 x 256 networks of guided-diffusion's kind: its flags learn_sigma, use_scale_shift_norm, resblock_updown,
 * num_head_channels 64. */
static void adm256_of(hs_unet_config *c, size_t base, size_t blocks)
{
    hs_arch_adm_defaults(c);
    hs_arch_set_levels(c, base, 6, (const size_t[]){1, 1, 2, 2, 4, 4}, blocks);
    c->image_size = 256;
    c->out_ch = 6;
    c->head_ch = 64;
    c->scale_shift = 1;
    for (size_t i = 0; i < 6; i++) {
        c->resnet_updown[i] = i < 5;
        c->resnet_up[i] = i > 0;
    }
    set_attention(c, 4);
}

/* FFHQ, CelebA-HQ (P2 weighting), AFHQ-dog (iDDPM), MetFaces, as Asyrp runs them: attention at 16 x 16. */
static void adm256(hs_unet_config *c)
{
    adm256_of(c, 128, 1);
}

/* OpenAI's ImageNet models: attention at 32, 16 and 8. */
static void adm_imagenet(hs_unet_config *c)
{
    adm256_of(c, 256, 2);
    set_attention(c, 3);
    set_attention(c, 5);
}

static void adm_imagenet_cond(hs_unet_config *c)
{
    adm_imagenet(c);
    c->classes = 1000;
}

/* The faces that hspace trains and ships.  Betas end at .01: with .02 an alpha_bar_T of 4e-5 multiplies
 * the error of eps by 157 at the first step of a small picture's sampling. */
static void faces32(hs_unet_config *c)
{
    hs_arch_ddpm_defaults(c);
    c->names = HS_NAMES_DIFFUSERS;
    hs_arch_set_levels(c, 32, 3, (const size_t[]){1, 2, 4}, 1);
    c->image_size = 32;
    set_attention(c, 2);
    c->groups = 8;
    c->schedule.beta_end = 0.01;
}

static const struct {
    const char *name, *summary;
    void (*make)(hs_unet_config *);
} archs[] = {
    {"anime64", "trained face DDPM, 64 x 64, h 512 x 8 x 8, cosine T = 300 (63.2 M parameters)", anime64},
    {"ddpm-cifar10-32", "DDPM of CIFAR-10, 32 x 32, h 256 x 4 x 4, linear T = 1000 (35.7 M)", cifar10},
    {"ddpm-256", "DDPM of CelebA-HQ, church, bedroom, cat, 256 x 256, h 512 x 8 x 8, linear T = 1000 (113.7 M)",
     ddpm256},
    {"adm-256", "ADM of FFHQ, CelebA-HQ, AFHQ-dog, MetFaces, 256 x 256, h 512 x 8 x 8, linear T = 1000 (93.6 M)",
     adm256},
    {"adm-imagenet-256", "ADM of ImageNet, 256 x 256, h 1024 x 8 x 8, linear T = 1000 (552.8 M)", adm_imagenet},
    {"adm-imagenet-256-cond", "the same, of 1000 classes: --class (553.8 M)", adm_imagenet_cond},
    {"faces-32", "the faces that ship, 32 x 32, h 128 x 8 x 8, linear T = 1000 up to .01 (2.7 M)", faces32},
    {"tiny", "for tests and the untrained demo, 16 x 16, h 64 x 4 x 4, linear T = 1000", tiny},
};

size_t hs_arch_count(void)
{
    return sizeof archs / sizeof archs[0];
}

const char *hs_arch_name(size_t i)
{
    return archs[i].name;
}

const char *hs_arch_summary(size_t i)
{
    return archs[i].summary;
}

int hs_arch_builtin(const char *name, hs_unet_config *out)
{
    size_t best = 0, distance = (size_t)-1;
    for (size_t i = 0; i < hs_arch_count(); i++) {
        size_t d = hs_text_distance(name, archs[i].name);
        if (d == 0) {
            archs[i].make(out);
            return HS_OK;
        }
        if (d < distance) {
            distance = d;
            best = i;
        }
    }
    char shown[80];
    hs_text_escape(name, shown, sizeof shown);
    return hs_fail(HS_ERANGE, "architecture \"%s\" is unknown; did you mean \"%s\"? (hspace info --archs lists them)",
                   shown, archs[best].name);
}
