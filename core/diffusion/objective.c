#include "core/diffusion/objective.h"

#include <math.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/base/simd.h"

/* x_t and target <- a x_0 + b target, and, for v, a target - b x_0; target holds the noise. */
HS_SIMD static void mix(size_t d, float a, float b, int v, const float *x_0, float *x_t, float *target)
{
#pragma omp simd
    for (size_t i = 0; i < d; i++) {
        float eps = target[i];
        x_t[i] = a * x_0[i] + b * eps;
        target[i] = v ? a * eps - b * x_0[i] : eps;
    }
}

void hs_objective_draw(const hs_schedule *s, hs_prediction kind, uint64_t seed, uint64_t k, size_t n, size_t d,
                       const float *x_0, int *t, float *x_t, float *target)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        uint64_t index = k << 16 | i;
        t[i] = (int)hs_rng_below((hs_rng){seed, HS_RNG_TRAIN_T, index}, 0, (uint32_t)s->T);
        hs_rng_normal((hs_rng){seed, HS_RNG_TRAIN_NOISE, index}, 0, d, target + i * d);
        double ab = s->alpha_bar[t[i]];
        mix(d, (float)sqrt(ab), (float)sqrt(1 - ab), kind == HS_PREDICT_V, x_0 + i * d, x_t + i * d, target + i * d);
    }
}

/* The sum of squared differences of n values; doutput <- factor times them. */
HS_SIMD static double squares(size_t n, float factor, const float *output, const float *target, float *doutput)
{
    enum { LANES = 16 };
    double sum[LANES] = {0}, total = 0;
    for (size_t i = 0; i < n; i += LANES) {
        size_t lanes = n - i < LANES ? n - i : LANES;
        for (size_t l = 0; l < lanes; l++) {
            float off = output[i + l] - target[i + l];
            sum[l] += (double)off * (double)off;
            doutput[i + l] = factor * off;
        }
    }
    for (size_t l = 0; l < LANES; l++) {
        total += sum[l];
    }
    return total;
}

double hs_objective_loss(size_t nd, const float *output, const float *target, float *doutput)
{
    enum { PARTS = 64 }; /* fixed borders: the same bits for any number of threads */
    double part[PARTS], total = 0;
    size_t each = nd / PARTS + 1;
#pragma omp parallel for schedule(static)
    for (size_t p = 0; p < PARTS; p++) {
        size_t first = p * each < nd ? p * each : nd;
        part[p] = squares(nd - first < each ? nd - first : each, (float)(2 / (double)nd), output + first,
                          target + first, doutput + first);
    }
    for (size_t p = 0; p < PARTS; p++) {
        total += part[p];
    }
    return total / (double)nd;
}
