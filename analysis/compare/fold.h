/* One fold of a comparison: an alignment fitted on the other folds' images, and the images it is measured on. */
#ifndef HS_COMPARE_FOLD_H
#define HS_COMPARE_FOLD_H

#include <stdint.h>

#include "core/geom/align.h"

/* Least pairs of images: below it a half cannot be cut once more to choose a rank. */
enum { HS_COMPARE_MIN_N = 12 };

typedef struct {
    size_t rank;        /* chosen */
    unsigned char *fit; /* (n) */
    size_t count, *row; /* held-out rows */
    hs_coords a, b;
    hs_align align;  /* Procrustes */
    double inner[2]; /* mean held-out cosines of the inner folds at that rank (fits to 2/3 as many images), both ways */
    double alpha[2]; /* of ridge, a to b and b to a, in units of the mean of σ² */
} hs_fold;

typedef struct {
    size_t folds;      /* image i is held out in fold i % folds */
    size_t components; /* axes of each side, at most; 0: all */
    int without_ridge; /* hs_fold_ridge won't be asked: its penalties are the dear part of a fold */
} hs_fold_options;

/* Folds whose fits have most of the images, for what ever more images would give: ten, fewer where 6 images would not
 * be held out at once, or where n is so large that halves say it as well and the time counts (2000 / n); two at least.
 */
size_t hs_fold_many(size_t n);

/* What a held-out cosine tends to with ever more images, from that of fits (`mean`) and of fits to two thirds of their
 * images (`fewer`).  Both maps' axes and the rotation keep each a share of it, and shares multiply: the logarithm's
 * shortfall goes as 1 / images, and mean (mean / fewer)^2 is without it.  More than 1.5 for the ratio would be faster
 * than images can teach: it is noise about 0, and is cut there.  At most 1; a mean of 0 or less is left as it is. */
double hs_fold_limit(double mean, double fewer);

/* *out <- fold number `fold` of n rows (image, group), image i / groups, of Gram matrices K and L.  The rank maximises
 * the mean cosine, both ways round, of three inner folds of the fit images; the last one tried means all.  Ridge's
 * penalties likewise, each its own way round.  HS_EDEGENERATE: too few images, a side without variance. */
HS_CHECKED int hs_fold_new(size_t n, size_t groups, const double *K, const double *L, size_t fold,
                           const hs_fold_options *o, hs_fold *out);
void hs_fold_free(hs_fold *f);

/* partner (m) <- which fit row of b goes with each of a in shuffle number b: images are exchanged whole. */
HS_CHECKED int hs_fold_shuffle(const hs_fold *f, uint64_t seed, size_t b, size_t *partner);

/* mean over held-out rows and both ways round of ridge's cosine at f->alpha: cos[0] a to b, cos[1] b to a. */
HS_CHECKED int hs_fold_ridge(const hs_fold *f, double cos[2]);

/* Canonical correlations of the leading axes that keep `keep` of each side's variance, at most a quarter of the fit
 * images where `keep` was not asked for (strict 0). */
typedef struct {
    size_t ra, rb, count;
    double fitted, held_out;       /* means over the correlations: of the fit rows, of held-out ones */
    double weighted_a, weighted_b; /* held out, weighted by how much of a, of b each explains (PWCCA) */
} hs_fold_cca;
/* HS_EDEGENERATE: strict, and no more fit images than dimensions. */
HS_CHECKED int hs_fold_cca_measure(const hs_fold *f, double keep, int strict, hs_fold_cca *out);

#endif
