/* One map for all steps. */
#include <math.h>
#include <stdlib.h>

#include "analysis/compare/compare.h"
#include "core/base/alloc.h"
#include "core/stats/moments.h"

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
        image[i] = hs_compare_spaced(a->n, n, i);
    }
    for (size_t i = 0; i < S; i++) {
        k[i] = hs_compare_spaced(a->S, S, i);
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
