/* core/stats/dual.h.  Oracles: the Gram matrix itself, stationarity of the primal objective, scikit-learn's figures. */
#include <math.h>
#include <string.h>

#include "core/stats/dual.h"
#include "tests/support/support.h"

enum { N = 24, D = 40 };

/* A problem: N samples in width dimensions; every fourth, from 1, is left out of training. */
typedef struct {
    size_t width;
    double x[N][D], K[N * N], y[N], on[N];
    unsigned char train[N];
} problem;

static problem make(size_t width)
{
    problem p = {.width = width};
    for (size_t i = 0; i < N; i++) {
        double u = cos(2.3 * (double)i);
        p.train[i] = i % 4 != 1;
        p.y[i] = u;
        p.on[i] = u > 0.1;
        for (size_t j = 0; j < width; j++) {
            p.x[i][j] = sin(1 + (double)((i + 1) * (j + 2) * (j + 2)));
        }
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < N; k++) {
            for (size_t j = 0; j < width; j++) {
                p.K[i * N + k] += p.x[i][j] * p.x[k][j];
            }
        }
    }
    return p;
}

/* mean (D), w (D) <- the mean of training and the primal normal of v. */
static void primal(const problem *p, const hs_dual *d, const double *v, double *mean, double *w)
{
    double a[N];
    hs_dual_weights(d, v, a);
    for (size_t j = 0; j < p->width; j++) {
        mean[j] = w[j] = 0;
        for (size_t i = 0; i < N; i++) {
            mean[j] += p->train[i] ? p->x[i][j] / (double)d->n : 0;
        }
        for (size_t i = 0; i < N; i++) {
            w[j] += a[i] * (p->x[i][j] - mean[j]);
        }
    }
}

static double answer(const problem *p, const double *mean, const double *w, double b, size_t i)
{
    for (size_t j = 0; j < p->width; j++) {
        b += w[j] * (p->x[i][j] - mean[j]);
    }
    return b;
}

/* |sum_i u_i (x_i - mean) + alpha w| and |sum u_i|, the larger; u_i: the loss's derivative. */
static double gradient(const problem *p, const double *mean, const double *w, const double *u, double alpha)
{
    double worst = 0, total = 0;
    for (size_t i = 0; i < N; i++) {
        total += p->train[i] ? u[i] : 0;
    }
    for (size_t j = 0; j < p->width; j++) {
        double g = alpha * w[j];
        for (size_t i = 0; i < N; i++) {
            g += p->train[i] ? u[i] * (p->x[i][j] - mean[j]) : 0;
        }
        worst = fmax(worst, fabs(g));
    }
    return fmax(worst, fabs(total));
}

static void test_coordinates_keep_the_gram_matrix(void **state)
{
    (void)state;
    for (size_t width = 7; width <= D; width += D - 7) {
        problem p = make(width);
        hs_dual d;
        double mean[D], w[D], none[N] = {0};
        assert_ok(hs_dual_new(N, p.K, p.train, &d));
        assert_int_equal(d.n, 18);
        assert_int_equal(d.r, width < 17 ? width : 17);
        primal(&p, &d, none, mean, w);
        double power = 0;
        for (size_t a = 0; a < N; a++) {
            for (size_t t = 0; t < d.n; t++) {
                double got = 0, want = 0;
                for (size_t j = 0; j < d.r; j++) {
                    got += d.z[j * N + a] * d.z[j * N + t];
                }
                for (size_t j = 0; j < width; j++) {
                    want += (p.x[d.order[a]][j] - mean[j]) * (p.x[d.order[t]][j] - mean[j]);
                }
                assert_near(got, want, 1e-11);
                power += a == t ? want / (double)d.n : 0;
            }
        }
        assert_near(d.power, power, 1e-11);
        hs_dual_free(&d);
    }
}

static void test_ridge(void **state)
{
    (void)state;
    for (size_t width = 7; width <= D; width += D - 7) {
        problem p = make(width);
        hs_dual d;
        double v[N], b, mean[D], w[D], u[N];
        assert_ok(hs_dual_new(N, p.K, p.train, &d));
        hs_dual_ridge(&d, p.y, 3, v, &b);
        primal(&p, &d, v, mean, w);
        for (size_t i = 0; i < N; i++) {
            u[i] = answer(&p, mean, w, b, i) - p.y[i];
        }
        assert_true(gradient(&p, mean, w, u, 3) < 1e-11);
        for (size_t k = 0; k < N; k++) {
            assert_near(hs_dual_answer(&d, v, b, k), answer(&p, mean, w, b, d.order[k]), 1e-11);
        }
        hs_dual_free(&d);
    }
}

