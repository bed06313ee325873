/* GroupNorm's and SiLU's derivatives: the adjoint identity, and a reference in double that central
 * differences check. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/nn/norm.h"
#include "tests/support/support.h"

enum { CASES = 100, MAX_ROWS = 6 };

typedef struct {
    size_t m, rows, hw, c, c2, groups, at[MAX_ROWS];
    int silu, scaled, mapped;
    hs_groupnorm gn;
    float *gamma, *beta, *x, *x2, *ss, *stats, *y; /* the states */
    float *u, *u2, *dss, *jvp;                     /* tangents, and the derivative along them */
    float *dy, *dx, *dx2, *gss, *dgamma, *dbeta;   /* cotangents, and the adjoint of them */
    char *scratch;
    hs_arena arena;
} point;

static float *normals(point *t, uint64_t index, size_t n, float size)
{
    float *v;
    assert_ok(hs_arena_alloc(&t->arena, n, sizeof *v, &v));
    hs_rng_normal((hs_rng){21, HS_RNG_TEST, index}, 0, n, v);
    for (size_t i = 0; i < n; i++) {
        v[i] *= size;
    }
    return v;
}

static size_t below(uint64_t index, uint64_t i, size_t bound)
{
    return hs_rng_below((hs_rng){22, HS_RNG_TEST, index}, i, (uint32_t)bound);
}

static size_t channels(const point *t)
{
    return t->c + t->c2;
}

static size_t state_of(const point *t, size_t row)
{
    return t->mapped ? t->at[row] : row;
}

/* Case k: the shape, the states and what forward leaves of them, tangents and cotangents. */
static void start_shape(point *t, uint64_t k)
{
    size_t ch = channels(t), n = t->m * t->hw, r = t->rows * t->hw;
    uint64_t s = k * 32;
    t->gamma = normals(t, s, ch, 1);
    t->beta = normals(t, s + 1, ch, 1);
    t->x = normals(t, s + 2, n * t->c, 1.5f);
    t->x2 = t->c2 > 0 ? normals(t, s + 3, n * t->c2, 0.7f) : NULL;
    t->ss = normals(t, s + 4, t->m * 2 * ch, 0.4f);
    t->stats = normals(t, s + 5, t->m * 2 * t->groups, 1);
    t->y = normals(t, s + 6, n * ch, 1);
    t->u = normals(t, s + 7, r * t->c, 1);
    t->u2 = t->c2 > 0 ? normals(t, s + 8, r * t->c2, 1) : NULL;
    t->dss = normals(t, s + 9, t->rows * 2 * ch, 1);
    t->jvp = normals(t, s + 10, r * ch, 1);
    t->dy = normals(t, s + 11, r * ch, 1);
    t->dx = normals(t, s + 12, r * t->c, 1);
    t->dx2 = t->c2 > 0 ? normals(t, s + 13, r * t->c2, 1) : NULL;
    t->gss = normals(t, s + 14, t->rows * 2 * ch, 1);
    t->dgamma = normals(t, s + 15, ch, 1);
    t->dbeta = normals(t, s + 16, ch, 1);
    t->gn = (hs_groupnorm){t->groups, 1e-5f, t->gamma, t->beta, t->silu};
    assert_ok(hs_arena_alloc(&t->arena, hs_groupnorm_vjp_scratch(&t->gn, t->rows, ch), 1, &t->scratch));
    hs_groupnorm_forward(&t->gn, t->m, t->hw, t->c, t->x, t->c2, t->x2, t->scaled ? t->ss : NULL,
                         t->scaled ? t->ss + ch : NULL, 2 * ch, t->y, t->stats);
}

static point start(uint64_t k)
{
    point t = {.m = 1 + below(k, 0, 3), .hw = 2 + below(k, 1, 45), .silu = k % 2 != 0, .scaled = k / 2 % 2 != 0};
    size_t per_group = 2 + below(k, 2, 23), ch;
    t.groups = 1 + below(k, 3, 6);
    ch = per_group * t.groups;
    t.c2 = k / 4 % 2 != 0 ? below(k, 4, ch) : 0;
    t.c = ch - t.c2;
    t.mapped = k / 8 % 2 != 0;
    t.rows = t.mapped ? 1 + below(k, 5, MAX_ROWS) : t.m;
    for (size_t r = 0; r < t.rows; r++) {
        t.at[r] = below(k, 6 + r, t.m);
    }
    start_shape(&t, k);
    return t;
}

