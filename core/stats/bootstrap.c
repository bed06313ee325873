#include "core/stats/bootstrap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/stats/moments.h"

void hs_bootstrap_weights(uint64_t seed, uint64_t b, size_t n, double *w)
{
    enum { CHUNK = 256 };
    uint32_t u[CHUNK];
    hs_rng stream = {seed, HS_RNG_BOOTSTRAP, b};
    memset(w, 0, n * sizeof *w);
    for (size_t first = 0; first < n; first += CHUNK) {
        size_t k = n - first < CHUNK ? n - first : CHUNK;
        hs_rng_u32(stream, first, k, u);
        for (size_t i = 0; i < k; i++) {
            w[((uint64_t)u[i] * n) >> 32] += 1.0;
        }
    }
}

hs_interval hs_percentile_interval(double value, size_t n, size_t B, double *theta, double level)
{
    hs_interval out = {.value = value, .lo = NAN, .hi = NAN, .reason = NULL};
    double tail = 0.5 * (1.0 - level);
    size_t k = 0;
    for (size_t b = 0; b < B; b++) {
        if (!isnan(theta[b])) {
            theta[k++] = theta[b];
        }
    }
    if (isnan(value)) {
        out.reason = "undefined";
    } else if (n < 2) {
        out.reason = "no interval from one image";
    } else if ((double)B * tail < 10.0) {
        out.reason = "too few resamples for an interval";
    } else if (100 * (B - k) > B) {
        out.reason = "undefined in more than 1 % of the resamples";
    } else {
        hs_sort(k, theta);
        out.lo = hs_quantile_sorted(k, theta, tail);
        out.hi = hs_quantile_sorted(k, theta, 1.0 - tail);
    }
    return out;
}

int hs_statistic_under(const hs_statistic *st, size_t count, hs_weighting weigh, const void *ctx, double *theta)
{
    int failed = 0;
#pragma omp parallel
    {
        double *w = NULL, *t = NULL;
        void *scratch = NULL;
        int bad = hs_alloc(st->n, sizeof *w, &w) != HS_OK || hs_alloc(st->q, sizeof *t, &t) != HS_OK ||
                  hs_alloc(st->scratch, 1, &scratch) != HS_OK;
        if (bad) {
#pragma omp atomic write
            failed = 1;
        }
#pragma omp for schedule(static)
        for (size_t b = 0; b < count; b++) {
            if (!bad) {
                weigh(ctx, b, st->n, w);
                st->eval(st->ctx, w, t, scratch);
                for (size_t j = 0; j < st->q; j++) {
                    theta[j * count + b] = t[j];
                }
            }
        }
        free(w);
        free(t);
        free(scratch);
    }
    return failed ? hs_fail(HS_ENOMEM, "bootstrap: no memory for %zu weights a thread", st->n) : HS_OK;
}

static void resample(const void *ctx, size_t b, size_t n, double *w)
{
    const hs_bootstrap_options *o = ctx;
    hs_bootstrap_weights(o->seed, b, n, w);
}

static int evaluate_once(const hs_statistic *st, double *value)
{
    int rc = HS_OK;
    double *w = NULL;
    void *scratch = NULL;
    HS_TRY(hs_alloc(st->n, sizeof *w, &w));
    HS_TRY(hs_alloc(st->scratch, 1, &scratch));
    for (size_t i = 0; i < st->n; i++) {
        w[i] = 1.0;
    }
    st->eval(st->ctx, w, value, scratch);
out:
    free(w);
    free(scratch);
    return rc;
}

int hs_bootstrap(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out, double *theta)
{
    int rc = HS_OK;
    double *all = NULL, *value = NULL;
    size_t count;
    if (st->n < 1 || st->n > UINT32_MAX || o->B < 1 || !(o->level > 0 && o->level < 1)) {
        return hs_fail(HS_ERANGE, "bootstrap: n = %zu, B = %zu, level %g; n and B at least 1, level inside (0, 1)",
                       st->n, o->B, o->level);
    }
    HS_TRY(hs_size_mul(st->q, o->B, &count));
    HS_TRY(hs_alloc(count, sizeof *all, &all));
    HS_TRY(hs_alloc(st->q, sizeof *value, &value));
    HS_TRY(evaluate_once(st, value));
    HS_TRY(hs_statistic_under(st, o->B, resample, o, all));
    for (size_t j = 0; j < st->q; j++) {
        for (size_t b = 0; theta != NULL && b < o->B; b++) {
            theta[b * st->q + j] = all[j * o->B + b];
        }
        out[j] = hs_percentile_interval(value[j], st->n, o->B, all + j * o->B, o->level);
    }
out:
    free(all);
    free(value);
    return rc;
}
