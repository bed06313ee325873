#include "core/io/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

enum { BITS = 32 - 8 - 2 }; /* of a coefficient: 8 for the pixel, 2 for overshoot and sign */

/* For each output position: the first input position, how many, and their weights. */
typedef struct {
    int *first, *count;
    int32_t *weight; /* (n, taps) */
    int taps;
} pass;

static void pass_free(pass *p)
{
    free(p->first);
    free(p->count);
    free(p->weight);
}

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) {
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(M_PI * x) / (M_PI * x);
}

static double lanczos(double x)
{
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
    double (*f)(double);
    double support;
} filters[] = {{triangle, 1}, {cubic, 2}, {lanczos, 3}};

/* Weights of output position i, normalised, then rounded half away from zero. */
static void weigh(pass *p, size_t i, double (*f)(double), double at, double scale, double *w)
{
    double sum = 0;
    for (int k = 0; k < p->count[i]; k++) {
        w[k] = f((k + p->first[i] - at + 0.5) * (1 / scale));
        sum += w[k];
    }
    for (int k = 0; k < p->count[i]; k++) {
        double v = (sum != 0 ? w[k] / sum : w[k]) * (1 << BITS);
        p->weight[i * (size_t)p->taps + (size_t)k] = (int32_t)(v < 0 ? v - 0.5 : v + 0.5);
    }
}

/* in0, in1: the box along this axis; n_in pixels -> n pixels. */
static int pass_make(size_t n_in, float in0, float in1, size_t n, hs_resize_filter filter, pass *p)
{
    int rc = HS_OK;
    double *w = NULL;
    /* Pillow's mixture: the width of the box is a float, the scale a double. */
    double step = (double)(in1 - in0) / (double)n, scale = step < 1 ? 1 : step;
    double support = filters[filter].support * scale;
    size_t cells;
    p->taps = (int)ceil(support) * 2 + 1;
    HS_TRY(hs_size_mul(n, (size_t)p->taps, &cells));
    HS_TRY(hs_alloc(n, sizeof *p->first, &p->first));
    HS_TRY(hs_alloc(n, sizeof *p->count, &p->count));
    HS_TRY(hs_calloc(cells, sizeof *p->weight, &p->weight));
    HS_TRY(hs_alloc((size_t)p->taps, sizeof *w, &w));
    for (size_t i = 0; i < n; i++) {
        double at = (double)in0 + ((double)i + 0.5) * step;
        int lo = (int)(at - support + 0.5), hi = (int)(at + support + 0.5);
        p->first[i] = lo < 0 ? 0 : lo;
        p->count[i] = (hi > (int)n_in ? (int)n_in : hi) - p->first[i];
        weigh(p, i, filters[filter].f, at, scale, w);
    }
out:
    free(w);
    return rc;
}

static uint8_t clip(int32_t v)
{
    v >>= BITS;
    return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v;
}

/* out (rows, p's n, c): along x. */
static void run_x(const pass *p, const uint8_t *in, size_t in_w, size_t rows, size_t n, size_t c, uint8_t *out)
{
    for (size_t y = 0; y < rows; y++) {
        for (size_t i = 0; i < n; i++) {
            const int32_t *w = p->weight + i * (size_t)p->taps;
            const uint8_t *src = in + (y * in_w + (size_t)p->first[i]) * c;
            for (size_t k = 0; k < c; k++) {
                int32_t sum = 1 << (BITS - 1);
                for (int j = 0; j < p->count[i]; j++) {
                    sum += src[(size_t)j * c + k] * w[j];
                }
                out[(y * n + i) * c + k] = clip(sum);
            }
        }
    }
}

/* out (p's n, row): along y; in's first row is row y0 of the image. */
static void run_y(const pass *p, const uint8_t *in, size_t y0, size_t row, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const int32_t *w = p->weight + i * (size_t)p->taps;
        const uint8_t *src = in + ((size_t)p->first[i] - y0) * row;
        for (size_t k = 0; k < row; k++) {
            int32_t sum = 1 << (BITS - 1);
            for (int j = 0; j < p->count[i]; j++) {
                sum += src[(size_t)j * row + k] * w[j];
            }
            out[i * row + k] = clip(sum);
        }
    }
}

