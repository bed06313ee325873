#include "core/io/store_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/io/shards.h"

/* What a shard says of its place. */
typedef struct {
    uint64_t i, N, first;
    const char *whole;
} place;

static int place_of(const hs_store *s, place *p)
{
    const char *i = hs_store_file_attr(&s->file, "shard"), *N = hs_store_file_attr(&s->file, "shards");
    const char *first = hs_store_file_attr(&s->file, "shard_first");
    p->whole = hs_store_file_attr(&s->file, "whole_store_id");
    if (i == NULL || N == NULL || first == NULL || p->whole == NULL || hs_text_u64(i, &p->i) != HS_OK ||
        hs_text_u64(N, &p->N) != HS_OK || hs_text_u64(first, &p->first) != HS_OK) {
        return hs_fail(HS_ERANGE, "%s: is no shard of a dump", s->path);
    }
    return HS_OK;
}

/* s->shard, s->first <- in their order; each of the N is there once. */
static int put_in_order(hs_store *s, hs_store **given)
{
    int rc = HS_OK;
    place p, p0;
    HS_TRY(place_of(given[0], &p0));
    for (size_t k = 0; k < s->n_shards; k++) {
        HS_TRY(place_of(given[k], &p));
        if (strcmp(p.whole, p0.whole) != 0 || p.N != p0.N || p.i >= p.N) {
            rc = hs_fail(HS_ERANGE, "%s: shard %llu of %llu of store %.8s, but %s is of %llu of %.8s", given[k]->path,
                         (unsigned long long)p.i, (unsigned long long)p.N, p.whole, given[0]->path,
                         (unsigned long long)p0.N, p0.whole);
            goto out;
        }
        if (p.N != s->n_shards) {
            rc = hs_fail(HS_ERANGE, "%s: one of %llu shards, but %zu are given", given[k]->path,
                         (unsigned long long)p.N, s->n_shards);
            goto out;
        }
        if (s->shard[p.i] != NULL) {
            rc = hs_fail(HS_ERANGE, "%s: shard %llu is there twice", given[k]->path, (unsigned long long)p.i);
            goto out;
        }
        s->shard[p.i] = given[k];
        s->first[p.i] = (size_t)p.first;
    }
out:
    return rc;
}

/* The columns that are as long as the samples, one after the other. */
static int join_columns(hs_store *s)
{
    int rc = HS_OK;
    hs_store_file *f = &s->file;
    size_t n = 0;
    for (size_t i = 0; i < s->n_shards; i++) {
        if (s->first[i] != n) {
            return hs_fail(HS_ERANGE, "%s: begins with sample %zu, after %zu", s->shard[i]->path, s->first[i], n);
        }
        HS_TRY(hs_size_add(n, s->shard[i]->file.n, &n));
    }
    f->n = n;
    HS_TRY(hs_alloc(n, sizeof *f->sample, &f->sample));
    HS_TRY(hs_alloc(n, sizeof *f->seed, &f->seed));
    HS_TRY(hs_calloc(n, sizeof *f->source, &f->source));
    for (size_t i = 0; i < s->n_shards; i++) {
        const hs_store_file *g = &s->shard[i]->file;
        memcpy(f->sample + s->first[i], g->sample, g->n * sizeof *f->sample);
        memcpy(f->seed + s->first[i], g->seed, g->n * sizeof *f->seed);
        for (size_t k = 0; k < g->n; k++) {
            HS_TRY(hs_strdup(g->source[k], &f->source[s->first[i] + k]));
        }
    }
out:
    return rc;
}

