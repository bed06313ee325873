/* oneDNN's direct convolution behind one shim: compiles with 2.x and 3.x, and to nothing without.
 *
 * Activations are (N, H, W, C); weights are reordered once at plan into the format oneDNN asks for.
 * A primitive is bound to its batch size, so each plan makes them for n images and for one; other
 * batches go image by image.  A second primitive of each size adds to what y holds, for residuals.
 * Scratch memory is the caller's: executing allocates no tensors. */
#ifdef HS_HAVE_DNNL

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/simd.h"
#include "core/nn/conv_impl.h"

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t descriptor;
typedef const_dnnl_memory_desc_t const_descriptor;
#define DESC(d) (d)
#else
typedef dnnl_memory_desc_t descriptor;
typedef const dnnl_memory_desc_t *const_descriptor;
#define DESC(d) (&(d))
#endif

/* HS_TRY for oneDNN's status. */
#define DNNL_TRY(call)                                                                                     \
    do {                                                                                                   \
        dnnl_status_t status_ = (call);                                                                    \
        if (status_ != dnnl_success) {                                                                     \
            rc = hs_fail(status_ == dnnl_out_of_memory ? HS_ENOMEM : HS_ERANGE, "oneDNN: status %d at %s", \
                         (int)status_, #call);                                                             \
            goto out;                                                                                      \
        }                                                                                                  \
    } while (0)

enum { STORE, ADD, KINDS };

/* The primitives for one batch size. */
typedef struct {
    size_t n;
    dnnl_primitive_t primitive[KINDS];
    dnnl_memory_t src, dst, scratchpad[KINDS];
} batch;

typedef struct {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_memory_t user_weights, weights, bias, no_bias;
    dnnl_primitive_t reorder; /* user_weights -> weights */
    float *weight_data, *zeros;
    batch batches[2];
    size_t scratch_bytes;
} shim;

static void destroy_descriptor(descriptor *d)
{
#if DNNL_VERSION_MAJOR >= 3
    dnnl_memory_desc_destroy(*d);
    *d = NULL;
#else
    (void)d;
#endif
}

static dnnl_status_t make_descriptor(int rank, const dnnl_dims_t dims, dnnl_format_tag_t tag, descriptor *d)
{
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_memory_desc_create_with_tag(d, rank, dims, dnnl_f32, tag);
#else
    return dnnl_memory_desc_init_by_tag(d, rank, dims, dnnl_f32, tag);
#endif
}

typedef struct {
    descriptor src, weights, bias, dst;
    int with_bias;
} descriptors;

static dnnl_status_t make_convolution(dnnl_engine_t engine, const hs_conv_shape *s, const descriptors *d,
                                      dnnl_primitive_attr_t attr, dnnl_primitive_desc_t *out)
{
    dnnl_dims_t strides = {(dnnl_dim_t)s->stride, (dnnl_dim_t)s->stride}, dilates = {0, 0};
    dnnl_dims_t before = {(dnnl_dim_t)s->pad_top, (dnnl_dim_t)s->pad_left};
    dnnl_dims_t after = {(dnnl_dim_t)s->pad_bottom, (dnnl_dim_t)s->pad_right};
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_inference, dnnl_convolution_direct,
                                                          d->src, d->weights, d->with_bias ? d->bias : NULL, d->dst,
                                                          strides, dilates, before, after, attr);
#else
    dnnl_convolution_desc_t c;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &c, dnnl_forward_inference, dnnl_convolution_direct, &d->src, &d->weights, d->with_bias ? &d->bias : NULL,
        &d->dst, strides, dilates, before, after);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &c, attr, engine, NULL) : status;
#endif
}

static void release(void *state)
{
    shim *m = state;
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        batch *b = &m->batches[i];
        for (int k = 0; k < KINDS; k++) {
            dnnl_primitive_destroy(b->primitive[k]);
            dnnl_memory_destroy(b->scratchpad[k]);
        }
        dnnl_memory_destroy(b->src);
        dnnl_memory_destroy(b->dst);
    }
    dnnl_primitive_destroy(m->reorder);
    dnnl_memory_destroy(m->user_weights);
    dnnl_memory_destroy(m->weights);
    dnnl_memory_destroy(m->bias);
    dnnl_memory_destroy(m->no_bias);
    dnnl_stream_destroy(m->stream);
    dnnl_engine_destroy(m->engine);
    free(m->weight_data);
    free(m->zeros);
    free(m);
}

static int reorder_weights(const shim *m)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, m->user_weights}, {DNNL_ARG_TO, m->weights}};
    int rc = HS_OK;
    DNNL_TRY(dnnl_primitive_execute(m->reorder, m->stream, 2, args));
    DNNL_TRY(dnnl_stream_wait(m->stream));
out:
    return rc;
}

