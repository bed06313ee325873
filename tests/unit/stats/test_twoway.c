/* Two crossed random factors: the analysis of variance of a golden table, planted shares, intervals that cover them,
 * shuffled nulls, degenerate inputs. */
#include <math.h>
#include <stdlib.h>

#include "core/base/alloc.h"
#include "core/base/rng.h"
#include "core/stats/bca.h"
#include "core/stats/moments.h"
#include "core/stats/twoway.h"
#include "tests/support/support.h"

enum { Q = HS_TWOWAY_STATISTICS };

/* D (N M, N M) of x (N M, d). */
static double *distances(size_t all, size_t d, const float *x)
{
    double *D;
    assert_ok(hs_calloc(all * all, sizeof *D, &D));
    for (size_t p = 0; p < all; p++) {
        for (size_t q = 0; q < all; q++) {
            for (size_t k = 0; k < d; k++) {
                double e = (double)x[p * d + k] - (double)x[q * d + k];
                D[p * all + q] += e * e;
            }
        }
    }
    return D;
}

/* D of a_i + b_j + c_ij of unit traces times the given ones; data set number `set`. */
static double *planted(size_t N, size_t M, size_t d, const double trace[3], uint64_t set)
{
    const size_t of[3] = {N, M, N * M};
    float *x, *part;
    assert_ok(hs_calloc(N * M * d, sizeof *x, &x));
    assert_ok(hs_alloc(N * M * d, sizeof *part, &part));
    for (uint64_t f = 0; f < 3; f++) {
        hs_rng_normal((hs_rng){set, HS_RNG_TEST, f}, 0, of[f] * d, part);
        for (size_t k = 0; k < N * M * d; k++) {
            size_t i = k / d / M, j = k / d % M, from = f == 0 ? i : f == 1 ? j : i * M + j;
            x[k] += (float)sqrt(trace[f] / (double)d) * part[from * d + k % d];
        }
    }
    double *D = distances(N * M, d, x);
    free(x);
    free(part);
    return D;
}

/* tests/support/geometry_golden.py: mean squares of the analysis of variance. */
static void test_golden(void **state)
{
    (void)state;
    enum { N = 5, M = 4 };
    float y[N * M * 3];
    double out[Q], w[N], v[M];
    for (int i = 0; i < N * M; i++) {
        double a = i / M, b = i % M;
        y[3 * i] = (float)sin(a + 2 * b * b);
        y[3 * i + 1] = (float)(cos(1.3 * a * b) + b);
        y[3 * i + 2] = (float)(a * 0.5 + sin(3.0 * a));
    }
    double *D = distances(N * M, 3, y);
    const hs_twoway t = {N, M, D};
    hs_twoway_eval(&t, NULL, NULL, out);
    const double share[3] = {0.265598872458, 0.324739543614, 0.409661583928};
    for (int k = 0; k < 3; k++) {
        assert_near(out[k], share[k], 1e-6); /* y is rounded to float32 by either side in its own way */
        w[k] = v[k] = 1;
    }
    assert_near(out[HS_TWOWAY_WITHIN_ROW], 1.855407944792, 1e-6);
    assert_near(out[HS_TWOWAY_BETWEEN], 2.165073998655, 1e-6);
    assert_near(out[HS_TWOWAY_RATIO], 1.855407944792 / 2.165073998655, 1e-6);
    /* weights: rows 0 ... 2 and columns 0 ... 2 alone are the table cut to them */
    float cut[27];
    for (int i = 0; i < 9; i++) {
        for (int k = 0; k < 3; k++) {
            cut[3 * i + k] = y[3 * ((i / 3) * M + i % 3) + k];
        }
    }
    double *E = distances(9, 3, cut), part[Q];
    w[3] = w[4] = v[3] = 0;
    hs_twoway_eval(&t, w, v, out);
    hs_twoway_eval(&(hs_twoway){3, 3, E}, NULL, NULL, part);
    for (int k = 0; k < Q; k++) {
        assert_near(out[k], part[k], 1e-12);
    }
    free(D);
    free(E);
}

