#include <math.h>

#include "core/model/unet_grad_impl.h"

static int through_x(hs_unet_map map)
{
    return map == HS_MAP_EPS_X || map == HS_MAP_X0HAT_X;
}

/* y <- the map of x for at most g->rows rows, before what x0hat adds. */
static int forward(const hs_unet_jacobian *j, size_t rows, const size_t *state, const float *x, float *y, float *h)
{
    int rc = HS_OK;
    if (j->map == HS_MAP_H_X) {
        return hs_unet_jvp_encode(j->g, rows, state, x, y);
    }
    if (through_x(j->map)) {
        HS_TRY(hs_unet_jvp_encode(j->g, rows, state, x, h));
        return hs_unet_jvp_decode(j->g, rows, state, HS_SKIPS_CARRIED, h, y);
    }
    HS_TRY(hs_unet_jvp_decode(j->g, rows, state, HS_SKIPS_FIXED, x, y));
out:
    return rc;
}

static int adjoint(const hs_unet_jacobian *j, size_t rows, const size_t *state, const float *y, float *x, float *h)
{
    int rc = HS_OK;
    if (j->map == HS_MAP_H_X) {
        return hs_unet_vjp_encode(j->g, rows, state, HS_SKIPS_FIXED, y, x);
    }
    if (through_x(j->map)) {
        HS_TRY(hs_unet_vjp_decode(j->g, rows, state, HS_SKIPS_CARRIED, y, h));
        return hs_unet_vjp_encode(j->g, rows, state, HS_SKIPS_CARRIED, h, x);
    }
    HS_TRY(hs_unet_vjp_decode(j->g, rows, state, HS_SKIPS_FIXED, y, x));
out:
    return rc;
}

/* v <- (same - sqrt(1 - ab) v) / sqrt(ab): from the derivative of eps to that of x0hat; same NULL: 0. */
static void to_x0hat(double alpha_bar, size_t n, const float *same, float *v)
{
    double root = sqrt(alpha_bar), noise = sqrt(1 - alpha_bar);
    for (size_t i = 0; i < n; i++) {
        v[i] = (float)(((same != NULL ? (double)same[i] : 0) - noise * (double)v[i]) / root);
    }
}

typedef int (*product)(const hs_unet_jacobian *j, size_t rows, const size_t *state, const float *in, float *out,
                       float *h);

/* k rows in batches of what g has room for. */
static int apply_all(const hs_unet_jacobian *j, product one, size_t k, size_t d_in, size_t d_out, const float *in,
                     float *out)
{
    size_t most = j->g->rows, *state = j->g->state_of_rows;
    int rc = HS_OK;
    for (size_t i = 0; i < most; i++) {
        state[i] = j->state;
    }
    for (size_t first = 0; first < k; first += most) {
        size_t rows = k - first < most ? k - first : most;
        const float *x = in + first * d_in;
        float *y = out + first * d_out;
        HS_TRY(one(j, rows, state, x, y, j->g->h));
        if (j->map == HS_MAP_X0HAT_H || j->map == HS_MAP_X0HAT_X) {
            to_x0hat(j->alpha_bar, rows * d_out, j->map == HS_MAP_X0HAT_X ? x : NULL, y);
        }
    }
out:
    return rc;
}

static void shape(const hs_unet_jacobian *j, size_t *m, size_t *n)
{
    const hs_unet_config *cfg = &j->g->u->cfg;
    size_t d_x = hs_chw_size(hs_unet_image_shape(cfg)), d_h = hs_chw_size(hs_unet_h_shape(cfg));
    *m = j->map == HS_MAP_H_X ? d_h : d_x;
    *n = j->map == HS_MAP_EPS_H || j->map == HS_MAP_X0HAT_H ? d_h : d_x;
}

static int apply(void *ctx, size_t k, const float *X, float *Y)
{
    const hs_unet_jacobian *j = ctx;
    size_t m, n;
    shape(j, &m, &n);
    return apply_all(j, forward, k, n, m, X, Y);
}

static int apply_adjoint(void *ctx, size_t k, const float *Y, float *X)
{
    const hs_unet_jacobian *j = ctx;
    size_t m, n;
    shape(j, &m, &n);
    return apply_all(j, adjoint, k, m, n, Y, X);
}

hs_linop hs_unet_linop(hs_unet_jacobian *j)
{
    hs_linop op = {.apply = apply, .apply_adjoint = apply_adjoint, .ctx = j};
    shape(j, &op.m, &op.n);
    return op;
}
