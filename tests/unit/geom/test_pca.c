/* PCA: every solver against dgesdd of the centred matrix, and the reference values of real activations;
 * hard data; the same bits for 1 and 2 threads. */
#include "core/geom/pca.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/linalg/blas.h"
#include "core/linalg/factor.h"
#include "tests/support/shared_stats.h"
#include "tests/support/support.h"

static const char golden[] = "golden-stats/pca.json";
static const hs_pca_solver solvers[] = {HS_PCA_GRAM, HS_PCA_COVARIANCE, HS_PCA_BLOCK, HS_PCA_RANDOMIZED};

static float *floats(size_t n)
{
    float *p;
    assert_ok(hs_calloc(n, sizeof *p, &p));
    return p;
}

static double *doubles(size_t n)
{
    double *p;
    assert_ok(hs_calloc(n, sizeof *p, &p));
    return p;
}

/* (n, d): factors of falling strength over white noise, plus an offset. */
static float *factors(size_t n, size_t d, size_t r, double noise, double offset)
{
    float *x = floats(n * d), *u = floats(n), *v = floats(d);
    hs_rng_normal((hs_rng){1, HS_RNG_TEST, 0}, 0, n * d, x);
    for (size_t i = 0; i < n * d; i++) {
        x[i] = (float)(noise * (double)x[i]);
    }
    for (size_t f = 0; f < r; f++) {
        hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2 * f + 1}, 0, n, u);
        hs_rng_normal((hs_rng){1, HS_RNG_TEST, 2 * f + 2}, 0, d, v);
        for (size_t i = 0; i < n * d; i++) {
            x[i] += (float)pow(.8, (double)f) * u[i / d] * v[i % d];
        }
    }
    for (size_t i = 0; i < n * d; i++) {
        x[i] = (float)((double)x[i] + offset);
    }
    free(u), free(v);
    return x;
}

static hs_pca *fit(const float *x, size_t n, size_t d, size_t groups, hs_pca_options o)
{
    hs_mat A = hs_mat_of((float *)(uintptr_t)x, n, d);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_pca *p = NULL;
    rows.groups = groups;
    assert_ok(hs_pca_fit(&rows, &o, &p));
    assert_int_equal(p->n, n);
    assert_int_equal(p->d, d);
    return p;
}

/* The centred matrix in double, by two plain passes. */
static double *centred(const float *x, size_t n, size_t d, size_t groups)
{
    double *c = doubles(n * d);
    for (size_t g = 0; g < groups; g++) {
        for (size_t j = 0; j < d; j++) {
            double sum = 0, count = 0;
            for (size_t i = g; i < n; i += groups, count++) {
                sum += (double)x[i * d + j];
            }
            for (size_t i = g; i < n; i += groups) {
                c[i * d + j] = (double)x[i * d + j] - sum / count;
            }
        }
    }
    return c;
}

/* Against dgesdd.  Components are compared where no neighbour is close: |v·w| = 1. */
static void check_oracle(const float *x, size_t n, size_t d, size_t groups, hs_pca_options o, double tol)
{
    size_t r = n < d ? n : d;
    double *c = centred(x, n, d, groups), *U = doubles(n * r), *s = doubles(r), *Vt = doubles(r * d), total = 0;
    hs_pca *p = fit(x, n, d, groups, o);
    assert_ok(hs_svd(n, d, c, U, s, Vt));
    for (size_t i = 0; i < r; i++) {
        total += s[i] * s[i] / (double)(n - 1);
    }
    assert_near(p->total_variance, total, 1e-6 * total);
    for (size_t i = 0; i < o.k; i++) {
        assert_near(p->singular_value[i], s[i], tol * s[0]);
        assert_true(p->residual[i] <= 1e-5);
        if (i >= p->rank) {
            assert_near(hs_nrm2_f32(d, p->component + i * d), 0, 0);
            continue;
        }
        assert_near(p->explained_variance[i], s[i] * s[i] / (double)(n - 1), 2 * tol * s[0] * s[0] / (double)(n - 1));
        assert_near(p->explained_variance_ratio[i] * p->total_variance, p->explained_variance[i], 1e-12 * total);
        double dot = 0, gap = fmin(i > 0 ? s[i - 1] - s[i] : s[0], i + 1 < r ? s[i] - s[i + 1] : s[i]) / s[0];
        for (size_t j = 0; j < d; j++) {
            dot += (double)p->component[i * d + j] * Vt[i * d + j];
        }
        assert_near(fabs(dot), 1, 1e-6 + 1e-9 / (gap * gap));
        assert_false(hs_sign_flips_f32(d, p->component + i * d));
    }
    double pr = 0;
    for (size_t i = 0; i < r; i++) {
        pr += s[i] * s[i] / (double)(n - 1) * (s[i] * s[i] / (double)(n - 1));
    }
    pr = total * total / pr;
    assert_true(p->participation[0] <= pr * (1 + 1e-6) && pr <= p->participation[1] * (1 + 1e-6));
    hs_pca_free(p);
    free(c), free(U), free(s), free(Vt);
}

