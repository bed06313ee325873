#include "core/stats/gaussian.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

void hs_gaussian_free(hs_gaussian *g)
{
    free(g->mean);
    free(g->whiten);
    memset(g, 0, sizeof *g);
}

/* mean (d), xt (d, n) <- the columns of x less their means. */
static void centre(size_t n, size_t d, const float *x, double *mean, double *xt)
{
    for (size_t j = 0; j < d; j++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) {
            sum += (double)x[i * d + j];
        }
        mean[j] = sum / (double)n;
        for (size_t i = 0; i < n; i++) {
            xt[j * n + i] = (double)x[i * d + j] - mean[j];
        }
    }
}

/* a of Ledoit and Wolf, from S (d, d) and the centred rows. */
static double shrinkage(size_t n, size_t d, const double *S, const double *xt)
{
    double trace = 0, norm = 0, fourth = 0, p = (double)d, N = (double)n;
    for (size_t j = 0; j < d; j++) {
        trace += S[j * d + j];
    }
    for (size_t i = 0; i < d * d; i++) {
        norm += S[i] * S[i];
    }
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t j = 0; j < d; j++) {
            square += xt[j * n + i] * xt[j * n + i];
        }
        fourth += square * square;
    }
    double error = (fourth / N - norm) / N, away = norm - trace * trace / p;
    return away <= 0 || error >= away ? 1 : fmax(error, 0) / away;
}

/* S <- (1 - a) S + a m I; whiten <- its inverse root, by eigenvectors. */
HS_CHECKED static int invert(size_t d, double *S, double a, double *whiten)
{
    double trace = 0, *w = NULL;
    int rc = HS_OK;
    for (size_t j = 0; j < d; j++) {
        trace += S[j * d + j];
    }
    for (size_t i = 0; i < d * d; i++) {
        S[i] *= 1 - a;
    }
    for (size_t j = 0; j < d; j++) {
        S[j * d + j] += a * trace / (double)d;
    }
    HS_TRY(hs_alloc(d, sizeof *w, &w));
    HS_TRY(hs_sym_eig(d, S, d, w, whiten));
    if (!(w[d - 1] > 1e-14 * w[0])) {
        rc = hs_fail(HS_EDEGENERATE, "covariance of %zu dimensions: singular", d);
        goto out;
    }
    for (size_t i = 0; i < d * d; i++) {
        whiten[i] /= sqrt(w[i / d]);
    }
out:
    free(w);
    return rc;
}

int hs_gaussian_fit(size_t n, size_t d, const float *x, hs_gaussian *out)
{
    hs_gaussian g = {.n = n, .d = d};
    double *xt = NULL, *S = NULL;
    int rc = HS_OK;
    if (n < 2 || d == 0) {
        return hs_fail(HS_EDEGENERATE, "covariance of %zu points in %zu dimensions; wanted 2 points", n, d);
    }
    HS_TRY(hs_alloc(n, d * sizeof *xt, &xt));
    HS_TRY(hs_calloc(d, d * sizeof *S, &S));
    HS_TRY(hs_alloc(d, sizeof *g.mean, &g.mean));
    HS_TRY(hs_alloc(d, d * sizeof *g.whiten, &g.whiten));
    centre(n, d, x, g.mean, xt);
    HS_TRY(hs_syrk_f64(d, n, 1 / (double)n, xt, n, 0, S, d));
    g.shrinkage = shrinkage(n, d, S, xt);
    HS_TRY(invert(d, S, g.shrinkage, g.whiten));
    *out = g;
    g = (hs_gaussian){0};
out:
    free(xt);
    free(S);
    hs_gaussian_free(&g);
    return rc;
}

int hs_gaussian_distance(const hs_gaussian *g, size_t n, const float *x, double *distance)
{
    double *apart = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(g->d, sizeof *apart, &apart));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < g->d; j++) {
            apart[j] = (double)x[i * g->d + j] - g->mean[j];
        }
        for (size_t k = 0; k < g->d; k++) {
            double z = hs_dot_f64(g->d, g->whiten + k * g->d, apart);
            sum += z * z;
        }
        distance[i] = sqrt(sum);
    }
out:
    free(apart);
    return rc;
}

/* root (d, d) <- R with R^T R = S, S of x divided by n - 1; *trace += tr S. */
HS_CHECKED static int root_of(size_t n, size_t d, const float *x, double *mean, double *root, double *trace)
{
    double *xt = NULL, *S = NULL, *w = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n, d * sizeof *xt, &xt));
    HS_TRY(hs_calloc(d, d * sizeof *S, &S));
    HS_TRY(hs_alloc(d, sizeof *w, &w));
    centre(n, d, x, mean, xt);
    HS_TRY(hs_syrk_f64(d, n, 1 / (double)(n - 1), xt, n, 0, S, d));
    for (size_t j = 0; j < d; j++) {
        *trace += S[j * d + j];
    }
    HS_TRY(hs_sym_eig(d, S, d, w, root));
    for (size_t i = 0; i < d * d; i++) {
        root[i] *= sqrt(fmax(w[i / d], 0));
    }
out:
    free(xt);
    free(S);
    free(w);
    return rc;
}

int hs_frechet(size_t d, size_t n1, const float *x1, size_t n2, const float *x2, double *out)
{
    double *mean = NULL, *root = NULL, *cross = NULL, *s = NULL, value = 0;
    int rc = HS_OK;
    if (n1 < 2 || n2 < 2 || d == 0) {
        return hs_fail(HS_EDEGENERATE, "Frechet distance of %zu and %zu points; wanted 2 each", n1, n2);
    }
    HS_TRY(hs_alloc(2 * d, sizeof *mean, &mean));
    HS_TRY(hs_alloc(2 * d, d * sizeof *root, &root));
    HS_TRY(hs_alloc(d, d * sizeof *cross, &cross));
    HS_TRY(hs_alloc(d, sizeof *s, &s));
    HS_TRY(root_of(n1, d, x1, mean, root, &value));
    HS_TRY(root_of(n2, d, x2, mean + d, root + d * d, &value));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, d, d, d, 1, root, d, root + d * d, d, 0, cross, d));
    HS_TRY(hs_svd(d, d, cross, NULL, s, NULL));
    for (size_t j = 0; j < d; j++) {
        value += (mean[j] - mean[d + j]) * (mean[j] - mean[d + j]) - 2 * s[j];
    }
    *out = fmax(value, 0);
out:
    free(mean);
    free(root);
    free(cross);
    free(s);
    return rc;
}
