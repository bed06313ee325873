/* What hspace similarity compares, and how. */
#ifndef HS_CLI_SIMILARITY_H
#define HS_CLI_SIMILARITY_H

#include "analysis/cli/common.h"
#include "analysis/directions/direction.h"
#include "core/geom/rows.h"
#include "core/io/store.h"
#include "core/tensor/view.h"

/* One side: n rows of d features at each of S timesteps.  Of a direction n is 1; an array (n, d) has
 * one timestep, which is not known (t NULL). */
typedef struct {
    size_t n, S, d;
    const int *t;
    hs_store *store;
    hs_direction dir;
    hs_array array;
} hs_side;

/* Opens FILE.h5[:NAME] (store or direction) or an array of rank 2 and more (first dimension: rows) or 1. */
HS_CHECKED int hs_side_open(hs_cmd *c, const char *spec, hs_side *out);
void hs_side_free(hs_side *s);
/* out (n, d) <- the rows at timestep index k. */
HS_CHECKED int hs_side_read(const hs_side *s, size_t k, float *out);

/* Rows first, first + every, ... of a side at timestep index k, read when they are asked for. */
typedef struct {
    const hs_side *side;
    size_t k, first, every;
} hs_side_part;
hs_rows hs_side_rows(hs_side_part *part); /* *part must outlive it */

/* *value <- the metric's number for rows of the same images; estimates are appended to statistics.  What is
 * undefined is NaN with its reason there, and HS_OK.
 *   cosine      mean over rows of cos(a_i, b_i)
 *   cka         debiased, with the biased one beside it: hs_similarity_cka
 *   cca         mean canonical correlation (of the components that keep --keep of the variance)
 *   svcca       the same of the components that keep 99 %
 *   pwcca       weighted by how much of A each variate explains
 *   procrustes  sum of the singular values of A^T B, both centred and of unit norm
 *   rsa         Spearman correlation of the images' squared distances */
HS_CHECKED int hs_similarity(hs_cmd *c, hs_mat A, hs_mat B, json_t *statistics, double *value);
/* cka, of rows that need not fit in memory. */
HS_CHECKED int hs_similarity_cka(hs_cmd *c, const hs_rows *A, const hs_rows *B, json_t *statistics, double *value);

#endif