static void test_solvers_against_dense(void **state)
{
    (void)state;
    static const size_t shape[][2] = {{60, 300}, {300, 60}, {100, 100}, {101, 100}, {700, 1500}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        float *x = factors(shape[i][0], shape[i][1], 12, .05, 3);
        for (size_t s = 0; s < 4; s++) {
            hs_pca_options o = HS_PCA_OPTIONS;
            o.k = 8;
            o.solver = solvers[s];
            o.sweeps = solvers[s] == HS_PCA_RANDOMIZED ? 12 : 0;
            check_oracle(x, shape[i][0], shape[i][1], 1, o, 1e-6);
        }
        free(x);
    }
}

static void test_groups_have_their_own_means(void **state)
{
    (void)state;
    float *x = factors(90, 40, 5, .1, 0);
    for (size_t i = 0; i < 90 * 40; i++) {
        x[i] += (float)(100 * (i / 40 % 3)); /* steps far apart */
    }
    for (size_t s = 0; s < 3; s++) {
        hs_pca_options o = HS_PCA_OPTIONS;
        o.k = 5;
        o.solver = solvers[s];
        check_oracle(x, 90, 40, 3, o, 1e-6);
    }
    hs_pca *p = fit(x, 90, 40, 1, HS_PCA_OPTIONS);
    assert_true(p->explained_variance_ratio[0] > .99); /* with one mean, the steps are all there is */
    hs_pca_free(p);
    free(x);
}

static void test_rank_is_told(void **state)
{
    (void)state;
    float *x = factors(50, 80, 3, 0, 0); /* rank 3 up to the rounding of float32 */
    for (size_t s = 0; s < 4; s++) {
        hs_pca_options o = HS_PCA_OPTIONS;
        o.k = 3;
        o.solver = solvers[s];
        check_oracle(x, 50, 80, 1, o, 1e-6);
    }
    for (size_t i = 0; i < 50 * 80; i++) {
        x[i] = (float)(i / 80 % 5) * (float)(i % 80 % 7) +
               (float)(i / 80 % 2) * (float)(i % 80 % 3 == 0); /* exact: rank 2 */
    }
    for (size_t s = 0; s < 4; s++) {
        hs_pca_options o = HS_PCA_OPTIONS;
        o.k = 6;
        o.solver = solvers[s];
        hs_pca *p = fit(x, 50, 80, 1, o);
        assert_int_equal(p->rank, 2);
        assert_near(p->explained_variance_ratio[0] + p->explained_variance_ratio[1], 1, 1e-6);
        assert_near(p->singular_value[2], 0, 0);
        check_oracle(x, 50, 80, 1, o, 1e-6);
        hs_pca_free(p);
    }
    free(x);
}

