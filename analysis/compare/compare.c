#include "analysis/compare/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/compare/context.h"
#include "core/base/alloc.h"
#include "core/stats/moments.h"
#include "core/stats/special.h"

const char *const hs_compare_name[HS_CMP_COLUMNS] = {"aligned_cosine",
                                                     "aligned_cosine_back",
                                                     "ceiling",
                                                     "ceiling_back",
                                                     "aligned_cosine_null",
                                                     "aligned_cosine_null_back",
                                                     "aligned_cosine_limit",
                                                     "aligned_cosine_limit_back",
                                                     "rank",
                                                     "matrix_cosine",
                                                     "ridge_cosine",
                                                     "ridge_cosine_back",
                                                     "svcca",
                                                     "svcca_held_out",
                                                     "pwcca_a_held_out",
                                                     "pwcca_b_held_out",
                                                     "procrustes",
                                                     "procrustes_null",
                                                     "rsa",
                                                     "rsa_null",
                                                     "effective_dimension_a",
                                                     "effective_dimension_b",
                                                     "raw_cosine_h"};

enum { KEPT_MIB = 384 }; /* of Gram matrices held for the CKA matrix */

void hs_comparison_free(hs_comparison *c)
{
    free(c->t);
    free(c->column);
    free(c->spectrum);
    free(c->matrix);
    free(c->cka);
    free(c->cka_half);
    free(c->cka_biased);
    free(c->cka_null);
    free(c->cosine);
    free(c->kept);
    free(c->null);
    memset(c, 0, sizeof *c);
}

/* One run. */
typedef struct {
    const hs_compare_side *a, *b;
    const hs_compare_options *o;
    const hs_compare_watch *watch;
    hs_comparison *out;
    double *K, *L;               /* (n, n) of the step at hand */
    double **held[2];            /* (M) Gram matrices of the steps of the CKA matrix */
    double *null;                /* (2, nulls) of the step at hand */
    double *procrustes;          /* (nulls) */
    double *cosine[2], *kept[2]; /* (n) of a fold's held-out rows */
    size_t *partner;
} run;

static void run_free(run *r)
{
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; r->held[s] != NULL && i < r->out->M; i++) {
            free(r->held[s][i]);
        }
        free(r->held[s]);
        free(r->cosine[s]);
        free(r->kept[s]);
    }
    free(r->K);
    free(r->L);
    free(r->null);
    free(r->procrustes);
    free(r->partner);
}

/* i of count steps out of S, evenly spaced with both ends. */
static size_t spaced(size_t S, size_t count, size_t i)
{
    return count > 1 ? i * (S - 1) / (count - 1) : 0;
}

HS_CHECKED static int tables_new(const run *r, hs_comparison *c)
{
    int rc;
    size_t n = r->a->n, S = r->a->S, fit = ((size_t)KEPT_MIB << 20) / (2 * sizeof(double) * n * n);
    *c = (hs_comparison){.n = n, .S = S, .d = {r->a->d, r->b->d}, .nulls = r->o->nulls};
    c->M = r->o->matrix < S ? r->o->matrix : S;
    c->M = c->M < fit ? c->M : fit > 0 ? fit : 1;
    HS_TRY(hs_alloc(S, sizeof *c->t, &c->t));
    HS_TRY(hs_calloc(HS_CMP_COLUMNS * S, sizeof *c->column, &c->column));
    HS_TRY(hs_calloc(2 * S * HS_COMPARE_SPECTRUM, sizeof *c->spectrum, &c->spectrum));
    HS_TRY(hs_alloc(c->M, sizeof *c->matrix, &c->matrix));
    HS_TRY(hs_alloc(c->M * c->M, sizeof *c->cka, &c->cka));
    HS_TRY(hs_alloc(c->M * c->M, sizeof *c->cka_half, &c->cka_half));
    HS_TRY(hs_alloc(c->M * c->M, sizeof *c->cka_biased, &c->cka_biased));
    HS_TRY(hs_alloc(c->M, sizeof *c->cka_null, &c->cka_null));
    HS_TRY(hs_calloc(2 * n, sizeof *c->cosine, &c->cosine));
    HS_TRY(hs_calloc(2 * n, sizeof *c->kept, &c->kept));
    HS_TRY(hs_calloc(2 * c->nulls, sizeof *c->null, &c->null));
    for (size_t k = 0; k < S; k++) {
        c->t[k] = r->a->t != NULL ? r->a->t[k] : -1;
    }
    for (size_t i = 0; i < c->M; i++) {
        c->matrix[i] = spaced(S, c->M, i);
    }
out:
    return rc;
}

