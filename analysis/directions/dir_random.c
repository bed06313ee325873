#include "analysis/directions/dir_random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

static double norm(size_t n, const float *v)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i] * (double)v[i];
    }
    return sqrt(sum);
}

/* The position of timestep t in the store; S when it isn't there. */
static size_t store_step(const hs_store *store, int t)
{
    size_t k = 0;
    while (k < hs_store_S(store) && hs_store_timesteps(store)[k] != t) {
        k++;
    }
    return k;
}

/* g (size) <- sum_i z_i (h_i - mean) = sum_i (z_i - mean z) h_i at step k. */
HS_CHECKED static int draw_from_store(const hs_store *store, size_t k, const float *z, size_t size, float *g)
{
    int rc;
    size_t n = hs_store_n(store);
    float *h = NULL;
    double *sum = NULL, mean = 0;
    HS_TRY(hs_alloc(size, sizeof *h, &h));
    HS_TRY(hs_calloc(size, sizeof *sum, &sum));
    for (size_t i = 0; i < n; i++) {
        mean += (double)z[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        HS_TRY(hs_store_read_h(store, k, i, 1, h));
        double w = (double)z[i] - mean;
        for (size_t j = 0; j < size; j++) {
            sum[j] += w * (double)h[j];
        }
    }
    for (size_t j = 0; j < size; j++) {
        g[j] = (float)sum[j];
    }
out:
    free(h);
    free(sum);
    return rc;
}

HS_CHECKED static int check_like(const hs_direction *d, const hs_store *store)
{
    if (d->net != NULL) {
        return hs_fail(HS_ERANGE, "%.200s:%.60s: a delta network has no norm of its own; freeze it first", d->file,
                       d->name);
    }
    if (store == NULL) {
        return HS_OK;
    }
    if (d->space != HS_SPACE_H) {
        return hs_fail(HS_ESHAPE, "--covariance: of h; %.200s:%.60s is a change of eps", d->file, d->name);
    }
    hs_chw h = hs_store_h(store);
    if (h.c != d->shape.c || h.h != d->shape.h || h.w != d->shape.w) {
        return hs_fail(HS_ESHAPE, "--covariance: h of the store is (%zu, %zu, %zu); the direction is (%zu, %zu, %zu)",
                       h.c, h.h, h.w, d->shape.c, d->shape.h, d->shape.w);
    }
    for (size_t k = 0; k < d->S; k++) {
        if (store_step(store, d->t[k]) == hs_store_S(store)) {
            return hs_fail(HS_ESHAPE, "--covariance: the store has no timestep %d", d->t[k]);
        }
    }
    return HS_OK;
}

/* Step k of out: g scaled to the norm of d's step. */
HS_CHECKED static int fill_step(const hs_direction *d, const hs_store *store, const float *z, size_t k, float *out)
{
    int rc = HS_OK;
    size_t size = hs_chw_size(d->shape);
    if (store != NULL) {
        HS_TRY(draw_from_store(store, d->S > 0 ? store_step(store, d->t[k]) : 0, z, size, out));
    } else {
        memcpy(out, z, size * sizeof *out);
    }
    double g = norm(size, out), want = norm(size, d->dh + k * size);
    if (!(g > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "random direction: h does not vary at step %zu", k);
        goto out;
    }
    for (size_t j = 0; j < size; j++) {
        out[j] = (float)((double)out[j] * want / g);
    }
out:
    return rc;
}

int hs_direction_random(const hs_direction *d, const hs_store *store, uint64_t seed, size_t index, hs_direction *out)
{
    int rc;
    hs_direction r = {.space = d->space, .shape = d->shape, .S = d->S};
    float *z = NULL;
    char name[32];
    size_t size = hs_chw_size(d->shape), steps = d->S > 0 ? d->S : 1, draws = store != NULL ? hs_store_n(store) : size;
    HS_TRY(check_like(d, store));
    snprintf(name, sizeof name, "random%zu", index);
    HS_TRY(hs_strdup(name, &r.name));
    HS_TRY(hs_strdup("", &r.file));
    HS_TRY(hs_strdup(d->model_sha256, &r.model_sha256));
    HS_TRY(hs_strdup(d->tap, &r.tap));
    HS_TRY(hs_alloc(steps, size * sizeof *r.dh, &r.dh));
    HS_TRY(hs_alloc(draws, sizeof *z, &z));
    hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, index}, 0, draws, z);
    if (d->S > 0) {
        HS_TRY(hs_alloc(d->S, sizeof *r.t, &r.t));
        memcpy(r.t, d->t, d->S * sizeof *r.t);
    }
    for (size_t k = 0; k < steps; k++) {
        HS_TRY(fill_step(d, store, z, k, r.dh + k * size));
    }
    *out = r;
    memset(&r, 0, sizeof r);
out:
    free(z);
    hs_direction_free(&r);
    return rc;
}
