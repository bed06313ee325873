#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/store_file.h"

int hs_store_digest_bytes(const void *bytes, size_t len, char hex[HS_SHA256_HEX])
{
    return hs_sha256_of(bytes, len, hex);
}

int hs_store_digest_texts(const char *const *text, size_t n, char hex[HS_SHA256_HEX])
{
    int rc = HS_OK;
    hs_sha256 *h = NULL;
    HS_TRY(hs_sha256_new(&h));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_sha256_add(h, text[i], strlen(text[i]) + 1));
    }
    HS_TRY(hs_sha256_hex(h, hex));
out:
    hs_sha256_free(h);
    return rc;
}

static int check_spec(const hs_store_spec *s)
{
    size_t bytes = 0;
    if (s->n == 0 || s->S == 0 || s->unit == 0 || s->S > 100000 || hs_chw_size(s->h) == 0) {
        return hs_fail(HS_ERANGE, "a store of %zu samples, %zu steps, %zu values, in units of %zu: none may be 0", s->n,
                       s->S, hs_chw_size(s->h), s->unit);
    }
    if (s->dtype != HS_F32 && s->dtype != HS_F16) {
        return hs_fail(HS_ERANGE, "a store of %s: only float32 and float16", hs_dtype_name(s->dtype));
    }
    if ((s->keep_x_T || s->keep_x_0 || s->keep_eps) && hs_chw_size(s->image) == 0) {
        return hs_fail(HS_ERANGE, "images are to be kept, but have no size");
    }
    for (size_t i = 0; i < s->n_attr; i++) {
        if (s->attr[i].name[strcspn(s->attr[i].name, " \n/")] != '\0') {
            return hs_fail(HS_ERANGE, "attribute name '%s' holds a blank", s->attr[i].name);
        }
    }
    const uint64_t dim[] = {s->n, s->S, s->h.c, s->h.h, s->h.w, 4};
    return hs_size_product(6, dim, &bytes);
}

static int add_escaped(hs_str *t, const char *key, const char *name, const char *value)
{
    char *e = NULL;
    size_t cap = 4 * strlen(value) + 1;
    int rc = hs_alloc(cap, 1, &e);
    if (rc == HS_OK) {
        hs_text_escape(value, e, cap);
        hs_str_addf(t, "%s%s %s\n", key, name, e);
        free(e);
    }
    return rc;
}

static int add_digests(hs_str *t, const hs_store_spec *s)
{
    int rc = HS_OK;
    char hex[HS_SHA256_HEX];
    HS_TRY(hs_store_digest_bytes(s->sample, s->n * sizeof *s->sample, hex));
    hs_str_addf(t, "sample %s\n", hex);
    HS_TRY(hs_store_digest_bytes(s->seed, s->n * sizeof *s->seed, hex));
    hs_str_addf(t, "seed_per_sample %s\n", hex);
    HS_TRY(hs_store_digest_texts(s->source, s->n, hex));
    hs_str_addf(t, "source_per_sample %s\n", hex);
    const char *model = s->model_config != NULL ? s->model_config : "";
    const char *scheduler = s->scheduler_config != NULL ? s->scheduler_config : "";
    HS_TRY(hs_store_digest_bytes(model, strlen(model), hex));
    hs_str_addf(t, "model_config %s\n", hex);
    HS_TRY(hs_store_digest_bytes(scheduler, strlen(scheduler), hex));
    hs_str_addf(t, "scheduler_config %s\n", hex);
out:
    return rc;
}

int hs_store_params(const hs_store_spec *s, char **out)
{
    int rc = HS_OK;
    hs_str t = {0};
    HS_TRY(check_spec(s));
    hs_str_addf(&t, "hspace_store 1.0\nn %zu\nsteps %zu\nunit %zu\n", s->n, s->S, s->unit);
    hs_str_addf(&t, "h %zu %zu %zu\nimage %zu %zu %zu\ndtype %s\n", s->h.c, s->h.h, s->h.w, s->image.c, s->image.h,
                s->image.w, hs_dtype_name(s->dtype));
    hs_str_addf(&t, "keep %d %d %d\ntimestep", s->keep_x_T != 0, s->keep_x_0 != 0, s->keep_eps != 0);
    for (size_t k = 0; k < s->S; k++) {
        hs_str_addf(&t, " %d", s->timestep[k]);
    }
    hs_str_add(&t, "\nalpha_bar");
    for (size_t k = 0; k < s->S; k++) {
        hs_str_addf(&t, " %.17g", s->alpha_bar[k]);
    }
    hs_str_add(&t, "\n");
    for (size_t i = 0; i < s->n_attr; i++) {
        HS_TRY(add_escaped(&t, "attr.", s->attr[i].name, s->attr[i].value));
    }
    HS_TRY(add_digests(&t, s));
    HS_TRY(hs_str_ok(&t));
    *out = t.s;
    t.s = NULL;
out:
    hs_str_free(&t);
    return rc;
}