HS_CHECKED static int run_new(run *r)
{
    int rc;
    size_t n = r->a->n;
    HS_TRY(tables_new(r, r->out));
    HS_TRY(hs_alloc(2 * r->o->nulls, sizeof *r->null, &r->null));
    HS_TRY(hs_alloc(r->o->nulls, sizeof *r->procrustes, &r->procrustes));
    HS_TRY(hs_alloc(n, sizeof *r->partner, &r->partner));
    for (size_t s = 0; s < 2; s++) {
        HS_TRY(hs_calloc(r->out->M, sizeof **r->held, &r->held[s]));
        HS_TRY(hs_alloc(n, sizeof(double), &r->cosine[s]));
        HS_TRY(hs_alloc(n, sizeof(double), &r->kept[s]));
    }
out:
    return rc;
}

static double *at(const hs_comparison *c, hs_compare_column column, size_t k)
{
    return c->column + (size_t)column * c->S + k;
}

/* ---- A fold ---- */

/* Nuclear norm over the norms of the fit rows: what Procrustes reaches within the axes. */
static double procrustes_of(const hs_fold *f, const hs_align *fit)
{
    double s = 0, a = 0, b = 0;
    for (size_t j = 0; j < fit->rank; j++) {
        s += fit->s[j];
    }
    for (size_t i = 0; i < f->a.m; i++) {
        a += f->a.norm[f->a.fit[i]] * f->a.norm[f->a.fit[i]];
        b += f->b.norm[f->b.fit[i]] * f->b.norm[f->b.fit[i]];
    }
    return a > 0 && b > 0 ? s / sqrt(a * b) : (double)NAN;
}

/* Means of both ways over held-out rows under an alignment. */
HS_CHECKED static int measure(run *r, const hs_fold *f, const hs_align *fit, double mean[2])
{
    int rc;
    size_t rank = f->rank < fit->rank ? f->rank : fit->rank;
    HS_TRY(hs_align_cosines(fit, &f->a, &f->b, rank, f->count, f->row, r->cosine[0], r->cosine[1]));
    for (size_t w = 0; w < 2; w++) {
        mean[w] = hs_mean(f->count, r->cosine[w], NULL);
    }
out:
    return rc;
}

/* The same with images of b exchanged in the fit, `nulls` times. */
HS_CHECKED static int shuffled(run *r, size_t k, const hs_fold *f, double share)
{
    int rc = HS_OK;
    hs_align fit = {0};
    for (size_t i = 0; i < r->o->nulls; i++) {
        double mean[2];
        HS_TRY(hs_fold_shuffle(f, r->o->bootstrap.seed, i, r->partner));
        HS_TRY(hs_align_fit(&f->a, &f->b, 0, r->partner, &fit));
        HS_TRY(measure(r, f, &fit, mean));
        r->procrustes[i] += share * procrustes_of(f, &fit);
        for (size_t w = 0; w < 2; w++) {
            r->null[w * r->o->nulls + i] += share * mean[w];
        }
        HS_TRY(r->watch != NULL ? r->watch->shuffled(r->watch->ctx, k, f, i, &fit) : HS_OK);
        hs_align_free(&fit);
    }
out:
    hs_align_free(&fit);
    return rc;
}

