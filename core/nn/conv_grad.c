/* The convolution's adjoint, and what every gradient of its weights shares. */
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/linalg/sgemm.h"
#include "core/nn/conv_impl.h"

void hs_conv_release_grad(hs_conv *c)
{
    hs_conv_free(c->adjoint);
    free(c->turned);
    c->adjoint = NULL;
    c->turned = NULL;
    c->dw = NULL;
    c->vjp_n = c->dw_n = 0;
}

/* The adjoint's weights.  Stride 1: (i, o, ky, kx), the kernel turned by 180 degrees, which a
 * convolution reads.  Else (o, ky, kx, i), so that one product gives every output's patch. */
static void turn(hs_conv *c)
{
    const hs_conv_shape *s = &c->shape;
    size_t taps = s->kernel * s->kernel, in = s->in_ch, out = s->out_ch;
    if (s->stride == 1) {
#pragma omp parallel for schedule(static)
        for (size_t k = 0; k < in * out; k++) { /* written in order */
            const float *from = c->weight + (k % out * in + k / out) * taps;
            for (size_t t = 0; t < taps; t++) {
                c->turned[k * taps + taps - 1 - t] = from[t];
            }
        }
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < out * taps; k++) {
        const float *from = c->weight + k / taps * in * taps + k % taps;
        for (size_t i = 0; i < in; i++) {
            c->turned[k * in + i] = from[i * taps];
        }
    }
}

int hs_conv_refresh_grad(hs_conv *c)
{
    if (c->turned != NULL) {
        turn(c);
    }
    return c->adjoint != NULL ? hs_conv_refresh(c->adjoint) : HS_OK;
}

/* Images whose patches are held at once. */
static size_t images_at_once(const hs_conv *c, size_t n)
{
    size_t pixels = hs_conv_out_h(c, c->h) * hs_conv_out_w(c, c->w);
    size_t most = hs_conv_rows_at_once(&c->shape, n * pixels) / pixels;
    return most > 0 ? most : 1;
}

static int plan_adjoint(hs_conv *c, hs_conv_mode mode, size_t n, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    size_t oh = hs_conv_out_h(c, c->h), ow = hs_conv_out_w(c, c->w), last = s->kernel - 1;
    if (s->stride == 1) {
        hs_conv_shape turned = {
            s->out_ch,          s->in_ch, s->kernel, 1, last - s->pad_top, last - s->pad_left, last - s->pad_bottom,
            last - s->pad_right};
        int rc = hs_conv_create(turned, c->turned, NULL, &c->adjoint);
        return rc == HS_OK ? hs_conv_plan(c->adjoint, mode, n, oh, ow, scratch_bytes) : rc;
    }
    const uint64_t dims[5] = {images_at_once(c, n), oh * ow, s->kernel * s->kernel, s->in_ch, sizeof(float)};
    return hs_size_product(5, dims, scratch_bytes);
}

static int check_plan(const hs_conv *c, size_t n)
{
    if (c->backend == NULL) {
        return hs_fail(HS_EBUG, "convolution: its derivatives planned before itself");
    }
    if (n == 0 || n > c->n) {
        return hs_fail(HS_ESHAPE, "convolution: derivatives of %zu images, planned for %zu", n, c->n);
    }
    return HS_OK;
}

int hs_conv_plan_vjp(hs_conv *c, hs_conv_mode mode, size_t n, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    const uint64_t dims[4] = {s->out_ch, s->in_ch, s->kernel, s->kernel};
    size_t weights;
    int rc = HS_OK;
    HS_TRY(check_plan(c, n));
    hs_conv_free(c->adjoint);
    free(c->turned);
    c->adjoint = NULL;
    c->turned = NULL;
    c->vjp_n = 0;
    HS_TRY(hs_size_product(4, dims, &weights));
    HS_TRY(hs_alloc(weights, sizeof(float), &c->turned));
    turn(c);
    HS_TRY(plan_adjoint(c, mode, n, scratch_bytes));
    c->vjp_n = n;
out:
    return rc;
}

HS_SIMD static void add_to(size_t n, const float *x, float *sum)
{
    for (size_t j = 0; j < n; j++) {
        sum[j] += x[j];
    }
}

/* dx of input pixel (y, x): the sum of those entries of the image's patches (oh, ow, taps, in_ch)
 * that lie over it. */
static void collect(const hs_conv *c, const float *patches, size_t y, size_t x, float *dx)
{
    const hs_conv_shape *s = &c->shape;
    size_t oh = hs_conv_out_h(c, c->h), ow = hs_conv_out_w(c, c->w), k = s->kernel;
    for (size_t ky = 0; ky < k; ky++) {
        /* Unsigned: before the first output wraps to a huge coordinate. */
        size_t top = y + s->pad_top - ky, oy = top / s->stride;
        if (top % s->stride != 0 || oy >= oh) {
            continue;
        }
        for (size_t kx = 0; kx < k; kx++) {
            size_t left = x + s->pad_left - kx, ox = left / s->stride;
            if (left % s->stride == 0 && ox < ow) {
                add_to(s->in_ch, patches + (((oy * ow + ox) * k + ky) * k + kx) * s->in_ch, dx);
            }
        }
    }
}

