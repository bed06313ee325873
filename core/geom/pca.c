#include "core/geom/pca.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/geom/gram.h"
#include "core/geom/pass.h"
#include "core/geom/rows_sum.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "core/linalg/krylov.h"

enum { EXACT_UP_TO = 2048 }; /* min(n, d) where dsyevr still takes seconds */

static size_t min(size_t a, size_t b)
{
    return a < b ? a : b;
}

const char *hs_pca_solver_name(hs_pca_solver solver)
{
    static const char *const name[] = {"auto", "gram", "covariance", "block", "randomized"};
    return name[solver];
}

static hs_pca_solver choose(const hs_rows *r, hs_pca_solver asked)
{
    if (asked != HS_PCA_AUTO) {
        return asked;
    }
    if (min(r->n, r->d) > EXACT_UP_TO) {
        return HS_PCA_BLOCK;
    }
    return r->n <= r->d ? HS_PCA_GRAM : HS_PCA_COVARIANCE;
}

/* ---- Sizes ------------------------------------------------------------------------------------------- */

/* Blocks are a multiple of 16, which is what sgemm's kernels like; the basis takes up to 96 MiB. */
static hs_krylov_options krylov_options(const hs_rows *r, const hs_pca_options *o, hs_pca_solver solver)
{
    size_t block = min((o->k + 10 + 15) / 16 * 16, min(r->n, r->d));
    size_t fit = ((size_t)96 << 20) / sizeof(float) / block / r->d;
    int fixed = solver == HS_PCA_RANDOMIZED;
    return (hs_krylov_options){.k = o->k,
                               .block = block,
                               .max_blocks = fixed ? 1 : (fit < 2 ? 2 : min(fit, 10)),
                               .max_sweeps = o->sweeps > 0 ? o->sweeps : (fixed ? 6 : 100),
                               .tol = fixed ? -1 : o->tol,
                               .seed = o->seed};
}

static int result_bytes(const hs_rows *r, size_t k, size_t *bytes)
{
    size_t means, components;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, (uint64_t[]){r->groups, r->d, sizeof(double)}, &means));
    HS_TRY(hs_size_product(3, (uint64_t[]){k, r->d, sizeof(float)}, &components));
    HS_TRY(hs_size_add(means, components, bytes));
out:
    return rc;
}

/* dsyevr's input and eigenvectors, beside the scratch that made the matrix. */
static int exact_bytes(const hs_rows *r, size_t k, hs_pca_solver solver, size_t *bytes)
{
    size_t side = solver == HS_PCA_GRAM ? r->n : r->d, square, vectors, scratch, v, tree;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, (uint64_t[]){side, side, sizeof(double)}, &square));
    HS_TRY(hs_size_product(3, (uint64_t[]){2 * k, side, sizeof(double)}, &vectors));
    HS_TRY(hs_size_product(3, (uint64_t[]){k, r->d, sizeof(double)}, &v));
    HS_TRY(hs_sum_bytes(k * r->d, &tree));
    HS_TRY(hs_size_add(v, tree, &v));
    HS_TRY(solver == HS_PCA_GRAM ? hs_gram_bytes(r->d, &scratch) : hs_covariance_bytes(r->d, &scratch));
    HS_TRY(hs_size_add(vectors, v, &vectors));
    HS_TRY(hs_size_add(square, scratch > vectors ? scratch : vectors, bytes));
out:
    return rc;
}

int hs_pca_bytes(const hs_rows *rows, const hs_pca_options *opt, size_t *bytes, hs_pca_solver *solver)
{
    hs_pca_solver used = choose(rows, opt->solver);
    size_t result, work, pass;
    int rc = HS_OK;
    if (rows->d == 0 || rows->n == 0 || opt->k < 1 || opt->k > min(rows->n, rows->d)) {
        return hs_fail(HS_ERANGE, "%zu components wanted of %zu rows of %zu features", opt->k, rows->n, rows->d);
    }
    HS_TRY(result_bytes(rows, opt->k, &result));
    if (used == HS_PCA_GRAM || used == HS_PCA_COVARIANCE) {
        HS_TRY(exact_bytes(rows, opt->k, used, &work));
        HS_TRY(hs_pass_bytes(rows->d, opt->k, &pass));
        work = work > pass ? work : pass;
    } else {
        hs_krylov_options k = krylov_options(rows, opt, used);
        HS_TRY(hs_krylov_bytes(rows->d, &k, &work));
        HS_TRY(hs_pass_bytes(rows->d, k.block, &pass));
        HS_TRY(hs_size_add(work, pass, &work));
    }
    HS_TRY(hs_size_add(result, work, bytes));
    if (solver != NULL) {
        *solver = used;
    }
out:
    return rc;
}

