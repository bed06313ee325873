#include "core/stats/dual.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"

/* ---- Coordinates ---- */

static void order_samples(size_t m, const unsigned char *train, hs_dual *d)
{
    size_t at = 0;
    for (int want = 1; want >= 0; want--) {
        for (size_t i = 0; i < m; i++) {
            if ((train[i] != 0) == want) {
                d->order[at++] = i;
            }
        }
        d->n = want ? at : d->n;
    }
}

/* C (n, m) <- K of training against all, in d's order, about the mean of training.  mean (m): work. */
static void centre(const hs_dual *d, const double *K, double *mean, double *C)
{
    size_t n = d->n, m = d->m;
    double grand = 0;
    memset(mean, 0, m * sizeof *mean);
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < m; i++) {
            C[t * m + i] = K[d->order[t] * m + d->order[i]];
            mean[i] += C[t * m + i] / (double)n;
        }
    }
    for (size_t t = 0; t < n; t++) {
        grand += mean[t] / (double)n;
    }
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < m; i++) {
            C[t * m + i] += grand - mean[t] - mean[i];
        }
    }
}

/* lambda and z from C and its eigenvectors V (n, n) as rows, w their values. */
HS_CHECKED static int place(hs_dual *d, const double *C, const double *w, const double *V)
{
    int rc = HS_OK;
    size_t n = d->n, m = d->m;
    while (d->r < n && w[d->r] > 1e-12 * w[0]) {
        d->r++;
    }
    HS_TRY(hs_alloc(d->r, sizeof *d->lambda, &d->lambda));
    HS_TRY(hs_alloc(d->r, m * sizeof *d->z, &d->z));
    if (m > n) {
        HS_TRY(hs_gemm_f64(HS_NO_TRANS, HS_NO_TRANS, d->r, m - n, n, 1, V, n, C + n, m, 0, d->z + n, m));
    }
    for (size_t j = 0; j < d->r; j++) {
        double s = sqrt(w[j]);
        d->lambda[j] = w[j];
        for (size_t i = 0; i < n; i++) {
            d->z[j * m + i] = s * V[j * n + i];
        }
        for (size_t i = n; i < m; i++) {
            d->z[j * m + i] /= s;
        }
    }
out:
    return rc;
}

int hs_dual_new(size_t m, const double *K, const unsigned char *train, hs_dual *out)
{
    int rc = HS_OK;
    hs_dual d = {.m = m};
    double *C = NULL, *A = NULL, *V = NULL, *w = NULL;
    hs_blas_serial guard = hs_blas_serial_begin();
    HS_TRY(hs_alloc(m, sizeof *d.order, &d.order));
    order_samples(m, train, &d);
    if (d.n < 2) {
        rc = hs_fail(HS_EDEGENERATE, "a probe wants at least 2 samples to train on, has %zu", d.n);
        goto out;
    }
    HS_TRY(hs_alloc(d.n, m * sizeof *C, &C));
    HS_TRY(hs_alloc(d.n, d.n * sizeof *A, &A));
    HS_TRY(hs_alloc(d.n, d.n * sizeof *V, &V));
    HS_TRY(hs_alloc(m, sizeof *w, &w));
    centre(&d, K, w, C);
    for (size_t t = 0; t < d.n; t++) {
        memcpy(A + t * d.n, C + t * m, d.n * sizeof *A);
        d.power += C[t * m + t] / (double)d.n;
    }
    HS_TRY(hs_sym_eig(d.n, A, d.n, w, V));
    if (!(w[0] > 0)) {
        rc = hs_fail(HS_EDEGENERATE, "the %zu samples to train on coincide", d.n);
        goto out;
    }
    HS_TRY(place(&d, C, w, V));
    *out = d;
    d = (hs_dual){0};
out:
    hs_blas_serial_end(guard);
    hs_dual_free(&d);
    free(C);
    free(A);
    free(V);
    free(w);
    return rc;
}

void hs_dual_free(hs_dual *d)
{
    free(d->order);
    free(d->lambda);
    free(d->z);
    *d = (hs_dual){0};
}

double hs_dual_answer(const hs_dual *d, const double *v, double b, size_t i)
{
    for (size_t j = 0; j < d->r; j++) {
        b += v[j] * d->z[j * d->m + i];
    }
    return b;
}

void hs_dual_weights(const hs_dual *d, const double *v, double *a)
{
    memset(a, 0, d->m * sizeof *a);
    for (size_t j = 0; j < d->r; j++) {
        for (size_t t = 0; t < d->n; t++) {
            a[d->order[t]] += v[j] / d->lambda[j] * d->z[j * d->m + t];
        }
    }
}

/* ---- Ridge ---- */

void hs_dual_ridge(const hs_dual *d, const double *y, double alpha, double *v, double *b)
{
    *b = 0;
    for (size_t t = 0; t < d->n; t++) {
        *b += y[d->order[t]] / (double)d->n;
    }
    for (size_t j = 0; j < d->r; j++) {
        double sum = 0;
        for (size_t t = 0; t < d->n; t++) {
            sum += d->z[j * d->m + t] * (y[d->order[t]] - *b);
        }
        v[j] = sum / (d->lambda[j] + alpha);
    }
}

/* ---- Logistic ---- */

/* One fit; vectors (r + 1) hold v, then b. */
typedef struct {
    const hs_dual *d;
    const double *y;
    double alpha;
    double *x, *g, *step, *res, *dir, *image, *precond, *trial; /* (r + 1) */
    double *margin, *moved, *w, *u;                             /* (n) */
} newton;

enum { PARTS = 8, COLUMNS = 4, STEPS = 200, INNER = 200 };

size_t hs_dual_work(size_t n)
{
    return PARTS * (n + 1) + COLUMNS * n;
}

