#include "core/model/unet_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/file.h"
#include "core/model/arch_write.h"
#include "core/model/unet_net.h"

static int params_of(const hs_unet_config *cfg, unsigned long long seed, const hs_tensors *ts, hs_params **out)
{
    return ts != NULL ? hs_params_from_file(ts, cfg, out) : hs_params_random(seed, cfg, out);
}

/* *count <- the floats that the parameters fill in a block, learnt by building the network once without. */
static int room_of(const hs_unet_config *cfg, unsigned long long seed, const hs_tensors *ts, size_t *count)
{
    hs_params *p = NULL;
    hs_unet *u = NULL;
    int rc = HS_OK;
    HS_TRY(params_of(cfg, seed, ts, &p));
    HS_TRY(hs_calloc(1, sizeof *u, &u));
    u->cfg = *cfg;
    HS_TRY(hs_unet_build(u, p));
    *count = hs_params_room(p);
out:
    if (u != NULL) {
        hs_arena_free(&u->arena);
    }
    free(u);
    hs_params_free(p);
    return rc;
}

int hs_unet_trainable(const hs_unet_config *cfg, unsigned long long seed, const hs_tensors *ts, hs_unet **out)
{
    hs_params *p = NULL;
    float *theta = NULL;
    size_t count = 0;
    int rc = HS_OK;
    HS_TRY(hs_unet_config_check(cfg));
    HS_TRY(room_of(cfg, seed, ts, &count));
    HS_TRY(hs_calloc(count, sizeof *theta, &theta));
    HS_TRY(params_of(cfg, seed, ts, &p));
    hs_params_into(p, theta, count);
    return hs_unet_create(cfg, p, theta, count, out);
out:
    free(theta);
    return rc;
}

float *hs_unet_theta(hs_unet *u, size_t *count)
{
    *count = u->theta_count;
    return u->theta;
}

void hs_unet_refresh(hs_unet *u)
{
    for (size_t i = 0; i < u->n_copy; i++) {
        const hs_unet_copy *c = &u->copy[i];
        for (size_t r = 0; r < c->rows; r++) {
            memcpy(u->theta + c->to + r * c->to_ld, u->theta + c->from + r * c->from_ld, c->cols * sizeof(float));
        }
    }
}

void hs_unet_fold(const hs_unet *u, float *grad)
{
    for (size_t i = 0; i < u->n_copy; i++) {
        const hs_unet_copy *c = &u->copy[i];
        for (size_t r = 0; r < c->rows; r++) {
            float *from = grad + c->from + r * c->from_ld, *to = grad + c->to + r * c->to_ld;
            for (size_t j = 0; j < c->cols; j++) {
                from[j] += to[j];
                to[j] = 0;
            }
        }
    }
}

size_t hs_unet_param_count(const hs_unet *u)
{
    return u->n_named;
}

hs_unet_param hs_unet_param_at(const hs_unet *u, size_t i)
{
    const hs_unet_named *n = &u->named[i];
    hs_unet_param p = {.name = n->name, .rank = n->rank, .count = n->count, .offset = n->offset};
    memcpy(p.dim, n->dim, sizeof p.dim);
    return p;
}

/* ---- Saving -------------------------------------------------------------------------------------- */

static int save_text(const char *folder, const char *name, const hs_str *text)
{
    hs_str path = {0};
    int rc = HS_OK;
    hs_str_addf(&path, "%s/%s", folder, name);
    HS_TRY(hs_str_ok(&path));
    HS_TRY(hs_file_write_atomic(path.s, text->s, text->len, 1));
out:
    hs_str_free(&path);
    return rc;
}

static int save_weights(const hs_unet *u, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                        const char *path)
{
    hs_tensor *t = NULL;
    uint16_t *halves = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(u->n_named, sizeof *t, &t));
    if (half) {
        HS_TRY(hs_alloc(u->theta_count, sizeof *halves, &halves));
        hs_f32_to_f16(weights, u->theta_count, halves);
    }
    for (size_t i = 0; i < u->n_named; i++) {
        const hs_unet_named *n = &u->named[i];
        t[i] = (hs_tensor){.name = n->name, .dtype = half ? HS_F16 : HS_F32, .rank = n->rank, .count = n->count};
        t[i].bytes = half ? (const unsigned char *)(halves + n->offset) : (const unsigned char *)(weights + n->offset);
        for (size_t r = 0; r < n->rank; r++) {
            t[i].dim[r] = n->dim[r];
        }
        /* A 1x1 convolution, which take asks for as a matrix: attention's are dense layers in diffusers. */
        if (n->rank == 2 && strstr(n->name, "conv_shortcut") != NULL) {
            t[i].rank = 4;
            t[i].dim[2] = t[i].dim[3] = 1;
        }
    }
    HS_TRY(hs_safetensors_write(path, u->n_named, t, n_meta, meta, 1));
out:
    free(halves);
    free(t);
    return rc;
}

int hs_unet_save(const hs_unet *u, const float *weights, int half, size_t n_meta, const hs_pair *meta,
                 const char *folder)
{
    hs_str config = {0}, scheduler = {0}, path = {0};
    int rc = HS_OK;
    if (u->theta == NULL) {
        return hs_fail(HS_EBUG, "save: the network isn't trainable");
    }
    HS_TRY(hs_arch_write_diffusers(&u->cfg, &config, &scheduler));
    HS_TRY(save_text(folder, "config.json", &config));
    HS_TRY(save_text(folder, "scheduler_config.json", &scheduler));
    hs_str_addf(&path, "%s/diffusion_pytorch_model.safetensors", folder);
    HS_TRY(hs_str_ok(&path));
    HS_TRY(save_weights(u, weights, half, n_meta, meta, path.s));
out:
    hs_str_free(&config);
    hs_str_free(&scheduler);
    hs_str_free(&path);
    return rc;
}
