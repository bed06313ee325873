/* Linear probes of n samples in d >> n dimensions, from their Gram matrix alone.
 *
 * The solution of either probe lies in the span of the centred training samples.  In the orthonormal basis of that span
 * in which their Gram matrix is diagonal, sample i has coordinates z_ji with sum over training i of z_ji z_ki =
 * lambda_j when j = k, else 0, and
 *
 *     answer_i = b + sum_j v_j z_ji
 *     ridge      minimises sum (y_i - answer_i)^2 + alpha |v|^2:  v_j = (z_j . y) / (lambda_j + alpha), b = mean y
 *     logistic   minimises sum log(1 + exp answer_i) - y_i answer_i + alpha / 2 |v|^2, y 0 or 1
 *
 * (scikit-learn's Ridge(alpha) and LogisticRegression(C = 1 / alpha)).  |v| is the length of the normal w, and b is not
 * penalised.  The logistic one: Newton's method, each step by conjugate gradients preconditioned with
 * mean(p (1 - p)) lambda_j + alpha.  Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 18.3.5. */
#ifndef HS_STATS_DUAL_H
#define HS_STATS_DUAL_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    size_t n, m, r; /* training samples, all samples, dimensions of the training samples' span */
    size_t *order;  /* (m) which sample: those of training first */
    double *lambda; /* (r) descending, above 1e-12 of the first */
    double *z;      /* (r, m) coordinates, samples as in order */
    double power;   /* mean |x - mean|^2 of training: the unit a penalty is best given in */
} hs_dual;

/* *out <- the training samples, those with train[i] != 0, and the coordinates of all m.  K (m, m): the samples' Gram
 * matrix about any one origin (near the mean, for precision); they are centred on the mean of training here.
 * HS_EDEGENERATE: training samples coincide, or there are fewer than 2; HS_ENOMEM, HS_ENOCONV.
 * Cost: the eigenvectors of n x n and 2 n r (m - n) flops; 3 n m doubles. */
HS_CHECKED int hs_dual_new(size_t m, const double *K, const unsigned char *train, hs_dual *out);
void hs_dual_free(hs_dual *d);

/* v (r), *b <- the ridge probe of y (m), by sample; alpha > 0.  2 n r flops. */
void hs_dual_ridge(const hs_dual *d, const double *y, double alpha, double *v, double *b);

/* v (r), *b <- the logistic probe, from v and *b as they are (0, or that of a neighbouring alpha > 0).  work
 * (hs_dual_work(n)).  To a gradient g with sum g_j^2 / (preconditioner) <= 1e-18 n.  HS_ENOCONV after 200 steps.
 * Allocates nothing; may be called from several threads at once. */
HS_CHECKED int hs_dual_logistic(const hs_dual *d, const double *y, double alpha, double *v, double *b, double *work);
size_t hs_dual_work(size_t n);

/* The answer for the sample at position i of order. */
double hs_dual_answer(const hs_dual *d, const double *v, double b, size_t i);

/* a (m), by sample <- the normal as w = sum_i a_i (x_i - mean); 0 outside training. */
void hs_dual_weights(const hs_dual *d, const double *v, double *a);

#endif
