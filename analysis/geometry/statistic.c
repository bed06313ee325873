#include "analysis/geometry/statistic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

void hs_geometry_statistics_free(hs_geometry_statistics *s)
{
    free(s->list);
    memset(s, 0, sizeof *s);
}

const hs_geometry_statistic *hs_geometry_find(const hs_geometry_statistics *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->list[i].name, name) == 0) {
            return &s->list[i];
        }
    }
    return NULL;
}

HS_CHECKED static int append(hs_geometry_statistics *s, const hs_geometry_statistic *one)
{
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 64 : 2 * s->cap;
        hs_geometry_statistic *grown;
        int rc = hs_alloc(cap, sizeof *grown, &grown);
        if (rc != HS_OK) {
            return rc;
        }
        if (s->n > 0) {
            memcpy(grown, s->list, s->n * sizeof *grown);
        }
        free(s->list);
        s->list = grown;
        s->cap = cap;
    }
    s->list[s->n++] = *one;
    return HS_OK;
}

/* Means over timesteps of rows (S, R): out (R). */
static void over_timesteps(size_t S, size_t R, const double *rows, double *out)
{
    for (size_t r = 0; r < R; r++) {
        out[r] = 0;
        for (size_t k = 0; k < S; k++) {
            out[r] += rows[k * R + r] / (double)S;
        }
    }
}

static void fill_null(const hs_geometry_series *of, const double *null, hs_geometry_statistic *out)
{
    size_t K = of->null != NULL ? of->K : 0;
    out->null = K > 0 ? hs_mean(K, null, NULL) : (double)NAN;
    out->null_lo = out->null_hi = NAN;
    if (K >= 3) {
        double half =
            hs_student_quantile(0.5 * (1 + of->level), (double)K - 1) * hs_sd(K, null, NULL) * sqrt(1 + 1 / (double)K);
        out->null_lo = out->null - half;
        out->null_hi = out->null + half;
    }
    out->null_what = of->null_what;
}

/* replicates (R) are sorted here. */
HS_CHECKED static int put_one(hs_geometry_statistics *s, const hs_geometry_series *of, const char *name, double value,
                              double *replicates, const double *null)
{
    hs_geometry_statistic one = {.n = of->n, .estimator = of->estimator};
    snprintf(one.name, sizeof one.name, "%s", name);
    one.ci = of->no_interval != NULL ? (hs_interval){value, NAN, NAN, of->no_interval}
             : of->jackknife         ? hs_jackknife_interval(value, of->R, replicates, of->level)
                                     : hs_percentile_interval(value, of->units, of->R, replicates,
                                                              hs_expanded_level(of->level, of->units, of->R));
    fill_null(of, null, &one);
    return append(s, &one);
}

int hs_geometry_put(hs_geometry_statistics *s, const hs_geometry_series *of)
{
    double *row = NULL, *null = NULL, mean;
    char name[64];
    int rc = HS_OK;
    const size_t R = of->no_interval != NULL ? 0 : of->R;
    HS_TRY(hs_alloc(R, sizeof *row, &row));
    HS_TRY(hs_alloc(of->K, sizeof *null, &null));
    over_timesteps(of->S, 1, of->value, &mean);
    over_timesteps(of->S, R, of->replicates, row);
    over_timesteps(of->S, of->null != NULL ? of->K : 0, of->null, null);
    HS_TRY(put_one(s, of, of->name, mean, row, null));
    for (size_t k = 0; k < of->S; k++) {
        snprintf(name, sizeof name, "%.40s[%zu]", of->name, k);
        if (R > 0) {
            memcpy(row, of->replicates + k * R, R * sizeof *row);
        }
        HS_TRY(put_one(s, of, name, of->value[k], row, of->null != NULL ? of->null + k * of->K : NULL));
    }
out:
    free(row);
    free(null);
    return rc;
}

int hs_geometry_put_plain(hs_geometry_statistics *s, const char *name, double value, size_t n, const char *estimator,
                          const char *no_interval, double null, const char *null_what)
{
    hs_geometry_statistic one = {.ci = {value, NAN, NAN, no_interval},
                                 .n = n,
                                 .estimator = estimator,
                                 .null = null,
                                 .null_lo = NAN,
                                 .null_hi = NAN,
                                 .null_what = null_what};
    snprintf(one.name, sizeof one.name, "%s", name);
    return append(s, &one);
}

double hs_geometry_leave_out(size_t n, const double *v, double *loo)
{
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        sum += isnan(v[i]) ? 0 : v[i];
        count += !isnan(v[i]);
    }
    for (size_t i = 0; i < n; i++) {
        loo[i] = isnan(v[i]) ? sum / count : (sum - v[i]) / (count - 1);
    }
    return sum / count;
}
