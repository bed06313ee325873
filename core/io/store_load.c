#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/h5jail.h"
#include "core/io/store_file.h"

void hs_store_file_clear(hs_store_file *f)
{
    for (size_t i = 0; f->attr != NULL && i < 2 * f->n_attr; i++) {
        free(f->attr[i]);
    }
    free(f->attr);
    free(f->params);
    free(f->timestep);
    free(f->alpha_bar);
    free(f->sample);
    free(f->seed);
    hs_strings_free(f->n, f->source);
    free(f->model_config);
    free(f->scheduler_config);
    hs_strings_free(f->shards, f->shard);
    *f = (hs_store_file){0};
}

static int load_attributes(hid_t file, hs_store_file *f)
{
    H5O_info_t info;
    if (H5Oget_info(file, &info) < 0 || info.num_attrs > 1000) {
        return hs_fail(HS_EFORMAT, "its attributes can't be read");
    }
    int rc = hs_calloc(2 * (size_t)info.num_attrs + 1, sizeof *f->attr, &f->attr);
    for (hsize_t i = 0; rc == HS_OK && i < info.num_attrs; i++) {
        char name[256], *text = NULL;
        if (H5Aget_name_by_idx(file, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT) < 0 ||
            hs_h5_attr_get_text(file, name, &text) != HS_OK) {
            continue;
        }
        f->attr[2 * f->n_attr + 1] = text;
        rc = hs_strdup(name, &f->attr[2 * f->n_attr]);
        f->n_attr += 1;
    }
    return rc;
}

const char *hs_store_file_attr(const hs_store_file *f, const char *name)
{
    for (size_t i = 0; i < f->n_attr; i++) {
        if (strcmp(f->attr[2 * i], name) == 0) {
            return f->attr[2 * i + 1];
        }
    }
    return NULL;
}

static const char *attr_of(const hs_store_file *f, const char *name)
{
    const char *text = hs_store_file_attr(f, name);
    return text != NULL ? text : "";
}

static int load_text(hid_t file, const char *name, char **out)
{
    hs_h5_array a;
    hid_t d = -1;
    char **list = NULL;
    int rc = hs_h5_array_open(file, name, &d, &a);
    if (rc != HS_OK) {
        return rc;
    }
    rc = a.rank == 0 ? hs_h5_read_texts(d, &a, &list) : hs_fail(HS_EFORMAT, "%s isn't one text", name);
    H5Dclose(d);
    if (rc == HS_OK) {
        *out = list[0];
        free(list);
    }
    return rc;
}

/* *offset <- where NAME lies; it must have these dimensions and type, and lie contiguous within the file. */
static int locate(hid_t file, const hs_store_file *f, const char *name, hs_dtype dtype, size_t rows, size_t row,
                  uint64_t *offset)
{
    hs_h5_array a;
    hid_t d = -1;
    int rc = hs_h5_array_open(file, name, &d, &a);
    if (rc != HS_OK) {
        return rc;
    }
    H5Dclose(d);
    uint64_t bytes = (uint64_t)a.count * hs_dtype_size(dtype);
    if (a.is_text || a.dtype != dtype || a.rank == 0 || a.dim[0] != rows || a.count != rows * row || !a.contiguous) {
        return hs_fail(HS_EFORMAT, "%s has another type, shape or layout than the parameter record says", name);
    }
    if (a.offset > f->file_size || bytes > f->file_size - a.offset) {
        return hs_fail(HS_ECHECKSUM, "cut off inside %s", name);
    }
    *offset = a.offset;
    return HS_OK;
}

/* *out (free()) <- the numbers of a coordinate array. */
static int load_small(hid_t file, const char *name, hs_dtype dtype, size_t n, void **out)
{
    int rc = HS_OK;
    hs_h5_array a;
    hid_t d = -1;
    void *v = NULL;
    HS_TRY(hs_h5_array_open(file, name, &d, &a));
    if (a.is_text || a.rank != 1 || a.dim[0] != n || a.dtype != dtype) {
        rc = hs_fail(HS_EFORMAT, "%s has another type or length than the parameter record says", name);
        goto out;
    }
    HS_TRY(hs_alloc(n, hs_dtype_size(dtype), &v));
    HS_TRY(hs_h5_read_rows(d, &a, 0, n, v));
    *out = v;
    v = NULL;
out:
    free(v);
    if (d >= 0) {
        H5Dclose(d);
    }
    return rc;
}

