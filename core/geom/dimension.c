#include "core/geom/dimension.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"

/* near (k) <- the k smallest of the n distances but that to itself, ascending. */
static void nearest(size_t n, size_t self, const double *distance, size_t k, double *near)
{
    size_t have = 0;
    for (size_t j = 0; j < n; j++) {
        if (j == self || (have == k && distance[j] >= near[k - 1])) {
            continue;
        }
        size_t at = have < k ? have++ : k - 1;
        for (; at > 0 && near[at - 1] > distance[j]; at--) {
            near[at] = near[at - 1];
        }
        near[at] = distance[j];
    }
}

int hs_dimension_local(size_t n, const double *D, size_t k, double *log_mu, double *log_t)
{
    double *near = NULL;
    if (k < 2 || n <= k) {
        return hs_fail(HS_ERANGE, "%zu neighbours of %zu points; wanted from 2 to one less than the points", k, n);
    }
    int rc = hs_alloc(k, sizeof *near, &near);
    for (size_t i = 0; rc == HS_OK && i < n; i++) {
        nearest(n, i, D + i * n, k, near);
        log_mu[i] = near[0] > 0 ? log(near[1] / near[0]) : NAN;
        log_t[i] = 0;
        for (size_t j = 0; j + 1 < k; j++) {
            log_t[i] += log(near[k - 1] / near[j]) / (double)(k - 1);
        }
        log_t[i] = isfinite(log_t[i]) ? log_t[i] : (double)NAN;
    }
    free(near);
    return rc;
}

void hs_dimension_order(size_t n, const double *log_mu, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && (log_mu[order[at - 1]] > log_mu[i] || isnan(log_mu[order[at - 1]])); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

double hs_dimension_twonn(size_t n, const double *log_mu, const size_t *order, const double *w)
{
    double total = 0, below = 0, xy = 0, xx = 0;
    for (size_t i = 0; i < n; i++) {
        total += isnan(log_mu[i]) ? 0 : w != NULL ? w[i] : 1;
    }
    for (size_t r = 0; r < n; r++) {
        size_t i = order[r];
        double weight = w != NULL ? w[i] : 1;
        if (isnan(log_mu[i]) || weight == 0) {
            continue;
        }
        below += weight;
        if (below > 0.9 * total || below >= total) {
            break;
        }
        xy += weight * log_mu[i] * -log1p(-below / total);
        xx += weight * log_mu[i] * log_mu[i];
    }
    return xx > 0 ? xy / xx : (double)NAN;
}

double hs_dimension_mle(size_t n, const double *log_t, const double *w)
{
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(log_t[i])) {
            double weight = w != NULL ? w[i] : 1;
            total += weight;
            sum += weight * log_t[i];
        }
    }
    return sum > 0 ? total / sum : (double)NAN;
}