static int of_shards_only(const char *name)
{
    static const char *const names[] = {"shard", "shards", "shard_first", "whole_n", "whole_store_id"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* What all shards share, from the first. */
static int take_common(hs_store *s)
{
    int rc = HS_OK;
    hs_store_file *f = &s->file;
    const hs_store_file *g = &s->shard[0]->file;
    HS_TRY(hs_alloc(g->S, sizeof *f->timestep, &f->timestep));
    HS_TRY(hs_alloc(g->S, sizeof *f->alpha_bar, &f->alpha_bar));
    memcpy(f->timestep, g->timestep, g->S * sizeof *f->timestep);
    memcpy(f->alpha_bar, g->alpha_bar, g->S * sizeof *f->alpha_bar);
    HS_TRY(hs_strdup(g->model_config, &f->model_config));
    HS_TRY(hs_strdup(g->scheduler_config, &f->scheduler_config));
    HS_TRY(hs_calloc(2 * g->n_attr + 1, sizeof *f->attr, &f->attr));
    for (size_t i = 0; i < g->n_attr; i++) {
        if (!of_shards_only(g->attr[2 * i])) {
            f->n_attr++;
            HS_TRY(hs_strdup(g->attr[2 * i], &f->attr[2 * f->n_attr - 2]));
            HS_TRY(hs_strdup(g->attr[2 * i + 1], &f->attr[2 * f->n_attr - 1]));
        }
    }
out:
    return rc;
}

/* The record of the whole follows from those of its parts; its digest is the id that they are bound by. */
static int compose(hs_store *s)
{
    int rc = HS_OK;
    hs_arena arena = {0};
    hs_store_spec spec, part;
    place p;
    HS_TRY(join_columns(s));
    HS_TRY(take_common(s));
    HS_TRY(hs_store_spec_of(s->shard[0], &arena, &part));
    spec = part;
    spec.n = s->file.n;
    spec.sample = s->file.sample;
    spec.seed = s->file.seed;
    spec.source = (const char *const *)s->file.source;
    while (spec.n_attr > 0 && of_shards_only(spec.attr[spec.n_attr - 1].name)) {
        spec.n_attr--;
    }
    HS_TRY(hs_store_params(&spec, &s->file.params));
    HS_TRY(hs_sha256_of(s->file.params, strlen(s->file.params), s->file.store_id));
    HS_TRY(place_of(s->shard[0], &p));
    if (strcmp(p.whole, s->file.store_id) != 0) {
        rc = hs_fail(HS_ERANGE, "%s and the others don't make up the store %.8s they are parts of", s->shard[0]->path,
                     p.whole);
        goto out;
    }
    HS_TRY(hs_store_params_parse(s->file.params, &s->file));
    s->file.sealed = 1;
out:
    hs_arena_free(&arena);
    return rc;
}

static void close_all(size_t n, hs_store **list)
{
    for (size_t i = 0; list != NULL && i < n; i++) {
        hs_store_close(list[i]);
    }
    free(list);
}

int hs_shards_open(size_t n, const char *const *path, hs_store **out)
{
    int rc = HS_OK;
    hs_store *s = NULL, **given = NULL;
    HS_TRY(hs_calloc(1, sizeof *s, &s));
    s->fd = -1;
    HS_TRY(hs_strdup(n > 0 ? path[0] : "", &s->path));
    if (n == 0 || n > HS_SHARDS_MOST) {
        rc = hs_fail(HS_ERANGE, "%zu shards: at least 1, at most %d", n, (int)HS_SHARDS_MOST);
        goto out;
    }
    HS_TRY(hs_calloc(n, sizeof(hs_store *), &given));
    HS_TRY(hs_calloc(n, sizeof *s->first, &s->first));
    HS_TRY(hs_calloc(n, sizeof(hs_store *), &s->shard));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_store_open_one(path[i], &given[i]));
    }
    s->n_shards = n;
    rc = put_in_order(s, given);
    if (rc != HS_OK) { /* they are still those of the list */
        s->n_shards = 0;
        goto out;
    }
    free(given);
    given = NULL;
    HS_TRY(compose(s));
    *out = s;
    s = NULL;
out:
    close_all(n, given);
    hs_store_close(s);
    return rc;
}

/* A name within the folder of the index, or within one folder of it: no way out. */
static int is_plain(const char *name)
{
    size_t slashes = 0;
    for (const char *p = name; *p != '\0'; p++) {
        slashes += *p == '/';
        if ((p == name || p[-1] == '/') && (*p == '.' || *p == '/')) {
            return 0;
        }
    }
    return *name != '\0' && slashes <= 1 && name[strlen(name) - 1] != '/';
}

/* path[i] (free() each) <- the shards as seen from here. */
static int find_shards(const hs_store *s, char **path)
{
    int rc = HS_OK;
    char *real = realpath(s->path, NULL);
    if (real == NULL) {
        return hs_fail_errno(s->path, "opening");
    }
    size_t folder = (size_t)(strrchr(real, '/') - real);
    for (size_t i = 0; i < s->file.shards; i++) {
        const char *name = s->file.shard[i];
        size_t size = folder + strlen(name) + 2;
        if (!is_plain(name)) {
            rc = hs_fail(HS_EFORMAT, "%s: names a shard outside its folder: '%.100s'", s->path, name);
            goto out;
        }
        HS_TRY(hs_alloc(size, 1, &path[i]));
        snprintf(path[i], size, "%.*s/%s", (int)folder, real, name);
    }
out:
    free(real);
    return rc;
}

int hs_store_set_follow(hs_store *s)
{
    int rc = HS_OK;
    size_t n = s->file.shards;
    char **path = NULL;
    hs_store *whole = NULL;
    HS_TRY(hs_calloc(n, sizeof *path, &path));
    HS_TRY(find_shards(s, path));
    rc = hs_shards_open(n, (const char *const *)path, &whole);
    if (rc == HS_ERANGE || rc == HS_EIO) {
        rc = hs_fail(HS_EFORMAT, "an index without its shards: %.300s", hs_error_message());
    }
    HS_TRY(hs_fail_in(rc, s->path));
    if (strcmp(whole->file.store_id, s->file.store_id) != 0) {
        rc = hs_fail(HS_EFORMAT, "%s: is the index of store %.8s, its shards are of %.8s", s->path, s->file.store_id,
                     whole->file.store_id);
        goto out;
    }
    s->shard = whole->shard;
    s->first = whole->first;
    s->n_shards = whole->n_shards;
    whole->shard = NULL;
    whole->first = NULL;
    whole->n_shards = 0;
out:
    hs_store_close(whole);
    hs_strings_free(n, path);
    return rc;
}
