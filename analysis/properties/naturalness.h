/* Naturalness: whether edited images still look like the model's own, by the features of a perceptual network.
 *
 * The distance of an image is Mahalanobis' in `feat`, from the shrunk Gaussian of clean images that it has no part in:
 * given ones, else, where the sweep's own unedited images must serve, those of the other half (images of even and of
 * odd index judge each other), so that an edited image and its unedited self are judged alike.
 * The limit is the 95th percentile of the unedited images' distances.  A strength is natural while the median distance
 * of its images is at most the limit; low ... high is the largest run of natural strengths around 0, and reach the
 * largest magnitude up to which all are natural.
 *
 * A read-out alone is foolable: an optimised dh can score anything while it destroys the image. */
#ifndef HS_PROPERTIES_NATURALNESS_H
#define HS_PROPERTIES_NATURALNESS_H

#include <stddef.h>

#include "core/base/error.h"

typedef struct {
    size_t n, m;
    double *distance;         /* (n, m) */
    double *median, *outside; /* (m): of the distances; share of the images beyond the limit */
    double limit;
    double low, high, reach;
} hs_naturalness;

/* *out <- of feat (n, m, F) at strengths (m) in any order, 0 among them (HS_ERANGE otherwise); clean (n_clean, F), or
 * NULL and 0.  HS_EDEGENERATE: fewer than 8 clean images (16 of the sweep where they must serve), or features that
 * don't vary. */
HS_CHECKED int hs_naturalness_measure(size_t n, size_t m, const double *strength, size_t F, const float *feat,
                                      size_t n_clean, const float *clean, hs_naturalness *out);
void hs_naturalness_free(hs_naturalness *a);

#endif