static void test_small_and_constant(void **state)
{
    (void)state;
    const float two[2] = {1, 4}, all[6] = {2, 2, 2, 2, 2, 2};
    hs_pca_options o = HS_PCA_OPTIONS;
    o.k = 1;
    for (size_t s = 0; s < 4; s++) {
        o.solver = solvers[s];
        hs_pca *p = fit(two, 2, 1, 1, o);
        assert_near(p->explained_variance[0], 4.5, 1e-6);
        assert_near(p->mean[0], 2.5, 0);
        assert_near((double)p->component[0], 1, 1e-7);
        hs_pca_free(p);
    }
    hs_mat A = hs_mat_of((float *)(uintptr_t)all, 3, 2);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_pca *p = NULL;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_EDEGENERATE); /* all rows coincide */
    rows.groups = 3;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_EDEGENERATE); /* as many means as rows */
    rows.groups = 0;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ERANGE);
    rows.groups = 1;
    rows.n = 1;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_EDEGENERATE);
    rows.n = 0;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ERANGE);
    assert_null(p);

    float *x = factors(40, 30, 4, .1, 0);
    for (size_t i = 0; i < 40; i++) {
        x[i * 30 + 7] = .1F; /* a constant feature takes no part */
    }
    o.k = 4;
    for (size_t s = 0; s < 4; s++) {
        o.solver = solvers[s];
        p = fit(x, 40, 30, 1, o);
        for (size_t i = 0; i < 4; i++) {
            assert_near((double)p->component[i * 30 + 7], 0,
                        s < 2 ? 1e-15 : 1e-7); /* the rounding of LAPACK, of float32 */
        }
        hs_pca_free(p);
    }
    free(x);
}

/* Whole numbers, so that the offset loses nothing of them. */
static void test_offset_does_not_matter(void **state)
{
    (void)state;
    enum { N = 200, D = 30 };
    float *x = floats(N * D), *y = floats(N * D);
    for (size_t i = 0; i < N * D; i++) {
        x[i] = (float)hs_rng_below((hs_rng){2, HS_RNG_TEST, 1}, i, 17) * (float)(1 + i % D % 5);
    }
    for (double offset = 1e4; offset < 1e7; offset *= 100) {
        for (size_t i = 0; i < N * D; i++) {
            y[i] = x[i] + (float)offset;
        }
        for (size_t s = 0; s < 3; s++) {
            hs_pca_options o = HS_PCA_OPTIONS;
            o.k = 5;
            o.solver = solvers[s];
            hs_pca *p = fit(x, N, D, 1, o), *q = fit(y, N, D, 1, o);
            for (size_t i = 0; i < 5; i++) { /* means differ in their last bit */
                assert_near(q->explained_variance[i] / p->explained_variance[i], 1, s < 2 ? 1e-10 : 1e-6);
            }
            hs_pca_free(p), hs_pca_free(q);
        }
    }
    free(x), free(y);
}

static void test_scale_is_exact(void **state)
{
    (void)state;
    enum { N = 80, D = 50, K = 4 };
    float *x = factors(N, D, 6, .1, 1), *y = floats(N * D);
    for (int e = -110; e <= 110; e += 220) {
        for (size_t i = 0; i < N * D; i++) {
            y[i] = ldexpf(x[i], e);
            x[i] = ldexpf(y[i], -e); /* what became denormal is lost on both sides */
        }
        for (size_t s = 0; s < 4; s++) {
            hs_pca_options o = HS_PCA_OPTIONS;
            o.k = K;
            o.solver = solvers[s];
            hs_pca *p = fit(x, N, D, 1, o), *q = fit(y, N, D, 1, o);
            assert_memory_equal(p->component, q->component, K * D * sizeof(float));
            for (size_t i = 0; i < K; i++) {
                assert_near(ldexp(p->singular_value[i], e) / q->singular_value[i], 1, 0);
            }
            hs_pca_free(p), hs_pca_free(q);
        }
    }
    free(x), free(y);
}

