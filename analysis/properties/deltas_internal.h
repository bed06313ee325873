/* What the files behind deltas.h share. */
#ifndef HS_PROPERTIES_DELTAS_INTERNAL_H
#define HS_PROPERTIES_DELTAS_INTERNAL_H

#include "analysis/properties/deltas.h"

enum { HS_DELTAS_TOGETHER = 8 };

/* How many neighbouring images a unit takes at a time, of n images; up to HS_DELTAS_TOGETHER. */
size_t hs_deltas_together(const hs_deltas *x, size_t n);

/* Fills the sums of x, all 0, from one pass over the source; x->units may keep units without an image. */
HS_CHECKED int hs_deltas_read(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x);

/* The same where the source's rows are in memory: looked at once, while they are in the processor's cache.  *whole <-
 * 1; or 0, and x as it was, when an image is not finite, which shows only after some of it was added. */
HS_CHECKED int hs_deltas_look(const hs_deltas_source *s, const hs_progress *progress, hs_deltas *x, int *whole);

/* The first failure of a pass's threads: its message belongs to the thread. */
typedef struct {
    int rc;
    char message[512];
} hs_deltas_failure;
void hs_deltas_note(hs_deltas_failure *f, int rc); /* rc HS_OK, or after another failure: nothing */
int hs_deltas_failed(const hs_deltas_failure *f);
HS_CHECKED int hs_deltas_outcome(const hs_deltas_failure *f); /* after the threads */

/* |mean_k D_k|^2 of an image, from its |D_k|^2 (S) and its sum over steps (d); NaN: not finite. */
double hs_deltas_image_square(size_t S, size_t d, const double *norm2, const double *sum);

/* |v|^2, and v added to sum (d). */
double hs_deltas_square_and_add(size_t d, const float *restrict v, double *restrict sum);

/* Adds step k of `rows` images, one after another from v on, to a unit; norm2: of each, x->S apart. */
void hs_deltas_add_step(hs_deltas *x, size_t unit, size_t k, size_t rows, const float *v, const double *norm2);

#endif
