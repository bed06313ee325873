#include "analysis/geometry/cloud.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/cloud.h"
#include "core/geom/dimension.h"
#include "core/geom/hyperbolicity.h"

enum { Q = HS_CLOUD_STATISTICS };

typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_cloud_options *o;
    size_t n, d;
    float *h;               /* (n, d) */
    double *D, *D2, *s;     /* (n, n) twice, (n - 1) */
    double *log_mu, *log_t; /* (n) */
    size_t *order;          /* (n) */
    double *value;          /* (Q, S) */
    double *theta;          /* (2, S, B): of the dimensions */
    double *loo;            /* (2, S, n): of linear and delta */
    double *null;           /* (Q, S, K) */
} work;

static void work_free(work *w)
{
    free(w->h);
    free(w->D);
    free(w->s);
    free(w->order);
    free(w->value);
    free(w->theta);
    free(w->loo);
    free(w->null);
}

HS_CHECKED static int work_create(work *w)
{
    const size_t n = w->n, S = w->run->S;
    size_t pairs;
    int rc = HS_OK;
    HS_TRY(hs_size_mul(n, n, &pairs));
    HS_TRY(hs_alloc(n, w->d * sizeof *w->h, &w->h));
    HS_TRY(hs_alloc(pairs, 2 * sizeof *w->D, &w->D));
    w->D2 = w->D + pairs;
    HS_TRY(hs_alloc(n, 3 * sizeof *w->s, &w->s));
    w->log_mu = w->s + n;
    w->log_t = w->log_mu + n;
    HS_TRY(hs_alloc(n, sizeof *w->order, &w->order));
    HS_TRY(hs_alloc(Q, S * sizeof *w->value, &w->value));
    HS_TRY(hs_alloc(2 * S, w->run->bootstrap.B * sizeof *w->theta, &w->theta));
    HS_TRY(hs_alloc(2 * S, n * sizeof *w->loo, &w->loo));
    HS_TRY(hs_alloc(Q * S, w->run->draws * sizeof *w->null, &w->null));
out:
    return rc;
}

/* (tr K)^2 / tr K^2 of the centred Gram matrix K of the points but `skip` (n: none), from squared distances. */
static double participation(size_t n, const double *D2, size_t skip, double *mean)
{
    double all = 0, trace = 0, square = 0;
    const double count = (double)(n - (skip < n));
    for (size_t i = 0; i < n; i++) {
        mean[i] = 0;
        for (size_t j = 0; j < n && i != skip; j++) {
            mean[i] += j != skip ? D2[i * n + j] / count : 0;
        }
        all += mean[i] / count;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n && i != skip; j++) {
            double k = j != skip ? -0.5 * (D2[i * n + j] - mean[i] - mean[j] + all) : 0;
            square += k * k;
            trace += i == j ? k : 0;
        }
    }
    return trace * trace / square;
}

/* The estimators that only need distances; loo (n) of delta or NULL. */
HS_CHECKED static int from_distances(work *w, double *loo, double value[Q])
{
    hs_gromov g;
    int rc = HS_OK;
    HS_TRY(hs_dimension_local(w->n, w->D, w->o->neighbours, w->log_mu, w->log_t));
    hs_dimension_order(w->n, w->log_mu, w->order);
    value[HS_CLOUD_TWONN] = hs_dimension_twonn(w->n, w->log_mu, w->order, NULL);
    value[HS_CLOUD_MLE] = hs_dimension_mle(w->n, w->log_t, NULL);
    HS_TRY(hs_gromov_delta(w->n, w->D, w->o->quadruples, w->run->seed, loo, &g));
    value[HS_CLOUD_DELTA] = g.mean;
    value[HS_CLOUD_DELTA_MAX] = g.max;
out:
    return rc;
}

static void resample_dimensions(const void *ctx, const double *weight, double *theta, void *scratch)
{
    const work *w = ctx;
    (void)scratch;
    theta[0] = hs_dimension_twonn(w->n, w->log_mu, w->order, weight);
    theta[1] = hs_dimension_mle(w->n, w->log_t, weight);
}

HS_CHECKED static int bootstrap(work *w, size_t k)
{
    const size_t B = w->run->bootstrap.B;
    const hs_statistic st = {w->n, 2, 0, resample_dimensions, w};
    double *theta = NULL;
    hs_interval unused[2];
    int rc = HS_OK;
    HS_TRY(hs_alloc(2 * B, sizeof *theta, &theta));
    HS_TRY(hs_bootstrap(&st, &w->run->bootstrap, unused, theta));
    for (size_t b = 0; b < B; b++) {
        for (size_t q = 0; q < 2; q++) {
            w->theta[(q * w->run->S + k) * B + b] = theta[2 * b + q];
        }
    }
out:
    free(theta);
    return rc;
}

