#include "analysis/sweep/h_draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

void hs_h_draws_free(hs_h_draws *w)
{
    free(w->z);
    free(w->g);
    free(w->first);
    memset(w, 0, sizeof *w);
}

/* z (K, n) <- normal numbers less their mean. */
HS_CHECKED static int draw(hs_h_draws *w, uint64_t seed)
{
    int rc;
    float *raw = NULL;
    HS_TRY(hs_alloc(w->n, sizeof *raw, &raw));
    for (size_t k = 0; k < w->K; k++) {
        double mean = 0;
        hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, ((uint64_t)1 << 41) + k}, 0, w->n, raw);
        for (size_t i = 0; i < w->n; i++) {
            mean += (double)raw[i] / (double)w->n;
        }
        for (size_t i = 0; i < w->n; i++) {
            w->z[k * w->n + i] = (double)raw[i] - mean;
        }
    }
out:
    free(raw);
    return rc;
}

int hs_h_draws_create(size_t n, size_t K, size_t S, size_t d, uint64_t seed, hs_h_draws *out)
{
    int rc;
    size_t cells;
    hs_h_draws w = {.n = n, .K = K, .S = S, .d = d};
    if (n < 2 || K == 0 || S == 0 || d == 0) {
        return hs_fail(HS_ERANGE, "covariance of h: %zu images, %zu draws, %zu steps x %zu numbers", n, K, S, d);
    }
    HS_TRY(hs_size_mul(K, S, &cells));
    HS_TRY(hs_size_mul(cells, d, &cells));
    HS_TRY(hs_alloc(K, n * sizeof *w.z, &w.z));
    HS_TRY(hs_calloc(cells, sizeof *w.g, &w.g));
    HS_TRY(hs_alloc(S, d * sizeof *w.first, &w.first));
    HS_TRY(draw(&w, seed));
    *out = w;
    memset(&w, 0, sizeof w);
out:
    hs_h_draws_free(&w);
    return rc;
}

void hs_h_draws_add(hs_h_draws *w, size_t first, size_t count, const float *h)
{
    size_t per = w->S * w->d;
    if (first == 0 && count > 0) {
        memcpy(w->first, h, per * sizeof *h);
    }
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < w->K; k++) {
        double *g = w->g + k * per;
        for (size_t i = 0; i < count; i++) {
            const float *row = h + i * per;
            double z = w->z[k * w->n + first + i];
            for (size_t j = 0; j < per; j++) {
                g[j] += z * ((double)row[j] - (double)w->first[j]);
            }
        }
    }
}

int hs_h_draws_take(const hs_h_draws *w, size_t k, const double *norm, float *dh)
{
    size_t d = w->d;
    for (size_t t = 0; t < w->S; t++) {
        const double *g = w->g + (k * w->S + t) * d;
        double square = 0;
        for (size_t j = 0; j < d; j++) {
            square += g[j] * g[j];
        }
        if (!(square > 0)) {
            return hs_fail(HS_EDEGENERATE, "covariance of h: h does not vary at step %zu", t);
        }
        for (size_t j = 0; j < d; j++) {
            dh[t * d + j] = (float)(norm[t] * g[j] / sqrt(square));
        }
    }
    return HS_OK;
}