/* The columns that a fold adds its share to. */
HS_CHECKED static int add_fold(run *r, size_t k, const hs_fold *f, double share)
{
    int rc;
    double mean[2], ridge[2], matrix;
    hs_fold_cca cca = {.fitted = NAN, .held_out = NAN, .weighted_a = NAN, .weighted_b = NAN};
    hs_comparison *c = r->out;
    HS_TRY(measure(r, f, &f->align, mean));
    for (size_t w = 0; w < 2; w++) {
        const hs_coords *to = w == 0 ? &f->b : &f->a;
        *at(c, w == 0 ? HS_CMP_ALIGNED : HS_CMP_BACK, k) += share * mean[w];
        *at(c, w == 0 ? HS_CMP_CEILING : HS_CMP_CEILING_BACK, k) +=
            share * hs_coords_kept(to, f->count, f->row, r->kept[w]);
        *at(c, w == 0 ? HS_CMP_LIMIT : HS_CMP_LIMIT_BACK, k) += share * fmin(1, 3 * mean[w] - 2 * f->inner[w]);
        for (size_t i = 0; i < f->count; i++) {
            c->cosine[w * c->n + f->row[i]] += r->cosine[w][i];
            c->kept[w * c->n + f->row[i]] += r->kept[w][i];
        }
    }
    HS_TRY(hs_align_matrix_cosine(&f->align, &f->a, &f->b, f->rank, f->count, f->row, &matrix));
    HS_TRY(hs_fold_ridge(f, ridge));
    rc = hs_fold_cca_measure(f, r->o->keep, r->o->strict, &cca);
    if (rc == HS_EDEGENERATE && !r->o->strict) {
        rc = HS_OK; /* a null with its reason */
    }
    HS_TRY(rc);
    const struct {
        hs_compare_column column;
        double v;
    } more[] = {{HS_CMP_RANK, (double)f->rank},
                {HS_CMP_MATRIX, matrix},
                {HS_CMP_RIDGE, ridge[0]},
                {HS_CMP_RIDGE_BACK, ridge[1]},
                {HS_CMP_SVCCA, cca.fitted},
                {HS_CMP_SVCCA_HELD, cca.held_out},
                {HS_CMP_PWCCA_A, cca.weighted_a},
                {HS_CMP_PWCCA_B, cca.weighted_b},
                {HS_CMP_PROCRUSTES, procrustes_of(f, &f->align)}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
        *at(c, more[i].column, k) += share * more[i].v;
    }
out:
    return rc;
}

/* Shares of the variance along the leading axes, mean over the folds. */
static void add_spectrum(double *to, const hs_coords *c, double share)
{
    double total = 0;
    for (size_t i = 0; i < c->m; i++) {
        total += c->norm[c->fit[i]] * c->norm[c->fit[i]];
    }
    for (size_t j = 0; j < c->r && j < HS_COMPARE_SPECTRUM; j++) {
        to[j] += share * c->sigma[j] * c->sigma[j] / total;
    }
}

/* ---- A step ---- */

HS_CHECKED static int folds_of(run *r, size_t k)
{
    int rc = HS_OK;
    hs_fold f = {0};
    hs_comparison *c = r->out;
    double share = 1 / (double)r->o->fold.folds;
    for (size_t g = 0; g < r->o->fold.folds; g++) {
        HS_TRY(hs_fold_new(c->n, 1, r->K, r->L, g, &r->o->fold, &f));
        double held = (double)f.count / (double)c->n;
        HS_TRY(add_fold(r, k, &f, held));
        add_spectrum(c->spectrum + k * HS_COMPARE_SPECTRUM, &f.a, share);
        add_spectrum(c->spectrum + (c->S + k) * HS_COMPARE_SPECTRUM, &f.b, share);
        HS_TRY(r->watch != NULL ? r->watch->see(r->watch->ctx, k, g, &f) : HS_OK);
        HS_TRY(shuffled(r, k, &f, held));
        hs_fold_free(&f);
    }
out:
    hs_fold_free(&f);
    return rc;
}

