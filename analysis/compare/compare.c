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

/* What one step finds: one run of numbers, so that it can come from another rank. */
typedef struct {
    size_t len;
    double *v;             /* (len) owns the others */
    double *column;        /* (HS_CMP_COLUMNS) */
    double *spectrum;      /* (2, HS_COMPARE_SPECTRUM) */
    double *null;          /* (2, nulls) */
    double *cosine, *kept; /* (2, n) of the held-out images of every fold */
    double *watched;       /* (watch->count) */
} record;

/* One run, or what of it is this rank's. */
typedef struct {
    const hs_compare_side *a, *b;
    const hs_compare_options *o;
    const hs_compare_watch *watch;
    hs_comparison *out;
    size_t first, end;           /* this rank's steps */
    size_t k;                    /* the step at hand */
    record at;                   /* what it found */
    double *aside;               /* (end - first, at.len) until rank 0 takes them; NULL on rank 0 */
    double *K, *L;               /* (n, n) of the step at hand */
    double **held[2];            /* (M) Gram matrices of this rank's steps of the CKA matrix */
    double *procrustes;          /* (nulls) */
    double fitted[2], inner[2];  /* what limits come from, both ways round */
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
    free(r->at.v);
    free(r->aside);
    free(r->K);
    free(r->L);
    free(r->procrustes);
    free(r->partner);
}

size_t hs_compare_spaced(size_t S, size_t count, size_t i)
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
        c->matrix[i] = hs_compare_spaced(S, c->M, i);
    }
out:
    return rc;
}

HS_CHECKED static int record_new(size_t n, size_t nulls, size_t watched, record *x)
{
    int rc;
    x->len = HS_CMP_COLUMNS + 2 * HS_COMPARE_SPECTRUM + 2 * nulls + 4 * n + watched;
    HS_TRY(hs_alloc(x->len, sizeof *x->v, &x->v));
    x->column = x->v;
    x->spectrum = x->column + HS_CMP_COLUMNS;
    x->null = x->spectrum + (size_t)2 * HS_COMPARE_SPECTRUM;
    x->cosine = x->null + 2 * nulls;
    x->kept = x->cosine + 2 * n;
    x->watched = x->kept + 2 * n;
out:
    return rc;
}

