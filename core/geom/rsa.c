#include "core/geom/rsa.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

static size_t pairs(size_t n)
{
    return n * (n - 1) / 2;
}

/* R (n, d) <- rows in double; for correlation, centred and of unit length. */
static int prepare(hs_mat X, hs_rsa_distance kind, double *R)
{
    for (size_t i = 0; i < X.rows; i++) {
        double *r = R + i * X.cols, mean = 0;
        for (size_t j = 0; j < X.cols; j++) {
            r[j] = (double)hs_mat_row(X, i)[j];
            mean += r[j] / (double)X.cols;
        }
        if (!isfinite(mean)) {
            return hs_fail(HS_EDEGENERATE, "distances: row %zu holds a value that is not a finite number", i);
        }
        if (kind == HS_RSA_SQEUCLIDEAN) {
            continue;
        }
        double spread = 0;
        for (size_t j = 0; j < X.cols; j++) {
            spread = fmax(spread, fabs(r[j] - r[0]));
            r[j] -= mean;
        }
        double norm = hs_nrm2_f64(X.cols, r);
        if (spread == 0) {
            return hs_fail(HS_EDEGENERATE, "correlation distance: all features of row %zu are equal", i);
        }
        for (size_t j = 0; j < X.cols; j++) {
            r[j] /= norm;
        }
    }
    return HS_OK;
}

/* From differences, not from a Gram matrix: near pairs keep their digits, equal ones are exactly 0 apart. */
static double squared_distance(size_t d, const double *a, const double *b)
{
    double s[8] = {0};
    for (size_t j = 0; j < d; j++) {
        double e = a[j] - b[j];
        s[j % 8] += e * e;
    }
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

int hs_rsa_distances(hs_mat X, hs_rsa_distance kind, double *D)
{
    double *R = NULL;
    size_t n = X.rows, d = X.cols, all;
    int rc = HS_OK;
    if (n < 2 || d == 0) {
        return hs_fail(HS_EDEGENERATE, "distances between %zu rows of %zu features", n, d);
    }
    HS_TRY(hs_size_mul(n, d, &all));
    HS_TRY(hs_alloc(all, sizeof *R, &R));
    HS_TRY(prepare(X, kind, R));
    double half = kind == HS_RSA_CORRELATION ? .5 : 1; /* 1 - ⟨a, b⟩ = |a - b|²/2 for unit vectors */
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++) {
        double *out = D + i * n - i * (i + 1) / 2; /* row i of the triangle starts at j = i + 1 */
        for (size_t j = i + 1; j < n; j++) {
            out[j - i - 1] = half * squared_distance(d, R + i * d, R + j * d);
        }
    }
out:
    free(R);
    return rc;
}

typedef struct {
    double value;
    size_t at;
} item;

static int by_value(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->value != y->value) {
        return x->value < y->value ? -1 : 1;
    }
    return x->at < y->at ? -1 : 1;
}

/* x (m) <- its average ranks less their mean. */
static int centred_ranks(size_t m, double *x)
{
    item *order = NULL;
    int rc = hs_alloc(m, sizeof *order, &order);
    if (rc != HS_OK) {
        return rc;
    }
    for (size_t i = 0; i < m; i++) {
        order[i] = (item){x[i], i};
    }
    qsort(order, m, sizeof *order, by_value);
    for (size_t i = 0, end; i < m; i = end) {
        for (end = i + 1; end < m && order[end].value == order[i].value; end++) {
        }
        for (size_t k = i; k < end; k++) {
            x[order[k].at] = (double)(i + end - 1) / 2 - (double)(m - 1) / 2;
        }
    }
    free(order);
    return HS_OK;
}

int hs_rsa_compare(hs_mat X, hs_mat Y, hs_rsa_distance kind, double *rho)
{
    double *a = NULL, *b = NULL;
    size_t n = X.rows;
    if (n != Y.rows) {
        return hs_fail(HS_ESHAPE, "RSA compares the same images: %zu rows beside %zu", n, Y.rows);
    }
    if (n < 3) {
        return hs_fail(HS_EDEGENERATE, "RSA of %zu images: one pair has no order", n);
    }
    int rc = HS_OK;
    HS_TRY(hs_alloc(pairs(n), sizeof *a, &a));
    HS_TRY(hs_alloc(pairs(n), sizeof *b, &b));
    HS_TRY(hs_rsa_distances(X, kind, a));
    HS_TRY(hs_rsa_distances(Y, kind, b));
    HS_TRY(centred_ranks(pairs(n), a));
    HS_TRY(centred_ranks(pairs(n), b));
    double aa = hs_nrm2_f64(pairs(n), a), bb = hs_nrm2_f64(pairs(n), b);
    if (aa == 0 || bb == 0) {
        rc = hs_fail(HS_EDEGENERATE, "RSA: all distances of the %s side are equal", aa == 0 ? "first" : "second");
        goto out;
    }
    *rho = fmin(1, fmax(-1, hs_dot_f64(pairs(n), a, b) / aa / bb));
out:
    free(a);
    free(b);
    return rc;
}
