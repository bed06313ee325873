/* Deltas for tests: from an array, planted, and those of the reference numbers. */
#ifndef HS_TESTS_DELTA_SAMPLE_H
#define HS_TESTS_DELTA_SAMPLE_H

#include <stdint.h>

#include "analysis/properties/deltas.h"

/* The reduction of v (n, S, d); t (S) or NULL. */
hs_deltas deltas_of(size_t n, size_t S, size_t d, const int *t, const float *v);
/* The same with images pooled into 32 units. */
hs_deltas deltas_pooled(size_t n, size_t S, size_t d, const float *v);

/* The same without inner products of everything. */
hs_deltas deltas_by_sums(size_t n, size_t S, size_t d, const float *v);

/* D_ik = sqrt(g) e + sqrt(tau) e_k + noise, free(): unit orthogonal e, e_k that sum to 0 (S >= 2); noise of mean square
 * 1 - g - tau, a share `image` of it the same at all steps of an image.  Population: share_common_corrected g,
 * share_homogeneous_corrected g + tau. */
float *deltas_planted(size_t n, size_t S, size_t d, double g, double tau, double image, uint64_t seed);

/* Paired deltas of the reference numbers, free(): h of the i-th digit one less that of the i-th zero (n = 175), or
 * of ones in pairs (null; n = 100).  name: "charles" or "pulfer"; S = 3. */
float *deltas_golden(const char *name, int null, size_t *n, size_t *d);

#endif
