#include "analysis/compare/fold.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"

enum { INNER = 3, ALPHAS = 9 };

/* 1e-5 ... 1e3 times the mean of σ². */
static double alpha_of(size_t i)
{
    return pow(10, (double)i - 5);
}

static double mean_square(const hs_coords *c)
{
    double sum = 0;
    for (size_t j = 0; j < c->r; j++) {
        sum += c->sigma[j] * c->sigma[j] / (double)c->r;
    }
    return sum;
}

void hs_fold_free(hs_fold *f)
{
    free(f->fit);
    free(f->row);
    hs_coords_free(&f->a);
    hs_coords_free(&f->b);
    hs_align_free(&f->align);
    memset(f, 0, sizeof *f);
}

/* Rows whose image is held out: those of every `folds`-th of the images that `within` (NULL: all) has. */
HS_CHECKED static int cut(size_t n, size_t groups, const unsigned char *within, size_t fold, size_t folds, hs_fold *f)
{
    int rc;
    size_t image = 0;
    HS_TRY(hs_calloc(n, 1, &f->fit));
    HS_TRY(hs_alloc(n, sizeof *f->row, &f->row));
    for (size_t i = 0; i < n; i++) {
        if (within != NULL && !within[i]) {
            continue;
        }
        if (image / groups % folds == fold) {
            f->row[f->count++] = i;
        } else {
            f->fit[i] = 1;
        }
        image++;
    }
out:
    return rc;
}

HS_CHECKED static int fit(size_t n, size_t groups, const double *K, const double *L, size_t components, hs_fold *f)
{
    int rc;
    HS_TRY(hs_coords_of_gram(n, groups, K, f->fit, components, &f->a));
    HS_TRY(hs_coords_of_gram(n, groups, L, f->fit, components, &f->b));
    HS_TRY(hs_align_fit(&f->a, &f->b, 0, NULL, &f->align));
out:
    return rc;
}

/* *mean <- of ridge's cosines over held-out rows, a to b. */
HS_CHECKED static int ridge(const hs_coords *a, const hs_coords *b, size_t count, const size_t *row, double alpha,
                            double *mean)
{
    int rc;
    double *B = NULL, *cosine = NULL;
    HS_TRY(hs_alloc(a->r * b->r, sizeof *B, &B));
    HS_TRY(hs_alloc(count, sizeof *cosine, &cosine));
    HS_TRY(hs_ridge_fit(a, b, alpha * mean_square(a), B));
    HS_TRY(hs_ridge_cosines(a, b, B, count, row, cosine));
    *mean = hs_mean(count, cosine, NULL);
out:
    free(B);
    free(cosine);
    return rc;
}

/* What the inner folds say: summed curves over ranks, how many each rank has, and of ridge. */
typedef struct {
    double *curve[2]; /* a to b, back */
    size_t ranks;     /* that every inner fold has */
    double alpha[2][ALPHAS];
} inner;

HS_CHECKED static int try_inner(size_t n, size_t groups, const double *K, const double *L, const hs_fold *outer,
                                size_t g, const hs_fold_options *o, inner *s)
{
    int rc;
    hs_fold f = {0};
    double *curve = NULL;
    HS_TRY(cut(n, groups, outer->fit, g, INNER, &f));
    HS_TRY(fit(n, groups, K, L, o->components, &f));
    HS_TRY(hs_alloc(2 * f.align.rank, sizeof *curve, &curve));
    HS_TRY(hs_align_curve(&f.align, &f.a, &f.b, f.count, f.row, curve));
    s->ranks = s->ranks < f.align.rank ? s->ranks : f.align.rank;
    for (size_t j = 0; j < s->ranks; j++) {
        s->curve[0][j] += curve[j] / INNER;
        s->curve[1][j] += curve[f.align.rank + j] / INNER;
    }
    for (size_t i = 0; i < ALPHAS && !o->without_ridge; i++) {
        double to, back;
        HS_TRY(ridge(&f.a, &f.b, f.count, f.row, alpha_of(i), &to));
        HS_TRY(ridge(&f.b, &f.a, f.count, f.row, alpha_of(i), &back));
        s->alpha[0][i] += to;
        s->alpha[1][i] += back;
    }
out:
    free(curve);
    hs_fold_free(&f);
    return rc;
}

/* The first of the largest, but for rounding. */
static size_t best(size_t n, const double *v)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++) {
        at = v[i] > v[at] + 1e-12 ? i : at;
    }
    return at;
}

HS_CHECKED static int choose(size_t n, size_t groups, const double *K, const double *L, const hs_fold_options *o,
                             hs_fold *f)
{
    int rc;
    inner s = {.ranks = f->align.rank};
    double *both = NULL;
    HS_TRY(hs_calloc(f->align.rank, sizeof *both, &both));
    HS_TRY(hs_calloc(f->align.rank, sizeof(double), &s.curve[0]));
    HS_TRY(hs_calloc(f->align.rank, sizeof(double), &s.curve[1]));
    for (size_t g = 0; g < INNER; g++) {
        HS_TRY(try_inner(n, groups, K, L, f, g, o, &s));
    }
    for (size_t j = 0; j < s.ranks; j++) {
        both[j] = s.curve[0][j] + s.curve[1][j];
    }
    size_t at = best(s.ranks, both);
    f->rank = at + 1 == s.ranks ? f->align.rank : at + 1;
    for (size_t w = 0; w < 2; w++) {
        f->inner[w] = s.curve[w][at];
        f->alpha[w] = alpha_of(best(ALPHAS, s.alpha[w]));
    }
out:
    free(both);
    free(s.curve[0]);
    free(s.curve[1]);
    return rc;
}