static void test_first_bad_value_is_named(void **state)
{
    (void)state;
    enum { N = 1200, D = 1100 };
    float *x = factors(N, D, 1, 1, 0);
    x[1199 * D + 3] = NAN; /* in the last tile */
    hs_mat A = hs_mat_of(x, N, D);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_pca *p = NULL;
    assert_code(hs_pca_fit(&rows, &HS_PCA_OPTIONS, &p), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "row 1199, feature 3 "));
    x[700 * D + 1050] = -INFINITY;
    x[701 * D] = INFINITY; /* same tile, another chunk, a later row */
    assert_code(hs_pca_fit(&rows, &HS_PCA_OPTIONS, &p), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "row 700, feature 1050 "));
    x[0] = NAN;
    assert_code(hs_pca_fit(&rows, &HS_PCA_OPTIONS, &p), HS_EDEGENERATE);
    assert_non_null(strstr(hs_error_message(), "row 0, feature 0 "));
    assert_null(p);
    free(x);
}

static int read_fails(void *ctx, size_t first, size_t count, float *out)
{
    size_t *calls = ctx;
    memset(out, 0, count * 50 * sizeof *out);
    out[first % 50] = 1;
    return ++*calls > 3 ? hs_fail(HS_EIO, "the disk is away") : HS_OK;
}

static int stop(void *ctx, const char *what, size_t done, size_t total)
{
    (void)what, (void)total;
    size_t *calls = ctx;
    return done == 0 && ++*calls > 2;
}

static void test_errors(void **state)
{
    (void)state;
    float *x = factors(3000, 50, 1, 1, 0);
    hs_mat A = hs_mat_of(x, 3000, 50);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_pca_options o = HS_PCA_OPTIONS;
    hs_pca *p = NULL;
    o.memory = 100 << 10;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ELIMIT);
    assert_non_null(strstr(hs_error_message(), "covariance"));
    o = HS_PCA_OPTIONS;
    o.k = 51;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ERANGE);
    o.k = 0;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ERANGE);
    o.k = 2;
    o.tol = 0;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ERANGE);
    size_t calls = 0;
    hs_rows broken = {5000, 50, 1, read_fails, &calls};
    assert_code(hs_pca_fit(&broken, &HS_PCA_OPTIONS, &p), HS_EIO);
    assert_string_equal(hs_error_message(), "the disk is away");
    for (size_t s = 0; s < 4; s++) {
        size_t starts = 0;
        hs_progress progress = {stop, &starts};
        o = HS_PCA_OPTIONS;
        o.memory = 0;
        o.solver = solvers[s];
        o.progress = &progress;
        assert_code(hs_pca_fit(&rows, &o, &p), HS_ESTOPPED);
    }
    assert_null(p);
    o = HS_PCA_OPTIONS;
    o.k = 2;
    o.solver = HS_PCA_BLOCK; /* white noise: nothing to converge to in two sweeps */
    o.sweeps = 2;
    assert_code(hs_pca_fit(&rows, &o, &p), HS_ENOCONV);
    assert_non_null(p);
    assert_true(p->worst > 1e-5 && p->explained_variance[1] > .5);
    double score[4];
    rows.d = 49;
    assert_code(hs_pca_project(p, &rows, 0, 1, score), HS_ESHAPE);
    rows.d = 50;
    assert_code(hs_pca_project(p, &rows, 2999, 2, score), HS_ERANGE);
    hs_pca_free(p);
    free(x);
}

static void test_scores_have_the_variances(void **state)
{
    (void)state;
    float *x = factors(120, 30, 4, .1, 5);
    hs_mat A = hs_mat_of(x, 120, 30);
    hs_rows rows = hs_rows_of_mat(&A);
    hs_pca_options o = HS_PCA_OPTIONS;
    o.k = 3;
    hs_pca *p = fit(x, 120, 30, 1, o);
    double score[360], sum[3] = {0}, square[3] = {0};
    assert_ok(hs_pca_project(p, &rows, 0, 50, score));
    assert_ok(hs_pca_project(p, &rows, 50, 70, score + 150));
    for (size_t i = 0; i < 360; i++) {
        sum[i % 3] += score[i];
        square[i % 3] += score[i] * score[i];
    }
    for (size_t i = 0; i < 3; i++) {
        assert_near(sum[i], 0, 1e-4);
        assert_near(square[i] / 119, p->explained_variance[i], 1e-6 * p->explained_variance[0]);
    }
    hs_pca_free(p);
    free(x);
}

