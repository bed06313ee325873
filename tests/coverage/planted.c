#include "tests/coverage/planted.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "tests/support/delta_sample.h"
#include "tests/support/support.h"

/* Streams of one set; deltas_planted has its own, up to 2 n. */
enum { OFFSET = 1 << 20, GAIN, NOISE, NULLS, FLIP, SIZE };

void planted_normals(uint64_t set, uint64_t stream, size_t first, size_t n, float *z)
{
    hs_rng_normal((hs_rng){set, HS_RNG_TEST, stream}, first, n, z);
}

double planted_normal(uint64_t set, uint64_t stream, size_t i)
{
    float z;
    planted_normals(set, stream, i, 1, &z);
    return (double)z;
}

static double uniform(uint64_t set, uint64_t stream, size_t i)
{
    return hs_rng_uniform((hs_rng){set, HS_RNG_TEST, stream}, i);
}

double planted_sign_of(double flip, uint64_t set, size_t i)
{
    return flip > 0 && uniform(set, FLIP, i) < flip ? -1 : 1;
}

/* ---- Deltas ---- */

float *planted_values(const deltas_plan *p, size_t n, uint64_t set)
{
    enum { PER = PLANTED_STEPS * PLANTED_D };
    float *v = deltas_planted(n, PLANTED_STEPS, PLANTED_D, p->g, p->tau, 0.5, set);
    for (size_t i = 0; i < n; i++) {
        double a = planted_sign_of(p->flip, set, i) * fmax(0.1, 1 + p->gain_sd * planted_normal(set, GAIN, i));
        a = i == 0 && p->outlier > 0 ? p->outlier : a;
        for (size_t j = 0; j < PER; j++) {
            v[i * PER + j] = (float)(a * (double)v[i * PER + j]);
        }
    }
    return v;
}

hs_deltas planted_deltas(const deltas_plan *p, size_t n, uint64_t set)
{
    float *v = planted_values(p, n, set);
    hs_deltas x = deltas_of(n, PLANTED_STEPS, PLANTED_D, NULL, v);
    free(v);
    return x;
}

enum { DECAY_STEPS = 5, DECAY_D = 8 };

/* L (S, S) <- the rows of a Cholesky factor of exp(-|t_k - t_l| / 200). */
static void means_that_decay(const int *t, double L[DECAY_STEPS][DECAY_STEPS])
{
    memset(L, 0, DECAY_STEPS * sizeof *L);
    for (size_t k = 0; k < DECAY_STEPS; k++) {
        for (size_t l = 0; l <= k; l++) {
            double s = exp(-fabs((double)(t[k] - t[l])) / 200);
            for (size_t j = 0; j < l; j++) {
                s -= L[k][j] * L[l][j];
            }
            L[k][l] = k == l ? sqrt(s) : s / L[l][l];
        }
    }
}

hs_deltas planted_decay(double noise, size_t n, uint64_t set)
{
    static const int t[DECAY_STEPS] = {400, 300, 250, 120, 0};
    enum { PER = DECAY_STEPS * DECAY_D };
    double L[DECAY_STEPS][DECAY_STEPS];
    float *v;
    assert_ok(hs_alloc(n, PER * sizeof *v, &v));
    means_that_decay(t, L);
    planted_normals(set, NOISE, 0, n * PER, v);
    for (size_t c = 0; c < n * PER; c++) {
        size_t k = c / DECAY_D % DECAY_STEPS, j = c % DECAY_D;
        v[c] = (float)(noise * (double)v[c] + (j < DECAY_STEPS ? L[k][j] : 0));
    }
    hs_deltas x = deltas_of(n, DECAY_STEPS, DECAY_D, t, v);
    free(v);
    return x;
}

/* ---- Sweeps ---- */

double planted_line(double s)
{
    return s;
}

double planted_tanh(double s)
{
    return tanh(s);
}

double planted_saturated(double s)
{
    return tanh(4 * s);
}

