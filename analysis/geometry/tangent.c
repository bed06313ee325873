#include "analysis/geometry/tangent.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/geom/angle.h"

int hs_tangent_turn(size_t r, size_t d, const float *A, const float *B, double *turn)
{
    const double right = acos(0);
    double *a = NULL, *theta = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(2 * r, d * sizeof *a, &a));
    HS_TRY(hs_alloc(r, sizeof *theta, &theta));
    for (size_t i = 0; i < r * d; i++) {
        a[i] = (double)A[i];
        a[r * d + i] = (double)B[i];
    }
    HS_TRY(hs_principal_angles(d, r, a, r, a + r * d, theta));
    *turn = hs_grassmann(r, theta) / (sqrt((double)r) * right);
out:
    free(a);
    free(theta);
    return rc;
}

typedef struct {
    const hs_geometry_run *run;
    const hs_geometry_states *s;
    const hs_geometry_pullback *p;
    double *turn; /* (n, n) */
    float *A, *z; /* (2, r, d_h) random spaces; coefficients */
} work;

static const float *space(const work *w, size_t k, size_t i)
{
    return w->p->tangent + (k * w->p->n + i) * w->p->r * w->p->d_h;
}

/* Mean over pairs of samples without `skip` (n: all). */
static double mean_pairs(const work *w, size_t skip)
{
    const size_t n = w->p->n;
    double sum = 0, count = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n && i != skip; j++) {
            sum += j != skip ? w->turn[i * n + j] : 0;
            count += j != skip;
        }
    }
    return sum / count;
}

HS_CHECKED static int between_samples(work *w, size_t k, double *value, double *loo)
{
    const size_t n = w->p->n;
    int rc = HS_OK;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = i + 1; j < n; j++) {
            HS_TRY(hs_tangent_turn(w->p->r, w->p->d_h, space(w, k, i), space(w, k, j), &w->turn[i * n + j]));
        }
    }
    *value = mean_pairs(w, n);
    for (size_t i = 0; i < n; i++) {
        loo[i] = mean_pairs(w, i);
    }
out:
    return rc;
}

HS_CHECKED static int between_steps(work *w, size_t k, double *value, double *loo)
{
    int rc = HS_OK;
    for (size_t i = 0; i < w->p->n; i++) {
        HS_TRY(hs_tangent_turn(w->p->r, w->p->d_h, space(w, k, i), space(w, k + 1, i), &w->turn[i]));
    }
    *value = hs_geometry_leave_out(w->p->n, w->turn, loo);
out:
    return rc;
}

/* A (r, d_h) <- draws from the covariance of h at step k, or (k = S) from all directions alike. */
static void draw_space(work *w, size_t k, uint64_t draw, float *A)
{
    const hs_geometry_states *s = w->s;
    const size_t r = w->p->r, d = w->p->d_h, n = s->n;
    const hs_rng stream = {w->run->seed, HS_RNG_GEOMETRY, (uint64_t)HS_RNG_SUBSPACE << 48 | draw};
    if (k == s->S) {
        hs_rng_normal(stream, 0, r * d, A);
        return;
    }
    const float *h = s->h + k * n * d;
    hs_rng_normal(stream, 0, r * n, w->z);
    for (size_t a = 0; a < r; a++) {
        double mean = 0; /* sum z_i (h_i - mean h) = sum (z_i - mean z) h_i */
        for (size_t i = 0; i < n; i++) {
            mean += (double)w->z[a * n + i] / (double)n;
        }
        for (size_t c = 0; c < d; c++) {
            A[a * d + c] = 0;
        }
        for (size_t i = 0; i < n; i++) {
            float z = w->z[a * n + i] - (float)mean;
            for (size_t c = 0; c < d; c++) {
                A[a * d + c] += z * h[i * d + c];
            }
        }
    }
}

