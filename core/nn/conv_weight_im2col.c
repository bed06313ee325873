/* The gradient of the weights as one matrix product: gathered patches, transposed, times dy. */
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/sgemm.h"
#include "core/nn/conv_impl.h"

enum { SLICE = 64 }; /* rows of the product a thread does at once: borders that no number of threads moves */

static int plan(const hs_conv *c, size_t n, size_t *scratch_bytes)
{
    const hs_conv_shape *s = &c->shape;
    size_t patch = s->kernel * s->kernel * s->in_ch, rows, gathered, sums;
    const uint64_t out_dims[3] = {n, hs_conv_out_h(c, c->h), hs_conv_out_w(c, c->w)};
    int rc = HS_OK;
    HS_TRY(hs_size_product(3, out_dims, &rows));
    HS_TRY(hs_size_mul(hs_conv_rows_at_once(s, rows), patch, &gathered));
    HS_TRY(hs_size_mul(patch, s->out_ch, &sums));
    HS_TRY(hs_size_mul(gathered + sums, sizeof(float), scratch_bytes));
out:
    return rc;
}

void hs_conv_add_taps(const hs_conv_shape *s, const float *sums, size_t ld, float *dweight)
{
    size_t taps = s->kernel * s->kernel;
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < s->out_ch; o++) {
        for (size_t i = 0; i < s->in_ch; i++) {
            for (size_t t = 0; t < taps; t++) {
                dweight[(o * s->in_ch + i) * taps + t] += sums[(t * s->in_ch + i) * ld + o];
            }
        }
    }
}

static int run(const hs_conv *c, const hs_conv_weight_args *a)
{
    const hs_conv_shape *s = &c->shape;
    size_t out = s->out_ch, patch = s->kernel * s->kernel * s->in_ch;
    size_t rows = a->n * hs_conv_out_h(c, a->h) * hs_conv_out_w(c, a->w), block = hs_conv_rows_at_once(s, rows);
    float *sums = a->scratch, *patches = sums + patch * out;
    memset(sums, 0, patch * out * sizeof *sums);
    for (size_t first = 0; first < rows; first += block) {
        size_t now = rows - first < block ? rows - first : block;
#pragma omp parallel
        {
#pragma omp for schedule(static)
            for (size_t r = 0; r < now; r++) {
                hs_conv_gather(c, a->x, first + r, patches + r * patch);
            }
#pragma omp for schedule(static)
            for (size_t k = 0; k < patch; k += SLICE) {
                hs_sgemm(1, 0, patch - k < SLICE ? patch - k : SLICE, out, now, 1, patches + k, patch,
                         a->dy + first * out, out, 1, sums + k * out, out);
            }
        }
    }
    hs_conv_add_taps(s, sums, out, a->dweight);
    return HS_OK;
}

const hs_conv_weight_backend hs_conv_weight_im2col = {"im2col", plan, run};