HS_CHECKED static int at_timestep(work *w, size_t k)
{
    const size_t n = w->n, S = w->run->S, K = w->run->draws;
    double value[Q];
    int rc = HS_OK;
    for (size_t p = 0; p < n * n; p++) {
        w->D[p] = sqrt(w->D2[p]);
    }
    HS_TRY(from_distances(w, w->loo + (S + k) * n, value));
    HS_TRY(bootstrap(w, k));
    HS_TRY(hs_cloud_spectrum(n, w->D2, w->s));
    value[HS_CLOUD_LINEAR] = participation(n, w->D2, n, w->log_t);
    for (size_t i = 0; i < n; i++) {
        w->loo[k * n + i] = participation(n, w->D2, i, w->log_t);
    }
    for (size_t q = 0; q < Q; q++) {
        w->value[q * S + k] = value[q];
    }
    for (size_t b = 0; b < K; b++) {
        HS_TRY(hs_progress_tell(w->run->progress, "clouds", k * K + b, S * K));
        HS_TRY(hs_cloud_gaussian(n, w->s, w->run->seed, k * K + b, w->D));
        HS_TRY(from_distances(w, NULL, value));
        for (size_t q = 0; q < Q; q++) {
            w->null[(q * S + k) * K + b] = value[q];
        }
    }
out:
    return rc;
}

HS_CHECKED static int put(const work *w, size_t q)
{
    static const char *const name[Q] = {"dimension_twonn", "dimension_mle", "dimension_linear", "gromov_delta",
                                        "gromov_delta_max"};
    static const char *const estimator[Q] = {
        "slope of TwoNN, bootstrap over points", "Levina-Bickel, bootstrap over points",
        "participation ratio, jackknife over points", "mean over quadruples / diameter, jackknife over points",
        "maximum over quadruples / diameter"};
    static const size_t loo_of[Q] = {0, 0, 0, 1, 0};
    const hs_geometry_run *run = w->run;
    const size_t S = run->S;
    const int linear = q == HS_CLOUD_LINEAR, jackknife = q >= HS_CLOUD_LINEAR;
    const hs_geometry_series s = {
        .name = name[q],
        .estimator = estimator[q],
        .S = S,
        .n = w->n,
        .value = w->value + q * S,
        .jackknife = jackknife,
        .units = w->n,
        .R = jackknife ? w->n : run->bootstrap.B,
        .replicates = jackknife ? w->loo + loo_of[q] * S * w->n : w->theta + q * S * run->bootstrap.B,
        .K = linear ? 0 : run->draws,
        .null = linear ? NULL : w->null + q * S * run->draws,
        .null_what =
            linear ? "a Gaussian cloud of the same spectrum has the same" : "Gaussian clouds of the same spectrum",
        .level = run->bootstrap.level,
        .no_interval = q == HS_CLOUD_DELTA_MAX ? "resampling says nothing of a maximum" : NULL};
    return hs_geometry_put(run->statistics, &s);
}

int hs_geometry_cloud_of(const hs_geometry_run *run, const hs_geometry_cloud_options *o, size_t n, size_t d,
                         hs_geometry_reader read, void *ctx)
{
    work w = {.run = run, .o = o, .n = n, .d = d};
    int rc = HS_OK;
    if (n < 5) {
        return hs_fail(HS_EDEGENERATE, "the cloud of %zu samples; wanted 5 or more", n);
    }
    if (o->neighbours < 2 || o->neighbours >= n) {
        return hs_fail(HS_ERANGE, "%zu neighbours of %zu samples; wanted 2 or more, and fewer than samples",
                       o->neighbours, n);
    }
    HS_TRY(work_create(&w));
    for (size_t k = 0; k < run->S; k++) {
        HS_TRY(read(ctx, k, w.h));
        HS_TRY(hs_cloud_distances(hs_mat_of(w.h, n, d), 1, w.D2));
        HS_TRY(at_timestep(&w, k));
    }
    for (size_t q = 0; q < Q; q++) {
        HS_TRY(put(&w, q));
    }
out:
    work_free(&w);
    return rc;
}
