/* Effective GFLOPS of every convolution algorithm, in the forward direction, of its adjoint and of the
 * gradient of its weights, at the layer shapes of the DDPM networks and of the trainer's (batches of 32),
 * median of short runs: make conv-bench.  Arguments: n in out size [stride [kernel]] for one shape. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/conv.h"
#include "core/nn/conv_impl.h"

typedef struct {
    size_t n, in, out, size, stride, kernel;
} shape;

enum { RUNS = 15 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What is timed: the forward direction, its adjoint, or the gradient of the weights. */
typedef enum { FORWARD, ADJOINT, WEIGHTS } direction;

typedef struct {
    const shape *t;
    hs_conv *c;
    float *x, *y, *dweight; /* y serves as dy too, dweight as the weights */
    char *scratch;
} bench;

static int call(const bench *b, direction d)
{
    const shape *t = b->t;
    switch (d) {
    case FORWARD: return hs_conv_forward(b->c, t->n, t->size, t->size, b->x, NULL, NULL, b->y, b->scratch);
    case ADJOINT: return hs_conv_vjp(b->c, t->n, t->size, t->size, b->y, NULL, b->x, b->scratch);
    case WEIGHTS: break;
    }
    return hs_conv_vjp_weights(b->c, t->n, t->size, t->size, b->x, b->y, b->dweight, NULL, NULL, b->scratch);
}

/* Of a convolution that is planned with this scratch. */
static int time_calls(bench *b, direction d, const char *name, size_t bytes)
{
    static const char *const directions[] = {"forward", "adjoint", "weights"};
    const shape *t = b->t;
    double seconds[RUNS];
    int rc = HS_OK;
    HS_TRY(hs_alloc(bytes, 1, &b->scratch));
    for (int i = -2; i < RUNS; i++) {
        double start = omp_get_wtime();
        HS_TRY(call(b, d));
        if (i >= 0) {
            seconds[i] = omp_get_wtime() - start;
        }
    }
    qsort(seconds, RUNS, sizeof *seconds, compare);
    double outs = (double)(t->n * hs_conv_out_h(b->c, t->size) * hs_conv_out_w(b->c, t->size) * t->out);
    double flops = 2 * outs * (double)(t->in * t->kernel * t->kernel) / omp_get_max_threads();
    printf("  %s %-34s %7.3f ms %6.0f GFLOPS/thread (best %6.0f)\n", directions[d], name, 1e3 * seconds[RUNS / 2],
           flops / seconds[RUNS / 2] / 1e9, flops / seconds[0] / 1e9);
out:
    free(b->scratch);
    b->scratch = NULL;
    return rc;
}

static int time_forward(bench *b)
{
    const hs_conv_backend *all[] = {
        &hs_conv_im2col,
        &hs_conv_winograd,
#ifdef HS_HAVE_DNNL
        &hs_conv_dnnl,
#endif
    };
    size_t bytes;
    int rc = HS_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (hs_conv_plan_with(b->c, all[i], b->t->n, b->t->size, b->t->size, &bytes) == HS_OK) {
            HS_TRY(time_calls(b, FORWARD, hs_conv_algorithm(b->c), bytes));
        }
    }
out:
    return rc;
}

static int time_derivatives(bench *b)
{
    static const char *const names[] = {"auto", "winograd", "direct", "im2col"};
    static const hs_conv_mode modes[] = {HS_CONV_AUTO, HS_CONV_WINOGRAD, HS_CONV_DIRECT, HS_CONV_IM2COL};
    const hs_conv_weight_backend *all[] = {&hs_conv_weight_im2col, &hs_conv_weight_direct, &hs_conv_weight_winograd};
    size_t bytes, n = b->t->n;
    int rc = HS_OK;
    HS_TRY(hs_conv_plan(b->c, HS_CONV_AUTO, n, b->t->size, b->t->size, &bytes));
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        HS_TRY(hs_conv_plan_vjp(b->c, modes[i], n, &bytes));
        HS_TRY(time_calls(b, ADJOINT, names[i], bytes));
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (hs_conv_plan_weights_with(b->c, all[i], n, &bytes) == HS_OK) {
            HS_TRY(time_calls(b, WEIGHTS, all[i]->name, bytes));
        }
    }
out:
    return rc;
}

