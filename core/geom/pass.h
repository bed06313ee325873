/* One read of centred rows X gives XᵀX V and (X V)ᵀ(X V): the pass that PCA's iterations are made of. */
#ifndef HS_GEOM_PASS_H
#define HS_GEOM_PASS_H

#include "core/geom/rows.h"

typedef struct hs_pass hs_pass;

/* *out <- scratch for passes of up to k vectors; c is borrowed. */
HS_CHECKED int hs_pass_new(const hs_centring *c, size_t k, const hs_progress *progress, hs_pass **out);
void hs_pass_free(hs_pass *s);
HS_CHECKED int hs_pass_bytes(size_t d, size_t k, size_t *bytes);

/* Z (k, d) <- XᵀX applied to the rows of V (k, d), G (k, k) <- ⟨X v_i, X v_j⟩, X = (rows - means) * c->scale.
 * Products in float32, summed in double over tiles of rows and chunks of columns, at fixed borders, by the team of c.
 * ctx is the hs_pass: the signature is hs_normal_op's.  HS_ERANGE for more vectors than scratch;
 * HS_ESTOPPED; or what reading fails with. */
HS_CHECKED int hs_pass_apply(void *ctx, size_t k, const float *V, double *Z, double *G);

/* |X|²_F of the last pass (scaled as X is). */
double hs_pass_energy(const hs_pass *s);

#endif
