#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/properties/linearity.h"
#include "core/base/alloc.h"

int hs_vector_shape_create(size_t n, size_t m, hs_vector_shape *out)
{
    int rc = HS_OK;
    hs_vector_shape v = {n, m, NULL, NULL, NULL, NULL};
    size_t count;
    double **part[] = {&v.cosine, &v.gain, &v.residual, &v.curvature};
    HS_TRY(hs_size_mul(n, m, &count));
    for (int p = 0; p < 4; p++) {
        HS_TRY(hs_alloc(count, sizeof **part[p], part[p]));
        for (size_t i = 0; i < count; i++) {
            (*part[p])[i] = NAN;
        }
    }
    *out = v;
    return HS_OK;
out:
    hs_vector_shape_free(&v);
    return rc;
}

void hs_vector_shape_free(hs_vector_shape *v)
{
    if (v != NULL) {
        free(v->cosine);
        free(v->gain);
        free(v->residual);
        free(v->curvature);
        *v = (hs_vector_shape){0, 0, NULL, NULL, NULL, NULL};
    }
}

/* The products of two increments E(s_a) = a - zero, E(s_b) = b - zero. */
typedef struct {
    double aa, bb, ab;
} products;

static products multiply(size_t f, const float *zero, const float *a, const float *b)
{
    products p = {0, 0, 0};
    for (size_t q = 0; q < f; q++) {
        double x = (double)a[q] - (double)zero[q], y = (double)b[q] - (double)zero[q];
        p.aa += x * x;
        p.bb += y * y;
        p.ab += x * y;
    }
    return p;
}

/* |E(s) - r E(s0)|, summed directly: from the products it would cancel. */
static double distance(size_t f, const float *zero, const float *a, const float *b, double r)
{
    double sum = 0;
    for (size_t q = 0; q < f; q++) {
        double x = (double)a[q] - (double)zero[q], y = (double)b[q] - (double)zero[q];
        sum += (x - r * y) * (x - r * y);
    }
    return sqrt(sum);
}

static size_t mirror(size_t m, const double *s, size_t j)
{
    for (size_t k = 0; k < m; k++) {
        if (fabs(s[k] + s[j]) <= 1e-9 * fabs(s[j])) {
            return k;
        }
    }
    return m;
}

static int find_zero(size_t m, const double *s, size_t *zero)
{
    size_t at = m;
    for (size_t j = 0; j < m; j++) {
        at = fabs(s[j]) > 0 ? at : j;
        if (j > 0 && s[j] <= s[j - 1]) {
            return hs_fail(HS_ERANGE, "strengths: %g after %g; ascending", s[j], s[j - 1]);
        }
    }
    if (at == m || m < 2) {
        return hs_fail(HS_ERANGE, "strengths: 0 and at least one other are needed");
    }
    *zero = at;
    return HS_OK;
}

int hs_vector_shape_image(hs_vector_shape *v, size_t i, const double *s, size_t f, const float *phi)
{
    size_t m = v->m, zero = 0, far;
    int rc = find_zero(m, s, &zero);
    if (rc != HS_OK) {
        return rc;
    }
    far = s[m - 1] >= -s[0] ? m - 1 : 0;
    const float *p0 = phi + zero * f, *pf = phi + far * f;
    for (size_t j = 0; j < m; j++) {
        const float *pj = phi + j * f;
        size_t k = mirror(m, s, j);
        products e = multiply(f, p0, pj, pf);
        if (j != zero && j != far && e.aa > 0 && e.bb > 0) {
            double r = s[j] / s[far];
            v->cosine[i * m + j] = copysign(1.0, r) * e.ab / sqrt(e.aa * e.bb);
            v->gain[i * m + j] = sqrt(e.aa / e.bb) / fabs(r);
            v->residual[i * m + j] = distance(f, p0, pj, pf, r) / sqrt(e.aa);
        }
        if (s[j] > 0 && k < m && e.aa > 0) {
            products c = multiply(f, p0, pj, phi + k * f);
            v->curvature[i * m + j] = distance(f, p0, pj, phi + k * f, -1.0) / (sqrt(c.aa) + sqrt(c.bb));
        }
    }
    return HS_OK;
}