static int time_shape(const shape *t)
{
    bench b = {.t = t};
    size_t weights = t->out * t->in * t->kernel * t->kernel, pixels = t->n * t->size * t->size, pad = t->kernel / 2;
    size_t before = t->stride == 1 ? pad : 0; /* as the DDPM networks pad */
    hs_conv_shape s = {t->in, t->out, t->kernel, t->stride, before, before, pad, pad};
    int rc = HS_OK;
    HS_TRY(hs_alloc(weights, sizeof(float), &b.dweight));
    HS_TRY(hs_alloc(pixels * t->in, sizeof(float), &b.x));
    HS_TRY(hs_alloc(pixels * t->out, sizeof(float), &b.y));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, weights, b.dweight);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2}, 0, pixels * t->in, b.x);
    HS_TRY(hs_conv_create(s, b.dweight, NULL, &b.c));
    printf("n %zu, %zu -> %zu, %zu x %zu, kernel %zu stride %zu\n", t->n, t->in, t->out, t->size, t->size, t->kernel,
           t->stride);
    HS_TRY(time_forward(&b));
    HS_TRY(time_derivatives(&b));
out:
    hs_conv_free(b.c);
    free(b.dweight);
    free(b.x);
    free(b.y);
    return rc;
}

int main(int argc, char **argv)
{
    static const shape shapes[] = {
        {8, 3, 128, 32, 1, 3},    {8, 128, 128, 32, 1, 3},  {8, 384, 128, 32, 1, 3},  {8, 256, 256, 16, 1, 3},
        {8, 512, 256, 16, 1, 3},  {8, 256, 256, 8, 1, 3},   {8, 512, 256, 8, 1, 3},   {8, 256, 256, 4, 1, 3},
        {8, 512, 256, 4, 1, 3},   {8, 128, 3, 32, 1, 3},    {8, 128, 128, 32, 2, 3},  {8, 256, 256, 16, 2, 3},
        {8, 384, 128, 32, 1, 1},  {8, 512, 256, 16, 1, 1},  {1, 128, 128, 32, 1, 3},  {1, 256, 256, 16, 1, 3},
        {1, 512, 256, 16, 1, 3},  {1, 256, 256, 8, 1, 3},   {1, 256, 256, 4, 1, 3},   {1, 512, 256, 4, 1, 3},
        {1, 3, 128, 256, 1, 3},   {1, 128, 128, 256, 1, 3}, {1, 256, 128, 256, 1, 3}, {1, 128, 3, 256, 1, 3},
        {1, 128, 128, 128, 1, 3}, {1, 256, 256, 64, 1, 3},  {1, 256, 256, 32, 1, 3},  {1, 512, 512, 16, 1, 3},
        {1, 1024, 512, 16, 1, 3}, {1, 512, 512, 8, 1, 3},   {1, 1024, 512, 8, 1, 3},  {1, 128, 128, 256, 2, 3},
        {1, 256, 128, 256, 1, 1}, {1, 1024, 512, 16, 1, 1}, {32, 3, 32, 32, 1, 3},    {32, 32, 32, 32, 1, 3},
        {32, 96, 32, 32, 1, 3},   {32, 64, 32, 32, 1, 3},   {32, 64, 64, 32, 1, 3},   {32, 32, 64, 16, 1, 3},
        {32, 64, 64, 16, 1, 3},   {32, 192, 64, 16, 1, 3},  {32, 96, 64, 16, 1, 3},   {32, 128, 128, 16, 1, 3},
        {32, 64, 128, 8, 1, 3},   {32, 128, 128, 8, 1, 3},  {32, 256, 128, 8, 1, 3},  {32, 192, 128, 8, 1, 3},
        {32, 32, 32, 32, 2, 3},   {32, 64, 64, 16, 2, 3},   {32, 32, 64, 16, 1, 1},   {32, 64, 128, 8, 1, 1},
        {32, 96, 32, 32, 1, 1},   {32, 192, 64, 16, 1, 1},  {32, 128, 384, 8, 1, 1},  {32, 128, 128, 8, 1, 1},
        {32, 32, 3, 32, 1, 3},
    };
    if (argc > 4) {
        size_t v[6] = {0, 0, 0, 0, 1, 3};
        for (int i = 1; i < argc && i <= 6; i++) {
            v[i - 1] = strtoul(argv[i], NULL, 10);
        }
        return hs_exit_code(time_shape(&(shape){v[0], v[1], v[2], v[3], v[4], v[5]}));
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int rc = time_shape(&shapes[i]);
        if (rc != HS_OK) {
            fprintf(stderr, "conv_bench: %s\n", hs_error_message());
            return hs_exit_code(rc);
        }
    }
    return 0;
}