/* null (K) <- turns of random spaces, one of step k, one of step l. */
HS_CHECKED static int draw_turns(work *w, size_t k, size_t l, double *null)
{
    const size_t K = w->run->draws, size = w->p->r * w->p->d_h;
    int rc = HS_OK;
    for (size_t b = 0; b < K; b++) {
        const uint64_t draw = ((uint64_t)k * (w->s->S + 1) + l) << 20 | b << 1;
        HS_TRY(hs_progress_tell(w->run->progress, "tangent spaces", k * K + b, (w->s->S + 1) * K));
        draw_space(w, k, draw, w->A);
        draw_space(w, l, draw | 1, w->A + size);
        HS_TRY(hs_tangent_turn(w->p->r, w->p->d_h, w->A, w->A + size, &null[b]));
    }
out:
    return rc;
}

/* Series of step k and k + apart. */
HS_CHECKED static int series(work *w, size_t apart)
{
    const size_t S = w->p->S - apart, n = w->p->n, K = w->run->draws;
    const int can = w->s->n > 2 * w->p->r; /* two spaces of fewer samples would have to meet */
    double *value = NULL, *loo = NULL, *null = NULL;
    int rc = HS_OK;
    HS_TRY(hs_alloc(S, sizeof *value, &value));
    HS_TRY(hs_alloc(S, n * sizeof *loo, &loo));
    HS_TRY(hs_alloc(S, K * sizeof *null, &null));
    for (size_t k = 0; k < S; k++) {
        HS_TRY(apart == 0 ? between_samples(w, k, &value[k], loo + k * n)
                          : between_steps(w, k, &value[k], loo + k * n));
        HS_TRY(can ? draw_turns(w, k, k + apart, null + k * K) : HS_OK);
    }
    const hs_geometry_series one = {
        .name = apart == 0 ? "tangent_samples" : "tangent_steps",
        .estimator = apart == 0 ? "rms principal angle over 90 degrees, mean over pairs, jackknife over samples"
                                : "rms principal angle over 90 degrees, mean over samples, jackknife",
        .S = S,
        .n = n,
        .value = value,
        .jackknife = 1,
        .units = n,
        .R = n,
        .replicates = loo,
        .K = can ? K : 0,
        .null = can ? null : NULL,
        .null_what = can ? "spaces drawn from the covariance of h" : "too few samples for spaces drawn from them",
        .level = w->run->bootstrap.level};
    HS_TRY(hs_geometry_put(w->run->statistics, &one));
out:
    free(value);
    free(loo);
    free(null);
    return rc;
}

HS_CHECKED static int isotropic(work *w)
{
    const size_t K = w->run->draws, S = w->s->S;
    double *null = NULL, value = 0;
    int rc = HS_OK;
    HS_TRY(hs_alloc(K, sizeof *null, &null));
    HS_TRY(draw_turns(w, S, S, null));
    for (size_t b = 0; b < K; b++) {
        value += null[b] / (double)K;
    }
    HS_TRY(hs_geometry_put_plain(w->run->statistics, "tangent_isotropic", value, K,
                                 "mean over draws of random directions", "is a null itself", NAN, "is a null itself"));
out:
    free(null);
    return rc;
}

int hs_geometry_tangent_of(const hs_geometry_run *run, const hs_geometry_states *s, const hs_geometry_pullback *p)
{
    work w = {.run = run, .s = s, .p = p};
    int rc = HS_OK;
    if (p->n < 2) {
        return hs_fail(HS_EDEGENERATE, "tangent spaces of %zu samples; wanted 2 or more", p->n);
    }
    HS_TRY(hs_alloc(p->n * p->n, sizeof *w.turn, &w.turn));
    HS_TRY(hs_alloc(2 * p->r, p->d_h * sizeof *w.A, &w.A));
    HS_TRY(hs_alloc(p->r, s->n * sizeof *w.z, &w.z));
    HS_TRY(series(&w, 0));
    HS_TRY(p->S > 1 ? series(&w, 1) : HS_OK);
    HS_TRY(isotropic(&w));
out:
    free(w.turn);
    free(w.A);
    free(w.z);
    return rc;
}
