/* The gradient of the weights where x and dy lie: for each of the kernel's places, the sum over the
 * pixels of x's channels times dy's, an outer product held in registers.  Nothing is gathered: a
 * place that leans over the map's edge sums a smaller rectangle of pixels.
 *
 * Work is cut into units (place, panel of columns, chunk of rows) that a thread owns, so that no sum
 * is shared; threads walk the pixels in the same order. */
#include <omp.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/panel.h"
#include "core/nn/conv_impl.h"

enum {
    ROWS = 24,    /* of a unit: a multiple of what the kernels hold */
    PIXELS = 128, /* between two visits to the sums: a panel of them stays in the first cache */
    LANES = 16
};

/* Few output channels would fill a panel badly: then x's channels are its columns and dy's the rows. */
static int is_swapped(const hs_conv_shape *s)
{
    return s->out_ch < LANES && s->in_ch > s->out_ch;
}

typedef struct {
    const hs_conv *c;
    const hs_conv_weight_args *a;
    const hs_panel_kernel *kernel;
    size_t taps, m, columns, ld; /* of the sums (taps, m, ld) */
    size_t chunks, panels, oh, ow;
    int swapped;
    float *sums;
} job;

static job make_job(const hs_conv *c, const hs_conv_weight_args *a)
{
    const hs_conv_shape *s = &c->shape;
    job j = {.c = c, .a = a, .kernel = hs_panel_best(), .taps = s->kernel * s->kernel, .swapped = is_swapped(s)};
    j.m = j.swapped ? s->out_ch : s->in_ch;
    j.columns = j.swapped ? s->in_ch : s->out_ch;
    j.chunks = (j.m + ROWS - 1) / ROWS;
    j.panels = (j.columns + j.kernel->width - 1) / j.kernel->width;
    j.ld = j.panels * j.kernel->width;
    j.oh = hs_conv_out_h(c, c->h);
    j.ow = hs_conv_out_w(c, c->w);
    return j;
}

static int plan(const hs_conv *c, size_t n, size_t *scratch_bytes)
{
    (void)n;
    job j = make_job(c, NULL);
    const uint64_t dims[4] = {j.taps, j.m, j.ld, sizeof(float)};
    return hs_size_product(4, dims, scratch_bytes);
}

/* Outputs [*first, *end) of [from, to) along one axis whose input stride o + tap - pad lies on the map. */
static void clip(size_t stride, size_t tap, size_t pad, size_t size, size_t from, size_t to, size_t *first, size_t *end)
{
    size_t low = pad > tap ? (pad - tap + stride - 1) / stride : 0;
    size_t high = size + pad > tap ? (size + pad - tap - 1) / stride + 1 : 0;
    *first = from > low ? from : low;
    *end = to < high ? to : high;
}

/* The pixels of output rows [from, to) of image i under one place of the kernel; 0: none on the map. */
static int rectangle(const job *j, size_t i, size_t from, size_t to, size_t tap, hs_panel_pixels *p)
{
    const hs_conv_shape *s = &j->c->shape;
    size_t ky = tap / s->kernel, kx = tap % s->kernel, y0, y1, x0, x1, h = j->c->h, w = j->c->w;
    clip(s->stride, ky, s->pad_top, h, from, to, &y0, &y1);
    clip(s->stride, kx, s->pad_left, w, 0, j->ow, &x0, &x1);
    if (y0 >= y1 || x0 >= x1) {
        return 0;
    }
    size_t y = y0 * s->stride + ky - s->pad_top, x = x0 * s->stride + kx - s->pad_left;
    const float *in = j->a->x + ((i * h + y) * w + x) * s->in_ch;
    const float *out = j->a->dy + ((i * j->oh + y0) * j->ow + x0) * s->out_ch;
    size_t in_row = s->stride * w * s->in_ch, in_ld = s->stride * s->in_ch;
    size_t out_row = j->ow * s->out_ch, out_ld = s->out_ch;
    *p = j->swapped ? (hs_panel_pixels){y1 - y0, x1 - x0, out, out_row, out_ld, in, in_row, in_ld, 0}
                    : (hs_panel_pixels){y1 - y0, x1 - x0, in, in_row, in_ld, out, out_row, out_ld, 0};
    return 1;
}

/* One unit's share of those rows. */
static void add_unit(const job *j, size_t unit, size_t i, size_t from, size_t to)
{
    size_t row = unit % j->chunks * ROWS, column = unit / j->chunks % j->panels * j->kernel->width;
    size_t tap = unit / j->chunks / j->panels, left = j->columns - column, m = j->m - row;
    hs_panel_pixels p;
    if (rectangle(j, i, from, to, tap, &p)) {
        p.A += row;
        p.B += column;
        p.columns = left < j->kernel->width ? left : j->kernel->width;
        j->kernel->add(m < ROWS ? m : ROWS, &p, j->sums + (tap * j->m + row) * j->ld + column, j->ld);
    }
}

static void add_to_weights(const job *j)
{
    const hs_conv_shape *s = &j->c->shape;
    size_t of_out = j->swapped ? j->ld : 1, of_in = j->swapped ? 1 : j->ld;
#pragma omp parallel for schedule(static)
    for (size_t o = 0; o < s->out_ch; o++) {
        for (size_t i = 0; i < s->in_ch; i++) {
            for (size_t t = 0; t < j->taps; t++) {
                j->a->dweight[(o * s->in_ch + i) * j->taps + t] += j->sums[t * j->m * j->ld + i * of_in + o * of_out];
            }
        }
    }
}

static int run(const hs_conv *c, const hs_conv_weight_args *a)
{
    job j = make_job(c, a);
    size_t units = j.taps * j.panels * j.chunks, rows = (PIXELS + j.ow - 1) / j.ow;
    j.sums = a->scratch;
    memset(j.sums, 0, j.taps * j.m * j.ld * sizeof *j.sums);
#pragma omp parallel num_threads(c->threads)
    {
        size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        for (size_t i = 0; i < a->n; i++) {
            for (size_t y = 0; y < j.oh; y += rows) {
                for (size_t u = units * me / team; u < units * (me + 1) / team; u++) {
                    add_unit(&j, u, i, y, y + rows < j.oh ? y + rows : j.oh);
                }
            }
        }
    }
    add_to_weights(&j);
    return HS_OK;
}

const hs_conv_weight_backend hs_conv_weight_direct = {"direct", plan, run};
