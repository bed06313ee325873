#include "analysis/compare/networks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"

void hs_networks_free(hs_networks *r)
{
    free(r->raw);
    free(r->minus_mean);
    free(r->minus_start);
    free(r->weights);
    free(r->updates);
    memset(r, 0, sizeof *r);
}

typedef struct {
    size_t K, n, d;
    hs_chw shape;
    hs_deltablock *const *net;
    const float *h, *temb;
    float **dh;               /* [K] (n, d) */
    size_t *family, *members; /* (K) the first network of its type; how many there are (at that one) */
    float *work;              /* as long as the longest thing compared */
} work;

/* ---- Families ---- */

static int alike(const hs_deltablock *a, const hs_deltablock *b)
{
    size_t na, nb;
    hs_deltablock_theta((hs_deltablock *)(uintptr_t)a, &na);
    hs_deltablock_theta((hs_deltablock *)(uintptr_t)b, &nb);
    return na == nb && hs_deltablock_param_count(a) == hs_deltablock_param_count(b) &&
           hs_deltablock_hidden(a) == hs_deltablock_hidden(b);
}

static void find_families(work *w)
{
    for (size_t a = 0; a < w->K; a++) {
        w->family[a] = 0;
        while (!alike(w->net[w->family[a]], w->net[a])) {
            w->family[a]++;
        }
        w->members[w->family[a]]++;
    }
}

/* mean (len) <- of the members of a family of thing(w, a). */
typedef const float *(*thing)(const work *w, size_t a);

static const float *said(const work *w, size_t a)
{
    return w->dh[a];
}

static const float *theta(const work *w, size_t a)
{
    size_t count;
    return hs_deltablock_theta(w->net[a], &count);
}

static void family_mean(const work *w, size_t family, thing of, size_t len, float *mean)
{
    for (size_t i = 0; i < len; i++) {
        double sum = 0;
        for (size_t a = 0; a < w->K; a++) {
            sum += w->family[a] == family ? (double)of(w, a)[i] : 0;
        }
        mean[i] = (float)(sum / (double)w->members[family]);
    }
}

/* ---- Cosines ---- */

/* Mean over n rows of cos(a - m, b - m); m NULL: 0. */
static double mean_cosine(size_t n, size_t d, const float *a, const float *b, const float *m)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double ab = 0, aa = 0, bb = 0;
        for (size_t j = i * d; j < (i + 1) * d; j++) {
            double base = m != NULL ? (double)m[j] : 0, x = (double)a[j] - base, y = (double)b[j] - base;
            ab += x * y;
            aa += x * x;
            bb += y * y;
        }
        sum += ab / sqrt(aa * bb) / (double)n;
    }
    return sum;
}

/* out (K, K) <- of all pairs of a family with more than two members; those of other types are left. */
static void within(const work *w, size_t family, thing of, size_t n, size_t d, const float *mean, double *out)
{
    for (size_t a = 0; a < w->K; a++) {
        for (size_t b = 0; b < w->K; b++) {
            if (w->family[a] == family && w->family[b] == family && (mean == NULL || w->members[family] > 2)) {
                out[a * w->K + b] = mean_cosine(n, d, of(w, a), of(w, b), mean);
            }
        }
    }
}

/* mean (n, d) <- what the network of the mean weights says. */
HS_CHECKED static int ask_start(const work *w, size_t family, float *mean)
{
    int rc;
    size_t count;
    float *own = hs_deltablock_theta(w->net[family], &count), *keep = NULL;
    HS_TRY(hs_alloc(count, sizeof *keep, &keep));
    memcpy(keep, own, count * sizeof *keep);
    family_mean(w, family, theta, count, w->work);
    memcpy(own, w->work, count * sizeof *own);
    rc = hs_deltablock_forward(w->net[family], w->n, w->shape, w->h, w->temb, mean);
    memcpy(own, keep, count * sizeof *own);
out:
    free(keep);
    return rc;
}

