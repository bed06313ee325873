#include "analysis/directions/dir_orthogonal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/basis.h"
#include "core/linalg/blas.h"

static int named_and_differ(const char *a, const char *b)
{
    return a[0] != '\0' && b[0] != '\0' && strcmp(a, b) != 0;
}

int hs_orthogonal_fits(const hs_direction *v, const hs_direction *other, int force)
{
    const hs_direction *net = v->net != NULL ? v : other;
    if (net->net != NULL) {
        return hs_fail(HS_ERANGE, "%.200s:%.60s: a delta network has no dh before it is applied to an image", net->file,
                       net->name);
    }
    if (v->space != other->space) {
        return hs_fail(HS_ESHAPE, "%.60s changes %s, %.60s %s", v->name, v->space == HS_SPACE_H ? "h" : "eps",
                       other->name, other->space == HS_SPACE_H ? "h" : "eps");
    }
    if (v->shape.c != other->shape.c || v->shape.h != other->shape.h || v->shape.w != other->shape.w) {
        return hs_fail(HS_ESHAPE, "%.60s is (%zu, %zu, %zu), %.60s is (%zu, %zu, %zu)", v->name, v->shape.c, v->shape.h,
                       v->shape.w, other->name, other->shape.c, other->shape.h, other->shape.w);
    }
    if (other->S > 0 && (v->S != other->S || memcmp(v->t, other->t, v->S * sizeof *v->t) != 0)) {
        return hs_fail(HS_ESHAPE, "%.60s and %.60s are of other timesteps (%zu and %zu)", v->name, other->name, v->S,
                       other->S);
    }
    if (!force && (named_and_differ(v->model_sha256, other->model_sha256) || named_and_differ(v->tap, other->tap))) {
        return hs_fail(HS_ESHAPE, "%.60s and %.60s are of other models or taps; -f takes them all the same", v->name,
                       other->name);
    }
    return HS_OK;
}

/* v (d) <- v without its part in the span of q (rank, d). */
static void take_out(size_t d, size_t rank, const double *q, double *v)
{
    for (size_t j = 0; j < rank; j++) {
        double along = hs_dot_f64(d, q + j * d, v);
        for (size_t x = 0; x < d; x++) {
            v[x] -= along * q[j * d + x];
        }
    }
}

int hs_orthogonalize(const hs_direction *v, size_t n, const hs_direction *other, float *dh, double *norm, double *left,
                     int64_t *rank)
{
    int rc = HS_OK;
    size_t d = hs_chw_size(v->shape), steps = v->S > 0 ? v->S : 1;
    double *V = NULL, *q = NULL, *rest = NULL;
    HS_TRY(hs_alloc(n, d * sizeof *V, &V));
    HS_TRY(hs_alloc(n, d * sizeof *q, &q));
    HS_TRY(hs_alloc(d, sizeof *rest, &rest));
    for (size_t k = 0; k < steps; k++) {
        size_t found;
        for (size_t i = 0; i < n; i++) {
            const float *from = other[i].dh + (other[i].S > 0 ? k * d : 0);
            for (size_t x = 0; x < d; x++) {
                V[i * d + x] = (double)from[x];
            }
        }
        for (size_t x = 0; x < d; x++) {
            rest[x] = (double)v->dh[k * d + x];
        }
        norm[k] = hs_nrm2_f64(d, rest);
        HS_TRY(hs_row_basis(n, d, V, HS_ORTHOGONAL_TOL, q, &found));
        take_out(d, found, q, rest);
        take_out(d, found, q, rest); /* the first leaves rounding as large as what it took out */
        left[k] = norm[k] > 0 ? hs_nrm2_f64(d, rest) / norm[k] : NAN;
        rank[k] = (int64_t)found;
        if (left[k] <= HS_ORTHOGONAL_TOL) {
            char at[32] = "";
            if (v->S > 0) {
                snprintf(at, sizeof at, " at t = %d", v->t[k]);
            }
            rc = hs_fail(HS_EDEGENERATE, "nothing is left of %.60s%s: it lies in the span of the others", v->name, at);
            goto out;
        }
        for (size_t x = 0; x < d; x++) {
            dh[k * d + x] = (float)rest[x];
        }
    }
out:
    free(V);
    free(q);
    free(rest);
    return rc;
}
