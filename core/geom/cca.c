#include "core/geom/cca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/rows.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

/* One side: centred columns and their orthonormal basis. */
typedef struct {
    size_t n, d, r, rank;
    double *X; /* (n, d) */
    double *Q; /* (n, r): the first rank columns count */
} side;

static size_t kept(size_t r, const double *s, double keep)
{
    double sum = 0, part = 0;
    size_t rank = 0, k = 0;
    while (rank < r && s[rank] > 1e-10 * s[0]) {
        sum += s[rank] * s[rank];
        rank++;
    }
    while (k < rank && (keep >= 1 || part < keep * sum)) {
        part += s[k] * s[k];
        k++;
    }
    return k;
}

static int side_new(hs_mat A, double keep, side *out)
{
    double *copy = NULL, *s = NULL, *Vt = NULL;
    int rc = HS_OK;
    *out = (side){.n = A.rows, .d = A.cols, .r = A.rows < A.cols ? A.rows : A.cols};
    HS_TRY(hs_alloc(A.rows * A.cols, sizeof *out->X, &out->X));
    HS_TRY(hs_centred_f64(A, out->X));
    HS_TRY(hs_alloc(A.rows * A.cols, sizeof *copy, &copy));
    HS_TRY(hs_alloc(A.rows * out->r, sizeof *out->Q, &out->Q));
    HS_TRY(hs_alloc(out->r, sizeof *s, &s));
    HS_TRY(hs_alloc(out->r * A.cols, sizeof *Vt, &Vt));
    memcpy(copy, out->X, A.rows * A.cols * sizeof *copy);
    HS_TRY(hs_svd(A.rows, A.cols, copy, out->Q, s, Vt));
    out->rank = kept(out->r, s, keep);
out:
    free(copy);
    free(s);
    free(Vt);
    return rc;
}

static void side_free(side *s)
{
    free(s->X);
    free(s->Q);
}

/* H (n, count) <- Q W, W (rank, count): the unit canonical variates; *out <- Σ α ρ / Σ α. */
static int weighted(const side *s, size_t count, const double *W, const double *rho, double *out)
{
    double *H = NULL, *P = NULL, top = 0, bottom = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(s->n * count, sizeof *H, &H));
    HS_TRY(hs_alloc(count * s->d, sizeof *P, &P));
    HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, s->n, count, s->rank, 1, s->Q, s->r, W, count, 0, H, count));
    HS_TRY(hs_gemm_f64(HS_TRANS, HS_NO_TRANS, count, s->d, s->n, 1, H, count, s->X, s->d, 0, P, s->d));
    for (size_t i = 0; i < count; i++) {
        double alpha = 0;
        for (size_t j = 0; j < s->d; j++) {
            alpha += fabs(P[i * s->d + j]);
        }
        top += alpha * rho[i];
        bottom += alpha;
    }
    *out = top / bottom;
out:
    free(H);
    free(P);
    return rc;
}

static int correlate(const side *x, const side *y, hs_cca *r)
{
    double *M = NULL, *U = NULL, *Vt = NULL, *V = NULL;
    int rc = HS_OK;
    r->rank_x = x->rank;
    r->rank_y = y->rank;
    r->count = x->rank < y->rank ? x->rank : y->rank;
    HS_TRY(hs_alloc(x->rank * y->rank, sizeof *M, &M));
    HS_TRY(hs_alloc(x->rank * r->count, sizeof *U, &U));
    HS_TRY(hs_alloc(r->count * y->rank, sizeof *Vt, &Vt));
    HS_TRY(hs_alloc(r->count * y->rank, sizeof *V, &V));
    HS_TRY(hs_alloc(r->count, sizeof *r->correlation, &r->correlation));
    HS_TRY(hs_gemm_f64(HS_TRANS, HS_NO_TRANS, x->rank, y->rank, x->n, 1, x->Q, x->r, y->Q, y->r, 0, M, y->rank));
    HS_TRY(hs_svd(x->rank, y->rank, M, U, r->correlation, Vt));
    for (size_t i = 0; i < r->count; i++) {
        r->correlation[i] = fmin(r->correlation[i], 1);
        r->mean += r->correlation[i] / (double)r->count;
        for (size_t j = 0; j < y->rank; j++) {
            V[j * r->count + i] = Vt[i * y->rank + j];
        }
    }
    HS_TRY(weighted(x, r->count, U, r->correlation, &r->pwcca_x));
    HS_TRY(weighted(y, r->count, V, r->correlation, &r->pwcca_y));
out:
    free(M);
    free(U);
    free(Vt);
    free(V);
    return rc;
}

int hs_cca_compare(hs_mat X, hs_mat Y, double keep, hs_cca *out)
{
    side x = {0}, y = {0};
    hs_cca r = {0};
    if (X.rows != Y.rows) {
        return hs_fail(HS_ESHAPE, "CCA compares the same images: %zu rows beside %zu", X.rows, Y.rows);
    }
    if (!(keep > 0 && keep <= 1)) {
        return hs_fail(HS_ERANGE, "CCA: share of variance to keep is %g, must be above 0 and at most 1", keep);
    }
    int rc = HS_OK;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(side_new(X, keep, &x));
    HS_TRY(side_new(Y, keep, &y));
    if (x.n <= x.rank + y.rank) {
        rc = hs_fail(HS_EDEGENERATE,
                     "CCA of %zu images in %zu and %zu dimensions: with no more images than dimensions, correlations "
                     "are 1 whatever the data; keep less variance or take more images",
                     x.n, x.rank, y.rank);
        goto out;
    }
    HS_TRY(correlate(&x, &y, &r));
    *out = r;
    r.correlation = NULL;
out:
    hs_blas_serial_end(guard);
    side_free(&x);
    side_free(&y);
    hs_cca_free(&r);
    return rc;
}

void hs_cca_free(hs_cca *c)
{
    if (c != NULL) {
        free(c->correlation);
        *c = (hs_cca){0};
    }
}
