#include "core/model/ckpt.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/text.h"

struct hs_params {
    const hs_tensors *ts; /* NULL: random */
    const hs_name_table *names;
    size_t levels, blocks[HS_LEVELS_MAX];
    int attn_up[HS_LEVELS_MAX];
    char prefix[HS_NAME_MAX];
    size_t prefixes;     /* networks the file holds */
    unsigned char *seen; /* per tensor of the file */
    int lent;            /* some values are used in the file's bytes */
    uint64_t seed, taken;
    size_t count;
    float *block;      /* where values go; NULL: the arena */
    size_t room, used; /* of the block, in floats */
};

/* ---- Names -------------------------------------------------------------------------------------- */

/* The number that a letter of a pattern stands for. */
static size_t number_of(const hs_params *p, char letter, size_t l, size_t j)
{
    size_t n = 0;
    switch (letter) {
    case 'l': return l;
    case 'u': return p->levels - 1 - l;
    case 'a': return p->attn_up[l] ? 2 : 1;
    case 'e':
        for (size_t i = 0; i < l; i++) {
            n += p->blocks[i] + 1;
        }
        return n + j + 1;
    case 'd':
        for (size_t i = l + 1; i < p->levels; i++) {
            n += p->blocks[i] + 1;
        }
        return n + (j < p->blocks[l] ? j : p->blocks[l]); /* an up-sampler is in the last block */
    default: return j;
    }
}

static void expand(const hs_params *params, const char *pattern, size_t l, size_t j, hs_str *out)
{
    for (const char *p = pattern; *p != '\0'; p++) {
        if (p[0] == '{') {
            hs_str_addf(out, "%zu", number_of(params, p[1], l, j));
            p += 2;
        } else {
            hs_str_add_bytes(out, p, 1);
        }
    }
}

/* prefix.site.part.leaf in a scheme of names. */
static int spell(const hs_params *p, const char *prefix, const hs_name_table *names, hs_site site, size_t l, size_t j,
                 const char *part, const char *leaf, char name[HS_NAME_MAX])
{
    hs_str s = {0};
    int rc = HS_OK;
    hs_str_add(&s, prefix);
    expand(p, names->site[site], l, j, &s);
    if (part != NULL) {
        hs_str_addf(&s, ".%s", part);
    }
    hs_str_addf(&s, ".%s", leaf);
    HS_TRY(hs_str_ok(&s));
    if (s.len >= HS_NAME_MAX) {
        rc = hs_fail(HS_EFORMAT, "a prefix of %zu bytes before the network's names is too long", strlen(prefix));
        goto out;
    }
    memcpy(name, s.s, s.len + 1);
out:
    hs_str_free(&s);
    return rc;
}

static int full_name(const hs_params *p, hs_site site, size_t l, size_t j, const char *part, const char *leaf,
                     char name[HS_NAME_MAX])
{
    return spell(p, p->prefix, p->names, site, l, j, part, leaf, name);
}

static const char *leaf_of(hs_param_kind kind)
{
    return kind == HS_BIAS ? "bias" : "weight";
}

int hs_params_saved_name(const hs_params *p, hs_site site, size_t l, size_t j, hs_part part, hs_param_kind kind,
                         char name[HS_NAME_MAX])
{
    const hs_name_table *t = p->names == &hs_name_table_adm ? p->names : &hs_name_table_diffusers;
    if (t->site[site] == NULL) {
        return hs_fail(HS_EFORMAT, "diffusers has no name for a part of this network");
    }
    return spell(p, "", t, site, l, j, t->part[part], leaf_of(kind), name);
}

/* ---- Opening ------------------------------------------------------------------------------------ */

static const hs_name_table *table_of(const hs_unet_config *cfg)
{
    static const hs_name_table *const table[] = {&hs_name_table_diffusers, &hs_name_table_ddpm, &hs_name_table_adm};
    return table[cfg->names];
}

static int begin(const hs_unet_config *cfg, hs_params **out)
{
    hs_params *p = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *p, &p));
    p->names = table_of(cfg);
    p->levels = cfg->levels;
    memcpy(p->blocks, cfg->blocks, sizeof p->blocks);
    memcpy(p->attn_up, cfg->attn_up, sizeof p->attn_up);
    *out = p;
out:
    return rc;
}