const char *hs_store_params_get(const char *params, const char *key, size_t *len)
{
    size_t k = strlen(key);
    for (const char *line = params; *line != '\0';) {
        size_t l = strcspn(line, "\n");
        if (l > k && memcmp(line, key, k) == 0 && line[k] == ' ') {
            *len = l - k - 1;
            return line + k + 1;
        }
        line += l + (line[l] == '\n');
    }
    return NULL;
}

/* v (count) <- the whole numbers of a line. */
static int numbers(const char *params, const char *key, size_t count, size_t *v)
{
    size_t len = 0;
    const char *p = hs_store_params_get(params, key, &len);
    for (size_t i = 0; i < count && p != NULL; i++) {
        char word[24];
        size_t w = strcspn(p, " \n");
        int64_t x = 0;
        if (w >= sizeof word) {
            p = NULL;
            break;
        }
        memcpy(word, p, w);
        word[w] = '\0';
        if (hs_text_i64(word, 0, INT64_MAX / 8, &x) != HS_OK) {
            p = NULL;
            break;
        }
        v[i] = (size_t)x;
        p += w + (p[w] == ' ');
    }
    return p != NULL ? HS_OK : hs_fail(HS_EFORMAT, "the parameter record has no proper '%s'", key);
}

static int set_parts(hs_store_file *f, const size_t keep[3])
{
    int rc = HS_OK;
    size_t h = 0, image = 0, all = 0;
    const uint64_t hd[] = {f->h.c, f->h.h, f->h.w, hs_dtype_size(f->dtype)};
    const uint64_t id[] = {f->image.c, f->image.h, f->image.w};
    HS_TRY(hs_size_product(4, hd, &h));
    HS_TRY(hs_size_product(3, id, &image));
    f->part[HS_PART_H] = (hs_store_part){1, "h", "crc32c", f->dtype, f->S, h, 0, 0};
    f->part[HS_PART_XT] = (hs_store_part){keep[0] != 0, "x_T", "crc32c_x_T", HS_F32, 1, 4 * image, 0, 0};
    f->part[HS_PART_X0] = (hs_store_part){keep[1] != 0, "x_0", "crc32c_x_0", HS_U8, 1, image, 0, 0};
    f->part[HS_PART_EPS] = (hs_store_part){keep[2] != 0, "eps", "crc32c_eps", HS_F32, f->S, 4 * image, 0, 0};
    for (int p = 0; p < HS_PARTS; p++) {
        const uint64_t dim[] = {f->n, f->part[p].cells, f->part[p].cell, 4};
        HS_TRY(hs_size_product(4, dim, &all));
    }
out:
    return rc;
}

int hs_store_params_parse(const char *params, hs_store_file *f)
{
    int rc = HS_OK;
    size_t v[3], len = 0;
    const char *version = hs_store_params_get(params, "hspace_store", &len);
    if (version == NULL || len < 2 || memcmp(version, "1.", 2) != 0) {
        return hs_fail(HS_EFORMAT, "a store of another format than 1.x");
    }
    HS_TRY(numbers(params, "n", 1, &f->n));
    HS_TRY(numbers(params, "steps", 1, &f->S));
    HS_TRY(numbers(params, "unit", 1, &f->unit));
    HS_TRY(numbers(params, "h", 3, v));
    f->h = (hs_chw){v[0], v[1], v[2]};
    HS_TRY(numbers(params, "image", 3, v));
    f->image = (hs_chw){v[0], v[1], v[2]};
    HS_TRY(numbers(params, "keep", 3, v));
    const char *dtype = hs_store_params_get(params, "dtype", &len);
    if (dtype == NULL || f->n == 0 || f->S == 0 || f->unit == 0) {
        rc = hs_fail(HS_EFORMAT, "the parameter record has no dtype, or a size of 0");
        goto out;
    }
    f->dtype = len == 7 && memcmp(dtype, "float16", 7) == 0 ? HS_F16 : HS_F32;
    HS_TRY(set_parts(f, v));
out:
    return rc;
}

int hs_store_params_compare(const char *there, const char *here)
{
    while (*there != '\0' && *here != '\0') {
        size_t a = strcspn(there, "\n"), b = strcspn(here, "\n");
        if (a != b || memcmp(there, here, a) != 0) {
            size_t ka = strcspn(there, " "), kb = strcspn(here, " ");
            if (ka != kb || memcmp(there, here, ka) != 0) {
                break;
            }
            int va = a - ka - 1 < 90 ? (int)(a - ka - 1) : 90, vb = b - kb - 1 < 90 ? (int)(b - kb - 1) : 90;
            return hs_fail(HS_ERANGE, "made with other parameters: %.*s is %.*s there, %.*s here", (int)ka, there, va,
                           there + ka + 1, vb, here + kb + 1);
        }
        there += a + (there[a] == '\n');
        here += b + (here[b] == '\n');
    }
    if (*there == *here) {
        return HS_OK;
    }
    return hs_fail(HS_ERANGE, "made with other parameters: %.*s there, %.*s here", (int)strcspn(there, "\n"),
                   *there != '\0' ? there : "", (int)strcspn(here, "\n"), *here != '\0' ? here : "");
}
