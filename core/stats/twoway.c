#include "core/stats/twoway.h"

#include <math.h>

#include "core/stats/bca.h"

/* The three means from their sums over pairs. */
static void finish(const double sum[3], const double count[3], double *out)
{
    double W = sum[0] / count[0], X = sum[1] / count[1], B = sum[2] / count[2];
    out[HS_TWOWAY_ROW] = (B - W) / B;
    out[HS_TWOWAY_COLUMN] = (B - X) / B;
    out[HS_TWOWAY_REST] = (W + X - B) / B;
    out[HS_TWOWAY_WITHIN_ROW] = sqrt(W);
    out[HS_TWOWAY_WITHIN_COLUMN] = sqrt(X);
    out[HS_TWOWAY_BETWEEN] = sqrt(B);
    out[HS_TWOWAY_RATIO] = sqrt(W / B);
    for (int k = 0; k < HS_TWOWAY_STATISTICS && !(B > 0); k++) {
        out[k] = NAN;
    }
}

/* Sums of v_j v_l D over the block of two rows: same column, other column. */
static void block(const hs_twoway *t, size_t i, size_t k, const double *v, double sum[2])
{
    const size_t M = t->M, width = t->N * M;
    sum[0] = sum[1] = 0;
    for (size_t j = 0; j < M; j++) {
        double vj = v != NULL ? v[j] : 1, other = 0;
        const double *row = t->D + (i * M + j) * width + k * M;
        if (vj == 0) {
            continue;
        }
        for (size_t l = 0; l < M; l++) {
            other += v != NULL ? v[l] * row[l] : row[l];
        }
        sum[0] += vj * row[j];
        sum[1] += vj * (other - vj * row[j]);
    }
}

void hs_twoway_eval(const hs_twoway *t, const double *w, const double *v, double *out)
{
    double sum[3] = {0}, count[3] = {0}, s[2], v1 = 0, v2 = 0;
    for (size_t j = 0; j < t->M; j++) {
        double vj = v != NULL ? v[j] : 1;
        v1 += vj;
        v2 += vj * vj;
    }
    for (size_t i = 0; i < t->N; i++) {
        double wi = w != NULL ? w[i] : 1;
        if (wi == 0) {
            continue;
        }
        block(t, i, i, v, s);
        sum[0] += wi * s[1];
        count[0] += wi * (v1 * v1 - v2);
        for (size_t k = i + 1; k < t->N; k++) {
            double wk = wi * (w != NULL ? w[k] : 1);
            if (wk == 0) {
                continue;
            }
            block(t, i, k, v, s);
            sum[1] += wk * s[0];
            count[1] += wk * v1;
            sum[2] += wk * s[1];
            count[2] += wk * (v1 * v1 - v2);
        }
    }
    finish(sum, count, out);
}

void hs_twoway_shuffled(const hs_twoway *t, int which, uint64_t seed, uint64_t draw, size_t *order, double *out)
{
    const size_t N = t->N, M = t->M, all = N * M;
    double sum[3] = {0}, count[3] = {0};
    /* lines: columns of N cells, or rows of M cells, each with a permutation of its own */
    const size_t lines = which == HS_TWOWAY_ROW ? M : N, length = which == HS_TWOWAY_ROW ? N : M;
    for (size_t j = 0; j < lines; j++) {
        hs_permutation(seed, draw * lines + j, length, order + j * length);
    }
    for (size_t p = 0; p < all; p++) {
        for (size_t q = p + 1; q < all; q++) {
            size_t i = p / M, j = p % M, k = q / M, l = q % M;
            size_t from = which == HS_TWOWAY_ROW ? order[j * N + i] * M + j : i * M + order[i * M + j];
            size_t to = which == HS_TWOWAY_ROW ? order[l * N + k] * M + l : k * M + order[k * M + l];
            int kind = i == k ? 0 : j == l ? 1 : 2;
            sum[kind] += t->D[from * all + to];
            count[kind] += 1;
        }
    }
    finish(sum, count, out);
}

static void eval(const void *ctx, const double *w, double *theta, void *scratch)
{
    const hs_twoway *t = ctx;
    (void)scratch;
    hs_twoway_eval(t, w, w + t->N, theta);
}

typedef struct {
    uint64_t seed;
    size_t N;
} resampling;

static void weigh(const void *ctx, size_t b, size_t n, double *w)
{
    const resampling *r = ctx;
    hs_bootstrap_weights(r->seed, 2 * b, r->N, w);
    hs_bootstrap_weights(r->seed, 2 * b + 1, n - r->N, w + r->N);
}

int hs_twoway_bootstrap(const hs_twoway *t, uint64_t seed, size_t B, double *theta)
{
    const hs_statistic st = {t->N + t->M, HS_TWOWAY_STATISTICS, 0, eval, t};
    const resampling r = {seed, t->N};
    if (t->N < 2 || t->M < 2) {
        return hs_fail(HS_ERANGE, "%zu rows and %zu columns; wanted 2 of each", t->N, t->M);
    }
    return hs_statistic_under(&st, B, weigh, &r, theta);
}
