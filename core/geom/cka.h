/* Centred kernel alignment with the linear kernel, of two sets of activations of the SAME n images.
 *
 *     K = X Xᵀ, L = Y Yᵀ, X and Y column-centred
 *     biased    ⟨K, L⟩ / (|K| |L|)                                 (Kornblith et al., arXiv:1905.00414)
 *     debiased  U(K, L) / √(U(K, K) U(L, L)), with K̃ = K with a zero diagonal,
 *       U(K, L) = [tr(K̃ L̃) + (1ᵀK̃1)(1ᵀL̃1)/((n-1)(n-2)) - 2/(n-2) 1ᵀK̃L̃1] / (n(n-3))
 *                                                                   (Song et al., JMLR 13:1393, 2012)
 *
 * Both are unchanged by rotations and by rescaling of either space.  The biased one is near 1 for unrelated
 * activations with d >> n (1/(1 + n/d) for noise): never report it alone.  The debiased one is near 0 there, and
 * may be negative. */
#ifndef HS_GEOM_CKA_H
#define HS_GEOM_CKA_H

#include "core/geom/rows.h"

typedef struct {
    double debiased, biased;
    double hsic_xy, hsic_xx, hsic_yy; /* U; X and Y scaled by powers of two of their own */
    double jackknife_se; /* of debiased: √((n-1)/n Σ(θ_(i) - mean)²) over the n leave-one-out values; an interval is
                            debiased ± t_{n-1} se.  NaN for n = 4, and where leaving one image out makes a
                            normaliser <= 0 */
    double jackknife_mean; /* of the leave-one-out values */
    size_t n;
} hs_cka;

/* X and Y have as many rows, one group each.  In double, on products of the features (n > max(dx, dy)) where those take
 * 512 MiB at most, else, up to 2048 images, on Gram matrices; the two agree to rounding.  Above, Gram matrices are made
 * of float32 products, a panel of their rows at a time, and nothing of them is kept: the same to about 1e-6.  Same
 * bits for every thread count.
 * Cost O(n² (dx + dy)) or O(n (dx + dy)²); 8 (dx² + dy² + dx dy) or 16 n² bytes, or about 0.9 GiB at most, and 512 n.
 * HS_ESHAPE (different n, or groups), HS_EDEGENERATE (n < 4; a side without variance, or with U <= 0; a value that
 * isn't finite), HS_ENOMEM, HS_ESTOPPED, or what reading fails with. */
HS_CHECKED int hs_cka_linear(const hs_rows *X, const hs_rows *Y, const hs_progress *progress, hs_cka *out);

/* The same from the Gram matrices K and L (n, n) of column-centred data (both triangles). */
HS_CHECKED int hs_cka_gram(size_t n, const double *K, const double *L, hs_cka *out);

#endif