size_t hs_fold_many(size_t n)
{
    size_t folds = n > 0 && 2000 / n < 10 ? 2000 / n : 10;
    folds = folds < n / 6 ? folds : n / 6;
    return folds > 2 ? folds : 2;
}

double hs_fold_limit(double mean, double fewer)
{
    const double most = 1.5;
    double ratio = mean < most * fewer ? fmax(mean / fewer, 1 / most) : most;
    return mean > 0 ? fmin(1, mean * ratio * ratio) : mean;
}

int hs_fold_new(size_t n, size_t groups, const double *K, const double *L, size_t fold, const hs_fold_options *o,
                hs_fold *out)
{
    int rc;
    hs_fold f = {0};
    if (n / groups < HS_COMPARE_MIN_N) {
        return hs_fail(HS_EDEGENERATE,
                       "%zu pairs of images are too few to fit an alignment (or CCA) on one part and measure it on "
                       "another; wanted %d",
                       n / groups, HS_COMPARE_MIN_N);
    }
    HS_TRY(cut(n, groups, NULL, fold, o->folds, &f));
    HS_TRY(fit(n, groups, K, L, o->components, &f));
    HS_TRY(choose(n, groups, K, L, o, &f));
    *out = f;
    memset(&f, 0, sizeof f);
out:
    hs_fold_free(&f);
    return rc;
}

int hs_fold_shuffle(const hs_fold *f, uint64_t seed, size_t b, size_t *partner)
{
    int rc;
    size_t groups = f->a.groups, images = f->a.m / groups, *perm = NULL;
    HS_TRY(hs_alloc(images, sizeof *perm, &perm));
    hs_permutation(seed, b, images, perm);
    for (size_t i = 0; i < f->a.m; i++) {
        partner[i] = perm[i / groups] * groups + i % groups;
    }
out:
    free(perm);
    return rc;
}

int hs_fold_ridge(const hs_fold *f, double cos[2])
{
    int rc;
    HS_TRY(ridge(&f->a, &f->b, f->count, f->row, f->alpha[0], &cos[0]));
    HS_TRY(ridge(&f->b, &f->a, f->count, f->row, f->alpha[1], &cos[1]));
out:
    return rc;
}

/* ---- Canonical correlations -------------------------------------------------------------------------------- */

/* The fewest axes with `keep` of the fit rows' variance, at most `most`.  The share is of what the axes hold. */
static size_t kept(const hs_coords *c, double keep, size_t most)
{
    double sum = 0, part = 0;
    size_t k = 0;
    for (size_t j = 0; j < c->r; j++) {
        sum += c->sigma[j] * c->sigma[j];
    }
    while (k < c->r && k < most && (keep >= 1 || part < keep * sum)) {
        part += c->sigma[k] * c->sigma[k];
        k++;
    }
    return k;
}

/* Means of the held-out correlations, plain and by weight; undefined ones count as 0. */
static double weigh(size_t n, const double *r, const double *weight)
{
    double top = 0, bottom = 0;
    for (size_t i = 0; i < n; i++) {
        double w = weight != NULL ? weight[i] : 1;
        top += isnan(r[i]) ? 0 : w * r[i];
        bottom += w;
    }
    return top / bottom;
}

int hs_fold_cca_measure(const hs_fold *f, double keep, int strict, hs_fold_cca *out)
{
    int rc;
    size_t most = strict ? f->a.m : f->a.m / 4;
    hs_coords a = {0}, b = {0};
    hs_align cca = {0}, turned = {0};
    double *r = NULL;
    HS_TRY(hs_coords_leading(&f->a, kept(&f->a, keep, most), &a));
    HS_TRY(hs_coords_leading(&f->b, kept(&f->b, keep, most), &b));
    HS_TRY(hs_align_fit(&a, &b, 1, NULL, &cca));
    HS_TRY(hs_alloc(2 * cca.rank, sizeof *r, &r));
    HS_TRY(hs_align_correlations(&cca, &a, &b, f->count, f->row, r));
    *out = (hs_fold_cca){a.r, b.r, cca.rank, hs_mean(cca.rank, cca.s, NULL), weigh(cca.rank, r, NULL), 0, 0};
    hs_align_weights(&cca, &a, r + cca.rank);
    out->weighted_a = weigh(cca.rank, r, r + cca.rank);
    turned = (hs_align){.rank = cca.rank, .ra = cca.rb, .P = cca.Q};
    hs_align_weights(&turned, &b, r + cca.rank);
    out->weighted_b = weigh(cca.rank, r, r + cca.rank);
out:
    free(r);
    hs_align_free(&cca);
    hs_coords_free(&a);
    hs_coords_free(&b);
    return rc;
}