double planted_bent(double s)
{
    return s + 0.15 * s * s;
}

double planted_square(double s)
{
    return s * s;
}

double planted_sign(double s)
{
    return s > 0 ? 1 : s < 0 ? -1 : 0;
}

double planted_turning(double s)
{
    return s - 0.25 * s * s * s;
}

double planted_returning(double s)
{
    return s - 0.35 * s * s * s;
}

double planted_soft(double s)
{
    return s - 0.02 * s * s * s;
}

static double gain_of(const sweep_plan *p, uint64_t set, size_t i)
{
    double a = p->skew > 0 ? 1 - p->skew - p->skew * log(1 - uniform(set, SIZE, i))
                           : 1 + p->gain_sd * planted_normal(set, GAIN, i);
    return p->scale * (i == 0 && p->outlier > 0 ? p->outlier : planted_sign_of(p->flip, set, i) * a);
}

hs_effects planted_sweep(const sweep_plan *p, size_t n, uint64_t set)
{
    enum { K = 8, MOST = 32 };
    double strength[MOST], *value, *null;
    float *z;
    hs_effects e;
    size_t m = 0;
    assert_true(p->m <= MOST && p->m % 2 == 1);
    for (size_t j = 0; j < p->m; j++) {
        double s = p->reach * ((double)j - (double)(p->m / 2)) / (double)(p->m / 2);
        if (p->below == 0 || s >= -p->below) {
            strength[m++] = s;
        }
    }
    assert_ok(hs_alloc(n * m, sizeof *value, &value));
    assert_ok(hs_alloc(K * n * m, sizeof *null, &null));
    assert_ok(hs_alloc(n * m, sizeof *z, &z));
    planted_normals(set, NOISE, 0, n * m, z);
    for (size_t i = 0; i < n; i++) {
        double a = gain_of(p, set, i), base = p->spread * planted_normal(set, OFFSET, i);
        double noise = p->noise * exp(p->unequal * planted_normal(set, SIZE, n + i) - p->unequal * p->unequal);
        for (size_t j = 0; j < m; j++) {
            value[i * m + j] = base + a * p->g(strength[j]) + noise * (double)z[i * m + j];
            for (size_t k = 0; k < K; k++) {
                double slope = p->null * (1 + 0.3 * planted_normal(set, NULLS, k));
                null[(k * n + i) * m + j] = base + (k % 2 == 1 ? slope : -slope) * strength[j];
            }
        }
    }
    assert_ok(hs_effects_create("planted", n, m, strength, value, K, null, NULL, &e));
    free(value);
    free(null);
    free(z);
    return e;
}

/* ---- Damage ---- */

static double level_at(size_t j)
{
    return j == 0 ? 0 : pow(2, 0.5 * (double)(j - 1) - 4);
}

hs_damage planted_damage(const damage_plan *p, size_t n, uint64_t set)
{
    double level[32], *damage;
    hs_damage d = {.n = n};
    size_t m = p->m;
    assert_true(m <= 32);
    assert_ok(hs_alloc(n * m, sizeof *damage, &damage));
    for (int arm = 0; arm < HS_ARMS; arm++) {
        double s4 = pow(p->s[arm], 4);
        for (size_t i = 0; i < n && s4 > 0; i++) {
            double a = exp(p->spread * planted_normal(set, GAIN, i) - 0.5 * p->spread * p->spread);
            a = i == 0 && p->outlier > 0 ? p->outlier : a;
            for (size_t j = 0; j < m; j++) {
                double l4 = pow(level[j] = level_at(j), 4),
                       z = planted_normal(set, NOISE + 16 + (uint64_t)arm, i * m + j);
                damage[i * m + j] = 2 + planted_normal(set, OFFSET, i) + a * l4 / (l4 + s4) + p->noise * z;
            }
        }
        if (s4 > 0) {
            assert_ok(hs_damage_add(&d, (hs_arm)arm, m, level, damage));
        }
    }
    free(damage);
    return d;
}
