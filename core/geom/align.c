#include "core/geom/align.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

void hs_align_free(hs_align *f)
{
    if (f != NULL) {
        free(f->s);
        free(f->P);
        free(f->Q);
        *f = (hs_align){0};
    }
}

/* Z (m, r) <- the fit rows' coordinates, in the order of partner; whitened: divided by σ. */
static void gather(const hs_coords *c, const size_t *partner, int whiten, double *Z)
{
    for (size_t f = 0; f < c->m; f++) {
        const double *z = c->z + c->fit[partner != NULL ? partner[f] : f] * c->r;
        for (size_t j = 0; j < c->r; j++) {
            Z[f * c->r + j] = whiten ? z[j] / c->sigma[j] : z[j];
        }
    }
}

/* *M (ra, rb) <- Z_aᵀ Z_b over the fit rows. */
HS_CHECKED static int cross(const hs_coords *a, const hs_coords *b, int whiten, const size_t *partner, double **M)
{
    int rc;
    double *Za = NULL, *Zb = NULL;
    HS_TRY(hs_alloc(a->m * a->r, sizeof *Za, &Za));
    HS_TRY(hs_alloc(b->m * b->r, sizeof *Zb, &Zb));
    HS_TRY(hs_alloc(a->r * b->r, sizeof **M, M));
    gather(a, NULL, whiten, Za);
    gather(b, partner, whiten, Zb);
    HS_TRY(hs_gemm_f64(HS_TRANS, HS_NO_TRANS, a->r, b->r, a->m, 1, Za, a->r, Zb, b->r, 0, *M, b->r));
out:
    free(Za);
    free(Zb);
    return rc;
}

HS_CHECKED static int check(const hs_coords *a, const hs_coords *b, int whiten)
{
    if (a->n != b->n || a->m != b->m || a->groups != b->groups || memcmp(a->fit, b->fit, a->m * sizeof *a->fit) != 0) {
        return hs_fail(HS_ESHAPE,
                       "an alignment of %zu and %zu rows of which %zu and %zu are to be fitted; wanted the same", a->n,
                       b->n, a->m, b->m);
    }
    if (whiten && a->m - a->groups < a->r + b->r) {
        return hs_fail(
            HS_EDEGENERATE,
            "CCA of %zu images in %zu and %zu dimensions: with so few images correlations are 1 whatever the "
            "data; keep less or take more images",
            a->m, a->r, b->r);
    }
    return HS_OK;
}

int hs_align_fit(const hs_coords *a, const hs_coords *b, int whiten, const size_t *partner, hs_align *out)
{
    int rc;
    hs_align f = {.ra = a->r, .rb = b->r, .whitened = whiten};
    double *M = NULL, *U = NULL, *Vt = NULL, *s = NULL;
    size_t k = a->r < b->r ? a->r : b->r;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(check(a, b, whiten));
    HS_TRY(cross(a, b, whiten, partner, &M));
    HS_TRY(hs_alloc(a->r * k, sizeof *U, &U));
    HS_TRY(hs_alloc(k * b->r, sizeof *Vt, &Vt));
    HS_TRY(hs_alloc(k, sizeof *s, &s));
    HS_TRY(hs_svd(a->r, b->r, M, U, s, Vt));
    while (f.rank < k && s[f.rank] > 1e-10 * s[0]) {
        f.rank++;
    }
    if (f.rank == 0) {
        rc = hs_fail(HS_EDEGENERATE, "the two sides have no covariance");
        goto out;
    }
    HS_TRY(hs_alloc(f.rank, sizeof *f.s, &f.s));
    HS_TRY(hs_alloc(a->r * f.rank, sizeof *f.P, &f.P));
    HS_TRY(hs_alloc(b->r * f.rank, sizeof *f.Q, &f.Q));
    for (size_t j = 0; j < f.rank; j++) {
        f.s[j] = whiten ? fmin(s[j], 1) : s[j];
        for (size_t i = 0; i < a->r; i++) {
            f.P[i * f.rank + j] = U[i * k + j];
        }
        for (size_t i = 0; i < b->r; i++) {
            f.Q[i * f.rank + j] = Vt[j * b->r + i];
        }
    }
    *out = f;
    f = (hs_align){0};
out:
    hs_blas_serial_end(guard);
    free(M);
    free(U);
    free(Vt);
    free(s);
    hs_align_free(&f);
    return rc;
}

/* ---- Held-out rows ------------------------------------------------------------------------------------------ */

/* T (count, rank) <- the rows' coordinates along the columns of W (r, rank): those of the aligned axes. */
HS_CHECKED static int along(const hs_coords *c, const double *W, size_t rank, int whiten, size_t count,
                            const size_t *row, double **T)
{
    int rc;
    double *Z = NULL;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_alloc(count * c->r, sizeof *Z, &Z));
    HS_TRY(hs_alloc(count * rank, sizeof **T, T));
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < c->r; j++) {
            Z[i * c->r + j] = c->z[row[i] * c->r + j] / (whiten ? c->sigma[j] : 1);
        }
    }
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, count, rank, c->r, 1, Z, c->r, W, rank, 0, *T, rank));
out:
    hs_blas_serial_end(guard);
    free(Z);
    return rc;
}

static double over(double dot, double square, double norm)
{
    return square > 0 && norm > 0 ? dot / (sqrt(square) * norm) : 0;
}

/* Both sides along their aligned axes. */
typedef struct {
    double *a, *b; /* (count, rank) */
} pair;

static void pair_free(pair *t)
{
    free(t->a);
    free(t->b);
}

