#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/store_cells.h"
#include "core/io/store_journal.h"
#include "core/io/store_set.h"

/* *committed of *total units of an unfinished store count. */
static int count_units(const char *path, const hs_store_file *f, size_t *committed, size_t *total)
{
    int rc = HS_OK;
    size_t units = (f->n - 1) / f->unit + 1, size = strlen(path) + sizeof ".journal";
    char *name = NULL;
    unsigned char *done = NULL;
    uint32_t *crc = NULL;
    hs_journal j = {.fd = -1};
    HS_TRY(hs_alloc(size, 1, &name));
    HS_TRY(hs_calloc(units, 1, &done));
    HS_TRY(hs_calloc(units, sizeof *crc, &crc));
    snprintf(name, size, "%s.journal", path);
    HS_TRY(hs_journal_open(name, f->store_id, units, 0, &j, done, crc));
    *total = units;
    *committed = 0;
    for (size_t u = 0; u < units; u++) {
        *committed += done[u];
    }
out:
    hs_journal_close(&j);
    free(name);
    free(done);
    free(crc);
    return rc;
}

int hs_store_kind(const char *kind)
{
    return strcmp(kind, "activations") == 0 || strcmp(kind, "index") == 0;
}

/* follow: an index too, with its shards. */
static int open_any(const char *path, int follow, hs_store **out)
{
    int rc = HS_OK;
    hs_store *s = NULL;
    HS_TRY(hs_calloc(1, sizeof *s, &s));
    s->fd = -1;
    HS_TRY(hs_strdup(path, &s->path));
    HS_TRY(hs_store_file_load(path, &s->file));
    if (s->file.shards > 0) {
        HS_TRY(follow ? hs_store_set_follow(s) : hs_fail(HS_ERANGE, "%s: is an index, no shard", path));
    } else if ((s->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        rc = hs_fail_errno(path, "opening");
        goto out;
    }
    *out = s;
    s = NULL;
out:
    hs_store_close(s);
    return rc;
}

static int open_sealed(const char *path, int follow, hs_store **out)
{
    int rc = HS_OK;
    hs_store *s = NULL;
    HS_TRY(open_any(path, follow, &s));
    if (!s->file.sealed) {
        size_t k = 0, n = 0;
        HS_TRY(count_units(path, &s->file, &k, &n));
        rc = hs_fail(HS_ERANGE, "%s: still being written: %zu of %zu units; run the same dump command to finish", path,
                     k, n);
        goto out;
    }
    *out = s;
    s = NULL;
out:
    hs_store_close(s);
    return rc;
}

int hs_store_open(const char *path, hs_store **out)
{
    return open_sealed(path, 1, out);
}

int hs_store_open_one(const char *path, hs_store **out)
{
    return open_sealed(path, 0, out);
}

void hs_store_close(hs_store *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->n_shards; i++) {
        hs_store_close(s->shard[i]);
    }
    free(s->shard);
    free(s->first);
    if (s->fd >= 0) {
        close(s->fd);
    }
    hs_store_file_clear(&s->file);
    free(s->path);
    free(s);
}

size_t hs_store_n(const hs_store *s)
{
    return s->file.n;
}

size_t hs_store_S(const hs_store *s)
{
    return s->file.S;
}

size_t hs_store_shards(const hs_store *s)
{
    return s->n_shards;
}

hs_chw hs_store_h(const hs_store *s)
{
    return s->file.h;
}

hs_chw hs_store_image(const hs_store *s)
{
    return s->file.image;
}

const int *hs_store_timesteps(const hs_store *s)
{
    return s->file.timestep;
}

const double *hs_store_alpha_bar(const hs_store *s)
{
    return s->file.alpha_bar;
}

const char *hs_store_attr(const hs_store *s, const char *name)
{
    return hs_store_file_attr(&s->file, name);
}

static void add_value(hs_str *t, const char *key, const char *value, size_t len)
{
    hs_str_addf(t, "%s ", key);
    hs_str_add_bytes(t, value, len);
    hs_str_add(t, "\n");
}