/* What needs no fit. */
HS_CHECKED static int context_of(run *r, size_t k)
{
    int rc;
    hs_comparison *c = r->out;
    *at(c, HS_CMP_DIM_A, k) = hs_context_dimension(c->n, r->K);
    *at(c, HS_CMP_DIM_B, k) = hs_context_dimension(c->n, r->L);
    *at(c, HS_CMP_RAW, k) = NAN;
    HS_TRY(hs_context_rsa(c->n, r->K, r->L, r->o->nulls, r->o->bootstrap.seed, at(c, HS_CMP_RSA, k),
                          at(c, HS_CMP_RSA_NULL, k)));
    HS_TRY(r->a->d == r->b->d ? hs_side_raw_cosine(r->a, r->b, k, at(c, HS_CMP_RAW, k)) : HS_OK);
out:
    return rc;
}

HS_CHECKED static int keep(run *r, size_t k)
{
    int rc = HS_OK;
    size_t cells = r->out->n * r->out->n;
    for (size_t i = 0; i < r->out->M; i++) {
        if (r->out->matrix[i] == k && r->held[0][i] == NULL) {
            HS_TRY(hs_alloc(cells, sizeof(double), &r->held[0][i]));
            HS_TRY(hs_alloc(cells, sizeof(double), &r->held[1][i]));
            memcpy(r->held[0][i], r->K, cells * sizeof(double));
            memcpy(r->held[1][i], r->L, cells * sizeof(double));
        }
    }
out:
    return rc;
}

HS_CHECKED static int step(run *r, size_t k)
{
    int rc;
    size_t B = r->o->nulls;
    hs_comparison *c = r->out;
    HS_TRY(hs_progress_tell(r->o->progress, "compare", k, c->S));
    HS_TRY(hs_side_gram(r->a, k, NULL, r->K));
    HS_TRY(hs_side_gram(r->b, k, NULL, r->L));
    memset(r->null, 0, 2 * B * sizeof *r->null);
    memset(r->procrustes, 0, B * sizeof *r->procrustes);
    HS_TRY(folds_of(r, k));
    HS_TRY(context_of(r, k));
    HS_TRY(keep(r, k));
    for (size_t i = 0; i < 2 * B; i++) {
        c->null[i] += r->null[i] / (double)c->S;
    }
    *at(c, HS_CMP_NULL, k) = hs_null_quantile(B, r->null);
    *at(c, HS_CMP_NULL_BACK, k) = hs_null_quantile(B, r->null + B);
    *at(c, HS_CMP_PROCRUSTES_NULL, k) = hs_null_quantile(B, r->procrustes);
out:
    return rc;
}

/* Each step kept of a against each of b. */
HS_CHECKED static int matrices(run *r)
{
    int rc = HS_OK;
    hs_comparison *c = r->out;
    for (size_t i = 0; i < c->M; i++) {
        for (size_t j = 0; j < c->M; j++) {
            hs_cka cka = {.debiased = NAN, .biased = NAN, .jackknife_se = NAN};
            double null = NAN;
            HS_TRY(hs_progress_tell(r->o->progress, "CKA", i * c->M + j, c->M * c->M));
            rc = hs_context_cka(c->n, r->held[0][i], r->held[1][j], r->o->nulls, r->o->bootstrap.seed, &cka,
                                i == j ? &null : NULL);
            if (rc != HS_OK && rc != HS_EDEGENERATE) {
                goto out;
            }
            rc = HS_OK;
            c->cka[i * c->M + j] = cka.debiased;
            c->cka_biased[i * c->M + j] = cka.biased;
            c->cka_half[i * c->M + j] = hs_student_quantile(0.975, (double)c->n - 1) * cka.jackknife_se;
            if (i == j) {
                c->cka_null[i] = null;
            }
        }
    }
out:
    return rc;
}

HS_CHECKED static int check(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o)
{
    if (a->n != b->n || a->S != b->S) {
        return hs_fail(HS_ESHAPE, "%zu images x %zu steps beside %zu x %zu; wanted the same", a->n, a->S, b->n, b->S);
    }
    for (size_t k = 0; k < a->S && a->t != NULL && b->t != NULL; k++) {
        if (a->t[k] != b->t[k]) {
            return hs_fail(HS_ESHAPE, "step %zu is t = %d beside t = %d; wanted the same", k, a->t[k], b->t[k]);
        }
    }
    if (o->nulls < 40 || o->fold.folds < 2 || o->fold.folds > a->n) {
        return hs_fail(HS_ERANGE, "%zu shuffled fits and %zu folds of %zu images; wanted 40 and 2 at least", o->nulls,
                       o->fold.folds, a->n);
    }
    return HS_OK;
}

