/* Products of a centred X (n, d) with itself, streamed, in double. */
#ifndef HS_GEOM_GRAM_H
#define HS_GEOM_GRAM_H

#include "core/geom/rows.h"

/* K (n, n) <- X Xᵀ, C (d, d) <- XᵀX, both triangles, X = (rows - means) * c->scale.
 *
 * Cost n² d flops either way.  The Gram matrix reads the rows about n d / 2^25 times over, and holds 64 MiB of
 * them beside K; the covariance reads them once.  By the team of c, every rank of which gets the
 * whole; the same bits for every number of threads and ranks.
 * HS_ENOMEM, HS_ELIMIT, HS_ESTOPPED, or what reading fails with. */
HS_CHECKED int hs_gram(const hs_centring *c, const hs_progress *progress, double *K);
HS_CHECKED int hs_covariance(const hs_centring *c, const hs_progress *progress, double *C);

/* Bytes of scratch of each, without the result. */
HS_CHECKED int hs_gram_bytes(size_t d, size_t *bytes);
HS_CHECKED int hs_covariance_bytes(size_t d, size_t *bytes);

#endif
