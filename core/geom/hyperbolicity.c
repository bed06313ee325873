#include "core/geom/hyperbolicity.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"

/* Sums over the quadruples seen: in all, and of each point's. */
typedef struct {
    size_t n, count;
    const double *D;
    double most, sum;
    double *of, *counts; /* (n) */
} tally;

static inline double four_points(double a, double b, double c)
{
    double hi = fmax(a, b), lo = fmin(a, b);
    return hi > c ? hi - fmax(lo, c) : c - hi;
}

static inline void see(tally *t, size_t i, size_t j, size_t k, size_t l, double *own)
{
    const double *di = t->D + i * t->n, *dj = t->D + j * t->n, *dk = t->D + k * t->n;
    double v = four_points(di[j] + dk[l], di[k] + dj[l], di[l] + dj[k]);
    t->most = v > t->most ? v : t->most;
    *own += v;
    t->of[l] += v;
}

static void see_all(tally *t)
{
    const size_t n = t->n;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            for (size_t k = j + 1; k < n; k++) {
                double own = 0;
                for (size_t l = k + 1; l < n; l++) {
                    see(t, i, j, k, l, &own);
                }
                t->sum += own;
                t->of[i] += own;
                t->of[j] += own;
                t->of[k] += own;
                t->count += n - k - 1;
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        t->counts[i] = 4 * (double)t->count / (double)n;
    }
}

/* q (4) <- different points, numbers u (4) of [0, 2^32) falling on those that are left. */
static void pick(size_t n, const uint32_t *u, size_t q[4])
{
    for (size_t a = 0; a < 4; a++) {
        size_t v = (size_t)(((uint64_t)u[a] * (n - a)) >> 32), b = a;
        for (size_t c = 0; c < a; c++) { /* the a points before are sorted */
            v += v >= q[c];
        }
        for (; b > 0 && q[b - 1] > v; b--) {
            q[b] = q[b - 1];
        }
        q[b] = v;
    }
}

static void see_some(tally *t, size_t sampled, uint64_t seed)
{
    enum { AT_ONCE = 64 };
    uint32_t u[4 * AT_ONCE];
    const hs_rng stream = {seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_QUADRUPLE << 48};
    for (size_t first = 0; first < sampled; first += AT_ONCE) {
        size_t count = sampled - first < AT_ONCE ? sampled - first : AT_ONCE;
        hs_rng_u32(stream, 4 * first, 4 * count, u);
        for (size_t m = 0; m < count; m++) {
            size_t q[4] = {0};
            double own = 0;
            pick(t->n, u + 4 * m, q);
            see(t, q[0], q[1], q[2], q[3], &own);
            t->sum += own;
            for (size_t a = 0; a < 4; a++) {
                t->of[q[a]] += a < 3 ? own : 0;
                t->counts[q[a]] += 1;
            }
        }
    }
    t->count = sampled;
}

int hs_gromov_delta(size_t n, const double *D, size_t sampled, uint64_t seed, double *leave_one_out, hs_gromov *out)
{
    tally t = {.n = n, .D = D};
    double diameter = 0;
    int rc = HS_OK;
    for (size_t i = 0; i < n * n; i++) {
        diameter = D[i] > diameter ? D[i] : diameter;
    }
    if (n < 5 || !(diameter > 0)) {
        return hs_fail(HS_EDEGENERATE, "hyperbolicity of %zu points, %g apart at most; wanted 5 that differ", n,
                       diameter);
    }
    HS_TRY(hs_calloc(n, 2 * sizeof *t.of, &t.of));
    t.counts = t.of + n;
    if (n <= HS_GROMOV_EXACT) {
        see_all(&t);
    } else {
        see_some(&t, sampled, seed);
    }
    /* relative: 2 (S1 - S2) / 2 / diameter */
    *out = (hs_gromov){diameter, t.most / diameter, t.sum / (double)t.count / diameter, t.count};
    for (size_t i = 0; leave_one_out != NULL && i < n; i++) {
        leave_one_out[i] = (t.sum - t.of[i]) / ((double)t.count - t.counts[i]) / diameter;
    }
out:
    free(t.of);
    return rc;
}
