#include "core/model/attr_map.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

struct hs_attr_map {
    hs_linop inner;
    hs_attrnet_ws *ws;
    size_t rows, d, K;
    float *image; /* (rows, d): copies of x0hat, then tangents or cotangents of it */
    float *value; /* (rows, K) */
};

void hs_attr_map_free(hs_attr_map *a)
{
    if (a != NULL) {
        hs_attrnet_ws_free(a->ws);
        free(a->image);
        free(a->value);
        free(a);
    }
}

HS_CHECKED static int check(const hs_unet_jacobian *j, const hs_linop *inner, const hs_attrnet *phi)
{
    size_t R = hs_attrnet_config_of(phi)->image_size;
    if (j->map != HS_MAP_X0HAT_H && j->map != HS_MAP_X0HAT_X) {
        return hs_fail(HS_ERANGE, "attribute map: behind map %d, wanted one to x0hat", (int)j->map);
    }
    if (inner->m != 3 * R * R) {
        return hs_fail(HS_ESHAPE, "the attribute network reads 3 x %zu x %zu, x0hat has %zu values", R, R, inner->m);
    }
    return HS_OK;
}

int hs_attr_map_create(hs_unet_jacobian *j, const hs_attrnet *phi, const float *x0hat, size_t rows, hs_conv_mode mode,
                       hs_attr_map **out)
{
    hs_attr_map *a = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *a, &a));
    a->inner = hs_unet_linop(j);
    a->rows = rows;
    a->d = a->inner.m;
    a->K = hs_attrnet_config_of(phi)->n_factors;
    HS_TRY(check(j, &a->inner, phi));
    HS_TRY(hs_attrnet_ws_create(phi, rows, 1, mode, &a->ws));
    HS_TRY(hs_alloc(rows, a->d * sizeof *a->image, &a->image));
    HS_TRY(hs_alloc(rows, a->K * sizeof *a->value, &a->value));
    for (size_t r = 0; r < rows; r++) {
        memcpy(a->image + r * a->d, x0hat, a->d * sizeof *x0hat);
    }
    HS_TRY(hs_attrnet_forward(a->ws, rows, a->image, a->value, NULL)); /* every row's record is that of x0hat */
    *out = a;
    a = NULL;
out:
    hs_attr_map_free(a);
    return rc;
}

/* Rows of a full batch always: those that aren't wanted are zero. */
static void fill(float *to, size_t rows, size_t all, size_t d, const float *from)
{
    memcpy(to, from, rows * d * sizeof *to);
    memset(to + rows * d, 0, (all - rows) * d * sizeof *to);
}

static int apply(void *ctx, size_t k, const float *X, float *Y)
{
    hs_attr_map *a = ctx;
    int rc = HS_OK;
    for (size_t first = 0; first < k; first += a->rows) {
        size_t rows = k - first < a->rows ? k - first : a->rows;
        memset(a->image, 0, a->rows * a->d * sizeof *a->image);
        HS_TRY(a->inner.apply(a->inner.ctx, rows, X + first * a->inner.n, a->image));
        HS_TRY(hs_attrnet_jvp(a->ws, a->rows, a->image, a->value));
        memcpy(Y + first * a->K, a->value, rows * a->K * sizeof *Y);
    }
out:
    return rc;
}

static int apply_adjoint(void *ctx, size_t k, const float *Y, float *X)
{
    hs_attr_map *a = ctx;
    int rc = HS_OK;
    for (size_t first = 0; first < k; first += a->rows) {
        size_t rows = k - first < a->rows ? k - first : a->rows;
        fill(a->value, rows, a->rows, a->K, Y + first * a->K);
        HS_TRY(hs_attrnet_vjp(a->ws, a->rows, a->value, a->image));
        HS_TRY(a->inner.apply_adjoint(a->inner.ctx, rows, a->image, X + first * a->inner.n));
    }
out:
    return rc;
}

hs_linop hs_attr_map_linop(hs_attr_map *a)
{
    return (hs_linop){.m = a->K, .n = a->inner.n, .apply = apply, .apply_adjoint = apply_adjoint, .ctx = a};
}
