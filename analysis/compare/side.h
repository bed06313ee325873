/* What a comparison reads: the same n images at the same S timesteps in two spaces. */
#ifndef HS_COMPARE_SIDE_H
#define HS_COMPARE_SIDE_H

#include "core/base/log.h"
#include "core/geom/rows.h"

typedef struct {
    size_t n, S, d;
    const int *t; /* (S), or NULL: not known */
    /* out (count, d) <- images [first, first + count) at step k. */
    HS_CHECKED int (*read)(void *ctx, size_t k, size_t first, size_t count, float *out);
    void *ctx;
} hs_compare_side;

/* K (n, n) <- products of the images at step k about their mean.  As hs_gram. */
HS_CHECKED int hs_side_gram(const hs_compare_side *s, size_t k, const hs_progress *progress, double *K);

/* Rows (image, step) of images i[0..n) and steps k[0..S), each step of its own mean: K (n S, n S). */
HS_CHECKED int hs_side_gram_pooled(const hs_compare_side *s, size_t n, const size_t *image, size_t S,
                                   const size_t *step, const hs_progress *progress, double *K);

/* q (D, n) <- ⟨x_i, v_j⟩ at step k of D vectors v (D, d).  One read of the step. */
HS_CHECKED int hs_side_products(const hs_compare_side *s, size_t k, size_t D, const float *v, double *q);
/* out (D, d) <- Σ_i w_ji x_i at step k, w (D, n). */
HS_CHECKED int hs_side_combine(const hs_compare_side *s, size_t k, size_t D, const double *w, float *out);
/* *cosine <- mean over images of cos(x_i - mean x, y_i - mean y), features as they stand; both sides of one d. */
HS_CHECKED int hs_side_raw_cosine(const hs_compare_side *a, const hs_compare_side *b, size_t k, double *cosine);

#endif