static hs_groupnorm_at at_of(const point *t)
{
    size_t ch = channels(t);
    return (hs_groupnorm_at){
        t->hw, t->c, t->c2, t->x, t->x2, t->scaled ? t->ss : NULL, t->scaled ? t->ss + ch : NULL, 2 * ch, t->stats};
}

static void run_jvp(point *t)
{
    hs_groupnorm_at p = at_of(t);
    size_t ch = channels(t);
    hs_groupnorm_jvp(&t->gn, &p, t->rows, t->mapped ? t->at : NULL, t->u, t->u2, t->scaled ? t->dss : NULL,
                     t->scaled ? t->dss + ch : NULL, 2 * ch, t->jvp);
}

static void run_vjp(point *t)
{
    hs_groupnorm_at p = at_of(t);
    size_t ch = channels(t);
    memset(t->dgamma, 0, ch * sizeof(float));
    memset(t->dbeta, 0, ch * sizeof(float));
    hs_groupnorm_grads g = {.dx = t->dx,
                            .dx2 = t->dx2,
                            .dscale = t->scaled ? t->gss : NULL,
                            .dshift = t->scaled ? t->gss + ch : NULL,
                            .dss_ld = 2 * ch,
                            .dgamma = t->dgamma,
                            .dbeta = t->dbeta};
    hs_groupnorm_vjp(&t->gn, &p, t->rows, t->mapped ? t->at : NULL, t->dy, &g, t->scratch);
}

static double dot(const float *a, const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++) {
        s += (double)a[i] * (double)b[i];
    }
    return s;
}

static double norm(const float *a, size_t n)
{
    return sqrt(dot(a, a, n));
}

/* <J v, u> = <v, J^T u>, relative to |J v| |u|. */
static void test_adjoint(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k);
        size_t ch = channels(&t), r = t.rows * t.hw;
        run_jvp(&t);
        run_vjp(&t);
        double left = dot(t.jvp, t.dy, r * ch), right = dot(t.u, t.dx, r * t.c);
        right += t.c2 > 0 ? dot(t.u2, t.dx2, r * t.c2) : 0;
        right += t.scaled ? dot(t.dss, t.gss, t.rows * 2 * ch) : 0;
        worst = fmax(worst, fabs(left - right) / (norm(t.jvp, r * ch) * norm(t.dy, r * ch)));
        hs_arena_free(&t.arena);
    }
    assert_near(worst, 0, 1e-6);
}

/* The reference: one sample in double. */
typedef struct {
    size_t hw, ch, groups;
    int silu;
    double *x, *y, *gamma, *beta, *scale, *shift; /* scale as 1 + scale */
} sample;

static double act(double v, int silu)
{
    return silu ? v / (1 + exp(-v)) : v;
}

static double slope(double v, int silu)
{
    double s = 1 / (1 + exp(-v));
    return silu ? s + v * s * (1 - s) : 1;
}

static void moments(const sample *s, size_t g, double *mean, double *sd)
{
    size_t per = s->ch / s->groups, count = per * s->hw;
    double var = 0;
    *mean = 0;
    for (size_t e = 0; e < count; e++) {
        *mean += s->x[e / per * s->ch + g * per + e % per] / (double)count;
    }
    for (size_t e = 0; e < count; e++) {
        double d = s->x[e / per * s->ch + g * per + e % per] - *mean;
        var += d * d / (double)count;
    }
    *sd = sqrt(var + (double)1e-5f);
}

static void reference_forward(sample *s)
{
    size_t per = s->ch / s->groups;
    for (size_t g = 0; g < s->groups; g++) {
        double mean, sd;
        moments(s, g, &mean, &sd);
        for (size_t e = 0; e < per * s->hw; e++) {
            size_t j = g * per + e % per, i = e / per * s->ch + j;
            double z = (s->gamma[j] * (s->x[i] - mean) / sd + s->beta[j]) * s->scale[j] + s->shift[j];
            s->y[i] = act(z, s->silu);
        }
    }
}

