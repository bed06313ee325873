#include "core/stats/bca.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

static hs_interval none(double value, const char *reason)
{
    return (hs_interval){.value = value, .lo = NAN, .hi = NAN, .reason = reason};
}

/* Share of the replicates below the value, ties by half; what rounding leaves of a tie is one. */
static double share_below(double value, size_t k, const double *theta)
{
    double below = 0, near = 1e-11 * fabs(value);
    for (size_t b = 0; b < k; b++) {
        below += fabs(theta[b] - value) <= near ? 0.5 : theta[b] < value ? 1.0 : 0.0;
    }
    return below / (double)k;
}

static double acceleration(size_t n, const double *loo, double value)
{
    double mean = hs_mean(n, loo, NULL), square = 0, cube = 0;
    for (size_t i = 0; i < n; i++) {
        double d = mean - loo[i];
        square += d * d;
        cube += d * d * d;
    }
    double below = 6 * pow(square, 1.5), rounding = 1e-11 * value;
    return square > (double)n * rounding * rounding && below > 0 ? cube / below : isnan(square) ? NAN : 0;
}

static double corrected_level(double z0, double a, double z)
{
    return hs_normal_cdf(z0 + (z0 + z) / (1 - a * (z0 + z)));
}

hs_interval hs_bca_interval(double value, size_t n, size_t B, double *theta, const double *leave_one_out, double level)
{
    size_t k = 0;
    for (size_t b = 0; b < B; b++) {
        k += isnan(theta[b]) ? 0 : 1;
    }
    hs_interval out = hs_percentile_interval(value, n, B, theta, level); /* puts those k in front, in order */
    if (out.reason != NULL) {
        return out;
    }
    double below = share_below(value, k, theta), a = acceleration(n, leave_one_out, value);
    if (!(below > 0 && below < 1)) {
        return none(value, "all resamples lie on one side of the value");
    }
    if (isnan(a)) {
        return none(value, "undefined without one of the images");
    }
    double z0 = hs_normal_quantile(below), z = hs_normal_quantile(0.5 * (1 + level));
    double lo = corrected_level(z0, a, -z), hi = corrected_level(z0, a, z), few = 2.5 / (double)k;
    if (lo >= hi) {
        return none(value, "too skewed for an interval");
    }
    if (lo < few ||
        hi > 1 - few) { /* one image may do that: as far as the resamples reach, never less than percentiles */
        out.lo = fmin(out.lo, hs_quantile_sorted(k, theta, fmax(lo, few)));
        out.hi = fmax(out.hi, hs_quantile_sorted(k, theta, fmin(hi, 1 - few)));
        return out;
    }
    out.lo = hs_quantile_sorted(k, theta, lo);
    out.hi = hs_quantile_sorted(k, theta, hi);
    return out;
}

/* All images but one. */
static void leave_out(const void *ctx, size_t i, size_t n, double *w)
{
    (void)ctx;
    for (size_t j = 0; j < n; j++) {
        w[j] = j != i;
    }
}

int hs_bootstrap_bca(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out)
{
    int rc;
    size_t replicates, left_out;
    double *theta = NULL, *loo = NULL, *column = NULL;
    HS_TRY(hs_size_mul(st->q, o->B, &replicates));
    HS_TRY(hs_size_mul(st->q, st->n, &left_out));
    HS_TRY(hs_alloc(replicates, sizeof *theta, &theta));
    HS_TRY(hs_alloc(left_out, sizeof *loo, &loo));
    HS_TRY(hs_alloc(o->B, sizeof *column, &column));
    HS_TRY(hs_bootstrap(st, o, out, theta));
    HS_TRY(st->n > 1 ? hs_statistic_under(st, st->n, leave_out, NULL, loo) : HS_OK);
    double level = hs_expanded_level(o->level, st->n, o->B);
    for (size_t j = 0; j < st->q; j++) {
        for (size_t b = 0; b < o->B; b++) {
            column[b] = theta[b * st->q + j];
        }
        out[j] = hs_bca_interval(out[j].value, st->n, o->B, column, loo + j * st->n, level);
    }
out:
    free(theta);
    free(loo);
    free(column);
    return rc;
}

double hs_expanded_level(double level, size_t n, size_t B)
{
    if (n < 2) {
        return level;
    }
    double k = (double)n, z = sqrt(k / (k - 1)) * hs_student_quantile(0.5 * (1 + level), k - 1);
    double wide = 2 * hs_normal_cdf(z) - 1, most = 1 - 22 / (double)B;
    return fmax(level, fmin(wide, most));
}

