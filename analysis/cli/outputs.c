/* Images and arrays out, by the ending of the name. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analysis/cli/common.h"
#include "core/base/alloc.h"
#include "core/base/text.h"
#include "core/io/file.h"
#include "core/io/image.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"

enum { GAP = 2 }; /* pixels between the images of a grid */

static int ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcmp(path + n - m, ending) == 0;
}

HS_CHECKED static int write_png(const hs_cmd *c, const char *path, size_t rows, size_t cols, hs_chw shape,
                                const float *x)
{
    hs_image im = {0};
    int rc = hs_image_grid(x, rows, cols, shape, GAP, &im);
    if (rc == HS_OK) {
        rc = hs_image_write(path, &im, hs_cmd_force(c));
    }
    hs_image_free(&im);
    return rc;
}

/* n images near-square; the cells that are left over stay white. */
HS_CHECKED static int write_square(const hs_cmd *c, const char *path, size_t n, hs_chw shape, const float *x)
{
    size_t cols = (size_t)ceil(sqrt((double)n)), rows = (n + cols - 1) / cols, d = hs_chw_size(shape), all = 0;
    float *padded = NULL;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(rows * cols, d, &all));
    HS_TRY(hs_alloc(all, sizeof *padded, &padded));
    memcpy(padded, x, n * d * sizeof *x);
    for (size_t i = n * d; i < all; i++) {
        padded[i] = 1;
    }
    HS_TRY(write_png(c, path, rows, cols, shape, padded));
out:
    free(padded);
    return rc;
}

HS_CHECKED static int write_folder(const hs_cmd *c, const char *path, size_t n, size_t m, hs_chw shape, const float *x)
{
    size_t d = hs_chw_size(shape), per = m > 0 ? m : 1;
    int rc = HS_OK;
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return hs_fail_errno(path, "make the folder");
    }
    for (size_t i = 0; i < n * per && rc == HS_OK; i++) {
        hs_str file = {0};
        hs_str_addf(&file, "%s%s%04zu", path, ends_in(path, "/") ? "" : "/", i / per);
        if (m > 0) {
            hs_str_addf(&file, "_%02zu", i % per);
        }
        hs_str_add(&file, ".png");
        rc = hs_str_ok(&file);
        if (rc == HS_OK) {
            rc = write_png(c, file.s, 1, 1, shape, x + i * d);
        }
        hs_str_free(&file);
    }
    return rc;
}

int hs_images_write(const hs_cmd *c, const char *path, size_t n, size_t m, hs_chw shape, const float *x)
{
    if (ends_in(path, ".npy")) {
        hs_out_array out = {"x", 5, {n, m, shape.c, shape.h, shape.w}, HS_F32, x};
        if (m == 0) {
            out = (hs_out_array){"x", 4, {n, shape.c, shape.h, shape.w}, HS_F32, x};
        }
        return hs_arrays_write(c, path, 1, &out);
    }
    if (ends_in(path, ".png")) {
        return m > 0 ? write_png(c, path, n, m, shape, x) : write_square(c, path, n, shape, x);
    }
    return write_folder(c, path, n, m, shape, x);
}

/* Rows of the first dimension, one a line; %.9g gives a float back exactly, %.17g a double. */
HS_CHECKED static int write_csv(const hs_cmd *c, const char *path, const hs_out_array *a, size_t count)
{
    size_t rows = a->rank > 0 ? a->dim[0] : 1, cols = rows > 0 ? count / rows : 0;
    double *v = NULL;
    hs_str text = {0};
    int rc = HS_OK;
    HS_TRY(hs_alloc(count, sizeof *v, &v));
    hs_to_f64(a->dtype, a->v, count, v);
    for (size_t i = 0; i < count; i++) {
        hs_str_addf(&text, a->dtype == HS_F64 ? "%.17g%s" : "%.9g%s", v[i], (i + 1) % cols == 0 ? "\n" : ",");
    }
    HS_TRY(hs_str_ok(&text));
    HS_TRY(hs_file_write_atomic(path, text.s != NULL ? text.s : "", text.len, hs_cmd_force(c)));
out:
    free(v);
    hs_str_free(&text);
    return rc;
}

int hs_arrays_write(const hs_cmd *c, const char *path, size_t n, const hs_out_array *a)
{
    hs_tensor *t = NULL;
    const char **names = NULL;
    int rc = HS_OK, force = hs_cmd_force(c);
    HS_TRY(hs_calloc(n, sizeof *t, &t));
    HS_TRY(hs_calloc(n, sizeof *names, &names));
    for (size_t i = 0; i < n; i++) {
        names[i] = a[i].name;
        t[i] = (hs_tensor){.name = a[i].name, .dtype = a[i].dtype, .rank = a[i].rank, .count = 1, .bytes = a[i].v};
        for (size_t k = 0; k < a[i].rank; k++) {
            t[i].dim[k] = a[i].dim[k];
            HS_TRY(hs_size_mul(t[i].count, a[i].dim[k], &t[i].count));
        }
    }
    if (ends_in(path, ".npz")) {
        rc = hs_npz_write(path, n, names, t, force);
    } else if (ends_in(path, ".safetensors")) {
        rc = hs_safetensors_write(path, n, t, 0, NULL, force);
    } else if (ends_in(path, ".npy")) {
        rc = hs_npy_write(path, t, force);
    } else {
        rc = write_csv(c, path, a, t[0].count);
    }
out:
    free(t);
    free(names);
    return rc;
}