/* g <- the adjoint at s of the cotangent dy: written out per element, as the chain rule gives it. */
static void reference_vjp(const sample *s, const double *dy, sample *g)
{
    size_t per = s->ch / s->groups, count = per * s->hw;
    for (size_t j = 0; j < s->ch; j++) {
        g->gamma[j] = g->beta[j] = g->scale[j] = g->shift[j] = 0;
    }
    for (size_t q = 0; q < s->groups; q++) {
        double mean, sd, sum = 0, along = 0;
        moments(s, q, &mean, &sd);
        for (size_t e = 0; e < count; e++) {
            size_t j = q * per + e % per, i = e / per * s->ch + j;
            double n = (s->x[i] - mean) / sd, u = s->gamma[j] * n + s->beta[j];
            double dz = dy[i] * slope(u * s->scale[j] + s->shift[j], s->silu), du = dz * s->scale[j];
            g->shift[j] += dz;
            g->scale[j] += dz * u;
            g->gamma[j] += du * n;
            g->beta[j] += du;
            g->x[i] = du * s->gamma[j];
            sum += g->x[i];
            along += g->x[i] * n;
        }
        for (size_t e = 0; e < count; e++) {
            size_t i = e / per * s->ch + q * per + e % per;
            g->x[i] = (g->x[i] - sum / (double)count - (s->x[i] - mean) / sd * along / (double)count) / sd;
        }
    }
}

static sample new_sample(point *t)
{
    sample s = {t->hw, channels(t), t->groups, t->silu, NULL, NULL, NULL, NULL, NULL, NULL};
    double *v;
    assert_ok(hs_arena_alloc(&t->arena, 2 * s.hw * s.ch + 4 * s.ch, sizeof *v, &v));
    s.x = v;
    s.y = s.x + s.hw * s.ch;
    s.gamma = s.y + s.hw * s.ch;
    s.beta = s.gamma + s.ch;
    s.scale = s.beta + s.ch;
    s.shift = s.scale + s.ch;
    return s;
}

/* s <- sample i of maps (x, x2), with its scale and shift rows, moved by h times the tangents of row r. */
static void move(const point *t, size_t r, double h, sample *s)
{
    size_t i = state_of(t, r), ch = s->ch;
    for (size_t e = 0; e < t->hw * ch; e++) {
        size_t p = e / ch, j = e % ch, a = p * t->c + j, b = p * t->c2 + j - t->c;
        s->x[e] = j < t->c ? (double)t->x[i * t->hw * t->c + a] + h * (double)t->u[r * t->hw * t->c + a]
                           : (double)t->x2[i * t->hw * t->c2 + b] + h * (double)t->u2[r * t->hw * t->c2 + b];
    }
    for (size_t j = 0; j < ch; j++) {
        const float *ss = t->ss + i * 2 * ch + j, *d = t->dss + r * 2 * ch + j;
        s->gamma[j] = (double)t->gamma[j];
        s->beta[j] = (double)t->beta[j];
        s->scale[j] = t->scaled ? 1 + (double)ss[0] + h * (double)d[0] : 1;
        s->shift[j] = t->scaled ? (double)ss[ch] + h * (double)d[ch] : 0;
    }
    reference_forward(s);
}

static double largest(const double *v, size_t n)
{
    double top = 0;
    for (size_t i = 0; i < n; i++) {
        top = fmax(top, fabs(v[i]));
    }
    return top;
}

/* Central differences of the reference in double: truncation and rounding both near 1e-9. */
static const double STEP = 1e-5;

static void test_jvp_is_the_derivative(void **state)
{
    (void)state;
    double worst = 0;
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k);
        sample plus = new_sample(&t), minus = new_sample(&t);
        size_t size = t.hw * plus.ch;
        run_jvp(&t);
        for (size_t r = 0; r < t.rows; r++) {
            move(&t, r, STEP, &plus);
            move(&t, r, -STEP, &minus);
            double top = 0, error = 0;
            for (size_t e = 0; e < size; e++) {
                double want = (plus.y[e] - minus.y[e]) / (2 * STEP);
                top = fmax(top, fabs(want));
                error = fmax(error, fabs((double)t.jvp[r * size + e] - want));
            }
            worst = fmax(worst, error / top);
        }
        hs_arena_free(&t.arena);
    }
    assert_near(worst, 0, 1e-5);
}

