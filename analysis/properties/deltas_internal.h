/* What the files behind deltas.h share. */
#ifndef HS_PROPERTIES_DELTAS_INTERNAL_H
#define HS_PROPERTIES_DELTAS_INTERNAL_H

#include "analysis/properties/deltas.h"

enum { HS_DELTAS_TOGETHER = 8 };

/* How many neighbouring images a unit takes at a time, of n images; up to HS_DELTAS_TOGETHER. */
size_t hs_deltas_together(const hs_deltas *x, size_t n);

/* Fills the sums of x, all 0, from one pass over the source; x->units may keep units without an image. */
HS_CHECKED int hs_deltas_read(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x);

/* |mean_k D_k|^2 of an image (S, d), NaN where it isn't finite; norm2 (S) <- |D_k|^2, sum (d) <- over steps. */
double hs_deltas_measure(size_t S, size_t d, const float *v, double *norm2, double *sum);

/* Adds step k of `rows` images, one after another from v on, to a unit; norm2: of each, x->S apart. */
void hs_deltas_add_step(hs_deltas *x, size_t unit, size_t k, size_t rows, const float *v, const double *norm2);

#endif