static int check_digest(const hs_store_file *f, const char *key, const char *hex)
{
    size_t len = 0;
    const char *want = hs_store_params_get(f->params, key, &len);
    return want != NULL && len == strlen(hex) && memcmp(want, hex, len) == 0
               ? HS_OK
               : hs_fail(HS_ECHECKSUM, "%s fails its SHA-256", key);
}

/* *list (hs_strings_free) <- the texts of an array of rank 1; *n <- how many. */
static int load_texts(hid_t file, const char *name, char ***list, size_t *n)
{
    hs_h5_array a;
    hid_t d = -1;
    int rc = hs_h5_array_open(file, name, &d, &a);
    if (rc != HS_OK) {
        return rc;
    }
    rc = a.rank == 1 ? hs_h5_read_texts(d, &a, list) : hs_fail(HS_EFORMAT, "%s isn't a list of texts", name);
    *n = rc == HS_OK ? a.count : 0;
    H5Dclose(d);
    return rc;
}

static int load_sources(hid_t file, hs_store_file *f)
{
    size_t n = 0;
    char **list = NULL;
    int rc = load_texts(file, "source", &list, &n);
    if (rc == HS_OK && n != f->n) {
        hs_strings_free(n, list);
        return hs_fail(HS_EFORMAT, "source has another length than the parameter record says");
    }
    f->source = list;
    return rc;
}

static int check_samples(hid_t file, hs_store_file *f)
{
    int rc = HS_OK;
    void *v = NULL;
    char hex[HS_SHA256_HEX];
    HS_TRY(load_small(file, "sample", HS_I64, f->n, &v));
    f->sample = v;
    HS_TRY(hs_store_digest_bytes(v, 8 * f->n, hex));
    HS_TRY(check_digest(f, "sample", hex));
    HS_TRY(load_small(file, "seed", HS_U64, f->n, &v));
    f->seed = v;
    HS_TRY(hs_store_digest_bytes(v, 8 * f->n, hex));
    HS_TRY(check_digest(f, "seed_per_sample", hex));
    HS_TRY(load_sources(file, f));
    HS_TRY(hs_store_digest_texts((const char *const *)f->source, f->n, hex));
    HS_TRY(check_digest(f, "source_per_sample", hex));
out:
    return rc;
}

static int check_configs(hid_t file, hs_store_file *f)
{
    int rc = HS_OK;
    char hex[HS_SHA256_HEX];
    HS_TRY(load_text(file, "provenance/model_config", &f->model_config));
    HS_TRY(hs_store_digest_bytes(f->model_config, strlen(f->model_config), hex));
    HS_TRY(check_digest(f, "model_config", hex));
    HS_TRY(load_text(file, "provenance/scheduler_config", &f->scheduler_config));
    HS_TRY(hs_store_digest_bytes(f->scheduler_config, strlen(f->scheduler_config), hex));
    HS_TRY(check_digest(f, "scheduler_config", hex));
out:
    return rc;
}