/* <dy, y> along a direction of everything, by central differences, against the reference's adjoint. */
static double reference_error(point *t, size_t r, const sample *at, const double *dy, const sample *g)
{
    sample plus = new_sample(t), minus = new_sample(t);
    float *v = normals(t, 999983 + r, t->hw * at->ch + 4 * at->ch, 1);
    double want = 0, got = 0, size = 0;
    for (size_t e = 0; e < t->hw * at->ch; e++) {
        plus.x[e] = at->x[e] + STEP * (double)v[e];
        minus.x[e] = at->x[e] - STEP * (double)v[e];
        got += (double)v[e] * g->x[e];
    }
    v += t->hw * at->ch;
    for (size_t e = 0; e < 4 * at->ch; e++) { /* gamma, beta, scale, shift lie side by side */
        plus.gamma[e] = at->gamma[e] + STEP * (double)v[e];
        minus.gamma[e] = at->gamma[e] - STEP * (double)v[e];
        got += (double)v[e] * g->gamma[e];
    }
    reference_forward(&plus);
    reference_forward(&minus);
    for (size_t e = 0; e < t->hw * at->ch; e++) {
        double part = dy[e] * (plus.y[e] - minus.y[e]) / (2 * STEP);
        want += part;
        size += part * part;
    }
    return fabs(got - want) / sqrt(size);
}

typedef struct {
    double reference, dx, dss, params; /* the worst relative errors */
} errors;

static double relative(const float *got, const double *want, size_t n)
{
    double error = 0;
    for (size_t i = 0; i < n; i++) {
        error = fmax(error, fabs((double)got[i] - want[i]));
    }
    return error / largest(want, n);
}

static double joined_error(const point *t, size_t r, const double *want)
{
    size_t ch = channels(t);
    double error = 0;
    for (size_t e = 0; e < t->hw * ch; e++) {
        size_t p = r * t->hw + e / ch, j = e % ch;
        float got = j < t->c ? t->dx[p * t->c + j] : t->dx2[p * t->c2 + j - t->c];
        error = fmax(error, fabs((double)got - want[e]));
    }
    return error / largest(want, t->hw * ch);
}

static void check_vjp(uint64_t k, errors *worst)
{
    point t = start(k);
    sample at = new_sample(&t), g = new_sample(&t), total = new_sample(&t);
    size_t ch = at.ch, size = t.hw * ch;
    run_vjp(&t);
    memset(total.gamma, 0, 2 * ch * sizeof(double));
    for (size_t r = 0; r < t.rows; r++) {
        double *dy = total.y;
        move(&t, r, 0, &at);
        for (size_t e = 0; e < size; e++) {
            dy[e] = (double)t.dy[r * size + e];
        }
        reference_vjp(&at, dy, &g);
        worst->reference = fmax(worst->reference, reference_error(&t, r, &at, dy, &g));
        worst->dx = fmax(worst->dx, joined_error(&t, r, g.x));
        if (t.scaled) {
            worst->dss = fmax(worst->dss, relative(t.gss + r * 2 * ch, g.scale, 2 * ch));
        }
        for (size_t j = 0; j < 2 * ch; j++) {
            total.gamma[j] += g.gamma[j];
        }
    }
    worst->params = fmax(worst->params, relative(t.dgamma, total.gamma, ch));
    worst->params = fmax(worst->params, relative(t.dbeta, total.beta, ch));
    hs_arena_free(&t.arena);
}

static void test_vjp_is_the_adjoint_derivative(void **state)
{
    (void)state;
    errors worst = {0, 0, 0, 0};
    for (uint64_t k = 0; k < CASES; k++) {
        check_vjp(k, &worst);
    }
    assert_near(worst.reference, 0, 1e-6);
    assert_near(worst.dx, 0, 1e-5);
    assert_near(worst.dss, 0, 1e-5);
    assert_near(worst.params, 0, 1e-5);
}