HS_CHECKED static int fill(work *w, hs_networks *r)
{
    int rc = HS_OK;
    for (size_t a = 0; a < w->K; a++) {
        for (size_t b = 0; b < w->K; b++) {
            r->raw[a * w->K + b] = mean_cosine(w->n, w->d, w->dh[a], w->dh[b], NULL);
        }
    }
    for (size_t f = 0; f < w->K; f++) {
        size_t count;
        if (w->members[f] == 0) {
            continue;
        }
        hs_deltablock_theta(w->net[f], &count);
        within(w, f, theta, 1, count, NULL, r->weights);
        family_mean(w, f, theta, count, w->work);
        within(w, f, theta, 1, count, w->work, r->updates);
        family_mean(w, f, said, w->n * w->d, w->work);
        within(w, f, said, w->n, w->d, w->work, r->minus_mean);
        float *start = NULL;
        HS_TRY(hs_alloc(w->n, w->d * sizeof *start, &start));
        rc = ask_start(w, f, start);
        if (rc == HS_OK) {
            within(w, f, said, w->n, w->d, start, r->minus_start);
        }
        free(start);
        HS_TRY(rc);
    }
out:
    return rc;
}

/* Means over pairs of the most frequent type; a cosine that isn't a number between networks of one family is an error.
 */
HS_CHECKED static int conclude(const work *w, hs_networks *r)
{
    const double *const table[5] = {r->raw, r->minus_mean, r->minus_start, r->weights, r->updates};
    size_t most = 0, largest = 0;
    for (size_t f = 0; f < w->K; f++) {
        largest = w->members[f] > most ? f : largest;
        most = w->members[largest];
    }
    r->null = most > 2 ? -1 / (double)(most - 1) : (double)NAN;
    for (size_t k = 0; k < 5; k++) {
        double sum = 0;
        size_t count = 0;
        for (size_t a = 0; a < w->K; a++) {
            for (size_t b = a + 1; b < w->K; b++) {
                double v = table[k][a * w->K + b];
                int wanted = w->family[a] == largest && w->family[b] == largest && (k == 0 || k == 3 || most > 2);
                if (wanted && isnan(v)) {
                    return hs_fail(HS_EDEGENERATE, "networks %zu and %zu: nothing is left to compare", a, b);
                }
                sum += wanted ? v : 0;
                count += wanted != 0;
            }
        }
        r->mean[k] = count > 0 ? sum / (double)count : (double)NAN;
    }
    return HS_OK;
}

HS_CHECKED static int work_new(work *w)
{
    int rc;
    size_t longest = w->n * w->d;
    HS_TRY(hs_calloc(w->K, sizeof *w->dh, &w->dh));
    HS_TRY(hs_calloc(w->K, sizeof *w->family, &w->family));
    HS_TRY(hs_calloc(w->K, sizeof *w->members, &w->members));
    for (size_t a = 0; a < w->K; a++) {
        size_t count;
        hs_deltablock_theta(w->net[a], &count);
        longest = count > longest ? count : longest;
        if (hs_deltablock_channels(w->net[a]) != w->shape.c) {
            rc = hs_fail(HS_ESHAPE, "network %zu has %zu channels; h has %zu", a, hs_deltablock_channels(w->net[a]),
                         w->shape.c);
            goto out;
        }
        HS_TRY(hs_alloc(w->n, w->d * sizeof(float), &w->dh[a]));
        HS_TRY(hs_deltablock_forward(w->net[a], w->n, w->shape, w->h, w->temb, w->dh[a]));
    }
    HS_TRY(hs_alloc(longest, sizeof *w->work, &w->work));
    find_families(w);
out:
    return rc;
}

int hs_networks_compare(size_t K, hs_deltablock *const *net, size_t n, hs_chw shape, const float *h, const float *temb,
                        hs_networks *out)
{
    int rc;
    hs_networks r = {.K = K};
    work w = {.K = K, .n = n, .d = hs_chw_size(shape), .shape = shape, .net = net, .h = h, .temb = temb};
    double **const table[5] = {&r.raw, &r.minus_mean, &r.minus_start, &r.weights, &r.updates};
    if (K < 2 || n == 0) {
        return hs_fail(HS_ERANGE, "%zu networks on %zu h; wanted 2 and 1", K, n);
    }
    HS_TRY(work_new(&w));
    for (size_t k = 0; k < 5; k++) {
        HS_TRY(hs_alloc(K, K * sizeof(double), table[k]));
        for (size_t i = 0; i < K * K; i++) {
            (*table[k])[i] = NAN;
        }
    }
    HS_TRY(fill(&w, &r));
    HS_TRY(conclude(&w, &r));
    *out = r;
    memset(&r, 0, sizeof r);
out:
    for (size_t a = 0; w.dh != NULL && a < K; a++) {
        free(w.dh[a]);
    }
    free(w.dh);
    free(w.family);
    free(w.members);
    free(w.work);
    hs_networks_free(&r);
    return rc;
}
