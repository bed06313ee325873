/* The loss between images and captions of which several may belong together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/train/task_clip.h"
#include "core/base/alloc.h"
#include "core/model/clip_loss.h"

/* unit (n, P) <- rows of e scaled to length 1; length (n). */
HS_CHECKED static int normalise(size_t n, size_t P, const float *e, double *unit, double *length)
{
    for (size_t i = 0; i < n; i++) {
        double square = 0;
        for (size_t k = 0; k < P; k++) {
            square += (double)e[i * P + k] * (double)e[i * P + k];
        }
        length[i] = sqrt(square);
        if (!(length[i] > 0)) {
            return hs_fail(HS_EDEGENERATE, "embedding %zu has length %g", i, length[i]);
        }
        for (size_t k = 0; k < P; k++) {
            unit[i * P + k] = (double)e[i * P + k] / length[i];
        }
    }
    return HS_OK;
}

static double dot(size_t n, const double *a, const double *b)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        sum += a[k] * b[k];
    }
    return sum;
}

static double sum_of(size_t n, size_t stride, const double *p)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += p[i * stride];
    }
    return sum;
}

/* p (n, m) <- truth, its columns scaled to sum 1. */
HS_CHECKED static int pair_up(size_t n, size_t m, const double *truth, double *p)
{
    for (size_t j = 0; j < m; j++) {
        double sum = sum_of(n, m, truth + j);
        if (!(sum > 0)) {
            return hs_fail(HS_EDEGENERATE, "caption %zu is true of no image", j);
        }
        for (size_t i = 0; i < n; i++) {
            p[i * m + j] = truth[i * m + j] / sum;
        }
    }
    return HS_OK;
}

/* The divergence of one row or column, n numbers stride apart; dl += `by` times its gradient. */
static double divergence(size_t n, size_t stride, const double *p, const double *l, double by, double *dl)
{
    double total = sum_of(n, stride, p), norm = hs_log_sum_exp(n, stride, l), sum = 0;
    if (total <= 0) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        double a = p[i * stride], b = l[i * stride] - norm;
        sum += a > 0 ? a * (log(a / total) - b) : 0;
        dl[i * stride] += by * (total * exp(b) - a);
    }
    return sum;
}

/* de (P) <- the gradient in the raw embedding, from that in the unit one. */
static void denormalise(size_t P, const double *unit, double length, const double *dunit, float *de)
{
    double along = dot(P, unit, dunit);
    for (size_t k = 0; k < P; k++) {
        de[k] = (float)((dunit[k] - along * unit[k]) / length);
    }
}

/* One side: unit embeddings and their lengths. */
typedef struct {
    size_t n;
    double *unit, *length;
} side;

/* de (a.n, P) <- gradients in a's raw embeddings: `by` sum_j dl_ij b_j, dl at strides (si, sj). */
static void pull(side a, side b, size_t P, const double *dl, size_t si, size_t sj, double by, double *row, float *de)
{
    for (size_t i = 0; i < a.n; i++) {
        memset(row, 0, P * sizeof *row);
        for (size_t j = 0; j < b.n; j++) {
            double d = by * dl[i * si + j * sj];
            for (size_t k = 0; k < P; k++) {
                row[k] += d * b.unit[j * P + k];
            }
        }
        denormalise(P, a.unit + i * P, a.length[i], row, de + i * P);
    }
}

/* The sum of all divergences; l, dl (n, m) <- logits and the loss's gradient in them. */
static double compare(side a, side b, size_t P, const double *p, double by, double *l, double *dl)
{
    size_t n = a.n, m = b.n;
    double sum = 0, each = 1 / (2 * (double)m);
    for (size_t i = 0; i < n * m; i++) {
        l[i] = by * dot(P, a.unit + i / m * P, b.unit + i % m * P);
        dl[i] = 0;
    }
    for (size_t j = 0; j < m; j++) {
        sum += divergence(n, m, p + j, l + j, each, dl + j);
    }
    for (size_t i = 0; i < n; i++) {
        sum += divergence(m, 1, p + i * m, l + i * m, each, dl + i * m);
    }
    return each * sum;
}

int hs_clip_match(size_t n, size_t m, size_t P, const float *u, const float *w, const double *truth, double scale,
                  double *loss, float *du, float *dw, double *dscale)
{
    double *l = NULL, by = exp(scale);
    int rc = HS_OK;
    HS_TRY(hs_alloc(3 * n * m + (n + m) * (P + 1) + P, sizeof *l, &l));
    double *p = l + n * m, *dl = p + n * m, *at = dl + n * m, *row = at + (n + m) * (P + 1);
    side a = {n, at, at + n * P}, b = {m, a.length + n, a.length + n + m * P};
    HS_TRY(hs_fail_in(normalise(n, P, u, a.unit, a.length), "images"));
    HS_TRY(hs_fail_in(normalise(m, P, w, b.unit, b.length), "captions"));
    HS_TRY(pair_up(n, m, truth, p));
    *loss = compare(a, b, P, p, by, l, dl);
    *dscale = dot(n * m, dl, l);
    pull(a, b, P, dl, m, 1, by, row, du);
    pull(b, a, P, dl, 1, m, by, row, dw);
out:
    free(l);
    return rc;
}