/* ---- Exact solvers ------------------------------------------------------------------------------------ */

typedef struct {
    const hs_centring *c;
    const double *U; /* (k, n) */
    size_t k;
    double *V; /* (k, d) */
    double *X; /* (threads, tile, chunk) */
    size_t tile;
} back_pass;

/* V <- U X, chunk by chunk. */
static int back_task(void *ctx, size_t phase, size_t c, const hs_tile *tile)
{
    back_pass *p = ctx;
    size_t d = p->c->rows->d, at = c * HS_ROWS_CHUNK, w = hs_rows_chunk_width(d, c);
    double *x = p->X + (size_t)tile->thread * p->tile * HS_ROWS_CHUNK;
    (void)phase;
    for (size_t r = 0; r < tile->count; r++) {
        hs_centre_f64(p->c, tile->first + r, c, tile->data + r * d + at, x + r * w);
    }
    return hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, p->k, w, tile->count, 1, p->U + tile->first, p->c->rows->n, x, w,
                       !tile->fresh, p->V + at, d);
}

static int back_project(const hs_centring *c, const hs_pca_options *o, const double *U, double *V)
{
    back_pass p = {.c = c, .U = U, .k = o->k, .V = V, .tile = hs_rows_tile(c->rows->d, 128)};
    int threads = omp_get_max_threads(), rc = HS_OK;
    HS_TRY(hs_alloc((size_t)threads * p.tile * HS_ROWS_CHUNK, sizeof *p.X, &p.X));
    hs_walk walk = {1, {hs_rows_chunks(c->rows->d)}, back_task, &p, threads, o->progress, "components", NULL};
    rc = hs_rows_sum(c->rows, c->team, p.tile, &walk, 1, &(hs_sum){V, o->k * c->rows->d});
out:
    free(p.X);
    return rc;
}

/* component <- unit rows of V, signed; zero vectors beyond the rank. */
static void take_components(hs_pca *p, double *V)
{
    for (size_t i = 0; i < p->k; i++) {
        double *v = V + i * p->d, norm = hs_nrm2_f64(p->d, v);
        double by = i < p->rank && norm > 0 ? (hs_sign_flips(p->d, v, 1) ? -1 : 1) / norm : 0;
        for (size_t j = 0; j < p->d; j++) {
            p->component[i * p->d + j] = (float)(by * v[j]);
        }
    }
}

/* λ of the scaled data -> every number of the result; rule: the least λ / λ_1 that counts. */
static void take_values(hs_pca *p, const double *lambda, double total, double scale, double rule)
{
    double unit = scale * scale * (double)(p->n - 1);
    p->rank = 0;
    while (p->rank < p->k && lambda[p->rank] > 0 && lambda[p->rank] >= rule * lambda[0]) {
        p->rank++;
    }
    for (size_t i = 0; i < p->k; i++) {
        double l = i < p->rank ? lambda[i] : 0;
        p->singular_value[i] = sqrt(l) / scale;
        p->explained_variance[i] = l / unit;
        p->explained_variance_ratio[i] = l / total;
    }
    p->total_variance = total / unit;
}

static void trace_and_square(size_t n, const double *A, double *trace, double *square)
{
    *trace = *square = 0;
    for (size_t i = 0; i < n; i++) {
        *trace += A[i * n + i];
        *square += hs_dot_f64(n, A + i * n, A + i * n);
    }
}

