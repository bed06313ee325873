/* The order that puts like beside like: leaves of the tree of average linkage. */
#ifndef HS_COMPARE_ORDER_H
#define HS_COMPARE_ORDER_H

#include <stddef.h>

#include "core/base/error.h"

/* order (n) <- of a symmetric similarity (n, n), NaN taken for the least: the two clusters of the largest mean
 * similarity are joined until one is left (UPGMA), turned so that the ends that meet are the more alike; the leaf 0
 * stands in the first half.  Ties: the lower indices.  Cost n³ (n up to hundreds).  HS_ENOMEM. */
HS_CHECKED int hs_cluster_order(size_t n, const double *similarity, size_t *order);

#endif
