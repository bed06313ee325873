#include "analysis/dump/spec.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/model/arch_write.h"

enum { ATTRS_MAX = 48 };

/* Lists under construction; names are literals, values live in the arena. */
typedef struct {
    hs_arena *arena;
    hs_attr *list;
    size_t n;
} attrs;

HS_CHECKED static int add(attrs *a, const char *name, const char *value)
{
    int rc;
    char *copy = NULL;
    size_t len = strlen(value) + 1;
    HS_TRY(hs_arena_alloc(a->arena, len, 1, &copy));
    memcpy(copy, value, len);
    if (a->n == ATTRS_MAX) {
        return hs_fail(HS_EBUG, "store: more than %d attributes", (int)ATTRS_MAX);
    }
    a->list[a->n++] = (hs_attr){name, copy};
out:
    return rc;
}

HS_CHECKED static int add_number(attrs *a, const char *name, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    return add(a, name, text);
}

HS_CHECKED static int add_schedule(attrs *a, const hs_schedule_spec *s)
{
    static const char *const kind[] = {"linear", "scaled_linear", "cosine", "table"};
    int rc;
    HS_TRY(add(a, "schedule", kind[s->kind]));
    if (s->kind == HS_SCHEDULE_LINEAR || s->kind == HS_SCHEDULE_SCALED_LINEAR) {
        HS_TRY(add_number(a, "beta_start", s->beta_start));
        HS_TRY(add_number(a, "beta_end", s->beta_end));
    }
    HS_TRY(add_number(a, "num_train_timesteps", (double)s->T));
out:
    return rc;
}

/* The class of all samples, or the digest of them all: class[i] as text, each on its line. */
HS_CHECKED static int add_classes(attrs *a, const hs_unet *u, size_t n)
{
    hs_str all = {0};
    char hex[HS_SHA256_HEX];
    int rc = HS_OK, same = 1;
    for (size_t i = 0; i < n; i++) {
        same = same && hs_unet_class_of(u, i) == hs_unet_class_of(u, 0);
        hs_str_addf(&all, "%d\n", hs_unet_class_of(u, i));
    }
    HS_TRY(hs_str_ok(&all));
    if (same) {
        HS_TRY(add_number(a, "class", hs_unet_class_of(u, 0)));
    } else {
        HS_TRY(hs_sha256_of(all.s, all.len, hex));
        HS_TRY(add(a, "class_sha256", hex));
    }
out:
    hs_str_free(&all);
    return rc;
}

HS_CHECKED static int add_fixed(attrs *a, const hs_model *m, const hs_dump_choice *c, const char *config_sha256)
{
    int rc;
    HS_TRY(add(a, "title", "bottleneck activations of a diffusion U-Net"));
    HS_TRY(add(a, "references", "Kwon et al., ICLR 2023 (Asyrp), arXiv:2210.10960"));
    HS_TRY(add(a, "source", c->source_version));
    HS_TRY(add(a, "tap", "mid_block.out"));
    HS_TRY(add(a, "model_name", m->name));
    HS_TRY(add(a, "model_sha256", m->sha256));
    HS_TRY(add(a, "model_format", m->format));
    HS_TRY(add(a, "unet_config_sha256", config_sha256));
    HS_TRY(add_number(a, "untrained", m->untrained));
    HS_TRY(add_schedule(a, &hs_unet_config_of(m->unet)->schedule));
    if (hs_unet_config_of(m->unet)->classes > 0) {
        HS_TRY(add_classes(a, m->unet, c->n));
    }
    HS_TRY(add(a, "sampler", "ddim"));
    HS_TRY(add(a, "eta", "0"));
    HS_TRY(add_number(a, "steps", (double)c->steps->S));
    HS_TRY(add(a, "spacing", c->spacing));
    HS_TRY(add(a, "direction", c->inverted ? "invert" : "generate"));
    HS_TRY(add_number(a, "clip_sample", c->clip));
    HS_TRY(add(a, "rng", c->x_T_sha256 != NULL ? "file" : "philox4x32-10"));
    if (c->x_T_sha256 != NULL) {
        HS_TRY(add(a, "x_T_sha256", c->x_T_sha256));
    }
    HS_TRY(add_number(a, "base_seed", (double)c->seed));
    HS_TRY(add(a, "conv", c->conv));
    HS_TRY(add(a, "backend", c->backend));
    HS_TRY(add(a, "blas", c->blas));
    HS_TRY(add_number(a, "batch", (double)c->batch));
out:
    return rc;
}