int hs_compare_run(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o,
                   const hs_compare_watch *watch, hs_comparison *out)
{
    int rc;
    hs_comparison c = {0};
    run r = {.a = a, .b = b, .o = o, .watch = watch, .out = &c};
    HS_TRY(check(a, b, o));
    HS_TRY(run_new(&r));
    HS_TRY(hs_alloc(a->n * a->n, sizeof *r.K, &r.K));
    HS_TRY(hs_alloc(a->n * a->n, sizeof *r.L, &r.L));
    for (size_t k = 0; k < a->S; k++) {
        HS_TRY(step(&r, k));
    }
    free(r.K);
    free(r.L);
    r.K = r.L = NULL;
    HS_TRY(matrices(&r));
    run_free(&r);
    *out = c;
    return HS_OK;
out:
    run_free(&r);
    hs_comparison_free(&c);
    return rc;
}

/* ---- One map for all steps ---- */

HS_CHECKED static int pooled_folds(size_t n, size_t S, const double *K, const double *L, const hs_compare_options *o,
                                   double cos[2], double ceiling[2])
{
    int rc = HS_OK;
    hs_fold f = {0};
    double *v[2] = {NULL, NULL};
    for (size_t w = 0; w < 2; w++) {
        cos[w] = ceiling[w] = 0;
        HS_TRY(hs_alloc(n * S, sizeof(double), &v[w]));
    }
    for (size_t g = 0; g < o->fold.folds; g++) {
        HS_TRY(hs_fold_new(n * S, S, K, L, g, &o->fold, &f));
        HS_TRY(hs_align_cosines(&f.align, &f.a, &f.b, f.rank, f.count, f.row, v[0], v[1]));
        double held = (double)f.count / (double)(n * S);
        for (size_t w = 0; w < 2; w++) {
            cos[w] += held * hs_mean(f.count, v[w], NULL);
            ceiling[w] += held * hs_coords_kept(w == 0 ? &f.b : &f.a, f.count, f.row, NULL);
        }
        hs_fold_free(&f);
    }
out:
    hs_fold_free(&f);
    free(v[0]);
    free(v[1]);
    return rc;
}

int hs_compare_pooled(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o, double cos[2],
                      double ceiling[2], size_t *rows)
{
    int rc = HS_OK;
    size_t S = a->S < 10 ? a->S : 10, n = o->pooled / S < a->n ? o->pooled / S : a->n;
    size_t *image = NULL, *k = NULL;
    double *K = NULL, *L = NULL;
    for (size_t w = 0; w < 2; w++) {
        cos[w] = ceiling[w] = NAN;
    }
    *rows = n * S;
    if (a->S < 2 || n < HS_COMPARE_MIN_N) {
        *rows = 0;
        return HS_OK;
    }
    HS_TRY(hs_alloc(n, sizeof *image, &image));
    HS_TRY(hs_alloc(S, sizeof *k, &k));
    HS_TRY(hs_alloc(n * S, n * S * sizeof *K, &K));
    HS_TRY(hs_alloc(n * S, n * S * sizeof *L, &L));
    for (size_t i = 0; i < n; i++) {
        image[i] = spaced(a->n, n, i);
    }
    for (size_t i = 0; i < S; i++) {
        k[i] = spaced(a->S, S, i);
    }
    HS_TRY(hs_side_gram_pooled(a, n, image, S, k, o->progress, K));
    HS_TRY(hs_side_gram_pooled(b, n, image, S, k, o->progress, L));
    HS_TRY(pooled_folds(n, S, K, L, o, cos, ceiling));
out:
    free(image);
    free(k);
    free(K);
    free(L);
    return rc;
}
