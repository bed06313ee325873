/* The Gram matrix of more images than memory holds it for: some of its rows at a time, from float32 products. */
#ifndef HS_GEOM_GRAM_STRIP_H
#define HS_GEOM_GRAM_STRIP_H

#include "core/geom/rows.h"

/* Room that strips are made in, of one side after the other. */
typedef struct hs_gram_strip hs_gram_strip;

/* *out <- room for strips of `rows` rows of d features at most; free with hs_gram_strip_free.  Made by as
 * many threads at most as OpenMP would use now.
 * 4 rows (1.02 d + 1024) bytes, three tiles of 64 MiB (of 512 rows where those are less), 0.2 MiB a thread.
 * HS_ENOMEM or HS_ELIMIT. */
HS_CHECKED int hs_gram_strip_new(size_t rows, size_t d, hs_gram_strip **out);
void hs_gram_strip_free(hs_gram_strip *g);

/* strip (count, n) <- rows first ... of K = X Xᵀ, X = c's rows centred and scaled, up to the diagonal: K_ij for j <= i;
 * what lies right of it is left as it was, or isn't K.  norm (n): K_ii of these rows, in double, at their places.
 * Products are summed in float32 over 4096 features, and in double over those: K within about 1e-6 of √(K_ii K_jj).
 * The same bits for every number of threads, and however rows are shared out between strips.
 * Reads rows 0 ... first + count - 1 once; count d (2 first + count) flops.  HS_ESTOPPED, or what reading fails with.
 */
HS_CHECKED int hs_gram_strip_make(hs_gram_strip *g, const hs_centring *c, size_t first, size_t count,
                                  const hs_progress *progress, float *strip, double *norm);

#endif