HS_CHECKED static int run_new(run *r)
{
    int rc;
    size_t n = r->a->n, mine = r->end - r->first;
    HS_TRY(tables_new(r, r->out));
    HS_TRY(record_new(n, r->o->nulls, r->watch != NULL ? r->watch->count : 0, &r->at));
    HS_TRY(hs_team_leads(r->o->team) ? HS_OK : hs_alloc(mine, r->at.len * sizeof(double), &r->aside));
    HS_TRY(hs_alloc(n * n, sizeof *r->K, &r->K));
    HS_TRY(hs_alloc(n * n, sizeof *r->L, &r->L));
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

/* Says again which step is at hand, whatever work within it tells: long ones must hear of a wish to stop. */
static int still(void *ctx, const char *what, size_t done, size_t total)
{
    const run *r = ctx;
    (void)what;
    (void)done;
    (void)total;
    return hs_progress_tell(r->o->progress, "compare", r->k - r->first, r->end - r->first) != HS_OK;
}

/* The same with images of b exchanged in the fit, `nulls` times. */
HS_CHECKED static int shuffled(run *r, const hs_fold *f, double share)
{
    int rc = HS_OK;
    hs_align fit = {0};
    const hs_progress progress = {still, r};
    for (size_t i = 0; i < r->o->nulls; i++) {
        double mean[2];
        HS_TRY(hs_progress_tell(&progress, "", 0, 0));
        HS_TRY(hs_fold_shuffle(f, r->o->bootstrap.seed, i, r->partner));
        HS_TRY(hs_align_fit(&f->a, &f->b, 0, r->partner, &fit));
        HS_TRY(measure(r, f, &fit, mean));
        r->procrustes[i] += share * procrustes_of(f, &fit);
        for (size_t w = 0; w < 2; w++) {
            r->at.null[w * r->o->nulls + i] += share * mean[w];
        }
        HS_TRY(r->watch != NULL ? r->watch->shuffled(r->watch->ctx, r->k, f, i, &fit) : HS_OK);
        hs_align_free(&fit);
    }
out:
    hs_align_free(&fit);
    return rc;
}

/* A fold's share of what limits come from: the cosines of its fit, and of fits to two thirds of that. */
static void add_limit(run *r, const hs_fold *f, const double mean[2], double share)
{
    for (size_t w = 0; w < 2; w++) {
        r->fitted[w] += share * mean[w];
        r->inner[w] += share * f->inner[w];
    }
}

/* Whether limits need folds of their own, more than are measured on: the nearer fits are to all images, the less is
 * extrapolated. */
static int limits_apart(const run *r)
{
    return hs_fold_many(r->a->n) > r->o->fold.folds;
}

/* The columns that a fold adds its share to. */
HS_CHECKED static int add_fold(run *r, const hs_fold *f, double share)
{
    int rc;
    double mean[2], ridge[2], matrix, *column = r->at.column;
    size_t n = r->a->n;
    hs_fold_cca cca = {.fitted = NAN, .held_out = NAN, .weighted_a = NAN, .weighted_b = NAN};
    HS_TRY(measure(r, f, &f->align, mean));
    if (!limits_apart(r)) {
        add_limit(r, f, mean, share);
    }
    for (size_t w = 0; w < 2; w++) {
        const hs_coords *to = w == 0 ? &f->b : &f->a;
        column[w == 0 ? HS_CMP_ALIGNED : HS_CMP_BACK] += share * mean[w];
        column[w == 0 ? HS_CMP_CEILING : HS_CMP_CEILING_BACK] +=
            share * hs_coords_kept(to, f->count, f->row, r->kept[w]);
        for (size_t i = 0; i < f->count; i++) {
            r->at.cosine[w * n + f->row[i]] = r->cosine[w][i];
            r->at.kept[w * n + f->row[i]] = r->kept[w][i];
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
        column[more[i].column] += share * more[i].v;
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

HS_CHECKED static int folds_of(run *r)
{
    int rc = HS_OK;
    hs_fold f = {0};
    double share = 1 / (double)r->o->fold.folds;
    for (size_t g = 0; g < r->o->fold.folds; g++) {
        HS_TRY(hs_fold_new(r->a->n, 1, r->K, r->L, g, &r->o->fold, &f));
        double held = (double)f.count / (double)r->a->n;
        HS_TRY(add_fold(r, &f, held));
        add_spectrum(r->at.spectrum, &f.a, share);
        add_spectrum(r->at.spectrum + HS_COMPARE_SPECTRUM, &f.b, share);
        HS_TRY(r->watch != NULL ? r->watch->see(r->watch->ctx, r->k, g, &f) : HS_OK);
        HS_TRY(shuffled(r, &f, held));
        hs_fold_free(&f);
    }
out:
    hs_fold_free(&f);
    return rc;
}

/* The limits' folds, where they have their own. */
HS_CHECKED static int limits_of(run *r)
{
    int rc = HS_OK;
    hs_fold f = {0};
    const hs_fold_options o = {hs_fold_many(r->a->n), r->o->fold.components, 1};
    const hs_progress progress = {still, r};
    for (size_t g = 0; g < o.folds; g++) {
        double mean[2];
        HS_TRY(hs_progress_tell(&progress, "", 0, 0));
        HS_TRY(hs_fold_new(r->a->n, 1, r->K, r->L, g, &o, &f));
        HS_TRY(measure(r, &f, &f.align, mean));
        add_limit(r, &f, mean, (double)f.count / (double)r->a->n);
        hs_fold_free(&f);
    }
out:
    hs_fold_free(&f);
    return rc;
}

/* What needs no fit. */
HS_CHECKED static int context_of(run *r)
{
    int rc;
    double *column = r->at.column;
    column[HS_CMP_DIM_A] = hs_context_dimension(r->a->n, r->K);
    column[HS_CMP_DIM_B] = hs_context_dimension(r->a->n, r->L);
    column[HS_CMP_RAW] = NAN;
    HS_TRY(hs_context_rsa(r->a->n, r->K, r->L, r->o->nulls, r->o->bootstrap.seed, &column[HS_CMP_RSA],
                          &column[HS_CMP_RSA_NULL]));
    HS_TRY(r->a->d == r->b->d ? hs_side_raw_cosine(r->a, r->b, r->k, &column[HS_CMP_RAW]) : HS_OK);
out:
    return rc;
}

HS_CHECKED static int keep(run *r)
{
    int rc = HS_OK;
    size_t cells = r->out->n * r->out->n;
    for (size_t i = 0; i < r->out->M; i++) {
        if (r->out->matrix[i] == r->k && r->held[0][i] == NULL) {
            HS_TRY(hs_alloc(cells, sizeof(double), &r->held[0][i]));
            HS_TRY(hs_alloc(cells, sizeof(double), &r->held[1][i]));
            memcpy(r->held[0][i], r->K, cells * sizeof(double));
            memcpy(r->held[1][i], r->L, cells * sizeof(double));
        }
    }
out:
    return rc;
}

/* r->at <- of step r->k. */
HS_CHECKED static int step(run *r)
{
    int rc;
    const hs_progress progress = {still, r};
    memset(r->at.v, 0, r->at.len * sizeof *r->at.v);
    memset(r->procrustes, 0, r->o->nulls * sizeof *r->procrustes);
    for (size_t w = 0; w < 2; w++) {
        r->fitted[w] = r->inner[w] = 0;
    }
    if (r->watch != NULL) {
        memset(r->watch->step, 0, r->watch->count * sizeof *r->watch->step);
    }
    HS_TRY(hs_side_gram(r->a, r->k, &progress, r->K));
    HS_TRY(hs_side_gram(r->b, r->k, &progress, r->L));
    HS_TRY(folds_of(r));
    HS_TRY(limits_apart(r) ? limits_of(r) : HS_OK);
    r->at.column[HS_CMP_LIMIT] = hs_fold_limit(r->fitted[0], r->inner[0]);
    r->at.column[HS_CMP_LIMIT_BACK] = hs_fold_limit(r->fitted[1], r->inner[1]);
    HS_TRY(context_of(r));
    HS_TRY(keep(r));
    r->at.column[HS_CMP_PROCRUSTES_NULL] = hs_null_quantile(r->o->nulls, r->procrustes);
    if (r->watch != NULL) {
        memcpy(r->at.watched, r->watch->step, r->watch->count * sizeof *r->watch->step);
    }
out:
    return rc;
}

/* Rank 0: the record at hand is that of step k, whose turn it is. */
static void take(run *r, size_t k)
{
    hs_comparison *c = r->out;
    const record *x = &r->at;
    for (size_t i = 0; i < 2 * c->nulls; i++) {
        c->null[i] += x->null[i] / (double)c->S;
    }
    for (size_t i = 0; i < 2 * c->n; i++) {
        c->cosine[i] += x->cosine[i];
        c->kept[i] += x->kept[i];
    }
    for (size_t i = 0; r->watch != NULL && i < r->watch->count; i++) {
        r->watch->sum[i] += x->watched[i];
    }
    x->column[HS_CMP_NULL] = hs_null_quantile(c->nulls, x->null);
    x->column[HS_CMP_NULL_BACK] = hs_null_quantile(c->nulls, x->null + c->nulls);
    for (size_t j = 0; j < HS_CMP_COLUMNS; j++) {
        c->column[j * c->S + k] = x->column[j];
    }
    for (size_t s = 0; s < 2; s++) {
        memcpy(c->spectrum + (s * c->S + k) * HS_COMPARE_SPECTRUM, x->spectrum + s * HS_COMPARE_SPECTRUM,
               HS_COMPARE_SPECTRUM * sizeof *c->spectrum);
    }
}

/* This rank's steps: taken by rank 0, put aside by the others. */
HS_CHECKED static int steps(run *r)
{
    int rc = HS_OK;
    for (r->k = r->first; r->k < r->end; r->k++) {
        HS_TRY(step(r));
        if (r->aside == NULL) {
            take(r, r->k);
        } else {
            memcpy(r->aside + (r->k - r->first) * r->at.len, r->at.v, r->at.len * sizeof *r->at.v);
        }
    }
    free(r->K);
    free(r->L);
    r->K = r->L = NULL;
out:
    return rc;
}

/* The steps of the other ranks, in order. */
HS_CHECKED static int gather(run *r)
{
    int rc = HS_OK;
    hs_team *team = r->o->team;
    for (size_t rank = 1; rank < hs_team_size(team); rank++) {
        size_t from = hs_team_first(team, rank, r->a->S), to = hs_team_first(team, rank + 1, r->a->S);
        for (size_t k = from; k < to; k++) {
            double *v = team->rank == rank ? r->aside + (k - from) * r->at.len : r->at.v;
            HS_TRY(hs_team_pass(team, rank, 0, v, r->at.len * sizeof *v));
            if (team->rank == 0) {
                take(r, k);
            }
        }
    }
out:
    return rc;
}

/* ---- CKA between steps ---- */

/* Which rank has step k. */
static size_t owner(const hs_team *team, size_t S, size_t k)
{
    size_t rank = 0;
    while (hs_team_first(team, rank + 1, S) <= k) {
        rank++;
    }
    return rank;
}

/* Column j of the matrix, L (n, n) of its step, as far as its rows are this rank's. */
HS_CHECKED static int column_of(run *r, size_t j, const double *L)
{
    int rc = HS_OK;
    hs_comparison *c = r->out;
    for (size_t i = 0; i < c->M; i++) {
        hs_cka cka = {.debiased = NAN, .biased = NAN, .jackknife_se = NAN};
        double null = NAN;
        if (r->held[0][i] == NULL) {
            continue;
        }
        HS_TRY(hs_progress_tell(r->o->progress, "CKA", j * c->M + i, c->M * c->M));
        rc = hs_context_cka(c->n, r->held[0][i], L, r->o->nulls, r->o->bootstrap.seed, &cka, i == j ? &null : NULL);
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
out:
    return rc;
}

/* Each step kept of a against each of b, which comes to those who have an a. */
HS_CHECKED static int matrices(run *r)
{
    int rc = HS_OK;
    hs_team *team = r->o->team;
    hs_comparison *c = r->out;
    size_t row = c->M * sizeof(double);
    double *there = NULL;
    HS_TRY(hs_team_agree(team, hs_team_size(team) > 1 ? hs_alloc(c->n * c->n, sizeof *there, &there) : HS_OK));
    for (size_t j = 0; j < c->M; j++) {
        double *L = r->held[1][j] != NULL ? r->held[1][j] : there;
        HS_TRY(hs_team_broadcast(team, owner(team, c->S, c->matrix[j]), L, c->n * c->n * sizeof *L));
        HS_TRY(hs_team_agree(team, column_of(r, j, L)));
    }
    for (size_t i = 0; i < c->M; i++) {
        size_t from = owner(team, c->S, c->matrix[i]);
        HS_TRY(hs_team_pass(team, from, 0, c->cka + i * c->M, row));
        HS_TRY(hs_team_pass(team, from, 0, c->cka_half + i * c->M, row));
        HS_TRY(hs_team_pass(team, from, 0, c->cka_biased + i * c->M, row));
        HS_TRY(hs_team_pass(team, from, 0, c->cka_null + i, sizeof *c->cka_null));
    }
out:
    free(there);
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

/* What may fail on one rank and not on another. */
HS_CHECKED static int own_part(run *r)
{
    int rc;
    HS_TRY(check(r->a, r->b, r->o));
    HS_TRY(run_new(r));
    HS_TRY(steps(r));
out:
    return rc;
}

int hs_compare_run(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o,
                   const hs_compare_watch *watch, hs_comparison *out)
{
    int rc;
    size_t rank = o->team != NULL ? o->team->rank : 0;
    hs_comparison c = {0};
    run r = {.a = a, .b = b, .o = o, .watch = watch, .out = &c};
    r.first = hs_team_first(o->team, rank, a->S);
    r.end = hs_team_first(o->team, rank + 1, a->S);
    HS_TRY(hs_team_agree(o->team, own_part(&r)));
    HS_TRY(gather(&r));
    HS_TRY(matrices(&r));
    run_free(&r);
    *out = c;
    return HS_OK;
out:
    run_free(&r);
    hs_comparison_free(&c);
    return rc;
}
