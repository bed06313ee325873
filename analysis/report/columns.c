#include "analysis/report/columns.h"

#include "core/base/alloc.h"

int hs_report_texts(hs_result_in *r, const char *path, const char *array, size_t n, char ***out)
{
    size_t have = 0;
    int rc = hs_result_get_strings(r, array, &have, out);
    if (rc == HS_OK && have != n) {
        hs_strings_free(have, *out);
        *out = NULL;
        rc = hs_fail(HS_EFORMAT, "%s: /%s has %zu names; wanted %zu", path, array, have, n);
    }
    return rc;
}

int hs_report_numbers(hs_result_in *r, const char *path, size_t count, const char *const *array, size_t n, double **v)
{
    int rc = HS_OK;
    size_t rank, dim[8];
    for (size_t k = 0; k < count; k++) {
        HS_TRY(hs_result_shape(r, array[k], &rank, dim));
        if (rank != 1 || dim[0] != n) {
            rc = hs_fail(HS_EFORMAT, "%s: /%s does not have %zu numbers", path, array[k], n);
            goto out;
        }
        HS_TRY(hs_result_get_f64(r, array[k], &v[k]));
    }
out:
    return rc;
}
