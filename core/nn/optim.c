#include "core/nn/optim.h"

#include <math.h>
#include <string.h>

#include "core/base/simd.h"

enum { RUN = 16384 }; /* elements a thread takes at a time */

/* The factors of one update, rounded once. */
typedef struct {
    float grad, keep1, new1, keep2, new2; /* moments: keep what was, take what is new */
    float step, root, eps, decay;         /* theta loses step m / (root sqrt(v) + eps) + decay theta */
} update;

HS_SIMD static void adam_run(const update *u, size_t n, const float *grad, float *m, float *v, float *theta)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = u->grad * grad[i];
        m[i] = u->keep1 * m[i] + u->new1 * g;
        v[i] = u->keep2 * v[i] + u->new2 * (g * g);
        /* The decay is taken off, not multiplied in: 1 - rate decay has too few digits near 1. */
        theta[i] -= u->step * m[i] / (u->root * sqrtf(v[i]) + u->eps) + u->decay * theta[i];
    }
}

void hs_adam_step(const hs_adam *a, uint64_t k, size_t n, double scale, const float *grad, float *m, float *v,
                  float *theta)
{
    double left1 = 1 - pow(a->beta1, (double)k), left2 = 1 - pow(a->beta2, (double)k);
    update u = {.grad = (float)scale,
                .keep1 = (float)a->beta1,
                .new1 = (float)(1 - a->beta1),
                .keep2 = (float)a->beta2,
                .new2 = (float)(1 - a->beta2),
                .step = (float)(a->rate / left1),
                .root = (float)(1 / sqrt(left2)),
                .eps = (float)a->eps,
                .decay = (float)(a->rate * a->decay)};
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t i = 0; i < n; i += RUN) {
        adam_run(&u, n - i < RUN ? n - i : RUN, grad + i, m + i, v + i, theta + i);
    }
}

HS_SIMD static void sgd_run(float step, size_t n, const float *grad, float *theta)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        theta[i] -= step * grad[i];
    }
}

void hs_sgd_step(double rate, size_t n, double scale, const float *grad, float *theta)
{
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t i = 0; i < n; i += RUN) {
        sgd_run((float)(rate * scale), n - i < RUN ? n - i : RUN, grad + i, theta + i);
    }
}

/* In double throughout: the square of a float may overflow a float. */
HS_SIMD static double squares(size_t n, const float *x)
{
    enum { LANES = 16 };
    double sum[LANES] = {0}, total = 0;
    size_t whole = n / LANES * LANES;
    for (size_t i = 0; i < whole; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            sum[l] += (double)x[i + l] * (double)x[i + l];
        }
    }
    for (size_t i = whole; i < n; i++) {
        sum[i - whole] += (double)x[i] * (double)x[i];
    }
    for (size_t l = 0; l < LANES; l++) {
        total += sum[l];
    }
    return total;
}

double hs_grad_norm(size_t n, const float *grad)
{
    enum { PARTS = 64 };
    double part[PARTS], total = 0;
    size_t each = n / PARTS + 1;
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t p = 0; p < PARTS; p++) {
        size_t first = p * each < n ? p * each : n;
        part[p] = squares(n - first < each ? n - first : each, grad + first);
    }
    for (size_t p = 0; p < PARTS; p++) {
        total += part[p];
    }
    return sqrt(total);
}

double hs_clip_scale(double norm, double most)
{
    double scale = most / (norm + 1e-6);
    return most > 0 && !(scale > 1) ? scale : 1;
}

HS_SIMD static void ema_run(float taken, size_t n, const float *theta, float *average)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        average[i] += taken * (theta[i] - average[i]);
    }
}

void hs_ema_step(double most, uint64_t k, size_t n, const float *theta, float *average)
{
    double warming = (1 + (double)k) / (10 + (double)k), decay = most < warming ? most : warming;
    if (!(most > 0)) { /* a + (b - a) need not be b */
        memcpy(average, theta, n * sizeof *average);
        return;
    }
#pragma omp parallel for schedule(static) if (n > RUN)
    for (size_t i = 0; i < n; i += RUN) {
        ema_run((float)(1 - decay), n - i < RUN ? n - i : RUN, theta + i, average + i);
    }
}

double hs_rate_at(const hs_rate *r, uint64_t k)
{
    double at = (double)k, total = (double)r->total, end = r->flat * total;
    if (r->every > 0) {
        return r->rate * pow(r->gamma, (double)((k - 1) / r->every));
    }
    if (k < r->warmup) {
        return r->rate * at / (double)r->warmup;
    }
    end = end < (double)r->warmup ? (double)r->warmup : end;
    if (at <= end) {
        return r->rate;
    }
    double gone = at < total ? (at - end) / (total - end) : 1;
    return r->rate * (1 - gone * (1 - r->last));
}