/* Copies of one row never are a pair: a resample of one row has no row effect to speak of. */
static void test_copies(void **state)
{
    (void)state;
    double *D = planted(3, 3, 5, (double[]){1, 1, 1}, 4), out[Q];
    hs_twoway_eval(&(hs_twoway){3, 3, D}, (double[]){3, 0, 0}, NULL, out);
    assert_true(isnan(out[HS_TWOWAY_ROW]) && isnan(out[HS_TWOWAY_BETWEEN]));
    free(D);
}

/* Means of estimated components over 200 data sets, and how often the 95 % interval holds the planted share: over
 * nominal, since resampling both factors counts what lies in a cell twice. */
static void test_planted(void **state)
{
    (void)state;
    enum { SETS = 200, N = 12, M = 12, B = 1000 };
    const double trace[3] = {5, 3, 2};
    double mean[3] = {0}, *theta;
    int covered[3] = {0};
    assert_ok(hs_alloc((size_t)Q * B, sizeof *theta, &theta));
    for (uint64_t s = 0; s < SETS; s++) {
        double *D = planted(N, M, 20, trace, s), out[Q];
        const hs_twoway t = {N, M, D};
        hs_twoway_eval(&t, NULL, NULL, out);
        assert_ok(hs_twoway_bootstrap(&t, s, B, theta));
        for (int k = 0; k < 3; k++) {
            hs_interval ci = hs_percentile_interval(out[k], N, B, theta + (size_t)k * B, hs_expanded_level(.95, N, B));
            covered[k] += ci.lo <= trace[k] / 10 && trace[k] / 10 <= ci.hi;
            mean[k] += out[k] * out[HS_TWOWAY_BETWEEN] * out[HS_TWOWAY_BETWEEN] / 2 / SETS;
        }
        free(D);
    }
    for (int k = 0; k < 3; k++) {
        /* the standard error of a mean component is about trace sqrt(2 / (20 * 11) / 200), below 0.035 */
        assert_near(mean[k], trace[k], 0.12);
        printf("share %d: mean component %.3f, covered %d of %d\n", k, mean[k], covered[k], SETS);
        assert_true(covered[k] >= 186);
    }
    free(theta);
}

static void test_shuffled(void **state)
{
    (void)state;
    enum { N = 10, M = 8, K = 60 };
    size_t order[N * M];
    double *D = planted(N, M, 30, (double[]){4, 3, 1}, 9), out[Q], row = 0, column = 0, kept[2] = {0};
    const hs_twoway t = {N, M, D};
    for (uint64_t k = 0; k < K; k++) {
        hs_twoway_shuffled(&t, HS_TWOWAY_ROW, 1, k, order, out);
        row += out[HS_TWOWAY_ROW] / K;
        kept[0] += out[HS_TWOWAY_COLUMN] / K;
        hs_twoway_shuffled(&t, HS_TWOWAY_COLUMN, 1, k, order, out);
        column += out[HS_TWOWAY_COLUMN] / K;
        kept[1] += out[HS_TWOWAY_ROW] / K;
    }
    assert_near(row, 0, 0.02);
    assert_near(column, 0, 0.02);
    hs_twoway_eval(&t, NULL, NULL, out);
    /* what is left of the other factor: the same distances but for the sum they are divided by */
    assert_near(kept[0], out[HS_TWOWAY_COLUMN], 0.06);
    assert_near(kept[1], out[HS_TWOWAY_ROW], 0.06);
    free(D);
}

static void test_degenerate(void **state)
{
    (void)state;
    double D[16] = {0}, out[Q], theta[Q];
    const hs_twoway same = {2, 2, D}, thin = {1, 4, D};
    hs_twoway_eval(&same, NULL, NULL, out);
    assert_true(isnan(out[HS_TWOWAY_ROW]) && isnan(out[HS_TWOWAY_RATIO]));
    assert_code(hs_twoway_bootstrap(&thin, 0, 1, theta), HS_ERANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),   cmocka_unit_test(test_copies),     cmocka_unit_test(test_planted),
        cmocka_unit_test(test_shuffled), cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
