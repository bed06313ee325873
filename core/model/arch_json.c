#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/json.h"
#include "core/model/arch.h"

int hs_json_size(const json_t *o, const char *key, size_t lo, size_t hi, size_t *out)
{
    int64_t v = 0, standard = (int64_t)*out;
    int rc = HS_OK;
    HS_TRY(hs_json_get_i64(o, key, (int64_t)lo, (int64_t)hi, &standard, &v));
    *out = (size_t)v;
out:
    return rc;
}

int hs_json_real(const json_t *o, const char *key, double lo, double hi, double *out)
{
    double standard = *out;
    return hs_json_get_f64(o, key, lo, hi, &standard, out);
}

int hs_json_flag(const json_t *o, const char *key, int *out)
{
    int standard = *out;
    return hs_json_get_bool(o, key, &standard, out);
}

int hs_json_text(const json_t *o, const char *key, const char **out)
{
    const char *standard = *out;
    return hs_json_get_str(o, key, standard, out);
}

int hs_json_sizes(const json_t *o, const char *key, size_t lo, size_t hi, size_t max, size_t *n, size_t *v)
{
    int64_t *whole = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(max, sizeof *whole, &whole));
    HS_TRY(hs_json_get_i64s(o, key, (int64_t)lo, (int64_t)hi, max, whole, n));
    for (size_t i = 0; i < *n; i++) {
        v[i] = (size_t)whole[i];
    }
out:
    free(whole);
    return rc;
}

int hs_json_reals(const json_t *o, const char *key, size_t n, double **out)
{
    const json_t *a = json_object_get(o, key);
    double *v = NULL;
    int rc = HS_OK;
    if (!json_is_array(a) || json_array_size(a) != n) {
        return hs_fail(HS_EFORMAT, "%s has %zu entries, must be an array of %zu numbers", key, json_array_size(a), n);
    }
    HS_TRY(hs_alloc(n, sizeof *v, &v));
    for (size_t i = 0; i < n; i++) {
        if (!json_is_number(json_array_get(a, i))) {
            rc = hs_fail(HS_EFORMAT, "%s holds something that is no number, at %zu", key, i);
            goto out;
        }
        v[i] = json_number_value(json_array_get(a, i));
    }
    *out = v;
    v = NULL;
out:
    free(v);
    return rc;
}

int hs_json_only(const json_t *o, const char *what, const char *const *known, size_t n)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v)
    {
        size_t i = 0;
        while (i < n && strcmp(key, known[i]) != 0) {
            i++;
        }
        if (i == n) {
            char shown[64];
            hs_text_escape(key, shown, sizeof shown);
            return hs_fail(HS_EFORMAT, "%s has no field \"%s\"", what, shown);
        }
    }
    return HS_OK;
}
