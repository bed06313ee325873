/* Random directions: how alike the deltas of a run would be by chance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/deltas.h"
#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"

enum { NULL_UNITS = 256 };

/* Mean cosine over pairs, from |sum of unit vectors|^2. */
static double mean_cosine(size_t n, double square_of_sum)
{
    double N = (double)n;
    return (square_of_sum - N) / (N * (N - 1));
}

HS_CHECKED static int isotropic(const hs_deltas *x, uint64_t seed, size_t index, double *out)
{
    int rc;
    size_t d = x->d, n = x->units;
    float *g = NULL;
    double *sum = NULL;
    HS_TRY(hs_alloc(d, sizeof *g, &g));
    HS_TRY(hs_calloc(d, sizeof *sum, &sum));
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, index}, i * d, d, g);
        double scale = 1 / hs_nrm2_f32(d, g);
        for (size_t j = 0; j < d; j++) {
            sum[j] += scale * (double)g[j];
        }
    }
    *out = mean_cosine(n, hs_dot_f64(d, sum, sum));
out:
    free(g);
    free(sum);
    return rc;
}

/* K (n, n) <- inner products of the units' means at step k, about their mean; power: their mean square before. */
HS_CHECKED static int centred_rows(const hs_deltas *x, size_t k, size_t n, double *rows, double *K, double *power)
{
    int rc;
    size_t d = x->d;
    double *mean = NULL;
    *power = 0;
    HS_TRY(hs_calloc(d, sizeof *mean, &mean));
    for (size_t u = 0; u < n; u++) {
        const double *v = x->sum + (u * x->S + k) * d;
        for (size_t j = 0; j < d; j++) {
            rows[u * d + j] = v[j] / x->count[u];
            mean[j] += rows[u * d + j] / (double)n;
        }
        *power += hs_dot_f64(d, rows + u * d, rows + u * d) / (double)n;
    }
    for (size_t u = 0; u < n; u++) {
        for (size_t j = 0; j < d; j++) {
            rows[u * d + j] -= mean[j];
        }
    }
    HS_TRY(hs_syrk_f64(n, d, 1, rows, d, 0, K, n));
out:
    free(mean);
    return rc;
}

/* The same from the inner products of the sums; rows: n numbers of work. */
static void centred_products(const hs_deltas *x, size_t k, size_t n, double *rows, double *K, double *power)
{
    const double *gram = x->step_gram + k * x->units * x->units;
    double all = 0;
    *power = 0;
    for (size_t i = 0; i < n; i++) {
        rows[i] = 0;
        for (size_t j = 0; j < n; j++) {
            K[i * n + j] = gram[i * x->units + j] / (x->count[i] * x->count[j]);
            rows[i] += K[i * n + j] / (double)n;
        }
        *power += K[i * n + i] / (double)n;
        all += rows[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            K[i * n + j] += all - rows[i] - rows[j];
        }
    }
}

static double trace_of(size_t n, const double *K)
{
    double trace = 0;
    for (size_t i = 0; i < n; i++) {
        trace += K[i * n + i] / (double)n;
    }
    return trace;
}

/* From the products where they are there and leave enough digits. */
HS_CHECKED static int centred_gram(const hs_deltas *x, size_t k, size_t n, double *rows, double *K, double *power)
{
    if (x->step_gram != NULL) {
        centred_products(x, k, n, rows, K, power);
        if (trace_of(n, K) > 1e-9 * *power) {
            return HS_OK;
        }
    }
    return centred_rows(x, k, n, rows, K, power);
}

/* Directions sum_j z_ij x_j, i = 1 ... n: their mean cosine, from K alone. */
HS_CHECKED static int from_gram(size_t n, const double *z, const double *K, double *T, double *out)
{
    int rc;
    double *a = NULL, *Ka = NULL;
    HS_TRY(hs_calloc(n, sizeof *a, &a));
    HS_TRY(hs_alloc(n, sizeof *Ka, &Ka));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, n, n, n, 1, z, n, K, n, 0, T, n));
    for (size_t i = 0; i < n; i++) {
        double norm2 = hs_dot_f64(n, T + i * n, z + i * n);
        for (size_t j = 0; j < n; j++) {
            a[j] += z[i * n + j] / sqrt(norm2);
        }
    }
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, 1, n, n, 1, a, n, K, n, 0, Ka, n));
    *out = mean_cosine(n, hs_dot_f64(n, a, Ka));
out:
    free(a);
    free(Ka);
    return rc;
}

HS_CHECKED static int with_covariance(const hs_deltas *x, uint64_t seed, size_t index, double *out)
{
    int rc;
    size_t n = x->units < NULL_UNITS ? x->units : NULL_UNITS;
    double *rows = NULL, *K = NULL, *T = NULL, *z = NULL, sum = 0;
    float *normal = NULL;
    HS_TRY(hs_alloc(n, x->d * sizeof *rows, &rows));
    HS_TRY(hs_alloc(n, n * sizeof *K, &K));
    HS_TRY(hs_alloc(n, n * sizeof *T, &T));
    HS_TRY(hs_alloc(n, n * sizeof *z, &z));
    HS_TRY(hs_alloc(n, n * sizeof *normal, &normal));
    hs_rng_normal((hs_rng){seed, HS_RNG_DIRECTION, index}, 0, n * n, normal);
    for (size_t i = 0; i < n * n; i++) {
        z[i] = (double)normal[i];
    }
    for (size_t k = 0; k < x->S; k++) {
        double power, one;
        HS_TRY(centred_gram(x, k, n, rows, K, &power));
        if (!(trace_of(n, K) > 1e-20 * power)) { /* rounding, no spread */
            *out = NAN;
            goto out;
        }
        HS_TRY(from_gram(n, z, K, T, &one));
        sum += one / (double)x->S;
    }
    *out = sum;
out:
    free(rows);
    free(K);
    free(T);
    free(z);
    free(normal);
    return rc;
}

int hs_deltas_random(const hs_deltas *x, hs_deltas_null kind, uint64_t seed, size_t n, double *out)
{
    int failed = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
#pragma omp parallel for schedule(static) num_threads(guard.threads)
    for (size_t i = 0; i < n; i++) {
        int rc = HS_OK;
        if (x->units < 2) {
            out[i] = NAN;
        } else {
            rc = kind == HS_DELTAS_IDENTITY ? isotropic(x, seed, i, out + i) : with_covariance(x, seed, i, out + i);
        }
        if (rc != HS_OK) {
#pragma omp atomic write
            failed = rc;
        }
    }
    hs_blas_serial_end(guard);
    return failed == HS_OK ? HS_OK : hs_fail(failed, "random directions: out of memory");
}
