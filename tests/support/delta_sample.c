#include "tests/support/delta_sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

typedef struct {
    size_t per;
    const float *v;
} array;

HS_CHECKED static int read_array(void *ctx, size_t first, size_t n, float *room, const float **v)
{
    const array *a = ctx;
    (void)n, (void)room;
    *v = a->v + first * a->per;
    return HS_OK;
}

static hs_deltas reduce(size_t n, size_t S, size_t d, const int *t, const float *v, const hs_deltas_limits *limits)
{
    hs_deltas x = {0};
    array a = {S * d, v};
    const hs_deltas_source s = {.n = n, .S = S, .d = d, .t = t, .read = read_array, .ctx = &a};
    assert_ok(hs_deltas_reduce(&s, limits, NULL, &x));
    return x;
}

hs_deltas deltas_of(size_t n, size_t S, size_t d, const int *t, const float *v)
{
    const hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    return reduce(n, S, d, t, v, &limits);
}

hs_deltas deltas_pooled(size_t n, size_t S, size_t d, const float *v)
{
    const hs_deltas_limits limits = {.images_max = 1, .floats_max = 1, .pooled_max = 1};
    return reduce(n, S, d, NULL, v, &limits);
}

hs_deltas deltas_by_sums(size_t n, size_t S, size_t d, const float *v)
{
    hs_deltas_limits limits = HS_DELTAS_LIMITS_INIT;
    limits.gram_max = 0;
    return reduce(n, S, d, NULL, v, &limits);
}

float *deltas_planted(size_t n, size_t S, size_t d, double g, double tau, double image, uint64_t seed)
{
    float *v, *own, *rest;
    double noise = sqrt((1 - g - tau) / (double)d), s = (double)S;
    assert_ok(hs_alloc(n * S, d * sizeof *v, &v));
    assert_ok(hs_alloc(d, sizeof *own, &own));
    assert_ok(hs_alloc(S * d, sizeof *rest, &rest));
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 2 * i}, 0, d, own);
        hs_rng_normal((hs_rng){seed, HS_RNG_TEST, 2 * i + 1}, 0, S * d, rest);
        for (size_t k = 0; k < S; k++) {
            float *row = v + (i * S + k) * d;
            for (size_t j = 0; j < d; j++) {
                row[j] = (float)(noise * (sqrt(image) * (double)own[j] + sqrt(1 - image) * (double)rest[k * d + j]));
            }
            row[0] += (float)sqrt(g);
            for (size_t l = 0; l < S; l++) { /* S unit axes less their mean: |e_k|^2 = 1 - 1/S */
                row[1 + l] += (float)(sqrt(tau / (1 - 1 / s)) * ((l == k) - 1 / s));
            }
        }
    }
    free(own);
    free(rest);
    return v;
}

/* Index of the i-th image with this label. */
static size_t *with_label(const unsigned char *label, size_t n, unsigned char which)
{
    size_t *at, count = 0;
    assert_ok(hs_alloc(n, sizeof *at, &at));
    for (size_t i = 0; i < n; i++) {
        if (label[i] == which) {
            at[count++] = i;
        }
    }
    return at;
}

float *deltas_golden(const char *name, int null, size_t *n, size_t *d)
{
    char file[64];
    size_t dim[5];
    unsigned char label[2000];
    snprintf(file, sizeof file, "h-mnist/h_%s.npy", name);
    float *h = shared_floats(file, 5, dim), *v;
    FILE *f = fopen(shared_data("h-mnist/labels.npy"), "rb");
    assert_non_null(f);
    assert_int_equal(fseek(f, -2000, SEEK_END), 0);
    assert_int_equal(fread(label, 1, sizeof label, f), sizeof label);
    fclose(f);
    size_t per = dim[1] * dim[2] * dim[3] * dim[4], *one = with_label(label, 2000, 1);
    size_t *zero = with_label(label, 2000, 0);
    *n = null ? 100 : 175;
    *d = per / dim[1];
    assert_ok(hs_alloc(*n, per * sizeof *v, &v));
    for (size_t i = 0; i < *n; i++) {
        const float *a = h + per * (null ? one[2 * i] : one[i]), *b = h + per * (null ? one[2 * i + 1] : zero[i]);
        for (size_t j = 0; j < per; j++) {
            v[i * per + j] = a[j] - b[j];
        }
    }
    free(h);
    free(one);
    free(zero);
    return v;
}