/* Length of the prefix before the anchor, or -1 where the name doesn't end with it. */
static long prefix_length(const char *name, const char *anchor)
{
    size_t n = strlen(name), a = strlen(anchor);
    if (n < a || strcmp(name + n - a, anchor) != 0 || (n > a && name[n - a - 1] != '.')) {
        return -1;
    }
    return (long)(n - a);
}

/* How much a prefix looks like averaged weights. */
static int average_rank(const char *name, size_t len)
{
    if (len >= 2 && strncmp(name, "4.", 2) == 0) {
        return 2;
    }
    for (size_t i = 0; i + 3 <= len; i++) {
        if (strncmp(name + i, "ema", 3) == 0) {
            return 1;
        }
    }
    return 0;
}

static int choose_prefix(hs_params *p)
{
    int best = -1, ties = 0;
    for (size_t i = 0; i < hs_tensors_count(p->ts); i++) {
        const char *name = hs_tensors_at(p->ts, i)->name;
        long len = prefix_length(name, p->names->anchor);
        if (len < 0) {
            continue;
        }
        if (len >= HS_NAME_MAX) {
            return hs_fail(HS_EFORMAT, "a tensor's name is longer than %d bytes", HS_NAME_MAX);
        }
        int rank = average_rank(name, (size_t)len);
        p->prefixes++;
        ties = rank == best ? ties + 1 : rank > best ? 1 : ties;
        if (rank > best) {
            best = rank;
            memcpy(p->prefix, name, (size_t)len);
            p->prefix[len] = '\0';
        }
    }
    if (best < 0) {
        return hs_fail(HS_EFORMAT, "no U-Net in the file: no tensor is called \"%s\"", p->names->anchor);
    }
    if (ties > 1) {
        return hs_fail(HS_EFORMAT, "the file holds %zu networks and none is marked as averaged weights (ema)",
                       p->prefixes);
    }
    return HS_OK;
}

int hs_params_from_file(const hs_tensors *ts, const hs_unet_config *cfg, hs_params **out)
{
    hs_params *p = NULL;
    int rc = HS_OK;
    HS_TRY(begin(cfg, &p));
    p->ts = ts;
    HS_TRY(hs_calloc(hs_tensors_count(ts), 1, &p->seen));
    HS_TRY(choose_prefix(p));
    *out = p;
    p = NULL;
out:
    hs_params_free(p);
    return rc;
}

int hs_params_random(unsigned long long seed, const hs_unet_config *cfg, hs_params **out)
{
    hs_params *p = NULL;
    int rc = HS_OK;
    HS_TRY(begin(cfg, &p));
    p->seed = seed;
    *out = p;
out:
    return rc;
}

void hs_params_free(hs_params *p)
{
    if (p != NULL) {
        free(p->seen);
        free(p);
    }
}

/* ---- Taking ------------------------------------------------------------------------------------- */

void hs_params_into(hs_params *p, float *block, size_t room)
{
    p->block = block;
    p->room = room;
    p->used = 0;
}

static size_t room_for(size_t n)
{
    enum { UNIT = HS_ALIGN / sizeof(float) };
    return (n + UNIT - 1) / UNIT * UNIT;
}

int hs_params_reserve(hs_params *p, hs_arena *arena, size_t n, float **out)
{
    size_t at = p->used;
    p->used += room_for(n);
    if (p->block == NULL) {
        return hs_arena_alloc(arena, n, sizeof **out, out);
    }
    if (p->used > p->room) {
        return hs_fail(HS_EBUG, "parameters: %zu floats in a block of %zu", p->used, p->room);
    }
    *out = p->block + at;
    return HS_OK;
}

size_t hs_params_room(const hs_params *p)
{
    return p->used;
}

static int random_values(hs_params *p, hs_arena *arena, hs_param_kind kind, size_t fan_in, size_t n, const float **out)
{
    float *v = NULL;
    int rc = HS_OK;
    double bound = (kind == HS_BIAS ? 0.1 : 1.0) / sqrt((double)(fan_in > 0 ? fan_in : 1));
    hs_rng stream = {p->seed, HS_RNG_WEIGHTS, p->taken};
    HS_TRY(hs_params_reserve(p, arena, n, &v));
    if (kind == HS_GAIN) {
        for (size_t i = 0; i < n; i++) {
            v[i] = 1;
        }
    } else {
        uint32_t word[256];
        for (size_t i = 0; i < n; i += 256) {
            size_t k = n - i < 256 ? n - i : 256;
            hs_rng_u32(stream, i, k, word);
            for (size_t e = 0; e < k; e++) {
                v[i + e] = (float)(bound * (((double)word[e] + 0.5) / 2147483648.0 - 1.0));
            }
        }
    }
    *out = v;
out:
    return rc;
}

