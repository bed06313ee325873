#include <stdio.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/model/arch.h"

static int whole_number(const json_t *v, const char *key, size_t lo, size_t hi, size_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0 || (size_t)json_integer_value(v) < lo ||
        (size_t)json_integer_value(v) > hi) {
        char found[48] = "no whole number";
        if (json_is_number(v)) {
            snprintf(found, sizeof found, "%.17g", json_number_value(v));
        }
        return hs_fail(HS_EFORMAT, "%s is %s, must be a whole number between %zu and %zu", key, found, lo, hi);
    }
    *out = (size_t)json_integer_value(v);
    return HS_OK;
}

static int real_number(const json_t *v, const char *key, double lo, double hi, double *out)
{
    double x = json_is_number(v) ? json_number_value(v) : 0;
    if (!json_is_number(v) || !(x >= lo && x <= hi)) {
        return hs_fail(HS_EFORMAT, "%s is %s%.17g, must be a number between %g and %g", key,
                       json_is_number(v) ? "" : "not a number: ", x, lo, hi);
    }
    *out = x;
    return HS_OK;
}

int hs_json_size(const json_t *o, const char *key, size_t lo, size_t hi, size_t *out)
{
    const json_t *v = json_object_get(o, key);
    return v == NULL ? HS_OK : whole_number(v, key, lo, hi, out);
}

int hs_json_real(const json_t *o, const char *key, double lo, double hi, double *out)
{
    const json_t *v = json_object_get(o, key);
    return v == NULL ? HS_OK : real_number(v, key, lo, hi, out);
}

int hs_json_flag(const json_t *o, const char *key, int *out)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL) {
        return HS_OK;
    }
    if (!json_is_boolean(v)) {
        return hs_fail(HS_EFORMAT, "%s must be true or false", key);
    }
    *out = json_is_true(v);
    return HS_OK;
}

int hs_json_text(const json_t *o, const char *key, const char **out)
{
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v)) {
        return HS_OK;
    }
    if (!json_is_string(v)) {
        return hs_fail(HS_EFORMAT, "%s must be a text", key);
    }
    *out = json_string_value(v);
    return HS_OK;
}

int hs_json_sizes(const json_t *o, const char *key, size_t lo, size_t hi, size_t max, size_t *n, size_t *v)
{
    const json_t *a = json_object_get(o, key);
    if (!json_is_array(a) || json_array_size(a) == 0 || json_array_size(a) > max) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must be an array of 1 to %zu whole numbers", key,
                       json_array_size(a), max);
    }
    int rc = HS_OK;
    for (size_t i = 0; i < json_array_size(a); i++) {
        HS_TRY(whole_number(json_array_get(a, i), key, lo, hi, &v[i]));
    }
    *n = json_array_size(a);
out:
    return rc;
}

int hs_json_reals(const json_t *o, const char *key, size_t n, double **out)
{
    const json_t *a = json_object_get(o, key);
    if (!json_is_array(a) || json_array_size(a) != n) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must be an array of %zu numbers", key, json_array_size(a), n);
    }
    double *v = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, sizeof *v, &v));
    for (size_t i = 0; i < n; i++) {
        HS_TRY(real_number(json_array_get(a, i), key, -1e300, 1e300, &v[i]));
    }
    *out = v;
    v = NULL;
out:
    free(v);
    return rc;
}