/* The caller's weights (o, i, ky, kx) in the order that the primitive wants. */
static int make_weights(const hs_conv *c, shim *m, const_descriptor wanted)
{
    const hs_conv_shape *s = &c->shape;
    dnnl_dims_t dims = {(dnnl_dim_t)s->out_ch, (dnnl_dim_t)s->in_ch, (dnnl_dim_t)s->kernel, (dnnl_dim_t)s->kernel};
    dnnl_primitive_desc_t desc = NULL;
    descriptor plain = {0};
    float *user = (float *)(uintptr_t)c->weight; /* oneDNN takes no const handles; it only reads this one */
    int rc = HS_OK;
    DNNL_TRY(make_descriptor(4, dims, dnnl_oihw, &plain));
    DNNL_TRY(dnnl_memory_create(&m->user_weights, DESC(plain), m->engine, user));
    HS_TRY(hs_alloc(dnnl_memory_desc_get_size(wanted), 1, &m->weight_data));
    DNNL_TRY(dnnl_memory_create(&m->weights, wanted, m->engine, m->weight_data));
    DNNL_TRY(dnnl_reorder_primitive_desc_create(&desc, DESC(plain), m->engine, wanted, m->engine, NULL));
    DNNL_TRY(dnnl_primitive_create(&m->reorder, desc));
    HS_TRY(reorder_weights(m));
out:
    dnnl_primitive_desc_destroy(desc);
    destroy_descriptor(&plain);
    return rc;
}

static int make_attributes(int kind, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t ops = NULL;
    int rc = HS_OK;
    DNNL_TRY(dnnl_primitive_attr_create(attr));
    DNNL_TRY(dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user));
    if (kind == ADD) {
        DNNL_TRY(dnnl_post_ops_create(&ops));
#if DNNL_VERSION_MAJOR >= 3
        DNNL_TRY(dnnl_post_ops_append_sum(ops, 1, 0, dnnl_f32));
#else
        DNNL_TRY(dnnl_post_ops_append_sum(ops, 1));
#endif
        DNNL_TRY(dnnl_primitive_attr_set_post_ops(*attr, ops));
    }
out:
    dnnl_post_ops_destroy(ops);
    return rc;
}

/* One primitive; the first one settles the order of the weights for all. */
static int make_primitive(hs_conv *c, shim *m, const descriptors *d, int kind, batch *b)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t desc = NULL;
    const char *name = "";
    int rc = HS_OK;
    HS_TRY(make_attributes(kind, &attr));
    DNNL_TRY(make_convolution(m->engine, &c->shape, d, attr, &desc));
    DNNL_TRY(dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name));
    if (strstr(name, "ref") != NULL) { /* also of a later batch size, whose weights are already settled */
        rc = hs_fail(HS_ERANGE, "oneDNN has only its reference loops (%s) here", name); /* im2col is faster */
        goto out;
    }
    if (m->weights == NULL) {
        HS_TRY(make_weights(c, m, dnnl_primitive_desc_query_md(desc, dnnl_query_weights_md, 0)));
        snprintf(c->algorithm, sizeof c->algorithm, "onednn:%s", name);
    }
    const_descriptor pad = dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    size_t bytes = dnnl_memory_desc_get_size(pad);
    m->scratch_bytes = bytes > m->scratch_bytes ? bytes : m->scratch_bytes;
    DNNL_TRY(dnnl_memory_create(&b->scratchpad[kind], pad, m->engine, DNNL_MEMORY_NONE));
    DNNL_TRY(dnnl_primitive_create(&b->primitive[kind], desc));
out:
    dnnl_primitive_desc_destroy(desc);
    dnnl_primitive_attr_destroy(attr);
    return rc;
}

static int make_batch(hs_conv *c, shim *m, size_t n, size_t h, size_t w, batch *b)
{
    const hs_conv_shape *s = &c->shape;
    dnnl_dims_t src = {(dnnl_dim_t)n, (dnnl_dim_t)s->in_ch, (dnnl_dim_t)h, (dnnl_dim_t)w};
    dnnl_dims_t weights = {(dnnl_dim_t)s->out_ch, (dnnl_dim_t)s->in_ch, (dnnl_dim_t)s->kernel, (dnnl_dim_t)s->kernel};
    dnnl_dims_t dst = {(dnnl_dim_t)n, (dnnl_dim_t)s->out_ch, (dnnl_dim_t)hs_conv_out_h(c, h),
                       (dnnl_dim_t)hs_conv_out_w(c, w)};
    dnnl_dims_t bias = {(dnnl_dim_t)s->out_ch};
    descriptors d = {.with_bias = c->bias != NULL};
    int rc = HS_OK;
    b->n = n;
    DNNL_TRY(make_descriptor(4, src, dnnl_nhwc, &d.src));
    DNNL_TRY(make_descriptor(4, dst, dnnl_nhwc, &d.dst));
    DNNL_TRY(make_descriptor(1, bias, dnnl_x, &d.bias));
    DNNL_TRY(make_descriptor(4, weights, dnnl_format_tag_any, &d.weights));
    for (int kind = 0; kind < KINDS; kind++) {
        if (m->weights != NULL) {
            const_descriptor settled;
            DNNL_TRY(dnnl_memory_get_memory_desc(m->weights, &settled));
#if DNNL_VERSION_MAJOR >= 3
            destroy_descriptor(&d.weights);
            DNNL_TRY(dnnl_memory_desc_clone(&d.weights, settled));
#else
            d.weights = *settled;
#endif
        }
        HS_TRY(make_primitive(c, m, &d, kind, b));
    }
    DNNL_TRY(dnnl_memory_create(&b->src, DESC(d.src), m->engine, DNNL_MEMORY_NONE));
    DNNL_TRY(dnnl_memory_create(&b->dst, DESC(d.dst), m->engine, DNNL_MEMORY_NONE));
    if (c->bias != NULL && m->bias == NULL) {
        DNNL_TRY(dnnl_memory_create(&m->bias, DESC(d.bias), m->engine, (float *)(uintptr_t)c->bias));
        HS_TRY(hs_calloc(s->out_ch, sizeof(float), &m->zeros));
        DNNL_TRY(dnnl_memory_create(&m->no_bias, DESC(d.bias), m->engine, m->zeros));
    }
out:
    destroy_descriptor(&d.src);
    destroy_descriptor(&d.dst);
    destroy_descriptor(&d.bias);
    destroy_descriptor(&d.weights);
    return rc;
}

