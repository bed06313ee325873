#include "core/geom/coords.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

void hs_coords_free(hs_coords *c)
{
    if (c != NULL) {
        free(c->fit);
        free(c->sigma);
        free(c->z);
        free(c->norm);
        *c = (hs_coords){0};
    }
}

int hs_coords_leading(const hs_coords *c, size_t r, hs_coords *out)
{
    int rc;
    hs_coords k = {.n = c->n, .r = r < c->r ? r : c->r, .groups = c->groups, .m = c->m};
    HS_TRY(hs_alloc(c->n, sizeof *k.fit, &k.fit));
    HS_TRY(hs_alloc(k.r, sizeof *k.sigma, &k.sigma));
    HS_TRY(hs_alloc(c->n * k.r, sizeof *k.z, &k.z));
    HS_TRY(hs_alloc(c->n, sizeof *k.norm, &k.norm));
    memcpy(k.fit, c->fit, c->m * sizeof *k.fit);
    memcpy(k.sigma, c->sigma, k.r * sizeof *k.sigma);
    memcpy(k.norm, c->norm, c->n * sizeof *k.norm);
    for (size_t i = 0; i < c->n; i++) {
        memcpy(k.z + i * k.r, c->z + i * c->r, k.r * sizeof *k.z);
    }
    *out = k;
    k = (hs_coords){0};
out:
    hs_coords_free(&k);
    return rc;
}

/* The lists of fit rows; every group needs two. */
HS_CHECKED static int list_fit(size_t n, size_t groups, const unsigned char *fit, hs_coords *c)
{
    int rc = HS_OK;
    size_t *in_group = NULL;
    *c = (hs_coords){.n = n, .groups = groups};
    HS_TRY(hs_calloc(groups, sizeof *in_group, &in_group));
    HS_TRY(hs_alloc(n, sizeof *c->fit, &c->fit));
    HS_TRY(hs_alloc(n, sizeof *c->norm, &c->norm));
    for (size_t i = 0; i < n; i++) {
        if (fit[i]) {
            c->fit[c->m++] = i;
            in_group[i % groups]++;
        }
    }
    for (size_t g = 0; g < groups; g++) {
        if (in_group[g] < 2) {
            rc = hs_fail(HS_EDEGENERATE, "%zu rows to fit in one group; wanted 2", in_group[g]);
            goto out;
        }
    }
out:
    free(in_group);
    return rc;
}

/* ---- From the Gram matrix ------------------------------------------------------------------------------ */

/* How many fit rows group g has. */
static size_t fit_of(const hs_coords *c, size_t g)
{
    size_t count = 0;
    for (size_t f = 0; f < c->m; f++) {
        count += c->fit[f] % c->groups == g;
    }
    return count;
}

/* means (groups, n) <- mean over the fit rows of group g of K_ij; cross (groups, groups) their means over groups. */
static void group_means(const hs_coords *c, const double *K, double *means, double *cross)
{
    size_t n = c->n, G = c->groups;
    memset(means, 0, G * n * sizeof *means);
    memset(cross, 0, G * G * sizeof *cross);
    for (size_t f = 0; f < c->m; f++) {
        const double *row = K + c->fit[f] * n;
        double *to = means + c->fit[f] % G * n;
        for (size_t j = 0; j < n; j++) {
            to[j] += row[j];
        }
    }
    for (size_t g = 0; g < G; g++) {
        double count = (double)fit_of(c, g);
        for (size_t j = 0; j < n; j++) {
            means[g * n + j] /= count;
        }
    }
    for (size_t h = 0; h < G; h++) {
        double count = (double)fit_of(c, h);
        for (size_t f = 0; f < c->m; f++) {
            for (size_t g = 0; g < G && c->fit[f] % G == h; g++) {
                cross[g * G + h] += means[g * n + c->fit[f]] / count;
            }
        }
    }
}

/* ⟨x_i - mean, x_j - mean⟩ about the means of the fit rows. */
static double centred(const hs_coords *c, const double *K, const double *means, const double *cross, size_t i, size_t j)
{
    size_t n = c->n, G = c->groups, g = i % G, h = j % G;
    return K[i * n + j] - means[h * n + i] - means[g * n + j] + cross[g * G + h];
}

/* z (n, r) <- B U / σ, B (n, m) the centred products with the fit rows, U the unit eigenvectors V (r, m). */
HS_CHECKED static int project(hs_coords *c, const double *B, const double *V)
{
    int rc;
    HS_TRY(hs_alloc(c->n * c->r, sizeof *c->z, &c->z));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, c->n, c->r, c->m, 1, B, c->m, V, c->m, 0, c->z, c->r));
    for (size_t i = 0; i < c->n * c->r; i++) {
        c->z[i] /= c->sigma[i % c->r];
    }
out:
    return rc;
}

/* Eigenvectors of the fit rows' products. */
HS_CHECKED static int axes_of_gram(hs_coords *c, const double *B, size_t most)
{
    int rc;
    double *F = NULL, *w = NULL, *V = NULL;
    size_t k = c->m - c->groups < most ? c->m - c->groups : most;
    k = k > 0 ? k : 1;
    HS_TRY(hs_alloc(c->m * c->m, sizeof *F, &F));
    HS_TRY(hs_alloc(k, sizeof *w, &w));
    HS_TRY(hs_alloc(k * c->m, sizeof *V, &V));
    for (size_t f = 0; f < c->m; f++) {
        memcpy(F + f * c->m, B + c->fit[f] * c->m, c->m * sizeof *F);
    }
    HS_TRY(hs_sym_eig(c->m, F, k, w, V));
    while (c->r < k && w[c->r] > 1e-14 * w[0] && w[c->r] > 0) {
        c->r++;
    }
    if (c->r == 0) {
        rc = hs_fail(HS_EDEGENERATE, "the %zu rows to fit coincide", c->m);
        goto out;
    }
    HS_TRY(hs_alloc(c->r, sizeof *c->sigma, &c->sigma));
    for (size_t j = 0; j < c->r; j++) {
        c->sigma[j] = sqrt(w[j]);
    }
    HS_TRY(project(c, B, V));
out:
    free(F);
    free(w);
    free(V);
    return rc;
}