static int same_shape(const hs_tensor *t, size_t rank, const size_t *dim)
{
    if (t->rank < rank) {
        return 0;
    }
    for (size_t i = 0; i < t->rank; i++) {
        /* 1x1 kernels: asked for as a matrix, stored with 1s behind */
        if (t->dim[i] != (i < rank ? dim[i] : 1) || (i >= rank && rank != 2)) {
            return 0;
        }
    }
    return 1;
}

static size_t index_of(const hs_tensors *ts, const hs_tensor *t)
{
    size_t lo = 0, hi = hs_tensors_count(ts);
    while (lo + 1 < hi) { /* in name order */
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(hs_tensors_at(ts, mid)->name, t->name) <= 0) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int file_values(hs_params *p, hs_arena *arena, const hs_tensor *t, const float **out)
{
    int rc = HS_OK;
    float *v = NULL;
    p->seen[index_of(p->ts, t)] = 1;
    if (p->block == NULL && t->dtype == HS_F32 && (uintptr_t)t->bytes % sizeof(float) == 0) {
        *out = (const float *)(const void *)t->bytes;
        p->lent = 1;
        p->used += room_for(t->count);
        return HS_OK;
    }
    HS_TRY(hs_params_reserve(p, arena, t->count, &v));
    hs_to_f32(t->dtype, t->bytes, t->count, v);
    *out = v;
out:
    return rc;
}

int hs_params_take(hs_params *p, hs_arena *arena, hs_site site, size_t l, size_t j, hs_part part, hs_param_kind kind,
                   size_t fan_in, size_t rank, const size_t *dim, const float **out)
{
    const char *leaf = leaf_of(kind);
    char name[HS_NAME_MAX], older[HS_NAME_MAX];
    size_t n = 1;
    int rc = HS_OK;
    for (size_t i = 0; i < rank; i++) {
        HS_TRY(hs_size_mul(n, dim[i], &n));
    }
    if (p->ts == NULL) {
        HS_TRY(random_values(p, arena, kind, fan_in, n, out));
    } else {
        HS_TRY(full_name(p, site, l, j, p->names->part[part], leaf, name));
        const hs_tensor *t = hs_tensors_find(p->ts, name);
        if (t == NULL && p->names->older[part] != NULL) {
            HS_TRY(full_name(p, site, l, j, p->names->older[part], leaf, older));
            t = hs_tensors_find(p->ts, older);
        }
        HS_TRY(hs_tensor_check(t, name, rank, dim, t != NULL && same_shape(t, rank, dim)));
        HS_TRY(file_values(p, arena, t, out));
    }
    p->taken++;
    p->count += n;
out:
    return rc;
}

/* ---- What is left ------------------------------------------------------------------------------- */

static int is_ignorable(const hs_params *p, const char *name)
{
    size_t len = strlen(p->prefix);
    if (strncmp(name, p->prefix, len) != 0) {
        /* Beside the chosen network a training checkpoint holds others and the optimizer's state:
         * nothing there belongs to this one. */
        int in_list = p->prefix[0] >= '0' && p->prefix[0] <= '9' && name[0] >= '0' && name[0] <= '9';
        return p->prefixes > 1 || in_list || strstr(name, "optim") != NULL;
    }
    for (const char *const *s = p->names->ignorable; *s != NULL; s++) {
        if (strcmp(name + len, *s) == 0) {
            return 1;
        }
    }
    return 0;
}

int hs_params_finish(const hs_params *p)
{
    for (size_t i = 0; p->ts != NULL && i < hs_tensors_count(p->ts); i++) {
        const hs_tensor *t = hs_tensors_at(p->ts, i);
        if (!p->seen[i] && !is_ignorable(p, t->name)) {
            char shown[HS_NAME_MAX], have[HS_SHAPE_TEXT];
            hs_text_escape(t->name, shown, sizeof shown);
            hs_tensor_shape_text(t->rank, t->dim, have);
            return hs_fail(HS_EFORMAT, "tensor \"%s\" %s is extra: the configuration has no place for it", shown, have);
        }
    }
    return HS_OK;
}

const hs_tensors *hs_params_lender(const hs_params *p)
{
    return p->lent ? p->ts : NULL;
}

size_t hs_params_count(const hs_params *p)
{
    return p->count;
}
