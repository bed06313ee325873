#include "tests/support/weights.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

enum { C = 8, TEMB = 32 };

void small_config(hs_unet_config *c)
{
    assert_ok(hs_arch_builtin("tiny", c));
    c->levels = 1;
    c->ch[0] = C;
    c->blocks[0] = 1;
    c->groups = 4;
    c->image_size = 4;
    c->temb_base = C;
    c->temb_dim = TEMB;
}

void weights_add(weights *w, const char *name, hs_dtype dtype, size_t rank, const uint64_t *dim, const void *bytes)
{
    hs_tensor *t = &w->t[w->n++];
    assert_true(w->n <= WEIGHTS_MAX);
    *t = (hs_tensor){.name = strdup(name), .dtype = dtype, .rank = rank, .count = 1};
    for (size_t i = 0; i < rank; i++) {
        t->dim[i] = dim[i];
        t->count *= (size_t)dim[i];
    }
    unsigned char *copy = malloc(t->count * hs_dtype_size(dtype) + 1);
    assert_non_null(copy);
    memcpy(copy, bytes, t->count * hs_dtype_size(dtype));
    t->bytes = copy;
}

hs_tensor *weights_find(weights *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++) {
        if (strcmp(w->t[i].name, name) == 0) {
            return &w->t[i];
        }
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

static void drop(hs_tensor *t)
{
    free((char *)(uintptr_t)t->name);
    free((unsigned char *)(uintptr_t)t->bytes);
}

void weights_remove(weights *w, const char *name)
{
    hs_tensor *t = weights_find(w, name);
    drop(t);
    *t = w->t[--w->n];
}

void weights_rename(weights *w, const char *from, const char *to)
{
    hs_tensor *t = weights_find(w, from);
    free((char *)(uintptr_t)t->name);
    t->name = strdup(to);
}

void weights_write(weights *w, const char *path)
{
    assert_ok(hs_safetensors_write(path, w->n, w->t, 0, NULL, 1));
    while (w->n > 0) {
        drop(&w->t[--w->n]);
    }
}

void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
}

/* ---- The small network --------------------------------------------------------------------------- */

typedef struct {
    weights *w;
    const char *prefix;
    unsigned long long seed;
    uint64_t position; /* the same in both schemes: the same values */
} maker;

static void add(maker *m, const char *name, const char *leaf, size_t rank, const uint64_t *dim)
{
    char full[128];
    float v[16 * C * 9 * C];
    size_t n = 1;
    for (size_t i = 0; i < rank; i++) {
        n *= (size_t)dim[i];
    }
    assert_true(n <= sizeof v / sizeof v[0]);
    hs_rng_normal((hs_rng){m->seed, HS_RNG_TEST, m->position++}, 0, n, v);
    for (size_t i = 0; i < n; i++) {
        v[i] *= 0.2f;
    }
    snprintf(full, sizeof full, "%s%s.%s", m->prefix, name, leaf);
    weights_add(m->w, full, HS_F32, rank, dim, v);
}

static void layer(maker *m, const char *site, const char *part, size_t rank, uint64_t out, uint64_t in, uint64_t k)
{
    char name[96];
    const uint64_t dim[4] = {out, in, k, k};
    snprintf(name, sizeof name, "%s%s%s", site, part[0] != '\0' ? "." : "", part);
    add(m, name, "weight", rank, dim);
    add(m, name, "bias", 1, dim);
}

static void block(maker *m, int diffusers, const char *site, uint64_t in)
{
    layer(m, site, "norm1", 1, in, 0, 0);
    layer(m, site, "conv1", 4, C, in, 3);
    layer(m, site, diffusers ? "time_emb_proj" : "temb_proj", 2, C, TEMB, 0);
    layer(m, site, "norm2", 1, C, 0, 0);
    layer(m, site, "conv2", 4, C, C, 3);
    if (in != C) {
        layer(m, site, diffusers ? "conv_shortcut" : "nin_shortcut", 4, C, in, 1);
    }
}

static void attention(maker *m, int diffusers, const char *site)
{
    static const char *const part[2][5] = {{"norm", "q", "k", "v", "proj_out"},
                                           {"group_norm", "to_q", "to_k", "to_v", "to_out.0"}};
    layer(m, site, part[diffusers][0], 1, C, 0, 0);
    for (int i = 1; i < 5; i++) {
        layer(m, site, part[diffusers][i], diffusers ? 2 : 4, C, C, 1);
    }
}

void small_weights(weights *w, const char *prefix, int d, unsigned long long seed)
{
    maker m = {w, prefix, seed, 0};
    layer(&m, d ? "time_embedding.linear_1" : "temb.dense.0", "", 2, TEMB, C, 0);
    layer(&m, d ? "time_embedding.linear_2" : "temb.dense.1", "", 2, TEMB, TEMB, 0);
    layer(&m, "conv_in", "", 4, C, 3, 3);
    block(&m, d, d ? "down_blocks.0.resnets.0" : "down.0.block.0", C);
    block(&m, d, d ? "mid_block.resnets.0" : "mid.block_1", C);
    attention(&m, d, d ? "mid_block.attentions.0" : "mid.attn_1");
    block(&m, d, d ? "mid_block.resnets.1" : "mid.block_2", C);
    block(&m, d, d ? "up_blocks.0.resnets.0" : "up.0.block.0", 2 * C);
    block(&m, d, d ? "up_blocks.0.resnets.1" : "up.0.block.1", 2 * C);
    layer(&m, d ? "conv_norm_out" : "norm_out", "", 1, C, 0, 0);
    layer(&m, "conv_out", "", 4, 3, C, 3);
}