int hs_coords_of_gram(size_t n, size_t groups, const double *K, const unsigned char *fit, size_t most, hs_coords *out)
{
    int rc;
    hs_coords c = {0};
    double *means = NULL, *cross = NULL, *B = NULL;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(list_fit(n, groups, fit, &c));
    HS_TRY(hs_alloc(groups * n, sizeof *means, &means));
    HS_TRY(hs_alloc(groups * groups, sizeof *cross, &cross));
    HS_TRY(hs_alloc(n * c.m, sizeof *B, &B));
    group_means(&c, K, means, cross);
    for (size_t i = 0; i < n; i++) {
        for (size_t f = 0; f < c.m; f++) {
            B[i * c.m + f] = centred(&c, K, means, cross, i, c.fit[f]);
        }
        c.norm[i] = sqrt(fmax(0, centred(&c, K, means, cross, i, i)));
    }
    HS_TRY(axes_of_gram(&c, B, most > 0 ? most : n));
    *out = c;
    c = (hs_coords){0};
out:
    hs_blas_serial_end(guard);
    free(means);
    free(cross);
    free(B);
    hs_coords_free(&c);
    return rc;
}

/* ---- From the rows ---------------------------------------------------------------------------------------- */

/* A (n, d) <- X less the means of its fit rows; F (m, d) its fit rows. */
static void centre_rows(hs_mat X, const hs_coords *c, double *A, double *F)
{
    size_t d = X.cols;
    for (size_t j = 0; j < d; j++) {
        double mean = 0;
        for (size_t f = 0; f < c->m; f++) {
            mean += (double)hs_mat_row(X, c->fit[f])[j] / (double)c->m;
        }
        for (size_t i = 0; i < c->n; i++) {
            A[i * d + j] = (double)hs_mat_row(X, i)[j] - mean;
        }
    }
    for (size_t f = 0; f < c->m; f++) {
        memcpy(F + f * d, A + c->fit[f] * d, d * sizeof *F);
    }
}

int hs_coords_of_rows(hs_mat X, const unsigned char *fit, size_t most, hs_coords *out)
{
    int rc;
    hs_coords c = {0};
    double *A = NULL, *F = NULL, *U = NULL, *s = NULL, *Vt = NULL;
    size_t d = X.cols;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(list_fit(X.rows, 1, fit, &c));
    size_t k = c.m < d ? c.m : d;
    HS_TRY(hs_alloc(c.n * d, sizeof *A, &A));
    HS_TRY(hs_alloc(c.m * d, sizeof *F, &F));
    HS_TRY(hs_alloc(c.m * k, sizeof *U, &U));
    HS_TRY(hs_alloc(k, sizeof *s, &s));
    HS_TRY(hs_alloc(k * d, sizeof *Vt, &Vt));
    centre_rows(X, &c, A, F);
    HS_TRY(hs_svd(c.m, d, F, U, s, Vt));
    while (c.r < k && (most == 0 || c.r < most) && s[c.r] > 1e-10 * s[0]) {
        c.r++;
    }
    if (c.r == 0) {
        rc = hs_fail(HS_EDEGENERATE, "the %zu rows to fit coincide", c.m);
        goto out;
    }
    HS_TRY(hs_alloc(c.r, sizeof *c.sigma, &c.sigma));
    memcpy(c.sigma, s, c.r * sizeof *s);
    HS_TRY(hs_alloc(c.n * c.r, sizeof *c.z, &c.z));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_TRANS, c.n, c.r, d, 1, A, d, Vt, d, 0, c.z, c.r));
    for (size_t i = 0; i < c.n; i++) {
        c.norm[i] = hs_nrm2_f64(d, A + i * d);
    }
    *out = c;
    c = (hs_coords){0};
out:
    hs_blas_serial_end(guard);
    free(A);
    free(F);
    free(U);
    free(s);
    free(Vt);
    hs_coords_free(&c);
    return rc;
}

/* ---- Vectors ------------------------------------------------------------------------------------------------ */

/* z_fj = u_fj σ_j over fit rows, whose columns sum to 0 in every group: no mean of q need be taken off. */
void hs_coords_of_products(const hs_coords *c, const double *q, double *out)
{
    for (size_t j = 0; j < c->r; j++) {
        double sum = 0;
        for (size_t f = 0; f < c->m; f++) {
            sum += c->z[c->fit[f] * c->r + j] * q[c->fit[f]];
        }
        out[j] = sum / c->sigma[j] / c->sigma[j];
    }
}

void hs_coords_weights(const hs_coords *s, const double *c, double *w)
{
    memset(w, 0, s->n * sizeof *w);
    for (size_t f = 0; f < s->m; f++) {
        for (size_t j = 0; j < s->r; j++) {
            w[s->fit[f]] += s->z[s->fit[f] * s->r + j] * c[j] / s->sigma[j] / s->sigma[j];
        }
    }
}

double hs_coords_kept(const hs_coords *c, size_t count, const size_t *row, double *each)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double norm = c->norm[row[i]], kept = norm > 0 ? hs_nrm2_f64(c->r, c->z + row[i] * c->r) / norm : 0;
        kept = fmin(kept, 1);
        sum += kept / (double)count;
        if (each != NULL) {
            each[i] = kept;
        }
    }
    return sum;
}
