#include "analysis/compare/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

double hs_null_quantile(size_t B, double *v)
{
    if (B == 0) {
        return NAN;
    }
    hs_sort(B, v);
    return hs_quantile_sorted(B, v, 0.975);
}

/* ---- RSA ---- */

/* *rank (n (n-1)/2) <- ranks of the squared distances, less their mean. */
HS_CHECKED static int distance_ranks(size_t n, const double *K, double **rank)
{
    int rc;
    size_t pairs = n * (n - 1) / 2, at = 0, *order = NULL;
    double *D = NULL;
    HS_TRY(hs_alloc(pairs, sizeof *D, &D));
    HS_TRY(hs_alloc(pairs, sizeof *order, &order));
    HS_TRY(hs_alloc(pairs, sizeof **rank, rank));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            D[at++] = K[i * n + i] + K[j * n + j] - 2 * K[i * n + j];
        }
    }
    hs_ranks(pairs, D, order, *rank);
    for (size_t p = 0; p < pairs; p++) {
        (*rank)[p] -= 0.5 * (double)(pairs + 1);
    }
out:
    free(D);
    free(order);
    return rc;
}

/* Where pair (i, j), i != j, stands. */
static size_t pair_at(size_t n, size_t i, size_t j)
{
    size_t a = i < j ? i : j, b = i < j ? j : i;
    return a * n - a * (a + 1) / 2 + b - a - 1;
}

/* Σ of products of the ranks, images of the second side exchanged.  part (n): work, so that threads change nothing. */
static double product(size_t n, const double *x, const double *y, const size_t *perm, double *part)
{
    double sum = 0;
#pragma omp parallel for schedule(dynamic, 16)
    for (size_t i = 0; i < n; i++) {
        part[i] = 0;
        for (size_t j = i + 1; j < n; j++) {
            part[i] += x[pair_at(n, i, j)] * y[pair_at(n, perm[i], perm[j])];
        }
    }
    for (size_t i = 0; i < n; i++) {
        sum += part[i];
    }
    return sum;
}

int hs_context_rsa(size_t n, const double *K, const double *L, size_t B, uint64_t seed, double *rho, double *null)
{
    int rc;
    double *x = NULL, *y = NULL, *v = NULL, *part = NULL, xx = 0, yy = 0;
    size_t *perm = NULL;
    if (n < 3) {
        return hs_fail(HS_EDEGENERATE, "RSA of %zu images: wanted 3", n);
    }
    HS_TRY(distance_ranks(n, K, &x));
    HS_TRY(distance_ranks(n, L, &y));
    HS_TRY(hs_alloc(n, sizeof *perm, &perm));
    HS_TRY(hs_alloc(n, sizeof *part, &part));
    HS_TRY(hs_alloc(B, sizeof *v, &v));
    for (size_t p = 0; p < n * (n - 1) / 2; p++) {
        xx += x[p] * x[p];
        yy += y[p] * y[p];
    }
    if (!(xx > 0 && yy > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "RSA: all distances of a side are equal");
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        perm[i] = i;
    }
    *rho = product(n, x, y, perm, part) / sqrt(xx * yy);
    for (size_t b = 0; b < B; b++) {
        hs_permutation(seed, b, n, perm);
        v[b] = product(n, x, y, perm, part) / sqrt(xx * yy);
    }
    *null = hs_null_quantile(B, v);
out:
    free(x);
    free(y);
    free(v);
    free(part);
    free(perm);
    return rc;
}

/* ---- CKA ---- */

/* M (n, n) <- K about the mean of the rows, image i where perm[i] stands (NULL: in order). */
static void centre(size_t n, const double *K, const size_t *perm, double *mean, double *M)
{
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        mean[i] = hs_mean(n, K + i * n, NULL);
        all += mean[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        size_t r = perm != NULL ? perm[i] : i;
        for (size_t j = 0; j < n; j++) {
            size_t c = perm != NULL ? perm[j] : j;
            M[i * n + j] = K[r * n + c] - mean[r] - mean[c] + all;
        }
    }
}

int hs_context_cka(size_t n, const double *K, const double *L, size_t B, uint64_t seed, hs_cka *out, double *null)
{
    int rc;
    double *x = NULL, *y = NULL, *mean = NULL, *v = NULL;
    size_t *perm = NULL;
    HS_TRY(hs_alloc(n * n, sizeof *x, &x));
    HS_TRY(hs_alloc(n * n, sizeof *y, &y));
    HS_TRY(hs_alloc(n, sizeof *mean, &mean));
    HS_TRY(hs_alloc(n, sizeof *perm, &perm));
    HS_TRY(hs_alloc(B, sizeof *v, &v));
    centre(n, K, NULL, mean, x);
    centre(n, L, NULL, mean, y);
    HS_TRY(hs_cka_gram(n, x, y, out));
    for (size_t b = 0; b < B && null != NULL; b++) {
        hs_cka shuffled;
        hs_permutation(seed, b, n, perm);
        centre(n, L, perm, mean, y);
        HS_TRY(hs_cka_gram(n, x, y, &shuffled));
        v[b] = shuffled.debiased;
    }
    if (null != NULL) {
        *null = hs_null_quantile(B, v);
    }
out:
    free(x);
    free(y);
    free(mean);
    free(v);
    free(perm);
    return rc;
}

/* ---- Dimension ---- */

double hs_context_dimension(size_t n, const double *K)
{
    double trace = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        trace += K[i * n + i];
        for (size_t j = 0; j < n; j++) {
            square += K[i * n + j] * K[i * n + j];
        }
    }
    return square > 0 ? trace * trace / square : (double)NAN;
}

double hs_context_dimension_null(size_t n, size_t d)
{
    double f = (double)n - 1;
    return f * (double)d / (f + (double)d);
}