hs_interval hs_bootstrap_t_interval(double value, double se, size_t n, size_t B, double *theta, const double *se_star,
                                    double level)
{
    for (size_t b = 0; b < B; b++) {
        theta[b] = se_star[b] > 0 ? (theta[b] - value) / se_star[b] : NAN;
    }
    if (!(se > 0)) {
        return none(value, isnan(value) ? "undefined" : "the images don't vary");
    }
    hs_interval t = hs_percentile_interval(value, n, B, theta, level);
    double lo = value - t.hi * se, hi = value - t.lo * se;
    t.lo = lo;
    t.hi = hi;
    return t;
}

int hs_bootstrap_t(const hs_statistic *st, const hs_bootstrap_options *o, hs_interval *out)
{
    int rc;
    size_t cells;
    hs_interval *ci = NULL;
    double *all = NULL, *theta = NULL, *error = NULL;
    HS_TRY(hs_size_mul(st->q, o->B, &cells));
    HS_TRY(hs_alloc(st->q, sizeof *ci, &ci));
    HS_TRY(hs_alloc(cells, sizeof *all, &all));
    HS_TRY(hs_alloc(o->B, sizeof *theta, &theta));
    HS_TRY(hs_alloc(o->B, sizeof *error, &error));
    HS_TRY(hs_bootstrap(st, o, ci, all));
    for (size_t j = 0; j < st->q / 2; j++) {
        for (size_t b = 0; b < o->B; b++) {
            theta[b] = all[b * st->q + 2 * j];
            error[b] = all[b * st->q + 2 * j + 1];
        }
        out[j] = hs_bootstrap_t_interval(ci[2 * j].value, ci[2 * j + 1].value, st->n, o->B, theta, error, o->level);
    }
out:
    free(ci);
    free(all);
    free(theta);
    free(error);
    return rc;
}

hs_interval hs_wilson_interval(size_t hits, size_t n, double level)
{
    double N = (double)n, p = (double)hits / N, z = hs_normal_quantile(0.5 * (1 + level)), z2 = z * z / N;
    double middle = (p + z2 / 2) / (1 + z2), half = z / (1 + z2) * sqrt(p * (1 - p) / N + z2 / (4 * N));
    if (n < 2) {
        return none(p, n == 0 ? "undefined" : "no interval from one image");
    }
    return (hs_interval){.value = p, .lo = fmax(0, middle - half), .hi = fmin(1, middle + half), .reason = NULL};
}

hs_interval hs_jackknife_interval(double value, size_t n, const double *leave_one_out, double level)
{
    if (isnan(value)) {
        return none(value, "undefined");
    }
    if (n < 3) {
        return none(value, "no interval from fewer than 3 images");
    }
    double mean = hs_mean(n, leave_one_out, NULL), square = 0;
    for (size_t i = 0; i < n; i++) {
        square += (leave_one_out[i] - mean) * (leave_one_out[i] - mean);
    }
    if (isnan(square)) {
        return none(value, "undefined without one of the images");
    }
    double k = (double)n, half = hs_student_quantile(0.5 * (1 + level), k - 1) * sqrt((k - 1) / k * square);
    return (hs_interval){.value = value, .lo = value - half, .hi = value + half, .reason = NULL};
}

void hs_holm(size_t m, const double *p, size_t *order, double *adjusted)
{
    size_t k = 0;
    double most = 0;
    for (size_t i = 0; i < m; i++) { /* insertion: families are small */
        adjusted[i] = NAN;
        if (!isnan(p[i])) {
            size_t at = k++;
            for (; at > 0 && p[order[at - 1]] > p[i]; at--) {
                order[at] = order[at - 1];
            }
            order[at] = i;
        }
    }
    for (size_t i = 0; i < k; i++) {
        most = fmax(most, fmin(1, (double)(k - i) * p[order[i]]));
        adjusted[order[i]] = most;
    }
}

double hs_permutation_p(size_t B, const double *null, double observed)
{
    size_t above = 0;
    for (size_t b = 0; b < B; b++) {
        if (isnan(null[b])) {
            return NAN;
        }
        above += null[b] >= observed;
    }
    return B == 0 || isnan(observed) ? NAN : (1 + (double)above) / (1 + (double)B);
}

void hs_permutation(uint64_t seed, uint64_t b, size_t n, size_t *perm)
{
    for (size_t i = 0; i < n; i++) {
        size_t j = hs_rng_below((hs_rng){seed, HS_RNG_PERMUTE, b}, i, (uint32_t)(i + 1));
        if (j != i) {
            perm[i] = perm[j];
        }
        perm[j] = i;
    }
}