static void test_threads_do_not_change_bits(void **state)
{
    (void)state;
    enum { N = 700, D = 1300, K = 6 };
    float *x = factors(N, D, 9, .2, 1);
    int before = omp_get_max_threads();
    for (size_t s = 0; s < 4; s++) {
        hs_pca_options o = HS_PCA_OPTIONS;
        o.k = K;
        o.memory = 0;
        o.solver = solvers[s];
        omp_set_num_threads(1);
        hs_pca *p = fit(x, N, D, 1, o);
        omp_set_num_threads(3);
        hs_pca *q = fit(x, N, D, 1, o);
        assert_memory_equal(p->component, q->component, K * D * sizeof(float));
        assert_memory_equal(p->singular_value, q->singular_value, K * sizeof(double));
        assert_memory_equal(p->residual, q->residual, K * sizeof(double));
        assert_memory_equal(p->mean, q->mean, D * sizeof(double));
        assert_memory_equal(p->participation, q->participation, sizeof p->participation);
        assert_true(p->total_variance == q->total_variance);
        hs_pca_free(p), hs_pca_free(q);
    }
    omp_set_num_threads(before);
    free(x);
}

static void test_auto_depends_on_shape_only(void **state)
{
    (void)state;
    static const struct {
        size_t n, d;
        hs_pca_solver solver;
    } row[] = {{2000, 32768, HS_PCA_GRAM},
               {100000, 2048, HS_PCA_COVARIANCE},
               {4000, 32768, HS_PCA_BLOCK},
               {10000, 4096, HS_PCA_BLOCK},
               {5, 5, HS_PCA_GRAM}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        hs_rows rows = {row[i].n, row[i].d, 1, NULL, NULL};
        hs_pca_options o = HS_PCA_OPTIONS;
        hs_pca_solver solver;
        size_t bytes;
        o.k = row[i].n < 50 ? 1 : 50;
        assert_ok(hs_pca_bytes(&rows, &o, &bytes, &solver));
        assert_string_equal(hs_pca_solver_name(solver), hs_pca_solver_name(row[i].solver));
        assert_true(bytes <= o.memory);
    }
}

/* ---- Real activations ------------------------------------------------------------------------------ */

/* One step of (n, steps, d). */
typedef struct {
    const float *h;
    size_t steps, d, step;
} step_rows;

static int read_step(void *ctx, size_t first, size_t count, float *out)
{
    const step_rows *s = ctx;
    for (size_t i = 0; i < count; i++) {
        memcpy(out + i * s->d, s->h + ((first + i) * s->steps + s->step) * s->d, s->d * sizeof *out);
    }
    return HS_OK;
}

static void compare(const hs_rows *rows, const char *where, hs_pca_solver solver, double tol)
{
    char path[128];
    hs_pca_options o = HS_PCA_OPTIONS;
    hs_pca *p = NULL;
    o.solver = solver;
    o.k = solver == HS_PCA_BLOCK ? 8 : 20;
    assert_ok(hs_pca_fit(rows, &o, &p));
    snprintf(path, sizeof path, "%s/total_variance", where);
    double total = shared_number(golden, path), share = 0;
    assert_near(p->total_variance / total, 1, tol);
    snprintf(path, sizeof path, "%s/participation_ratio", where);
    double pr = shared_number(golden, path);
    assert_true(p->participation[0] <= pr * (1 + tol) && pr <= p->participation[1] * (1 + tol));
    for (size_t i = 0; i < o.k; i++) {
        snprintf(path, sizeof path, "%s/explained_variance/%zu", where, i);
        assert_near(p->explained_variance[i] / shared_number(golden, path), 1, tol);
        share += p->explained_variance_ratio[i];
        snprintf(path, sizeof path, "%s/cumulative_share/%zu", where, i);
        assert_near(share / shared_number(golden, path), 1, tol);
    }
    assert_true(p->worst <= 1e-5);
    hs_pca_free(p);
}

