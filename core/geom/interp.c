#include "core/geom/interp.h"

#include <math.h>

/* out = p a + q b, b = a + db. */
static void combine(size_t d, double p, double q, const float *a, const float *db, float *out)
{
    for (size_t i = 0; i < d; i++) {
        out[i] = (float)((p + q) * (double)a[i] + q * (double)db[i]);
    }
}

/* Squared norms of a and b, and their inner product. */
static void products(size_t d, const float *a, const float *db, double *aa, double *bb, double *ab)
{
    *aa = *bb = *ab = 0;
    for (size_t i = 0; i < d; i++) {
        double x = (double)a[i], y = x + (double)db[i];
        *aa += x * x;
        *bb += y * y;
        *ab += x * y;
    }
}

void hs_interp_lerp(size_t d, double s, const float *a, const float *db, float *out)
{
    combine(d, 1 - s, s, a, db, out);
}

void hs_interp_slerp(size_t d, double s, const float *a, const float *db, float *out)
{
    const double tiny = 1e-6, pi = 3.14159265358979323846;
    double aa, bb, ab;
    products(d, a, db, &aa, &bb, &ab);
    double na = sqrt(aa), nb = sqrt(bb), c = na > 0 && nb > 0 ? ab / (na * nb) : 1;
    double w = acos(fmin(1, fmax(-1, c)));
    if (w < tiny || pi - w < tiny) {
        hs_interp_lerp(d, s, a, db, out);
        return;
    }
    double norm = na + s * (nb - na);
    combine(d, norm * sin((1 - s) * w) / (sin(w) * na), norm * sin(s * w) / (sin(w) * nb), a, db, out);
}

void hs_interp_norm(size_t d, double s, const float *a, const float *db, float *out)
{
    double aa, bb, ab;
    products(d, a, db, &aa, &bb, &ab);
    double p = 1 - s, length = sqrt(fmax(0, p * p * aa + 2 * p * s * ab + s * s * bb));
    double want = sqrt(aa) + s * (sqrt(bb) - sqrt(aa)), scale = length > 0 ? want / length : 1;
    combine(d, scale * p, scale * s, a, db, out);
}
