#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/common_share.h"
#include "analysis/properties/robustness_internal.h"
#include "core/base/alloc.h"
#include "core/stats/moments.h"

void hs_robust_clamp(size_t n, float *x)
{
    for (size_t q = 0; q < n; q++) {
        x[q] = fminf(fmaxf(x[q], -1), 1);
    }
}

size_t hs_robust_middle(const hs_robust_plan *p)
{
    return (p->m - 1) / 2;
}

size_t hs_robust_kick_step(size_t S)
{
    return S / 3;
}

/* ---- Columns ---- */

static const struct {
    hs_noise_space space;
    int both;
} place[HS_ARMS] = {{HS_NOISE_H, 0}, {HS_NOISE_EPS, 0}, {HS_NOISE_H, 1}, {HS_NOISE_EPS, 1}, {HS_NOISE_X, 1}};

int hs_robust_columns(const hs_robust_plan *p, int parts, size_t *count, hs_perturbation **column,
                      hs_robust_column **meaning)
{
    int rc = HS_OK;
    size_t at = 0;
    hs_perturbation *c = NULL;
    hs_robust_column *what = NULL;
    HS_TRY(hs_calloc(HS_ARMS * p->m + HS_ROBUST_PARTS, sizeof *c, &c));
    HS_TRY(hs_calloc(HS_ARMS * p->m + HS_ROBUST_PARTS, sizeof *what, &what));
    for (int a = 0; a < HS_ARMS; a++) {
        for (size_t k = 0; k < HS_ROBUST_PARTS && parts && a == HS_ARM_X_T; k++) { /* those of x_t come last */
            static const hs_noise_part part[] = {HS_PART_INSIDE, HS_PART_OUTSIDE, HS_PART_COMMON};
            c[at] = (hs_perturbation){.space = HS_NOISE_H,
                                      .level = k == HS_ROBUST_COMMON ? 1 : p->level[hs_robust_middle(p)],
                                      .part = part[k]};
            what[at++] = (hs_robust_column){-1, k};
        }
        for (size_t j = 0; p->arm[a] && j < p->m; j++) {
            c[at] = (hs_perturbation){.space = place[a].space, .both = place[a].both, .level = p->level[j]};
            what[at++] = (hs_robust_column){a, j + 1};
        }
    }
    *count = at;
    *column = c;
    *meaning = what;
    c = NULL;
    what = NULL;
out:
    free(c);
    free(what);
    return rc;
}

/* ---- Plain and fresh images ---- */

HS_CHECKED static int keep_plain_h(void *ctx, size_t step, size_t image, size_t column, const float *h)
{
    hs_robust_work *w = ctx;
    (void)column;
    if (image < w->n_pc) {
        memcpy(w->h_plain + (step * w->n_pc + image) * w->d_h, h, w->d_h * sizeof *h);
    }
    for (size_t q = 0; q < w->d_h; q++) { /* images come in order at each step: the same bits in any batch */
        w->sum[step * w->d_h + q] += (double)h[q];
    }
    if (step == w->mid) {
        memcpy(w->mid_plain + image * w->d_h, h, w->d_h * sizeof *h);
    }
    return HS_OK;
}

HS_CHECKED static int keep_fresh_h(void *ctx, size_t step, size_t image, size_t column, const float *h)
{
    hs_robust_work *w = ctx;
    (void)column;
    if (step == w->mid) {
        memcpy(w->mid_fresh + image * w->d_h, h, w->d_h * sizeof *h);
    }
    return HS_OK;
}

static size_t images_with_h(const hs_robust_work *w)
{
    size_t each = w->S * w->d_h * sizeof(float), fit = HS_ROBUST_BYTES / each;
    size_t n = w->p->n < HS_ROBUST_PC_IMAGES ? w->p->n : HS_ROBUST_PC_IMAGES;
    return n < fit ? n : fit;
}

/* Inner products of the plain h of every step. */
HS_CHECKED static int find_gram(hs_robust_work *w)
{
    int rc = HS_OK;
    size_t n = w->r->n_h = w->n_pc, count;
    if (n < 2) {
        return HS_OK;
    }
    HS_TRY(hs_size_mul(w->S * n, n, &count));
    HS_TRY(hs_alloc(count, sizeof *w->r->gram, &w->r->gram));
    for (size_t s = 0; s < w->S; s++) {
        HS_TRY(hs_common_gram(n, w->d_h, w->h_plain + s * n * w->d_h, w->r->gram + s * n * n));
    }
out:
    return rc;
}

/* basis (S, k, d_h) <- PCs of the plain h of every step. */
HS_CHECKED static int find_basis(hs_robust_work *w)
{
    int rc = HS_OK;
    hs_pca *pca = NULL;
    hs_pca_options o = HS_PCA_OPTIONS;
    size_t count, k = w->n_pc / 2 < HS_ROBUST_PCS ? w->n_pc / 2 : HS_ROBUST_PCS;
    k = k < w->d_h ? k : w->d_h;
    if (k == 0) {
        return HS_OK;
    }
    o.k = k;
    HS_TRY(hs_size_mul(w->S * k, w->d_h, &count));
    HS_TRY(hs_alloc(count, sizeof *w->basis, &w->basis));
    for (size_t s = 0; s < w->S; s++) {
        hs_mat h = hs_mat_of(w->h_plain + s * w->n_pc * w->d_h, w->n_pc, w->d_h);
        const hs_rows rows = hs_rows_of_mat(&h);
        HS_TRY(hs_pca_fit(&rows, &o, &pca));
        memcpy(w->basis + s * k * w->d_h, pca->component, k * w->d_h * sizeof *w->basis);
        hs_pca_free(pca);
        pca = NULL;
    }
    w->r->k = k;
out:
    hs_pca_free(pca);
    return rc;
}