static void real(const char *file, const char *name, int block)
{
    size_t dim[5];
    char where[64];
    float *h = shared_floats(file, 5, dim);
    size_t d = dim[2] * dim[3] * dim[4];
    for (size_t k = 0; k < 3; k++) {
        step_rows s = {h, 3, d, k};
        hs_rows rows = {2000, d, 1, read_step, &s};
        snprintf(where, sizeof where, "%s/per_step/%zu", name, k);
        compare(&rows, where, HS_PCA_AUTO, 1e-6);
        if (block) {
            compare(&rows, where, HS_PCA_BLOCK, 2e-6);
        }
        rows.n = 100;
        snprintf(where, sizeof where, "%s/first100_per_step/%zu", name, k);
        compare(&rows, where, HS_PCA_GRAM, 1e-6);
        compare(&rows, where, HS_PCA_COVARIANCE, 1e-6);
    }
    hs_mat pairs = hs_mat_of(h, 6000, d), path = hs_mat_of(h, 2000, 3 * d);
    hs_rows rows = hs_rows_of_mat(&pairs);
    snprintf(where, sizeof where, "%s/pooled_grand_mean", name);
    compare(&rows, where, HS_PCA_AUTO, 1e-6);
    rows.groups = 3;
    snprintf(where, sizeof where, "%s/pooled_step_mean", name);
    compare(&rows, where, HS_PCA_AUTO, 1e-6);
    rows = hs_rows_of_mat(&path);
    snprintf(where, sizeof where, "%s/trajectory", name);
    compare(&rows, where, d > 400 ? HS_PCA_BLOCK : HS_PCA_COVARIANCE, 2e-6);
    free(h);
}

static void test_real_charles(void **state)
{
    (void)state;
    need_shared("h-mnist/h_charles.npy");
    real("h-mnist/h_charles.npy", "charles", 1);
}

/* Its smallest directions are float32 noise, 1e-7 of the largest: exact solvers only. */
static void test_real_pulfer(void **state)
{
    (void)state;
    need_shared("h-mnist/h_pulfer.npy");
    real("h-mnist/h_pulfer.npy", "pulfer", 0);
}

static void test_real_components_with_sign(void **state)
{
    (void)state;
    need_shared("golden-stats/pca_components_charles.npy");
    size_t dim[5], cdim[3];
    float *h = shared_floats("h-mnist/h_charles.npy", 5, dim);
    float *want = shared_floats("golden-stats/pca_components_charles.npy", 3, cdim);
    for (size_t k = 0; k < 3; k++) {
        step_rows s = {h, 3, cdim[2], k};
        hs_rows rows = {2000, cdim[2], 1, read_step, &s};
        for (size_t m = 1; m < 3; m++) {
            hs_pca_options o = HS_PCA_OPTIONS;
            hs_pca *p = NULL;
            o.k = 3;
            o.solver = solvers[m];
            assert_ok(hs_pca_fit(&rows, &o, &p));
            /* block: the residual 1e-5 σ_1 over a gap of about 0.1 σ_1 */
            assert_true(max_rel_f32(p->component, want + k * 3 * cdim[2], 3 * cdim[2]) < (m == 1 ? 1e-6 : 1e-3));
            hs_pca_free(p);
        }
    }
    free(h), free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_solvers_against_dense),
        cmocka_unit_test(test_groups_have_their_own_means),
        cmocka_unit_test(test_rank_is_told),
        cmocka_unit_test(test_small_and_constant),
        cmocka_unit_test(test_offset_does_not_matter),
        cmocka_unit_test(test_scale_is_exact),
        cmocka_unit_test(test_first_bad_value_is_named),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_scores_have_the_variances),
        cmocka_unit_test(test_threads_do_not_change_bits),
        cmocka_unit_test(test_auto_depends_on_shape_only),
        cmocka_unit_test(test_real_charles),
        cmocka_unit_test(test_real_pulfer),
        cmocka_unit_test(test_real_components_with_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
