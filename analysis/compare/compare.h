/* Comparison of two spaces of h, seen through the same images.
 *
 * At every step the spaces are aligned on some folds of the images and measured on the rest, each fold once:
 *
 *   aligned_cosine: mean over held-out images of cos(mapped a, b), about the fit images' means; aligned_cosine_back the
 *   other way round
 *
 *   ceiling: mean cosine of b with its own projection on the axes that an alignment may use: what b aligned with itself
 *   reaches.  It stands for the root of the noise ceiling; ceiling_back is that of a
 *
 *   over_ceiling: their ratio, means over steps of both; the lower of the two ways decides against the standard
 *
 *   aligned_cosine_null: the 97.5 % quantile of aligned_cosine, averaged over steps alike, when the fit images of one
 *   side are exchanged before the fit: the gate
 *
 *   aligned_cosine_limit: what it tends to with ever more images to fit (hs_fold_limit), from hs_fold_many folds: fits
 *   to nine tenths of up to 200 images
 *
 *   shared       over_ceiling's interval lies at or above the standard, and the cosine is above its null
 *   not shared   the interval lies below the standard
 *   inconclusive otherwise
 *
 * Intervals: BCa over images, for the fits as they are.  Everything but `raw_cosine_h` is unchanged by rotations of
 * either space; swapping the sides swaps each number with its _back or _b. */
#ifndef HS_COMPARE_COMPARE_H
#define HS_COMPARE_COMPARE_H

#include "analysis/compare/fold.h"
#include "analysis/compare/side.h"
#include "analysis/properties/measurement.h"
#include "core/stats/bootstrap.h"

/* Numbers of each step. */
typedef enum {
    HS_CMP_ALIGNED,
    HS_CMP_BACK,
    HS_CMP_CEILING,
    HS_CMP_CEILING_BACK,
    HS_CMP_NULL,
    HS_CMP_NULL_BACK,
    HS_CMP_LIMIT,
    HS_CMP_LIMIT_BACK,
    HS_CMP_RANK,
    HS_CMP_MATRIX,
    HS_CMP_RIDGE,
    HS_CMP_RIDGE_BACK,
    HS_CMP_SVCCA,
    HS_CMP_SVCCA_HELD,
    HS_CMP_PWCCA_A,
    HS_CMP_PWCCA_B,
    HS_CMP_PROCRUSTES,
    HS_CMP_PROCRUSTES_NULL,
    HS_CMP_RSA,
    HS_CMP_RSA_NULL,
    HS_CMP_DIM_A,
    HS_CMP_DIM_B,
    HS_CMP_RAW,
    HS_CMP_COLUMNS
} hs_compare_column;
extern const char *const hs_compare_name[HS_CMP_COLUMNS]; /* "aligned_cosine", ... */

enum { HS_COMPARE_SPECTRUM = 20 };

typedef struct {
    hs_fold_options fold;
    size_t nulls;  /* shuffled fits, at least 40 */
    size_t matrix; /* steps of the CKA matrix, at most; evenly spaced */
    size_t pooled; /* rows (image, step) of the pooled alignment, at most; 0: none */
    double keep;   /* share of the variance that CCA keeps */
    int strict;    /* keep was asked for: too few images are an error */
    double standard;
    hs_bootstrap_options bootstrap;
    const hs_progress *progress;
    hs_team *team; /* ranks that the steps are dealt to, a run of them each; NULL: this process alone */
} hs_compare_options;

#define HS_COMPARE_OPTIONS_INIT                                                                    \
    {                                                                                              \
        .fold = {2, 256}, .nulls = 40, .matrix = 8, .pooled = 1500, .keep = 0.99, .standard = 0.5, \
        .bootstrap = HS_BOOTSTRAP_OPTIONS_INIT                                                     \
    }

/* What a comparison found. */
typedef struct {
    size_t n, S, M, d[2];
    int *t;                              /* (S), -1 where not known */
    double *column;                      /* (HS_CMP_COLUMNS, S) */
    double *spectrum;                    /* (2, S, HS_COMPARE_SPECTRUM) shares of the variance, 0 beyond the rank */
    size_t *matrix;                      /* (M) steps of the CKA matrices */
    double *cka, *cka_half, *cka_biased; /* (M, M) rows a; half width of the 95 % interval */
    double *cka_null;                    /* (M) of the diagonal */
    double *cosine, *kept;               /* (2, n) sums over steps of held-out cosines and ceilings, a to b and back */
    double *null;                        /* (2, nulls) */
    size_t nulls;
} hs_comparison;
void hs_comparison_free(hs_comparison *c);

/* What may look at each fold while it is at hand, and then at each fit of it on shuffled pairs; NULL: nobody.  What
 * both add to `step` (zeros before a step) during a step is one step's; in the end sum holds that of all. */
typedef struct {
    HS_CHECKED int (*see)(void *ctx, size_t k, size_t fold, const hs_fold *f);
    HS_CHECKED int (*shuffled)(void *ctx, size_t k, const hs_fold *f, size_t b, const hs_align *fit);
    void *ctx;
    size_t count;
    double *step, *sum; /* (count) */
} hs_compare_watch;

/* *out <- the comparison.  Memory: two n x n matrices and a few of half that, 2 M more, and tiles of rows; nothing
 * grows with S or d but the tables.
 *
 * Of a team every rank makes the call; each step is one rank's from its Gram matrices to its nulls, as are the rows of
 * the CKA matrix, and rank 0 adds the steps up in their order: the same bits for any number of ranks.  *out (and
 * watch->sum) is whole on rank 0 only.  Ranks but 0 hold 32 n bytes of each of their steps.  A failure on any rank, the
 * first of them, is every rank's.
 *
 * HS_ESHAPE: other images or steps; HS_ERANGE: fewer than 40 nulls, folds outside
 * 2 ... n, bootstrap options; HS_EDEGENERATE: too few images, a side without variance; or what reading fails with. */
HS_CHECKED int hs_compare_run(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o,
                              const hs_compare_watch *watch, hs_comparison *out);

/* The i-th of `count` things out of S, evenly spaced with both ends. */
size_t hs_compare_spaced(size_t S, size_t count, size_t i);

/* One map for all steps, by this process alone, on images and steps evenly spaced: cos[0] a to b, cos[1] back; *rows
 * how many.  NaN with one step. */
HS_CHECKED int hs_compare_pooled(const hs_compare_side *a, const hs_compare_side *b, const hs_compare_options *o,
                                 double cos[2], double ceiling[2], size_t *rows);

/* *out <- the measurement, property "compare": holds means shared, fails not shared. */
HS_CHECKED int hs_compare_judge(const hs_comparison *c, const hs_compare_options *o, const double pooled[2],
                                hs_measurement *out);

#endif
