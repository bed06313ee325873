#include "analysis/geometry/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

static void between(size_t n, const float *a, const float *b, double s, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)((1 - s) * (double)a[i] + s * (double)b[i]);
    }
}

int hs_midpoint_deviation(const hs_curved_map *g, const float *a, const float *b, size_t count, const double *fraction,
                          double *out)
{
    const size_t rows = 2 * count + 1;
    float *x = NULL, *y = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(rows, g->n * sizeof *x, &x));
    HS_TRY(hs_alloc(rows, g->m * sizeof *y, &y));
    memcpy(x, a, g->n * sizeof *x);
    for (size_t j = 0; j < count; j++) {
        between(g->n, a, b, fraction[j], x + (2 * j + 1) * g->n);
        between(g->n, a, b, fraction[j] / 2, x + (2 * j + 2) * g->n);
    }
    HS_TRY(g->eval(g->ctx, rows, x, y));
    for (size_t j = 0; j < count; j++) {
        const float *end = y + (2 * j + 1) * g->m, *mid = end + g->m;
        double sum = 0, chord = hs_distance_f32(g->m, y, end);
        for (size_t i = 0; i < g->m; i++) {
            double e = (double)mid[i] - 0.5 * ((double)y[i] + (double)end[i]);
            sum += e * e;
        }
        out[j] = chord > 0 ? sqrt(sum) / chord : (double)NAN;
    }
out:
    free(x);
    free(y);
    return rc;
}

/* ---- Relaxation ---- */

typedef struct {
    const hs_curved_map *g;
    size_t K, inner;      /* inner = (K - 1) n */
    float *x, *y;         /* nodes (K + 1, n), images (K + 1, m) */
    float *trial, *image; /* the same of a step that is tried */
    float *u;             /* (K - 1, m) */
    float *grad, *before; /* (K - 1, n) smoothed gradients */
    float *last;          /* (K - 1, n) raw gradient */
    double chord2;
} path;

static void path_free(path *p)
{
    free(p->x);
    free(p->y);
    free(p->trial);
    free(p->image);
    free(p->u);
    free(p->grad);
    free(p->before);
    free(p->last);
}

HS_CHECKED static int path_create(path *p)
{
    const size_t n = p->g->n * sizeof(float), m = p->g->m * sizeof(float), K = p->K;
    int rc = HS_OK;
    p->inner = (K - 1) * p->g->n;
    HS_TRY(hs_alloc(K + 1, n, &p->x));
    HS_TRY(hs_alloc(K + 1, m, &p->y));
    HS_TRY(hs_alloc(K + 1, n, &p->trial));
    HS_TRY(hs_alloc(K + 1, m, &p->image));
    HS_TRY(hs_alloc(K - 1, m, &p->u));
    HS_TRY(hs_alloc(K - 1, n, &p->grad));
    HS_TRY(hs_alloc(K - 1, n, &p->before));
    HS_TRY(hs_alloc(K - 1, n, &p->last));
out:
    return rc;
}

static double energy_of(const path *p, const float *y)
{
    double sum = 0;
    for (size_t k = 0; k < p->K; k++) {
        double d = hs_distance_f32(p->g->m, y + k * p->g->m, y + (k + 1) * p->g->m);
        sum += d * d;
    }
    return (double)p->K * sum / p->chord2;
}

/* Solves tridiag(-1, 2, -1) z = v along the K - 1 inner nodes for every coordinate, in place (Thomas' algorithm). */
static void smooth(size_t nodes, size_t n, float *v)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 1; k < nodes; k++) {
            v[k * n + i] += (float)k / (float)(k + 1) * v[(k - 1) * n + i];
        }
        for (size_t k = nodes; k-- > 0;) {
            float next = k + 1 < nodes ? v[(k + 1) * n + i] : 0;
            v[k * n + i] = (v[k * n + i] + next) * (float)(k + 1) / (float)(k + 2);
        }
    }
}

/* grad <- the smoothed gradient at the nodes kept last, last <- the raw one. */
HS_CHECKED static int gradient(path *p)
{
    const size_t m = p->g->m;
    int rc = HS_OK;
    for (size_t k = 1; k < p->K; k++) {
        for (size_t i = 0; i < m; i++) {
            const float *y = p->y + k * m + i;
            p->u[(k - 1) * m + i] =
                (float)(2 * (double)p->K / p->chord2 * (2 * (double)y[0] - (double)y[-(ptrdiff_t)m] - (double)y[m]));
        }
    }
    HS_TRY(p->g->pull(p->g->ctx, p->K - 1, p->u, p->last));
    memcpy(p->grad, p->last, p->inner * sizeof *p->grad);
    smooth(p->K - 1, p->g->n, p->grad);
out:
    return rc;
}