/* Residuals of finished components, from a pass. */
static int certify(const hs_centring *c, const hs_pca_options *o, hs_pca *p)
{
    hs_pass *pass = NULL;
    double *Z = NULL, *G = NULL, top = p->singular_value[0] * c->scale;
    int rc = HS_OK;
    HS_TRY(hs_pass_new(c, p->k, o->progress, &pass));
    HS_TRY(hs_alloc(p->k * p->d, sizeof *Z, &Z));
    HS_TRY(hs_alloc(p->k * p->k, sizeof *G, &G));
    HS_TRY(hs_pass_apply(pass, p->k, p->component, Z, G));
    for (size_t i = 0; i < p->k; i++) {
        double norm = sqrt(fmax(G[i * p->k + i], 0)), sigma = p->singular_value[i] * c->scale, sum = 0;
        for (size_t j = 0; norm > 0 && j < p->d; j++) {
            double e = Z[i * p->d + j] / norm - sigma * (double)p->component[i * p->d + j];
            sum += e * e;
        }
        p->residual[i] = fmax(sqrt(sum), fabs(norm - sigma)) / top;
    }
    p->sweeps = 1;
out:
    hs_pass_free(pass);
    free(Z);
    free(G);
    return rc;
}

static int exact(const hs_centring *c, const hs_pca_options *o, hs_pca *p)
{
    int gram = p->solver == HS_PCA_GRAM;
    size_t side = gram ? p->n : p->d;
    double *A = NULL, *E = NULL, *V = NULL, *lambda = NULL, trace, square;
    int rc = HS_OK;
    HS_TRY(hs_alloc(side * side, sizeof *A, &A));
    HS_TRY(hs_alloc(p->k, sizeof *lambda, &lambda));
    HS_TRY(gram ? hs_gram(c, o->progress, A) : hs_covariance(c, o->progress, A));
    trace_and_square(side, A, &trace, &square);
    HS_TRY(hs_alloc(p->k * side, sizeof *E, &E));
    HS_TRY(hs_sym_eig(side, A, p->k, lambda, E));
    take_values(p, lambda, trace, c->scale, (double)p->d * DBL_EPSILON);
    p->participation[0] = p->participation[1] = trace / square * trace;
    if (gram) {
        HS_TRY(hs_alloc(p->k * p->d, sizeof *V, &V));
        HS_TRY(back_project(c, o, E, V));
    }
    take_components(p, gram ? V : E);
out:
    free(A);
    free(E);
    free(V);
    free(lambda);
    return rc;
}

/* ---- Iterative solvers ---------------------------------------------------------------------------------- */

/* Σλ² beyond the known components lies between that of an even tail and that of one made of λ_k's. */
static void bound_participation(hs_pca *p, const double *lambda, double total)
{
    double sum = 0, square = 0, last = p->rank > 0 ? lambda[p->rank - 1] : 0;
    for (size_t i = 0; i < p->rank; i++) {
        sum += lambda[i];
        square += lambda[i] * lambda[i];
    }
    double tail = fmax(total - sum, 0), left = (double)(min(p->n - p->groups, p->d)) - (double)p->rank;
    p->participation[0] = total / (square + fmin(last * tail, tail * tail)) * total;
    p->participation[1] = total / (square + (left > 0 ? tail * tail / left : 0)) * total;
}

static int iterative(const hs_centring *c, const hs_pca_options *o, hs_pca *p)
{
    hs_krylov_options k = krylov_options(c->rows, o, p->solver);
    hs_pass *pass = NULL;
    double *lambda = NULL;
    int found = HS_OK, rc = HS_OK;
    HS_TRY(hs_alloc(p->k, sizeof *lambda, &lambda));
    HS_TRY(hs_pass_new(c, k.block, o->progress, &pass));
    hs_normal_op op = {p->d, hs_pass_apply, pass};
    found = hs_krylov(&op, &k, lambda, p->component, p->residual, &p->sweeps);
    HS_TRY(found == HS_ENOCONV ? HS_OK : found);
    for (size_t i = 0; i < p->k; i++) {
        lambda[i] *= lambda[i];
    }
    take_values(p, lambda, hs_pass_energy(pass), c->scale, 1e-12);
    memset(p->component + p->rank * p->d, 0, (p->k - p->rank) * p->d * sizeof(float));
    bound_participation(p, lambda, hs_pass_energy(pass));
    rc = found;
out:
    hs_pass_free(pass);
    free(lambda);
    return rc;
}

/* ---- The whole ---------------------------------------------------------------------------------------------- */

