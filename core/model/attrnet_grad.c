/* The attribute network's derivatives, at the images of the last forward. */
#include "core/base/alloc.h"
#include "core/model/attrnet_net.h"
#include "core/nn/linear.h"
#include "core/tensor/layout.h"

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t pixels(const hs_attr_unit *u)
{
    return u->out_side * u->out_side;
}

int hs_attr_plan_grads(hs_attrnet_ws *ws, hs_conv_mode mode, size_t *scratch)
{
    const hs_attrnet *a = ws->a;
    size_t most = 3 * a->cfg.image_size * a->cfg.image_size, bytes = 0;
    int rc = HS_OK;
    for (size_t i = 0; i < a->at.n_units; i++) {
        const hs_attr_unit *u = &a->at.unit[i];
        const hs_groupnorm gn = hs_attr_norm(a, i);
        most = larger(most, pixels(u) * u->shape.out_ch);
        HS_TRY(hs_conv_plan_vjp(ws->conv[i], mode, ws->n, &bytes));
        *scratch = larger(*scratch, bytes);
        HS_TRY(hs_conv_plan_vjp_weights(ws->conv[i], mode, ws->n, &bytes));
        *scratch = larger(*scratch, bytes);
        *scratch = larger(*scratch, hs_groupnorm_vjp_scratch(&gn, ws->n, u->shape.out_ch));
    }
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, most * sizeof(float), &ws->d[0]));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, most * sizeof(float), &ws->d[1]));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, a->at.flat * sizeof(float), &ws->dflat));
    HS_TRY(hs_arena_alloc(&ws->arena, ws->n, a->cfg.features * sizeof(float), &ws->dz));
out:
    return rc;
}

/* Derivatives are asked for where forward was. */
HS_CHECKED static int ready(const hs_attrnet_ws *ws, size_t n)
{
    if (!ws->grads) {
        return hs_fail(HS_EBUG, "the workspace was made without derivatives");
    }
    if (n == 0 || n != ws->last) {
        return hs_fail(HS_ERANGE, "derivatives at %zu images; the last forward had %zu", n, ws->last);
    }
    return HS_OK;
}

static hs_groupnorm_at norm_state(const hs_attrnet_ws *ws, size_t i)
{
    const hs_attr_unit *u = &ws->a->at.unit[i];
    return (hs_groupnorm_at){.hw = pixels(u), .c = u->shape.out_ch, .x = ws->pre[i], .stats = ws->stats[i]};
}

int hs_attrnet_jvp(hs_attrnet_ws *ws, size_t n, const float *dx, float *dout)
{
    const hs_attrnet *a = ws->a;
    const hs_attr_layout *at = &a->at;
    const hs_attr_unit *u = at->unit;
    size_t F = a->cfg.features;
    int rc = HS_OK;
    HS_TRY(ready(ws, n));
    hs_nchw_to_nhwc(n, 3, a->cfg.image_size * a->cfg.image_size, dx, ws->d[0]);
    for (size_t i = 0; i < at->n_units; i++, u++) {
        float *d = ws->d[i % 2], *e = ws->d[1 - i % 2];
        const hs_groupnorm gn = hs_attr_norm(a, i);
        const hs_groupnorm_at p = norm_state(ws, i);
        HS_TRY(hs_conv_jvp(ws->conv[i], n, u->side, u->side, d, NULL, NULL, e, ws->scratch));
        hs_groupnorm_jvp(&gn, &p, n, NULL, e, NULL, NULL, NULL, 0, e);
    }
    u--;
    hs_nhwc_to_nchw(n, u->shape.out_ch, pixels(u), ws->d[at->n_units % 2], ws->dflat);
    hs_linear_forward(n, at->flat, F, ws->dflat, a->theta + at->feat_w, NULL, ws->dz);
    hs_silu_jvp(n * F, ws->z, ws->dz, ws->dz);
    hs_linear_forward(n, F, a->cfg.n_factors, ws->dz, a->theta + at->head_w, NULL, dout);
out:
    return rc;
}

/* d[0] <- the cotangent of the last map, from that of the answers; grad NULL: parameters aren't asked for. */
static void pull_dense(hs_attrnet_ws *ws, size_t n, const float *dout, float *grad)
{
    const hs_attrnet *a = ws->a;
    const hs_attr_layout *at = &a->at;
    const hs_attr_unit *u = &at->unit[at->n_units - 1];
    size_t F = a->cfg.features, K = a->cfg.n_factors;
    if (grad != NULL) {
        hs_linear_vjp_weights(n, F, K, ws->f, dout, grad + at->head_w, grad + at->head_b);
    }
    hs_linear_vjp(n, F, K, a->theta + at->head_w, dout, ws->dz);
    hs_silu_jvp(n * F, ws->z, ws->dz, ws->dz);
    if (grad != NULL) {
        hs_linear_vjp_weights(n, at->flat, F, ws->flat, ws->dz, grad + at->feat_w, grad + at->feat_b);
    }
    hs_linear_vjp(n, at->flat, F, a->theta + at->feat_w, ws->dz, ws->dflat);
    hs_nchw_to_nhwc(n, u->shape.out_ch, pixels(u), ws->dflat, ws->d[0]);
}

/* Back through one unit, d -> e (NULL: its input isn't asked for). */
HS_CHECKED static int pull_unit(hs_attrnet_ws *ws, size_t i, size_t n, float *d, float *e, float *grad)
{
    const hs_attr_unit *u = &ws->a->at.unit[i];
    const hs_groupnorm gn = hs_attr_norm(ws->a, i);
    const hs_groupnorm_at p = norm_state(ws, i);
    hs_groupnorm_grads g = {.dx = d};
    int rc = HS_OK;
    if (grad != NULL) {
        g.dgamma = grad + u->gamma;
        g.dbeta = grad + u->beta;
    }
    hs_groupnorm_vjp(&gn, &p, n, NULL, d, &g, ws->scratch);
    if (grad != NULL) {
        HS_TRY(hs_conv_vjp_weights(ws->conv[i], n, u->side, u->side, i > 0 ? ws->act[i - 1] : ws->x, d,
                                   grad + u->weight, grad + u->bias, NULL, ws->scratch));
    }
    if (e != NULL) {
        HS_TRY(hs_conv_vjp(ws->conv[i], n, u->side, u->side, d, NULL, e, ws->scratch));
    }
out:
    return rc;
}

/* Back through everything; *last: the buffer that the cotangent of the image went to (want_x). */
HS_CHECKED static int pull(hs_attrnet_ws *ws, size_t n, const float *dout, float *grad, int want_x, float **last)
{
    float *d = ws->d[0], *e = ws->d[1];
    int rc = HS_OK;
    HS_TRY(ready(ws, n));
    pull_dense(ws, n, dout, grad);
    for (size_t i = ws->a->at.n_units; i-- > 0;) {
        HS_TRY(pull_unit(ws, i, n, d, i > 0 || want_x ? e : NULL, grad));
        float *t = d;
        d = e;
        e = t;
    }
    *last = d;
out:
    return rc;
}

int hs_attrnet_vjp(hs_attrnet_ws *ws, size_t n, const float *dout, float *dx)
{
    float *d = NULL;
    int rc = HS_OK;
    HS_TRY(pull(ws, n, dout, NULL, 1, &d));
    hs_nhwc_to_nchw(n, 3, ws->a->cfg.image_size * ws->a->cfg.image_size, d, dx);
out:
    return rc;
}

int hs_attrnet_backward(hs_attrnet_ws *ws, size_t n, const float *dout, float *grad)
{
    float *unused = NULL;
    return pull(ws, n, dout, grad, 0, &unused);
}
