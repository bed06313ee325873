/* The bootstrap over images: percentile intervals of any statistic of per-image numbers.
 *
 * A statistic is a function of the weights w_i = how often image i was drawn (Sum w = n), so that
 * pairwise statistics can leave out pairs of two copies of one image.  Replicate b draws with the
 * stream (seed, HS_RNG_BOOTSTRAP, b): same seed, same bits, whatever the number of threads.
 * Efron and Tibshirani 1993, chapter 13. */
#ifndef HS_STATS_BOOTSTRAP_H
#define HS_STATS_BOOTSTRAP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* q numbers theta (q) of n images under weights w (n); NaN where undefined.  Called from several
 * threads at once, each with `scratch` bytes of its own; changes nothing else. */
typedef struct {
    size_t n, q, scratch;
    void (*eval)(const void *ctx, const double *w, double *theta, void *scratch);
    const void *ctx;
} hs_statistic;

typedef struct {
    size_t B; /* resamples */
    uint64_t seed;
    double level; /* of the interval */
} hs_bootstrap_options;

#define HS_BOOTSTRAP_OPTIONS_INIT            \
    {                                        \
        .B = 2000, .seed = 0, .level = 0.95, \
    }

/* value at w = 1, and [lo, hi]; where there is no interval both are NaN and reason says why. */
typedef struct {
    double value, lo, hi;
    const char *reason; /* NULL, or a string that lives for ever */
} hs_interval;

/* theta (q, count) <- the statistics under weightings 0 ... count - 1, which weigh writes to w (n); in parallel.
 * HS_ENOMEM. */
typedef void (*hs_weighting)(const void *ctx, size_t i, size_t n, double *w);
HS_CHECKED int hs_statistic_under(const hs_statistic *st, size_t count, hs_weighting weigh, const void *ctx,
                                  double *theta);

/* w (n) <- how often replicate b draws each image. */
void hs_bootstrap_weights(uint64_t seed, uint64_t b, size_t n, double *w);

/* out (q) <- values and percentile intervals.  theta (B, q), or NULL: the replicates.
 * HS_ERANGE: n = 0 or above 2^32 - 1, B = 0, a level outside (0, 1).  Cost: B + 1 evaluations. */
HS_CHECKED int hs_bootstrap(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out, double *theta);

/* The interval of one statistic from its B replicates: quantiles of type 7 at (1 -+ level) / 2.
 * Sorts theta.  No interval when the value is undefined; when n = 1; when B (1 - level) / 2 < 10, too
 * few for a tail; when more than 1 % of the replicates are undefined (fewer are left out). */
hs_interval hs_percentile_interval(double value, size_t n, size_t B, double *theta, double level);

#endif
