/* Two crossed random factors without replication: how much of the variance of vectors x_ij, i < N rows (images), j < M
 * columns (noises), comes with the row, with the column, and with neither alone.
 *
 *   x_ij = mu + a_i + b_j + c_ij,   components  sa = E|a|^2,  sb = E|b|^2,  sc = E|c|^2  (traces of covariances)
 *
 * From mean squared distances of cells,
 *   W  same row, other column     2 (sb + sc)
 *   X  same column, other row     2 (sa + sc)
 *   B  both other                 2 (sa + sb + sc)
 *   sa = (B - W) / 2,  sb = (B - X) / 2,  sc = (W + X - B) / 2,
 * which are the unbiased estimators of the analysis of variance (Henderson's, balanced); one below 0 stays so, that the
 * mean over many runs be right.  Shares are components over their sum B / 2: a ratio, biased by O(1 / N + 1 / M).
 *
 * Under weights the means are over pairs of different rows and columns only (w_i w_k for i != k), so that two copies
 * of one image in a resample never form a pair (as in core/stats/bca.h); rows and columns are resampled both, the
 * pigeonhole bootstrap (Owen, Annals of Applied Statistics 1, 2007), which is on the safe side. */
#ifndef HS_STATS_TWOWAY_H
#define HS_STATS_TWOWAY_H

#include "core/stats/bootstrap.h"

enum {
    HS_TWOWAY_ROW,           /* shares: sa, */
    HS_TWOWAY_COLUMN,        /* sb, */
    HS_TWOWAY_REST,          /* sc over their sum */
    HS_TWOWAY_WITHIN_ROW,    /* root mean square distances: sqrt(W), */
    HS_TWOWAY_WITHIN_COLUMN, /* sqrt(X), */
    HS_TWOWAY_BETWEEN,       /* sqrt(B) */
    HS_TWOWAY_RATIO,         /* sqrt(W / B) */
    HS_TWOWAY_STATISTICS
};

/* D (N M, N M) squared distances, cell (i, j) at i M + j. */
typedef struct {
    size_t N, M;
    const double *D;
} hs_twoway;

/* out (HS_TWOWAY_STATISTICS) under weights of rows w (N) and columns v (M), NULL: all 1.  NaN where undefined (no two
 * rows, no two columns, all cells alike).  (N M)^2 / 2 flops. */
void hs_twoway_eval(const hs_twoway *t, const double *w, const double *v, double *out);

/* The same where rows are shuffled within each column (which = HS_TWOWAY_ROW: no row effect is left) or columns within
 * each row (HS_TWOWAY_COLUMN), by permutations number draw M ... or draw N ... of hs_permutation; order (N M): work. */
void hs_twoway_shuffled(const hs_twoway *t, int which, uint64_t seed, uint64_t draw, size_t *order, double *out);

/* theta (HS_TWOWAY_STATISTICS, B) <- the statistics of B resamples of rows and columns.  Stream (seed,
 * HS_RNG_BOOTSTRAP, 2 b) draws the rows, 2 b + 1 the columns.  Intervals: hs_percentile_interval at
 * hs_expanded_level(level, min(N, M), B).  HS_ERANGE (N or M below 2), HS_ENOMEM. */
HS_CHECKED int hs_twoway_bootstrap(const hs_twoway *t, uint64_t seed, size_t B, double *theta);

#endif