int hs_store_pairing(const hs_store *s, char hex[HS_SHA256_HEX])
{
    static const char *const drawn[] = {"sample", "seed_per_sample"};
    const char *given = hs_store_attr(s, "x_T_sha256"), *way = hs_store_attr(s, "direction");
    const char *method = hs_store_attr(s, "method");
    int inverted = way != NULL && strcmp(way, "invert") == 0, rc = HS_OK;
    hs_chw image = s->file.image;
    if (method != NULL && strcmp(method, "import") == 0) {
        hex[0] = '\0';
        return HS_OK;
    }
    hs_str t = {0};
    size_t len;
    hs_str_addf(&t, "%s %zu\n", inverted ? "inverted" : given != NULL ? "given" : "drawn", s->file.n);
    if (given != NULL && !inverted) {
        add_value(&t, "x_T", given, strlen(given));
    }
    for (size_t i = 0; i < 2 && !inverted && given == NULL; i++) {
        const char *v = hs_store_params_get(s->file.params, drawn[i], &len);
        add_value(&t, drawn[i], v != NULL ? v : "", v != NULL ? len : 0);
    }
    if (given == NULL) {
        const char *v = hs_store_params_get(s->file.params, "source_per_sample", &len);
        add_value(&t, "source", v != NULL ? v : "", v != NULL ? len : 0);
    }
    if (!inverted) { /* the same stream fills another shape otherwise */
        hs_str_addf(&t, "image %zu %zu %zu\n", image.c, image.h, image.w);
    }
    HS_TRY(hs_str_ok(&t));
    HS_TRY(hs_sha256_of(t.s, t.len, hex));
out:
    hs_str_free(&t);
    return rc;
}

typedef struct {
    hs_dtype dtype;
    size_t values; /* of one sample */
    float *out;
} sink;

static int convert(void *ctx, size_t i, const void *bytes)
{
    const sink *k = ctx;
    hs_to_f32(k->dtype, bytes, k->values, k->out + i * k->values);
    return HS_OK;
}

/* The cells k (SIZE_MAX: all) of a part, of samples first ..., wherever they lie. */
static int each(const hs_store *s, int part, size_t k, size_t first, size_t count,
                int (*use)(void *ctx, size_t i, const void *bytes), void *ctx);

/* The samples of one shard count from its own first one, in the middle of the caller's. */
typedef struct {
    int (*use)(void *ctx, size_t i, const void *bytes);
    void *ctx;
    size_t before;
} shifted;

static int use_shifted(void *ctx, size_t i, const void *bytes)
{
    const shifted *f = ctx;
    return f->use(f->ctx, f->before + i, bytes);
}