double hs_robust_distance(const hs_robust_work *w, const float *h)
{
    double square = 0;
    for (size_t c = 0; c < w->model->rank && c < w->model->k; c++) {
        double dot = 0;
        for (size_t q = 0; q < w->d_h; q++) {
            dot += ((double)h[q] - w->model->mean[q]) * (double)w->model->component[c * w->d_h + q];
        }
        square += dot * dot / w->model->explained_variance[c];
    }
    return sqrt(square);
}

/* The k-PC model of the fresh h, and how far the plain ones lie from it. */
HS_CHECKED static int find_model(hs_robust_work *w)
{
    int rc = HS_OK;
    hs_pca_options o = HS_PCA_OPTIONS;
    hs_mat h = hs_mat_of(w->mid_fresh, w->p->n, w->d_h);
    const hs_rows rows = hs_rows_of_mat(&h);
    o.k = w->p->n / 4 < HS_ROBUST_PCS ? w->p->n / 4 : HS_ROBUST_PCS;
    o.k = o.k < w->d_h ? o.k : w->d_h;
    HS_TRY(hs_pca_fit(&rows, &o, &w->model));
    HS_TRY(hs_alloc(w->p->n, sizeof *w->reference, &w->reference));
    for (size_t i = 0; i < w->p->n; i++) {
        w->reference[i] = hs_robust_distance(w, w->mid_plain + i * w->d_h);
    }
    hs_sort(w->p->n, w->reference);
out:
    return rc;
}

/* Features of n images, and their spread of factors where sd is wanted. */
HS_CHECKED static int score(hs_robust_work *w, const float *x, double *value, float *feat)
{
    return hs_scorer_eval(w->p->scorer, w->image, w->p->n, x, value, feat);
}

HS_CHECKED static int score_plain(hs_robust_work *w, const float *fresh)
{
    int rc = HS_OK;
    const hs_attrnet_config *cfg = hs_scorer_config(w->p->scorer);
    size_t n = w->p->n;
    double *column = NULL, *other = NULL;
    HS_TRY(hs_alloc(n, w->factors * sizeof(double), &w->value_plain));
    HS_TRY(hs_alloc(w->factors, sizeof(double), &w->sd));
    HS_TRY(hs_alloc(n, w->F * sizeof(float), &w->feat_plain));
    HS_TRY(hs_alloc(n, sizeof *column, &column));
    HS_TRY(score(w, w->plain, w->value_plain, w->feat_plain));
    for (size_t k = 0; k < w->factors; k++) {
        for (size_t i = 0; i < n; i++) {
            column[i] = w->value_plain[i * w->factors + k];
        }
        double sd = hs_sd(n, column, NULL);
        w->sd[k] = sd > 0 ? sd : cfg->factor[k].sd;
    }
    if (fresh != NULL) {
        HS_TRY(hs_alloc(n, w->factors * sizeof(double), &other));
        HS_TRY(hs_alloc(n, w->F * sizeof(float), &w->feat_fresh));
        HS_TRY(score(w, fresh, other, w->feat_fresh));
    }
out:
    free(column);
    free(other);
    return rc;
}

int hs_robust_clean(hs_robust_work *w)
{
    int rc = HS_OK;
    const hs_robust_plan *p = w->p;
    const hs_perturbation none = {.space = HS_NOISE_EPS, .both = 1};
    float *fresh = NULL;
    w->n_pc = images_with_h(w);
    HS_TRY(hs_alloc(w->S * w->n_pc, w->d_h * sizeof(float), &w->h_plain));
    HS_TRY(hs_alloc(w->S, w->d_h * sizeof(float), &w->common));
    HS_TRY(hs_calloc(w->S, w->d_h * sizeof(double), &w->sum));
    HS_TRY(hs_alloc(p->n, w->d_x * sizeof(float), &w->plain));
    HS_TRY(hs_alloc(p->n, w->d_x * sizeof(float), &w->at_kick));
    HS_TRY(hs_alloc(p->n, w->d_h * sizeof(float), &w->mid_plain));
    hs_perturb_span span = {.seen = w->kick, .x_seen = w->at_kick};
    w->perturb.what = "plain images";
    HS_TRY(hs_perturb_run(&w->perturb, 0, p->n, p->x_T, &span, 1, &none,
                          &(hs_perturb_watch){.h = keep_plain_h, .ctx = w}, w->plain));
    hs_robust_clamp(p->n * w->d_x, w->plain);
    for (size_t q = 0; q < w->S * w->d_h; q++) {
        w->common[q] = (float)(w->sum[q] / (double)p->n);
    }
    HS_TRY(find_gram(w));
    HS_TRY(find_basis(w));
    if (p->n_fresh == p->n) {
        HS_TRY(hs_alloc(p->n, w->d_x * sizeof(float), &fresh));
        HS_TRY(hs_alloc(p->n, w->d_h * sizeof(float), &w->mid_fresh));
        w->perturb.what = "fresh images";
        HS_TRY(hs_perturb_run(&w->perturb, p->n, p->n, p->x_fresh, &(hs_perturb_span){0}, 1, &none,
                              &(hs_perturb_watch){.h = keep_fresh_h, .ctx = w}, fresh));
        hs_robust_clamp(p->n * w->d_x, fresh);
        HS_TRY(p->n >= 8 ? find_model(w) : HS_OK);
    }
    HS_TRY(p->scorer != NULL ? score_plain(w, fresh) : HS_OK);
out:
    free(fresh);
    return rc;
}
