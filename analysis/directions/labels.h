/* Labels of samples: a table with a column an attribute and a row a sample, and the two groups they make.
 *
 * A column of zeros and ones groups by value; any other by its ends: the `ends` samples (0: the `fraction` of all) with
 * the largest values against as many with the smallest (equal values by sample). */
#ifndef HS_DIRECTIONS_LABELS_H
#define HS_DIRECTIONS_LABELS_H

#include <stddef.h>

#include "core/base/error.h"
#include "core/io/csv.h"

typedef struct {
    char name[64];
    double *value;      /* (n) */
    signed char *side;  /* (n) +1, -1, or 0: in neither group */
    size_t plus, minus; /* how many */
    char rule[64];      /* in words */
} hs_labels;

/* *out <- column `attribute` of a table of exactly n rows, row i that of sample i.  HS_ESHAPE: another number of
 * rows; HS_EFORMAT: no such column, or a cell that isn't a finite number (both named); HS_ERANGE: fraction outside
 * (0, 0.5], ends above n / 2; HS_EDEGENERATE: all samples are of one group. */
HS_CHECKED int hs_labels_of(const hs_csv *table, const char *attribute, size_t n, double fraction, size_t ends,
                            hs_labels *out);
/* value (n) <- the column, as numbers; *binary <- whether all are 0 or 1.  Errors as above, but HS_ERANGE and
 * HS_EDEGENERATE. */
HS_CHECKED int hs_labels_column(const hs_csv *table, const char *attribute, size_t n, double *value, int *binary);
void hs_labels_free(hs_labels *l);

#endif