static int check(const hs_image *im, size_t w, size_t h, const hs_box *b)
{
    const size_t most = HS_IMAGE_LIMITS.side;
    if (w == 0 || h == 0) {
        return hs_fail(HS_ERANGE, "an image cannot be resized to %zu x %zu", w, h);
    }
    if (w > most || h > most || im->w > most || im->h > most) {
        return hs_fail(HS_ELIMIT, "resizing %zu x %zu to %zu x %zu pixels; the limit is %zu a side", im->w, im->h, w, h,
                       most);
    }
    if (!(b->x0 >= 0 && b->y0 >= 0 && b->x1 <= (float)im->w && b->y1 <= (float)im->h && b->x0 < b->x1 &&
          b->y0 < b->y1)) {
        return hs_fail(HS_ERANGE, "box %g,%g,%g,%g of an image of %zu x %zu", (double)b->x0, (double)b->y0,
                       (double)b->x1, (double)b->y1, im->w, im->h);
    }
    return HS_OK;
}

static int needed(float lo, float hi, size_t in, size_t out)
{
    return in != out || lo != 0 || hi != (float)in;
}

int hs_image_resize(const hs_image *im, size_t w, size_t h, hs_resize_filter filter, const hs_box *box, hs_image *out)
{
    const hs_box b = box != NULL ? *box : (hs_box){0, 0, (float)im->w, (float)im->h};
    int rc = HS_OK, along_x, along_y;
    pass px = {0}, py = {0};
    hs_image mid = {0}, res = {.w = w, .h = h, .c = im->c};
    HS_TRY(check(im, w, h, &b));
    along_x = needed(b.x0, b.x1, im->w, w);
    along_y = needed(b.y0, b.y1, im->h, h);
    HS_TRY(pass_make(im->w, b.x0, b.x1, w, filter, &px));
    HS_TRY(pass_make(im->h, b.y0, b.y1, h, filter, &py));
    /* Only the rows that the vertical pass will read. */
    size_t y0 = along_y ? (size_t)py.first[0] : 0;
    size_t y1 = along_y ? (size_t)(py.first[h - 1] + py.count[h - 1]) : im->h;
    mid = (hs_image){.w = w, .h = y1 - y0, .c = im->c};
    HS_TRY(hs_alloc(w * mid.h, im->c, &mid.px));
    HS_TRY(hs_alloc(w * h, im->c, &res.px));
    if (along_x) {
        run_x(&px, im->px + y0 * im->w * im->c, im->w, mid.h, w, im->c, mid.px);
    } else {
        memcpy(mid.px, im->px + y0 * im->w * im->c, w * mid.h * im->c);
    }
    if (along_y) {
        run_y(&py, mid.px, y0, w * im->c, h, res.px);
    } else {
        memcpy(res.px, mid.px, w * h * im->c);
    }
    *out = res;
    res = (hs_image){0};
out:
    hs_image_free(&mid);
    hs_image_free(&res);
    pass_free(&px);
    pass_free(&py);
    return rc;
}

int hs_image_fit(const hs_image *im, size_t side, hs_image *out)
{
    size_t s = im->w < im->h ? im->w : im->h, x0 = (im->w - s) / 2, y0 = (im->h - s) / 2;
    hs_image square = {.w = s, .h = s, .c = im->c};
    int rc = hs_alloc(s * s, im->c, &square.px);
    if (rc != HS_OK) {
        return rc;
    }
    /* Cropped first: the filter must not look over the edge of the crop. */
    for (size_t y = 0; y < s; y++) {
        memcpy(square.px + y * s * im->c, im->px + ((y0 + y) * im->w + x0) * im->c, s * im->c);
    }
    rc = hs_image_resize(&square, side, side, HS_RESIZE_BICUBIC, NULL, out);
    hs_image_free(&square);
    return rc;
}
