#include "core/nn/cubic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { SIDE_MAX = 16384 };

/* One axis: output i is the sum over k < taps of weight[i, k] in[index[i, k]]. */
typedef struct {
    size_t n_in, n, taps;
    size_t *index;
    float *weight;
} axis;

struct hs_cubic {
    axis rows, columns;
};

static double kernel(double x, double a)
{
    x = fabs(x);
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/* Taps of output i: positions first ... first + taps - 1, those outside left out (antialiased) or moved to the border.
 */
static void fill(const axis *a, size_t i, int antialias, double scale)
{
    double step = (double)a->n_in / (double)a->n, at = ((double)i + 0.5) * step - 0.5, sum = 0;
    double first = antialias ? ceil(at - 2 * scale) : floor(at) - 1, last = (double)a->n_in - 1;
    for (size_t k = 0; k < a->taps; k++) {
        double p = first + (double)k;
        int inside = p >= 0 && p <= last;
        sum += inside || !antialias ? kernel((p - at) / scale, antialias ? -0.5 : -0.75) : 0;
    }
    for (size_t k = 0; k < a->taps; k++) {
        double p = first + (double)k, v = kernel((p - at) / scale, antialias ? -0.5 : -0.75);
        int inside = p >= 0 && p <= last;
        a->index[i * a->taps + k] = (size_t)(p < 0 ? 0 : p > last ? last : p);
        a->weight[i * a->taps + k] = (float)(antialias ? (inside ? v / sum : 0) : v);
    }
}

HS_CHECKED static int axis_make(size_t n_in, size_t n, int antialias, axis *a)
{
    double scale = antialias && n_in > n ? (double)n_in / (double)n : 1;
    size_t cells;
    int rc = HS_OK;
    a->n_in = n_in;
    a->n = n;
    a->taps = antialias ? (size_t)ceil(4 * scale) + 1 : 4;
    HS_TRY(hs_size_mul(n, a->taps, &cells));
    HS_TRY(hs_alloc(cells, sizeof *a->index, &a->index));
    HS_TRY(hs_alloc(cells, sizeof *a->weight, &a->weight));
    for (size_t i = 0; i < n; i++) {
        fill(a, i, antialias, scale);
    }
out:
    return rc;
}

int hs_cubic_create(size_t h, size_t w, size_t oh, size_t ow, int antialias, hs_cubic **out)
{
    const size_t size[4] = {h, w, oh, ow};
    hs_cubic *r = NULL;
    int rc = HS_OK;
    for (size_t i = 0; i < 4; i++) {
        if (size[i] == 0 || size[i] > SIDE_MAX) {
            return hs_fail(HS_ERANGE, "resizing: a side of %zu; wanted 1 to %d", size[i], SIDE_MAX);
        }
    }
    HS_TRY(hs_calloc(1, sizeof *r, &r));
    HS_TRY(axis_make(h, oh, antialias, &r->rows));
    HS_TRY(axis_make(w, ow, antialias, &r->columns));
    *out = r;
    r = NULL;
out:
    hs_cubic_free(r);
    return rc;
}

void hs_cubic_free(hs_cubic *r)
{
    if (r == NULL) {
        return;
    }
    free(r->rows.index);
    free(r->rows.weight);
    free(r->columns.index);
    free(r->columns.weight);
    free(r);
}

size_t hs_cubic_scratch(const hs_cubic *r)
{
    return r->rows.n_in * r->columns.n;
}

/* y (h, n) <- each row of x (h, n_in) resized, and the adjoint, which adds. */
static void along(const axis *a, size_t h, const float *x, float *y)
{
    for (size_t i = 0; i < h; i++) {
        for (size_t j = 0; j < a->n; j++) {
            double sum = 0;
            for (size_t k = 0; k < a->taps; k++) {
                sum += (double)a->weight[j * a->taps + k] * (double)x[i * a->n_in + a->index[j * a->taps + k]];
            }
            y[i * a->n + j] = (float)sum;
        }
    }
}

static void along_vjp(const axis *a, size_t h, const float *dy, float *dx)
{
    memset(dx, 0, h * a->n_in * sizeof *dx);
    for (size_t i = 0; i < h; i++) {
        for (size_t j = 0; j < a->n; j++) {
            for (size_t k = 0; k < a->taps; k++) {
                dx[i * a->n_in + a->index[j * a->taps + k]] += a->weight[j * a->taps + k] * dy[i * a->n + j];
            }
        }
    }
}

/* y (n, w) <- the rows of x (n_in, w) mixed, and the adjoint. */
static void across(const axis *a, size_t w, const float *x, float *y)
{
    memset(y, 0, a->n * w * sizeof *y);
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->taps; k++) {
            const float *row = x + a->index[i * a->taps + k] * w, v = a->weight[i * a->taps + k];
            for (size_t j = 0; j < w; j++) {
                y[i * w + j] += v * row[j];
            }
        }
    }
}

static void across_vjp(const axis *a, size_t w, const float *dy, float *dx)
{
    memset(dx, 0, a->n_in * w * sizeof *dx);
    for (size_t i = 0; i < a->n; i++) {
        for (size_t k = 0; k < a->taps; k++) {
            float *row = dx + a->index[i * a->taps + k] * w, v = a->weight[i * a->taps + k];
            for (size_t j = 0; j < w; j++) {
                row[j] += v * dy[i * w + j];
            }
        }
    }
}

void hs_cubic_forward(const hs_cubic *r, size_t n, const float *x, float *y, float *scratch)
{
    const axis *v = &r->rows, *u = &r->columns;
    size_t in = v->n_in * u->n_in, out = v->n * u->n, mid = hs_cubic_scratch(r);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        along(u, v->n_in, x + i * in, scratch + i * mid);
        across(v, u->n, scratch + i * mid, y + i * out);
    }
}

void hs_cubic_vjp(const hs_cubic *r, size_t n, const float *dy, float *dx, float *scratch)
{
    const axis *v = &r->rows, *u = &r->columns;
    size_t in = v->n_in * u->n_in, out = v->n * u->n, mid = hs_cubic_scratch(r);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        across_vjp(v, u->n, dy + i * out, scratch + i * mid);
        along_vjp(u, v->n_in, scratch + i * mid, dx + i * in);
    }
}