/* trial <- x - step grad, kept; its energy. */
HS_CHECKED static int try_step(path *p, double step, double *energy)
{
    const size_t n = p->g->n, m = p->g->m;
    int rc = HS_OK;
    for (size_t i = 0; i < p->inner; i++) {
        p->trial[n + i] = (float)((double)p->x[n + i] - step * (double)p->grad[i]);
    }
    HS_TRY(p->g->keep(p->g->ctx, p->K - 1, p->trial + n, p->image + m));
    *energy = energy_of(p, p->image);
out:
    return rc;
}

static void swap(float **a, float **b)
{
    float *c = *a;
    *a = *b;
    *b = c;
}

/* From the straight path, which was kept last. */
HS_CHECKED static int descend(path *p, size_t iterations, hs_path_energy *out)
{
    double now = out->straight, tried, first, slope, step = 0;
    int rc = HS_OK;
    HS_TRY(gradient(p));
    first = slope = hs_dot_f32(p->inner, p->last, p->grad);
    for (size_t it = 0; it < iterations && slope > 1e-12 * first; it++) {
        if (it == 0) {
            step = now / slope; /* what a quadratic with minimum 0 would take, halved until it helps */
        }
        int halvings = 0;
        do {
            HS_TRY(try_step(p, step, &tried));
            step *= 0.5;
        } while (!(tried < now) && ++halvings < 30);
        if (!(tried < now)) {
            break;
        }
        step *= 2;
        swap(&p->x, &p->trial);
        swap(&p->y, &p->image);
        swap(&p->grad, &p->before);
        now = tried;
        out->iterations++;
        double old = slope, cross;
        HS_TRY(gradient(p));
        slope = hs_dot_f32(p->inner, p->last, p->grad);
        /* <s, s> / <s, y> in the metric of the smoothing: s = -step before, y = grad - before */
        cross = hs_dot_f32(p->inner, p->last, p->before);
        step = old > cross ? step * old / (old - cross) : 2 * step;
    }
    out->relaxed = now;
    out->gradient = first > 0 ? sqrt(slope / first) : 0;
out:
    return rc;
}

static void say_bend(const path *p, const float *a, const float *b, hs_path_energy *out)
{
    const size_t n = p->g->n;
    for (size_t k = 1; k < p->K; k++) {
        between(n, a, b, (double)k / (double)p->K, p->trial);
        out->bend = fmax(out->bend, hs_distance_f32(n, p->trial, p->x + k * n) / hs_distance_f32(n, a, b));
    }
}

int hs_path_relax(const hs_curved_map *g, const float *a, const float *b, size_t K, size_t iterations, float *node,
                  hs_path_energy *out)
{
    path p = {.g = g, .K = K};
    hs_path_energy found = {0};
    const size_t n = g->n, m = g->m;
    int rc = HS_OK;
    if (K < 2) {
        return hs_fail(HS_ERANGE, "a path of %zu segments; wanted 2 or more", K);
    }
    HS_TRY(path_create(&p));
    for (size_t k = 0; k <= K; k++) {
        between(n, a, b, (double)k / (double)K, p.x + k * n);
    }
    memcpy(p.trial, p.x, (K + 1) * n * sizeof *p.x);
    HS_TRY(g->eval(g->ctx, 1, a, p.y));
    HS_TRY(g->eval(g->ctx, 1, b, p.y + K * m));
    memcpy(p.image, p.y, m * sizeof *p.y);
    memcpy(p.image + K * m, p.y + K * m, m * sizeof *p.y);
    p.chord2 = pow(hs_distance_f32(m, p.y, p.y + K * m), 2);
    if (!(p.chord2 > 0) || !isfinite(p.chord2)) {
        rc = hs_fail(HS_EDEGENERATE, "a path between images %g apart", sqrt(p.chord2));
        goto out;
    }
    HS_TRY(g->keep(g->ctx, K - 1, p.x + n, p.y + m));
    found.straight = energy_of(&p, p.y);
    if (node != NULL) {
        memcpy(node, p.x, (K + 1) * n * sizeof *node);
    }
    HS_TRY(descend(&p, iterations, &found));
    say_bend(&p, a, b, &found);
    if (node != NULL) {
        memcpy(node + (K + 1) * n, p.x, (K + 1) * n * sizeof *node);
    }
    *out = found;
out:
    path_free(&p);
    return rc;
}