static int each_of_shards(const hs_store *s, int part, size_t k, size_t first, size_t count,
                          int (*use)(void *ctx, size_t i, const void *bytes), void *ctx)
{
    for (size_t i = 0; i < s->n_shards && count > 0; i++) {
        size_t from = s->first[i], to = from + s->shard[i]->file.n, before = 0;
        size_t a = first > from ? first : from, b = first + count < to ? first + count : to;
        if (a >= b) {
            continue;
        }
        before = a - first;
        int rc = each(s->shard[i], part, k, a - from, b - a, use_shifted, &(shifted){use, ctx, before});
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

static int each(const hs_store *s, int part, size_t k, size_t first, size_t count,
                int (*use)(void *ctx, size_t i, const void *bytes), void *ctx)
{
    if (s->n_shards > 0) {
        return each_of_shards(s, part, k, first, count, use, ctx);
    }
    return hs_store_cells_each(&s->file, s->fd, s->path, part, k, first, count, use, ctx);
}

static int read_part(const hs_store *s, int part, size_t k, size_t first, size_t count, float *out)
{
    const hs_store_part *q = &s->file.part[part];
    if (first > s->file.n || count > s->file.n - first || (k != SIZE_MAX && k >= q->cells)) {
        return hs_fail(HS_ERANGE, "%s: samples %zu to %zu of %zu at step index %zu of %zu", s->path, first,
                       first + count, s->file.n, k == SIZE_MAX ? 0 : k, q->cells);
    }
    size_t values = q->cell / hs_dtype_size(q->dtype) * (k == SIZE_MAX ? q->cells : 1);
    sink to = {q->dtype, values, out};
    return each(s, part, k, first, count, convert, &to);
}

static int read_step(const hs_store *s, int part, size_t k, size_t first, size_t count, float *out)
{
    if (k >= s->file.S) {
        return hs_fail(HS_ERANGE, "%s: step index %zu of %zu", s->path, k, s->file.S);
    }
    return read_part(s, part, k, first, count, out);
}

int hs_store_read_h(const hs_store *s, size_t k, size_t first, size_t count, float *out)
{
    return read_step(s, HS_PART_H, k, first, count, out);
}

int hs_store_read_eps(const hs_store *s, size_t k, size_t first, size_t count, float *out)
{
    if (!s->file.part[HS_PART_EPS].present) {
        return hs_fail(HS_ERANGE, "%s: eps wasn't kept; dump it with --keep eps", s->path);
    }
    return read_step(s, HS_PART_EPS, k, first, count, out);
}

int hs_store_read(const hs_store *s, const char *name, size_t first, size_t count, float *out)
{
    for (int p = 0; p < HS_PARTS; p++) {
        if (s->file.part[p].present && strcmp(s->file.part[p].name, name) == 0) {
            return read_part(s, p, SIZE_MAX, first, count, out);
        }
    }
    return hs_fail(HS_ERANGE, "%s: %s wasn't kept", s->path, name);
}

typedef struct {
    hs_sha256 *sha;
    size_t bytes;
} hasher;

static int add_sample(void *ctx, size_t i, const void *bytes)
{
    const hasher *h = ctx;
    (void)i;
    return hs_sha256_add(h->sha, bytes, h->bytes);
}

static int content(const hs_store *s, char hex[HS_SHA256_HEX])
{
    int rc = HS_OK;
    hasher h = {0};
    HS_TRY(hs_sha256_new(&h.sha));
    HS_TRY(hs_sha256_add(h.sha, s->file.params, strlen(s->file.params)));
    for (int p = 0; p < HS_PARTS; p++) {
        const hs_store_part *q = &s->file.part[p];
        if (!q->present) {
            continue;
        }
        h.bytes = q->cells * q->cell;
        HS_TRY(hs_sha256_add(h.sha, q->name, strlen(q->name) + 1));
        HS_TRY(each(s, p, SIZE_MAX, 0, s->file.n, add_sample, &h));
    }
    HS_TRY(hs_sha256_hex(h.sha, hex));
out:
    hs_sha256_free(h.sha);
    return rc;
}

int hs_store_inspect(const char *path, hs_store_info *out)
{
    int rc = HS_OK;
    hs_store *s = NULL;
    hs_store_info i = {0};
    HS_TRY(open_any(path, 1, &s));
    const hs_store_file *f = &s->file;
    i.n = f->n;
    i.S = f->S;
    i.h = f->h;
    i.dtype = f->dtype;
    i.sealed = f->sealed;
    i.shards = s->n_shards;
    memcpy(i.store_id, f->store_id, sizeof i.store_id);
    const char *tap = hs_store_file_attr(f, "tap"), *model = hs_store_file_attr(f, "model_sha256");
    snprintf(i.tap, sizeof i.tap, "%s", tap != NULL ? tap : "");
    snprintf(i.model_sha256, sizeof i.model_sha256, "%s", model != NULL ? model : "");
    if (f->sealed) {
        i.units_committed = i.units_total = (f->n - 1) / f->unit + 1;
        HS_TRY(content(s, i.content_sha256));
    } else {
        HS_TRY(count_units(path, f, &i.units_committed, &i.units_total));
    }
    i.timestep = s->file.timestep;
    s->file.timestep = NULL;
    *out = i;
out:
    hs_store_close(s);
    return rc;
}
