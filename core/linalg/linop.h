/* A linear operator known only by what it does to vectors: a Jacobian, or a matrix. */
#ifndef HS_LINALG_LINOP_H
#define HS_LINALG_LINOP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/tensor/view.h"

typedef struct {
    size_t m, n; /* A is m x n */
    /* Y (k, m) <- A applied to each of the k rows of X (k, n) */
    int (*apply)(void *ctx, size_t k, const float *X, float *Y);
    /* X (k, n) <- Aᵀ applied to each of the k rows of Y (k, m) */
    int (*apply_adjoint)(void *ctx, size_t k, const float *Y, float *X);
    void *ctx; /* the network, x_t, t; not owned */
} hs_linop;

/* The operator of a matrix; *A must outlive it.  Works on one thread, so with the same bits always;
 * fails as hs_gemm_f32. */
hs_linop hs_linop_dense(const hs_mat *A);

/* *worst <- max over probes of |⟨A x, y⟩ - ⟨x, Aᵀ y⟩| / (|A x| |y|), x and y normal (Philox, purpose
 * HS_RNG_TEST, seed): about 1e-7 for an adjoint that is one, above 1e-3 for one that isn't.  Where
 * A x = 0 the measure is |⟨x, Aᵀ y⟩| / (|x| |y|).  HS_ERANGE for probes = 0, HS_ENOMEM, or what A fails with. */
HS_CHECKED int hs_linop_adjoint_error(const hs_linop *A, size_t probes, uint64_t seed, double *worst);

#endif
