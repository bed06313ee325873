#include "core/stats/moments.h"

#include <math.h>
#include <stdlib.h>

static double weight(const double *w, size_t i)
{
    return w == NULL ? 1.0 : w[i];
}

double hs_mean(size_t n, const double *x, const double *w)
{
    double sum = 0.0, sw = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += weight(w, i) * x[i];
        sw += weight(w, i);
    }
    return sw > 0 ? sum / sw : NAN;
}

double hs_sd(size_t n, const double *x, const double *w)
{
    double m = hs_mean(n, x, w), sum = 0.0, sw = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += weight(w, i) * (x[i] - m) * (x[i] - m);
        sw += weight(w, i);
    }
    return sw > 1 ? sqrt(sum / (sw - 1.0)) : NAN;
}

double hs_rms(size_t n, const double *x, const double *w)
{
    double sum = 0.0, sw = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += weight(w, i) * x[i] * x[i];
        sw += weight(w, i);
    }
    return sw > 0 ? sqrt(sum / sw) : NAN;
}

double hs_quantile_sorted(size_t n, const double *sorted, double p)
{
    double at = p * (double)(n - 1), below = floor(at);
    size_t i = (size_t)below;
    if (i + 1 >= n) {
        return sorted[n - 1];
    }
    return sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void hs_sort(size_t n, double *x)
{
    qsort(x, n, sizeof *x, ascending);
}

static int by_value(const void *a, const void *b, void *values)
{
    const double *v = values;
    double x = v[*(const size_t *)a], y = v[*(const size_t *)b];
    return (x > y) - (x < y);
}

void hs_ranks(size_t n, const double *x, size_t *order, double *rank)
{
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    qsort_r(order, n, sizeof *order, by_value, (void *)(size_t)x);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && x[order[j]] <= x[order[i]]; j++) {
        }
        for (size_t k = i; k < j; k++) {
            rank[order[k]] = 0.5 * (double)(i + j + 1);
        }
    }
}