static int check_options(const hs_rows *rows, const hs_pca_options *o, hs_pca_solver *solver)
{
    size_t bytes;
    int rc = HS_OK;
    HS_TRY(hs_pca_bytes(rows, o, &bytes, solver));
    if (!(o->tol > 0)) {
        return hs_fail(HS_ERANGE, "tolerance %g: must be positive", o->tol);
    }
    if (o->memory > 0 && bytes > o->memory) {
        return hs_fail(HS_ELIMIT,
                       "PCA of %zu rows of %zu features with %zu components by %s takes %zu MiB, over the limit of "
                       "%zu MiB: raise it, take fewer components or another solver",
                       rows->n, rows->d, o->k, hs_pca_solver_name(*solver), (bytes >> 20) + 1, o->memory >> 20);
    }
out:
    return rc;
}

static int result_new(const hs_rows *rows, size_t k, hs_pca_solver solver, hs_pca **out)
{
    hs_pca *p = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *p, &p));
    p->n = rows->n;
    p->d = rows->d;
    p->groups = rows->groups;
    p->k = k;
    p->solver = solver;
    HS_TRY(hs_alloc(k * p->d, sizeof *p->component, &p->component));
    HS_TRY(hs_calloc(k, sizeof(double), &p->singular_value));
    HS_TRY(hs_calloc(k, sizeof(double), &p->explained_variance));
    HS_TRY(hs_calloc(k, sizeof(double), &p->explained_variance_ratio));
    HS_TRY(hs_calloc(k, sizeof(double), &p->residual));
    *out = p;
    p = NULL;
out:
    hs_pca_free(p);
    return rc;
}

void hs_pca_free(hs_pca *p)
{
    if (p != NULL) {
        free(p->mean);
        free(p->component);
        free(p->singular_value);
        free(p->explained_variance);
        free(p->explained_variance_ratio);
        free(p->residual);
        free(p);
    }
}

int hs_pca_fit(const hs_rows *rows, const hs_pca_options *opt, hs_pca **out)
{
    hs_centring c = {0};
    hs_pca *p = NULL;
    hs_pca_solver solver;
    int found = HS_OK, rc = HS_OK;
    HS_TRY(check_options(rows, opt, &solver));
    HS_TRY(hs_centring_shared(rows, opt->team, opt->progress, &c));
    HS_TRY(result_new(rows, opt->k, solver, &p));
    if (solver == HS_PCA_GRAM || solver == HS_PCA_COVARIANCE) {
        HS_TRY(exact(&c, opt, p));
        HS_TRY(certify(&c, opt, p));
    } else {
        found = iterative(&c, opt, p);
        HS_TRY(found == HS_ENOCONV ? HS_OK : found);
    }
    for (size_t i = 0; i < p->k; i++) {
        p->worst = fmax(p->worst, p->residual[i]);
    }
    p->mean = c.mean;
    c.mean = NULL;
    *out = p;
    p = NULL;
    rc = found;
out:
    hs_centring_free(&c);
    hs_pca_free(p);
    return rc;
}

int hs_pca_project(const hs_pca *p, const hs_rows *rows, size_t first, size_t count, double *score)
{
    float *x = NULL;
    double *centred = NULL;
    int rc = HS_OK;
    if (rows->d != p->d || rows->groups != p->groups) {
        return hs_fail(HS_ESHAPE, "rows of %zu features in %zu groups, the PCA is of %zu in %zu", rows->d, rows->groups,
                       p->d, p->groups);
    }
    if (first > rows->n || count > rows->n - first) {
        return hs_fail(HS_ERANGE, "rows %zu to %zu wanted of %zu", first, first + count, rows->n);
    }
    HS_TRY(hs_alloc(p->d, sizeof *x, &x));
    HS_TRY(hs_alloc(p->d, sizeof *centred, &centred));
    for (size_t i = 0; i < count; i++) {
        HS_TRY(rows->read(rows->ctx, first + i, 1, x));
        const double *mean = p->mean + (first + i) % p->groups * p->d;
        for (size_t j = 0; j < p->d; j++) {
            centred[j] = (double)x[j] - mean[j];
        }
        for (size_t l = 0; l < p->k; l++) {
            double s = 0;
            for (size_t j = 0; j < p->d; j++) {
                s += centred[j] * (double)p->component[l * p->d + j];
            }
            score[i * p->k + l] = s;
        }
    }
out:
    free(x);
    free(centred);
    return rc;
}
