#include "analysis/figures/sources.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void hs_sources_close(hs_sources *s)
{
    for (size_t i = 0; s->file != NULL && i < s->n; i++) {
        hs_result_close(s->file[i]);
    }
    free(s->file);
    hs_arena_free(&s->arena);
}

int hs_sources_open(const char *const *path, size_t n, hs_sources *s)
{
    *s = (hs_sources){.n = n, .path = path};
    int rc = hs_calloc(n, sizeof *s->file, &s->file);
    for (size_t i = 0; rc == HS_OK && i < n; i++) {
        rc = hs_result_open(path[i], &s->file[i]);
    }
    return rc;
}

int hs_sources_array(hs_sources *s, size_t i, const char *name, size_t rank, size_t *dim, double **out)
{
    int rc = HS_OK;
    size_t r, d[8], n = 1;
    double *v = NULL;
    HS_TRY(hs_result_shape(s->file[i], name, &r, d));
    if (r != rank) {
        HS_TRY(hs_fail(HS_ESHAPE, "/%s has %zu dimensions; %zu wanted", name, r, rank));
    }
    for (size_t k = 0; k < rank; k++) {
        if (d[k] == 0 || (dim[k] != 0 && d[k] != dim[k])) {
            HS_TRY(hs_fail(HS_ESHAPE, "/%s has %zu values along dimension %zu; %zu wanted", name, d[k], k, dim[k]));
        }
        dim[k] = d[k];
        HS_TRY(hs_size_mul(n, d[k], &n));
    }
    HS_TRY(hs_result_get_f64(s->file[i], name, &v));
    HS_TRY(hs_arena_alloc(&s->arena, n, sizeof *v, out));
    memcpy(*out, v, n * sizeof *v);
out:
    free(v);
    return hs_fail_in(rc, s->path[i]);
}

int hs_sources_optional(hs_sources *s, size_t i, const char *name, size_t m, const double **out)
{
    double *v = NULL;
    int rc = hs_result_has(s->file[i], name) ? hs_sources_array(s, i, name, 1, &m, &v) : HS_OK;
    *out = v;
    return rc;
}

int hs_sources_keep_text(hs_sources *s, const char *text, const char **out)
{
    char *copy;
    size_t len = strlen(text) + 1;
    int rc = hs_arena_alloc(&s->arena, len, 1, &copy);
    if (rc == HS_OK) {
        memcpy(copy, text, len);
        *out = copy;
    }
    return rc;
}

int hs_sources_text(hs_sources *s, size_t i, const char *name, const char *other, const char **out)
{
    char *text = NULL;
    int rc = HS_OK;
    *out = other;
    if (hs_result_attr_get_str(s->file[i], NULL, name, &text) == HS_OK && text[0] != '\0') {
        rc = hs_sources_keep_text(s, text, out);
    }
    free(text);
    return rc;
}

double hs_sources_number(hs_sources *s, size_t i, const char *name)
{
    double v;
    return hs_result_attr_get_f64(s->file[i], NULL, name, &v) == HS_OK ? v : (double)NAN;
}

size_t hs_sources_count(hs_sources *s, size_t i, const char *name)
{
    double v = hs_sources_number(s, i, name);
    return v >= 0 && v < 1e15 ? (size_t)v : 0;
}

int hs_sources_labels(hs_sources *s, const char *name, size_t n, const char *const **out)
{
    int rc = HS_OK;
    const char **label;
    char **text = NULL, buf[32];
    size_t count = 0;
    double *number = NULL;
    HS_TRY(hs_arena_alloc(&s->arena, n, sizeof *label, &label));
    if (hs_result_has(s->file[0], name) && hs_result_get_strings(s->file[0], name, &count, &text) != HS_OK) {
        HS_TRY(hs_sources_array(s, 0, name, 1, &n, &number));
    }
    if (text != NULL && count != n) {
        HS_TRY(hs_fail(HS_ESHAPE, "%s: /%s has %zu texts; %zu wanted", s->path[0], name, count, n));
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(buf, sizeof buf, "%g", number != NULL ? number[i] : (double)i);
        HS_TRY(hs_sources_keep_text(s, text != NULL ? text[i] : buf, &label[i]));
    }
    *out = label;
out:
    for (size_t i = 0; i < count; i++) {
        free(text[i]);
    }
    free(text);
    return rc;
}