/* out (n) <- b + z' v of the training samples. */
static void forward(const newton *f, const double *x, double *out)
{
    const hs_dual *d = f->d;
    for (size_t t = 0; t < d->n; t++) {
        out[t] = x[d->r];
    }
    for (size_t j = 0; j < d->r; j++) {
        const double *z = d->z + j * d->m;
        for (size_t t = 0; t < d->n; t++) {
            out[t] += x[j] * z[t];
        }
    }
}

/* out (r + 1) <- (z u + alpha v, sum u). */
static void backward(const newton *f, const double *u, const double *x, double *out)
{
    const hs_dual *d = f->d;
    for (size_t j = 0; j < d->r; j++) {
        out[j] = hs_dot_f64(d->n, d->z + j * d->m, u) + f->alpha * x[j];
    }
    out[d->r] = 0;
    for (size_t t = 0; t < d->n; t++) {
        out[d->r] += u[t];
    }
}

static double objective(const newton *f, const double *x, const double *margin)
{
    double sum = 0.5 * f->alpha * hs_dot_f64(f->d->r, x, x);
    for (size_t t = 0; t < f->d->n; t++) {
        double s = f->y[f->d->order[t]] > 0 ? -margin[t] : margin[t];
        sum += s > 0 ? s + log1p(exp(-s)) : log1p(exp(s));
    }
    return sum;
}

/* Gradient, curvatures and preconditioner where x and margin are; returns g' M^-1 g. */
static double linearise(newton *f)
{
    const hs_dual *d = f->d;
    double total = 0, size = 0;
    for (size_t t = 0; t < d->n; t++) {
        double p = 1 / (1 + exp(-f->margin[t])), q = 1 / (1 + exp(f->margin[t]));
        f->u[t] = f->y[d->order[t]] > 0 ? -q : p;
        f->w[t] = p * q;
        total += f->w[t];
    }
    backward(f, f->u, f->x, f->g);
    for (size_t j = 0; j <= d->r; j++) {
        f->precond[j] = j < d->r ? total / (double)d->n * d->lambda[j] + f->alpha : total + 1e-300;
        size += f->g[j] * f->g[j] / f->precond[j];
    }
    return size;
}

/* step <- about -H^-1 g, by conjugate gradients; returns -g' step. */
static double newton_step(newton *f, double size)
{
    size_t k = f->d->r + 1;
    double rho = size, goal = size * fmin(1e-2, sqrt(size / (double)f->d->n)) * 1e-2, gain = 0;
    for (size_t j = 0; j < k; j++) {
        f->step[j] = 0;
        f->res[j] = -f->g[j];
        f->dir[j] = f->res[j] / f->precond[j];
    }
    for (int it = 0; it < INNER && rho > goal; it++) {
        forward(f, f->dir, f->u);
        for (size_t t = 0; t < f->d->n; t++) {
            f->u[t] *= f->w[t];
        }
        backward(f, f->u, f->dir, f->image);
        double curvature = hs_dot_f64(k, f->dir, f->image), next = 0;
        if (!(curvature > 0)) {
            break;
        }
        for (size_t j = 0; j < k; j++) {
            f->step[j] += rho / curvature * f->dir[j];
            f->res[j] -= rho / curvature * f->image[j];
            next += f->res[j] * f->res[j] / f->precond[j];
        }
        for (size_t j = 0; j < k; j++) {
            f->dir[j] = f->res[j] / f->precond[j] + next / rho * f->dir[j];
        }
        rho = next;
    }
    for (size_t j = 0; j < k; j++) {
        gain -= f->g[j] * f->step[j];
    }
    return gain;
}

/* x, margin <- along step, as far as it lowers the objective; 0: nowhere. */
static int descend(newton *f, double gain, double *value)
{
    size_t k = f->d->r + 1;
    for (double t = 1; t > 1e-10; t /= 2) {
        for (size_t j = 0; j < k; j++) {
            f->trial[j] = f->x[j] + t * f->step[j];
        }
        forward(f, f->trial, f->moved);
        double next = objective(f, f->trial, f->moved);
        if (next <= *value - 1e-4 * t * gain + 1e-14 * fabs(*value)) {
            memcpy(f->x, f->trial, k * sizeof *f->x);
            memcpy(f->margin, f->moved, f->d->n * sizeof *f->margin);
            *value = next;
            return 1;
        }
    }
    return 0;
}

int hs_dual_logistic(const hs_dual *d, const double *y, double alpha, double *v, double *b, double *work)
{
    newton f = {.d = d, .y = y, .alpha = alpha};
    double **part[PARTS] = {&f.x, &f.g, &f.step, &f.res, &f.dir, &f.image, &f.precond, &f.trial};
    double **column[COLUMNS] = {&f.margin, &f.moved, &f.w, &f.u};
    for (size_t i = 0; i < PARTS; i++, work += d->n + 1) {
        *part[i] = work;
    }
    for (size_t i = 0; i < COLUMNS; i++, work += d->n) {
        *column[i] = work;
    }
    memcpy(f.x, v, d->r * sizeof *v);
    f.x[d->r] = *b;
    forward(&f, f.x, f.margin);
    double value = objective(&f, f.x, f.margin), size = linearise(&f);
    int moved = 1;
    for (int it = 0; it < STEPS && moved && size > 1e-18 * (double)d->n; it++) {
        moved = descend(&f, newton_step(&f, size), &value);
        size = linearise(&f);
    }
    memcpy(v, f.x, d->r * sizeof *v);
    *b = f.x[d->r];
    return size <= 1e-18 * (double)d->n
               ? HS_OK
               : hs_fail(HS_ENOCONV, "logistic probe at penalty %g: its gradient stays at %.2g", alpha, sqrt(size));
}