int hs_dump_information(const char *command_line, size_t threads, hs_arena *arena, const hs_attr **list, size_t *n)
{
    int rc;
    attrs info = {.arena = arena}, *a = &info;
    char when[32], host[256] = "", *history = NULL;
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    gethostname(host, sizeof host - 1);
    size_t len = strlen(command_line) + sizeof when + 2;
    HS_TRY(hs_arena_alloc(arena, ATTRS_MAX, sizeof *a->list, &a->list));
    HS_TRY(hs_arena_alloc(a->arena, len, 1, &history));
    snprintf(history, len, "%s: %s", when, command_line);
    HS_TRY(add(a, "created", when));
    HS_TRY(add(a, "history", history));
    HS_TRY(add(a, "hostname", host));
    HS_TRY(add_number(a, "threads", (double)threads));
    *list = a->list;
    *n = a->n;
out:
    return rc;
}

/* The columns: sample ids, timesteps, alpha_bar, seeds, sources. */
HS_CHECKED static int add_columns(const hs_dump_choice *c, hs_arena *arena, hs_store_spec *spec)
{
    int rc, *t;
    int64_t *sample;
    double *alpha_bar;
    uint64_t *seed;
    const char **source;
    HS_TRY(hs_arena_alloc(arena, c->n, sizeof *sample, &sample));
    HS_TRY(hs_arena_alloc(arena, c->n, sizeof *seed, &seed));
    HS_TRY(hs_arena_alloc(arena, c->n, sizeof *source, &source));
    HS_TRY(hs_arena_alloc(arena, c->steps->S, sizeof *t, &t));
    HS_TRY(hs_arena_alloc(arena, c->steps->S, sizeof *alpha_bar, &alpha_bar));
    for (size_t i = 0; i < c->n; i++) {
        sample[i] = (int64_t)i;
        seed[i] = c->seed;
        source[i] = c->source != NULL ? c->source[i] : "prior";
    }
    for (size_t k = 0; k < c->steps->S; k++) {
        t[k] = c->steps->step[k].t;
        alpha_bar[k] = c->steps->step[k].alpha_bar;
    }
    spec->sample = sample;
    spec->timestep = t;
    spec->alpha_bar = alpha_bar;
    spec->seed = seed;
    spec->source = source;
out:
    return rc;
}

/* Configuration texts, and the hash of the network's. */
HS_CHECKED static int add_configs(const hs_model *m, hs_arena *arena, hs_store_spec *spec, char hash[HS_SHA256_HEX])
{
    int rc;
    hs_str text[2] = {{0}, {0}};
    char *copy[2];
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    HS_TRY(hs_arch_write(cfg, &text[0]));
    HS_TRY(hs_arch_write_schedule(&cfg->schedule, &text[1]));
    HS_TRY(hs_sha256_of(text[0].s, text[0].len, hash));
    for (size_t i = 0; i < 2; i++) {
        HS_TRY(hs_arena_alloc(arena, text[i].len + 1, 1, &copy[i]));
        memcpy(copy[i], text[i].s, text[i].len + 1);
    }
    spec->model_config = copy[0];
    spec->scheduler_config = copy[1];
out:
    hs_str_free(&text[0]);
    hs_str_free(&text[1]);
    return rc;
}

int hs_dump_spec(const hs_model *m, const hs_dump_choice *c, hs_arena *arena, hs_store_spec *out)
{
    int rc;
    const hs_unet_config *cfg = hs_unet_config_of(m->unet);
    char config_sha256[HS_SHA256_HEX];
    attrs fixed = {.arena = arena};
    hs_store_spec spec = {.n = c->n,
                          .S = c->steps->S,
                          .h = hs_unet_h_shape(cfg),
                          .image = hs_unet_image_shape(cfg),
                          .dtype = c->dtype,
                          .keep_x_T = c->keep_x_T,
                          .keep_x_0 = c->keep_x_0,
                          .keep_eps = c->keep_eps,
                          .unit = c->batch < c->n ? c->batch : c->n};
    HS_TRY(add_columns(c, arena, &spec));
    HS_TRY(add_configs(m, arena, &spec, config_sha256));
    HS_TRY(hs_arena_alloc(arena, ATTRS_MAX, sizeof *fixed.list, &fixed.list));
    HS_TRY(add_fixed(&fixed, m, c, config_sha256));
    HS_TRY(hs_dump_information(c->command_line, c->threads, arena, &spec.info, &spec.n_info));
    spec.n_attr = fixed.n;
    spec.attr = fixed.list;
    *out = spec;
out:
    return rc;
}
