/* Random sets of directions: lengths and angles of given ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/directions/dir_random.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/base/text.h"
#include "core/linalg/blas.h"

/* Q (T, d) <- the orthonormal rows of T draws, by Gram-Schmidt, twice. */
HS_CHECKED static int draw_rows(size_t T, size_t d, uint64_t seed, size_t index, double *Q)
{
    int rc;
    float *z = NULL;
    HS_TRY(hs_alloc(d, sizeof *z, &z));
    for (size_t j = 0; j < T; j++) {
        double *row = Q + j * d;
        hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, (uint64_t)j << 32 | index}, 0, d, z);
        for (size_t i = 0; i < d; i++) {
            row[i] = (double)z[i];
        }
        for (size_t pass = 0; pass < 2 * j; pass++) {
            const double *other = Q + pass % j * d;
            double along = hs_dot_f64(d, row, other);
            for (size_t i = 0; i < d; i++) {
                row[i] -= along * other[i];
            }
        }
        double length = hs_nrm2_f64(d, row);
        for (size_t i = 0; i < d; i++) {
            row[i] /= length;
        }
    }
out:
    free(z);
    return rc;
}

/* L (T, T), lower <- L L' = G, of any rank: what adds nothing to the ones before gets a column of zeros. */
static void factor(size_t T, const double *G, double *L)
{
    memset(L, 0, T * T * sizeof *L);
    for (size_t j = 0; j < T; j++) {
        double left = G[j * T + j];
        for (size_t k = 0; k < j; k++) {
            left -= L[j * T + k] * L[j * T + k];
        }
        L[j * T + j] = left > 1e-12 * G[j * T + j] ? sqrt(left) : 0;
        for (size_t i = j + 1; i < T && L[j * T + j] > 0; i++) {
            double x = G[i * T + j];
            for (size_t k = 0; k < j; k++) {
                x -= L[i * T + k] * L[j * T + k];
            }
            L[i * T + j] = x / L[j * T + j];
        }
    }
}

/* *out <- like it, of S timesteps, not filled. */
HS_CHECKED static int make(const hs_direction *like, size_t S, const int *t, size_t index, hs_direction *out)
{
    int rc;
    char name[32];
    hs_direction r = {.space = like->space, .shape = like->shape, .S = S, .match = HS_MATCH_NEAREST};
    snprintf(name, sizeof name, "random%zu", index);
    HS_TRY(hs_strdup(name, &r.name));
    HS_TRY(hs_strdup("", &r.file));
    HS_TRY(hs_strdup(like->model_sha256, &r.model_sha256));
    HS_TRY(hs_strdup(like->tap, &r.tap));
    HS_TRY(hs_alloc(S, sizeof *r.t, &r.t));
    HS_TRY(hs_alloc(S, hs_chw_size(r.shape) * sizeof *r.dh, &r.dh));
    memcpy(r.t, t, S * sizeof *r.t);
    *out = r;
    memset(&r, 0, sizeof r);
out:
    hs_direction_free(&r);
    return rc;
}

/* v (d) <- sum_k l_k Q_k. */
static void combine(size_t T, size_t d, const double *l, const double *Q, float *v)
{
    for (size_t i = 0; i < d; i++) {
        double x = 0;
        for (size_t k = 0; k < T; k++) {
            x += l[k] * Q[k * d + i];
        }
        v[i] = (float)x;
    }
}

int hs_direction_random_set(const hs_direction *like, size_t T, size_t S, const int *t, const double *gram,
                            uint64_t seed, size_t index, hs_direction *out)
{
    int rc;
    size_t d = hs_chw_size(like->shape), made = 0;
    double *Q = NULL, *L = NULL;
    if (T == 0 || T > HS_RANDOM_SET || T > d) {
        return hs_fail(HS_ERANGE, "%zu random directions at once in %zu dimensions; 1 to %d are possible", T, d,
                       HS_RANDOM_SET);
    }
    HS_TRY(hs_alloc(T, d * sizeof *Q, &Q));
    HS_TRY(hs_alloc(T, T * sizeof *L, &L));
    HS_TRY(draw_rows(T, d, seed, index, Q));
    for (; made < T; made++) {
        HS_TRY(make(like, S, t, index, &out[made]));
    }
    for (size_t k = 0; k < S; k++) {
        factor(T, gram + k * T * T, L);
        for (size_t j = 0; j < T; j++) {
            combine(T, d, L + j * T, Q, out[j].dh + k * d);
        }
    }
out:
    for (size_t j = 0; rc != HS_OK && j < made; j++) {
        hs_direction_free(&out[j]);
    }
    free(Q);
    free(L);
    return rc;
}
