/* Effective GFLOPS of every convolution algorithm at the layer shapes of the DDPM networks, median
 * of short runs: make conv-bench.  Arguments: n in out size [stride [kernel]] for one shape. */
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

static int time_one(const shape *t, const hs_conv_backend *backend, const float *weight, const float *x, float *y)
{
    hs_conv *c = NULL;
    char *scratch = NULL;
    size_t bytes, pad = t->kernel / 2;
    double seconds[RUNS];
    int rc = HS_OK;
    HS_TRY(hs_conv_create((hs_conv_shape){t->in, t->out, t->kernel, t->stride, pad, pad, pad, pad}, weight, NULL, &c));
    if (hs_conv_plan_with(c, backend, t->n, t->size, t->size, &bytes) != HS_OK) {
        goto out;
    }
    HS_TRY(hs_alloc(bytes, 1, &scratch));
    for (int i = -2; i < RUNS; i++) {
        double start = omp_get_wtime();
        HS_TRY(hs_conv_forward(c, t->n, t->size, t->size, x, NULL, NULL, y, scratch));
        if (i >= 0) {
            seconds[i] = omp_get_wtime() - start;
        }
    }
    qsort(seconds, RUNS, sizeof *seconds, compare);
    double outs = (double)(t->n * hs_conv_out_h(c, t->size) * hs_conv_out_w(c, t->size) * t->out);
    double flops = 2 * outs * (double)(t->in * t->kernel * t->kernel);
    printf("  %-34s %7.3f ms %6.0f GFLOPS/thread (best %6.0f)\n", hs_conv_algorithm(c), 1e3 * seconds[RUNS / 2],
           flops / seconds[RUNS / 2] / 1e9 / omp_get_max_threads(), flops / seconds[0] / 1e9 / omp_get_max_threads());
out:
    free(scratch);
    hs_conv_free(c);
    return rc;
}

static int time_shape(const shape *t)
{
    const hs_conv_backend *all[] = {
        &hs_conv_im2col,
        &hs_conv_winograd,
#ifdef HS_HAVE_DNNL
        &hs_conv_dnnl,
#endif
    };
    float *weight = NULL, *x = NULL, *y = NULL;
    size_t weights = t->out * t->in * t->kernel * t->kernel, pixels = t->n * t->size * t->size;
    int rc = HS_OK;
    HS_TRY(hs_alloc(weights, sizeof *weight, &weight));
    HS_TRY(hs_alloc(pixels * t->in, sizeof *x, &x));
    HS_TRY(hs_alloc(pixels * t->out, sizeof *y, &y));
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 1}, 0, weights, weight);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2}, 0, pixels * t->in, x);
    printf("n %zu, %zu -> %zu, %zu x %zu, kernel %zu stride %zu\n", t->n, t->in, t->out, t->size, t->size, t->kernel,
           t->stride);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        HS_TRY(time_one(t, all[i], weight, x, y));
    }
out:
    free(weight);
    free(x);
    free(y);
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
        {1, 256, 128, 256, 1, 1}, {1, 1024, 512, 16, 1, 1},
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
