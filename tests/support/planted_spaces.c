#include "tests/support/planted_spaces.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "tests/support/support.h"

static float *normals(uint64_t seed, uint64_t index, size_t n)
{
    float *x;
    assert_ok(hs_alloc(n > 0 ? n : 1, sizeof *x, &x));
    hs_rng_normal((hs_rng){seed, HS_RNG_TEST, index}, 0, n, x);
    return x;
}

static void make_side(planted_spaces *p, size_t s, const float *z, uint64_t seed)
{
    size_t d = p->d[s], k = p->k;
    float *e = normals(seed, 10 + s, p->n * d), *g = normals(seed, 20 + s, d * k);
    double spread = k > 0 ? p->noise * sqrt((double)k / (double)d) : 1;
    assert_ok(hs_alloc(d * k + 1, sizeof(double), &p->loading[s]));
    for (size_t i = 0; i < d * k; i++) {
        p->loading[s][i] = (double)g[i];
    }
    if (k > 0) {
        assert_ok(hs_qr_thin(d, k, p->loading[s], p->loading[s], NULL));
    }
    for (size_t i = 0; i < p->n; i++) {
        for (size_t j = 0; j < d; j++) {
            double v = spread * (double)e[i * d + j];
            for (size_t l = 0; l < k; l++) {
                v += (double)z[i * k + l] * p->loading[s][j * k + l];
            }
            e[i * d + j] = (float)v;
        }
    }
    p->x[s] = e;
    free(g);
}

/* Mean over rows of cos(Q_b Q_aᵀ a, b). */
static double truth(const planted_spaces *p, size_t a, size_t b)
{
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        double dot = 0, pp = 0;
        for (size_t l = 0; l < p->k; l++) {
            double u = 0, v = 0;
            for (size_t j = 0; j < p->d[a]; j++) {
                u += (double)p->x[a][i * p->d[a] + j] * p->loading[a][j * p->k + l];
            }
            for (size_t j = 0; j < p->d[b]; j++) {
                v += (double)p->x[b][i * p->d[b] + j] * p->loading[b][j * p->k + l];
            }
            dot += u * v;
            pp += u * u;
        }
        sum += p->k > 0 ? dot / sqrt(pp) / hs_nrm2_f32(p->d[b], p->x[b] + i * p->d[b]) / (double)p->n : 0;
    }
    return sum;
}

planted_spaces planted_spaces_make(size_t n, size_t k, size_t da, size_t db, double noise, uint64_t seed)
{
    planted_spaces p = {.n = n, .k = k, .d = {da, db}, .noise = noise};
    float *z = normals(seed, 1, n * k);
    make_side(&p, 0, z, seed);
    make_side(&p, 1, z, seed);
    p.cosine = truth(&p, 0, 1);
    p.back = truth(&p, 1, 0);
    free(z);
    return p;
}

void planted_spaces_free(planted_spaces *p)
{
    for (size_t s = 0; s < 2; s++) {
        free(p->x[s]);
        free(p->loading[s]);
    }
    memset(p, 0, sizeof *p);
}

static int read_rows(void *ctx, size_t k, size_t first, size_t count, float *out)
{
    const planted_rows *r = ctx;
    (void)k;
    memcpy(out, r->x + first * r->d, count * r->d * sizeof *out);
    return HS_OK;
}

hs_compare_side planted_side(planted_rows *rows, size_t n)
{
    return (hs_compare_side){n, 1, rows->d, NULL, read_rows, rows};
}
