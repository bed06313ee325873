#include "datasets/faces_draw.h"

#include <math.h>

/* The pixels whose centres may be touched: [x0, x1) x [y0, y1). */
typedef struct {
    size_t x0, x1, y0, y1;
} box;

/* Number of pixel centres left of v. */
static size_t centres_before(const hs_canvas *c, float v)
{
    float k = ceilf((v + 1) / c->px - 0.5f);
    return k <= 0 ? 0 : k >= (float)c->size ? c->size : (size_t)k;
}

static box box_of(const hs_canvas *c, float lx, float hx, float ly, float hy)
{
    return (box){centres_before(c, lx), centres_before(c, hx), centres_before(c, ly), centres_before(c, hy)};
}

static float centre(const hs_canvas *c, size_t i)
{
    return ((float)i + 0.5f) * c->px - 1;
}

static float softness(const hs_canvas *c, const hs_ink *ink)
{
    return ink->soft > c->px / 2 ? ink->soft : c->px / 2;
}

/* Lays the ink over pixels x0 ... x1 - 1 of row y; d: signed distances of these pixels. */
static void blend(hs_canvas *c, size_t y, const box *b, const float *d, const hs_ink *ink)
{
    float cover[HS_DRAW_SIDE], gain[HS_DRAW_SIDE], scale = 0.5f / softness(c, ink);
    size_t n = b->x1 - b->x0;
    for (size_t i = 0; i < n; i++) {
        float a = 0.5f - d[i] * scale;
        a = a < 0 ? 0 : a;
        a = a > 1 ? 1 : a;
        cover[i] = a * ink->alpha;
        gain[i] = 1 + ink->slope * (centre(c, b->x0 + i) - ink->x0);
    }
    for (size_t k = 0; k < 3; k++) {
        float *row = c->rgb + (k * c->size + y) * c->size + b->x0;
        for (size_t i = 0; i < n; i++) {
            row[i] += cover[i] * (ink->rgb[k] * gain[i] - row[i]);
        }
    }
}

void hs_draw_ground(hs_canvas *c, const float *top, const float *bottom)
{
    for (size_t k = 0; k < 3; k++) {
        for (size_t y = 0; y < c->size; y++) {
            float w = ((float)y + 0.5f) / (float)c->size, v = top[k] + w * (bottom[k] - top[k]);
            float *row = c->rgb + (k * c->size + y) * c->size;
            for (size_t x = 0; x < c->size; x++) {
                row[x] = v;
            }
        }
    }
}

void hs_draw_ellipse(hs_canvas *c, hs_point o, float rx, float ry, const hs_ink *ink)
{
    float s = softness(c, ink), d[HS_DRAW_SIDE];
    box b = box_of(c, o.x - rx - s, o.x + rx + s, o.y - ry - s, o.y + ry + s);
    for (size_t y = b.y0; y < b.y1; y++) {
        float v = (centre(c, y) - o.y) / ry, v2 = v / ry;
        for (size_t x = b.x0; x < b.x1; x++) {
            /* f / |grad f| of f = |p / r| - 1: the distance, to first order at the edge. */
            float u = (centre(c, x) - o.x) / rx, u2 = u / rx;
            float k = sqrtf(u * u + v * v), g = sqrtf(u2 * u2 + v2 * v2);
            d[x - b.x0] = k * (k - 1) / (g + 1e-6f);
        }
        blend(c, y, &b, d, ink);
    }
}

static box box_of_points(const hs_canvas *c, const hs_point *p, size_t n, float margin)
{
    float lx = p[0].x, hx = lx, ly = p[0].y, hy = ly;
    for (size_t i = 1; i < n; i++) {
        lx = p[i].x < lx ? p[i].x : lx;
        hx = p[i].x > hx ? p[i].x : hx;
        ly = p[i].y < ly ? p[i].y : ly;
        hy = p[i].y > hy ? p[i].y : hy;
    }
    return box_of(c, lx - margin, hx + margin, ly - margin, hy + margin);
}