static void scatter(const hs_conv *c, size_t n, const float *dy, const float *residual, float *dx, float *patches)
{
    const hs_conv_shape *s = &c->shape;
    size_t outs = hs_conv_out_h(c, c->h) * hs_conv_out_w(c, c->w), patch = s->kernel * s->kernel * s->in_ch;
    size_t pixels = c->h * c->w, block = images_at_once(c, c->vjp_n), in = s->in_ch;
    for (size_t first = 0; first < n; first += block) {
        size_t now = n - first < block ? n - first : block;
        hs_sgemm(0, 0, now * outs, patch, s->out_ch, 1, dy + first * outs * s->out_ch, s->out_ch, c->turned, patch, 0,
                 patches, patch);
#pragma omp parallel for schedule(static)
        for (size_t p = 0; p < now * pixels; p++) {
            size_t at = (first * pixels + p) * in;
            if (residual == NULL) {
                memset(dx + at, 0, in * sizeof *dx);
            } else if (residual != dx) {
                memcpy(dx + at, residual + at, in * sizeof *dx);
            }
            collect(c, patches + p / pixels * outs * patch, p % pixels / c->w, p % c->w, dx + at);
        }
    }
}

int hs_conv_vjp(const hs_conv *c, size_t n, size_t h, size_t w, const float *dy, const float *residual, float *dx,
                void *scratch)
{
    int rc = HS_OK;
    HS_TRY(hs_conv_check(c, c->vjp_n, n, h, w));
    if (c->adjoint != NULL) {
        size_t oh = hs_conv_out_h(c, h), ow = hs_conv_out_w(c, w);
        HS_TRY(hs_conv_forward(c->adjoint, n, oh, ow, dy, NULL, residual, dx, scratch));
    } else {
        scatter(c, n, dy, residual, dx, scratch);
    }
out:
    return rc;
}

int hs_conv_plan_weights_with(hs_conv *c, const hs_conv_weight_backend *backend, size_t n, size_t *scratch_bytes)
{
    int rc = HS_OK;
    size_t sums, bytes;
    HS_TRY(check_plan(c, n));
    c->dw_n = 0;
    HS_TRY(backend->plan(c, n, &bytes));
    HS_TRY(hs_size_mul(n * sizeof(float), c->shape.out_ch, &sums)); /* dadd, where the caller wants none */
    *scratch_bytes = bytes > sums ? bytes : sums;
    c->dw = backend;
    c->dw_n = n;
out:
    return rc;
}

int hs_conv_plan_vjp_weights(hs_conv *c, hs_conv_mode mode, size_t n, size_t *scratch_bytes)
{
    return hs_conv_plan_weights_with(c, hs_conv_select_weight(c, mode), n, scratch_bytes);
}

/* sum (out_ch) <- the sum of dy over one image, in rows of the map first, to lose less. */
static void sum_image(size_t oh, size_t ow, size_t out, const float *dy, float *sum)
{
    enum { SPAN = 64 };
    for (size_t j = 0; j < out; j += SPAN) {
        float row[SPAN];
        size_t now = out - j < SPAN ? out - j : SPAN;
        memset(sum + j, 0, now * sizeof *sum);
        for (size_t y = 0; y < oh; y++) {
            memset(row, 0, sizeof row);
            for (size_t x = 0; x < ow; x++) {
                add_to(now, dy + (y * ow + x) * out + j, row);
            }
            add_to(now, row, sum + j);
        }
    }
}

int hs_conv_vjp_weights(const hs_conv *c, size_t n, size_t h, size_t w, const float *x, const float *dy, float *dweight,
                        float *dbias, float *dadd, void *scratch)
{
    size_t oh = hs_conv_out_h(c, h), ow = hs_conv_out_w(c, w), out = c->shape.out_ch;
    float *sums = dadd != NULL ? dadd : scratch;
    int rc = HS_OK;
    HS_TRY(hs_conv_check(c, c->dw_n, n, h, w));
    if (dbias != NULL || dadd != NULL) {
#pragma omp parallel for schedule(static)
        for (size_t i = 0; i < n; i++) {
            sum_image(oh, ow, out, dy + i * oh * ow * out, sums + i * out);
        }
    }
    for (size_t o = 0; dbias != NULL && o < out; o++) {
        double total = 0;
        for (size_t i = 0; i < n; i++) {
            total += (double)sums[i * out + o];
        }
        dbias[o] += (float)total;
    }
    HS_TRY(c->dw->run(c, &(hs_conv_weight_args){n, h, w, x, dy, dweight, scratch}));
out:
    return rc;
}
