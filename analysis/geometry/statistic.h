/* The numbers of a geometry run: each with its interval and its null, at every timestep and as a mean over them. */
#ifndef HS_GEOMETRY_STATISTIC_H
#define HS_GEOMETRY_STATISTIC_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/stats/bootstrap.h"

typedef struct {
    char name[64]; /* NAME[k] at timestep number k; NAME: the mean over timesteps */
    hs_interval ci;
    size_t n; /* what the interval is over: images, samples, pairs */
    const char *estimator;
    double null, null_lo, null_hi; /* NaN: none */
    const char *null_what;         /* what it is, or why there is none */
} hs_geometry_statistic;

typedef struct {
    size_t n, cap;
    hs_geometry_statistic *list;
} hs_geometry_statistics;
void hs_geometry_statistics_free(hs_geometry_statistics *s);
/* NULL: no such name. */
const hs_geometry_statistic *hs_geometry_find(const hs_geometry_statistics *s, const char *name);

/* One number at S timesteps.  replicates (S, R): of a bootstrap of `units` units, or the leave-one-out values of R
 * units; the units are resampled alike at all timesteps, so that their mean over timesteps has an interval too.
 * null (S, K) draws, NULL for none: its mean, and for K >= 3 the prediction limits mean -+ t_{K-1} sd sqrt(1 + 1 / K)
 * of one more draw. */
typedef struct {
    const char *name, *estimator;
    size_t S, n;
    const double *value; /* (S) */
    int jackknife;
    size_t units, R;
    const double *replicates;
    size_t K;
    const double *null;
    const char *null_what;
    double level;
    const char *no_interval; /* NULL, or why there is none: replicates may be NULL then */
} hs_geometry_series;

/* Appends S + 1 statistics.  Intervals: percentiles at hs_expanded_level, or the jackknife's.  HS_ENOMEM. */
HS_CHECKED int hs_geometry_put(hs_geometry_statistics *s, const hs_geometry_series *series);
/* Appends one number without replicates: no_interval says why. */
HS_CHECKED int hs_geometry_put_plain(hs_geometry_statistics *s, const char *name, double value, size_t n,
                                     const char *estimator, const char *no_interval, double null,
                                     const char *null_what);

/* loo (n) <- means of v (n) without each, those that are NaN left out; the mean of all is returned. */
double hs_geometry_leave_out(size_t n, const double *v, double *loo);

#endif