static void logistic_is_stationary(size_t width, double alpha)
{
    problem p = make(width);
    hs_dual d;
    double v[N] = {0}, again[N], b = 0, c, mean[D], w[D], u[N], work[12 * N + 8];
    assert_true(hs_dual_work(N) <= sizeof work / sizeof *work);
    assert_ok(hs_dual_new(N, p.K, p.train, &d));
    assert_ok(hs_dual_logistic(&d, p.on, alpha, v, &b, work));
    primal(&p, &d, v, mean, w);
    for (size_t i = 0; i < N; i++) {
        u[i] = 1 / (1 + exp(-answer(&p, mean, w, b, i))) - p.on[i];
    }
    assert_true(gradient(&p, mean, w, u, alpha) < 1e-7);
    for (size_t j = 0; j < d.r; j++) {
        again[j] = -3 + (double)(j % 5); /* the optimum is the same from anywhere */
    }
    c = 7;
    assert_ok(hs_dual_logistic(&d, p.on, alpha, again, &c, work));
    assert_near(c, b, 1e-6);
    assert_true(max_rel_f64(again, v, d.r) < 1e-6);
    hs_dual_free(&d);
}

static void test_logistic(void **state)
{
    (void)state;
    logistic_is_stationary(D, 0.5); /* separable: D > N */
    logistic_is_stationary(D, 1e-4);
    logistic_is_stationary(D, 1e5);
    logistic_is_stationary(7, 0.01);
}

/* Ridge(alpha=3) and LogisticRegression(C=2, solver="newton-cholesky", tol=1e-14) of scikit-learn: samples 1, 5, 9. */
static void test_as_scikit_learn(void **state)
{
    (void)state;
    static const double ridge[3] = {-0.0338792631088, -0.0915110585184, -0.1372823822},
                        logit[3] = {-0.945947267768, -0.482426402913, -0.96767894865},
                        coef[2] = {-2.50621270526, -0.279757074951};
    problem p = make(D);
    hs_dual d;
    double v[N] = {0}, b = 0, mean[D], w[D], work[12 * N + 8];
    assert_ok(hs_dual_new(N, p.K, p.train, &d));
    hs_dual_ridge(&d, p.y, 3, v, &b);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(d.order[d.n + k], 4 * k + 1);
        assert_near(hs_dual_answer(&d, v, b, d.n + k), ridge[k], 1e-10);
    }
    memset(v, 0, sizeof v);
    b = 0;
    assert_ok(hs_dual_logistic(&d, p.on, 0.5, v, &b, work));
    primal(&p, &d, v, mean, w);
    for (size_t k = 0; k < 3; k++) {
        assert_near(hs_dual_answer(&d, v, b, d.n + k), logit[k], 1e-7);
    }
    assert_near(w[0], coef[0], 1e-7);
    assert_near(w[1], coef[1], 1e-7);
    hs_dual_free(&d);
}

static void test_what_cannot_be_fitted(void **state)
{
    (void)state;
    problem p = make(D);
    hs_dual d;
    double v[N] = {NAN}, b = 0, work[12 * N + 8];
    unsigned char one[N] = {1}, all[N];
    memset(all, 1, sizeof all);
    assert_code(hs_dual_new(N, p.K, one, &d), HS_EDEGENERATE);
    for (size_t i = 0; i < N * N; i++) {
        p.K[i] = 0;
    }
    assert_code(hs_dual_new(N, p.K, all, &d), HS_EDEGENERATE);
    p = make(D);
    assert_ok(hs_dual_new(N, p.K, all, &d));
    assert_code(hs_dual_logistic(&d, p.on, 1, v, &b, work), HS_ENOCONV);
    hs_dual_free(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_coordinates_keep_the_gram_matrix),
        cmocka_unit_test(test_ridge),
        cmocka_unit_test(test_logistic),
        cmocka_unit_test(test_as_scikit_learn),
        cmocka_unit_test(test_what_cannot_be_fitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
