#include "core/stats/special.h"

#include <float.h>
#include <math.h>

static double log_beta(double a, double b)
{
    int sign; /* lgamma itself writes a global */
    return lgamma_r(a, &sign) + lgamma_r(b, &sign) - lgamma_r(a + b, &sign);
}

static double off_zero(double v)
{
    return fabs(v) < DBL_MIN ? DBL_MIN : v;
}

/* The continued fraction of I_x(a, b); converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    enum { MOST = 100000 };
    double c = 1.0, d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0)), f = d;
    for (int k = 1; k < MOST; k++) {
        double m = k, even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        f *= c * d;
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        f *= c * d;
        if (fabs(c * d - 1.0) < 1e-15) {
            break;
        }
    }
    return f;
}

double hs_beta_inc(double a, double b, double x)
{
    if (!(a > 0 && b > 0 && x >= 0 && x <= 1)) {
        return NAN;
    }
    if (x <= 0 || x >= 1) {
        return x;
    }
    double front = exp(a * log(x) + b * log1p(-x) - log_beta(a, b));
    if (x < (a + 1.0) / (a + b + 2.0)) {
        return front * beta_fraction(a, b, x) / a;
    }
    return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

double hs_normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.70710678118654752440);
}

/* Lower half: a rough start from the tail's asymptotics, then Halley's iteration. */
static double normal_quantile_low(double p)
{
    double t = sqrt(-2.0 * log(p));
    double z = -(t - (t > 1.2 ? log(t + 2.5) / t : 1.18));
    for (int k = 0; k < 12; k++) {
        double e = hs_normal_cdf(z) - p;
        double u = e * 2.50662827463100050242 * exp(0.5 * z * z);
        z -= u / (1.0 + 0.5 * z * u);
    }
    return z;
}

double hs_normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1)) {
        return NAN;
    }
    if (p <= 0 || p >= 1) {
        return p > 0 ? INFINITY : -INFINITY;
    }
    return p <= 0.5 ? normal_quantile_low(p) : -normal_quantile_low(1.0 - p);
}

/* P(T > |t|); the two arguments keep either tail of the beta function exact. */
static double student_tail(double t, double df)
{
    double t2 = t * t;
    if (t2 < df) {
        return 0.5 - 0.5 * hs_beta_inc(0.5, 0.5 * df, t2 / (df + t2));
    }
    return 0.5 * hs_beta_inc(0.5 * df, 0.5, df / (df + t2));
}

double hs_student_cdf(double t, double df)
{
    if (!(df > 0) || isnan(t)) {
        return NAN;
    }
    double tail = isinf(t) ? 0.0 : student_tail(t, df);
    return t < 0 ? tail : 1.0 - tail;
}

double hs_student_quantile(double p, double df)
{
    if (!(p > 0 && p < 1 && df > 0)) {
        return NAN;
    }
    double want = p < 0.5 ? p : 1.0 - p, lo = 0.0, hi = 1.0;
    while (student_tail(hi, df) > want && hi < 1e300) {
        hi *= 2;
    }
    for (int k = 0; k < 200 && hi - lo > DBL_EPSILON * hi; k++) {
        double mid = 0.5 * (lo + hi);
        if (student_tail(mid, df) > want) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    double t = 0.5 * (lo + hi);
    return p < 0.5 ? -t : t;
}

double hs_f_upper(double f, double d1, double d2)
{
    if (!(d1 > 0 && d2 > 0) || isnan(f)) {
        return NAN;
    }
    return f <= 0 ? 1.0 : isinf(f) ? 0.0 : hs_beta_inc(0.5 * d2, 0.5 * d1, d2 / (d2 + d1 * f));
}