/* d2 <- min(d2, squared distance to the segment pq) along row y. */
static void nearer(const hs_canvas *c, const box *b, float y, hs_point p, hs_point q, float *d2)
{
    float ex = q.x - p.x, ey = q.y - p.y, inv = 1 / (ex * ex + ey * ey + 1e-12f), vy = y - p.y;
    for (size_t i = 0; i < b->x1 - b->x0; i++) {
        float vx = centre(c, b->x0 + i) - p.x, t = (vx * ex + vy * ey) * inv;
        t = t < 0 ? 0 : t;
        t = t > 1 ? 1 : t;
        float dx = vx - t * ex, dy = vy - t * ey, v = dx * dx + dy * dy;
        d2[i] = v < d2[i] ? v : d2[i];
    }
}

/* Flips sign[i] where the edge pq crosses row y right of the pixel. */
static void cross(const hs_canvas *c, const box *b, float y, hs_point p, hs_point q, float *sign)
{
    if ((p.y > y) == (q.y > y)) {
        return;
    }
    float at = p.x + (y - p.y) / (q.y - p.y) * (q.x - p.x);
    for (size_t i = 0; i < b->x1 - b->x0; i++) {
        sign[i] = centre(c, b->x0 + i) < at ? -sign[i] : sign[i];
    }
}

static void fill(float *v, size_t n, float x)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = x;
    }
}

void hs_draw_polygon(hs_canvas *c, const hs_point *p, size_t n, const hs_ink *ink)
{
    box b = box_of_points(c, p, n, softness(c, ink));
    float d[HS_DRAW_SIDE], sign[HS_DRAW_SIDE];
    size_t w = b.x1 > b.x0 ? b.x1 - b.x0 : 0;
    for (size_t y = b.y0; y < b.y1; y++) {
        fill(d, w, 16);
        fill(sign, w, 1);
        for (size_t i = 0, j = n - 1; i < n; j = i++) {
            nearer(c, &b, centre(c, y), p[j], p[i], d);
            cross(c, &b, centre(c, y), p[j], p[i], sign);
        }
        for (size_t i = 0; i < w; i++) {
            d[i] = sign[i] * sqrtf(d[i]);
        }
        blend(c, y, &b, d, ink);
    }
}

static void stroke(hs_canvas *c, const hs_point *p, size_t n, int closed, float width, const hs_ink *ink)
{
    hs_ink faded = *ink;
    float half = width / 2, d[HS_DRAW_SIDE];
    if (width < c->px) {
        faded.alpha *= width / c->px;
        half = c->px / 2;
    }
    box b = box_of_points(c, p, n, half + softness(c, ink));
    size_t w = b.x1 > b.x0 ? b.x1 - b.x0 : 0;
    for (size_t y = b.y0; y < b.y1; y++) {
        fill(d, w, 16);
        for (size_t i = 1; i < n; i++) {
            nearer(c, &b, centre(c, y), p[i - 1], p[i], d);
        }
        if (closed) {
            nearer(c, &b, centre(c, y), p[n - 1], p[0], d);
        }
        for (size_t i = 0; i < w; i++) {
            d[i] = sqrtf(d[i]) - half;
        }
        blend(c, y, &b, d, &faded);
    }
}

void hs_draw_line(hs_canvas *c, const hs_point *p, size_t n, float width, const hs_ink *ink)
{
    stroke(c, p, n, 0, width, ink);
}

void hs_draw_outline(hs_canvas *c, const hs_point *p, size_t n, float width, const hs_ink *ink)
{
    stroke(c, p, n, 1, width, ink);
}

void hs_draw_finish(hs_canvas *c)
{
    for (size_t i = 0; i < 3 * c->size * c->size; i++) {
        float v = c->rgb[i] < 0 ? 0 : c->rgb[i] > 1 ? 1 : c->rgb[i];
        c->rgb[i] = 2 * v - 1;
    }
}
