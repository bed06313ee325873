/* Convolution as one matrix product: rows of gathered patches times the kernel.  The plain way,
 * always built; a 1x1 convolution of stride 1 needs no gathering. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/sgemm.h"
#include "core/nn/conv_impl.h"

enum { PATCH_BYTES = 8 << 20 }; /* of gathered patches at once */

static int is_plain_product(const hs_conv_shape *s)
{
    return s->kernel == 1 && s->stride == 1 && s->pad_top + s->pad_left + s->pad_bottom + s->pad_right == 0;
}

/* Weights (o, i, ky, kx) -> (ky, kx, i, o), the order in which patches are gathered. */
static void reorder(const hs_conv_shape *s, const float *w, float *out)
{
    size_t taps = s->kernel * s->kernel;
    for (size_t o = 0; o < s->out_ch; o++) {
        for (size_t i = 0; i < s->in_ch; i++) {
            for (size_t t = 0; t < taps; t++) {
                out[(t * s->in_ch + i) * s->out_ch + o] = w[(o * s->in_ch + i) * taps + t];
            }
        }
    }
}

size_t hs_conv_rows_at_once(const hs_conv_shape *s, size_t rows)
{
    size_t most = PATCH_BYTES / (s->kernel * s->kernel * s->in_ch * sizeof(float));
    most = most < 16 ? 16 : most;
    return rows < most ? rows : most;
}

static int plan(hs_conv *c, size_t n, size_t h, size_t w, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    size_t taps = s->kernel * s->kernel, rows, weights;
    const uint64_t out_dims[3] = {n, hs_conv_out_h(c, h), hs_conv_out_w(c, w)};
    const uint64_t weight_dims[3] = {taps, s->in_ch, s->out_ch};
    float *reordered = NULL;
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, out_dims, &rows));
    HS_TRY(hs_size_product(3, weight_dims, &weights));
    if (is_plain_product(s)) {
        *scratch_bytes = 0;
        snprintf(c->algorithm, sizeof c->algorithm, "gemm1x1");
        goto out;
    }
    HS_TRY(hs_alloc(weights, sizeof(float), &reordered));
    reorder(s, c->weight, reordered);
    *scratch_bytes = hs_conv_rows_at_once(s, rows) * taps * s->in_ch * sizeof(float);
    snprintf(c->algorithm, sizeof c->algorithm, "im2col");
out:
    c->state = reordered;
    return rc;
}

static int refresh(hs_conv *c)
{
    if (c->state != NULL) {
        reorder(&c->shape, c->weight, c->state);
    }
    return HS_OK;
}

void hs_conv_gather(const hs_conv *c, const float *x, size_t r, float *patch)
{
    const hs_conv_shape *s = &c->shape;
    size_t oh = hs_conv_out_h(c, c->h), ow = hs_conv_out_w(c, c->w);
    size_t i = r / (oh * ow), top = r / ow % oh * s->stride, left = r % ow * s->stride;
    for (size_t ky = 0; ky < s->kernel; ky++) {
        for (size_t kx = 0; kx < s->kernel; kx++, patch += s->in_ch) {
            /* Unsigned: above or left of the map wraps to a huge coordinate. */
            size_t py = top + ky - s->pad_top, px = left + kx - s->pad_left;
            if (py < c->h && px < c->w) {
                memcpy(patch, x + ((i * c->h + py) * c->w + px) * s->in_ch, s->in_ch * sizeof *patch);
            } else {
                memset(patch, 0, s->in_ch * sizeof *patch);
            }
        }
    }
}

static void start_all(const hs_conv *c, const hs_conv_args *a, size_t pixels, size_t first, size_t rows)
{
#pragma omp parallel for schedule(static)
    for (size_t r = first; r < first + rows; r++) {
        hs_conv_start_rows(c, a, pixels, r, 1);
    }
}

static int forward(const hs_conv *c, const hs_conv_args *a)
{
    const hs_conv_shape *s = &c->shape;
    size_t oh = hs_conv_out_h(c, a->h), ow = hs_conv_out_w(c, a->w), rows = a->n * oh * ow;
    size_t k = s->kernel * s->kernel * s->in_ch, out = s->out_ch;
    if (is_plain_product(s)) {
        start_all(c, a, oh * ow, 0, rows);
        hs_sgemm(0, 1, rows, out, k, 1, a->x, k, c->weight, k, 1, a->y, out);
        return HS_OK;
    }
    size_t block = hs_conv_rows_at_once(s, c->n * oh * ow);
    for (size_t first = 0; first < rows; first += block) {
        size_t now = rows - first < block ? rows - first : block;
        float *patches = a->scratch;
#pragma omp parallel for schedule(static)
        for (size_t r = 0; r < now; r++) {
            hs_conv_gather(c, a->x, first + r, patches + r * k);
        }
        start_all(c, a, oh * ow, first, now);
        hs_sgemm(0, 0, now, out, k, 1, patches, k, c->state, out, 1, a->y + first * out, out);
    }
    return HS_OK;
}

const hs_conv_backend hs_conv_im2col = {plan, forward, refresh, free};