static int plan(hs_conv *c, size_t n, size_t h, size_t w, size_t *scratch_bytes)
{
    shim *m = NULL;
    int rc = HS_OK;
    HS_TRY(hs_calloc(1, sizeof *m, &m));
    DNNL_TRY(dnnl_engine_create(&m->engine, dnnl_cpu, 0));
    DNNL_TRY(dnnl_stream_create(&m->stream, m->engine, dnnl_stream_default_flags));
    HS_TRY(make_batch(c, m, n, h, w, &m->batches[0]));
    if (n > 1) {
        HS_TRY(make_batch(c, m, 1, h, w, &m->batches[1]));
    }
    *scratch_bytes = m->scratch_bytes;
    c->state = m;
    m = NULL;
out:
    release(m);
    return rc;
}

static int execute(const shim *m, const batch *b, int kind, dnnl_memory_t bias, const float *x, float *y, void *scratch)
{
    int rc = HS_OK;
    DNNL_TRY(dnnl_memory_set_data_handle(b->src, (float *)(uintptr_t)x));
    DNNL_TRY(dnnl_memory_set_data_handle(b->dst, y));
    DNNL_TRY(dnnl_memory_set_data_handle(b->scratchpad[kind], scratch));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, b->src},
                                    {DNNL_ARG_WEIGHTS, m->weights},
                                    {DNNL_ARG_DST, b->dst},
                                    {DNNL_ARG_SCRATCHPAD, b->scratchpad[kind]},
                                    {DNNL_ARG_BIAS, bias}};
    DNNL_TRY(dnnl_primitive_execute(b->primitive[kind], m->stream, bias != NULL ? 5 : 4, args));
    DNNL_TRY(dnnl_stream_wait(m->stream));
out:
    return rc;
}

HS_SIMD static void start_row(size_t n, const float *add, const float *residual, float *y)
{
    if (add == NULL) {
        memmove(y, residual, n * sizeof *y);
    } else if (residual == NULL) {
        memcpy(y, add, n * sizeof *y);
    } else {
        for (size_t j = 0; j < n; j++) {
            y[j] = add[j] + residual[j];
        }
    }
}

/* y <- add + residual, what the convolution is then added to. */
static void start(const hs_conv_args *a, size_t pixels, size_t out)
{
    if (a->add == NULL && a->residual == a->y) {
        return;
    }
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < a->n * pixels; r++) {
        start_row(out, a->add != NULL ? a->add + r / pixels * out : NULL,
                  a->residual != NULL ? a->residual + r * out : NULL, a->y + r * out);
    }
}

static int forward(const hs_conv *c, const hs_conv_args *a)
{
    const shim *m = c->state;
    size_t pixels = hs_conv_out_h(c, a->h) * hs_conv_out_w(c, a->w);
    int kind = a->add != NULL || a->residual != NULL ? ADD : STORE;
    dnnl_memory_t bias = a->bias != NULL ? m->bias : m->no_bias;
    if (kind == ADD) {
        start(a, pixels, c->shape.out_ch);
    }
    const batch *b = a->n == m->batches[0].n ? &m->batches[0] : &m->batches[1];
    int rc = HS_OK;
    for (size_t i = 0; i < a->n && rc == HS_OK; i += b->n) {
        rc = execute(m, b, kind, bias, a->x + i * a->h * a->w * c->shape.in_ch, a->y + i * pixels * c->shape.out_ch,
                     a->scratch);
    }
    return rc;
}

static int refresh(hs_conv *c)
{
    return reorder_weights(c->state);
}

const hs_conv_backend hs_conv_dnnl = {plan, forward, refresh, release};

#else
typedef int hs_conv_dnnl_is_absent;
#endif
