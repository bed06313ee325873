#include "core/geom/cloud.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/rsa.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

int hs_cloud_distances(hs_mat X, int squared, double *D)
{
    size_t n = X.rows, at = 0;
    double *half = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n * n / 2 + 1, sizeof *half, &half));
    HS_TRY(hs_rsa_distances(X, HS_RSA_SQEUCLIDEAN, half));
    for (size_t i = 0; i < n; i++) {
        D[i * n + i] = 0;
        for (size_t j = i + 1; j < n; j++) {
            double d = half[at++];
            D[i * n + j] = D[j * n + i] = squared ? d : sqrt(d);
        }
    }
out:
    free(half);
    return rc;
}

int hs_cloud_spectrum(size_t n, const double *D2, double *s)
{
    double *K = NULL, *mean = NULL, all = 0;
    int rc = HS_OK;
    if (n < 3) {
        return hs_fail(HS_EDEGENERATE, "a cloud of %zu points; wanted 3 or more", n);
    }
    HS_TRY(hs_alloc(n * n, sizeof *K, &K));
    HS_TRY(hs_calloc(n, sizeof *mean, &mean));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            mean[i] += D2[i * n + j] / (double)n;
        }
        all += mean[i] / (double)n;
    }
    for (size_t i = 0; i < n * n; i++) {
        K[i] = -0.5 * (D2[i] - mean[i / n] - mean[i % n] + all);
    }
    HS_TRY(hs_sym_eig(n, K, n - 1, s, NULL));
    for (size_t i = 0; i + 1 < n; i++) {
        s[i] = s[i] > 0 ? sqrt(s[i]) : 0;
    }
out:
    free(K);
    free(mean);
    return rc;
}

/* Z (n, k) <- normal numbers, columns centred. */
static void draw_centred(hs_rng stream, size_t n, size_t k, float *row, double *Z)
{
    for (size_t i = 0; i < n; i++) {
        hs_rng_normal(stream, (uint64_t)i * k, k, row);
        for (size_t j = 0; j < k; j++) {
            Z[i * k + j] = (double)row[j];
        }
    }
    for (size_t j = 0; j < k; j++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++) {
            mean += Z[i * k + j] / (double)n;
        }
        for (size_t i = 0; i < n; i++) {
            Z[i * k + j] -= mean;
        }
    }
}

int hs_cloud_gaussian(size_t n, const double *s, uint64_t seed, uint64_t draw, double *D)
{
    const size_t k = n - 1;
    double *Z = NULL, *norm = NULL;
    float *row = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(n * k, sizeof *Z, &Z));
    HS_TRY(hs_alloc(n, sizeof *norm, &norm));
    HS_TRY(hs_alloc(k, sizeof *row, &row));
    draw_centred((hs_rng){seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_CLOUD << 48 | draw}, n, k, row, Z);
    HS_TRY(hs_qr_thin(n, k, Z, Z, NULL)); /* Q is uniform when R has a positive diagonal, which it has */
    for (size_t i = 0; i < n * k; i++) {
        Z[i] *= s[i % k];
    }
    HS_TRY(hs_syrk_f64(n, k, 1, Z, k, 0, D, n));
    for (size_t i = 0; i < n; i++) {
        norm[i] = D[i * n + i];
    }
    for (size_t i = 0; i < n * n; i++) {
        double d = norm[i / n] + norm[i % n] - 2 * D[i];
        D[i] = i / n != i % n && d > 0 ? sqrt(d) : 0;
    }
out:
    free(Z);
    free(norm);
    free(row);
    return rc;
}
