/* The configuration of a diffusion U-Net in pixels: every family is a set of values of one struct.
 * Configs are data: read from diffusers' config.json, a DDPM-style config.yml, guided-diffusion's model
 * flags, or hspace's own JSON (each field below by its name); the built-in ones are listed by
 * `hspace info --archs`. */
#ifndef HS_MODEL_UNET_CONFIG_H
#define HS_MODEL_UNET_CONFIG_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/diffusion/schedule.h"
#include "core/tensor/view.h"

enum { HS_LEVELS_MAX = 16 };

typedef enum { HS_NAMES_DIFFUSERS, HS_NAMES_DDPM, HS_NAMES_ADM } hs_names; /* how the weights are named */

/* How an attention's q, k and v are stored: three matrices; one matrix, q, k and v of each head together
 * (guided-diffusion's first order); one matrix, all of q, then k, then v (its new order). */
typedef enum { HS_QKV_APART, HS_QKV_BY_HEAD, HS_QKV_WHOLE } hs_qkv_order;

typedef struct {
    char family[16]; /* "diffusers", "ddpm", "adm", "anime64" */
    hs_names names;
    size_t image_size, in_ch, out_ch;
    size_t levels;                /* resolutions, from image_size down */
    size_t ch[HS_LEVELS_MAX];     /* channels of each level */
    size_t blocks[HS_LEVELS_MAX]; /* residual blocks a level on the way down; one more on the way up */
    int attn_down[HS_LEVELS_MAX], attn_up[HS_LEVELS_MAX]; /* attention after each block of the level */
    int attn_mid;                                         /* attention in the middle */
    size_t head_ch;                                       /* channels per attention head; 0: heads says */
    size_t heads, heads_up; /* heads where head_ch is 0, down and middle, and up; 0: one, and as heads */
    hs_qkv_order qkv;
    size_t groups; /* of every GroupNorm */
    double norm_eps;
    int attn_mid_norm;          /* the middle attention has a GroupNorm (diffusers scale_shift: no) */
    int attn_adds_normed;       /* attention adds its output to its normalised input (anime64) */
    size_t temb_base, temb_dim; /* width of the sinusoid; of the embedding after the dense layers */
    int temb_cos_first;
    double temb_freq_shift;
    size_t classes;  /* of a class-conditional network, whose embedding is added to that of t; 0: none */
    int scale_shift; /* h (1 + scale) + shift after the second norm, else + time term */
    int resnet_updown[HS_LEVELS_MAX]; /* down-/up-sampling by a residual block (ADM) */
    int resnet_up[HS_LEVELS_MAX];
    size_t down_pad;  /* 0: pad (0,1,0,1) then stride 2; 1: symmetric padding 1 */
    double mid_scale; /* divides the residual sums of the middle block */
    int center_input; /* x -> 2 x - 1 first (diffusers' center_input_sample) */
    hs_schedule_spec schedule;
    double *schedule_table; /* owned storage of schedule.table, NULL unless kind TABLE */
    char prediction[16];    /* "epsilon" or "v_prediction" */
} hs_unet_config;

/* What is wrong with the values, before any weight is read: HS_EFORMAT naming the field, the value
 * and the legal range. */
HS_CHECKED int hs_unet_config_check(const hs_unet_config *c);

/* Shapes that follow from the configuration. */
hs_chw hs_unet_image_shape(const hs_unet_config *c);
hs_chw hs_unet_h_shape(const hs_unet_config *c);
size_t hs_unet_skip_count(const hs_unet_config *c);
hs_chw hs_unet_skip_shape(const hs_unet_config *c, size_t i); /* in encoder order */

/* Heads of an attention over ch channels, in the decoder or not. */
size_t hs_unet_heads(const hs_unet_config *c, size_t ch, int decoder);

/* Built-in architectures: "anime64", "ddpm-cifar10-32", "ddpm-256" (celebahq, church, bedroom, cat),
 * "adm-256" (FFHQ, CelebA-HQ, AFHQ, MetFaces), "adm-imagenet-256" and "-cond", "faces-32" (the faces
 * that ship), "tiny" (tests and the untrained demo). */
size_t hs_arch_count(void);
const char *hs_arch_name(size_t i);
const char *hs_arch_summary(size_t i);
HS_CHECKED int hs_arch_builtin(const char *name, hs_unet_config *out); /* HS_ERANGE: unknown, with the nearest name */

/* Reads a configuration file, told apart by its keys: diffusers config.json (_class_name), DDPM
 * config.yml, guided-diffusion flags (num_channels), hspace JSON.  scheduler: path of scheduler_config.json, or NULL.
 */
HS_CHECKED int hs_arch_read(const char *path, const char *scheduler, hs_unet_config *out);
void hs_unet_config_free(hs_unet_config *c);

#endif
