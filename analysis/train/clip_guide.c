/* What a straight line through an image's embedding should say of its factors. */
#include <math.h>

#include "analysis/train/task_clip.h"

static double dot(size_t n, const double *a, const float *b)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        sum += a[k] * (double)b[k];
    }
    return sum;
}

double hs_clip_guide(size_t n, size_t P, size_t K, const float *u, const double *z, const float *head, double weight,
                     float *du, float *dhead)
{
    double loss = 0, root = sqrt((double)P), each = weight / (double)(n * K), v[HS_CLIP_GUIDE_MAX],
           dv[HS_CLIP_GUIDE_MAX];
    for (size_t i = 0; i < n; i++) {
        double square = 0, along = 0;
        for (size_t k = 0; k < P; k++) {
            square += (double)u[i * P + k] * (double)u[i * P + k];
        }
        double by = square > 0 ? root / sqrt(square) : 0;
        for (size_t k = 0; k < P; k++) {
            v[k] = by * (double)u[i * P + k];
            dv[k] = 0;
        }
        for (size_t f = 0; f < K; f++) {
            const float *a = head + f * (P + 1);
            double e = dot(P, v, a) + (double)a[P] - z[i * K + f], d = 2 * each * e;
            loss += each * e * e;
            for (size_t k = 0; k < P; k++) {
                dv[k] += d * (double)a[k];
                dhead[f * (P + 1) + k] += (float)(d * v[k]);
            }
            dhead[f * (P + 1) + P] += (float)d;
        }
        for (size_t k = 0; k < P; k++) {
            along += dv[k] * v[k] / (double)P;
        }
        for (size_t k = 0; k < P; k++) {
            du[i * P + k] += (float)(by * (dv[k] - along * v[k]));
        }
    }
    return loss;
}
