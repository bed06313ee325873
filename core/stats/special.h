/* Distribution functions, in double.  Relative error about 1e-13 for a, b, degrees of freedom up to 100,
 * 1e-10 at 1e4 (log-gammas cancel). */
#ifndef HS_STATS_SPECIAL_H
#define HS_STATS_SPECIAL_H

/* Regularised incomplete beta function I_x(a, b), a, b > 0, 0 <= x <= 1; NaN outside.  The
 * continued fraction DLMF 8.17.22 by Lentz's method. */
double hs_beta_inc(double a, double b, double x);

double hs_normal_cdf(double z);
/* z with hs_normal_cdf(z) = p; -inf at 0, inf at 1, NaN outside [0, 1]. */
double hs_normal_quantile(double p);

/* Student's t with df > 0 degrees of freedom: P(T <= t), and its inverse, 0 < p < 1 (else NaN). */
double hs_student_cdf(double t, double df);
double hs_student_quantile(double p, double df);

/* Upper tail P(F >= f) of Fisher's F with d1, d2 > 0 degrees of freedom; small tails keep their
 * relative precision. */
double hs_f_upper(double f, double d1, double d2);

#endif
