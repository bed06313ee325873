#include "core/stats/regress.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

double hs_slope_origin(size_t n, const double *x, const double *y)
{
    double xy = 0.0, xx = 0.0;
    for (size_t i = 0; i < n; i++) {
        xy += x[i] * y[i];
        xx += x[i] * x[i];
    }
    return xx > 0 ? xy / xx : NAN;
}

double hs_r2(size_t n, const double *x, const double *y, double b)
{
    double m = hs_mean(n, y, NULL), rest = 0.0, total = 0.0;
    for (size_t i = 0; i < n; i++) {
        double r = y[i] - b * x[i];
        rest += r * r;
        total += (y[i] - m) * (y[i] - m);
    }
    return total > 0 ? 1.0 - rest / total : NAN;
}

double hs_pearson(size_t n, const double *x, const double *y)
{
    double mx = hs_mean(n, x, NULL), my = hs_mean(n, y, NULL), xy = 0.0, xx = 0.0, yy = 0.0;
    for (size_t i = 0; i < n; i++) {
        double a = x[i] - mx, b = y[i] - my;
        xy += a * b;
        xx += a * a;
        yy += b * b;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : NAN;
}

double hs_spearman(size_t n, const double *x, const double *y, size_t *order, double *rank)
{
    hs_ranks(n, x, order, rank);
    hs_ranks(n, y, order, rank + n);
    return hs_pearson(n, rank, rank + n);
}

/* mean (p) and S (p, p) of the rows. */
static void row_covariance(size_t n, size_t p, const double *c, double *mean, double *S)
{
    for (size_t j = 0; j < p; j++) {
        mean[j] = 0.0;
        for (size_t i = 0; i < n; i++) {
            mean[j] += c[i * p + j] / (double)n;
        }
    }
    for (size_t j = 0; j < p; j++) {
        for (size_t k = 0; k <= j; k++) {
            double sum = 0.0;
            for (size_t i = 0; i < n; i++) {
                sum += (c[i * p + j] - mean[j]) * (c[i * p + k] - mean[k]);
            }
            S[j * p + k] = sum / (double)(n - 1);
        }
    }
}

/* S <- its lower Cholesky factor; 0 when a pivot falls to 1e-12 of its diagonal. */
static int cholesky(size_t p, double *S)
{
    for (size_t j = 0; j < p; j++) {
        double full = S[j * p + j];
        for (size_t k = 0; k <= j; k++) {
            double v = S[j * p + k];
            for (size_t q = 0; q < k; q++) {
                v -= S[j * p + q] * S[k * p + q];
            }
            if (k < j) {
                S[j * p + k] = v / S[k * p + k];
            } else if (v > 1e-12 * full && full > 0) {
                S[j * p + j] = sqrt(v);
            } else {
                return 0;
            }
        }
    }
    return 1;
}

int hs_hotelling(size_t n, size_t p, const double *c, double *t2, double *pvalue)
{
    int rc = HS_OK;
    double *mean = NULL, *S = NULL, sum = 0.0;
    if (p < 1 || n <= p) {
        return hs_fail(HS_EDEGENERATE, "T^2: %zu rows of %zu; more rows than columns are needed", n, p);
    }
    HS_TRY(hs_alloc(p, sizeof *mean, &mean));
    size_t pp;
    HS_TRY(hs_size_mul(p, p, &pp));
    HS_TRY(hs_alloc(pp, sizeof *S, &S));
    row_covariance(n, p, c, mean, S);
    if (!cholesky(p, S)) {
        HS_TRY(hs_fail(HS_EDEGENERATE, "T^2: the covariance of the %zu columns is singular", p));
    }
    for (size_t j = 0; j < p; j++) { /* mean <- L^-1 mean */
        for (size_t k = 0; k < j; k++) {
            mean[j] -= S[j * p + k] * mean[k];
        }
        mean[j] /= S[j * p + j];
        sum += mean[j] * mean[j];
    }
    *t2 = (double)n * sum;
    *pvalue = hs_f_upper(*t2 * (double)(n - p) / (double)(p * (n - 1)), (double)p, (double)(n - p));
out:
    free(mean);
    free(S);
    return rc;
}