/* Gradients of gamma and beta are added to what is there; `add` is added to dx, also where it is dx. */
static void test_what_is_added(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 16; k++) {
        point t = start(k), o = start(k);
        size_t ch = channels(&t), n = t.rows * t.hw * t.c, n2 = t.rows * t.hw * t.c2;
        float *add = normals(&t, 77, n, 1), *add2 = n2 > 0 ? normals(&t, 78, n2, 1) : NULL;
        float *dx = normals(&t, 77, n, 1), *dx2 = n2 > 0 ? normals(&t, 78, n2, 1) : NULL;
        hs_groupnorm_at p = at_of(&t);
        run_vjp(&o);
        float *before = normals(&t, 79, 2 * ch, 1), *params = normals(&t, 79, 2 * ch, 1);
        hs_groupnorm_grads g = {add, add2, t.dx, t.dx2, NULL, NULL, 0, params, params + ch};
        hs_groupnorm_vjp(&t.gn, &p, t.rows, t.mapped ? t.at : NULL, t.dy, &g, t.scratch);
        g = (hs_groupnorm_grads){dx, dx2, dx, dx2, NULL, NULL, 0, NULL, NULL};
        hs_groupnorm_vjp(&t.gn, &p, t.rows, t.mapped ? t.at : NULL, t.dy, &g, t.scratch);
        for (size_t i = 0; i < n; i++) {
            assert_true(t.dx[i] == o.dx[i] + add[i] && dx[i] == t.dx[i]);
        }
        for (size_t i = 0; i < n2; i++) {
            assert_true(t.dx2[i] == o.dx2[i] + add2[i] && dx2[i] == t.dx2[i]);
        }
        for (size_t j = 0; j < ch; j++) {
            assert_near((double)params[j], (double)before[j] + (double)o.dgamma[j],
                        1e-6 * fabs((double)params[j]) + 1e-5);
            assert_near((double)params[ch + j], (double)before[ch + j] + (double)o.dbeta[j],
                        1e-6 * fabs((double)params[ch + j]) + 1e-5);
        }
        hs_arena_free(&t.arena);
        hs_arena_free(&o.arena);
    }
}

static void test_in_place(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 32; k++) {
        point t = start(k), o = start(k);
        if (t.c2 == 0) {
            size_t bytes = t.rows * t.hw * t.c * sizeof(float);
            run_jvp(&o);
            run_vjp(&o);
            t.jvp = t.u;
            t.dx = t.dy;
            run_jvp(&t);
            run_vjp(&t);
            assert_memory_equal(t.jvp, o.jvp, bytes);
            assert_memory_equal(t.dx, o.dx, bytes);
        }
        hs_arena_free(&t.arena);
        hs_arena_free(&o.arena);
    }
}

/* Tangents that are absent are zeros, and cotangents that aren't wanted change nothing else. */
static void test_absent_parts(void **state)
{
    (void)state;
    for (uint64_t k = 0; k < 32; k++) {
        point t = start(k), o = start(k);
        if (t.c2 > 0) {
            size_t ch = channels(&t), r = t.rows * t.hw;
            memset(o.u2, 0, r * o.c2 * sizeof(float));
            memset(o.dss, 0, t.rows * 2 * ch * sizeof(float));
            run_jvp(&o);
            hs_groupnorm_at p = at_of(&t);
            hs_groupnorm_jvp(&t.gn, &p, t.rows, t.mapped ? t.at : NULL, t.u, NULL, NULL, NULL, 0, t.jvp);
            assert_memory_equal(t.jvp, o.jvp, r * ch * sizeof(float));
            run_vjp(&o);
            hs_groupnorm_grads g = {.dx = t.dx};
            hs_groupnorm_vjp(&t.gn, &p, t.rows, t.mapped ? t.at : NULL, t.dy, &g, t.scratch);
            assert_memory_equal(t.dx, o.dx, r * t.c * sizeof(float));
        }
        hs_arena_free(&t.arena);
        hs_arena_free(&o.arena);
    }
}

