#include "analysis/properties/naturalness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/gaussian.h"
#include "core/stats/moments.h"

enum { CLEAN_MIN = 8 };

void hs_naturalness_free(hs_naturalness *a)
{
    free(a->distance);
    free(a->median);
    free(a->outside);
    memset(a, 0, sizeof *a);
}

/* Distances of the images first, first + step ... from the Gaussian. */
HS_CHECKED static int judge(const hs_gaussian *g, size_t first, size_t step, const float *feat, hs_naturalness *a)
{
    for (size_t i = first; i < a->n; i += step) {
        int rc = hs_gaussian_distance(g, a->m, feat + i * a->m * g->d, a->distance + i * a->m);
        if (rc != HS_OK) {
            return rc;
        }
    }
    return HS_OK;
}

/* The images of one parity, unedited, judge those of the other. */
HS_CHECKED static int judge_half(size_t parity, size_t F, size_t zero, const float *feat, hs_naturalness *a)
{
    size_t n = 0;
    float *clean = NULL;
    hs_gaussian g = {0};
    int rc = HS_OK;
    HS_TRY(hs_alloc(a->n, F * sizeof *clean, &clean));
    for (size_t i = 1 - parity; i < a->n; i += 2) {
        memcpy(clean + n++ * F, feat + (i * a->m + zero) * F, F * sizeof *clean);
    }
    HS_TRY(hs_gaussian_fit(n, F, clean, &g));
    HS_TRY(judge(&g, parity, 2, feat, a));
out:
    hs_gaussian_free(&g);
    free(clean);
    return rc;
}

HS_CHECKED static int judge_all(size_t F, const float *feat, size_t n_clean, const float *clean, hs_naturalness *a)
{
    hs_gaussian g = {0};
    int rc = HS_OK;
    HS_TRY(hs_gaussian_fit(n_clean, F, clean, &g));
    HS_TRY(judge(&g, 0, 1, feat, a));
out:
    hs_gaussian_free(&g);
    return rc;
}

/* Fills limit, median and outside; column (n) is scratch. */
static void summarise(size_t zero, double *column, hs_naturalness *a)
{
    for (size_t step = 0; step <= a->m; step++) {
        size_t j = step == 0 ? zero : step - 1; /* the limit first */
        for (size_t i = 0; i < a->n; i++) {
            column[i] = a->distance[i * a->m + j];
        }
        hs_sort(a->n, column);
        a->limit = step == 0 ? hs_quantile_sorted(a->n, column, 0.95) : a->limit;
        a->median[j] = hs_quantile_sorted(a->n, column, 0.5);
        size_t beyond = 0;
        for (size_t i = 0; i < a->n; i++) {
            beyond += column[i] > a->limit;
        }
        a->outside[j] = (double)beyond / (double)a->n;
    }
}

/* The largest strength of a sign before the first that is not natural, as a magnitude. */
static double reach_of(const hs_naturalness *a, const double *strength, double sign)
{
    double stop = INFINITY, reach = 0;
    for (size_t j = 0; j < a->m; j++) {
        if (a->median[j] > a->limit && sign * strength[j] > 0) {
            stop = fmin(stop, sign * strength[j]);
        }
    }
    for (size_t j = 0; j < a->m; j++) {
        if (sign * strength[j] < stop) {
            reach = fmax(reach, sign * strength[j]);
        }
    }
    return reach;
}

/* Fills low, high and reach. */
static void find_reach(const double *strength, hs_naturalness *a)
{
    double far = 0, stop = INFINITY;
    a->high = reach_of(a, strength, 1);
    a->low = -reach_of(a, strength, -1);
    for (size_t j = 0; j < a->m; j++) {
        if (strength[j] > a->high || strength[j] < a->low) {
            stop = fmin(stop, fabs(strength[j]));
        }
    }
    for (size_t j = 0; j < a->m; j++) {
        far = fabs(strength[j]) < stop ? fmax(far, fabs(strength[j])) : far;
    }
    a->reach = far;
}

int hs_naturalness_measure(size_t n, size_t m, const double *strength, size_t F, const float *feat, size_t n_clean,
                           const float *clean, hs_naturalness *out)
{
    size_t zero = 0;
    hs_naturalness a = {.n = n, .m = m};
    double *column = NULL;
    size_t have = clean != NULL ? n_clean : n / 2;
    int rc = HS_OK;
    if (have < CLEAN_MIN || n == 0) {
        return hs_fail(HS_EDEGENERATE, "naturalness: %zu clean images judge; wanted %d", have, CLEAN_MIN);
    }
    while (zero < m && strength[zero] != 0) {
        zero++;
    }
    if (zero == m) {
        return hs_fail(HS_ERANGE, "naturalness: strength 0 is not among the %zu", m);
    }
    HS_TRY(hs_alloc(n, m * sizeof *a.distance, &a.distance));
    HS_TRY(hs_alloc(m, sizeof *a.median, &a.median));
    HS_TRY(hs_alloc(m, sizeof *a.outside, &a.outside));
    HS_TRY(hs_alloc(n, sizeof *column, &column));
    if (clean != NULL) {
        HS_TRY(judge_all(F, feat, n_clean, clean, &a));
    } else {
        HS_TRY(judge_half(0, F, zero, feat, &a));
        HS_TRY(judge_half(1, F, zero, feat, &a));
    }
    summarise(zero, column, &a);
    find_reach(strength, &a);
    *out = a;
    a = (hs_naturalness){0};
out:
    free(column);
    hs_naturalness_free(&a);
    return rc;
}