HS_CHECKED static int pair_new(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t count,
                               const size_t *row, pair *t)
{
    int rc;
    *t = (pair){0};
    HS_TRY(along(a, f->P, f->rank, f->whitened, count, row, &t->a));
    HS_TRY(along(b, f->Q, f->rank, f->whitened, count, row, &t->b));
out:
    return rc;
}

int hs_align_cosines(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t rank, size_t count,
                     const size_t *row, double *cos, double *back)
{
    int rc;
    pair t;
    HS_TRY(pair_new(f, a, b, count, row, &t));
    for (size_t i = 0; i < count; i++) {
        const double *x = t.a + i * f->rank, *y = t.b + i * f->rank;
        double dot = hs_dot_f64(rank, x, y);
        if (cos != NULL) {
            cos[i] = over(dot, hs_dot_f64(rank, x, x), b->norm[row[i]]);
        }
        if (back != NULL) {
            back[i] = over(dot, hs_dot_f64(rank, y, y), a->norm[row[i]]);
        }
    }
out:
    pair_free(&t);
    return rc;
}

int hs_align_curve(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t count, const size_t *row,
                   double *curve)
{
    int rc;
    pair t;
    HS_TRY(pair_new(f, a, b, count, row, &t));
    memset(curve, 0, 2 * f->rank * sizeof *curve);
    for (size_t i = 0; i < count; i++) {
        double dot = 0, xx = 0, yy = 0;
        for (size_t j = 0; j < f->rank; j++) {
            double x = t.a[i * f->rank + j], y = t.b[i * f->rank + j];
            dot += x * y;
            xx += x * x;
            yy += y * y;
            curve[j] += over(dot, xx, b->norm[row[i]]) / (double)count;
            curve[f->rank + j] += over(dot, yy, a->norm[row[i]]) / (double)count;
        }
    }
out:
    pair_free(&t);
    return rc;
}

int hs_align_matrix_cosine(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t rank, size_t count,
                           const size_t *row, double *out)
{
    int rc;
    pair t;
    double dot = 0, xx = 0, yy = 0;
    HS_TRY(pair_new(f, a, b, count, row, &t));
    for (size_t i = 0; i < count; i++) {
        dot += hs_dot_f64(rank, t.a + i * f->rank, t.b + i * f->rank);
        xx += hs_dot_f64(rank, t.a + i * f->rank, t.a + i * f->rank);
        yy += b->norm[row[i]] * b->norm[row[i]];
    }
    *out = over(dot, xx, sqrt(yy));
out:
    pair_free(&t);
    return rc;
}

/* to (rt) <- T (from · F), over `rank` aligned axes. */
static void carry(size_t rank, size_t ld, size_t rf, const double *F, size_t rt, const double *T, const double *from,
                  double *to)
{
    memset(to, 0, rt * sizeof *to);
    for (size_t j = 0; j < rank; j++) {
        double part = 0;
        for (size_t i = 0; i < rf; i++) {
            part += from[i] * F[i * ld + j];
        }
        for (size_t i = 0; i < rt; i++) {
            to[i] += part * T[i * ld + j];
        }
    }
}

void hs_align_map(const hs_align *f, size_t rank, const double *from, double *to)
{
    carry(rank, f->rank, f->ra, f->P, f->rb, f->Q, from, to);
}

void hs_align_map_back(const hs_align *f, size_t rank, const double *from, double *to)
{
    carry(rank, f->rank, f->rb, f->Q, f->ra, f->P, from, to);
}

static double correlation(size_t n, size_t ld, const double *x, const double *y)
{
    double mx = 0, my = 0, xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        mx += x[i * ld] / (double)n;
        my += y[i * ld] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double u = x[i * ld] - mx, v = y[i * ld] - my;
        xy += u * v;
        xx += u * u;
        yy += v * v;
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

int hs_align_correlations(const hs_align *f, const hs_coords *a, const hs_coords *b, size_t count, const size_t *row,
                          double *r)
{
    int rc;
    pair t;
    HS_TRY(pair_new(f, a, b, count, row, &t));
    for (size_t j = 0; j < f->rank; j++) {
        r[j] = correlation(count, f->rank, t.a + j, t.b + j);
    }
out:
    pair_free(&t);
    return rc;
}

/* h_i = U_a P_i over fit rows and x_j = U_a σ_j e_j, so that ⟨h_i, x_j⟩ = σ_j P_ji. */
void hs_align_weights(const hs_align *f, const hs_coords *a, double *weight)
{
    for (size_t i = 0; i < f->rank; i++) {
        weight[i] = 0;
        for (size_t j = 0; j < a->r; j++) {
            weight[i] += fabs(a->sigma[j] * f->P[j * f->rank + i]);
        }
    }
}

/* ---- Ridge ---------------------------------------------------------------------------------------------------- */

int hs_ridge_fit(const hs_coords *a, const hs_coords *b, double alpha, double *B)
{
    int rc;
    double *M = NULL;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(check(a, b, 0));
    HS_TRY(cross(a, b, 0, NULL, &M));
    for (size_t i = 0; i < a->r * b->r; i++) {
        double s = a->sigma[i / b->r];
        B[i] = M[i] / (s * s + alpha);
    }
out:
    hs_blas_serial_end(guard);
    free(M);
    return rc;
}

int hs_ridge_cosines(const hs_coords *a, const hs_coords *b, const double *B, size_t count, const size_t *row,
                     double *cos)
{
    int rc;
    double *T = NULL;
    HS_TRY(along(a, B, b->r, 0, count, row, &T));
    for (size_t i = 0; i < count; i++) {
        const double *p = T + i * b->r;
        cos[i] = over(hs_dot_f64(b->r, p, b->z + row[i] * b->r), hs_dot_f64(b->r, p, p), b->norm[row[i]]);
    }
out:
    free(T);
    return rc;
}
