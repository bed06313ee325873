#include "analysis/compare/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"

/* A cluster is the stretch of `leaf` that starts at first[c] and has size[c]; size 0: merged into another. */
typedef struct {
    size_t n;
    const double *s;
    size_t *leaf, *first, *size, *spare;
    double least;
} tree;

static double at(const tree *t, size_t i, size_t j)
{
    double v = t->s[i * t->n + j];
    return isnan(v) ? t->least : v;
}

static double mean_between(const tree *t, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < t->size[a]; i++) {
        for (size_t j = 0; j < t->size[b]; j++) {
            sum += at(t, t->leaf[t->first[a] + i], t->leaf[t->first[b] + j]);
        }
    }
    return sum / (double)(t->size[a] * t->size[b]);
}

static void reverse(size_t n, size_t *v)
{
    for (size_t i = 0; i < n / 2; i++) {
        size_t x = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = x;
    }
}

/* Turns the two so that the ends that meet, the last of a and the first of b, are the most alike. */
static void turn(tree *t, size_t a, size_t b)
{
    size_t *x = t->leaf + t->first[a], *y = t->leaf + t->first[b], na = t->size[a], nb = t->size[b];
    const double end[4] = {at(t, x[na - 1], y[0]), at(t, x[na - 1], y[nb - 1]), at(t, x[0], y[0]),
                           at(t, x[0], y[nb - 1])};
    size_t best = 0;
    for (size_t k = 1; k < 4; k++) {
        best = end[k] > end[best] ? k : best;
    }
    if (best >= 2) {
        reverse(na, x);
    }
    if (best % 2 == 1) {
        reverse(nb, y);
    }
}

/* Cluster a takes b's leaves, which move up behind its own. */
static void join(tree *t, size_t a, size_t b)
{
    size_t na = t->size[a], nb = t->size[b], from = t->first[a] + na, to = t->first[b];
    turn(t, a, b);
    memcpy(t->spare, t->leaf + to, nb * sizeof *t->leaf);
    if (to > from) {
        memmove(t->leaf + from + nb, t->leaf + from, (to - from) * sizeof *t->leaf);
    }
    memcpy(t->leaf + from, t->spare, nb * sizeof *t->leaf);
    for (size_t c = 0; c < t->n; c++) {
        t->first[c] += t->size[c] > 0 && t->first[c] >= from && t->first[c] < to ? nb : 0;
    }
    t->size[a] += nb;
    t->size[b] = 0;
}

/* The two clusters most alike, the one that starts further up first. */
static void closest(const tree *t, size_t *a, size_t *b)
{
    double best = -INFINITY;
    *a = *b = t->n;
    for (size_t i = 0; i < t->n; i++) {
        for (size_t j = i + 1; j < t->n && t->size[i] > 0; j++) {
            double v = t->size[j] > 0 ? mean_between(t, i, j) : -INFINITY;
            if (t->size[j] > 0 && (*a == t->n || v > best)) {
                best = v;
                *a = t->first[i] < t->first[j] ? i : j;
                *b = i + j - *a;
            }
        }
    }
}

int hs_cluster_order(size_t n, const double *similarity, size_t *order)
{
    int rc;
    tree t = {.n = n, .s = similarity};
    HS_TRY(hs_alloc(n, sizeof *t.leaf, &t.leaf));
    HS_TRY(hs_alloc(n, sizeof *t.first, &t.first));
    HS_TRY(hs_alloc(n, sizeof *t.size, &t.size));
    HS_TRY(hs_alloc(n, sizeof *t.spare, &t.spare));
    for (size_t i = 0; i < n * n; i++) {
        t.least = isnan(similarity[i]) ? t.least : fmin(t.least, similarity[i]);
    }
    for (size_t i = 0; i < n; i++) {
        t.leaf[i] = t.first[i] = i;
        t.size[i] = 1;
    }
    for (size_t left = n; left > 1; left--) {
        size_t a, b;
        closest(&t, &a, &b);
        join(&t, a, b);
    }
    size_t zero = 0;
    while (zero < n && t.leaf[zero] != 0) {
        zero++;
    }
    if (n > 0 && 2 * zero > n - 1) {
        reverse(n, t.leaf);
    }
    memcpy(order, t.leaf, n * sizeof *order);
out:
    free(t.leaf);
    free(t.first);
    free(t.size);
    free(t.spare);
    return rc;
}