static void test_same_bits_for_any_number_of_threads(void **state)
{
    (void)state;
    int threads = omp_get_max_threads();
    for (uint64_t k = 0; k < CASES; k++) {
        point t = start(k), o = start(k);
        size_t ch = channels(&t), r = t.rows * t.hw;
        omp_set_num_threads(1);
        run_jvp(&t);
        run_vjp(&t);
        omp_set_num_threads(k % 2 != 0 ? 2 : 3);
        run_jvp(&o);
        run_vjp(&o);
        assert_memory_equal(t.jvp, o.jvp, r * ch * sizeof(float));
        assert_memory_equal(t.dx, o.dx, r * t.c * sizeof(float));
        assert_true(t.c2 == 0 || memcmp(t.dx2, o.dx2, r * t.c2 * sizeof(float)) == 0);
        assert_true(!t.scaled || memcmp(t.gss, o.gss, t.rows * 2 * ch * sizeof(float)) == 0);
        assert_memory_equal(t.dgamma, o.dgamma, ch * sizeof(float));
        assert_memory_equal(t.dbeta, o.dbeta, ch * sizeof(float));
        hs_arena_free(&t.arena);
        hs_arena_free(&o.arena);
    }
    omp_set_num_threads(threads);
}

/* A group far from zero: what is left of its digits after the subtraction is x's own rounding. */
static void test_far_from_zero(void **state)
{
    (void)state;
    errors worst = {0, 0, 0, 0};
    for (uint64_t k = 0; k < 4; k++) {
        point t = start(8 * k + 1);
        for (size_t i = 0; i < t.m * t.hw * t.c; i++) {
            t.x[i] += 100;
        }
        hs_groupnorm_forward(&t.gn, t.m, t.hw, t.c, t.x, 0, NULL, NULL, NULL, 0, t.y, t.stats);
        sample at = new_sample(&t), g = new_sample(&t);
        run_vjp(&t);
        move(&t, 0, 0, &at);
        for (size_t e = 0; e < t.hw * t.c; e++) {
            at.y[e] = (double)t.dy[e];
        }
        reference_vjp(&at, at.y, &g);
        worst.dx = fmax(worst.dx, joined_error(&t, 0, g.x));
        hs_arena_free(&t.arena);
    }
    assert_near(worst.dx, 0, 2e-5); /* the mean is kept as a float: 4e-6 at 100 */
}

static void test_silu_jvp(void **state)
{
    (void)state;
    enum { N = 40001 };
    point t = {.m = 0};
    float *x = normals(&t, 1, N, 8), *dx = normals(&t, 2, N, 1), *dy = normals(&t, 3, N, 1);
    double worst = 0, own = 0;
    hs_silu_jvp(N, x, dx, dy);
    for (size_t i = 0; i < N; i++) {
        double v = (double)x[i], want = slope(v, 1);
        own = fmax(own, fabs(want - (act(v + STEP, 1) - act(v - STEP, 1)) / (2 * STEP)));
        worst = fmax(worst, fabs((double)dy[i] - want * (double)dx[i]));
    }
    assert_near(own, 0, 1e-6);
    assert_near(worst, 0, 2e-6); /* a few roundings of values up to 4 */
    float ends[] = {-1000, 1000, -88, 88, 0}, ones[] = {1, 1, 1, 1, 1}, slopes[5];
    hs_silu_jvp(5, ends, ones, slopes);
    assert_true(fabsf(slopes[0]) < 1e-34f && slopes[1] == 1 && fabsf(slopes[2]) < 1e-34f && slopes[3] == 1);
    assert_true(slopes[4] == 0.5f);
    hs_silu_jvp(N, x, dx, dx);
    assert_memory_equal(dx, dy, N * sizeof *dx);
    hs_arena_free(&t.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_adjoint),
        cmocka_unit_test(test_jvp_is_the_derivative),
        cmocka_unit_test(test_vjp_is_the_adjoint_derivative),
        cmocka_unit_test(test_what_is_added),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_absent_parts),
        cmocka_unit_test(test_same_bits_for_any_number_of_threads),
        cmocka_unit_test(test_far_from_zero),
        cmocka_unit_test(test_silu_jvp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
