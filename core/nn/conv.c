#include "core/nn/conv.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/nn/conv_impl.h"

int hs_conv_create(hs_conv_shape s, const float *weight, const float *bias, hs_conv **out)
{
    *out = NULL;
    if (s.in_ch == 0 || s.out_ch == 0 || (s.kernel != 1 && s.kernel != 3) || (s.stride != 1 && s.stride != 2) ||
        s.pad_top >= s.kernel || s.pad_left >= s.kernel || s.pad_bottom >= s.kernel || s.pad_right >= s.kernel) {
        return hs_fail(HS_ERANGE, "convolution: %zu -> %zu channels, kernel %zu, stride %zu isn't supported", s.in_ch,
                       s.out_ch, s.kernel, s.stride);
    }
    hs_conv *c;
    int rc = hs_calloc(1, sizeof *c, &c);
    if (rc == HS_OK) {
        c->shape = s;
        c->weight = weight;
        c->bias = bias;
        *out = c;
    }
    return rc;
}

static void release(hs_conv *c)
{
    hs_conv_release_grad(c);
    if (c->backend != NULL) {
        c->backend->release(c->state);
    }
    c->backend = NULL;
    c->state = NULL;
    c->algorithm[0] = '\0';
}

void hs_conv_free(hs_conv *c)
{
    if (c != NULL) {
        release(c);
        free(c);
    }
}

size_t hs_conv_out_h(const hs_conv *c, size_t h)
{
    return (h + c->shape.pad_top + c->shape.pad_bottom - c->shape.kernel) / c->shape.stride + 1;
}

size_t hs_conv_out_w(const hs_conv *c, size_t w)
{
    return (w + c->shape.pad_left + c->shape.pad_right - c->shape.kernel) / c->shape.stride + 1;
}

const char *hs_conv_algorithm(const hs_conv *c)
{
    return c->algorithm;
}

int hs_conv_plan_with(hs_conv *c, const hs_conv_backend *backend, size_t n, size_t h, size_t w, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    if (n == 0 || h + s->pad_top + s->pad_bottom < s->kernel || w + s->pad_left + s->pad_right < s->kernel) {
        return hs_fail(HS_ERANGE, "convolution: input %zu x %zu x %zu is smaller than its kernel", n, h, w);
    }
    release(c);
    c->threads = omp_get_max_threads();
    int rc = backend->plan(c, n, h, w, scratch_bytes);
    if (rc == HS_OK) {
        c->backend = backend;
        c->n = n;
        c->h = h;
        c->w = w;
    }
    return rc;
}

int hs_conv_plan(hs_conv *c, hs_conv_mode mode, size_t n, size_t h, size_t w, size_t *scratch_bytes)
{
    const hs_conv_backend *backend = hs_conv_select(c, mode, h, w);
    int rc = hs_conv_plan_with(c, backend, n, h, w, scratch_bytes);
    if (rc != HS_OK && rc != HS_ENOMEM && backend != &hs_conv_im2col) {
        rc = hs_conv_plan_with(c, &hs_conv_im2col, n, h, w, scratch_bytes); /* a shape its library lacks */
    }
    return rc;
}

int hs_conv_check(const hs_conv *c, size_t planned, size_t n, size_t h, size_t w)
{
    if (planned == 0) {
        return hs_fail(HS_EBUG, "convolution: called before its plan");
    }
    if (n > planned || h != c->h || w != c->w) {
        return hs_fail(HS_ESHAPE, "convolution: input %zu x %zu x %zu, planned for at most %zu of %zu x %zu", n, h, w,
                       planned, c->h, c->w);
    }
    return HS_OK;
}

static int forward(const hs_conv *c, const hs_conv_args *a)
{
    int rc = hs_conv_check(c, c->backend != NULL ? c->n : 0, a->n, a->h, a->w);
    return rc == HS_OK ? c->backend->forward(c, a) : rc;
}

int hs_conv_forward(const hs_conv *c, size_t n, size_t h, size_t w, const float *x, const float *add,
                    const float *residual, float *y, void *scratch)
{
    return forward(c, &(hs_conv_args){n, h, w, x, c->bias, add, residual, y, scratch});
}

int hs_conv_jvp(const hs_conv *c, size_t n, size_t h, size_t w, const float *dx, const float *dadd,
                const float *dresidual, float *dy, void *scratch)
{
    return forward(c, &(hs_conv_args){n, h, w, dx, NULL, dadd, dresidual, dy, scratch});
}

int hs_conv_refresh(hs_conv *c)
{
    int rc = c->backend != NULL ? c->backend->refresh(c) : HS_OK;
    return rc == HS_OK ? hs_conv_refresh_grad(c) : rc;
}

HS_SIMD static void start_row(size_t n, const float *bias, const float *add, const float *residual, float *y)
{
    for (size_t j = 0; j < n; j++) {
        y[j] = bias[j] + add[j] + residual[j];
    }
}

void hs_conv_start_rows(const hs_conv *c, const hs_conv_args *a, size_t pixels, size_t first, size_t rows)
{
    enum { SPAN = 256 };
    static const float zero[SPAN];
    size_t out = c->shape.out_ch;
    for (size_t r = first; r < first + rows; r++) {
        for (size_t j = 0; j < out; j += SPAN) {
            const float *bias = a->bias != NULL ? a->bias + j : zero;
            const float *add = a->add != NULL ? a->add + r / pixels * out + j : zero;
            const float *residual = a->residual != NULL ? a->residual + r * out + j : zero;
            start_row(out - j < SPAN ? out - j : SPAN, bias, add, residual, a->y + r * out + j);
        }
    }
}