/* Where the cells lie: in this file, or in those that an index names. */
static int load_places(hid_t file, hs_store_file *f)
{
    if (strcmp(attr_of(f, "hspace_kind"), "index") == 0) {
        int rc = load_texts(file, "provenance/shards", &f->shard, &f->shards);
        return rc == HS_OK && f->shards == 0 ? hs_fail(HS_EFORMAT, "an index of no shards") : rc;
    }
    for (int p = 0; p < HS_PARTS; p++) {
        hs_store_part *q = &f->part[p];
        size_t row = q->cells * (q->cell / hs_dtype_size(q->dtype));
        int rc = !q->present ? HS_OK : locate(file, f, q->name, q->dtype, f->n, row, &q->offset);
        rc = !q->present || rc != HS_OK ? rc : locate(file, f, q->crc_name, HS_U32, f->n, q->cells, &q->crc_offset);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

/* An unknown alpha_bar (imported activations) is NaN on both sides. */
static int same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

/* The record lists the steps' own numbers; the arrays must print the same. */
static int check_steps(const hs_store_file *f)
{
    size_t len = 0;
    const char *t = hs_store_params_get(f->params, "timestep", &len);
    const char *a = hs_store_params_get(f->params, "alpha_bar", &len);
    for (size_t k = 0; k < f->S && t != NULL && a != NULL; k++) {
        char *te = NULL, *ae = NULL;
        long tv = strtol(t, &te, 10);
        double av = strtod(a, &ae);
        if (te == t || ae == a || tv != f->timestep[k] || !same_number(av, f->alpha_bar[k])) {
            return hs_fail(HS_ECHECKSUM, "timestep or alpha_bar differs from the parameter record at step %zu", k);
        }
        t = te;
        a = ae;
    }
    return t != NULL && a != NULL ? HS_OK : hs_fail(HS_EFORMAT, "the parameter record lists no steps");
}

static int check_attributes(const hs_store_file *f)
{
    for (const char *line = f->params; *line != '\0';) {
        size_t l = strcspn(line, "\n");
        if (l > 5 && memcmp(line, "attr.", 5) == 0) {
            char name[128];
            size_t k = strcspn(line, " ") - 5;
            snprintf(name, sizeof name, "%.*s", (int)(k < 127 ? k : 127), line + 5);
            char *e = NULL;
            const char *v = attr_of(f, name);
            size_t cap = 4 * strlen(v) + 1;
            int rc = hs_alloc(cap, 1, &e);
            if (rc != HS_OK) {
                return rc;
            }
            hs_text_escape(v, e, cap);
            int same = strlen(e) == l - k - 6 && memcmp(e, line + k + 6, strlen(e)) == 0;
            free(e);
            if (!same) {
                return hs_fail(HS_ECHECKSUM, "attribute %s differs from the parameter record", name);
            }
        }
        line += l + (line[l] == '\n');
    }
    return HS_OK;
}

static int load(hid_t file, void *ctx)
{
    int rc = HS_OK;
    hs_store_file *f = ctx;
    char id[HS_SHA256_HEX];
    double sealed = 0;
    HS_TRY(load_attributes(file, f));
    if (!hs_store_kind(attr_of(f, "hspace_kind"))) {
        rc = hs_fail(HS_EFORMAT, "is not an activation store");
        goto out;
    }
    HS_TRY(load_text(file, "provenance/parameters", &f->params));
    HS_TRY(hs_sha256_of(f->params, strlen(f->params), id));
    if (strcmp(id, attr_of(f, "hspace_store_id")) != 0) {
        rc = hs_fail(HS_ECHECKSUM, "the parameter record fails its SHA-256, hspace_store_id");
        goto out;
    }
    memcpy(f->store_id, id, sizeof id);
    HS_TRY(hs_store_params_parse(f->params, f));
    HS_TRY(load_places(file, f));
    void *v = NULL;
    HS_TRY(load_small(file, "timestep", HS_I32, f->S, &v));
    f->timestep = v;
    HS_TRY(load_small(file, "alpha_bar", HS_F64, f->S, &v));
    f->alpha_bar = v;
    HS_TRY(check_steps(f));
    HS_TRY(check_samples(file, f));
    HS_TRY(check_configs(file, f));
    HS_TRY(check_attributes(f));
    HS_TRY(hs_h5_attr_get_f64(file, "sealed", &sealed));
    f->sealed = sealed == 1;
out:
    return rc;
}

int hs_store_file_load(const char *path, hs_store_file *f)
{
    int rc = HS_OK;
    hid_t file = -1;
    struct stat st;
    *f = (hs_store_file){0};
    f->file_size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    HS_TRY(hs_h5jail_open(path, load, f, &file));
    HS_TRY(hs_fail_in(load(file, f), path));
out:
    if (file >= 0) {
        H5Fclose(file);
    }
    if (rc != HS_OK) {
        hs_store_file_clear(f);
    }
    return rc;
}
